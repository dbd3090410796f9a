//! The outlines of nodes, Secrets and CA bundles: what is needed to see what is wrong, and no more.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeAddress, NodeCondition, Secret};
use kube::ResourceExt as _;
use serde::Serialize;

/// What concerns tunnels of the nodes.
#[derive(Serialize, Debug)]
pub(crate) struct NodesOutline {
    pub(crate) nodes: Vec<NodeOutline>,
}

/// What concerns tunnels of a node.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeOutline {
    name: String,
    labels: BTreeMap<String, String>,
    addresses: Vec<NodeAddress>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Vec<String>,
    conditions: Vec<NodeCondition>,
}

impl From<Node> for NodeOutline {
    fn from(node: Node) -> Self {
        let status = node.status.unwrap_or_default();
        Self {
            name: node.metadata.name.unwrap_or_default(),
            labels: node.metadata.labels.unwrap_or_default(),
            addresses: status.addresses.unwrap_or_default(),
            pod_cidrs: node
                .spec
                .and_then(|spec| spec.pod_cidrs)
                .unwrap_or_default(),
            conditions: status.conditions.unwrap_or_default(),
        }
    }
}

/// The outlines of all Secrets that tunnels name.
#[derive(Serialize, Debug)]
pub(crate) struct SecretsOutline {
    pub(crate) secrets: Vec<SecretOutline>,
}

/// Which keys a Secret has. There is no place for a value.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretOutline {
    namespace: String,
    name: String,
    /// Whether there is one of this name.
    exists: bool,
    keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
}

impl SecretOutline {
    /// The outline of the Secret of this name, or that there is none.
    pub(crate) fn new(namespace: &str, name: &str, secret: Option<&Secret>) -> Self {
        let data = secret.and_then(|secret| secret.data.as_ref());
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            exists: secret.is_some(),
            keys: data
                .into_iter()
                .flat_map(|data| data.keys().cloned())
                .collect(),
            resource_version: secret.and_then(Secret::resource_version),
        }
    }
}

/// The certificates that a tunnel trusts.
#[derive(Serialize, Debug)]
pub(crate) struct CaOutline<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) key: &'a str,
    pub(crate) certificates: &'a str,
}

/// Whether it is certificates that are public, and no key is among them.
pub(crate) fn is_public(pem: &str) -> bool {
    pem.contains("-----BEGIN CERTIFICATE-----") && !pem.contains("PRIVATE KEY")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secret_outline_has_only_the_keys() {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": "s", "resourceVersion": "7", "annotations": {"a": "hidden"}},
            "data": {"username": "aGlkZGVu", "password": "aGlkZGVu"},
        }))
        .unwrap();
        let seen = serde_json::to_value(SecretOutline::new("ns", "s", Some(&secret))).unwrap();
        let expected = json!({
            "namespace": "ns", "name": "s", "exists": true,
            "keys": ["password", "username"], "resourceVersion": "7",
        });
        assert_eq!(seen, expected);
        let none = serde_json::to_value(SecretOutline::new("ns", "s", None)).unwrap();
        assert_eq!(none["exists"], false);
    }

    #[test]
    fn text_with_a_private_key_is_not_public() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n";
        assert!(is_public(certificate));
        assert!(!is_public(&format!("{certificate}{key}")));
        assert!(!is_public("password"));
    }
}
