//! A ping that is sent: ICMP echo requests from a network namespace, timed as ping of iputils times them.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::sync::oneshot;

use super::DataPlaneError;
use crate::netns::Namespace;
use crate::ping::{PingArguments, PingOutcome, PingReply};

const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
/// The port of iputils; nothing is sent to it.
const PROBE_PORT: u16 = 1025;
/// The longest IPv4 packet.
const PACKET_BYTES: usize = 65_535;
/// A read with no timeout at all would wait for ever.
const READ_TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// How long a ping goes on, at most, after its request has ended.
const READ_TIMEOUT_MAX: Duration = Duration::from_secs(1);

/// Pings from inside a namespace. A thread of its own: it waits for up to an hour, and must keep no process alive.
pub(super) async fn run(
    namespace: &Namespace,
    arguments: &PingArguments,
) -> Result<PingOutcome, DataPlaneError> {
    let (namespace, arguments) = (namespace.clone(), arguments.clone());
    let (done, outcome) = oneshot::channel();
    thread::spawn(move || {
        let result = ping(&namespace, &arguments, &|| done.is_closed());
        // Without a receiver the request has ended.
        let _ = done.send(result);
    });
    let ended = |_| DataPlaneError::Ping("it ended without a result".to_owned());
    outcome.await.map_err(ended)?
}

/// Pings until it is finished, or until `is_abandoned`.
fn ping(
    namespace: &Namespace,
    arguments: &PingArguments,
    is_abandoned: &dyn Fn() -> bool,
) -> Result<PingOutcome, DataPlaneError> {
    let raw = || Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4));
    let socket = namespace.within(raw)?.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            DataPlaneError::Ping("the right CAP_NET_RAW is missing".to_owned())
        }
        _ => DataPlaneError::Ping(error.to_string()),
    })?;
    if let Some(source) = arguments.source
        && let Err(error) = socket.bind(&address(source))
    {
        return match error.kind() {
            io::ErrorKind::AddrNotAvailable => Ok(PingOutcome::NoSuchSource),
            _ => Err(DataPlaneError::Ping(error.to_string())),
        };
    }
    let failed = |error: io::Error| DataPlaneError::Ping(error.to_string());
    if arguments.source.is_none() && !has_route(namespace, arguments.address)? {
        return Ok(PingOutcome::NoRoute);
    }
    Pinging::new(socket, arguments)
        .run(is_abandoned)
        .map_err(failed)
}

/// Whether there is a way to an address. Asked as ping of iputils asks that is not told where to send from: it connects a
/// socket that sends nothing.
fn has_route(namespace: &Namespace, address: Ipv4Addr) -> Result<bool, DataPlaneError> {
    let connect = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?.connect((address, PROBE_PORT));
    match namespace.within(connect)? {
        Err(error) if error.kind() == io::ErrorKind::NetworkUnreachable => Ok(false),
        // Whatever else is wrong, sending says it.
        Ok(()) | Err(_) => Ok(true),
    }
}

/// A ping under way.
struct Pinging<'a> {
    socket: Socket,
    arguments: &'a PingArguments,
    /// In its replies, and in those of no other ping.
    id: u16,
    /// When each packet was sent.
    sent: Vec<Instant>,
    /// How many of them had no route.
    unroutable: u32,
    replies: Vec<PingReply>,
    buffer: Vec<u8>,
}

impl<'a> Pinging<'a> {
    fn new(socket: Socket, arguments: &'a PingArguments) -> Self {
        static NEXT_ID: AtomicU16 = AtomicU16::new(1);
        Self {
            socket,
            arguments,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            sent: Vec::new(),
            unroutable: 0,
            replies: Vec::new(),
            buffer: vec![0; PACKET_BYTES],
        }
    }

    fn run(mut self, is_abandoned: &dyn Fn() -> bool) -> io::Result<PingOutcome> {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let interval = Duration::from_millis(self.arguments.interval_ms.into());
        let count = self.arguments.count as usize;
        let start = Instant::now();
        let deadline = self
            .arguments
            .deadline_s
            .map(|limit| start + seconds(limit));
        let is_over = |now| deadline.is_some_and(|deadline| now >= deadline);
        let (mut now, mut next) = (start, start);
        while self.replies.len() < count && !is_over(now) && !is_abandoned() {
            // With a deadline it goes on until enough packets are answered.
            let sends = self.sent.len() < count || deadline.is_some();
            if sends && now >= next {
                self.send();
                next += interval;
            }
            let patience = seconds(self.arguments.reply_timeout_s);
            let last = self.sent.last().map_or(start, |last| *last + patience);
            let sends = self.sent.len() < count || deadline.is_some();
            let until = if sends { next } else { last };
            let until = deadline.map_or(until, |deadline| until.min(deadline));
            if !sends && now >= last {
                break;
            }
            self.receive(until.saturating_duration_since(now))?;
            now = Instant::now();
        }
        let elapsed = self.sent.last().map(|last| last.duration_since(start));
        Ok(PingOutcome::Sent {
            transmitted: u32::try_from(self.sent.len()).unwrap_or(u32::MAX),
            unroutable: self.unroutable,
            elapsed_ms: millis(elapsed.unwrap_or_default()),
            replies: self.replies,
        })
    }

    /// Sends the next packet. One that the kernel does not send, such as for want of a route, counts as sent and lost.
    fn send(&mut self) {
        let number = self.sent.len() + 1;
        let sequence = u16::try_from(number % (usize::from(u16::MAX) + 1)).unwrap_or_default();
        let packet = echo_request(self.id, sequence, self.arguments.size_bytes.into());
        self.sent.push(Instant::now());
        if let Err(error) = self
            .socket
            .send_to(&packet, &address(self.arguments.address))
        {
            self.unroutable += u32::from(error.kind() == io::ErrorKind::NetworkUnreachable);
            tracing::debug!(%error, "ping not sent");
        }
    }

    /// Waits for one packet, for this long at most.
    fn receive(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = timeout.clamp(READ_TIMEOUT_MIN, READ_TIMEOUT_MAX);
        self.socket.set_read_timeout(Some(timeout))?;
        let length = match (&self.socket).read(&mut self.buffer) {
            Ok(length) => length,
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let packet = self.buffer.get(..length).unwrap_or_default();
        let Some((sequence, ttl)) = echo_reply(packet, self.arguments.address, self.id) else {
            return Ok(());
        };
        let sent = usize::from(sequence).checked_sub(1);
        let sent = sent.and_then(|index| self.sent.get(index));
        let sequence = u32::from(sequence);
        let is_new = !self.replies.iter().any(|reply| reply.sequence == sequence);
        if let (Some(sent), true) = (sent, is_new) {
            let rtt = u64::try_from(sent.elapsed().as_micros());
            self.replies.push(PingReply {
                sequence,
                ttl,
                rtt_us: rtt.unwrap_or(u64::MAX),
            });
        }
        Ok(())
    }
}

/// Whether a read just came to its end, or reports what became of an earlier packet.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

fn address(address: Ipv4Addr) -> SockAddr {
    SocketAddrV4::new(address, 0).into()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An echo request (RFC 792) with this many bytes behind its header.
fn echo_request(id: u16, sequence: u16, size: usize) -> Vec<u8> {
    let [id, sequence] = [id, sequence].map(u16::to_be_bytes);
    let mut packet = vec![
        ECHO_REQUEST,
        0,
        0,
        0,
        id[0],
        id[1],
        sequence[0],
        sequence[1],
    ];
    packet.extend((0..size).map(|index| u8::try_from(index % 256).unwrap_or_default()));
    let [high, low] = checksum(&packet).to_be_bytes();
    let sum = packet.get_mut(2..4).into_iter().flatten();
    for (place, byte) in sum.zip([high, low]) {
        *place = byte;
    }
    packet
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(u16::from_be_bytes([*high, 0])),
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// The sequence number and time to live of an IPv4 packet that is an echo reply of this sender to this ping.
fn echo_reply(packet: &[u8], sender: Ipv4Addr, id: u16) -> Option<(u16, u8)> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let (ip, icmp) = packet.split_at_checked(header)?;
    let is_reply = *icmp.first()? == ECHO_REPLY;
    let is_of_sender = ip.get(12..16)? == sender.octets();
    let is_of_ping = icmp.get(4..6)? == id.to_be_bytes();
    let sequence = icmp.get(6..8)?.try_into().ok()?;
    (is_reply && is_of_sender && is_of_ping).then_some((u16::from_be_bytes(sequence), *ip.get(8)?))
}

#[cfg(test)]
mod tests {
    use super::{checksum, echo_reply, echo_request};

    const SENDER: [u8; 4] = [10, 0, 0, 130];

    /// A reply as a raw socket gives it, with the IPv4 header.
    fn reply(id: u16, sequence: u16) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 84, 0, 0, 0, 0, 63, 1, 0, 0];
        packet.extend(SENDER);
        packet.extend([10, 1, 6, 34]);
        let mut icmp = echo_request(id, sequence, 56);
        icmp[0] = 0;
        packet.extend(icmp);
        packet
    }

    #[test]
    fn sum_over_packet_with_its_checksum_is_zero() {
        for size in [0, 1, 56, 1473] {
            let packet = echo_request(7, 9, size);
            assert_eq!(packet.len(), size + 8);
            assert_eq!(checksum(&packet), 0, "{size}");
        }
    }

    #[test]
    fn reply_has_its_number_and_time_to_live() {
        assert_eq!(
            echo_reply(&reply(7, 300), SENDER.into(), 7),
            Some((300, 63))
        );
    }

    #[test]
    fn reply_to_another_ping_or_sender_is_ignored() {
        assert_eq!(echo_reply(&reply(8, 1), SENDER.into(), 7), None);
        assert_eq!(echo_reply(&reply(7, 1), [10, 0, 0, 131].into(), 7), None);
        let mut request = reply(7, 1);
        request[20] = 8;
        assert_eq!(echo_reply(&request, SENDER.into(), 7), None);
    }

    #[test]
    fn truncated_packet_is_ignored() {
        let whole = reply(7, 1);
        for length in 0..28 {
            assert_eq!(
                echo_reply(&whole[..length], SENDER.into(), 7),
                None,
                "{length}"
            );
        }
    }
}
