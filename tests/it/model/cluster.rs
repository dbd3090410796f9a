//! The cluster as it truly is, with its whole past: what a list or a watch may show.
//!
//! Says of a node what the invariants need, in its own words. Must not know how `core` derives
//! anything: it makes `core`'s view of a node and never reads one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use bigip_tunnel_core::node::{EXTERNAL_IP, INTERNAL_IP, NodeAddress, NodeTraits, NodeView};
use jiff::Timestamp;

/// Which nodes the object selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selector {
    All,
    /// Only the nodes with the pool's label.
    Pool,
}

/// What happens to a node. Names and addresses are few, so that they meet.
#[derive(Debug, Clone)]
pub(super) enum NodeChange {
    Add {
        name: u8,
        address: u8,
        in_pool: bool,
    },
    Delete(u8),
    /// Another tunnel address; the old one may stay listed under another type.
    Move {
        name: u8,
        address: u8,
        keeps_old: bool,
    },
    LoseAddresses(u8),
    /// The last change is taken back: a node that went is there again, as it was.
    Undo,
    /// Ready or not, tainted, cordoned: nothing that a record depends on.
    Heartbeat(u8),
    Relabel(u8),
    /// The same name, another machine.
    Replace {
        name: u8,
        address: u8,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) uid: u64,
    in_pool: bool,
    internal: Option<Ipv4Addr>,
    external: Option<Ipv4Addr>,
}

/// All nodes at one moment.
pub(super) type Nodes = BTreeMap<String, Node>;

/// The cluster: every state that it has had. A version is an index.
pub(super) struct Cluster(Vec<Nodes>);

pub(super) fn ip(address: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, address)
}

impl Node {
    pub(super) fn is_selected(&self, selector: Selector) -> bool {
        selector == Selector::All || self.in_pool
    }

    /// Its tunnel address.
    pub(super) fn address(&self) -> Option<Ipv4Addr> {
        self.internal
    }

    /// Whether it names the address at all.
    pub(super) fn lists(&self, address: Ipv4Addr) -> bool {
        self.internal == Some(address) || self.external == Some(address)
    }

    fn view(&self, name: &str, selector: Selector) -> NodeView {
        let entry = |kind: &str, address: Option<Ipv4Addr>| {
            address.map(|address| NodeAddress {
                kind: kind.to_owned(),
                value: address.to_string(),
            })
        };
        let addresses = [
            entry(EXTERNAL_IP, self.external),
            entry(INTERNAL_IP, self.internal),
        ];
        NodeView {
            name: name.to_owned(),
            uid: self.uid.to_string(),
            created: Timestamp::from_second(i64::try_from(self.uid).unwrap()).ok(),
            selected: self.is_selected(selector),
            addresses: addresses.into_iter().flatten().collect(),
            cilium_addresses: None,
            damped: None,
            traits: NodeTraits::default(),
        }
    }
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self(vec![Nodes::new()])
    }

    pub(super) fn version(&self) -> usize {
        self.0.len() - 1
    }

    pub(super) fn at(&self, version: usize) -> &Nodes {
        &self.0[version]
    }

    pub(super) fn now(&self) -> &Nodes {
        self.at(self.version())
    }

    /// Carries a change out. Returns the names of the nodes that are different since.
    pub(super) fn change(&mut self, change: &NodeChange) -> BTreeSet<String> {
        let before = self.now().clone();
        let after = match change {
            NodeChange::Undo => {
                let other = self.0.iter().rfind(|nodes| **nodes != before);
                other.cloned().unwrap_or_default()
            }
            change => self.changed(change),
        };
        let names = before.keys().chain(after.keys());
        let differs = |name: &&String| before.get(*name) != after.get(*name);
        let names = names.filter(differs).cloned().collect();
        self.0.push(after);
        names
    }

    fn changed(&self, change: &NodeChange) -> Nodes {
        let mut nodes = self.now().clone();
        // Counts up, so that it is the node's age as well.
        let uid = u64::try_from(self.0.len()).unwrap();
        let machine = |address: u8, in_pool| Node {
            uid,
            in_pool,
            internal: Some(ip(address)),
            external: None,
        };
        let (NodeChange::Add { name, .. }
        | NodeChange::Delete(name)
        | NodeChange::Move { name, .. }
        | NodeChange::LoseAddresses(name)
        | NodeChange::Heartbeat(name)
        | NodeChange::Relabel(name)
        | NodeChange::Replace { name, .. }) = change
        else {
            return nodes;
        };
        let name = format!("node-{name}");
        match (change, nodes.get_mut(&name)) {
            (
                NodeChange::Add {
                    address, in_pool, ..
                },
                None,
            ) => {
                nodes.insert(name.clone(), machine(*address, *in_pool));
            }
            (NodeChange::Delete(_), Some(_)) => {
                nodes.remove(&name);
            }
            (
                NodeChange::Move {
                    address, keeps_old, ..
                },
                Some(node),
            ) => {
                node.external = node.internal.filter(|_| *keeps_old);
                node.internal = Some(ip(*address));
            }
            (NodeChange::LoseAddresses(_), Some(node)) => {
                (node.internal, node.external) = (None, None);
            }
            (NodeChange::Relabel(_), Some(node)) => node.in_pool = !node.in_pool,
            (NodeChange::Replace { address, .. }, Some(node)) => {
                *node = machine(*address, node.in_pool);
            }
            // A heartbeat; or the node is not there, or there already.
            _ => {}
        }
        nodes
    }
}

/// The nodes as `core` is shown them.
pub(super) fn views(nodes: &Nodes, selector: Selector) -> Vec<NodeView> {
    let views = nodes.iter().map(|(name, node)| node.view(name, selector));
    views.collect()
}

/// The addresses that have to have a record.
pub(super) fn needed(nodes: &Nodes, selector: Selector) -> BTreeSet<Ipv4Addr> {
    let selected = nodes.values().filter(|node| node.is_selected(selector));
    selected.filter_map(Node::address).collect()
}
