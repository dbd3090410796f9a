//! `ltm`: virtual servers, their pools and the addresses that they send from, as far as a tunnel has to do
//! with them. They can be read, and are made by tests alone.

use serde_json::Value;

use super::Device;
use crate::configuration::{POOL, SNAT_POOL, VIRTUAL_SERVER};
use crate::schema::{Property, Reference, Schema, Shape, Writes};
use crate::wire::{Fields, kind, segment};

/// A virtual server (ANS and FCP, 12.1.2: `pool` as a path, `sourceAddressTranslation` as an object with
/// `type` and, for `snat`, `pool`).
pub(super) static VIRTUAL_SERVERS: Schema = Schema {
    resource: VIRTUAL_SERVER,
    label: "Virtual Server",
    writes: Writes::None,
    properties: &[
        Property::new(
            "pool",
            Shape::Reference(Reference {
                resources: &[POOL],
                label: "pool",
                others: &[],
                in_folder: None,
            }),
        ),
        Property::new("sourceAddressTranslation", Shape::Told),
    ],
    ..Schema::PLAIN
};

/// A pool. Its members are a list of its own (ANS and FCP, 11.6).
pub(super) static POOLS: Schema = Schema {
    resource: POOL,
    label: "Pool",
    writes: Writes::None,
    properties: &[],
    subcollection: Some("members"),
    ..Schema::PLAIN
};

/// A SNAT pool: `members` are the paths of SNAT translations, which are called after their address (FCP;
/// *assumed* for every version).
pub(super) static SNAT_POOLS: Schema = Schema {
    resource: SNAT_POOL,
    label: "SNAT pool",
    writes: Writes::None,
    properties: &[Property::new("members", Shape::Told)],
    ..Schema::PLAIN
};

/// The members of a pool, all on port 80.
pub(super) fn members(device: &Device, path: &str) -> Vec<Fields> {
    let pool = device.running.get(POOL, path);
    let addresses = pool.and_then(|pool| pool.values.get("addresses")?.as_array());
    let of = |address: &Value| {
        let address = address.as_str().unwrap_or_default();
        let name = format!("{address}:80");
        let link = format!(
            "{POOL}/{}/members/{}",
            segment(path),
            segment(&format!("/Common/{name}"))
        );
        Fields::default()
            .with("kind", kind("ltm/pool/members", "state"))
            .with("name", name.as_str())
            .with("partition", "Common")
            .with("fullPath", format!("/Common/{name}"))
            .with("selfLink", device.links.to(&link))
            .with("address", address)
    };
    addresses.into_iter().flatten().map(of).collect()
}
