//! Nodes go, and their records go when they should, and only then.
//!
//! That a record stays is shown by one that goes: a removal looks at all records at once.

use std::collections::BTreeSet;
use std::time::Duration;

use bigip_sim::{Method, Simulator};
use bigip_tunnel_harness::nodes::GROUP_LABEL;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{
    FOREIGN, NEW_NODE, NEW_RECORD, NODES, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    requests, to_map,
};

/// When the unit was asked to remove a record, and its MAC address.
fn removals(unit: &Simulator) -> Vec<(Timestamp, String)> {
    let mac_of = |path: &str| {
        path.rsplit('/')
            .next()
            .unwrap()
            .replace("%3A", ":")
            .to_lowercase()
    };
    let deletes = requests(unit, &Method::DELETE);
    let of_records = deletes
        .iter()
        .filter(|delete| delete.path.contains("/records/"));
    of_records
        .map(|delete| (delete.at, mac_of(&delete.path)))
        .collect()
}

#[tokio::test]
async fn deleted_nodes_record_is_removed_only_after_the_delay() {
    const DELAY_S: i64 = 2;
    let mut world = World::new("removal-delay").await;
    let (mac, endpoint) = FOREIGN;
    world
        .devices
        .active()
        .seed_record(TUNNEL_PATH, mac, endpoint)
        .unwrap();
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["nodes"]["removalDelaySeconds"] = json!(DELAY_S);
    world.create(spec).await;
    world.until_ready().await;
    let deleted = Timestamp::now();
    world.delete_node("2").await;
    let left = to_map(&[RECORD_1, RECORD_3]);
    let with_foreign = to_map(&[RECORD_1, RECORD_3, FOREIGN]);
    world.until_each([&with_foreign, &left]).await;
    for unit in world.devices.units() {
        let removed = removals(unit);
        assert_eq!(removed.len(), 1, "{removed:?}");
        let (at, mac) = &removed[0];
        assert_eq!(mac, RECORD_2.0);
        assert!(
            at.duration_since(deleted) >= SignedDuration::from_secs(DELAY_S),
            "removed {} after the node",
            at.duration_since(deleted)
        );
    }
}

#[tokio::test]
async fn leaving_node_is_shown_until_record_removal() {
    let mut world = World::new("removal-leaving").await;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["nodes"]["removalDelaySeconds"] = json!(3600);
    world.create(spec).await;
    world.until_ready().await;
    world.delete_node("2").await;
    let status = world
        .until_status("a leaving node", |status| !status.leaving_nodes.is_empty())
        .await;
    let leaving = &status.leaving_nodes[0];
    assert_eq!(leaving.name, Some(world.node_name("2")));
    assert_eq!(leaving.address, "10.169.72.233");
    let removable_at = leaving.removable_at.as_ref().unwrap();
    let wait = removable_at.0.duration_since(leaving.since.0);
    assert_eq!(wait.as_secs(), 3600);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn notready_node_keeps_its_record() {
    let world = World::in_sync("removal-notready").await;
    world
        .nodes
        .set_ready(&world.node_name("1"), false)
        .await
        .unwrap();
    world.delete_node("2").await;
    world.until_records(&[RECORD_1, RECORD_3]).await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_3]);
}

#[tokio::test]
async fn node_without_addresses_keeps_its_record() {
    // Addresses that no other test has: a node that is not selected and lists an address shows that
    // the record is not needed.
    const KEPT: [(&str, &str); 3] = [
        ("0a:0a:0a:4d:01:01", "10.77.1.1%0"),
        ("0a:0a:0a:4d:01:02", "10.77.1.2%0"),
        ("0a:0a:0a:4d:01:03", "10.77.1.3%0"),
    ];
    let mut world = World::new("removal-addressless").await;
    for node in [("1", "10.77.1.1"), ("2", "10.77.1.2"), ("3", "10.77.1.3")] {
        world.create_node(node).await;
    }
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_ready().await;
    let name = world.node_name("1");
    world.nodes.set_addresses(&name, &[]).await.unwrap();
    let status = world.until_reason("NodesSkipped").await;
    assert_eq!(status.skipped_nodes[0].name, name);
    // Which record is the one of the node without address cannot be told: all stay.
    world.delete_node("2").await;
    world
        .until_status("two nodes selected", |status| {
            status
                .nodes
                .as_ref()
                .is_some_and(|nodes| nodes.selected == 2)
        })
        .await;
    world.settle().await;
    world.assert_records(&KEPT);
    let addresses = [("InternalIP", "10.77.1.1")];
    world.nodes.set_addresses(&name, &addresses).await.unwrap();
    world.until_records(&[KEPT[0], KEPT[2]]).await;
}

#[tokio::test]
async fn deselected_node_loses_its_record() {
    let world = World::in_sync("removal-relabelled").await;
    let name = world.node_name("3");
    world
        .nodes
        .set_label(&name, GROUP_LABEL, Some("another"))
        .await
        .unwrap();
    world.until_records(&[RECORD_1, RECORD_2]).await;
}

#[tokio::test]
async fn empty_selector_match_removes_nothing() {
    let world = World::in_sync("removal-selector").await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    let selector = json!({"matchLabels": {GROUP_LABEL: "nobody"}});
    world
        .patch_spec(json!({"nodes": {"selector": selector}}))
        .await;
    world.until_reason("NoNodesSelected").await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
}

#[tokio::test]
async fn loss_of_all_nodes_removes_nothing() {
    let world = World::in_sync("removal-all").await;
    // Long enough that all are gone before the first one could be removed.
    world
        .patch_spec(json!({"nodes": {"removalDelaySeconds": 5}}))
        .await;
    world.until_ready().await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    let deleted = Timestamp::now();
    world.nodes.delete_all().await.unwrap();
    world.until_reason("NoNodesSelected").await;
    until_passed(deleted, SignedDuration::from_secs(6)).await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
    // Two of them again, and the third one is believed to be gone.
    world.create_node(NODES[0]).await;
    world.create_node(NODES[2]).await;
    world.until_records(&[RECORD_1, RECORD_3]).await;
}

/// Waits until this much time has passed.
pub(crate) async fn until_passed(since: Timestamp, time: SignedDuration) {
    let passed = eventually("the delay over", Duration::from_secs(30), async || {
        Answer::when(since.duration_until(Timestamp::now()), |passed| {
            *passed > time
        })
    });
    passed.await.unwrap();
}

#[tokio::test]
async fn readdressed_node_gets_new_record_before_old_is_removed() {
    let world = World::in_sync("removal-readdress").await;
    world.devices.units().iter().for_each(Simulator::clear_log);
    let name = world.node_name("3");
    let new = [("InternalIP", "10.169.72.241")];
    world.nodes.set_addresses(&name, &new).await.unwrap();
    world.until_records(&[RECORD_1, RECORD_2, NEW_RECORD]).await;
    for unit in world.devices.units() {
        let added = requests(unit, &Method::POST);
        let removed = removals(unit);
        assert_eq!((added.len(), removed.len()), (1, 1));
        assert_eq!(added[0].status, Some(200));
        assert!(added[0].at < removed[0].0);
        assert_eq!(removed[0].1, RECORD_3.0);
    }
}

#[tokio::test]
async fn only_node_readdressed_loses_its_old_record_at_once() {
    let mut world = World::new("in-only").await;
    world.create_node(NODES[0]).await;
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_ready().await;
    let name = world.node_name(NODES[0].0);
    let new = [("InternalIP", NEW_NODE.1)];
    world.nodes.set_addresses(&name, &new).await.unwrap();
    world.until_records(&[NEW_RECORD]).await;
}

#[tokio::test]
async fn several_deleted_nodes_lose_exactly_their_records() {
    let world = World::new("removal-several").await;
    let last = ("0a:0a:0a:a9:48:f2", "10.169.72.242%0");
    world.create_node(NEW_NODE).await;
    world.create_node(("5", "10.169.72.242")).await;
    let world = world.into_sync().await;
    world.delete_node("1").await;
    world.delete_node("2").await;
    world.until_records(&[RECORD_3, NEW_RECORD, last]).await;
    for unit in world.devices.units() {
        let removed: BTreeSet<String> = removals(unit).into_iter().map(|(_, mac)| mac).collect();
        assert_eq!(removed, [RECORD_1.0, RECORD_2.0].map(str::to_owned).into());
    }
}

#[tokio::test]
async fn nothing_is_removed_in_the_settle_period() {
    const SETTLE_S: u32 = 5;
    let mut world = World::new("removal-settle").await;
    world.create_nodes().await;
    let started = Timestamp::now();
    world.start_operator_that_settles_for(SETTLE_S).await;
    world.create(world.spec()).await;
    world.until_records(&[RECORD_1, RECORD_2, RECORD_3]).await;
    world.delete_node("2").await;
    world.until_records(&[RECORD_1, RECORD_3]).await;
    for unit in world.devices.units() {
        let (at, _) = removals(unit).remove(0);
        let after = at.duration_since(started);
        assert!(
            after >= SignedDuration::from_secs(SETTLE_S.into()),
            "removed after {after}"
        );
    }
}

#[tokio::test]
async fn address_inherited_by_another_node_keeps_its_record() {
    let world = World::in_sync("removal-inherit").await;
    let before = world.devices.active().mutations();
    world.create_node(("heir", "10.169.72.239")).await;
    let status = world.until_reason("NodesSkipped").await;
    assert_eq!(status.skipped_nodes[0].reason, "DuplicateAddress");
    assert_eq!(status.skipped_nodes[0].name, world.node_name("heir"));
    world.delete_node("1").await;
    world.until_ready().await;
    world.delete_node("2").await;
    world.until_records(&[RECORD_1, RECORD_3]).await;
    assert_eq!(world.devices.active().mutations() - before, 1);
}
