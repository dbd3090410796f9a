//! Checks of one tunnel: its object and what the operator says of it.

use bigip_tunnel_cilium::finding::UnitKey;
use bigip_tunnel_cilium::seen::Node;
use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, ManagementPolicy, SkippedNode};
use bigip_tunnel_crds::{ANNOTATION_PAUSED, convert};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::core::SelectorExt as _;

use super::evidence::Evidence;
use super::{Category, Check, Verdict, count, device, live, overlay, some_of};
use crate::catalogue::{
    BTN0007, BTN0008, BTN0009, BTN0010, BTN0103, BTN0215, BTN0304, BTN0305, BTN0306, BTN0307,
    BTN0308, BTN0409,
};

/// The checks of every tunnel that can be read.
pub(super) fn categories(evidence: &Evidence) -> Vec<Category> {
    let tunnels = evidence.tunnels.iter().flatten();
    let readable = tunnels.filter_map(|tunnel| tunnel.0.as_ref().ok());
    readable.map(|tunnel| category(tunnel, evidence)).collect()
}

fn category(tunnel: &BigIpTunnel, evidence: &Evidence) -> Category {
    let (namespace, name) = (tunnel.namespace().unwrap_or_default(), tunnel.name_any());
    let mut checks = vec![seen(tunnel)];
    checks.extend(intent(tunnel));
    if let Some(status) = &tunnel.status {
        checks.extend(conditions(tunnel, status));
        for listed in &tunnel.spec.devices {
            let known = status
                .devices
                .iter()
                .find(|known| known.name == listed.name);
            let unit = unit(tunnel, &listed.name);
            let of_device = device::checks(&listed.name, known).into_iter();
            checks.extend(of_device.map(|check| check.about(&unit)));
        }
        checks.extend(overlay::checks(status, evidence));
        checks.extend(nodes(status));
        checks.extend(other_counts(tunnel, status, evidence));
        checks.extend(removals(tunnel, status));
        checks.extend(ready(status, &checks));
    }
    checks.extend(asked(tunnel, evidence));
    checks.extend(other_writers(tunnel, evidence));
    Category::new(format!("{namespace}/{name}"), checks)
}

/// What the BIG-IPs said themselves.
fn asked(tunnel: &BigIpTunnel, evidence: &Evidence) -> Vec<Check> {
    let devices = tunnel.spec.devices.iter();
    let seen = devices.filter_map(|device| {
        let seen = evidence.live.get(&live::key(tunnel, &device.name))?;
        let unit = unit(tunnel, &device.name);
        let checks = live::checks(&device.name, seen, evidence).into_iter();
        Some(checks.map(move |check| check.about(&unit)))
    });
    seen.flatten().collect()
}

/// A BIG-IP of a tunnel, as checks name it.
fn unit(tunnel: &BigIpTunnel, device: &str) -> UnitKey {
    UnitKey {
        namespace: tunnel.namespace().unwrap_or_default(),
        object: tunnel.name_any(),
        device: device.to_owned(),
    }
}

/// The condition of this type.
pub(super) fn condition_of(all: &[Condition], kind: ConditionType) -> Option<&Condition> {
    all.iter()
        .find(|condition| condition.type_ == kind.as_str())
}

/// Whether the status is about the object as it is now.
fn seen(tunnel: &BigIpTunnel) -> Check {
    let generation = tunnel.metadata.generation.unwrap_or_default();
    let observed = tunnel.status.as_ref().and_then(|s| s.observed_generation);
    match observed {
        Some(observed) if observed >= generation => {
            Check::ok("the operator has seen the object as it is now")
        }
        Some(observed) if observed >= 0 => Check::error(
            BTN0008,
            format!("the operator has seen generation {observed} of {generation}"),
        ),
        _ => Check::error(BTN0008, "no operator has seen the object yet"),
    }
}

/// Whether work is wanted at all.
fn intent(tunnel: &BigIpTunnel) -> Option<Check> {
    let paused = tunnel.annotations().get(ANNOTATION_PAUSED);
    if tunnel.spec.suspend {
        Some(Check::warning(BTN0009, "it is suspended"))
    } else if paused.is_some_and(|value| value == "true") {
        let text = format!("it is paused by the annotation {ANNOTATION_PAUSED}");
        Some(Check::warning(BTN0009, text))
    } else if tunnel.spec.management_policy == ManagementPolicy::Observe {
        Some(Check::warning(BTN0010, "it only observes"))
    } else {
        None
    }
}

fn conditions(tunnel: &BigIpTunnel, status: &BigIpTunnelStatus) -> Vec<Check> {
    let of = |kind| condition_of(&status.conditions, kind).filter(|c| c.status == "False");
    let mut checks = Vec::new();
    if let Some(refused) = of(ConditionType::Accepted) {
        let code = device::code_of(&refused.reason, BTN0007);
        checks.push(Check::error(code, refused.message.clone()));
    }
    if let Some(insecure) = of(ConditionType::SecureTransport) {
        checks.push(Check::warning(BTN0103, insecure.message.clone()));
    }
    if let Some(uncovered) = of(ConditionType::PeersCovered) {
        checks.push(Check::warning(BTN0215, uncovered.message.clone()));
    }
    for former in &status.former_devices {
        let why = former
            .message
            .as_deref()
            .unwrap_or("it is being cleaned up");
        let (name, namespace) = (tunnel.name_any(), tunnel.namespace().unwrap_or_default());
        let lost = format!(
            "if it cannot be reached any more: kubectl bigip-tunnel release {name} {} -n {namespace}",
            former.name
        );
        let text = format!(
            "{} is not listed and still holds records: {why}",
            former.name
        );
        checks.push(Check::warning(BTN0308, text).with_hint(lost));
    }
    checks
}

fn nodes(status: &BigIpTunnelStatus) -> Vec<Check> {
    let Some(counts) = &status.nodes else {
        return Vec::new();
    };
    if counts.skipped == 0 {
        let text = format!(
            "{} of {} selected nodes have their record everywhere",
            counts.programmed, counts.selected
        );
        // A node that lacks its record is a line of the BIG-IP.
        return Vec::from_iter((counts.programmed >= counts.selected).then(|| Check::ok(text)));
    }
    let mut checks: Vec<Check> = status.skipped_nodes.iter().map(skipped).collect();
    let named = status.skipped_nodes.len();
    let more = usize::try_from(counts.skipped).unwrap_or_default();
    if more > named {
        let text = format!("{} more nodes have no record", more - named);
        checks.push(Check::warning(BTN0306, text));
    }
    checks
}

/// Whether the status counts other nodes than the cluster has now. A Node that stands for a BIG-IP may count
/// or not.
fn other_counts(
    tunnel: &BigIpTunnel,
    status: &BigIpTunnelStatus,
    evidence: &Evidence,
) -> Option<Check> {
    let nodes = evidence.cilium.nodes.as_deref().ok()?;
    let selector = convert::selector(&tunnel.spec).ok()?;
    let nodes = nodes.iter().map(|node| &**node);
    let (selected, stand_ins): (Vec<&Node>, Vec<&Node>) = nodes
        .filter(|node| selector.matches(&node.labels))
        .partition(|node| node.stands_for.is_none());
    let counted = usize::try_from(status.nodes.as_ref()?.selected).ok()?;
    let fits = selected.len()..=selected.len() + stand_ins.len();
    (!fits.contains(&counted)).then(|| {
        let text = format!(
            "the status counts {}, and {} now; it is older than the nodes",
            count(counted, "selected node"),
            match selected.len() {
                1 => "1 is selected".to_owned(),
                number => format!("{number} are selected"),
            }
        );
        Check::warning(BTN0008, text)
    })
}

fn skipped(node: &SkippedNode) -> Check {
    let code = match Reason::parse(&node.reason) {
        Some(Reason::DuplicateAddress) => BTN0304,
        Some(Reason::OwnAddress) => BTN0409,
        _ => BTN0306,
    };
    let why = match node.message.as_str() {
        "" => &node.reason,
        message => message,
    };
    Check::warning(code, format!("{} has no record: {why}", node.name))
}

fn removals(tunnel: &BigIpTunnel, status: &BigIpTunnelStatus) -> Option<Check> {
    let held = status.held_removal.as_ref()?;
    let (name, namespace) = (tunnel.name_any(), tunnel.namespace().unwrap_or_default());
    let records = count(usize::try_from(held.count).unwrap_or_default(), "record");
    let text = format!("the removal of {records} waits for a person");
    let hint = format!(
        "if these nodes are really gone: kubectl bigip-tunnel approve {name} -n {namespace}"
    );
    Some(Check::error(BTN0307, text).with_hint(hint))
}

/// What the summary says beyond what the other checks have found.
fn ready(status: &BigIpTunnelStatus, found: &[Check]) -> Option<Check> {
    let ready = condition_of(&status.conditions, ConditionType::Ready)?;
    let code = device::code_of(&ready.reason, BTN0008);
    let is_explained = found.iter().any(|check| check.result == Verdict::Error);
    if ready.status == "True" || is_explained {
        return None;
    }
    Some(Check::error(code, ready.message.clone()))
}

/// F5 CIS with the same tunnel.
fn other_writers(tunnel: &BigIpTunnel, evidence: &Evidence) -> Option<Check> {
    let path = convert::tunnel_path(&tunnel.spec).ok()?.to_string();
    let cis = &evidence.deployments.as_ref().ok()?.cis;
    let writers: Vec<String> = cis
        .iter()
        .filter(|cis| cis.tunnel == path)
        .map(|cis| format!("{}/{} with {}", cis.namespace, cis.name, cis.argument))
        .collect();
    (!writers.is_empty()).then(|| {
        let text = format!("F5 CIS writes the same tunnel: {}", some_of(&writers));
        let writes_nothing =
            tunnel.spec.suspend || tunnel.spec.management_policy == ManagementPolicy::Observe;
        if writes_nothing {
            Check::warning(BTN0305, text)
        } else {
            Check::error(BTN0305, text)
        }
    })
}
