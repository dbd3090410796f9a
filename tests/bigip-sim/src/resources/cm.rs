//! `cm`: the devices of the trust domain, what they are doing, and sharing their configuration.

use hyper::Method;
use serde_json::{Value, json};

use super::objects::Address;
use super::{Answer, Call, Device, ok, read_only};
use crate::config::{FailoverState, Peer};
use crate::configuration::{DEVICE_GROUP, Object};
use crate::failure::Failure;
use crate::validate;
use crate::wire::{Fields, Links, description, kind, nested, segment};

/// This device and its peers, all or one of them. *Assumed*: a peer's entry has the fields of the own one.
pub(super) fn devices(device: &Device, call: &Call<'_>, name: Option<&Address>) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    let own = Peer {
        hostname: device.hostname.clone(),
        base_mac: device.base_mac.clone(),
        management_ip: device.management_ip.clone(),
        failover_state: device.failover_state,
    };
    // *Assumed*: devices that sync use their management addresses for it.
    let syncs = !device.peers.is_empty();
    let mut items = vec![show(device.links, &own, "true", syncs)];
    let peers = device.peers.iter();
    items.extend(peers.map(|peer| show(device.links, peer, "false", syncs)));
    let query = call.query()?;
    let Some(address) = name else {
        let kind = kind("cm/device", "collectionstate");
        return ok(&query.collection(device.links, kind, "cm/device", items)?);
    };
    let path = address.path.as_str();
    let found = items
        .into_iter()
        .find(|item| item.text("fullPath") == Some(path));
    ok(&query.object(found.ok_or_else(|| Failure::not_found("device", path))?)?)
}

/// What this device does in the pair. The active form is recorded (genieparser
/// `cm_failover_status`); of the others the status is known, colour and summary are *assumed*.
pub(super) fn failover_status(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let (color, status, summary) = match device.failover_state {
            FailoverState::Active => ("green", "ACTIVE", "1/1 active"),
            FailoverState::Standby => ("gray", "STANDBY", "1/1 standby"),
            FailoverState::Offline => ("red", "OFFLINE", " "),
            FailoverState::ForcedOffline => ("red", "FORCED OFFLINE", " "),
        };
        let mut entries = summary_entries(color, status, summary);
        if device.failover_state == FailoverState::Active {
            let text = "active for /Common/traffic-group-1".to_owned();
            add_details(&mut entries, "failoverStatus", &[text]);
        }
        ok(&device.links.stats("cm/failover-status", &entries))
    })
}

/// Whether the configurations of the pair are the same. Standalone is recorded (genieparser
/// `cm_sync_status`); in a pair mode, status and colour are those of ANS modules, the details begin as
/// CLIBS reads them, and the rest is *assumed*. So is that FDB and ARP writes, which config-sync does not
/// carry (CIDOCS), change nothing here.
pub(super) fn sync_status(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let is_pending = device.running.changes_pending;
        let (mode, color, status, summary) = match (device.peers.is_empty(), is_pending) {
            (true, _) => ("standalone", "green", "Standalone", " "),
            (false, false) => (
                "high-availability",
                "green",
                "In Sync",
                "All devices in the device group are in sync",
            ),
            (false, true) => (
                "high-availability",
                "yellow",
                "Changes Pending",
                "There are changes that other devices do not have yet",
            ),
        };
        let mut entries = summary_entries(color, status, summary);
        if let Some(object) = entries.as_object_mut() {
            object.insert("mode".to_owned(), description(mode));
        }
        let mut details: Vec<String> = device
            .peers
            .iter()
            .map(|peer| format!("{}: connected", peer.hostname))
            .collect();
        if device.peers.is_empty() {
            details.push("Optional action: Add a device to the trust domain".to_owned());
        }
        for group in sync_groups(device).filter(|_| is_pending) {
            let (own, group) = (&device.hostname, &group.name);
            details.push(format!(
                "Recommended action: Synchronize {own} to group {group}"
            ));
        }
        add_details(&mut entries, "syncStatus", &details);
        ok(&device.links.stats("cm/sync-status", &entries))
    })
}

/// `config-sync to-group G` (EC `LTMConfigSyncTests`). What goes to the group of the pair is in sync then,
/// the records of tunnels and ARP entries excepted; to other groups nothing of it goes (*assumed*).
pub(super) fn command(device: &mut Device, call: &Call<'_>) -> Answer {
    call.refuse_options()?;
    let properties = call.properties()?;
    let command = validate::text(&properties, "command")?.unwrap_or_default();
    let args = validate::text(&properties, "utilCmdArgs")?.unwrap_or_default();
    let words: Vec<&str> = args.split_whitespace().collect();
    let group = match (command.as_str(), words.as_slice()) {
        (
            "run",
            ["config-sync", "to-group", group]
            | ["config-sync", "force-full-load-push", "to-group", group],
        ) => *group,
        _ => {
            return Err(Failure::not_simulated(&format!(
                "the command {command} {args}"
            )));
        }
    };
    let path = format!("/Common/{}", group.trim_start_matches("/Common/"));
    if !device.running.has(DEVICE_GROUP, &path) {
        return Err(Failure::configuration(&format!(
            "Device group ({group}) not found in device group sync"
        )));
    }
    if sync_groups(device).any(|group| group.path() == path) {
        device.running.changes_pending = false;
    }
    let answer = Fields::default()
        .with("kind", "tm:cm:runstate")
        .with("utilCmdArgs", args)
        .with("command", command);
    ok(&answer)
}

/// The groups that share the whole configuration.
fn sync_groups(device: &Device) -> impl Iterator<Item = &Object> {
    let groups = device.running.all(DEVICE_GROUP);
    groups.filter(|group| group.text("type") == Some("sync-failover"))
}

fn summary_entries(color: &str, status: &str, summary: &str) -> Value {
    json!({
        "color": description(color),
        "status": description(status),
        "summary": description(summary),
    })
}

/// Adds lines of details, whose keys are in camel case where the URI has a dash.
fn add_details(entries: &mut Value, resource: &str, texts: &[String]) {
    let key = format!("https://localhost/mgmt/tm/cm/{resource}/0/details");
    let mut lines = json!({});
    for (index, text) in texts.iter().enumerate() {
        let line = json!({ "details": description(text) });
        extend(&mut lines, nested(&format!("{key}/{index}"), &line));
    }
    extend(entries, nested(&key, &lines));
}

fn extend(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

/// The licence of a device, *assumed*: its form is recorded, a licence of one device is nothing to copy.
const LICENSE: &str = "LTM, VE|Rate Shaping|SSL, VE|Max Compression, VE|Routing Bundle, VE";
const MORE_LICENSES: [&str; 2] = [
    "App Mode (TMSH Only, No Root/Bash)",
    "FIPS 140-2 Level 1, VE",
];

/// A device (genieparser `cm_device`, 14.1.2.1; ANS `load_tm_cm_device.json`, 12.1.2). *Assumed*: the chassis is
/// called after the base MAC address.
fn show(links: Links, device: &Peer, self_device: &'static str, syncs: bool) -> Fields {
    let version = links.version();
    let old = version.shows_unicast_addresses();
    let path = format!("/Common/{}", device.hostname);
    let configsync_ip = if syncs { &device.management_ip } else { "none" };
    Fields::default()
        .with("kind", kind("cm/device", "state"))
        .with("name", device.hostname.as_str())
        .with("partition", "Common")
        .with("fullPath", path.as_str())
        .with("generation", 1)
        .with(
            "selfLink",
            links.to(&format!("cm/device/{}", segment(&path))),
        )
        .with("activeModules", vec![Value::from(LICENSE)])
        .with_all(only(!old, "alternateIp", "none"))
        .with("baseMac", device.base_mac.as_str())
        .with("build", version.build())
        .with("cert", "/Common/dtdi.crt")
        .with_object("certReference", links.reference("cm/cert/~Common~dtdi.crt"))
        .with("chassisId", chassis_id(&device.base_mac))
        .with("chassisType", "individual")
        .with("configsyncIp", configsync_ip)
        .with("edition", version.edition())
        .with("failoverState", device.failover_state.as_str())
        .with("haCapacity", 0)
        .with("hostname", device.hostname.as_str())
        .with("key", "/Common/dtdi.key")
        .with_object("keyReference", links.reference("cm/key/~Common~dtdi.key"))
        .with("managementIp", device.management_ip.as_str())
        .with("marketingName", "BIG-IP Virtual Edition")
        .with_all(only(!old, "mgmtUnicastMode", "both"))
        .with("mirrorIp", "any6")
        .with("mirrorSecondaryIp", "any6")
        .with_all(only(old, "multicastInterface", "eth0"))
        .with("multicastIp", "any6")
        .with("multicastPort", 0)
        .with("optionalModules", MORE_LICENSES.map(Value::from).to_vec())
        .with("platformId", "Z100")
        .with("product", "BIG-IP")
        // A text, not a boolean.
        .with("selfDevice", self_device)
        .with_all(only(old, "timeLimitedModules", Vec::<Value>::new()))
        .with("timeZone", "America/Los_Angeles")
        .with("version", version.number())
        .with_all(only(old, "unicastAddress", unicast_addresses()))
}

/// A field, if the version has it.
fn only(is_there: bool, name: &'static str, value: impl Into<Value>) -> Fields {
    let fields = Fields::default();
    if is_there {
        fields.with(name, value)
    } else {
        fields
    }
}

/// Where a device hears its peers: over the management address (ANS, 12.1.2).
fn unicast_addresses() -> Vec<Value> {
    vec![json!({
        "effectiveIp": "management-ip", "effectivePort": 1026, "ip": "management-ip", "port": 1026,
    })]
}

/// In the form of 14.1.2.1, `564d4d7e-c668-e9dc-2bf3c9350dbd`.
fn chassis_id(base_mac: &str) -> String {
    format!("564d4d7e-c668-e9dc-{}", base_mac.replace(':', ""))
}
