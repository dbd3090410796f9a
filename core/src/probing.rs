//! Probing: which nodes the operator pings from a unit, when, and what the answers come to.
//!
//! What one ping proves is decided in `verify`; here is the time: the budget of a unit, the order of the nodes, the
//! misses in a row, and what is reported of all of them. Pure: moments are parameters, and what was read is passed in.
//! Nothing uses it yet: the operator does not ping.

pub mod budget;
pub mod holds;
pub mod paths;
pub mod report;

use std::time::Duration;

/// Misses in a row after which a node counts as not reached.
pub const MISSES_MAX: u32 = 3;
/// How soon a node is pinged again after its first miss. Each further miss doubles it.
const RETRY: Duration = Duration::from_secs(5);
/// The longest time between two pings of a node that does not answer.
const RETRY_MAX: Duration = Duration::from_secs(3600);
/// How soon a node without an address to ping is looked at again. No unit is asked for that.
pub const RECHECK: Duration = Duration::from_secs(10);
/// How long a node that has just joined may be silent, and how long any node may be without an address to ping,
/// before that is reported: agents are restarted one by one.
const GRACE: Duration = Duration::from_secs(120);
/// How long a node counts as new, and is pinged before others until it has answered.
const NEW: Duration = Duration::from_secs(3600);
/// Pings of one round.
const ROUND_MAX: usize = 64;
/// The longest that a round may take by its budget.
const ROUND_TIME: Duration = Duration::from_secs(120);

/// How long after so many misses in a row the next ping is sent.
pub(crate) fn back_off(misses: u32) -> Duration {
    let factor = 2_u32.saturating_pow(misses.saturating_sub(1));
    RETRY.saturating_mul(factor).min(RETRY_MAX)
}

/// How many nodes one round pings on a tunnel with so many endpoints: as many as its time allows, and always one.
pub fn round_size(endpoints: usize) -> usize {
    let each = budget::cost(endpoints).as_micros().max(1);
    let fitting = usize::try_from(ROUND_TIME.as_micros() / each).unwrap_or(ROUND_MAX);
    fitting.clamp(1, ROUND_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_node_backs_off_to_an_hour() {
        let seconds = |misses| back_off(misses).as_secs();
        assert_eq!([1, 2, 3].map(seconds), [5, 10, 20]);
        assert_eq!(
            [10, 11, 40, u32::MAX].map(seconds),
            [2560, 3600, 3600, 3600]
        );
    }

    #[test]
    fn round_fits_its_time_at_any_size() {
        assert_eq!(round_size(3), ROUND_MAX);
        assert_eq!(round_size(5_000), 48);
        assert_eq!(round_size(20_000), 12);
        assert_eq!(round_size(usize::MAX), 1);
    }
}
