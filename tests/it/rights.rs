//! An operator that lacks a right in Kubernetes, and a cluster that shows nothing: what it cannot see
//! or store it does not act on.

use bigip_sim::{Simulator, TunnelConfig};
use bigip_tunnel_harness::account::{Account, rule};
use bigip_tunnel_harness::chart::{self, Helm};
use bigip_tunnel_harness::control_plane::ControlPlane;
use k8s_openapi::api::rbac::v1::PolicyRule;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::removal::until_passed;
use crate::world::{
    LOCAL_ADDRESS, NEW_NODE, NEW_RECORD, NODES, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    claims, condition, mutations,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];
/// The resource that holds the claims.
const STATUS: &str = "bigiptunnels/status";

/// The rights that the chart gives to the operator.
pub(crate) async fn all_rights() -> Vec<PolicyRule> {
    let helm = Helm::new().unwrap();
    let rights = chart::bound_rules(&helm.render("it", "it", &[]).await.unwrap());
    assert!(rights.len() > 3, "{rights:?}");
    rights
}

/// The same without those on one resource.
pub(crate) async fn rights_without(resource: &str) -> Vec<PolicyRule> {
    let is_about = |rule: &PolicyRule| rule.resources.iter().flatten().any(|r| r == resource);
    let mut rights = all_rights().await;
    rights.retain(|rule| !is_about(rule));
    rights
}

/// A world in sync whose operator runs with rights that can be changed.
async fn in_sync(name: &str) -> (World, Account) {
    let mut world = World::new(name).await;
    let account = world.restrict_operator().await;
    account.allow(&all_rights().await).await.unwrap();
    (world.into_sync().await, account)
}

#[tokio::test]
async fn missing_node_list_permission_keeps_records_and_claims() {
    let (mut world, account) = in_sync("rights-list").await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    let claimed = claims(&world.status().await, "bigip-a");
    world.kill_operator().await;
    world.delete_node("1").await;
    account.allow(&rights_without("nodes").await).await.unwrap();
    world.start_operator().await;
    let status = world.until_reason("NodeListFailed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("forbidden"), "{message}");
    assert_eq!(claims(&status, "bigip-a"), claimed);
    world.assert_records(&ALL);
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
    account.allow(&all_rights().await).await.unwrap();
    world.until_records(&[RECORD_2, RECORD_3]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn lost_node_list_permission_stops_removals() {
    let (world, account) = in_sync("rights-list-lost").await;
    // The watch goes on: it was begun with the right.
    account.allow(&rights_without("nodes").await).await.unwrap();
    world.delete_node("1").await;
    world.create_node(NEW_NODE).await;
    let added = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
    world.until_records(&added).await;
    let status = world.until_reason("NodeListFailed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("forbidden"), "{message}");
    assert_eq!(claims(&status, "bigip-a").len(), added.len());
    world.assert_records(&added);
    account.allow(&all_rights().await).await.unwrap();
    world.until_records(&[RECORD_2, RECORD_3, NEW_RECORD]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn nodes_without_watch_permission_are_polled() {
    let mut world = World::new("rights-watch").await;
    let account = world.restrict_operator().await;
    let mut rights = rights_without("nodes").await;
    rights.push(rule("", &["nodes"], &["get", "list"]));
    account.allow(&rights).await.unwrap();
    let world = world.into_sync().await;
    world.until_logged(&["nodes", "forbidden"]).await;
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3, NEW_RECORD]).await;
}

#[tokio::test]
async fn missing_status_update_permission_is_named() {
    let mut world = World::new("rights-replace").await;
    let account = world.restrict_operator().await;
    let mut rights = rights_without(STATUS).await;
    rights.push(rule("bigip-tunnel.dev", &[STATUS], &["patch"]));
    account.allow(&rights).await.unwrap();
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("KubernetesUnavailable").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("cannot update resource"), "{message}");
    for unit in world.devices.units() {
        assert_eq!(mutations(unit), []);
    }
    account.allow(&all_rights().await).await.unwrap();
    world.until_ready().await;
    world.assert_records(&ALL);
}

#[tokio::test]
async fn no_device_write_without_claim_permission() {
    let mut world = World::new("rights-status").await;
    let account = world.restrict_operator().await;
    account.allow(&rights_without(STATUS).await).await.unwrap();
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_logged(&[STATUS, "forbidden"]).await;
    for unit in world.devices.units() {
        assert_eq!(mutations(unit), []);
    }
    account.allow(&all_rights().await).await.unwrap();
    world.until_ready().await;
    world.assert_records(&ALL);
}

#[tokio::test]
async fn lost_claim_permission_stops_only_writes() {
    let (world, account) = in_sync("rights-lost").await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    account.allow(&rights_without(STATUS).await).await.unwrap();
    world.create_node(NEW_NODE).await;
    world.delete_node("1").await;
    world.until_logged(&[STATUS, "forbidden"]).await;
    world.assert_records(&ALL);
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
    account.allow(&all_rights().await).await.unwrap();
    world.until_records(&[RECORD_2, RECORD_3, NEW_RECORD]).await;
}

#[tokio::test]
async fn cluster_without_visible_nodes_loses_no_record() {
    let own = ControlPlane::start().unwrap();
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
    let world = World::on(&own, "rights-empty", tunnel)
        .await
        .into_sync()
        .await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    // Long enough that all are gone before the first one could be removed.
    world
        .patch_spec(json!({"nodes": {"removalDelaySeconds": 3}}))
        .await;
    world.until_ready().await;
    let deleted = Timestamp::now();
    world.nodes.delete_all().await.unwrap();
    let status = world.until_reason("NoNodesSelected").await;
    assert_eq!(claims(&status, "bigip-a").len(), 3);
    until_passed(deleted, SignedDuration::from_secs(4)).await;
    world.settle().await;
    world.assert_records(&ALL);
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
    for node in NODES {
        world.create_node(node).await;
    }
    world.until_ready().await;
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
}
