//! How many records may be removed within an hour.
//!
//! A wrong selector, a restored cluster or a fault of ours would remove many records one careful
//! step at a time; the budget stops that and asks a person. It is kept in the status, so that a
//! restart does not refill it. Knows nothing of why a record is to go.

use jiff::{SignedDuration, Timestamp};

/// The time over which removals are counted: at any moment, those of the hour before it.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Removals are kept in steps of this many seconds, so that there are never many.
const STEP_SECONDS: i64 = 300;
/// The most steps within an hour.
pub const STEPS_MAX: usize = 13;

/// The removals of the last hour, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// The removals, put together when they were allowed within the same five minutes.
    pub steps: Vec<Step>,
}

/// Removals that were allowed about the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When the last of them was allowed. An hour later they no longer count.
    pub time: Timestamp,
    /// How many records were claimed before the first of them.
    pub claimed: usize,
    /// How many they are.
    pub removed: usize,
}

impl Window {
    /// How many records were claimed before the first removal that still counts.
    pub fn baseline(&self) -> Option<usize> {
        self.steps.first().map(|step| step.claimed)
    }

    /// How many removals count.
    pub fn removed(&self) -> usize {
        let removed = self.steps.iter().map(|step| step.removed);
        removed.fold(0, usize::saturating_add)
    }

    /// What still counts now. A clock that jumps back lets nothing expire.
    fn current(&self, now: Timestamp) -> Self {
        let counts = |step: &&Step| now.duration_since(step.time) < HOUR;
        Self {
            steps: self.steps.iter().filter(counts).copied().collect(),
        }
    }

    fn push(&mut self, now: Timestamp, claimed: usize, count: usize) {
        let number = |time: Timestamp| time.as_second().div_euclid(STEP_SECONDS);
        match self.steps.last_mut() {
            Some(last) if number(now) <= number(last.time) => {
                last.time = last.time.max(now);
                // Claims that went in another way were not there to be removed.
                last.claimed = last.claimed.min(claimed.saturating_add(last.removed));
                last.removed = last.removed.saturating_add(count);
            }
            _ => self.steps.push(Step {
                time: now,
                claimed,
                removed: count,
            }),
        }
    }
}

/// More removals are due than the budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{asked} records are due for removal, {removed} were removed within the last hour, and {allowed} of {baseline} may be"
)]
pub struct OverBudget {
    /// How many are due.
    pub asked: usize,
    /// How many were removed within the last hour.
    pub removed: usize,
    /// How many may be removed within an hour.
    pub allowed: usize,
    /// How many records were claimed at its start.
    pub baseline: usize,
}

/// Takes `count` removals from the budget: all of them or none, since a part of a wrong removal is
/// wrong too. `claimed` is the number of records claimed now, `percent` the share of those claimed
/// at the start of the hour that may go within it; at least one may, unless it is 0.
pub fn spend(
    window: &Window,
    claimed: usize,
    count: usize,
    percent: u8,
    now: Timestamp,
) -> Result<Window, OverBudget> {
    let mut window = window.current(now);
    let (baseline, removed) = (window.baseline().unwrap_or(claimed), window.removed());
    let allowed = match percent {
        0 => 0,
        percent => (baseline.saturating_mul(usize::from(percent)) / 100).max(1),
    };
    if removed.saturating_add(count) > allowed {
        return Err(OverBudget {
            asked: count,
            removed,
            allowed,
            baseline,
        });
    }
    window.push(now, claimed, count);
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const NONE: Window = Window { steps: Vec::new() };

    #[test]
    fn half_of_the_records_may_go_within_an_hour_and_not_one_more() {
        let window = spend(&NONE, 10, 5, 50, at(0)).unwrap();
        assert_eq!((window.baseline(), window.removed()), (Some(10), 5));
        let refused = spend(&window, 5, 1, 50, at(3_599)).unwrap_err();
        assert_eq!((refused.allowed, refused.removed), (5, 5));
    }

    #[test]
    fn the_budget_cannot_be_drained_in_small_steps() {
        let (mut window, mut claimed) = (NONE, 100);
        while let Ok(next) = spend(&window, claimed, 1, 50, at(10)) {
            window = next;
            claimed -= 1;
        }
        assert_eq!(claimed, 50);
    }

    #[test]
    fn too_many_removals_are_refused_as_a_whole() {
        let refused = spend(&NONE, 10, 6, 50, at(0)).unwrap_err();
        assert_eq!(
            refused,
            OverBudget {
                asked: 6,
                removed: 0,
                allowed: 5,
                baseline: 10
            }
        );
    }

    #[test]
    fn one_record_may_always_go_unless_every_removal_needs_an_approval() {
        assert!(spend(&NONE, 1, 1, 1, at(0)).is_ok());
        assert!(spend(&NONE, 100, 1, 0, at(0)).is_err());
    }

    #[test]
    fn a_removal_counts_for_an_hour_of_its_own() {
        let first = spend(&NONE, 10, 1, 50, at(0)).unwrap();
        let full = spend(&first, 9, 4, 50, at(3_000)).unwrap();
        // The first one counts no longer, the other four still do: half of nine is four.
        assert!(spend(&full, 5, 1, 50, at(3_600)).is_err());
        let later = spend(&full, 5, 2, 50, at(6_600)).unwrap();
        assert_eq!((later.baseline(), later.removed()), (Some(5), 2));
    }

    #[test]
    fn a_clock_that_jumps_back_refills_nothing() {
        let window = spend(&NONE, 10, 5, 50, at(10_000)).unwrap();
        assert!(spend(&window, 5, 1, 50, at(0)).is_err());
    }

    proptest! {
        #[test]
        fn no_sequence_of_removals_within_any_hour_exceeds_the_share(
            claimed in 1_usize..500, percent in 1_u8..=100,
            steps in proptest::collection::vec((0_i64..900, 1_usize..50), 0..60),
        ) {
            let (mut window, mut left, mut now) = (NONE, claimed, 0);
            let mut removals: Vec<(i64, usize, usize)> = Vec::new();
            for (pause, count) in steps {
                now += pause;
                if let Ok(next) = spend(&window, left, count, percent, at(now)) {
                    window = next;
                    removals.push((now, left, count));
                    left = left.saturating_sub(count);
                }
                prop_assert!(window.steps.len() <= STEPS_MAX);
            }
            for (index, (start, before, _)) in removals.iter().enumerate() {
                let within = removals[index..].iter().take_while(|(at, ..)| at - start < 3_600);
                let removed: usize = within.map(|(.., count)| count).sum();
                prop_assert!(removed <= (before * usize::from(percent) / 100).max(1));
            }
        }
    }
}
