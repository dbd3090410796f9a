//! Whether Nodes and Cilium's agents say the same of addresses.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Problem};
use crate::seen::{Cluster, Node};
use crate::unit::Tunnel;
use crate::words::{count, some_of};

/// What is found about the nodes that a tunnel selects, or about all where that is not known. A node
/// without an agent is a finding only there: others run without Cilium on purpose.
pub(crate) fn finding(cluster: &Cluster, tunnels: &[Tunnel]) -> Option<Finding> {
    let nodes = match &cluster.nodes {
        Ok(nodes) => nodes,
        Err(why) => {
            let text = format!("Nodes: {why}");
            return Some(Finding::not_judged(Problem::Unreadable, text));
        }
    };
    let theirs = match &cluster.cilium_nodes {
        Ok(theirs) => theirs.as_ref()?,
        Err(why) => {
            let text = format!("CiliumNodes: {why}");
            return Some(Finding::not_judged(Problem::Unreadable, text));
        }
    };
    let theirs: BTreeMap<&str, &Node> = theirs
        .iter()
        .map(|node| (node.name.as_str(), &**node))
        .collect();
    let selected: Option<BTreeSet<&String>> = tunnels
        .iter()
        .map(|tunnel| tunnel.nodes.as_ref())
        .collect::<Option<Vec<_>>>()
        .filter(|sets| !sets.is_empty())
        .map(|sets| sets.into_iter().flatten().collect());
    let is_meant = |node: &&Node| {
        let selected = selected.as_ref();
        node.stands_for.is_none() && selected.is_none_or(|names| names.contains(&node.name))
    };
    let (mut without, mut differing) = (Vec::new(), Vec::new());
    for node in nodes.iter().filter(is_meant) {
        match theirs.get(node.name.as_str()) {
            None => without.push(node.name.as_str()),
            // A record for a second address works (seen); one that the agent does not know does not.
            Some(other) if lacks(node, other) => differing.push(node.name.as_str()),
            Some(_) => {}
        }
    }
    let mut texts = Vec::new();
    if !without.is_empty() {
        let nodes = count(without.len(), "selected node");
        texts.push(format!("{nodes} without CiliumNode: {}", some_of(&without)));
    }
    if !differing.is_empty() {
        let nodes = count(differing.len(), "node");
        let names = some_of(&differing);
        texts.push(format!("Node and CiliumNode differ for {nodes}: {names}"));
    }
    Some(if texts.is_empty() {
        Finding::holds("CiliumNodes know the addresses of the nodes")
    } else {
        Finding::warning(Problem::NodesDiffer, texts.join("; "))
    })
}

/// Whether the first address of a node is unknown to its agent.
fn lacks(node: &Node, agent: &Node) -> bool {
    let first = node.internal.first();
    first.is_some_and(|first| !agent.internal.contains(first))
}
