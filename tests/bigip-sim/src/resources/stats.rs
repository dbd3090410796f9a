//! Statistics of tunnels and ARP entries. Counters stay 0, also where a data plane carries traffic.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};

use super::checks::near_interface;
use super::{Answer, Call, Device, ok, read_only};
use crate::configuration::{ARP, Configuration, Object, TUNNEL};
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

/// An ARP entry that the device has learned, not one that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Learned {
    pub(crate) address: String,
    pub(crate) mac: String,
    pub(crate) interface: String,
    pub(crate) status: &'static str,
}

impl Learned {
    /// An entry; without a MAC address the device has asked and got no answer. MAC address and status are then
    /// `incomplete` and `unknown`, as output of `tmsh show net arp` on a VXLAN tunnel shows.
    pub(crate) fn new(address: &str, mac: Option<&str>, interface: &str) -> Self {
        Self {
            address: address.to_owned(),
            mac: mac.unwrap_or("incomplete").to_owned(),
            interface: interface.to_owned(),
            status: if mac.is_some() { "resolved" } else { "unknown" },
        }
    }
}

/// The MAC addresses of tunnels.
#[derive(Debug, Clone)]
pub(crate) struct TunnelMacs {
    /// Whether the path of the tunnel is in the key of its own statistics twice.
    pub(crate) doubled_keys: bool,
    /// Those that are not what the device would give them: others, or not told.
    pub(crate) told: BTreeMap<String, Option<String>>,
    /// Those that the interfaces of a data plane have, as last read.
    pub(crate) seen: BTreeMap<String, String>,
}

/// `net/tunnels/tunnel/stats` (TS fixture, 14.1.0).
pub(super) fn tunnels(device: &Device, call: &Call<'_>) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    let shows_all = call.query()?.all_properties()?;
    ok(&collection(device, TUNNEL, |tunnel| {
        tunnel_entries(device, tunnel, shows_all)
    }))
}

/// `net/tunnels/tunnel/T/stats`. The link is in the fixture, the answer is *assumed* to hold that entry. Seven
/// public scripts read the MAC address from it with `options=all-properties`; that it is not there without is
/// *assumed*. They look for it under a key with the path of the tunnel once or twice, which they say depends on
/// the version, in opposite directions: a switch decides.
pub(super) fn tunnel(device: &Device, call: &Call<'_>, path: &str) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    let shows_all = call.query()?.all_properties()?;
    let tunnel = device.running.get(TUNNEL, path);
    let tunnel = tunnel.ok_or_else(|| Failure::not_found("Tunnel", path))?;
    let entries = tunnel_entries(device, tunnel, shows_all);
    let name = segment(path);
    let doubled = if device.macs.doubled_keys {
        format!("{name}/{name}")
    } else {
        name.clone()
    };
    let key = format!("https://localhost/mgmt/tm/{TUNNEL}/{doubled}/stats");
    let options = if shows_all {
        "options=all-properties"
    } else {
        ""
    };
    ok(&json!({
        "kind": kind(TUNNEL, "stats"),
        "generation": tunnel.generation,
        "selfLink": device.links.asked(&format!("{TUNNEL}/{name}/stats"), options),
        "entries": { key: { "nestedStats": {
            "kind": kind(TUNNEL, "stats"),
            "selfLink": device.links.asked(&format!("{TUNNEL}/{doubled}/stats"), options),
            "entries": entries,
        } } },
    }))
}

/// The MAC address of a tunnel: that of the device's base, one for all tunnels unless
/// `iptunnel.macaddr_per_tunnel` says otherwise (its default is recorded on 14.1.2.1, what it does and how the
/// addresses are made are *assumed*), or what its interface has, where there is one. `None` if the device does not tell it.
fn tunnel_mac(
    configuration: &Configuration,
    base_mac: &str,
    macs: &TunnelMacs,
    tunnel: &Object,
) -> Option<String> {
    let path = tunnel.path();
    match (macs.told.get(&path), macs.seen.get(&path)) {
        (Some(None), _) => None,
        (_, Some(seen)) => Some(seen.clone()),
        (_, None) => Some(given_mac(configuration, base_mac, macs, tunnel)),
    }
}

/// The MAC address that a tunnel is given: what a test has set, else the device's own.
pub(crate) fn given_mac(
    configuration: &Configuration,
    base_mac: &str,
    macs: &TunnelMacs,
    tunnel: &Object,
) -> String {
    let set = macs.told.get(&tunnel.path()).cloned().flatten();
    set.unwrap_or_else(|| own_mac(configuration, base_mac, tunnel))
}

/// The MAC address that a tunnel has by itself.
fn own_mac(configuration: &Configuration, base_mac: &str, tunnel: &Object) -> String {
    let base = base_mac.replace(':', "");
    let base = u64::from_str_radix(&base, 16).unwrap_or_default();
    let own = configuration.variable("iptunnel.macaddr_per_tunnel") == Some("enable");
    let index = tunnel.number("ifIndex").filter(|_| own).unwrap_or(1);
    let address = base & 0xffff_ff00_0000 | base.wrapping_add(index) & 0x00ff_ffff;
    let bytes = address.to_be_bytes();
    let bytes = bytes.iter().skip(2).map(|byte| format!("{byte:02x}"));
    bytes.collect::<Vec<_>>().join(":")
}

/// `net/arp/stats`: the fields of an entry are recorded in scripts that read them. *Assumed*: the keys,
/// that static entries are among them, and what their status is. What was learned is what a test says, or what the
/// data plane has learned.
pub(super) fn arp(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let mut answer = collection(device, ARP, |arp| {
            let address = arp.text("ipAddress").unwrap_or_default();
            let interface = near_interface(&device.running, address);
            json!({
                "ipAddress": description(address),
                "macAddress": description(arp.text("macAddress").unwrap_or_default()),
                "status": description("resolved"),
                "vlan": description(interface.unwrap_or("none")),
            })
        });
        add_learned(device, &mut answer);
        ok(&answer)
    })
}

fn add_learned(device: &Device, answer: &mut Value) {
    for learned in &device.learned {
        let key = format!(
            "https://localhost/mgmt/tm/net/arp/{}/stats",
            segment(&learned.address)
        );
        let entries = json!({
            "ipAddress": description(&learned.address),
            "macAddress": description(&learned.mac),
            "status": description(learned.status),
            "vlan": description(&learned.interface),
        });
        if let Some(object) = answer.as_object_mut() {
            let all = object.entry("entries").or_insert_with(|| json!({}));
            if let Some(all) = all.as_object_mut() {
                all.insert(key, json!({ "nestedStats": { "entries": entries } }));
            }
        }
    }
}

fn tunnel_entries(device: &Device, tunnel: &Object, shows_all: bool) -> Value {
    let mut entries = json!({
        "tmName": description(&tunnel.path()),
        "typeId": description("net tunnels tunnel"),
    });
    let mac = tunnel_mac(&device.running, &device.base_mac, &device.macs, tunnel);
    if let (true, Some(mac), Some(object)) = (shows_all, mac, entries.as_object_mut()) {
        object.insert("macAddr".to_owned(), description(&mac));
    }
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
