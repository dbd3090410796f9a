//! A cluster as read, as plain data. What could not be read says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bigip_tunnel_core::node::Ipv4Net;
use jiff::Timestamp;

use crate::policies::Policy;
use crate::vtep::{VtepObject, WrittenEntry};

/// Why something could not be read, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread(pub String);

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that was read, unless it could not be.
pub type Readable<T> = Result<T, Unread>;

/// Everything about Cilium and the nodes that a tunnel depends on.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The namespaces that were asked for `cilium-config`: Cilium's, or those where it usually is.
    pub namespaces: Vec<String>,
    /// `cilium-config`. `None` where it is not in the namespaces that were asked for.
    pub config: Readable<Option<ConfigMap>>,
    /// The CiliumNodeConfigs of that namespace. Empty where the kind is not served.
    pub node_configs: Readable<Vec<NodeConfig>>,
    /// The CiliumVTEPConfigs. `None` where the kind is not served.
    pub vtep_objects: Readable<Option<Vec<VtepObject>>>,
    /// What agents say of entries that they took from objects (CiliumVTEPNodeConfig).
    pub vtep_nodes: Readable<Vec<VtepNode>>,
    /// The agents' pods.
    pub agents: Readable<Vec<Arc<Agent>>>,
    /// Policies about what comes in. `None` where they are not part of the question.
    pub policies: Option<Readable<Vec<Policy>>>,
    /// The nodes of the cluster.
    pub nodes: Readable<Vec<Arc<Node>>>,
    /// What agents say of their nodes. `None` where the kind is not served.
    pub cilium_nodes: Readable<Option<Vec<Arc<Node>>>>,
}

impl Cluster {
    /// The namespace of Cilium, as far as it is known: where `cilium-config` was found, or searched first.
    pub fn namespace(&self) -> &str {
        match &self.config {
            Ok(Some(config)) => &config.namespace,
            _ => self
                .namespaces
                .first()
                .map_or("kube-system", String::as_str),
        }
    }
}

/// The ConfigMap `cilium-config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigMap {
    /// Its namespace.
    pub namespace: String,
    /// Its data.
    pub data: BTreeMap<String, String>,
    /// When its data was last changed, as far as its managed fields show.
    pub changed: Option<Timestamp>,
}

/// A CiliumNodeConfig: values for some nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its name. Of two that hold one key the later name wins (cilium, `pkg/option/resolver`).
    pub name: String,
    /// The nodes that it is for.
    pub scope: Scope,
    /// Its values.
    pub defaults: BTreeMap<String, String>,
}

/// The nodes that an object is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every node.
    All,
    /// These nodes.
    Some {
        /// The selector, as text.
        selector: String,
        /// Names of the nodes that it selects now.
        nodes: Arc<BTreeSet<String>>,
    },
    /// Those of a selector; which they are could not be read.
    Unknown {
        /// The selector, as text. Empty where it cannot be read.
        selector: String,
    },
}

impl Scope {
    /// Whether it holds this node. `None` where that is not known.
    pub fn holds(&self, node: &str) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::Some { nodes, .. } => Some(nodes.contains(node)),
            Self::Unknown { .. } => None,
        }
    }

    /// Whether two scopes have a node in common. `None` where that is not known.
    pub fn meets(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::All, Self::All) => Some(true),
            (Self::All, Self::Some { nodes, .. }) | (Self::Some { nodes, .. }, Self::All) => {
                Some(!nodes.is_empty())
            }
            (Self::Some { nodes, .. }, Self::Some { nodes: other, .. }) => {
                Some(!nodes.is_disjoint(other))
            }
            (Self::Unknown { selector }, Self::Unknown { selector: other })
                if selector == other && !selector.is_empty() =>
            {
                Some(true)
            }
            _ => None,
        }
    }
}

/// What an agent says of the entries on its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VtepNode {
    /// Its node.
    pub node: String,
    /// What it could not program: name of the entry (empty: the table as a whole), and its own words.
    pub failed: Vec<(String, String)>,
    /// The entries that it says it has programmed since they were changed last: one value for all nodes that say the same.
    pub programmed: Arc<[WrittenEntry]>,
}

/// The pod of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its node.
    pub node: String,
    /// The image of its container `cilium-agent`: one text for all that run it.
    pub image: Arc<str>,
    /// When the pod started. `None` for one that has not.
    pub started: Option<Timestamp>,
    /// Whether the pod is Ready.
    pub ready: bool,
}

/// A Node or a CiliumNode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its IPv4 addresses of the type `InternalIP`, in their order.
    pub internal: Vec<Ipv4Addr>,
    /// The address of the machine that it stands for, where no kubelet has ever run on it.
    pub stands_for: Option<IpAddr>,
    /// The IPv4 networks of its pods.
    pub pod_cidrs: Vec<Ipv4Net>,
    /// The address at which Cilium's health check of the node answers, inside of the tunnel. Only a CiliumNode has it.
    pub health: Option<Ipv4Addr>,
    /// Values of Cilium's configuration in its labels and annotations (`config.cilium.io/KEY`).
    pub overrides: BTreeMap<String, String>,
    /// The labels by which objects select it. Empty where that is done elsewhere.
    pub labels: BTreeMap<String, String>,
}
