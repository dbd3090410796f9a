//! Checks of one BIG-IP by what it says itself, where a person had it asked.

mod snat;

use bigip_icontrol::{Pools, Route, SelfIp, VirtualServer};
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::unit::UnitFacts;

use super::evidence::Evidence;
use super::{Check, count, device, network, overlay, some_of};
use crate::catalogue::{
    BTN0011, BTN0110, BTN0113, BTN0207, BTN0208, BTN0209, BTN0210, BTN0214, BTN0301, BTN0303,
    BTN0309,
};
use crate::direct::Trouble;

/// What a BIG-IP said.
pub(crate) struct LiveSeen {
    pub(crate) facts: UnitFacts,
    /// What separates its records from those that it should hold.
    pub(crate) plan: Plan,
    pub(crate) self_ips: Result<Vec<SelfIp>, Trouble>,
    pub(crate) routes: Result<Vec<Route>, Trouble>,
    pub(crate) virtual_servers: Result<Vec<VirtualServer>, Trouble>,
    pub(crate) pools: Result<Pools, Trouble>,
    pub(crate) snat_pools: Result<Pools, Trouble>,
    pub(crate) sync_status: Result<String, Trouble>,
}

/// The checks. `known`: which box the operator knows it as.
pub(super) fn checks(
    name: &str,
    seen: &Result<LiveSeen, Trouble>,
    known: Option<&str>,
    evidence: &Evidence,
) -> Vec<Check> {
    let seen = match seen {
        Ok(seen) => seen,
        Err(trouble) => {
            let text = format!("{name} does not answer you: {}", trouble.message);
            let code = device::code_of(trouble.reason, BTN0113);
            return vec![Check::error(code, text)];
        }
    };
    let identity = seen.facts.identity.to_string();
    if known.is_some_and(|known| known != identity) {
        let text = format!(
            "{name}: {identity} answers, and not {}",
            known.unwrap_or_default()
        );
        return vec![Check::error(BTN0110, text)];
    }
    let mut checks = vec![Check::ok(format!(
        "{name} answers you: {}, TMOS {}",
        seen.facts.hostname, seen.facts.version
    ))];
    checks.extend(records(name, &seen.plan));
    checks.extend(self_ips(name, seen));
    checks.extend(routes(name, seen, evidence));
    checks.push(sync(name, seen));
    checks.extend(snat::checks(name, seen, evidence));
    checks
}

fn unread(name: &str, what: &str, trouble: &Trouble) -> Check {
    Check::skipped(BTN0011, format!("{name}, {what}: {}", trouble.message))
}

fn records(name: &str, plan: &Plan) -> Vec<Check> {
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
    if checks.is_empty() {
        checks.push(Check::ok(format!(
            "{name} holds {present} of {present} records"
        )));
    }
    if !plan.unclaimed.is_empty() {
        let records = count(plan.unclaimed.len(), "record");
        let text = format!("{name}: {records} of our form that this tunnel does not claim");
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

fn routes(name: &str, seen: &LiveSeen, evidence: &Evidence) -> Vec<Check> {
    let all = match &seen.routes {
        Ok(all) => all,
        Err(trouble) => return vec![unread(name, "routes", trouble)],
    };
    let tunnel = &seen.facts.tunnel;
    let Some(local) = tunnel.local_address else {
        return Vec::new();
    };
    let mut domain: Vec<&Route> = all
        .iter()
        .filter(|route| route.route_domain == local.route_domain)
        .collect();
    domain.sort_by_key(|route| std::cmp::Reverse(route.network.prefix_len()));
    let leads_in = |route: &Route| route.interface.as_ref() == Some(&tunnel.full_path);
    // The tunnel's own network needs no route.
    let own: Vec<Ipv4Net> = tunnel
        .self_ips
        .iter()
        .filter_map(|s| network::self_ip(s))
        .collect();
    let into = |net: Ipv4Net| {
        let mut routes = domain.iter();
        let route = routes.find(|route| route.network.contains(&net));
        route.is_some_and(|route| leads_in(route)) || own.iter().any(|own| own.contains(&net))
    };
    let pods = overlay::pod_cidrs(evidence);
    let lost: Vec<String> = pods
        .iter()
        .filter(|net| !into(**net))
        .map(Ipv4Net::to_string)
        .collect();
    let mut checks = Vec::new();
    if !lost.is_empty() {
        let text = format!("{name}: no route through the tunnel for {}", some_of(&lost));
        checks.push(Check::error(BTN0208, text));
    } else if !pods.is_empty() {
        checks.push(Check::ok(format!(
            "{name}: the pod networks are behind the tunnel"
        )));
    }
    let nodes = evidence.nodes.iter().flatten();
    let mut addresses = nodes.flat_map(|node| &node.internal);
    let looped = addresses.find(|address| into(Ipv4Net::from(**address)));
    if let Some(address) = looped {
        let text = format!("{name}: a route leads the node address {address} into the tunnel");
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
mod tests;
