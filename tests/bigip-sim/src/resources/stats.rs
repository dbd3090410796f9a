//! Statistics of tunnels and ARP entries. No traffic ever flows, so counters stay 0.

use serde_json::{Value, json};

use super::checks::near_interface;
use super::{Answer, Call, Device, ok, read_only};
use crate::configuration::{ARP, Object, TUNNEL};
use crate::failure::Failure;
use crate::wire::{description, kind, segment};

const COUNTERS: [&str; 13] = [
    "hcInBroadcastPkts",
    "hcInMulticastPkts",
    "hcInOctets",
    "hcInUcastPkts",
    "hcOutBroadcastPkts",
    "hcOutMulticastPkts",
    "hcOutOctets",
    "hcOutUcastPkts",
    "inDiscards",
    "inErrors",
    "inUnknownProtos",
    "outDiscards",
    "outErrors",
];

/// `net/tunnels/tunnel/stats` (TS fixture, 14.1.0). The MAC address of a tunnel is not in it.
pub(super) fn tunnels(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        ok(&collection(device, TUNNEL, |tunnel| {
            tunnel_entries(&tunnel.path())
        }))
    })
}

/// `net/tunnels/tunnel/T/stats`. The link is in the fixture, the answer is *assumed* to hold that entry.
pub(super) fn tunnel(device: &Device, call: &Call<'_>, path: &str) -> Answer {
    read_only(call, || {
        let tunnel = device.running.get(TUNNEL, path);
        tunnel.ok_or_else(|| Failure::not_found("Tunnel", path))?;
        let (key, stats) = entry(device, TUNNEL, path, &tunnel_entries(path));
        let mut answer = stats;
        if let Some(object) = answer.as_object_mut() {
            let entries = object.remove("entries").unwrap_or_default();
            let nested = json!({ key: { "nestedStats": { "entries": entries } } });
            object.insert("entries".to_owned(), nested);
        }
        ok(&answer)
    })
}

/// `net/arp/stats`: the fields of an entry are recorded in scripts that read them. *Assumed*: the keys,
/// that static entries are among them, and what their status is. Nobody sends ARP here, so that there are
/// no others.
pub(super) fn arp(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        ok(&collection(device, ARP, |arp| {
            let address = arp.text("ipAddress").unwrap_or_default();
            let interface = near_interface(&device.running, address);
            json!({
                "ipAddress": description(address),
                "macAddress": description(arp.text("macAddress").unwrap_or_default()),
                "status": description("resolved"),
                "vlan": description(interface.unwrap_or("none")),
            })
        }))
    })
}

fn tunnel_entries(path: &str) -> Value {
    let mut entries = json!({
        "tmName": description(path),
        "typeId": description("net tunnels tunnel"),
    });
    if let Some(object) = entries.as_object_mut() {
        let counters = COUNTERS.iter();
        object.extend(counters.map(|counter| ((*counter).to_owned(), json!({ "value": 0 }))));
    }
    entries
}

/// The statistics of all objects of a resource; without any there are no entries.
fn collection(device: &Device, resource: &str, entries: impl Fn(&Object) -> Value) -> Value {
    let objects = device.running.all(resource);
    let nested: serde_json::Map<String, Value> = objects
        .map(|object| {
            let (key, stats) = entry(device, resource, &object.path(), &entries(object));
            (key, json!({ "nestedStats": stats }))
        })
        .collect();
    let mut answer = json!({
        "kind": kind(resource, "collectionstats"),
        "selfLink": device.links.to(&format!("{resource}/stats")),
    });
    if let (false, Some(object)) = (nested.is_empty(), answer.as_object_mut()) {
        object.insert("entries".to_owned(), nested.into());
    }
    answer
}

/// The key and the content of one object's statistics.
fn entry(device: &Device, resource: &str, path: &str, entries: &Value) -> (String, Value) {
    let path = format!("{resource}/{}/stats", segment(path));
    let stats = json!({
        "kind": kind(resource, "stats"),
        "selfLink": device.links.to(&path),
        "entries": entries,
    });
    (format!("https://localhost/mgmt/tm/{path}"), stats)
}
