//! (pure) Which part of a plan is carried out now: collects the evidence for `core::guard`,
//! `core::drift` and `core::batch`.
//!
//! Does no I/O; the moment is the only thing it asks the process for.

use std::collections::BTreeSet;

use bigip_tunnel_core::batch::{self, BATCH_MAX, Batch, Choice};
use bigip_tunnel_core::claims::{OWNERSHIP_BYTES_MAX, stored_bytes};
use bigip_tunnel_core::drift::{self, DriftPolicy, Losses};
use bigip_tunnel_core::guard::{Budget, Evidence, Verdict, guard, guard_deletion};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::vocabulary::reason;

use super::dereference::Inputs;
use crate::device::{DeviceContext, DeviceState, Work};
use crate::pass::{Depth, Stop};

/// Notes what somebody else took away. Returns what of it is not put back now.
pub(super) fn note_losses(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    lost: BTreeSet<MacAddress>,
) -> BTreeSet<MacAddress> {
    let now = ctx.shared.clock.now();
    let policy = work.settings.drift;
    if state.losses.look(lost, now) {
        ctx.metrics.record_drift();
        tracing::warn!(
            count = state.losses.count(),
            "records of this object were removed or changed by somebody else"
        );
    }
    let held_back = state.losses.hold_back(policy, now);
    state.schedule.next_restore = state.losses.next_turn(policy);
    state.report.contended = state.losses.is_contended(now);
    state.report.reported_drift = match policy {
        DriftPolicy::Report => held_back.len(),
        DriftPolicy::Correct => 0,
    };
    held_back
}

/// An object that only looks puts nothing back, and fights nobody.
pub(crate) fn forget_losses(state: &mut DeviceState) {
    state.losses = Losses::default();
    state.report.contended = false;
    state.report.reported_drift = 0;
}

/// The same for what a plan shows. What a node that has just come wants is added, not put back.
pub(crate) fn hold_back(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    inputs: &Inputs,
    plan: &Plan,
) -> BTreeSet<MacAddress> {
    let mut lost = drift::lost(plan, &inputs.claims);
    lost.retain(|mac| !state.newcomers.contains(mac));
    note_losses(ctx, state, work, lost)
}

/// Whether more has to be read before this plan is carried out. What was read a minute ago is good
/// enough to add to, not to call somebody's record ours; and a record that is there is overwritten
/// only on a unit that was just asked who it is.
pub(crate) fn look_deeper(
    depth: Depth,
    plan: &Plan,
    held_back: &BTreeSet<MacAddress>,
) -> Option<Depth> {
    let corrects = plan.correct.keys().any(|mac| !held_back.contains(mac));
    match depth {
        Depth::Quick if corrects || !plan.adopt.is_empty() => Some(Depth::Verify),
        Depth::Verify if corrects => Some(Depth::Removal),
        _ => None,
    }
}

/// Whether an empty tunnel may be filled by one write of the whole list. Such a write loses whatever
/// somebody else adds meanwhile: the spec has to allow it, nobody else may ever have been seen there,
/// and no other object may share the tunnel.
pub(crate) fn may_fill(
    state: &DeviceState,
    work: &Work,
    inputs: &Inputs,
    (plan, held_back): (&Plan, &BTreeSet<MacAddress>),
) -> bool {
    let is_alone = inputs
        .needs
        .as_ref()
        .is_some_and(|needs| !needs.is_shared());
    let is_asked_for = work.settings.bulk_writes && !work.deleting;
    // All units of the object may be filled at once, each with claims of its own until they are equal.
    let names = state.desired.nodes.values().map(|node| node.name.as_str());
    let bytes: usize = names.map(|name| stored_bytes(Some(name))).sum();
    let fits = bytes * work.settings.devices.len() <= inputs.removals.room_bytes;
    is_asked_for
        && is_alone
        && fits
        && !state.fills_singly
        && held_back.is_empty()
        && batch::is_first_fill(plan)
}

/// The next writes.
pub(crate) fn choose(
    state: &DeviceState,
    inputs: &Inputs,
    (plan, held_back): (&Plan, &BTreeSet<MacAddress>),
    verdict: &Verdict,
    (depth, fills): (Depth, bool),
) -> Batch {
    let nothing = BTreeSet::new();
    let mut held_back = held_back.clone();
    if depth == Depth::Quick {
        // What the device has refused is tried again when it is looked at anew, not with each node.
        held_back.extend(&state.refused);
    }
    let choice = Choice {
        claims: &inputs.claims,
        removals: match depth {
            Depth::Removal if inputs.may_remove => &verdict.remove,
            Depth::Quick | Depth::Verify | Depth::Removal => &nothing,
        },
        newcomers: &state.newcomers,
        refused: &state.refused,
        held_back: &held_back,
        room_bytes: inputs.removals.room_bytes,
        nodes: &state.desired.nodes,
        writes_max: match state {
            _ if fills => usize::MAX,
            DeviceState { refuses: true, .. } => 1,
            _ => BATCH_MAX,
        },
    };
    Batch::next(plan, &choice)
}

/// More nodes than claims can be stored for.
pub(crate) fn no_room(count: usize) -> Stop {
    Stop::Refused(Failure {
        reason: reason::TOO_MANY_NODES,
        message: format!(
            "{count} nodes have no claimed record: the claims of an object can take up {} KiB, names of \
             nodes included. Select fewer nodes, and the others in a second object",
            OWNERSHIP_BYTES_MAX / 1024
        ),
        retryable: false,
    })
}

/// Judges the plan's removals.
pub(crate) fn judge(
    ctx: &DeviceContext,
    state: &DeviceState,
    work: &Work,
    inputs: &Inputs,
    (plan, held_back): (&Plan, &BTreeSet<MacAddress>),
) -> Verdict {
    let clock = ctx.shared.clock;
    let now = clock.now();
    let needs = inputs.needs.as_ref();
    if work.leaves(ctx) {
        return guard_deletion(&plan.remove, needs);
    }
    // What is added or corrected is right before anything goes.
    let adds = plan.add.keys();
    let can_be_claimed = |mac: &MacAddress| {
        let node = state.desired.nodes.get(mac).map(|node| node.name.as_str());
        inputs.claims.contains_key(mac) || stored_bytes(node) <= inputs.removals.room_bytes
    };
    let first = adds
        .filter(|mac| can_be_claimed(mac))
        .chain(plan.correct.keys())
        .filter(|mac| !held_back.contains(*mac))
        .count();
    // After the API server's answers about the nodes disagreed, as after an uncertain write.
    let stopped_until = ctx.shared.nodes.removals_stop_until().unwrap_or_default();
    let evidence = Evidence {
        nodes: &inputs.nodes,
        prefix: work.settings.prefix,
        rule: &work.settings.addresses,
        absences: &state.absences,
        claimed_nodes: &inputs.names,
        delay: work.settings.removal_delay,
        settled_at: state.settled_at.max(stopped_until),
        present: plan.present().len() + first,
        needs,
        now,
    };
    let mut verdict = guard(&plan.remove, &evidence);
    let paid = &inputs.removals.leaving | &*work.against_nodes;
    let budget = Budget {
        window: &inputs.removals.window,
        census: inputs.removals.census(&state.desired),
        percent: work.settings.removal_percent,
        paid: &paid,
        approved: &work.approved,
        now: clock.time(),
    };
    verdict.spend(&evidence, &budget);
    verdict
}
