//! What a pass leaves behind, as the report that the status is made from.

use super::assignment::{Assignment, Purpose};
use super::decision::note_losses;
use super::inputs::Inputs;
use super::memory::{Memory, Note};
use super::{Depth, PassError, PassOutcome};
use crate::claims::DeviceClaims;
use crate::drift;
use crate::guard::{Hold, Verdict};
use crate::outcome::{Leaving, NeighbourHold, Reach};
use crate::plan::{Plan, plan};
use crate::record::Records;
use crate::sharing::Needs;
use crate::time::Moment;

/// Compares what is known of the device now with what is wanted, and plans what only time or another object holds.
pub fn refresh_report(
    memory: &mut Memory,
    (work, inputs): (&Assignment, &Inputs),
    wanted: &Records,
    claims: &DeviceClaims,
    verdict: &Verdict,
    now: Moment,
) {
    if let Some(listing) = &memory.listing {
        let left = plan(wanted, &listing.observed, claims, work.prefix);
        memory.report.leaving = leaving(memory, &left.remove, verdict);
        memory.newcomers.retain(|mac| left.add.contains_key(mac));
        memory.rejected.retain(|mac| {
            let open = [&left.add, &left.correct, &left.remove];
            open.iter().any(|records| records.contains_key(mac))
        });
        memory.bulk_write_disabled |= left.shows_others();
        if work.purpose != Purpose::Observe {
            note_losses(memory, work.drift, drift::lost(&left, claims), now);
        }
        let is_left = |mac| left.remove.contains_key(&mac);
        note_neighbours(memory, verdict.held_by_neighbours(is_left));
        memory.report.plan = Some(left);
    }
    memory.report.over_budget = verdict.over_budget();
    let stopped = inputs.removals_stop_until;
    let stopped = stopped.filter(|until| *until > now && !verdict.remove.is_empty());
    memory.schedule.next_removal = verdict.next_due().into_iter().chain(stopped).min();
    // The task compares what others need with what they need later.
    if memory.report.held_by_neighbours.is_some() {
        let change = inputs.needs.as_ref().and_then(Needs::next_change);
        memory.schedule.plan_held(change);
    }
    memory.needs.clone_from(&inputs.needs);
}

/// Notes what stays for other objects, and that it begins, changes or ends.
fn note_neighbours(memory: &mut Memory, now: Option<NeighbourHold>) {
    let before = std::mem::replace(&mut memory.report.held_by_neighbours, now.clone());
    let by = |hold: &Option<NeighbourHold>| hold.as_ref().map(|hold| hold.by.clone());
    if by(&before) != by(&now) {
        let note = now.map_or(Note::NeighbourHoldEnded, Note::HeldByNeighbour);
        memory.notes.push(note);
    }
}

/// The records that stay only for now. A clean-up has none of these: there all records leave.
fn leaving(memory: &Memory, remove: &Records, verdict: &Verdict) -> Vec<Leaving> {
    let leaving = remove.iter().filter_map(|(mac, endpoint)| {
        let absence = memory.absences.get(*mac)?;
        let removable_at = match verdict.held.get(mac) {
            Some(Hold::Waiting(due)) => {
                // Counted from the absence, so that the time shown stays the same from pass to pass.
                let wait = absence.since.until(*due);
                absence.since_time.checked_add(wait).ok()
            }
            _ => None,
        };
        Some(Leaving {
            node: absence.node_name().map(str::to_owned),
            address: endpoint.address,
            since: absence.since_time,
            removable_at,
        })
    });
    let mut leaving: Vec<Leaving> = leaving.collect();
    leaving.sort_by_key(|leaving| leaving.address);
    leaving
}

/// The records went with their tunnel: all that are desired are missing.
fn lose_all_records(memory: &mut Memory) {
    let facts = memory.report.facts.as_ref();
    let local = facts.and_then(|facts| facts.tunnel.local_address);
    let add = local.map_or_else(Records::new, |local| memory.desired.records(local));
    memory.report.plan = Some(Plan {
        add,
        ..Plan::default()
    });
    memory.report.leaving = Vec::new();
}

/// Notes how a pass ended.
pub fn conclude(memory: &mut Memory, work: &Assignment, ended: &Result<PassOutcome, PassError>) {
    match ended {
        Err(PassError::Refused(failure)) => {
            if ended.as_ref().is_err_and(PassError::is_tunnel_not_found) {
                lose_all_records(memory);
            }
            memory.report.failure = Some(failure.clone());
        }
        Err(PassError::Unreachable { failure, .. }) => {
            memory.report.reach = Reach::Failed(failure.clone());
            memory.report.failure = None;
        }
        Ok(
            PassOutcome::Settled
            | PassOutcome::Clean
            | PassOutcome::Requeue(Depth::Quick | Depth::Verify),
        ) => {
            // A record that was refused is not tried again by a pass that was made for new nodes.
            if memory.rejected.is_empty() {
                memory.report.failure = None;
            }
        }
        // Whether a failure is over shows in the pass that follows at once.
        Ok(PassOutcome::Requeue(Depth::Removal))
        | Err(PassError::Restart | PassError::Stopping) => {}
    }
    memory.report.save.enabled = work.saves();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::ClaimState;
    use crate::listing::Listing;
    use crate::outcome::Failure;
    use crate::pass::testing::{NOW, assignment, at, inputs, memory};
    use crate::reason::Reason;
    use crate::testing::{facts, mac, records, worker};
    use crate::unit::FailoverState;

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";

    fn failure(reason: Reason) -> Failure {
        Failure {
            reason,
            message: String::new(),
            retryable: false,
        }
    }

    fn listing(pairs: &[(&str, &str)]) -> Listing {
        let mut listing = Listing::default();
        for (mac, endpoint) in pairs {
            listing.insert(Some(mac), Some(endpoint));
        }
        listing
    }

    #[test]
    fn missing_tunnel_has_lost_every_record() {
        let (mut memory, work) = (memory(), assignment(&[worker("a", "10.0.0.1")]));
        memory.note_nodes(
            &DeviceClaims::new(),
            work.desired(&work.nodes),
            (at(0), NOW),
        );
        memory.report.facts = Some(facts("a", FailoverState::Active));
        let ended = Err(PassError::Refused(failure(Reason::TunnelNotFound)));
        conclude(&mut memory, &work, &ended);
        assert_eq!(memory.report.plan.unwrap().add.len(), 1);
        assert!(memory.report.failure.is_some());
    }

    #[test]
    fn refusal_is_over_when_a_verification_finds_none() {
        let (mut memory, work) = (memory(), assignment(&[]));
        let refused = failure(Reason::RequestRefused);
        for (rejected, outcome, is_over) in [
            (true, PassOutcome::Settled, false),
            (false, PassOutcome::Requeue(Depth::Removal), false),
            (false, PassOutcome::Requeue(Depth::Quick), true),
            (false, PassOutcome::Settled, true),
        ] {
            memory.report.failure = Some(refused.clone());
            memory.rejected = rejected.then(|| mac(M1)).into_iter().collect();
            conclude(&mut memory, &work, &Ok(outcome));
            assert_eq!(memory.report.failure.is_none(), is_over, "{outcome:?}");
        }
    }

    #[test]
    fn unreachable_device_hides_an_earlier_refusal() {
        let (mut memory, work) = (memory(), assignment(&[]));
        memory.report.failure = Some(failure(Reason::RequestRefused));
        let ended = Err(PassError::unreachable(failure(Reason::Timeout)));
        conclude(&mut memory, &work, &ended);
        assert_eq!(memory.report.failure, None);
        assert_eq!(memory.report.reach, Reach::Failed(failure(Reason::Timeout)));
    }

    #[test]
    fn waiting_record_shows_when_it_may_go_at_the_earliest() {
        let (mut memory, work) = (memory(), assignment(&[]));
        let claims = [(mac(M1), ClaimState::Owned)].into();
        memory.note_nodes(
            &claims,
            work.desired(&[worker("a", "10.0.0.1")]),
            (at(0), NOW),
        );
        memory.note_nodes(&claims, work.desired(&[]), (at(10), NOW));
        memory.note_listing(listing(&[(M1, "10.0.0.1%0")]), NOW);
        let verdict = Verdict {
            held: [(mac(M1), Hold::Waiting(at(70)))].into(),
            ..Verdict::default()
        };
        let inputs = inputs(&claims, &[]);
        let (of, wanted) = ((&work, &inputs), Records::new());
        refresh_report(&mut memory, of, &wanted, &claims, &verdict, at(20));
        let leaving = &memory.report.leaving[0];
        assert_eq!(leaving.node.as_deref(), Some("a"));
        let wait = leaving.removable_at.unwrap().duration_since(NOW);
        assert_eq!(wait.as_secs(), 60);
        assert_eq!(memory.schedule.next_removal, Some(at(70)));
    }

    #[test]
    fn records_of_others_disable_bulk_writes_for_good() {
        let (mut memory, work) = (memory(), assignment(&[]));
        let (claims, wanted) = (DeviceClaims::new(), Records::new());
        let (inputs, verdict) = (inputs(&claims, &[]), Verdict::default());
        memory.note_listing(listing(&[("02:00:00:00:00:01", "192.0.2.1%0")]), NOW);
        refresh_report(
            &mut memory,
            (&work, &inputs),
            &wanted,
            &claims,
            &verdict,
            at(1),
        );
        memory.note_listing(Listing::default(), NOW);
        refresh_report(
            &mut memory,
            (&work, &inputs),
            &wanted,
            &claims,
            &verdict,
            at(2),
        );
        assert!(memory.bulk_write_disabled);
    }

    #[test]
    fn hold_by_others_is_noted_when_it_begins_and_ends() {
        let (mut memory, work) = (memory(), assignment(&[]));
        let claims: DeviceClaims = [(mac(M2), ClaimState::Owned)].into();
        let inputs = inputs(&claims, &[]);
        memory.note_listing(listing(&[(M2, "10.0.0.2%0")]), NOW);
        let held = Verdict {
            held: [(mac(M2), Hold::OthersUnknown)].into(),
            ..Verdict::default()
        };
        let mut refresh = |verdict: &Verdict| {
            let (of, wanted) = ((&work, &inputs), records(&[]));
            refresh_report(&mut memory, of, &wanted, &claims, verdict, at(1));
            std::mem::take(&mut memory.notes)
        };
        assert!(matches!(refresh(&held)[..], [Note::HeldByNeighbour(_)]));
        assert!(refresh(&held).is_empty());
        assert_eq!(refresh(&Verdict::default()), [Note::NeighbourHoldEnded]);
    }
}
