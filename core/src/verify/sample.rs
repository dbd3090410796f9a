//! Which nodes are asked, and what that costs. A cold ARP request is flooded to every endpoint.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

/// Nodes that are asked besides the new ones, where nothing else is said.
pub const DEFAULT_NODES: usize = 16;
/// How long a node counts as new.
const NEW: SignedDuration = SignedDuration::from_hours(1);
/// More pings than these on one unit are sent only after a user has confirmed their cost.
const PINGS_UNASKED_MAX: usize = 100;
/// The longest that a ping waits, in seconds.
const PING_S: u64 = 2;

/// A node that could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a str,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// How many nodes are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many, and those that are new.
    Sample(usize),
    /// All of them.
    All,
}

/// The names of the nodes that are asked: those of the last hour, and so many of the others, evenly spread over
/// their names, in which the nodes of a pool stand together.
pub fn sample<'a>(
    candidates: &[Candidate<'a>],
    now: Timestamp,
    extent: Extent,
) -> BTreeSet<&'a str> {
    let is_new = |candidate: &&Candidate<'a>| {
        let age = candidate.created.map(|created| now.duration_since(created));
        extent == Extent::All || age.is_some_and(|age| age < NEW)
    };
    let (new, old): (Vec<&Candidate<'a>>, Vec<_>) = candidates.iter().partition(is_new);
    let mut names: BTreeSet<&str> = new.iter().map(|candidate| candidate.name).collect();
    if let Extent::Sample(number) = extent {
        let old: BTreeSet<&str> = old.iter().map(|candidate| candidate.name).collect();
        let old: Vec<&str> = old.into_iter().collect();
        let number = number.min(old.len());
        names.extend((0..number).filter_map(|index| old.get(index * old.len() / number)));
    }
    names
}

/// What pings of one unit cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// How many addresses are pinged.
    pub pings: usize,
    /// How many endpoints an ARP request for an unknown address is flooded to.
    pub endpoints: usize,
}

impl Cost {
    /// How many copies of ARP requests are sent, where every address is unknown and asked for once.
    pub const fn copies(self) -> usize {
        self.pings.saturating_mul(self.endpoints)
    }

    /// The longest that the pings wait, in seconds.
    pub fn longest_s(self) -> u64 {
        let pings = u64::try_from(self.pings).unwrap_or(u64::MAX);
        pings.saturating_mul(PING_S)
    }

    /// Whether a user has to confirm it first.
    pub const fn needs_consent(self) -> bool {
        self.pings > PINGS_UNASKED_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T06:40:00Z".parse().unwrap()
    }

    /// Names of so many nodes, in order.
    fn names(number: usize) -> Vec<String> {
        (0..number)
            .map(|index| format!("node-{index:04}"))
            .collect()
    }

    /// The nodes of these names, each of this age.
    fn of_age(names: &[String], minutes: i64) -> Vec<Candidate<'_>> {
        let created = now() - SignedDuration::from_mins(minutes);
        let node = |name| Candidate {
            name,
            created: Some(created),
        };
        names.iter().map(|name| node(name.as_str())).collect()
    }

    #[test]
    fn sample_is_spread_over_the_names() {
        let names = names(160);
        let asked = sample(&of_age(&names, 600), now(), Extent::Sample(16));
        let expected: Vec<String> = (0..16)
            .map(|index| format!("node-{:04}", index * 10))
            .collect();
        assert_eq!(asked.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn nodes_of_the_last_hour_are_pinged_with_the_sample() {
        let names = names(100);
        let mut nodes = of_age(&names[..90], 61);
        nodes.extend(of_age(&names[90..], 59));
        let asked = sample(&nodes, now(), Extent::Sample(16));
        assert_eq!(asked.len(), 26);
        assert!(names[90..].iter().all(|name| asked.contains(name.as_str())));
    }

    #[test]
    fn node_without_age_is_not_new() {
        let nodes = [Candidate {
            name: "node",
            created: None,
        }];
        assert!(sample(&nodes, now(), Extent::Sample(0)).is_empty());
        assert_eq!(sample(&nodes, now(), Extent::Sample(1)).len(), 1);
    }

    #[test]
    fn sample_of_few_nodes_is_all_nodes() {
        let names = names(3);
        let nodes = of_age(&names, 600);
        assert_eq!(sample(&nodes, now(), Extent::Sample(16)).len(), 3);
        assert_eq!(sample(&nodes, now(), Extent::All).len(), 3);
        assert!(sample(&[], now(), Extent::Sample(16)).is_empty());
    }

    #[test]
    fn each_ping_floods_a_copy_to_each_endpoint() {
        let cost = Cost {
            pings: 5_000,
            endpoints: 5_000,
        };
        assert_eq!(cost.copies(), 25_000_000);
        assert_eq!(cost.longest_s(), 10_000);
    }

    #[test]
    fn many_pings_need_confirmation() {
        let of = |pings| Cost {
            pings,
            endpoints: 3,
        };
        assert!(!of(100).needs_consent());
        assert!(of(101).needs_consent());
    }
}
