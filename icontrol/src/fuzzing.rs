//! Whatever bytes a device sends, put through every parser of them.
//!
//! One function for the property tests and for the fuzz target (`icontrol/fuzz`), so that a new parser
//! is added once. Panics where a parser breaks a promise; it is no part of the client.

use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::text::is_unfit;
use bigip_tunnel_core::tunnel::TunnelPath;
use rustls::pki_types::ServerName;

use crate::answer::{Answer, Asked};
use crate::collection::{Members, read_in_pieces};
use crate::config::{Trust, Verification};
use crate::error::ErrorKind;
use crate::normalise;
use crate::ping::Echo;
use crate::tls::{self, Handshakes};
use crate::wire;
use bigip_tunnel_core::listing::{Listing, RecordName};

/// Lists come in pieces, which end anywhere.
const PIECE: usize = 7;
/// What the parsers are asked for.
const TUNNEL: &str = "flannel_vxlan";
const MAC: [u8; 6] = [0x0a, 0x0a, 0xc0, 0xa8, 0xc8, 0x41];

/// Puts a body through every parser.
///
/// # Panics
///
/// If a parser panics, or if a text that would be shown holds a control character or is long.
pub fn parse_as_everything(body: &[u8]) {
    lists(body);
    objects(body);
    for status in [200, 302, 400, 401, 404, 409, 500, 503] {
        judged(status, body);
    }
    let verification = Verification::Full(Trust::Bundle(body.to_vec()));
    if let Ok(name) = ServerName::try_from("bigip") {
        let _ = tls::client_config(&verification, name, &Handshakes::default());
    }
}

fn lists(body: &[u8]) {
    let path = path();
    if let Ok((listing, count, _)) = read_in_pieces::<Listing>(body, PIECE) {
        assert_eq!(listing.observed.is_empty(), count == 0, "a record is lost");
    }
    if let Ok((entries, ..)) = read_in_pieces::<Members<wire::UnitEntry>>(body, PIECE)
        && let Ok(unit) = normalise::unit(entries.items)
    {
        assert_fit(&unit.hostname);
        assert_fit(&unit.identity.to_string());
    }
    if let Ok((arp, ..)) = read_in_pieces::<normalise::arp::Entries>(body, PIECE) {
        for entry in arp.entries {
            assert_fit(&entry.interface);
        }
    }
    if let Ok((all, ..)) = read_in_pieces::<Members<wire::SelfIp>>(body, PIECE) {
        for address in normalise::self_ips(all.items, &path) {
            assert_fit(&address);
        }
    }
}

fn objects(body: &[u8]) {
    let path = path();
    let name = RecordName::from(MacAddress::new(MAC));
    let _ = normalise::record(body, &name);
    let _ = normalise::with_records(body, &path, &Records::new());
    if let Ok(Echo::NotSent { said }) = normalise::ping::echo(body, Ipv4Addr::LOCALHOST) {
        assert_fit(&said);
    }
    let _ = (normalise::login(body).is_ok(), normalise::lifetime(body));
    if let Ok(Some(cause)) = normalise::not_ready(body) {
        assert_fit(&cause);
    }
    if let Ok(version) = normalise::version(body) {
        assert_fit(&version.to_string());
    }
    if let Ok(mut facts) = normalise::tunnel(body, &path) {
        let _ = normalise::add_profile(&mut facts, body);
        for text in facts.flooding_type.iter().chain([&facts.profile]) {
            assert_fit(text);
        }
    }
}

fn judged(status: u16, body: &[u8]) {
    let answer = Answer {
        status,
        retry_after: None,
        body: body.to_vec(),
    };
    let asked = Asked {
        verb: "GET",
        resource: "record",
    };
    if let Err(kind) = answer.judge(asked, &["canary"]) {
        let shown = kind.to_string();
        assert_fit(&shown);
        assert!(!shown.contains("canary"), "{shown}");
        let is_login = matches!(kind, ErrorKind::LoginRefused { .. });
        assert!(!is_login, "only a login is refused as one");
    }
}

fn assert_fit(shown: &str) {
    assert!(shown.chars().count() < 1_000, "{shown}");
    assert!(!shown.contains(is_unfit), "{shown:?}");
}

#[expect(clippy::unwrap_used, reason = "both are names")]
fn path() -> TunnelPath {
    TunnelPath::new("Common".parse().unwrap(), TUNNEL.parse().unwrap())
}
