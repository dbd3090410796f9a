//! `net/vlan` with the interfaces of a VLAN, and `net/fdb/vlan`, the FDB of VLANs, which has no records here.

use hyper::Method;
use serde_json::{Map, Value, json};

use super::checks::refuse_users;
use super::objects::Address;
use super::{Answer, Call, Device, ok};
use crate::configuration::{Configuration, Object, ROUTE, SELF_IP, VLAN};
use crate::failure::Failure;
use crate::schema::{Property, Schema, Shape, Writing};
use crate::wire::{Fields, kind, segment};

const SWITCH: Shape = Shape::Word(&["enabled", "disabled"]);

/// Properties that a VLAN of 12.1.0 does not show (ANS `load_vlan.json`).
const LATER: [&str; 4] = [
    "fwdMode",
    "hardwareSyncookie",
    "synFloodRateLimit",
    "syncacheThreshold",
];

/// A VLAN (genieparser `net_vlan`, 14.1.2.1; ANS `load_vlan.json`, 12.1.0). A VLAN without tag gets the highest
/// that is free (4094 and 4093 recorded, the rule is *assumed*).
pub(super) static VLANS: Schema = Schema {
    resource: VLAN,
    label: "VLAN",
    properties: &[
        Property::new(
            "autoLasthop",
            Shape::Word(&["default", "enabled", "disabled"]),
        )
        .or("default"),
        Property::new("cmpHash", Shape::Word(&["default", "dst-ip", "src-ip"])).or("default"),
        Property::new("dagRoundRobin", SWITCH).or("disabled"),
        Property::new("dagTunnel", Shape::Word(&["inner", "outer"])).or("outer"),
        Property::new("description", Shape::Text),
        Property::new("failsafe", SWITCH).or("disabled"),
        Property::new("failsafeAction", Shape::Text).or("failover-restart-tm"),
        Property::new("failsafeTimeout", Shape::Count(3600)).or_number(90),
        Property::new("fwdMode", Shape::Text).or("l3"),
        Property::new("hardwareSyncookie", SWITCH).or("disabled"),
        Property::new("ifIndex", Shape::Count(u32::MAX)).written(Writing::Device),
        Property::new("interfaces", Shape::Interfaces),
        Property::new("learning", Shape::Text).or("enable-forward"),
        Property::new("mtu", Shape::Count(65535)).or_number(1500),
        Property::new("sflow", Shape::Told)
            .given(|| {
                json!({
                    "pollInterval": 0, "pollIntervalGlobal": "yes",
                    "samplingRate": 0, "samplingRateGlobal": "yes",
                })
            })
            .written(Writing::Device),
        Property::new("sourceChecking", SWITCH).or("disabled"),
        Property::new("synFloodRateLimit", Shape::Count(u32::MAX)).or_number(1000),
        Property::new("syncacheThreshold", Shape::Count(u32::MAX)).or_number(6000),
        Property::new("tag", Shape::Count(4094)),
    ],
    subcollection: Some("interfaces"),
    derive: |configuration, vlan| {
        let index = || json!(configuration.next_interface_index());
        vlan.values.entry("ifIndex").or_insert_with(index);
        let tag = || json!(configuration.free_tag());
        vlan.values.entry("tag").or_insert_with(tag);
    },
    check: check_tag,
    check_delete: check_unused,
    stored: |configuration, vlan, is_new| {
        if is_new {
            configuration.attach(&vlan.path());
        }
    },
    deleted: |configuration, vlan| configuration.detach(&vlan.path()),
    is_synced: |_, _| false,
    shown: |version, property, value| {
        let is_there = version.shows_vlan_forwarding() || !LATER.contains(&property.name);
        is_there.then_some(value)
    },
    ..Schema::PLAIN
};

/// *Assumed* in status and wording; that a tag is one VLAN's is what a tag is.
fn check_tag(configuration: &Configuration, vlan: &Object) -> Result<(), Failure> {
    let (tag, path) = (vlan.number("tag"), vlan.path());
    let mut others = configuration.all(VLAN).filter(|other| other.path() != path);
    match others.find(|other| other.number("tag") == tag) {
        None => Ok(()),
        Some(other) => {
            let (tag, other) = (tag.unwrap_or_default(), other.path());
            let message = format!("The tag ({tag}) of the VLAN ({path}) is that of {other}.");
            Err(Failure::configuration(&message))
        }
    }
}

/// DO#7.
fn check_unused(configuration: &Configuration, vlan: &Object) -> Result<(), Failure> {
    let users = [
        (SELF_IP, "vlan", "self IP"),
        (ROUTE, "tmInterface", "route"),
    ];
    refuse_users(configuration, ("VLAN", &vlan.path()), &users)
}

/// `net/vlan/V/interfaces`, all or one of them, for reading.
pub(super) fn interfaces(
    device: &Device,
    call: &Call<'_>,
    vlan: &Address,
    name: Option<&str>,
) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    let path = vlan.path.as_str();
    if !device.running.has(VLAN, path) {
        return Err(Failure::not_found(VLANS.label, path));
    }
    let (query, items) = (call.query()?, members(device, path));
    let Some(name) = name else {
        let kind = kind(&format!("{VLAN}/interfaces"), "collectionstate");
        let list = format!("{VLAN}/{}/interfaces", segment(path));
        return ok(&query.collection(device.links, kind, &list, items)?);
    };
    let mut items = items.into_iter();
    let found = items.find(|item| item.text("name") == Some(name));
    ok(&query.object(found.ok_or_else(|| Failure::object_not_found(name))?)?)
}

/// The interfaces of a VLAN (ANS `load_vlan_interfaces.json`, 13.0.0).
pub(super) fn members(device: &Device, vlan: &str) -> Vec<Fields> {
    let Some(object) = device.running.get(VLAN, vlan) else {
        return Vec::new();
    };
    let interfaces = object.values.get("interfaces").and_then(Value::as_array);
    let show = |interface: &Value| {
        let name = interface["name"].as_str().unwrap_or_default().to_owned();
        let link = format!("{VLAN}/{}/interfaces/{}", segment(vlan), segment(&name));
        let tagging = if interface["tagged"] == json!(true) {
            "tagged"
        } else {
            "untagged"
        };
        Fields::default()
            .with("kind", kind(&format!("{VLAN}/interfaces"), "state"))
            .with("name", name.as_str())
            .with("fullPath", name.as_str())
            .with("generation", object.generation)
            .with("selfLink", device.links.to(&link))
            .with("tagMode", "none")
            .with(tagging, true)
    };
    interfaces.into_iter().flatten().map(show).collect()
}

/// Reads the `interfaces` of a VLAN as clients write them: names, or objects with a name and how it is tagged.
pub(crate) fn read_interfaces(value: &Value) -> Option<Value> {
    let items = value.as_array()?.iter().map(|item| {
        let object = item.as_object().cloned().unwrap_or_else(Map::new);
        let name = item.as_str().or_else(|| object.get("name")?.as_str())?;
        let is_tagged = object.get("tagged") == Some(&json!(true));
        Some(json!({ "name": name, "tagged": is_tagged }))
    });
    items.collect::<Option<Vec<_>>>().map(Value::from)
}

/// `net/fdb/vlan`: the VLANs, by what stands in their FDB, which is nothing (genieparser `net_fdbvlan`,
/// 14.1.2.1: without a link to records). Writes are not simulated.
pub(super) fn fdb(device: &Device, call: &Call<'_>, vlan: Option<&Address>) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    let show = |object: &Object| {
        let path = object.path();
        let link = format!("net/fdb/vlan/{}", segment(&path));
        Fields::default()
            .with("kind", kind("net/fdb/vlan", "state"))
            .with("name", object.name.as_str())
            .with("partition", object.partition())
            .with("fullPath", path)
            .with("generation", object.generation)
            .with("selfLink", device.links.to(&link))
    };
    let query = call.query()?;
    let Some(vlan) = vlan else {
        let items = device.running.all(VLAN).map(show).collect();
        let kind = kind("net/fdb/vlan", "collectionstate");
        return ok(&query.collection(device.links, kind, "net/fdb/vlan", items)?);
    };
    let object = device.running.get(VLAN, &vlan.path);
    let object = object.ok_or_else(|| Failure::not_found("FDB VLAN", &vlan.path))?;
    ok(&query.object(show(object))?)
}
