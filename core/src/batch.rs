//! Which part of a plan is carried out next, and what is claimed before and after.
//!
//! A batch is bounded, so that claims are written often enough, progress shows, and new nodes do not
//! wait behind a long backlog. Claims change *before* the device does; the functions here say how.
//! Knows nothing of requests.

use std::collections::{BTreeMap, BTreeSet};

use crate::claims::{ClaimChanges, ClaimState, DeviceClaims, stored_bytes};
use crate::desired::DesiredNode;
use crate::endpoint::Endpoint;
use crate::mac::MacAddress;
use crate::plan::Plan;
use crate::record::Records;

/// The most records that a batch writes: one list read confirms them all.
pub const BATCH_MAX: usize = 64;

/// The most removals in a batch: what shows that they are right is read before each batch, and must
/// not grow old.
pub const REMOVALS_MAX: usize = 8;

/// The writes to make next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// On the device as desired, and to be claimed as ours without a write.
    pub adopt: BTreeSet<MacAddress>,
    /// To be added.
    pub add: Records,
    /// To get this endpoint.
    pub correct: Records,
    /// To be removed. Holds the observed endpoint.
    pub remove: Records,
    /// Whether more of the plan can be carried out after this.
    pub more: bool,
    /// Records that can be neither adopted nor added because no more claims can be stored.
    pub without_room: usize,
}

/// Whether this plan fills an empty tunnel with more records than one batch: nothing is on the
/// device, and nothing that is there was ever ours.
pub fn is_first_fill(plan: &Plan) -> bool {
    let Plan {
        unchanged,
        adopt,
        correct,
        conflict,
        remove,
        unreadable,
        unreadable_stale,
        ..
    } = plan;
    let sets = [unchanged, adopt, unreadable, unreadable_stale];
    let records = [correct, conflict, remove];
    let is_empty =
        sets.iter().all(|set| set.is_empty()) && records.iter().all(|records| records.is_empty());
    is_empty && !plan.shows_others() && plan.add.len() > BATCH_MAX
}

/// What decides which part of a plan comes next.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// What is claimed on the device.
    pub claims: &'a DeviceClaims,
    /// Removals that the guard lets through.
    pub removals: &'a BTreeSet<MacAddress>,
    /// Records of nodes that came since the backlog began. They do not wait behind it.
    pub newcomers: &'a BTreeSet<MacAddress>,
    /// Records that the device has refused lately. They keep no other waiting.
    pub refused: &'a BTreeSet<MacAddress>,
    /// Lost records that are not put back now ([`crate::drift`]).
    pub held_back: &'a BTreeSet<MacAddress>,
    /// How many more bytes of claims can be stored.
    pub room_bytes: usize,
    /// The nodes behind the desired records: a claim holds the node's name.
    pub nodes: &'a BTreeMap<MacAddress, DesiredNode>,
    /// The most records to write at once.
    pub writes_max: usize,
}

impl Batch {
    /// The next writes of a plan. While anything is left to add or correct nothing is removed: a
    /// change makes before it breaks, and what shows that a removal is right would grow old
    /// meanwhile.
    pub fn next(plan: &Plan, choice: &Choice<'_>) -> Self {
        let mut adopt = plan.adopt.clone();
        let mut add = choice.in_order(&plan.add);
        let mut room_bytes = choice.room_bytes;
        let wanted = adopt.len() + add.len();
        adopt.retain(|mac| choice.takes_room(*mac, &mut room_bytes));
        add.retain(|(mac, _)| choice.takes_room(*mac, &mut room_bytes));
        let without_room = wanted - adopt.len() - add.len();
        let correct = choice.in_order(&plan.correct);
        let writes = !(add.is_empty() && correct.is_empty());
        let removals = plan.remove.iter();
        let removals = removals.filter(|(mac, _)| choice.removals.contains(*mac));
        let removals_max = if writes { 0 } else { REMOVALS_MAX };
        let remove: Records = removals
            .clone()
            .take(removals_max)
            .map(|(mac, endpoint)| (*mac, *endpoint))
            .collect();
        let adds_max = choice.writes_max;
        let corrections_max = adds_max.saturating_sub(add.len());
        let more = add.len() > adds_max
            || correct.len() > corrections_max
            || remove.len() < removals.count();
        Self {
            adopt,
            add: add.into_iter().take(adds_max).collect(),
            correct: correct.into_iter().take(corrections_max).collect(),
            remove,
            more,
            without_room,
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.correct.is_empty() && self.remove.is_empty()
    }
}

impl Choice<'_> {
    /// Whether a claim on this record can be stored; it then takes its bytes from what is left. One that
    /// is stored takes none.
    fn takes_room(&self, mac: MacAddress, room_bytes: &mut usize) -> bool {
        if self.claims.contains_key(&mac) {
            return true;
        }
        let node = self.nodes.get(&mac).map(|node| node.name.as_str());
        let rest = room_bytes.checked_sub(stored_bytes(node));
        *room_bytes = rest.unwrap_or(*room_bytes);
        rest.is_some()
    }

    /// The records that may be written now: newcomers first, refused ones last.
    fn in_order(&self, records: &Records) -> Vec<(MacAddress, Endpoint)> {
        let may_be_written = records
            .iter()
            .filter(|(mac, _)| !self.held_back.contains(*mac));
        let mut ordered: Vec<_> = may_be_written
            .map(|(mac, endpoint)| (*mac, *endpoint))
            .collect();
        ordered.sort_by_key(|(mac, _)| (self.refused.contains(mac), !self.newcomers.contains(mac)));
        ordered
    }
}

/// What a unit's stored configuration says about what was changed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavedConfig {
    /// It is none of our business: saving is left to others.
    Ignored,
    /// It may hold what was removed: a reboot brings that back, and it is still ours to remove then.
    Behind,
    /// It holds all changes.
    UpToDate,
}

/// What the fate of claims depends on, besides the plan.
#[derive(Debug, Clone, Copy)]
pub struct ClaimContext<'a> {
    /// Whether a removed record can come back with a reboot.
    pub saved_config: SavedConfig,
    /// Whether a write whose fate is unknown may still take effect.
    pub awaits_late_write: bool,
    /// Whether such a write of the process before this one may: it is not known what that one sent
    /// last.
    pub within_settle_period: bool,
    /// Whether the records were read for this plan. What was read before a save, or before a unit
    /// restarted, does not show that a record is gone for good.
    pub is_fresh: bool,
    /// Records that stay claimed on another device of the object.
    pub claimed_on_other_device: &'a BTreeSet<MacAddress>,
    /// Records that another object takes care of.
    pub claimed_by_peer: &'a BTreeSet<MacAddress>,
}

/// The claims to store before the batch is written. Names every record of the batch, also where its
/// claim stays the same: what is stored may have been lost meanwhile.
pub fn claims_before(
    plan: &Plan,
    batch: &Batch,
    claims: &DeviceClaims,
    context: ClaimContext<'_>,
) -> ClaimChanges {
    let mut changes = ClaimChanges::new();
    for mac in &plan.gone {
        changes.insert(*mac, gone(*mac, claims.get(mac).copied(), context));
    }
    // A pending claim on a record that turned out to be another's is withdrawn.
    let withdrawn = plan.conflict.keys().filter(|mac| claims.contains_key(*mac));
    // A correction that was lost may still make a redirected record ours again.
    let is_settled = !(context.awaits_late_write || context.within_settle_period);
    let disowned = plan.disown.iter().filter(|_| is_settled);
    changes.extend(withdrawn.chain(disowned).map(|mac| (*mac, None)));
    let left_to_others = plan
        .remove
        .keys()
        .filter(|mac| context.claimed_by_peer.contains(*mac));
    changes.extend(left_to_others.map(|mac| (*mac, None)));
    changes.extend(
        batch
            .adopt
            .iter()
            .map(|mac| (*mac, Some(ClaimState::Owned))),
    );
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
fn gone(
    mac: MacAddress,
    claim: Option<ClaimState>,
    context: ClaimContext<'_>,
) -> Option<ClaimState> {
    match claim {
        // It may still come into being, or may have come back.
        Some(_) if context.awaits_late_write || !context.is_fresh => claim,
        Some(ClaimState::Pending | ClaimState::Owned) if context.within_settle_period => claim,
        // Shows that its removal was taken from the budget, for the devices that have it still.
        Some(ClaimState::Leaving) if context.claimed_on_other_device.contains(&mac) => claim,
        // It may be in the stored configuration, whoever removed it. Leaving is only what we removed:
        // that was taken from the budget once, and is free on every other device.
        Some(ClaimState::Owned | ClaimState::Leaving)
            if context.saved_config == SavedConfig::Behind =>
        {
            claim
        }
        None | Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::RouteDomain;
    use crate::mac::MacPrefix;
    use crate::record::ObservedRecords;
    use crate::testing::{mac, plan, records};

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";
    const E1: &str = "10.0.0.1%0";
    const E2: &str = "10.0.0.2%0";

    const NONE: BTreeSet<MacAddress> = BTreeSet::new();
    const CONTEXT: ClaimContext<'static> = ClaimContext {
        saved_config: SavedConfig::Ignored,
        awaits_late_write: false,
        within_settle_period: false,
        is_fresh: true,
        claimed_on_other_device: &NONE,
        claimed_by_peer: &NONE,
    };

    const NO_CLAIMS: DeviceClaims = DeviceClaims::new();
    const NO_NODES: BTreeMap<MacAddress, DesiredNode> = BTreeMap::new();
    /// Nothing in the way, and nothing that may be removed.
    const CHOICE: Choice<'static> = Choice {
        claims: &NO_CLAIMS,
        removals: &NONE,
        newcomers: &NONE,
        refused: &NONE,
        held_back: &NONE,
        room_bytes: usize::MAX,
        nodes: &NO_NODES,
        writes_max: BATCH_MAX,
    };

    fn claims(pairs: &[(&str, ClaimState)]) -> DeviceClaims {
        pairs.iter().map(|(m, s)| (mac(m), *s)).collect()
    }

    fn changes(
        desired: &[(&str, &str)],
        observed: &[(&str, &str)],
        claims: &DeviceClaims,
        context: ClaimContext<'_>,
    ) -> ClaimChanges {
        let plan = plan(
            &records(desired),
            &records(observed),
            claims,
            MacPrefix::DEFAULT,
        );
        let removals = plan.remove.keys().copied().collect();
        let choice = Choice {
            claims,
            removals: &removals,
            ..CHOICE
        };
        claims_before(&plan, &Batch::next(&plan, &choice), claims, context)
    }

    #[test]
    fn record_is_claimed_pending_before_add() {
        let changes = changes(&[(M1, E1)], &[], &claims(&[]), CONTEXT);
        assert_eq!(changes, [(mac(M1), Some(ClaimState::Pending))].into());
    }

    #[test]
    fn record_is_claimed_leaving_before_removal() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let changes = changes(&[], &[(M1, E1)], &owned, CONTEXT);
        assert_eq!(changes, [(mac(M1), Some(ClaimState::Leaving))].into());
    }

    #[test]
    fn lost_owned_record_is_claimed_owned_again() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let changes = changes(&[(M1, E1)], &[], &owned, CONTEXT);
        assert_eq!(changes, [(mac(M1), Some(ClaimState::Owned))].into());
    }

    #[test]
    fn claim_on_a_peer_record_is_released() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let plan = plan(
            &Records::new(),
            &records(&[(M1, E1)]),
            &owned,
            MacPrefix::DEFAULT,
        );
        let batch = Batch::next(&plan, &CHOICE);
        let theirs = [mac(M1)].into();
        let changes = claims_before(
            &plan,
            &batch,
            &owned,
            ClaimContext {
                claimed_by_peer: &theirs,
                ..CONTEXT
            },
        );
        assert_eq!(changes, [(mac(M1), None)].into());
    }

    /// The records of one batch of nodes whose addresses begin here.
    fn full_batch(from: u32) -> Records {
        (from..)
            .take(BATCH_MAX)
            .map(std::net::Ipv4Addr::from_bits)
            .map(|address| {
                let endpoint = Endpoint::v4(address, RouteDomain::ZERO);
                (MacPrefix::DEFAULT.derive(address), endpoint)
            })
            .collect()
    }

    /// The first of two batches of records to add, and the plan that adds both.
    fn two_batches() -> (BTreeSet<MacAddress>, Plan) {
        let first = full_batch(0x0a00_0000);
        let macs = first.keys().copied().collect();
        let many = first.into_iter().chain(full_batch(0x0a00_0100)).collect();
        let plan = plan(&many, &Records::new(), &NO_CLAIMS, MacPrefix::DEFAULT);
        (macs, plan)
    }

    #[test]
    fn refused_record_waits_behind_all_others() {
        let (refused, plan) = two_batches();
        let choice = Choice {
            refused: &refused,
            ..CHOICE
        };
        let batch = Batch::next(&plan, &choice);
        assert!(batch.add.keys().all(|mac| !refused.contains(mac)));
    }

    #[test]
    fn new_node_does_not_wait_behind_a_backlog() {
        let (first, plan) = two_batches();
        let last = *plan.add.keys().next_back().unwrap();
        let choice = Choice {
            newcomers: &[last].into(),
            ..CHOICE
        };
        let batch = Batch::next(&plan, &choice);
        assert!(batch.add.contains_key(&last));
        assert_eq!((batch.add.len(), batch.more), (BATCH_MAX, true));
        assert!(!Batch::next(&plan, &CHOICE).add.contains_key(&last));
        assert!(!first.contains(&last));
    }

    #[test]
    fn bulk_sync_requires_empty_tunnel_and_many_adds() {
        let (_, many) = two_batches();
        assert!(is_first_fill(&many));
        let one = full_batch(0x0a00_0000);
        let none = Records::new();
        assert!(!is_first_fill(&plan(
            &one,
            &none,
            &NO_CLAIMS,
            MacPrefix::DEFAULT
        )));
        let foreign = records(&[("52:54:00:c0:ff:ee", "192.0.2.99%0")]);
        let beside = plan(&many.add, &foreign, &NO_CLAIMS, MacPrefix::DEFAULT);
        assert!(!is_first_fill(&beside));
        // A record that cannot be read would lose what it holds, and one without a MAC address itself.
        let odd = [
            ObservedRecords {
                unreadable: [mac("52:54:00:c0:ff:ee")].into(),
                ..ObservedRecords::default()
            },
            ObservedRecords {
                unreadable: [*many.add.keys().next().unwrap()].into(),
                ..ObservedRecords::default()
            },
            ObservedRecords {
                unnamed: 1,
                ..ObservedRecords::default()
            },
        ];
        for observed in odd {
            let beside = crate::plan::plan(&many.add, &observed, &NO_CLAIMS, MacPrefix::DEFAULT);
            assert!(!is_first_fill(&beside), "{observed:?}");
        }
    }

    #[test]
    fn throttled_lost_record_delays_no_removal() {
        let owned = claims(&[(M1, ClaimState::Owned), (M2, ClaimState::Owned)]);
        let desired = records(&[(M1, E1)]);
        let plan = plan(&desired, &records(&[(M2, E2)]), &owned, MacPrefix::DEFAULT);
        let choice = Choice {
            claims: &owned,
            removals: &[mac(M2)].into(),
            held_back: &[mac(M1)].into(),
            ..CHOICE
        };
        let batch = Batch::next(&plan, &choice);
        assert!(batch.add.is_empty());
        assert_eq!((batch.remove, batch.more), (records(&[(M2, E2)]), false));
    }

    #[test]
    fn record_without_room_for_a_claim_is_not_added() {
        let desired = records(&[(M1, E1), (M2, E2)]);
        let pending = claims(&[(M1, ClaimState::Pending)]);
        let plan = plan(&desired, &Records::new(), &pending, MacPrefix::DEFAULT);
        let choice = Choice {
            claims: &pending,
            room_bytes: 0,
            ..CHOICE
        };
        let batch = Batch::next(&plan, &choice);
        assert_eq!(batch.add, records(&[(M1, E1)]));
        assert_eq!((batch.without_room, batch.more), (1, false));
    }

    #[test]
    fn record_without_room_for_its_name_is_not_adopted() {
        let desired = records(&[(M1, E1), (M2, E2)]);
        let plan = plan(&desired, &desired, &NO_CLAIMS, MacPrefix::DEFAULT);
        let node = |name: &str, last| DesiredNode {
            name: name.to_owned(),
            uid: name.to_owned(),
            address: std::net::Ipv4Addr::new(10, 0, 0, last),
        };
        let nodes = BTreeMap::from([(mac(M1), node("a", 1)), (mac(M2), node("b", 2))]);
        let choice = Choice {
            nodes: &nodes,
            room_bytes: 2 * stored_bytes(Some("a")) - 1,
            ..CHOICE
        };
        let batch = Batch::next(&plan, &choice);
        assert_eq!((batch.adopt.len(), batch.without_room), (1, 1));
        let changes = claims_before(&plan, &batch, &NO_CLAIMS, CONTEXT);
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn in_sync_device_changes_no_claim() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let changes = changes(&[(M1, E1)], &[(M1, E1)], &owned, CONTEXT);
        assert_eq!(changes, ClaimChanges::new());
    }

    #[test]
    fn pending_claim_on_a_foreign_record_is_withdrawn() {
        let pending = claims(&[(M1, ClaimState::Pending)]);
        let changes = changes(&[(M1, E1)], &[(M1, "10.9.9.9")], &pending, CONTEXT);
        assert_eq!(changes, [(mac(M1), None)].into());
    }

    #[test]
    fn removed_record_stays_claimed_until_config_save() {
        let leaving = claims(&[(M1, ClaimState::Leaving)]);
        let keep = ClaimContext {
            saved_config: SavedConfig::Behind,
            ..CONTEXT
        };
        assert_eq!(changes(&[], &[], &leaving, keep), ClaimChanges::new());
        let saved = ClaimContext {
            saved_config: SavedConfig::UpToDate,
            ..CONTEXT
        };
        assert_eq!(changes(&[], &[], &leaving, saved), [(mac(M1), None)].into());
        assert_eq!(
            changes(&[], &[], &leaving, CONTEXT),
            [(mac(M1), None)].into()
        );
    }

    #[test]
    fn externally_removed_record_stays_owned_until_save() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let keep = ClaimContext {
            saved_config: SavedConfig::Behind,
            ..CONTEXT
        };
        // Still owned: as leaving it would go from the other devices without being paid for.
        assert_eq!(changes(&[], &[], &owned, keep), ClaimChanges::new());
        let saved = ClaimContext {
            saved_config: SavedConfig::UpToDate,
            ..CONTEXT
        };
        assert_eq!(changes(&[], &[], &owned, saved), [(mac(M1), None)].into());
    }

    #[test]
    fn pending_claim_stays_within_the_settle_period() {
        let young = ClaimContext {
            within_settle_period: true,
            ..CONTEXT
        };
        let pending = claims(&[(M1, ClaimState::Pending)]);
        assert_eq!(changes(&[], &[], &pending, young), ClaimChanges::new());
        // What was removed is not written again; a clean-up does not wait.
        let leaving = claims(&[(M1, ClaimState::Leaving)]);
        assert_eq!(changes(&[], &[], &leaving, young), [(mac(M1), None)].into());
    }

    #[test]
    fn owned_claims_stay_within_the_settle_period() {
        let young = ClaimContext {
            within_settle_period: true,
            ..CONTEXT
        };
        let owned = claims(&[(M1, ClaimState::Owned)]);
        // A record that is missing, and one that shows another endpoint.
        for observed in [&[][..], &[(M1, "10.9.9.9%0")]] {
            let kept = changes(&[], observed, &owned, young);
            assert_eq!(kept, ClaimChanges::new());
            let given_up = changes(&[], observed, &owned, CONTEXT);
            assert_eq!(given_up, [(mac(M1), None)].into());
        }
    }

    #[test]
    fn each_claim_of_a_batch_takes_its_own_room() {
        let desired = records(&[(M1, E1), (M2, E2)]);
        let plan = plan(&desired, &Records::new(), &NO_CLAIMS, MacPrefix::DEFAULT);
        let choice = Choice {
            room_bytes: 2 * stored_bytes(None) - 1,
            ..CHOICE
        };
        let batch = Batch::next(&plan, &choice);
        assert_eq!((batch.add.len(), batch.without_room), (1, 1));
    }

    #[test]
    fn removal_is_kept_until_done_on_every_device() {
        let leaving = claims(&[(M1, ClaimState::Leaving)]);
        let elsewhere = [mac(M1)].into();
        let context = ClaimContext {
            claimed_on_other_device: &elsewhere,
            ..CONTEXT
        };
        assert_eq!(changes(&[], &[], &leaving, context), ClaimChanges::new());
        assert_eq!(
            changes(&[], &[], &leaving, CONTEXT),
            [(mac(M1), None)].into()
        );
    }

    #[test]
    fn redirected_record_is_disowned_after_late_writes_end() {
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let redirected = [(M1, "10.9.9.9%0")];
        let late = ClaimContext {
            awaits_late_write: true,
            ..CONTEXT
        };
        assert_eq!(changes(&[], &redirected, &owned, late), ClaimChanges::new());
        assert_eq!(
            changes(&[], &redirected, &owned, CONTEXT),
            [(mac(M1), None)].into()
        );
    }

    #[test]
    fn read_before_save_does_not_prove_record_absent() {
        let leaving = claims(&[(M1, ClaimState::Leaving)]);
        let saved = ClaimContext {
            saved_config: SavedConfig::UpToDate,
            ..CONTEXT
        };
        let stale = ClaimContext {
            is_fresh: false,
            ..saved
        };
        assert_eq!(changes(&[], &[], &leaving, stale), ClaimChanges::new());
        assert_eq!(changes(&[], &[], &leaving, saved), [(mac(M1), None)].into());
    }

    #[test]
    fn claim_is_kept_while_a_late_write_may_take_effect() {
        let pending = claims(&[(M1, ClaimState::Pending)]);
        let late = ClaimContext {
            awaits_late_write: true,
            ..CONTEXT
        };
        assert_eq!(changes(&[], &[], &pending, late), ClaimChanges::new());
        assert_eq!(
            changes(&[], &[], &pending, CONTEXT),
            [(mac(M1), None)].into()
        );
    }

    #[test]
    fn address_change_adds_before_it_removes() {
        let mut many = full_batch(0x0a00_0100);
        many.extend(records(&[(M2, E2)]));
        let owned = claims(&[(M1, ClaimState::Owned)]);
        let plan = plan(&many, &records(&[(M1, E1)]), &owned, MacPrefix::DEFAULT);
        let batch = Batch::next(
            &plan,
            &Choice {
                claims: &owned,
                removals: &[mac(M1)].into(),
                ..CHOICE
            },
        );
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
        let batch = Batch::next(
            &plan,
            &Choice {
                claims: &owned,
                removals: &[mac(M2)].into(),
                ..CHOICE
            },
        );
        assert_eq!((batch.remove, batch.more), (records(&[(M2, E2)]), false));
    }
}
