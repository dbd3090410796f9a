//! The nodes of one tunnel on one device: when each is pinged next, and what its pings have shown so far.
//!
//! A node is told from others by its record. What happened before a record changed says nothing about the one after.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::report::{PathCounts, PathProblem, PathReport};
use super::{GRACE, MISSES_MAX, NEW, RECHECK, back_off};
use crate::desired::Desired;
use crate::mac::MacAddress;
use crate::time::Moment;
use crate::verify::{Doubt, NotAsked, Outcome};

/// How many nodes in trouble are named.
const PROBLEMS_MAX: usize = 16;

/// A node that is to be pinged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its record.
    pub mac: MacAddress,
    /// The address that its record leads to.
    pub endpoint: Ipv4Addr,
    /// What is pinged.
    pub address: Ipv4Addr,
}

/// What counts of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waiting,
    Proven,
    Reached,
    Unproven,
    NotReached,
    NotAsked,
}

#[derive(Debug, Clone)]
struct State {
    /// When the node came, where that was seen.
    joined: Option<Moment>,
    due: Moment,
    standing: Standing,
    /// Pings in a row without an answer.
    misses: u32,
    /// Since when it has no address that could be pinged.
    unasked: Option<Moment>,
    was_proven: bool,
    trouble: Option<Box<Trouble>>,
}

#[derive(Debug, Clone)]
struct Trouble {
    address: Option<Ipv4Addr>,
    outcome: Outcome,
    since: Timestamp,
}

/// The nodes.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    desired: Arc<Desired>,
    states: BTreeMap<MacAddress, State>,
    last_proven: Option<Timestamp>,
}

impl Paths {
    /// Takes in which nodes have a record now, and when those came that were seen to come. The node whose address is
    /// the tunnel's `own` has none.
    pub fn update(
        &mut self,
        desired: Arc<Desired>,
        own: Option<IpAddr>,
        arrivals: &BTreeMap<String, Moment>,
        now: Moment,
    ) {
        if Arc::ptr_eq(&self.desired, &desired) {
            return;
        }
        let before = std::mem::replace(&mut self.desired, desired);
        let nodes = &self.desired.nodes;
        let is_same = |mac: &MacAddress| {
            let uid = |desired: &Desired| desired.nodes.get(mac).map(|node| node.uid.clone());
            uid(&before) == uid(&self.desired)
        };
        self.states.retain(|mac, _| is_same(mac));
        for (mac, node) in nodes {
            if own == Some(IpAddr::V4(node.address)) {
                self.states.remove(mac);
                continue;
            }
            let joined = arrivals.get(&node.name).copied();
            self.states
                .entry(*mac)
                .or_insert_with(|| State::new(joined, now));
        }
    }

    /// The nodes that are to be pinged now, at most so many: new ones first, then those that have just missed, then
    /// the others as they are due. `address` says what is pinged of a node.
    pub fn pick(
        &mut self,
        limit: usize,
        address: impl Fn(&str) -> Result<Ipv4Addr, NotAsked>,
        (now, time): (Moment, Timestamp),
    ) -> Vec<Target> {
        let due = self.states.iter().filter(|(_, state)| state.due <= now);
        let mut due: Vec<_> = due.map(|(mac, state)| (state.rank(now), *mac)).collect();
        due.sort_unstable();
        let mut targets = Vec::new();
        for (_, mac) in due {
            if targets.len() == limit {
                break;
            }
            let node = self.desired.nodes.get(&mac);
            let (Some(node), Some(state)) = (node, self.states.get_mut(&mac)) else {
                continue;
            };
            match address(&node.name) {
                Ok(address) => targets.push(Target {
                    mac,
                    endpoint: node.address,
                    address,
                }),
                Err(why) => state.note_unasked(why, (now, time)),
            }
        }
        targets
    }

    /// When the next node is due.
    pub fn next_due(&self) -> Option<Moment> {
        self.states.values().map(|state| state.due).min()
    }

    /// Takes in what came of a ping. Returns how long after it came a node was first proven to be reached.
    pub fn note(
        &mut self,
        target: &Target,
        outcome: Outcome,
        interval: Duration,
        (now, time): (Moment, Timestamp),
    ) -> Option<Duration> {
        let state = self.states.get_mut(&target.mac)?;
        if outcome == Outcome::Proven {
            self.last_proven = Some(time);
        }
        state.note(target.address, outcome, interval, (now, time))
    }

    /// What was found so far.
    pub fn report(&self, now: Moment) -> PathReport {
        let mut report = PathReport {
            last_proven: self.last_proven,
            ..PathReport::default()
        };
        let PathCounts {
            proven,
            reached,
            not_reached,
            not_asked,
            waiting,
        } = &mut report.counts;
        for state in self.states.values() {
            match state.standing {
                Standing::Proven => *proven += 1,
                Standing::Reached => *reached += 1,
                Standing::Unproven => {
                    *reached += 1;
                    report.unproven += 1;
                }
                Standing::NotReached => *not_reached += 1,
                Standing::NotAsked => *not_asked += 1,
                Standing::Waiting => {
                    *waiting += 1;
                    report.joining += usize::from(state.is_joining(now));
                }
            }
        }
        report.problems = self.problems();
        report
    }

    fn problems(&self) -> Vec<PathProblem> {
        let of = |standing: Standing| {
            self.states.iter().filter_map(move |(mac, state)| {
                let trouble = state.trouble.as_ref()?;
                let node = self.desired.nodes.get(mac)?;
                (state.standing == standing).then(|| PathProblem {
                    node: node.name.clone(),
                    address: trouble.address,
                    outcome: trouble.outcome.as_str(),
                    message: trouble.outcome.to_string(),
                    since: trouble.since,
                })
            })
        };
        let all = [Standing::NotReached, Standing::Unproven, Standing::NotAsked];
        all.into_iter().flat_map(of).take(PROBLEMS_MAX).collect()
    }
}

impl State {
    const fn new(joined: Option<Moment>, now: Moment) -> Self {
        Self {
            joined,
            due: now,
            standing: Standing::Waiting,
            misses: 0,
            unasked: None,
            was_proven: false,
            trouble: None,
        }
    }

    fn is_joining(&self, now: Moment) -> bool {
        self.joined.is_some_and(|joined| joined.until(now) < GRACE)
    }

    /// The lower one is pinged first.
    fn rank(&self, now: Moment) -> (u8, Reverse<Moment>, Moment) {
        let is_new = self.joined.is_some_and(|joined| joined.until(now) < NEW);
        let has_answered = matches!(
            self.standing,
            Standing::Proven | Standing::Reached | Standing::Unproven
        );
        let has_just_missed = (1..MISSES_MAX).contains(&self.misses);
        match self.joined {
            Some(joined) if is_new && !has_answered => (0, Reverse(joined), self.due),
            _ if has_just_missed => (1, Reverse(Moment::default()), self.due),
            _ => (2, Reverse(Moment::default()), self.due),
        }
    }

    fn note(
        &mut self,
        address: Ipv4Addr,
        outcome: Outcome,
        interval: Duration,
        (now, time): (Moment, Timestamp),
    ) -> Option<Duration> {
        let is_known_path = |doubts: &[Doubt]| doubts == [Doubt::KnownBefore];
        let standing = match &outcome {
            Outcome::Proven => Standing::Proven,
            Outcome::Reached(doubts) if !is_known_path(doubts) => Standing::Unproven,
            // A known path that goes on takes nothing back.
            Outcome::Reached(_) if self.standing == Standing::Proven => Standing::Proven,
            Outcome::Reached(_) => Standing::Reached,
            Outcome::NoArpAnswer | Outcome::ArpMacZero | Outcome::NoReply(_) => {
                self.unasked = None;
                self.misses = self.misses.saturating_add(1);
                self.due = now + back_off(self.misses);
                if self.misses >= MISSES_MAX && !self.is_joining(now) {
                    self.trouble(Standing::NotReached, (Some(address), outcome), time);
                }
                return None;
            }
            Outcome::NotAsked(why) => {
                self.note_unasked(why.clone(), (now, time));
                self.due = now + interval;
                return None;
            }
        };
        self.unasked = None;
        self.misses = 0;
        self.due = now + interval;
        if standing == Standing::Unproven {
            self.trouble(standing, (Some(address), outcome), time);
            return None;
        }
        self.standing = standing;
        self.trouble = None;
        let is_first = standing == Standing::Proven && !self.was_proven;
        self.was_proven |= is_first;
        self.joined
            .filter(|_| is_first)
            .map(|joined| joined.until(now))
    }

    /// Takes in that the node has no address that could be pinged.
    fn note_unasked(&mut self, why: NotAsked, (now, time): (Moment, Timestamp)) {
        self.due = now + RECHECK;
        let since = *self.unasked.get_or_insert(now);
        // A node of which nothing is known yet has no grace of its own but that of one that joins.
        let is_in_grace = if self.standing == Standing::Waiting {
            self.is_joining(now)
        } else {
            since.until(now) < GRACE
        };
        if !is_in_grace {
            self.misses = 0;
            let what = (None, Outcome::NotAsked(why));
            self.trouble(Standing::NotAsked, what, time);
        }
    }

    fn trouble(
        &mut self,
        standing: Standing,
        (address, outcome): (Option<Ipv4Addr>, Outcome),
        time: Timestamp,
    ) {
        let before = self.trouble.take().filter(|_| self.standing == standing);
        self.standing = standing;
        self.trouble = Some(Box::new(Trouble {
            address,
            outcome,
            since: before.map_or(time, |before| before.since),
        }));
    }
}

#[cfg(test)]
mod tests;
