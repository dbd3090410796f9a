//! What changed since it was last told → events, for a person who reads `kubectl describe`.
//!
//! Tells turning points, never a state: at rest nothing, after a restart nothing that the status said
//! before, and one event for all nodes that a change is about. Conditions are the API; an event that is
//! lost or held back by its limit takes nothing away from them. Knows nothing of how events are stored.

mod changes;
mod event_reason;
mod limit;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;

use self::changes::Untold;
pub use self::changes::{Changes, Tally};
pub use self::event_reason::{EventReason, Occurrence};
use self::limit::Limits;
use crate::condition::ConditionType;
use crate::conditions::{
    self, Condition, Truth, device_conditions, held_message, kept_or_missing, object_conditions,
    ready_reason,
};
use crate::outcome::{DeviceReport, Leaving, TunnelReport};
use crate::reason::Reason;
use crate::time::Moment;

/// Whether an event is good news or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it should be.
    Normal,
    /// Worth a look.
    Warning,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Good news or bad.
    pub kind: Kind,
    /// Its reason.
    pub reason: EventReason,
    /// What was being done.
    pub action: &'static str,
    /// What happened, as a sentence. Holds what a message of a condition may hold, and no more.
    pub note: String,
}

/// What a condition said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whether it held.
    pub truth: Truth,
    /// Why; `None` where this version does not know the reason.
    pub reason: Option<Reason>,
    /// Since when.
    pub since: Timestamp,
}

/// What was told of an object, or could be read in its status. What is not known now stays what it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The object's conditions by type.
    pub conditions: BTreeMap<ConditionType, Said>,
    /// The conditions of its devices, by name and type.
    pub devices: BTreeMap<String, BTreeMap<ConditionType, Said>>,
    /// The removal that waited for a person, by its digest.
    pub held: Option<String>,
    /// Names of the nodes without a record; `None` where not all of them are known.
    pub skipped: Option<BTreeSet<String>>,
    /// Addresses of the nodes whose records wait for their removal; `None` where not all are known.
    pub leaving: Option<BTreeSet<IpAddr>>,
}

/// What is told of one object.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    seen: Seen,
    untold: Untold,
    limits: Limits,
    has_ended: bool,
}

/// What one device has to tell; equal ones become one event.
struct OfDevice {
    kind: Kind,
    reason: EventReason,
    action: &'static str,
    message: String,
    device: String,
}

impl Journal {
    /// Goes on from what was seen before.
    pub fn new(seen: Seen) -> Self {
        Self {
            seen,
            ..Self::default()
        }
    }

    /// Takes in what was done to a device.
    pub fn note(&mut self, device: &str, changes: Changes) {
        self.untold.note(device, changes);
    }

    /// What to tell of an object that is worked on.
    pub fn look(
        &mut self,
        report: &TunnelReport<'_>,
        (now, time): (Moment, Timestamp),
    ) -> Vec<Event> {
        let mut events: Vec<Event> = self.resumed().into_iter().collect();
        let devices = || report.devices.iter().chain(report.former);
        let told = devices().flat_map(|device| self.device(device, time));
        let told: Vec<OfDevice> = told.collect();
        events.extend(together(told));
        events.extend(self.object(report, time));
        events.extend(self.nodes(report));
        events.extend(self.held(report));
        let limits = &mut self.limits;
        events.retain(|event| limits.allow(event.reason, now));
        let is_at_work = |name: &str| {
            devices().any(|device| {
                let more = device
                    .plan
                    .as_ref()
                    .is_some_and(|plan| !plan.add.is_empty());
                device.name == name && more && device.problem().is_none()
            })
        };
        // What was done is the cause of what is so now.
        let mut done = self
            .untold
            .tell(|name| !is_at_work(name), |reason| limits.allow(reason, now));
        done.extend(events);
        done
    }

    /// What to tell of Cilium's side: that it does not match, and that it matches again. What is not known is no news.
    pub fn cilium(
        &mut self,
        condition: &Condition,
        (now, time): (Moment, Timestamp),
    ) -> Option<Event> {
        if condition.truth == Truth::Unknown {
            return None;
        }
        let said = said(condition, time);
        let before = self.seen.conditions.insert(condition.kind, said);
        let is_news = match condition.truth {
            Truth::True => before.is_some_and(|before| before.truth == Truth::False),
            _ => !says_the_same(before.as_ref(), condition.reason),
        };
        (is_news && self.limits.allow(condition.reason.into(), now)).then(|| Event {
            action: "Verify",
            ..of_object(condition.clone())
        })
    }

    /// What to tell of an object that is not worked on. `why` is the reason of its condition.
    pub fn pause(&mut self, why: Reason, (now, time): (Moment, Timestamp)) -> Option<Event> {
        let paused = conditions::paused(why);
        let before = self.seen.conditions.get(&paused.kind);
        let is_new = before.is_none_or(|before| before.reason != Some(why));
        let said = said(&paused, time);
        self.seen.conditions.insert(paused.kind, said);
        (is_new && self.limits.allow(why.into(), now)).then_some(Event {
            kind: Kind::Normal,
            reason: why.into(),
            action: "Reconcile",
            note: paused.message,
        })
    }

    /// What to tell of an object that goes now, once: its last act may come twice. `left` says how many
    /// of its records stay on which devices.
    pub fn end(&mut self, left: Option<(usize, &[&str])>) -> Vec<Event> {
        if std::mem::replace(&mut self.has_ended, true) {
            return Vec::new();
        }
        let mut events = self.untold.tell(|_| true, |_| true);
        let (kind, reason, note) = match left {
            None => (
                Kind::Normal,
                EventReason::Occurrence(Occurrence::CleanupComplete),
                "no record of this object is left on a BIG-IP".to_owned(),
            ),
            Some((count, devices)) => (
                Kind::Warning,
                EventReason::Occurrence(Occurrence::RecordsLeft),
                format!(
                    "the object goes and its {count} records stay on {}",
                    devices.join(", ")
                ),
            ),
        };
        events.push(Event {
            kind,
            reason,
            action: "Delete",
            note,
        });
        events
    }

    fn resumed(&mut self) -> Option<Event> {
        self.seen.conditions.remove(&ConditionType::Paused)?;
        Some(Event {
            kind: Kind::Normal,
            reason: EventReason::Occurrence(Occurrence::Resumed),
            action: "Reconcile",
            note: "the object is worked on again".to_owned(),
        })
    }

    /// What the conditions of a device tell.
    fn device(&mut self, report: &DeviceReport, time: Timestamp) -> Vec<OfDevice> {
        let seen = self.seen.devices.entry(report.name.clone()).or_default();
        let mut told = Vec::new();
        for condition in device_conditions(report) {
            if condition.truth == Truth::Unknown {
                continue;
            }
            let before = seen.insert(condition.kind, said(&condition, time));
            let since = before.as_ref().map(|before| before.since);
            if let Some(same) = before.as_ref().filter(|b| b.truth == condition.truth)
                && let Some(now) = seen.get_mut(&condition.kind)
            {
                now.since = same.since;
            }
            let mut of_device = |kind, reason: EventReason, action, message| {
                told.push(OfDevice {
                    kind,
                    reason,
                    action,
                    message,
                    device: report.name.clone(),
                });
            };
            let action = match condition.kind {
                ConditionType::Reachable => "Connect",
                ConditionType::Saved => "Save",
                _ => "Program",
            };
            if warns_in_any_case(condition.reason) {
                if before.is_none_or(|before| before.reason != Some(condition.reason)) {
                    let reason = condition.reason;
                    of_device(Kind::Warning, reason.into(), action, condition.message);
                }
            } else if condition.truth == Truth::False {
                let reason = ready_reason(condition.reason);
                if !is_quiet(reason) && !says_the_same(before.as_ref(), reason) {
                    of_device(Kind::Warning, reason.into(), action, condition.message);
                }
            } else if before.is_some_and(|before| before.truth == Truth::False) {
                match (condition.kind, since) {
                    (ConditionType::Reachable, Some(since)) => {
                        let lasted = time.duration_since(since);
                        let message = format!("answers again after {lasted:#}");
                        of_device(
                            Kind::Normal,
                            EventReason::Occurrence(Occurrence::DeviceRecovered),
                            action,
                            message,
                        );
                    }
                    (ConditionType::Saved, _) => {
                        let message = "the configuration was saved".to_owned();
                        of_device(
                            Kind::Normal,
                            EventReason::Occurrence(Occurrence::ConfigSaved),
                            action,
                            message,
                        );
                    }
                    _ => {}
                }
            }
        }
        told
    }

    /// What the conditions of the object tell that those of its devices do not.
    fn object(&mut self, report: &TunnelReport<'_>, time: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        for condition in object_conditions(report) {
            if condition.truth == Truth::Unknown {
                continue;
            }
            let said = said(&condition, time);
            let before = self.seen.conditions.insert(condition.kind, said);
            let is_news = match condition.truth {
                Truth::True => before.is_none_or(|before| before.truth != Truth::True),
                _ => !says_the_same(before.as_ref(), condition.reason),
            };
            if is_news && is_of_the_object(&condition) {
                events.push(of_object(condition));
            }
        }
        events
    }

    fn nodes(&mut self, report: &TunnelReport<'_>) -> Vec<Event> {
        if report.nodes_failure.is_some() || report.rejected.is_some() || report.deleting {
            return Vec::new();
        }
        let troubled = report.troubled().map(|node| node.name.clone());
        let before = self.seen.skipped.replace(troubled.collect());
        let is_new = |name: &String| before.as_ref().is_some_and(|before| !before.contains(name));
        let new: Vec<_> = report.skipped().filter(|node| is_new(&node.name)).collect();
        let mut events = Vec::new();
        if let Some(first) = new.first() {
            let tally: Tally = new.iter().map(|node| node.name.as_str()).collect();
            let verb = if new.len() == 1 { "has" } else { "have" };
            events.push(Event {
                kind: Kind::Warning,
                reason: Reason::NodesSkipped.into(),
                action: "Select",
                note: format!(
                    "{} {verb} no usable address: {}. {} {}: {}",
                    tally.counted("node"),
                    tally.named(),
                    first.name,
                    kept_or_missing(report, &first.name),
                    first.message
                ),
            });
        }
        let unstable = report.desired.unstable.iter();
        let mut unstable = unstable.filter(|node| is_new(&node.name));
        events.extend(unstable.next().map(|node| Event {
            kind: Kind::Warning,
            reason: node.reason.into(),
            action: "Select",
            note: format!("{}: {}", node.name, node.message),
        }));
        events.extend(self.leaving(&report.leaving_nodes()));
        events
    }

    /// Nodes whose records only wait for their time. Others are kept, which is no news.
    fn leaving(&mut self, leaving: &[&Leaving]) -> Option<Event> {
        let addresses: BTreeSet<IpAddr> = leaving.iter().map(|node| node.address).collect();
        let due: Vec<&&Leaving> = leaving
            .iter()
            .filter(|node| node.removable_at.is_some())
            .collect();
        let mut before = match self.seen.leaving.take() {
            Some(before) => before,
            None => addresses.clone(),
        };
        let new: Vec<&&Leaving> = due
            .into_iter()
            .filter(|node| before.insert(node.address))
            .collect();
        before.retain(|address| addresses.contains(address));
        self.seen.leaving = Some(before);
        let at = new.iter().filter_map(|node| node.removable_at).max()?;
        let name = |node: &&&Leaving| match &node.node {
            Some(name) => name.clone(),
            None => node.address.to_string(),
        };
        let tally: Tally = new.iter().map(name).collect();
        let verb = if new.len() == 1 { "is" } else { "are" };
        Some(Event {
            kind: Kind::Normal,
            reason: EventReason::Occurrence(Occurrence::NodeLeaving),
            action: "Schedule",
            note: format!(
                "{} {verb} gone: {}; removal of the records not before {at}",
                tally.counted("node"),
                tally.named()
            ),
        })
    }

    fn held(&mut self, report: &TunnelReport<'_>) -> Option<Event> {
        let held = report.held?;
        let before = self.seen.held.replace(held.digest());
        (before != self.seen.held).then(|| Event {
            kind: Kind::Warning,
            reason: Reason::MassRemovalBlocked.into(),
            action: "Program",
            note: held_message(held),
        })
    }
}

fn said(condition: &Condition, time: Timestamp) -> Said {
    Said {
        truth: condition.truth,
        reason: Some(condition.reason),
        since: time,
    }
}

/// Whether a condition was false for this reason before. Ways of not answering are one.
fn says_the_same(before: Option<&Said>, reason: Reason) -> bool {
    before.is_some_and(|before| {
        before.truth == Truth::False && before.reason.map(ready_reason) == Some(reason)
    })
}

/// Whether a condition is told of although it holds.
fn warns_in_any_case(reason: Reason) -> bool {
    matches!(reason, Reason::ForeignWriter | Reason::NewPasswordRefused)
}

/// Reasons of what is on its way, or as was asked for.
fn is_quiet(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Progressing | Reason::Observed | Reason::SavePending
    )
}

/// Whether no device tells this, or it is what a person waits for.
fn is_of_the_object(condition: &Condition) -> bool {
    match condition.kind {
        ConditionType::Ready => {
            condition.truth == Truth::True
                || matches!(
                    condition.reason,
                    Reason::NodeListFailed
                        | Reason::CiliumNodesUnavailable
                        | Reason::KubernetesUnavailable
                        | Reason::NoNodesSelected
                        | Reason::CleanupFailed
                        | Reason::HeldByNeighbour
                )
        }
        ConditionType::Accepted
        | ConditionType::TunnelUsable
        | ConditionType::PeersCovered
        | ConditionType::SecureTransport => condition.truth == Truth::False,
        _ => false,
    }
}

fn of_object(condition: Condition) -> Event {
    let kind = match condition.truth {
        Truth::True => Kind::Normal,
        Truth::False | Truth::Unknown => Kind::Warning,
    };
    Event {
        kind,
        reason: condition.reason.into(),
        action: "Reconcile",
        note: condition.message,
    }
}

/// One event for devices that tell the same.
fn together(told: Vec<OfDevice>) -> Vec<Event> {
    let mut events: Vec<OfDevice> = Vec::new();
    for one in told {
        let same =
            |other: &&mut OfDevice| other.reason == one.reason && other.message == one.message;
        if let Some(event) = events.iter_mut().find(same) {
            event.device = format!("{}, {}", event.device, one.device);
        } else {
            events.push(one);
        }
    }
    let event = |one: OfDevice| Event {
        kind: one.kind,
        reason: one.reason,
        action: one.action,
        note: format!("{}: {}", one.device, one.message),
    };
    events.into_iter().map(event).collect()
}

#[cfg(test)]
mod tests;
