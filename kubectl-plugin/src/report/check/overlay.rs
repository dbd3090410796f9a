//! Checks of the overlay: the networks of the tunnel's self IPs, against each other and the cluster's.

use std::net::IpAddr;

use bigip_tunnel_cilium::config::Config;
use bigip_tunnel_cilium::network::{self, relation};
use bigip_tunnel_cilium::pod_cidrs;
use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnelStatus, DeviceStatus};

use super::Check;
use super::evidence::Evidence;
use crate::catalogue::{BTN0204, BTN0205, BTN0409};

/// The checks of one tunnel.
pub(super) fn checks(status: &BigIpTunnelStatus, evidence: &Evidence) -> Vec<Check> {
    let overlays: Vec<(&str, Ipv4Net)> = status.devices.iter().flat_map(self_ips).collect();
    let mut checks = shared(&status.devices);
    if !overlays.is_empty() {
        checks.extend(inside_pods(&overlays, evidence));
    }
    checks.extend(stand_ins(status, evidence));
    checks
}

/// The self IPs on the tunnel of a BIG-IP.
pub(super) fn self_ips(device: &DeviceStatus) -> impl Iterator<Item = (&str, Ipv4Net)> {
    let texts = device.tunnel.iter().flat_map(|tunnel| &tunnel.self_ips);
    texts.filter_map(|text| Some((device.name.as_str(), network::self_ip(text)?)))
}

/// Two BIG-IPs in one overlay network. Units of a pair with one local address, which is on the active
/// unit, are one endpoint to Cilium and may be.
fn shared(devices: &[DeviceStatus]) -> Vec<Check> {
    let local = |device: &DeviceStatus| device.tunnel.as_ref()?.local_address.clone();
    let overlap = |one: &DeviceStatus, other: &DeviceStatus| {
        let mut pairs = self_ips(one).flat_map(|(_, net)| self_ips(other).map(move |o| (net, o.1)));
        let shared = pairs.find(|(net, other)| network::overlap(*net, *other))?;
        (local(one) != local(other)).then(|| shared.0.trunc())
    };
    let mut checks = Vec::new();
    for (index, device) in devices.iter().enumerate() {
        let mut before = devices.iter().take(index);
        let found = before.find_map(|other| Some((other, overlap(device, other)?)));
        if let Some((other, net)) = found {
            let text = format!(
                "{} and {} share the overlay network {net}",
                other.name, device.name
            );
            checks.push(Check::error(BTN0204, text));
        }
    }
    checks
}

/// The networks of the pods of these nodes, as far as they may be read.
pub(super) fn pod_cidrs_of(evidence: &Evidence, is_meant: impl Fn(&str) -> bool) -> Vec<Ipv4Net> {
    let config = evidence.cilium.config.as_ref().ok();
    let config = config.and_then(|config| Some(Config(&config.as_ref()?.data)));
    let cidrs = pod_cidrs(&evidence.cilium, config);
    cidrs
        .filter(|(node, _)| is_meant(node))
        .map(|(_, cidr)| cidr)
        .collect()
}

fn inside_pods(overlays: &[(&str, Ipv4Net)], evidence: &Evidence) -> Vec<Check> {
    let pods = pod_cidrs_of(evidence, |_| true);
    let overlapping = overlays.iter().filter_map(|(device, net)| {
        let related = |pods: &Ipv4Net| Some((*pods, relation(*net, *pods)?));
        let (pods, relation) = pods.iter().find_map(related)?;
        let text =
            format!("{device}: the network of self IP {net} {relation} the pod network {pods}");
        Some(Check::error(BTN0205, text))
    });
    let checks: Vec<Check> = overlapping.collect();
    // Where no pod network is known nothing was shown.
    if checks.is_empty() && !pods.is_empty() {
        return vec![Check::ok("the overlay is outside the pod networks")];
    }
    checks
}

/// Nodes that are none: they have the address of a BIG-IP.
fn stand_ins(status: &BigIpTunnelStatus, evidence: &Evidence) -> Vec<Check> {
    let Ok(nodes) = &evidence.cilium.nodes else {
        return Vec::new();
    };
    let mut checks = Vec::new();
    for device in &status.devices {
        let tunnel = device.tunnel.iter();
        let local = tunnel.filter_map(|tunnel| tunnel.local_address.as_deref());
        let own: Vec<_> = local
            .chain(device.address.as_deref())
            .filter_map(network::address)
            .chain(self_ips(device).map(|(_, net)| net.addr()))
            .collect();
        for node in nodes {
            let stands_for = match node.stands_for {
                Some(IpAddr::V4(address)) => Some(address),
                _ => None,
            };
            let mut addresses = node.internal.iter().copied().chain(stands_for);
            if let Some(address) = addresses.find(|address| own.contains(address)) {
                let text = format!(
                    "node {} has the address {address} of {}",
                    node.name, device.name
                );
                checks.push(Check::warning(BTN0409, text));
            }
        }
    }
    checks
}
