//! How many records may be removed within an hour.
//!
//! A wrong selector, a restored cluster or a fault of ours would remove many records one careful
//! step at a time; the budget stops that and asks a person. It is kept in the status, so that a
//! restart does not refill it. Knows nothing of why a record is to go.

use jiff::{SignedDuration, Timestamp};

/// How long a window lasts, counted from the removal that began it.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// The removals of the current hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When the first of them was allowed.
    pub start: Timestamp,
    /// How many records were claimed then.
    pub baseline: usize,
    /// How many have been allowed since.
    pub removed: usize,
}

/// More removals are due than the budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{asked} records are due for removal, {removed} were removed in this hour, and {allowed} of {baseline} may be"
)]
pub struct OverBudget {
    /// How many are due.
    pub asked: usize,
    /// How many were removed in this window.
    pub removed: usize,
    /// How many may be removed in it.
    pub allowed: usize,
    /// How many records were claimed at its start.
    pub baseline: usize,
}

/// Takes `count` removals from the budget: all of them or none, since a part of a wrong removal is
/// wrong too. `claimed` is the number of records claimed now, `percent` the share of them that may go
/// within an hour; at least one may, unless it is 0.
///
/// A clock that jumps back does not begin a new window.
pub fn spend(
    window: Option<Window>,
    claimed: usize,
    count: usize,
    percent: u8,
    now: Timestamp,
) -> Result<Window, OverBudget> {
    let current = window.filter(|window| now.duration_since(window.start) < WINDOW);
    let mut window = current.unwrap_or(Window {
        start: now,
        baseline: claimed,
        removed: 0,
    });
    let allowed = match percent {
        0 => 0,
        percent => (window.baseline * usize::from(percent) / 100).max(1),
    };
    if window.removed + count > allowed {
        let Window {
            baseline, removed, ..
        } = window;
        return Err(OverBudget {
            asked: count,
            removed,
            allowed,
            baseline,
        });
    }
    window.removed += count;
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn half_of_the_records_may_go_within_an_hour_and_not_one_more() {
        let window = spend(None, 10, 5, 50, at(0)).unwrap();
        assert_eq!(
            window,
            Window {
                start: at(0),
                baseline: 10,
                removed: 5
            }
        );
        let refused = spend(Some(window), 5, 1, 50, at(3_599)).unwrap_err();
        assert_eq!((refused.allowed, refused.removed), (5, 5));
    }

    #[test]
    fn the_budget_cannot_be_drained_in_small_steps() {
        let mut window = None;
        let mut claimed = 100;
        while let Ok(next) = spend(window, claimed, 1, 50, at(10)) {
            window = Some(next);
            claimed -= 1;
        }
        assert_eq!(claimed, 50);
    }

    #[test]
    fn too_many_removals_are_refused_as_a_whole() {
        let refused = spend(None, 10, 6, 50, at(0)).unwrap_err();
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
        assert!(spend(None, 1, 1, 1, at(0)).is_ok());
        assert!(spend(None, 100, 1, 0, at(0)).is_err());
    }

    #[test]
    fn an_hour_after_its_first_removal_a_window_is_over() {
        let window = spend(None, 10, 5, 50, at(0)).unwrap();
        let next = spend(Some(window), 5, 2, 50, at(3_600)).unwrap();
        assert_eq!(
            next,
            Window {
                start: at(3_600),
                baseline: 5,
                removed: 2
            }
        );
    }

    #[test]
    fn a_clock_that_jumps_back_refills_nothing() {
        let window = spend(None, 10, 5, 50, at(10_000)).unwrap();
        assert!(spend(Some(window), 5, 1, 50, at(0)).is_err());
    }

    proptest! {
        #[test]
        fn no_sequence_of_removals_within_an_hour_exceeds_the_share(
            claimed in 1_usize..500, percent in 1_u8..=100, steps in proptest::collection::vec(1_usize..50, 0..40),
        ) {
            let mut window = None;
            let mut left = claimed;
            for (second, count) in steps.into_iter().enumerate() {
                let now = at(i64::try_from(second).unwrap());
                if let Ok(next) = spend(window, left, count, percent, now) {
                    window = Some(next);
                    left = left.saturating_sub(count);
                }
            }
            let removed = window.map_or(0, |window| window.removed);
            prop_assert!(removed <= (claimed * usize::from(percent) / 100).max(1));
        }
    }
}
