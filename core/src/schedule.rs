//! When the next pass over a device is due, and what may bring it forward.
//!
//! Pure: moments are parameters. Knows nothing of what a pass does.

use std::time::Duration;

use crate::time::Moment;

/// How often a device is read again while a lost write may still take effect on it.
pub const REREAD: Duration = Duration::from_secs(10);

/// How soon a device that is cleaned up is looked at again.
const CLEANUP_RETRY: Duration = Duration::from_secs(10);

/// What the last pass ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The device does not answer. Only its back-off, or a person, brings the next try.
    Unreachable,
    /// It answers and refused something. Other work goes on.
    Refused,
}

/// The times that a device's task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schedule {
    /// The next verification, or the next try after trouble.
    pub next_verify: Moment,
    /// The first removal that time alone keeps.
    pub next_removal: Option<Moment>,
    /// When lost records that wait may be put back.
    pub next_restore: Option<Moment>,
    /// The next look at a device where a lost write may still take effect.
    pub next_reread: Option<Moment>,
    /// What the last pass ran into.
    pub trouble: Option<Trouble>,
}

impl Schedule {
    /// When the next pass is due. After trouble nothing comes before the back-off.
    pub fn due(&self) -> Moment {
        if self.trouble.is_some() {
            return self.next_verify;
        }
        let sooner = [self.next_removal, self.next_restore, self.next_reread];
        sooner
            .into_iter()
            .flatten()
            .fold(self.next_verify, Moment::min)
    }

    /// Whether a change of the nodes is acted on at once. A device that does not answer is not asked
    /// more often because nodes come and go.
    pub fn reacts_to_nodes(&self) -> bool {
        self.trouble != Some(Trouble::Unreachable)
    }

    /// Plans the next try of a device that is cleaned up, with `delay` after what it ran into. What `is_held`
    /// by another object is tried again when that one changes, and needs no look before.
    pub fn plan_cleanup(&mut self, delay: Duration, is_held: bool, now: Moment) {
        if !is_held {
            self.next_verify = self
                .next_verify
                .min(now + CLEANUP_RETRY)
                .max(now + delay.min(CLEANUP_RETRY));
        }
    }

    /// Plans a removal that other objects hold: not before they change, or what they need does by time
    /// alone.
    pub fn plan_held(&mut self, change: Option<Moment>) {
        self.next_removal = self.next_removal.into_iter().chain(change).min();
    }

    /// Plans the next look while a lost write may take effect until `late_until`.
    pub fn plan_reread(&mut self, late_until: Option<Moment>, now: Moment) {
        self.next_reread = late_until.map(|until| until.min(now + REREAD));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    #[test]
    fn due_removal_precedes_the_next_verification() {
        let schedule = Schedule {
            next_verify: at(60),
            next_removal: Some(at(20)),
            ..Schedule::default()
        };
        assert_eq!(schedule.due(), at(20));
    }

    #[test]
    fn removal_blocked_by_peer_schedules_no_earlier_read() {
        let mut schedule = Schedule {
            next_verify: at(60),
            ..Schedule::default()
        };
        schedule.plan_held(None);
        schedule.plan_cleanup(Duration::from_secs(40), true, at(0));
        assert_eq!(schedule.due(), at(60));
        schedule.plan_held(Some(at(30)));
        assert_eq!(schedule.due(), at(30));
        schedule.plan_cleanup(Duration::from_secs(40), false, at(0));
        assert_eq!(schedule.due(), at(10));
    }

    #[test]
    fn late_write_is_checked_every_10_s_and_at_its_deadline() {
        let mut schedule = Schedule {
            next_verify: at(600),
            ..Schedule::default()
        };
        schedule.plan_reread(Some(at(65)), at(0));
        assert_eq!(schedule.due(), at(10));
        schedule.plan_reread(Some(at(65)), at(60));
        assert_eq!(schedule.due(), at(65));
        schedule.plan_reread(None, at(65));
        assert_eq!(schedule.due(), at(600));
    }

    #[test]
    fn node_events_skip_only_unreachable_devices() {
        let after = |trouble| {
            Schedule {
                trouble,
                ..Schedule::default()
            }
            .reacts_to_nodes()
        };
        assert!(after(None));
        assert!(after(Some(Trouble::Refused)));
        assert!(!after(Some(Trouble::Unreachable)));
    }

    proptest! {
        #[test]
        fn back_off_delays_everything_after_a_failure(
            verify in 0_u64..1000, removal: Option<u16>, late: Option<u16>, unreachable: bool,
        ) {
            let moment = |second: u16| at(u64::from(second));
            let mut schedule = Schedule {
                next_verify: at(verify),
                next_removal: removal.map(moment),
                trouble: Some(if unreachable { Trouble::Unreachable } else { Trouble::Refused }),
                ..Schedule::default()
            };
            schedule.plan_reread(late.map(moment), at(0));
            prop_assert_eq!(schedule.due(), at(verify));
        }
    }
}
