//! What a pass does with a plan: whether more has to be read first, which removals may go ahead now, what is
//! written next and how.
//!
//! Collects the evidence for `guard`, `drift` and `batch` out of what was read and remembered.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Depth;
use super::assignment::{Assignment, Purpose};
use super::inputs::Inputs;
use super::memory::{Memory, Note};
use crate::batch::{self, BATCH_MAX, Batch, Choice};
use crate::claims::stored_bytes;
use crate::drift::{self, DriftPolicy, Losses};
use crate::guard::{Budget, Evidence, Verdict, guard, guard_deletion};
use crate::mac::MacAddress;
use crate::plan::Plan;
use crate::time::Moment;

/// What follows from a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// More has to be read before this plan is carried out.
    ReadMore(Depth),
    /// This is done.
    Proceed(Next),
}

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Next {
    /// Which removals may go ahead now. Only a pass made for removals carries them out.
    pub verdict: Verdict,
    /// The next writes.
    pub batch: Batch,
    /// How they are made.
    pub mode: WriteMode,
}

/// How the writes of a batch are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteMode {
    /// Nothing is claimed and nothing is written.
    #[default]
    None,
    /// One record at a time.
    Single,
    /// The additions by one write of the whole list.
    Bulk,
}

/// Decides what is done with a plan.
pub fn decide(
    memory: &mut Memory,
    work: &Assignment,
    inputs: &Inputs,
    plan: &Plan,
    depth: Depth,
    now: (Moment, Timestamp),
) -> Decision {
    if work.purpose == Purpose::Observe {
        forget_losses(memory);
        return Decision::Proceed(Next::default());
    }
    let held_back = throttle_restores(memory, work, inputs, plan, now.0);
    if let Some(deeper) = required_depth(depth, plan, &held_back) {
        return Decision::ReadMore(deeper);
    }
    let verdict = judge(memory, work, inputs, (plan, &held_back), now);
    let is_bulk =
        depth != Depth::Quick && may_write_in_bulk(memory, work, inputs, plan, &held_back);
    let mode = if is_bulk {
        WriteMode::Bulk
    } else {
        WriteMode::Single
    };
    let batch = choose(memory, inputs, (plan, held_back), &verdict, (depth, mode));
    Decision::Proceed(Next {
        verdict,
        batch,
        mode,
    })
}

/// Takes in which records were removed or changed by another writer. Returns those of them that are not put
/// back now.
pub fn note_losses(
    memory: &mut Memory,
    policy: DriftPolicy,
    lost: BTreeSet<MacAddress>,
    now: Moment,
) -> BTreeSet<MacAddress> {
    if memory.losses.look(lost, now) {
        memory.notes.push(Note::Drift(memory.losses.count()));
    }
    let held_back = memory.losses.hold_back(policy, now);
    memory.schedule.next_restore = memory.losses.next_turn(policy);
    memory.report.contended = memory.losses.is_contended(now);
    memory.report.reported_drift = match policy {
        DriftPolicy::Report => held_back.len(),
        DriftPolicy::Correct => 0,
    };
    held_back
}

/// An object that only observes restores nothing, and contends with no other writer.
fn forget_losses(memory: &mut Memory) {
    memory.losses = Losses::default();
    memory.report.contended = false;
    memory.report.reported_drift = 0;
}

/// Which lost records of a plan are not put back now. The record of a node that has just come is added, not put
/// back.
fn throttle_restores(
    memory: &mut Memory,
    work: &Assignment,
    inputs: &Inputs,
    plan: &Plan,
    now: Moment,
) -> BTreeSet<MacAddress> {
    let mut lost = drift::lost(plan, &inputs.claims);
    lost.retain(|mac| !memory.newcomers.contains(mac));
    note_losses(memory, work.drift, lost, now)
}

/// The depth that a plan needs, if this one is not enough. What was read a minute ago is good enough to add to,
/// not to adopt a record by; and a record that exists is overwritten only on a unit whose identity was just read.
fn required_depth(depth: Depth, plan: &Plan, held_back: &BTreeSet<MacAddress>) -> Option<Depth> {
    let corrects = plan.correct.keys().any(|mac| !held_back.contains(mac));
    match depth {
        Depth::Quick if corrects || !plan.adopt.is_empty() => Some(Depth::Verify),
        Depth::Verify if corrects => Some(Depth::Removal),
        Depth::Quick | Depth::Verify | Depth::Removal => None,
    }
}

/// Judges the removals of a plan.
fn judge(
    memory: &Memory,
    work: &Assignment,
    inputs: &Inputs,
    (plan, held_back): (&Plan, &BTreeSet<MacAddress>),
    (now, time): (Moment, Timestamp),
) -> Verdict {
    let needs = inputs.needs.as_ref();
    if work.purpose.is_clean_up() {
        return guard_deletion(&plan.remove, needs);
    }
    let stopped_until = inputs.removals_stop_until;
    let evidence = Evidence {
        nodes: &inputs.nodes,
        prefix: work.prefix,
        rule: &work.addresses,
        absences: &memory.absences,
        claimed_nodes: &inputs.names,
        delay: work.removal_delay,
        // After the API server's answers about the nodes disagreed, as after an uncertain write.
        settled_at: stopped_until.map_or(memory.settled_at, |until| memory.settled_at.max(until)),
        present: plan.present().len() + written_first(memory, inputs, plan, held_back),
        needs,
        now,
    };
    let mut verdict = guard(&plan.remove, &evidence);
    let paid = &inputs.removals.leaving | &*work.against_nodes;
    let budget = Budget {
        window: &inputs.removals.window,
        census: inputs.removals.census(&memory.desired),
        percent: work.removal_percent,
        paid: &paid,
        approved: &work.approved,
        now: time,
    };
    verdict.spend(&evidence, &budget);
    verdict
}

/// How many records are added or corrected before anything is removed.
fn written_first(
    memory: &Memory,
    inputs: &Inputs,
    plan: &Plan,
    held_back: &BTreeSet<MacAddress>,
) -> usize {
    let can_be_claimed = |mac: &MacAddress| {
        let node = memory.desired.nodes.get(mac).map(|node| node.name.as_str());
        inputs.claims.contains_key(mac) || stored_bytes(node) <= inputs.removals.room_bytes
    };
    let adds = plan.add.keys().filter(|mac| can_be_claimed(mac));
    let first = adds.chain(plan.correct.keys());
    first.filter(|mac| !held_back.contains(*mac)).count()
}

/// Whether an empty tunnel may be filled by one write of the whole list. Such a write loses whatever is added
/// by another writer meanwhile: the spec has to allow it, the tunnel may never have held a record of others, and
/// no other object may share it.
fn may_write_in_bulk(
    memory: &Memory,
    work: &Assignment,
    inputs: &Inputs,
    plan: &Plan,
    held_back: &BTreeSet<MacAddress>,
) -> bool {
    let needs = inputs.needs.as_ref();
    let is_alone = needs.is_some_and(|needs| !needs.is_shared());
    // All units of the object may be filled at once, each with claims of its own until they are equal.
    let names = memory.desired.nodes.values().map(|node| node.name.as_str());
    let bytes: usize = names.map(|name| stored_bytes(Some(name))).sum();
    let has_room = bytes.saturating_mul(work.listed.len()) <= inputs.removals.room_bytes;
    work.bulk_writes
        && is_alone
        && has_room
        && !memory.bulk_write_disabled
        && held_back.is_empty()
        && batch::is_first_fill(plan)
}

/// The next writes.
fn choose(
    memory: &Memory,
    inputs: &Inputs,
    (plan, mut held_back): (&Plan, BTreeSet<MacAddress>),
    verdict: &Verdict,
    (depth, mode): (Depth, WriteMode),
) -> Batch {
    if depth == Depth::Quick {
        // What the device has refused is tried again by the next verification, not with each node.
        held_back.extend(&memory.rejected);
    }
    let nothing = BTreeSet::new();
    let removals = match depth {
        Depth::Removal if inputs.may_remove => &verdict.remove,
        Depth::Quick | Depth::Verify | Depth::Removal => &nothing,
    };
    let writes_max = match mode {
        WriteMode::Bulk => usize::MAX,
        WriteMode::None | WriteMode::Single if memory.probe_single_write => 1,
        WriteMode::None | WriteMode::Single => BATCH_MAX,
    };
    let choice = Choice {
        claims: &inputs.claims,
        removals,
        newcomers: &memory.newcomers,
        refused: &memory.rejected,
        held_back: &held_back,
        room_bytes: inputs.removals.room_bytes,
        nodes: &memory.desired.nodes,
        writes_max,
    };
    Batch::next(plan, &choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{ClaimState, DeviceClaims};
    use crate::guard::Hold;
    use crate::node::NodeView;
    use crate::pass::assignment::CleanUp;
    use crate::pass::testing::{NOW, assignment, at, inputs, memory};
    use crate::record::Records;
    use crate::testing::{mac, records, worker};

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";
    const E1: &str = "10.0.0.1%0";
    const E2: &str = "10.0.0.2%0";

    struct Case {
        memory: Memory,
        work: Assignment,
        inputs: Inputs,
        observed: Records,
    }

    /// These nodes, these claims, and these records on the device.
    fn case(nodes: &[NodeView], claims: &[(&str, ClaimState)], observed: &[(&str, &str)]) -> Case {
        let claims: DeviceClaims = claims.iter().map(|(m, state)| (mac(m), *state)).collect();
        let work = assignment(nodes);
        let mut memory = memory();
        memory.note_nodes(&claims, work.desired(nodes), (at(0), NOW));
        Case {
            memory,
            work,
            inputs: inputs(&claims, nodes),
            observed: records(observed),
        }
    }

    impl Case {
        fn plan(&self) -> Plan {
            let wanted = self.memory.desired.records("10.0.0.254".parse().unwrap());
            let observed = self.observed.clone().into();
            crate::plan::plan(&wanted, &observed, &self.inputs.claims, self.work.prefix)
        }

        fn decide(&mut self, depth: Depth, second: u64) -> Decision {
            let plan = self.plan();
            let now = (at(second), NOW);
            decide(
                &mut self.memory,
                &self.work,
                &self.inputs,
                &plan,
                depth,
                now,
            )
        }

        fn next(&mut self, depth: Depth) -> Next {
            match self.decide(depth, 1) {
                Decision::Proceed(next) => next,
                more @ Decision::ReadMore(_) => panic!("{more:?}"),
            }
        }
    }

    fn two() -> [NodeView; 2] {
        [worker("a", "10.0.0.1"), worker("b", "10.0.0.2")]
    }

    #[test]
    fn observer_decides_on_nothing_and_forgets_losses() {
        let mut case = case(&two(), &[(M1, ClaimState::Owned)], &[]);
        case.next(Depth::Verify);
        assert_eq!(case.memory.losses.count(), 1);
        case.work.purpose = Purpose::Observe;
        assert_eq!(case.next(Depth::Verify), Next::default());
        assert_eq!(case.memory.losses.count(), 0);
    }

    #[test]
    fn adoption_and_correction_need_more_than_old_reads() {
        let mut adopts = case(&two(), &[], &[(M1, E1)]);
        assert_eq!(
            adopts.decide(Depth::Quick, 1),
            Decision::ReadMore(Depth::Verify)
        );
        assert_eq!(adopts.next(Depth::Verify).batch.adopt, [mac(M1)].into());
        let mut corrects = case(&two(), &[(M1, ClaimState::Owned)], &[(M1, E2)]);
        for (depth, deeper) in [
            (Depth::Quick, Depth::Verify),
            (Depth::Verify, Depth::Removal),
        ] {
            assert_eq!(corrects.decide(depth, 1), Decision::ReadMore(deeper));
        }
        assert_eq!(corrects.next(Depth::Removal).batch.correct.len(), 1);
    }

    #[test]
    fn only_pass_for_removals_removes() {
        let claims = [(M1, ClaimState::Owned), (M2, ClaimState::Owned)];
        let nodes = [worker("a", "10.0.0.1")];
        for (depth, may_remove, removed) in [
            (Depth::Quick, true, 0),
            (Depth::Verify, true, 0),
            (Depth::Removal, false, 0),
            (Depth::Removal, true, 1),
        ] {
            let mut case = case(&nodes, &claims, &[(M1, E1), (M2, E2)]);
            case.inputs.may_remove = may_remove;
            let mut names = (*case.inputs.names).clone();
            names.insert(mac(M2), "b");
            case.inputs.names = names.into();
            let next = case.next(depth);
            assert_eq!(next.verdict.remove, [mac(M2)].into(), "{depth:?}");
            assert_eq!(next.batch.remove.len(), removed, "{depth:?} {may_remove}");
        }
    }

    #[test]
    fn stopped_removals_wait_like_after_an_uncertain_write() {
        let claims = [(M1, ClaimState::Owned), (M2, ClaimState::Owned)];
        let nodes = [worker("a", "10.0.0.1")];
        let mut case = case(&nodes, &claims, &[(M1, E1), (M2, E2)]);
        case.inputs.removals_stop_until = Some(at(60));
        let held = case.next(Depth::Removal).verdict.held;
        assert_eq!(held.get(&mac(M2)), Some(&Hold::Waiting(at(60))));
        case.inputs.removals_stop_until = None;
        case.memory.note_uncertain((at(0), NOW));
        let held = case.next(Depth::Removal).verdict.held;
        assert_eq!(held.get(&mac(M2)), Some(&Hold::Waiting(at(75))));
    }

    #[test]
    fn last_record_stays_while_its_replacement_cannot_be_claimed() {
        let nodes = [worker("b", "10.0.0.2")];
        let mut case = case(&nodes, &[(M1, ClaimState::Owned)], &[(M1, E1)]);
        case.inputs.removals.room_bytes = 0;
        let held = case.next(Depth::Removal).verdict.held;
        assert_eq!(held.get(&mac(M1)), Some(&Hold::NothingElse));
    }

    #[test]
    fn clean_up_waits_for_no_delay_and_only_for_others() {
        let mut case = case(&[], &[(M1, ClaimState::Owned)], &[(M1, E1)]);
        case.work.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
        case.memory.note_uncertain((at(0), NOW));
        assert_eq!(case.next(Depth::Removal).batch.remove.len(), 1);
        case.inputs.needs = None;
        let next = case.next(Depth::Removal);
        assert!(next.batch.remove.is_empty());
        assert_eq!(next.verdict.held.get(&mac(M1)), Some(&Hold::OthersUnknown));
    }

    #[test]
    fn rejected_record_waits_for_the_next_verification() {
        let mut case = case(&two(), &[], &[]);
        case.memory.rejected.insert(mac(M1));
        let added: Vec<_> = case.next(Depth::Quick).batch.add.into_keys().collect();
        assert_eq!(added, [mac(M2)]);
        assert_eq!(case.next(Depth::Verify).batch.add.len(), 2);
        case.memory.probe_single_write = true;
        let added: Vec<_> = case.next(Depth::Verify).batch.add.into_keys().collect();
        assert_eq!(added, [mac(M2)], "one write, and not the refused one");
    }

    #[test]
    fn newcomer_is_added_and_not_put_back() {
        let claims = [(M1, ClaimState::Owned), (M2, ClaimState::Owned)];
        let mut case = case(&two(), &claims, &[]);
        case.memory.newcomers.insert(mac(M1));
        case.next(Depth::Verify);
        assert_eq!(case.memory.losses.count(), 1);
        assert_eq!(case.memory.notes, [Note::Drift(1)]);
    }

    /// More nodes than fit into one batch.
    fn many() -> Vec<NodeView> {
        let node = |n: usize| worker(&format!("n{n}"), &format!("10.0.1.{n}"));
        (1..=BATCH_MAX + 1).map(node).collect()
    }

    #[test]
    fn whole_list_is_written_only_to_an_empty_tunnel_of_one_object() {
        let fresh = || {
            let mut case = case(&many(), &[], &[]);
            case.work.bulk_writes = true;
            case
        };
        let mode = |mut case: Case, depth| case.next(depth).mode;
        assert_eq!(mode(fresh(), Depth::Verify), WriteMode::Bulk);
        assert_eq!(fresh().next(Depth::Verify).batch.add.len(), BATCH_MAX + 1);
        assert_eq!(mode(fresh(), Depth::Quick), WriteMode::Single);
        let spoilt: [fn(&mut Case); 6] = [
            |case| case.work.bulk_writes = false,
            |case| case.inputs.needs = None,
            |case| case.memory.bulk_write_disabled = true,
            |case| case.inputs.removals.room_bytes = 100,
            |case| case.observed = records(&[("02:00:00:00:00:01", "192.0.2.1%0")]),
            |case| case.observed = records(&[("0a:0a:0a:00:01:01", "10.0.1.1%0")]),
        ];
        for (number, spoil) in spoilt.into_iter().enumerate() {
            let mut case = fresh();
            spoil(&mut case);
            assert_eq!(mode(case, Depth::Verify), WriteMode::Single, "{number}");
        }
    }
}
