//! `cm`: the devices of the trust domain and what they are doing.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, Call, Device, ok, read_only};
use crate::config::{FailoverState, Peer};
use crate::wire::{Head, Links, description, nested};

/// A device (genieparser `cm_device` 14.1.2.1, without the licence strings).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceState<'a> {
    #[serde(flatten)]
    head: Head,
    alternate_ip: &'static str,
    base_mac: &'a str,
    build: &'static str,
    chassis_type: &'static str,
    configsync_ip: &'a str,
    edition: &'static str,
    failover_state: &'static str,
    ha_capacity: u32,
    hostname: &'a str,
    management_ip: &'a str,
    marketing_name: &'static str,
    mgmt_unicast_mode: &'static str,
    mirror_ip: &'static str,
    mirror_secondary_ip: &'static str,
    multicast_ip: &'static str,
    multicast_port: u32,
    platform_id: &'static str,
    product: &'static str,
    /// A text, not a boolean.
    self_device: &'static str,
    time_zone: &'static str,
    version: &'static str,
}

/// This device and its peers. *Assumed*: a peer's entry has the fields of the own one.
pub(super) fn devices(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let own = Peer {
            hostname: device.hostname.clone(),
            base_mac: device.base_mac.clone(),
            management_ip: device.management_ip.clone(),
            failover_state: device.failover_state,
        };
        // *Assumed*: devices that sync use their management addresses for it.
        let syncs = !device.peers.is_empty();
        let mut items = vec![show(device.links, &own, "true", syncs)];
        items.extend(
            device
                .peers
                .iter()
                .map(|peer| show(device.links, peer, "false", syncs)),
        );
        ok(&device
            .links
            .collection("tm:cm:device:devicecollectionstate", "cm/device", items))
    })
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
            let text = "active for /Common/traffic-group-1";
            add_details(&mut entries, "failoverStatus", text);
        }
        let kind = "tm:cm:failover-status:failover-statusstats";
        ok(&device.links.stats(kind, "cm/failover-status", &entries))
    })
}

/// Whether the configurations of the pair are the same. Standalone is recorded (genieparser
/// `cm_sync_status`); in a pair mode, status and colour are those of ANS modules, the summary is
/// *assumed*. FDB writes do not change it (*assumed*).
pub(super) fn sync_status(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let (mode, status, summary) = if device.peers.is_empty() {
            ("standalone", "Standalone", " ")
        } else {
            (
                "high-availability",
                "In Sync",
                "All devices in the device group are in sync",
            )
        };
        let mut entries = summary_entries("green", status, summary);
        if let Some(object) = entries.as_object_mut() {
            object.insert("mode".to_owned(), description(mode));
        }
        if device.peers.is_empty() {
            let text = "Optional action: Add a device to the trust domain";
            add_details(&mut entries, "syncStatus", text);
        }
        let kind = "tm:cm:sync-status:sync-statusstats";
        ok(&device.links.stats(kind, "cm/sync-status", &entries))
    })
}

fn summary_entries(color: &str, status: &str, summary: &str) -> Value {
    json!({
        "color": description(color),
        "status": description(status),
        "summary": description(summary),
    })
}

/// Adds the line of details, whose keys are in camel case where the URI has a dash.
fn add_details(entries: &mut Value, resource: &str, text: &str) {
    let key = format!("https://localhost/mgmt/tm/cm/{resource}/0/details");
    let line = nested(
        &format!("{key}/0"),
        &json!({ "details": description(text) }),
    );
    if let (Some(object), Value::Object(details)) = (entries.as_object_mut(), nested(&key, &line)) {
        object.extend(details);
    }
}

fn show<'a>(
    links: Links,
    device: &'a Peer,
    self_device: &'static str,
    syncs: bool,
) -> DeviceState<'a> {
    let version = links.version();
    let path = format!("/Common/{}", device.hostname);
    DeviceState {
        head: links.head("tm:cm:device:devicestate", "cm/device", &path, 1),
        alternate_ip: "none",
        base_mac: &device.base_mac,
        build: version.build(),
        chassis_type: "individual",
        configsync_ip: if syncs { &device.management_ip } else { "none" },
        edition: version.edition(),
        failover_state: device.failover_state.as_str(),
        ha_capacity: 0,
        hostname: &device.hostname,
        management_ip: &device.management_ip,
        marketing_name: "BIG-IP Virtual Edition",
        mgmt_unicast_mode: "both",
        mirror_ip: "any6",
        mirror_secondary_ip: "any6",
        multicast_ip: "any6",
        multicast_port: 0,
        platform_id: "Z100",
        product: "BIG-IP",
        self_device,
        time_zone: "America/Los_Angeles",
        version: version.number(),
    }
}
