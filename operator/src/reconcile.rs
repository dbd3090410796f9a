//! One pass over one device of one object: the seven calls.
//!
//! Reads as the product's documentation. Each call says whether it does I/O; what is pure is in
//! `core`. Nothing here decides about a record.

use bigip_tunnel_core::batch::Batch;
use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::guard::{Hold, Verdict};
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::plan::plan;
use bigip_tunnel_core::vocabulary::reason::{CLEANUP_FAILED, TUNNEL_NOT_FOUND};

use crate::device::{DeviceContext, DeviceState, Work};
use crate::pass::{Depth, PassEnd, Stop};
use crate::steps::apply::{apply, give_up_all};
use crate::steps::dereference::dereference;
use crate::steps::judge::judge;
use crate::steps::observe::observe;
use crate::steps::report;

/// Works on one batch of what separates the device from the desired records.
pub(crate) async fn reconcile(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    depth: Depth,
) -> Result<PassEnd, Stop> {
    let clock = ctx.shared.clock;
    state.schedule.next_removal = None;
    let claims = ctx.ledger.claims_of(&ctx.device).await;
    if work.deleting && claims.is_empty() {
        // An object that has written nothing needs no device to go.
        return Ok(PassEnd::Clean);
    }
    // (I/O) Secret and CA bundle → session; before a removal all nodes, listed now.
    let inputs = dereference(ctx, state, work, depth, claims).await?;
    // (pure) nodes → records and findings. An object that is being deleted desires none.
    let desired = if work.deleting {
        Desired::default()
    } else {
        let settings = &work.settings;
        desired(&inputs.nodes, settings.prefix, &settings.addresses)
    };
    state.note_absences(&inputs.claims, desired.clone(), clock);
    // (I/O) the unit, the tunnel and its records.
    let observed = match observe(ctx, state, work, &inputs, depth).await {
        Err(Stop::Refused(failure)) if work.deleting && failure.reason == TUNNEL_NOT_FOUND => {
            give_up_all(ctx, &inputs.claims).await?;
            return Ok(PassEnd::Clean);
        }
        observed => observed?,
    };
    // (pure) desired + observed + claims → plan.
    let wanted = desired.records(observed.local_address);
    let plan = plan(
        &wanted,
        &observed.records,
        &inputs.claims,
        work.settings.prefix,
    );
    if depth == Depth::Quick && !(plan.adopt.is_empty() && plan.correct.is_empty()) {
        // What was read a minute ago is good enough to add to, not to call somebody's record ours.
        return Ok(PassEnd::Again(Depth::Verify));
    }
    if depth != Depth::Removal && !plan.correct.is_empty() {
        // A record that is there is overwritten only on a unit that was just asked who it is.
        return Ok(PassEnd::Again(Depth::Removal));
    }
    // (pure) which removals may go ahead; anything but a pass made for removals only proposes them.
    let verdict = judge(ctx, state, work, &inputs, &plan);
    let allowed = if depth == Depth::Removal {
        verdict.remove.clone()
    } else {
        [].into()
    };
    let batch = Batch::next(&plan, &allowed, &state.refused);
    // (I/O) claims first, then the device, then what was written is read back.
    let applied = apply(ctx, state, work, &inputs, (&plan, &batch)).await;
    // (pure) what is left between device and desired. The object's task makes the status of it and
    // writes it, together with the other devices'.
    let left = report::pass_over(ctx, state, work, &wanted, &verdict).await;
    applied?;
    if work.deleting && batch.is_empty() && !left.is_empty() {
        keeps_object(&verdict)?;
    }
    let removal_is_due = depth != Depth::Removal && !verdict.remove.is_empty();
    let cleans_up = work.deleting && !batch.is_empty();
    Ok(if batch.more {
        PassEnd::Again(depth)
    } else if work.deleting && left.is_empty() {
        PassEnd::Clean
    } else if removal_is_due || cleans_up {
        PassEnd::Again(Depth::Removal)
    } else {
        PassEnd::Settled
    })
}

/// Says what keeps an object that is being deleted, when it is another one.
fn keeps_object(verdict: &Verdict) -> Result<(), Stop> {
    let message = match verdict.held.values().next() {
        Some(Hold::NeededElsewhere) => {
            "another object claims records of this one as well; they are left to it as soon as it \
             has taken them over"
        }
        Some(Hold::OthersUnknown) => {
            "it is not known what other objects need: one of them cannot be read, or not all of \
             them have been seen yet"
        }
        _ => return Ok(()),
    };
    Err(Stop::Refused(Failure {
        reason: CLEANUP_FAILED,
        message: message.to_owned(),
        retryable: true,
    }))
}
