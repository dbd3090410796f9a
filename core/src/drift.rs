//! Records of ours that somebody else took away or changed: when they are put back.
//!
//! The first loss is mended at once. Somebody who keeps taking them away (another writer that
//! replaces the whole list) is answered at most once a minute and named, not fought. Knows nothing
//! of how a record is written.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::claims::{ClaimState, DeviceClaims};
use crate::mac::MacAddress;
use crate::plan::Plan;
use crate::time::Moment;

/// The least time between two turns of putting records back on one device.
pub const RESTORE_GAP: Duration = Duration::from_secs(60);
/// This many losses …
const CONTENDED_LOSSES: usize = 3;
/// … within this time are no accident.
const CONTENDED_WITHIN: Duration = Duration::from_secs(600);

/// What is done about records that were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriftPolicy {
    /// They are put back.
    #[default]
    Correct,
    /// They are reported, and left to a person.
    Report,
}

/// The records that are ours, desired, and no longer on the device as we left them.
pub fn lost(plan: &Plan, claims: &DeviceClaims) -> BTreeSet<MacAddress> {
    let owned = |mac: &&MacAddress| claims.get(*mac) == Some(&ClaimState::Owned);
    let missing = plan.add.keys().filter(owned);
    missing.chain(plan.correct.keys()).copied().collect()
}

/// The losses of one device. Lives in memory only: after a restart the first loss is mended at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    /// What was lost at the last look.
    lost: BTreeSet<MacAddress>,
    /// When the last losses were noticed, oldest first; no more than are needed to judge.
    noticed: Vec<Moment>,
    /// What the present turn puts back. A turn may take many batches.
    turn: BTreeSet<MacAddress>,
    /// When the present turn began.
    turn_began: Option<Moment>,
}

impl Losses {
    /// Takes in what a look at the device shows to be lost. Returns whether something was lost since
    /// the last look.
    pub fn look(&mut self, lost: BTreeSet<MacAddress>, now: Moment) -> bool {
        let is_new = !lost.is_subset(&self.lost);
        if is_new {
            self.noticed.push(now);
            let excess = self.noticed.len().saturating_sub(CONTENDED_LOSSES);
            self.noticed.drain(..excess);
        }
        self.turn.retain(|mac| lost.contains(mac));
        self.lost = lost;
        is_new
    }

    /// Begins a turn of putting back what is lost, if it is time for one. Returns what has to wait.
    pub fn hold_back(&mut self, policy: DriftPolicy, now: Moment) -> BTreeSet<MacAddress> {
        if policy == DriftPolicy::Report {
            self.turn.clear();
            return self.lost.clone();
        }
        let may_begin = self.turn_began.is_none_or(|at| at + RESTORE_GAP <= now);
        if may_begin && !self.lost.is_subset(&self.turn) {
            self.turn.clone_from(&self.lost);
            self.turn_began = Some(now);
        }
        self.lost.difference(&self.turn).copied().collect()
    }

    /// When the next turn may begin, if something waits for one.
    pub fn next_turn(&self, policy: DriftPolicy) -> Option<Moment> {
        let waits = policy == DriftPolicy::Correct && !self.lost.is_subset(&self.turn);
        self.turn_began.filter(|_| waits).map(|at| at + RESTORE_GAP)
    }

    /// Whether somebody keeps taking our records away.
    pub fn is_contended(&self, now: Moment) -> bool {
        let enough = self.noticed.len() >= CONTENDED_LOSSES;
        let first = self.noticed.first();
        enough && first.is_some_and(|first| *first + CONTENDED_WITHIN > now)
    }

    /// How many records are lost.
    pub fn count(&self) -> usize {
        self.lost.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::MacPrefix;
    use crate::record::Records;
    use crate::testing::{mac, plan, records};
    use proptest::prelude::*;

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";
    const CORRECT: DriftPolicy = DriftPolicy::Correct;

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    fn set(macs: &[&str]) -> BTreeSet<MacAddress> {
        macs.iter().map(|m| mac(m)).collect()
    }

    #[test]
    fn only_owned_records_count_as_lost() {
        let desired = records(&[(M1, "10.0.0.1%0"), (M2, "10.0.0.2%0")]);
        let claims = [(mac(M1), ClaimState::Owned), (mac(M2), ClaimState::Pending)].into();
        let plan = plan(&desired, &Records::new(), &claims, MacPrefix::DEFAULT);
        assert_eq!(lost(&plan, &claims), set(&[M1]));
    }

    #[test]
    fn first_loss_is_restored_at_once() {
        let mut losses = Losses::default();
        assert!(losses.look(set(&[M1]), at(0)));
        assert_eq!(losses.hold_back(CORRECT, at(0)), set(&[]));
        assert_eq!(losses.next_turn(CORRECT), None);
    }

    #[test]
    fn second_loss_within_a_minute_is_delayed() {
        let mut losses = Losses::default();
        losses.look(set(&[M1]), at(0));
        losses.hold_back(CORRECT, at(0));
        losses.look(set(&[]), at(1));
        losses.look(set(&[M1]), at(30));
        assert_eq!(losses.hold_back(CORRECT, at(30)), set(&[M1]));
        assert_eq!(losses.next_turn(CORRECT), Some(at(60)));
        assert_eq!(losses.hold_back(CORRECT, at(60)), set(&[]));
    }

    #[test]
    fn restore_turn_spans_many_batches_and_reads() {
        let mut losses = Losses::default();
        losses.look(set(&[M1, M2]), at(0));
        losses.hold_back(CORRECT, at(0));
        assert!(!losses.look(set(&[M2]), at(5)));
        assert_eq!(losses.hold_back(CORRECT, at(5)), set(&[]));
    }

    #[test]
    fn three_losses_within_ten_minutes_are_another_writer() {
        let mut losses = Losses::default();
        for second in [0, 100, 200] {
            assert!(!losses.is_contended(at(second)));
            losses.look(set(&[M1]), at(second));
            losses.look(set(&[]), at(second + 1));
        }
        assert!(losses.is_contended(at(201)));
        assert!(!losses.is_contended(at(600)));
    }

    #[test]
    fn lasting_loss_is_counted_once() {
        let mut losses = Losses::default();
        assert!(losses.look(set(&[M1]), at(0)));
        assert!(!losses.look(set(&[M1]), at(60)));
        assert_eq!(losses.count(), 1);
    }

    #[test]
    fn reported_drift_is_never_restored() {
        let mut losses = Losses::default();
        losses.look(set(&[M1]), at(0));
        for second in [0, 1000] {
            assert_eq!(
                losses.hold_back(DriftPolicy::Report, at(second)),
                set(&[M1])
            );
        }
        assert_eq!(losses.next_turn(DriftPolicy::Report), None);
    }

    proptest! {
        #[test]
        fn restore_turns_start_at_least_a_minute_apart(
            steps in proptest::collection::vec((0_u64..40, any::<bool>()), 1..60),
        ) {
            let (mut losses, mut now, mut turns) = (Losses::default(), 0, Vec::new());
            for (pause, is_taken) in steps {
                now += pause;
                losses.look(if is_taken { set(&[M1]) } else { set(&[]) }, at(now));
                let before = losses.turn_began;
                losses.hold_back(CORRECT, at(now));
                if losses.turn_began != before {
                    turns.push(now);
                }
            }
            prop_assert!(turns.windows(2).all(|pair| pair[1] - pair[0] >= 60));
        }
    }
}
