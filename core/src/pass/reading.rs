//! What a pass reads of a unit, and what the answers mean.
//!
//! As little as the moment allows: one read of the records when everything else is known.

use crate::reason::Reason;
use std::time::Duration;

use super::assignment::Assignment;
use super::memory::Memory;
use super::{Depth, PassError};
use crate::claims::{ClaimState, DeviceClaims};
use crate::endpoint::Endpoint;
use crate::record::ObservedRecords;
use crate::time::Moment;
use crate::unit::UnitFacts;

/// How long a unit's facts are taken for unchanged.
const FACTS_AGE_MAX: Duration = Duration::from_secs(300);
/// How many of our records may be missing before the unit is asked whether it is ready at all.
const MISSING_MAX: usize = 3;

/// What has to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The unit's facts.
    pub facts: bool,
    /// The records.
    pub records: bool,
}

/// What a pass of this depth reads, with what is known. A node that came does not wait for facts: the next
/// verification reads them.
pub fn required_reading(memory: &Memory, depth: Depth, now: Moment) -> Reading {
    let facts = match (&memory.facts, depth) {
        (Some(_), Depth::Quick) => false,
        (Some(known), Depth::Verify) => known.read_at + FACTS_AGE_MAX <= now,
        (Some(_), Depth::Removal) | (None, _) => true,
    };
    Reading {
        facts,
        records: depth != Depth::Quick || memory.listing.is_none(),
    }
}

/// Whether so many of our records are missing that the unit has to confirm that it is ready: one that is
/// starting shows empty lists.
pub fn has_lost_many(claims: &DeviceClaims, observed: &ObservedRecords) -> bool {
    let owned = claims
        .iter()
        .filter(|(_, state)| **state == ClaimState::Owned);
    let missing = owned.filter(|(mac, _)| !observed.contains(**mac));
    missing.count() > MISSING_MAX
}

/// The tunnel's local address: endpoints lie in its route domain. `None` where no endpoint is made, because
/// records are only removed.
///
/// # Errors
///
/// The route domain of the endpoints is not known.
pub fn local_address(work: &Assignment, facts: &UnitFacts) -> Result<Option<Endpoint>, PassError> {
    match facts.tunnel.local_address {
        _ if work.purpose.is_clean_up() => Ok(None),
        Some(local) if local.address.is_ipv4() => Ok(Some(local)),
        _ => Err(PassError::refused(
            Reason::TunnelMismatch,
            format!(
                "the local address of {} is not an IPv4 address; records could not tell their \
                 route domain",
                facts.tunnel.full_path
            ),
        )),
    }
}

/// Whether it is not known any more which unit the device is after this error: it does not answer, or it is another
/// one.
pub fn casts_doubt(error: &PassError) -> bool {
    match error {
        PassError::Unreachable { .. } => true,
        PassError::Refused(failure) => failure.reason == Reason::DeviceIdentityChanged,
        PassError::Restart | PassError::Stopping => false,
    }
}

/// Checks that the unit runs a version that is written to.
///
/// # Errors
///
/// It is too old.
pub fn check_version(facts: &UnitFacts) -> Result<(), PassError> {
    if facts.version.is_supported() {
        return Ok(());
    }
    Err(PassError::refused(
        Reason::UnsupportedVersion,
        format!("TMOS {} is too old; 13.1 or later is needed", facts.version),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Listing;
    use crate::pass::assignment::{CleanUp, Purpose};
    use crate::pass::memory::KnownFacts;
    use crate::pass::testing::{NOW, assignment, at, memory};
    use crate::testing::{facts, mac};
    use crate::unit::FailoverState;

    fn reading(depth: Depth, read_at: Option<u64>, listed: bool, now: u64) -> (bool, bool) {
        let mut memory = memory();
        memory.facts = read_at.map(|second| KnownFacts {
            facts: facts("a", FailoverState::Active),
            read_at: at(second),
        });
        if listed {
            memory.note_listing(Listing::default(), NOW);
        }
        let Reading { facts, records } = required_reading(&memory, depth, at(now));
        (facts, records)
    }

    #[test]
    fn each_depth_reads_what_it_must_and_no_more() {
        use Depth::{Quick, Removal, Verify};
        for (depth, read_at, listed, now, expected) in [
            (Quick, Some(0), true, 9999, (false, false)),
            (Quick, Some(0), false, 0, (false, true)),
            (Quick, None, true, 0, (true, false)),
            (Verify, Some(0), true, 299, (false, true)),
            (Verify, Some(0), true, 300, (true, true)),
            (Verify, None, true, 0, (true, true)),
            (Removal, Some(0), true, 0, (true, true)),
        ] {
            let found = reading(depth, read_at, listed, now);
            assert_eq!(found, expected, "{depth:?} {read_at:?} {listed} {now}");
        }
    }

    #[test]
    fn unit_without_four_owned_records_is_asked_twice() {
        let owned = |count: u8| -> DeviceClaims {
            let macs = (1..=count).map(|n| mac(&format!("0a:0a:0a:00:00:{n:02x}")));
            macs.map(|mac| (mac, ClaimState::Owned)).collect()
        };
        let none = ObservedRecords::default();
        assert!(!has_lost_many(&owned(3), &none));
        assert!(has_lost_many(&owned(4), &none));
        let mut pending = owned(4);
        for state in pending.values_mut() {
            *state = ClaimState::Pending;
        }
        assert!(!has_lost_many(&pending, &none));
    }

    #[test]
    fn clean_up_needs_no_local_address() {
        let mut facts = facts("a", FailoverState::Active);
        let mut work = assignment(&[]);
        assert_eq!(local_address(&work, &facts), Ok(facts.tunnel.local_address));
        facts.tunnel.local_address = None;
        let error = local_address(&work, &facts).unwrap_err();
        assert_eq!(error.failure().unwrap().reason, Reason::TunnelMismatch);
        work.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
        assert_eq!(local_address(&work, &facts), Ok(None));
    }

    #[test]
    fn version_without_readiness_is_refused() {
        let mut facts = facts("a", FailoverState::Active);
        assert_eq!(check_version(&facts), Ok(()));
        facts.version = "12.1.5".parse().unwrap();
        let error = check_version(&facts).unwrap_err();
        assert_eq!(error.failure().unwrap().reason, Reason::UnsupportedVersion);
    }
}
