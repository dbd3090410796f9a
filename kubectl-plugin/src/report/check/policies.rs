//! Checks of policies: whether what comes from outside the cluster may come in.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::PolicySeen;
use super::{Check, count, some_of};
use crate::catalogue::BTN0412;

/// Namespaces whose policies restrict what comes in while none of them, and none of the whole
/// cluster, lets the world in. Which pods a policy selects is not looked at, so that a namespace in
/// which one pod is open counts as open.
pub(super) fn check(policies: &[PolicySeen]) -> Check {
    let is_open_everywhere = policies
        .iter()
        .any(|policy| policy.namespace.is_none() && policy.lets_world_in);
    let mut restricted: BTreeMap<&str, bool> = BTreeMap::new();
    for policy in policies.iter().filter(|policy| policy.restricts) {
        if let Some(namespace) = &policy.namespace {
            *restricted.entry(namespace).or_default() |= policy.lets_world_in;
        }
    }
    let closed: BTreeSet<&str> = restricted
        .into_iter()
        .filter(|(_, is_open)| !is_open && !is_open_everywhere)
        .map(|(namespace, _)| namespace)
        .collect();
    if closed.is_empty() {
        return Check::ok("no policy is in the way of what comes from outside");
    }
    let closed: Vec<&str> = closed.into_iter().collect();
    let text = format!(
        "in {} policies let nothing in from outside: {}",
        count(closed.len(), "namespace"),
        some_of(&closed)
    );
    Check::warning(BTN0412, text)
        .with_hint("where the BIG-IP serves pods there, add fromEntities: [world] for them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::Verdict;

    fn policy(namespace: Option<&str>, lets_world_in: bool) -> PolicySeen {
        PolicySeen {
            namespace: namespace.map(str::to_owned),
            name: "p".to_owned(),
            restricts: true,
            lets_world_in,
        }
    }

    #[test]
    fn a_namespace_that_lets_nothing_in_is_named() {
        let policies = [policy(Some("shop"), false), policy(Some("web"), true)];
        let found = check(&policies);
        assert_eq!(found.result, Verdict::Warning);
        assert!(found.description.ends_with("from outside: shop"));
    }

    #[test]
    fn one_policy_that_lets_the_world_in_is_enough() {
        let both = [policy(Some("shop"), false), policy(Some("shop"), true)];
        assert_eq!(check(&both).result, Verdict::Success);
        let of_the_cluster = [policy(Some("shop"), false), policy(None, true)];
        assert_eq!(check(&of_the_cluster).result, Verdict::Success);
    }
}
