//! The configuration of each node's agent: `cilium-config`, and what CiliumNodeConfigs and the Node's own labels
//! and annotations put in its place.
//!
//! Which of two values counts differs between versions of Cilium (`pkg/option/resolver`: node objects win
//! over the ConfigMap in one, and lose to it in another). So a value that only one source holds is taken,
//! and one on which two sources differ is *undecided*: every value that may count is an alternative. Must
//! not judge values.

use std::collections::{BTreeMap, BTreeSet};

use crate::seen::{Cluster, ConfigMap, Node, NodeConfig, Scope};

/// The keys that a BIG-IP depends on.
const KEYS: [&str; 18] = [
    "cluster-pool-ipv4-cidr",
    "enable-encryption-strict-mode-ingress",
    "enable-ipsec",
    "enable-ipv4",
    "enable-policy",
    "enable-vtep",
    "enable-wireguard",
    "ipam",
    "ipv4-service-range",
    "mtu",
    "routing-mode",
    "tunnel",
    "tunnel-port",
    "tunnel-protocol",
    "underlay-protocol",
    "vtep-cidr",
    "vtep-endpoint",
    "vtep-mac",
];
/// One more: the lists and their mask go together.
const MASK: &str = "vtep-mask";
/// As many alternatives are compared: those of six keys with two values each.
const ALTERNATIVES_MAX: usize = 64;

/// Nodes whose agents have the same configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// What it may be: one where no key is undecided, and none where there are too many combinations.
    pub alternatives: Vec<BTreeMap<String, String>>,
    /// Their names. Empty where the nodes of the cluster are not known.
    pub nodes: Vec<&'a str>,
    /// Keys on which sources differ, and those that differ from `cilium-config`.
    pub undecided: BTreeMap<String, BTreeSet<String>>,
}

/// What one node has in place of the ConfigMap's values.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Override {
    values: BTreeMap<String, String>,
    undecided: BTreeMap<String, BTreeSet<String>>,
    /// The values that an undecided key may have. `None`: it may be missing.
    candidates: BTreeMap<String, BTreeSet<Option<String>>>,
}

/// The nodes of the cluster by the configuration of their agents.
pub fn groups<'a>(config: &ConfigMap, cluster: &'a Cluster) -> Vec<Group<'a>> {
    let objects = cluster.node_configs.iter().flatten();
    let mut objects: Vec<&NodeConfig> = objects.collect();
    objects.sort_by(|one, other| one.name.cmp(&other.name));
    let nodes = cluster.nodes.iter().flatten();
    let nodes = nodes.filter(|node| node.stands_for.is_none());
    let mut by_override: BTreeMap<Override, Vec<&str>> = BTreeMap::new();
    for node in nodes {
        let its_own = of_node(config, &objects, node);
        by_override.entry(its_own).or_default().push(&node.name);
    }
    if by_override.is_empty() {
        // Which nodes there are is not known: only what is for all of them can be said.
        let any = Node::default();
        by_override.insert(of_node(config, &objects, &any), Vec::new());
    }
    let groups = by_override.into_iter().map(|(its_own, nodes)| {
        let mut values = config.data.clone();
        values.extend(its_own.values);
        Group {
            alternatives: alternatives(values, its_own.candidates),
            nodes,
            undecided: its_own.undecided,
        }
    });
    groups.collect()
}

/// These values with each of the candidates of each key. Which source counts may differ from key to key.
fn alternatives(
    values: BTreeMap<String, String>,
    candidates: BTreeMap<String, BTreeSet<Option<String>>>,
) -> Vec<BTreeMap<String, String>> {
    let mut all = vec![values];
    for (key, candidates) in candidates {
        if all.len() * candidates.len() > ALTERNATIVES_MAX {
            return Vec::new();
        }
        let with = |values: &BTreeMap<String, String>, value: &Option<String>| {
            let mut values = values.clone();
            match value {
                Some(value) => values.insert(key.clone(), value.clone()),
                None => values.remove(&key),
            };
            values
        };
        let each = all
            .iter()
            .flat_map(|values| candidates.iter().map(|value| with(values, value)));
        all = each.collect();
    }
    all
}

/// `objects`: by name.
fn of_node(config: &ConfigMap, objects: &[&NodeConfig], node: &Node) -> Override {
    let mut its_own = Override::default();
    let mut by_objects: BTreeMap<&str, (&str, String)> = BTreeMap::new();
    for object in objects {
        let source = format!("CiliumNodeConfig {}", object.name);
        let is_known = match (&object.scope, object.scope.holds(&node.name)) {
            (Scope::All, _) | (_, Some(true)) => true,
            (_, Some(false)) => continue,
            (_, None) => false,
        };
        for (key, value) in relevant(&object.defaults) {
            if is_known {
                // The later name wins.
                by_objects.insert(key, (value, source.clone()));
            } else if config.data.get(key).is_none_or(|held| held != value) {
                its_own.dispute(key, &source, [Some(value)]);
            }
        }
    }
    let of_the_node =
        relevant(&node.overrides).map(|(key, value)| (key, (value, "Node".to_owned())));
    let of_the_node: BTreeMap<&str, (&str, String)> = of_the_node.collect();
    for (key, (value, source)) in by_objects.iter().chain(&of_the_node) {
        let others = [
            config.data.get(*key).map(String::as_str),
            by_objects.get(key).map(|(value, _)| *value),
            of_the_node.get(key).map(|(value, _)| *value),
        ];
        if others
            .into_iter()
            .flatten()
            .all(|other| other.trim() == value.trim())
        {
            if !config.data.contains_key(*key) {
                its_own
                    .values
                    .insert((*key).to_owned(), (*value).to_owned());
            }
        } else {
            let values = others.into_iter().flatten().map(Some);
            its_own.dispute(key, source, values);
        }
    }
    // What would count without the dispute may count, too.
    for (key, candidates) in &mut its_own.candidates {
        let held = its_own.values.get(key).or_else(|| config.data.get(key));
        candidates.insert(held.cloned());
    }
    its_own
}

impl Override {
    fn dispute<'v>(
        &mut self,
        key: &str,
        source: &str,
        values: impl IntoIterator<Item = Option<&'v str>>,
    ) {
        let sources = self.undecided.entry(key.to_owned()).or_default();
        sources.insert(source.to_owned());
        let candidates = self.candidates.entry(key.to_owned()).or_default();
        candidates.extend(values.into_iter().map(|value| value.map(str::to_owned)));
    }
}

fn relevant(values: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let values = values
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    values.filter(|(key, _)| KEYS.contains(key) || *key == MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn node(name: &str, overrides: &[(&str, &str)]) -> Node {
        Node {
            name: name.to_owned(),
            overrides: map(overrides),
            ..Node::default()
        }
    }

    fn object(name: &str, scope: Scope, defaults: &[(&str, &str)]) -> NodeConfig {
        NodeConfig {
            name: name.to_owned(),
            scope,
            defaults: map(defaults),
        }
    }

    /// Names, alternatives and undecided keys of a group.
    struct Seen {
        nodes: Vec<String>,
        alternatives: Vec<BTreeMap<String, String>>,
        undecided: BTreeMap<String, BTreeSet<String>>,
    }

    fn of(data: &[(&str, &str)], objects: Vec<NodeConfig>, nodes: Vec<Node>) -> Vec<Seen> {
        let cluster = Cluster {
            node_configs: Ok(objects),
            nodes: Ok(nodes.into_iter().map(Into::into).collect()),
            ..crate::testing::cluster()
        };
        let config = ConfigMap {
            data: map(data),
            ..ConfigMap::default()
        };
        let groups = groups(&config, &cluster).into_iter();
        let seen = groups.map(|group| Seen {
            nodes: group.nodes.into_iter().map(str::to_owned).collect(),
            alternatives: group.alternatives,
            undecided: group.undecided,
        });
        seen.collect()
    }

    #[test]
    fn value_set_only_by_a_node_config_is_used() {
        let object = object("vtep", Scope::All, &[("enable-vtep", "true")]);
        let groups = of(&[], vec![object], vec![node("n1", &[]), node("n2", &[])]);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].alternatives[0]["enable-vtep"], "true");
        assert!(groups[0].undecided.is_empty());
        assert_eq!(groups[0].alternatives.len(), 1);
    }

    #[test]
    fn value_that_differs_from_the_config_map_is_undecided() {
        let object = object("vtep", Scope::All, &[("enable-vtep", "true")]);
        let data = [("enable-vtep", "false")];
        let groups = of(&data, vec![object], vec![node("n1", &[])]);
        let sources = &groups[0].undecided["enable-vtep"];
        assert_eq!(
            sources.iter().collect::<Vec<_>>(),
            ["CiliumNodeConfig vtep"]
        );
    }

    #[test]
    fn undecided_key_has_each_of_its_values() {
        let scope = Scope::Unknown {
            selector: "zone=a".to_owned(),
        };
        let known = object("a", Scope::All, &[("mtu", "1400")]);
        let unknown = object("b", scope, &[("enable-vtep", "true")]);
        let nodes = vec![node("n1", &[])];
        let groups = of(&[("mtu", "9000")], vec![known, unknown], nodes);
        let value = |values: &BTreeMap<String, String>, key: &str| values.get(key).cloned();
        let mut values: Vec<_> = groups[0]
            .alternatives
            .iter()
            .map(|values| (value(values, "mtu"), value(values, "enable-vtep")))
            .collect();
        values.sort();
        let (small, large) = (Some("1400".to_owned()), Some("9000".to_owned()));
        let on = Some("true".to_owned());
        let wanted = [
            (small.clone(), None),
            (small, on.clone()),
            (large.clone(), None),
            (large, on),
        ];
        assert_eq!(values, wanted);
    }

    #[test]
    fn too_many_alternatives_are_none() {
        let disputed = [
            "enable-ipsec",
            "enable-ipv4",
            "enable-policy",
            "enable-vtep",
            "enable-wireguard",
            "mtu",
            "tunnel-port",
        ];
        let pairs = |value: &'static str| disputed.map(|key| (key, value));
        let number = |keys: usize| {
            let object = object("a", Scope::All, &pairs("2")[..keys]);
            let groups = of(&pairs("1"), vec![object], vec![node("n1", &[])]);
            groups[0].alternatives.len()
        };
        assert_eq!((number(6), number(7)), (64, 0));
    }

    #[test]
    fn override_with_the_same_value_changes_nothing() {
        let object = object("vtep", Scope::All, &[("enable-vtep", "true")]);
        let nodes = vec![node("n1", &[("enable-vtep", "true")]), node("n2", &[])];
        let groups = of(&[("enable-vtep", "true")], vec![object], nodes);
        assert_eq!(groups.len(), 1);
        assert!(groups[0].undecided.is_empty());
    }

    #[test]
    fn later_name_of_two_objects_wins() {
        let one = object("b", Scope::All, &[("mtu", "1400")]);
        let other = object("a", Scope::All, &[("mtu", "9000")]);
        let groups = of(&[], vec![one, other], vec![node("n1", &[])]);
        assert_eq!(groups[0].alternatives[0]["mtu"], "1400");
    }

    #[test]
    fn nodes_are_grouped_by_their_configuration() {
        let scope = Scope::Some {
            selector: "zone=a".to_owned(),
            nodes: BTreeSet::from(["n1".to_owned()]).into(),
        };
        let object = object("vtep", scope, &[("vtep-mask", "255.255.0.0")]);
        let nodes = vec![node("n1", &[]), node("n2", &[]), node("n3", &[])];
        let groups = of(&[], vec![object], nodes);
        let names: Vec<_> = groups.iter().map(|group| group.nodes.join(" ")).collect();
        assert_eq!(names, ["n2 n3", "n1"]);
    }

    #[test]
    fn annotation_against_an_object_is_undecided() {
        let object = object("vtep", Scope::All, &[("mtu", "1400")]);
        let groups = of(&[], vec![object], vec![node("n1", &[("mtu", "9000")])]);
        assert!(groups[0].undecided.contains_key("mtu"));
    }

    #[test]
    fn keys_that_no_bigip_depends_on_are_ignored() {
        let nodes = vec![node("n1", &[("debug", "true")]), node("n2", &[])];
        assert_eq!(of(&[("debug", "false")], Vec::new(), nodes).len(), 1);
    }
}
