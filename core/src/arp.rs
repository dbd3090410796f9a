//! The ARP table of a unit, as plain values. Decides nothing.

use std::net::Ipv4Addr;

use crate::endpoint::RouteDomain;
use crate::mac::MacAddress;

/// An entry of a unit's ARP table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArpEntry {
    /// The address that was asked for.
    pub address: Ipv4Addr,
    /// The route domain of the address.
    pub route_domain: RouteDomain,
    /// Full path of the VLAN or tunnel that the request went to.
    pub interface: String,
    /// What is known of the MAC address.
    pub mac: ArpMac,
}

/// The MAC address of an ARP entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArpMac {
    /// This one was answered. It may be zero.
    Known(MacAddress),
    /// Nothing was answered yet.
    Incomplete,
    /// The unit shows something that cannot be read.
    Unreadable,
}
