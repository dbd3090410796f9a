//! (I/O) Carries a batch out: claims first, then the device.
//!
//! Makes no choices: which records, and whether they may go, was decided before. How they are written
//! is `write`'s business.

use std::collections::{BTreeMap, BTreeSet};

use bigip_icontrol::{ErrorKind, Unit};
use bigip_tunnel_core::batch::{Batch, Bookkeeping, Stored, claims_before};
use bigip_tunnel_core::cause::causes;
use bigip_tunnel_core::claims::{ClaimChanges, DeviceClaims, NodeChanges, nodes_to_note};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_crds::v1alpha1::DeviceStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::dereference::Inputs;
use super::observe::stop_for;
use super::write::Writer;
use crate::device::{DeviceContext, DeviceState, Work};
use crate::ledger::{LedgerError, Spending};
use crate::pass::{Depth, Stop};

/// Carries the batch out; `fills` as one list. Returns whether all of it was carried out: a node that
/// comes meanwhile does not wait for the rest.
pub(crate) async fn apply(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    (inputs, unit): (&Inputs, &Unit),
    (plan, batch, fills): (&Plan, &Batch, bool),
    depth: Depth,
) -> Result<bool, Stop> {
    let leaves = work.leaves(ctx);
    if leaves && batch.is_empty() {
        save_before_leaving(state, work, inputs, unit).await?;
    }
    let now = ctx.shared.clock.now();
    let nobody = BTreeSet::new();
    let theirs = left_to_others(inputs, plan);
    let book = Bookkeeping {
        stored: match work.settings.save_delay {
            None => Stored::Ignored,
            Some(_) if state.unsaved.is_some() => Stored::Behind,
            Some(_) => Stored::UpToDate,
        },
        awaits_late_write: state.awaits_late_write(now),
        is_young: now < state.settled_at,
        is_fresh: depth != Depth::Quick,
        // A clean-up costs nothing, so nothing has to be remembered for it.
        elsewhere: if leaves {
            &nobody
        } else {
            &inputs.removals.elsewhere
        },
        // What another object takes care of stays where it is; it is no longer ours.
        theirs: &theirs,
    };
    let changes = claims_before(plan, batch, &inputs.claims, book);
    let nodes = names_to_note(state, inputs, &changes);
    let is_listed = |name: &str| work.settings.device(name).is_some();
    let removing = batch.remove.keys().copied();
    let removing = removing.filter(|mac| !work.against_nodes.contains(mac));
    let removing = causes(removing, &inputs.nodes, &inputs.names, &state.absences);
    let spending = Spending {
        is_listed: &is_listed,
        removing: &removing,
        desired: &state.desired.clone(),
        percent: work.settings.removal_percent,
        approved: &work.approved,
        now: ctx.shared.clock.time(),
    };
    // Deleting the object, or taking the device off its list, is an order of its own, and not measured.
    let spending = Some(&spending).filter(|_| !leaves);
    let note = device_note(ctx, state, work, batch);
    let claimed = ctx
        .ledger
        .claim(&ctx.device, &changes, &nodes, spending, note.as_ref())
        .await;
    let applied = match claimed.map_err(stopped) {
        Ok(()) => {
            note_adopted(state, batch, inputs);
            carry_out(ctx, state, work, (inputs, unit), (batch, fills), book).await
        }
        Err(stop) => Err(stop),
    };
    if state.unsaved.is_none() {
        // Nothing came of it: there is nothing to save.
        state.report.save.unsaved_since = None;
    }
    applied
}

/// Of the records that are not desired any more, those that another object takes care of.
fn left_to_others(inputs: &Inputs, plan: &Plan) -> BTreeSet<MacAddress> {
    let Some(needs) = &inputs.needs else {
        return BTreeSet::new();
    };
    let left = plan.remove.keys().copied();
    left.filter(|mac| needs.is_left_to_another(*mac)).collect()
}

/// Counts what is ours from now on without a write. What was claimed before is what we have written.
fn note_adopted(state: &mut DeviceState, batch: &Batch, inputs: &Inputs) {
    let adopted = batch.adopt.iter();
    for mac in adopted.filter(|mac| !inputs.claims.contains_key(mac)) {
        let name = state.node_name(*mac);
        state.changes.adopted.add(name);
    }
}

/// The nodes that are noted with these claims, and with those that lack the node that desires their
/// record now.
fn names_to_note(state: &DeviceState, inputs: &Inputs, changes: &ClaimChanges) -> NodeChanges {
    let new = changes.iter().filter(|(_, change)| change.is_some());
    let claimed = new.map(|(mac, _)| mac).chain(inputs.claims.keys());
    nodes_to_note(
        claimed.copied(),
        &inputs.names,
        &state.desired,
        &inputs.nodes,
        inputs.removals.room_bytes,
    )
}

/// What is noted with the claims, so that the process after this one can reach the device, and knows that
/// something was changed and is not saved. A record that was refused before is not worth a note until it is
/// taken.
fn device_note(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    batch: &Batch,
) -> Option<DeviceStatus> {
    let device = work.settings.device(&ctx.device)?;
    let written = batch.add.keys().chain(batch.correct.keys());
    let mut written = written.chain(batch.remove.keys());
    let changes = written.any(|mac| !state.refused.contains(mac));
    if !changes && batch.adopt.is_empty() {
        return None;
    }
    let since = &mut state.report.save.unsaved_since;
    if changes {
        since.get_or_insert(ctx.shared.clock.time());
    }
    let mut note = DeviceStatus {
        name: device.name.clone(),
        address: Some(device.host.clone()),
        port: Some(i32::from(device.port)),
        identity: state.identity.clone(),
        key_fingerprint: state.report.key.map(|key| key.to_string()),
        unsaved_since: since.map(Time),
        ..DeviceStatus::default()
    };
    device.access().note(&mut note);
    Some(note)
}

async fn carry_out(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    (inputs, unit): (&Inputs, &Unit),
    (batch, fills): (&Batch, bool),
    book: Bookkeeping<'_>,
) -> Result<bool, Stop> {
    let mut writer = Writer {
        ctx,
        state,
        work,
        inputs,
        unit,
        refusals: BTreeMap::new(),
        failure: None,
    };
    let complete = if fills {
        writer.fill(&batch.add).await?
    } else {
        writer.add(&batch.add).await?
    };
    if !complete {
        return Ok(false);
    }
    writer.correct(&batch.correct).await?;
    // Make before break: nothing is removed while something could not be added.
    let complete = match writer.failure {
        None => writer.remove(&batch.remove, book).await?,
        Some(_) => false,
    };
    writer
        .failure
        .map_or(Ok(complete), |failure| Err(Stop::Refused(failure)))
}

/// Gives up every claim on a device whose tunnel is gone: the records went with it.
pub(crate) async fn give_up_all(ctx: &DeviceContext, claims: &DeviceClaims) -> Result<(), Stop> {
    claim(ctx, &claims.keys().map(|mac| (*mac, None)).collect()).await
}

/// Changes claims after the device was touched, or without touching it.
pub(super) async fn claim(ctx: &DeviceContext, changes: &ClaimChanges) -> Result<(), Stop> {
    let nodes = NodeChanges::new();
    let claimed = ctx
        .ledger
        .claim(&ctx.device, changes, &nodes, None, None)
        .await;
    claimed.map_err(stopped)
}

fn stopped(error: LedgerError) -> Stop {
    match error {
        LedgerError::Gone | LedgerError::Displaced(_) => Stop::Stopping,
        error => Stop::Refused(error.failure()),
    }
}

/// When an object goes, nobody is left to save later. A unit that does not save keeps no object from
/// going: the worst that follows is that a reboot brings records back that nobody claims.
async fn save_before_leaving(
    state: &mut DeviceState,
    work: &Work,
    inputs: &Inputs,
    unit: &Unit,
) -> Result<(), Stop> {
    if work.settings.save_delay.is_none() || state.unsaved.is_none() {
        return Ok(());
    }
    inputs.session.queue().note_save_try();
    match unit.save().await {
        // Nothing was sent: the pass that follows saves the unit that it finds.
        Err(error) if *error.kind() == ErrorKind::LoginEnded => return Err(stop_for(&error)),
        Err(error) => {
            tracing::warn!("the configuration was not saved after the last removal: {error}");
        }
        Ok(()) => {}
    }
    state.unsaved = None;
    Ok(())
}
