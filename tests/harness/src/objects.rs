//! The Kubernetes objects that a user of the product would write, for a pair of simulated devices.
//!
//! It must not know what the operator makes of them.

use std::collections::BTreeMap;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{ObjectMeta, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::devices::{DevicePair, USER};

/// Name of the Secret with the login.
pub const SECRET: &str = "bigip-login";
/// Name of the ConfigMap with the certificates to trust.
pub const CA_CONFIG_MAP: &str = "bigip-ca";

/// Makes a namespace.
pub async fn create_namespace(client: &Client, name: &str) -> Result<(), kube::Error> {
    let namespace = Namespace {
        metadata: named(name),
        ..Namespace::default()
    };
    Api::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await
        .map(drop)
}

/// The annotation that lets a password be sent to simulated devices.
pub fn allowed_addresses() -> BTreeMap<String, String> {
    let annotation = "bigip-tunnel.dev/allowed-addresses";
    BTreeMap::from([(annotation.to_owned(), "127.0.0.1,localhost".to_owned())])
}

/// Makes the Secret and the ConfigMap with which the devices of a pair are reached.
pub async fn create_access(
    client: &Client,
    namespace: &str,
    devices: &DevicePair,
) -> Result<(), kube::Error> {
    let login = [("username", USER), ("password", devices.password())];
    let secret = Secret {
        metadata: ObjectMeta {
            annotations: Some(allowed_addresses()),
            ..named(SECRET)
        },
        string_data: Some(
            login
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        ),
        ..Secret::default()
    };
    let bundle = ConfigMap {
        metadata: named(CA_CONFIG_MAP),
        data: Some(BTreeMap::from([("ca.crt".to_owned(), devices.ca_bundle())])),
        ..ConfigMap::default()
    };
    let params = PostParams::default();
    Api::namespaced(client.clone(), namespace)
        .create(&params, &secret)
        .await?;
    Api::namespaced(client.clone(), namespace)
        .create(&params, &bundle)
        .await
        .map(drop)
}

/// The spec of a `BigIpTunnel` for `tunnel` (a name in partition `Common`) on both devices, reached
/// with what [`create_access`] makes. `nodes` is its field `nodes`.
pub fn tunnel_spec(devices: &DevicePair, tunnel: &str, nodes: &Value) -> Value {
    json!({
        "credentialsSecretRef": {"name": SECRET},
        "tls": {"caBundleRef": {"kind": "ConfigMap", "name": CA_CONFIG_MAP}},
        "devices": devices.spec_devices(),
        "tunnel": {"name": tunnel, "partition": "Common"},
        "nodes": nodes,
    })
}

/// Access to `BigIpTunnel` objects as plain JSON, so that a test can also write what the types do
/// not allow.
pub fn tunnels(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource())
}

/// Makes a `BigIpTunnel`.
pub async fn create_tunnel(
    client: &Client,
    namespace: &str,
    name: &str,
    spec: Value,
) -> Result<DynamicObject, kube::Error> {
    let object = DynamicObject::new(name, &resource()).data(json!({"spec": spec}));
    tunnels(client, namespace)
        .create(&PostParams::default(), &object)
        .await
}

fn resource() -> ApiResource {
    ApiResource::erase::<BigIpTunnel>(&())
}

/// Metadata with this name.
pub fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}
