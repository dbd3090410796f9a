//! `lint` of the plugin against the API server: what one refuses, the other refuses.

use std::io::Write as _;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Resource as _};
use serde_json::{Value, json};

use crate::world::{NAME, World};

/// A field of the spec, and a value that it is given; null takes it away.
fn changes() -> Vec<(&'static str, Value)> {
    let devices = |second: Value| json!([{"name": "bigip-a", "address": "192.0.2.11"}, second]);
    vec![
        // Good ones.
        ("/suspend", json!(true)),
        ("/devices/0/address", json!("2001:db8::11")),
        ("/devices/0/port", json!(8443)),
        ("/tls", json!({"verification": "None"})),
        (
            "/fdb",
            json!({"macPrefix": "0a:0b", "bulkWrites": "WhenEmpty"}),
        ),
        ("/nodes", json!({"selector": {"matchLabels": {"a": "b"}}})),
        (
            "/nodes",
            json!({"addressSource": {"type": "CiliumNode", "cidrs": ["10.0.0.0/8"]}}),
        ),
        ("/saveConfig", json!({"policy": "Never"})),
        (
            "/devices",
            devices(json!({"name": "bigip-b", "address": "192.0.2.11", "port": 8443})),
        ),
        // Bad ones.
        ("/tunnel", Value::Null),
        ("/devices", json!([])),
        ("/credentialsSecretRef", Value::Null),
        ("/credentialsSecretRef/name", json!("Not_A_Name")),
        ("/devices/0/address", json!("192.0.2.11:443")),
        ("/devices/0/name", json!("BIGIP")),
        ("/devices/0/port", json!(0)),
        ("/devices/0/port", json!("443")),
        (
            "/devices",
            devices(json!({"name": "bigip-a", "address": "192.0.2.12"})),
        ),
        (
            "/devices",
            devices(json!({"name": "bigip-b", "address": "192.0.2.11"})),
        ),
        ("/tls", json!({"verification": "CAOnly"})),
        ("/tls", json!({"verification": "Pinned"})),
        ("/tls", json!({"sha256Fingerprints": ["ab".repeat(32)]})),
        ("/tls", json!({"verification": "Sometimes"})),
        ("/fdb", json!({"macPrefix": "01:0a"})),
        ("/nodes", json!({"addressSource": {"cidrs": ["fd00::/64"]}})),
        ("/nodes", json!({"maxRemovalPercent": 101})),
        ("/drift", json!({"intervalSeconds": 1})),
        ("/managementPolicy", json!("Full")),
        ("/tunel", json!({"name": "x"})),
        ("/suspend", json!("yes")),
    ]
}

fn object(namespace: &str, pointer: &str, value: Value) -> Value {
    let mut spec = json!({
        "credentialsSecretRef": {"name": "bigip-login"},
        "devices": [{"name": "bigip-a", "address": "192.0.2.11"}],
        "tunnel": {"name": "flannel_vxlan"},
    });
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = spec.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(field.to_owned(), value);
    parent.retain(|_, value| !value.is_null());
    json!({
        "apiVersion": BigIpTunnel::api_version(&()),
        "kind": BigIpTunnel::kind(&()),
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": spec,
    })
}

#[tokio::test]
async fn what_the_api_server_refuses_is_refused_without_one() {
    let world = World::new("lint").await;
    let kind = GroupVersionKind::gvk("bigip-tunnel.dev", "v1alpha1", "BigIpTunnel");
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> =
        Api::namespaced_with(world.client.clone(), &world.name, &resource);
    let params = PatchParams::apply("lint").dry_run().validation_strict();
    let mut verdicts = Vec::new();
    for (pointer, value) in changes() {
        let object = object(&world.name, pointer, value);
        let applied = api.patch(NAME, &params, &Patch::Apply(&object)).await;
        let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        file.write_all(object.to_string().as_bytes()).unwrap();
        let linted = world
            .plugin(&["lint", "-f", file.path().to_str().unwrap()])
            .await;
        assert_eq!(
            applied.is_ok(),
            linted.code == Some(0),
            "{object}\nAPI server: {applied:?}\n{linted:?}"
        );
        verdicts.push(applied.is_ok());
    }
    // Neither refuses everything, nor nothing.
    let accepted = verdicts.iter().filter(|accepted| **accepted).count();
    assert_eq!((accepted, verdicts.len()), (9, 30));
}
