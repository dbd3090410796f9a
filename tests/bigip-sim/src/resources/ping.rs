//! `util/ping`: what a ping from the device would say.
//!
//! Nothing is sent. Who answers is what a test, or whoever runs the simulator, has said; everybody else is
//! silent. The arguments are read as far as clients send them, in any order; anything else is not simulated.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Answer, Call, ok};
use crate::failure::Failure;
use crate::validate;
use crate::wire::Fields;

/// The pings that are answered: by whom, and after how long in microseconds.
pub(crate) type Pings = BTreeMap<IpAddr, u64>;

/// The arguments of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ping {
    address: IpAddr,
    /// `-c`. Without it a device pings until it is stopped, so that it is needed.
    count: u32,
    /// `-s`, in bytes; 56 if not given.
    size: u32,
}

impl Ping {
    /// Reads the arguments: `-n`, `-c`, `-i`, `-s`, `-W`, `-w` and `-I` with their values, and one address.
    fn parse(args: &str) -> Option<Self> {
        let (mut address, mut count, mut size) = (None, None, 56);
        let mut words = args.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "-n" => {}
                "-c" => {
                    count = words
                        .next()?
                        .parse()
                        .ok()
                        .filter(|count| (1..=100).contains(count));
                }
                "-s" => size = words.next()?.parse().ok().filter(|size| *size <= 65507)?,
                "-i" | "-W" | "-w" => {
                    words
                        .next()?
                        .parse::<f64>()
                        .ok()
                        .filter(|time| *time >= 0.0)?;
                }
                "-I" => {
                    words.next().filter(|source| !source.starts_with('-'))?;
                }
                _ if address.is_none() => address = Some(word.parse().ok()?),
                _ => return None,
            }
        }
        Some(Self {
            address: address?,
            count: count?,
            size,
        })
    }

    /// What ping prints, in the form of iputils (*assumed* to be that of every version).
    fn result(&self, answered_us: Option<u64>) -> String {
        let Self {
            address,
            count,
            size,
        } = self;
        let bytes = size + 8;
        let millis = |us: u64| format!("{}.{:03}", us / 1000, us % 1000);
        let mut lines = vec![format!(
            "PING {address} ({address}) {size}({}) bytes of data.",
            size + 28
        )];
        if let Some(us) = answered_us {
            let time = millis(us);
            lines.extend((1..=*count).map(|number| {
                format!("{bytes} bytes from {address}: icmp_seq={number} ttl=64 time={time} ms")
            }));
        }
        let (received, loss) = match answered_us {
            Some(_) => (*count, 0),
            None => (0, 100),
        };
        let elapsed_ms = u64::from(count - 1) * 1000;
        lines.push(format!("\n--- {address} ping statistics ---"));
        lines.push(format!(
            "{count} packets transmitted, {received} received, {loss}% packet loss, time {elapsed_ms}ms"
        ));
        if let Some(us) = answered_us {
            let time = millis(us);
            lines.push(format!(
                "rtt min/avg/max/mdev = {time}/{time}/{time}/0.000 ms"
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// `POST util/ping`, shaped as other commands are (`config-sync`, EC); that the text is in `commandResult` is
/// what FCP reads of its sister `util/bash`.
pub(super) fn run(pings: &Pings, call: &Call<'_>) -> Answer {
    call.refuse_options()?;
    let properties = call.properties()?;
    let command = validate::text(&properties, "command")?.unwrap_or_default();
    let args = validate::text(&properties, "utilCmdArgs")?.unwrap_or_default();
    let ping = Ping::parse(&args).filter(|_| command == "run");
    let ping =
        ping.ok_or_else(|| Failure::not_simulated(&format!("the command {command} {args}")))?;
    let answered_us = pings.get(&ping.address).copied();
    let answer = Fields::default()
        .with("kind", "tm:util:ping:runstate")
        .with("command", "run")
        .with("utilCmdArgs", args)
        .with("commandResult", ping.result(answered_us));
    ok(&answer)
}

#[cfg(test)]
mod tests {
    use super::Ping;

    #[test]
    fn ping_arguments_are_read_in_any_order() {
        let ping = Ping::parse("-c 3 -n 10.244.1.7 -I 10.1.6.34 -s 1400 -i 0.2 -W 1 -w 5");
        let same = Ping::parse("10.244.1.7 -w 5 -W 1 -i 0.2 -s 1400 -n -I /Common/t -c 3");

        assert!(ping.is_some());
        assert_eq!(ping, same);
    }

    #[test]
    fn ping_without_count_or_with_more_words_is_refused() {
        for args in [
            "10.244.1.7",
            "-c 0 10.244.1.7",
            "-c 1",
            "-c 1 10.244.1.7 10.244.1.8",
            "-c 1 -f 10.244.1.7",
            "-c 1 10.244.1.7; id",
            "-c 1 -W -1 10.244.1.7",
            "-c 1 -I -f 10.244.1.7",
        ] {
            assert_eq!(Ping::parse(args), None, "{args}");
        }
    }
}
