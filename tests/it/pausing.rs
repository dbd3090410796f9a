//! An object that is not worked on: nothing is read or written, and nothing is forgotten.

use bigip_tunnel_crds::ANNOTATION_PAUSED;
use serde_json::json;

use crate::world::{
    NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World, condition, find,
};

async fn suspended(name: &str) -> World {
    let world = World::in_sync(name).await;
    world.patch_spec(json!({"suspend": true})).await;
    let generation = world.object().await.metadata.generation;
    world
        .until_status("Paused", |status| {
            let paused = find(&status.conditions, "Paused");
            status.observed_generation == generation
                && paused.is_some_and(|c| c.status == "True" && c.reason == "Suspended")
        })
        .await;
    world
}

#[tokio::test]
async fn suspended_object_is_untouched_and_not_ready() {
    let world = suspended("pause-suspend").await;
    world
        .devices
        .units()
        .iter()
        .for_each(bigip_sim::Simulator::clear_log);
    world.create_node(NEW_NODE).await;
    world.delete_node("1").await;
    world.reconcile().await;
    for unit in world.devices.units() {
        assert_eq!(unit.requests(), []);
    }
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let object = world.object().await;
    let status = object.status.unwrap();
    let generation = object.metadata.generation;
    for (kind, reason) in [("Ready", "Suspended"), ("Available", "Suspended")] {
        let said = condition(&status.conditions, kind);
        assert_eq!((&*said.status, &*said.reason), ("Unknown", reason));
        assert_eq!(said.observed_generation, generation);
    }
    assert_eq!(find(&status.conditions, "Reconciling"), None);
    assert_eq!(find(&status.conditions, "Stalled"), None);
    for device in &status.devices {
        for kind in ["Programmed", "Saved"] {
            let said = condition(&device.conditions, kind);
            assert_eq!(said.status, "Unknown", "{kind}");
            assert!(
                said.message.starts_with("last verified 20"),
                "{}",
                said.message
            );
        }
    }
}

#[tokio::test]
async fn resumed_object_is_reconciled() {
    let world = suspended("pause-resume").await;
    world.create_node(NEW_NODE).await;
    world.delete_node("1").await;
    world.patch_spec(json!({"suspend": false})).await;
    world.until_records(&[RECORD_2, RECORD_3, NEW_RECORD]).await;
    let status = world.until_ready().await;
    assert_eq!(find(&status.conditions, "Paused"), None);
}

#[tokio::test]
async fn pause_annotation_stops_work_without_a_spec_change() {
    let world = World::in_sync("pause-annotation").await;
    world.annotate(ANNOTATION_PAUSED, "true").await;
    world
        .until_status("Paused", |status| {
            find(&status.conditions, "Paused").is_some_and(|c| c.reason == "PausedByAnnotation")
        })
        .await;
    world.create_node(NEW_NODE).await;
    world.reconcile().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let status = world.object().await.status.unwrap();
    let ready = condition(&status.conditions, "Ready");
    assert_eq!(
        (&*ready.status, &*ready.reason),
        ("Unknown", "PausedByAnnotation")
    );
}

#[tokio::test]
async fn object_deleted_while_suspended_leaves_its_records() {
    let world = suspended("pause-delete").await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}
