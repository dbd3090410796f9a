//! Checks of policies: whether what comes from outside the cluster may come in.

use std::collections::BTreeSet;

use super::evidence::PolicySeen;
use super::{Check, count, some_of};
use crate::catalogue::BTN0412;

/// Namespaces whose policies restrict what comes in while none of theirs, and none for all pods of the
/// cluster, lets the world in. Which pods a policy of a namespace selects is not looked at, so that a
/// namespace in which one pod is open counts as open.
pub(super) fn check(policies: &[PolicySeen]) -> Check {
    let of_the_cluster = || {
        let all = policies.iter();
        all.filter(|policy| policy.namespace.is_none() && policy.selects_all)
    };
    if of_the_cluster().any(|policy| policy.lets_world_in) {
        return open();
    }
    let opened: BTreeSet<&str> = policies
        .iter()
        .filter(|policy| policy.lets_world_in)
        .filter_map(|policy| policy.namespace.as_deref())
        .collect();
    if of_the_cluster().any(|policy| policy.restricts) {
        let but: Vec<&str> = opened.into_iter().collect();
        let but = match but.as_slice() {
            [] => String::new(),
            but => format!(", but for {}", some_of(but)),
        };
        let text = format!("policies of the whole cluster let nothing in from outside{but}");
        return closed(text);
    }
    let restricting = policies.iter().filter(|policy| policy.restricts);
    let names: BTreeSet<&str> = restricting
        .filter_map(|policy| policy.namespace.as_deref())
        .filter(|namespace| !opened.contains(namespace))
        .collect();
    if names.is_empty() {
        return open();
    }
    let names: Vec<&str> = names.into_iter().collect();
    closed(format!(
        "in {} policies let nothing in from outside: {}",
        count(names.len(), "namespace"),
        some_of(&names)
    ))
}

fn open() -> Check {
    Check::ok("no policy is in the way of what comes from outside")
}

fn closed(text: String) -> Check {
    Check::warning(BTN0412, text)
        .with_hint("where the BIG-IP serves pods, add fromEntities: [world] for them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check::Verdict;

    fn policy(namespace: Option<&str>, lets_world_in: bool) -> PolicySeen {
        PolicySeen {
            namespace: namespace.map(str::to_owned),
            name: "p".to_owned(),
            selects_all: true,
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
    fn a_policy_that_opens_without_restricting_counts_too() {
        let mut opening = policy(Some("shop"), true);
        opening.restricts = false;
        let found = check(&[policy(Some("shop"), false), opening]);
        assert_eq!(found.result, Verdict::Success);
    }

    #[test]
    fn a_cluster_that_lets_nothing_in_is_told() {
        let found = check(&[policy(None, false), policy(Some("web"), true)]);
        assert_eq!(found.result, Verdict::Warning);
        assert!(found.description.ends_with("but for web"), "{found:?}");
    }

    #[test]
    fn only_what_opens_all_pods_opens_the_cluster() {
        let closed = policy(Some("shop"), false);
        let mut some = policy(None, true);
        let found = check(&[closed.clone(), some.clone()]);
        assert_eq!(found.result, Verdict::Success);
        some.selects_all = false;
        assert_eq!(check(&[closed, some]).result, Verdict::Warning);
    }
}
