//! The nodes as Cilium's side of a tunnel is judged by them.

use std::collections::BTreeMap;

use bigip_tunnel_cilium::seen::{Node, Readable, Unread};
use bigip_tunnel_core::node::INTERNAL_IP;
use bigip_tunnel_crds::convert::cilium::Selectable;

use super::{NodeEntry, NodeState};

/// What a node without labels has.
static UNLABELLED: BTreeMap<String, String> = BTreeMap::new();

impl NodeState {
    /// The nodes as selectors see them. `None` while they are not known.
    pub(crate) fn selectable(&self) -> Option<Vec<Selectable<'_>>> {
        let nodes = self.nodes.as_ref().ok()?.iter();
        let selectable = nodes.map(|(name, node)| Selectable {
            name,
            labels: node.metadata.labels.as_ref().unwrap_or(&UNLABELLED),
            stands_in: node.traits.stands_for.is_some(),
        });
        Some(selectable.collect())
    }

    /// The nodes, without the labels that [`Self::selectable`] has. `None` until the first list, or the first failure
    /// that does not pass by itself.
    pub(crate) fn seen(&self) -> Option<Readable<Vec<Node>>> {
        match &self.nodes {
            Ok(nodes) => {
                let nodes = nodes.iter();
                Some(Ok(nodes.map(|(name, node)| node.seen(name)).collect()))
            }
            Err(failure) if failure.retryable => None,
            Err(failure) => Some(Err(Unread(failure.message.clone()))),
        }
    }
}

impl NodeEntry {
    fn seen(&self, name: &str) -> Node {
        let addresses = self.addresses.iter();
        let internal = addresses.filter(|address| address.type_ == INTERNAL_IP);
        Node {
            name: name.to_owned(),
            internal: internal
                .filter_map(|address| address.address.parse().ok())
                .collect(),
            stands_for: self.traits.stands_for,
            health: None,
            pod_cidrs: self.pod_cidrs.to_vec(),
            overrides: self.overrides.clone(),
            labels: BTreeMap::new(),
        }
    }
}
