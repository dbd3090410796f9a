//! What is claimed before a batch is written, and what is noted with it.
//!
//! Nothing is written without a stored claim: [`super::writing::StoredClaims`] is made from the answer to this
//! request.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Depth;
use super::assignment::Assignment;
use super::inputs::{Inputs, Spending};
use super::memory::Memory;
use crate::batch::{Batch, ClaimContext, SavedConfig, claims_before};
use crate::cause::causes;
use crate::claims::{ClaimChanges, DeviceClaims, NodeChanges, nodes_to_note};
use crate::mac::MacAddress;
use crate::plan::Plan;
use crate::time::Moment;

/// What one device asks to be stored.
#[derive(Debug, Clone, Default)]
pub struct ClaimRequest {
    /// How its claims change.
    pub changes: ClaimChanges,
    /// The nodes that claimed records get.
    pub nodes: NodeChanges,
    /// The removals among them, paid from the budget in the same write.
    pub spending: Option<Spending>,
    /// What is noted of the device with them.
    pub note: Option<DeviceNote>,
}

/// What the status keeps of a device from its first claim on, so that the next process can reach it and knows
/// that something was changed and not saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceNote {
    /// The unit that the claims are made on.
    pub identity: Option<String>,
    /// The key that it proved.
    pub key_fingerprint: Option<String>,
    /// The oldest change that is not saved.
    pub unsaved_since: Option<Timestamp>,
}

impl ClaimRequest {
    /// Drops the claims on a device whose tunnel or unit is gone: the records went with it.
    pub fn release(claims: &DeviceClaims) -> Self {
        Self::of(claims.keys().map(|mac| (*mac, None)).collect())
    }

    /// Only changes claims.
    pub fn of(changes: ClaimChanges) -> Self {
        Self {
            changes,
            ..Self::default()
        }
    }
}

/// What is stored before a batch is written.
pub fn claim_request(
    memory: &mut Memory,
    work: &Assignment,
    inputs: &Inputs,
    (plan, batch): (&Plan, &Batch),
    depth: Depth,
    (now, time): (Moment, Timestamp),
) -> ClaimRequest {
    let is_clean_up = work.purpose.is_clean_up();
    // A clean-up is not counted, so nothing has to be remembered for it.
    let none = BTreeSet::new();
    let elsewhere = if is_clean_up {
        &none
    } else {
        &inputs.removals.elsewhere
    };
    let theirs = left_to_others(inputs, plan);
    let context = ClaimContext {
        saved_config: match (work.saves(), memory.unsaved) {
            (false, _) => SavedConfig::Ignored,
            (true, Some(_)) => SavedConfig::Behind,
            (true, None) => SavedConfig::UpToDate,
        },
        awaits_late_write: memory.awaits_late_write(now),
        within_settle_period: now < memory.settled_at,
        is_fresh: depth != Depth::Quick,
        claimed_on_other_device: elsewhere,
        claimed_by_peer: &theirs,
    };
    let changes = claims_before(plan, batch, &inputs.claims, context);
    ClaimRequest {
        nodes: names_to_note(memory, inputs, &changes),
        changes,
        // Deleting the object, or taking the device off its list, is an order of its own, and not counted.
        spending: spending(memory, work, inputs, batch, time).filter(|_| !is_clean_up),
        note: device_note(memory, work, batch, time),
    }
}

/// Whether the claim of a removed record is dropped as soon as it is gone: its unit does not bring it back from a
/// stored configuration, and its claim does not show another device that the removal is paid for.
pub fn is_dropped_when_gone(work: &Assignment, inputs: &Inputs, mac: MacAddress) -> bool {
    let is_needed_elsewhere =
        !work.purpose.is_clean_up() && inputs.removals.elsewhere.contains(&mac);
    !work.saves() && !is_needed_elsewhere
}

/// Of the records that are not desired any more, those that another object takes care of.
fn left_to_others(inputs: &Inputs, plan: &Plan) -> BTreeSet<MacAddress> {
    let Some(needs) = &inputs.needs else {
        return BTreeSet::new();
    };
    let left = plan.remove.keys().copied();
    left.filter(|mac| needs.is_left_to_another(*mac)).collect()
}

/// The nodes that are noted with these claims, and with those that lack the node that desires their record now.
fn names_to_note(memory: &Memory, inputs: &Inputs, changes: &ClaimChanges) -> NodeChanges {
    let new = changes.iter().filter(|(_, change)| change.is_some());
    let claimed = new.map(|(mac, _)| mac).chain(inputs.claims.keys());
    nodes_to_note(
        claimed.copied(),
        &inputs.names,
        &memory.desired,
        &inputs.nodes,
        inputs.removals.room_bytes,
    )
}

/// The removals of a batch that the budget is asked for. `None` where there is none.
fn spending(
    memory: &Memory,
    work: &Assignment,
    inputs: &Inputs,
    batch: &Batch,
    now: Timestamp,
) -> Option<Spending> {
    let removing = batch.remove.keys().copied();
    let removing = removing.filter(|mac| !work.against_nodes.contains(mac));
    let removing: BTreeMap<_, _> = causes(removing, &inputs.nodes, &inputs.names, &memory.absences);
    (!removing.is_empty()).then(|| Spending {
        listed: work.listed.clone(),
        removing,
        desired: memory.desired.nodes.keys().copied().collect(),
        percent: work.removal_percent,
        approved: work.approved.clone(),
        now,
    })
}

/// What is noted of the device with a batch. A record that was refused before is not worth a note until it is
/// taken; a device that has left the list has its own entry in the status.
fn device_note(
    memory: &mut Memory,
    work: &Assignment,
    batch: &Batch,
    time: Timestamp,
) -> Option<DeviceNote> {
    let written = batch.add.keys().chain(batch.correct.keys());
    let mut written = written.chain(batch.remove.keys());
    let changes = written.any(|mac| !memory.rejected.contains(mac));
    if !work.is_listed() || !changes && batch.adopt.is_empty() {
        return None;
    }
    let since = &mut memory.report.save.unsaved_since;
    if changes {
        since.get_or_insert(time);
    }
    Some(DeviceNote {
        identity: memory.identity.clone(),
        key_fingerprint: memory.report.key.map(|key| key.to_string()),
        unsaved_since: *since,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::ClaimState;
    use crate::pass::assignment::{CleanUp, Purpose};
    use crate::pass::testing::{NOW, assignment, at, inputs, memory};
    use crate::testing::{mac, plan, records, worker};

    const M1: &str = "0a:0a:0a:00:00:01";
    const E1: &str = "10.0.0.1%0";

    fn request(work: &Assignment, state: Option<ClaimState>, batch: &Batch) -> ClaimRequest {
        let claims: DeviceClaims = state.map(|state| (mac(M1), state)).into_iter().collect();
        let inputs = inputs(&claims, &work.nodes);
        let mut memory = memory();
        memory.note_nodes(&claims, work.desired(&work.nodes), (at(0), NOW));
        let wanted = memory.desired.records("10.0.0.254".parse().unwrap());
        let plan = plan(&wanted, &batch.remove, &claims, work.prefix);
        let depth = Depth::Removal;
        claim_request(
            &mut memory,
            work,
            &inputs,
            (&plan, batch),
            depth,
            (at(1), NOW),
        )
    }

    fn removal() -> Batch {
        Batch {
            remove: records(&[(M1, E1)]),
            ..Batch::default()
        }
    }

    #[test]
    fn addition_is_claimed_pending_with_its_node_and_a_note() {
        let work = assignment(&[worker("a", "10.0.0.1")]);
        let batch = Batch {
            add: records(&[(M1, E1)]),
            ..Batch::default()
        };
        let request = request(&work, None, &batch);
        assert_eq!(
            request.changes,
            [(mac(M1), Some(ClaimState::Pending))].into()
        );
        assert!(request.nodes[&mac(M1)].contains("a"));
        assert!(request.spending.is_none());
        assert_eq!(request.note.unwrap().unsaved_since, Some(NOW));
    }

    #[test]
    fn removal_is_paid_for_unless_everything_is_removed() {
        let mut work = assignment(&[]);
        let request = request(&work, Some(ClaimState::Owned), &removal());
        assert_eq!(
            request.changes,
            [(mac(M1), Some(ClaimState::Leaving))].into()
        );
        assert_eq!(request.spending.unwrap().removing.len(), 1);
        work.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
        assert!(
            super::tests::request(&work, Some(ClaimState::Owned), &removal())
                .spending
                .is_none()
        );
    }

    #[test]
    fn removal_that_counts_against_its_node_is_not_paid_for() {
        let mut work = assignment(&[]);
        work.against_nodes = std::sync::Arc::new([mac(M1)].into());
        let request = request(&work, Some(ClaimState::Owned), &removal());
        assert!(request.spending.is_none());
    }

    #[test]
    fn device_that_left_the_list_is_not_noted() {
        let mut work = assignment(&[]);
        work.purpose = Purpose::CleanUp(CleanUp::DeviceRemoved);
        work.listed = std::sync::Arc::default();
        let request = request(&work, Some(ClaimState::Owned), &removal());
        assert_eq!(request.note, None);
    }

    #[test]
    fn claim_of_removed_record_stays_while_it_is_needed() {
        let (mut work, mut inputs) = (assignment(&[]), inputs(&DeviceClaims::new(), &[]));
        assert!(is_dropped_when_gone(&work, &inputs, mac(M1)));
        inputs.removals.elsewhere.insert(mac(M1));
        assert!(!is_dropped_when_gone(&work, &inputs, mac(M1)), "paid for");
        work.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
        assert!(is_dropped_when_gone(&work, &inputs, mac(M1)));
        work.save_delay = Some(std::time::Duration::ZERO);
        assert!(!is_dropped_when_gone(&work, &inputs, mac(M1)), "not saved");
    }
}
