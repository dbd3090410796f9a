//! Which part of a plan is carried out next, and what is claimed before and after.
//!
//! A batch is bounded, so that claims are written often enough, progress shows, and new nodes do not
//! wait behind a long backlog. Claims change *before* the device does; the functions here say how.
//! Knows nothing of requests.

use std::collections::BTreeSet;

use crate::claims::{ClaimChanges, ClaimState, DeviceClaims};
use crate::mac::MacAddress;
use crate::plan::Plan;
use crate::record::Records;

/// The most writes of one kind in a batch: one list read confirms them all.
pub const BATCH_MAX: usize = 64;

/// The most removals in a batch: what shows that they are right is read before each batch, and must
/// not grow old.
pub const REMOVALS_MAX: usize = 8;

/// The writes to make next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// To be added.
    pub add: Records,
    /// To get this endpoint.
    pub correct: Records,
    /// To be removed. Holds the observed endpoint.
    pub remove: Records,
    /// Whether more of the plan is left.
    pub more: bool,
}

impl Batch {
    /// The next writes of a plan, with the removals that are allowed. While anything is left to add
    /// or correct nothing is removed: a change makes before it breaks, and what shows that a removal
    /// is right would grow old meanwhile. Records that the device has
    /// refused lately come last, so that they keep no other waiting.
    pub fn next(
        plan: &Plan,
        allowed: &BTreeSet<MacAddress>,
        refused: &BTreeSet<MacAddress>,
    ) -> Self {
        let first = |records: &Records| -> Records {
            let (last, first): (Vec<_>, Vec<_>) =
                records.iter().partition(|(mac, _)| refused.contains(*mac));
            first
                .into_iter()
                .chain(last)
                .take(BATCH_MAX)
                .map(|(mac, e)| (*mac, *e))
                .collect()
        };
        let removals = plan.remove.iter().filter(|(mac, _)| allowed.contains(*mac));
        let (add, correct) = (first(&plan.add), first(&plan.correct));
        let writes = !(add.is_empty() && correct.is_empty());
        let backlog = add.len() < plan.add.len() || correct.len() < plan.correct.len();
        let room = if writes { 0 } else { REMOVALS_MAX };
        let remove: Records = removals
            .clone()
            .take(room)
            .map(|(mac, e)| (*mac, *e))
            .collect();
        let more = backlog || remove.len() < removals.count();
        Self {
            add,
            correct,
            remove,
            more,
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.correct.is_empty() && self.remove.is_empty()
    }
}

/// What the fate of claims depends on, besides the plan.
#[derive(Debug, Clone, Copy)]
pub struct Bookkeeping<'a> {
    /// Whether a removed record stays claimed until the unit has been saved: a reboot before that
    /// brings it back, and it is still ours to remove then.
    pub keep_until_saved: bool,
    /// Whether all that was removed so far has been saved.
    pub saved: bool,
    /// Whether a write whose fate is unknown may still take effect.
    pub awaits_late_write: bool,
    /// Records that another object takes care of.
    pub theirs: &'a BTreeSet<MacAddress>,
}

/// The claims to store before the batch is written. Names every record of the batch, also where its
/// claim stays the same: what is stored may have been lost meanwhile.
pub fn claims_before(
    plan: &Plan,
    batch: &Batch,
    claims: &DeviceClaims,
    book: Bookkeeping<'_>,
) -> ClaimChanges {
    let mut changes = ClaimChanges::new();
    for mac in &plan.gone {
        changes.insert(*mac, gone(claims.get(mac).copied(), book));
    }
    // A pending claim on a record that turned out to be another's is withdrawn.
    let withdrawn = plan.conflict.keys().filter(|mac| claims.contains_key(*mac));
    changes.extend(withdrawn.chain(&plan.disown).map(|mac| (*mac, None)));
    let left_to_others = plan.remove.keys().filter(|mac| book.theirs.contains(*mac));
    changes.extend(left_to_others.map(|mac| (*mac, None)));
    changes.extend(plan.adopt.iter().map(|mac| (*mac, Some(ClaimState::Owned))));
    changes.retain(|mac, change| claims.get(mac).copied() != *change);
    for mac in batch.add.keys() {
        // A lost record that was owned stays owned: only its presence changed.
        let owned = claims.get(mac) == Some(&ClaimState::Owned);
        let state = if owned {
            ClaimState::Owned
        } else {
            ClaimState::Pending
        };
        changes.insert(*mac, Some(state));
    }
    changes.extend(
        batch
            .correct
            .keys()
            .map(|mac| (*mac, Some(ClaimState::Owned))),
    );
    changes.extend(
        batch
            .remove
            .keys()
            .map(|mac| (*mac, Some(ClaimState::Leaving))),
    );
    changes
}

/// The claim of a record that nobody desires and that is not on the device.
fn gone(claim: Option<ClaimState>, book: Bookkeeping<'_>) -> Option<ClaimState> {
    match claim {
        // It may still come into being.
        Some(_) if book.awaits_late_write => claim,
        // It may be in the stored configuration, whoever removed it. Leaving is only what we removed:
        // that was taken from the budget once, and is free on every other device.
        Some(ClaimState::Owned | ClaimState::Leaving) if book.keep_until_saved && !book.saved => {
            claim
        }
        None | Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Endpoint, RouteDomain};
    use crate::mac::MacPrefix;
    use crate::plan::plan;
    use crate::testing::{mac, records};

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";
    const E1: &str = "10.0.0.1%0";
    const E2: &str = "10.0.0.2%0";

    const NONE: BTreeSet<MacAddress> = BTreeSet::new();
    const BOOK: Bookkeeping<'static> = Bookkeeping {
        keep_until_saved: false,
        saved: false,
        awaits_late_write: false,
        theirs: &NONE,
    };

    fn claims(pairs: &[(&str, ClaimState)]) -> DeviceClaims {
        pairs.iter().map(|(m, s)| (mac(m), *s)).collect()
    }

    fn changes(
        desired: &[(&str, &str)],
        observed: &[(&str, &str)],
        claims: &DeviceClaims,
        book: Bookkeeping<'_>,
    ) -> ClaimChanges {
        let plan = plan(
            &records(desired),
            &records(observed),
            claims,
            MacPrefix::DEFAULT,
        );
        let allowed = plan.remove.keys().copied().collect();
        claims_before(&plan, &Batch::next(&plan, &allowed, &NONE), claims, book)
    }

    #[test]
    fn a_record_is_claimed_pending_before_it_is_added() {
        let changes = changes(&[(M1, E1)], &[], &claims(&[]), BOOK);
        assert_eq!(changes, [(mac(M1), Some(ClaimState::Pending))].into());
    }

    #[test]
    fn a_record_is_claimed_leaving_before_it_is_removed() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let changes = changes(&[], &[(M1, E1)], &owned, BOOK);
        assert_eq!(changes, [(mac(M1), Some(ClaimState::Leaving))].into());
    }

    #[test]
    fn a_lost_record_that_was_owned_is_claimed_as_owned_again() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let changes = changes(&[(M1, E1)], &[], &owned, BOOK);
        assert_eq!(changes, [(mac(M1), Some(ClaimState::Owned))].into());
    }

    #[test]
    fn the_claim_of_a_record_that_another_object_cares_for_is_given_up() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let plan = plan(
            &Records::new(),
            &records(&[(M1, E1)]),
            &owned,
            MacPrefix::DEFAULT,
        );
        let batch = Batch::next(&plan, &NONE, &NONE);
        let theirs = [mac(M1)].into();
        let changes = claims_before(
            &plan,
            &batch,
            &owned,
            Bookkeeping {
                theirs: &theirs,
                ..BOOK
            },
        );
        assert_eq!(changes, [(mac(M1), None)].into());
    }

    #[test]
    fn a_refused_record_waits_behind_all_others() {
        let addresses = |from: u32| {
            (from..)
                .take(BATCH_MAX)
                .map(std::net::Ipv4Addr::from_bits)
                .map(|address| {
                    (
                        MacPrefix::DEFAULT.derive(address),
                        Endpoint::v4(address, RouteDomain::ZERO),
                    )
                })
        };
        let refused: BTreeSet<MacAddress> = addresses(0x0a00_0000).map(|(m, _)| m).collect();
        let many: Records = addresses(0x0a00_0000)
            .chain(addresses(0x0a00_0100))
            .collect();
        let plan = plan(&many, &Records::new(), &claims(&[]), MacPrefix::DEFAULT);
        let batch = Batch::next(&plan, &NONE, &refused);
        assert!(batch.add.keys().all(|mac| !refused.contains(mac)));
    }

    #[test]
    fn a_device_that_is_right_changes_no_claim() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let changes = changes(&[(M1, E1)], &[(M1, E1)], &owned, BOOK);
        assert_eq!(changes, ClaimChanges::new());
    }

    #[test]
    fn a_pending_claim_on_a_record_of_another_is_withdrawn() {
        let pending = claims(&[(M1, ClaimState::Pending)]);
        let changes = changes(&[(M1, E1)], &[(M1, "10.9.9.9")], &pending, BOOK);
        assert_eq!(changes, [(mac(M1), None)].into());
    }

    #[test]
    fn a_removed_record_stays_claimed_until_the_unit_was_saved() {
        let leaving = claims(&[(M1, ClaimState::Leaving)]);
        let keep = Bookkeeping {
            keep_until_saved: true,
            ..BOOK
        };
        assert_eq!(changes(&[], &[], &leaving, keep), ClaimChanges::new());
        let saved = Bookkeeping {
            saved: true,
            ..keep
        };
        assert_eq!(changes(&[], &[], &leaving, saved), [(mac(M1), None)].into());
        assert_eq!(changes(&[], &[], &leaving, BOOK), [(mac(M1), None)].into());
    }

    #[test]
    fn a_record_that_somebody_else_removed_does_not_count_as_removed_by_us() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let keep = Bookkeeping {
            keep_until_saved: true,
            ..BOOK
        };
        // Still owned: as leaving it would go from the other devices without being paid for.
        assert_eq!(changes(&[], &[], &owned, keep), ClaimChanges::new());
        let saved = Bookkeeping {
            saved: true,
            ..keep
        };
        assert_eq!(changes(&[], &[], &owned, saved), [(mac(M1), None)].into());
    }

    #[test]
    fn a_claim_is_kept_while_a_lost_write_may_still_take_effect() {
        let pending = claims(&[(M1, ClaimState::Pending)]);
        let late = Bookkeeping {
            awaits_late_write: true,
            ..BOOK
        };
        assert_eq!(changes(&[], &[], &pending, late), ClaimChanges::new());
        assert_eq!(changes(&[], &[], &pending, BOOK), [(mac(M1), None)].into());
    }

    #[test]
    fn a_change_of_address_adds_before_it_removes() {
        let many: Records = (0..=BATCH_MAX)
            .map(|n| {
                let address =
                    std::net::Ipv4Addr::from_bits(0x0a00_0100 + u32::try_from(n).unwrap());
                let endpoint = Endpoint::v4(address, RouteDomain::ZERO);
                (MacPrefix::DEFAULT.derive(address), endpoint)
            })
            .collect();
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let plan = plan(&many, &records(&[(M1, E1)]), &owned, MacPrefix::DEFAULT);
        let batch = Batch::next(&plan, &[mac(M1)].into(), &NONE);
        assert_eq!(
            (batch.add.len(), batch.remove.len(), batch.more),
            (BATCH_MAX, 0, true)
        );
    }

    #[test]
    fn only_allowed_records_are_removed() {
        let owned = claims(&[(M1, ClaimState::Owned), (M2, ClaimState::Owned)]);
        let plan = plan(
            &Records::new(),
            &records(&[(M1, E1), (M2, E2)]),
            &owned,
            MacPrefix::DEFAULT,
        );
        let batch = Batch::next(&plan, &[mac(M2)].into(), &NONE);
        assert_eq!((batch.remove, batch.more), (records(&[(M2, E2)]), false));
    }
}
