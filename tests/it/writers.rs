//! Two operators on one object: the one that came last writes, and the other one knows.

use bigip_sim::Simulator;
use bigip_tunnel_harness::operator::OperatorProcess;

use crate::world::{NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World, mutations};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];

/// A world in sync that a second operator has taken over.
async fn taken_over(name: &str) -> (World, OperatorProcess) {
    let world = World::in_sync(name).await;
    let first = world.status().await.writer;
    assert!(first.is_some());
    let second = world.another_operator().await;
    world
        .until_status("another writer", |status| {
            status.writer.is_some() && status.writer != first
        })
        .await;
    (world, second)
}

#[tokio::test]
async fn later_operator_takes_over_without_a_write() {
    let world = World::in_sync("writers-over").await;
    world.settle().await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    let first = world.status().await.writer;
    let _second = world.another_operator().await;
    world
        .until_status("another writer", |status| status.writer != first)
        .await;
    world.settle().await;
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
    world.assert_records(&ALL);
}

#[tokio::test]
async fn of_two_operators_one_writes_a_new_nodes_record() {
    let (world, _second) = taken_over("writers-one").await;
    world.devices.units().iter().for_each(Simulator::clear_log);
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    world.settle().await;
    for unit in world.devices.units() {
        let writes = mutations(unit);
        assert_eq!(writes.len(), 1, "{writes:#?}");
    }
}

#[tokio::test]
async fn two_operators_do_not_alternate_status_writes() {
    let (world, _second) = taken_over("writers-status").await;
    world.settle().await;
    let writer = world.status().await.writer;
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3]).await;
    world.settle().await;
    assert_eq!(world.status().await.writer, writer);
}

#[tokio::test]
async fn restarted_operator_continues_after_the_later_one_ends() {
    let (mut world, second) = taken_over("writers-back").await;
    second.kill().await;
    world.kill_operator().await;
    world.start_operator().await;
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
}
