//! Network policies: whether what comes from a BIG-IP may come in.
//!
//! To Cilium a BIG-IP behind a tunnel is the entity `world`; a rule for its network does not select it.
//! Which rules let it in was seen on real agents (`docs/reference/cilium-compatibility.md`).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::config::Config;
use crate::finding::{Finding, Problem};
use crate::words::{count, some_of};

/// Entities that the traffic of a BIG-IP is one of.
const OUTSIDE: [&str; 2] = ["world", "all"];
/// The network that stands for everything, and to Cilium includes the entity `world`, whatever it excepts.
const EVERYWHERE: &str = "0.0.0.0/0";
/// Namespaces of clusters and distributions themselves, by their beginnings: no BIG-IP serves their pods,
/// and many ship with policies of their own.
const SYSTEM: [&str; 8] = [
    "calico-",
    "cattle-",
    "cilium-",
    "gke-",
    "gmp-",
    "kube-",
    "openshift-",
    "tigera-",
];

/// A policy, as far as it is about what comes in from outside the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its namespace. `None` for one of the whole cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it selects every pod of its namespace, or of the cluster.
    pub selects_all: bool,
    /// Whether what it does not let in is dropped.
    pub restricts: bool,
    /// What it says of what comes from outside the cluster.
    pub world: World,
}

/// What a policy says of what comes from outside the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// Nothing.
    NotNamed,
    /// It is let in.
    LetIn,
    /// It is denied, whatever other policies let in.
    Denied,
}

/// A `NetworkPolicy` with this spec.
pub fn of_kubernetes(namespace: Option<String>, name: String, spec: &Value) -> Policy {
    let types = spec.get("policyTypes").and_then(Value::as_array);
    let lets_in = |rule: &Value| {
        let from = rule.get("from").and_then(Value::as_array);
        let from = from.map_or(&[][..], Vec::as_slice);
        let blocks = from.iter().filter_map(|peer| peer.pointer("/ipBlock/cidr"));
        from.is_empty() || blocks.into_iter().any(|cidr| cidr == EVERYWHERE)
    };
    Policy {
        namespace,
        name,
        selects_all: spec.get("podSelector").is_none_or(is_empty_selector),
        restricts: types.is_none_or(|types| types.iter().any(|kind| kind == "Ingress")),
        world: if items(spec, "ingress").any(lets_in) {
            World::LetIn
        } else {
            World::NotNamed
        },
    }
}

/// The policies of a `CiliumNetworkPolicy` or `CiliumClusterwideNetworkPolicy` with this content: each of
/// its `specs` is one, as if it stood alone (cilium, `CiliumNetworkPolicy.Parse`).
pub fn of_cilium(namespace: Option<&str>, name: &str, content: &Value) -> Vec<Policy> {
    let one = content.get("spec").into_iter();
    // A policy about nodes says nothing of pods.
    let of_pods = |spec: &&Value| spec.get("nodeSelector").is_none();
    let specs = one.chain(items(content, "specs")).filter(of_pods);
    let policy = |spec: &Value| {
        let selector = spec.get("endpointSelector");
        let selects_all = selector.is_some_and(is_empty_selector);
        Policy {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            selects_all,
            restricts: restricts(spec),
            world: if selects_all && items(spec, "ingressDeny").any(denies_world) {
                World::Denied
            } else if items(spec, "ingress").any(lets_world_in) {
                World::LetIn
            } else {
                World::NotNamed
            },
        }
    };
    specs.map(policy).collect()
}

fn items<'a>(data: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let list = data.get(field).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn is_empty_selector(selector: &Value) -> bool {
    let fields = selector.as_object();
    fields.is_none_or(|fields| {
        fields.values().all(|part| {
            part.is_null()
                || part.as_object().is_some_and(Map::is_empty)
                || part.as_array().is_some_and(Vec::is_empty)
        })
    })
}

/// Whether pods of this spec drop what no rule lets in: unless the spec says so itself, where it has a rule
/// (cilium, `Rule.Sanitize`: `len(Ingress) > 0 || len(IngressDeny) > 0`).
fn restricts(spec: &Value) -> bool {
    let has_rules = || {
        let mut fields = ["ingress", "ingressDeny"].into_iter();
        fields.any(|field| items(spec, field).next().is_some())
    };
    let said = spec.pointer("/enableDefaultDeny/ingress");
    said.and_then(Value::as_bool).unwrap_or_else(has_rules)
}

/// Whether a rule denies all that the world sends. One for some ports or ICMP types denies a part of it.
fn denies_world(rule: &Value) -> bool {
    let mut parts = ["toPorts", "icmps"].into_iter();
    names_world(rule) && !parts.any(|field| items(rule, field).next().is_some())
}

/// A rule without any sender lets everything in, but only if it says something else: an empty one lets
/// nothing in (Cilium, "Ingress Default Deny"; seen).
fn lets_world_in(rule: &Value) -> bool {
    let Some(fields) = rule.as_object() else {
        return false;
    };
    if !fields.keys().any(|field| field.starts_with("from")) {
        return !fields.is_empty();
    }
    names_world(rule)
}

/// Whether a rule names the world among its senders.
fn names_world(rule: &Value) -> bool {
    let mut entities = items(rule, "fromEntities").filter_map(Value::as_str);
    let mut cidrs = items(rule, "fromCIDR").filter_map(Value::as_str);
    let mut sets = items(rule, "fromCIDRSet").filter_map(|set| set.get("cidr")?.as_str());
    entities.any(|entity| OUTSIDE.contains(&entity))
        || cidrs.any(|cidr| cidr == EVERYWHERE)
        || sets.any(|cidr| cidr == EVERYWHERE)
}

/// Namespaces whose policies restrict what comes in while none of theirs, and none for all pods of the
/// cluster, lets the world in. Which pods a policy of a namespace selects is not considered, so that a
/// namespace in which one pod is open counts as open.
pub fn finding(policies: &[Policy], config: Option<Config<'_>>) -> Finding {
    match config.map(|config| config.get("enable-policy")) {
        Some("never") => {
            return Finding::holds("policies are not enforced (enable-policy is never)");
        }
        Some("always") => return always(policies),
        _ => {}
    }
    let of_the_cluster = || {
        policies
            .iter()
            .filter(|p| p.namespace.is_none() && p.selects_all)
    };
    if of_the_cluster().any(|policy| policy.world == World::Denied) {
        return closed("a policy of the whole cluster denies what comes from outside".to_owned());
    }
    let (opened, restricted, denied) = namespaces(policies);
    let closed_names = |names: BTreeSet<&str>| -> Vec<String> {
        let is_system = |name: &str| SYSTEM.iter().any(|start| name.starts_with(start));
        let names = names.into_iter().filter(|name| !is_system(name));
        names.map(str::to_owned).collect()
    };
    let is_open = of_the_cluster().any(|policy| policy.world == World::LetIn);
    if !is_open && of_the_cluster().any(|policy| policy.restricts) {
        return closed(format!(
            "policies of the whole cluster let nothing in from outside{}",
            except(&opened)
        ));
    }
    let shut = restricted
        .into_iter()
        .filter(|name| !is_open && !opened.contains(name));
    let names = closed_names(shut.chain(denied).collect());
    if names.is_empty() {
        return Finding::holds("no policy is in the way of what comes from outside");
    }
    closed(format!(
        "in {} policies let nothing in from outside: {}",
        count(names.len(), "namespace"),
        some_of(&names)
    ))
}

/// Namespaces in which a policy lets the world in, restricts, and denies the world.
fn namespaces(policies: &[Policy]) -> (BTreeSet<&str>, BTreeSet<&str>, BTreeSet<&str>) {
    let of = |is_meant: fn(&Policy) -> bool| -> BTreeSet<&str> {
        let meant = policies.iter().filter(|policy| is_meant(policy));
        meant
            .filter_map(|policy| policy.namespace.as_deref())
            .collect()
    };
    (
        of(|p| p.world == World::LetIn),
        of(|p| p.restricts),
        of(|p| p.world == World::Denied),
    )
}

/// Where a pod that no policy lets in gets nothing.
fn always(policies: &[Policy]) -> Finding {
    let mut of_the_cluster = policies
        .iter()
        .filter(|p| p.namespace.is_none() && p.selects_all);
    if of_the_cluster.any(|policy| policy.world == World::LetIn) {
        return Finding::holds("a policy of the whole cluster lets in what comes from outside");
    }
    let (opened, ..) = namespaces(policies);
    closed(format!(
        "enable-policy is always, and no policy lets in what comes from outside{}",
        except(&opened)
    ))
}

fn except(opened: &BTreeSet<&str>) -> String {
    let names: Vec<&str> = opened.iter().copied().collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(", except in {}", some_of(names)),
    }
}

fn closed(text: String) -> Finding {
    Finding::warning(Problem::PoliciesClosed, text)
        .with_fix("where the BIG-IP serves pods, add fromEntities: [world] for them")
}

#[cfg(test)]
mod tests;
