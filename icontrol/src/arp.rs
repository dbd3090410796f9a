//! The ARP entries of a unit, learned ones among them: `net/arp/stats`.
//!
//! Read for a proof that pods are reached. Nothing here deletes an entry, and nothing decides what one means.

use std::net::Ipv4Addr;

use bigip_tunnel_core::endpoint::RouteDomain;
use bigip_tunnel_core::mac::MacAddress;

use crate::client::Client;
use crate::error::Error;
use crate::normalise::arp::Entries;
use crate::path;

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

impl Client {
    /// Reads the ARP entries with an IPv4 address: one `GET` of `net/arp/stats`, however many there are.
    ///
    /// The properties are those that public scripts read; that an entry without an answer has the MAC address
    /// `incomplete` and that the interface is a full path is seen in output of `tmsh show net arp`. Entries whose
    /// address cannot be read are left out.
    ///
    /// # Errors
    ///
    /// If the unit does not answer, refuses, or answers in another form. The list is complete or the call fails.
    pub async fn arp_entries(&self) -> Result<Vec<ArpEntry>, Error> {
        Ok(self.collection::<Entries>(path::ARP_STATS).await?.entries)
    }
}
