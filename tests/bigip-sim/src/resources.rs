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
mod interfaces;
mod ltm;
mod objects;
mod partitions;
mod ping;
mod provision;
mod query;
mod records;
mod routes;
mod self_ip;
mod singletons;
mod stats;
mod sys;
mod traffic_group;
mod transaction;
mod tree;
mod trust;
mod tunnels;
mod vlans;

use hyper::{HeaderMap, Method};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use self::objects::Address;
use self::query::Query;
use crate::config::{FailoverState, Peer, RepeatedRecords};
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::ping::PingOutcome;
use crate::schema::{Naming, Schema};
use crate::validate;
use crate::wire::{Fields, Links, kind};

#[cfg(target_os = "linux")]
pub(crate) use self::ping::arguments as ping_arguments;
pub(crate) use self::ping::{ArpAnswers, Pings};
pub(crate) use self::stats::{Learned, TunnelMacs, given_mac};
pub(crate) use self::sys::available;
pub(crate) use self::transaction::{COORDINATION, Transactions};
pub(crate) use self::vlans::read_interfaces;

/// The kinds of objects.
static SCHEMAS: [&Schema; 19] = [
    &arp::ENTRIES,
    &db::VARIABLES,
    &device_group::DEVICE_GROUPS,
    &fdb::FDB_TUNNELS,
    &interfaces::INTERFACES,
    &ltm::POOLS,
    &ltm::SNAT_POOLS,
    &ltm::VIRTUAL_SERVERS,
    &partitions::FOLDERS,
    &partitions::PARTITIONS,
    &provision::MODULES,
    &routes::ROUTES,
    &routes::ROUTE_DOMAINS,
    &self_ip::SELF_IPS,
    &traffic_group::TRAFFIC_GROUPS,
    &tunnels::GENEVE_PROFILES,
    &tunnels::TUNNELS,
    &tunnels::VXLAN_PROFILES,
    &vlans::VLANS,
];

fn schemas() -> impl Iterator<Item = &'static Schema> {
    SCHEMAS.into_iter().chain(singletons::ALL.iter())
}

/// What the resources are about: the device without its accounts.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) links: Links,
    pub(crate) hostname: String,
    pub(crate) base_mac: String,
    pub(crate) management_ip: String,
    pub(crate) failover_state: FailoverState,
    pub(crate) peers: Vec<Peer>,
    pub(crate) repeated_records: RepeatedRecords,
    pub(crate) running: Configuration,
    pub(crate) saved: Configuration,
    pub(crate) transactions: Transactions,
    pub(crate) pings: Pings,
    pub(crate) learned: Vec<Learned>,
    /// What a ping of an address lets it learn, where it knows nothing of it.
    pub(crate) answers_arp: ArpAnswers,
    pub(crate) macs: TunnelMacs,
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
    /// What became of the ping that it asks for, if one was sent.
    pub(crate) pinged: Option<&'a PingOutcome>,
}

/// The JSON body of a 200, `None` if it has none (DELETE, AS3 `util`).
pub(crate) type Answer = Result<Option<String>, Failure>;

impl Call<'_> {
    /// The body of a write.
    pub(crate) fn properties(&self) -> Result<Map<String, Value>, Failure> {
        validate::json_object(self.headers, self.body)
    }

    /// A method with no recorded answer of a device here.
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
        return Err(Failure::html_tag());
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
        ["cm"] if *call.method == Method::POST => cm::command(device, call),
        ["cm", "device"] => cm::devices(device, call, None),
        ["cm", "device", name] => cm::devices(device, call, Some(&in_folder(name))),
        ["cm", "device-group", group, "devices"] => {
            device_group::devices(device, call, &in_folder(group), None)
        }
        ["cm", "device-group", group, "devices", name] => {
            device_group::devices(device, call, &in_folder(group), Some(name))
        }
        ["cm", "trust-domain"] => trust::domains(device, call, None),
        ["cm", "trust-domain", name] => trust::domains(device, call, Some(&in_folder(name))),
        ["cli", "version"] => sys::cli_version(device, call),
        ["cm", "failover-status"] => cm::failover_status(device, call),
        ["cm", "sync-status"] => cm::sync_status(device, call),
        ["cm" | "sys", "available"] => available(call),
        ["net", "arp"] => arp::collection(device, call),
        ["net", "arp", "stats"] => stats::arp(device, call),
        ["net", "fdb", "tunnel", tunnel] => fdb::item(device, call, &in_folder(tunnel)),
        ["net", "fdb", "tunnel", tunnel, "records"] => {
            records::collection(device, call, &in_folder(tunnel).path)
        }
        ["net", "fdb", "tunnel", tunnel, "records", mac] => {
            records::item(device, call, &in_folder(tunnel).path, mac)
        }
        ["net", "fdb", "vlan"] => vlans::fdb(device, call, None),
        ["net", "fdb", "vlan", vlan] => vlans::fdb(device, call, Some(&in_folder(vlan))),
        ["net", "vlan", vlan, "interfaces"] => {
            vlans::interfaces(device, call, &in_folder(vlan), None)
        }
        ["net", "vlan", vlan, "interfaces", name] => {
            vlans::interfaces(device, call, &in_folder(vlan), Some(name))
        }
        ["net", "tunnels", "tunnel", "stats"] => stats::tunnels(device, call),
        ["net", "tunnels", "tunnel", tunnel, "stats"] => {
            stats::tunnel(device, call, &in_folder(tunnel).path)
        }
        ["sys", "clock"] => sys::clock(device, call),
        ["sys", "config"] => sys::config(device, call),
        ["sys", "db", name] => db::item(device, call, name),
        ["sys", "mcp-state"] => sys::mcp_state(device, call),
        ["sys", "ready"] if device.links.version().has_sys_ready() => sys::ready(device, call),
        ["sys", "ready"] => Err(Failure::unexpected_uri("sys/ready")),
        ["sys", "version"] => sys::version(device, call),
        ["util", "ping"] if *call.method == Method::POST => ping::run(device, call),
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
    if tree::is_unknown(device.links.version(), &call.segments.join("/")) {
        return Err(call.not_simulated());
    }
    for schema in schemas() {
        let depth = schema.resource.split('/').count();
        let (resource, rest) = call.segments.split_at_checked(depth).unwrap_or_default();
        if resource.join("/") != schema.resource {
            continue;
        }
        match rest {
            [] if schema.naming == Naming::Single => {
                let address = Address::parse(Naming::Single, "");
                return objects::item(device, call, schema, &address);
            }
            [] => return objects::collection(device, call, schema),
            // What a new object may have, an answer of a kind of its own. An object of that name is one.
            [segment] if is_example(device, call, schema, segment) => {
                return Err(call.not_simulated());
            }
            [segment] if schema.naming != Naming::Single => {
                let address = Address::parse(schema.naming, segment);
                return objects::item(device, call, schema, &address);
            }
            [segment, ..] if schema.naming != Naming::Single && *call.method == Method::GET => {
                return Err(below_object(device, call, schema, segment));
            }
            _ => {}
        }
    }
    tree::answer(device, call)
}

/// The refusal to show a path below an object: the object is missing, or what is below it is not simulated.
fn below_object(device: &Device, call: &Call<'_>, schema: &Schema, segment: &str) -> Failure {
    let path = Address::parse(schema.naming, segment).path;
    if device.running.has(schema.resource, &path) {
        call.not_simulated()
    } else {
        Failure::not_found(schema.label, &path)
    }
}

fn is_example(device: &Device, call: &Call<'_>, schema: &Schema, segment: &str) -> bool {
    let path = || Address::parse(schema.naming, segment).path;
    let exists = || device.running.get(schema.resource, &path()).is_some();
    segment == "example" && *call.method == Method::GET && !exists()
}

/// `auth/user`, all or one of them, from what the accounts show; one that was changed answers as one that is read.
pub(crate) fn users(
    links: Links,
    call: &Call<'_>,
    users: Vec<Fields>,
    name: Option<&str>,
) -> Answer {
    let is_change_of_one = *call.method == Method::PATCH && name.is_some();
    if *call.method != Method::GET && !is_change_of_one {
        return Err(call.not_simulated());
    }
    let query = call.query()?;
    let Some(name) = name else {
        let kind = kind("auth/user", "collectionstate");
        return ok(&query.collection(links, kind, "auth/user", users)?);
    };
    let found = users
        .into_iter()
        .find(|user| user.text("name") == Some(name));
    ok(&query.object(found.ok_or_else(|| Failure::not_found("user", name))?)?)
}

/// What belongs to an object of a kind that has a list of its own.
fn members(device: &Device, schema: &Schema, path: &str) -> Vec<Fields> {
    match schema.subcollection {
        Some("records") => records::items(device, path),
        Some("devices") => device_group::members(device, path),
        Some("members") => ltm::members(device, path),
        Some("interfaces") => vlans::members(device, path),
        _ => Vec::new(),
    }
}

/// What mcpd calls the objects of a resource.
fn label(resource: &str) -> &'static str {
    let schema = schemas().find(|schema| schema.resource == resource);
    schema.map_or("object", |schema| schema.label)
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
