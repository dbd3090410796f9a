//! What probing of one device has found, as its status, its metrics and the condition are made of. No nodes but the
//! first that are in trouble.

use std::net::Ipv4Addr;

use jiff::Timestamp;

use crate::outcome::Failure;

/// What is known of the paths from one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathState {
    /// Nothing yet: this process has just begun. What was reported before stays.
    Unknown,
    /// The device is not asked, for this reason.
    Blocked(Failure),
    /// This.
    Known(PathReport),
}

/// What was found of the nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathReport {
    /// How many nodes are in which state.
    pub counts: PathCounts,
    /// How many nodes answer and are known to be reached by something else than their record.
    pub unproven: usize,
    /// How many nodes were not pinged yet because they have just joined.
    pub joining: usize,
    /// The first nodes that are in trouble, those that are not reached first.
    pub problems: Vec<PathProblem>,
    /// When a record was last seen to carry a packet.
    pub last_proven: Option<Timestamp>,
    /// Whether the process has not had the time to ping every node once.
    pub settling: bool,
}

/// Nodes by what their last pings have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathCounts {
    /// Their record has carried a packet, and they have answered since.
    pub proven: usize,
    /// They answer, which does not prove their record.
    pub reached: usize,
    /// They have not answered several times in a row.
    pub not_reached: usize,
    /// They have no address that could be pinged.
    pub not_asked: usize,
    /// They were not pinged yet.
    pub waiting: usize,
}

/// A node in trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathProblem {
    /// Its name.
    pub node: String,
    /// What was pinged, where something was.
    pub address: Option<Ipv4Addr>,
    /// What came of it: the word of the outcome.
    pub outcome: &'static str,
    /// The outcome as a sentence.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}

impl PathCounts {
    /// All nodes that have a record.
    pub const fn all(self) -> usize {
        self.proven + self.reached + self.not_reached + self.not_asked + self.waiting
    }

    /// How many nodes answer.
    pub const fn answering(self) -> usize {
        self.proven + self.reached
    }
}

impl PathReport {
    /// How many nodes were not pinged yet although they had the time to be.
    pub const fn outstanding(&self) -> usize {
        self.counts.waiting.saturating_sub(self.joining)
    }
}

impl PathState {
    /// Whether this is news against what was reported, and not only other numbers of the same: numbers move while
    /// nodes are pinged one after the other, and a status that is written for each would wake everything that watches.
    pub fn differs_in_substance(&self, reported: &Self) -> bool {
        match (self, reported) {
            (Self::Known(now), Self::Known(before)) => now.substance() != before.substance(),
            _ => self != reported,
        }
    }
}

impl PathReport {
    /// What other numbers alone do not change.
    fn substance(&self) -> ([usize; 2], [bool; 6], Vec<&str>) {
        let unreached = self.problems.iter().take(self.counts.not_reached);
        let states = [
            self.unproven > 0,
            self.counts.not_asked > 0,
            self.counts.waiting > 0,
            self.outstanding() > 0,
            self.counts.answering() > 0,
            self.settling,
        ];
        let names = unreached.map(|problem| problem.node.as_str()).collect();
        ([self.counts.all(), self.counts.not_reached], states, names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(change: impl Fn(&mut PathReport)) -> PathState {
        let mut report = PathReport::default();
        report.counts.proven = 10;
        report.counts.waiting = 10;
        change(&mut report);
        PathState::Known(report)
    }

    #[test]
    fn numbers_of_the_same_are_no_news() {
        let before = known(|_| ());
        let more = known(|report| {
            report.counts.proven = 15;
            report.counts.waiting = 5;
            report.last_proven = Some(Timestamp::UNIX_EPOCH);
        });
        assert!(!more.differs_in_substance(&before));
    }

    #[test]
    fn node_that_is_not_reached_is_news() {
        let before = known(|_| ());
        let silent = known(|report| report.counts.not_reached = 1);
        assert!(silent.differs_in_substance(&before));
        assert!(known(|report| report.counts.waiting = 0).differs_in_substance(&before));
        assert!(known(|report| report.unproven = 1).differs_in_substance(&before));
        assert!(known(|report| report.counts.waiting = 11).differs_in_substance(&before));
        assert!(PathState::Unknown.differs_in_substance(&before));
    }
}
