//! How many records may be removed within an hour.
//!
//! A wrong selector, a restored cluster or a fault of ours would remove many records one careful
//! step at a time; the budget stops that and asks a person. It is kept in the status, so that a
//! restart does not refill it. Knows nothing of whether a record may go.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::cause::Cause;
use crate::desired::Desired;
use crate::mac::MacAddress;

/// The time over which removals are counted: at any moment, those of the hour before it.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Removals are kept in steps of this many seconds, so that there are never many.
const STEP_SECONDS: i64 = 300;
/// The most steps within an hour.
pub const STEPS_MAX: usize = 13;
/// So many removals within an hour need no approval, however few records there are: one node of a small
/// cluster can be replaced while another one leaves.
const ALLOWED_MIN: usize = 2;

/// The removals of the last hour, and what they are compared with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// The highest number of nodes since the last removal: those that have a record, or have had one that
    /// was not removed yet. `None` until it was noted for the first time.
    pub nodes: Option<usize>,
    /// The removals, oldest first, put together when they were allowed within the same five minutes.
    pub steps: Vec<Step>,
}

/// Removals that were allowed about the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When the last of them was allowed. An hour later they no longer count.
    pub time: Timestamp,
    /// How many records were claimed before the first of them, one per node.
    pub claimed: usize,
    /// The highest number of nodes before them.
    pub nodes: usize,
    /// How many they are.
    pub removed: Tally,
}

/// Removals, counted by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records whose Node is gone.
    pub node_deleted: usize,
    /// Records whose Node is not selected any more.
    pub deselected: usize,
    /// Records of a node that has another one now.
    pub address_changed: usize,
}

/// The records and nodes that there are before a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Records that are claimed and not leaving.
    pub claimed: usize,
    /// Those of them that no node desires.
    pub undesired: usize,
    /// Nodes that desire a record.
    pub nodes: usize,
}

/// The removals that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// Those that the budget is asked for.
    pub counted: Tally,
    /// Those that a person has approved.
    pub approved: Tally,
}

impl Tally {
    /// How many there are.
    pub fn total(self) -> usize {
        self.nodes_lost().saturating_add(self.address_changed)
    }

    /// How many nodes less there are for them, where none came instead.
    fn nodes_lost(self) -> usize {
        self.node_deleted.saturating_add(self.deselected)
    }

    fn add(&mut self, cause: Cause) {
        let count = match cause {
            Cause::NodeDeleted => &mut self.node_deleted,
            Cause::Deselected => &mut self.deselected,
            Cause::AddressChanged => &mut self.address_changed,
        };
        *count = count.saturating_add(1);
    }

    fn plus(self, other: Self) -> Self {
        Self {
            node_deleted: self.node_deleted.saturating_add(other.node_deleted),
            deselected: self.deselected.saturating_add(other.deselected),
            address_changed: self.address_changed.saturating_add(other.address_changed),
        }
    }
}

impl Census {
    /// The records and nodes that there are, by the records that stay claimed and those that are desired.
    pub fn of(staying: &BTreeSet<MacAddress>, desired: &Desired) -> Self {
        let is_undesired = |mac: &&MacAddress| !desired.nodes.contains_key(*mac);
        Self {
            claimed: staying.len(),
            undesired: staying.iter().filter(is_undesired).count(),
            nodes: desired.nodes.len(),
        }
    }

    /// The same by the desired records alone.
    pub fn of_desired(staying: &BTreeSet<MacAddress>, desired: &BTreeSet<MacAddress>) -> Self {
        Self {
            claimed: staying.len(),
            undesired: staying.difference(desired).count(),
            nodes: desired.len(),
        }
    }
}

impl Due {
    /// Counts records, each once however many devices hold it. Those that are leaving on some device were
    /// counted when that began.
    pub fn of(
        causes: &BTreeMap<MacAddress, Cause>,
        leaving: &BTreeSet<MacAddress>,
        approved: &BTreeSet<MacAddress>,
    ) -> Self {
        let mut due = Self::default();
        for (mac, cause) in causes.iter().filter(|(mac, _)| !leaving.contains(*mac)) {
            let tally = if approved.contains(mac) {
                &mut due.approved
            } else {
                &mut due.counted
            };
            tally.add(*cause);
        }
        due
    }

    /// Whether the window stays as it is.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl Window {
    /// How many records were claimed before the first removal that still counts.
    pub fn baseline(&self) -> Option<usize> {
        self.steps.first().map(|step| step.claimed)
    }

    /// The removals that count.
    pub fn removed(&self) -> Tally {
        let removed = self.steps.iter().map(|step| step.removed);
        removed.fold(Tally::default(), Tally::plus)
    }

    /// The highest number of nodes since the last removal. A number that was noted counts for as long as
    /// the records of the nodes that went since are there: a removal that waits for a delay or an approval
    /// does not become cheaper by it. What no record stands for any more is forgotten.
    pub fn level(&self, census: Census) -> usize {
        let most = census.nodes.saturating_add(census.undesired);
        let noted = self.nodes.unwrap_or(most);
        noted.clamp(census.nodes, most)
    }

    /// What still counts now. A clock that jumps back lets nothing expire.
    fn current(&self, now: Timestamp) -> Self {
        let counts = |step: &&Step| now.duration_since(step.time) < HOUR;
        Self {
            nodes: self.nodes,
            steps: self.steps.iter().filter(counts).copied().collect(),
        }
    }

    /// Takes out nodes that went with a person's approval: they were not lost.
    fn forget_nodes(&mut self, count: usize) {
        for step in &mut self.steps {
            step.nodes = step.nodes.saturating_sub(count);
        }
    }

    /// What these removals and those of the last hour cost together. What was deselected or has another
    /// address counts for itself. Nodes that are gone cost as much as there are fewer now than at the best
    /// time of the hour, so that one that was replaced costs nothing.
    ///
    /// A deselected node is one fewer as well. How many of them are still missing cannot be told: one that
    /// comes may be selected again, or be a new one. So nothing is taken off for them, but the fall is at
    /// most all nodes that are gone, those that wait included. That is never too little: of a fall that
    /// deselection did not cause, each node is one that is gone. It is too much, by at most what was
    /// deselected, where nodes are deselected and others replaced within the hour.
    fn cost(&self, level: usize, census: Census, counted: Tally) -> usize {
        let removed = self.removed().plus(counted);
        let for_itself = removed.deselected.saturating_add(removed.address_changed);
        if removed.node_deleted == 0 {
            return for_itself;
        }
        let before = self.steps.iter().map(|step| step.nodes);
        let highest = before.fold(level, usize::max);
        let fell = highest.saturating_sub(census.nodes);
        let still_there = counted.deselected.saturating_add(counted.address_changed);
        let gone = census.undesired.saturating_sub(still_there);
        let gone = gone.saturating_add(self.removed().node_deleted);
        for_itself.saturating_add(fell.min(gone))
    }

    fn push(&mut self, now: Timestamp, claimed: usize, nodes: usize, removed: Tally) {
        let number = |time: Timestamp| time.as_second().div_euclid(STEP_SECONDS);
        match self.steps.last_mut() {
            Some(last) if number(now) <= number(last.time) => {
                last.time = last.time.max(now);
                // Claims that went in another way were not there to be removed.
                let before = claimed.saturating_add(last.removed.total());
                last.claimed = last.claimed.min(before);
                last.nodes = last.nodes.max(nodes);
                last.removed = last.removed.plus(removed);
            }
            _ => self.steps.push(Step {
                time: now,
                claimed,
                nodes,
                removed,
            }),
        }
    }
}

/// More removals are due than the budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "with the removals of the last hour, {asked} more count as {cost}, and {allowed} of {baseline} may be"
)]
pub struct OverBudget {
    /// How many are due.
    pub asked: usize,
    /// What they and those of the last hour count as.
    pub cost: usize,
    /// How many may be removed within an hour.
    pub allowed: usize,
    /// How many records were claimed at its start.
    pub baseline: usize,
}

/// Takes the removals that are due from the budget: all of them or none, since a part of a wrong removal
/// is wrong too. `percent` is the share of the records claimed at the start of the hour that may go within
/// it; two may in any case, unless it is 0. Approved removals cost nothing.
///
/// # Errors
///
/// What the removals would count as, where that is more than is allowed.
pub fn spend(
    window: &Window,
    census: Census,
    due: Due,
    percent: u8,
    now: Timestamp,
) -> Result<Window, OverBudget> {
    let mut window = window.current(now);
    let approved = due.approved.nodes_lost();
    let level = window
        .level(census)
        .saturating_sub(approved)
        .max(census.nodes);
    window.forget_nodes(approved);
    window.nodes = Some(level);
    if due.counted.total() == 0 {
        return Ok(window);
    }
    // Where a node has two records, the one that it had before and the one that it has now, it counts once.
    let claimed = census.claimed.min(level);
    let baseline = window.baseline().unwrap_or(claimed);
    let allowed = match percent {
        0 => 0,
        percent => (baseline.saturating_mul(usize::from(percent)) / 100).max(ALLOWED_MIN),
    };
    let cost = window.cost(level, census, due.counted);
    // A removal that costs nothing is still one that has to be approved where every one has to.
    if cost > allowed || percent == 0 {
        return Err(OverBudget {
            asked: due.counted.total(),
            cost,
            allowed,
            baseline,
        });
    }
    window.push(now, claimed, level, due.counted);
    let left = level.saturating_sub(due.counted.nodes_lost());
    window.nodes = Some(left.max(census.nodes));
    Ok(window)
}

#[cfg(test)]
mod tests;
