//! Outcome → conditions: the words and sentences that users, `kubectl wait` and GitOps tools read.
//!
//! Follows kstatus: `Reconciling` and `Stalled` exist only while true and never both. Messages hold
//! nothing that changes while the state does not (no latencies, no countdowns), so that a status at
//! rest is not written again. Knows nothing of timestamps or storage.

mod summary;
mod suspended;

use self::summary::{Next, summary};
pub(crate) use self::summary::{held_message, kept_or_missing, ready_reason};
pub use self::suspended::{
    Before, ends_when_suspended, paused, suspended_conditions, suspended_device_conditions,
};
use crate::condition::ConditionType;
use crate::mac::MacAddress;
use crate::node_evidence::Doubt;
use crate::outcome::{DeviceReport, Reach, Transport, TunnelReport};
use crate::plan::Plan;
use crate::reason::Reason;
use crate::unit::UnitIdentity;

/// A condition's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known.
    Unknown,
}

impl Truth {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A condition without its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: ConditionType,
    /// Whether it holds.
    pub truth: Truth,
    /// Why.
    pub reason: Reason,
    /// Why, as a sentence.
    pub message: String,
}

fn condition(
    kind: ConditionType,
    truth: Truth,
    reason: Reason,
    message: impl Into<String>,
) -> Condition {
    Condition {
        kind,
        truth,
        reason,
        message: message.into(),
    }
}

/// Present only while there is a doubt.
fn nodes_resolved(doubt: &Doubt) -> Condition {
    let message = format!("{doubt}; no record is removed until the answers agree again");
    condition(
        ConditionType::NodesResolved,
        Truth::Unknown,
        doubt.reason(),
        message,
    )
}

/// The conditions of one device.
pub fn device_conditions(report: &DeviceReport) -> Vec<Condition> {
    let mut conditions = vec![reachable(report), programmed(report)];
    conditions.extend(saved(report));
    conditions
}

fn reachable(report: &DeviceReport) -> Condition {
    let of = |truth, reason, message| condition(ConditionType::Reachable, truth, reason, message);
    match (&report.reach, report.login_remark()) {
        (Reach::Pending, _) => of(Truth::Unknown, Reason::Pending, "not asked yet".to_owned()),
        (Reach::Answered, Some(remark)) => of(Truth::True, Reason::NewPasswordRefused, remark),
        (Reach::Answered, None) => {
            let message = "iControl REST answers".to_owned();
            of(Truth::True, Reason::Answered, message)
        }
        (Reach::Failed(f), _) => of(Truth::False, f.reason, f.message.clone()),
    }
}

fn programmed(report: &DeviceReport) -> Condition {
    let of = |truth, reason, message| condition(ConditionType::Programmed, truth, reason, message);
    if let Reach::Failed(failure) = &report.reach {
        let message = match counts(report) {
            Some(counts) => format!("not verified since the device failed; then {counts}"),
            None => "never read".to_owned(),
        };
        return of(Truth::Unknown, failure.reason, message);
    }
    if let Some(failure) = &report.failure {
        return of(Truth::False, failure.reason, failure.message.clone());
    }
    match (&report.plan, counts(report)) {
        (Some(plan), Some(counts)) if !plan.conflict.is_empty() => {
            let message = format!("{counts}; {}", conflict_message(plan.conflict.len()));
            of(Truth::False, Reason::Conflict, message)
        }
        (Some(plan), Some(counts)) if !plan.unreadable.is_empty() => {
            let message = format!("{counts}; {}", unreadable_message(plan));
            of(Truth::False, Reason::RecordUnreadable, message)
        }
        (Some(plan), Some(_))
            if report.contended && report.reported_drift == 0 && plan.missing() > 0 =>
        {
            of(
                Truth::False,
                Reason::ForeignWriter,
                FOREIGN_WRITER.to_owned(),
            )
        }
        (Some(plan), Some(counts)) if plan.missing() > 0 => {
            let reason = match report {
                DeviceReport {
                    observing: true, ..
                } => Reason::Observed,
                DeviceReport { reported_drift, .. } if *reported_drift > 0 => Reason::DriftReported,
                _ => Reason::Progressing,
            };
            of(Truth::False, reason, counts)
        }
        (Some(_), Some(counts)) if report.contended => {
            let message = format!("{counts}; {CONTESTED}");
            of(Truth::True, Reason::ForeignWriter, message)
        }
        (Some(_), Some(counts)) => match &report.held_by_neighbours {
            Some(hold) => {
                let message = format!("{counts}; {hold}");
                of(Truth::True, Reason::HeldByNeighbour, message)
            }
            None => of(Truth::True, Reason::InSync, counts),
        },
        _ => of(Truth::Unknown, Reason::Pending, "not read yet".to_owned()),
    }
}

fn counts(report: &DeviceReport) -> Option<String> {
    let plan = report.plan.as_ref()?;
    let present = plan.unchanged.len() + plan.adopt.len();
    Some(format!(
        "{present} of {} records present",
        present + plan.missing()
    ))
}

/// Holds no count: it would move with every loss.
const FOREIGN_WRITER: &str = "somebody else keeps removing or changing our records, as F5 CIS does \
                              with the same tunnel: take the tunnel away from the other writer. \
                              Until then they are put back at most once a minute";

/// The same where every record is right now. Holds no count either.
const CONTESTED: &str = "contested: another writer removed or changed records of this object several \
                         times within 10 minutes. Every record is right again; remove the tunnel from \
                         the other writer";

fn conflict_message(count: usize) -> String {
    format!(
        "{count} of them on the device with another endpoint and not ours: \
         remove them there, or remove the other writer"
    )
}

/// Names records that are there in a form that cannot be read.
fn unreadable_message(plan: &Plan) -> String {
    let shown = plan.unreadable.iter().take(3).map(MacAddress::to_string);
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match plan.unreadable.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "endpoint not readable: {shown}{more}; correct or delete on the BIG-IP (until then neither \
         written nor removed)"
    )
}

fn saved(report: &DeviceReport) -> Option<Condition> {
    let of = |truth, reason, message| Some(condition(ConditionType::Saved, truth, reason, message));
    let save = &report.save;
    if !save.enabled {
        return None;
    }
    match (&save.failure, save.unsaved_since, &report.reach) {
        (Some(failure), _, _) => of(Truth::False, Reason::SaveFailed, failure.message.clone()),
        (None, Some(since), _) => of(
            Truth::False,
            Reason::SavePending,
            format!("changes since {since:.0} wait for a save"),
        ),
        (None, None, Reach::Failed(failure)) => {
            let message = match report.last_read_time {
                Some(_) => "not verified since the device failed; nothing of ours was unsaved then",
                None => "never read",
            };
            of(Truth::Unknown, failure.reason, message.to_owned())
        }
        (None, None, Reach::Pending) => {
            of(Truth::Unknown, Reason::Pending, "not read yet".to_owned())
        }
        (None, None, Reach::Answered) => of(
            Truth::True,
            Reason::Saved,
            "nothing of ours is unsaved".to_owned(),
        ),
    }
}

/// The conditions of the object.
pub fn object_conditions(report: &TunnelReport<'_>) -> Vec<Condition> {
    let summary = summary(report);
    let accepted = match report.rejected {
        None => condition(
            ConditionType::Accepted,
            Truth::True,
            Reason::Accepted,
            "the spec is valid",
        ),
        Some(f) => condition(
            ConditionType::Accepted,
            Truth::False,
            f.reason,
            f.message.clone(),
        ),
    };
    let mut conditions = vec![
        condition(
            ConditionType::Ready,
            summary.ready,
            summary.reason,
            summary.message.clone(),
        ),
        available(report),
        accepted,
        tunnel_usable(report.devices),
        peers_covered(report.devices),
    ];
    conditions.extend(report.transport.map(secure_transport));
    conditions.extend(report.nodes_doubt.map(nodes_resolved));
    match summary.next {
        Next::Nothing => {}
        Next::Retry => conditions.push(condition(
            ConditionType::Reconciling,
            Truth::True,
            match summary.reason {
                Reason::Progressing | Reason::CleaningUp => summary.reason,
                _ => Reason::ProgressingWithRetry,
            },
            summary.message,
        )),
        Next::Person => conditions.push(condition(
            ConditionType::Stalled,
            Truth::True,
            summary.reason,
            summary.message,
        )),
    }
    conditions
}

/// Whether traffic can flow: every unit that carries traffic holds the records, and at least one unit
/// does. A unit that does not answer now counts for nothing; where it was the active one, or none
/// answers, it is not known.
fn available(report: &TunnelReport<'_>) -> Condition {
    let of = |truth, reason, message| condition(ConditionType::Available, truth, reason, message);
    let holds_all = |d: &DeviceReport| d.is_verified() && d.holds_all(report.desired);
    let carries = |device: &DeviceReport| {
        let facts = device.facts.as_ref();
        facts.is_some_and(|f| f.failover_state.may_carry_traffic())
    };
    let devices = report.devices;
    let programmed = devices.iter().filter(|d| holds_all(d)).count();
    let message = format!("{programmed} of {} BIG-IPs hold the records", devices.len());
    let mut answering = devices.iter().filter(|d| d.is_verified());
    if let Some(device) = answering.find(|d| carries(d) && !holds_all(d)) {
        let name = &device.name;
        let message = format!("{name} carries traffic and does not hold all records");
        return of(Truth::False, Reason::ActiveDeviceNotProgrammed, message);
    }
    let failing = devices.iter().find_map(|device| match &device.reach {
        Reach::Failed(failure) if carries(device) || programmed == 0 => Some((device, failure)),
        _ => None,
    });
    if let Some((device, failure)) = failing {
        let message = format!("{}: {}; {message}", device.name, failure.message);
        return of(Truth::Unknown, ready_reason(failure.reason), message);
    }
    match programmed {
        0 if devices.iter().any(|d| !d.is_verified()) => of(
            Truth::Unknown,
            Reason::Pending,
            "not every BIG-IP has been read yet".to_owned(),
        ),
        0 => of(Truth::False, Reason::ActiveDeviceNotProgrammed, message),
        _ => of(Truth::True, Reason::DevicesProgrammed, message),
    }
}

/// A unit whose tunnel keeps pods from being reached, and why.
fn unusable(devices: &[DeviceReport]) -> Option<(&DeviceReport, String)> {
    devices.iter().find_map(|device| {
        let problem = device.facts.as_ref()?.tunnel.unusable()?;
        Some((device, problem))
    })
}

fn unusable_message(device: &DeviceReport, problem: &str) -> String {
    format!(
        "{}: the tunnel cannot be used with Cilium: {problem}. Its records are kept right all the \
         same",
        device.name
    )
}

fn tunnel_usable(devices: &[DeviceReport]) -> Condition {
    let of =
        |truth, reason, message| condition(ConditionType::TunnelUsable, truth, reason, message);
    match unusable(devices) {
        Some((device, problem)) => of(
            Truth::False,
            Reason::TunnelUnusable,
            unusable_message(device, &problem),
        ),
        None if devices.iter().all(|device| device.facts.is_none()) => of(
            Truth::Unknown,
            Reason::Pending,
            "no tunnel has been read yet".to_owned(),
        ),
        None => of(
            Truth::True,
            Reason::Usable,
            "key, profile, flooding type and self IP are as Cilium needs them".to_owned(),
        ),
    }
}

/// Whether every unit that could take over is listed. Its records would be missing just when it
/// does.
fn peers_covered(devices: &[DeviceReport]) -> Condition {
    let of =
        |truth, reason, message| condition(ConditionType::PeersCovered, truth, reason, message);
    let is_listed = |peer: &UnitIdentity| {
        let identity = Some(peer.to_string());
        devices.iter().any(|device| device.identity == identity)
    };
    let missing = devices.iter().find_map(|device| {
        let mut peers = device.facts.iter().flat_map(|facts| &facts.peers);
        peers
            .find(|peer| !is_listed(peer))
            .map(|peer| (device, peer))
    });
    let all_known = devices.iter().all(|device| device.identity.is_some());
    let any_read = devices.iter().any(|device| device.facts.is_some());
    match missing {
        Some((device, peer)) if all_known => of(
            Truth::False,
            Reason::PeerNotListed,
            format!(
                "{} is in the trust domain of {} and not listed: records are not carried over by \
                 config-sync, so pods are unreachable when it takes over",
                peer.device_name, device.name
            ),
        ),
        None if any_read => of(
            Truth::True,
            Reason::PeersListed,
            "every unit of the trust domain is listed".to_owned(),
        ),
        _ => of(
            Truth::Unknown,
            Reason::Pending,
            "not every BIG-IP has said yet which unit it is".to_owned(),
        ),
    }
}

/// Whether a password can only go to a BIG-IP. What the spec asks for, not what came of it.
fn secure_transport(transport: &Transport) -> Condition {
    let of =
        |truth, reason, message| condition(ConditionType::SecureTransport, truth, reason, message);
    match transport {
        Transport::Verified => of(
            Truth::True,
            Reason::Verified,
            "certificates are verified".to_owned(),
        ),
        Transport::Pinned => of(
            Truth::True,
            Reason::Pinned,
            "certificates are verified, by fingerprint where one is pinned".to_owned(),
        ),
        Transport::Unverified(device) => of(
            Truth::False,
            Reason::VerificationDisabled,
            format!(
                "the certificate of {device} is not verified: whoever answers at its address gets the \
                 password. Set tls.verification to Pinned or CAOnly"
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
