//! `util/ping`: its arguments, and the text of its result.
//!
//! Pure. It does not know where replies come from: of a script, or of a network.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::str::{FromStr, SplitWhitespace};

/// Most packets of one ping. A device takes more; the answer to a request is one text.
const COUNT_MAX: u32 = 100;
/// Most packets until a deadline: after so many, sequence numbers repeat (RFC 792: 16 bits).
const PACKETS_MAX: u32 = 65_535;
/// Most bytes behind the ICMP header that an IPv4 packet holds.
const SIZE_MAX_BYTES: u16 = 65_507;
/// The least interval that is read, in milliseconds, so that intervals divide.
const INTERVAL_MIN_MS: u32 = 1;
/// The longest time of an argument, in seconds.
const TIME_MAX_S: u32 = 3600;
/// The longest time that a ping may take, in seconds, so that each one ends, whether its client waits or has gone.
const PING_MAX_S: u32 = 300;
/// Without so many bytes there is no room for the time of sending, and ping prints no time (iputils).
const TIMED_MIN_BYTES: u16 = 16;

/// The arguments of a ping: `-n`, `-c`, `-i`, `-s`, `-W`, `-w` and `-I` in any order, and one address.
///
/// Values stand behind their option, with a blank between or without. An option that is given twice counts as given
/// last. `-n` changes nothing, because the target is an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingArguments {
    /// The address to reach.
    pub address: Ipv4Addr,
    /// `-c`: how many packets, 1 to 100. Without it a device pings until it is stopped.
    pub count: u32,
    /// `-i`: time between two packets, in milliseconds; 1000 if not given.
    pub interval_ms: u32,
    /// `-s`: payload of a packet, in bytes; 56 if not given.
    pub size_bytes: u16,
    /// `-W`: how long to wait for a reply, in seconds; 10 if not given.
    pub reply_timeout_s: u32,
    /// `-w`: after how long ping ends, in seconds, also if it has more to send or to wait for. With it, ping goes on
    /// beyond `count` packets until so many are answered.
    pub deadline_s: Option<u32>,
    /// `-I`: the address to send from.
    pub source: Option<Ipv4Addr>,
}

/// Why arguments of a ping cannot be read. A device may take them; they are not simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PingArgumentsError {
    /// No address.
    #[error("no address to ping")]
    NoAddress,
    /// A second word that is no option.
    #[error("more than one address to ping: {0}")]
    SecondAddress(String),
    /// No `-c`.
    #[error("no count (-c): the ping would not end")]
    NoCount,
    /// A short interval (`-i`) and a long deadline (`-w`).
    #[error("a ping of more than 65535 packets")]
    TooManyPackets,
    /// Many packets (`-c`), a long interval (`-i`) or much patience (`-W`), and no deadline (`-w`) below the limit.
    #[error("a ping that may take more than {PING_MAX_S} s")]
    TooLong,
    /// An option that is not one of those read.
    #[error("option {0} of ping")]
    Option(String),
    /// An option at the end, without its value.
    #[error("option {0} of ping without a value")]
    NoValue(String),
    /// An option with a value that cannot be read, or is out of range.
    #[error("value {value} of option {option} of ping")]
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
    },
    /// A name, or other text where an address belongs.
    #[error("ping of {0}: no IPv4 address")]
    NotAnAddress(String),
    /// An IPv6 address, which older versions reach by `util/ping6`.
    #[error("ping of the IPv6 address {0}")]
    Ipv6(String),
}

impl FromStr for PingArguments {
    type Err = PingArgumentsError;

    fn from_str(args: &str) -> Result<Self, Self::Err> {
        let mut ping = Self {
            address: Ipv4Addr::UNSPECIFIED,
            count: 0,
            interval_ms: 1000,
            size_bytes: 56,
            reply_timeout_s: 10,
            deadline_s: None,
            source: None,
        };
        let mut address = None;
        let mut words = args.split_whitespace();
        while let Some(word) = words.next() {
            if word.starts_with('-') {
                ping.read_option(word, &mut words)?;
            } else if address.is_some() {
                return Err(PingArgumentsError::SecondAddress(word.to_owned()));
            } else {
                address = Some(ipv4(word)?);
            }
        }
        ping.address = address.ok_or(PingArgumentsError::NoAddress)?;
        match ping {
            Self { count: 0, .. } => Err(PingArgumentsError::NoCount),
            Self {
                deadline_s: Some(_),
                ..
            } if ping.packets_until_deadline() > PACKETS_MAX => {
                Err(PingArgumentsError::TooManyPackets)
            }
            ping if ping.longest_ms() > PING_MAX_S * 1000 => Err(PingArgumentsError::TooLong),
            ping => Ok(ping),
        }
    }
}

impl PingArguments {
    fn read_option(
        &mut self,
        word: &str,
        words: &mut SplitWhitespace<'_>,
    ) -> Result<(), PingArgumentsError> {
        let (option, joined) = match word.char_indices().nth(2) {
            Some((end, _)) => word.split_at(end),
            None => (word, ""),
        };
        if word == "-n" {
            return Ok(());
        }
        if !["-c", "-i", "-s", "-W", "-w", "-I"].contains(&option) {
            return Err(PingArgumentsError::Option(word.to_owned()));
        }
        let value = match joined {
            "" => words.next(),
            joined => Some(joined),
        };
        let value = value.ok_or_else(|| PingArgumentsError::NoValue(option.to_owned()))?;
        let taken = match option {
            "-c" => number(value, 1..=COUNT_MAX).map(|count| self.count = count),
            "-i" => interval_ms(value).map(|interval| self.interval_ms = interval),
            "-s" => number(value, 0..=SIZE_MAX_BYTES).map(|size| self.size_bytes = size),
            "-W" => number(value, 1..=TIME_MAX_S).map(|time| self.reply_timeout_s = time),
            "-w" => number(value, 1..=TIME_MAX_S).map(|time| self.deadline_s = Some(time)),
            _ => value.parse().ok().map(|source| self.source = Some(source)),
        };
        taken.ok_or_else(|| PingArgumentsError::Value {
            option: option.to_owned(),
            value: value.to_owned(),
        })
    }

    /// How long it takes, at most. No product of limits is beyond the type: 100 packets an hour apart are 3.6e8 ms.
    fn longest_ms(&self) -> u32 {
        let last_ms = self
            .count
            .saturating_sub(1)
            .saturating_mul(self.interval_ms);
        let patient_ms = last_ms.saturating_add(self.reply_timeout_s * 1000);
        self.deadline_s
            .map_or(patient_ms, |deadline| deadline * 1000)
    }

    /// How many packets are sent until the deadline, or without end: a last one at the deadline itself is not.
    fn packets_until_deadline(&self) -> u32 {
        self.deadline_s.map_or(u32::MAX, |deadline| {
            (deadline * 1000).div_ceil(self.interval_ms)
        })
    }

    /// The outcome where every packet is answered after the same time, or none is. iputils without a
    /// deadline sends `count` packets; with one it sends until it has `count` replies or the time is over.
    pub(crate) fn uniform(&self, answered_us: Option<u64>) -> PingOutcome {
        let timeout_us = u64::from(self.reply_timeout_s) * 1_000_000;
        let answered_us = answered_us.filter(|us| *us <= timeout_us);
        let until_deadline = self.packets_until_deadline();
        let transmitted = match (answered_us, self.deadline_s) {
            (None, Some(_)) => until_deadline,
            _ => self.count.min(until_deadline),
        };
        let replies = answered_us.map(|rtt_us| {
            (1..=transmitted).map(move |sequence| PingReply {
                sequence,
                ttl: 64,
                rtt_us,
            })
        });
        PingOutcome::Sent {
            transmitted,
            unroutable: 0,
            elapsed_ms: u64::from(transmitted - 1) * u64::from(self.interval_ms),
            replies: replies.into_iter().flatten().collect(),
        }
    }

    /// What ping prints, in the form of iputils 20160308 (*assumed* to be that of every version).
    pub(crate) fn text(&self, outcome: &PingOutcome) -> String {
        let (transmitted, unroutable, elapsed_ms, replies) = match outcome {
            PingOutcome::NoSuchSource => {
                return "bind: Cannot assign requested address\n".to_owned();
            }
            PingOutcome::NoRoute => return "connect: Network is unreachable\n".to_owned(),
            PingOutcome::Sent {
                transmitted,
                unroutable,
                elapsed_ms,
                replies,
            } => (*transmitted, *unroutable, *elapsed_ms, replies),
        };
        let Self {
            address,
            size_bytes,
            ..
        } = self;
        let source = self.source.map(|source| format!(" from {source} :"));
        let source = source.unwrap_or_default();
        let packet = u32::from(*size_bytes) + 28;
        let mut text =
            format!("PING {address} ({address}){source} {size_bytes}({packet}) bytes of data.\n");
        for _ in 0..unroutable {
            text.push_str("ping: sendmsg: Network is unreachable\n");
        }
        let is_timed = *size_bytes >= TIMED_MIN_BYTES;
        for PingReply {
            sequence,
            ttl,
            rtt_us,
        } in replies
        {
            let time = if is_timed {
                format!(" time={} ms", rounded_ms(*rtt_us))
            } else {
                String::new()
            };
            let bytes = size_bytes + 8;
            // Writing to a text does not fail.
            let _ = writeln!(
                text,
                "{bytes} bytes from {address}: icmp_seq={sequence} ttl={ttl}{time}"
            );
        }
        let received = replies.len();
        let unanswered = u64::from(transmitted).saturating_sub(received as u64);
        let loss = unanswered * 100 / u64::from(transmitted.max(1));
        let _ = write!(
            text,
            "\n--- {address} ping statistics ---\n\
             {transmitted} packets transmitted, {received} received, {loss}% packet loss, time {elapsed_ms}ms\n"
        );
        if is_timed {
            text.push_str(&rtt_line(replies));
        }
        // ping ends its output with an empty line where no times follow.
        if !is_timed || replies.is_empty() {
            text.push('\n');
        }
        text
    }
}

/// What became of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PingOutcome {
    /// The device has no such address to send from.
    NoSuchSource,
    /// The device has no route to the address, and nothing was to say where to send from.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only a data plane has routes")
    )]
    NoRoute,
    /// Packets were sent.
    Sent {
        /// How many, with those that there was no route for.
        transmitted: u32,
        /// How many the device had no route for.
        unroutable: u32,
        /// From the first packet to the last, in milliseconds.
        elapsed_ms: u64,
        /// The replies, in the order of arrival.
        replies: Vec<PingReply>,
    },
}

/// A reply to a packet of a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PingReply {
    /// Which packet it answers, from 1.
    pub(crate) sequence: u32,
    /// Its time to live on arrival.
    pub(crate) ttl: u8,
    /// From sending to arrival, in microseconds.
    pub(crate) rtt_us: u64,
}

fn ipv4(word: &str) -> Result<Ipv4Addr, PingArgumentsError> {
    match word.parse() {
        Ok(IpAddr::V4(address)) => Ok(address),
        Ok(IpAddr::V6(_)) => Err(PingArgumentsError::Ipv6(word.to_owned())),
        Err(_) => Err(PingArgumentsError::NotAnAddress(word.to_owned())),
    }
}

fn number<T: FromStr + PartialOrd>(value: &str, range: std::ops::RangeInclusive<T>) -> Option<T> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| is_plain)?;
    range.contains(&number).then_some(number)
}

/// Seconds with up to three decimals, in milliseconds.
fn interval_ms(value: &str) -> Option<u32> {
    let (seconds, decimals) = value.split_once('.').unwrap_or((value, "0"));
    let seconds = number(seconds, 0..=TIME_MAX_S)?;
    let decimals = Some(decimals).filter(|decimals| (1..=3).contains(&decimals.len()))?;
    let decimals: u32 = number(&format!("{decimals:0<3}"), 0..=999)?;
    let interval = seconds * 1000 + decimals;
    (interval >= INTERVAL_MIN_MS).then_some(interval)
}

/// A time as a line of a reply has it: three digits that count.
fn rounded_ms(us: u64) -> String {
    let (ms, rest) = (us / 1000, us % 1000);
    match ms {
        0 => format!("0.{rest:03}"),
        1..=9 => format!("{ms}.{:02}", rest / 10),
        10..=99 => format!("{ms}.{}", rest / 100),
        _ => ms.to_string(),
    }
}

/// The last line, if there was a reply: least, mean, most, and the deviation, in milliseconds.
fn rtt_line(replies: &[PingReply]) -> String {
    let times = || replies.iter().map(|reply| reply.rtt_us);
    let (Some(min), Some(max)) = (times().min(), times().max()) else {
        return String::new();
    };
    let count = replies.len() as u64;
    let mean = times().sum::<u64>() / count;
    let squares = times()
        .map(|us| u128::from(us) * u128::from(us))
        .sum::<u128>()
        / u128::from(count);
    let variance = squares.saturating_sub(u128::from(mean) * u128::from(mean));
    let deviation = u64::try_from(variance.isqrt()).unwrap_or(u64::MAX);
    let ms = |us: u64| format!("{}.{:03}", us / 1000, us % 1000);
    let [min, mean, max, deviation] = [min, mean, max, deviation].map(ms);
    format!("rtt min/avg/max/mdev = {min}/{mean}/{max}/{deviation} ms\n")
}

#[cfg(test)]
mod tests {
    use super::{PingArguments, PingArgumentsError, PingOutcome, PingReply};

    fn parse(args: &str) -> PingArguments {
        args.parse().unwrap()
    }

    #[test]
    fn arguments_are_read_in_any_order() {
        let ping = parse("-c 3 -n 10.244.1.7 -I 10.1.6.34 -s 1400 -i 0.2 -W 1 -w 5");

        assert_eq!(
            ping,
            PingArguments {
                address: [10, 244, 1, 7].into(),
                count: 3,
                interval_ms: 200,
                size_bytes: 1400,
                reply_timeout_s: 1,
                deadline_s: Some(5),
                source: Some([10, 1, 6, 34].into()),
            }
        );
        assert_eq!(
            ping,
            parse("10.244.1.7 -w 5 -W 1 -i 0.2 -s 1400 -n -I 10.1.6.34 -c 3")
        );
    }

    #[test]
    fn value_may_be_joined_to_its_option() {
        assert_eq!(
            parse("-c1 -I10.1.6.34 10.244.1.7"),
            parse("-c 1 -I 10.1.6.34 10.244.1.7")
        );
    }

    #[test]
    fn arguments_left_out_have_the_values_of_ping() {
        let ping = parse("-c 1 10.244.1.7");

        assert_eq!((ping.interval_ms, ping.size_bytes), (1000, 56));
        assert_eq!(
            (ping.reply_timeout_s, ping.deadline_s, ping.source),
            (10, None, None)
        );
    }

    #[test]
    fn other_arguments_are_refused_with_their_reason() {
        use PingArgumentsError as Error;
        let text = str::to_owned;
        let value = |option: &str, value: &str| Error::Value {
            option: text(option),
            value: text(value),
        };
        for (args, reason) in [
            ("", Error::NoAddress),
            ("-c 1", Error::NoAddress),
            ("10.244.1.7", Error::NoCount),
            (
                "-c 1 10.244.1.7 10.244.1.8",
                Error::SecondAddress(text("10.244.1.8")),
            ),
            ("-c 1 10.244.1.7 | id", Error::SecondAddress(text("|"))),
            (
                "-c 1 10.244.1.7; id",
                Error::NotAnAddress(text("10.244.1.7;")),
            ),
            ("-c 1 localhost", Error::NotAnAddress(text("localhost"))),
            ("-c 1 fd00::1", Error::Ipv6(text("fd00::1"))),
            ("-c 1 -f 10.244.1.7", Error::Option(text("-f"))),
            ("-c 1 -nq 10.244.1.7", Error::Option(text("-nq"))),
            ("-c 1 - 10.244.1.7", Error::Option(text("-"))),
            ("10.244.1.7 -c", Error::NoValue(text("-c"))),
            ("-c 0 10.244.1.7", value("-c", "0")),
            ("-c +1 10.244.1.7", value("-c", "+1")),
            ("-c 101 10.244.1.7", value("-c", "101")),
            ("-c 1 -s 65508 10.244.1.7", value("-s", "65508")),
            ("-c 1 -W 0.5 10.244.1.7", value("-W", "0.5")),
            ("-c 1 -w -1 10.244.1.7", value("-w", "-1")),
            ("-c 1 -i 0 10.244.1.7", value("-i", "0")),
            ("-c 1 -i 1. 10.244.1.7", value("-i", "1.")),
            ("-c 1 -W 301 10.244.1.7", Error::TooLong),
            ("-c 1 -w 301 10.244.1.7", Error::TooLong),
            ("-c 100 -i 3600 10.244.1.7", Error::TooLong),
            ("-c 1 -I eth0 10.244.1.7", value("-I", "eth0")),
            ("-c 1 -I fd00::1 10.244.1.7", value("-I", "fd00::1")),
        ] {
            assert_eq!(args.parse::<PingArguments>(), Err(reason), "{args}");
        }
    }

    fn transmitted(args: &str, answered_us: Option<u64>) -> (u32, usize, u64) {
        match parse(args).uniform(answered_us) {
            PingOutcome::Sent {
                transmitted,
                replies,
                elapsed_ms,
                unroutable: 0,
            } => (transmitted, replies.len(), elapsed_ms),
            outcome => panic!("{outcome:?}"),
        }
    }

    #[test]
    fn interval_and_deadline_limit_the_packets_sent() {
        assert_eq!(transmitted("-c 3 10.244.1.7", Some(350)), (3, 3, 2000));
        assert_eq!(transmitted("-c 3 -i 0.2 10.244.1.7", None), (3, 0, 400));
        assert_eq!(transmitted("-c 1 -W 1 -w 2 10.244.1.7", None), (2, 0, 1000));
        assert_eq!(
            transmitted("-c 1 -W 1 -w 2 10.244.1.7", Some(350)),
            (1, 1, 0)
        );
        assert_eq!(transmitted("-c 9 -w 2 10.244.1.7", Some(350)), (2, 2, 1000));
    }

    #[test]
    fn ping_up_to_the_limit_is_taken() {
        // 99 intervals and the wait for the last reply.
        parse("-c 100 -i 3 -W 3 10.244.1.7");
        parse("-c 100 -i 3600 -w 300 10.244.1.7");
    }

    #[test]
    fn missing_route_is_told_as_ping_tells_it() {
        let from = parse("-c 2 -w 2 -I 10.1.6.34 10.244.1.7");
        let outcome = PingOutcome::Sent {
            transmitted: 2,
            unroutable: 2,
            elapsed_ms: 1000,
            replies: Vec::new(),
        };
        assert_eq!(
            from.text(&outcome),
            "PING 10.244.1.7 (10.244.1.7) from 10.1.6.34 : 56(84) bytes of data.\n\
             ping: sendmsg: Network is unreachable\n\
             ping: sendmsg: Network is unreachable\n\
             \n\
             --- 10.244.1.7 ping statistics ---\n\
             2 packets transmitted, 0 received, 100% packet loss, time 1000ms\n\
             \n"
        );
        let nowhere = parse("-c 1 10.244.1.7").text(&PingOutcome::NoRoute);
        assert_eq!(nowhere, "connect: Network is unreachable\n");
    }

    #[test]
    fn reply_after_the_timeout_is_ignored() {
        assert_eq!(
            transmitted("-c 1 -W 1 10.244.1.7", Some(1_000_001)),
            (1, 0, 0)
        );
        assert_eq!(
            transmitted("-c 1 -W 1 10.244.1.7", Some(1_000_000)),
            (1, 1, 0)
        );
    }

    #[test]
    fn text_is_that_of_iputils() {
        let ping = parse("-c 3 -s 100 -I 10.1.6.34 10.244.1.7");
        let reply = |sequence, rtt_us| PingReply {
            sequence,
            ttl: 63,
            rtt_us,
        };
        let outcome = PingOutcome::Sent {
            transmitted: 3,
            unroutable: 0,
            elapsed_ms: 2003,
            replies: vec![reply(1, 12_345), reply(3, 1_567)],
        };

        assert_eq!(
            ping.text(&outcome),
            "PING 10.244.1.7 (10.244.1.7) from 10.1.6.34 : 100(128) bytes of data.\n\
             108 bytes from 10.244.1.7: icmp_seq=1 ttl=63 time=12.3 ms\n\
             108 bytes from 10.244.1.7: icmp_seq=3 ttl=63 time=1.56 ms\n\
             \n\
             --- 10.244.1.7 ping statistics ---\n\
             3 packets transmitted, 2 received, 33% packet loss, time 2003ms\n\
             rtt min/avg/max/mdev = 1.567/6.956/12.345/5.389 ms\n"
        );
    }

    #[test]
    fn silence_has_no_line_of_times() {
        let ping = parse("-c 2 10.244.1.7");

        assert_eq!(
            ping.text(&ping.uniform(None)),
            "PING 10.244.1.7 (10.244.1.7) 56(84) bytes of data.\n\
             \n\
             --- 10.244.1.7 ping statistics ---\n\
             2 packets transmitted, 0 received, 100% packet loss, time 1000ms\n\
             \n"
        );
    }

    #[test]
    fn small_packet_has_no_time() {
        let ping = parse("-c 1 -s 8 10.244.1.7");
        let text = ping.text(&ping.uniform(Some(350)));

        assert!(
            text.contains("16 bytes from 10.244.1.7: icmp_seq=1 ttl=64\n"),
            "{text}"
        );
        assert!(!text.contains("rtt"), "{text}");
    }
}
