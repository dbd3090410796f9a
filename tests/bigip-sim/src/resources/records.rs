//! `net/fdb/tunnel/T/records`: the FDB records of a tunnel, one by one.
//!
//! Whole-list writes are the business of `fdb`.

use hyper::Method;
use serde_json::{Map, Value};

use super::{Answer, Call, Device, ok};
use crate::configuration::{Configuration, FDB_TUNNEL, Record, TUNNEL, partition};
use crate::failure::Failure;
use crate::validate::{WrittenRecord, local_route_domain};
use crate::wire::{Fields, Links, kind, segment};

/// The list, and the way to add one.
pub(super) fn collection(device: &mut Device, call: &Call<'_>, path: &str) -> Answer {
    let owner = Owner::find(&device.running, path)?;
    match *call.method {
        Method::GET => {
            let kind = kind(&format!("{FDB_TUNNEL}/records"), "collectionstate");
            let (items, list) = (items(device, path), collection_path(path));
            ok(&call.query()?.collection(device.links, kind, &list, items)?)
        }
        Method::POST => {
            call.refuse_options()?;
            let written = WrittenRecord::from_json(&Value::Object(call.properties()?))?;
            if device.running.record(path, &written.name).is_some() {
                return Err(owner.already_has(&written.name));
            }
            write(device, path, &written)
        }
        _ => Err(call.not_simulated()),
    }
}

/// The records of a tunnel as items of a list.
pub(super) fn items(device: &Device, path: &str) -> Vec<Fields> {
    let records = device.running.records(path);
    records
        .map(|record| show(device.links, path, record))
        .collect()
}

/// One record. A missing one is named alone by GET and with its tunnel by the writes (recorded for
/// pool members, *assumed* here); PUT does not create (data groups, 17.1.2.1).
pub(super) fn item(device: &mut Device, call: &Call<'_>, path: &str, mac: &str) -> Answer {
    Owner::find(&device.running, path)?;
    let stored = device.running.record(path, mac).cloned();
    if *call.method == Method::GET {
        let record = stored.ok_or_else(|| Failure::object_not_found(mac))?;
        return ok(&call.query()?.object(show(device.links, path, &record))?);
    }
    call.refuse_options()?;
    let missing = || Failure::not_found(LABEL, &format!("{path} {mac}"));
    match *call.method {
        Method::DELETE => {
            stored.ok_or_else(missing)?;
            device.running.remove_record(path, mac);
            Ok(None)
        }
        Method::PUT => {
            let properties = call.properties()?;
            let name = stored.ok_or_else(missing)?.name;
            write(device, path, &WrittenRecord::named(name, &properties)?)
        }
        Method::PATCH => {
            let properties = call.properties()?;
            let written = patched(stored.ok_or_else(missing)?, &properties)?;
            write(device, path, &written)
        }
        _ => Err(call.not_simulated()),
    }
}

/// What mcpd calls a record in its complaints (FCP#733, CIS#425); *assumed* in those of missing ones.
const LABEL: &str = "tunnel FDB record";

/// The tunnel that records belong to.
pub(super) struct Owner<'a> {
    path: &'a str,
    local_address: &'a str,
}

impl<'a> Owner<'a> {
    /// The tunnel of an FDB URI.
    pub(super) fn find(configuration: &'a Configuration, path: &'a str) -> Result<Self, Failure> {
        let tunnel = configuration.get(TUNNEL, path);
        let tunnel = tunnel.ok_or_else(|| Failure::not_found("FDB tunnel", path))?;
        Ok(Self {
            path,
            local_address: tunnel.text("localAddress").unwrap_or_default(),
        })
    }

    /// Checks a record and gives back its endpoint. Not checked, as no answer of a device is known:
    /// address family, multicast, own address.
    pub(super) fn check(&self, written: &WrittenRecord) -> Result<String, Failure> {
        let (path, name) = (self.path, written.checked_name()?);
        let (endpoint, domain) = written
            .checked_endpoint()?
            .ok_or_else(|| Failure::empty_entry(path, name))?;
        // A bare endpoint is in route domain 0, whatever the partition's default is (CIS#425).
        if Some(domain) == local_route_domain(self.local_address) {
            Ok(endpoint.to_owned())
        } else {
            let local = self.local_address;
            Err(Failure::other_route_domain(path, name, endpoint, local))
        }
    }

    /// Refuses a second record of a name.
    pub(super) fn already_has(&self, mac: &str) -> Failure {
        let name = format!("{} {mac}", self.path);
        Failure::already_exists(LABEL, &name, partition(self.path))
    }
}

/// The record after a PATCH: what is given changes, what is not stays, `null` takes away.
fn patched(stored: Record, properties: &Map<String, Value>) -> Result<WrittenRecord, Failure> {
    if properties.is_empty() {
        return Err(Failure::no_properties());
    }
    let mut written = WrittenRecord::named(stored.name, properties)?;
    if !properties.contains_key("endpoint") {
        written.endpoint = Some(stored.endpoint);
    }
    if !properties.contains_key("description") {
        written.description = stored.description;
    }
    Ok(written)
}

/// Checks, stores and shows one record.
fn write(device: &mut Device, path: &str, written: &WrittenRecord) -> Answer {
    let endpoint = Owner::find(&device.running, path)?.check(written)?;
    let (name, description) = (&written.name, written.description.clone());
    let running = &mut device.running;
    running.put_record(path, name, &endpoint, description);
    let record = running.record(path, name);
    let record = record.ok_or_else(|| Failure::object_not_found(name))?;
    ok(&show(device.links, path, record))
}

fn collection_path(tunnel: &str) -> String {
    format!("{FDB_TUNNEL}/{}/records", segment(tunnel))
}

/// A record (recorded on 16.1.2: no `partition`, `fullPath` equals `name`).
fn show(links: Links, tunnel: &str, record: &Record) -> Fields {
    let name = record.name.as_str();
    let link = format!("{}/{}", collection_path(tunnel), segment(name));
    let fields = Fields::default()
        .with("kind", kind(&format!("{FDB_TUNNEL}/records"), "state"))
        .with("name", name)
        .with("fullPath", name)
        .with("generation", record.generation)
        .with("selfLink", links.to(&link));
    let fields = match &record.description {
        Some(description) => fields.with("description", description.as_str()),
        None => fields,
    };
    let fields = fields.with("endpoint", record.endpoint.as_str());
    let odd = record.odd.iter();
    odd.fold(fields, |fields, (name, value)| {
        let fields = fields.without(name);
        match value {
            Value::Null => fields,
            value => fields.with(name.clone(), value.clone()),
        }
    })
}
