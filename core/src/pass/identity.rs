//! Which unit is trusted: the one that the claims were made on, and no other until a user accepts it.
//!
//! Behind the same name there may be another unit: a replaced one, a changed address, a second entry for the same
//! one.

use super::PassError;
use super::assignment::{Assignment, CleanUp, Purpose};
use super::memory::Memory;
use crate::answers::ACCEPT_DEVICE;
use crate::claims::DeviceClaims;
use crate::outcome::Reach;
use crate::reason::Reason;
use crate::unit::UnitIdentity;

/// What the identity of a unit means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is the unit that the claims were made on, or nothing is claimed.
    Known,
    /// Another unit, which a user has accepted: the claims are void, and what matches is adopted as on a new
    /// device.
    Accepted,
}

/// Judges the unit that answers, and notes it.
///
/// # Errors
///
/// It is another unit than the one that the claims were made on, and no user has accepted it.
pub fn judge_unit(
    memory: &mut Memory,
    work: &Assignment,
    claims: &DeviceClaims,
    identity: &UnitIdentity,
) -> Result<Trust, PassError> {
    memory.report.reach = Reach::Answered;
    memory.report.found_identity = None;
    let identity = identity.to_string();
    let known = memory.identity.as_ref();
    if known.is_none_or(|known| *known == identity) || claims.is_empty() {
        memory.report.identity = Some(identity.clone());
        memory.identity = Some(identity);
        return Ok(Trust::Known);
    }
    let accepted = work.accepted.as_ref();
    let is_accepted = accepted.is_some_and(|answer| answer.names(&work.device, Some(&identity)));
    if is_accepted && work.purpose != Purpose::Observe {
        return Ok(Trust::Accepted);
    }
    memory.report.found_identity = Some(identity.clone());
    let before = known.map_or("another unit", String::as_str);
    Err(PassError::refused(
        Reason::DeviceIdentityChanged,
        format!(
            "this was {before} and is now {identity}; nothing is written until the annotation {} is \
             {}={identity}",
            ACCEPT_DEVICE, work.device
        ),
    ))
}

/// Takes over an accepted unit, when the claims on the one before are dropped. What was changed on that one is
/// not saved on this one.
pub fn take_over(memory: &mut Memory, identity: &UnitIdentity) {
    let identity = identity.to_string();
    memory.report.identity = Some(identity.clone());
    memory.identity = Some(identity);
    memory.unsaved = None;
    memory.report.save.unsaved_since = None;
}

/// Checks that no device listed before this one is the same unit: only that one is written to. An object that
/// is deleted removes its records through both.
///
/// # Errors
///
/// The unit is listed twice.
pub fn check_duplicate(
    work: &Assignment,
    twin: Option<&str>,
    identity: &UnitIdentity,
) -> Result<(), PassError> {
    let Some(twin) = twin else { return Ok(()) };
    let message = match work.purpose {
        Purpose::CleanUp(CleanUp::ObjectDeleted) => return Ok(()),
        Purpose::CleanUp(CleanUp::DeviceRemoved) => {
            format!("the same unit is listed as {twin}, and keeps its records")
        }
        Purpose::Maintain | Purpose::Observe => {
            format!("this is the same unit as {twin} ({identity}); list each unit once")
        }
    };
    Err(PassError::refused(Reason::DuplicateUnit, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::{Answer, Subject};
    use crate::claims::ClaimState;
    use crate::pass::testing::{NOW, assignment, at, memory};
    use crate::testing::{mac, unit};

    fn claims() -> DeviceClaims {
        [(mac("0a:0a:0a:00:00:01"), ClaimState::Owned)].into()
    }

    fn identity(name: &str) -> UnitIdentity {
        unit(name, 1).identity
    }

    #[test]
    fn first_unit_is_trusted_and_remembered() {
        let (mut memory, work) = (memory(), assignment(&[]));
        let trust = judge_unit(&mut memory, &work, &claims(), &identity("one"));
        assert_eq!(trust, Ok(Trust::Known));
        assert_eq!(memory.identity, Some(identity("one").to_string()));
    }

    #[test]
    fn other_unit_is_refused_while_something_is_claimed() {
        let (mut memory, work) = (memory(), assignment(&[]));
        judge_unit(&mut memory, &work, &claims(), &identity("one")).unwrap();
        let error = judge_unit(&mut memory, &work, &claims(), &identity("two")).unwrap_err();
        let failure = error.failure().unwrap();
        assert_eq!(failure.reason, Reason::DeviceIdentityChanged);
        assert!(
            failure.message.contains("accept-device is a=two"),
            "{failure:?}"
        );
        assert_eq!(memory.identity, Some(identity("one").to_string()));
        let none = DeviceClaims::new();
        let trust = judge_unit(&mut memory, &work, &none, &identity("two"));
        assert_eq!(trust, Ok(Trust::Known));
    }

    #[test]
    fn accepted_unit_is_taken_over_without_unsaved_changes() {
        let (mut memory, mut work) = (memory(), assignment(&[]));
        judge_unit(&mut memory, &work, &claims(), &identity("one")).unwrap();
        memory.note_change((at(0), NOW));
        let subject = Subject::Device {
            name: "a".into(),
            identity: identity("two").to_string(),
        };
        work.accepted = Some(Answer::new(subject, &[]));
        let other = judge_unit(&mut memory, &work, &claims(), &identity("three"));
        assert!(other.is_err(), "another one than the accepted unit");
        let trust = judge_unit(&mut memory, &work, &claims(), &identity("two"));
        assert_eq!(trust, Ok(Trust::Accepted));
        take_over(&mut memory, &identity("two"));
        assert_eq!(memory.unsaved, None);
        let trust = judge_unit(&mut memory, &work, &claims(), &identity("two"));
        assert_eq!(trust, Ok(Trust::Known));
    }

    #[test]
    fn unit_listed_twice_is_refused_unless_deleting() {
        let mut work = assignment(&[]);
        let one = identity("one");
        for (purpose, is_refused) in [
            (Purpose::Maintain, true),
            (Purpose::Observe, true),
            (Purpose::CleanUp(CleanUp::DeviceRemoved), true),
            (Purpose::CleanUp(CleanUp::ObjectDeleted), false),
        ] {
            work.purpose = purpose;
            let checked = check_duplicate(&work, Some("b"), &one);
            assert_eq!(checked.is_err(), is_refused, "{purpose:?}");
            assert_eq!(check_duplicate(&work, None, &one), Ok(()));
        }
    }
}
