//! (pure) Which of the planned removals may go ahead: collects the evidence for `core::guard`.
//!
//! Does no I/O; the moment is the only thing it asks the process for.

use bigip_tunnel_core::guard::{Budget, Evidence, Verdict, guard, guard_deletion};
use bigip_tunnel_core::plan::Plan;

use super::dereference::Inputs;
use crate::device::{DeviceContext, DeviceState, Work};

/// Judges the plan's removals.
pub(crate) fn judge(
    ctx: &DeviceContext,
    state: &DeviceState,
    work: &Work,
    inputs: &Inputs,
    plan: &Plan,
) -> Verdict {
    let clock = ctx.shared.clock;
    let now = clock.now();
    let needed_elsewhere = inputs.needs.as_ref().map(|needs| &needs.needed);
    if work.deleting {
        return guard_deletion(&plan.remove, needed_elsewhere);
    }
    let evidence = Evidence {
        nodes: &inputs.nodes,
        prefix: work.settings.prefix,
        rule: &work.settings.addresses,
        absences: &state.absences,
        delay: work.settings.removal_delay,
        settled_at: state.settled_at,
        needed_elsewhere,
        now,
    };
    let mut verdict = guard(&plan.remove, &evidence);
    verdict.spend(&Budget {
        window: inputs.removals.window,
        claimed: inputs.removals.claimed,
        percent: work.settings.removal_percent,
        paid: &inputs.removals.leaving,
        approved: &work.approved,
        now: clock.time(),
    });
    verdict
}
