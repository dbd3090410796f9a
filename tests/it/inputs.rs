//! What people and clusters do to nodes, selectors and Secrets of an object that is in sync: nothing
//! that is needed is lost by it.

use bigip_sim::{Method, Simulator};
use bigip_tunnel_harness::devices::USER;
use bigip_tunnel_harness::nodes::GROUP_LABEL;
use bigip_tunnel_harness::objects::SECRET;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::devices::create_secret;
use crate::former::delete_secret;
use crate::removal::until_passed;
use crate::world::{
    NEW_NODE, NEW_RECORD, NODES, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, claims,
    condition, requests,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];
/// A label that only some nodes have.
const POOL: &str = "bigip-tunnel.dev/pool";

fn writes(world: &World) -> [u64; 2] {
    world.devices.units().each_ref().map(Simulator::mutations)
}

/// Merges anything into a node, or into its status.
async fn patch_node(world: &World, node: &str, patch: Value) {
    let api: Api<Node> = Api::all(world.client.clone());
    let (name, params) = (world.node_name(node), PatchParams::default());
    let patched = match patch.get("status") {
        Some(_) => {
            api.patch_status(&name, &params, &Patch::Merge(&patch))
                .await
        }
        None => api.patch(&name, &params, &Patch::Merge(&patch)).await,
    };
    patched.unwrap();
}

/// Selects only the nodes with this label from now on.
async fn select_pool(world: &World, members: &[&str]) {
    for node in members {
        let name = world.node_name(node);
        world.nodes.set_label(&name, POOL, Some("a")).await.unwrap();
    }
    let selector = json!({"matchLabels": {POOL: "a"}});
    world
        .patch_spec(json!({"nodes": {"selector": selector}}))
        .await;
}

#[tokio::test]
async fn notready_tainted_cordoned_nodes_cause_no_write() {
    let world = World::in_sync("in-notready").await;
    let before = writes(&world);
    let taint = json!({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"});
    for (node, _) in NODES {
        let name = world.node_name(node);
        world.nodes.set_ready(&name, false).await.unwrap();
        let spec = json!({"unschedulable": true, "taints": [taint]});
        patch_node(&world, node, json!({ "spec": spec })).await;
    }
    world.settle().await;
    assert_eq!(writes(&world), before);
    world.assert_records(&ALL);
    // A removal looks at every record, and takes none of the others along.
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3]).await;
}

#[tokio::test]
async fn terminating_node_keeps_its_record() {
    let world = World::in_sync("in-deleting").await;
    let finalizers = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    let held = finalizers(json!(["example.com/drain"]));
    patch_node(&world, "1", held).await;
    world.delete_node("1").await;
    let api: Api<Node> = Api::all(world.client.clone());
    let node = api.get(&world.node_name("1")).await.unwrap();
    assert!(node.metadata.deletion_timestamp.is_some());
    world.settle().await;
    world.assert_records(&ALL);
    patch_node(&world, "1", finalizers(Value::Null)).await;
    world.until_records(&[RECORD_2, RECORD_3]).await;
}

#[tokio::test]
async fn recreated_node_gets_new_record_before_old_is_removed() {
    let world = World::in_sync("in-replaced").await;
    world.devices.units().iter().for_each(Simulator::clear_log);
    world.delete_node("3").await;
    world.create_node(("3", NEW_NODE.1)).await;
    world.until_records(&[RECORD_1, RECORD_2, NEW_RECORD]).await;
    for unit in world.devices.units() {
        let (added, removed) = (
            requests(unit, &Method::POST),
            requests(unit, &Method::DELETE),
        );
        let of = |request: &bigip_sim::LoggedRequest| request.record.clone();
        assert_eq!(
            added.iter().map(of).collect::<Vec<_>>(),
            [Some(NEW_RECORD.0.to_owned())]
        );
        assert_eq!(
            removed.iter().map(of).collect::<Vec<_>>(),
            [Some(RECORD_3.0.to_owned())]
        );
    }
}

#[tokio::test]
async fn joining_node_without_address_warns_of_nothing() {
    let world = World::in_sync("in-late-address").await;
    let name = world.node_name("late");
    world.nodes.create_with(&name, &[]).await.unwrap();
    let status = world
        .until_status("one node is joining", |status| {
            status
                .nodes
                .as_ref()
                .is_some_and(|nodes| nodes.joining == 1)
        })
        .await;
    let ready = condition(&status.conditions, "Ready");
    assert_eq!((&*ready.status, &*ready.reason), ("True", "InSync"));
    assert_eq!(status.skipped_nodes, []);
    assert_eq!(status.summary.unwrap().nodes, "3/4");
    let addresses = [("InternalIP", NEW_NODE.1)];
    world.nodes.set_addresses(&name, &addresses).await.unwrap();
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    let status = world.until_ready().await;
    assert_eq!(status.skipped_nodes, []);
    let told = crate::events::events(&world).await;
    let skipped = told
        .iter()
        .filter(|e| e.reason.as_deref() == Some("NodesSkipped"));
    assert_eq!(skipped.count(), 0);
}

#[tokio::test]
async fn invalid_selector_is_refused_and_keeps_records() {
    let world = World::in_sync("in-selector").await;
    let before = writes(&world);
    let select =
        |expressions: Value| json!({"nodes": {"selector": {"matchExpressions": expressions}}});
    let nothing_in = json!([{"key": POOL, "operator": "In", "values": []}]);
    world.patch_spec(select(nothing_in)).await;
    let status = world.until_reason("InvalidSpec").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("selector"), "{message}");
    world.reconcile().await;
    assert_eq!(claims(&status, "bigip-a").len(), 3);
    world.assert_records(&ALL);
    assert_eq!(writes(&world), before);
    world.patch_spec(select(Value::Null)).await;
    world.until_ready().await;
    assert_eq!(writes(&world), before);
}

#[tokio::test]
async fn label_removed_from_all_nodes_removes_no_record() {
    let world = World::in_sync("in-relabelled").await;
    let before = writes(&world);
    // Long enough that all have lost it before the first record could be removed.
    world
        .patch_spec(json!({"nodes": {"removalDelaySeconds": 3}}))
        .await;
    world.until_ready().await;
    let relabelled = Timestamp::now();
    for (node, _) in NODES {
        let name = world.node_name(node);
        let labelled = world.nodes.set_label(&name, GROUP_LABEL, Some("renamed"));
        labelled.await.unwrap();
    }
    world.until_reason("NoNodesSelected").await;
    until_passed(relabelled, SignedDuration::from_secs(4)).await;
    world.settle().await;
    world.assert_records(&ALL);
    assert_eq!(writes(&world), before);
}

#[tokio::test]
async fn narrowed_selector_removes_the_deselected_nodes() {
    let world = World::in_sync("in-part").await;
    select_pool(&world, &["1", "2"]).await;
    world.until_records(&[RECORD_1, RECORD_2]).await;
    // The edit can be seen before the second label: then one node is selected for a moment.
    world
        .until_status("both nodes selected", |status| {
            let summary = status.summary.as_ref();
            summary.is_some_and(|summary| summary.nodes == "2/2")
        })
        .await;
    world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2]);
}

#[tokio::test]
async fn selector_narrowed_to_few_nodes_needs_approval() {
    let world = World::new("in-small-part").await;
    world.create_node(NEW_NODE).await;
    let world = world.into_sync().await;
    let before = writes(&world);
    select_pool(&world, &["1"]).await;
    let status = world.until_reason("MassRemovalBlocked").await;
    assert_eq!(status.held_removal.unwrap().count, 3);
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD]);
    assert_eq!(writes(&world), before);
}

#[tokio::test]
async fn deleted_secret_is_named_and_keeps_records() {
    let world = World::in_sync("in-secret").await;
    let before = writes(&world);
    delete_secret(&world).await;
    world.reconcile().await;
    let status = world.until_reason("SecretNotFound").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains(SECRET), "{message}");
    assert_eq!(claims(&status, "bigip-a").len(), 3);
    world.assert_records(&ALL);
    assert_eq!(writes(&world), before);
    let login = [("username", USER), ("password", world.devices.password())];
    create_secret(&world, SECRET, &login).await;
    world.reconcile().await;
    world.until_ready().await;
    assert_eq!(writes(&world), before);
}

#[tokio::test]
async fn records_in_another_notation_are_never_written_again() {
    let world = World::new("in-notation").await;
    let shown = [
        (RECORD_1.0, "10.169.72.239"),
        ("0A:0A:0A:A9:48:E9", RECORD_2.1),
        ("0A-0A-0A-A9-48-F0", "10.169.72.240"),
    ];
    for unit in world.devices.units() {
        for (mac, endpoint) in shown {
            unit.seed_record(TUNNEL_PATH, mac, endpoint).unwrap();
        }
    }
    let world = world.into_sync().await;
    world.settle().await;
    world.settle().await;
    assert_eq!(writes(&world), [0, 0]);
    world.assert_records(&shown);
}
