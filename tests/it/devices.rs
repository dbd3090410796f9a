//! Bad input about one device: its own reason, a message that names what to fix, and everything
//! else goes on.

use bigip_sim::{Simulator, TunnelConfig};
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use bigip_tunnel_harness::devices::{USER, self_ip};
use bigip_tunnel_harness::objects::{SECRET, allowed_addresses};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{
    LOCAL_ADDRESS, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    condition, device, find,
};

/// Where the simulated devices listen.
const LOCALHOST: &str = "127.0.0.1";
/// Counts passes over a device that ended badly.
const PASSES: &str = "bigiptunnel_device_passes_total";

pub(crate) async fn create_secret(world: &World, name: &str, entries: &[(&str, &str)]) {
    let entries = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            annotations: Some(allowed_addresses()),
            ..ObjectMeta::default()
        },
        string_data: Some(entries.collect()),
        ..Secret::default()
    };
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    api.create(&PostParams::default(), &secret).await.unwrap();
}

pub(crate) async fn patch_secret(world: &World, name: &str, entries: Value) {
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    let patch = Patch::Merge(json!({ "stringData": entries }));
    api.patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

async fn create_bundle(world: &World, name: &str, pem: &str) {
    let bundle = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some([("ca.crt".to_owned(), pem.to_owned())].into()),
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.name);
    api.create(&PostParams::default(), &bundle).await.unwrap();
}

fn own_bundle(name: &str) -> Value {
    json!({"tls": {"caBundleRef": {"kind": "ConfigMap", "name": name}}})
}

/// Waits until the standby unit fails for this reason and the object says so, and checks that the
/// message names what to fix, that no unit has lost a record, and that the active one goes on.
async fn assert_only_the_standby_fails(
    world: &World,
    (reason, ready): (&str, &str),
    names: &str,
) -> BigIpTunnelStatus {
    let status = world
        .until_status(&format!("{ready} with one device right"), |status| {
            let shown = find(&status.conditions, "Ready");
            let devices = status.summary.as_ref().map(|summary| &*summary.devices);
            devices == Some("1/2") && shown.is_some_and(|c| c.reason == ready)
        })
        .await;
    let standby = device(&status, "bigip-b");
    let reachable = condition(&standby.conditions, "Reachable");
    assert_eq!((&*reachable.status, &*reachable.reason), ("False", reason));
    assert!(reachable.message.contains(names), "{}", reachable.message);
    let shown = condition(&status.conditions, "Ready");
    assert!(shown.message.contains("bigip-b"), "{}", shown.message);
    assert!(shown.message.contains(names), "{}", shown.message);
    let active = device(&status, "bigip-a");
    assert_eq!(condition(&active.conditions, "Programmed").status, "True");
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    world.create_node(NEW_NODE).await;
    world
        .until_unit(
            world.devices.active(),
            &[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD],
        )
        .await;
    world
        .until_unit(world.devices.standby(), &[RECORD_1, RECORD_2, RECORD_3])
        .await;
    status
}

async fn assert_heals(world: &World) {
    world.until_ready().await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
}

#[tokio::test]
async fn missing_secret_is_named_and_recovers_when_created() {
    let world = World::in_sync("dev-secret").await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "own-login"}}))
        .await;
    let reason = "SecretNotFound";
    assert_only_the_standby_fails(&world, (reason, reason), "own-login").await;
    let login = [("username", USER), ("password", world.devices.password())];
    create_secret(&world, "own-login", &login).await;
    assert_heals(&world).await;
}

#[tokio::test]
async fn secret_without_a_key_names_the_key_and_recovers() {
    let world = World::in_sync("dev-key").await;
    create_secret(&world, "own-login", &[("username", USER)]).await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "own-login"}}))
        .await;
    let reason = "SecretInvalid";
    let status = assert_only_the_standby_fails(&world, (reason, reason), "own-login").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("password"), "{message}");
    patch_secret(
        &world,
        "own-login",
        json!({"password": world.devices.password()}),
    )
    .await;
    assert_heals(&world).await;
}

#[tokio::test]
async fn wrong_password_is_tried_once() {
    let world = World::in_sync("dev-password").await;
    let wrong = [("username", USER), ("password", "wrong-guess")];
    create_secret(&world, "own-login", &wrong).await;
    world
        .patch_spec(json!({"drift": {"intervalSeconds": 10}}))
        .await;
    world.until_ready().await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "own-login"}}))
        .await;
    let reason = "AuthenticationFailed";
    let status = assert_only_the_standby_fails(&world, (reason, reason), "password").await;
    let stalled = condition(&status.conditions, "Stalled");
    assert_eq!(stalled.reason, reason);
    assert!(!format!("{status:?}").contains("wrong-guess"));
    world.until_counter(PASSES, reason, 3).await;
    assert_eq!(world.devices.standby().failed_logins(), 1);
    patch_secret(
        &world,
        "own-login",
        json!({"password": world.devices.password()}),
    )
    .await;
    assert_heals(&world).await;
    assert_eq!(world.devices.standby().failed_logins(), 1);
}

#[tokio::test]
async fn wrong_password_is_tried_twice_despite_user_requests() {
    let world = World::in_sync("dev-lockout").await;
    let wrong = [("username", USER), ("password", "wrong-guess")];
    create_secret(&world, "own-login", &wrong).await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "own-login"}}))
        .await;
    world.until_reason("AuthenticationFailed").await;
    for _ in 0..4 {
        world.reconcile().await;
    }
    assert_eq!(world.devices.standby().failed_logins(), 2);
}

#[tokio::test]
async fn rotated_password_causes_no_failed_login() {
    let world = World::in_sync("dev-rotate").await;
    let before = world.devices.units().each_ref().map(Simulator::logins);
    for unit in world.devices.units() {
        unit.set_password(USER, "rotated");
    }
    patch_secret(&world, SECRET, json!({"password": "rotated"})).await;
    world.reconcile().await;
    world.until_ready().await;
    for (unit, before) in world.devices.units().iter().zip(before) {
        assert_eq!((unit.logins(), unit.failed_logins()), (before + 1, 0));
    }
}

#[tokio::test]
async fn secret_rotated_before_the_device_delays_no_record() {
    let world = World::in_sync("dev-rotate-first").await;
    patch_secret(&world, SECRET, json!({"password": "rotated"})).await;
    world.reconcile().await;
    // The login with the old password goes on.
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    let refused = |status: &BigIpTunnelStatus| {
        condition(&status.conditions, "Ready").reason == "NewPasswordRefused"
    };
    let status = world.until_status("NewPasswordRefused", refused).await;
    let ready = condition(&status.conditions, "Ready");
    assert_eq!(ready.status, "True", "{}", ready.message);
    assert!(ready.message.contains("next attempt"), "{}", ready.message);
    for unit in world.devices.units() {
        assert_eq!(unit.failed_logins(), 1);
        unit.set_password(USER, "rotated");
    }
    world.reconcile().await;
    world.until_ready().await;
    for unit in world.devices.units() {
        assert_eq!((unit.logins(), unit.failed_logins()), (3, 1));
    }
}

#[tokio::test]
async fn annotated_secret_causes_no_login() {
    let world = World::in_sync("dev-annotated").await;
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"rotated-by": "nobody"}}}));
    api.patch(SECRET, &PatchParams::default(), &patch)
        .await
        .unwrap();
    world.reconcile().await;
    for unit in world.devices.units() {
        assert_eq!(unit.logins(), 1);
    }
}

#[tokio::test]
async fn device_of_an_unknown_ca_gets_no_request_from_operator() {
    let world = World::in_sync("dev-ca").await;
    // The other unit has a CA of its own.
    create_bundle(&world, "own-ca", &world.devices.active().ca_pem()).await;
    world.patch_standby(&own_bundle("own-ca")).await;
    world.until_reason("CertificateInvalid").await;
    world.devices.standby().clear_log();
    let reason = "CertificateInvalid";
    assert_only_the_standby_fails(&world, (reason, reason), "CA").await;
    world.settle().await;
    assert_eq!(world.devices.standby().requests(), []);
}

#[tokio::test]
async fn missing_ca_bundle_is_named_and_recovers_when_created() {
    let world = World::in_sync("dev-bundle").await;
    world.patch_standby(&own_bundle("own-ca")).await;
    let reason = "CABundleNotFound";
    assert_only_the_standby_fails(&world, (reason, reason), "own-ca").await;
    create_bundle(&world, "own-ca", &world.devices.standby().ca_pem()).await;
    assert_heals(&world).await;
}

#[tokio::test]
async fn ca_bundle_without_a_certificate_is_named() {
    let world = World::in_sync("dev-no-cert").await;
    create_bundle(&world, "own-ca", "not a certificate").await;
    world.patch_standby(&own_bundle("own-ca")).await;
    let reason = "CABundleInvalid";
    assert_only_the_standby_fails(&world, (reason, reason), "").await;
}

#[tokio::test]
async fn device_that_refuses_the_connection_is_unreachable() {
    let world = World::in_sync("dev-refused").await;
    let closed = TcpListener::bind((LOCALHOST, 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    world.patch_standby(&json!({"port": closed.port()})).await;
    let reasons = ("ConnectionRefused", "DeviceUnreachable");
    assert_only_the_standby_fails(&world, reasons, "port").await;
    world.patch_standby(&json!({})).await;
    assert_heals(&world).await;
}

#[tokio::test]
async fn missing_tunnel_is_named_and_recovers_when_created() {
    let world = World::in_sync("dev-tunnel").await;
    let standby = world.devices.standby();
    assert!(standby.delete_tunnel(TUNNEL_PATH));
    let before = standby.mutations();
    world.reconcile().await;
    let status = world.until_reason("TunnelNotFound").await;
    let programmed = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert_eq!(
        (&*programmed.status, &*programmed.reason),
        ("False", "TunnelNotFound")
    );
    assert!(
        programmed.message.contains(TUNNEL_PATH),
        "{}",
        programmed.message
    );
    let reachable = condition(&device(&status, "bigip-b").conditions, "Reachable");
    assert_eq!(reachable.status, "True");
    world.create_node(NEW_NODE).await;
    world
        .until_unit(
            world.devices.active(),
            &[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD],
        )
        .await;
    assert_eq!(standby.mutations(), before);
    standby
        .add_tunnel(&TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS))
        .unwrap();
    standby.add_self_ip(&self_ip(TUNNEL_PATH)).unwrap();
    world.reconcile().await;
    assert_heals(&world).await;
}

#[tokio::test]
async fn tunnel_without_a_plain_local_address_is_not_written() {
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, "any");
    let mut world = World::with_tunnel("dev-any", tunnel).await;
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("TunnelMismatch").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("local address"), "{message}");
    assert_eq!(
        world.devices.units().each_ref().map(Simulator::mutations),
        [0, 0]
    );
}

/// Makes a second address for a device: everything is passed on to it.
async fn second_address_of(unit: &Simulator) -> u16 {
    let (listener, target) = (
        TcpListener::bind((LOCALHOST, 0)).await.unwrap(),
        unit.address(),
    );
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut to = TcpStream::connect(target).await?;
                copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    port
}

/// Checks that the standby's entry is refused as the same box as the active unit's.
async fn assert_twin_is_named(world: &World) {
    let status = world.until_reason("DuplicateUnit").await;
    let twin = device(&status, "bigip-b");
    let programmed = condition(&twin.conditions, "Programmed");
    assert_eq!(programmed.reason, "DuplicateUnit");
    assert!(
        programmed.message.contains("bigip-a"),
        "{}",
        programmed.message
    );
    let all = [RECORD_1, RECORD_2, RECORD_3];
    world.until_unit(world.devices.active(), &all).await;
    assert_eq!(world.devices.active().mutations(), 3);
}

#[tokio::test]
async fn unit_listed_twice_is_written_once_and_named() {
    let mut world = World::new("dev-twin").await;
    world.create_nodes().await;
    world.start_operator().await;
    let port = second_address_of(world.devices.active()).await;
    let twice = world.devices_with_standby(&json!({"port": port}));
    let mut spec = world.spec();
    spec["devices"] = json!([twice[0]]);
    world.create(spec).await;
    world.until_ready().await;
    world.patch_spec(json!({"devices": twice})).await;
    assert_twin_is_named(&world).await;
}

#[tokio::test]
async fn device_yields_at_once_to_an_earlier_one_of_its_unit() {
    let mut world = World::new("dev-twin-first").await;
    world.create_nodes().await;
    world.start_operator().await;
    let port = second_address_of(world.devices.active()).await;
    let twice = world.devices_with_standby(&json!({"port": port}));
    let mut spec = world.spec();
    spec["devices"] = json!([twice[1]]);
    world.create(spec).await;
    world.until_ready().await;
    world.patch_spec(json!({"devices": twice})).await;
    assert_twin_is_named(&world).await;
}

#[tokio::test]
async fn node_without_usable_address_is_named_and_stops_no_other() {
    let world = World::in_sync("dev-node").await;
    let name = world.node_name("six");
    world
        .nodes
        .create_with(&name, &[("InternalIP", "fd00::1")])
        .await
        .unwrap();
    let status = world.until_reason("NodesSkipped").await;
    assert!(
        condition(&status.conditions, "Ready")
            .message
            .contains(&name)
    );
    assert_eq!(status.skipped_nodes[0].name, name);
    assert_eq!(status.skipped_nodes[0].reason, "NodeAddressNotIPv4");
    assert_eq!(status.summary.unwrap().nodes, "3/4");
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    let usable = [("InternalIP", "fd00::1"), ("InternalIP", "10.169.72.242")];
    world.nodes.set_addresses(&name, &usable).await.unwrap();
    let status = world.until_ready().await;
    assert_eq!(status.summary.unwrap().nodes, "5/5");
}

#[tokio::test]
async fn device_listed_later_gets_every_record() {
    let mut world = World::new("dev-later").await;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    let both = spec["devices"].clone();
    spec["devices"] = json!([both[0]]);
    world.create(spec).await;
    world.until_ready().await;
    assert_eq!(world.devices.standby().requests(), []);
    world.patch_spec(json!({"devices": both})).await;
    world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}
