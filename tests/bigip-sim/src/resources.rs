//! Which URI below `/mgmt/tm` is which resource, and what all of them share.
//!
//! By the time a call comes here its sender is known and allowed. It must not know of accounts,
//! faults or the network.

mod arp;
mod checks;
mod cm;
mod db;
mod device_group;
mod fdb;
mod ltm;
mod objects;
mod partitions;
mod query;
mod records;
mod routes;
mod self_ip;
mod stats;
mod sys;
mod transaction;
mod tunnels;

use hyper::{HeaderMap, Method};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use self::objects::Address;
use self::query::Query;
use crate::config::{FailoverState, Peer};
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::schema::{Naming, Schema};
use crate::validate;
use crate::wire::{Fields, Links, kind};

pub(crate) use self::sys::available;
pub(crate) use self::transaction::{COORDINATION, Transactions};

/// The kinds of objects.
static SCHEMAS: [&Schema; 15] = [
    &arp::ENTRIES,
    &db::VARIABLES,
    &device_group::DEVICE_GROUPS,
    &fdb::FDB_TUNNELS,
    &ltm::POOLS,
    &ltm::SNAT_POOLS,
    &ltm::VIRTUAL_SERVERS,
    &partitions::FOLDERS,
    &partitions::PARTITIONS,
    &routes::ROUTES,
    &routes::ROUTE_DOMAINS,
    &self_ip::SELF_IPS,
    &tunnels::GENEVE_PROFILES,
    &tunnels::TUNNELS,
    &tunnels::VXLAN_PROFILES,
];

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
    pub(crate) transactions: Transactions,
}

/// A request to a resource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    /// Decoded segments after `/mgmt/tm/`.
    pub(crate) segments: &'a [String],
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) now: Timestamp,
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

    /// The options after the `?`.
    fn query(&self) -> Result<Query, Failure> {
        Query::parse(self.query.unwrap_or_default())
    }

    /// Refuses options, `ver` excepted, which changes nothing unless a resource says so.
    fn refuse_options(&self) -> Result<(), Failure> {
        self.query()?.refuse_all()
    }

    /// The value of `ver=`.
    fn ver(&self) -> Option<&str> {
        self.query
            .unwrap_or_default()
            .split('&')
            .find_map(|pair| pair.strip_prefix("ver="))
    }
}

/// Carries out a call, or puts it into the transaction that it names.
pub(crate) fn answer(device: &mut Device, call: &Call<'_>) -> Answer {
    let mut segments = call.segments.iter();
    if segments.any(|segment| segment.contains(['<', '>'])) {
        return Err(Failure::html_tag("URL"));
    }
    match transaction::named(call) {
        Some(id) => transaction::add(device, call, &id),
        None => dispatch(device, call),
    }
}

/// Finds the resource of a call.
fn dispatch(device: &mut Device, call: &Call<'_>) -> Answer {
    call.query()?;
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let in_folder = |segment: &str| Address::parse(Naming::InFolder, segment);
    match segments.as_slice() {
        ["cm"] => cm::command(device, call),
        ["cm", "device"] => cm::devices(device, call, None),
        ["cm", "device", name] => cm::devices(device, call, Some(&in_folder(name))),
        ["cm", "device-group", group, "devices"] => {
            device_group::devices(device, call, &in_folder(group), None)
        }
        ["cm", "device-group", group, "devices", name] => {
            device_group::devices(device, call, &in_folder(group), Some(name))
        }
        ["cm", "failover-status"] => cm::failover_status(device, call),
        ["cm", "sync-status"] => cm::sync_status(device, call),
        ["cm" | "sys", "available"] => available(call),
        ["net", "arp"] => arp::collection(device, call),
        ["net", "arp", "stats"] => stats::arp(device, call),
        ["net", "fdb"] => organizing(device, call, "net/fdb", &["tunnel", "vlan"]),
        ["net", "fdb", "tunnel", tunnel] => fdb::item(device, call, &in_folder(tunnel)),
        ["net", "fdb", "tunnel", tunnel, "records"] => {
            records::collection(device, call, &in_folder(tunnel).path)
        }
        ["net", "fdb", "tunnel", tunnel, "records", mac] => {
            records::item(device, call, &in_folder(tunnel).path, mac)
        }
        ["net", "tunnels"] => organizing(device, call, "net/tunnels", &tunnels::KINDS),
        ["net", "tunnels", "tunnel", "stats"] => stats::tunnels(device, call),
        ["net", "tunnels", "tunnel", tunnel, "stats"] => {
            stats::tunnel(device, call, &in_folder(tunnel).path)
        }
        ["sys", "config"] => sys::config(device, call),
        ["sys", "mcp-state"] => sys::mcp_state(device, call),
        ["sys", "ready"] if device.links.version().has_sys_ready() => sys::ready(device, call),
        ["sys", "version"] => sys::version(device, call),
        ["transaction"] => transaction::open(device, call),
        ["transaction", id] => transaction::item(device, call, id),
        ["transaction", id, "commands", ..] => {
            let number = call.segments.get(3..).unwrap_or_default();
            transaction::commands(device, call, id, number)
        }
        _ => of_schema(device, call),
    }
}

/// Finds the kind of objects of a call.
fn of_schema(device: &mut Device, call: &Call<'_>) -> Answer {
    let path = call.segments.join("/");
    for schema in SCHEMAS {
        let depth = schema.resource.split('/').count();
        let (resource, rest) = call.segments.split_at_checked(depth).unwrap_or_default();
        if resource.join("/") != schema.resource {
            continue;
        }
        match rest {
            [] => return objects::collection(device, call, schema),
            [segment] => {
                let address = Address::parse(schema.naming, segment);
                return objects::item(device, call, schema, &address);
            }
            _ => {}
        }
    }
    // What answers link to, and other things that every device has, are not called unexpected.
    let is_there = ["net/vlan", "net/fdb/vlan", "cm/traffic-group"]
        .into_iter()
        .map(str::to_owned)
        .chain(tunnels::KINDS.map(|kind| format!("net/tunnels/{kind}")))
        .any(|known| path == known || path.starts_with(&format!("{known}/")));
    Err(if is_there {
        call.not_simulated()
    } else {
        Failure::unexpected_uri(&path)
    })
}

/// A collection that only lists others (genieparser `net_fdb` and `net_tunnels`, 14.1.2.1).
fn organizing(device: &Device, call: &Call<'_>, path: &str, below: &[&str]) -> Answer {
    read_only(call, || {
        let reference = |name: &&str| {
            let link = device.links.reference(&format!("{path}/{name}"));
            Fields::default().with_object("reference", link)
        };
        let collection = Fields::default()
            .with("kind", kind(path, "collectionstate"))
            .with("selfLink", device.links.to(path));
        ok(&collection.with_list("items", below.iter().map(reference).collect()))
    })
}

/// What belongs to an object of a kind that has a list of its own.
fn members(device: &Device, schema: &Schema, path: &str) -> Vec<Fields> {
    match schema.subcollection {
        Some("records") => records::items(device, path),
        Some("devices") => device_group::members(device, path),
        Some("members") => ltm::members(device, path),
        _ => Vec::new(),
    }
}

/// What mcpd calls the objects of a resource.
fn label(resource: &str) -> &'static str {
    let mut schemas = SCHEMAS.iter();
    let schema = schemas.find(|schema| schema.resource == resource);
    schema.map_or("VLAN", |schema| schema.label)
}

/// Answers a resource that can only be read.
fn read_only(call: &Call<'_>, value: impl FnOnce() -> Answer) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    call.refuse_options()?;
    value()
}

/// Turns a wire type into the body of a 200.
fn ok(value: &impl Serialize) -> Answer {
    // Wire types have text keys only, which always serialise.
    serde_json::to_string(value)
        .map(Some)
        .map_err(|_| Failure::not_simulated("this answer"))
}
