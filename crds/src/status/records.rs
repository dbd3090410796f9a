//! The records of a device in a status: how many, and those worth a look.
//!
//! Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bigip_tunnel_core::desired::Desired;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::outcome::DeviceReport;
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::record::Records;

use super::{SHOWN_MAX, count};
use crate::v1alpha1::{Problem, ProblemKind, RecordCounts};

/// How many records are in which state.
pub(super) fn record_counts(plan: &Plan) -> RecordCounts {
    let present = plan.unchanged.len() + plan.adopt.len();
    RecordCounts {
        desired: count(present + plan.missing()),
        present: count(present),
        missing: count(plan.missing()),
        stale: count(plan.remove.len() + plan.unreadable_stale.len()),
        unclaimed: count(plan.unclaimed.len() + plan.unreadable_unclaimed.len()),
        foreign: count(plan.foreign.len() + plan.unnamed),
    }
}

/// The records worth a look, the ones that hurt first.
pub(super) fn problems(plan: &Plan, own_address: Option<Problem>) -> Vec<Problem> {
    let of = |records: &Records, kind: ProblemKind| -> Vec<Problem> {
        let shown = records.iter().take(SHOWN_MAX);
        shown
            .map(|(mac, endpoint)| Problem {
                mac: mac.to_string(),
                endpoint: Some(endpoint.to_string()),
                kind,
            })
            .collect()
    };
    let bare = |macs: &BTreeSet<MacAddress>, kind: ProblemKind| -> Vec<Problem> {
        let shown = macs.iter().take(SHOWN_MAX);
        shown
            .map(|mac| Problem {
                mac: mac.to_string(),
                endpoint: None,
                kind,
            })
            .collect()
    };
    let mut problems = of(&plan.conflict, ProblemKind::Conflict);
    problems.extend(bare(&plan.unreadable, ProblemKind::Unreadable));
    problems.extend(of(&plan.add, ProblemKind::Missing));
    problems.extend(of(&plan.correct, ProblemKind::Incorrect));
    problems.extend(own_address);
    problems.extend(of(&plan.remove, ProblemKind::Stale));
    problems.extend(bare(&plan.unreadable_stale, ProblemKind::Stale));
    problems.extend(of(&plan.unclaimed, ProblemKind::Unclaimed));
    problems.extend(bare(&plan.unreadable_unclaimed, ProblemKind::Unclaimed));
    let foreign = plan.foreign.iter().take(SHOWN_MAX);
    problems.extend(foreign.map(|(mac, endpoint)| Problem {
        mac: mac.to_string(),
        endpoint: endpoint.map(|endpoint| endpoint.to_string()),
        kind: ProblemKind::Foreign,
    }));
    problems.truncate(SHOWN_MAX);
    problems
}

/// The node that has the tunnel's own local address, if one is selected. Two nodes never share an
/// address here.
pub(super) fn own_address(report: &DeviceReport, desired: &Desired) -> Option<Problem> {
    let local = report.facts.as_ref()?.tunnel.local_address?;
    let mut nodes = desired.nodes.iter();
    let (mac, _) = nodes.find(|(_, node)| report.is_own_address(IpAddr::V4(node.address)))?;
    Some(Problem {
        mac: mac.to_string(),
        endpoint: Some(local.to_string()),
        kind: ProblemKind::OwnAddress,
    })
}
