//! What policies let in, as seen on real agents, and what that means for a cluster.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::finding::Weight;

fn cilium(spec: &Value) -> (bool, bool) {
    let content = json!({"spec": spec});
    let policies = of_cilium(Some("shop"), "p", &content);
    let opens = policies.iter().any(|policy| policy.world == World::LetIn);
    (policies.iter().any(|policy| policy.restricts), opens)
}

fn kubernetes(spec: &Value) -> (bool, bool) {
    let policy = of_kubernetes(Some("shop".to_owned()), "p".to_owned(), spec);
    (policy.restricts, policy.world == World::LetIn)
}

fn rule(rule: &Value) -> bool {
    cilium(&json!({"endpointSelector": {}, "ingress": [rule]})).1
}

#[test]
fn cilium_rules_that_admit_a_bigip() {
    for open in [
        json!({"fromEntities": ["world"]}),
        json!({"fromEntities": ["all"]}),
        json!({"fromCIDR": ["0.0.0.0/0"]}),
        json!({"fromCIDRSet": [{"cidr": "0.0.0.0/0"}]}),
        json!({"fromCIDRSet": [{"cidr": "0.0.0.0/0", "except": ["10.1.6.0/24"]}]}),
        json!({"toPorts": [{"ports": [{"port": "80"}]}]}),
    ] {
        assert!(rule(&open), "{open}");
    }
}

#[test]
fn cilium_rules_that_admit_no_bigip() {
    for shut in [
        json!({}),
        json!({"fromCIDR": ["10.1.6.0/24"]}),
        json!({"fromCIDRSet": [{"cidr": "10.1.6.34/32"}]}),
        json!({"fromEntities": ["cluster"]}),
        json!({"fromEntities": ["world-ipv4"]}),
        json!({"fromEndpoints": [{}]}),
    ] {
        assert!(!rule(&shut), "{shut}");
    }
}

#[test]
fn policy_without_ingress_restricts_nothing() {
    assert_eq!(cilium(&json!({"egress": [{}]})), (false, false));
    let observed = json!({"ingress": [{}], "enableDefaultDeny": {"ingress": false}});
    assert_eq!(cilium(&observed), (false, false));
}

#[test]
fn node_policy_does_not_apply_to_pods() {
    let host = json!({"nodeSelector": {}, "ingress": [{"fromEntities": ["world"]}]});
    assert_eq!(cilium(&host), (false, false));
}

#[test]
fn kubernetes_rules_that_admit_a_bigip() {
    for from in [
        json!({}),
        json!({"from": []}),
        json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}),
        json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.1.6.0/24"]}}]}),
    ] {
        let spec = json!({"podSelector": {}, "ingress": [from]});
        assert_eq!(kubernetes(&spec), (true, true), "{spec}");
    }
}

#[test]
fn kubernetes_rules_that_admit_no_bigip() {
    for spec in [
        json!({"podSelector": {}}),
        json!({"podSelector": {}, "ingress": []}),
        json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.1.6.0/24"}}]}]}),
        json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}),
    ] {
        assert_eq!(kubernetes(&spec), (true, false), "{spec}");
    }
    let egress = json!({"podSelector": {}, "policyTypes": ["Egress"]});
    assert_eq!(kubernetes(&egress), (false, false));
}

fn policy(namespace: Option<&str>, lets_world_in: bool) -> Policy {
    Policy {
        namespace: namespace.map(str::to_owned),
        name: "p".to_owned(),
        selects_all: true,
        restricts: true,
        world: if lets_world_in {
            World::LetIn
        } else {
            World::NotNamed
        },
    }
}

fn judged(policies: &[Policy]) -> Finding {
    finding(policies, None)
}

#[test]
fn namespace_that_denies_ingress_is_named() {
    let found = judged(&[policy(Some("shop"), false), policy(Some("web"), true)]);
    assert_eq!(found.weight, Weight::Warning);
    assert!(found.text.ends_with("from outside: shop"), "{found:?}");
}

#[test]
fn policies_of_system_namespaces_are_no_finding() {
    let policies = ["kube-system", "openshift-monitoring", "cattle-system"];
    let policies = policies.map(|namespace| policy(Some(namespace), false));
    assert_eq!(judged(&policies).weight, Weight::Holds);
}

#[test]
fn allow_policy_without_default_deny_counts() {
    let mut opening = policy(Some("shop"), true);
    opening.restricts = false;
    let found = judged(&[policy(Some("shop"), false), opening]);
    assert_eq!(found.weight, Weight::Holds);
}

#[test]
fn cluster_that_denies_ingress_is_a_finding() {
    let found = judged(&[policy(None, false), policy(Some("web"), true)]);
    assert_eq!(found.weight, Weight::Warning);
    assert!(found.text.ends_with("except in web"), "{found:?}");
}

#[test]
fn only_a_policy_for_all_pods_opens_the_cluster() {
    let closed = policy(Some("shop"), false);
    let mut some = policy(None, true);
    let found = judged(&[closed.clone(), some.clone()]);
    assert_eq!(found.weight, Weight::Holds);
    some.selects_all = false;
    assert_eq!(judged(&[closed, some]).weight, Weight::Warning);
}

#[test]
fn denied_world_is_not_opened_by_another_policy() {
    let deny = json!({"endpointSelector": {}, "ingressDeny": [{"fromEntities": ["world"]}]});
    let deny = of_cilium(Some("shop"), "d", &json!({"spec": deny}));
    assert_eq!(deny[0].world, World::Denied);
    let found = judged(&[policy(Some("shop"), true), deny[0].clone()]);
    assert_eq!(found.weight, Weight::Warning);
}

#[test]
fn deny_rule_for_some_ports_does_not_deny_the_world() {
    for part in [
        json!({"fromEntities": ["world"], "toPorts": [{"ports": [{"port": "22"}]}]}),
        json!({"fromEntities": ["world"], "icmps": [{"fields": [{"type": 8}]}]}),
    ] {
        let spec = json!({"endpointSelector": {}, "ingressDeny": [part]});
        let policies = of_cilium(Some("shop"), "d", &json!({"spec": spec}));
        assert_eq!(policies[0].world, World::NotNamed, "{part}");
    }
}

#[test]
fn policy_with_empty_lists_of_rules_restricts_nothing() {
    let empty = json!({"endpointSelector": {}, "ingress": [], "ingressDeny": []});
    assert_eq!(cilium(&empty), (false, false));
    let said = json!({"endpointSelector": {}, "enableDefaultDeny": {"ingress": true}});
    assert_eq!(cilium(&said), (true, false));
}

#[test]
fn each_of_several_specs_is_judged_by_itself() {
    let all_but_unrestricted = json!({"endpointSelector": {}, "egress": [{}]});
    let one_pod = json!({
        "endpointSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"fromEndpoints": [{}]}],
    });
    let content = json!({"specs": [all_but_unrestricted, one_pod]});
    let policies = of_cilium(None, "p", &content);
    let seen: Vec<_> = policies
        .iter()
        .map(|p| (p.selects_all, p.restricts))
        .collect();
    assert_eq!(seen, [(true, false), (false, true)]);
    assert_eq!(judged(&policies).weight, Weight::Holds);
}

#[test]
fn enforcement_mode_decides_about_pods_without_policy() {
    let with_mode = |mode: &str, policies: &[Policy]| {
        let data = BTreeMap::from([("enable-policy".to_owned(), mode.to_owned())]);
        finding(policies, Some(Config(&data))).weight
    };
    assert_eq!(with_mode("always", &[]), Weight::Warning);
    assert_eq!(with_mode("always", &[policy(None, true)]), Weight::Holds);
    let shut = [policy(Some("shop"), false)];
    assert_eq!(with_mode("never", &shut), Weight::Holds);
    assert_eq!(with_mode("default", &shut), Weight::Warning);
}
