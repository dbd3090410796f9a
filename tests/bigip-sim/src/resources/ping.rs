//! `util/ping`: the result of a ping from the device.
//!
//! Nothing is sent here. A data plane has sent the ping before; without one, the addresses that answer are those that
//! a test or the command line has set, and all others are silent.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use hyper::HeaderMap;

use super::{Answer, Call, Device, Learned, ok};
use crate::configuration::SELF_IP;
use crate::failure::Failure;
use crate::ping::{PingArguments, PingOutcome};
use crate::validate;
use crate::wire::Fields;

/// The addresses that answer pings, each with the time it takes, in microseconds.
pub(crate) type Pings = BTreeMap<Ipv4Addr, u64>;
/// What a ping of an address lets the device learn.
pub(crate) type ArpAnswers = BTreeMap<Ipv4Addr, Learned>;

/// `POST util/ping`, in the shape of other commands (`config-sync`, EC). That the text is in `commandResult` is
/// what public clients read (BIGREST's test, a suite of F5's for BIG-IP).
pub(super) fn run(device: &mut Device, call: &Call<'_>) -> Answer {
    call.refuse_options()?;
    let (args, ping) = arguments(call.headers, call.body)?;
    let outcome = match (call.pinged, ping.source) {
        (Some(pinged), _) => pinged.clone(),
        (None, Some(source)) if !has_address(device, source) => PingOutcome::NoSuchSource,
        (None, _) => ping.uniform(device.pings.get(&ping.address).copied()),
    };
    if call.pinged.is_none() && outcome != PingOutcome::NoSuchSource {
        device.ask_by_arp(ping.address);
    }
    let answer = Fields::default()
        .with("kind", "tm:util:ping:runstate")
        .with("command", "run")
        .with("utilCmdArgs", args)
        .with("commandResult", ping.text(&outcome));
    ok(&answer)
}

impl Device {
    /// Learns what the script has for an address that nothing is known of.
    fn ask_by_arp(&mut self, address: Ipv4Addr) {
        let text = address.to_string();
        let is_known = self.learned.iter().any(|learned| learned.address == text);
        if let Some(learned) = self.answers_arp.get(&address)
            && !is_known
        {
            self.learned.push(learned.clone());
        }
    }
}

/// The arguments that a request has, as text and as read.
pub(crate) fn arguments(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(String, PingArguments), Failure> {
    let properties = validate::json_object(headers, body)?;
    let command = validate::text(&properties, "command")?.unwrap_or_default();
    let args = validate::text(&properties, "utilCmdArgs")?.unwrap_or_default();
    if command != "run" {
        return Err(Failure::not_simulated(&format!("the command {command}")));
    }
    let ping: PingArguments = args
        .parse()
        .map_err(|reason| Failure::not_simulated(&format!("{reason}, in: {args}")))?;
    Ok((args, ping))
}

/// Whether the device may send from an address: its management address, or a self IP of route domain 0, in which
/// commands run (*assumed*; for others there is `rdexec`).
fn has_address(device: &Device, source: Ipv4Addr) -> bool {
    let is_source = |text: &str| text.parse() == Ok(IpAddr::V4(source));
    let mut self_ips = device.running.all(SELF_IP);
    is_source(&device.management_ip)
        || self_ips.any(|self_ip| {
            let address = self_ip.text("address").unwrap_or_default();
            address.split('/').next().is_some_and(is_source)
        })
}
