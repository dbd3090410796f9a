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
    in_folder: None,
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
        // In the 12.0 schema (SWG).
        Property::new("description", Shape::Text),
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
    is_synced: |_, self_ip| floats(self_ip),
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
    // That it is refused, and the words from `must` on: OSA (`selfips.py`, PR#2043). The rest is *assumed*.
    if configuration.domain_of(interface) != Some(domain) {
        let path = self_ip.path();
        return Err(Failure::configuration(&format!(
            "The VLAN ({interface}) of the self IP ({path}) must be one of the vlans in the associated \
             route domain ({domain})."
        )));
    }
    refuse_twins(configuration, SELF_IP, "address", self_ip)?;
    refuse_second_vlan(configuration, self_ip)
}

/// A network is on one VLAN, or tunnel, only (CIS#804).
fn refuse_second_vlan(configuration: &Configuration, self_ip: &Object) -> Result<(), Failure> {
    let network = |object: &Object| Network::parse(object.text("address")?);
    let (own, path) = (network(self_ip), self_ip.path());
    let interface = self_ip.text("vlan").unwrap_or_default();
    let mut others = configuration.all(SELF_IP).filter(|it| it.path() != path);
    let other = others.find_map(|other| {
        let other_interface = other.text("vlan").filter(|it| *it != interface)?;
        own?.is_same_network(network(other)?)
            .then_some(other_interface)
    });
    match (own, other) {
        (Some(own), Some(other)) => Err(Failure::two_vlans(&own.with_mask(), interface, other)),
        _ => Ok(()),
    }
}
