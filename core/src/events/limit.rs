//! How often an event of one reason may be told.
//!
//! One limit per reason, so that a cluster that grows and shrinks all day drowns no warning.

use std::collections::BTreeMap;
use std::time::Duration;

use super::EventReason;
use crate::time::Moment;

/// How many may come at once.
const BURST: u32 = 10;
/// How often one more may come after that.
const EVERY: Duration = Duration::from_secs(60);

/// The limits of one object.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    /// When each reason would be back at its full burst.
    full_at: BTreeMap<EventReason, Moment>,
}

impl Limits {
    /// Whether one more event of this reason may be told now. Counts it if so.
    pub(super) fn allow(&mut self, reason: EventReason, now: Moment) -> bool {
        let full_at = self.full_at.entry(reason).or_default();
        let from = (*full_at).max(now);
        if now.until(from) > EVERY * (BURST - 1) {
            return false;
        }
        *full_at = from + EVERY;
        true
    }
}
