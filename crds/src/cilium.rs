//! The parts of Cilium's `CiliumNode` and of the pods of its agents that the product reads: there are as many
//! of both as nodes.
//!
//! A `CiliumNode` is written by the agent of its node: `spec.addresses` begins with the addresses of the core
//! Node in their order, and adds what the agent found out itself (cilium, `pkg/nodediscovery`). Only
//! names, addresses, pod networks and readiness are read, so that other versions of the resource do no harm.

use std::borrow::Cow;

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::Deserialize;
use serde_json::Value;

/// A `CiliumNode` (`cilium.io/v2`). Has the name of its Node.
#[derive(Debug, Clone, Deserialize)]
pub struct CiliumNode {
    /// Metadata of the object.
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
    /// Metadata of the object.
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
    fn what_the_product_does_not_know_stops_it_from_reading_nothing() {
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
    fn a_cilium_node_of_an_agent_that_has_said_nothing_yet_is_one() {
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
