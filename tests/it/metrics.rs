//! What is scraped of an object while it is worked on.

use std::time::Duration;

use bigip_tunnel_harness::wait::{Answer, eventually};

use crate::world::{NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World};

/// How long the operator may take to see what it is told.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until a value, summed over the labels that contain `label`, is this.
async fn until_value(world: &World, metric: &str, label: &str, value: u64) {
    let reached = eventually(format!("{metric} {label} {value}"), LIMIT, async || {
        Answer::when(world.counter(metric, label).await, |seen| *seen == value)
    });
    world.must(reached.await).await;
}

#[tokio::test]
async fn object_metrics_match_its_status_until_deletion() {
    let world = World::in_sync("metrics-object").await;
    until_value(
        &world,
        "bigiptunnel_condition",
        r#"type="Ready",status="True""#,
        1,
    )
    .await;
    until_value(&world, "bigiptunnel_device_up", "bigip-", 2).await;
    let logins = r#"resource="login",code="200"#;
    until_value(&world, "bigiptunnel_device_requests_total", logins, 2).await;
    let waited = "bigiptunnel_node_propagation_seconds_count";
    assert_eq!(world.counter(waited, "").await, 0, "no node has come yet");

    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    for device in ["bigip-a", "bigip-b"] {
        until_value(&world, waited, device, 1).await;
        let present = format!(r#"device="{device}",state="present""#);
        until_value(&world, "bigiptunnel_records", &present, 4).await;
        let label = format!(r#"device="{device}""#);
        until_value(&world, "bigiptunnel_claims", &label, 4).await;
    }
    world.patch_spec(serde_json::json!({"suspend": true})).await;
    until_value(
        &world,
        "bigiptunnel_condition",
        r#"type="Paused",status="True""#,
        1,
    )
    .await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    let left = eventually("the object out of the metrics", LIMIT, async || {
        let text = world.metrics().await;
        Answer::when(text, |text| !text.contains(NAME))
    });
    world.must(left.await).await;
}
