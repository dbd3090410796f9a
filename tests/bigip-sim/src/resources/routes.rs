//! `net/route` and `net/route-domain`.

use serde_json::Value;

use super::checks::{known_domain_id, near_interface};
use super::self_ip::INTERFACES;
use crate::addresses::{self, Network, destination, destination_domain};
use crate::configuration::{Configuration, Object, PARTITION, ROUTE, ROUTE_DOMAIN, SELF_IP};
use crate::failure::Failure;
use crate::schema::{Property, Reference, Schema, Shape, Writing};

/// A route (genieparser `net_route` 14.1.2.1; one over a tunnel was made on 12.1.2).
pub(super) static ROUTES: Schema = Schema {
    resource: ROUTE,
    label: "route",
    properties: &[
        Property::new("description", Shape::Text),
        Property::new("gw", Shape::Address(addresses::address)),
        Property::new("tmInterface", Shape::Reference(INTERFACES)),
        Property::new("mtu", Shape::Count(65535)).or_number(0),
        Property::new("network", Shape::Address(destination))
            .required()
            .written(Writing::Once),
    ],
    check: check_route,
    ..Schema::PLAIN
};

/// A route domain (genieparser `net_route_domain`, 14.1.2.1).
pub(super) static ROUTE_DOMAINS: Schema = Schema {
    resource: ROUTE_DOMAIN,
    label: "route domain",
    properties: &[
        Property::new("connectionLimit", Shape::Count(u32::MAX)).or_number(0),
        Property::new("description", Shape::Text),
        // Up to here: F5Networks/terraform-provider-bigip#1174.
        Property::new("id", Shape::Count(65534))
            .required()
            .written(Writing::Kept),
        Property::new("parent", Shape::Reference(PARENTS)),
        Property::new("strict", Shape::Word(&["enabled", "disabled"])).or("enabled"),
        Property::new("throughputCapacity", Shape::Text)
            .or("infinite")
            .written(Writing::Fixed),
        Property::new("vlans", Shape::References(INTERFACES)),
    ],
    check: check_domain,
    check_delete: check_domain_unused,
    stored: |configuration, domain, _| configuration.settle_domains(&domain.path()),
    deleted: |configuration, domain| configuration.settle_domains(&domain.path()),
    shown: |version, property, value| match property.name {
        "throughputCapacity" if !version.spells_capacity() => Some(Value::from(0)),
        _ => Some(value),
    },
    ..Schema::PLAIN
};

const PARENTS: Reference = Reference {
    resources: &[ROUTE_DOMAIN],
    label: "route domain",
    others: &[],
    in_folder: None,
};

fn check_route(configuration: &Configuration, route: &Object) -> Result<(), Failure> {
    let network = route.text("network").unwrap_or_default();
    known_domain_id(
        configuration,
        destination_domain(network).unwrap_or_default(),
    )?;
    match (route.text("gw"), route.text("tmInterface")) {
        (Some(gateway), None) if near_interface(configuration, gateway).is_none() => {
            Err(Failure::far_gateway(gateway))
        }
        (Some(_), None) | (None, Some(_)) => Ok(()),
        // *Assumed* in status and wording. Pools and black holes, which a device knows besides, are not
        // simulated.
        (None, None) => Err(Failure::missing(
            "route",
            &route.path(),
            "gw or tmInterface",
        )),
        (Some(_), Some(_)) => {
            let path = route.path();
            let message = format!("The route ({path}) cannot have both gw and tmInterface.");
            Err(Failure::configuration(&message))
        }
    }
}

fn check_domain(configuration: &Configuration, domain: &Object) -> Result<(), Failure> {
    let (id, path) = (domain.number("id"), domain.path());
    let mut others = configuration
        .all(ROUTE_DOMAIN)
        .filter(|other| other.path() != path);
    if others.any(|other| other.number("id") == id) {
        // The words are recorded, what is before them is *assumed*.
        return Err(Failure::configuration("the domain id already exists"));
    }
    Ok(())
}

fn check_domain_unused(configuration: &Configuration, domain: &Object) -> Result<(), Failure> {
    let id = domain.number("id").unwrap_or_default();
    let mut partitions = configuration.all(PARTITION);
    let is_default = |it: &&Object| it.number("defaultRouteDomain") == Some(id);
    if let Some(partition) = partitions.find(is_default) {
        return Err(Failure::default_domain(id, &partition.path()));
    }
    let networks = configuration
        .all(SELF_IP)
        .filter_map(|self_ip| Network::parse(self_ip.text("address")?));
    if networks
        .into_iter()
        .any(|network| u64::from(network.domain) == id)
    {
        // The words are recorded, what is before them is *assumed*.
        let path = domain.path();
        let message = format!("The route domain ({path}) is referenced by one or more self IPs");
        return Err(Failure::configuration(&message));
    }
    Ok(())
}
