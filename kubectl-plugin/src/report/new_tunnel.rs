//! A tunnel in the making: what is said about it, and the object that this makes.
//!
//! Only what is said is written, so that what the CRD takes for granted need not be read.

use std::collections::BTreeMap;

use bigip_tunnel_crds::convert::{self, HostPort};
use bigip_tunnel_crds::v1alpha1::{AddressType, BundleKind, ManagementPolicy, TlsVerification};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::{Map, Value, json};

/// Kind, name and, where it is not the usual one, key of the certificates to trust.
pub(crate) type Bundle = (BundleKind, String, Option<String>);

/// TCP port of a device where none is said.
const HTTPS: u16 = 443;

/// What is said about a tunnel.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewTunnel {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    /// Partition, with folders, and name on the BIG-IPs. The partition is left out where it is Common.
    pub(crate) tunnel: (Option<String>, String),
    pub(crate) secret: Option<String>,
    pub(crate) devices: Vec<NewDevice>,
    pub(crate) verification: Option<TlsVerification>,
    pub(crate) ca_bundle: Option<Bundle>,
    pub(crate) fingerprints: Vec<String>,
    pub(crate) selector: Option<LabelSelector>,
    pub(crate) address_type: Option<AddressType>,
    pub(crate) cidrs: Vec<String>,
    pub(crate) exclude_cidrs: Vec<String>,
    pub(crate) policy: Option<ManagementPolicy>,
}

/// A BIG-IP of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NewDevice {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) port: Option<u16>,
    /// Its own, where the tunnel has none for all.
    pub(crate) secret: Option<String>,
    pub(crate) ca_bundle: Option<Bundle>,
}

impl NewTunnel {
    /// The object.
    pub(crate) fn object(&self) -> Value {
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(self.name));
        set(&mut metadata, "namespace", self.namespace.clone());
        json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1",
            "kind": "BigIpTunnel",
            "metadata": metadata,
            "spec": self.spec(),
        })
    }

    /// The commands that have each Secret name the BIG-IPs that its password is for. Without that the
    /// operator does not log in.
    pub(crate) fn binding_commands(&self) -> Vec<String> {
        let mut by_secret: BTreeMap<&str, Vec<HostPort<'_>>> = BTreeMap::new();
        for device in &self.devices {
            if let Some(secret) = device.secret.as_deref().or(self.secret.as_deref()) {
                let port = device.port.unwrap_or(HTTPS);
                by_secret
                    .entry(secret)
                    .or_default()
                    .push((&device.address, port));
            }
        }
        let namespace = self.namespace.as_deref();
        let commands = by_secret.into_iter();
        commands
            .map(|(secret, devices)| convert::binding_command(namespace, secret, "", &devices))
            .collect()
    }

    fn spec(&self) -> Map<String, Value> {
        let mut spec = Map::new();
        set(
            &mut spec,
            "credentialsSecretRef",
            self.secret.as_ref().map(secret),
        );
        let devices: Vec<Value> = self.devices.iter().map(device).collect();
        spec.insert("devices".to_owned(), json!(devices));
        let (partition, name) = &self.tunnel;
        let mut tunnel = Map::new();
        tunnel.insert("name".to_owned(), json!(name));
        set(&mut tunnel, "partition", partition.clone());
        spec.insert("tunnel".to_owned(), json!(tunnel));
        let tls = self.tls();
        set(&mut spec, "tls", (!tls.is_empty()).then_some(tls));
        let nodes = self.nodes();
        set(&mut spec, "nodes", (!nodes.is_empty()).then_some(nodes));
        set(
            &mut spec,
            "managementPolicy",
            self.policy.map(|policy| json!(policy)),
        );
        spec
    }

    fn tls(&self) -> Map<String, Value> {
        let mut tls = Map::new();
        set(
            &mut tls,
            "verification",
            self.verification.map(|word| json!(word)),
        );
        set(&mut tls, "caBundleRef", self.ca_bundle.as_ref().map(bundle));
        if !self.fingerprints.is_empty() {
            tls.insert("sha256Fingerprints".to_owned(), json!(self.fingerprints));
        }
        tls
    }

    fn nodes(&self) -> Map<String, Value> {
        let mut nodes = Map::new();
        set(
            &mut nodes,
            "selector",
            self.selector.as_ref().map(|selector| json!(selector)),
        );
        let mut source = Map::new();
        set(
            &mut source,
            "type",
            self.address_type.map(|kind| json!(kind)),
        );
        if !self.cidrs.is_empty() {
            source.insert("cidrs".to_owned(), json!(self.cidrs));
        }
        if !self.exclude_cidrs.is_empty() {
            source.insert("excludeCIDRs".to_owned(), json!(self.exclude_cidrs));
        }
        set(
            &mut nodes,
            "addressSource",
            (!source.is_empty()).then_some(source),
        );
        nodes
    }
}

fn device(device: &NewDevice) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(device.name));
    fields.insert("address".to_owned(), json!(device.address));
    set(&mut fields, "port", device.port);
    set(
        &mut fields,
        "credentialsSecretRef",
        device.secret.as_ref().map(secret),
    );
    let tls = device.ca_bundle.as_ref();
    set(
        &mut fields,
        "tls",
        tls.map(|trusted| json!({"caBundleRef": bundle(trusted)})),
    );
    Value::Object(fields)
}

fn secret(name: &String) -> Value {
    json!({"name": name})
}

fn bundle((kind, name, key): &Bundle) -> Value {
    let mut fields = Map::new();
    fields.insert("kind".to_owned(), json!(kind));
    fields.insert("name".to_owned(), json!(name));
    set(&mut fields, "key", key.clone());
    Value::Object(fields)
}

fn set(fields: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}
