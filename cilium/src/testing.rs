//! Clusters and units for the tests of this crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::UnitKey;
use crate::seen::{Cluster, Node, Scope, Unread};
use crate::unit::{Tunnel, Unit};

/// A unit of an object in the namespace `bigip`.
pub(crate) fn unit(object: &str, device: &str, local: &str, self_ips: &[&str], mac: &str) -> Unit {
    Unit {
        key: UnitKey {
            namespace: "bigip".to_owned(),
            object: object.to_owned(),
            device: device.to_owned(),
        },
        is_current: true,
        path: "/Common/t".to_owned(),
        local: local.parse().ok(),
        self_ips: self_ips.iter().map(|net| net.parse().unwrap()).collect(),
        has_more_self_ips: false,
        mac: mac.parse().ok(),
        vni: Some(2),
        encapsulation: None,
        port: None,
    }
}

/// A tunnel of these units.
pub(crate) fn tunnel(units: Vec<Unit>) -> Tunnel {
    Tunnel {
        units,
        unread: Vec::new(),
    }
}

/// A cluster of which nothing but the absence of nodes is known.
pub(crate) fn cluster() -> Cluster {
    let no = || Unread(String::new());
    Cluster {
        namespaces: vec!["kube-system".to_owned()],
        config: Ok(None),
        node_configs: Ok(Vec::new()),
        vtep_objects: Ok(None),
        vtep_nodes: Ok(Vec::new()),
        agents: Err(no()),
        policies: None,
        nodes: Ok(Vec::new()),
        cilium_nodes: Ok(None),
    }
}

/// A node with these values of its own.
pub(crate) fn node(name: &str, overrides: &[(&str, &str)]) -> Node {
    let overrides = overrides.iter();
    let overrides = overrides.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Node {
        name: name.to_owned(),
        overrides: overrides.collect(),
        ..Node::default()
    }
}

/// A scope of these nodes.
pub(crate) fn scope(nodes: &[&str]) -> Scope {
    let nodes: BTreeSet<String> = nodes.iter().map(|node| (*node).to_owned()).collect();
    Scope::Some {
        selector: "zone=a".to_owned(),
        nodes: nodes.into(),
    }
}

/// The lists of `cilium-config`, with VTEP on.
pub(crate) fn data(endpoint: &str, cidr: &str, mac: &str) -> BTreeMap<String, String> {
    let data = [
        ("enable-vtep", "true"),
        ("vtep-endpoint", endpoint),
        ("vtep-cidr", cidr),
        ("vtep-mask", "255.255.255.0"),
        ("vtep-mac", mac),
    ];
    data.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}
