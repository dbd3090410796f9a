//! Checks of Cilium's VTEP entries: as such, and against the BIG-IPs.

use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_core::unit::CILIUM_VNI;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, DeviceStatus, TunnelStatus};

use super::config::{Config, Routing};
use super::evidence::{Evidence, VtepObject};
use super::{Check, network, overlay};
use crate::catalogue::{
    BTN0202, BTN0203, BTN0402, BTN0403, BTN0404, BTN0408, BTN0410, BTN0413, BTN0414,
};

/// Entries of Cilium's table.
const ENTRIES_MAX: usize = 8;

/// A BIG-IP, as Cilium knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) endpoint: Ipv4Addr,
    pub(super) cidr: Ipv4Net,
    pub(super) mac: MacAddress,
}

/// The entries, and what is wrong with those that are none.
pub(super) fn entries(
    config: Config<'_>,
    objects: Option<&[VtepObject]>,
) -> (Vec<Entry>, Vec<Check>) {
    match objects {
        Some(objects) if !objects.is_empty() => of_objects(objects),
        _ => of_config(config),
    }
}

fn of_objects(objects: &[VtepObject]) -> (Vec<Entry>, Vec<Check>) {
    let (mut entries, mut checks) = (Vec::new(), Vec::new());
    for object in objects {
        match entry(&object.endpoint, &object.cidr, &object.mac) {
            Ok(entry) => entries.push(entry),
            Err(problem) => {
                let text = format!("CiliumVTEPConfig, entry {}: {problem}", object.name);
                checks.push(Check::error(BTN0410, text));
            }
        }
    }
    (entries, checks)
}

fn of_config(config: Config<'_>) -> (Vec<Entry>, Vec<Check>) {
    let endpoints = config.list("vtep-endpoint");
    let cidrs = config.list("vtep-cidr");
    let macs = config.list("vtep-mac");
    let lengths = (endpoints.len(), cidrs.len(), macs.len());
    if lengths.0 != lengths.1 || lengths.0 != lengths.2 {
        let (endpoints, cidrs, macs) = lengths;
        let text =
            format!("vtep-endpoint has {endpoints} items, vtep-cidr {cidrs} and vtep-mac {macs}");
        return (Vec::new(), vec![Check::error(BTN0410, text)]);
    }
    let (mut entries, mut checks) = (Vec::new(), Vec::new());
    for ((endpoint, cidr), mac) in endpoints.iter().zip(&cidrs).zip(&macs) {
        match entry(endpoint, cidr, mac) {
            Ok(entry) => entries.push(entry),
            Err(problem) => checks.push(Check::error(BTN0410, problem)),
        }
    }
    checks.extend(mask(config, &entries));
    (entries, checks)
}

fn entry(endpoint: &str, cidr: &str, mac: &str) -> Result<Entry, String> {
    let mac: MacAddress = mac
        .to_ascii_lowercase()
        .parse()
        .map_err(|_| format!("{mac} is no MAC address"))?;
    if mac.octets()[0] & 1 == 1 {
        return Err(format!("{mac} is a multicast MAC address"));
    }
    Ok(Entry {
        endpoint: endpoint
            .parse()
            .map_err(|_| format!("{endpoint} is no IPv4 address"))?,
        cidr: cidr
            .parse()
            .map_err(|_| format!("{cidr} is no IPv4 network"))?,
        mac,
    })
}

/// One mask is laid over every sender, so that it has to be the one of every network.
fn mask(config: Config<'_>, entries: &[Entry]) -> Option<Check> {
    let Some(prefix) = config.vtep_prefix() else {
        let text = format!("vtep-mask {} is no mask", config.get("vtep-mask"));
        return Some(Check::error(BTN0410, text));
    };
    let other = entries.iter().find(|e| e.cidr.prefix_len() != prefix)?;
    let text = format!("vtep-cidr {} and vtep-mask /{prefix} differ", other.cidr);
    Some(Check::error(BTN0404, text))
}

/// The entries as such: how many, and whose networks they take.
pub(super) fn sane(entries: &[Entry], config: Config<'_>, evidence: &Evidence) -> Vec<Check> {
    let mut checks = Vec::new();
    if entries.len() > ENTRIES_MAX {
        let text = format!("{} VTEP endpoints", entries.len());
        checks.push(Check::error(BTN0408, text));
    }
    for (index, entry) in entries.iter().enumerate() {
        let mut before = entries.iter().take(index);
        if before.any(|other| network::overlap(other.cidr, entry.cidr)) {
            let text = format!("the VTEP network {} stands there twice", entry.cidr);
            checks.push(Check::error(BTN0414, text));
        }
        checks.extend(taken(entry, config, evidence));
    }
    checks
}

/// A network of the cluster that an entry takes.
fn taken(entry: &Entry, config: Config<'_>, evidence: &Evidence) -> Option<Check> {
    let pods = overlay::pod_cidrs(evidence).into_iter();
    let mut networks = pods
        .map(|net| ("pod network", net))
        .chain(config.cluster_networks());
    let nodes = evidence.nodes.iter().flatten();
    let mut addresses = nodes.flat_map(|node| &node.internal);
    let what = networks
        .find(|(_, net)| network::overlap(*net, entry.cidr))
        .map(|(what, net)| format!("{what} {net}"))
        .or_else(|| {
            let node = addresses.find(|address| entry.cidr.contains(*address))?;
            Some(format!("node address {node}"))
        })?;
    let text = format!("the VTEP network {} overlaps the {what}", entry.cidr);
    Some(Check::error(BTN0413, text))
}

/// The BIG-IPs of one tunnel, against the entries and the way in which Cilium talks.
pub(super) fn devices(tunnel: &BigIpTunnel, entries: &[Entry], config: Config<'_>) -> Vec<Check> {
    let status = tunnel.status.iter().flat_map(|status| &status.devices);
    let mut checks = Vec::new();
    for device in status {
        if let Some(found) = &device.tunnel {
            let findings = of_device(device, found, entries, config);
            checks.extend(findings);
        }
    }
    checks
}

fn of_device(
    device: &DeviceStatus,
    tunnel: &TunnelStatus,
    entries: &[Entry],
    config: Config<'_>,
) -> Vec<Check> {
    let mut checks = talk(device, tunnel, config);
    let local = tunnel.local_address.as_deref().and_then(network::address);
    let Some(local) = local else {
        return checks;
    };
    let Some(entry) = entries.iter().find(|entry| entry.endpoint == local) else {
        let text = format!(
            "{}: no VTEP endpoint is its local address {local}",
            device.name
        );
        checks.push(Check::error(BTN0402, text));
        return checks;
    };
    let mut self_ips = overlay::self_ips(device).map(|(_, net)| net);
    match self_ips.find(|net| !entry.cidr.contains(&net.addr())) {
        Some(net) => {
            let text = format!(
                "{}: its self IP {} is outside the VTEP network {}",
                device.name,
                net.addr(),
                entry.cidr
            );
            checks.push(Check::error(BTN0404, text));
        }
        None => checks.push(Check::ok(format!(
            "{}: endpoint {local} and network {} are among the VTEP entries",
            device.name, entry.cidr
        ))),
    }
    // iControl REST does not show the tunnel's MAC address, so that a person has to compare.
    checks.push(
        Check::skipped(
            BTN0403,
            format!(
                "{}: Cilium sends to the MAC address {}",
                device.name, entry.mac
            ),
        )
        .with_hint(format!(
            "compare on {}: tmsh show net tunnels tunnel {} all-properties",
            device.name, tunnel.full_path
        )),
    );
    checks
}

/// Whether both speak the same protocol, to the same port, with the same VNI.
fn talk(device: &DeviceStatus, tunnel: &TunnelStatus, config: Config<'_>) -> Vec<Check> {
    let name = &device.name;
    let mut checks = Vec::new();
    let known = (tunnel.encapsulation.as_deref(), tunnel.port);
    if let (Routing::Tunnel { protocol, port }, (Some(kind), Some(theirs))) =
        (config.routing(), known)
        && (kind != protocol || theirs != i32::from(port))
    {
        let text = format!("{name} speaks {kind} to UDP {theirs}, Cilium {protocol} to UDP {port}");
        checks.push(Check::error(BTN0203, text));
    }
    let wrong = |vni: &i64| *vni != i64::from(CILIUM_VNI);
    if let Some(vni) = tunnel.vni.filter(wrong) {
        let text = format!("{name} has VNI {vni}, Cilium uses {CILIUM_VNI}");
        checks.push(Check::error(BTN0202, text));
    }
    checks
}
