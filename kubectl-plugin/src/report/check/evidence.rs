//! What `check` looks at, as plain data. What could not be read says why.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use bigip_tunnel_core::node::Ipv4Net;
use jiff::Timestamp;

use super::live::LiveSeen;
use crate::context::ReadTunnel;
use crate::direct::Trouble;

/// Why something could not be read, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread(pub(crate) String);

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that was read, unless it could not be.
pub(crate) type Readable<T> = Result<T, Unread>;

/// Everything that there is to look at.
pub(crate) struct Evidence {
    /// Version of the API server.
    pub(crate) server_version: Readable<String>,
    /// The tunnels that are checked. Nothing where the operator is not installed yet.
    pub(crate) tunnels: Option<Vec<ReadTunnel>>,
    /// The rights that an installation needs. Nothing where it is not about one.
    pub(crate) rights: Vec<RightSeen>,
    /// What the BIG-IPs of the tunnels said, where a person had them asked.
    pub(crate) live: BTreeMap<LiveKey, Result<LiveSeen, Trouble>>,
    /// The nodes of the cluster.
    pub(crate) nodes: Readable<Vec<NodeSeen>>,
    /// What Cilium's agents say of their nodes. Nothing where the cluster knows no such kind.
    pub(crate) cilium_nodes: Readable<Option<Vec<NodeSeen>>>,
    /// Deployments that matter here.
    pub(crate) deployments: Readable<Deployments>,
    /// Cilium.
    pub(crate) cilium: CiliumSeen,
}

/// Namespace and name of a tunnel, and the name of one of its BIG-IPs.
pub(crate) type LiveKey = (String, String, String);

/// A right of the person who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RightSeen {
    /// What may be done with it.
    pub(crate) what: String,
    pub(crate) is_granted: bool,
}

/// A Node or a `CiliumNode`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NodeSeen {
    pub(crate) name: String,
    /// Its IPv4 addresses of the type `InternalIP`, in their order.
    pub(crate) internal: Vec<Ipv4Addr>,
    /// The address of the machine that it stands for, where no kubelet has ever run on it.
    pub(crate) stands_for: Option<IpAddr>,
    /// The IPv4 networks of its pods.
    pub(crate) pod_cidrs: Vec<Ipv4Net>,
}

/// Deployments that matter here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deployments {
    pub(crate) operators: Vec<OperatorSeen>,
    pub(crate) cis: Vec<CisSeen>,
}

/// A Deployment of the operator.
#[derive(Debug, Clone, Default)]
pub(crate) struct OperatorSeen {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Version, from its label or the tag of its image.
    pub(crate) version: Option<String>,
    pub(crate) wanted: i32,
    pub(crate) ready: i32,
    /// Namespace and name of the lease by which its replicas elect their leader, if they do.
    pub(crate) lease: Option<(String, String)>,
    /// What that lease says. Nothing where it was not looked at.
    pub(crate) leader: Option<Readable<LeaderSeen>>,
}

/// What a lease says about who leads.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeaderSeen {
    /// Who has it.
    pub(crate) holder: Option<String>,
    /// Seconds since it was renewed, between the clocks of the holder and of this machine.
    pub(crate) silent_s: Option<i64>,
}

/// A Deployment of F5 CIS that writes records.
#[derive(Debug, Clone)]
pub(crate) struct CisSeen {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Its argument that names a tunnel, without value.
    pub(crate) argument: String,
    /// The tunnel's path.
    pub(crate) tunnel: String,
}

/// What is known of Cilium.
pub(crate) struct CiliumSeen {
    /// `cilium-config`, if it is where it was looked for.
    pub(crate) config: Readable<Option<ConfigSeen>>,
    /// Its agents.
    pub(crate) agents: Readable<Vec<AgentSeen>>,
    /// VTEP endpoints that are objects of their own. Nothing where the cluster knows no such kind.
    pub(crate) vtep_objects: Readable<Option<Vec<VtepObject>>>,
    /// Policies about what comes in.
    pub(crate) policies: Readable<Vec<PolicySeen>>,
}

/// The ConfigMap `cilium-config`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigSeen {
    pub(crate) namespace: String,
    pub(crate) data: BTreeMap<String, String>,
    /// When it was last changed, as far as its managed fields tell.
    pub(crate) changed: Option<Timestamp>,
}

/// An agent of Cilium.
#[derive(Debug, Clone)]
pub(crate) struct AgentSeen {
    pub(crate) image: String,
    pub(crate) started: Option<Timestamp>,
}

/// An entry of a `CiliumVTEPConfig`, as written there.
#[derive(Debug, Clone)]
pub(crate) struct VtepObject {
    pub(crate) name: String,
    pub(crate) endpoint: String,
    pub(crate) cidr: String,
    pub(crate) mac: String,
}

/// A policy, as far as it is about traffic that comes in from outside the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicySeen {
    /// Its namespace. Nothing for one of the whole cluster.
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    /// Whether it selects every pod of its namespace, or of the cluster.
    pub(crate) selects_all: bool,
    /// Whether what it does not let in is dropped.
    pub(crate) restricts: bool,
    /// Whether it lets in what comes from outside the cluster.
    pub(crate) lets_world_in: bool,
}
