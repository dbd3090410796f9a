//! `net/self`: the self IPs of the device.

use serde_json::Value;

use super::checks::{known_domain_id, refuse_twins};
use super::tunnels::{LOCAL_ONLY, TRAFFIC_GROUPS};
use crate::addresses::{Network, host_in_network};
use crate::configuration::{Configuration, Object, SELF_IP, TUNNEL, VLAN};
use crate::failure::Failure;
use crate::schema::{Property, Reference, Schema, Shape, Writing};

/// Tunnels and VLANs, as other objects name them.
pub(super) const INTERFACES: Reference = Reference {
    resources: &[TUNNEL, VLAN],
    label: "VLAN",
    others: &[],
};

/// A self IP (genieparser `net_self` 14.1.2.1; one on a tunnel was made on 12.1.2).
pub(super) static SELF_IPS: Schema = Schema {
    resource: SELF_IP,
    label: "self IP",
    properties: &[
        Property::new("address", Shape::Address(host_in_network))
            .required()
            .written(Writing::Kept),
        Property::new("addressSource", Shape::Text)
            .or("from-user")
            .written(Writing::Device),
        Property::new("floating", Shape::Text)
            .or("disabled")
            .written(Writing::Device),
        Property::new("inheritedTrafficGroup", Shape::Text)
            .or("false")
            .written(Writing::Device),
        Property::new("trafficGroup", Shape::Reference(TRAFFIC_GROUPS)).or(LOCAL_ONLY),
        Property::new("unit", Shape::Count(1))
            .or_number(0)
            .written(Writing::Device),
        Property::new("vlan", Shape::Reference(INTERFACES))
            .required()
            .written(Writing::Kept),
        // *Assumed*: without it no service is let in, and it is not shown.
        Property::new("allowService", Shape::Services),
    ],
    derive: |_, self_ip| {
        // Floating with unit 1 in a traffic group of the pair (dump of 11.5), else not.
        let floats = floats(self_ip);
        let floating = if floats { "enabled" } else { "disabled" };
        self_ip.values.insert("floating", Value::from(floating));
        self_ip.values.insert("unit", Value::from(u8::from(floats)));
    },
    check: check_self_ip,
    // *Assumed*: what does not float stays on its device.
    is_synced: floats,
    ..Schema::PLAIN
};

fn floats(self_ip: &Object) -> bool {
    self_ip.text("trafficGroup").unwrap_or(LOCAL_ONLY) != LOCAL_ONLY
}

fn check_self_ip(configuration: &Configuration, self_ip: &Object) -> Result<(), Failure> {
    let address = self_ip.text("address").unwrap_or_default();
    let interface = self_ip.text("vlan").unwrap_or_default();
    let domain = Network::parse(address).map_or(0, |network| network.domain);
    known_domain_id(configuration, domain)?;
    // That it is refused: OSA PR#2043. *Assumed* in status and wording.
    if configuration.domain_of(interface) != Some(domain) {
        let path = self_ip.path();
        return Err(Failure::configuration(&format!(
            "The self IP ({path}) and its VLAN ({interface}) cannot be in different route domain."
        )));
    }
    refuse_twins(configuration, SELF_IP, "address", self_ip)
}
