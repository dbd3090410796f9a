//! `net/fdb/tunnel`: the FDB of a tunnel as a whole, with the whole-list writes.
//!
//! A PUT or PATCH with `records` replaces every record, foreign ones too: that is what a device does,
//! and nothing here softens it. Single records are the business of `records`.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Map, Value};

use super::objects::Address;
use super::records::Owner;
use super::{Answer, Call, Device, objects};
use crate::config::RepeatedRecords;
use crate::configuration::{FDB_TUNNEL, Record};
use crate::failure::Failure;
use crate::schema::{Schema, Writes};
use crate::validate::WrittenRecord;

/// All tunnels of all partitions, the built-in ones too (genieparser `net_fdbtunnel`, 14.1.2.1). They come
/// and go with `net/tunnels/tunnel`; what a DELETE here does is not known. That a missing one is refused
/// with `01020036` is recorded for pools, the label is *assumed*.
pub(super) static FDB_TUNNELS: Schema = Schema {
    resource: FDB_TUNNEL,
    label: "FDB tunnel",
    writes: Writes::None,
    subcollection: Some("records"),
    ..Schema::PLAIN
};

/// One tunnel.
pub(super) fn item(device: &mut Device, call: &Call<'_>, address: &Address) -> Answer {
    match *call.method {
        Method::PUT => put(device, call, &address.path)?,
        Method::PATCH => patch(device, call, &address.path)?,
        _ => return objects::item(device, call, &FDB_TUNNELS, address),
    }
    // Answered in the shape of a GET: *assumed* from data groups on 17.1.2.1, whose PUT is answered
    // with the object as it is now.
    let look = Call {
        method: &Method::GET,
        ..*call
    };
    objects::item(device, &look, &FDB_TUNNELS, address)
}

/// Replaces the object. *Assumed*: without `records` the list becomes empty.
fn put(device: &mut Device, call: &Call<'_>, path: &str) -> Result<(), Failure> {
    let version = device.links.version();
    if version.refuses_other_ver() && call.ver().is_some_and(|ver| ver != version.number()) {
        return Err(Failure::invalid_option());
    }
    call.refuse_options()?;
    let properties = call.properties()?;
    let records = properties.get("records").unwrap_or(&Value::Null);
    replace(device, path, records)
}

/// Changes the properties that are given: a `records` replaces the list, none leaves it.
fn patch(device: &mut Device, call: &Call<'_>, path: &str) -> Result<(), Failure> {
    call.refuse_options()?;
    let properties = call.properties()?;
    if properties.is_empty() {
        return Err(Failure::no_properties());
    }
    match properties.get("records") {
        Some(records) => replace(device, path, records),
        None => Owner::find(&device.running, path).map(drop),
    }
}

/// All or nothing: one record that is refused leaves the list as it was (*assumed*).
fn replace(device: &mut Device, path: &str, records: &Value) -> Result<(), Failure> {
    let owner = Owner::find(&device.running, path)?;
    let mut names = BTreeSet::new();
    let mut list = Vec::new();
    for written in written_records(records)? {
        let endpoint = owner.check(&written)?;
        let is_new = names.insert(written.name.to_ascii_lowercase());
        if !is_new && device.repeated_records == RepeatedRecords::Refused {
            return Err(owner.already_has(&written.name));
        }
        let WrittenRecord {
            name, description, ..
        } = written;
        list.push(Record {
            name,
            endpoint,
            description,
            odd: Map::new(),
            generation: 0,
        });
    }
    device.running.replace_records(path, list);
    Ok(())
}

/// `null` is an empty list (OSA clears a tunnel so); a bare text is a list of one name (FCP, 11.6).
fn written_records(records: &Value) -> Result<Vec<WrittenRecord>, Failure> {
    match records {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(WrittenRecord::from_json).collect(),
        Value::String(name) => {
            let name = name.clone();
            Ok(vec![WrittenRecord {
                name,
                endpoint: None,
                description: None,
            }])
        }
        other => Err(Failure::bad_value("records", other)),
    }
}
