//! One test for each rule that was seen.

use smoltcp::wire::{IpProtocol, Ipv4Repr};

use super::*;

const NODE: Ipv4Addr = Ipv4Addr::new(10, 169, 72, 239);
const NODE_MAC: EthernetAddress = EthernetAddress([6, 0, 0, 0, 0, 239]);
const POD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 130);
const POD_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 130]);
const SELF_IP: Ipv4Addr = Ipv4Addr::new(10, 1, 6, 34);
const UNIT_MAC: [u8; 6] = [0x00, 0x0c, 0x29, 0x35, 0x0d, 0xbe];
const ENDPOINT: Ipv4Addr = Ipv4Addr::new(10, 169, 72, 34);

fn vtep(network: &str, endpoint: Ipv4Addr) -> Vtep {
    Vtep {
        network: network.parse().unwrap(),
        endpoint,
        mac: UNIT_MAC,
    }
}

fn datapath(mask_length: u8, entries: &[Vtep]) -> Datapath {
    Datapath {
        mac: NODE_MAC,
        address: NODE,
        vteps: VtepTable::new(mask_length, entries),
        arp_mac_is_zero: false,
        seen: Seen::default(),
    }
}

/// With the usual entry.
fn usual() -> Datapath {
    datapath(24, &[vtep("10.1.6.0/24", ENDPOINT)])
}

fn arp_request(vni: u32, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let request = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(UNIT_MAC),
        source_protocol_addr: sender,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    let mut bytes = vec![0; request.buffer_len()];
    request.emit(&mut ArpPacket::new_unchecked(&mut bytes));
    let header = EthernetRepr {
        src_addr: EthernetAddress(UNIT_MAC),
        dst_addr: EthernetAddress::BROADCAST,
        ethertype: EthernetProtocol::Arp,
    };
    vxlan::wrap(vni, &ethernet(&header, &bytes))
}

fn ip_packet(sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let header = Ipv4Repr {
        src_addr: sender,
        dst_addr: target,
        next_header: IpProtocol::Udp,
        payload_len: 4,
        hop_limit: 64,
    };
    let mut bytes = vec![7; header.buffer_len() + 4];
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
    header.emit(&mut packet, &smoltcp::phy::ChecksumCapabilities::default());
    bytes
}

fn ip(vni: u32, target_mac: [u8; 6], target: Ipv4Addr) -> Vec<u8> {
    let header = EthernetRepr {
        src_addr: EthernetAddress(UNIT_MAC),
        dst_addr: EthernetAddress(target_mac),
        ethertype: EthernetProtocol::Ipv4,
    };
    vxlan::wrap(vni, &ethernet(&header, &ip_packet(SELF_IP, target)))
}

fn receive(datapath: &mut Datapath, payload: &[u8]) -> Verdict {
    datapath.receive(payload, |address| address == POD)
}

/// The endpoint that an answer to an ARP request goes to.
fn answered_to(datapath: &mut Datapath, sender: Ipv4Addr) -> Option<Ipv4Addr> {
    match receive(datapath, &arp_request(2, sender, POD)) {
        Verdict::Send(endpoint, _) => Some(endpoint),
        _ => None,
    }
}

#[test]
fn arp_of_any_vni_is_answered_with_vni_two() {
    for asked in [2, 3, 9] {
        let Verdict::Send(endpoint, payload) =
            receive(&mut usual(), &arp_request(asked, SELF_IP, POD))
        else {
            panic!("VNI {asked} is not answered");
        };
        assert_eq!(endpoint, ENDPOINT);
        let (vni, frame) = vxlan::parse(&payload).unwrap();
        assert_eq!(vni, 2);
        let frame = EthernetFrame::new_checked(frame).unwrap();
        assert_eq!((frame.src_addr(), frame.dst_addr().0), (NODE_MAC, UNIT_MAC));
        let answer = ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).unwrap()).unwrap();
        let ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr,
            ..
        } = answer
        else {
            panic!("another kind of ARP");
        };
        assert_eq!(operation, ArpOperation::Reply);
        assert_eq!(
            (source_hardware_addr, source_protocol_addr),
            (NODE_MAC, POD)
        );
        assert_eq!(target_protocol_addr, SELF_IP);
    }
}

#[test]
fn arp_for_the_address_of_the_node_is_answered() {
    let verdict = receive(&mut usual(), &arp_request(2, SELF_IP, NODE));
    assert!(matches!(verdict, Verdict::Send(..)), "{verdict:?}");
}

#[test]
fn arp_for_another_target_or_without_vtep_is_dropped() {
    let mut datapath = usual();
    let other = Ipv4Addr::new(10, 0, 0, 131);
    assert_eq!(
        receive(&mut datapath, &arp_request(2, SELF_IP, other)),
        Verdict::Drop
    );
    let outside = Ipv4Addr::new(10, 1, 7, 34);
    assert_eq!(
        receive(&mut datapath, &arp_request(2, outside, POD)),
        Verdict::Drop
    );
    assert_eq!(
        (datapath.seen.arp_requests, datapath.seen.arp_answers),
        (2, 0)
    );
}

#[test]
fn ip_is_delivered_to_any_destination_mac() {
    for mac in [NODE_MAC.0, [2, 9, 9, 9, 9, 9]] {
        let verdict = receive(&mut usual(), &ip(2, mac, POD));
        assert_eq!(verdict, Verdict::Deliver(POD, ip_packet(SELF_IP, POD)));
    }
}

#[test]
fn ip_with_another_vni_is_dropped_and_counted() {
    let mut datapath = usual();
    for vni in [3, 9] {
        assert_eq!(
            receive(&mut datapath, &ip(vni, NODE_MAC.0, POD)),
            Verdict::Drop
        );
    }
    assert_eq!(datapath.seen.wrong_vni, 2);
}

#[test]
fn ip_for_a_pod_of_another_node_is_dropped() {
    let mut datapath = usual();
    let elsewhere = Ipv4Addr::new(10, 0, 1, 7);
    assert_eq!(
        receive(&mut datapath, &ip(2, NODE_MAC.0, elsewhere)),
        Verdict::Drop
    );
    assert_eq!(datapath.seen.strangers, 1);
}

#[test]
fn packet_of_a_pod_goes_from_its_mac_to_that_of_the_vtep() {
    let packet = ip_packet(POD, SELF_IP);
    let (endpoint, payload) = usual().transmit(POD_MAC, &packet).unwrap();
    assert_eq!(endpoint, ENDPOINT);
    let (vni, frame) = vxlan::parse(&payload).unwrap();
    assert_eq!(vni, 2);
    let frame = EthernetFrame::new_checked(frame).unwrap();
    assert_eq!((frame.src_addr(), frame.dst_addr().0), (POD_MAC, UNIT_MAC));
    assert_eq!(frame.payload(), packet);
}

#[test]
fn pod_packet_without_vtep_is_not_tunneled() {
    let packet = ip_packet(POD, Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(usual().transmit(POD_MAC, &packet), None);
}

#[test]
fn longer_mask_serves_the_lower_half_only() {
    let mut datapath = datapath(25, &[vtep("10.1.6.0/24", ENDPOINT)]);
    assert_eq!(
        answered_to(&mut datapath, [10, 1, 6, 34].into()),
        Some(ENDPOINT)
    );
    assert_eq!(answered_to(&mut datapath, [10, 1, 6, 200].into()), None);
}

#[test]
fn shorter_mask_serves_the_first_network_only() {
    let second = Ipv4Addr::new(10, 169, 72, 36);
    let entries = [vtep("10.1.0.0/24", ENDPOINT), vtep("10.1.5.0/24", second)];
    let mut datapath = datapath(16, &entries);
    assert_eq!(
        answered_to(&mut datapath, [10, 1, 0, 34].into()),
        Some(ENDPOINT)
    );
    // It is taken for one of the first.
    assert_eq!(
        answered_to(&mut datapath, [10, 1, 5, 36].into()),
        Some(ENDPOINT)
    );
}

#[test]
fn of_two_entries_of_a_network_the_last_one_counts() {
    let second = Ipv4Addr::new(10, 169, 72, 36);
    let entries = [vtep("10.1.6.0/24", ENDPOINT), vtep("10.1.6.7/24", second)];
    let mut datapath = datapath(24, &entries);
    assert_eq!(answered_to(&mut datapath, SELF_IP), Some(second));
}

#[test]
fn entry_parses_as_written() {
    let entry = vtep("10.1.6.0/24", ENDPOINT);
    assert_eq!(
        entry.to_string(),
        "10.1.6.0/24=10.169.72.34=00:0c:29:35:0d:be"
    );
    assert_eq!(
        "10.1.6.0/24=10.169.72.34=00:0c:29:35:0d:be".parse(),
        Ok(entry)
    );
    assert_eq!(entry.to_string().parse(), Ok(entry));
    for text in [
        "",
        "10.1.6.0/24=10.169.72.34",
        "10.1.6.0/24=10.169.72.34=00:0c",
        "a=b=c",
    ] {
        assert_eq!(text.parse::<Vtep>(), Err(NoVtep), "{text}");
    }
}
