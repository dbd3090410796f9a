//! Networks of the cluster that the network of a VTEP entry takes.
//!
//! Cilium sends everything for the network of an entry to the BIG-IP. An allocated network of a node and a
//! node's own address are faults; a pool and the range of the services may become one; a native-routing
//! CIDR says nothing in tunnel mode.

use bigip_tunnel_core::node::Ipv4Net;

use crate::config::{Config, Ipam};
use crate::finding::{Finding, Problem};
use crate::network::{overlap, relation};
use crate::seen::{Cluster, Node};
use crate::vtep::Entry;
use crate::words::some_of;

/// The networks that nodes' pods have now, with the names of the nodes, as far as they may be read.
pub fn pod_cidrs(cluster: &Cluster, config: Option<Config<'_>>) -> Vec<(String, Ipv4Net)> {
    let cidrs = |nodes: &[Node]| -> Vec<(String, Ipv4Net)> {
        let each = nodes.iter().flat_map(|node| {
            let cidrs = node.pod_cidrs.iter();
            cidrs.map(|cidr| (node.name.clone(), *cidr))
        });
        each.collect()
    };
    // With Cilium's own pools only the CiliumNodes tell; what a Node says is unused then.
    let is_pool = config.is_some_and(|config| config.ipam() == Ipam::Pool);
    match (&cluster.cilium_nodes, &cluster.nodes) {
        (Ok(Some(nodes)), _) if !cidrs(nodes).is_empty() => cidrs(nodes),
        (Err(_), _) if is_pool => Vec::new(),
        (_, Ok(nodes)) => cidrs(nodes),
        (_, Err(_)) => Vec::new(),
    }
}

/// What an entry takes.
pub(crate) fn findings(entry: &Entry, config: Config<'_>, cluster: &Cluster) -> Vec<Finding> {
    let Ok(cidr) = entry.cidr else {
        return Vec::new();
    };
    let pods = pod_cidrs(cluster, Some(config));
    let taken: Vec<String> = pods
        .iter()
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
