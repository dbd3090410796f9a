//! The definition of the resource on a real API server: rules with messages, defaults, columns.

use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::objects;
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::world::{NAME, World};

/// A namespace of the test's own.
async fn namespace(name: &str) -> Client {
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    objects::create_namespace(&client, name).await.unwrap();
    client
}

/// The smallest spec.
fn smallest() -> Value {
    json!({
        "credentialsSecretRef": {"name": "bigip-login"},
        "devices": [{"name": "bigip-a", "address": "192.0.2.11"}],
        "tunnel": {"name": "flannel_vxlan"},
    })
}

/// Sets a field of a spec; null takes it away.
fn set(spec: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = spec.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(field.to_owned(), value);
    parent.retain(|_, value| !value.is_null());
}

/// Tries to make the smallest object with one field set to another value. Returns what the API
/// server says against it.
async fn refusal(namespace_name: &str, pointer: &str, value: Value) -> String {
    let client = namespace(namespace_name).await;
    let mut spec = smallest();
    set(&mut spec, pointer, value);
    let created = objects::create_tunnel(&client, namespace_name, NAME, spec).await;
    created.unwrap_err().to_string()
}

/// Makes the smallest object and tries to change one field. Returns what the API server says.
async fn refused_change(namespace_name: &str, change: Value) -> String {
    let client = namespace(namespace_name).await;
    objects::create_tunnel(&client, namespace_name, NAME, smallest())
        .await
        .unwrap();
    let patch = Patch::Merge(json!({ "spec": change }));
    let tunnels = objects::tunnels(&client, namespace_name);
    let changed = tunnels.patch(NAME, &PatchParams::default(), &patch).await;
    changed.unwrap_err().to_string()
}

#[tokio::test]
async fn two_devices_with_one_address_and_port_are_refused() {
    let devices = json!([
        {"name": "bigip-a", "address": "BIGIP.example.com"},
        {"name": "bigip-b", "address": "bigip.example.com", "port": 443},
    ]);
    let said = refusal("crd-alike", "/devices", devices).await;
    assert!(
        said.contains("two devices have the same address and port"),
        "{said}"
    );
}

#[tokio::test]
async fn device_without_any_login_is_refused() {
    let said = refusal("crd-login", "/credentialsSecretRef", Value::Null).await;
    assert!(said.contains("set spec.credentialsSecretRef"), "{said}");
}

#[tokio::test]
async fn address_with_a_port_is_refused() {
    let devices = json!([{"name": "bigip-a", "address": "192.0.2.11:8443"}]);
    let said = refusal("crd-address", "/devices", devices).await;
    assert!(
        said.contains("must be a host name or an IP address, without a port"),
        "{said}"
    );
}

#[tokio::test]
async fn fingerprints_are_set_only_with_pinning() {
    let unpinned = json!({"sha256Fingerprints": ["ab".repeat(32)]});
    let said = refusal("crd-pins", "/tls", unpinned).await;
    assert!(said.contains("sha256Fingerprints are set with"), "{said}");
    let pinned = json!({"verification": "Pinned"});
    let said = refusal("crd-no-pins", "/tls", pinned).await;
    assert!(said.contains("sha256Fingerprints are set with"), "{said}");
}

#[tokio::test]
async fn ca_only_verification_needs_a_bundle() {
    let said = refusal("crd-chain", "/tls", json!({"verification": "CAOnly"})).await;
    assert!(said.contains("CAOnly needs caBundleRef"), "{said}");
}

#[tokio::test]
async fn device_named_like_a_release_value_is_refused() {
    let devices = json!([{"name": "true", "address": "192.0.2.11"}]);
    let said = refusal("crd-true", "/devices", devices).await;
    assert!(said.contains("cannot be called true"), "{said}");
}

#[tokio::test]
async fn ipv6_address_is_accepted() {
    let client = namespace("crd-ipv6").await;
    let mut spec = smallest();
    spec["devices"][0]["address"] = json!("2001:db8::11");
    objects::create_tunnel(&client, "crd-ipv6", NAME, spec)
        .await
        .unwrap();
}

#[tokio::test]
async fn two_devices_with_one_name_are_refused() {
    let devices = json!([
        {"name": "bigip-a", "address": "192.0.2.11"},
        {"name": "bigip-a", "address": "192.0.2.12"},
    ]);
    let said = refusal("crd-names", "/devices", devices).await;
    assert!(said.contains("Duplicate value"), "{said}");
}

#[tokio::test]
async fn interval_under_ten_seconds_is_refused() {
    let said = refusal("crd-drift", "/drift", json!({"intervalSeconds": 9})).await;
    assert!(said.contains("spec.drift.intervalSeconds"), "{said}");
}

#[tokio::test]
async fn tunnel_is_immutable() {
    let said = refused_change("crd-tunnel", json!({"tunnel": {"name": "other"}})).await;
    assert!(
        said.contains("tunnel.name is immutable; create a new BigIpTunnel"),
        "{said}"
    );
}

#[tokio::test]
async fn partition_is_immutable() {
    let said = refused_change("crd-partition", json!({"tunnel": {"partition": "k8s"}})).await;
    assert!(
        said.contains("tunnel.partition is immutable; create a new BigIpTunnel"),
        "{said}"
    );
}

#[tokio::test]
async fn mac_prefix_is_immutable() {
    let said = refused_change("crd-prefix", json!({"fdb": {"macPrefix": "0e:0b"}})).await;
    assert!(
        said.contains("fdb.macPrefix is immutable; create a new BigIpTunnel"),
        "{said}"
    );
}

#[tokio::test]
async fn smallest_object_gets_the_documented_defaults() {
    let client = namespace("crd-defaults").await;
    let made = objects::create_tunnel(&client, "crd-defaults", NAME, smallest())
        .await
        .unwrap();
    for (field, default) in [
        ("/devices/0/port", json!(443)),
        ("/tunnel/partition", json!("Common")),
        ("/nodes/removalDelaySeconds", json!(60)),
        ("/nodes/maxRemovalPercent", json!(25)),
        ("/suspend", json!(false)),
        ("/fdb/macPrefix", json!("0a:0a")),
        ("/fdb/bulkWrites", json!("Never")),
        ("/managementPolicy", json!("FDBOnly")),
        ("/deletionPolicy", json!("Delete")),
        ("/drift/policy", json!("Correct")),
        ("/drift/intervalSeconds", json!(60)),
        ("/saveConfig/policy", json!("OnChange")),
        ("/saveConfig/delaySeconds", json!(300)),
    ] {
        assert_eq!(made.data["spec"].pointer(field), Some(&default), "{field}");
    }
}

#[tokio::test]
async fn new_object_has_observed_generation_minus_one() {
    let client = namespace("crd-unseen").await;
    let made = objects::create_tunnel(&client, "crd-unseen", NAME, smallest())
        .await
        .unwrap();
    assert_eq!(made.data["status"]["observedGeneration"], json!(-1));
}

#[tokio::test]
async fn kubectl_get_shows_the_state_in_its_columns() {
    let world = World::in_sync("crd-columns").await;
    let table = table(&world.client, &world.name).await;
    let columns = table["columnDefinitions"].as_array().unwrap();
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    let of_priority = |priority: u64| -> Vec<(&str, String)> {
        let both = columns.iter().zip(cells);
        both.filter(|(column, _)| column["priority"] == priority)
            .map(|(column, cell)| {
                (
                    column["name"].as_str().unwrap(),
                    cell.as_str()
                        .map_or_else(|| cell.to_string(), str::to_owned),
                )
            })
            .collect()
    };
    let shown = of_priority(0);
    let names: Vec<&str> = shown.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "Name", "Ready", "Devices", "Nodes", "Records", "Reason", "Age"
        ]
    );
    let values: Vec<&str> = shown.iter().map(|(_, value)| &**value).collect();
    assert_eq!(values[..6], [NAME, "True", "2/2", "3/3", "6/6", "InSync"]);
    let wide = of_priority(1);
    let names: Vec<&str> = wide.iter().map(|(name, _)| *name).collect();
    let expected = ["Tunnel", "Partition", "Policy", "Suspended", "Message"];
    assert_eq!(names, expected);
    assert_eq!(wide[0].1, "flannel_vxlan");
    assert_eq!(wide[1].1, "Common");
    assert_eq!(wide[2].1, "FDBOnly");
    assert_eq!(wide[3].1, "false");
}

/// The objects of a namespace in the form that kubectl asks for.
async fn table(client: &Client, namespace: &str) -> Value {
    let path = format!("/apis/bigip-tunnel.dev/v1alpha1/namespaces/{namespace}/bigiptunnels");
    let request = http::Request::get(path)
        .header("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
        .body(Vec::new())
        .unwrap();
    client.request(request).await.unwrap()
}

/// Tries each value and returns those that the API server takes.
async fn taken(namespace_name: &str, pointer: &str, values: &[&str]) -> Vec<String> {
    let client = namespace(namespace_name).await;
    let mut taken = Vec::new();
    for (number, value) in values.iter().enumerate() {
        let mut spec = smallest();
        set(&mut spec, pointer, json!(value));
        let name = format!("n{number}");
        let created = objects::create_tunnel(&client, namespace_name, &name, spec).await;
        taken.extend(created.ok().map(|_| (*value).to_owned()));
    }
    taken
}

#[tokio::test]
async fn address_with_url_characters_is_refused() {
    let odd = [
        "",
        "https://bigip-a",
        "bigip-a/mgmt",
        "admin@bigip-a",
        "admin:secret@bigip-a",
        "bigip-a?x=1",
        "bigip-a#x",
        "big ip",
        "bigip-a\r\nHost: other",
        "bigip-a\n",
        "bigip%2da",
        "bıgip-a",
        "[::1]",
        "fe80::1%eth0",
        "[fe80::1%eth0]",
        "192.0.2.11:443",
        "-bigip-a",
    ];
    assert_eq!(
        taken("crd-hosts", "/devices/0/address", &odd).await,
        [""; 0]
    );
}

#[tokio::test]
async fn tunnel_name_with_a_path_is_refused() {
    let long = "t".repeat(300);
    let odd = [
        "",
        "..",
        ".",
        "a/b",
        "/Common/a",
        "~Common~a",
        "a~b",
        "a%2fb",
        "a?b",
        "a#b",
        "a b",
        "a\r\nb",
        "a\n",
        &long,
    ];
    assert_eq!(taken("crd-tunnels", "/tunnel/name", &odd).await, [""; 0]);
}

#[tokio::test]
async fn partition_with_path_traversal_is_refused() {
    let long = "p".repeat(300);
    let odd = [
        "",
        "..",
        "Common/..",
        "../Common",
        "/Common",
        "Common/",
        "Common//a",
        "~Common",
        "a%2fb",
        "a?b",
        "a#b",
        "a\r\nb",
        &long,
    ];
    let pointer = "/tunnel/partition";
    assert_eq!(taken("crd-partitions", pointer, &odd).await, [""; 0]);
}

#[tokio::test]
async fn secret_of_another_namespace_cannot_be_referenced() {
    let odd = [
        "",
        "other/login",
        "../../other/secrets/login",
        "login?x",
        "login%2f..",
        "Login",
    ];
    let pointer = "/credentialsSecretRef/name";
    assert_eq!(taken("crd-secrets", pointer, &odd).await, [""; 0]);
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    let mut spec = smallest();
    spec["credentialsSecretRef"] = json!({"name": "login", "namespace": "other"});
    let created = objects::create_tunnel(&client, "crd-secrets", NAME, spec).await;
    // What the schema does not know is not kept.
    let reference = &created.unwrap().data["spec"]["credentialsSecretRef"];
    assert_eq!(*reference, json!({"name": "login"}));
}
