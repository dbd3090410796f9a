//! The parts of Cilium's `CiliumNode` and of the pods of its agents that the product reads: there are as many
//! of both as nodes.
//!
//! A `CiliumNode` is written by the agent of its node: `spec.addresses` begins with the addresses of the core
//! Node in their order, and adds what the agent found out itself (cilium, `pkg/nodediscovery`). Only
//! names, addresses, pod networks and readiness are read, so that other versions of the resource do no harm.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A `CiliumNode` (`cilium.io/v2`). Has the name of its Node.
#[derive(Debug, Clone, Deserialize)]
pub struct CiliumNode {
    /// Metadata of the object, as far as [`without_managed_fields`] reads it.
    #[serde(deserialize_with = "without_managed_fields")]
    pub metadata: ObjectMeta,
    /// What the agent says about its node.
    #[serde(default)]
    pub spec: CiliumNodeSpec,
}

/// What is read of a `CiliumNode`'s spec.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CiliumNodeSpec {
    /// The addresses of the node.
    #[serde(default)]
    pub addresses: Option<Vec<CiliumNodeAddress>>,
    /// How its pods get addresses. Its form depends on who hands them out.
    #[serde(default)]
    pub ipam: Value,
    /// Where its health check answers.
    #[serde(default)]
    pub health: Value,
}

/// Reads metadata without its managed fields: in a page of pods they take up more memory than all else.
///
/// # Errors
///
/// It is no metadata.
pub fn without_managed_fields<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        namespace: Option<String>,
        #[serde(default)]
        uid: Option<String>,
        #[serde(default)]
        resource_version: Option<String>,
        #[serde(default)]
        labels: Option<BTreeMap<String, String>>,
        #[serde(default)]
        annotations: Option<BTreeMap<String, String>>,
        #[serde(default)]
        creation_timestamp: Option<Time>,
        #[serde(default)]
        deletion_timestamp: Option<Time>,
    }
    let read = Read::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        uid: read.uid,
        resource_version: read.resource_version,
        labels: read.labels,
        annotations: read.annotations,
        creation_timestamp: read.creation_timestamp,
        deletion_timestamp: read.deletion_timestamp,
        ..ObjectMeta::default()
    })
}

/// One address in a `CiliumNode`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CiliumNodeAddress {
    /// Its type: those of a Node, and `CiliumInternalIP`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The address.
    #[serde(default)]
    pub ip: String,
}

/// The pod of an agent.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = Pod)]
pub struct AgentPod {
    /// Metadata of the object, as far as [`without_managed_fields`] reads it.
    #[serde(deserialize_with = "without_managed_fields")]
    pub metadata: ObjectMeta,
    /// Where it runs, and what.
    #[serde(default)]
    pub spec: AgentPodSpec,
    /// Whether it runs.
    #[serde(default)]
    pub status: AgentPodStatus,
}

/// What is read of the spec of an agent's pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentPodSpec {
    /// Name of its node.
    #[serde(default)]
    pub node_name: Option<String>,
    /// Its containers.
    #[serde(default)]
    pub containers: Vec<AgentContainer>,
}

/// A container of an agent's pod.
#[derive(Debug, Clone, Deserialize)]
pub struct AgentContainer {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its image.
    #[serde(default)]
    pub image: Option<String>,
}

/// What is read of the status of an agent's pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentPodStatus {
    /// Its phase.
    #[serde(default)]
    pub phase: Option<String>,
    /// When it started.
    #[serde(default)]
    pub start_time: Option<Time>,
    /// Its conditions.
    #[serde(default)]
    pub conditions: Option<Vec<AgentCondition>>,
}

/// A condition of an agent's pod.
#[derive(Debug, Clone, Deserialize)]
pub struct AgentCondition {
    /// Its type, such as `Ready`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: String,
}

impl Resource for CiliumNode {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "CiliumNode".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "cilium.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v2".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "ciliumnodes".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unread_fields_of_a_cilium_node_are_ignored() {
        let written = json!({
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNode",
            "metadata": {"name": "worker-01"},
            "spec": {
                "addresses": [
                    {"ip": "10.169.72.239", "type": "InternalIP"},
                    {"ip": "10.244.0.7", "type": "CiliumInternalIP"},
                ],
                "ipam": {"podCIDRs": ["10.244.0.0/24"]},
            },
            "status": {"eni": {}},
        });
        let node: CiliumNode = serde_json::from_value(written).unwrap();
        let addresses = node.spec.addresses.unwrap();
        assert_eq!(
            (&*addresses[0].kind, &*addresses[0].ip),
            ("InternalIP", "10.169.72.239")
        );
        assert_eq!(addresses.len(), 2);
    }

    #[test]
    fn managed_fields_are_not_read() {
        let written = json!({"metadata": {
            "name": "cilium-1", "namespace": "kube-system", "resourceVersion": "7",
            "labels": {"k8s-app": "cilium"}, "deletionTimestamp": "2026-11-22T06:00:00Z",
            "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}],
        }});
        let pod: AgentPod = serde_json::from_value(written).unwrap();
        assert_eq!(pod.metadata.managed_fields, None);
        assert_eq!(pod.metadata.resource_version.as_deref(), Some("7"));
        assert!(pod.metadata.deletion_timestamp.is_some());
        assert!(serde_json::from_value::<AgentPod>(json!({"metadata": 1})).is_err());
    }

    #[test]
    fn cilium_node_without_addresses_is_read() {
        for spec in [
            json!({}),
            json!({"addresses": null}),
            json!({"addresses": []}),
        ] {
            let node = json!({"metadata": {"name": "worker-01"}, "spec": spec});
            let node: CiliumNode = serde_json::from_value(node).unwrap();
            assert_eq!(node.spec.addresses.unwrap_or_default(), []);
        }
        let bare = json!({"metadata": {"name": "worker-01"}});
        assert!(serde_json::from_value::<CiliumNode>(bare).is_ok());
    }
}
