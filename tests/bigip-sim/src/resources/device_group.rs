//! `cm/device-group`: which devices share a configuration; for reading.

use hyper::Method;

use super::objects::Address;
use super::{Answer, Call, Device, ok};
use crate::configuration::DEVICE_GROUP;
use crate::failure::Failure;
use crate::schema::{Property, Schema, Shape, Writes};
use crate::wire::{Fields, kind, segment};

/// A group (genieparser `cm_device_group`, 14.1.2.1).
pub(super) static DEVICE_GROUPS: Schema = Schema {
    resource: DEVICE_GROUP,
    label: "device group",
    writes: Writes::None,
    properties: &[
        Property::new("asmSync", Shape::Text).or("disabled"),
        Property::new("autoSync", Shape::Text).or("disabled"),
        Property::new("fullLoadOnSync", Shape::Text).or("false"),
        Property::new("incrementalConfigSyncSizeMax", Shape::Count(u32::MAX)).or_number(1024),
        Property::new("networkFailover", Shape::Text).or("disabled"),
        Property::new("saveOnAutoSync", Shape::Text).or("false"),
        Property::new("type", Shape::Text).or("sync-only"),
    ],
    subcollection: Some("devices"),
    ..Schema::PLAIN
};

/// `cm/device-group/G/devices`, all or one of them.
pub(super) fn devices(
    device: &Device,
    call: &Call<'_>,
    group: &Address,
    name: Option<&str>,
) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    let path = group.path.as_str();
    if !device.running.has(DEVICE_GROUP, path) {
        return Err(Failure::not_found(DEVICE_GROUPS.label, path));
    }
    let (query, items) = (call.query()?, members(device, path));
    let Some(name) = name else {
        let kind = kind(&format!("{DEVICE_GROUP}/devices"), "collectionstate");
        let path = format!("{DEVICE_GROUP}/{}/devices", segment(path));
        return ok(&query.collection(device.links, kind, &path, items)?);
    };
    let member = name.replace('~', "/");
    let found = items
        .into_iter()
        .find(|item| item.text("fullPath") == Some(&member));
    ok(&query.object(found.ok_or_else(|| Failure::object_not_found(&member))?)?)
}

/// The devices of a group. *Assumed*: each has the fields of other sub-collection items that name an
/// object (profiles of a virtual server, ANS fixture), and all devices are in all groups but `gtm`.
pub(super) fn members(device: &Device, group: &str) -> Vec<Fields> {
    if group == "/Common/gtm" {
        return Vec::new();
    }
    let peers = device.peers.iter().map(|peer| peer.hostname.as_str());
    let hostnames = [device.hostname.as_str()].into_iter().chain(peers);
    let show = |hostname: &str| {
        let path = segment(&format!("/Common/{hostname}"));
        let link = format!("{DEVICE_GROUP}/{}/devices/{path}", segment(group));
        Fields::default()
            .with("kind", kind(&format!("{DEVICE_GROUP}/devices"), "state"))
            .with("name", hostname)
            .with("partition", "Common")
            .with("fullPath", format!("/Common/{hostname}"))
            .with("generation", 1)
            .with("selfLink", device.links.to(&link))
            .with_object(
                "nameReference",
                device.links.reference(&format!("cm/device/{path}")),
            )
    };
    hostnames.map(show).collect()
}
