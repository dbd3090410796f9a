//! Tunnels with many nodes: the first fill, and what does not wait for it.

use std::time::Duration;

use bigip_sim::{Effect, Fault, Method, Simulator};
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use serde_json::json;

use crate::world::{
    FOREIGN, NEW_NODE, NEW_RECORD, TUNNEL_PATH, World, condition, device, mutations, requests, say,
};

/// How long a record may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A world with many nodes and an object that may fill empty tunnels at once.
async fn filling(name: &str, count: u32) -> World {
    let mut world = World::new(name).await;
    world.create_many_nodes(count).await;
    world.start_operator().await;
    world
}

async fn create_with_bulk_writes(world: &World) {
    let mut spec = world.spec();
    spec["fdb"] = json!({"bulkWrites": "WhenEmpty"});
    world.create(spec).await;
    world.until_ready().await;
}

#[tokio::test]
async fn empty_tunnel_is_written_at_once_if_the_spec_allows() {
    let world = filling("large-bulk", 300).await;
    create_with_bulk_writes(&world).await;
    for unit in world.devices.units() {
        let writes = mutations(unit);
        assert_eq!(writes.len(), 1, "{writes:#?}");
        assert_eq!(writes[0].method, Method::PUT);
        assert_eq!(unit.records(TUNNEL_PATH).len(), 300);
    }
    // After that one by one, like any other.
    world.create_node(NEW_NODE).await;
    for unit in world.devices.units() {
        let added = unit.wait_until(LIMIT, |state| state.records(TUNNEL_PATH).len() == 301);
        added.await.unwrap();
        assert_eq!(requests(unit, &Method::PUT).len(), 1);
    }
}

#[tokio::test]
async fn tunnel_with_a_foreign_record_gets_no_bulk_write() {
    let world = filling("large-foreign", 70).await;
    let active = world.devices.active();
    active
        .seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1)
        .unwrap();
    create_with_bulk_writes(&world).await;
    assert_eq!(requests(active, &Method::PUT), []);
    assert_eq!(requests(active, &Method::POST).len(), 71, "70 and a login");
    assert_eq!(active.records(TUNNEL_PATH).len(), 71);
    assert_eq!(requests(world.devices.standby(), &Method::PUT).len(), 1);
}

#[tokio::test]
async fn refused_bulk_write_falls_back_to_single_writes() {
    let world = filling("large-no-put", 70).await;
    let standby = world.devices.standby();
    standby.fault(
        Fault::new(Effect::status(
            400,
            "application/json; charset=UTF-8",
            r#"{"code":400,"message":"01070734:3: no","errorStack":[],"apiError":3}"#,
        ))
        .method(Method::PUT),
    );
    create_with_bulk_writes(&world).await;
    assert_eq!(requests(standby, &Method::PUT).len(), 1);
    assert_eq!(standby.records(TUNNEL_PATH).len(), 70);
}

#[tokio::test]
async fn bulk_writes_are_off_by_default() {
    let world = filling("large-never", 70).await;
    world.create(world.spec()).await;
    world.until_ready().await;
    for unit in world.devices.units() {
        assert_eq!(requests(unit, &Method::PUT), []);
    }
}

/// How many records are there over both units, as the status says.
fn present(status: &BigIpTunnelStatus) -> usize {
    let summary = status.summary.as_ref();
    let present = summary.and_then(|summary| summary.records.split('/').next());
    present
        .and_then(|present| present.parse().ok())
        .unwrap_or(0)
}

#[tokio::test]
async fn new_node_overtakes_a_backlog_of_a_thousand_nodes() {
    const COUNT: usize = 1000;
    let world = filling("large-fill", 1000).await;
    let units = world.devices.units();
    // Slow enough that there is a backlog to overtake.
    for unit in units {
        unit.set_latency_ms(20);
    }
    world.create(world.spec()).await;
    let status = world
        .until_status("some records present", |status| present(status) > 0)
        .await;
    assert!(present(&status) < 2 * COUNT, "{:?}", status.summary);
    world.create_node(NEW_NODE).await;
    for unit in units {
        let mut before = 0;
        let arrived = unit.wait_until(LIMIT, |state| {
            let records = state.records(TUNNEL_PATH);
            before = records.len();
            records.contains_key(NEW_RECORD.0)
        });
        arrived.await.unwrap();
        say(&format!(
            "a new node's record was the {before}th of {COUNT}"
        ));
        assert!(before < COUNT, "{before}");
    }
    for unit in units {
        unit.set_latency_ms(0);
    }
    let status = world.until_ready().await;
    assert_eq!(status.summary.unwrap().records, "2002/2002");
    for unit in units {
        let posts = mutations(unit).len();
        assert_eq!(posts, COUNT + 1, "each record was written once");
    }
}

#[tokio::test]
async fn three_equal_refusals_end_the_pass_then_probe_one() {
    let world = filling("large-refused", 70).await;
    let standby = world.devices.standby();
    let refusal = r#"{"code":400,"message":"01070734:3: Configuration error: no","errorStack":[],"apiError":3}"#;
    standby.fault(
        Fault::new(Effect::status(
            400,
            "application/json; charset=UTF-8",
            refusal,
        ))
        .method(Method::POST)
        .path_contains("/records"),
    );
    world.create(world.spec()).await;
    let status = world.until_reason("RequestRefused").await;
    let programmed = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert!(programmed.message.contains("01070734"), "{programmed:?}");
    let refused = |unit: &Simulator| mutations(unit).len();
    assert_eq!(refused(standby), 3);
    world.reconcile().await;
    assert_eq!(refused(standby), 4);
    standby.clear_faults();
    world.reconcile().await;
    world.until_ready().await;
}

#[tokio::test]
async fn emptied_tunnel_with_reported_drift_is_not_restored() {
    let world = filling("large-emptied", 70).await;
    let mut spec = world.spec();
    spec["fdb"] = json!({"bulkWrites": "WhenEmpty"});
    spec["drift"] = json!({"policy": "Report", "intervalSeconds": 3600});
    world.create(spec).await;
    world.until_ready().await;
    let active = world.devices.active();
    for mac in active.records(TUNNEL_PATH).keys() {
        assert!(active.drop_record(TUNNEL_PATH, mac));
    }
    world.reconcile().await;
    world.until_reason("DriftReported").await;
    world.settle().await;
    assert_eq!(mutations(active).len(), 1, "the first fill");
}
