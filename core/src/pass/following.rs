//! What follows a pass: the next one at once, or when.

use crate::reason::Reason;
use std::time::Duration;

use super::assignment::Assignment;
use super::decision::Next;
use super::memory::Memory;
use super::{Depth, PassError, PassOutcome};
use crate::claims::{DeviceClaims, OWNERSHIP_BYTES_MAX};
use crate::outcome::Failure;
use crate::plan::Plan;
use crate::requeue::{Ended, next_delay};
use crate::schedule::Trouble;
use crate::time::Moment;

/// Whether a batch was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All of it.
    Complete,
    /// Something newer is to be worked on first.
    Interrupted,
}

/// How a pass ends whose writes were made. `left`: the claims that are left.
///
/// # Errors
///
/// Something keeps the device from being right, or the object from going, and no further write changes that.
pub fn outcome(
    memory: &Memory,
    work: &Assignment,
    (plan, next): (&Plan, &Next),
    left: &DeviceClaims,
    (depth, progress): (Depth, Progress),
) -> Result<PassOutcome, PassError> {
    let batch = &next.batch;
    let is_clean_up = work.purpose.is_clean_up();
    if is_clean_up && batch.is_empty() && !left.is_empty() {
        check_hold(memory, plan)?;
    }
    let removal_is_due = depth != Depth::Removal && !next.verdict.remove.is_empty();
    if batch.more || progress == Progress::Interrupted {
        // What was written was read back: the next batch needs no verification of its own.
        let removes = !batch.remove.is_empty();
        Ok(PassOutcome::Requeue(if removes {
            depth
        } else {
            Depth::Quick
        }))
    } else if is_clean_up && left.is_empty() {
        Ok(PassOutcome::Clean)
    } else if removal_is_due || is_clean_up && !batch.is_empty() {
        Ok(PassOutcome::Requeue(Depth::Removal))
    } else if batch.without_room > 0 {
        Err(no_room(batch.without_room))
    } else {
        Ok(PassOutcome::Settled)
    }
}

/// Checks whether a clean-up is held: by another object, or by a record that cannot be read.
fn check_hold(memory: &Memory, plan: &Plan) -> Result<(), PassError> {
    let neighbours = memory.report.held_by_neighbours.as_ref();
    let (reason, message) = match (neighbours, plan.unreadable_stale.first()) {
        (Some(hold), _) => (Reason::HeldByNeighbour, hold.to_string()),
        (None, Some(mac)) => (
            Reason::CleanupFailed,
            format!("the endpoint of record {mac} cannot be read: delete it on the BIG-IP"),
        ),
        (None, None) => return Ok(()),
    };
    Err(PassError::Refused(Failure {
        reason,
        message,
        retryable: true,
    }))
}

/// More nodes than claims can be stored for.
fn no_room(count: usize) -> PassError {
    PassError::refused(
        Reason::TooManyNodes,
        format!(
            "{count} nodes have no claimed record: the claims of an object can take up {} KiB, names of \
             nodes included. Select fewer nodes, and the others in a second object",
            OWNERSHIP_BYTES_MAX / 1024
        ),
    )
}

/// Plans the next pass. `random` is uniform in 0..1.
pub fn plan_next(
    memory: &mut Memory,
    work: &Assignment,
    interval: Duration,
    (depth, ended): (Depth, &Result<PassOutcome, PassError>),
    now: Moment,
    random: f64,
) {
    memory.failures = match ended {
        // What follows at once shows whether the trouble is over.
        Ok(PassOutcome::Requeue(_)) => memory.failures,
        Ok(_) => 0,
        Err(_) => memory.failures.saturating_add(1),
    };
    let delay = next_delay(requeue(memory, ended), interval, random);
    memory.schedule.trouble = match ended {
        Ok(_) | Err(PassError::Restart | PassError::Stopping) => None,
        Err(PassError::Unreachable { .. }) => Some(Trouble::Unreachable),
        Err(PassError::Refused(_)) => Some(Trouble::Refused),
    };
    let schedule = &mut memory.schedule;
    if depth > Depth::Quick || ended.is_err() {
        schedule.next_verify = now + delay;
    } else if !memory.rejected.is_empty() {
        schedule.next_verify = schedule.next_verify.min(now + delay);
    }
    if work.purpose.is_clean_up() {
        let is_held = memory.report.held_by_neighbours.is_some();
        schedule.plan_cleanup(delay, is_held, now);
    }
    schedule.plan_reread(memory.late_write_until, now);
}

/// How long a device is left alone after a pass that ended so.
fn requeue(memory: &Memory, ended: &Result<PassOutcome, PassError>) -> Ended {
    let retry = |retry_after| Ended::Retry {
        attempt: memory.failures,
        retry_after,
    };
    match ended {
        // What was refused is tried again by the next verification.
        Ok(_) if !memory.rejected.is_empty() => Ended::NeedsPerson,
        Ok(_) | Err(PassError::Restart | PassError::Stopping) => Ended::Settled,
        Err(error) if error.failure().is_some_and(is_cheap_to_retry) => retry(None),
        Err(PassError::Unreachable {
            failure,
            retry_after,
        }) if failure.retryable => retry(*retry_after),
        Err(PassError::Refused(failure)) if failure.retryable => retry(None),
        Err(_) => Ended::NeedsPerson,
    }
}

/// Whether another try asks only the Kubernetes API: the object that is missing may be created any moment, and
/// waiting a whole interval for it would look broken.
fn is_cheap_to_retry(failure: &Failure) -> bool {
    matches!(
        failure.reason,
        Reason::SecretNotFound
            | Reason::SecretInvalid
            | Reason::SecretForbidden
            | Reason::CaBundleNotFound
            | Reason::CaBundleInvalid
            | Reason::CaBundleForbidden
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::claims::ClaimState;
    use crate::guard::Verdict;
    use crate::outcome::NeighbourHold;
    use crate::pass::assignment::{CleanUp, Purpose};
    use crate::pass::testing::{NOW, assignment, at, memory};
    use crate::reason::Reason;
    use crate::testing::{mac, records};

    const M1: &str = "0a:0a:0a:00:00:01";
    const INTERVAL: Duration = Duration::from_secs(60);

    fn claimed() -> DeviceClaims {
        [(mac(M1), ClaimState::Leaving)].into()
    }

    fn end(
        purpose: Purpose,
        next: &Next,
        left: &DeviceClaims,
        depth: Depth,
        progress: Progress,
    ) -> Result<PassOutcome, PassError> {
        let mut work = assignment(&[]);
        work.purpose = purpose;
        let plan = Plan::default();
        outcome(&memory(), &work, (&plan, next), left, (depth, progress))
    }

    fn batch(batch: Batch) -> Next {
        Next {
            batch,
            ..Next::default()
        }
    }

    #[test]
    fn more_to_add_needs_no_further_verification() {
        let more = |remove: &[(&str, &str)]| {
            let next = batch(Batch {
                more: true,
                remove: records(remove),
                ..Batch::default()
            });
            let (none, depth) = (DeviceClaims::new(), Depth::Removal);
            end(Purpose::Maintain, &next, &none, depth, Progress::Complete)
        };
        assert_eq!(more(&[]), Ok(PassOutcome::Requeue(Depth::Quick)));
        let again = Ok(PassOutcome::Requeue(Depth::Removal));
        assert_eq!(more(&[(M1, "10.0.0.1%0")]), again);
    }

    #[test]
    fn interrupted_pass_is_followed_at_once() {
        let (next, none) = (Next::default(), DeviceClaims::new());
        let (purpose, depth) = (Purpose::Maintain, Depth::Verify);
        let ended = end(purpose, &next, &none, depth, Progress::Interrupted);
        assert_eq!(ended, Ok(PassOutcome::Requeue(Depth::Quick)));
    }

    #[test]
    fn due_removal_gets_a_pass_of_its_own() {
        let next = Next {
            verdict: Verdict {
                remove: [mac(M1)].into(),
                ..Verdict::default()
            },
            ..Next::default()
        };
        let ended = |depth| {
            end(
                Purpose::Maintain,
                &next,
                &claimed(),
                depth,
                Progress::Complete,
            )
        };
        let removal = Ok(PassOutcome::Requeue(Depth::Removal));
        assert_eq!(ended(Depth::Quick), removal);
        assert_eq!(ended(Depth::Verify), removal);
        assert_eq!(ended(Depth::Removal), Ok(PassOutcome::Settled));
    }

    #[test]
    fn clean_up_ends_when_no_claim_is_left() {
        let purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
        let removes = batch(Batch {
            remove: records(&[(M1, "10.0.0.1%0")]),
            ..Batch::default()
        });
        let ended =
            |next: &Next, left| end(purpose, next, left, Depth::Removal, Progress::Complete);
        let none = DeviceClaims::new();
        assert_eq!(ended(&removes, &none), Ok(PassOutcome::Clean));
        let again = Ok(PassOutcome::Requeue(Depth::Removal));
        let claimed = claimed();
        assert_eq!(ended(&removes, &claimed), again);
        let waits = ended(&Next::default(), &claimed);
        assert_eq!(waits, Ok(PassOutcome::Settled));
    }

    #[test]
    fn held_clean_up_says_what_holds_it() {
        let mut work = assignment(&[]);
        work.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
        let (mut memory, next) = (memory(), Next::default());
        let mut plan = Plan::default();
        plan.unreadable_stale.insert(mac(M1));
        let reason = |memory: &Memory| {
            let how = (Depth::Removal, Progress::Complete);
            let ended = outcome(memory, &work, (&plan, &next), &claimed(), how);
            ended.unwrap_err().failure().unwrap().reason
        };
        assert_eq!(reason(&memory), Reason::CleanupFailed);
        memory.report.held_by_neighbours = Some(NeighbourHold { count: 1, by: None });
        assert_eq!(reason(&memory), Reason::HeldByNeighbour);
    }

    #[test]
    fn claims_without_room_are_reported_when_all_else_is_done() {
        let full = |more| {
            let next = batch(Batch {
                without_room: 2,
                more,
                ..Batch::default()
            });
            let (none, depth) = (DeviceClaims::new(), Depth::Verify);
            end(Purpose::Maintain, &next, &none, depth, Progress::Complete)
        };
        assert!(full(true).is_ok());
        assert_eq!(
            full(false).unwrap_err().failure().unwrap().reason,
            Reason::TooManyNodes
        );
    }

    fn failed(reason: Reason, retryable: bool) -> Failure {
        Failure {
            reason,
            message: String::new(),
            retryable,
        }
    }

    #[test]
    fn failures_in_a_row_are_retried_later_and_later() {
        let (mut memory, work) = (memory(), assignment(&[]));
        let unreachable = Err(PassError::unreachable(failed(Reason::Timeout, true)));
        let due = |memory: &mut Memory, ended: &Result<PassOutcome, PassError>| {
            plan_next(memory, &work, INTERVAL, (Depth::Verify, ended), at(0), 1.0);
            memory.schedule.due()
        };
        assert_eq!(due(&mut memory, &unreachable), at(1));
        assert_eq!(due(&mut memory, &unreachable), at(2));
        assert_eq!(
            due(&mut memory, &Ok(PassOutcome::Requeue(Depth::Quick))),
            at(66)
        );
        assert_eq!(memory.failures, 2);
        assert_eq!(due(&mut memory, &unreachable), at(4));
        due(&mut memory, &Ok(PassOutcome::Settled));
        assert_eq!((memory.failures, memory.schedule.trouble), (0, None));
    }

    #[test]
    fn missing_secret_is_retried_sooner_than_a_wrong_password() {
        let work = assignment(&[]);
        let due = |reason| {
            let (mut memory, ended) = (memory(), PassError::unreachable(failed(reason, false)));
            let how = (Depth::Verify, &Err(ended));
            plan_next(&mut memory, &work, INTERVAL, how, at(0), 1.0);
            memory.schedule.due()
        };
        assert_eq!(due(Reason::SecretNotFound), at(1));
        assert_eq!(due(Reason::AuthenticationFailed), at(60));
    }

    #[test]
    fn quick_pass_postpones_no_verification() {
        let (mut memory, work) = (memory(), assignment(&[]));
        let settled = Ok(PassOutcome::Settled);
        plan_next(
            &mut memory,
            &work,
            INTERVAL,
            (Depth::Verify, &settled),
            at(0),
            0.5,
        );
        let due = memory.schedule.due();
        plan_next(
            &mut memory,
            &work,
            INTERVAL,
            (Depth::Quick, &settled),
            at(50),
            0.5,
        );
        assert_eq!(memory.schedule.due(), due);
        memory.note_uncertain((at(50), NOW));
        plan_next(
            &mut memory,
            &work,
            INTERVAL,
            (Depth::Quick, &settled),
            at(50),
            0.5,
        );
        assert_eq!(memory.schedule.due(), at(60), "a late write is looked for");
    }
}
