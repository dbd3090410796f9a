//! Records that are not as this product writes them: without an endpoint, with an odd one, with other
//! properties, or with a name that is not a MAC address.

use std::collections::BTreeMap;
use std::time::Duration;

use bigip_sim::{Method, Simulator};
use bigip_tunnel_crds::v1alpha1::ProblemKind;
use serde_json::{Map, Value, json};

use crate::world::{
    NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, condition,
    device, requests,
};

const LIMIT: Duration = Duration::from_secs(60);

/// Foreign records and the properties that are odd about them. `replicators` and `description` are in the
/// schema of 12.0; the rest no source shows, and nothing may depend on it.
fn foreign() -> Vec<(&'static str, Value)> {
    vec![
        (
            "52:54:00:00:00:01",
            json!({"endpoint": null, "replicators": "10.9.9.1 10.9.9.2"}),
        ),
        ("52:54:00:00:00:02", json!({"endpoint": null})),
        (
            "52:54:00:00:00:03",
            json!({"endpoint": "10.9.9.3 10.9.9.4"}),
        ),
        ("52:54:00:00:00:04", json!({"endpoint": 7})),
        ("52:54:00:00:00:05", json!({"endpoint": ["10.9.9.5"]})),
        (
            "52:54:00:00:00:06",
            json!({"endpoint": "10.9.9.6", "description": "spare", "new": {"a": [1, 2]}}),
        ),
        ("no MAC address", json!({"endpoint": "10.9.9.7"})),
    ]
}

fn seed(unit: &Simulator, mac: &str, properties: Value) {
    let properties: Map<String, Value> = serde_json::from_value(properties).unwrap();
    unit.seed_odd_record(TUNNEL_PATH, mac, properties).unwrap();
}

/// The records of a unit of which nothing is odd.
fn plain(unit: &Simulator) -> BTreeMap<String, String> {
    let mut records = unit.records(TUNNEL_PATH);
    records.retain(|mac, _| mac.starts_with("0a:0a:"));
    records
}

async fn until_plain(unit: &Simulator, records: &[(&str, &str)]) {
    let wanted: BTreeMap<String, String> = records
        .iter()
        .map(|(mac, endpoint)| ((*mac).to_owned(), (*endpoint).to_owned()))
        .collect();
    let is_right = |state: &bigip_sim::State| {
        let mut records = state.records(TUNNEL_PATH);
        records.retain(|mac, _| mac.starts_with("0a:0a:"));
        records == wanted
    };
    let seen = unit.wait_until(LIMIT, is_right).await;
    assert!(seen.is_ok(), "{:#?}", plain(unit));
}

#[tokio::test]
async fn foreign_odd_records_stop_nothing_and_stay() {
    let world = World::new("odd-foreign").await;
    let count = foreign().len();
    for unit in world.devices.units() {
        for (mac, properties) in foreign() {
            seed(unit, mac, properties);
        }
    }
    let before = world.devices.active().records(TUNNEL_PATH);
    assert_eq!(before.len(), count);
    let world = world.into_sync().await;
    let status = world.status().await;
    let records = device(&status, "bigip-a").records.as_ref().unwrap();
    assert_eq!(usize::try_from(records.foreign).unwrap(), count);
    world.create_node(NEW_NODE).await;
    world.delete_node("1").await;
    for unit in world.devices.units() {
        until_plain(unit, &[RECORD_2, RECORD_3, NEW_RECORD]).await;
    }
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    for unit in world.devices.units() {
        assert_eq!(unit.records(TUNNEL_PATH), before);
    }
}

#[tokio::test]
async fn unreadable_record_is_named_and_the_others_written() {
    let mut world = World::new("odd-ours").await;
    let standby = world.devices.standby();
    seed(
        standby,
        RECORD_1.0,
        json!({"endpoint": null, "replicators": "10.9.9.1"}),
    );
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("RecordUnreadable").await;
    let unit = device(&status, "bigip-b");
    let programmed = condition(&unit.conditions, "Programmed");
    assert_eq!(programmed.reason, "RecordUnreadable");
    assert!(programmed.message.contains(RECORD_1.0), "{programmed:?}");
    assert_eq!(condition(&unit.conditions, "Reachable").status, "True");
    let named = (&*unit.problems[0].mac, unit.problems[0].kind);
    assert_eq!(named, (RECORD_1.0, ProblemKind::Unreadable));
    // Nodes come and go meanwhile, on both units.
    world.create_node(NEW_NODE).await;
    world.delete_node("3").await;
    let standby = world.devices.standby();
    let active = world.devices.active();
    until_plain(active, &[RECORD_1, RECORD_2, NEW_RECORD]).await;
    until_plain(standby, &[(RECORD_1.0, ""), RECORD_2, NEW_RECORD]).await;
    let about = |request: &bigip_sim::LoggedRequest| request.record.as_deref() == Some(RECORD_1.0);
    assert!(!requests(standby, &Method::DELETE).iter().any(about));
    assert!(!requests(standby, &Method::POST).iter().any(about));
    // A person deletes it.
    assert!(standby.drop_record(TUNNEL_PATH, RECORD_1.0));
    world.reconcile().await;
    world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2, NEW_RECORD]);
}

#[tokio::test]
async fn claimed_record_that_cannot_be_read_keeps_its_object() {
    let world = World::in_sync("odd-claimed").await;
    let standby = world.devices.standby();
    seed(standby, RECORD_1.0, json!({"endpoint": null}));
    world.delete(NAME).await;
    let status = world.until_reason("CleanupFailed").await;
    let ready = condition(&status.conditions, "Ready");
    assert!(ready.message.contains(RECORD_1.0), "{ready:?}");
    let active = world.devices.active();
    until_plain(active, &[]).await;
    assert!(standby.drop_record(TUNNEL_PATH, RECORD_1.0));
    world.until_gone(NAME).await;
    world.assert_records(&[]);
}

#[tokio::test]
async fn tunnel_with_an_odd_record_gets_no_bulk_write() {
    let mut world = World::new("odd-list").await;
    world.create_many_nodes(70).await;
    let active = world.devices.active();
    seed(
        active,
        "52:54:00:00:00:01",
        json!({"endpoint": null, "replicators": "10.9.9.1"}),
    );
    world.start_operator().await;
    let mut spec = world.spec();
    spec["fdb"] = json!({"bulkWrites": "WhenEmpty"});
    world.create(spec).await;
    world.until_ready().await;
    let active = world.devices.active();
    assert_eq!(requests(active, &Method::PUT), []);
    assert_eq!(active.records(TUNNEL_PATH).len(), 71);
    assert_eq!(requests(world.devices.standby(), &Method::PUT).len(), 1);
}
