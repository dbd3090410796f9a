//! Network policies, as far as they are about what comes from outside the cluster.
//!
//! To Cilium a BIG-IP behind a tunnel is the entity `world`; a rule for its network does not select it.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyIngressRule};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Map, Value};

use crate::report::check::evidence::PolicySeen;

/// Entities that the traffic of a BIG-IP is one of.
const OUTSIDE: [&str; 3] = ["world", "world-ipv4", "all"];
/// The network that stands for everything, and to Cilium includes the entity `world` (cilium,
/// `pkg/policy/api/cidr.go`).
const EVERYWHERE: &str = "0.0.0.0/0";

/// A policy of Kubernetes.
pub(super) fn of_kubernetes(policy: &NetworkPolicy) -> PolicySeen {
    let spec = policy.spec.as_ref();
    let types = spec.and_then(|spec| spec.policy_types.as_ref());
    let rules = spec.and_then(|spec| spec.ingress.as_ref());
    let lets_in = |rule: &NetworkPolicyIngressRule| {
        let from = rule.from.as_deref().unwrap_or_default();
        let mut blocks = from.iter().filter_map(|peer| peer.ip_block.as_ref());
        let is_all = |block: &IPBlock| {
            block.cidr == EVERYWHERE && block.except.as_ref().is_none_or(Vec::is_empty)
        };
        from.is_empty() || blocks.any(is_all)
    };
    let selector = spec.and_then(|spec| spec.pod_selector.as_ref());
    let is_empty = |selector: &LabelSelector| {
        selector
            .match_labels
            .as_ref()
            .is_none_or(BTreeMap::is_empty)
            && selector
                .match_expressions
                .as_ref()
                .is_none_or(Vec::is_empty)
    };
    PolicySeen {
        namespace: policy.namespace(),
        name: policy.name_any(),
        selects_all: selector.is_none_or(is_empty),
        restricts: types.is_none_or(|types| types.iter().any(|word| word == "Ingress")),
        lets_world_in: rules.is_some_and(|rules| rules.iter().any(lets_in)),
    }
}

/// A policy of Cilium, of a namespace or of the whole cluster.
pub(super) fn of_cilium(policy: &DynamicObject) -> PolicySeen {
    let one = policy.data.get("spec").into_iter();
    let many = policy.data.get("specs").and_then(Value::as_array);
    // A policy about nodes says nothing of pods.
    let of_pods = |spec: &&Value| spec.get("nodeSelector").is_none();
    let specs: Vec<&Value> = one
        .chain(many.into_iter().flatten())
        .filter(of_pods)
        .collect();
    PolicySeen {
        namespace: policy.namespace(),
        name: policy.name_any(),
        selects_all: specs.iter().any(|spec| selects_all(spec)),
        restricts: specs.iter().any(|spec| restricts(spec)),
        lets_world_in: specs.iter().any(|spec| {
            let rules = spec.get("ingress").and_then(Value::as_array);
            rules.into_iter().flatten().any(lets_world_in)
        }),
    }
}

fn selects_all(spec: &Value) -> bool {
    let fields = spec.get("endpointSelector").and_then(Value::as_object);
    fields.is_some_and(|fields| {
        fields.values().all(|part| {
            part.as_object().is_some_and(Map::is_empty)
                || part.as_array().is_some_and(Vec::is_empty)
        })
    })
}

fn restricts(spec: &Value) -> bool {
    let denies_by_default = spec.pointer("/enableDefaultDeny/ingress") != Some(&Value::Bool(false));
    let has_rules = ["ingress", "ingressDeny"]
        .iter()
        .any(|field| spec.get(field).is_some_and(|rules| !rules.is_null()));
    has_rules && denies_by_default
}

/// A rule without any sender lets everybody in, but only if it says something else: an empty one lets
/// nobody in (Cilium, "Ingress Default Deny").
fn lets_world_in(rule: &Value) -> bool {
    let Some(fields) = rule.as_object() else {
        return false;
    };
    if !fields.keys().any(|field| field.starts_with("from")) {
        return !fields.is_empty();
    }
    let list = |field: &str| {
        let list = fields.get(field).and_then(Value::as_array);
        list.into_iter().flatten()
    };
    let mut entities = list("fromEntities").filter_map(Value::as_str);
    let mut cidrs = list("fromCIDR").filter_map(Value::as_str);
    let mut sets = list("fromCIDRSet").filter_map(|set| set.get("cidr")?.as_str());
    entities.any(|entity| OUTSIDE.contains(&entity))
        || cidrs.any(|cidr| cidr == EVERYWHERE)
        || sets.any(|cidr| cidr == EVERYWHERE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whether a policy with this spec restricts, and whether it lets the world in.
    fn cilium(spec: &Value) -> (bool, bool) {
        let policy: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": "p", "namespace": "shop"}, "spec": spec,
        }))
        .unwrap();
        let seen = of_cilium(&policy);
        (seen.restricts, seen.lets_world_in)
    }

    fn kubernetes(spec: &Value) -> (bool, bool) {
        let policy: NetworkPolicy = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "shop"}, "spec": spec,
        }))
        .unwrap();
        let seen = of_kubernetes(&policy);
        (seen.restricts, seen.lets_world_in)
    }

    #[test]
    fn only_the_entity_or_everything_lets_a_bigip_in() {
        assert_eq!(cilium(&json!({"ingress": [{}]})), (true, false));
        let entity = json!({"ingress": [{"fromEntities": ["world"]}]});
        assert_eq!(cilium(&entity), (true, true));
        let network = json!({"ingress": [{"fromCIDR": ["10.1.6.0/24"]}]});
        assert_eq!(cilium(&network), (true, false));
        let everything = json!({"ingress": [{"fromCIDRSet": [{"cidr": "0.0.0.0/0"}]}]});
        assert_eq!(cilium(&everything), (true, true));
        let port = json!({"ingress": [{"toPorts": [{"ports": [{"port": "80"}]}]}]});
        assert_eq!(cilium(&port), (true, true));
        assert_eq!(cilium(&json!({"egress": [{}]})), (false, false));
        let observed = json!({"ingress": [{}], "enableDefaultDeny": {"ingress": false}});
        assert_eq!(cilium(&observed), (false, false));
    }

    #[test]
    fn a_policy_about_nodes_says_nothing_of_pods() {
        let host = json!({"nodeSelector": {}, "ingress": [{"fromEntities": ["world"]}]});
        assert_eq!(cilium(&host), (false, false));
    }

    #[test]
    fn a_policy_of_kubernetes_without_rules_lets_nobody_in() {
        assert_eq!(kubernetes(&json!({"podSelector": {}})), (true, false));
        let open = json!({"podSelector": {}, "ingress": [{}]});
        assert_eq!(kubernetes(&open), (true, true));
        let egress = json!({"podSelector": {}, "policyTypes": ["Egress"]});
        assert_eq!(kubernetes(&egress), (false, false));
        let except = json!({"cidr": "0.0.0.0/0", "except": ["10.1.6.0/24"]});
        let but = json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": except}]}]});
        assert_eq!(kubernetes(&but), (true, false));
        let block = json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.1.6.0/24"}}]}]});
        assert_eq!(kubernetes(&block), (true, false));
    }
}
