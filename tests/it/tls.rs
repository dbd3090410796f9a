//! To whom a password is sent: certificates as BIG-IPs really present them, and what a Secret allows.

use bigip_sim::{Fault, SimConfig, Simulator, TlsProfile, TunnelConfig, UserConfig};
use bigip_tunnel_crds::ANNOTATION_ALLOWED_ADDRESSES;
use bigip_tunnel_harness::devices::{USER, self_ip};
use bigip_tunnel_harness::objects::{self, SECRET};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::outages::refused_by_restjavad;
use crate::world::{
    LOCAL_ADDRESS, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    condition, device, mutations,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];

/// A world with one more box, which presents the certificate that it made for itself.
async fn with_new_box(name: &str) -> (World, Simulator) {
    let world = World::new(name).await;
    world.create_nodes().await;
    let config = SimConfig {
        users: vec![UserConfig::new(USER, world.devices.password())],
        tunnels: vec![TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS)],
        self_ips: vec![self_ip(TUNNEL_PATH)],
        tls: TlsProfile::OwnCertificate,
        ..SimConfig::default()
    };
    let unit = Simulator::start(config).await.unwrap();
    world.witness.watch(&unit);
    (world, unit)
}

/// Makes an object for this box alone, with this `tls`.
async fn create(world: &World, unit: &Simulator, tls: &Value) {
    let address = unit.address();
    let mut spec = world.spec();
    spec["devices"] = json!([{
        "name": "new", "address": address.ip().to_string(), "port": address.port(),
    }]);
    spec["tls"] = tls.clone();
    world.create(spec).await;
}

async fn create_own_bundle(world: &World, unit: &Simulator) -> Value {
    let bundle = ConfigMap {
        metadata: objects::named("own-certificate"),
        data: Some([("ca.crt".to_owned(), unit.ca_pem())].into()),
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.name);
    api.create(&PostParams::default(), &bundle).await.unwrap();
    json!({"kind": "ConfigMap", "name": "own-certificate"})
}

#[tokio::test]
async fn new_bigip_is_trusted_by_its_bundled_certificate() {
    let (mut world, unit) = with_new_box("tls-own").await;
    world.start_operator().await;
    let bundle = create_own_bundle(&world, &unit).await;
    let tls = json!({"verification": "CAOnly", "caBundleRef": bundle});
    create(&world, &unit, &tls).await;
    let status = world.until_ready().await;
    let secure = condition(&status.conditions, "SecureTransport");
    assert_eq!((&*secure.status, &*secure.reason), ("True", "Verified"));
    world.until_unit(&unit, &ALL).await;
}

#[tokio::test]
async fn refused_certificate_shows_the_fingerprint_to_pin() {
    let (mut world, unit) = with_new_box("tls-pin").await;
    world.start_operator().await;
    let bundle = create_own_bundle(&world, &unit).await;
    // In full verification a name is missing.
    create(&world, &unit, &json!({"caBundleRef": bundle})).await;
    let status = world.until_reason("CertificateInvalid").await;
    let reachable = condition(&device(&status, "new").conditions, "Reachable");
    let message = &reachable.message;
    let shown = message.to_lowercase().replace(':', "");
    assert!(shown.contains(&unit.fingerprint()), "{message}");
    assert!(message.contains("localhost.localdomain"), "{message}");
    assert_eq!(unit.requests(), []);
    let pinned = json!({
        "verification": "Pinned", "sha256Fingerprints": [unit.fingerprint()], "caBundleRef": null,
    });
    world.patch_spec(json!({"tls": pinned})).await;
    let status = world.until_ready().await;
    let secure = condition(&status.conditions, "SecureTransport");
    assert_eq!((&*secure.status, &*secure.reason), ("True", "Pinned"));
    world.until_unit(&unit, &ALL).await;
}

#[tokio::test]
async fn disabled_verification_needs_the_operator_flag() {
    let (mut world, unit) = with_new_box("tls-none").await;
    world.start_operator().await;
    create(&world, &unit, &json!({"verification": "None"})).await;
    let status = world.until_reason("InsecureTLSNotAllowed").await;
    let secure = condition(&status.conditions, "SecureTransport");
    assert_eq!(secure.status, "False");
    assert_eq!(unit.requests(), []);
    world.terminate_operator().await;
    world
        .start_operator_with(&["--allow-insecure-tls=true"])
        .await;
    let status = world.until_ready().await;
    let secure = condition(&status.conditions, "SecureTransport");
    assert_eq!(
        (&*secure.status, &*secure.reason),
        ("False", "VerificationDisabled")
    );
    world.until_unit(&unit, &ALL).await;
}

/// Takes the annotation off the Secret that names where its password may go.
async fn unbind_secret(world: &World) {
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    let patch = json!({"metadata": {"annotations": {ANNOTATION_ALLOWED_ADDRESSES: null}}});
    api.patch(SECRET, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

#[tokio::test]
async fn unbound_secret_is_not_used() {
    let mut world = World::new("tls-unbound").await;
    unbind_secret(&world).await;
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("SecretNotBound").await;
    let message = &condition(&status.conditions, "Ready").message;
    let command = format!(
        "kubectl annotate --overwrite secret {SECRET} -n {}",
        world.name
    );
    assert!(message.contains(&command), "{message}");
    for unit in world.devices.units() {
        assert_eq!(unit.requests(), []);
    }
}

#[tokio::test]
async fn unbound_secret_is_used_if_the_flag_allows() {
    let mut world = World::new("tls-unbound-flag").await;
    unbind_secret(&world).await;
    world.create_nodes().await;
    world
        .start_operator_with(&["--require-secret-binding=false"])
        .await;
    world.create(world.spec()).await;
    world.until_ready().await;
}

#[tokio::test]
async fn live_session_outlives_the_secret_binding() {
    let world = World::in_sync("tls-unbound-later").await;
    let logins = world.devices.active().logins();
    unbind_secret(&world).await;
    world.reconcile().await;
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    // The token ends: no further login is made, and nothing is removed.
    let over = refused_by_restjavad(401, "X-F5-Auth-Token has expired.");
    world.devices.active().fault(Fault::new(over).times(1));
    world.reconcile().await;
    world.until_reason("SecretNotBound").await;
    assert_eq!(world.devices.active().logins(), logins);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD]);
}

#[tokio::test]
async fn device_outside_the_allowed_networks_is_not_dialled() {
    let mut world = World::new("tls-networks").await;
    world.create_nodes().await;
    world
        .start_operator_with(&["--device-cidrs=10.0.0.0/8", "--device-cidrs=fd00::/8"])
        .await;
    world.create(world.spec()).await;
    let status = world.until_reason("AddressNotAllowed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("--device-cidrs"), "{message}");
    for unit in world.devices.units() {
        assert_eq!(unit.requests(), []);
    }
}

#[tokio::test]
async fn renewed_certificate_key_takes_one_login_and_no_write() {
    let world = World::in_sync("tls-renewed").await;
    let standby = world.devices.standby();
    let logins = standby.logins();
    assert_eq!(logins, 1);
    standby.clear_log();
    standby.set_tls(TlsProfile::Authority).unwrap();
    world.reconcile().await;
    world.until_ready().await;
    // No token of the old key's owner is shown to the owner of another one.
    assert_eq!(standby.logins(), 2);
    assert_eq!(mutations(standby), []);
}

#[tokio::test]
async fn new_ca_is_not_trusted_until_bundled() {
    let world = World::in_sync("tls-authority").await;
    let standby = world.devices.standby();
    standby.renew_authority().unwrap();
    let requests = standby.requests().len();
    world.reconcile().await;
    let status = world.until_reason("CertificateInvalid").await;
    let reachable = condition(&device(&status, "bigip-b").conditions, "Reachable");
    assert_eq!(reachable.status, "False");
    assert_eq!(standby.requests().len(), requests, "something was sent");
    let bundle = world.devices.ca_bundle();
    world.trust(&[&bundle]).await;
    world.reconcile().await;
    world.until_ready().await;
}
