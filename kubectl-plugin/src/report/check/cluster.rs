//! Checks of the cluster: API server, CRD, operator.

use std::collections::BTreeSet;

use super::evidence::{Evidence, Leader, OperatorSeen, RightSeen};
use super::{Category, Check, count, some_of};
use crate::catalogue::{BTN0001, BTN0002, BTN0003, BTN0004, BTN0005, BTN0306};
use crate::report::version;

/// Label value of the operator's Deployment, and the resource that the CRD brings.
const CRD: &str = "bigiptunnels.bigip-tunnel.dev";

/// The checks.
pub(super) fn category(evidence: &Evidence) -> Category {
    let mut checks = vec![match &evidence.server_version {
        Ok(version) => Check::ok(format!("the Kubernetes API answers ({version})")),
        Err(why) => Check::unread("version of the Kubernetes API", why),
    }];
    if let Some(tunnels) = &evidence.tunnels {
        checks.push(if evidence.crd_missing {
            Check::error(BTN0002, format!("CRD {CRD} is not served"))
        } else {
            Check::ok(format!("CRD {CRD} is served"))
        });
        for invalid in tunnels.iter().filter_map(|tunnel| tunnel.0.as_ref().err()) {
            let name = invalid.metadata.name.as_deref().unwrap_or_default();
            checks.push(Check::error(
                BTN0002,
                format!("bigiptunnel {name} cannot be read: {}", invalid.error),
            ));
        }
        checks.extend(operators(evidence));
    }
    checks.extend(evidence.rights.iter().map(right));
    checks.push(nodes(evidence));
    Category::new("cluster", checks)
}

fn right(right: &RightSeen) -> Check {
    if right.is_granted {
        Check::ok(format!("you may {}", right.what))
    } else {
        Check::error(BTN0005, format!("you may not {}", right.what))
    }
}

fn operators(evidence: &Evidence) -> Vec<Check> {
    let deployments = match &evidence.deployments {
        Ok(deployments) => deployments,
        Err(why) => return vec![Check::unread("the operator's Deployment", why)],
    };
    if deployments.operators.is_empty() {
        return vec![Check::error(
            BTN0003,
            "there is no Deployment of the operator",
        )];
    }
    let mut checks = Vec::new();
    for operator in &deployments.operators {
        checks.push(running(operator));
        checks.extend(leader(operator));
        checks.extend(skew(operator));
    }
    checks
}

fn running(operator: &OperatorSeen) -> Check {
    let OperatorSeen {
        namespace,
        name,
        wanted,
        ready,
        ..
    } = operator;
    let version = operator.version.as_deref().unwrap_or("of unknown version");
    let pods = format!("operator {version} in {namespace}/{name}: {ready} of {wanted} pods ready");
    if *ready == 0 {
        Check::error(BTN0003, pods)
    } else if ready < wanted {
        Check::warning(BTN0003, pods)
    } else {
        Check::ok(pods)
    }
}

/// Who leads of the replicas that run. Where none runs that is what is said.
fn leader(operator: &OperatorSeen) -> Option<Check> {
    let seen = operator.leader.as_ref().filter(|_| operator.ready > 0)?;
    let (namespace, name) = operator.lease.as_ref()?;
    let lease = format!("lease {namespace}/{name}");
    let seen = match seen {
        Ok(seen) => seen,
        Err(why) => return Some(Check::unread(&lease, why)),
    };
    Some(match seen.leader() {
        Leader::Missing => Check::error(
            BTN0004,
            format!("no operator leads: the {lease} has no holder"),
        ),
        Leader::Ended(holder) => Check::error(
            BTN0004,
            format!("no operator leads: {holder}, the holder of the {lease}, has ended"),
        ),
        Leader::Silent(holder, silent_s) => Check::warning(
            BTN0004,
            format!("{holder} has the {lease} and has not renewed it for {silent_s} s"),
        ),
        Leader::Leads(holder) => Check::ok(format!("{holder} leads")),
    })
}

/// What the versions of plugin and operator say of each other.
fn skew(operator: &OperatorSeen) -> Option<Check> {
    let skew = version::skew(operator.version.as_deref()?)?;
    Some(Check::warning(BTN0001, skew))
}

/// Whether nodes have an address at all that a record can be made of. Which of them a tunnel selects
/// is its own business, and what a status says of a node is said with the tunnel, with its reason.
fn nodes(evidence: &Evidence) -> Check {
    let nodes = match &evidence.cilium.nodes {
        Ok(nodes) => nodes,
        Err(why) => return Check::unread("nodes", why),
    };
    let tunnels = evidence.tunnels.iter().flatten();
    let statuses = tunnels.filter_map(|tunnel| tunnel.0.as_ref().ok()?.status.as_ref());
    let named: BTreeSet<&str> = statuses
        .flat_map(|status| &status.skipped_nodes)
        .map(|node| node.name.as_str())
        .collect();
    let without: Vec<&str> = nodes
        .iter()
        .filter(|node| node.internal.is_empty() && node.stands_for.is_none())
        .map(|node| node.name.as_str())
        .collect();
    let unnamed = without.iter().filter(|name| !named.contains(*name));
    let unnamed: Vec<&str> = unnamed.copied().collect();
    if unnamed.is_empty() {
        let stand_ins = nodes.iter().filter(|node| node.stands_for.is_some());
        let with = nodes.len() - without.len() - stand_ins.count();
        return Check::ok(format!(
            "{} with an IPv4 address of the type InternalIP",
            count(with, "node")
        ));
    }
    Check::warning(
        BTN0306,
        format!(
            "{} without an IPv4 address of the type InternalIP: {}",
            count(unnamed.len(), "node"),
            some_of(&unnamed)
        ),
    )
}
