//! What Cilium's datapath on a node does with what a BIG-IP sends, as a pure function.
//!
//! Every rule was seen on real eBPF programs in a lab (Cilium 1.20.0-dev of 2026-01-18), in which Linux played the BIG-IP.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Ipv4Packet,
};

use crate::vxlan;

/// The VNI of whatever comes from outside of the cluster, and of every answer.
const WORLD: u32 = 2;

/// An entry of Cilium's VTEP configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vtep {
    /// `vtep-cidr`.
    pub network: Ipv4Net,
    /// `vtep-endpoint`.
    pub endpoint: Ipv4Addr,
    /// `vtep-mac`.
    pub mac: [u8; 6],
}

/// The text is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as 10.1.6.0/24=10.169.72.34=00:0c:29:35:0d:be")]
pub struct NoVtep;

impl FromStr for Vtep {
    type Err = NoVtep;

    fn from_str(text: &str) -> Result<Self, NoVtep> {
        let (network, rest) = text.split_once('=').ok_or(NoVtep)?;
        let (endpoint, mac) = rest.split_once('=').ok_or(NoVtep)?;
        Ok(Self {
            network: network.parse().map_err(|_| NoVtep)?,
            endpoint: endpoint.parse().map_err(|_| NoVtep)?,
            mac: parse_mac(mac).ok_or(NoVtep)?,
        })
    }
}

impl fmt::Display for Vtep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = self.mac.map(|byte| format!("{byte:02x}")).join(":");
        write!(f, "{}={}={mac}", self.network, self.endpoint)
    }
}

/// A MAC address as a BIG-IP writes it.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    text.parse().ok().map(|EthernetAddress(mac)| mac)
}

/// Cilium's VTEP configuration as its programs use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VtepTable {
    /// `vtep-mask`, one for all entries.
    mask: Ipv4Addr,
    /// By the address of the network; of two entries of one network the last one counts.
    entries: BTreeMap<Ipv4Addr, Vtep>,
}

impl VtepTable {
    /// The table of these entries. The mask is that of a network with this prefix length.
    pub fn new(mask_length: u8, entries: &[Vtep]) -> Self {
        let mask = Ipv4Net::new(Ipv4Addr::UNSPECIFIED, mask_length.min(32)).unwrap_or_default();
        let by_network = entries
            .iter()
            .map(|entry| (entry.network.network(), *entry));
        Self {
            mask: mask.netmask(),
            entries: by_network.collect(),
        }
    }

    /// The entry for an address. The mask alone decides: the length of the entry's network is not used.
    fn entry(&self, address: Ipv4Addr) -> Option<&Vtep> {
        self.entries.get(&(address & self.mask))
    }
}

/// What arrived at a node, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// ARP requests for any address.
    pub arp_requests: u32,
    /// ARP requests that were answered.
    pub arp_answers: u32,
    /// IP packets for own pods.
    pub delivered: u32,
    /// IP packets that were dropped for their VNI ("Incorrect VNI from VTEP").
    pub wrong_vni: u32,
    /// IP packets for addresses that no pod here has.
    pub strangers: u32,
}

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing comes of it.
    Drop,
    /// This UDP payload goes to this address.
    Send(Ipv4Addr, Vec<u8>),
    /// This IP packet goes to a pod.
    Deliver(Ipv4Addr, Vec<u8>),
}

/// The node as its datapath knows it.
#[derive(Debug)]
pub(crate) struct Datapath {
    /// MAC address of its VXLAN interface.
    pub(crate) mac: EthernetAddress,
    /// Its own address, for which it answers ARP, too.
    pub(crate) address: Ipv4Addr,
    pub(crate) vteps: VtepTable,
    /// Whether ARP is answered with the MAC address 0, as Cilium does without the fix of cilium#44453.
    pub(crate) arp_mac_is_zero: bool,
    pub(crate) seen: Seen,
}

impl Datapath {
    /// What becomes of a UDP payload, on a node that has such pods.
    pub(crate) fn receive(
        &mut self,
        payload: &[u8],
        has_pod: impl Fn(Ipv4Addr) -> bool,
    ) -> Verdict {
        let Some((vni, frame)) = vxlan::parse(payload) else {
            return Verdict::Drop;
        };
        let Ok(frame) = EthernetFrame::new_checked(frame) else {
            return Verdict::Drop;
        };
        match frame.ethertype() {
            // Answered whatever the VNI of the request is.
            EthernetProtocol::Arp => self.arp(frame.payload(), has_pod),
            EthernetProtocol::Ipv4 => self.ipv4(vni, frame.payload(), has_pod),
            _ => Verdict::Drop,
        }
    }

    fn arp(&mut self, packet: &[u8], has_pod: impl Fn(Ipv4Addr) -> bool) -> Verdict {
        let request = ArpPacket::new_checked(packet).and_then(|packet| ArpRepr::parse(&packet));
        let Ok(ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr,
            ..
        }) = request
        else {
            return Verdict::Drop;
        };
        self.seen.arp_requests += 1;
        let is_own = target_protocol_addr == self.address || has_pod(target_protocol_addr);
        let Some(vtep) = self.vteps.entry(source_protocol_addr).filter(|_| is_own) else {
            return Verdict::Drop;
        };
        self.seen.arp_answers += 1;
        let told = if self.arp_mac_is_zero {
            EthernetAddress([0; 6])
        } else {
            self.mac
        };
        let answer = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: told,
            source_protocol_addr: target_protocol_addr,
            target_hardware_addr: source_hardware_addr,
            target_protocol_addr: source_protocol_addr,
        };
        let mut bytes = vec![0; answer.buffer_len()];
        answer.emit(&mut ArpPacket::new_unchecked(&mut bytes));
        let header = EthernetRepr {
            src_addr: self.mac,
            dst_addr: source_hardware_addr,
            ethertype: EthernetProtocol::Arp,
        };
        Verdict::Send(
            vtep.endpoint,
            vxlan::wrap(WORLD, &ethernet(&header, &bytes)),
        )
    }

    /// The MAC address that an IP packet is sent to is ignored.
    fn ipv4(&mut self, vni: u32, packet: &[u8], has_pod: impl Fn(Ipv4Addr) -> bool) -> Verdict {
        let Ok(header) = Ipv4Packet::new_checked(packet) else {
            return Verdict::Drop;
        };
        let target = header.dst_addr();
        if vni != WORLD {
            self.seen.wrong_vni += 1;
            return Verdict::Drop;
        }
        if !has_pod(target) {
            self.seen.strangers += 1;
            return Verdict::Drop;
        }
        self.seen.delivered += 1;
        let length = usize::from(header.total_len());
        let packet = packet.get(..length).unwrap_or(packet);
        Verdict::Deliver(target, packet.to_vec())
    }

    /// Where a packet of a pod goes; `None` if its destination is in no network of the table.
    pub(crate) fn transmit(
        &self,
        pod_mac: EthernetAddress,
        packet: &[u8],
    ) -> Option<(Ipv4Addr, Vec<u8>)> {
        let target = Ipv4Packet::new_checked(packet).ok()?.dst_addr();
        let vtep = self.vteps.entry(target)?;
        let header = EthernetRepr {
            src_addr: pod_mac,
            dst_addr: EthernetAddress(vtep.mac),
            ethertype: EthernetProtocol::Ipv4,
        };
        let payload = vxlan::wrap(WORLD, &ethernet(&header, packet));
        Some((vtep.endpoint, payload))
    }
}

fn ethernet(header: &EthernetRepr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; header.buffer_len() + payload.len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes);
    header.emit(&mut frame);
    frame.payload_mut().copy_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests;
