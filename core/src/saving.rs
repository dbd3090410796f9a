//! When a unit's running configuration is saved.
//!
//! A save writes *everything* that anybody changed on the unit, not only our records, so it is rare:
//! after a quiet time, never twice in ten minutes, and within an hour of the first change at the
//! latest. Knows nothing of how a save is done.

use std::time::Duration;

use crate::time::Moment;

/// The least time between two saves of one unit.
pub const SAVE_GAP: Duration = Duration::from_secs(600);

/// The longest that a change stays unsaved while others keep coming.
pub const SAVE_LATEST: Duration = Duration::from_secs(3600);

/// Changes on a unit that its stored configuration does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsaved {
    /// The first of them.
    pub first: Moment,
    /// The last of them.
    pub last: Moment,
}

impl Unsaved {
    /// The changes with one more at `now`.
    #[must_use]
    pub fn with_change(unsaved: Option<Self>, now: Moment) -> Self {
        Self {
            first: unsaved.map_or(now, |u| u.first),
            last: now,
        }
    }

    /// When to save: `delay` after the last change, within the bounds above. `last_try` is the last
    /// time this unit was told to save, successfully or not.
    pub fn due(self, delay: Duration, last_try: Option<Moment>) -> Moment {
        let quiet = (self.last + delay).min(self.first + SAVE_LATEST);
        last_try.map_or(quiet, |last| quiet.max(last + SAVE_GAP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(300);

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    #[test]
    fn save_waits_for_quiet_time_after_the_last_change() {
        let unsaved = Unsaved::with_change(Some(Unsaved::with_change(None, at(0))), at(100));
        assert_eq!(unsaved.due(DELAY, None), at(400));
    }

    #[test]
    fn steady_changes_are_saved_within_an_hour() {
        assert_eq!(
            Unsaved {
                first: at(0),
                last: at(3590)
            }
            .due(DELAY, None),
            at(3600)
        );
    }

    #[test]
    fn unit_is_never_saved_twice_in_ten_minutes() {
        let unsaved = Unsaved {
            first: at(1000),
            last: at(1000),
        };
        assert_eq!(unsaved.due(Duration::ZERO, Some(at(900))), at(1500));
    }
}
