//! What the kernel has to hold for the configuration of a device, worked out without asking the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ipnet::Ipv4Net;

use crate::addresses::{Network, destination_network};
use crate::configuration::{Configuration, GENEVE, Object, ROUTE, SELF_IP, TUNNEL, VXLAN};
use crate::resources::{TunnelMacs, given_mac};
use crate::validate;

/// An Ethernet address.
pub(crate) type Mac = [u8; 6];

/// The tunnels and routes of a device. What belongs to VLANs is not part of it: the underlay is there before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Desired {
    /// By full path.
    pub(crate) tunnels: BTreeMap<String, Tunnel>,
    pub(crate) routes: BTreeMap<Ipv4Net, Hop>,
}

/// A tunnel with what is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tunnel {
    pub(crate) device: Device,
    /// Self IPs, each with the length of its network.
    pub(crate) addresses: BTreeSet<Ipv4Net>,
    /// The endpoints that get what is flooded, each once.
    pub(crate) floods: BTreeSet<Ipv4Addr>,
    /// The records, MAC address to endpoint.
    pub(crate) records: BTreeMap<Mac, Ipv4Addr>,
}

/// What a VXLAN device is made with. Where one of these changes, another device takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// Name of the kernel's interface, which has room for 15 characters.
    pub(crate) name: String,
    pub(crate) vni: u32,
    pub(crate) port: u16,
    pub(crate) local: Ipv4Addr,
    pub(crate) mac: Mac,
    pub(crate) mtu: u32,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hop {
    /// Full path of the tunnel.
    pub(crate) tunnel: String,
    pub(crate) gateway: Option<Ipv4Addr>,
}

/// A configuration that the data plane has no counterpart of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} in a data plane")]
pub(crate) struct Unsupported(pub(crate) String);

/// MTU of a tunnel that names none: what VXLAN over IPv4 leaves of 1,500 bytes.
const MTU: u64 = 1450;
/// The MTUs that Linux takes for IPv4.
const MTU_RANGE: RangeInclusive<u32> = 68..=65_535;
/// The greatest VNI (RFC 7348: 24 bits).
const VNI_MAX: u32 = 0x00ff_ffff;

impl Desired {
    /// Works it out.
    pub(crate) fn of(
        configuration: &Configuration,
        base_mac: &str,
        macs: &TunnelMacs,
    ) -> Result<Self, Unsupported> {
        let mut desired = Self::default();
        for tunnel in configuration.all(TUNNEL) {
            if let Some(device) = device(configuration, base_mac, macs, tunnel)? {
                desired.add_tunnel(configuration, tunnel, device)?;
            }
        }
        for route in configuration.all(ROUTE) {
            desired.add_route(configuration, route)?;
        }
        desired.check_routes()?;
        Ok(desired)
    }

    fn add_tunnel(
        &mut self,
        configuration: &Configuration,
        tunnel: &Object,
        device: Device,
    ) -> Result<(), Unsupported> {
        let path = tunnel.path();
        // By these two the kernel knows a VXLAN device.
        let is_same =
            |other: &&Tunnel| (other.device.vni, other.device.port) == (device.vni, device.port);
        if self.tunnels.values().any(|other| is_same(&other)) {
            let (vni, port) = (device.vni, device.port);
            return Err(Unsupported(format!(
                "a second tunnel with VNI {vni} on UDP port {port}"
            )));
        }
        let mut addresses = BTreeSet::new();
        for self_ip in configuration.all(SELF_IP) {
            if self_ip.text("vlan") == Some(path.as_str()) {
                addresses.insert(address_of(self_ip)?);
            }
        }
        let records: BTreeMap<Mac, Ipv4Addr> = configuration
            .records(&path)
            .filter_map(|record| Some((mac(&record.name)?, ipv4(&record.endpoint)?)))
            .collect();
        // The kernel floods to what it has for the address zero, and takes no multicast address.
        if let Some(mac) = records.keys().find(|mac| !is_unicast(**mac)) {
            let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
            return Err(Unsupported(format!(
                "the record {mac}, which is no unicast address, of tunnel {path}"
            )));
        }
        let floods = if flooding_type(configuration, tunnel) == "multipoint" {
            records.values().copied().collect()
        } else {
            BTreeSet::new()
        };
        let tunnel = Tunnel {
            device,
            addresses,
            floods,
            records,
        };
        self.tunnels.insert(path, tunnel);
        Ok(())
    }

    /// A route into a tunnel, or by way of a gateway behind one; others are of the underlay.
    fn add_route(
        &mut self,
        configuration: &Configuration,
        route: &Object,
    ) -> Result<(), Unsupported> {
        let gateway = route.text("gw");
        let interface = match gateway {
            Some(gateway) => near_tunnel(configuration, gateway),
            None => route.text("tmInterface"),
        };
        let Some(tunnel) = interface.filter(|interface| self.tunnels.contains_key(*interface))
        else {
            return Ok(());
        };
        let network = route.text("network").unwrap_or_default();
        let unsupported = || Unsupported(format!("the route to {network}"));
        let network = destination_network(network).ok_or_else(unsupported)?;
        let gateway = match gateway {
            Some(gateway) => Some(ipv4(gateway).ok_or_else(unsupported)?),
            None => None,
        };
        let hop = Hop {
            tunnel: tunnel.to_owned(),
            gateway,
        };
        self.routes.insert(network, hop);
        Ok(())
    }

    /// Refuses routes that the kernel does not take beside the addresses of the tunnels.
    fn check_routes(&self) -> Result<(), Unsupported> {
        let addresses = || self.tunnels.values().flat_map(|tunnel| &tunnel.addresses);
        for (network, hop) in &self.routes {
            // With an address that is no host's alone comes a route to its network.
            if addresses().any(|near| near.prefix_len() < 32 && near.trunc() == *network) {
                return Err(Unsupported(format!(
                    "the route to {network}, the network of a self IP,"
                )));
            }
            let is_host = |gateway| {
                let mut near = addresses().filter(|near| near.contains(&gateway));
                near.all(|near| {
                    let ends = [near.network(), near.broadcast()];
                    near.addr() != gateway && (near.prefix_len() > 30 || !ends.contains(&gateway))
                })
            };
            if let Some(gateway) = hop.gateway.filter(|gateway| !is_host(*gateway)) {
                return Err(Unsupported(format!(
                    "the gateway {gateway}, which is no other host,"
                )));
            }
        }
        Ok(())
    }
}

/// The device of a tunnel; `None` if the tunnel is of a kind that carries nothing here, such as `http-tunnel`.
fn device(
    configuration: &Configuration,
    base_mac: &str,
    macs: &TunnelMacs,
    tunnel: &Object,
) -> Result<Option<Device>, Unsupported> {
    let path = tunnel.path();
    let profile = tunnel.text("profile").unwrap_or_default();
    let unsupported = |what: &str| Unsupported(format!("{what} of tunnel {path}"));
    match configuration.holder(&[VXLAN, GENEVE], profile) {
        Some(VXLAN) => {}
        Some(_) => return Err(unsupported("the Geneve profile")),
        None => return Ok(None),
    }
    let flooding = flooding_type(configuration, tunnel);
    if !["multipoint", "none"].contains(&flooding) {
        return Err(unsupported(&format!("flooding type {flooding}")));
    }
    let property = |name| profile_value(configuration, tunnel, name);
    if property("encapsulationType").is_some_and(|kind| kind == "vxlan-gpe") {
        return Err(unsupported("encapsulation vxlan-gpe"));
    }
    let port = property("port").and_then(serde_json::Value::as_u64);
    let local = tunnel.text("localAddress").unwrap_or_default();
    let mac = mac(&given_mac(configuration, base_mac, macs, tunnel));
    let key = tunnel.number("key").unwrap_or_default();
    let mtu = tunnel.number("mtu").filter(|mtu| *mtu > 0);
    Ok(Some(Device {
        name: format!("tunnel{}", tunnel.number("ifIndex").unwrap_or_default()),
        vni: number(key)
            .filter(|vni| *vni <= VNI_MAX)
            .ok_or_else(|| unsupported(&format!("the key {key}")))?,
        port: number(port.unwrap_or(4789))
            .filter(|port| *port > 0)
            .ok_or_else(|| unsupported("the port"))?,
        local: ipv4(local).ok_or_else(|| unsupported(&format!("local address {local}")))?,
        mac: mac
            .filter(|mac| is_unicast(*mac))
            .ok_or_else(|| unsupported("the MAC address"))?,
        mtu: number(mtu.unwrap_or(MTU))
            .filter(|mtu| MTU_RANGE.contains(mtu))
            .ok_or_else(|| unsupported("the MTU"))?,
    }))
}

fn is_unicast(mac: Mac) -> bool {
    mac != Mac::default() && mac.first().is_some_and(|first| first & 1 == 0)
}

fn number<T: TryFrom<u64>>(value: u64) -> Option<T> {
    T::try_from(value).ok()
}

fn profile_value<'a>(
    configuration: &'a Configuration,
    tunnel: &Object,
    property: &str,
) -> Option<&'a serde_json::Value> {
    let profile = configuration.get(VXLAN, tunnel.text("profile")?)?;
    configuration.value(VXLAN, profile, property)
}

/// Flooding is multicast where no profile says otherwise, as the built-in one has it.
fn flooding_type<'a>(configuration: &'a Configuration, tunnel: &Object) -> &'a str {
    let value = profile_value(configuration, tunnel, "floodingType");
    value
        .and_then(serde_json::Value::as_str)
        .unwrap_or("multicast")
}

fn address_of(self_ip: &Object) -> Result<Ipv4Net, Unsupported> {
    let text = self_ip.text("address").unwrap_or_default();
    let network = Network::parse(text).and_then(Network::ipv4);
    network.ok_or_else(|| Unsupported(format!("the self IP {text}")))
}

/// The tunnel whose self IP has an address in its network.
fn near_tunnel<'a>(configuration: &'a Configuration, address: &str) -> Option<&'a str> {
    let mut self_ips = configuration.all(SELF_IP);
    self_ips.find_map(|self_ip| {
        let interface = self_ip.text("vlan")?;
        let network = Network::parse(self_ip.text("address")?)?;
        network.contains(address).then_some(interface)
    })
}

/// An IPv4 address of route domain 0, the only one that a data plane has.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let address = text.split('%').next()?;
    match (validate::route_domain(text)?, address.parse().ok()?) {
        (0, IpAddr::V4(address)) => Some(address),
        _ => None,
    }
}

fn mac(text: &str) -> Option<Mac> {
    let mut bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    let mut mac = Mac::default();
    for byte in &mut mac {
        *byte = bytes.next()?.ok()?;
    }
    bytes.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests;
