//! An object is edited, suspended, deleted or made anew in the middle of the work on it.

use std::time::Duration;

use bigip_sim::{Effect, Fault, Method, Preset, Simulator};
use bigip_tunnel_crds::FINALIZER;
use bigip_tunnel_crds::v1alpha1::ProblemKind;
use serde_json::{Value, json};

use crate::world::{
    NAME, NEW_NODE, NEW_RECORD, NODES, RECORD_1, RECORD_2, RECORD_3, World, condition, device,
    find, mutations, requests, to_map,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];
/// How long the operator may take to send a request.
const LIMIT: Duration = Duration::from_secs(60);
/// A label that only one node has.
const POOL: &str = "bigip-tunnel.dev/pool";

fn clear_faults(world: &World) {
    world
        .devices
        .units()
        .iter()
        .for_each(Simulator::clear_faults);
}

async fn until_asked(world: &World, method: Method) {
    for unit in world.devices.units() {
        let asked = unit.wait_until(LIMIT, |state| {
            state.requests().any(|request| request.method == method)
        });
        asked.await.unwrap();
    }
}

/// A world whose first record is being added to both units. Records are added in the order of their
/// addresses: that is the second one.
async fn with_first_write_under_way(name: &str) -> World {
    let mut world = World::new(name).await;
    for unit in world.devices.units() {
        let first = Fault::new(Effect::stall())
            .method(Method::POST)
            .path_contains("/records");
        unit.fault(first.nth(1));
    }
    world.create_nodes().await;
    let third = world.node_name("3");
    let labelled = world.nodes.set_label(&third, POOL, Some("a"));
    labelled.await.unwrap();
    world.start_operator().await;
    world.create(world.spec()).await;
    until_asked_for_record(&world).await;
    world
}

async fn until_asked_for_record(world: &World) {
    for unit in world.devices.units() {
        let asked = unit.wait_until(LIMIT, |state| state.held_requests() > 0);
        asked.await.unwrap();
    }
}

#[tokio::test]
async fn no_device_write_precedes_the_finalizer() {
    let world = with_first_write_under_way("life-finalizer").await;
    let finalizers = world.object().await.metadata.finalizers;
    assert_eq!(finalizers, Some(vec![FINALIZER.to_owned()]));
    clear_faults(&world);
    world.until_ready().await;
}

#[tokio::test]
async fn edit_during_a_pass_ends_the_pass_unreported() {
    let world = with_first_write_under_way("life-edit").await;
    let selector = json!({"matchLabels": {POOL: "a"}});
    world
        .patch_spec(json!({"nodes": {"selector": selector}}))
        .await;
    let generation = world.object().await.metadata.generation.unwrap();
    let seen = world.until_status("the edit seen", |status| {
        status.observed_generation == Some(generation)
    });
    let status = seen.await;
    let ready = find(&status.conditions, "Ready").map(|ready| &*ready.status);
    assert_ne!(ready, Some("True"));
    clear_faults(&world);
    world.until_records(&[RECORD_3]).await;
    world.until_ready().await;
    for unit in world.devices.units() {
        let added = requests(unit, &Method::POST);
        let added: Vec<_> = added
            .iter()
            .filter_map(|request| request.record.as_deref())
            .filter(|record| *record == RECORD_1.0)
            .collect();
        assert_eq!(added, [""; 0]);
    }
}

#[tokio::test]
async fn object_suspended_during_a_pass_gets_no_further_write() {
    let world = with_first_write_under_way("life-suspend").await;
    world.patch_spec(json!({"suspend": true})).await;
    world
        .until_status("Paused", |status| {
            find(&status.conditions, "Paused").is_some()
        })
        .await;
    clear_faults(&world);
    world.until_records(&[RECORD_2]).await;
    world.settle().await;
    for unit in world.devices.units() {
        let writes = mutations(unit);
        assert_eq!(writes.len(), 1, "{writes:#?}");
    }
    world.patch_spec(json!({"suspend": false})).await;
    world.until_ready().await;
    world.assert_records(&ALL);
}

#[tokio::test]
async fn crash_between_new_and_old_record_leaves_both() {
    let mut world = World::in_sync("life-readdress").await;
    for unit in world.devices.units() {
        unit.clear_log();
        let removal = Fault::new(Effect::stall_then_drop()).method(Method::DELETE);
        unit.fault(removal.path_contains("/records"));
    }
    let name = world.node_name("3");
    let new = [("InternalIP", "10.169.72.241")];
    world.nodes.set_addresses(&name, &new).await.unwrap();
    until_asked(&world, Method::DELETE).await;
    world.kill_operator().await;
    clear_faults(&world);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD]);
    world.start_operator().await;
    world.until_records(&[RECORD_1, RECORD_2, NEW_RECORD]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn recreated_object_adopts_retained_records() {
    let world = World::in_sync("life-again").await;
    world.patch_spec(json!({"deletionPolicy": "Retain"})).await;
    world.until_ready().await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.create(world.spec()).await;
    let status = world.until_ready().await;
    assert_eq!(status.summary.unwrap().records, "6/6");
    world.settle().await;
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
    // They are its own: they go with it.
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[]);
}

#[tokio::test]
async fn records_of_a_removed_finalizer_are_orphaned_and_kept() {
    let mut world = World::in_sync("life-orphans").await;
    for unit in world.devices.units() {
        unit.fault(Fault::new(Effect::preset(Preset::Restarting)));
    }
    world.delete(NAME).await;
    world.until_reason("CleanupFailed").await;
    world
        .patch(json!({"metadata": {"finalizers": Value::Null}}))
        .await;
    world.until_gone(NAME).await;
    clear_faults(&world);
    // A started operator lists the nodes: the new object never meets the one that is gone.
    world.terminate_operator().await;
    world.delete_node(NODES[0].0).await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_ready().await;
    for (name, unit) in world.devices.named() {
        let problem = &device(&status, name).problems[0];
        assert_eq!(
            (&*problem.mac, problem.kind),
            (RECORD_1.0, ProblemKind::Unclaimed)
        );
        // An operator that ends gives its tokens back; no record goes.
        let deleted = requests(unit, &Method::DELETE).into_iter();
        let records = deleted.filter(|request| request.record.is_some());
        assert_eq!(records.collect::<Vec<_>>(), []);
    }
    world.settle().await;
    world.assert_records(&ALL);
    // What matched is the new object's, and goes with it.
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world
        .until_each([&to_map(&[RECORD_1]), &to_map(&[RECORD_1])])
        .await;
}

#[tokio::test]
async fn node_changes_during_downtime_are_reconciled() {
    let mut world = World::in_sync("life-away").await;
    world.terminate_operator().await;
    world.create_node(crate::world::NEW_NODE).await;
    world.create_node(("gone", "10.169.72.250")).await;
    world.delete_node("gone").await;
    world.delete_node("1").await;
    world.assert_records(&ALL);
    world.start_operator().await;
    world.until_records(&[RECORD_2, RECORD_3, NEW_RECORD]).await;
    let status = world.until_ready().await;
    let ready = condition(&status.conditions, "Ready");
    assert_eq!(ready.reason, "InSync");
}

#[tokio::test]
async fn loss_of_most_nodes_during_downtime_needs_approval() {
    let world = World::new("life-away-most").await;
    world.create_node(NEW_NODE).await;
    let mut world = world.into_sync().await;
    world.terminate_operator().await;
    for node in ["1", "2", "3"] {
        world.delete_node(node).await;
    }
    world.start_operator().await;
    world.until_reason("MassRemovalBlocked").await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD]);
}
