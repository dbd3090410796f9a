//! `net/fdb/tunnel`: the FDB of a tunnel as a whole, with the whole-list writes.
//!
//! A PUT or PATCH with `records` replaces every record, whoever made it: that is what a device does,
//! and nothing here softens it. Single records are the business of `records`.

use std::collections::BTreeSet;

use hyper::Method;
use serde::Serialize;
use serde_json::Value;

use super::{Answer, Call, Device, fdb_tunnel, ok, read_only};
use crate::configuration::{Record, Tunnel};
use crate::failure::Failure;
use crate::validate::WrittenRecord;
use crate::wire::{Head, Links, Reference, segment};

const RESOURCE: &str = "net/fdb/tunnel";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FdbTunnel {
    #[serde(flatten)]
    head: Head,
    records_reference: Reference,
}

/// All tunnels of all partitions, the built-in ones too (genieparser `net_fdbtunnel`, 14.1.2.1).
pub(super) fn collection(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let links = device.links;
        let items = device
            .running
            .tunnels
            .values()
            .map(|tunnel| show(links, tunnel))
            .collect();
        ok(&links.collection("tm:net:fdb:tunnel:tunnelcollectionstate", RESOURCE, items))
    })
}

/// One tunnel. What a DELETE does is not known, so it is not simulated.
pub(super) fn item(device: &mut Device, call: &Call<'_>, path: &str) -> Answer {
    match *call.method {
        Method::GET => {}
        Method::PUT => put(device, call, path)?,
        Method::PATCH => patch(device, call, path)?,
        _ => return Err(call.not_simulated()),
    }
    // Answered in the shape of a GET: *assumed* from data groups on 17.1.2.1, whose PUT is answered
    // with the object as it is now.
    ok(&show(device.links, fdb_tunnel(device, path)?))
}

/// Replaces the object. *Assumed*: without `records` the list becomes empty.
fn put(device: &mut Device, call: &Call<'_>, path: &str) -> Result<(), Failure> {
    let version = device.links.version();
    if version.refuses_other_ver() && call.ver().is_some_and(|ver| ver != version.number()) {
        return Err(Failure::invalid_option());
    }
    let properties = call.properties()?;
    replace(
        device,
        path,
        properties.get("records").unwrap_or(&Value::Null),
    )
}

/// Changes the properties that are given: a `records` replaces the list, none leaves it.
fn patch(device: &mut Device, call: &Call<'_>, path: &str) -> Result<(), Failure> {
    let properties = call.properties()?;
    if properties.is_empty() {
        return Err(Failure::no_properties());
    }
    match properties.get("records") {
        Some(records) => replace(device, path, records),
        None => fdb_tunnel(device, path).map(drop),
    }
}

/// All or nothing: one record that is refused leaves the list as it was (*assumed*).
fn replace(device: &mut Device, path: &str, records: &Value) -> Result<(), Failure> {
    let tunnel = fdb_tunnel(device, path)?;
    let mut names = BTreeSet::new();
    let mut list = Vec::new();
    for written in written_records(records)? {
        let endpoint = written.check(tunnel)?;
        if !names.insert(written.name.to_ascii_lowercase()) {
            // *Assumed*: nobody has seen one MAC address twice in a list.
            return Err(Failure::already_exists(
                path,
                &written.name,
                tunnel.partition(),
            ));
        }
        let WrittenRecord {
            name, description, ..
        } = written;
        list.push(Record {
            name,
            endpoint,
            description,
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
        _ => Err(Failure::bad_property("records")),
    }
}

fn show(links: Links, tunnel: &Tunnel) -> FdbTunnel {
    let kind = "tm:net:fdb:tunnel:tunnelstate";
    let records = format!("{RESOURCE}/{}/records", segment(&tunnel.path));
    FdbTunnel {
        head: links.head(kind, RESOURCE, &tunnel.path, tunnel.fdb_generation),
        records_reference: links.subcollection(&records),
    }
}
