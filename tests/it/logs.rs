//! The log: what it says of an object and a device in fields of their own, and its level.

use std::time::Duration;

use bigip_sim::{Effect, Fault, Method};
use bigip_tunnel_harness::wait::{Answer, eventually};
use serde_json::Value;

use crate::world::{NAME, NEW_NODE, World};

/// How long the operator may take to see another level, or that a device fails.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits for a line, of those after the first `from`, that is so.
async fn until_line(world: &World, from: usize, is_it: impl Fn(&Value) -> bool) -> Value {
    let found = eventually("such a line in the log", LIMIT, async || {
        let log = world.operator_log().split_off(from);
        let mut lines = log
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok());
        match lines.find(&is_it) {
            Some(line) => Answer::Done(line),
            None => Answer::NotYet(log.last().cloned().unwrap_or_default()),
        }
    });
    world.must(found.await).await
}

fn is_an_answer(line: &Value) -> bool {
    line["message"] == "answered"
}

#[tokio::test]
async fn device_log_line_has_object_and_device_fields() {
    let mut world = World::new("log-fields").await;
    world.create_nodes().await;
    world.start_operator_that_logs_all().await;
    world.create(world.spec()).await;
    world.until_ready().await;
    let busy = Effect::status(500, "text/html", "no");
    world.devices.units()[0].fault(Fault::new(busy).method(Method::POST));
    world.create_node(NEW_NODE).await;
    let is_failure = |line: &Value| line["level"] == "WARN" && line["device"] == "bigip-a";
    let failed = until_line(&world, 0, is_failure).await;
    let answered = until_line(&world, 0, is_an_answer).await;
    for line in [&failed, &answered] {
        assert_eq!(line["namespace"], "log-fields", "{line}");
        assert_eq!(line["name"], NAME, "{line}");
        let device = line["device"].as_str();
        assert!(
            device.is_some_and(|name| name.starts_with("bigip-")),
            "{line}"
        );
    }
    assert_eq!(failed["device"], "bigip-a");
    assert!(failed["reason"].is_string(), "{failed}");
}

#[tokio::test]
async fn log_level_changes_without_restart_unless_invalid() {
    let mut world = World::new("log-level").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("level");
    std::fs::write(&file, "info\n").unwrap();
    let path = file.display().to_string();
    world.create_nodes().await;
    world
        .start_operator_with(&[&format!("--log-level-file={path}")])
        .await;
    world.create(world.spec()).await;
    world.until_ready().await;
    let log = world.operator_log();
    assert!(
        !log.iter().any(|line| line.contains("answered")),
        "{log:#?}"
    );
    std::fs::write(&file, "debug").unwrap();
    until_line(&world, 0, |line| line["level_set"] == "debug").await;
    std::fs::write(&file, "warning").unwrap();
    let refused = until_line(&world, 0, |line| line["level"] == "WARN").await;
    assert!(refused.to_string().contains(&path), "{refused}");
    let before = world.operator_log().len();
    world.create_node(NEW_NODE).await;
    until_line(&world, before, is_an_answer).await;
}
