//! (pure) An object as plain JSON: what it has to do with units and tunnels, however broken the rest is.
//!
//! An object that does not parse is not worked on, and may be a neighbour all the same. Each part is read by
//! itself; what cannot be read is `None` or [`Claimed::Unreadable`], never taken for nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use bigip_tunnel_core::account::LoginRecord;
use bigip_tunnel_core::claims::{ClaimState, Claims};
use bigip_tunnel_core::sharing::{Activity, Claimed};
use bigip_tunnel_core::unit::{Place, ProvenUnit, UnitIdentity};
use bigip_tunnel_crds::v1alpha1::{BigIpTunnelSpec, BigIpTunnelStatus, LoginStatus, Ownership};
use bigip_tunnel_crds::{ANNOTATION_PAUSED, convert};
use kube::ResourceExt;
use kube::core::DynamicObject;
use serde::Deserialize;
use serde_json::Value;

use crate::settings::Settings;

/// The port of a device that names none.
const PORT_DEFAULT: u64 = 443;
/// The partition of a tunnel that names none.
const PARTITION_DEFAULT: &str = "Common";

/// What can be read of an object.
#[derive(Debug)]
pub(super) struct Raw {
    /// `metadata.uid`.
    pub(super) uid: String,
    /// `metadata.generation`.
    pub(super) generation: i64,
    /// The path of its tunnel.
    pub(super) tunnel: Option<String>,
    /// What it does with its claims.
    pub(super) activity: Activity,
    /// The devices that it lists, that have left its list, or that its claims name.
    pub(super) devices: Vec<RawDevice>,
    /// What its status says of logins.
    pub(super) logins: Vec<LoginRecord>,
    /// Its spec, if all of it can be read.
    pub(super) settings: Option<Settings>,
}

/// One of its devices.
#[derive(Debug, PartialEq)]
pub(super) struct RawDevice {
    /// Its name.
    pub(super) name: Option<String>,
    /// Where it is reached.
    pub(super) place: Option<Place>,
    /// Which unit its status says that it is.
    pub(super) recorded: Option<ProvenUnit>,
    /// What is claimed on it and does not leave.
    pub(super) claimed: Claimed,
    /// Whether the spec lists it.
    pub(super) is_listed: bool,
}

impl Raw {
    /// Reads an object.
    pub(super) fn read(object: &DynamicObject) -> Self {
        let uid = object.uid().unwrap_or_default();
        let spec = object.data.get("spec").unwrap_or(&Value::Null);
        let claims = claims(&object.data, &uid);
        let settings = BigIpTunnelSpec::deserialize(spec).ok();
        Self {
            generation: object.metadata.generation.unwrap_or_default(),
            tunnel: tunnel(spec),
            activity: activity(object, spec),
            devices: devices(&object.data, spec, claims.as_ref()),
            logins: logins(&object.data),
            settings: settings.and_then(|spec| Settings::read(&spec).ok()),
            uid,
        }
    }
}

fn tunnel(spec: &Value) -> Option<String> {
    let name = spec.pointer("/tunnel/name")?.as_str()?;
    let partition = match spec.pointer("/tunnel/partition") {
        None | Some(Value::Null) => PARTITION_DEFAULT,
        Some(partition) => partition.as_str()?,
    };
    Some(format!("/{partition}/{name}"))
}

fn activity(object: &DynamicObject, spec: &Value) -> Activity {
    let annotation = object.annotations().get(ANNOTATION_PAUSED);
    let is_suspended = spec.get("suspend") == Some(&Value::Bool(true));
    let observes = spec.get("managementPolicy").and_then(Value::as_str) == Some("Observe");
    if object.metadata.deletion_timestamp.is_some() {
        Activity::Leaving
    } else if is_suspended || observes || annotation.is_some_and(|value| value == "true") {
        Activity::Idle
    } else {
        Activity::Working
    }
}

/// The claims, or `None` if they cannot be read.
fn claims(data: &Value, uid: &str) -> Option<Claims> {
    let status = match data.get("status") {
        None | Some(Value::Null) => return Some(Claims::default()),
        Some(status) => status.as_object()?,
    };
    let ownership = match status.get("ownership") {
        None | Some(Value::Null) => return Some(Claims::default()),
        Some(ownership) => Ownership::deserialize(ownership).ok()?,
    };
    let status = BigIpTunnelStatus {
        ownership: Some(ownership),
        ..BigIpTunnelStatus::default()
    };
    convert::claims(&status, uid).ok()
}

/// The rows of logins, each by itself.
fn logins(data: &Value) -> Vec<LoginRecord> {
    let lists = ["/status/devices", "/status/formerDevices"];
    let lists = lists
        .iter()
        .filter_map(|path| data.pointer(path)?.as_array());
    let rows = lists.flatten().filter_map(|device| device.get("login"));
    let rows = rows.filter_map(|row| LoginStatus::deserialize(row).ok());
    rows.map(|row| convert::login(&row)).collect()
}

fn devices(data: &Value, spec: &Value, claims: Option<&Claims>) -> Vec<RawDevice> {
    let device = |name: Option<&str>, place, is_listed| RawDevice {
        name: name.map(str::to_owned),
        place,
        recorded: name.and_then(|name| recorded(data, name)),
        claimed: claimed(claims, name),
        is_listed,
    };
    let read = |entry: &Value, is_listed| device(name_of(entry), place(entry), is_listed);
    let mut devices: Vec<RawDevice> = match spec.get("devices").and_then(Value::as_array) {
        Some(listed) => listed.iter().map(|entry| read(entry, true)).collect(),
        // Which ones it lists cannot be read.
        None => vec![device(None, None, true)],
    };
    let former = data.pointer("/status/formerDevices");
    let former = former.and_then(Value::as_array).into_iter().flatten();
    for entry in former {
        add(&mut devices, read(entry, false));
    }
    for name in claims.iter().flat_map(|claims| claims.devices()) {
        add(&mut devices, device(Some(name), None, false));
    }
    devices
}

/// Adds a device unless there is one of this name.
fn add(devices: &mut Vec<RawDevice>, device: RawDevice) {
    if device.name.is_none() || devices.iter().all(|known| known.name != device.name) {
        devices.push(device);
    }
}

fn name_of(entry: &Value) -> Option<&str> {
    entry.get("name")?.as_str()
}

fn place(entry: &Value) -> Option<Place> {
    let host = entry.get("address")?.as_str()?;
    let port = match entry.get("port") {
        None | Some(Value::Null) => PORT_DEFAULT,
        Some(port) => port.as_u64()?,
    };
    Some(Place::new(host, u16::try_from(port).ok()?))
}

/// The unit that the status names for a device of this name.
fn recorded(data: &Value, name: &str) -> Option<ProvenUnit> {
    let mut entries = data.pointer("/status/devices")?.as_array()?.iter();
    let entry = entries.find(|entry| name_of(entry) == Some(name))?;
    let (device_name, base_mac) = entry.get("identity")?.as_str()?.rsplit_once(' ')?;
    Some(ProvenUnit {
        identity: UnitIdentity {
            device_name: device_name.to_owned(),
            base_mac: base_mac.to_owned(),
        },
        key: entry.get("keyFingerprint")?.as_str()?.parse().ok()?,
    })
}

fn claimed(claims: Option<&Claims>, device: Option<&str>) -> Claimed {
    let Some(claims) = claims else {
        return Claimed::Unreadable;
    };
    let of_device = device.map(|device| claims.of(device)).into_iter().flatten();
    let kept = of_device.filter(|(_, state)| **state != ClaimState::Leaving);
    let macs: BTreeSet<_> = kept.map(|(mac, _)| *mac).collect();
    Claimed::These(Arc::new(macs))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";

    fn read(spec: &Value, status: &Value) -> Raw {
        let object = json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1",
            "kind": "BigIpTunnel",
            "metadata": {"name": "b", "namespace": "bigip", "uid": "uid-b", "generation": 3},
            "spec": spec,
            "status": status,
        });
        Raw::read(&serde_json::from_value(object).unwrap())
    }

    fn spec() -> Value {
        json!({
            "devices": [{"name": "unit", "address": "BigIP-A.example.com", "port": 8443}],
            "tunnel": {"name": "t"},
        })
    }

    fn these(macs: &[&str]) -> Claimed {
        let macs = macs.iter().map(|mac| mac.parse().unwrap());
        Claimed::These(Arc::new(macs.collect()))
    }

    #[test]
    fn broken_spec_leaves_tunnel_devices_and_claims_readable() {
        let mut broken = spec();
        broken["nodes"] =
            json!({"selector": {"matchExpressions": [{"key": "k", "operator": "In"}]}});
        broken["drift"] = json!("anything");
        let claims = json!([{"devices": ["unit"], "state": "Owned", "records": [M1]}]);
        let status = json!({"conditions": 7, "ownership": {"uid": "uid-b", "claims": claims}});
        let raw = read(&broken, &status);
        assert!(raw.settings.is_none());
        assert_eq!(raw.tunnel.as_deref(), Some("/Common/t"));
        let [device] = raw.devices.as_slice() else {
            panic!("{:?}", raw.devices);
        };
        assert_eq!(device.place, Some(Place::new("bigip-a.example.com", 8443)));
        assert_eq!(device.claimed, these(&[M1]));
    }

    #[test]
    fn unreadable_part_is_not_taken_as_empty() {
        for spec in [json!("text"), json!({"tunnel": 7, "devices": {"a": 1}})] {
            let raw = read(
                &spec,
                &json!({"ownership": {"uid": "uid-b", "unknown": []}}),
            );
            assert_eq!((raw.tunnel, raw.devices.len()), (None, 1));
            assert_eq!(raw.devices[0].place, None);
            assert!(raw.devices[0].is_listed);
            assert_eq!(raw.devices[0].claimed, Claimed::Unreadable);
        }
        let bad_port = json!({"devices": [{"name": "unit", "address": "a", "port": 70000}]});
        assert_eq!(read(&bad_port, &json!({})).devices[0].place, None);
        assert_eq!(
            read(&spec(), &json!("x")).devices[0].claimed,
            Claimed::Unreadable
        );
    }

    #[test]
    fn claims_on_devices_off_the_list_count_and_leaving_ones_do_not() {
        let claims = json!([
            {"devices": ["former", "renamed"], "state": "Owned", "records": [M1]},
            {"devices": ["unit"], "state": "Leaving", "records": [M2]},
        ]);
        let former = json!([{"name": "former", "address": "192.0.2.12", "port": 443}]);
        let status =
            json!({"ownership": {"uid": "uid-b", "claims": claims}, "formerDevices": former});
        let raw = read(&spec(), &status);
        let devices = raw.devices.iter();
        let seen: Vec<_> = devices
            .map(|d| {
                (
                    d.name.as_deref().unwrap(),
                    d.place.is_some(),
                    d.is_listed,
                    &d.claimed,
                )
            })
            .collect();
        let (one, none) = (these(&[M1]), these(&[]));
        assert_eq!(
            seen,
            [
                ("unit", true, true, &none),
                ("former", true, false, &one),
                ("renamed", false, false, &one),
            ]
        );
    }

    #[test]
    fn claims_of_another_uid_are_void() {
        let claims = json!([{"devices": ["unit"], "state": "Owned", "records": [M1]}]);
        let status = json!({"ownership": {"uid": "copied", "claims": claims}});
        assert_eq!(read(&spec(), &status).devices[0].claimed, these(&[]));
    }

    #[test]
    fn recorded_unit_needs_identity_and_key() {
        let key = "0b".repeat(32);
        let recorded = |device: Value| {
            let raw = read(&spec(), &json!({"devices": [device]}));
            raw.devices.into_iter().next().unwrap().recorded
        };
        let identity = "bigip01.example.com 00:0c:29:35:0d:bd";
        let full = json!({"name": "unit", "identity": identity, "keyFingerprint": key});
        let unit = recorded(full).unwrap();
        assert_eq!(
            (unit.identity.to_string(), unit.key.0),
            (identity.to_owned(), [0x0b; 32])
        );
        assert_eq!(
            recorded(json!({"name": "unit", "identity": identity})),
            None
        );
        let other = json!({"name": "other", "identity": identity, "keyFingerprint": key});
        assert_eq!(recorded(other), None);
    }

    #[test]
    fn objects_that_write_nothing_are_idle() {
        let with = |field: &str, value: Value| {
            let mut spec = spec();
            spec[field] = value;
            read(&spec, &json!({})).activity
        };
        assert_eq!(with("suspend", json!(true)), Activity::Idle);
        assert_eq!(with("managementPolicy", json!("Observe")), Activity::Idle);
        assert_eq!(with("suspend", json!(false)), Activity::Working);
        assert_eq!(with("suspend", json!("odd")), Activity::Working);
    }
}
