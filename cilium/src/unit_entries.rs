//! One unit against the entries of Cilium, and against the way in which Cilium talks.

use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_core::unit::CILIUM_VNI;

use crate::advice::Advice;
use crate::config::{Config, Routing};
use crate::finding::{Finding, Problem};
use crate::table::{Table, partial};
use crate::unit::Unit;
use crate::vtep::{Entry, Source};
use crate::words::count;

/// What a unit is compared with.
pub(crate) struct Context<'a> {
    pub(crate) table: &'a Table,
    /// What its agents have.
    pub(crate) config: Config<'a>,
    pub(crate) advice: &'a Advice<'a>,
    /// The nodes of its tunnel with these entries, where they are known.
    pub(crate) nodes: &'a [&'a str],
    /// The units with the same local address, itself included: a pair whose tunnel moves.
    pub(crate) sharing: &'a [&'a Unit],
}

/// What is found.
pub(crate) fn findings(unit: &Unit, context: &Context<'_>) -> Vec<Finding> {
    let mut findings = talk(unit, context);
    findings.extend(unknown(unit));
    if let Some(local) = unit.local {
        findings.extend(known(unit, local, context.table, context));
    }
    let about = findings.into_iter().map(|finding| finding.about(&unit.key));
    about.collect()
}

/// What is not known of the unit, so that nothing about it is taken for right.
fn unknown(unit: &Unit) -> Option<Finding> {
    let mut parts = Vec::new();
    if unit.vni.is_none() {
        parts.push("its VNI");
    }
    if unit.encapsulation.is_none() || unit.port.is_none() {
        parts.push("its encapsulation and UDP port");
    }
    if unit.local.is_none() {
        parts.push("an IPv4 local address");
    }
    if unit.self_ips.is_empty() {
        parts.push("a self IP");
    }
    if unit.has_more_self_ips {
        parts.push("all of its self IPs");
    }
    let (name, path) = (&unit.key.device, &unit.path);
    let (text, fix) = match (unit.is_current, parts.is_empty()) {
        (true, true) => return None,
        (false, _) => (
            format!(
                "{name}: the unit does not answer or lacks {path}; the comparison uses its last known state"
            ),
            "kubectl bigip-tunnel status shows why".to_owned(),
        ),
        (true, false) => (
            format!(
                "{name}: the status of {path} does not show {}",
                parts.join(", ")
            ),
            format!("compare on {name}: tmsh list net tunnels tunnel {path}; tmsh list net self"),
        ),
    };
    Some(Finding::not_judged(Problem::Unreadable, text).with_fix(fix))
}

/// Whether both speak the same protocol, to the same port, with the same VNI.
fn talk(unit: &Unit, context: &Context<'_>) -> Vec<Finding> {
    let (name, path) = (&unit.key.device, &unit.path);
    let mut findings = Vec::new();
    if let (Routing::Tunnel { protocol, port }, Some(kind), Some(theirs)) =
        (context.config.routing(), &unit.encapsulation, unit.port)
        && (*kind != protocol || theirs != port)
    {
        let text = format!("{name} speaks {kind} to UDP {theirs}, Cilium {protocol} to UDP {port}");
        let on_unit = format!(
            "on {name}: give {path} a {protocol} profile with port {port} and flooding-type multipoint"
        );
        let in_cilium = context.advice.protocol(context.config);
        let fix = in_cilium.map_or(on_unit.clone(), |line| format!("{on_unit}; or {line}"));
        findings.push(Finding::error(Problem::WrongProtocol, text).with_fix(fix));
    }
    if let Some(vni) = unit.vni.filter(|vni| *vni != CILIUM_VNI) {
        let text = format!("{name} has VNI {vni}, Cilium uses {CILIUM_VNI}");
        let fix = format!(
            "Cilium has no other: on {name}: tmsh modify net tunnels tunnel {path} key {CILIUM_VNI}"
        );
        findings.push(Finding::error(Problem::WrongVni, text).with_fix(fix));
    }
    findings
}

/// Whether Cilium knows the unit, its addresses and its MAC address.
fn known(unit: &Unit, local: Ipv4Addr, table: &Table, context: &Context<'_>) -> Vec<Finding> {
    let name = &unit.key.device;
    let own = table
        .entries
        .iter()
        .filter(|entry| entry.endpoint == Ok(local));
    let own: Vec<&Entry> = own.collect();
    if own.is_empty() {
        // An entry without readable endpoint that holds its self IP is its own, and is said already.
        let is_meant = |entry: &Entry| {
            entry.endpoint.is_err()
                && unit
                    .self_ips
                    .iter()
                    .any(|net| entry.finds(net.addr(), table.prefix))
        };
        if table.entries.iter().any(is_meant) {
            return Vec::new();
        }
        let text = format!("{name}: no VTEP entry has its local address {local}");
        return vec![Finding::error(Problem::EndpointMissing, text)];
    }
    let mut findings = scope(unit, &own, context);
    findings.extend(self_ips(unit, local, &own, table));
    let sound: Vec<&Entry> = own
        .into_iter()
        .filter(|entry| entry.faults().is_empty())
        .collect();
    if findings.is_empty() && !sound.is_empty() {
        let networks = sound.iter().filter_map(|entry| entry.cidr.as_ref().ok());
        let networks: Vec<String> = networks.map(ToString::to_string).collect();
        findings.push(Finding::holds(format!(
            "{name}: endpoint {local} and network {} are among the VTEP entries",
            networks.join(", ")
        )));
    }
    let macs = sound.into_iter().filter_map(|entry| {
        let theirs = *entry.mac.as_ref().ok()?;
        Some(mac(unit, (entry, theirs), context))
    });
    findings.extend(macs);
    findings
}

/// Whether all nodes of the tunnel know the endpoint.
fn scope(unit: &Unit, own: &[&Entry], context: &Context<'_>) -> Vec<Finding> {
    let partial: Option<Vec<_>> = own
        .iter()
        .map(|entry| partial(entry, context.nodes))
        .collect();
    let Some(partial) = partial else {
        return Vec::new();
    };
    let name = &unit.key.device;
    let all = count(context.nodes.len(), "node");
    let knows = |node: &&&str| {
        own.iter()
            .any(|entry| entry.scope.holds(node) != Some(false))
    };
    if !context.nodes.is_empty() && !context.nodes.iter().any(|node| knows(&node)) {
        let text = format!("{name}: its VTEP entries are known to none of its {all}");
        return vec![Finding::error(Problem::EndpointMissing, text)];
    }
    let notes = partial.iter().map(|(selector, number)| {
        if let Some(number) = number {
            return Finding::holds(format!(
                "{name}: its VTEP entry is known to nodes with {selector} only ({number} of {all})"
            ));
        }
        let selector = match *selector {
            "" => "a selector that cannot be read",
            selector => selector,
        };
        let text = format!(
            "{name}: its VTEP entry is for nodes with {selector}; which nodes these are is not known"
        );
        Finding::not_judged(Problem::EndpointMissing, text)
    });
    notes.collect()
}

/// Whether every self IP gets answers, and gets them itself.
fn self_ips(unit: &Unit, local: Ipv4Addr, own: &[&Entry], table: &Table) -> Vec<Finding> {
    let name = &unit.key.device;
    let is_certain = own.iter().all(|entry| entry.cidr.is_ok()) && !own.is_empty();
    let mut findings = Vec::new();
    for address in unit.self_ips.iter().map(Ipv4Net::addr) {
        let found = own.iter().find(|entry| entry.finds(address, table.prefix));
        let taken = table.entries.iter().rfind(|entry| {
            let meets = |own: &Entry| own.scope.meets(&entry.scope) != Some(false);
            entry.finds(address, table.prefix) && own.iter().any(|own| meets(own))
        });
        let other = taken
            .filter(|entry| !own.iter().any(|own| own.source == entry.source))
            .and_then(|entry| Some((entry, entry.endpoint.as_ref().ok()?)))
            .filter(|(entry, endpoint)| **endpoint != local && (found.is_none() || is_list(entry)));
        let text = if let Some((entry, endpoint)) = other {
            let text = format!("{name}: its self IP {address} is in the network of {entry}");
            let meets = |own: &&Entry| own.scope.meets(&entry.scope) == Some(true);
            if !own.iter().any(meets) {
                let text = format!("{text}; whether a node has both entries is not known");
                findings.push(Finding::not_judged(Problem::NetworkMismatch, text));
                continue;
            }
            format!("{text}: answers go to {endpoint}")
        } else if found.is_some() || !is_certain {
            continue;
        } else if let Some(entry) = own
            .iter()
            .find(|e| e.cidr.as_ref().is_ok_and(|c| c.contains(&address)))
        {
            let prefix = table.prefix.unwrap_or_default();
            format!(
                "{name}: agents do not find {entry} for its self IP {address}, because of vtep-mask /{prefix}"
            )
        } else {
            let networks = own.iter().filter_map(|entry| entry.cidr.as_ref().ok());
            let networks: Vec<String> = networks.map(ToString::to_string).collect();
            format!(
                "{name}: its self IP {address} is outside the VTEP network {}: agents do not answer it",
                networks.join(", ")
            )
        };
        findings.push(Finding::error(Problem::NetworkMismatch, text));
    }
    findings
}

const fn is_list(entry: &Entry) -> bool {
    matches!(entry.source, Source::Lists(_))
}

/// Whether pods send to the tunnel's own MAC address.
fn mac(unit: &Unit, (entry, theirs): (&Entry, MacAddress), context: &Context<'_>) -> Finding {
    let name = &unit.key.device;
    let Some(own) = unit.mac else {
        let text = format!(
            "{name}: Cilium sends to the MAC address {theirs}; the unit does not report its own"
        );
        return Finding::not_judged(Problem::MacMismatch, text).with_fix(format!(
            "compare on {name}: tmsh show net tunnels tunnel {} all-properties",
            unit.path
        ));
    };
    if own == theirs {
        return Finding::holds(format!(
            "{name}: {entry} has the MAC address of its tunnel, {own}"
        ));
    }
    let fix = mac_fix(entry, own, context.advice);
    if context
        .sharing
        .iter()
        .any(|other| other.mac == Some(theirs))
    {
        let text = format!(
            "{name}: its tunnel has the MAC address {own}; {entry} has the one of another unit with the \
             same local address, so that pods reach one of them only"
        );
        return Finding::warning(Problem::MacMismatch, text);
    }
    let text = format!(
        "{name}: its tunnel has the MAC address {own} and {entry} has {theirs}: ARP is answered and every \
         frame of a pod is lost"
    );
    Finding::error(Problem::MacMismatch, text).with_fix(fix)
}

fn mac_fix(entry: &Entry, mac: MacAddress, advice: &Advice<'_>) -> String {
    match &entry.source {
        Source::Lists(number) => {
            let restart = advice.restart();
            format!("set item {number} of vtep-mac to {mac} and run {restart}")
        }
        Source::Object { object, entry } => {
            format!("set mac of entry {entry} of CiliumVTEPConfig {object} to {mac}")
        }
    }
}
