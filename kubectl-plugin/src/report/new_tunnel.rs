//! A tunnel in the making: what is said about it, and the object that this makes.
//!
//! Only what is said is written, so that what the CRD takes for granted need not be read.

use bigip_tunnel_crds::v1alpha1::{AddressType, BundleKind, ManagementPolicy, TlsVerification};
use serde_json::{Map, Value, json};

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
    /// Kind, name and, where it is not the usual one, key.
    pub(crate) ca_bundle: Option<(BundleKind, String, Option<String>)>,
    pub(crate) fingerprints: Vec<String>,
    pub(crate) node_labels: Vec<(String, String)>,
    pub(crate) address_type: Option<AddressType>,
    pub(crate) cidrs: Vec<String>,
    pub(crate) policy: Option<ManagementPolicy>,
}

/// A BIG-IP of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewDevice {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) port: Option<u16>,
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

    fn spec(&self) -> Map<String, Value> {
        let mut spec = Map::new();
        let secret = self.secret.as_ref().map(|name| json!({"name": name}));
        set(&mut spec, "credentialsSecretRef", secret);
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
        if let Some((kind, name, key)) = &self.ca_bundle {
            let mut bundle = Map::new();
            bundle.insert("kind".to_owned(), json!(kind));
            bundle.insert("name".to_owned(), json!(name));
            set(&mut bundle, "key", key.clone());
            tls.insert("caBundleRef".to_owned(), json!(bundle));
        }
        if !self.fingerprints.is_empty() {
            tls.insert("sha256Fingerprints".to_owned(), json!(self.fingerprints));
        }
        tls
    }

    fn nodes(&self) -> Map<String, Value> {
        let mut nodes = Map::new();
        if !self.node_labels.is_empty() {
            let labels: Map<String, Value> = self
                .node_labels
                .iter()
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect();
            nodes.insert("selector".to_owned(), json!({"matchLabels": labels}));
        }
        let mut source = Map::new();
        set(
            &mut source,
            "type",
            self.address_type.map(|kind| json!(kind)),
        );
        if !self.cidrs.is_empty() {
            source.insert("cidrs".to_owned(), json!(self.cidrs));
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
    Value::Object(fields)
}

fn set(fields: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}
