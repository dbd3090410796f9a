//! When a unit is saved, and how the result is taken in.

use std::time::Duration;

use jiff::Timestamp;

use super::memory::Memory;
use super::{Fault, RequestError};
use crate::saving::Unsaved;
use crate::time::Moment;

/// When the unit is saved next. Only one whose identity was read under the current login, and that may be written
/// to, is saved. `last_try` is when that was last tried.
pub fn save_due(
    memory: &Memory,
    delay: Option<Duration>,
    last_try: Option<Moment>,
) -> Option<Moment> {
    let (delay, unsaved) = (delay?, memory.unsaved?);
    memory.facts.as_ref()?;
    Some(unsaved.due(delay, last_try))
}

/// Takes in the result of a save that was begun at `begun`. Returns whether the unit was saved.
pub fn take_save_result(
    memory: &mut Memory,
    begun: Moment,
    result: Result<(), RequestError>,
    time: Timestamp,
) -> bool {
    let save = &mut memory.report.save;
    match result {
        Ok(()) => {
            save.last_save_time = Some(time);
            save.failure = None;
            // What was changed while the unit saved is not surely in what it saved.
            let later = memory.unsaved.filter(|unsaved| unsaved.last >= begun);
            memory.unsaved = later.map(|unsaved| Unsaved {
                first: begun,
                last: unsaved.last,
            });
            save.unsaved_since = later.and(save.last_save_time);
            true
        }
        // It was not sent: the unit is asked for its identity first, and saved then.
        Err(error) if error.fault == Fault::LoginEnded => false,
        Err(error) => {
            save.failure = Some(error.failure);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Failure;
    use crate::pass::memory::KnownFacts;
    use crate::pass::testing::{NOW, at, memory};
    use crate::reason::Reason;
    use crate::testing::facts;
    use crate::unit::FailoverState;

    fn changed(second: u64) -> Memory {
        let mut memory = memory();
        memory.facts = Some(KnownFacts {
            facts: facts("a", FailoverState::Active),
            read_at: at(0),
        });
        memory.note_change((at(second), NOW));
        memory
    }

    fn failed(fault: Fault) -> RequestError {
        RequestError {
            fault,
            failure: Failure {
                reason: Reason::Timeout,
                message: String::new(),
                retryable: true,
            },
            code: None,
            is_uncertain: true,
            retry_after: None,
        }
    }

    #[test]
    fn unit_that_is_not_known_is_not_told_to_save() {
        let mut memory = changed(10);
        let delay = Some(Duration::from_secs(300));
        assert_eq!(save_due(&memory, delay, None), Some(at(310)));
        assert_eq!(save_due(&memory, None, None), None);
        memory.facts = None;
        assert_eq!(save_due(&memory, delay, None), None);
    }

    #[test]
    fn change_during_a_save_is_saved_again() {
        let mut memory = changed(10);
        assert!(take_save_result(&mut memory, at(20), Ok(()), NOW));
        assert_eq!(
            (memory.unsaved, memory.report.save.unsaved_since),
            (None, None)
        );
        memory.note_change((at(30), NOW));
        assert!(take_save_result(&mut memory, at(25), Ok(()), NOW));
        let left = memory.unsaved.map(|unsaved| (unsaved.first, unsaved.last));
        assert_eq!(left, Some((at(25), at(30))));
        assert_eq!(memory.report.save.unsaved_since, Some(NOW));
    }

    #[test]
    fn save_that_was_not_sent_is_no_failure() {
        let mut memory = changed(10);
        assert!(!take_save_result(
            &mut memory,
            at(20),
            Err(failed(Fault::LoginEnded)),
            NOW
        ));
        assert_eq!(memory.report.save.failure, None);
        assert!(!take_save_result(
            &mut memory,
            at(20),
            Err(failed(Fault::Unreachable)),
            NOW
        ));
        assert!(memory.report.save.failure.is_some() && memory.unsaved.is_some());
    }
}
