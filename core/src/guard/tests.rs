//! Tests of the removal guard: every sentence of the promise is one of them.

use std::sync::Arc;

use super::*;
use crate::desired::desired;
use crate::node::{AddressKind, EXTERNAL_IP, INTERNAL_IP};
use crate::sharing::{Claimed, Neighbour, Part, Wants, Why};
use crate::testing::{mac, node, records, worker};

const GONE: &str = "0a:0a:0a:00:00:09";
const DELAY: Duration = Duration::from_secs(60);

fn at(second: u64) -> Moment {
    Moment::since_start(Duration::from_secs(second))
}

/// The record of 10.0.0.9 is claimed and was first seen without a node at second 100.
fn absences() -> Absences {
    let mut absences = Absences::default();
    let nothing = Desired::default();
    let clock = (at(100), Timestamp::from_second(1_000).unwrap());
    absences.update(&[mac(GONE)].into(), &nothing, &nothing, clock);
    absences
}

struct Case {
    nodes: Vec<NodeView>,
    needs: Option<Needs>,
    settled_at: Moment,
    present: usize,
    now: Moment,
    claimed_nodes: NodeNames,
}

impl Default for Case {
    /// Everything speaks for the removal.
    fn default() -> Self {
        Self {
            nodes: vec![worker("other", "10.0.0.1")],
            needs: Some(Needs::default()),
            settled_at: at(75),
            present: 1,
            now: at(160),
            claimed_nodes: NodeNames::default(),
        }
    }
}

impl Case {
    fn verdict(&self) -> Verdict {
        let evidence = Evidence {
            nodes: &self.nodes,
            prefix: MacPrefix::DEFAULT,
            rule: &AddressRule::default(),
            absences: &absences(),
            claimed_nodes: &self.claimed_nodes,
            delay: DELAY,
            settled_at: self.settled_at,
            present: self.present,
            needs: self.needs.as_ref(),
            now: self.now,
        };
        guard(&records(&[(GONE, "10.0.0.9%0")]), &evidence)
    }

    fn hold(&self) -> Hold {
        self.verdict()
            .held
            .remove(&mac(GONE))
            .expect("the record should be held")
    }
}

#[test]
fn record_is_removed_after_node_absence_for_the_delay() {
    assert_eq!(Case::default().verdict().remove, [mac(GONE)].into());
}

#[test]
fn record_stays_until_the_delay_has_passed() {
    let early = Case {
        now: at(159),
        ..Case::default()
    };
    assert_eq!(early.hold(), Hold::Waiting(at(160)));
    assert_eq!(early.verdict().next_due(), Some(at(160)));
}

#[test]
fn unrecorded_absence_waits_the_full_delay() {
    let evidence = Evidence {
        nodes: &[worker("other", "10.0.0.1")],
        prefix: MacPrefix::DEFAULT,
        rule: &AddressRule::default(),
        absences: &Absences::default(),
        claimed_nodes: &NodeNames::default(),
        delay: DELAY,
        settled_at: at(0),
        present: 1,
        needs: Some(&Needs::default()),
        now: at(500),
    };
    let verdict = guard(&records(&[(GONE, "10.0.0.9%0")]), &evidence);
    assert_eq!(verdict.held[&mac(GONE)], Hold::Waiting(at(560)));
}

#[test]
fn no_removal_within_the_settle_period() {
    let young = Case {
        settled_at: at(300),
        ..Case::default()
    };
    assert_eq!(young.hold(), Hold::Waiting(at(300)));
}

#[test]
fn empty_node_list_never_removes() {
    let empty = Case {
        nodes: vec![],
        now: at(1_000_000),
        ..Case::default()
    };
    assert_eq!(empty.hold(), Hold::NoNodeSelected);
}

#[test]
fn empty_selector_match_removes_nothing() {
    let unselected = node("a")
        .address("InternalIP", "10.0.0.1")
        .unselected()
        .build();
    let relabelled = Case {
        nodes: vec![unselected],
        ..Case::default()
    };
    assert_eq!(relabelled.hold(), Hold::NoNodeSelected);
}

#[test]
fn record_stays_while_node_lists_address_as_any_type() {
    let holder = node("b")
        .address("InternalIP", "10.0.0.2")
        .address("ExternalIP", "10.0.0.9");
    let listed = Case {
        nodes: vec![holder.build()],
        ..Case::default()
    };
    assert_eq!(listed.hold(), Hold::StillListed("b".into()));
}

/// The guard's word on the record of 10.0.0.9 after the delay, when the same nodes were looked at
/// with one rule and then, at second 100, with another.
fn after_edit(nodes: &[NodeView], before: &AddressRule, after: &AddressRule) -> Verdict {
    edited(nodes, before, after, at(160))
}

fn edited(nodes: &[NodeView], before: &AddressRule, after: &AddressRule, now: Moment) -> Verdict {
    let previous = desired(nodes, MacPrefix::DEFAULT, before);
    let current = desired(nodes, MacPrefix::DEFAULT, after);
    judged(nodes, &previous, &current, now)
}

/// The guard's word when one thing was desired and, from second 100 on, another.
fn judged(nodes: &[NodeView], previous: &Desired, current: &Desired, now: Moment) -> Verdict {
    let mut absences = Absences::default();
    let clock = (at(100), Timestamp::from_second(1_000).unwrap());
    absences.update(&[mac(GONE)].into(), previous, current, clock);
    let evidence = Evidence {
        nodes,
        prefix: MacPrefix::DEFAULT,
        rule: &current.rule,
        absences: &absences,
        claimed_nodes: &NodeNames::default(),
        delay: DELAY,
        settled_at: at(0),
        present: 1,
        needs: Some(&Needs::default()),
        now,
    };
    guard(&records(&[(GONE, "10.0.0.9%0")]), &evidence)
}

fn external() -> AddressRule {
    AddressRule {
        kind: AddressKind::ExternalIp,
        cidrs: Vec::new(),
        ..AddressRule::default()
    }
}

fn within(cidr: &str) -> AddressRule {
    AddressRule {
        kind: AddressKind::InternalIp,
        cidrs: vec![cidr.parse().unwrap()],
        ..AddressRule::default()
    }
}

#[test]
fn edited_spec_with_other_address_removes_old_record() {
    let any = AddressRule::default();
    let both = node("b")
        .address(INTERNAL_IP, "10.0.0.9")
        .address(EXTERNAL_IP, "203.0.113.9");
    let verdict = after_edit(&[both.build()], &any, &external());
    assert_eq!(verdict.remove, [mac(GONE)].into());

    let several = node("b")
        .address(INTERNAL_IP, "10.0.0.9")
        .address(INTERNAL_IP, "10.1.0.9");
    let verdict = after_edit(&[several.build()], &any, &within("10.1.0.0/16"));
    assert_eq!(verdict.remove, [mac(GONE)].into());
}

#[test]
fn spec_edit_waits_for_the_same_delay() {
    let both = node("b")
        .address(INTERNAL_IP, "10.0.0.9")
        .address(EXTERNAL_IP, "203.0.113.9");
    let rule = AddressRule::default();
    let verdict = edited(&[both.build()], &rule, &external(), at(159));
    assert_eq!(verdict.held[&mac(GONE)], Hold::Waiting(at(160)));
}

#[test]
fn edited_spec_without_node_address_keeps_record() {
    let nodes = [worker("b", "10.0.0.9"), worker("other", "10.1.0.1")];
    let verdict = after_edit(&nodes, &AddressRule::default(), &within("10.1.0.0/16"));
    assert_eq!(verdict.held[&mac(GONE)], Hold::StillListed("b".into()));
}

#[test]
fn other_derivation_by_version_keeps_record() {
    // What a version that took the last address has claimed, this one takes over after a restart:
    // the rule in the spec is the same, and nobody has edited it.
    let several = node("b")
        .address(INTERNAL_IP, "10.0.0.2")
        .address(INTERNAL_IP, "10.0.0.9");
    let nodes = [several.build()];
    let rule = AddressRule::default();
    let verdict = after_edit(&nodes, &rule, &rule);
    assert_eq!(verdict.held[&mac(GONE)], Hold::StillListed("b".into()));
}

#[test]
fn spec_edit_keeps_record_that_lost_its_node_before() {
    let moved = node("b")
        .address(INTERNAL_IP, "10.0.0.2")
        .address(EXTERNAL_IP, "10.0.0.9");
    let verdict = after_edit(
        &[moved.build()],
        &within("10.0.0.2/32"),
        &AddressRule::default(),
    );
    assert_eq!(verdict.held[&mac(GONE)], Hold::StillListed("b".into()));
}

#[test]
fn unaccounted_records_stay_if_rule_gives_no_address() {
    let nodes = [worker("outside", "10.2.0.1"), worker("other", "10.1.0.1")];
    let rule = within("10.1.0.0/16");
    let verdict = after_edit(&nodes, &rule, &rule);
    let hold = Hold::NodeAddressMissing("outside".into());
    assert_eq!(verdict.held[&mac(GONE)], hold);
}

#[test]
fn record_stays_while_cilium_node_lists_its_address() {
    let moved = node("b")
        .address(INTERNAL_IP, "10.0.0.2")
        .cilium_address(INTERNAL_IP, "10.0.0.2")
        .cilium_address(EXTERNAL_IP, "10.0.0.9");
    let rule = AddressRule {
        kind: AddressKind::CiliumNode,
        cidrs: Vec::new(),
        ..AddressRule::default()
    };
    let verdict = after_edit(&[moved.build()], &rule, &rule);
    assert_eq!(verdict.held[&mac(GONE)], Hold::StillListed("b".into()));
}

#[test]
fn unaccounted_records_stay_while_a_node_has_no_cilium_node() {
    let nodes = [
        node("b").address(INTERNAL_IP, "10.0.0.2").build(),
        node("c").cilium_address(INTERNAL_IP, "10.0.0.3").build(),
    ];
    let rule = AddressRule {
        kind: AddressKind::CiliumNode,
        cidrs: Vec::new(),
        ..AddressRule::default()
    };
    let verdict = after_edit(&nodes, &rule, &rule);
    let hold = Hold::NodeAddressMissing("b".into());
    assert_eq!(verdict.held[&mac(GONE)], hold);
}

#[test]
fn record_of_deselected_node_is_removed() {
    let unselected = node("b")
        .address("InternalIP", "10.0.0.9")
        .unselected()
        .build();
    let narrowed = Case {
        nodes: vec![unselected, worker("other", "10.0.0.1")],
        ..Case::default()
    };
    assert_eq!(narrowed.verdict().remove, [mac(GONE)].into());
}

#[test]
fn unaccounted_records_stay_if_node_has_no_address() {
    let nodes = vec![node("new").build(), worker("other", "10.0.0.1")];
    let unclear = Case {
        nodes,
        ..Case::default()
    };
    assert_eq!(unclear.hold(), Hold::NodeAddressMissing("new".into()));
}

#[test]
fn record_stays_if_only_unselected_node_has_address() {
    let rule = AddressRule::default();
    let unselected = node("c").address(INTERNAL_IP, "10.0.0.9").unselected();
    let nodes = [node("b").build(), unselected.build()];
    let previous = desired(&[worker("b", "10.0.0.9")], MacPrefix::DEFAULT, &rule);
    let current = desired(&nodes, MacPrefix::DEFAULT, &rule);
    let verdict = judged(&nodes, &previous, &current, at(160));
    let hold = Hold::NodeAddressMissing("b".into());
    assert_eq!(verdict.held[&mac(GONE)], hold);
}

/// Another object that claims the record of [`GONE`].
fn claimed_elsewhere() -> Needs {
    let claimed = vec![Claimed::These(Arc::new([mac(GONE)].into()))];
    Needs::of(vec![Neighbour {
        namespace: "bigip".into(),
        name: "other".into(),
        is_near: true,
        part: Part {
            claimed,
            ..Part::default()
        },
        wants: Wants::Unknown,
    }])
}

fn held_by_other() -> HeldBy {
    HeldBy {
        namespace: "bigip".into(),
        name: "other".into(),
        is_near: true,
        why: Why::Claims,
    }
}

#[test]
fn record_needed_by_another_object_stays() {
    let shared = Case {
        needs: Some(claimed_elsewhere()),
        ..Case::default()
    };
    assert_eq!(shared.hold(), Hold::Neighbour(held_by_other()));
    let said = shared.verdict().held_by_neighbours(|_| true);
    let hold = NeighbourHold {
        count: 1,
        by: Some(held_by_other()),
    };
    assert_eq!(said, Some(hold));
    assert_eq!(shared.verdict().held_by_neighbours(|_| false), None);
}

#[test]
fn record_within_delay_is_not_reported_as_shared() {
    let early = Case {
        needs: Some(claimed_elsewhere()),
        now: at(159),
        ..Case::default()
    };
    assert_eq!(early.hold(), Hold::Waiting(at(160)));
    assert_eq!(early.verdict().held_by_neighbours(|_| true), None);
}

#[test]
fn unknown_needs_of_other_objects_keep_every_record() {
    let unknown = Case {
        needs: None,
        ..Case::default()
    };
    assert_eq!(unknown.hold(), Hold::OthersUnknown);
    let verdict = guard_deletion(&records(&[(GONE, "10.0.0.9%0")]), None);
    assert_eq!(verdict.held[&mac(GONE)], Hold::OthersUnknown);
    let hold = NeighbourHold { count: 1, by: None };
    assert_eq!(verdict.held_by_neighbours(|_| true), Some(hold));
}

#[test]
fn deletion_removes_at_once_unless_shared() {
    let both = records(&[(GONE, "10.0.0.9%0"), ("0a:0a:0a:00:00:08", "10.0.0.8%0")]);
    let verdict = guard_deletion(&both, Some(&claimed_elsewhere()));
    assert_eq!(verdict.remove, [mac("0a:0a:0a:00:00:08")].into());
    assert_eq!(verdict.held[&mac(GONE)], Hold::Neighbour(held_by_other()));
}

#[test]
fn absence_ends_on_node_return_and_restarts_on_loss() {
    let claimed = [mac(GONE)].into();
    let with_node = desired(
        &[worker("b", "10.0.0.9")],
        MacPrefix::DEFAULT,
        &AddressRule::default(),
    );
    let without = Desired::default();
    let clock = |second: u64| (at(second), Timestamp::from_second(1_000).unwrap());

    let mut absences = absences();
    absences.update(&claimed, &without, &with_node, clock(120));
    assert_eq!(absences.get(mac(GONE)), None);
    absences.update(&claimed, &with_node, &without, clock(130));
    let absence = absences.get(mac(GONE)).unwrap();
    assert_eq!((absence.since, absence.node_name()), (at(130), Some("b")));
}

#[test]
fn device_without_desired_records_keeps_its_records() {
    let case = Case {
        present: 0,
        ..Case::default()
    };
    assert_eq!(case.hold(), Hold::NothingElse);
}

fn due(macs: &[&str]) -> Verdict {
    Verdict {
        remove: macs.iter().map(|m| mac(m)).collect(),
        held: BTreeMap::new(),
    }
}

const NO_REMOVALS: Window = Window {
    nodes: None,
    steps: Vec::new(),
};
const THREE: [&str; 3] = ["0a:0a:0a:00:00:07", "0a:0a:0a:00:00:08", GONE];

/// Takes the removals from the budget of an object with so many claims: all that are removed belong to nodes
/// that exist and are not selected any more.
fn spend(verdict: &mut Verdict, claimed: usize, paid: &[&str], approved: &[&str]) {
    let mut names = NodeNames::default();
    for mac in &verdict.remove {
        names.insert(*mac, "worker");
    }
    spend_named(verdict, claimed, &names, (paid, approved));
}

fn spend_named(
    verdict: &mut Verdict,
    claimed: usize,
    names: &NodeNames,
    (paid, approved): (&[&str], &[&str]),
) {
    let set = |macs: &[&str]| macs.iter().map(|m| mac(m)).collect();
    let evidence = Evidence {
        nodes: &[node("worker").unselected().build()],
        prefix: MacPrefix::DEFAULT,
        rule: &AddressRule::default(),
        absences: &absences(),
        claimed_nodes: names,
        delay: DELAY,
        settled_at: at(0),
        present: 1,
        needs: None,
        now: at(0),
    };
    let census = Census {
        claimed,
        undesired: verdict.remove.len(),
        nodes: claimed.saturating_sub(verdict.remove.len()),
    };
    verdict.spend(
        &evidence,
        &Budget {
            window: &NO_REMOVALS,
            census,
            percent: 50,
            paid: &set(paid),
            approved: &set(approved),
            now: Timestamp::UNIX_EPOCH,
        },
    );
}

#[test]
fn removals_within_the_budget_go_ahead() {
    let mut verdict = due(&THREE);
    spend(&mut verdict, 6, &[], &[]);
    assert_eq!(verdict, due(&THREE));
}

#[test]
fn over_the_budget_nothing_is_removed() {
    let mut verdict = due(&THREE);
    spend(&mut verdict, 5, &[], &[]);
    assert_eq!(verdict.remove, BTreeSet::new());
    assert_eq!(verdict.over_budget().len(), 3);
}

#[test]
fn approved_set_is_removed_and_later_additions_stay() {
    let mut verdict = due(&THREE);
    spend(&mut verdict, 1, &[], &THREE[..2]);
    // The third alone is within the budget of two; together with two more it is not.
    assert_eq!(verdict, due(&THREE));
    let others = ["0a:0a:0a:00:00:06", "0a:0a:0a:00:00:05"];
    let mut more = due(&[&THREE[..], &others].concat());
    spend(&mut more, 2, &[], &THREE[..2]);
    assert_eq!(more.remove, due(&THREE[..2]).remove);
}

#[test]
fn record_already_leaving_elsewhere_spends_no_budget() {
    let mut verdict = due(&THREE);
    spend(&mut verdict, 1, &THREE, &[]);
    assert_eq!(verdict, due(&THREE));
}

#[test]
fn removal_of_a_nameless_claim_waits_for_approval() {
    let set = |macs: &[&str]| macs.iter().map(|m| mac(m)).collect::<BTreeSet<_>>();
    let mut names = NodeNames::default();
    names.insert(mac(THREE[0]), "worker");
    let spend = |approved: &[&str]| {
        let mut verdict = due(&THREE);
        spend_named(&mut verdict, 100, &names, (&[THREE[1]], approved));
        verdict
    };
    let verdict = spend(&[]);
    assert_eq!(verdict.remove, set(&THREE[..1]));
    assert_eq!(verdict.held[&mac(THREE[1])], Hold::NodeUnknown);
    assert_eq!(verdict.over_budget(), set(&THREE[1..]));
    assert_eq!(spend(&THREE[1..]), due(&THREE));
}

#[test]
fn claimed_node_without_address_keeps_record_after_restart() {
    // Another node lists the address and is not selected; which node had the record is in the claim only.
    let mut outside = worker("outside", "10.0.0.9");
    outside.selected = false;
    let nodes = vec![worker("other", "10.0.0.1"), outside, node("had-it").build()];
    let mut claimed_nodes = NodeNames::default();
    let case = |claimed_nodes: &NodeNames| Case {
        nodes: nodes.clone(),
        claimed_nodes: claimed_nodes.clone(),
        ..Case::default()
    };
    assert_eq!(case(&claimed_nodes).verdict().remove, [mac(GONE)].into());
    claimed_nodes.insert(mac(GONE), "had-it");
    let held = case(&claimed_nodes).verdict().held;
    assert_eq!(held[&mac(GONE)], Hold::NodeAddressMissing("had-it".into()));
}

#[test]
fn node_without_usable_address_keeps_its_record() {
    let rule = AddressRule::default();
    let address = "10.0.0.1".parse().unwrap();
    assert!(keeps(&node("n1").build(), address, None, &rule));
    let outside = node("n1").unselected().build();
    assert!(!keeps(&outside, address, None, &rule));
}
