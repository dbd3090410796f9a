//! Kubernetes nodes without machines: the objects that a kubelet would write.
//!
//! It must not know who reads them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeAddress, NodeCondition, NodeStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

/// The label that tells the nodes of one test from those of another: nodes have no namespace.
pub const GROUP_LABEL: &str = "bigip-tunnel.dev/test";

/// The condition that a kubelet keeps.
const READY: &str = "Ready";

/// The nodes of one test.
#[derive(Debug, Clone)]
pub struct Nodes {
    api: Api<Node>,
    group: String,
}

impl Nodes {
    /// Nodes that carry `group` in their label. Their names are the test's to choose; they have to
    /// be unique in the control plane.
    pub fn new(client: Client, group: impl Into<String>) -> Self {
        Self {
            api: Api::all(client),
            group: group.into(),
        }
    }

    /// Selects the nodes of this group, as `spec.nodes.selector` takes it.
    pub fn selector(&self) -> LabelSelector {
        LabelSelector {
            match_labels: Some(self.labels()),
            ..LabelSelector::default()
        }
    }

    /// Makes a Ready node with one `InternalIP`.
    pub async fn create(&self, name: &str, internal_ip: &str) -> Result<Node, kube::Error> {
        self.create_with(name, &[("InternalIP", internal_ip)]).await
    }

    /// Makes a Ready node with these addresses, each a type and a value.
    pub async fn create_with(
        &self,
        name: &str,
        addresses: &[(&str, &str)],
    ) -> Result<Node, kube::Error> {
        let node = Node {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(self.labels()),
                ..ObjectMeta::default()
            },
            status: Some(NodeStatus {
                addresses: Some(to_addresses(addresses)),
                conditions: Some(vec![ready_condition(true)]),
                ..NodeStatus::default()
            }),
            ..Node::default()
        };
        self.api.create(&PostParams::default(), &node).await
    }

    /// Replaces the addresses.
    pub async fn set_addresses(
        &self,
        name: &str,
        addresses: &[(&str, &str)],
    ) -> Result<Node, kube::Error> {
        // Addresses are merged by type in a strategic patch; a merge patch replaces the list.
        let status = json!({"status": {"addresses": to_addresses(addresses)}});
        self.api
            .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
            .await
    }

    /// Makes the node Ready or `NotReady`, as the node controller does for a silent kubelet.
    pub async fn set_ready(&self, name: &str, is_ready: bool) -> Result<Node, kube::Error> {
        self.patch_condition(name, &ready_condition(is_ready)).await
    }

    /// What a kubelet writes every few minutes: nothing but a later heartbeat time.
    pub async fn heartbeat(&self, name: &str) -> Result<Node, kube::Error> {
        let status = self.api.get_status(name).await?.status.unwrap_or_default();
        let last = status
            .conditions
            .into_iter()
            .flatten()
            .find(|condition| condition.type_ == READY)
            .and_then(|condition| condition.last_heartbeat_time);
        // Times in Kubernetes are whole seconds: a second beat within one would change nothing.
        let now = Timestamp::now();
        let next = last.map_or(now, |last| now.max(last.0 + SignedDuration::from_secs(1)));
        let status = json!({"status": {"conditions": [
            {"type": READY, "lastHeartbeatTime": Time(next)},
        ]}});
        self.api
            .patch_status(name, &PatchParams::default(), &Patch::Strategic(status))
            .await
    }

    /// Sets a label, or removes it.
    pub async fn set_label(
        &self,
        name: &str,
        label: &str,
        value: Option<&str>,
    ) -> Result<Node, kube::Error> {
        let patch = json!({"metadata": {"labels": {label: value}}});
        self.api
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
    }

    /// Deletes the node.
    pub async fn delete(&self, name: &str) -> Result<(), kube::Error> {
        self.api
            .delete(name, &DeleteParams::default())
            .await
            .map(drop)
    }

    /// Deletes every node of the group.
    pub async fn delete_all(&self) -> Result<(), kube::Error> {
        let group = ListParams::default().labels(&format!("{GROUP_LABEL}={}", self.group));
        self.api
            .delete_collection(&DeleteParams::default(), &group)
            .await
            .map(drop)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(GROUP_LABEL.to_owned(), self.group.clone())])
    }

    async fn patch_condition(
        &self,
        name: &str,
        condition: &NodeCondition,
    ) -> Result<Node, kube::Error> {
        let status = json!({"status": {"conditions": [condition]}});
        self.api
            .patch_status(name, &PatchParams::default(), &Patch::Strategic(status))
            .await
    }
}

fn to_addresses(addresses: &[(&str, &str)]) -> Vec<NodeAddress> {
    addresses
        .iter()
        .map(|(kind, value)| NodeAddress {
            type_: (*kind).to_owned(),
            address: (*value).to_owned(),
        })
        .collect()
}

fn ready_condition(is_ready: bool) -> NodeCondition {
    let now = Time(Timestamp::now());
    NodeCondition {
        type_: READY.to_owned(),
        status: if is_ready { "True" } else { "Unknown" }.to_owned(),
        reason: Some(
            if is_ready {
                "KubeletReady"
            } else {
                "NodeStatusUnknown"
            }
            .to_owned(),
        ),
        last_heartbeat_time: Some(now.clone()),
        last_transition_time: Some(now),
        ..NodeCondition::default()
    }
}
