//! What was done to the records of one device, counted until it is told.
//!
//! Knows no record: only whose they are, so that a person recognises the nodes.

use crate::events::Occurrence;
use std::collections::BTreeMap;

use super::{Event, EventReason, Kind};

/// How many nodes are named; a tally grows with the cluster, a sentence must not.
const NAMED_MAX: usize = 5;

/// Records of one kind of change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tally {
    count: usize,
    /// The first of them.
    names: Vec<String>,
}

impl Tally {
    /// Counts a record of the node of this name.
    pub fn add(&mut self, name: impl Into<String>) {
        self.count += 1;
        if self.names.len() < NAMED_MAX {
            self.names.push(name.into());
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are of what, as `2 records`.
    pub(super) fn counted(&self, what: &str) -> String {
        match self.count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        }
    }

    /// Whose they are, as `worker-1, worker-2 and 7 more`.
    pub(super) fn named(&self) -> String {
        let names = self.names.join(", ");
        match self.count.saturating_sub(self.names.len()) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }

    fn take_in(&mut self, later: Self) {
        self.count += later.count;
        let free = NAMED_MAX.saturating_sub(self.names.len());
        self.names.extend(later.names.into_iter().take(free));
    }
}

impl<T: Into<String>> FromIterator<T> for Tally {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let mut tally = Self::default();
        names.into_iter().for_each(|name| tally.add(name));
        tally
    }
}

/// What was done to a device, and read back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Taken over as they were, without a write.
    pub adopted: Tally,
    /// Added.
    pub added: Tally,
    /// Ours, taken away or changed by somebody else, and right again.
    pub restored: Tally,
    /// Removed.
    pub removed: Tally,
}

impl Changes {
    /// Counts what was done later as well.
    pub(super) fn take_in(&mut self, later: Self) {
        self.adopted.take_in(later.adopted);
        self.added.take_in(later.added);
        self.restored.take_in(later.restored);
        self.removed.take_in(later.removed);
    }
}

/// A part of what was done, and how it is told: reason, verb, preposition.
type Part = (
    EventReason,
    &'static str,
    &'static str,
    fn(&mut Changes) -> &mut Tally,
);

const PARTS: [Part; 4] = [
    (
        EventReason::Occurrence(Occurrence::RecordsAdopted),
        "found as wanted and taken over",
        "on",
        |changes| &mut changes.adopted,
    ),
    (
        EventReason::Occurrence(Occurrence::RecordsAdded),
        "added",
        "on",
        |changes| &mut changes.added,
    ),
    (
        EventReason::Occurrence(Occurrence::DriftCorrected),
        "that somebody else had removed or changed put right",
        "on",
        |changes| &mut changes.restored,
    ),
    (
        EventReason::Occurrence(Occurrence::RecordsRemoved),
        "removed",
        "from",
        |changes| &mut changes.removed,
    ),
];

/// What was done to each device and has not been told.
#[derive(Debug, Clone, Default)]
pub(super) struct Untold(BTreeMap<String, Changes>);

impl Untold {
    pub(super) fn note(&mut self, device: &str, changes: Changes) {
        if changes != Changes::default() {
            let untold = self.0.entry(device.to_owned()).or_default();
            untold.take_in(changes);
        }
    }

    /// What was done to those devices that `is_over` names, the same on several of them as one event.
    /// What `allow` holds back is told later, with what was done meanwhile.
    pub(super) fn tell(
        &mut self,
        is_over: impl Fn(&str) -> bool,
        mut allow: impl FnMut(EventReason) -> bool,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for (reason, verb, preposition, part) in PARTS {
            let mut same: BTreeMap<Tally, Vec<String>> = BTreeMap::new();
            for (device, changes) in &mut self.0 {
                let tally = part(changes);
                if is_over(device) && !tally.is_empty() {
                    same.entry(tally.clone()).or_default().push(device.clone());
                }
            }
            for (tally, devices) in same {
                if !allow(reason) {
                    continue;
                }
                for device in &devices {
                    if let Some(changes) = self.0.get_mut(device) {
                        *part(changes) = Tally::default();
                    }
                }
                events.push(Event {
                    kind: Kind::Normal,
                    reason,
                    action: "Program",
                    note: format!(
                        "{} {verb} {preposition} {}: {}",
                        tally.counted("record"),
                        devices.join(", "),
                        tally.named()
                    ),
                });
            }
        }
        self.0.retain(|_, changes| *changes != Changes::default());
        events
    }
}
