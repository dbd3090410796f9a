//! How many records may go within an hour: a rolling replacement costs nothing, a scale-down and nodes that
//! all change their address are held until a person approves.

use std::collections::BTreeMap;

use bigip_tunnel_crds::ANNOTATION_APPROVE_REMOVAL;
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::World;

/// The record of a node with the address 10.30.`third`.`last`.
fn record(third: u8, last: u8) -> (String, String) {
    let mac = format!("0a:0a:0a:1e:{third:02x}:{last:02x}");
    (mac, format!("10.30.{third}.{last}%0"))
}

fn address(third: u8, last: u8) -> String {
    format!("10.30.{third}.{last}")
}

/// A world in sync with nodes at 10.30.0.1 and up.
async fn with_nodes(name: &str, count: u8) -> World {
    let mut world = World::new(name).await;
    for last in 1..=count {
        let node = last.to_string();
        world.create_node((&node, &address(0, last))).await;
    }
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_ready().await;
    world
}

/// How nodes are replaced.
#[derive(Clone, Copy)]
enum Order {
    /// The old one goes, then the new one comes.
    OldFirst,
    /// So many new ones come, then as many old ones go.
    Surge(u8),
    /// The old one goes, and one of its name comes with another address.
    SameName,
}

/// Replaces every node, and waits each time until the records are right.
async fn replace_all(name: &str, count: u8, order: Order) {
    let world = with_nodes(name, count).await;
    let mut expected: BTreeMap<String, String> = (1..=count).map(|last| record(0, last)).collect();
    let at_once = match order {
        Order::Surge(surge) => surge,
        Order::OldFirst | Order::SameName => 1,
    };
    let olds: Vec<u8> = (1..=count).collect();
    for olds in olds.chunks(usize::from(at_once)) {
        let come = async |expected: &mut BTreeMap<String, String>| {
            for old in olds {
                let node = match order {
                    Order::SameName => old.to_string(),
                    Order::OldFirst | Order::Surge(_) => format!("new-{old}"),
                };
                world.create_node((&node, &address(1, *old))).await;
                expected.extend([record(1, *old)]);
            }
            world.until_each([expected, expected]).await;
        };
        if matches!(order, Order::Surge(_)) {
            come(&mut expected).await;
        }
        for old in olds {
            world.delete_node(&old.to_string()).await;
            expected.remove(&record(0, *old).0);
        }
        world.until_each([&expected, &expected]).await;
        if !matches!(order, Order::Surge(_)) {
            come(&mut expected).await;
        }
    }
    let status = world.until_ready().await;
    assert_eq!(status.held_removal, None);
    assert_eq!(status.last_handled_approval, None);
    let window = status.removal_window.unwrap();
    assert_eq!(window.removed, i32::from(count));
    let gone: i32 = window.steps.iter().map(|step| step.node_deleted).sum();
    assert_eq!(gone, i32::from(count));
}

#[tokio::test]
async fn replacement_of_three_nodes_needs_no_approval() {
    replace_all("budget-roll-3", 3, Order::OldFirst).await;
}

#[tokio::test]
async fn surge_replacement_of_three_nodes_needs_no_approval() {
    replace_all("budget-surge-3", 3, Order::Surge(1)).await;
}

#[tokio::test]
async fn replacement_of_five_nodes_needs_no_approval() {
    replace_all("budget-roll-5", 5, Order::SameName).await;
}

#[tokio::test]
async fn surge_replacement_of_five_nodes_needs_no_approval() {
    replace_all("budget-surge-5", 5, Order::Surge(2)).await;
}

#[tokio::test]
async fn replacement_of_ten_nodes_needs_no_approval() {
    replace_all("budget-roll-10", 10, Order::OldFirst).await;
}

#[tokio::test]
async fn surge_replacement_of_ten_nodes_needs_no_approval() {
    replace_all("budget-surge-10", 10, Order::Surge(2)).await;
}

async fn until_held(world: &World, count: i32) -> BigIpTunnelStatus {
    world
        .until_status("the removal held", |status| {
            let held = status.held_removal.as_ref();
            held.is_some_and(|held| held.count == count)
        })
        .await;
    world.until_reason("MassRemovalBlocked").await
}

fn counts(world: &World) -> [usize; 2] {
    let path = crate::world::TUNNEL_PATH;
    let units = world.devices.units();
    units.each_ref().map(|unit| unit.records(path).len())
}

/// Nodes of [`World::create_many_nodes`], deleted at once.
async fn delete_many(world: &World, numbers: std::ops::Range<u32>) {
    let mut deleting = JoinSet::new();
    for number in numbers {
        let (nodes, name) = (world.nodes.clone(), world.node_name(&format!("n{number}")));
        deleting.spawn(async move { nodes.delete(&name).await });
    }
    while let Some(deleted) = deleting.join_next().await {
        deleted.unwrap().unwrap();
    }
}

#[tokio::test]
async fn scale_down_from_100_to_60_nodes_needs_approval() {
    let mut world = World::new("budget-scale-down").await;
    world.create_many_nodes(100).await;
    world.start_operator().await;
    let mut spec = world.spec();
    // Long enough that all are gone before the first record is due.
    spec["nodes"]["removalDelaySeconds"] = json!(5);
    world.create(spec).await;
    world.until_ready().await;
    delete_many(&world, 0..40).await;
    let held = until_held(&world, 40).await.held_removal.unwrap();
    assert_eq!(held.digest.len(), 64);

    // A restart does not take the smaller number of nodes for the usual one.
    world.kill_operator().await;
    world.start_operator().await;
    world.reconcile().await;
    let after = until_held(&world, 40).await.held_removal.unwrap();
    assert_eq!(after.digest, held.digest);
    world.settle().await;
    assert_eq!(counts(&world), [100; 2]);

    world
        .annotate(ANNOTATION_APPROVE_REMOVAL, &held.digest)
        .await;
    let left = (40..100_u32).map(|number| {
        let last = number + 1;
        (
            format!("0a:0a:0a:14:00:{last:02x}"),
            format!("10.20.0.{last}%0"),
        )
    });
    let left: BTreeMap<String, String> = left.collect();
    world.until_each([&left, &left]).await;
    // What was approved is no loss: a node is replaced as before.
    world.create_node(("late", "10.30.9.1")).await;
    delete_many(&world, 40..41).await;
    let status = world
        .until_status("the replaced node's record gone", |status| {
            status
                .removal_window
                .as_ref()
                .is_some_and(|w| w.removed == 1)
        })
        .await;
    assert_eq!(status.held_removal, None);
}

#[tokio::test]
async fn readdressing_of_every_node_needs_approval() {
    let world = with_nodes("budget-readdress", 10).await;
    world
        .patch_spec(json!({"nodes": {"removalDelaySeconds": 5}}))
        .await;
    world.until_ready().await;
    for last in 1..=10 {
        let name = world.node_name(&last.to_string());
        let new = address(2, last);
        let new = [("InternalIP", &*new)];
        world.nodes.set_addresses(&name, &new).await.unwrap();
    }
    // Those that are due before the others may still be within the budget.
    let status = world
        .until_status("all old records held or gone", |status| {
            let held = status.held_removal.as_ref().map_or(0, |held| held.count);
            let gone = status.removal_window.as_ref().map_or(0, |w| w.removed);
            held > 0 && held + gone == 10
        })
        .await;
    assert!(status.removal_window.unwrap().removed <= 2);
    world.settle().await;
    assert!(counts(&world).iter().all(|count| *count >= 18));
    // The new ones are there.
    for unit in world.devices.units() {
        let records = unit.records(crate::world::TUNNEL_PATH);
        assert!((1..=10).all(|last| records.contains_key(&record(2, last).0)));
    }
}
