//! Whether Nodes and Cilium's agents agree about addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::finding::{Finding, Problem};
use crate::seen::{Cluster, Node, Unread};
use crate::words::{count, some_of};

/// The nodes of a cluster about which Nodes and agents do not agree.
#[derive(Debug)]
pub(crate) struct Apart<'a> {
    namespace: &'a str,
    known: Known<'a>,
}

#[derive(Debug)]
enum Known<'a> {
    /// It has no CiliumNodes.
    NotServed,
    /// One of both could not be read.
    Unread(&'static str, &'a Unread),
    /// These.
    Differ {
        /// Without CiliumNode.
        without: Vec<&'a str>,
        /// With another first address.
        differing: Vec<&'a str>,
    },
}

impl<'a> Apart<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        let known = match (&cluster.nodes, &cluster.cilium_nodes) {
            (Err(why), _) => Known::Unread("Nodes", why),
            (_, Err(why)) => Known::Unread("CiliumNodes", why),
            (_, Ok(None)) => Known::NotServed,
            (Ok(nodes), Ok(Some(theirs))) => Known::of(nodes, theirs),
        };
        let namespace = cluster.namespace();
        Self { namespace, known }
    }

    /// What is found about the nodes that are selected. A node without an agent is a finding only there: others run
    /// without Cilium on purpose.
    pub(crate) fn finding(&self, is_selected: impl Fn(&str) -> bool) -> Option<Finding> {
        let (without, differing) = match &self.known {
            Known::NotServed => return None,
            Known::Unread(kind, why) => {
                let text = format!("{kind}: {why}");
                return Some(Finding::not_judged(Problem::Unreadable, text));
            }
            Known::Differ { without, differing } => (without, differing),
        };
        let selected = |nodes: &[&'a str]| -> Vec<&'a str> {
            let nodes = nodes.iter().copied();
            nodes.filter(|node| is_selected(node)).collect()
        };
        let (without, differing) = (selected(without), selected(differing));
        let (mut texts, mut fixes) = (Vec::new(), Vec::new());
        if !without.is_empty() {
            let nodes = count(without.len(), "selected node");
            texts.push(format!("{nodes} without CiliumNode: {}", some_of(&without)));
            fixes.push(format!(
                "kubectl -n {} get pods -l k8s-app=cilium -o wide shows the nodes with an agent; exclude a node \
                 that runs without Cilium by spec.nodes.selector of the BigIpTunnel",
                self.namespace
            ));
        }
        if !differing.is_empty() {
            let nodes = count(differing.len(), "node");
            let names = some_of(&differing);
            texts.push(format!("Node and CiliumNode differ for {nodes}: {names}"));
            let fix = "set spec.nodes.addressSource.type of the BigIpTunnel to CiliumNode";
            fixes.push(fix.to_owned());
        }
        Some(if texts.is_empty() {
            Finding::holds("CiliumNodes know the addresses of the nodes")
        } else {
            Finding::warning(Problem::NodesDiffer, texts.join("; ")).with_fix(fixes.join("; "))
        })
    }
}

impl<'a> Known<'a> {
    fn of(nodes: &'a [Arc<Node>], theirs: &'a [Arc<Node>]) -> Self {
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
        Self::Differ { without, differing }
    }
}

/// Whether the first address of a node is unknown to its agent.
fn lacks(node: &Node, agent: &Node) -> bool {
    let first = node.internal.first();
    first.is_some_and(|first| !agent.internal.contains(first))
}
