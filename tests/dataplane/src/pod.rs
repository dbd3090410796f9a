//! A pod: a user-space TCP/IP stack that answers pings and, on port 80, HTTP.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr, Ipv4Address};

/// What a pod's interface has with VXLAN over an underlay of 1,500 bytes.
const MTU: usize = 1450;
const HTTP_PORT: u16 = 80;
const BUFFER_BYTES: usize = 4096;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npod\n";

/// Packets on their way in and out.
#[derive(Default)]
struct Wire {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

pub(crate) struct Pod {
    pub(crate) mac: EthernetAddress,
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    http: SocketHandle,
}

impl Pod {
    pub(crate) fn new(address: Ipv4Addr, now: Instant) -> Self {
        let mut wire = Wire::default();
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut wire, now);
        interface.update_ip_addrs(|addresses| {
            // There is room for one.
            let _ = addresses.push(IpCidr::new(address.into(), 32));
        });
        // Everything goes to the datapath. The address of the router is never asked for on this medium.
        let _ = interface
            .routes_mut()
            .add_default_ipv4_route(Ipv4Address::new(169, 254, 0, 1));
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER_BYTES]);
        let mut sockets = SocketSet::new(Vec::new());
        let http = sockets.add(tcp::Socket::new(buffer(), buffer()));
        let [a, b, c, d] = address.octets();
        Self {
            mac: EthernetAddress([0x02, 0xff, a, b, c, d]),
            wire,
            interface,
            sockets,
            http,
        }
    }

    /// Gives it a packet.
    pub(crate) fn deliver(&mut self, packet: Vec<u8>) {
        self.wire.incoming.push_back(packet);
    }

    /// Lets it do what is due, and returns what it sends.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        // Each poll may leave more to do for the next one.
        for _ in 0..2 {
            self.interface.poll(now, &mut self.wire, &mut self.sockets);
            self.serve();
        }
        self.wire.outgoing.drain(..).collect()
    }

    /// When it is to be polled again though nothing arrives.
    pub(crate) fn poll_delay(&mut self, now: Instant) -> Option<Duration> {
        let delay = self.interface.poll_delay(now, &self.sockets)?;
        Some(delay.into())
    }

    fn serve(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.http);
        if !socket.is_open() {
            // Refused only while it is open.
            let _ = socket.listen(HTTP_PORT);
        }
        // No request needs more than one segment here, and every request gets the same answer.
        let is_asked = socket.recv(|request| {
            let is_whole = request.ends_with(b"\r\n\r\n");
            (if is_whole { request.len() } else { 0 }, is_whole)
        });
        if is_asked == Ok(true) {
            let _ = socket.send_slice(ANSWER);
            socket.close();
        } else if socket.state() == tcp::State::CloseWait {
            socket.close();
        }
    }
}

struct Incoming(Vec<u8>);

struct Outgoing<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut packet = vec![0; length];
        let result = fill(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Incoming, Outgoing<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Incoming(packet), Outgoing(&mut self.outgoing)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        // Between namespaces the kernel leaves checksums to hardware, which is not there.
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}
