//! Addresses of nodes that keep changing.
//!
//! Each new address of a node is a record to add on every device and one to remove. A node whose address
//! changes several times a second must not fill the devices, nor use up what may be removed for all others.
//! So the first change is taken at once, and further ones only when they last. Knows nothing of records on
//! a device.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::mac::{MacAddress, MacPrefix};
use crate::node::{AddressRule, NodeView};
use crate::time::Moment;

/// A change is the first one when there was none for so long.
const QUIET: Duration = Duration::from_secs(600);
/// How long another address has to last when it is not.
const STABLE: Duration = Duration::from_secs(10);
/// How long it has to last when the node has left as many records behind as it may.
const STABLE_WHEN_FROZEN: Duration = Duration::from_secs(300);
/// Changes within this time count together.
const HOUR: Duration = Duration::from_secs(3600);
/// How many records a node may leave behind within an hour that count against itself, besides the first one,
/// which counts as every removal does.
const AGAINST_NODE_MAX: usize = 8;
/// Time beyond [`STABLE`] until an unstable address is shown.
const SHOWN_AFTER: Duration = Duration::from_secs(15);

/// The address that an unstable node keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damped {
    /// The address that its record points to meanwhile.
    pub address: Ipv4Addr,
    /// How long another one has to last to be taken.
    pub lasting: Duration,
    /// Whether that has gone on for so long that a user should know.
    pub is_shown: bool,
}

/// What is remembered of the nodes' addresses. Lives in memory only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damping {
    /// By the uid of the Node.
    nodes: BTreeMap<String, Memory>,
    /// The rule that the addresses were taken by.
    rule: AddressRule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Memory {
    /// The address in use.
    accepted: Ipv4Addr,
    /// The address that was last seen, or none, and since when.
    seen: Option<Ipv4Addr>,
    seen_since: Moment,
    /// Since when the address in use is kept although the node shows others.
    unstable_since: Option<Moment>,
    /// The changes of the last hour, oldest first.
    changes: Vec<Change>,
    /// Addresses whose claimed records were not made by changes that count against the node. A node that
    /// comes back to one and leaves it again does not make it its own affair, however long that takes.
    counted: BTreeSet<Ipv4Addr>,
}

/// A change of address that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    at: Moment,
    /// The address that was left.
    left: Ipv4Addr,
    /// Whether its record counts against the node.
    against_node: bool,
}

/// What came of a look at the nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// The unstable nodes, by name.
    pub damped: BTreeMap<String, Damped>,
    /// When to look again, if no node changes before.
    pub next: Option<Moment>,
}

impl Damping {
    /// Takes in what the nodes show now. An edit of the rule takes effect at once and counts as no change.
    /// `is_claimed` tells whether there is a claimed record of an address.
    pub fn settle(
        &mut self,
        nodes: &[NodeView],
        rule: &AddressRule,
        is_claimed: &dyn Fn(Ipv4Addr) -> bool,
        now: Moment,
    ) -> Settled {
        let is_edited = self.rule != *rule;
        if is_edited {
            self.rule = rule.clone();
        }
        let existing: BTreeSet<&str> = nodes.iter().map(|node| node.uid.as_str()).collect();
        self.nodes.retain(|uid, _| existing.contains(uid.as_str()));
        let mut settled = Settled::default();
        for node in nodes.iter().filter(|node| node.selected) {
            let shown = node.listed_address(rule).ok();
            let memory = match (self.nodes.get_mut(&node.uid), shown) {
                (Some(memory), _) => memory,
                (None, Some(address)) => {
                    let memory = Memory::new(address, now);
                    self.nodes.insert(node.uid.clone(), memory);
                    continue;
                }
                (None, None) => continue,
            };
            memory.look(shown, is_edited, is_claimed, now);
            if let Some(damped) = memory.damped(now) {
                settled.damped.insert(node.name.clone(), damped);
            }
            let next = memory.next(now);
            settled.next = settled.next.into_iter().chain(next).min();
        }
        settled
    }

    /// The records that unstable nodes have left behind and that count against themselves: only such as they
    /// have made themselves, by changes of this kind. A record that was there before is none of them, whichever
    /// node left it; and there are none where every removal needs an approval (`percent` is 0).
    pub fn against_nodes(&self, prefix: MacPrefix, percent: u8) -> BTreeSet<MacAddress> {
        if percent == 0 {
            return BTreeSet::new();
        }
        let memories = self.nodes.values();
        let counted: BTreeSet<&Ipv4Addr> = memories.flat_map(|memory| &memory.counted).collect();
        let changes = self.nodes.values().flat_map(|memory| &memory.changes);
        let against = changes.filter(|change| change.against_node);
        let against = against.filter(|change| !counted.contains(&change.left));
        against.map(|change| prefix.derive(change.left)).collect()
    }
}

impl Memory {
    fn new(address: Ipv4Addr, now: Moment) -> Self {
        Self {
            accepted: address,
            seen: Some(address),
            seen_since: now,
            unstable_since: None,
            changes: Vec::new(),
            counted: BTreeSet::new(),
        }
    }

    fn look(
        &mut self,
        shown: Option<Ipv4Addr>,
        is_edited: bool,
        is_claimed: &dyn Fn(Ipv4Addr) -> bool,
        now: Moment,
    ) {
        if self.seen != shown {
            self.seen = shown;
            self.seen_since = now;
        }
        self.changes.retain(|change| change.at + HOUR > now);
        let lasts = self.seen_since + self.lasting(now) <= now;
        match shown {
            Some(address) if address != self.accepted => {
                if is_edited {
                    self.counted.insert(self.accepted);
                    self.accepted = address;
                    self.unstable_since = None;
                } else if lasts {
                    self.take(address, is_claimed, now);
                } else {
                    self.unstable_since.get_or_insert(now);
                }
            }
            _ if self.seen_since + STABLE <= now => self.unstable_since = None,
            _ => {}
        }
    }

    fn take(&mut self, address: Ipv4Addr, is_claimed: &dyn Fn(Ipv4Addr) -> bool, now: Moment) {
        let before = self.changes.len();
        let left = self.accepted;
        let is_counted = self.counted.contains(&left);
        let against_node = (1..=AGAINST_NODE_MAX).contains(&before) && !is_counted;
        if !against_node {
            self.counted.insert(left);
        }
        self.changes.push(Change {
            at: now,
            left,
            against_node,
        });
        // Where a record is gone, the next one of its address is another one.
        self.counted.retain(|address| is_claimed(*address));
        let of_this = |change: &Change| change.against_node && change.left == address;
        if is_claimed(address) && !self.changes.iter().any(of_this) {
            self.counted.insert(address);
        }
        self.accepted = address;
        self.unstable_since = None;
    }

    /// How long another address has to last.
    fn lasting(&self, now: Moment) -> Duration {
        match self.changes.last() {
            _ if self.changes.len() > AGAINST_NODE_MAX => STABLE_WHEN_FROZEN,
            Some(last) if last.at + QUIET > now => STABLE,
            _ => Duration::ZERO,
        }
    }

    fn damped(&self, now: Moment) -> Option<Damped> {
        self.unstable_since.map(|since| Damped {
            address: self.accepted,
            lasting: self.lasting(now),
            is_shown: since + SHOWN_AFTER <= now,
        })
    }

    fn next(&self, now: Moment) -> Option<Moment> {
        let since = self.unstable_since?;
        let is_other = self.seen.is_some_and(|seen| seen != self.accepted);
        let lasting = if is_other { self.lasting(now) } else { STABLE };
        let due = [self.seen_since + lasting, since + SHOWN_AFTER];
        due.into_iter().filter(|due| *due > now).min()
    }
}

/// Whether nothing that a record depends on differs between these selected nodes. What an unstable node
/// shows meanwhile does not count.
pub fn same_selected(before: &[NodeView], after: &[NodeView], rule: &AddressRule) -> bool {
    let selected = |node: &&NodeView| node.selected;
    let (before, after) = (before.iter(), after.iter());
    let (mut before, mut after) = (before.filter(selected), after.filter(selected));
    loop {
        match (before.next(), after.next()) {
            (None, None) => return true,
            (Some(before), Some(after)) if means_the_same(before, after, rule) => {}
            _ => return false,
        }
    }
}

fn means_the_same(before: &NodeView, after: &NodeView, rule: &AddressRule) -> bool {
    if before.damped.is_none() && after.damped.is_none() {
        return before == after;
    }
    let shown = |node: &NodeView| {
        node.damped
            .as_ref()
            .filter(|damped| damped.is_shown)
            .cloned()
    };
    let is_same_node = before.name == after.name
        && before.uid == after.uid
        && before.created == after.created
        && shown(before) == shown(after);
    is_same_node && before.tunnel_address(rule) == after.tunnel_address(rule)
}

/// Gives each node its address in use where it is not the one that it shows: nodes of a list made by
/// itself, by what is `known` of them. A node that is new to it is as it shows itself.
pub fn settle_list(listed: &mut [NodeView], known: &[NodeView], rule: &AddressRule) {
    let known: BTreeMap<&str, &NodeView> =
        known.iter().map(|node| (node.uid.as_str(), node)).collect();
    for node in listed.iter_mut().filter(|node| node.selected) {
        let Some(known) = known.get(node.uid.as_str()).filter(|known| known.selected) else {
            continue;
        };
        node.damped.clone_from(&known.damped);
        let shown = node.listed_address(rule);
        let in_use = known.tunnel_address(rule);
        if let (Ok(shown), Ok(address), None) = (shown, in_use, &known.damped)
            && shown != address
        {
            // The change was seen here first: it is taken, or not, where all changes are.
            node.damped = Some(Damped {
                address,
                lasting: STABLE,
                is_shown: false,
            });
        }
    }
}

#[cfg(test)]
mod tests;
