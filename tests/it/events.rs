//! What the operator tells in events, when it tells nothing, and that it needs nobody to listen.

use std::collections::BTreeSet;
use std::time::Duration;

use bigip_sim::{Effect, Fault};
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::rights::{all_rights, rights_without};
use crate::world::{
    FOREIGN, NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
};

/// How long an event may take. It is written beside the work, and waits for nothing.
const LIMIT: Duration = Duration::from_secs(60);

/// The events of the namespace, in the order of their times.
pub(crate) async fn events(world: &World) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(world.client.clone(), &world.name);
    let listed = api.list(&ListParams::default()).await.unwrap();
    let mut events = listed.items;
    events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
    events
}

/// What makes an event another one.
fn lines(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let count = event.series.as_ref().map_or(1, |series| series.count);
        format!(
            "{} {} x{count}: {}",
            text(&event.type_),
            text(&event.reason),
            text(&event.note)
        )
    };
    events.iter().map(line).collect()
}

/// Waits until an event with this reason says all of this. Returns all events.
pub(crate) async fn until_told(world: &World, reason: &str, parts: &[&str]) -> Vec<Event> {
    let begin = format!(" {reason} x");
    let says = |line: &String| line.contains(&begin) && parts.iter().all(|p| line.contains(p));
    let seen = eventually(format!("event {reason} {parts:?}"), LIMIT, async || {
        let all = events(world).await;
        if lines(&all).iter().any(says) {
            Answer::Done(all)
        } else {
            Answer::NotYet(lines(&all).join("\n"))
        }
    });
    world.must(seen.await).await
}

/// Suspends the object, which is told: what was to be told before that has been told then.
async fn until_all_told(world: &World) -> Vec<Event> {
    world.patch_spec(json!({"suspend": true})).await;
    until_told(world, "Suspended", &[]).await
}

/// Waits until it is told of each device that something was done to the record of this node.
async fn until_told_of_both(world: &World, reason: &str, node: &str) {
    let node = world.node_name(node);
    for device in ["bigip-a", "bigip-b"] {
        until_told(world, reason, &[device, &node]).await;
    }
}

#[tokio::test]
async fn tunnel_events_are_sent_and_shown_by_the_plugin() {
    let mut world = World::new("events-life").await;
    for (mac, endpoint) in [RECORD_1, FOREIGN] {
        let active = world.devices.active();
        active.seed_record(TUNNEL_PATH, mac, endpoint).unwrap();
    }
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_ready().await;
    let first = world.node_name("1");
    until_told(
        &world,
        "RecordsAdopted",
        &["1 record ", "on bigip-a: ", &first],
    )
    .await;
    until_told(&world, "RecordsAdded", &["2 records ", "on bigip-a: "]).await;
    until_told(&world, "RecordsAdded", &["3 records ", "on bigip-b: "]).await;
    until_told(&world, "InSync", &["3 nodes on 2 of 2 BIG-IPs"]).await;

    world.create_node(NEW_NODE).await;
    until_told_of_both(&world, "RecordsAdded", NEW_NODE.0).await;
    let active = world.devices.active();
    assert!(active.drop_record(TUNNEL_PATH, RECORD_2.0));
    world.reconcile().await;
    let second = world.node_name("2");
    until_told(
        &world,
        "DriftCorrected",
        &["1 record ", "on bigip-a: ", &second],
    )
    .await;
    world.delete_node("1").await;
    until_told_of_both(&world, "RecordsRemoved", "1").await;

    let standby = world.devices.standby();
    standby.fault(Fault::new(Effect::drop_before_commit()));
    world.reconcile().await;
    until_told(&world, "DeviceUnreachable", &["Warning", "bigip-b: "]).await;
    standby.clear_faults();
    world.reconcile().await;
    until_told(
        &world,
        "DeviceRecovered",
        &["bigip-b: answers again after "],
    )
    .await;

    until_all_told(&world).await;
    world.patch_spec(json!({"suspend": false})).await;
    until_told(&world, "Resumed", &[]).await;
    world.until_ready().await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    let told = until_told(&world, "CleanupComplete", &[]).await;
    let reasons = told.iter().filter_map(|event| event.reason.as_deref());
    // A run that takes longer than the delay of a save has saved meanwhile.
    let reasons = reasons.filter(|reason| *reason != "ConfigSaved");
    let expected = "RecordsAdopted RecordsAdded InSync DriftCorrected RecordsRemoved DeviceUnreachable \
                    DeviceRecovered Suspended Resumed CleanupComplete";
    assert_eq!(
        reasons.collect::<BTreeSet<_>>(),
        expected.split(' ').collect(),
        "{:#?}",
        lines(&told)
    );

    let shown = world.plugin(&["events", NAME, "-o", "json"]).await;
    let report: Value = serde_json::from_str(&shown.out).unwrap();
    let shown = report["events"].as_array().unwrap();
    assert_eq!(shown.len(), told.len());
    let last = shown.last().unwrap();
    assert_eq!(last["reason"], "CleanupComplete");
    assert_eq!(last["tunnel"], NAME);
}

#[tokio::test]
async fn idle_operator_and_restart_send_no_event() {
    let mut world = World::in_sync("events-rest").await;
    until_told(&world, "InSync", &[]).await;
    let before = lines(&events(&world).await);
    world.settle().await;
    world.kill_operator().await;
    world.start_operator().await;
    world.settle().await;
    let mut after = lines(&until_all_told(&world).await);
    after.retain(|line| !line.contains(" Suspended x"));
    assert_eq!(after, before);
}

#[tokio::test]
async fn repeated_event_increments_its_count() {
    let world = World::in_sync("events-again").await;
    for _ in 0..2 {
        world.patch_spec(json!({"suspend": true})).await;
        until_told(&world, "Suspended", &[]).await;
        world.patch_spec(json!({"suspend": false})).await;
        world.until_ready().await;
    }
    let all = until_told(&world, "Suspended", &["x2: spec.suspend is set"]).await;
    let suspended = lines(&all)
        .into_iter()
        .filter(|line| line.contains(" Suspended x"));
    assert_eq!(suspended.count(), 1);
}

#[tokio::test]
async fn refused_events_are_logged_once_without_side_effects() {
    let mut world = World::new("events-refused").await;
    let account = world.restrict_operator().await;
    account
        .allow(&rights_without("events").await)
        .await
        .unwrap();
    let world = world.into_sync().await;
    world.until_logged(&["Events refused", "forbidden"]).await;
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    world.until_ready().await;
    assert_eq!(lines(&events(&world).await), [""; 0]);

    account.allow(&all_rights().await).await.unwrap();
    until_all_told(&world).await;
    let log = world.operator_log();
    let refused = log.iter().filter(|line| line.contains("Events refused"));
    assert_eq!(refused.count(), 1);
}
