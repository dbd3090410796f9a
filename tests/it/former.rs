//! Devices that leave the list, get another name, or cannot be cleaned up.

use bigip_tunnel_crds::{ANNOTATION_ALLOWED_ADDRESSES, ANNOTATION_RELEASE};
use bigip_tunnel_harness::objects::SECRET;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bigip_sim::{SimConfig, Simulator, TunnelConfig, UserConfig};
use bigip_tunnel_harness::devices::{USER, self_ip};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::devices::create_secret;
use crate::events::until_told;
use crate::world::{
    FOREIGN, LOCAL_ADDRESS, NAME, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, claims,
    condition, device, mutations, to_map,
};

/// Identity of the standby unit.
pub(crate) const STANDBY: &str = "bigip-b.example.com 00:94:a1:00:0b:00";
/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];

/// Takes the standby unit off the list.
pub(crate) async fn unlist_standby(world: &World) {
    let devices = world.devices.spec_devices();
    world.patch_spec(json!({"devices": [devices[0]]})).await;
}

pub(crate) async fn delete_secret(world: &World) {
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    api.delete(SECRET, &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn unlisted_device_loses_only_owned_records() {
    let mut world = World::new("former-gone").await;
    let standby = world.devices.standby();
    standby
        .seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1)
        .unwrap();
    world = world.into_sync().await;
    unlist_standby(&world).await;
    let status = world
        .until_status("no former device", |status| {
            status.former_devices.is_empty() && claims(status, "bigip-b").is_empty()
        })
        .await;
    assert_eq!(status.devices.len(), 1);
    world.until_each([&to_map(&ALL), &to_map(&[FOREIGN])]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn replacing_device_is_synced_and_the_old_one_cleaned_up() {
    let mut world = World::new("former-replaced").await;
    world.create_nodes().await;
    world.start_operator().await;
    let (mut spec, both) = (world.spec(), world.devices.spec_devices());
    spec["devices"] = json!([both[0]]);
    world.create(spec).await;
    world.until_ready().await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.patch_spec(json!({"devices": [both[1]]})).await;
    world.until_each([&to_map(&[]), &to_map(&ALL)]).await;
    let status = world.until_ready().await;
    assert!(status.former_devices.is_empty());
    assert!(claims(&status, "bigip-a").is_empty());
}

#[tokio::test]
async fn device_unlisted_during_downtime_is_cleaned_up() {
    let mut world = World::in_sync("former-away").await;
    world.terminate_operator().await;
    unlist_standby(&world).await;
    world.start_operator().await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn unreachable_former_device_is_shown_until_clean() {
    let world = World::in_sync("former-down").await;
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    let status = world.until_reason("CleanupFailed").await;
    let former = &status.former_devices[0];
    assert_eq!(former.name, "bigip-b");
    assert!(former.reason.is_some(), "{former:?}");
    assert_eq!(claims(&status, "bigip-b").len(), 3);
    world.devices.standby().set_responsive(true);
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn live_session_cleans_up_a_device_without_its_secret() {
    let world = World::in_sync("former-secret").await;
    delete_secret(&world).await;
    unlist_standby(&world).await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
}

#[tokio::test]
async fn unreachable_former_device_is_released_by_name() {
    let world = World::in_sync("former-release").await;
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    let status = world.until_reason("CleanupFailed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains(ANNOTATION_RELEASE), "{message}");
    world
        .annotate(ANNOTATION_RELEASE, &format!("bigip-b={STANDBY}"))
        .await;
    let status = world.until_ready().await;
    assert!(status.former_devices.is_empty());
    assert!(claims(&status, "bigip-b").is_empty());
    world.assert_records(&ALL);
}

#[tokio::test]
async fn renamed_device_keeps_its_records_and_claims() {
    let world = World::in_sync("former-renamed").await;
    world.settle().await;
    world.devices.standby().clear_log();
    let renamed = world.devices_with_standby(&json!({"name": "bigip-z"}));
    world.patch_spec(json!({"devices": renamed})).await;
    let status = world
        .until_status("the claims under the new name", |status| {
            claims(status, "bigip-z").len() == 3 && claims(status, "bigip-b").is_empty()
        })
        .await;
    assert!(status.former_devices.is_empty());
    world.until_ready().await;
    world.settle().await;
    world.assert_records(&ALL);
    assert_eq!(mutations(world.devices.standby()), []);
}

#[tokio::test]
async fn released_object_is_deleted_and_leaves_its_records() {
    let mut world = World::in_sync("former-object").await;
    world.kill_operator().await;
    delete_secret(&world).await;
    world.delete(NAME).await;
    // After a restart there is no session that could finish the work.
    world.start_operator().await;
    let status = world.until_reason("CleanupFailed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains(SECRET), "{message}");
    assert!(message.contains(ANNOTATION_RELEASE), "{message}");
    world.annotate(ANNOTATION_RELEASE, "true").await;
    world.until_gone(NAME).await;
    world.assert_records(&ALL);
}

#[tokio::test]
async fn live_session_cleans_up_object_after_secret_deletion() {
    let world = World::in_sync("former-namespace").await;
    // As in a namespace that is being deleted: the Secret goes first, and cannot come back.
    delete_secret(&world).await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[]);
}

#[tokio::test]
async fn password_is_not_sent_to_an_unbound_address() {
    let world = World::in_sync("former-allowed").await;
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    let active = world.devices.active().address();
    let patch = json!({"metadata": {"annotations": {
        ANNOTATION_ALLOWED_ADDRESSES: format!("{active}"),
    }}});
    api.patch(SECRET, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    world.reconcile().await;
    let status = world.until_reason("AddressNotAllowed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains(SECRET), "{message}");
    world.devices.standby().clear_log();
    world.settle().await;
    assert_eq!(world.devices.standby().requests(), []);
    world.assert_records(&ALL);
}

/// Another box, with records of our form that somebody else has put there.
pub(crate) async fn other_box(world: &World) -> Simulator {
    let mut tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
    for (mac, endpoint) in ALL {
        tunnel = tunnel.with_record(mac, endpoint);
    }
    let config = SimConfig {
        hostname: "other.example.com".into(),
        base_mac: "00:94:a1:00:ff:00".into(),
        users: vec![UserConfig::new(USER, world.devices.password())],
        tunnels: vec![tunnel],
        self_ips: vec![self_ip(TUNNEL_PATH)],
        ..SimConfig::default()
    };
    let other = Simulator::start(config).await.unwrap();
    world.witness.watch(&other);
    let bundle = world.devices.ca_bundle();
    world.trust(&[bundle.as_str(), &other.ca_pem()]).await;
    other
}

/// An address that leads to one box now and may lead to another one later.
async fn address_of(target: SocketAddr) -> (u16, Arc<Mutex<SocketAddr>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = Arc::new(Mutex::new(target));
    let current = target.clone();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let target = *current.lock().unwrap();
            tokio::spawn(async move {
                let mut to = TcpStream::connect(target).await?;
                copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    (port, target)
}

#[tokio::test]
async fn replaced_unit_of_a_former_device_is_not_cleaned_up() {
    let mut world = World::new("former-other-box").await;
    world.create_nodes().await;
    world.start_operator().await;
    let other = other_box(&world).await;
    let (port, target) = address_of(world.devices.standby().address()).await;
    let mut spec = world.spec();
    spec["devices"] = world.devices_with_standby(&json!({"port": port}));
    world.create(spec).await;
    world.until_ready().await;
    world.terminate_operator().await;
    *target.lock().unwrap() = other.address();
    unlist_standby(&world).await;
    world.start_operator().await;
    let status = world.until_reason("CleanupFailed").await;
    let former = &status.former_devices[0];
    assert_eq!(former.reason.as_deref(), Some("DeviceIdentityChanged"));
    world.settle().await;
    assert_eq!(mutations(&other), []);
    assert_eq!(other.records(TUNNEL_PATH), to_map(&ALL));
}

#[tokio::test]
async fn relisted_name_with_another_unit_has_no_claims() {
    let mut world = World::in_sync("former-back").await;
    let other = other_box(&world).await;
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    world.until_reason("CleanupFailed").await;
    world.kill_operator().await;
    world.start_operator().await;
    let listed = world.devices_with_standby(&json!({"port": other.address().port()}));
    world.patch_spec(json!({"devices": listed})).await;
    let status = world.until_reason("DeviceIdentityChanged").await;
    let programmed = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert_eq!(programmed.reason, "DeviceIdentityChanged");
    assert_eq!(mutations(&other), []);
}

#[tokio::test]
async fn unit_listed_under_another_device_is_not_cleaned_up() {
    let world = World::in_sync("former-moved").await;
    let before = mutations(world.devices.standby()).len();
    let (port, _) = address_of(world.devices.standby().address()).await;
    // One edit: the first entry leads to the second one's box by an address of its own, and the second
    // one is gone.
    let mut devices = world.devices.spec_devices();
    devices[0]["port"] = json!(port);
    world.patch_spec(json!({"devices": [devices[0]]})).await;
    world.until_reason("DeviceIdentityChanged").await;
    world.settle().await;
    assert_eq!(mutations(world.devices.standby()).len(), before);
    world.assert_records(&ALL);
}

#[tokio::test]
async fn object_with_an_invalid_spec_can_be_released() {
    let world = World::in_sync("former-invalid").await;
    let selector = json!({"matchExpressions": [{"key": "pool", "operator": "In"}]});
    world
        .patch_spec(json!({"nodes": {"selector": selector}}))
        .await;
    world.until_reason("InvalidSpec").await;
    world.delete(NAME).await;
    let status = world.until_reason("CleanupFailed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains(ANNOTATION_RELEASE), "{message}");
    world.annotate(ANNOTATION_RELEASE, "true").await;
    world.until_gone(NAME).await;
    world.assert_records(&ALL);
}

/// A world in sync with a definition that takes specs which the operator cannot work with.
async fn with_old_definition(name: &str) -> World {
    crate::unreadable::world(name).await.into_sync().await
}

/// A selector that this definition takes and the operator does not.
fn invalid_selector() -> Value {
    json!({"selector": {"matchExpressions": [{"key": "pool", "operator": "In"}]}})
}

/// Corrects it.
async fn correct_selector(world: &World) {
    let selector = json!({"matchExpressions": null});
    world
        .patch_spec(json!({"nodes": {"selector": selector}}))
        .await;
}

/// Takes the standby unit off the list in an edit that makes the spec invalid.
async fn unlist_by_an_invalid_edit(world: &World) {
    let devices = world.devices.spec_devices();
    world
        .patch_spec(json!({"devices": [devices[0]], "nodes": invalid_selector()}))
        .await;
}

#[tokio::test]
async fn device_dropped_by_an_invalid_edit_is_cleaned_up() {
    let mut world = with_old_definition("former-invalid-edit").await;
    unlist_by_an_invalid_edit(&world).await;
    let status = world.until_reason("InvalidSpec").await;
    assert_eq!(status.former_devices[0].name, "bigip-b");
    world.terminate_operator().await;
    world.start_operator().await;
    correct_selector(&world).await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn device_dropped_by_an_invalid_edit_while_away_is_cleaned_up() {
    let mut world = with_old_definition("former-invalid-away").await;
    world.terminate_operator().await;
    unlist_by_an_invalid_edit(&world).await;
    world.start_operator().await;
    world.until_reason("InvalidSpec").await;
    world.kill_operator().await;
    world.start_operator().await;
    correct_selector(&world).await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.until_ready().await;
}

/// A world in sync whose standby unit has a password and a Secret of its own.
async fn with_own_secret(name: &str) -> World {
    let world = World::new(name).await;
    world.devices.standby().set_password(USER, "own-password");
    let own = [("username", USER), ("password", "own-password")];
    create_secret(&world, "own-login", &own).await;
    let mut world = world;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["devices"] =
        world.devices_with_standby(&json!({"credentialsSecretRef": {"name": "own-login"}}));
    world.create(spec).await;
    world.until_ready().await;
    world
}

#[tokio::test]
async fn former_device_is_tried_with_its_own_secret_after_restart() {
    let mut world = with_own_secret("former-own-secret").await;
    world.terminate_operator().await;
    unlist_standby(&world).await;
    world.start_operator().await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.until_ready().await;
    assert_eq!(world.devices.standby().failed_logins(), 0);
}

#[tokio::test]
async fn former_device_without_a_known_secret_is_not_tried() {
    let mut world = with_own_secret("former-no-secret").await;
    world.terminate_operator().await;
    // As the version before stored it.
    edit_status(&world, |status| {
        let device = status["devices"][1].as_object_mut().unwrap();
        assert!(device.remove("credentialsSecretRef").is_some());
    })
    .await;
    unlist_standby(&world).await;
    world.devices.standby().clear_log();
    world.start_operator().await;
    let status = world.until_reason("CleanupFailed").await;
    let former = &status.former_devices[0];
    assert_eq!(former.reason.as_deref(), Some("CredentialsUnknown"));
    world.settle().await;
    assert_eq!(world.devices.standby().requests(), []);
    assert_eq!(claims(&world.status().await, "bigip-b").len(), 3);

    // Listed again as it was, it has its Secret.
    let listed =
        world.devices_with_standby(&json!({"credentialsSecretRef": {"name": "own-login"}}));
    world.patch_spec(json!({"devices": listed})).await;
    world.until_ready().await;
    unlist_standby(&world).await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
}

/// Changes the stored status.
async fn edit_status(world: &World, edit: impl FnOnce(&mut Value)) {
    let mut status = serde_json::to_value(world.status().await).unwrap();
    edit(&mut status);
    let patch = Patch::Merge(json!({"status": status}));
    let params = PatchParams::default();
    let objects = world.objects();
    objects.patch_status(NAME, &params, &patch).await.unwrap();
}

#[tokio::test]
async fn ninth_former_device_drops_the_oldest_with_an_event() {
    let mut world = World::in_sync("former-ninth").await;
    world.terminate_operator().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = listener.local_addr().unwrap().port();
    drop(listener);
    // The one that left first is neither the first nor the last by name.
    let former = |number: u32| {
        let day = if number == 5 { 1 } else { 2 };
        json!({
            "name": format!("old-{number}"), "address": "127.0.0.1", "port": closed,
            "credentialsSecretRef": {"name": SECRET}, "since": format!("2026-11-{day:02}T00:00:00Z"),
        })
    };
    let names: Vec<String> = (1..=8).map(|number| format!("old-{number}")).collect();
    let claim = json!({"devices": names, "state": "Owned", "records": ["0a:0a:0a:a9:48:ef"]});
    edit_status(&world, |status| {
        status["formerDevices"] = (1..=8).map(former).collect();
        let claims = status["ownership"]["claims"].as_array_mut().unwrap();
        claims.push(claim);
    })
    .await;
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    world.start_operator().await;
    let status = world
        .until_status("eight former devices", |status| {
            status
                .former_devices
                .iter()
                .any(|former| former.name == "bigip-b")
        })
        .await;
    let names: Vec<&str> = status.former_devices.iter().map(|f| &*f.name).collect();
    assert_eq!(
        names,
        [
            "bigip-b", "old-1", "old-2", "old-3", "old-4", "old-6", "old-7", "old-8"
        ]
    );
    until_told(&world, "RecordsLeft", &["1 record stays on old-5"]).await;
    assert!(claims(&world.status().await, "old-5").is_empty());
    world.devices.standby().set_responsive(true);
}
