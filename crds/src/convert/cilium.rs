//! Cilium's objects, nodes and tunnels as the crate `cilium` takes them.
//!
//! Kinds that have no type here come as dynamic objects. What cannot be read of one object is left out;
//! no object stops another. Judges nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bigip_tunnel_cilium::finding::UnitKey;
use bigip_tunnel_cilium::network;
use bigip_tunnel_cilium::policies::{self, Policy};
use bigip_tunnel_cilium::seen::{Agent, ConfigMap, Node, NodeConfig, Scope, VtepNode};
use bigip_tunnel_cilium::unit::{Tunnel, Unit};
use bigip_tunnel_cilium::vtep::VtepObject;
use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::node::{INTERNAL_IP, Ipv4Net};
use bigip_tunnel_core::unit::Encapsulation;
use bigip_tunnel_core::vocabulary::{condition, reason};
use jiff::Timestamp;
use k8s_openapi::api::core::v1;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, ManagedFieldsEntry, ObjectMeta,
};
use kube::ResourceExt as _;
use kube::core::{DynamicObject, Selector, SelectorExt as _};
use serde_json::Value;

use super::traits_of;
use crate::cilium::{AgentPod, CiliumNode};
use crate::v1alpha1::{BigIpTunnel, DeviceStatus, TunnelStatus};

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
    let of_data = fields.filter(|entry| owns_data(entry));
    let changed: Option<Timestamp> = of_data
        .filter_map(|entry| Some(entry.time.as_ref()?.0))
        .max();
    ConfigMap {
        namespace: namespace.to_owned(),
        data: config.data.unwrap_or_default(),
        changed,
    }
}

fn owns_data(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry
        .fields_v1
        .as_ref()
        .and_then(|fields| fields.0.as_object());
    fields
        .is_some_and(|fields| fields.contains_key("f:data") || fields.contains_key("f:binaryData"))
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

/// A CiliumVTEPNodeConfig, which has the name of its node.
pub fn vtep_node(object: &DynamicObject) -> VtepNode {
    VtepNode::new(object.name_any(), &object.data)
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

/// The tunnel of an object, with its units. A device whose tunnel its status does not show is unread.
pub fn tunnel(object: &BigIpTunnel) -> Tunnel {
    let (mut units, mut unread) = (Vec::new(), Vec::new());
    for device in &object.spec.devices {
        let key = UnitKey {
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            object: object.metadata.name.clone().unwrap_or_default(),
            device: device.name.clone(),
        };
        let mut seen = object.status.iter().flat_map(|status| &status.devices);
        let seen = seen.find(|seen| seen.name == device.name);
        match seen.and_then(|seen| Some((seen, seen.tunnel.as_ref()?))) {
            Some((seen, tunnel)) => units.push(unit(key, is_current(seen), tunnel)),
            None => unread.push(key),
        }
    }
    Tunnel { units, unread }
}

/// Whether a device answered, with the tunnel, when its status was written. A device that does not answer keeps the
/// tunnel that it was last seen to have.
fn is_current(device: &DeviceStatus) -> bool {
    let find = |kind: ConditionType| {
        let mut conditions = device.conditions.iter();
        conditions.find(|condition| condition.type_ == kind.as_str())
    };
    let answers = find(condition::REACHABLE).is_some_and(|found| found.status == "True");
    let is_missing = find(condition::PROGRAMMED)
        .is_some_and(|found| found.reason == reason::TUNNEL_NOT_FOUND.as_str());
    answers && !is_missing
}

fn unit(key: UnitKey, is_current: bool, tunnel: &TunnelStatus) -> Unit {
    let encapsulation = tunnel.encapsulation.as_deref().map(|kind| match kind {
        "vxlan" => Encapsulation::Vxlan,
        "geneve" => Encapsulation::Geneve,
        other => Encapsulation::Other(other.to_owned()),
    });
    let self_ips = tunnel.self_ips.iter();
    Unit {
        key,
        is_current,
        path: tunnel.full_path.clone(),
        local: tunnel.local_address.as_deref().and_then(network::address),
        self_ips: self_ips.filter_map(|text| network::self_ip(text)).collect(),
        has_more_self_ips: tunnel.self_ips_omitted.is_some(),
        mac: tunnel.mac.as_deref().and_then(|mac| mac.parse().ok()),
        vni: tunnel.vni.and_then(|vni| vni.try_into().ok()),
        encapsulation,
        port: tunnel.port.and_then(|port| port.try_into().ok()),
    }
}

fn nothing() -> Scope {
    Scope::Some {
        selector: "no selector".to_owned(),
        nodes: Arc::default(),
    }
}

/// The nodes of a selector.
fn scope(written: &Value, nodes: Option<&[Arc<Node>]>) -> Scope {
    let parsed: Option<LabelSelector> = serde_json::from_value(written.clone()).ok();
    let selector = parsed.as_ref().map(shown).unwrap_or_default();
    let parsed: Option<Selector> = parsed.and_then(|parsed| parsed.try_into().ok());
    match (parsed, nodes) {
        (Some(parsed), _) if parsed.selects_all() => Scope::All,
        (Some(parsed), Some(nodes)) => {
            let nodes = nodes.iter().filter(|node| parsed.matches(&node.labels));
            let nodes: BTreeSet<String> = nodes.map(|node| node.name.clone()).collect();
            Scope::Some {
                selector,
                nodes: nodes.into(),
            }
        }
        _ => Scope::Unknown { selector },
    }
}

/// A selector as `kubectl` writes it.
fn shown(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten();
    let labels = labels.map(|(key, value)| format!("{key}={value}"));
    let expressions = selector
        .match_expressions
        .iter()
        .flatten()
        .map(|expression| {
            let values = expression.values.as_deref().unwrap_or_default().join(",");
            match (expression.operator.as_str(), expression.key.as_str()) {
                ("In", key) => format!("{key} in ({values})"),
                ("NotIn", key) => format!("{key} notin ({values})"),
                ("Exists", key) => key.to_owned(),
                (_, key) => format!("!{key}"),
            }
        });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

fn items<'a>(data: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let list = data.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn nets<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Ipv4Net> {
    texts.filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, content: &Value) -> DynamicObject {
        let mut whole = json!({
            "apiVersion": "cilium.io/v2", "kind": kind, "metadata": {"name": "x"},
        });
        for (key, value) in content.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn labelled(name: &str, zone: &str) -> Arc<Node> {
        let node = json!({"metadata": {"name": name, "labels": {"zone": zone}}});
        super::node(&serde_json::from_value(node).unwrap()).into()
    }

    #[test]
    fn only_a_change_of_data_dates_the_configuration() {
        let entry = |fields: &Value, time: &str| json!({"manager": "m", "operation": "Update", "time": time, "fieldsV1": fields});
        let fields = [
            entry(&json!({"f:data": {"f:mtu": {}}}), "2026-11-20T06:00:00Z"),
            entry(
                &json!({"f:metadata": {"f:annotations": {}}}),
                "2026-11-22T06:00:00Z",
            ),
        ];
        let config = json!({"metadata": {"name": "cilium-config", "managedFields": fields}});
        let seen = config_map("kube-system", serde_json::from_value(config).unwrap());
        assert_eq!(seen.changed, Some("2026-11-20T06:00:00Z".parse().unwrap()));
    }

    #[test]
    fn only_running_agents_count() {
        let pod = |phase: &str, leaving: bool| {
            let mut pod = json!({
                "metadata": {"name": "cilium-1"},
                "spec": {"nodeName": "n1", "containers": [
                    {"name": "sidecar", "image": "other:v9.9.9"},
                    {"name": "cilium-agent", "image": "cilium:v1.17.9"},
                ]},
                "status": {"phase": phase},
            });
            if leaving {
                pod["metadata"]["deletionTimestamp"] = json!("2026-11-22T06:00:00Z");
            }
            agent(&serde_json::from_value(pod).unwrap())
        };
        let running = pod("Running", false).unwrap();
        assert_eq!((&*running.node, &*running.image), ("n1", "cilium:v1.17.9"));
        assert_eq!(pod("Pending", false), None);
        assert_eq!(pod("Failed", false), None);
        assert_eq!(pod("Running", true), None);
        assert!(!running.ready);
    }

    #[test]
    fn readiness_of_an_agent_is_that_of_its_pod() {
        let ready = |conditions: Value| {
            let pod = json!({"metadata": {}, "status": {"conditions": conditions}});
            is_ready(&serde_json::from_value(pod).unwrap())
        };
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status});
        assert!(ready(json!([
            condition("Initialized", "False"),
            condition("Ready", "True")
        ])));
        assert!(!ready(json!([
            condition("Initialized", "True"),
            condition("Ready", "False")
        ])));
        assert!(!ready(json!([])));
    }

    #[test]
    fn health_endpoint_is_read_from_the_cilium_node() {
        let of = |health: Value| {
            let node = json!({"metadata": {"name": "n1"}, "spec": {"health": health}});
            cilium_node(&serde_json::from_value(node).unwrap()).health
        };
        assert_eq!(
            of(json!({"ipv4": "10.0.0.66", "ipv6": "fd00::66"})),
            Some("10.0.0.66".parse().unwrap())
        );
        assert_eq!(of(json!({})), None);
        assert_eq!(of(json!({"ipv4": "x"})), None);
    }

    #[test]
    fn selector_of_an_object_names_its_nodes() {
        let nodes = [labelled("n1", "a"), labelled("n2", "b")];
        let of = |selector: Value| {
            let object = object(
                "CiliumVTEPConfig",
                &json!({"spec": {"nodeSelector": selector}}),
            );
            vtep_object(&object, Some(&nodes)).scope
        };
        assert_eq!(of(json!({})), Scope::All);
        assert_eq!(of(Value::Null), Scope::All);
        let zone = of(json!({"matchLabels": {"zone": "a"}}));
        assert_eq!(
            (zone.holds("n1"), zone.holds("n2")),
            (Some(true), Some(false))
        );
        let expression = json!({"key": "zone", "operator": "In", "values": ["b"]});
        let zone = of(json!({"matchExpressions": [expression]}));
        let names = BTreeSet::from(["n2".to_owned()]);
        let selector = "zone in (b)".to_owned();
        assert_eq!(
            zone,
            Scope::Some {
                selector,
                nodes: names.into()
            }
        );
    }

    #[test]
    fn selector_without_known_nodes_stays_unknown() {
        let selector = json!({"matchLabels": {"zone": "a"}});
        let object = object(
            "CiliumVTEPConfig",
            &json!({"spec": {"nodeSelector": selector}}),
        );
        let selector = "zone=a".to_owned();
        assert_eq!(
            vtep_object(&object, None).scope,
            Scope::Unknown { selector }
        );
    }

    #[test]
    fn node_config_without_selector_is_for_no_node() {
        let defaults = json!({"spec": {"defaults": {"enable-vtep": "true"}}});
        let config = node_config(&object("CiliumNodeConfig", &defaults), Some(&[]));
        assert_eq!(config.scope.holds("n1"), Some(false));
        assert_eq!(config.defaults["enable-vtep"], "true");
    }

    #[test]
    fn values_on_a_node_are_read_from_labels_and_annotations() {
        let node = json!({"metadata": {
            "name": "n1",
            "labels": {"config.cilium.io/mtu": "1400", "config.cilium.io/tunnel-port": "8473"},
            "annotations": {"config.cilium.io/mtu": "9000", "other/mtu": "1"},
        }});
        let node = super::node(&serde_json::from_value(node).unwrap());
        let overrides: Vec<_> = node
            .overrides
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        assert_eq!(overrides, ["mtu=9000", "tunnel-port=8473"]);
    }

    /// An object with these devices, of which the status shows these tunnels.
    fn tunnel_of(devices: &[&str], shown: &[(&str, usize)]) -> Tunnel {
        let device = |name: &&str| json!({"name": name, "address": "192.0.2.1"});
        let shown = shown.iter().map(|(name, self_ips)| {
            let self_ips = (0..*self_ips).map(|n| format!("10.1.{n}.1/24"));
            let self_ips: Vec<String> = self_ips.collect();
            json!({"name": name, "tunnel": {"fullPath": "/Common/t", "selfIPs": self_ips}})
        });
        let shown: Vec<Value> = shown.collect();
        let devices: Vec<Value> = devices.iter().map(device).collect();
        let object = json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1", "kind": "BigIpTunnel",
            "metadata": {"name": "east", "namespace": "bigip"},
            "spec": {"tunnel": {"name": "t"}, "devices": devices},
            "status": {"devices": shown},
        });
        tunnel(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn device_without_a_read_tunnel_is_unread() {
        let names = |keys: Vec<&UnitKey>| -> Vec<String> {
            keys.into_iter().map(|key| key.device.clone()).collect()
        };
        let tunnel = tunnel_of(&["a", "b"], &[("b", 1), ("gone", 1)]);
        assert_eq!(
            names(tunnel.units.iter().map(|unit| &unit.key).collect()),
            ["b"]
        );
        assert_eq!(names(tunnel.unread.iter().collect()), ["a"]);
    }

    #[test]
    fn unit_that_does_not_answer_or_lost_its_tunnel_is_not_current() {
        let current = |reachable: &str, reason: &str| {
            let condition = |kind: &str, status: &str, reason: &str| {
                json!({
                    "type": kind, "status": status, "reason": reason, "message": "",
                    "lastTransitionTime": "2026-11-22T06:00:00Z",
                })
            };
            let conditions = [
                condition("Reachable", reachable, "x"),
                condition("Programmed", "True", reason),
            ];
            let device = json!({"name": "a", "conditions": conditions});
            is_current(&serde_json::from_value(device).unwrap())
        };
        assert!(current("True", "InSync"));
        assert!(!current("False", "InSync"));
        assert!(!current("Unknown", "InSync"));
        assert!(!current("True", "TunnelNotFound"));
        let unseen = serde_json::from_value(json!({"name": "a"})).unwrap();
        assert!(!is_current(&unseen));
    }

    #[test]
    fn status_says_itself_whether_self_ips_are_missing() {
        let more = |omitted: Option<i32>| {
            let shown = json!({"fullPath": "/Common/t", "selfIPsOmitted": omitted});
            let key = tunnel_of(&["a"], &[]).unread.remove(0);
            unit(key, true, &serde_json::from_value(shown).unwrap()).has_more_self_ips
        };
        assert_eq!((more(None), more(Some(1))), (false, true));
        let full = tunnel_of(&["a"], &[("a", 8)]);
        assert!(!full.units[0].has_more_self_ips);
    }

    #[test]
    fn pod_networks_of_pools_are_read() {
        let allocated = json!([{"pool": "default", "cidrs": ["10.4.0.0/27"]}]);
        let ipam = json!({"podCIDRs": ["10.0.0.0/24"], "pools": {"allocated": allocated}});
        let node = json!({"metadata": {"name": "x"}, "spec": {"ipam": ipam}});
        let node = cilium_node(&serde_json::from_value(node).unwrap());
        let cidrs: Vec<_> = node.pod_cidrs.iter().map(ToString::to_string).collect();
        assert_eq!(cidrs, ["10.0.0.0/24", "10.4.0.0/27"]);
    }
}
