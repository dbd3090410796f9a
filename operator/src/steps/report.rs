//! (pure, but for asking the ledger) What a pass leaves behind, as the report that the status is
//! made from.

use bigip_tunnel_core::claims::DeviceClaims;
use bigip_tunnel_core::drift;
use bigip_tunnel_core::guard::{Hold, Verdict};
use bigip_tunnel_core::outcome::{Leaving, NeighbourHold, Reach};
use bigip_tunnel_core::plan::{Plan, plan};
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::vocabulary::reason;

use super::judge;
use crate::device::{DeviceContext, DeviceState, Work};
use crate::pass::{Depth, PassEnd, Stop};

/// Compares what is known of the device now with what was wanted. Returns the claims that are left.
pub(crate) async fn pass_over(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    wanted: &Records,
    verdict: &Verdict,
) -> DeviceClaims {
    let claims = ctx.ledger.claims_of(&ctx.device).await;
    if let Some(listing) = &state.listing {
        let left = plan(wanted, &listing.observed, &claims, work.settings.prefix);
        state.report.leaving = leaving(state, &left.remove, verdict);
        state.newcomers.retain(|mac| left.add.contains_key(mac));
        state.refused.retain(|mac| {
            let open = [&left.add, &left.correct, &left.remove];
            open.iter().any(|records| records.contains_key(mac))
        });
        state.fills_singly |= left.shows_others();
        if !work.settings.observes {
            judge::note_losses(ctx, state, work, drift::lost(&left, &claims));
        }
        let is_left = |mac| left.remove.contains_key(&mac);
        note_neighbours(state, verdict.held_by_neighbours(is_left));
        state.report.plan = Some(left);
    }
    state.report.over_budget = verdict.over_budget();
    let stopped_until = ctx.shared.nodes.removals_stop_until();
    let stopped_until = stopped_until.filter(|until| *until > ctx.shared.clock.now());
    let stopped = stopped_until.filter(|_| !verdict.remove.is_empty());
    state.schedule.next_removal = verdict.next_due().into_iter().chain(stopped).min();
    claims
}

/// Notes what stays for other objects, and logs it when it begins, changes or ends.
fn note_neighbours(state: &mut DeviceState, now: Option<NeighbourHold>) {
    let before = std::mem::replace(&mut state.report.held_by_neighbours, now);
    let now = &state.report.held_by_neighbours;
    let by = |hold: &Option<NeighbourHold>| hold.as_ref().map(|hold| hold.by.clone());
    match now {
        _ if by(&before) == by(now) => {}
        None => tracing::info!("another object no longer holds any removal"),
        Some(hold) => {
            let by = hold.by.as_ref();
            let neighbour = by.map(|by| format!("{}/{}", by.namespace, by.name));
            let reason = reason::HELD_BY_NEIGHBOUR.as_str();
            tracing::warn!(reason, neighbour, "{hold}");
        }
    }
}

/// Notes what others need where something stays for them: the task compares it with what they need later.
pub(crate) fn plan_retry(state: &mut DeviceState, needs: Option<Needs>) {
    if state.report.held_by_neighbours.is_some() {
        let change = needs.as_ref().and_then(Needs::next_change);
        state.schedule.plan_held(change);
    }
    state.needs = needs;
}

/// The records that stay only for now. An object that is being deleted has none of these: there all
/// records leave.
fn leaving(state: &DeviceState, remove: &Records, verdict: &Verdict) -> Vec<Leaving> {
    let leaving = remove.iter().filter_map(|(mac, endpoint)| {
        let absence = state.absences.get(*mac)?;
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

/// The records went with their tunnel: all that are wanted are missing.
fn lose_all_records(state: &mut DeviceState) {
    let facts = state.report.facts.as_ref();
    let local = facts.and_then(|facts| facts.tunnel.local_address);
    let add = local
        .map(|local| state.desired.records(local))
        .unwrap_or_default();
    state.report.plan = Some(Plan {
        add,
        ..Plan::default()
    });
    state.report.leaving = Vec::new();
}

/// Notes how the pass ended.
pub(crate) fn conclude(state: &mut DeviceState, ended: &Result<PassEnd, Stop>) {
    match ended {
        Err(Stop::Refused(failure)) => {
            if failure.reason == reason::TUNNEL_NOT_FOUND {
                lose_all_records(state);
            }
            state.report.failure = Some(failure.clone());
        }
        Err(Stop::Unreachable(failure, _)) => {
            state.report.reach = Reach::Failed(failure.clone());
            state.report.failure = None;
        }
        Ok(PassEnd::Settled | PassEnd::Clean | PassEnd::Again(Depth::Quick | Depth::Verify)) => {
            // A record that was refused is not tried again by a pass that was made for new nodes.
            if state.refused.is_empty() {
                state.report.failure = None;
            }
        }
        // Whether a failure is over shows in the pass that follows at once.
        Ok(PassEnd::Again(Depth::Removal)) | Err(Stop::Anew | Stop::Stopping) => {}
    }
}
