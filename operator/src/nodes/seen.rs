//! The nodes as Cilium's side of a tunnel is judged by them.

use std::collections::BTreeMap;

use bigip_tunnel_cilium::seen::Node;
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

    /// The nodes, without the labels that [`Self::selectable`] has.
    pub(crate) fn seen(&self) -> Vec<Node> {
        let nodes = self.nodes.iter().flat_map(|nodes| nodes.iter());
        nodes.map(|(name, node)| node.seen(name)).collect()
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
