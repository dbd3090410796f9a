//! Lists of nodes that do not show all nodes, and claims that do not name theirs: no record of a node that
//! exists is removed, and the status says why nothing is.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bigip_tunnel_crds::ANNOTATION_APPROVE_REMOVAL;
use bigip_tunnel_harness::proxy::{Proxy, Rewrite, Seen, Trouble};
use bigip_tunnel_harness::wait::{Answer, eventually};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::world::{
    NAME, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, claims, condition, find, mutations,
};

const LIMIT: Duration = Duration::from_secs(90);
/// Nodes of a world, and how many of them its lists show.
const NODES: u32 = 40;
const LISTED: u32 = 24;

fn is_list(seen: &Seen) -> bool {
    seen.is_list_of("nodes")
}

/// Whether it is a list, not the count that goes with it.
fn is_full_list(seen: &Seen) -> bool {
    is_list(seen) && seen.parameter("limit") != Some("1")
}

fn name_of(item: &Value) -> &str {
    item["metadata"]["name"].as_str().unwrap_or_default()
}

/// Lists do not show these nodes.
fn hide(nodes: BTreeSet<String>) -> Rewrite {
    Rewrite::with(move |body| {
        if let Some(items) = body["items"].as_array_mut() {
            items.retain(|item| !nodes.contains(name_of(item)));
        }
    })
}

/// Neither lists nor counts show this node.
fn hide_and_count_as_gone(node: String) -> Rewrite {
    Rewrite::with(move |body| {
        let Some(items) = body["items"].as_array_mut() else {
            return;
        };
        let before = items.len();
        items.retain(|item| name_of(item) != node);
        let is_hidden = items.len() < before;
        let remaining = &mut body["metadata"]["remainingItemCount"];
        if let Some(count) = remaining.as_u64().filter(|_| !is_hidden) {
            *remaining = json!(count - 1);
        }
    })
}

/// A spec that lets any number of records go at once.
async fn in_sync_over_a_proxy(name: &str, nodes: u32) -> (World, Proxy) {
    let mut world = World::new(name).await;
    world.create_many_nodes(nodes).await;
    let proxy = world.start_proxy().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["nodes"]["maxRemovalPercent"] = json!(100);
    world.create(spec).await;
    world.until_ready().await;
    (world, proxy)
}

async fn until_doubted(world: &World, reason: &str) {
    world
        .until_status(&format!("NodesResolved=Unknown/{reason}"), |status| {
            find(&status.conditions, "NodesResolved")
                .is_some_and(|c| c.status == "Unknown" && c.reason == reason)
        })
        .await;
}

fn counts(world: &World) -> [usize; 2] {
    let units = world.devices.units();
    units.each_ref().map(|unit| unit.records(TUNNEL_PATH).len())
}

#[tokio::test]
async fn list_cut_by_the_server_removes_nothing_after_a_restart() {
    let (mut world, proxy) = in_sync_over_a_proxy("lists-cut", NODES).await;
    world.kill_operator().await;
    let hidden = (LISTED..NODES).map(|n| world.node_name(&format!("n{n}")));
    proxy.make_trouble(Trouble::Rewrite(hide(hidden.collect())), is_list);
    world.start_operator().await;
    until_doubted(&world, "NodeListIncomplete").await;
    let listed = proxy.seen(is_full_list).len();
    world.settle().await;
    assert_eq!(counts(&world), [NODES as usize; 2]);
    let more = proxy.seen(is_full_list).len() - listed;
    assert!(more <= 2, "{more} lists while removals are stopped");
}

#[tokio::test]
async fn node_that_exists_and_is_not_listed_keeps_its_record() {
    let (mut world, proxy) = in_sync_over_a_proxy("lists-hidden", 3).await;
    world.kill_operator().await;
    let hidden = world.node_name("n2");
    proxy.make_trouble(Trouble::Rewrite(hide_and_count_as_gone(hidden)), is_list);
    world.start_operator().await;
    until_doubted(&world, "NodeListContradicted").await;
    world.settle().await;
    assert_eq!(counts(&world), [3; 2]);
}

#[tokio::test]
async fn uncounted_list_removes_nothing_and_is_reported() {
    let (world, proxy) = in_sync_over_a_proxy("lists-uncounted", 3).await;
    let without_count = Rewrite::with(|body| {
        if let Some(metadata) = body["metadata"].as_object_mut() {
            metadata.remove("remainingItemCount");
        }
    });
    let rule = proxy.make_trouble(Trouble::Rewrite(without_count), is_list);
    world.delete_node("n2").await;
    until_doubted(&world, "NodeListUncounted").await;
    world.settle().await;
    assert_eq!(counts(&world), [3; 2]);
    assert!(proxy.effects(rule) > 0);
}

#[tokio::test]
async fn list_older_than_the_object_removes_nothing_after_a_restart() {
    let (mut world, proxy) = in_sync_over_a_proxy("lists-old", 3).await;
    world.kill_operator().await;
    let hidden = BTreeSet::from([world.node_name("n2")]);
    let lists = AtomicUsize::new(0);
    let old = hide(hidden).and(Rewrite::with(move |body| {
        // The watch begins where the first list says, and would show what came since.
        if lists.fetch_add(1, Ordering::Relaxed) > 0 {
            body["metadata"]["resourceVersion"] = json!("2");
        }
    }));
    proxy.make_trouble(Trouble::Rewrite(old), is_full_list);
    world.start_operator().await;
    until_doubted(&world, "NodeListStale").await;
    world.settle().await;
    assert_eq!(counts(&world), [3; 2]);
}

/// Stores claims as the release before stored them: MAC addresses without names.
async fn store_claims_without_names(world: &World) {
    let object = world.object().await;
    let uid = object.metadata.uid.clone();
    let status = object.status.unwrap();
    let macs: Vec<String> = claims(&status, "bigip-a").into_keys().collect();
    let row = json!({"devices": ["bigip-a", "bigip-b"], "state": "Owned", "macs": macs});
    patch_status(world, &json!({"ownership": {"uid": uid, "claims": [row]}})).await;
}

async fn patch_status(world: &World, status: &Value) {
    let patch = Patch::Merge(json!({ "status": status }));
    world
        .objects()
        .patch_status(NAME, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test]
async fn claims_of_the_previous_release_get_names_once() {
    let mut world = World::in_sync("lists-upgrade").await;
    world.kill_operator().await;
    store_claims_without_names(&world).await;
    for unit in world.devices.units() {
        unit.clear_log();
    }
    world.start_operator().await;
    world
        .until_status("claims with names", |status| {
            let rows = status.ownership.iter().flat_map(|o| &o.claims);
            rows.clone().count() > 0
                && rows.clone().all(|row| row.macs.is_empty())
                && rows
                    .flat_map(|row| &row.records)
                    .all(|record| record.contains(" lists-upgrade-"))
        })
        .await;
    world.settle().await;
    let version = world.object().await.metadata.resource_version;
    world.kill_operator().await;
    world.start_operator().await;
    let writer = eventually("the next operator", LIMIT, async || {
        let object = world.object().await;
        Answer::when(object.metadata.resource_version, |now| *now != version)
    });
    writer.await.unwrap();
    world.settle().await;
    for unit in world.devices.units() {
        assert_eq!(mutations(unit), []);
    }
}

#[tokio::test]
async fn nameless_claim_of_a_deleted_node_waits_for_approval() {
    let mut world = World::in_sync("lists-nameless").await;
    world.kill_operator().await;
    store_claims_without_names(&world).await;
    world.delete_node("3").await;
    world.start_operator().await;
    let status = world
        .until_status("a held removal", |status| status.held_removal.is_some())
        .await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let digest = status.held_removal.unwrap().digest;
    world.annotate(ANNOTATION_APPROVE_REMOVAL, &digest).await;
    world.until_records(&[RECORD_1, RECORD_2]).await;
}

#[tokio::test]
async fn object_with_unreadable_claims_is_read_only() {
    let world = World::in_sync("lists-unreadable").await;
    let uid = world.object().await.metadata.uid;
    let row = json!({"devices": [], "state": "Owned", "records": ["0a:0a:0a:a9:48:ef"]});
    let unreadable = json!({"uid": uid, "claims": [row]});
    patch_status(&world, &json!({"ownership": unreadable})).await;
    let status = world.until_reason("OwnershipUnreadable").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("remove status.ownership"), "{message}");
    let stored = serde_json::to_value(status.ownership).unwrap();
    assert_eq!(stored["claims"], unreadable["claims"]);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);

    patch_status(&world, &json!({"ownership": null})).await;
    let status = world.until_ready().await;
    assert_eq!(claims(&status, "bigip-a").len(), 3);
}
