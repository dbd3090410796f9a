//! A device that says one thing and does another, or does it late: nothing is removed that is needed,
//! and nothing counts as done that is not seen to be done.

use std::time::Duration;

use bigip_sim::{Effect, Fault, LoggedRequest, Method, Preset, Simulator};
use bigip_tunnel_crds::v1alpha1::ClaimState;
use serde_json::json;

use crate::world::{
    FOREIGN, NEW_NODE, NEW_RECORD, NODES, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, claims,
    condition, device, find, mutations, requests, to_map,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];
/// The same with one node more.
const MORE: [(&str, &str); 4] = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
/// How long the operator may take to send a request.
const LIMIT: Duration = Duration::from_secs(60);

/// An answer that says that all went well; nothing is done.
fn accepted() -> Effect {
    Effect::status(200, "application/json; charset=UTF-8", String::new())
}

/// A list that holds these records and no others, whatever the device has.
fn only_listing(records: &[(&str, &str)]) -> Fault {
    let items: Vec<_> = records
        .iter()
        .map(|(name, endpoint)| json!({"name": name, "fullPath": name, "endpoint": endpoint}))
        .collect();
    let kind = "tm:net:fdb:tunnel:records:recordscollectionstate";
    let list = Effect::status(
        200,
        "application/json; charset=UTF-8",
        json!({"kind": kind, "items": items}).to_string(),
    );
    Fault::new(list)
        .method(Method::GET)
        .path_ends_with("/records")
}

/// Requests about records in this method.
fn about_records(method: Method) -> impl FnOnce(Effect) -> Fault {
    |effect| Fault::new(effect).method(method).path_contains("/records")
}

async fn until_asked(unit: &Simulator, method: Method) {
    let asked = unit.wait_until(LIMIT, |state| {
        state.requests().any(|request| request.method == method)
    });
    asked.await.unwrap();
}

/// Waits until the standby unit is not right for this reason.
async fn until_standby(world: &World, reason: &str) {
    let what = format!("{reason} on the standby unit");
    let shown = world.until_status(&what, |status| {
        let programmed = find(&device(status, "bigip-b").conditions, "Programmed");
        programmed.is_some_and(|c| c.status == "False" && c.reason == reason)
    });
    let status = shown.await;
    assert_eq!(condition(&status.conditions, "Ready").status, "False");
}

#[tokio::test]
async fn false_empty_list_removes_no_record_and_is_not_in_sync() {
    let world = World::in_sync("lies-empty").await;
    let standby = world.devices.standby();
    standby.clear_log();
    standby.fault(only_listing(&[]));
    world.reconcile().await;
    until_standby(&world, "WriteNotEffective").await;
    assert_eq!(requests(standby, &Method::DELETE), []);
    let existed = |write: &LoggedRequest| write.status == Some(409);
    assert!(mutations(standby).iter().all(existed));
    world.assert_records(&ALL);
    standby.clear_faults();
    world.until_ready().await;
    assert_eq!(requests(standby, &Method::DELETE), []);
    world.assert_records(&ALL);
}

#[tokio::test]
async fn list_missing_a_record_causes_one_refused_write() {
    let world = World::in_sync("lies-half").await;
    let standby = world.devices.standby();
    standby.clear_log();
    standby.fault(only_listing(&[RECORD_1, RECORD_2]));
    world.reconcile().await;
    let status = world.until_ready().await;
    assert_eq!(claims(&status, "bigip-b").len(), 3);
    let writes: Vec<_> = mutations(standby)
        .into_iter()
        .map(|write| (write.method, write.record, write.status))
        .collect();
    let refused = (Method::POST, Some(RECORD_3.0.to_owned()), Some(409));
    assert_eq!(writes, [refused]);
    world.assert_records(&ALL);
}

#[tokio::test]
async fn accepted_but_missing_write_never_counts_as_done() {
    let world = World::in_sync("lies-add").await;
    let standby = world.devices.standby();
    standby.fault(about_records(Method::POST)(accepted()));
    world.create_node(NEW_NODE).await;
    until_standby(&world, "WriteNotEffective").await;
    world.until_unit(world.devices.active(), &MORE).await;
    world.until_unit(standby, &ALL).await;
    let status = world.status().await;
    let claim = claims(&status, "bigip-b").remove(NEW_RECORD.0);
    assert_eq!(claim, Some(ClaimState::Pending));
    standby.clear_faults();
    world.until_ready().await;
    world.assert_records(&MORE);
}

#[tokio::test]
async fn accepted_but_missing_removal_is_repeated() {
    let world = World::in_sync("lies-remove").await;
    let standby = world.devices.standby();
    standby.fault(about_records(Method::DELETE)(accepted()));
    world.delete_node("1").await;
    until_standby(&world, "WriteNotEffective").await;
    world
        .until_each([&to_map(&[RECORD_2, RECORD_3]), &to_map(&ALL)])
        .await;
    let status = world.status().await;
    let claim = claims(&status, "bigip-b").remove(RECORD_1.0);
    assert_eq!(claim, Some(ClaimState::Leaving));
    standby.clear_faults();
    world.until_records(&[RECORD_2, RECORD_3]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn record_removed_externally_first_counts_as_removed() {
    let world = World::in_sync("lies-gone").await;
    let standby = world.devices.standby();
    standby.clear_log();
    let held = standby.fault(about_records(Method::DELETE)(Effect::stall()));
    world.delete_node("1").await;
    until_asked(standby, Method::DELETE).await;
    assert!(standby.drop_record(TUNNEL_PATH, RECORD_1.0));
    standby.remove_fault(held);
    world.until_records(&[RECORD_2, RECORD_3]).await;
    world.until_ready().await;
    let answers: Vec<_> = requests(standby, &Method::DELETE)
        .into_iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(answers, [Some(404)]);
}

#[tokio::test]
async fn failed_write_keeps_claims_exact_and_is_repeated() {
    let mut world = World::new("lies-middle").await;
    let standby = world.devices.standby();
    standby.fault(about_records(Method::POST)(Effect::drop_before_commit()).nth(2));
    // What is written after that cannot be read back: the trouble lasts until it was looked at.
    let reads = standby.fault(
        Fault::new(Effect::preset(Preset::Restarting))
            .method(Method::GET)
            .path_contains("/records/"),
    );
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    until_asked(world.devices.standby(), Method::POST).await;
    let what = "the standby unit in trouble";
    let status = world.until_status(what, |status| {
        let reachable = status
            .devices
            .iter()
            .find(|device| device.name == "bigip-b");
        let reachable = reachable.and_then(|device| find(&device.conditions, "Reachable"));
        reachable.is_some_and(|c| c.status == "False")
    });
    let of_standby = claims(&status.await, "bigip-b");
    let held = world.devices.standby().records(TUNNEL_PATH);
    assert_eq!(of_standby.len(), NODES.len());
    assert!(held.keys().all(|mac| of_standby.contains_key(mac)));
    world.devices.standby().remove_fault(reads);
    world.until_ready().await;
    world.assert_records(&ALL);
    assert_eq!(requests(world.devices.standby(), &Method::DELETE), []);
}

/// A world whose standby unit holds back the addition of a new node's record.
async fn with_addition_under_way(name: &str) -> World {
    let world = World::in_sync(name).await;
    let standby = world.devices.standby();
    standby.clear_log();
    standby.fault(about_records(Method::POST)(Effect::stall()));
    world.create_node(NEW_NODE).await;
    until_asked(standby, Method::POST).await;
    world
}

#[tokio::test]
async fn equal_record_added_externally_first_is_adopted() {
    let world = with_addition_under_way("lies-alike").await;
    let standby = world.devices.standby();
    standby
        .seed_record(TUNNEL_PATH, NEW_RECORD.0, NEW_RECORD.1)
        .unwrap();
    standby.clear_faults();
    world.until_ready().await;
    world
        .until_status("the record owned", |status| {
            claims(status, "bigip-b").get(NEW_RECORD.0) == Some(&ClaimState::Owned)
        })
        .await;
    let writes = mutations(standby);
    assert_eq!(writes.len(), 1, "{writes:#?}");
    assert_eq!(writes[0].status, Some(409));
    world.assert_records(&MORE);
}

#[tokio::test]
async fn different_record_added_externally_first_is_foreign() {
    let world = with_addition_under_way("lies-other").await;
    let (standby, theirs) = (world.devices.standby(), "192.0.2.7%0");
    standby
        .seed_record(TUNNEL_PATH, NEW_RECORD.0, theirs)
        .unwrap();
    standby.clear_faults();
    let status = world.until_reason("Conflict").await;
    assert!(!claims(&status, "bigip-b").contains_key(NEW_RECORD.0));
    world.delete_node(NEW_NODE.0).await;
    world.settle().await;
    let held = standby.records(TUNNEL_PATH);
    assert_eq!(held.get(NEW_RECORD.0).map(String::as_str), Some(theirs));
    assert_eq!(mutations(standby).len(), 1);
}

#[tokio::test]
async fn late_addition_for_a_deleted_node_is_removed() {
    // Longer than the late addition takes, so that its claim is kept.
    const SETTLE_S: u32 = 10;
    let mut world = with_addition_under_way("lies-late").await;
    world.kill_operator().await;
    world.delete_node(NEW_NODE.0).await;
    world.start_operator_that_settles_for(SETTLE_S).await;
    world.settle().await;
    let standby = world.devices.standby();
    assert_eq!(standby.records(TUNNEL_PATH), to_map(&ALL));
    standby.clear_faults();
    world.until_unit(standby, &MORE).await;
    world.reconcile().await;
    world.until_records(&ALL).await;
}

#[tokio::test]
async fn late_removal_for_a_returned_node_is_restored() {
    let mut world = World::in_sync("lies-late-gone").await;
    let standby = world.devices.standby();
    standby.clear_log();
    standby.fault(about_records(Method::DELETE)(Effect::stall()));
    world.delete_node(NODES[0].0).await;
    until_asked(standby, Method::DELETE).await;
    world.kill_operator().await;
    world.create_node(NODES[0]).await;
    world.start_operator().await;
    world.until_ready().await;
    let standby = world.devices.standby();
    standby.clear_faults();
    world.until_unit(standby, &[RECORD_2, RECORD_3]).await;
    world.reconcile().await;
    world.until_records(&ALL).await;
    world.until_ready().await;
}

#[tokio::test]
async fn records_replaced_by_peer_config_are_restored() {
    let world = World::in_sync("lies-sync").await;
    let standby = world.devices.standby();
    // What a unit gets that takes over its peer's configuration: other records, and none of ours.
    for (mac, _) in ALL {
        assert!(standby.drop_record(TUNNEL_PATH, mac));
    }
    standby
        .seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1)
        .unwrap();
    standby.clear_log();
    world.reconcile().await;
    world
        .until_unit(standby, &[RECORD_1, RECORD_2, RECORD_3, FOREIGN])
        .await;
    world.until_ready().await;
    let writes = mutations(standby);
    assert_eq!(writes.len(), ALL.len(), "{writes:#?}");
    assert!(writes.iter().all(|write| write.method == Method::POST));
}
