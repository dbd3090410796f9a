//! Which URI below `/mgmt/tm` is which resource, and what all of them share.
//!
//! By the time a call comes here its sender is known and allowed. It must not know of accounts,
//! faults or the network.

mod cm;
mod fdb;
mod records;
mod self_ip;
mod sys;
mod tunnels;

use hyper::{HeaderMap, Method};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::{FailoverState, Peer, ProfileKind};
use crate::configuration::{Configuration, Tunnel};
use crate::failure::Failure;
use crate::validate;
use crate::wire::Links;

/// What the resources are about: the device without its accounts.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) links: Links,
    pub(crate) hostname: String,
    pub(crate) base_mac: String,
    pub(crate) management_ip: String,
    pub(crate) failover_state: FailoverState,
    pub(crate) peers: Vec<Peer>,
    pub(crate) running: Configuration,
    pub(crate) saved: Configuration,
}

/// A request to a resource.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    /// Decoded segments after `/mgmt/tm/`.
    pub(crate) segments: &'a [String],
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// The JSON body of a 200, `None` if it has none (DELETE, AS3 `util`).
pub(crate) type Answer = Result<Option<String>, Failure>;

impl Call<'_> {
    /// The body of a write.
    pub(crate) fn properties(&self) -> Result<Map<String, Value>, Failure> {
        validate::json_object(self.headers, self.body)
    }

    /// A method that nobody has seen a device answer here.
    fn not_simulated(&self) -> Failure {
        let path = self.segments.join("/");
        Failure::not_simulated(&format!("{} of /mgmt/tm/{path}", self.method))
    }

    /// Refuses queries: silently ignored they would make a client believe in pages or expansions
    /// that are not there. `ver` changes nothing, except where a resource says so.
    fn check_query(&self) -> Result<(), Failure> {
        let unknown = self
            .query
            .unwrap_or_default()
            .split('&')
            .find(|pair| !pair.is_empty() && !pair.starts_with("ver="));
        unknown.map_or(Ok(()), |pair| {
            Err(Failure::not_simulated(&format!("the query option {pair}")))
        })
    }

    /// The value of `ver=`.
    fn ver(&self) -> Option<&str> {
        self.query
            .unwrap_or_default()
            .split('&')
            .find_map(|pair| pair.strip_prefix("ver="))
    }
}

/// Carries out a call.
pub(crate) fn answer(device: &mut Device, call: &Call<'_>) -> Answer {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    if call
        .segments
        .iter()
        .any(|segment| segment.contains('<') || segment.contains('>'))
    {
        return Err(Failure::html_tag("URL"));
    }
    call.check_query()?;
    match segments.as_slice() {
        ["net", "fdb", "tunnel"] => fdb::collection(device, call),
        ["net", "fdb", "tunnel", tunnel] => fdb::item(device, call, &full_path(tunnel)?),
        ["net", "fdb", "tunnel", tunnel, "records"] => {
            records::collection(device, call, &full_path(tunnel)?)
        }
        ["net", "fdb", "tunnel", tunnel, "records", mac] => {
            records::item(device, call, &full_path(tunnel)?, mac)
        }
        ["net", "tunnels", "tunnel", tunnel] => tunnels::tunnel(device, call, &full_path(tunnel)?),
        ["net", "tunnels", "vxlan", profile] => {
            tunnels::profile(device, call, ProfileKind::Vxlan, &full_path(profile)?)
        }
        ["net", "tunnels", "geneve", profile] => {
            tunnels::profile(device, call, ProfileKind::Geneve, &full_path(profile)?)
        }
        ["net", "self"] => self_ip::collection(device, call),
        ["sys", "ready"] if device.links.version().has_sys_ready() => sys::ready(device, call),
        ["sys", "version"] => sys::version(device, call),
        ["sys", "config"] => sys::config(device, call),
        ["cm", "device"] => cm::devices(device, call),
        ["cm", "failover-status"] => cm::failover_status(device, call),
        ["cm", "sync-status"] => cm::sync_status(device, call),
        _ => Err(Failure::unexpected_uri(&call.segments.join("/"))),
    }
}

/// The full path of a decoded segment. A name without partition is taken for one in `Common`, but then
/// shown without it everywhere (recorded on 12.1.2); that is not simulated.
fn full_path(segment: &str) -> Result<String, Failure> {
    if segment.starts_with('~') {
        Ok(segment.replace('~', "/"))
    } else {
        Err(Failure::not_simulated(&format!(
            "the name {segment} without partition"
        )))
    }
}

/// Answers a resource that can only be read.
fn read_only(call: &Call<'_>, value: impl FnOnce() -> Answer) -> Answer {
    if *call.method == Method::GET {
        value()
    } else {
        Err(call.not_simulated())
    }
}

/// Turns a wire type into the body of a 200.
fn ok(value: &impl Serialize) -> Answer {
    // Wire types have text keys only, which always serialise.
    serde_json::to_string(value)
        .map(Some)
        .map_err(|_| Failure::not_simulated("this answer"))
}

/// The tunnel of an FDB URI. That a missing one is refused with `01020036` is recorded for pools; the
/// label is *assumed*.
fn fdb_tunnel<'a>(device: &'a Device, path: &str) -> Result<&'a Tunnel, Failure> {
    device
        .running
        .tunnels
        .get(path)
        .ok_or_else(|| Failure::not_found("FDB tunnel", path))
}
