//! One pass over one device of one object: the seven calls.
//!
//! Reads as the product's documentation. Each call says whether it does I/O; what is pure is in `core`. Nothing here
//! decides about a record. A pass is never dropped before its end: requests to stop are read between its calls, and
//! what it has learnt of a write comes back in the memory.

use bigip_tunnel_core::outcome::Reach;
use bigip_tunnel_core::pass::assignment::Assignment;
use bigip_tunnel_core::pass::claiming::ClaimRequest;
use bigip_tunnel_core::pass::decision::{Decision, decide};
use bigip_tunnel_core::pass::following::outcome;
use bigip_tunnel_core::pass::inputs::{Inputs, NodeEvidence, depends_on_neighbours};
use bigip_tunnel_core::pass::memory::Memory;
use bigip_tunnel_core::pass::reporting::{conclude, refresh_report};
use bigip_tunnel_core::pass::{Depth, PassError, PassOutcome};
use bigip_tunnel_core::plan::plan;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::sharing::Needs;

use super::apply::apply;
use super::observe::observe;
use super::ports::{Access, Cluster, Ledger, Ports};

/// Works on one batch of what separates the device from the desired records. Returns what is to be remembered, and
/// how the pass ended.
pub(crate) async fn pass<C: Cluster, A: Access, L: Ledger>(
    mut ports: Ports<'_, C, A, L>,
    mut memory: Memory,
    work: &Assignment,
    depth: Depth,
) -> (Memory, Result<PassOutcome, PassError>) {
    let ended = Box::pin(seven_calls(&mut ports, &mut memory, work, depth)).await;
    conclude(&mut memory, work, &ended);
    (memory, ended)
}

async fn seven_calls<C: Cluster, A: Access, L: Ledger>(
    ports: &mut Ports<'_, C, A, L>,
    memory: &mut Memory,
    work: &Assignment,
    depth: Depth,
) -> Result<PassOutcome, PassError> {
    memory.begin(work, ports.clock.now());
    // 1. dereference (I/O): claims, Secret and CA bundle → session; before a removal all nodes, listed now.
    let Some((mut inputs, session)) = dereference(ports, memory, work, depth).await? else {
        return Ok(PassOutcome::Clean);
    };
    // 2. desired (pure): nodes → records and findings.
    let desired = work.desired(&inputs.nodes);
    memory.note_nodes(&inputs.claims, desired, ports.clock.both());
    // 3. observe (I/O): the unit, the tunnel and its records.
    let observed = match observe(ports, memory, work, (&inputs, session), depth).await {
        Err(error) if work.purpose.is_clean_up() && error.is_tunnel_not_found() => {
            ports
                .ledger
                .claim(ClaimRequest::release(&inputs.claims))
                .await?;
            return Ok(PassOutcome::Clean);
        }
        observed => observed?,
    };
    // 4. plan (pure): desired + observed + claims → plan.
    let local_address = observed.local_address;
    let wanted = local_address.map_or_else(Records::new, |local| memory.desired.records(local));
    let plan = plan(&wanted, &observed.records, &inputs.claims, work.prefix);
    // What others need is known only when it is known which unit this is.
    inputs.needs = if depends_on_neighbours(work, &plan) {
        ports.cluster.neighbours()
    } else {
        Some(Needs::default())
    };
    inputs.removals_stop_until = ports.cluster.removals_stop_until();
    // 5. guard (pure): which removals may go ahead now, and what is written next.
    let next = match decide(memory, work, &inputs, &plan, depth, ports.clock.both()) {
        Decision::ReadMore(deeper) => return Ok(PassOutcome::Requeue(deeper)),
        Decision::Proceed(next) => next,
    };
    // 6. apply (I/O): claims first, then the device, then what was written is read back.
    let from = (&inputs, &observed.unit);
    let applied = apply(ports, memory, work, from, (&plan, &next), depth).await;
    // 7. status (pure): what is left. The object's task writes it, together with the other devices'.
    inputs.removals_stop_until = ports.cluster.removals_stop_until();
    let (left, now) = (ports.ledger.claims().await, ports.clock.now());
    refresh_report(memory, (work, &inputs), &wanted, &left, &next.verdict, now);
    outcome(memory, work, (&plan, &next), &left, (depth, applied?))
}

/// Reads what is needed besides the device. `None` for a clean-up where nothing is claimed: where nothing was
/// written nothing has to be asked for.
async fn dereference<C: Cluster, A: Access, L: Ledger>(
    ports: &mut Ports<'_, C, A, L>,
    memory: &Memory,
    work: &Assignment,
    depth: Depth,
) -> Result<Option<(Inputs, A::Session)>, PassError> {
    let stored = ports.ledger.view().await;
    if work.purpose.is_clean_up() && stored.claims.is_empty() {
        return Ok(None);
    }
    let trusts_session = memory.report.reach == Reach::Answered;
    let session = ports.access.prepare(trusts_session).await?;
    let listed = if NodeEvidence::needs_list(work, depth) {
        ports.cluster.list_nodes(stored.version).await?
    } else {
        None
    };
    let inputs = Inputs::new(stored, NodeEvidence::of(work, listed));
    Ok(Some((inputs, session)))
}

#[cfg(test)]
mod tests;
