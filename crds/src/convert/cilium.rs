//! Cilium's objects, nodes and tunnels as the crate `cilium` takes them.
//!
//! Kinds that have no type here come as dynamic objects. What cannot be read of one object is left out;
//! no object stops another. Judges nothing.

mod select;
mod tunnel;

use std::collections::BTreeMap;
use std::sync::Arc;

use bigip_tunnel_cilium::manage::Live;
use bigip_tunnel_cilium::policies::{self, Policy};
use bigip_tunnel_cilium::revision::Revision;
use bigip_tunnel_cilium::seen::{Agent, ConfigMap, Node, NodeConfig, Scope, VtepNode};
use bigip_tunnel_cilium::vtep::VtepObject;
use bigip_tunnel_core::node::{INTERNAL_IP, Ipv4Net};
use jiff::Timestamp;
use k8s_openapi::api::core::v1;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::Value;

pub use self::tunnel::tunnel;

use self::select::{nothing, scope};
use super::traits_of;
use crate::cilium::{AgentPod, CiliumNode};
use crate::{ANNOTATION_OWNER_UID, LABEL_MANAGED_BY, MANAGER_OPERATOR};

/// Prefix of labels and annotations of a Node that hold values of Cilium's configuration.
const OVERRIDE: &str = "config.cilium.io/";
/// The container of an agent.
const AGENT: &str = "cilium-agent";

/// A Node.
pub fn node(node: &v1::Node) -> Node {
    let addresses = node
        .status
        .as_ref()
        .and_then(|status| status.addresses.as_ref());
    let internal = addresses
        .into_iter()
        .flatten()
        .filter(|address| address.type_ == INTERNAL_IP);
    let cidrs = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.as_ref());
    Node {
        name: node.name_any(),
        internal: internal
            .filter_map(|address| address.address.parse().ok())
            .collect(),
        stands_for: traits_of(node).stands_for,
        pod_cidrs: nets(cidrs.into_iter().flatten().map(String::as_str)),
        health: None,
        overrides: overrides(&node.metadata),
        labels: node.metadata.labels.clone().unwrap_or_default(),
    }
}

/// Values of Cilium's configuration in the labels and annotations of a Node.
pub fn overrides(metadata: &ObjectMeta) -> BTreeMap<String, String> {
    // An annotation replaces a label of the same key (cilium, `readNodeOverrides`).
    let all = metadata.labels.iter().chain(&metadata.annotations);
    let overrides = all.flatten().filter_map(|(key, value)| {
        let key = key.strip_prefix(OVERRIDE)?;
        Some((key.to_owned(), value.clone()))
    });
    overrides.collect()
}

/// A CiliumNode.
pub fn cilium_node(node: &CiliumNode) -> Node {
    let addresses = node.spec.addresses.iter().flatten();
    let internal = addresses.filter(|address| address.kind == INTERNAL_IP);
    let of_node = items(&node.spec.ipam, "/podCIDRs");
    let pools = items(&node.spec.ipam, "/pools/allocated");
    let of_pools = pools.flat_map(|pool| items(pool, "/cidrs"));
    let health = node.spec.health.pointer("/ipv4").and_then(Value::as_str);
    Node {
        name: node.name_any(),
        internal: internal
            .filter_map(|address| address.ip.parse().ok())
            .collect(),
        stands_for: None,
        pod_cidrs: nets(of_node.chain(of_pools).filter_map(Value::as_str)),
        health: health.and_then(|address| address.parse().ok()),
        overrides: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}

/// `cilium-config`. When it was changed is when its *data* was: other managers own only metadata.
pub fn config_map(namespace: &str, config: v1::ConfigMap) -> ConfigMap {
    let fields = config.metadata.managed_fields.iter().flatten();
    let of_data = fields.filter(|entry| owns(entry, "f:data") || owns(entry, "f:binaryData"));
    let changed: Option<Timestamp> = of_data
        .filter_map(|entry| Some(entry.time.as_ref()?.0))
        .max();
    ConfigMap {
        namespace: namespace.to_owned(),
        data: config.data.unwrap_or_default(),
        changed,
    }
}

fn owns(entry: &ManagedFieldsEntry, field: &str) -> bool {
    let fields = entry
        .fields_v1
        .as_ref()
        .and_then(|fields| fields.0.as_object());
    fields.is_some_and(|fields| fields.contains_key(field))
}

/// An agent's pod. `None` for one that does not run, or is on its way out.
pub fn agent(pod: &AgentPod) -> Option<Agent> {
    let runs = pod.status.phase.as_deref() == Some("Running");
    if !runs || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let mut containers = pod.spec.containers.iter();
    let container = containers.find(|container| container.name == AGENT)?;
    Some(Agent {
        node: pod.spec.node_name.clone().unwrap_or_default(),
        image: container.image.as_deref().unwrap_or_default().into(),
        started: pod.status.start_time.as_ref().map(|time| time.0),
        ready: is_ready(pod),
    })
}

fn is_ready(pod: &AgentPod) -> bool {
    let mut conditions = pod.status.conditions.iter().flatten();
    conditions.any(|condition| condition.kind == "Ready" && condition.status == "True")
}

/// A CiliumNodeConfig. Without a selector it selects no node (cilium, `pkg/option/resolver`).
pub fn node_config(object: &DynamicObject, nodes: Option<&[Arc<Node>]>) -> NodeConfig {
    let defaults = object
        .data
        .pointer("/spec/defaults")
        .and_then(Value::as_object);
    let defaults = defaults.into_iter().flatten();
    let selector = object
        .data
        .pointer("/spec/nodeSelector")
        .filter(|s| !s.is_null());
    NodeConfig {
        name: object.name_any(),
        scope: selector.map_or_else(nothing, |selector| scope(selector, nodes)),
        defaults: defaults
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
    }
}

/// A CiliumVTEPConfig. Without a selector it is for every node.
pub fn vtep_object(object: &DynamicObject, nodes: Option<&[Arc<Node>]>) -> VtepObject {
    let selector = object
        .data
        .pointer("/spec/nodeSelector")
        .filter(|s| !s.is_null());
    let scope = selector.map_or(Scope::All, |selector| scope(selector, nodes));
    VtepObject::new(object.name_any(), scope, &object.data)
}

/// A CiliumVTEPConfig with what it takes to manage it.
pub fn managed(object: &DynamicObject, nodes: Option<&[Arc<Node>]>) -> Live {
    let is_marked = object.labels().get(LABEL_MANAGED_BY).map(String::as_str);
    let owner = object.annotations().get(ANNOTATION_OWNER_UID);
    let live = Live::new(
        vtep_object(object, nodes),
        owner
            .filter(|_| is_marked == Some(MANAGER_OPERATOR))
            .cloned(),
        &object.data,
        revision(&object.metadata),
    );
    let finalizers = || object.finalizers().to_vec();
    Live {
        leaving: object
            .metadata
            .deletion_timestamp
            .as_ref()
            .map(|_| finalizers()),
        ..live
    }
}

/// What the metadata shows of the present spec.
fn revision(metadata: &ObjectMeta) -> Revision {
    let fields = metadata.managed_fields.iter().flatten();
    let of_spec = fields.filter(|entry| owns(entry, "f:spec"));
    Revision {
        generation: metadata.generation,
        changed: of_spec
            .filter_map(|entry| Some(entry.time.as_ref()?.0))
            .max(),
    }
}

/// A CiliumVTEPNodeConfig, which has the name of its node.
pub fn vtep_node(object: &DynamicObject) -> VtepNode {
    VtepNode::new(object.name_any(), &object.data, revision(&object.metadata))
}

/// A policy of Kubernetes.
pub fn network_policy(policy: &NetworkPolicy) -> Policy {
    let spec = serde_json::to_value(&policy.spec).unwrap_or_default();
    policies::of_kubernetes(policy.namespace(), policy.name_any(), &spec)
}

/// The policies of an object of Cilium, of a namespace or of the whole cluster.
pub fn cilium_policies(object: &DynamicObject) -> Vec<Policy> {
    policies::of_cilium(
        object.namespace().as_deref(),
        &object.name_any(),
        &object.data,
    )
}

fn items<'a>(data: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let list = data.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn nets<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Ipv4Net> {
    texts.filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
