//! The summary of an object: one sentence and one word for all its devices, and who has to act.
//!
//! The first thing that is wrong in the order of how much it hurts. Knows nothing of the other
//! conditions.

use super::{
    CONTESTED, FOREIGN_WRITER, Truth, conflict_message, unreadable_message, unusable,
    unusable_message,
};
use crate::answers::Subject;
use crate::desired::SkippedNode;
use crate::outcome::{DeviceReport, Failure, HeldRemoval, Reach, TunnelReport};
use crate::plan::Plan;
use crate::reason::Reason;

/// What `Ready` says.
pub(super) struct Summary {
    pub(super) ready: Truth,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) next: Next,
}

/// Who has to act when the object is not ready.
pub(super) enum Next {
    Nothing,
    Retry,
    Person,
}

impl Summary {
    fn not_ready(reason: Reason, message: String, next: Next) -> Self {
        Self {
            ready: Truth::False,
            reason,
            message,
            next,
        }
    }

    fn failed(failure: &Failure, reason: Reason, message: String) -> Self {
        let next = if failure.retryable {
            Next::Retry
        } else {
            Next::Person
        };
        Self::not_ready(reason, message, next)
    }
}

/// Sums an object up.
pub(super) fn summary(report: &TunnelReport<'_>) -> Summary {
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
    if let Some(summary) = unusable_summary(report.devices) {
        return summary;
    }
    if report.desired.selected() == 0 {
        let message = "no node is selected; the records on the BIG-IPs stay as they are";
        return Summary::not_ready(Reason::NoNodesSelected, message.into(), Next::Person);
    }
    if report.observing {
        return observed_summary(report);
    }
    if let Some(held) = report.held {
        return held_summary(held);
    }
    let for_a_person = conflict_summary(report)
        .or_else(|| unreadable_summary(report.devices))
        .or_else(|| drift_summary(report.devices));
    if let Some(summary) = for_a_person.or_else(|| former_summary(report.former)) {
        return summary;
    }
    progress_summary(report)
}

/// How far the work has come when nothing is in its way.
fn progress_summary(report: &TunnelReport<'_>) -> Summary {
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
            reason: Reason::Progressing,
            message,
            next: Next::Retry,
        };
    }
    if let Some(summary) = nodes_summary(report) {
        return summary;
    }
    if let Some(summary) = neighbour_summary(report.devices) {
        return summary;
    }
    if nodes == 0 {
        return Summary {
            ready: Truth::Unknown,
            reason: Reason::Progressing,
            message: message + &joining_remark(report.joining()),
            next: Next::Retry,
        };
    }
    let (reason, remark) = remark(report).unwrap_or((Reason::InSync, String::new()));
    Summary {
        ready: Truth::True,
        reason,
        message: message + &remark,
        next: Next::Nothing,
    }
}

/// Nodes without a record, or with one that may not be the right one.
fn nodes_summary(report: &TunnelReport<'_>) -> Option<Summary> {
    let others = |count: usize| match count {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    if let Some(skipped) = report.skipped().next() {
        let others = others(report.skipped().count());
        let SkippedNode { name, message, .. } = skipped;
        let record = kept_or_missing(report, name);
        let message = format!("node {name}{others} {record}: {message}");
        return Some(Summary::not_ready(
            Reason::NodesSkipped,
            message,
            Next::Retry,
        ));
    }
    let SkippedNode {
        name,
        message,
        reason,
        ..
    } = report.desired.unstable.first()?;
    let others = others(report.desired.unstable.len());
    let message = format!("node {name}{others}: {message}");
    Some(Summary::not_ready(*reason, message, Next::Retry))
}

/// What becomes of the record of a node without a usable address.
pub(crate) fn kept_or_missing(report: &TunnelReport<'_>, node: &str) -> String {
    match report.kept_record(node) {
        Some(kept) => format!("keeps its record for {}", kept.address),
        None => "has no record".to_owned(),
    }
}

/// What a user should know although every record is right: the reason to show for it, and a sentence.
fn remark(report: &TunnelReport<'_>) -> Option<(Reason, String)> {
    if let Some(device) = report.devices.iter().find(|device| device.contended) {
        let remark = format!("; {}: {CONTESTED}", device.name);
        return Some((Reason::ForeignWriter, remark));
    }
    let mut devices = report.devices.iter();
    if let Some(remark) = devices.find_map(|d| Some(format!("; {}: {}", d.name, d.login_remark()?)))
    {
        return Some((Reason::NewPasswordRefused, remark));
    }
    let Some(doubt) = report.nodes_doubt else {
        return joining(report);
    };
    let waits = report
        .devices
        .iter()
        .any(|device| !device.leaving.is_empty());
    if !waits {
        return joining(report);
    }
    let remark = format!("; {doubt}; no record is removed until the answers agree again");
    Some((doubt.reason(), remark))
}

fn joining(report: &TunnelReport<'_>) -> Option<(Reason, String)> {
    let count = report.joining();
    (count > 0).then(|| (Reason::InSync, joining_remark(count)))
}

/// Names how many nodes wait for their address.
fn joining_remark(count: usize) -> String {
    match count {
        1 => "; 1 node has just joined and has no usable address yet".to_owned(),
        _ => format!("; {count} nodes have just joined and have no usable address yet"),
    }
}

fn held_summary(held: &HeldRemoval) -> Summary {
    Summary::not_ready(Reason::MassRemovalBlocked, held_message(held), Next::Person)
}

/// What is held, and how to let it through.
pub(crate) fn held_message(held: &HeldRemoval) -> String {
    format!(
        "{} records are due for removal, more than nodes.maxRemovalPercent allows within an \
         hour; nothing is removed. If their nodes are really gone, set the annotation \
         bigip-tunnel.dev/approve-removal to {}",
        held.macs.len(),
        held.digest()
    )
}

fn neighbour_summary(devices: &[DeviceReport]) -> Option<Summary> {
    let (device, hold) = devices
        .iter()
        .find_map(|device| Some((device, device.held_by_neighbours.as_ref()?)))?;
    let message = format!("{}: {hold}", device.name);
    Some(Summary::not_ready(
        Reason::HeldByNeighbour,
        message,
        Next::Retry,
    ))
}

/// Why a clean-up does not go on: another object holds it, or something failed.
fn cleanup_reason(failure: &Failure) -> Reason {
    match failure.reason {
        Reason::HeldByNeighbour => failure.reason,
        _ => Reason::CleanupFailed,
    }
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
    Some(Summary::not_ready(Reason::Conflict, message, Next::Person))
}

fn unreadable_summary(devices: &[DeviceReport]) -> Option<Summary> {
    let (device, plan) = devices.iter().find_map(|device| {
        let plan = device.plan.as_ref()?;
        (!plan.unreadable.is_empty()).then_some((device, plan))
    })?;
    let message = format!("{}: {}", device.name, unreadable_message(plan));
    Some(Summary::not_ready(
        Reason::RecordUnreadable,
        message,
        Next::Person,
    ))
}

fn drift_summary(devices: &[DeviceReport]) -> Option<Summary> {
    if let Some(device) = devices.iter().find(|device| device.reported_drift > 0) {
        let message = format!(
            "{}: {} records were removed or changed by somebody else, and drift.policy Report leaves \
             them so; set it to Correct to have them put back",
            device.name, device.reported_drift
        );
        return Some(Summary::not_ready(
            Reason::DriftReported,
            message,
            Next::Person,
        ));
    }
    let is_contested =
        |d: &&DeviceReport| d.contended && d.plan.as_ref().is_some_and(|plan| plan.missing() > 0);
    let device = devices.iter().find(is_contested)?;
    let message = format!("{}: {FOREIGN_WRITER}", device.name);
    Some(Summary::not_ready(
        Reason::ForeignWriter,
        message,
        Next::Person,
    ))
}

fn unusable_summary(devices: &[DeviceReport]) -> Option<Summary> {
    let (device, problem) = unusable(devices)?;
    let message = unusable_message(device, &problem);
    Some(Summary::not_ready(
        Reason::TunnelUnusable,
        message,
        Next::Person,
    ))
}

/// What would be done by an object that only looks.
fn observed_summary(report: &TunnelReport<'_>) -> Summary {
    let devices = report.devices;
    let read = devices.iter().filter(|d| d.reach == Reach::Answered);
    let plans = || devices.iter().filter_map(|device| device.plan.as_ref());
    let sum = |count: fn(&Plan) -> usize| plans().map(count).sum::<usize>();
    if read.count() < devices.len() {
        return Summary {
            ready: Truth::Unknown,
            reason: Reason::Progressing,
            message: "not every BIG-IP has been read yet".to_owned(),
            next: Next::Retry,
        };
    }
    let conflicts = sum(|plan| plan.conflict.len());
    let others = if conflicts == 0 {
        String::new()
    } else {
        format!("; {conflicts} are somebody else's, with another endpoint, and would stay")
    };
    Summary {
        ready: Truth::True,
        reason: Reason::Observed,
        message: format!(
            "managementPolicy Observe: nothing is written. {} records match; to add: {}, to correct: \
             {}, to remove: {}{others}",
            sum(|plan| plan.unchanged.len() + plan.adopt.len()),
            sum(|plan| plan.add.len()),
            sum(|plan| plan.correct.len()),
            sum(|plan| plan.remove.len()),
        ),
        next: Next::Nothing,
    }
}

fn former_summary(former: &[DeviceReport]) -> Option<Summary> {
    if let Some((device, failure)) = worst(former) {
        let message = format!(
            "records are left on {}, which is no longer listed: {}. To leave them there, set the \
             annotation bigip-tunnel.dev/release to {}",
            device.name,
            failure.message,
            Subject::Device {
                name: device.name.clone(),
                identity: device.identity.clone().unwrap_or_default()
            }
        );
        return Some(Summary::failed(failure, cleanup_reason(failure), message));
    }
    let device = former.first()?;
    let message = format!(
        "removing the records from {}, which is no longer listed",
        device.name
    );
    Some(Summary::not_ready(Reason::CleaningUp, message, Next::Retry))
}

fn cleanup_summary(report: &TunnelReport<'_>) -> Summary {
    if let Some(failure) = report.rejected {
        let message = format!(
            "the spec cannot be worked with, so nothing is cleaned up: {}. Correct it, or set the \
             annotation bigip-tunnel.dev/release to true to let the object go without its records",
            failure.message
        );
        return Summary::not_ready(Reason::CleanupFailed, message, Next::Person);
    }
    let failing = worst(report.devices).or_else(|| worst(report.former));
    if let Some((device, failure)) = failing {
        let message = format!(
            "records are left on {}: {}. To let the object go without removing them, set the \
             annotation bigip-tunnel.dev/release to true",
            device.name, failure.message
        );
        return Summary::failed(failure, cleanup_reason(failure), message);
    }
    if let Some(failure) = report.nodes_failure {
        return Summary::failed(failure, Reason::CleanupFailed, failure.message.clone());
    }
    let message = "removing the records of this object".to_owned();
    Summary::not_ready(Reason::CleaningUp, message, Next::Retry)
}

/// The failure to show: one that needs a person before one that may mend itself.
fn worst(devices: &[DeviceReport]) -> Option<(&DeviceReport, &Failure)> {
    let failing = devices
        .iter()
        .filter_map(|device| Some((device, device.problem()?)));
    failing.min_by_key(|(_, failure)| failure.retryable)
}

/// A device's reason in the words of the object.
pub(crate) fn ready_reason(device_reason: Reason) -> Reason {
    match device_reason {
        Reason::Timeout
        | Reason::ConnectionRefused
        | Reason::ConnectionFailed
        | Reason::NameNotResolved => Reason::DeviceUnreachable,
        other => other,
    }
}
