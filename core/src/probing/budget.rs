//! What pings may cost one unit, whichever objects and tunnels they are for.
//!
//! A ping of an unknown address makes the unit flood an ARP request to every endpoint of the tunnel, and fills a place
//! of its ARP table. Knows nothing of nodes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Moment;

/// Copies of an ARP request that a unit may send in a second, on average: one per ping and endpoint, whether the
/// address is known or not.
const COPIES_PER_S: u64 = 2_000;
/// ARP entries that pings may add within `ENTRIES_TIME`. The table of a unit holds 8,192 by default.
const ENTRIES_MAX: usize = 500;
/// How long an ARP entry counts: as long as a unit keeps one that is not used (300 s).
const ENTRIES_TIME: Duration = Duration::from_secs(300);

/// A ping that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// Distinct endpoints of the tunnel.
    pub endpoints: usize,
    /// Whether the unit knows the address, so that no ARP entry is added.
    pub is_known: bool,
}

/// The budget of one unit.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// The copies sent so far are paid for from this moment on.
    paid_at: Moment,
    /// When ARP entries were added, the oldest first; those of the last `ENTRIES_TIME` at least.
    entries: VecDeque<Moment>,
}

/// How long the copies of one ping count against the budget.
pub(super) fn cost(endpoints: usize) -> Duration {
    let endpoints = u64::try_from(endpoints).unwrap_or(u64::MAX);
    Duration::from_micros(endpoints.saturating_mul(1_000_000 / COPIES_PER_S))
}

impl Budget {
    /// When this ping may be sent at the earliest.
    pub fn earliest(&self, ping: Ping) -> Moment {
        let full = self.entries.len().checked_sub(ENTRIES_MAX);
        let oldest = full.and_then(|index| self.entries.get(index));
        match oldest.filter(|_| !ping.is_known) {
            Some(oldest) => self.paid_at.max(*oldest + ENTRIES_TIME),
            None => self.paid_at,
        }
    }

    /// Notes that this ping is sent now.
    pub fn spend(&mut self, ping: Ping, now: Moment) {
        self.paid_at = self.paid_at.max(now) + cost(ping.endpoints);
        if !ping.is_known {
            self.entries.push_back(now);
        }
        self.forget(now);
    }

    /// Whether nothing that was sent counts any more.
    pub fn is_unspent(&mut self, now: Moment) -> bool {
        self.forget(now);
        self.entries.is_empty() && self.paid_at <= now
    }

    fn forget(&mut self, now: Moment) {
        let is_over = |added: &Moment| *added + ENTRIES_TIME <= now;
        while self.entries.front().is_some_and(is_over) {
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    const fn cold(endpoints: usize) -> Ping {
        Ping {
            endpoints,
            is_known: false,
        }
    }

    /// When so many pings are sent, each as early as it may be, beginning at second 1,000.
    fn sent(pings: impl Iterator<Item = Ping>) -> Vec<Moment> {
        let (mut budget, mut now) = (Budget::default(), at(1_000));
        pings
            .map(|ping| {
                now = now.max(budget.earliest(ping));
                budget.spend(ping, now);
                now
            })
            .collect()
    }

    #[test]
    fn copies_stay_below_their_rate_at_any_size() {
        for endpoints in [1, 10, 100, 5_000, 20_000] {
            let pings: Vec<Moment> = sent((0..400).map(|_| Ping {
                endpoints,
                is_known: true,
            }));
            let took = pings[0].until(pings[399]).as_secs_f64();
            let copies = 399.0 * f64::from(u32::try_from(endpoints).unwrap());
            assert!(copies <= took * 2_000.0 * 1.001, "{endpoints}: {took} s");
        }
    }

    #[test]
    fn five_hundred_new_entries_in_any_five_minutes() {
        let pings = sent((0..1_600).map(|_| cold(10)));
        for (index, first) in pings.iter().enumerate() {
            let within = |moment: &&Moment| first.until(**moment) < ENTRIES_TIME;
            let count = pings[index..].iter().take_while(within).count();
            assert!(count <= ENTRIES_MAX, "{count} from {first:?}");
        }
        assert!(pings[0].until(pings[1_599]) >= 3 * ENTRIES_TIME);
    }

    #[test]
    fn known_address_adds_no_entry() {
        let mut budget = Budget::default();
        for _ in 0..ENTRIES_MAX {
            budget.spend(cold(0), at(1_000));
        }
        let known = Ping {
            endpoints: 0,
            is_known: true,
        };
        assert_eq!(budget.earliest(known), at(1_000));
        assert_eq!(budget.earliest(cold(0)), at(1_300));
    }

    #[test]
    fn pings_of_two_tunnels_share_one_budget() {
        let mut budget = Budget::default();
        budget.spend(cold(2_000), at(10));
        budget.spend(cold(4_000), budget.earliest(cold(4_000)));
        assert_eq!(budget.earliest(cold(1)), at(13));
    }

    #[test]
    fn budget_is_unspent_when_its_entries_are_gone() {
        let mut budget = Budget::default();
        assert!(budget.is_unspent(at(0)));
        budget.spend(cold(10), at(10));
        assert!(!budget.is_unspent(at(309)));
        assert!(budget.is_unspent(at(310)));
    }
}
