//! Networks of the cluster that the network of a VTEP entry takes.
//!
//! Cilium sends everything for the network of an entry to the BIG-IP. An allocated network of a node and a
//! node's own address are faults; a pool and the range of the services may become one; a native-routing
//! CIDR says nothing in tunnel mode.

use std::sync::Arc;

use bigip_tunnel_core::node::Ipv4Net;

use crate::config::{Config, Ipam};
use crate::finding::{Finding, Problem};
use crate::network::{overlap, relation};
use crate::seen::{Cluster, Node};
use crate::vtep::Entry;
use crate::words::some_of;

/// The networks that nodes' pods have now, with the names of the nodes, as far as they may be read.
///
/// Those of CiliumNodes count. A Node's own count where Kubernetes hands out the addresses of pods.
pub fn pod_cidrs<'a>(
    cluster: &'a Cluster,
    config: Option<Config<'_>>,
) -> impl Iterator<Item = (&'a str, Ipv4Net)> {
    let of_agents = cluster.cilium_nodes.iter().flatten();
    let of_agents = of_agents.map(Vec::as_slice).next().unwrap_or_default();
    let nodes: &[Arc<Node>] = match &cluster.nodes {
        _ if of_agents.iter().any(|node| !node.pod_cidrs.is_empty()) => of_agents,
        Ok(nodes) if is_of_kubernetes(config) => nodes,
        _ => &[],
    };
    nodes.iter().flat_map(|node| {
        let cidrs = node.pod_cidrs.iter();
        cidrs.map(|cidr| (node.name.as_str(), *cidr))
    })
}

/// Whether pods get their addresses out of the networks of the Nodes. With another IPAM these are unused.
fn is_of_kubernetes(config: Option<Config<'_>>) -> bool {
    config.is_none_or(|config| config.ipam() == Ipam::Kubernetes)
}

/// What has to be known to see all overlaps, and is not: each with the reason.
pub(crate) fn not_seen(config: Option<Config<'_>>, cluster: &Cluster) -> Vec<String> {
    let mut unknown = Vec::new();
    if config.is_none() {
        unknown.push("the range of the Services (cilium-config is not known)".to_owned());
    }
    if let Err(why) = &cluster.nodes {
        unknown.push(format!("the addresses of the nodes ({why})"));
    }
    if pod_cidrs(cluster, config).next().is_none() {
        let why = match (&cluster.cilium_nodes, &cluster.nodes) {
            (Err(why), _) => why.to_string(),
            (_, Err(why)) if is_of_kubernetes(config) => why.to_string(),
            _ => "no node says one".to_owned(),
        };
        unknown.push(format!("the pod networks ({why})"));
    }
    unknown
}

/// What an entry takes.
pub(crate) fn findings(entry: &Entry, config: Config<'_>, cluster: &Cluster) -> Vec<Finding> {
    let Ok(cidr) = entry.cidr else {
        return Vec::new();
    };
    let pods = pod_cidrs(cluster, Some(config));
    let taken: Vec<String> = pods
        .filter(|(_, pods)| overlap(cidr, *pods))
        .map(|(node, pods)| format!("{pods} ({node})"))
        .collect();
    let mut findings = Vec::new();
    if !taken.is_empty() {
        let text = format!(
            "{entry}: the network {cidr} overlaps the pod network {}",
            some_of(&taken)
        );
        findings.push(Finding::error(Problem::NetworkOverlap, text));
    }
    let nodes = cluster.nodes.iter().flatten();
    let addresses: Vec<String> = nodes
        .filter(|node| node.stands_for.is_none())
        .flat_map(|node| node.internal.iter().map(|address| (&node.name, *address)))
        .filter(|(_, address)| cidr.contains(address))
        .map(|(node, address)| format!("{address} ({node})"))
        .collect();
    if !addresses.is_empty() {
        let text = format!(
            "{entry}: the network {cidr} contains the node address {}",
            some_of(&addresses)
        );
        findings.push(Finding::error(Problem::NetworkOverlap, text));
    }
    if taken.is_empty() && config.ipam() == Ipam::Pool {
        findings.extend(range(
            entry,
            cidr,
            config,
            "cluster-pool-ipv4-cidr",
            "a node",
        ));
    }
    findings.extend(range(
        entry,
        cidr,
        config,
        "ipv4-service-range",
        "a Service",
    ));
    findings
}

/// A range out of which the cluster may hand out what the entry takes.
fn range(
    entry: &Entry,
    cidr: Ipv4Net,
    config: Config<'_>,
    key: &str,
    taker: &str,
) -> Option<Finding> {
    let ranges = config.networks(key).into_iter();
    let mut related = ranges.filter_map(|range| Some((range, relation(cidr, range)?)));
    let (range, relation) = related.next()?;
    let text = format!(
        "{entry}: the network {cidr} {relation} {key} {range}: {taker} may get a part of it"
    );
    Some(Finding::warning(Problem::NetworkOverlap, text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::seen::Unread;

    fn cluster(of_agents: &[&str]) -> Cluster {
        let node = |cidrs: &[&str]| Node {
            name: "n1".to_owned(),
            pod_cidrs: cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect(),
            ..Node::default()
        };
        Cluster {
            nodes: Ok(vec![node(&["10.244.0.0/24"]).into()]),
            cilium_nodes: Ok(Some(vec![node(of_agents).into()])),
            ..crate::testing::cluster()
        }
    }

    fn cidrs(ipam: Option<&str>, of_agents: &[&str]) -> Vec<String> {
        let data = ipam.map(|ipam| BTreeMap::from([("ipam".to_owned(), ipam.to_owned())]));
        let cluster = cluster(of_agents);
        let cidrs = pod_cidrs(&cluster, data.as_ref().map(Config));
        cidrs.map(|(_, cidr)| cidr.to_string()).collect()
    }

    #[test]
    fn node_cidr_counts_with_ipam_of_kubernetes_only() {
        assert_eq!(cidrs(Some("kubernetes"), &[]), ["10.244.0.0/24"]);
        assert_eq!(cidrs(None, &[]), ["10.244.0.0/24"]);
        for ipam in ["", "cluster-pool", "multi-pool", "eni", "delegated-plugin"] {
            assert_eq!(cidrs(Some(ipam), &[]), [""; 0], "{ipam}");
            assert_eq!(cidrs(Some(ipam), &["10.0.0.0/24"]), ["10.0.0.0/24"]);
        }
    }

    #[test]
    fn unknown_network_is_named_with_its_cause() {
        let data = BTreeMap::new();
        let mut cluster = cluster(&["10.0.0.0/24"]);
        assert_eq!(not_seen(Some(Config(&data)), &cluster), [""; 0]);
        cluster.cilium_nodes = Err(Unread("may not be listed".to_owned()));
        let unknown = not_seen(Some(Config(&data)), &cluster);
        assert_eq!(unknown, ["the pod networks (may not be listed)"]);
        cluster.nodes = Err(Unread("no answer".to_owned()));
        assert_eq!(not_seen(None, &cluster).len(), 3);
    }
}
