//! Whether a planned removal may be carried out now.
//!
//! A wrongly removed record is an outage, so everything here errs on the side of keeping: absence
//! must be shown by a node list, last for the delay, and be explained by nothing else. Adds never
//! pass through here. Knows nothing of how the list was read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;

use crate::budget::{self, Census, Due, Window};
use crate::cause::causes;
use crate::claims::NodeNames;
use crate::desired::{Desired, DesiredNode};
use crate::mac::{MacAddress, MacPrefix};
use crate::node::{AddressRule, NodeView};
use crate::outcome::NeighbourHold;
use crate::record::Records;
use crate::sharing::{HeldBy, Needs};
use crate::time::Moment;

/// Since when claimed records have had no node. Lives in memory only: after a restart every delay
/// begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Absences(BTreeMap<MacAddress, Absence>);

/// One record's absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// When the node was first seen missing, on the monotonic clock.
    pub since: Moment,
    /// The same for a person's eye.
    pub since_time: Timestamp,
    /// The node that had the record, where this process has seen it.
    pub node: Option<DesiredNode>,
    /// Whether this process has seen the record lose its node by an edit of the address rule in the
    /// spec. What another version of the product made of the same spec is never such an edit.
    pub respecified: bool,
}

impl Absence {
    /// The name of the node that had the record, where this process has seen it.
    pub fn node_name(&self) -> Option<&str> {
        self.node.as_ref().map(|node| node.name.as_str())
    }
}

impl Absences {
    /// Notes which claimed records are not desired any more. `previous` is what was desired before,
    /// and gives the nodes their names.
    pub fn update(
        &mut self,
        claimed: &BTreeSet<MacAddress>,
        previous: &Desired,
        current: &Desired,
        (now, now_time): (Moment, Timestamp),
    ) {
        self.0
            .retain(|mac, _| claimed.contains(mac) && !current.nodes.contains_key(mac));
        for mac in claimed
            .iter()
            .filter(|mac| !current.nodes.contains_key(*mac))
        {
            let before = previous.nodes.get(mac);
            self.0.entry(*mac).or_insert_with(|| Absence {
                since: now,
                since_time: now_time,
                node: before.cloned(),
                respecified: before.is_some() && previous.rule != current.rule,
            });
        }
    }

    /// The absence of this record's node.
    pub fn get(&self, mac: MacAddress) -> Option<&Absence> {
        self.0.get(&mac)
    }
}

/// Everything that a removal is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// All nodes, selected or not: a complete list.
    pub nodes: &'a [NodeView],
    /// Prefix of the derived MAC addresses.
    pub prefix: MacPrefix,
    /// Which of a node's addresses counts.
    pub rule: &'a AddressRule,
    /// Since when the records' nodes are missing.
    pub absences: &'a Absences,
    /// The nodes of the claimed records. Each of them is asked for right before its record goes, so the
    /// verdict has to agree with what they say.
    pub claimed_nodes: &'a NodeNames,
    /// `nodes.removalDelaySeconds`.
    pub delay: Duration,
    /// No removal before this moment: the process is young, or the device's last answer was
    /// uncertain.
    pub settled_at: Moment,
    /// How many desired records the device holds, or gets before anything is removed. One record
    /// always stays.
    pub present: usize,
    /// What other objects need on the same unit and tunnel; `None` while not all objects were seen.
    pub needs: Option<&'a Needs>,
    /// Now.
    pub now: Moment,
}

/// What may still be removed within the hour.
#[derive(Debug, Clone, Copy)]
pub struct Budget<'a> {
    /// The removals of the last hour.
    pub window: &'a Window,
    /// The records and nodes that there are.
    pub census: Census,
    /// `nodes.maxRemovalPercent`.
    pub percent: u8,
    /// Records that cost nothing: they are leaving on some device, and were taken from the budget when that
    /// began, or they count against their node alone.
    pub paid: &'a BTreeSet<MacAddress>,
    /// Records whose removal a person has approved.
    pub approved: &'a BTreeSet<MacAddress>,
    /// The wall clock: the window outlives the process.
    pub now: Timestamp,
}

/// What may be removed, and what may not and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// May go now.
    pub remove: BTreeSet<MacAddress>,
    /// Has to stay for now.
    pub held: BTreeMap<MacAddress, Hold>,
}

/// Why a record that is ours and not desired stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// This other object needs it.
    Neighbour(HeldBy),
    /// Not all objects have been seen yet, so it is not known what others need.
    OthersUnknown,
    /// The list holds no node at all, or no selected one. That is a fault more often than an order.
    NoNodeSelected,
    /// The device holds no desired record: with this one it might lose its last.
    NothingElse,
    /// This selected node still lists the address.
    StillListed(String),
    /// This selected node has no usable address: the record may be its own.
    NodeAddressMissing(String),
    /// The addresses of this node, which has had the record, keep changing.
    NodeAddressUnstable(String),
    /// Time has to pass, until then.
    Waiting(Moment),
    /// More records are due than may be removed within an hour. A person can approve it.
    OverBudget,
    /// The claim does not name the record's node, so the node cannot be asked for. A person can approve
    /// the removal.
    NodeUnknown,
}

impl Verdict {
    /// Takes the due removals from the budget, all of them or none. What a person has approved costs
    /// nothing, and goes whatever becomes of the rest; what is leaving already was paid for. A record
    /// whose node is not known by name goes only when it is approved.
    pub fn spend(&mut self, evidence: &Evidence<'_>, budget: &Budget<'_>) {
        let unasked = self.remove.difference(budget.approved);
        let nameless: Vec<_> = unasked
            .filter(|mac| evidence.claimed_nodes.is_unknown(**mac))
            .copied()
            .collect();
        for mac in nameless {
            self.remove.remove(&mac);
            self.held.insert(mac, Hold::NodeUnknown);
        }
        let Evidence {
            nodes,
            claimed_nodes,
            absences,
            ..
        } = *evidence;
        let removing = self.remove.iter().copied();
        let causes = causes(removing, nodes, claimed_nodes, absences);
        let due = Due::of(&causes, budget.paid, budget.approved);
        let Budget {
            window,
            census,
            percent,
            now,
            ..
        } = *budget;
        if budget::spend(window, census, due, percent, now).is_err() {
            let costs =
                |mac: &MacAddress| !budget.paid.contains(mac) && !budget.approved.contains(mac);
            let over: Vec<_> = self.remove.iter().copied().filter(costs).collect();
            for mac in over {
                self.remove.remove(&mac);
                self.held.insert(mac, Hold::OverBudget);
            }
        }
    }

    /// The records that only a person's approval can let go.
    pub fn over_budget(&self) -> BTreeSet<MacAddress> {
        let needs_approval = |hold: &Hold| matches!(hold, Hold::OverBudget | Hold::NodeUnknown);
        let over = self.held.iter().filter(|(_, hold)| needs_approval(hold));
        over.map(|(mac, _)| *mac).collect()
    }

    /// Which of these records only other objects hold, and the first of these objects.
    pub fn held_by_neighbours(&self, left: impl Fn(MacAddress) -> bool) -> Option<NeighbourHold> {
        let held = self.held.iter().filter(|(mac, _)| left(**mac));
        let held = held.filter_map(|(_, hold)| match hold {
            Hold::Neighbour(by) => Some(Some(by)),
            Hold::OthersUnknown => Some(None),
            _ => None,
        });
        let held: Vec<Option<&HeldBy>> = held.collect();
        let first = *held.first()?;
        Some(NeighbourHold {
            count: held.len(),
            by: first.cloned(),
        })
    }

    /// When the first waiting record may go.
    pub fn next_due(&self) -> Option<Moment> {
        let waiting = |hold: &Hold| match hold {
            Hold::Waiting(until) => Some(*until),
            _ => None,
        };
        self.held.values().filter_map(waiting).min()
    }
}

/// Judges the records that the plan would remove because no selected node asks for them.
pub fn guard(candidates: &Records, evidence: &Evidence<'_>) -> Verdict {
    sort(candidates, |mac| hold(mac, evidence))
}

/// Judges the records that the plan would remove because the object is being deleted. That is an
/// order of its own: delay and node list do not count, another object's need does.
pub fn guard_deletion(candidates: &Records, needs: Option<&Needs>) -> Verdict {
    sort(candidates, |mac| hold_for_others(mac, needs))
}

fn sort(candidates: &Records, hold: impl Fn(MacAddress) -> Option<Hold>) -> Verdict {
    let mut verdict = Verdict::default();
    for mac in candidates.keys() {
        match hold(*mac) {
            None => {
                verdict.remove.insert(*mac);
            }
            Some(hold) => {
                verdict.held.insert(*mac, hold);
            }
        }
    }
    verdict
}

fn hold_for_others(mac: MacAddress, needs: Option<&Needs>) -> Option<Hold> {
    match needs {
        None => Some(Hold::OthersUnknown),
        Some(needs) => needs.holder(mac).map(Hold::Neighbour),
    }
}

/// What others need is asked last: by the time that a delay is over it may have been settled, and a record
/// that stays anyway is not said to stay for others.
fn hold(mac: MacAddress, evidence: &Evidence<'_>) -> Option<Hold> {
    if !evidence.nodes.iter().any(|node| node.selected) {
        return Some(Hold::NoNodeSelected);
    }
    if evidence.present == 0 {
        return Some(Hold::NothingElse);
    }
    // A claim whose MAC does not encode an address is not accounted for by any node.
    let address = mac.encoded_address(evidence.prefix);
    if let Some(node) = selected_holder(address, mac, evidence) {
        return Some(Hold::StillListed(node.name.clone()));
    }
    let absence = evidence.absences.get(mac);
    let had_it = absence.and_then(Absence::node_name);
    let is_explained = is_listed(address, evidence.nodes);
    let is_claimed_for = |node: &NodeView| {
        let mut names = evidence.claimed_nodes.of(mac);
        names.any(|name| **name == *node.name)
    };
    let has_had_it = |node: &&NodeView| had_it == Some(&*node.name) || is_claimed_for(node);
    let mut unstable = evidence
        .nodes
        .iter()
        .filter(|node| node.selected && node.damped.is_some());
    if let Some(node) = unstable.find(has_had_it) {
        return Some(Hold::NodeAddressUnstable(node.name.clone()));
    }
    let may_be_its_own = |node: &&NodeView| !is_explained || has_had_it(node);
    if let Some(node) = addressless(evidence).find(may_be_its_own) {
        return Some(Hold::NodeAddressMissing(node.name.clone()));
    }
    let since = absence.map_or(evidence.now, |absence| absence.since);
    let due = (since + evidence.delay).max(evidence.settled_at);
    if due > evidence.now {
        return Some(Hold::Waiting(due));
    }
    hold_for_others(mac, evidence.needs)
}

/// Whether this node, asked for right before the removal, keeps the record of its old address: it is
/// selected, and lists the address or has none that could be used.
pub fn keeps(
    node: &NodeView,
    address: Ipv4Addr,
    absence: Option<&Absence>,
    rule: &AddressRule,
) -> bool {
    let is_unclear = node.selected && node.tunnel_address(rule).is_err();
    is_unclear || is_kept_by(node, address, absence, rule)
}

/// Whether this node keeps the record of this address from being removed: it is selected and lists
/// the address. Only where the spec was edited, and now takes another address of the node, does that
/// not count.
fn is_kept_by(
    node: &NodeView,
    address: Ipv4Addr,
    absence: Option<&Absence>,
    rule: &AddressRule,
) -> bool {
    let respecified = absence.is_some_and(|absence| absence.respecified);
    let has_another = respecified && node.tunnel_address(rule).is_ok();
    node.selected && node.lists(address) && !has_another
}

fn selected_holder<'a>(
    address: Option<Ipv4Addr>,
    mac: MacAddress,
    evidence: &Evidence<'a>,
) -> Option<&'a NodeView> {
    let address = address?;
    let absence = evidence.absences.get(mac);
    evidence
        .nodes
        .iter()
        .find(|node| is_kept_by(node, address, absence, evidence.rule))
}

fn is_listed(address: Option<Ipv4Addr>, nodes: &[NodeView]) -> bool {
    address.is_some_and(|address| nodes.iter().any(|node| node.lists(address)))
}

fn addressless<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = &'a NodeView> {
    let Evidence { nodes, rule, .. } = *evidence;
    nodes
        .iter()
        .filter(|node| node.selected && node.tunnel_address(rule).is_err())
}

#[cfg(test)]
mod tests;
