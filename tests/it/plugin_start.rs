//! The verbs of the plugin that start with something: `lint` refuses what the API server refuses, and what
//! `create` applies becomes a tunnel that works.

use std::io::Write as _;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Resource as _};
use serde_json::{Value, json};

use crate::world::{NAME, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World};

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
async fn lint_refuses_objects_the_api_server_refuses() {
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

#[tokio::test]
async fn tunnel_is_created_after_confirmation_and_works() {
    let mut world = World::new("create").await;
    world.create_nodes().await;
    world.start_operator().await;
    let devices: Vec<String> = world
        .devices
        .named()
        .map(|(name, unit)| format!("--device={name}={}", unit.address()))
        .collect();
    let selector = world.spec()["nodes"]["selector"]["matchLabels"].clone();
    let labels: Vec<String> = selector
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| format!("--node-selector={key}={}", value.as_str().unwrap()))
        .collect();
    let secret = world.spec()["credentialsSecretRef"]["name"].clone();
    let secret = format!("--secret={}", secret.as_str().unwrap());
    let bundle = world.spec()["tls"]["caBundleRef"]["name"].clone();
    let bundle = format!("--ca-bundle=configmap/{}", bundle.as_str().unwrap());
    let mut args = vec![
        "create",
        NAME,
        "--tunnel",
        TUNNEL_PATH,
        &secret,
        &bundle,
        "--apply",
    ];
    args.extend(devices.iter().map(String::as_str));
    args.extend(labels.iter().map(String::as_str));
    let silent = world.plugin(&args).await;
    assert_eq!(silent.code, Some(2), "{silent:?}");
    let dry = world
        .plugin(&[&args[..], &["--yes", "--dry-run=server"]].concat())
        .await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    let asked = world.plugin_asking(&args).await;
    assert!(asked.shown.contains("kind: BigIpTunnel"), "{}", asked.shown);
    let ended = asked.answer("y").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    world.until_records(&[RECORD_1, RECORD_2, RECORD_3]).await;
}

#[tokio::test]
async fn readable_versions_are_shown() {
    let world = World::new("version").await;
    let account = world.account().await;
    account.allow(&[]).await.unwrap();
    let ended = world.plugin_as(&account, &["version"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("API Versions: v1alpha1"), "{ended:?}");
    assert!(
        ended
            .err
            .contains("operators: not allowed to list deployments"),
        "{ended:?}"
    );
    let nowhere = world
        .plugin(&["version", "--server", "https://127.0.0.1:1"])
        .await;
    assert_eq!(nowhere.code, Some(0), "{nowhere:?}");
    assert!(nowhere.out.starts_with("Client Version: v"), "{nowhere:?}");
    assert!(nowhere.err.contains("cannot reach http"), "{nowhere:?}");
}
