//! What `check` looks at, as plain data. What could not be read says why.

use std::collections::BTreeMap;

use bigip_tunnel_cilium::seen::{Cluster, Readable};

use super::live::LiveSeen;
use crate::context::ReadTunnel;
use crate::direct::Trouble;

/// Everything that there is to look at.
pub(crate) struct Evidence {
    /// Version of the API server.
    pub(crate) server_version: Readable<String>,
    /// The tunnels that are checked. Nothing where the operator is not installed yet.
    pub(crate) tunnels: Option<Vec<ReadTunnel>>,
    /// Whether the cluster does not know the kind of the tunnels.
    pub(crate) crd_missing: bool,
    /// The rights that an installation needs. Nothing where it is not about one.
    pub(crate) rights: Vec<RightSeen>,
    /// What the BIG-IPs of the tunnels said, where a person had them asked.
    pub(crate) live: BTreeMap<LiveKey, Result<LiveSeen, Trouble>>,
    /// Deployments that matter here.
    pub(crate) deployments: Readable<Deployments>,
    /// The nodes and Cilium.
    pub(crate) cilium: Cluster,
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
    /// Whether the process of the holder is known to have ended.
    pub(crate) has_ended: bool,
}

/// How long a lease may be silent, in seconds. It lasts 15 s, and the clocks of two machines may differ.
const SILENT_MAX_S: i64 = 60;

/// What a lease comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leader<'a> {
    /// The lease has no holder.
    Missing,
    /// Its holder's pod is gone, or its container was started again since.
    Ended(&'a str),
    /// Its holder has not renewed it for so many seconds.
    Silent(&'a str, i64),
    /// This process leads.
    Leads(&'a str),
}

impl LeaderSeen {
    /// Whether its holder leads.
    pub(crate) fn leader(&self) -> Leader<'_> {
        match (self.holder.as_deref(), self.silent_s) {
            (None, _) => Leader::Missing,
            (Some(holder), _) if self.has_ended => Leader::Ended(holder),
            (Some(holder), Some(silent_s)) if silent_s > SILENT_MAX_S => {
                Leader::Silent(holder, silent_s)
            }
            (Some(holder), _) => Leader::Leads(holder),
        }
    }
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
