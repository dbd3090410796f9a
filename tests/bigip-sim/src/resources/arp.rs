//! `net/arp`: static ARP entries.

use hyper::Method;

use super::checks::{known_domain, refuse_twins};
use super::{Answer, Call, Device, objects, ok};
use crate::addresses;
use crate::configuration::ARP;
use crate::schema::{Property, Schema, Shape, Writing};
use crate::wire::kind;

/// A static entry (CCCL fixture). That its address stays is what CCCL and FCP hold to.
pub(super) static ENTRIES: Schema = Schema {
    resource: ARP,
    label: "ARP entry",
    properties: &[
        Property::new("ipAddress", Shape::Address(addresses::address))
            .required()
            .written(Writing::Once),
        Property::new("macAddress", Shape::Mac).required(),
    ],
    check: |configuration, entry| {
        known_domain(configuration, entry.text("ipAddress").unwrap_or_default())?;
        refuse_twins(configuration, ARP, "ipAddress", entry)
    },
    // Nor are FDB records (CIDOCS).
    is_synced: |_, _| false,
    ..Schema::PLAIN
};

/// The list, which one version cannot show.
pub(super) fn collection(device: &mut Device, call: &Call<'_>) -> Answer {
    let links = device.links;
    if *call.method == Method::GET && links.version().hides_static_arp() {
        let kind = kind(ARP, "collectionstate");
        return ok(&call.query()?.collection(links, kind, ARP, Vec::new())?);
    }
    objects::collection(device, call, &ENTRIES)
}
