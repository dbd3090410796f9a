//! Outcome → conditions: the words and sentences that users, `kubectl wait` and GitOps tools read.
//!
//! Follows kstatus: `Reconciling` and `Stalled` exist only while true and never both. Messages hold
//! nothing that changes while the state does not (no latencies, no countdowns), so that a status at
//! rest is not written again. Knows nothing of timestamps or storage.

use crate::outcome::{DeviceReport, Failure, HeldRemoval, Reach, TunnelReport};
use crate::vocabulary::{condition, reason};

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
    /// Its type, a word of the vocabulary.
    pub kind: &'static str,
    /// Whether it holds.
    pub truth: Truth,
    /// Why, a word of the vocabulary.
    pub reason: &'static str,
    /// Why, as a sentence.
    pub message: String,
}

fn condition(
    kind: &'static str,
    truth: Truth,
    reason: &'static str,
    message: impl Into<String>,
) -> Condition {
    Condition {
        kind,
        truth,
        reason,
        message: message.into(),
    }
}

/// The conditions of one device.
pub fn device_conditions(report: &DeviceReport) -> Vec<Condition> {
    let mut conditions = vec![reachable(report), programmed(report)];
    conditions.extend(saved(report));
    conditions
}

fn reachable(report: &DeviceReport) -> Condition {
    let (truth, reason, message) = match &report.reach {
        Reach::Pending => (Truth::Unknown, reason::PENDING, "not asked yet"),
        Reach::Answered => (Truth::True, reason::ANSWERED, "iControl REST answers"),
        Reach::Failed(f) => (Truth::False, f.reason, f.message.as_str()),
    };
    condition(condition::REACHABLE, truth, reason, message)
}

fn programmed(report: &DeviceReport) -> Condition {
    let of = |truth, reason, message| condition(condition::PROGRAMMED, truth, reason, message);
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
            of(Truth::False, reason::CONFLICT, message)
        }
        (Some(plan), Some(counts)) if plan.missing() > 0 => {
            of(Truth::False, reason::PROGRESSING, counts)
        }
        (Some(_), Some(counts)) => of(Truth::True, reason::IN_SYNC, counts),
        _ => of(Truth::Unknown, reason::PENDING, "not read yet".to_owned()),
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

fn conflict_message(count: usize) -> String {
    format!(
        "{count} of them on the device with another endpoint and not ours: \
         remove them there, or remove the other writer"
    )
}

fn saved(report: &DeviceReport) -> Option<Condition> {
    let of = |truth, reason, message| Some(condition(condition::SAVED, truth, reason, message));
    let save = &report.save;
    if !save.enabled {
        return None;
    }
    match (&save.failure, save.unsaved_since) {
        (Some(failure), _) => of(Truth::False, reason::SAVE_FAILED, failure.message.clone()),
        (None, Some(since)) => of(
            Truth::False,
            reason::SAVE_PENDING,
            format!("changes since {since:.0} wait for a save"),
        ),
        (None, None) => of(
            Truth::True,
            reason::SAVED,
            "nothing of ours is unsaved".to_owned(),
        ),
    }
}

/// The conditions of the object.
pub fn object_conditions(report: &TunnelReport<'_>) -> Vec<Condition> {
    let summary = summary(report);
    let accepted = match report.rejected {
        None => condition(
            condition::ACCEPTED,
            Truth::True,
            reason::ACCEPTED,
            "the spec is valid",
        ),
        Some(f) => condition(
            condition::ACCEPTED,
            Truth::False,
            f.reason,
            f.message.clone(),
        ),
    };
    let mut conditions = vec![
        condition(
            condition::READY,
            summary.ready,
            summary.reason,
            summary.message.clone(),
        ),
        available(report),
        accepted,
    ];
    match summary.next {
        Next::Nothing => {}
        Next::Retry => conditions.push(condition(
            condition::RECONCILING,
            Truth::True,
            match summary.reason {
                reason::PROGRESSING | reason::CLEANING_UP => summary.reason,
                _ => reason::PROGRESSING_WITH_RETRY,
            },
            summary.message,
        )),
        Next::Person => conditions.push(condition(
            condition::STALLED,
            Truth::True,
            summary.reason,
            summary.message,
        )),
    }
    conditions
}

struct Summary {
    ready: Truth,
    reason: &'static str,
    message: String,
    next: Next,
}

/// Who has to act when the object is not ready.
enum Next {
    Nothing,
    Retry,
    Person,
}

impl Summary {
    fn not_ready(reason: &'static str, message: String, next: Next) -> Self {
        Self {
            ready: Truth::False,
            reason,
            message,
            next,
        }
    }

    fn failed(failure: &Failure, reason: &'static str, message: String) -> Self {
        let next = if failure.retryable {
            Next::Retry
        } else {
            Next::Person
        };
        Self::not_ready(reason, message, next)
    }
}

fn summary(report: &TunnelReport<'_>) -> Summary {
    if report.deleting {
        return cleanup_summary(report);
    }
    if let Some(failure) = report.rejected.or(report.nodes_failure) {
        return Summary::failed(failure, failure.reason, failure.message.clone());
    }
    if let Some((device, failure)) = worst(report.devices) {
        let message = format!("{}: {}", device.name, failure.message);
        return Summary::failed(failure, ready_reason(failure.reason), message);
    }
    if report.desired.selected() == 0 {
        let message = "no node is selected; the records on the BIG-IPs stay as they are";
        return Summary::not_ready(reason::NO_NODES_SELECTED, message.into(), Next::Person);
    }
    if let Some(held) = report.held {
        return held_summary(held);
    }
    if let Some(summary) = conflict_summary(report) {
        return summary;
    }
    let in_sync = report
        .devices
        .iter()
        .filter(|d| d.is_in_sync(report.desired))
        .count();
    let nodes = report.desired.nodes.len();
    let message = format!(
        "{nodes} nodes on {in_sync} of {} BIG-IPs",
        report.devices.len()
    );
    if in_sync < report.devices.len() {
        let pending = report.devices.iter().any(|d| d.reach == Reach::Pending);
        let ready = if pending {
            Truth::Unknown
        } else {
            Truth::False
        };
        return Summary {
            ready,
            reason: reason::PROGRESSING,
            message,
            next: Next::Retry,
        };
    }
    if let Some(skipped) = report.desired.skipped.first() {
        let more = report.desired.skipped.len() - 1;
        let others = if more == 0 {
            String::new()
        } else {
            format!(" (and {more} more)")
        };
        let message = format!(
            "node {}{others} has no record: {}",
            skipped.name, skipped.message
        );
        return Summary::not_ready(reason::NODES_SKIPPED, message, Next::Retry);
    }
    Summary {
        ready: Truth::True,
        reason: reason::IN_SYNC,
        message,
        next: Next::Nothing,
    }
}

fn held_summary(held: &HeldRemoval) -> Summary {
    let count = held.macs.len();
    let message = format!(
        "{count} records are due for removal, more than nodes.maxRemovalPercent allows within an \
         hour; nothing is removed. If their nodes are really gone, set the annotation \
         bigip-tunnel.dev/approve-removal to {}",
        held.digest()
    );
    Summary::not_ready(reason::MASS_REMOVAL_BLOCKED, message, Next::Person)
}

fn conflict_summary(report: &TunnelReport<'_>) -> Option<Summary> {
    let (device, count) = report.devices.iter().find_map(|device| {
        let count = device.plan.as_ref()?.conflict.len();
        (count > 0).then_some((device, count))
    })?;
    let message = format!(
        "{}: {count} records: {}",
        device.name,
        conflict_message(count)
    );
    Some(Summary::not_ready(reason::CONFLICT, message, Next::Person))
}

fn cleanup_summary(report: &TunnelReport<'_>) -> Summary {
    if let Some((device, failure)) = worst(report.devices) {
        let message = format!("records are left on {}: {}", device.name, failure.message);
        return Summary::failed(failure, reason::CLEANUP_FAILED, message);
    }
    if let Some(failure) = report.nodes_failure {
        return Summary::failed(failure, reason::CLEANUP_FAILED, failure.message.clone());
    }
    let message = "removing the records of this object".to_owned();
    Summary::not_ready(reason::CLEANING_UP, message, Next::Retry)
}

/// The failure to show: one that needs a person before one that may mend itself.
fn worst(devices: &[DeviceReport]) -> Option<(&DeviceReport, &Failure)> {
    let failing = devices
        .iter()
        .filter_map(|device| Some((device, device.problem()?)));
    failing.min_by_key(|(_, failure)| failure.retryable)
}

fn ready_reason(device_reason: &'static str) -> &'static str {
    match device_reason {
        reason::TIMEOUT
        | reason::CONNECTION_REFUSED
        | reason::CONNECTION_FAILED
        | reason::NAME_NOT_RESOLVED => reason::DEVICE_UNREACHABLE,
        other => other,
    }
}

/// Whether traffic can flow: every unit known to be active holds the records, and at least one unit
/// does. A unit that cannot be asked keeps what it was last seen to hold.
fn available(report: &TunnelReport<'_>) -> Condition {
    let of = |truth, reason, message| condition(condition::AVAILABLE, truth, reason, message);
    let programmed = report
        .devices
        .iter()
        .filter(|d| d.holds_all(report.desired))
        .count();
    let lacking = report.devices.iter().find(|device| {
        let carries = device
            .facts
            .as_ref()
            .is_some_and(|f| f.failover_state.may_carry_traffic());
        carries && !device.holds_all(report.desired)
    });
    let message = format!(
        "{programmed} of {} BIG-IPs hold the records",
        report.devices.len()
    );
    match lacking {
        Some(device) => of(
            Truth::False,
            reason::ACTIVE_DEVICE_NOT_PROGRAMMED,
            format!(
                "{} carries traffic and does not hold all records",
                device.name
            ),
        ),
        None if programmed == 0 && report.devices.iter().all(|d| d.plan.is_none()) => of(
            Truth::Unknown,
            reason::PENDING,
            "no BIG-IP has been read yet".to_owned(),
        ),
        None if programmed == 0 => of(Truth::False, reason::ACTIVE_DEVICE_NOT_PROGRAMMED, message),
        None => of(Truth::True, reason::DEVICES_PROGRAMMED, message),
    }
}

#[cfg(test)]
mod tests;
