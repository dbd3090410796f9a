//! One pass over one device of one object: the seven calls.
//!
//! Reads as the product's documentation. Each call says whether it does I/O; what is pure is in
//! `core`. Nothing here decides about a record.

use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::guard::Verdict;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::plan::{Plan, plan};
use bigip_tunnel_core::vocabulary::reason::{CLEANUP_FAILED, HELD_BY_NEIGHBOUR, TUNNEL_NOT_FOUND};

use crate::device::{DeviceContext, DeviceState, Work};
use crate::pass::{Depth, PassEnd, Stop};
use crate::steps::apply::{apply, give_up_all};
use crate::steps::dereference::dereference;
use crate::steps::observe::observe;
use crate::steps::{judge, report};

/// Works on one batch of what separates the device from the desired records.
pub(crate) async fn reconcile(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    depth: Depth,
) -> Result<PassEnd, Stop> {
    state.schedule.next_removal = None;
    state.schedule.next_restore = None;
    let leaves = work.leaves(ctx);
    let claims = ctx.ledger.claims_of(&ctx.device).await;
    if leaves && claims.is_empty() {
        // Where nothing was written nothing has to be asked for.
        return Ok(PassEnd::Clean);
    }
    // (I/O) Secret and CA bundle → session; before a removal all nodes, listed now.
    let mut inputs = dereference(ctx, state, work, depth, claims).await?;
    // (pure) nodes → records and findings. What is to go desires none.
    let desired = if leaves {
        Desired::default()
    } else {
        let settings = &work.settings;
        desired(&inputs.nodes, settings.prefix, &settings.addresses)
    };
    state.note_absences(&inputs.claims, desired.clone(), ctx.shared.clock);
    // (I/O) the unit, the tunnel and its records.
    // Boxed: it is large, and part of every pass.
    let observed = match Box::pin(observe(ctx, state, work, &mut inputs, depth)).await {
        Err(Stop::Refused(failure)) if leaves && failure.reason == TUNNEL_NOT_FOUND => {
            give_up_all(ctx, &inputs.claims).await?;
            return Ok(PassEnd::Clean);
        }
        observed => observed?,
    };
    // (pure) desired + observed + claims → plan.
    let wanted = desired.records(observed.local_address);
    let prefix = work.settings.prefix;
    let plan = plan(&wanted, &observed.records, &inputs.claims, prefix);
    // What others need is known only when it is known which unit this is.
    inputs.ask_others(ctx, work, &plan);
    if work.settings.observes {
        judge::forget_losses(state);
        report::pass_over(ctx, state, work, &wanted, &Verdict::default()).await;
        return Ok(PassEnd::Settled);
    }
    let held_back = judge::hold_back(ctx, state, work, &inputs, &plan);
    if let Some(deeper) = judge::look_deeper(depth, &plan, &held_back) {
        return Ok(PassEnd::Again(deeper));
    }
    // (pure) which removals may go ahead; anything but a pass made for removals only proposes them.
    let verdict = judge::judge(ctx, state, work, &inputs, (&plan, &held_back));
    let fills = depth != Depth::Quick && judge::may_fill(state, work, &inputs, (&plan, &held_back));
    let batch = judge::choose(
        state,
        &inputs,
        (&plan, &held_back),
        &verdict,
        (depth, fills),
    );
    // (I/O) claims first, then the device, then what was written is read back.
    let from = (&inputs, &observed.unit);
    let applied = apply(ctx, state, work, from, (&plan, &batch, fills), depth).await;
    // (pure) what is left between device and desired. The object's task makes the status of it and
    // writes it, together with the other devices'.
    let left = report::pass_over(ctx, state, work, &wanted, &verdict).await;
    report::plan_retry(state, inputs.needs);
    let complete = applied?;
    if leaves && batch.is_empty() && !left.is_empty() {
        keeps_object(state, &plan)?;
    }
    let removal_is_due = depth != Depth::Removal && !verdict.remove.is_empty();
    let cleans_up = leaves && !batch.is_empty();
    if batch.more || !complete {
        // What was written was read back: the next batch needs no look of its own.
        let removes = !batch.remove.is_empty();
        let next = if removes { depth } else { Depth::Quick };
        Ok(PassEnd::Again(next))
    } else if leaves && left.is_empty() {
        Ok(PassEnd::Clean)
    } else if removal_is_due || cleans_up {
        Ok(PassEnd::Again(Depth::Removal))
    } else if batch.without_room > 0 {
        Err(judge::no_room(batch.without_room))
    } else {
        Ok(PassEnd::Settled)
    }
}

/// Says what keeps an object that is being deleted: another object, or a record that cannot be read.
fn keeps_object(state: &DeviceState, plan: &Plan) -> Result<(), Stop> {
    let neighbours = state.report.held_by_neighbours.as_ref();
    let (reason, message) = match (neighbours, plan.unreadable_stale.first()) {
        (Some(hold), _) => (HELD_BY_NEIGHBOUR, hold.to_string()),
        (None, Some(mac)) => {
            let message =
                format!("the endpoint of record {mac} cannot be read: delete it on the BIG-IP");
            (CLEANUP_FAILED, message)
        }
        (None, None) => return Ok(()),
    };
    Err(Stop::Refused(Failure {
        reason,
        message,
        retryable: true,
    }))
}
