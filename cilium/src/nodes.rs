//! Whether Nodes and Cilium's agents agree about addresses.

use std::collections::BTreeMap;

use crate::finding::{Finding, Problem};
use crate::seen::{Cluster, Node, Unread};
use crate::words::{count, some_of};

/// The nodes of a cluster about which Nodes and agents do not agree.
#[derive(Debug)]
pub(crate) enum Apart<'a> {
    /// It has no CiliumNodes.
    NotServed,
    /// One of both could not be read.
    Unread(&'static str, &'a Unread),
    /// These.
    Known {
        /// Without CiliumNode.
        without: Vec<&'a str>,
        /// With another first address.
        differing: Vec<&'a str>,
    },
}

impl<'a> Apart<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        let (nodes, theirs) = match (&cluster.nodes, &cluster.cilium_nodes) {
            (Err(why), _) => return Self::Unread("Nodes", why),
            (_, Err(why)) => return Self::Unread("CiliumNodes", why),
            (_, Ok(None)) => return Self::NotServed,
            (Ok(nodes), Ok(Some(theirs))) => (nodes, theirs),
        };
        let theirs = theirs.iter().map(|node| (node.name.as_str(), &**node));
        let theirs: BTreeMap<&str, &Node> = theirs.collect();
        let (mut without, mut differing) = (Vec::new(), Vec::new());
        for node in nodes {
            match theirs.get(node.name.as_str()) {
                None => without.push(node.name.as_str()),
                // A record for a second address works (seen); one that the agent does not know does not.
                Some(other) if lacks(node, other) => differing.push(node.name.as_str()),
                Some(_) => {}
            }
        }
        Self::Known { without, differing }
    }

    /// What is found about the nodes that are selected. A node without an agent is a finding only there: others run
    /// without Cilium on purpose.
    pub(crate) fn finding(&self, is_selected: impl Fn(&str) -> bool) -> Option<Finding> {
        let (without, differing) = match self {
            Self::NotServed => return None,
            Self::Unread(kind, why) => {
                let text = format!("{kind}: {why}");
                return Some(Finding::not_judged(Problem::Unreadable, text));
            }
            Self::Known { without, differing } => (without, differing),
        };
        let selected = |nodes: &[&'a str]| -> Vec<&'a str> {
            let nodes = nodes.iter().copied();
            nodes.filter(|node| is_selected(node)).collect()
        };
        let (without, differing) = (selected(without), selected(differing));
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
}

/// Whether the first address of a node is unknown to its agent.
fn lacks(node: &Node, agent: &Node) -> bool {
    let first = node.internal.first();
    first.is_some_and(|first| !agent.internal.contains(first))
}
