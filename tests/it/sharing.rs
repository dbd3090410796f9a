//! Two objects on the same devices and tunnel, each for nodes of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use bigip_sim::Method;
use bigip_tunnel_crds::v1alpha1::ClaimState;
use bigip_tunnel_harness::nodes::Nodes;
use bigip_tunnel_harness::wait::{Answer, eventually};
use serde_json::json;

use crate::world::{
    NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World, claims, requests,
};

/// How long the second object may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Name of the second object.
const SECOND: &str = "second";

/// A world in sync, and a second object for one more node.
async fn shared(name: &str) -> (World, Nodes) {
    let world = World::in_sync(name).await;
    let pool = Nodes::new(world.client.clone(), format!("{name}-pool"));
    pool.create(&world.node_name("pool"), NEW_NODE.1)
        .await
        .unwrap();
    let mut spec = world.spec();
    spec["nodes"]["selector"] = json!(pool.selector());
    world.create_named(SECOND, spec).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    (world, pool)
}

#[tokio::test]
async fn each_object_claims_only_its_own_records() {
    let (world, _) = shared("share-claims").await;
    let seen = eventually("the claim of the second object", LIMIT, async || {
        let object = world.objects().get(SECOND).await.unwrap();
        let claims = claims(&object.status.unwrap_or_default(), "bigip-a");
        Answer::when(claims, |claims| claims.values().eq([&ClaimState::Owned]))
    });
    let of_second = world.must(seen.await).await;
    assert!(of_second.contains_key(NEW_RECORD.0), "{of_second:?}");
    let of_first = claims(&world.status().await, "bigip-a");
    let expected = [RECORD_1, RECORD_2, RECORD_3].map(|(mac, _)| mac.to_owned());
    assert_eq!(
        of_first.into_keys().collect::<BTreeSet<_>>(),
        expected.into()
    );
}

#[tokio::test]
async fn removal_by_one_object_keeps_records_of_the_other() {
    let (world, _) = shared("share-removal").await;
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3, NEW_RECORD]).await;
}

#[tokio::test]
async fn deletion_of_one_object_keeps_records_of_the_other() {
    let (world, _) = shared("share-delete").await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[NEW_RECORD]);
}

#[tokio::test]
async fn node_moved_to_the_other_object_keeps_its_record() {
    let (world, pool) = shared("share-move").await;
    let before = world.devices.active().mutations();
    let label = pool
        .selector()
        .match_labels
        .unwrap()
        .into_iter()
        .next()
        .unwrap();
    let (key, value) = (label.0, label.1);
    world
        .nodes
        .set_label(&world.node_name("1"), &key, Some(&value))
        .await
        .unwrap();
    world
        .until_status("two nodes selected", |status| {
            status
                .nodes
                .as_ref()
                .is_some_and(|nodes| nodes.selected == 2)
        })
        .await;
    world.settle().await;
    // A removal of the first object that goes through shows that the other record was spared.
    world.delete_node("2").await;
    world.until_records(&[RECORD_1, RECORD_3, NEW_RECORD]).await;
    assert_eq!(world.devices.active().mutations() - before, 1);
}

#[tokio::test]
async fn shared_record_stays_until_the_last_object_is_deleted() {
    let world = World::in_sync("share-both").await;
    world.create_named(SECOND, world.spec()).await;
    let seen = eventually("the claims of the second object", LIMIT, async || {
        let object = world.objects().get(SECOND).await.unwrap();
        let claims = claims(&object.status.unwrap_or_default(), "bigip-b");
        Answer::when(claims.len(), |count| *count == 3)
    });
    world.must(seen.await).await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    for unit in world.devices.units() {
        assert_eq!(requests(unit, &Method::DELETE), []);
    }
    world.delete(SECOND).await;
    world.until_gone(SECOND).await;
    world.assert_records(&[]);
}
