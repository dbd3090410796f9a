//! (I/O) Whether an empty tunnel is filled by one write of the whole list.
//!
//! Only where the spec allows it, and only after looking twice: a whole-list write loses whatever
//! somebody else has added in between. Writes nothing itself.

use std::time::Duration;

use bigip_tunnel_core::batch;
use bigip_tunnel_core::plan::Plan;

use super::dereference::Inputs;
use super::observe::read_records;
use crate::device::{DeviceContext, DeviceState, Work};
use crate::pass::{Depth, Stop};

/// The time between the two looks.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(2);

/// Looks a second time, if the first look and the spec speak for it.
pub(crate) async fn may_fill(
    ctx: &DeviceContext,
    state: &DeviceState,
    work: &Work,
    inputs: &Inputs,
    (plan, depth): (&Plan, Depth),
) -> Result<bool, Stop> {
    let asked_for = work.settings.bulk_writes && depth != Depth::Quick;
    if !asked_for || state.foreign_seen || !batch::is_first_fill(plan) {
        return Ok(false);
    }
    let pause = tokio::time::sleep(SECOND_LOOK_AFTER);
    ctx.unless_stopping(pause).await?;
    let listing = read_records(ctx, work, inputs).await?;
    Ok(listing.records.is_empty())
}
