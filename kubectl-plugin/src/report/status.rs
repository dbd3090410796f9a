//! What `status` found: per tunnel its conditions, counters and BIG-IPs.
//!
//! Taken over from the status that the operator wrote; the one judgement made here is whether that
//! status is about the object, and in `surroundings` the cluster, as it is now.

pub(crate) mod surroundings;

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::v1alpha1::{
    BigIpTunnel, BigIpTunnelStatus, Device, DeviceStatus, FormerDevice, HeldRemoval, LeavingNode,
    NodeCounts, SkippedNode, Summary,
};
use bigip_tunnel_crds::{ANNOTATION_SUSPEND_REASON, convert};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt as _;
use kube::core::error_boundary::InvalidObject;
use serde::Serialize;

use super::next::next;
use crate::context::ReadTunnel;
use crate::error::Outcome;

/// Status of a condition that holds.
const TRUE: &str = "True";
/// Status of a condition of which nothing is known.
const UNKNOWN: &str = "Unknown";

/// Tunnels that are named where it is said what is waited for.
const NAMED_MAX: usize = 3;

/// Everything that `status` found.
#[derive(Serialize, Debug)]
pub(crate) struct StatusReport {
    /// The tunnels, in the order in which the cluster lists them.
    pub(crate) tunnels: Vec<TunnelReport>,
}

/// One tunnel.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TunnelReport {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Path of the tunnel on the BIG-IPs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tunnel: Option<String>,
    /// Whether the BIG-IPs hold exactly the desired records.
    pub(crate) ready: Fact,
    /// Whether traffic can flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) available: Option<Fact>,
    /// Whether Cilium's side fits the tunnel, where that is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cilium: Option<Fact>,
    /// What became of its CiliumVTEPConfig, where one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vtep_config: Option<Fact>,
    /// A unit that could take over and is not listed, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unlisted_peer: Option<Fact>,
    /// BIG-IPs that are no longer listed and still hold records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) former_devices: Vec<FormerDevice>,
    /// Why no work is done on it, when none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<Fact>,
    /// What the person said who suspended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suspend_reason: Option<String>,
    /// Whether the object is being deleted.
    pub(crate) deleting: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_verified_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<NodeCounts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) skipped_nodes: Vec<SkippedNode>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) leaving_nodes: Vec<LeavingNode>,
    /// Removals that wait for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held_removal: Option<HeldRemoval>,
    pub(crate) devices: Vec<DeviceReport>,
    /// What to do next, if the tunnel is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A condition.
#[derive(Serialize, Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    /// `True`, `False` or `Unknown`.
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Since when the status is this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
}

impl Fact {
    /// Its reason; `None` where this version does not know it.
    pub(crate) fn known_reason(&self) -> Option<Reason> {
        Reason::parse(&self.reason)
    }
}

/// One BIG-IP.
#[derive(Serialize, Debug)]
pub(crate) struct DeviceReport {
    /// The reason to show for it: that of `Programmed`, or of `Reachable` where that fails.
    pub(crate) state: String,
    /// Everything that the operator wrote about it.
    #[serde(flatten)]
    pub(crate) status: DeviceStatus,
}

impl StatusReport {
    /// What there is to say about these tunnels.
    pub(crate) fn new(tunnels: &[ReadTunnel]) -> Self {
        let report = |tunnel: &ReadTunnel| match &tunnel.0 {
            Ok(tunnel) => TunnelReport::new(tunnel),
            Err(invalid) => TunnelReport::unreadable(invalid),
        };
        Self {
            tunnels: tunnels.iter().map(report).collect(),
        }
    }

    /// Whether all of them are ready.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::fine_if(self.tunnels.iter().all(TunnelReport::is_ready))
    }

    /// What keeps the tunnels from being ready all together. `None` if they are, and there are any.
    pub(crate) fn waits_for(&self) -> Option<String> {
        if self.tunnels.is_empty() {
            return Some("a tunnel".to_owned());
        }
        let waiting: Vec<_> = self.tunnels.iter().filter(|t| !t.is_ready()).collect();
        let mut named: Vec<String> = waiting
            .iter()
            .take(NAMED_MAX)
            .map(|tunnel| {
                let reason = &tunnel.ready.reason;
                format!("{}/{} ({reason})", tunnel.namespace, tunnel.name)
            })
            .collect();
        if waiting.len() > NAMED_MAX {
            named.push(format!("{} more", waiting.len() - NAMED_MAX));
        }
        (!named.is_empty()).then(|| named.join(", "))
    }
}

impl TunnelReport {
    /// What there is to say about this tunnel.
    pub(crate) fn new(object: &BigIpTunnel) -> Self {
        let nothing = BigIpTunnelStatus::default();
        let status = object.status.as_ref().unwrap_or(&nothing);
        let ready = ready(object, status);
        let devices = devices(&object.spec.devices, status);
        let next = (ready.status != TRUE).then(|| next(object, &ready, &devices));
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            tunnel: convert::tunnel_path(&object.spec)
                .ok()
                .map(|path| path.to_string()),
            available: find(&status.conditions, ConditionType::Available).map(Fact::from),
            cilium: find(&status.conditions, ConditionType::CiliumReady).map(Fact::from),
            vtep_config: find(&status.conditions, ConditionType::VtepConfigured).map(Fact::from),
            unlisted_peer: find(&status.conditions, ConditionType::PeersCovered)
                .filter(|covered| covered.status == "False")
                .map(Fact::from),
            former_devices: status.former_devices.clone(),
            paused: find(&status.conditions, ConditionType::Paused).map(Fact::from),
            suspend_reason: suspend_reason(object),
            deleting: object.metadata.deletion_timestamp.is_some(),
            last_verified_time: status.last_verified_time.clone(),
            summary: status.summary.clone(),
            nodes: status.nodes.clone(),
            skipped_nodes: status.skipped_nodes.clone(),
            leaving_nodes: status.leaving_nodes.clone(),
            held_removal: status.held_removal.clone(),
            ready,
            devices,
            next,
        }
    }

    /// One object that cannot be read must not hide the others.
    fn unreadable(object: &InvalidObject) -> Self {
        let ready = Fact {
            status: UNKNOWN.to_owned(),
            reason: Reason::InvalidSpec.to_string(),
            message: format!("the object cannot be read: {}", object.error),
            since: None,
        };
        let metadata = &object.metadata;
        let (namespace, name) = (
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        );
        Self {
            next: Some(format!("kubectl get btun {name} -n {namespace} -o yaml")),
            namespace,
            name,
            tunnel: None,
            ready,
            available: None,
            cilium: None,
            vtep_config: None,
            unlisted_peer: None,
            former_devices: Vec::new(),
            paused: None,
            suspend_reason: None,
            deleting: metadata.deletion_timestamp.is_some(),
            last_verified_time: None,
            summary: None,
            nodes: None,
            skipped_nodes: Vec::new(),
            leaving_nodes: Vec::new(),
            held_removal: None,
            devices: Vec::new(),
        }
    }

    /// Whether the BIG-IPs hold exactly the desired records.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.holds()
    }
}

impl Fact {
    /// Whether it is so.
    pub(crate) fn holds(&self) -> bool {
        self.status == TRUE
    }
}

/// The `Ready` condition, if it is about the object as it is now.
fn ready(object: &BigIpTunnel, status: &BigIpTunnelStatus) -> Fact {
    let unseen = |message: &str| Fact {
        status: UNKNOWN.to_owned(),
        reason: Reason::Pending.to_string(),
        message: message.to_owned(),
        since: object.metadata.creation_timestamp.clone(),
    };
    let condition = find(&status.conditions, ConditionType::Ready);
    match (condition, status.observed_generation) {
        (Some(_), observed) if observed != object.metadata.generation => Fact {
            since: None,
            ..unseen("the operator has not worked on the last change of the object yet")
        },
        (Some(condition), _) => condition.into(),
        (None, _) => unseen("no operator has worked on the object yet"),
    }
}

/// Why it is suspended, if it is and somebody said so.
fn suspend_reason(object: &BigIpTunnel) -> Option<String> {
    let annotations = object.annotations();
    let reason = annotations.get(ANNOTATION_SUSPEND_REASON)?;
    object.spec.suspend.then(|| reason.clone())
}

impl From<&Condition> for Fact {
    fn from(condition: &Condition) -> Self {
        Self {
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            since: Some(condition.last_transition_time.clone()),
        }
    }
}

/// The BIG-IPs of the spec, each with what was written about it.
fn devices(listed: &[Device], status: &BigIpTunnelStatus) -> Vec<DeviceReport> {
    let report = |device: &Device| {
        let written = status
            .devices
            .iter()
            .find(|written| written.name == device.name);
        let status = written.cloned().unwrap_or_else(|| DeviceStatus {
            name: device.name.clone(),
            address: Some(device.address.clone()),
            ..DeviceStatus::default()
        });
        DeviceReport {
            state: state(&status),
            status,
        }
    };
    listed.iter().map(report).collect()
}

fn state(status: &DeviceStatus) -> String {
    shown(status)
        .map_or(Reason::Pending.as_str(), |condition| &condition.reason)
        .to_owned()
}

/// The condition that says most about a BIG-IP: `Reachable` where that fails, else `Programmed`.
pub(crate) fn shown(status: &DeviceStatus) -> Option<&Condition> {
    let reachable = find(&status.conditions, ConditionType::Reachable);
    let failing = reachable.filter(|reachable| reachable.status != TRUE);
    let programmed = find(&status.conditions, ConditionType::Programmed);
    failing.or(programmed).or(reachable)
}

impl DeviceReport {
    /// The reason that its state is; `None` where this version does not know it.
    pub(crate) fn reason(&self) -> Option<Reason> {
        Reason::parse(&self.state)
    }

    /// Whether something is wrong with it.
    pub(crate) fn is_failing(&self) -> bool {
        !matches!(self.reason(), Some(Reason::InSync | Reason::Observed))
    }
}

/// The condition of this type.
pub(crate) fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == kind.as_str())
}

/// Whether a condition of this type is there and holds.
fn holds(conditions: &[Condition], kind: ConditionType) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == TRUE)
}

/// Reasons of `Programmed` that are told by the records of a BIG-IP.
const ABOUT_RECORDS: [Reason; 8] = [
    Reason::InSync,
    Reason::Progressing,
    Reason::Conflict,
    Reason::RecordUnreadable,
    Reason::Observed,
    Reason::DriftReported,
    Reason::ForeignWriter,
    Reason::HeldByNeighbour,
];

/// Whether the status says what the BIG-IP held at its last verification: it answers, and what is
/// wrong with it, if anything, is wrong with its records.
pub(crate) fn is_verified(status: &DeviceStatus) -> bool {
    let programmed = find(&status.conditions, ConditionType::Programmed);
    let about_records = programmed.and_then(|programmed| Reason::parse(&programmed.reason));
    let about_records = about_records.is_some_and(|reason| ABOUT_RECORDS.contains(&reason));
    holds(&status.conditions, ConditionType::Reachable) && about_records
}
