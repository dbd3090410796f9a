//! `net/fdb/tunnel/T/records`: the FDB records of a tunnel, one by one.
//!
//! Whole-list writes are the business of `fdb`.

use hyper::Method;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Answer, Call, Device, fdb_tunnel, ok};
use crate::configuration::Record;
use crate::failure::Failure;
use crate::validate::WrittenRecord;
use crate::wire::{Links, segment};

/// A record (recorded on 16.1.2: no `partition`, `fullPath` equals `name`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordState<'a> {
    kind: &'static str,
    name: &'a str,
    full_path: &'a str,
    generation: u64,
    self_link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    endpoint: &'a str,
}

/// The list, and the way to add one.
pub(super) fn collection(device: &mut Device, call: &Call<'_>, path: &str) -> Answer {
    match *call.method {
        Method::GET => {
            let links = device.links;
            let items = fdb_tunnel(device, path)?
                .records()
                .map(|record| show(links, path, record))
                .collect();
            let kind = "tm:net:fdb:tunnel:records:recordscollectionstate";
            ok(&links.collection(kind, &collection_path(path), items))
        }
        Method::POST => {
            let written = WrittenRecord::from_json(&Value::Object(call.properties()?))?;
            let tunnel = fdb_tunnel(device, path)?;
            if tunnel.record(&written.name).is_some() {
                return Err(Failure::already_exists(
                    path,
                    &written.name,
                    tunnel.partition(),
                ));
            }
            write(device, path, &written)
        }
        _ => Err(call.not_simulated()),
    }
}

/// One record. A missing one is named alone by GET and with its tunnel by the writes (recorded for
/// pool members, *assumed* here); PUT does not create (data groups, 17.1.2.1).
pub(super) fn item(device: &mut Device, call: &Call<'_>, path: &str, mac: &str) -> Answer {
    let stored = fdb_tunnel(device, path)?.record(mac).cloned();
    if *call.method == Method::GET {
        let record = stored.ok_or_else(|| Failure::object_not_found(mac))?;
        return ok(&show(device.links, path, &record));
    }
    let missing = || Failure::not_found("tunnel FDB record", &format!("{path} {mac}"));
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
    let tunnel = fdb_tunnel(device, path)?;
    let endpoint = written.check(tunnel)?;
    device
        .running
        .put_record(path, &written.name, &endpoint, written.description.clone());
    let record = fdb_tunnel(device, path)?
        .record(&written.name)
        .ok_or_else(|| Failure::object_not_found(&written.name))?;
    ok(&show(device.links, path, record))
}

fn collection_path(tunnel: &str) -> String {
    format!("net/fdb/tunnel/{}/records", segment(tunnel))
}

fn show<'a>(links: Links, tunnel: &str, record: &'a Record) -> RecordState<'a> {
    RecordState {
        kind: "tm:net:fdb:tunnel:records:recordsstate",
        name: &record.name,
        full_path: &record.name,
        generation: record.generation,
        self_link: links.to(&format!(
            "{}/{}",
            collection_path(tunnel),
            segment(&record.name)
        )),
        description: record.description.as_deref(),
        endpoint: &record.endpoint,
    }
}
