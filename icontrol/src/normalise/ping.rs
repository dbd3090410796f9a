//! What a ping printed: the text of iputils, as `util/ping` gives it back.
//!
//! Strict: an answer counts if a line of it and the statistics below say so, about the address that was asked
//! for.

use std::net::Ipv4Addr;

use super::parse;
use crate::error::{Mismatch, clean};
use crate::ping::Echo;
use crate::wire;

/// How messages name the call.
pub(crate) const RESOURCE: &str = "ping (util/ping)";

/// What came of a ping of this address.
pub(crate) fn echo(body: &[u8], address: Ipv4Addr) -> Result<Echo, Mismatch> {
    let result: wire::UtilityResult = parse(RESOURCE, body)?;
    let odd = Mismatch::Property {
        resource: RESOURCE,
        property: "commandResult",
    };
    // A program that printed nothing has said nothing.
    let text = result.command_result.ok_or(odd.clone())?;
    let Some((before, statistics)) = text.split_once("--- ").filter(|(_, after)| {
        let first = after.lines().next().unwrap_or_default();
        first.ends_with(" ping statistics ---")
    }) else {
        return not_sent(&text).ok_or(odd);
    };
    let mut lines = statistics.lines();
    let about = lines.next().and_then(|line| line.split(' ').next());
    if about.and_then(|text| text.parse().ok()) != Some(address) {
        return Err(Mismatch::OtherObject { resource: RESOURCE });
    }
    let counts = lines.next().and_then(counts).ok_or(odd.clone())?;
    let answer = before.lines().find_map(|line| answer(line, address));
    match (counts, answer) {
        ((0, 0), None) => not_sent(before).ok_or(odd),
        ((sent, 1..), Some(answer)) if counts.1 <= sent => {
            let mut words = answer.split(' ');
            let time = words.find_map(|word| word.strip_prefix("time="));
            let round_trip_us = time.and_then(microseconds);
            Ok(Echo::Answered { round_trip_us })
        }
        ((1.., 0), None) => Ok(Echo::Silent),
        _ => Err(odd),
    }
}

/// What a program says that sent nothing: its first line that is not the one it begins with.
fn not_sent(text: &str) -> Option<Echo> {
    let mut lines = text.lines().map(str::trim);
    let said = lines.find(|line| !line.is_empty() && !line.starts_with("PING "))?;
    Some(Echo::NotSent { said: clean(said) })
}

/// How many requests were sent and how many were answered, from a line such as
/// `2 packets transmitted, 0 received, +1 errors, 100% packet loss, time 999ms`.
fn counts(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.trim().split(", ");
    let sent = parts.next()?.strip_suffix(" packets transmitted")?;
    let received = parts.next()?.strip_suffix(" received")?;
    parts.find(|part| part.ends_with("% packet loss"))?;
    Some((sent.parse().ok()?, received.parse().ok()?))
}

/// What stands behind the address in a line such as `64 bytes from 10.0.1.7: icmp_seq=1 ttl=63 time=1.42 ms`, if
/// it is an answer of this address.
fn answer(line: &str, address: Ipv4Addr) -> Option<&str> {
    let (size, rest) = line.trim().split_once(" bytes from ")?;
    let (from, rest) = rest.split_once(": ")?;
    let is_answer = size.parse::<u32>().is_ok() && from.parse() == Ok(address);
    is_answer.then_some(rest)
}

/// Milliseconds, such as `43.5`, as microseconds.
fn microseconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000)?
        .checked_add(part.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a library of F5 expects of `util/ping` (f5-cloud-libs, its test of `ping`).
    const ANSWERED: &str = "PING 104.219.104.168 (104.219.104.168) 56(84) bytes of data.\n\
        64 bytes from 104.219.104.168: icmp_seq=1 ttl=240 time=43.5 ms\n\n\
        --- 104.219.104.168 ping statistics ---\n\
        1 packets transmitted, 1 received, 0% packet loss, time 43ms\n\
        rtt min/avg/max/mdev = 43.593/43.593/43.593/0.000 ms\n";

    fn read(text: &str) -> Result<Echo, Mismatch> {
        let body =
            json!({"kind": "tm:util:ping:runstate", "command": "run", "commandResult": text});
        echo(
            body.to_string().as_bytes(),
            "104.219.104.168".parse().unwrap(),
        )
    }

    /// The text with another line of statistics and without the answer.
    fn unanswered(counts: &str) -> String {
        let text = ANSWERED.replace(
            "64 bytes from 104.219.104.168: icmp_seq=1 ttl=240 time=43.5 ms\n",
            "",
        );
        text.replace(
            "1 packets transmitted, 1 received, 0% packet loss, time 43ms",
            counts,
        )
    }

    #[test]
    fn answer_of_the_address_is_read_with_its_time() {
        let echo = read(ANSWERED).unwrap();
        assert_eq!(
            echo,
            Echo::Answered {
                round_trip_us: Some(43_500)
            }
        );
        let from = ANSWERED.replace(") 56", ") from 10.1.6.34 : 56");
        assert_eq!(read(&from).unwrap(), echo);
        let second = ANSWERED.replace("1 packets transmitted, 1", "2 packets transmitted, 1");
        assert_eq!(read(&second).unwrap(), echo);
    }

    #[test]
    fn address_that_does_not_answer_is_silent() {
        for counts in [
            "3 packets transmitted, 0 received, 100% packet loss, time 1999ms",
            "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms",
        ] {
            assert_eq!(read(&unanswered(counts)), Ok(Echo::Silent), "{counts}");
        }
    }

    #[test]
    fn program_that_sends_nothing_is_quoted() {
        for text in [
            "bind: Cannot assign requested address\n",
            "PING 104.219.104.168 (104.219.104.168) 56(84) bytes of data.\n\
             bind: Cannot assign requested address",
        ] {
            let said = "bind: Cannot assign requested address".to_owned();
            assert_eq!(read(text), Ok(Echo::NotSent { said }), "{text}");
        }
    }

    #[test]
    fn answer_of_another_address_does_not_count() {
        let other = ANSWERED.replace("bytes from 104.219.104.168", "bytes from 192.0.2.1");
        assert!(read(&other).is_err());
        let about = ANSWERED.replace("--- 104.219.104.168", "--- 192.0.2.1");
        let resource = RESOURCE;
        assert_eq!(read(&about), Err(Mismatch::OtherObject { resource }));
    }

    #[test]
    fn text_that_contradicts_itself_is_no_answer() {
        for counts in [
            "0 packets transmitted, 1 received, 0% packet loss, time 43ms",
            "1 packets transmitted, 2 received, 0% packet loss, time 43ms",
            "1 packets transmitted, 0 received, 100% packet loss, time 43ms",
            "1 received",
            "",
        ] {
            let line = "1 packets transmitted, 1 received, 0% packet loss, time 43ms";
            let text = ANSWERED.replace(line, counts);
            assert!(read(&text).is_err(), "{counts}");
        }
        // The statistics alone say that something answered.
        let line = "1 packets transmitted, 1 received, 0% packet loss, time 43ms";
        assert!(read(&unanswered(line)).is_err());
    }

    #[test]
    fn empty_ping_output_is_an_error() {
        let address = "10.0.1.7".parse().unwrap();
        assert!(echo(br#"{"kind":"tm:util:ping:runstate"}"#, address).is_err());
        assert!(read("").is_err());
        assert!(echo(b"<html>", address).is_err());
    }

    #[test]
    fn times_are_read_to_the_microsecond() {
        assert_eq!(microseconds("0.042"), Some(42));
        assert_eq!(microseconds("43.5"), Some(43_500));
        assert_eq!(microseconds("43"), Some(43_000));
        for text in ["", ".5", "-1", "1.x", "99999999999999999999"] {
            assert_eq!(microseconds(text), None, "{text}");
        }
    }
}
