//! The only builder of a status: what the devices reported → what is stored.
//!
//! Pure. A status that says the same is equal to the one before, times included, so that nothing is
//! written at rest. Texts that a device chose are cut to what the schema allows here, at the edge.

mod former;
mod logins;
mod records;
mod suspended;
mod verification;

use bigip_tunnel_core::condition::ConditionType;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bigip_tunnel_core::answers;
use bigip_tunnel_core::budget::{Census, Window};
use bigip_tunnel_core::conditions::{
    Condition as CoreCondition, device_conditions, object_conditions,
};
use bigip_tunnel_core::outcome::{self as core, DeviceReport, Leaving, Reach, TunnelReport};
use bigip_tunnel_core::unit::{FailoverState, UnitFacts};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

pub use self::former::Access;
use self::former::former_devices;
pub use self::logins::note_logins;
use self::records::{own_address, problems, record_counts};
pub use self::suspended::paused;
use crate::convert;
use crate::v1alpha1::{
    self, BigIpTunnelStatus, DeviceStatus, FormerDevice, HeldRemoval, LeavingNode, NodeCounts,
    SkippedNode, Summary, TunnelStatus,
};

/// How many entries the lists of nodes and problems show.
const SHOWN_MAX: usize = 16;
/// The most devices in a status, listed ones as well as former ones: what its schema allows.
pub const DEVICES_MAX: usize = 8;
/// How many self IPs of a tunnel are shown.
const SELF_IPS_MAX: usize = 8;

/// What a status says besides the devices' reports.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// `metadata.generation` of the object that the reports are about.
    pub generation: i64,
    /// The reconcile request that every device has answered.
    pub handled_request: Option<&'a str>,
    /// The approval of a removal that was acted on.
    pub handled_approval: Option<&'a str>,
    /// The acceptances of other units that were handled.
    pub handled_acceptances: &'a [String],
    /// The releases that were handled.
    pub handled_releases: &'a [String],
    /// How the listed devices are reached. Empty where the spec cannot be worked with; then what was
    /// said before stays.
    pub access: &'a [Access],
    /// Whether a removal that was held before is shown on, because it cannot be told now whether it
    /// still is: its digest is what a person approves.
    pub keep_held: bool,
    /// Devices that are no longer listed and still hold records, with what is needed to reach them.
    pub former: &'a [FormerDevice],
    /// The records and nodes that there are; `None` while that cannot be told.
    pub census: Option<Census>,
    /// What is found of Cilium's side of the tunnel.
    pub cilium: Verified<'a>,
    /// What became of its CiliumVTEPConfig.
    pub vtep: Managed<'a>,
    /// When this process began to lead: what was verified before, another one has verified.
    pub leading_since: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// What is found of Cilium's side of a tunnel.
#[derive(Debug, Clone, Copy)]
pub enum Verified<'a> {
    /// Nothing: it is not asked for.
    Off,
    /// Not known yet: what was said before stays.
    Pending,
    /// This.
    Found(&'a CoreCondition),
}

/// What became of the CiliumVTEPConfig of a tunnel.
#[derive(Debug, Clone, Copy)]
pub enum Managed<'a> {
    /// There is none, and none is asked for.
    Off,
    /// Not known yet: what was said before stays.
    Pending,
    /// This.
    Found {
        /// What is to be said about it.
        condition: Option<&'a CoreCondition>,
        /// Its name, from before its first write until it is gone.
        name: Option<&'a str>,
    },
}

impl Managed<'_> {
    /// The name to store.
    fn name(self, previous: &BigIpTunnelStatus) -> Option<String> {
        match self {
            Self::Off => None,
            Self::Pending => previous.vtep_config.clone(),
            Self::Found { name, .. } => name.map(|name| clamp(name, 253)),
        }
    }
}

/// The status that follows `previous`. Ownership is carried over: claims are written by themselves.
pub fn next(
    previous: &BigIpTunnelStatus,
    report: &TunnelReport<'_>,
    written: &Written<'_>,
) -> BigIpTunnelStatus {
    let status = without_verification(previous, report, written);
    BigIpTunnelStatus {
        last_verified_time: verification::time(previous, report, &status, written.leading_since),
        ..status
    }
}

/// The same with the time of verification as it was.
fn without_verification(
    previous: &BigIpTunnelStatus,
    report: &TunnelReport<'_>,
    written: &Written<'_>,
) -> BigIpTunnelStatus {
    let conditions = object_conditions(report);
    let leaving = report.leaving_nodes();
    let programmed = report.programmed_nodes();
    let device = |device: &DeviceReport| {
        let mut status = device_status(previous, device, report, written);
        let mut access = written.access.iter();
        if let Some(access) = access.find(|access| access.device == device.name) {
            access.note(&mut status);
        }
        status
    };
    let devices: Vec<DeviceStatus> = report.devices.iter().map(device).collect();
    BigIpTunnelStatus {
        observed_generation: Some(written.generation),
        last_handled_reconcile_at: written
            .handled_request
            .map(|request| clamp(request, 64))
            .or_else(|| previous.last_handled_reconcile_at.clone()),
        last_verified_time: previous.last_verified_time.clone(),
        summary: Some(Summary {
            devices: fraction(in_sync(report), report.devices.len()),
            nodes: match programmed {
                Some(programmed) => fraction(programmed, report.desired.selected()),
                None => format!("?/{}", report.desired.selected()),
            },
            records: record_fraction(report),
        }),
        nodes: Some(NodeCounts {
            selected: count(report.desired.selected()),
            programmed: count(programmed.unwrap_or_default()),
            leaving: count(leaving.len()),
            skipped: count(report.troubled().count()),
            joining: count(report.joining()),
        }),
        skipped_nodes: skipped_nodes(report),
        held_removal: report.held.map(held_removal).or_else(|| {
            let before = previous.held_removal.clone();
            before.filter(|_| written.keep_held)
        }),
        removal_window: removal_window(previous, written),
        last_handled_approval: written
            .handled_approval
            .map(|approval| clamp(approval, 64))
            .or_else(|| previous.last_handled_approval.clone()),
        handled_acceptances: noted(&previous.handled_acceptances, written.handled_acceptances),
        handled_releases: noted(&previous.handled_releases, written.handled_releases),
        leaving_nodes: leaving
            .into_iter()
            .take(SHOWN_MAX)
            .map(leaving_node)
            .collect(),
        devices,
        former_devices: former_devices(report.former, written.former),
        vtep_config: written.vtep.name(previous),
        conditions: with_cilium(&previous.conditions, conditions, written),
        // Written where the claims are.
        writer: previous.writer.clone(),
        ownership: previous.ownership.clone(),
        unknown: previous.unknown.clone(),
    }
}

/// Every address that a unit had on the tunnel when it was last read: local addresses and self IPs.
pub fn unit_addresses(stored: &BigIpTunnelStatus) -> BTreeSet<IpAddr> {
    let tunnels = stored.devices.iter().filter_map(|d| d.tunnel.as_ref());
    let texts = tunnels.flat_map(|tunnel| tunnel.local_address.iter().chain(&tunnel.self_ips));
    let address = |text: &String| {
        let bare = text.split(['%', '/']).next()?;
        bare.parse().ok()
    };
    texts.filter_map(address).collect()
}

/// The answers that were handled, with these.
fn noted(before: &[String], handled: &[String]) -> Vec<String> {
    let mut noted = before.to_vec();
    for text in handled {
        answers::note(&mut noted, text);
    }
    noted
}

/// The box behind a device when its claims were made, as far as the status remembers.
pub fn known_identity<'a>(stored: &'a BigIpTunnelStatus, device: &str) -> Option<&'a str> {
    let devices = stored.devices.iter().map(|d| (&d.name, &d.identity));
    let former = stored.former_devices.iter().map(|d| (&d.name, &d.identity));
    let mut known = devices.chain(former).filter(|(name, _)| *name == device);
    known.find_map(|(_, identity)| identity.as_deref())
}

/// Takes over into a new process what only the status remembers of a device.
pub fn resume(mut pending: DeviceReport, stored: &BigIpTunnelStatus) -> DeviceReport {
    if let Some(device) = stored
        .devices
        .iter()
        .find(|device| device.name == pending.name)
    {
        let time = |time: &Option<Time>| time.as_ref().map(|time| time.0);
        pending.identity.clone_from(&device.identity);
        pending.last_change_time = time(&device.last_change_time);
        pending.save.last_save_time = time(&device.last_save_time);
        pending.save.unsaved_since = time(&device.unsaved_since);
    }
    pending
}

/// Whether records that are not ours were last seen on this device.
pub fn has_foreign_records(stored: &BigIpTunnelStatus, device: &str) -> bool {
    let mut devices = stored.devices.iter();
    let device = devices.find(|status| status.name == device);
    let records = device.and_then(|device| device.records.as_ref());
    records.is_some_and(|records| records.foreign + records.unclaimed > 0)
}

fn in_sync(report: &TunnelReport<'_>) -> usize {
    report
        .devices
        .iter()
        .filter(|device| device.is_in_sync(report.desired))
        .count()
}

/// What a device that does not answer now holds is not counted.
fn record_fraction(report: &TunnelReport<'_>) -> String {
    let (mut present, mut desired) = (0, 0);
    for device in report.devices {
        match &device.plan {
            Some(plan) => {
                let right = plan.unchanged.len() + plan.adopt.len();
                present += if device.is_verified() { right } else { 0 };
                desired += right + plan.missing();
            }
            None => desired += report.desired.nodes.len(),
        }
    }
    fraction(present, desired)
}

fn fraction(part: usize, whole: usize) -> String {
    format!("{part}/{whole}")
}

/// The removals are counted where the claims are written. The number of nodes is noted here, so that a fall
/// is seen also by the process after this one.
fn removal_window(
    previous: &BigIpTunnelStatus,
    written: &Written<'_>,
) -> Option<v1alpha1::RemovalWindow> {
    let window = convert::removal_window(previous);
    let nodes = written.census.map(|census| window.level(census));
    if nodes.is_none() || nodes == window.nodes {
        return previous.removal_window.clone();
    }
    Some(convert::stored_window(&Window { nodes, ..window }))
}

fn skipped_nodes(report: &TunnelReport<'_>) -> Vec<SkippedNode> {
    let skipped = report.troubled().take(SHOWN_MAX);
    skipped
        .map(|node| SkippedNode {
            name: clamp(&node.name, 253),
            reason: node.reason.as_str().to_owned(),
            message: match report.kept_record(&node.name) {
                Some(kept) => {
                    let message = &node.message;
                    clamp(
                        &format!("keeps its record for {}: {message}", kept.address),
                        512,
                    )
                }
                None => clamp(&node.message, 512),
            },
        })
        .collect()
}

fn leaving_node(leaving: &Leaving) -> LeavingNode {
    LeavingNode {
        name: leaving.node.as_deref().map(|name| clamp(name, 253)),
        address: leaving.address.to_string(),
        since: Time(leaving.since),
        removable_at: leaving.removable_at.map(Time),
    }
}

fn held_removal(held: &core::HeldRemoval) -> HeldRemoval {
    HeldRemoval {
        digest: held.digest(),
        since: Time(held.since),
        count: count(held.macs.len()),
        sample: held
            .macs
            .iter()
            .take(SHOWN_MAX)
            .map(ToString::to_string)
            .collect(),
    }
}

/// Begins with what was said before, as long as it is about the same address: a device that does not
/// answer now keeps what it was last seen to be.
fn device_status(
    previous: &BigIpTunnelStatus,
    report: &DeviceReport,
    of: &TunnelReport<'_>,
    written: &Written<'_>,
) -> DeviceStatus {
    let is_rejected = of.rejected.is_some();
    let before = previous
        .devices
        .iter()
        .find(|device| device.name == report.name);
    let port = i32::from(report.port);
    let same = before.filter(|before| {
        let same_port = before.port.is_none_or(|before| before == port);
        // Of a spec that cannot be worked with nothing is taken over.
        is_rejected || before.address.as_deref() == Some(&report.address) && same_port
    });
    let mut status = same.cloned().unwrap_or_else(|| DeviceStatus {
        name: report.name.clone(),
        address: Some(report.address.clone()),
        port: Some(port),
        // Claims were made on this box; behind the new address there may be another one.
        identity: known_identity(previous, &report.name).map(str::to_owned),
        key_fingerprint: before.and_then(|before| before.key_fingerprint.clone()),
        ..DeviceStatus::default()
    });
    if !is_rejected {
        status.port = Some(port);
    }
    if report.reach == Reach::Pending && report.failure.is_none() && same.is_some() {
        // A process that has just begun knows nothing better than what the last one wrote.
        return status;
    }
    if let Some(facts) = &report.facts {
        set_facts(&mut status, facts);
    }
    if let Some(key) = report.key {
        status.key_fingerprint = Some(key.to_string());
    }
    if matches!(report.reach, Reach::Failed(_)) && status.failover_state.is_some() {
        status.failover_state = Some(v1alpha1::FailoverState::Unknown);
    }
    if let Some(plan) = &report.plan {
        status.records = Some(record_counts(plan));
        status.problems = problems(plan, own_address(report, of.desired));
    }
    let found = report.found_identity.as_deref();
    status.found_identity = found.map(|identity| clamp(identity, 253));
    status.last_change_time = report.last_change_time.map(Time);
    status.last_save_time = report.save.last_save_time.map(Time);
    status.unsaved_since = report.save.unsaved_since.map(Time);
    status.conditions = merge(&status.conditions, device_conditions(report), written);
    status
}

/// Writes down what a unit said about itself and the tunnel.
pub fn set_facts(status: &mut DeviceStatus, facts: &UnitFacts) {
    let tunnel = &facts.tunnel;
    status.hostname = Some(clamp(&facts.hostname, 253));
    status.identity = Some(clamp(&facts.identity.to_string(), 253));
    status.version = Some(clamp(&facts.version.to_string(), 64));
    status.failover_state = Some(failover_state(facts.failover_state));
    status.tunnel = Some(TunnelStatus {
        full_path: clamp(&tunnel.full_path, 320),
        local_address: tunnel.local_address.map(|local| local.to_string()),
        vni: Some(i64::from(tunnel.vni)),
        profile: Some(clamp(&tunnel.profile, 320)),
        encapsulation: Some(clamp(&tunnel.encapsulation.to_string(), 32)),
        port: tunnel.port.map(i32::from),
        flooding_type: tunnel.flooding_type.as_deref().map(|text| clamp(text, 32)),
        self_ips: tunnel
            .self_ips
            .iter()
            .take(SELF_IPS_MAX)
            .map(|address| clamp(address, 64))
            .collect(),
        self_ips_omitted: omitted(tunnel.self_ips.len()),
        mac: tunnel.mac.map(|mac| mac.to_string()),
    });
}

/// How many of so many self IPs are not shown. `None` where all are.
fn omitted(self_ips: usize) -> Option<i32> {
    Some(count(self_ips.saturating_sub(SELF_IPS_MAX))).filter(|omitted| *omitted > 0)
}

fn failover_state(state: FailoverState) -> v1alpha1::FailoverState {
    match state {
        FailoverState::Active => v1alpha1::FailoverState::Active,
        FailoverState::Standby => v1alpha1::FailoverState::Standby,
        FailoverState::ForcedOffline => v1alpha1::FailoverState::ForcedOffline,
        FailoverState::Offline => v1alpha1::FailoverState::Offline,
        FailoverState::Unknown => v1alpha1::FailoverState::Unknown,
    }
}

/// The conditions of the object with their times, those of Cilium's side last.
fn with_cilium(
    previous: &[Condition],
    mut conditions: Vec<CoreCondition>,
    written: &Written<'_>,
) -> Vec<Condition> {
    if let Verified::Found(found) = written.cilium {
        conditions.push(found.clone());
    }
    if let Managed::Found { condition, .. } = written.vtep {
        conditions.extend(condition.cloned());
    }
    let mut merged = merge(previous, conditions, written);
    let pending = [
        matches!(written.cilium, Verified::Pending).then_some(ConditionType::CiliumReady),
        matches!(written.vtep, Managed::Pending).then_some(ConditionType::VtepConfigured),
    ];
    let stays = |c: &&Condition| {
        let mut pending = pending.iter().flatten();
        pending.any(|kind| kind.as_str() == c.type_)
    };
    merged.extend(previous.iter().filter(stays).cloned());
    merged
}

/// Conditions with their times: the time moves only when the status does.
fn merge(
    previous: &[Condition],
    conditions: Vec<CoreCondition>,
    written: &Written<'_>,
) -> Vec<Condition> {
    let before: BTreeMap<&str, &Condition> = previous
        .iter()
        .map(|condition| (condition.type_.as_str(), condition))
        .collect();
    let with_times = |condition: CoreCondition| {
        let same = before
            .get(condition.kind.as_str())
            .filter(|b| b.status == condition.truth.as_str());
        Condition {
            type_: condition.kind.as_str().to_owned(),
            status: condition.truth.as_str().to_owned(),
            reason: condition.reason.as_str().to_owned(),
            message: clamp(&condition.message, 1024),
            observed_generation: Some(written.generation),
            last_transition_time: same.map_or(Time(written.now), |before| {
                before.last_transition_time.clone()
            }),
        }
    };
    conditions.into_iter().map(with_times).collect()
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The first `max` characters, which is how a schema counts.
fn clamp(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

#[cfg(test)]
mod tests;
