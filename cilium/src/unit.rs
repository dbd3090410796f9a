//! The units of the tunnels, as far as Cilium is concerned. Knows no status and no client.

use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_core::unit::Encapsulation;

use crate::finding::UnitKey;

/// A tunnel: its units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// The units whose tunnel was read.
    pub units: Vec<Unit>,
    /// Those whose tunnel was not.
    pub unread: Vec<UnitKey>,
}

/// A unit with its tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Which it is.
    pub key: UnitKey,
    /// Whether it answers now, and has the tunnel. Of another one the rest is what it was last seen to be.
    pub is_current: bool,
    /// Full path of the tunnel on it.
    pub path: String,
    /// The local address of the tunnel.
    pub local: Option<Ipv4Addr>,
    /// The self IPs on the tunnel.
    pub self_ips: Vec<Ipv4Net>,
    /// Whether it has more self IPs than are known.
    pub has_more_self_ips: bool,
    /// The tunnel's own MAC address, where the unit says it.
    pub mac: Option<MacAddress>,
    /// The key of the tunnel.
    pub vni: Option<u32>,
    /// The kind of its profile.
    pub encapsulation: Option<Encapsulation>,
    /// The UDP port of its profile.
    pub port: Option<u16>,
}
