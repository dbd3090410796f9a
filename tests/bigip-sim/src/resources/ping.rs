//! `util/ping`: what a ping from the device tells, by script.
//!
//! Nothing is sent. Which addresses answer is what a test or the command line has set; all others are silent.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::{Answer, Call, Device, ok};
use crate::configuration::SELF_IP;
use crate::failure::Failure;
use crate::ping::{PingArguments, PingOutcome};
use crate::validate;
use crate::wire::Fields;

/// The addresses that answer pings, each with the time it takes, in microseconds.
pub(crate) type Pings = BTreeMap<Ipv4Addr, u64>;

/// `POST util/ping`, in the shape of other commands (`config-sync`, EC). That the text is in `commandResult` is
/// what public clients read (BIGREST's test, a suite of F5's for BIG-IP).
pub(super) fn run(device: &Device, call: &Call<'_>) -> Answer {
    call.refuse_options()?;
    let properties = call.properties()?;
    let command = validate::text(&properties, "command")?.unwrap_or_default();
    let args = validate::text(&properties, "utilCmdArgs")?.unwrap_or_default();
    if command != "run" {
        return Err(Failure::not_simulated(&format!("the command {command}")));
    }
    let ping: PingArguments = args
        .parse()
        .map_err(|reason| Failure::not_simulated(&format!("{reason}, in: {args}")))?;
    let outcome = match ping.source {
        Some(source) if !has_address(device, source) => PingOutcome::NoSuchSource,
        _ => ping.uniform(device.pings.get(&ping.address).copied()),
    };
    let answer = Fields::default()
        .with("kind", "tm:util:ping:runstate")
        .with("command", "run")
        .with("utilCmdArgs", args)
        .with("commandResult", ping.text(&outcome));
    ok(&answer)
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
