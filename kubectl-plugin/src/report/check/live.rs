//! Checks of one BIG-IP by what it says itself, where a person had it asked.

mod snat;

use std::collections::{BTreeMap, BTreeSet};

use bigip_icontrol::{Pools, Route, SelfIp, SnatPools, VirtualServer};
use bigip_tunnel_core::endpoint::{Endpoint, RouteDomain};
use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::unit::UnitFacts;
use bigip_tunnel_crds::status::set_facts;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, DeviceStatus};
use kube::ResourceExt as _;

use super::evidence::{Evidence, LiveKey};
use super::{Check, count, device, overlay, some_of};
use crate::catalogue::{
    BTN0011, BTN0113, BTN0207, BTN0208, BTN0209, BTN0210, BTN0214, BTN0301, BTN0303, BTN0309,
};
use crate::direct::Trouble;
use crate::report::prune::Needed;

/// What a BIG-IP said.
pub(crate) struct LiveSeen {
    pub(crate) facts: UnitFacts,
    /// The nodes that its tunnel selects.
    pub(crate) nodes: BTreeSet<String>,
    /// What separates its records from those that it should hold.
    pub(crate) plan: Plan,
    pub(crate) self_ips: Result<Vec<SelfIp>, Trouble>,
    pub(crate) routes: Result<Vec<Route>, Trouble>,
    pub(crate) virtual_servers: Result<Vec<VirtualServer>, Trouble>,
    pub(crate) pools: Result<Pools, Trouble>,
    pub(crate) snat_pools: Result<SnatPools, Trouble>,
    pub(crate) sync_status: Result<String, Trouble>,
}

/// The place of a BIG-IP of a tunnel in the evidence.
pub(crate) fn key(tunnel: &BigIpTunnel, device: &str) -> LiveKey {
    let namespace = tunnel.namespace().unwrap_or_default();
    (namespace, tunnel.name_any(), device.to_owned())
}

/// Puts what the BIG-IPs said in the place of what the operator wrote down of them some time ago.
pub(crate) fn take(evidence: &mut Evidence, live: BTreeMap<LiveKey, Result<LiveSeen, Trouble>>) {
    let tunnels = evidence.tunnels.iter_mut().flatten();
    for tunnel in tunnels.filter_map(|tunnel| tunnel.0.as_mut().ok()) {
        for index in 0..tunnel.spec.devices.len() {
            let Some(listed) = tunnel.spec.devices.get(index) else {
                continue;
            };
            let name = listed.name.clone();
            let Some(Ok(seen)) = live.get(&key(tunnel, &name)) else {
                continue;
            };
            let devices = &mut tunnel.status.get_or_insert_default().devices;
            if !devices.iter().any(|known| known.name == name) {
                devices.push(DeviceStatus {
                    name: name.clone(),
                    ..DeviceStatus::default()
                });
            }
            for known in devices.iter_mut().filter(|known| known.name == name) {
                set_facts(known, &seen.facts);
            }
        }
    }
    evidence.live = live;
}

/// The checks.
pub(super) fn checks(
    name: &str,
    seen: &Result<LiveSeen, Trouble>,
    evidence: &Evidence,
) -> Vec<Check> {
    let seen = match seen {
        Ok(seen) => seen,
        Err(trouble) => {
            let text = format!("{name} does not answer you: {}", trouble.message);
            if is_about_the_person(trouble.reason) {
                return vec![Check::skipped(BTN0011, text)];
            }
            let code = device::code_of(trouble.reason.as_str(), BTN0113);
            return vec![Check::error(code, text)];
        }
    };
    let mut checks = vec![Check::ok(format!(
        "{name} answers you: {}, TMOS {}",
        seen.facts.hostname, seen.facts.version
    ))];
    if seen.facts.tunnel.local_address.is_some() {
        checks.extend(records(name, &seen.plan, evidence));
    } else {
        // Nobody knows what its records should be.
        let text = format!("{name}: the tunnel's local address is no plain IPv4 address");
        checks.push(Check::error(BTN0210, text));
    }
    checks.extend(self_ips(name, seen));
    checks.extend(routes(name, seen, evidence));
    checks.push(sync(name, seen));
    checks.extend(snat::checks(name, seen, evidence));
    checks
}

/// Whether it says nothing of the BIG-IP or of the operator: the person's way or rights are others.
fn is_about_the_person(reason: Reason) -> bool {
    [
        Reason::Timeout,
        Reason::ConnectionRefused,
        Reason::ConnectionFailed,
        Reason::NameNotResolved,
        Reason::SecretForbidden,
        Reason::CaBundleForbidden,
        Reason::InsecureTlsNotAllowed,
        Reason::KubernetesUnavailable,
    ]
    .contains(&reason)
}

fn unread(name: &str, what: &str, trouble: &Trouble) -> Check {
    Check::skipped(BTN0011, format!("{name}, {what}: {}", trouble.message))
}

fn records(name: &str, plan: &Plan, evidence: &Evidence) -> Vec<Check> {
    let (present, lacking) = (plan.present().len(), plan.add.len() + plan.correct.len());
    let mut checks = Vec::new();
    if lacking > 0 {
        let text = format!(
            "{name} holds {present} of {} records",
            present + plan.missing()
        );
        checks.push(Check::error(BTN0301, text));
    }
    if !plan.conflict.is_empty() {
        let text = format!(
            "{name}: {} of others in the way",
            count(plan.conflict.len(), "record")
        );
        checks.push(Check::error(BTN0309, text));
    }
    if !plan.unreadable.is_empty() {
        let text = format!(
            "{name}: {} with an endpoint that cannot be read",
            count(plan.unreadable.len(), "record")
        );
        checks.push(Check::error(BTN0309, text));
    }
    if checks.is_empty() {
        checks.push(Check::ok(format!(
            "{name} holds {present} of {present} records"
        )));
    }
    let tunnels = evidence.tunnels.as_deref().unwrap_or_default();
    let needed = Needed::by(&[], tunnels).unwrap_or_default();
    let unclaimed = needed.leftovers(&plan.unclaimed).count();
    if unclaimed > 0 {
        let records = count(unclaimed, "record");
        let text = format!("{name}: {records} of our form that no known tunnel claims");
        checks.push(Check::warning(BTN0303, text));
    }
    checks
}

fn self_ips(name: &str, seen: &LiveSeen) -> Vec<Check> {
    let all = match &seen.self_ips {
        Ok(all) => all,
        Err(trouble) => return vec![unread(name, "self IPs", trouble)],
    };
    let tunnel = &seen.facts.tunnel;
    let mut checks = Vec::new();
    for silent in all
        .iter()
        .filter(|s| s.interface == tunnel.full_path && !s.lets_in)
    {
        let text = format!("{name}: self IP {} lets nothing in", silent.path);
        checks.push(Check::warning(BTN0207, text));
    }
    let is_local = |self_ip: &SelfIp, local: Endpoint| {
        self_ip.address.addr() == local.address && self_ip.route_domain == local.route_domain
    };
    if let Some(local) = tunnel.local_address
        && !all.iter().any(|self_ip| is_local(self_ip, local))
    {
        let text = format!("{name}: no self IP is the tunnel's local address {local}");
        checks.push(Check::error(BTN0210, text));
    }
    checks
}

/// A network that a BIG-IP knows the way to, and whether that is into the tunnel.
struct Way {
    network: Ipv4Net,
    leads_in: bool,
}

/// The ways in the route domain of the tunnel: its routes, and the networks of its self IPs, which need
/// none.
fn ways(seen: &LiveSeen, routes: &[Route], self_ips: &[SelfIp], domain: RouteDomain) -> Vec<Way> {
    let tunnel = &seen.facts.tunnel.full_path;
    let routes = routes.iter().filter(|route| route.route_domain == domain);
    let routes = routes.map(|route| Way {
        network: route.network,
        leads_in: route.interface.as_ref() == Some(tunnel),
    });
    let own = self_ips.iter().filter(|own| own.route_domain == domain);
    let own = own.map(|own| Way {
        network: own.address.trunc(),
        leads_in: &own.interface == tunnel,
    });
    routes.chain(own).collect()
}

/// Whether everything in a network goes into the tunnel: by the narrowest way that covers it, or by
/// narrower ones that cover it together; and whether a narrower way leads a part of it elsewhere.
fn goes_in(ways: &[Way], net: Ipv4Net) -> bool {
    let covering = ways.iter().filter(|way| way.network.contains(&net));
    let narrowest = covering.max_by_key(|way| way.network.prefix_len());
    let inside = || {
        ways.iter()
            .filter(|way| net.contains(&way.network) && way.network != net)
    };
    let parts: Vec<Ipv4Net> = inside()
        .filter(|way| way.leads_in)
        .map(|way| way.network)
        .collect();
    let together = || {
        Ipv4Net::aggregate(&parts)
            .iter()
            .any(|part| part.contains(&net))
    };
    let is_led_in = narrowest.is_some_and(|way| way.leads_in) || together();
    is_led_in && inside().all(|way| way.leads_in)
}

fn routes(name: &str, seen: &LiveSeen, evidence: &Evidence) -> Vec<Check> {
    let all = match &seen.routes {
        Ok(all) => all,
        Err(trouble) => return vec![unread(name, "routes", trouble)],
    };
    // That they could not be read is said already.
    let (Some(local), Ok(self_ips)) = (seen.facts.tunnel.local_address, &seen.self_ips) else {
        return Vec::new();
    };
    let ways = ways(seen, all, self_ips, local.route_domain);
    let pods = overlay::pod_cidrs_of(evidence, |node| seen.nodes.contains(node));
    let lost: Vec<String> = pods
        .iter()
        .filter(|net| !goes_in(&ways, **net))
        .map(Ipv4Net::to_string)
        .collect();
    let mut checks = Vec::new();
    if pods.is_empty() {
        let text =
            format!("{name}: no pod network is known, so that routes and SNAT are not checked");
        checks.push(Check::skipped(BTN0011, text));
    } else if lost.is_empty() {
        checks.push(Check::ok(format!(
            "{name}: the pod networks are behind the tunnel"
        )));
    } else {
        let text = format!(
            "{name}: not all goes through the tunnel for {}",
            some_of(&lost)
        );
        checks.push(Check::error(BTN0208, text));
    }
    let nodes = evidence.cilium.nodes.iter().flatten();
    let addresses = nodes.flat_map(|node| &node.internal);
    let looped = addresses.filter(|address| goes_in(&ways, Ipv4Net::from(**address)));
    let looped: Vec<String> = looped.map(ToString::to_string).collect();
    if !looped.is_empty() {
        let text = format!(
            "{name}: a route leads {} into the tunnel: {}",
            count(looped.len(), "node address"),
            some_of(&looped)
        );
        checks.push(Check::error(BTN0209, text));
    }
    checks
}

fn sync(name: &str, seen: &LiveSeen) -> Check {
    match &seen.sync_status {
        Ok(status) if matches!(&**status, "In Sync" | "Standalone") => {
            Check::ok(format!("{name}: {status}"))
        }
        Ok(status) => Check::warning(BTN0214, format!("{name}: {status}")),
        Err(trouble) => unread(name, "sync status", trouble),
    }
}

#[cfg(test)]
pub(crate) mod tests;
