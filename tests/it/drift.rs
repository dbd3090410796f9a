//! What somebody else does to records of ours, and to the tunnel under them.

use bigip_sim::{FloodingType, Simulator, TunnelConfig};
use bigip_tunnel_harness::devices::self_ip;
use serde_json::json;

use crate::world::{
    FOREIGN, LOCAL_ADDRESS, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    condition, device, mutations, to_map,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];

#[tokio::test]
async fn lost_record_is_restored_within_the_interval() {
    let mut world = World::new("drift-back").await;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["drift"] = json!({"intervalSeconds": 10});
    world.create(spec).await;
    world.until_ready().await;
    assert!(world.devices.active().drop_record(TUNNEL_PATH, RECORD_1.0));
    world.until_records(&ALL).await;
}

#[tokio::test]
async fn second_loss_within_a_minute_delays_no_new_node() {
    let world = World::in_sync("drift-twice").await;
    let active = world.devices.active();
    assert!(active.drop_record(TUNNEL_PATH, RECORD_1.0));
    world.reconcile().await;
    world.until_records(&ALL).await;
    active.clear_log();
    assert!(active.drop_record(TUNNEL_PATH, RECORD_1.0));
    world.settle().await;
    assert!(mutations(active).is_empty());
    world.create_node(NEW_NODE).await;
    world
        .until_unit(active, &[RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    // At the end of the minute it is put back.
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
}

#[tokio::test]
async fn repeated_foreign_removal_is_reported_not_fought() {
    let world = World::in_sync("drift-writer").await;
    let active = world.devices.active();
    active
        .seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1)
        .unwrap();
    active.clear_log();
    for (mac, _) in ALL {
        assert!(active.drop_record(TUNNEL_PATH, mac));
        world.settle().await;
    }
    let status = world.until_reason("ForeignWriter").await;
    let programmed = condition(&device(&status, "bigip-a").conditions, "Programmed");
    assert_eq!(programmed.reason, "ForeignWriter");
    let standby = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert_eq!(standby.status, "True");
    // One answer to three losses; the rest waits for the next minute.
    assert_eq!(mutations(active).len(), 1);
    assert_eq!(
        active
            .records(TUNNEL_PATH)
            .get(FOREIGN.0)
            .map(String::as_str),
        Some(FOREIGN.1)
    );
}

#[tokio::test]
async fn reported_drift_is_kept_while_nodes_are_reconciled() {
    let mut world = World::new("drift-report").await;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["drift"] = json!({"policy": "Report", "intervalSeconds": 3600});
    world.create(spec).await;
    world.until_ready().await;
    let active = world.devices.active();
    assert!(active.drop_record(TUNNEL_PATH, RECORD_1.0));
    active
        .seed_record(TUNNEL_PATH, RECORD_2.0, "192.0.2.7%0")
        .unwrap();
    active.clear_log();
    world.reconcile().await;
    let status = world.until_reason("DriftReported").await;
    let programmed = condition(&device(&status, "bigip-a").conditions, "Programmed");
    assert_eq!(programmed.reason, "DriftReported");
    world.settle().await;
    assert!(mutations(active).is_empty());
    world.create_node(NEW_NODE).await;
    world.delete_node("3").await;
    let left = [(RECORD_2.0, "192.0.2.7%0"), NEW_RECORD];
    world.until_unit(active, &left).await;
    world
        .patch_spec(json!({"drift": {"policy": "Correct"}}))
        .await;
    world.until_records(&[RECORD_1, RECORD_2, NEW_RECORD]).await;
}

#[tokio::test]
async fn all_records_are_back_when_a_deleted_tunnel_returns() {
    let world = World::in_sync("drift-tunnel").await;
    let standby = world.devices.standby();
    assert!(standby.delete_tunnel(TUNNEL_PATH));
    world.reconcile().await;
    world.until_reason("TunnelNotFound").await;
    standby
        .add_tunnel(&TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS))
        .unwrap();
    standby.add_self_ip(&self_ip(TUNNEL_PATH)).unwrap();
    world.reconcile().await;
    world.until_ready().await;
    world.assert_records(&ALL);
}

#[tokio::test]
async fn records_lost_by_a_reboot_are_restored() {
    let world = World::in_sync("drift-reboot").await;
    world.devices.active().reboot();
    assert_eq!(world.devices.active().records(TUNNEL_PATH), to_map(&[]));
    world.reconcile().await;
    world.until_records(&ALL).await;
    world.until_ready().await;
}

#[tokio::test]
async fn records_follow_the_tunnel_into_another_route_domain() {
    let world = World::in_sync("drift-domain").await;
    for unit in world.devices.units() {
        assert!(unit.set_local_address(TUNNEL_PATH, "10.169.72.34%7"));
    }
    world.reconcile().await;
    // The facts of a unit are read every five minutes, and after a refusal: a record of the old domain
    // cannot be written any more.
    world.create_node(NEW_NODE).await;
    let moved = [
        (RECORD_1.0, "10.169.72.239%7"),
        (RECORD_2.0, "10.169.72.233%7"),
        (RECORD_3.0, "10.169.72.240%7"),
        (NEW_RECORD.0, "10.169.72.241%7"),
    ];
    world.until_records(&moved).await;
    world.until_ready().await;
}

#[tokio::test]
async fn unusable_tunnel_is_named_and_still_reconciled() {
    let world = World::in_sync("drift-usable").await;
    for unit in world.devices.units() {
        assert!(unit.set_flooding_type(TUNNEL_PATH, FloodingType::None));
    }
    // Facts are read anew before anything is removed.
    world.create_node(NEW_NODE).await;
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3, NEW_RECORD]).await;
    let status = world.until_reason("TunnelUnusable").await;
    let usable = condition(&status.conditions, "TunnelUsable");
    assert!(usable.message.contains("multipoint"), "{}", usable.message);
    assert_eq!(condition(&status.conditions, "Available").status, "True");
    assert_eq!(status.summary.unwrap().records, "6/6");
}

#[tokio::test]
async fn unlisted_ha_peer_is_named() {
    let mut world = World::new("drift-peer").await;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["devices"] = json!([spec["devices"][0]]);
    world.create(spec).await;
    let status = world.until_ready().await;
    let covered = condition(&status.conditions, "PeersCovered");
    assert_eq!(
        (&*covered.status, &*covered.reason),
        ("False", "PeerNotListed")
    );
    assert!(
        covered.message.starts_with("bigip-b.example.com"),
        "{}",
        covered.message
    );
    assert_eq!(world.devices.standby().requests(), []);
}

#[tokio::test]
async fn observing_object_writes_nothing_and_lists_changes() {
    let mut world = World::new("drift-observe").await;
    world.create_nodes().await;
    let active = world.devices.active();
    active
        .seed_record(TUNNEL_PATH, RECORD_1.0, RECORD_1.1)
        .unwrap();
    world.start_operator().await;
    let mut spec = world.spec();
    spec["managementPolicy"] = json!("Observe");
    world.create(spec).await;
    let status = world.until_ready().await;
    let ready = condition(&status.conditions, "Ready");
    assert_eq!(ready.reason, "Observed");
    assert!(
        ready.message.contains("1 records match"),
        "{}",
        ready.message
    );
    assert!(ready.message.contains("to add: 5"), "{}", ready.message);
    world.settle().await;
    let object = world.object().await;
    assert!(object.metadata.finalizers.is_none());
    assert_eq!(object.status.unwrap().ownership, None);
    let unwritten = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(unwritten, [0, 0]);
    // What was only looked at is taken over from there.
    world
        .patch_spec(json!({"managementPolicy": "FDBOnly"}))
        .await;
    world.until_ready().await;
    world.until_records(&ALL).await;
    assert_eq!(mutations(world.devices.active()).len(), 2);
}

#[tokio::test]
async fn deleted_observing_object_leaves_its_records() {
    let world = World::in_sync("drift-look-gone").await;
    world
        .patch_spec(json!({"managementPolicy": "Observe"}))
        .await;
    world.until_ready().await;
    world.delete(crate::world::NAME).await;
    world.until_gone(crate::world::NAME).await;
    world.assert_records(&ALL);
}
