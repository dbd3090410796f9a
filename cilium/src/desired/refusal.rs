//! Why entries cannot be given, of a unit or at all.

use std::fmt;
use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::Ipv4Net;

use crate::finding::UnitKey;
use crate::vtep::ENTRIES_MAX;

/// Why no entries can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no unit.
    NoUnit,
    /// The entries of others are not known, because there is no `cilium-config`.
    NoConfig,
    /// The unit's tunnel was not read yet.
    TunnelUnread(UnitKey),
    /// The unit has more self IPs than are known.
    SelfIpsCut(UnitKey),
    /// Two units with different local addresses share a self IP: it moves between them, and an entry does not.
    Floating(Ipv4Addr, Box<(UnitKey, UnitKey)>),
    /// The object would have a name that is too long.
    NameTooLong(String),
    /// The unit's tunnel has no local IPv4 address.
    NoEndpoint(UnitKey),
    /// No self IP is on the unit's tunnel.
    NoNetwork(UnitKey),
    /// The unit does not say its tunnel's MAC address.
    MacUnknown(UnitKey),
    /// The unit says a MAC address to which no frame can be sent.
    MacUnusable(UnitKey, MacAddress),
    /// Two units share endpoint and network and have different MAC addresses.
    MacsDiffer(Box<(UnitKey, UnitKey)>),
    /// An entry of others cannot be used, and would be written again.
    Faulty(String),
    /// Two entries with different endpoints have overlapping networks.
    NetworkTaken(Ipv4Net, Ipv4Net),
    /// An entry of an object of others has a network of ours, or leads a part of it elsewhere.
    ObjectHasNetwork(String, Ipv4Net),
    /// A network of ours overlaps one of the cluster.
    Overlaps(String),
    /// The lists have one mask for all networks.
    PrefixesDiffer(Vec<Ipv4Net>),
    /// There are more entries than a table holds.
    TooMany(usize),
    /// The unit has no entry for this reason.
    Unit(UnitKey, Box<Refusal>),
}

impl Refusal {
    /// The units that it concerns, where it does not concern all.
    pub fn units(&self) -> Vec<&UnitKey> {
        match self {
            Self::TunnelUnread(unit)
            | Self::SelfIpsCut(unit)
            | Self::NoEndpoint(unit)
            | Self::NoNetwork(unit)
            | Self::MacUnknown(unit)
            | Self::MacUnusable(unit, _)
            | Self::Unit(unit, _) => vec![unit],
            Self::Floating(_, units) | Self::MacsDiffer(units) => vec![&units.0, &units.1],
            Self::NoUnit
            | Self::NoConfig
            | Self::NameTooLong(_)
            | Self::Faulty(_)
            | Self::NetworkTaken(..)
            | Self::ObjectHasNetwork(..)
            | Self::Overlaps(_)
            | Self::PrefixesDiffer(_)
            | Self::TooMany(_) => Vec::new(),
        }
    }
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}/{}", self.device, self.namespace, self.object)
    }
}

const NO_CONFIG: &str = "there is no ConfigMap cilium-config in the namespaces that were searched, so the VTEP \
                         entries of others are not known and would be removed; name Cilium's namespace with \
                         --cilium-namespace";
const SELF_IPS_CUT: &str = "the status does not list all self IPs of its tunnel, so a network may be missing; \
                            write the entries of this unit by hand";

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(unit, why) => write!(f, "{unit}: {why}"),
            Self::NoUnit => f.write_str("there is no BigIpTunnel with a BIG-IP"),
            Self::NoConfig => f.write_str(NO_CONFIG),
            Self::TunnelUnread(unit) => write!(
                f,
                "{unit}: its tunnel has not been read, so its entries are not known"
            ),
            Self::SelfIpsCut(unit) => write!(f, "{unit}: {SELF_IPS_CUT}"),
            Self::Floating(address, units) => write!(
                f,
                "the self IP {address} floats between {} and {}, whose tunnels have different local \
                 addresses; an entry leads to one of them only: give each unit a self IP in a network of \
                 its own, or both tunnels one floating local address",
                units.0, units.1
            ),
            Self::NameTooLong(name) => write!(
                f,
                "the name of the CiliumVTEPConfig {name} has more than 253 characters; shorten the name of \
                 the BigIpTunnel"
            ),
            Self::NoEndpoint(unit) => write!(f, "{unit}: its tunnel has no local IPv4 address"),
            Self::NoNetwork(unit) => write!(f, "{unit}: no self IP is on its tunnel"),
            Self::MacUnknown(unit) => write!(
                f,
                "{unit}: the MAC address of its tunnel is not known; tmsh show net tunnels tunnel PATH \
                 all-properties shows it"
            ),
            Self::MacUnusable(unit, mac) => {
                write!(
                    f,
                    "{unit}: its tunnel has the MAC address {mac}, which is not a unicast address"
                )
            }
            Self::MacsDiffer(units) => write!(
                f,
                "{} and {} have one local address and network, and different MAC addresses; Cilium \
                 holds one of them",
                units.0, units.1
            ),
            Self::Faulty(entry) => write!(f, "{entry}; correct or remove it first"),
            Self::NetworkTaken(one, other) => {
                write!(
                    f,
                    "{one} and {other} overlap, and lead to different endpoints"
                )
            }
            Self::ObjectHasNetwork(entry, cidr) => write!(
                f,
                "{entry} has the network {cidr} or a part of it already; remove that entry first"
            ),
            Self::Overlaps(text) => f.write_str(text),
            Self::PrefixesDiffer(networks) => {
                let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "the lists have one mask for all networks, and the prefixes of {} differ; use equal \
                     prefixes or CiliumVTEPConfig (-o vtepconfig)",
                    networks.join(", ")
                )
            }
            Self::TooMany(number) => {
                write!(
                    f,
                    "{number} entries, and the table of an agent holds {ENTRIES_MAX}"
                )
            }
        }
    }
}
