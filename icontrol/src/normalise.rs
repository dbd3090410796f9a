//! Bodies ↔ the plain types of the core: the only place where a device's words become values.
//!
//! Strict where something is decided by it, tolerant of everything else. Nothing that does not
//! parse is guessed, left out or quoted. Knows nothing of requests.

pub(crate) mod arp;
pub(crate) mod ping;
pub(crate) mod surroundings;

use std::time::Duration;

use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::{FdbRecord, Records};
use bigip_tunnel_core::text::is_unfit;
use bigip_tunnel_core::tunnel::TunnelPath;
use bigip_tunnel_core::unit::{
    Encapsulation, FailoverState, TmosVersion, TunnelFacts, UnitIdentity,
};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::collection::Member;
use crate::error::{Mismatch, clean};
use crate::wire;
use bigip_tunnel_core::listing::RecordName;

/// More than any path of an object on a BIG-IP can have (*assumed*).
const PATH_BYTES_MAX: usize = 512;

/// The body of a request.
pub(crate) fn render(body: &impl Serialize) -> Vec<u8> {
    // Fails for maps with odd keys and for failing writers only; there are none.
    serde_json::to_vec(body).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(resource: &'static str, body: &[u8]) -> Result<T, Mismatch> {
    // The error's own text would quote the answer.
    serde_json::from_slice(body).map_err(|error| Mismatch::Json {
        resource,
        line: error.line(),
        column: error.column(),
    })
}

/// Memory of a text besides that of the field itself.
fn heap(text: Option<&String>) -> usize {
    text.map_or(0, String::capacity)
}

impl Member for wire::SelfIp {
    const KIND: &'static str = "tm:net:self:selfcollectionstate";
    const LIST: &'static str = "list of self IPs";

    fn heap_bytes(&self) -> usize {
        let texts = [&self.full_path, &self.address, &self.vlan, &self.floating];
        texts.map(|text| heap(text.as_ref())).iter().sum()
    }
}

impl Member for wire::UnitEntry {
    const KIND: &'static str = "tm:cm:device:devicecollectionstate";
    const LIST: &'static str = "list of devices";

    fn heap_bytes(&self) -> usize {
        let texts = [
            &self.name,
            &self.base_mac,
            &self.hostname,
            &self.failover_state,
            &self.self_device,
        ];
        texts.map(|text| heap(text.as_ref())).iter().sum()
    }
}

/// What a device's link to the next page says. The link itself is not followed: it names `localhost`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NextPage {
    pub(crate) top: Option<u64>,
    pub(crate) skip: usize,
}

/// Whether what is around the members is that of a collection of this kind, and where it goes on
/// (`nextLink` as in f5-telemetry-streaming).
pub(crate) fn envelope(
    text: &[u8],
    kind: &'static str,
    resource: &'static str,
) -> Result<Option<NextPage>, Mismatch> {
    let envelope: wire::Envelope = parse(resource, text)?;
    if envelope.kind != kind {
        return Err(Mismatch::OtherObject { resource });
    }
    let link = envelope.next_link.as_ref();
    let next = link.map(|link| next_page(link).ok_or(Mismatch::Paged { resource }));
    next.transpose()
}

/// Whether what is around the entries is that of statistics of this kind, all on one page: none was seen in pages.
/// `kind`: how the word begins; its end differs between resources.
pub(crate) fn statistics(
    text: &[u8],
    kind: &'static str,
    resource: &'static str,
) -> Result<(), Mismatch> {
    let around: wire::AroundStats = parse(resource, text)?;
    if !around.kind.starts_with(kind) {
        return Err(Mismatch::OtherObject { resource });
    }
    match around.next_link {
        Some(_) => Err(Mismatch::Paged { resource }),
        None => Ok(()),
    }
}

fn next_page(link: &str) -> Option<NextPage> {
    let (_, query) = link.split_once('?')?;
    let number = |wanted: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| percent_decode_str(key).eq(wanted.bytes()))?;
        value.parse().ok()
    };
    Some(NextPage {
        top: number("$top"),
        skip: number("$skip")?.try_into().ok()?,
    })
}

/// The lifetime that a token was given.
pub(crate) fn lifetime(body: &[u8]) -> Result<Duration, Mismatch> {
    parse("token", body).map(|wire::ChangedToken { timeout }| Duration::from_secs(timeout))
}

/// The token, which must be fit for a header and a path.
pub(crate) fn login(body: &[u8]) -> Result<wire::Token, Mismatch> {
    let wire::LoggedIn { token } = parse("login", body)?;
    let fit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if token.token.is_empty() || !token.token.bytes().all(fit) {
        return Err(Mismatch::Property {
            resource: "login",
            property: "token",
        });
    }
    Ok(token)
}

/// The body that creates a record.
pub(crate) fn new_record(record: FdbRecord) -> wire::NewRecord {
    wire::NewRecord {
        name: record.mac.to_string(),
        endpoint: record.endpoint.to_string(),
    }
}

/// The tunnel object as read, with this list of records.
pub(crate) fn with_records(
    fdb: &[u8],
    tunnel: &TunnelPath,
    records: &Records,
) -> Result<Vec<u8>, Mismatch> {
    const RESOURCE: &str = "FDB of the tunnel";
    let mut object: Map<String, Value> = parse(RESOURCE, fdb)?;
    if object.get("fullPath").and_then(Value::as_str) != Some(&tunnel.to_string()) {
        return Err(Mismatch::OtherObject { resource: RESOURCE });
    }
    object.remove("records");
    Ok(render(&wire::WithRecords {
        object: &object,
        records: wire::ListedRecords(records),
    }))
}

/// The endpoint of the record of this name.
pub(crate) fn record(body: &[u8], name: &RecordName) -> Result<Endpoint, Mismatch> {
    const RESOURCE: &str = "record";
    let record: wire::Record = parse(RESOURCE, body)?;
    let mac = record
        .name
        .as_ref()
        .and_then(|text| text.parse::<MacAddress>().ok());
    if mac.is_none() || mac != name.as_str().parse().ok() {
        return Err(Mismatch::OtherObject { resource: RESOURCE });
    }
    endpoint(&record).ok_or(Mismatch::Property {
        resource: RESOURCE,
        property: "endpoint",
    })
}

fn endpoint(record: &wire::Record) -> Option<Endpoint> {
    record.endpoint.as_ref()?.parse().ok()
}

/// What a unit says is not ready: `None` if every entry is `yes` and there is one.
pub(crate) fn not_ready(body: &[u8]) -> Result<Option<String>, Mismatch> {
    let stats: wire::Stats = parse("readiness", body)?;
    let mut entries = stats
        .entries
        .into_values()
        .flat_map(|e| e.nested_stats.entries)
        .peekable();
    if entries.peek().is_none() {
        return Ok(Some("it does not say whether it is ready".to_owned()));
    }
    let waiting = entries.find(|(_, value)| value.description.as_deref() != Some("yes"));
    Ok(waiting.map(|(name, _)| format!("`{}` is not `yes`", clean(&name))))
}

/// The running version.
pub(crate) fn version(body: &[u8]) -> Result<TmosVersion, Mismatch> {
    const RESOURCE: &str = "version";
    let stats: wire::Stats = parse(RESOURCE, body)?;
    let texts = stats.entries.into_values().filter_map(|mut entry| {
        entry
            .nested_stats
            .entries
            .remove("Version")
            .and_then(|value| value.description)
    });
    let version = texts.map(|text| text.parse()).next();
    version.and_then(Result::ok).ok_or(Mismatch::Property {
        resource: RESOURCE,
        property: "Version",
    })
}

/// What `cm device` says of the unit that answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) identity: UnitIdentity,
    pub(crate) hostname: String,
    pub(crate) failover_state: FailoverState,
    /// The other units of its trust domain. One without a base MAC address cannot be told apart and
    /// is left out.
    pub(crate) peers: Vec<UnitIdentity>,
}

/// Who the answering unit is, its part in the pair, and who else is in its trust domain.
pub(crate) fn unit(entries: Vec<wire::UnitEntry>) -> Result<Unit, Mismatch> {
    let missing = |property| Mismatch::Property {
        resource: wire::UnitEntry::LIST,
        property,
    };
    let is_self = |item: &wire::UnitEntry| item.self_device.as_deref() == Some("true");
    let (own, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_self);
    let own = own.into_iter().next().ok_or(missing("selfDevice"))?;
    let peers = others.iter().filter_map(identity).collect();
    let lacks = if own.name.is_none() {
        "name"
    } else {
        "baseMac"
    };
    let identity = identity(&own).ok_or(missing(lacks))?;
    let hostname = own
        .hostname
        .map_or_else(|| identity.device_name.clone(), |name| clean(&name));
    let failover_state = match own.failover_state.as_deref() {
        Some("active") => FailoverState::Active,
        // From here on from clients of F5; no recording was found.
        Some("standby") => FailoverState::Standby,
        Some("forced-offline") => FailoverState::ForcedOffline,
        Some("offline") => FailoverState::Offline,
        _ => FailoverState::Unknown,
    };
    Ok(Unit {
        identity,
        hostname,
        failover_state,
        peers,
    })
}

fn identity(entry: &wire::UnitEntry) -> Option<UnitIdentity> {
    Some(UnitIdentity {
        device_name: clean(entry.name.as_ref()?),
        base_mac: clean(entry.base_mac.as_ref()?),
    })
}

/// The addresses of those self IPs that are on this tunnel.
pub(crate) fn self_ips(all: Vec<wire::SelfIp>, tunnel: &TunnelPath) -> Vec<String> {
    let path = tunnel.to_string();
    let on_tunnel = all
        .into_iter()
        .filter(|item| item.vlan.as_ref() == Some(&path));
    let mut addresses: Vec<String> = on_tunnel
        .filter_map(|item| item.address.map(|address| clean(&address)))
        .collect();
    addresses.sort();
    addresses
}

/// The tunnel, with what its profile would add left open.
pub(crate) fn tunnel(body: &[u8], path: &TunnelPath) -> Result<TunnelFacts, Mismatch> {
    const RESOURCE: &str = "tunnel";
    let tunnel: wire::Tunnel = parse(RESOURCE, body)?;
    if tunnel.full_path != path.to_string() {
        return Err(Mismatch::OtherObject { resource: RESOURCE });
    }
    let encapsulation = profile_kind(&tunnel.profile_reference.link).ok_or(Mismatch::Property {
        resource: RESOURCE,
        property: "profileReference",
    })?;
    if tunnel.profile.len() > PATH_BYTES_MAX || tunnel.profile.contains(is_unfit) {
        return Err(Mismatch::Property {
            resource: RESOURCE,
            property: "profile",
        });
    }
    let local = tunnel.local_address.parse::<Endpoint>().ok();
    Ok(TunnelFacts {
        full_path: tunnel.full_path,
        local_address: local.filter(|local| !local.address.is_unspecified()),
        vni: tunnel.key,
        profile: tunnel.profile,
        encapsulation,
        port: None,
        flooding_type: None,
        self_ips: Vec::new(),
        mac: None,
    })
}

/// The MAC address in the statistics of one tunnel (`options=all-properties`): of the only entry, since its
/// key differs between versions (seven public scripts read it, in two forms of the key). `None` where it is
/// missing, zero or not an address.
pub(crate) fn tunnel_mac(body: &[u8]) -> Option<MacAddress> {
    let stats: wire::Stats = parse("statistics of the tunnel", body).ok()?;
    let mut entries = stats.entries.into_values();
    let (only, None) = (entries.next()?, entries.next()) else {
        return None;
    };
    let told = only.nested_stats.entries.get("macAddr")?;
    let mac: MacAddress = told.description.as_deref()?.trim().parse().ok()?;
    (mac != MacAddress::new([0; 6])).then_some(mac)
}

/// The kind of a profile shows only in the link to it. The link itself is not followed.
fn profile_kind(link: &str) -> Option<Encapsulation> {
    let (_, rest) = link.split_once("/mgmt/tm/net/tunnels/")?;
    let (kind, _) = rest.split_once('/')?;
    match kind {
        "vxlan" => Some(Encapsulation::Vxlan),
        "geneve" => Some(Encapsulation::Geneve),
        "" => None,
        other => Some(Encapsulation::Other(clean(other))),
    }
}

/// Adds to the tunnel what its profile says.
pub(crate) fn add_profile(tunnel: &mut TunnelFacts, body: &[u8]) -> Result<(), Mismatch> {
    let profile: wire::Profile = parse("tunnel profile", body)?;
    tunnel.port = profile.port;
    tunnel.flooding_type = profile.flooding_type.map(|text| clean(&text));
    // VXLAN profiles can speak VXLAN-GPE (`vxlan-gpe`, 14.1.2.1).
    match profile.encapsulation_type {
        Some(other) if tunnel.encapsulation == Encapsulation::Vxlan && other != "vxlan" => {
            tunnel.encapsulation = Encapsulation::Other(clean(&other));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
