//! What a person has to allow: many removals at once, another box behind an address. And what nobody
//! has asked for: an uninstallation that empties the devices.

use bigip_sim::{SimConfig, Simulator, TunnelConfig};
use bigip_tunnel_crds::{ANNOTATION_ACCEPT_DEVICE, ANNOTATION_APPROVE_REMOVAL};
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::devices::self_ip;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use crate::world::{
    FOREIGN, LOCAL_ADDRESS, NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH,
    World, condition, device, mutations,
};

/// Two of the three nodes go, and every removal needs an approval.
pub(crate) async fn two_of_three_nodes_leave(name: &str) -> (World, String) {
    let world = World::in_sync(name).await;
    world
        .patch_spec(json!({"nodes": {"maxRemovalPercent": 0}}))
        .await;
    world.until_ready().await;
    world.delete_node("2").await;
    world.delete_node("3").await;
    let status = world.until_reason("MassRemovalBlocked").await;
    let held = world
        .until_status("both records held", |status| {
            status
                .held_removal
                .as_ref()
                .is_some_and(|held| held.count == 2)
        })
        .await
        .held_removal
        .unwrap();
    let stalled = condition(&status.conditions, "Stalled");
    assert_eq!(stalled.reason, "MassRemovalBlocked");
    (world, held.digest)
}

#[tokio::test]
async fn removals_over_budget_are_blocked() {
    let (world, _) = two_of_three_nodes_leave("approval-held").await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn blocked_removal_proceeds_on_approval_of_its_digest() {
    let (world, digest) = two_of_three_nodes_leave("approval-given").await;
    world
        .annotate(ANNOTATION_APPROVE_REMOVAL, "0000000000000000")
        .await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);

    world.annotate(ANNOTATION_APPROVE_REMOVAL, &digest).await;
    world.until_records(&[RECORD_1]).await;
    let status = world.until_ready().await;
    assert_eq!(status.held_removal, None);
    assert_eq!(status.last_handled_approval, Some(digest));
}

#[tokio::test]
async fn blocked_removal_keeps_its_digest_over_a_restart() {
    let (mut world, digest) = two_of_three_nodes_leave("approval-restart").await;
    // The delay begins anew with the process; the question stays the same meanwhile and after.
    world
        .patch_spec(json!({"nodes": {"removalDelaySeconds": 3}}))
        .await;
    world.kill_operator().await;
    world.start_operator().await;
    world.reconcile().await;
    let held = world.status().await.held_removal.unwrap();
    assert_eq!(held.digest, digest);
    let held = world
        .until_reason("MassRemovalBlocked")
        .await
        .held_removal
        .unwrap();
    assert_eq!(held.digest, digest);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn blocked_removal_is_approved_with_a_spec_edit() {
    let (world, digest) = two_of_three_nodes_leave("approval-edit").await;
    let edit = json!({
        "metadata": {"annotations": {ANNOTATION_APPROVE_REMOVAL: digest}},
        "spec": {"saveConfig": {"delaySeconds": 60}},
    });
    world.patch(edit).await;
    world.until_records(&[RECORD_1]).await;
}

#[tokio::test]
async fn removals_in_small_steps_meet_the_same_limit() {
    let world = World::new("approval-steps").await;
    world.create_node(NEW_NODE).await;
    let world = world.into_sync().await;
    world.delete_node("2").await;
    world.until_records(&[RECORD_1, RECORD_3, NEW_RECORD]).await;
    world.delete_node("3").await;
    world.until_records(&[RECORD_1, NEW_RECORD]).await;
    world.delete_node("1").await;
    world.until_reason("MassRemovalBlocked").await;
    world.settle().await;
    world.assert_records(&[RECORD_1, NEW_RECORD]);
}

/// What the box says it is that stands in for the standby unit.
pub(crate) const REPLACEMENT: &str = "replacement.example.com 00:94:a1:00:ff:00";

/// A world in sync of which the standby unit was replaced by a box that holds these records.
pub(crate) async fn exchanged(name: &str, records: &[(&str, &str)]) -> (World, Simulator) {
    let world = World::in_sync(name).await;
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
    let add = |tunnel: TunnelConfig, record: &(&str, &str)| tunnel.with_record(record.0, record.1);
    let tunnel = records.iter().fold(tunnel, add);
    let config = SimConfig {
        hostname: "replacement.example.com".into(),
        base_mac: "00:94:a1:00:ff:00".into(),
        users: vec![bigip_sim::UserConfig::new(
            bigip_tunnel_harness::devices::USER,
            world.devices.password(),
        )],
        tunnels: vec![tunnel],
        self_ips: vec![self_ip(TUNNEL_PATH)],
        ..SimConfig::default()
    };
    let replacement = Simulator::start(config).await.unwrap();
    world.witness.watch(&replacement);
    world
        .trust(&[world.devices.ca_bundle().as_str(), &replacement.ca_pem()])
        .await;
    world
        .patch_standby(&json!({"port": replacement.address().port()}))
        .await;
    world.until_reason("DeviceIdentityChanged").await;
    (world, replacement)
}

#[tokio::test]
async fn replaced_unit_gets_no_write_until_accepted() {
    // The replacement holds a record of our form that somebody else has put there.
    let held = [FOREIGN, (RECORD_1.0, "192.0.2.77%0")];
    let (world, replacement) = exchanged("approval-box", &held).await;
    assert!(mutations(&replacement).is_empty());
    let status = world.status().await;
    let programmed = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert_eq!(programmed.reason, "DeviceIdentityChanged");
    assert!(
        programmed.message.contains(REPLACEMENT),
        "{}",
        programmed.message
    );
    let found = device(&status, "bigip-b").found_identity.as_deref();
    assert_eq!(found, Some(REPLACEMENT));
    let answer = format!("bigip-b={REPLACEMENT}");
    world.annotate(ANNOTATION_ACCEPT_DEVICE, &answer).await;
    // What was claimed on the old box gives no right to correct a record on the new one.
    let status = world.until_reason("Conflict").await;
    let accepted = device(&status, "bigip-b");
    assert_eq!(accepted.identity.as_deref(), Some(REPLACEMENT));
    assert_eq!(accepted.found_identity, None);
    let expected = [FOREIGN, (RECORD_1.0, "192.0.2.77%0"), RECORD_2, RECORD_3];
    world.until_unit(&replacement, &expected).await;
}

#[tokio::test]
async fn removing_the_resource_definition_leaves_the_records() {
    let own = ControlPlane::start().unwrap();
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
    let world = World::on(&own, "approval-crd", tunnel)
        .await
        .into_sync()
        .await;
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    definitions
        .delete("bigiptunnels.bigip-tunnel.dev", &DeleteParams::default())
        .await
        .unwrap();
    world.until_gone(NAME).await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}
