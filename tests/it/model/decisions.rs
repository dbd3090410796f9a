//! Every call of a function of `core` that decides something, each in one place.
//!
//! Whoever changes a signature there changes one function here. Must not decide anything.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use bigip_tunnel_core::batch::{BATCH_MAX, Batch, Choice, ClaimContext, claims_before};
use bigip_tunnel_core::budget::{self, Census, Due, OverBudget, Window};
use bigip_tunnel_core::cause::causes;
use bigip_tunnel_core::claims::{
    ClaimChanges, Claims, DeviceClaims, NodeChanges, NodeNames, nodes_to_note,
};
use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::drift::{self, DriftPolicy, Losses};
use bigip_tunnel_core::guard::{self, Absence, Absences, Budget, Evidence, Verdict};
use bigip_tunnel_core::mac::{MacAddress, MacPrefix};
use bigip_tunnel_core::node::{AddressRule, NodeView};
use bigip_tunnel_core::plan::{Plan, plan};
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use jiff::Timestamp;

use super::cluster::ip;
use super::device::endpoint_of;

/// One moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) moment: Moment,
    pub(super) time: Timestamp,
}

/// What a removal costs.
pub(super) struct Purse<'a> {
    pub(super) window: &'a Window,
    pub(super) census: Census,
    pub(super) leaving: &'a BTreeSet<MacAddress>,
    pub(super) approved: &'a BTreeSet<MacAddress>,
    pub(super) names: &'a NodeNames,
    pub(super) percent: u8,
}

pub(super) fn desire(nodes: &[NodeView]) -> Desired {
    desired(nodes, MacPrefix::DEFAULT, &AddressRule::default())
}

pub(super) fn wanted(desired: &Desired) -> Records {
    desired.records(endpoint_of(ip(254)))
}

pub(super) fn note_absences(
    absences: &mut Absences,
    claims: &DeviceClaims,
    (before, current): (&Desired, &Desired),
    now: Now,
) {
    let claimed = claims.keys().copied().collect();
    absences.update(&claimed, before, current, (now.moment, now.time));
}

pub(super) fn compare(wanted: &Records, observed: &Records, claims: &DeviceClaims) -> Plan {
    plan(wanted, &observed.clone().into(), claims, MacPrefix::DEFAULT)
}

pub(super) fn judge(
    plan: &Plan,
    nodes: &[NodeView],
    held_back: &BTreeSet<MacAddress>,
    (absences, delay, settled_at): (&Absences, Duration, Moment),
    purse: &Purse<'_>,
    now: Now,
) -> Verdict {
    let first = plan.add.keys().chain(plan.correct.keys());
    let first = first.filter(|mac| !held_back.contains(*mac)).count();
    let evidence = Evidence {
        nodes,
        prefix: MacPrefix::DEFAULT,
        rule: &AddressRule::default(),
        absences,
        claimed_nodes: purse.names,
        delay,
        settled_at,
        present: plan.present().len() + first,
        needs: Some(&Needs::default()),
        now: now.moment,
    };
    let mut verdict = guard::guard(&plan.remove, &evidence);
    let budget = Budget {
        window: purse.window,
        census: purse.census,
        percent: purse.percent,
        paid: purse.leaving,
        approved: purse.approved,
        now: now.time,
    };
    verdict.spend(&evidence, &budget);
    verdict
}

/// Whether the node, asked for right before the removal, keeps the record.
pub(super) fn keeps(node: &NodeView, address: Ipv4Addr, absence: Option<&Absence>) -> bool {
    guard::keeps(node, address, absence, &AddressRule::default())
}

/// What was lost and is not put back now.
pub(super) fn hold_back(
    losses: &mut Losses,
    plan: &Plan,
    (claims, newcomers): (&DeviceClaims, &BTreeSet<MacAddress>),
    now: Now,
) -> BTreeSet<MacAddress> {
    let lost = drift::lost(plan, claims);
    losses.look(lost.difference(newcomers).copied().collect(), now.moment);
    losses.hold_back(DriftPolicy::Correct, now.moment)
}

pub(super) fn choose(
    plan: &Plan,
    claims: &DeviceClaims,
    removals: &BTreeSet<MacAddress>,
    desired: &Desired,
    (refused, held_back): (&BTreeSet<MacAddress>, &BTreeSet<MacAddress>),
) -> Batch {
    let choice = Choice {
        claims,
        removals,
        newcomers: &BTreeSet::new(),
        refused,
        held_back,
        room_bytes: usize::MAX,
        nodes: &desired.nodes,
        writes_max: BATCH_MAX,
    };
    Batch::next(plan, &choice)
}

pub(super) fn claims_first(
    plan: &Plan,
    batch: &Batch,
    claims: &DeviceClaims,
    context: ClaimContext<'_>,
) -> ClaimChanges {
    claims_before(plan, batch, claims, context)
}

/// The nodes that are noted with these claims.
pub(super) fn nodes_first(
    claims: &Claims,
    device: &str,
    changes: &ClaimChanges,
    desired: &Desired,
    nodes: &[NodeView],
) -> NodeChanges {
    let new = changes.iter().filter(|(_, change)| change.is_some());
    let claimed = new.map(|(mac, _)| mac).chain(claims.of(device).keys());
    nodes_to_note(claimed.copied(), claims.nodes(), desired, nodes, usize::MAX)
}

/// The window after these removals, or `None` when they cost nothing.
pub(super) fn spend(
    removing: &Records,
    (nodes, absences): (&[NodeView], &Absences),
    purse: &Purse<'_>,
    now: Now,
) -> Result<Option<Window>, OverBudget> {
    let removing = causes(removing.keys().copied(), nodes, purse.names, absences);
    let due = Due::of(&removing, purse.leaving, purse.approved);
    if due.is_nothing() {
        return Ok(None);
    }
    budget::spend(purse.window, purse.census, due, purse.percent, now.time).map(Some)
}

/// The window with the number of nodes noted, as the status does it.
pub(super) fn note_nodes(window: &mut Window, census: Census) {
    window.nodes = Some(window.level(census));
}
