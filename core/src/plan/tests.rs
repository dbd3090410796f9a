//! Tests of the plan: one rule each, and the properties that hold for any input.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::endpoint::{Endpoint, RouteDomain};
use crate::testing::{mac, plan, records};

const M1: &str = "0a:0a:0a:00:00:01";
const E1: &str = "10.0.0.1%0";
const ELSEWHERE: &str = "10.9.9.9%0";

fn claims(pairs: &[(&str, ClaimState)]) -> DeviceClaims {
    pairs.iter().map(|(m, s)| (mac(m), *s)).collect()
}

fn plan_of(desired: &[(&str, &str)], observed: &[(&str, &str)], owned: &DeviceClaims) -> Plan {
    plan(
        &records(desired),
        &records(observed),
        owned,
        MacPrefix::DEFAULT,
    )
}

#[test]
fn missing_record_is_added() {
    let plan = plan_of(&[(M1, E1)], &[], &claims(&[]));
    assert_eq!(
        plan,
        Plan {
            add: records(&[(M1, E1)]),
            ..Plan::default()
        }
    );
}

#[test]
fn matching_record_is_adopted_without_a_write() {
    let plan = plan_of(&[(M1, E1)], &[(M1, E1)], &claims(&[]));
    assert_eq!(
        plan,
        Plan {
            adopt: [mac(M1)].into(),
            ..Plan::default()
        }
    );
    assert!(!plan.needs_writes());
}

#[test]
fn owned_record_with_another_endpoint_is_corrected() {
    let plan = plan_of(
        &[(M1, E1)],
        &[(M1, ELSEWHERE)],
        &claims(&[(M1, ClaimState::Owned)]),
    );
    assert_eq!(
        plan,
        Plan {
            correct: records(&[(M1, E1)]),
            ..Plan::default()
        }
    );
}

#[test]
fn desired_foreign_record_is_a_conflict_and_untouched() {
    for owned in [claims(&[]), claims(&[(M1, ClaimState::Pending)])] {
        let plan = plan_of(&[(M1, E1)], &[(M1, ELSEWHERE)], &owned);
        assert_eq!(
            plan,
            Plan {
                conflict: records(&[(M1, ELSEWHERE)]),
                ..Plan::default()
            }
        );
        assert!(!plan.needs_writes());
    }
}

#[test]
fn record_recreated_after_removal_is_foreign() {
    let leaving = claims(&[(M1, ClaimState::Leaving)]);
    let plan = plan_of(&[(M1, E1)], &[(M1, ELSEWHERE)], &leaving);
    assert_eq!(
        plan,
        Plan {
            conflict: records(&[(M1, ELSEWHERE)]),
            ..Plan::default()
        }
    );
}

#[test]
fn claimed_undesired_record_is_removed_in_any_state() {
    for state in [ClaimState::Pending, ClaimState::Owned, ClaimState::Leaving] {
        let plan = plan_of(&[], &[(M1, E1)], &claims(&[(M1, state)]));
        assert_eq!(
            plan,
            Plan {
                remove: records(&[(M1, E1)]),
                ..Plan::default()
            }
        );
    }
}

#[test]
fn redirected_claimed_record_is_disowned() {
    let plan = plan_of(&[], &[(M1, ELSEWHERE)], &claims(&[(M1, ClaimState::Owned)]));
    assert_eq!(plan.disown, [mac(M1)].into());
    assert!(!plan.needs_writes());
}

#[test]
fn orphaned_record_differs_from_a_foreign_record() {
    let foreign = ("52:54:00:3e:3f:c1", ELSEWHERE);
    let plan = plan_of(&[], &[(M1, E1), foreign], &claims(&[]));
    assert_eq!(plan.unclaimed, records(&[(M1, E1)]));
    assert_eq!(
        plan.foreign.into_keys().collect::<Vec<_>>(),
        [mac(foreign.0)]
    );
}

#[test]
fn claim_without_record_or_desire_is_dropped() {
    let plan = plan_of(&[], &[], &claims(&[(M1, ClaimState::Leaving)]));
    assert_eq!(
        plan,
        Plan {
            gone: [mac(M1)].into(),
            ..Plan::default()
        }
    );
}

#[test]
fn leaving_record_desired_again_is_kept() {
    let leaving = claims(&[(M1, ClaimState::Leaving)]);
    assert_eq!(
        plan_of(&[(M1, E1)], &[(M1, E1)], &leaving).adopt,
        [mac(M1)].into()
    );
    assert_eq!(
        plan_of(&[(M1, E1)], &[], &leaving).add,
        records(&[(M1, E1)])
    );
}

/// What a device shows when these records cannot be read.
fn unreadable(macs: &[&str]) -> ObservedRecords {
    ObservedRecords {
        unreadable: macs.iter().map(|m| mac(m)).collect(),
        ..ObservedRecords::default()
    }
}

#[test]
fn foreign_record_that_cannot_be_read_stops_nothing() {
    const FOREIGN: &str = "52:54:00:00:00:01";
    let plan = super::plan(
        &records(&[(M1, E1)]),
        &unreadable(&[FOREIGN]),
        &claims(&[]),
        MacPrefix::DEFAULT,
    );
    let expected = Plan {
        add: records(&[(M1, E1)]),
        foreign: [(mac(FOREIGN), None)].into(),
        ..Plan::default()
    };
    assert_eq!(plan, expected);
    assert!(plan.shows_others());
}

#[test]
fn record_with_an_odd_name_is_foreign_and_counted() {
    let observed = ObservedRecords {
        unnamed: 2,
        ..ObservedRecords::default()
    };
    let plan = super::plan(
        &records(&[(M1, E1)]),
        &observed,
        &claims(&[]),
        MacPrefix::DEFAULT,
    );
    assert_eq!((plan.add.len(), plan.unnamed), (1, 2));
    assert!(plan.shows_others());
}

#[test]
fn unreadable_desired_record_is_not_written_nor_dropped() {
    for owned in [
        claims(&[]),
        claims(&[(M1, ClaimState::Owned)]),
        claims(&[(M1, ClaimState::Pending)]),
    ] {
        let desired = records(&[(M1, E1)]);
        let plan = super::plan(&desired, &unreadable(&[M1]), &owned, MacPrefix::DEFAULT);
        let unreadable = [mac(M1)].into();
        let expected = Plan {
            unreadable,
            ..Plan::default()
        };
        assert_eq!((plan.missing(), plan), (1, expected));
    }
}

#[test]
fn unreadable_record_without_a_node_keeps_its_claim() {
    let owned = claims(&[(M1, ClaimState::Owned)]);
    let stale = super::plan(
        &Records::new(),
        &unreadable(&[M1]),
        &owned,
        MacPrefix::DEFAULT,
    );
    let expected = Plan {
        unreadable_stale: [mac(M1)].into(),
        ..Plan::default()
    };
    assert_eq!(stale, expected);
    let nothing = claims(&[]);
    let left = super::plan(
        &Records::new(),
        &unreadable(&[M1]),
        &nothing,
        MacPrefix::DEFAULT,
    );
    assert_eq!(left.unreadable_unclaimed, [mac(M1)].into());
    assert!(left.shows_others());
}

#[test]
fn claimed_record_of_another_scheme_is_disowned_unread() {
    const OTHER: &str = "0e:0e:0a:00:00:01";
    let owned = claims(&[(OTHER, ClaimState::Owned)]);
    let plan = super::plan(
        &Records::new(),
        &unreadable(&[OTHER]),
        &owned,
        MacPrefix::DEFAULT,
    );
    assert_eq!(plan.disown, [mac(OTHER)].into());
    assert!(plan.gone.is_empty());
}

/// A few MACs and endpoints, so that the sets overlap often; half the MACs have our form.
fn any_records() -> impl Strategy<Value = Records> {
    proptest::collection::btree_map(any_mac(), any_endpoint(), 0..8)
}

fn any_mac() -> impl Strategy<Value = MacAddress> {
    (prop_oneof![Just(0x0a_u8), Just(0x52)], 0..6_u8)
        .prop_map(|(first, last)| MacAddress::new([first, 0x0a, 10, 0, 0, last]))
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    (0..6_u8, 0..2_u32).prop_map(|(last, rd)| {
        Endpoint::v4(Ipv4Addr::new(10, 0, 0, last), RouteDomain::new(rd).unwrap())
    })
}

fn any_desired() -> impl Strategy<Value = Records> {
    proptest::collection::btree_set(0..6_u8, 0..6).prop_map(|lasts| {
        let record = |last| {
            let address = Ipv4Addr::new(10, 0, 0, last);
            (
                MacPrefix::DEFAULT.derive(address),
                Endpoint::v4(address, RouteDomain::ZERO),
            )
        };
        lasts.into_iter().map(record).collect()
    })
}

fn any_device_claims() -> impl Strategy<Value = DeviceClaims> {
    let state = prop_oneof![
        Just(ClaimState::Pending),
        Just(ClaimState::Owned),
        Just(ClaimState::Leaving)
    ];
    proptest::collection::btree_map(any_mac(), state, 0..8)
}

/// What a device holds after the plan was carried out to the letter.
fn carried_out(plan: &Plan, observed: &Records) -> Records {
    let mut after = observed.clone();
    after.extend(plan.add.iter().chain(&plan.correct));
    after.retain(|mac, _| !plan.remove.contains_key(mac));
    after
}

proptest! {
    #[test]
    fn in_sync_device_gives_an_empty_plan(desired in any_desired()) {
        let owned = desired.keys().map(|m| (*m, ClaimState::Owned)).collect();
        let plan = plan(&desired, &desired, &owned, MacPrefix::DEFAULT);
        let unchanged = desired.keys().copied().collect();
        prop_assert_eq!(plan, Plan { unchanged, ..Plan::default() });
    }

    #[test]
    fn foreign_record_never_appears_in_a_write(
        desired in any_desired(), observed in any_records(), claims in any_device_claims(),
    ) {
        let plan = plan(&desired, &observed, &claims, MacPrefix::DEFAULT);
        let after = carried_out(&plan, &observed);
        for (mac, endpoint) in &observed {
            if !claims.contains_key(mac) {
                prop_assert_eq!(after.get(mac), Some(endpoint), "{} was not ours", mac);
            }
        }
    }

    #[test]
    fn carrying_a_plan_out_leaves_nothing_to_write(
        desired in any_desired(), observed in any_records(), claims in any_device_claims(),
    ) {
        let first = plan(&desired, &observed, &claims, MacPrefix::DEFAULT);
        let after = carried_out(&first, &observed);
        let mut owned = claims;
        owned.extend(first.add.keys().chain(&first.adopt).map(|m| (*m, ClaimState::Owned)));
        let second = plan(&desired, &after, &owned, MacPrefix::DEFAULT);
        prop_assert!(!second.needs_writes(), "{:?}", second);
    }

    #[test]
    fn every_mac_gets_exactly_one_verdict(
        desired in any_desired(), observed in any_records(), claims in any_device_claims(),
    ) {
        let p = plan(&desired, &observed, &claims, MacPrefix::DEFAULT);
        let mut seen: BTreeMap<MacAddress, usize> = BTreeMap::new();
        // A disowned record is foreign from then on; it is listed as both.
        let foreign = p.foreign.keys().filter(|m| !p.disown.contains(m));
        let sets = p.unchanged.iter().chain(&p.adopt).chain(p.add.keys()).chain(p.correct.keys())
            .chain(p.conflict.keys()).chain(p.remove.keys()).chain(&p.disown).chain(&p.gone)
            .chain(p.unclaimed.keys()).chain(foreign);
        for mac in sets {
            *seen.entry(*mac).or_default() += 1;
        }
        let all = desired.keys().chain(observed.keys()).chain(claims.keys());
        let expected: BTreeMap<MacAddress, usize> = all.map(|m| (*m, 1)).collect();
        prop_assert_eq!(seen, expected);
    }
}
