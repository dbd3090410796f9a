//! Rules that hold between objects of more than one kind.

use crate::addresses::Network;
use crate::configuration::{Configuration, Object, SELF_IP};
use crate::failure::Failure;
use crate::validate;

/// Refuses an address in a route domain that is not there (that it is a 404 and its words: OSA).
pub(super) fn known_domain(configuration: &Configuration, address: &str) -> Result<(), Failure> {
    let domain = validate::local_route_domain(address).unwrap_or_default();
    known_domain_id(configuration, domain)
}

/// The same of its number.
pub(super) fn known_domain_id(configuration: &Configuration, id: u16) -> Result<(), Failure> {
    match configuration.domain(id) {
        Some(_) => Ok(()),
        None => Err(Failure::not_found("route domain", &id.to_string())),
    }
}

/// Two objects of a kind with one address: that a device refuses it is known of nodes only.
pub(super) fn refuse_twins(
    configuration: &Configuration,
    resource: &str,
    property: &str,
    object: &Object,
) -> Result<(), Failure> {
    let (own, path) = (object.text(property), object.path());
    let mut others = configuration
        .all(resource)
        .filter(|other| other.path() != path);
    if others.any(|other| other.text(property) == own) {
        let own = own.unwrap_or_default();
        let what = format!("a second object of {resource} with the {property} {own}");
        return Err(Failure::not_simulated(&what));
    }
    Ok(())
}

/// Refuses to delete what an object of these resources names in this property.
pub(super) fn refuse_users(
    configuration: &Configuration,
    (label, path): (&str, &str),
    users: &[(&str, &str, &str)],
) -> Result<(), Failure> {
    for (resource, property, user_label) in users {
        let mut objects = configuration.all(resource);
        if let Some(user) = objects.find(|user| user.text(property) == Some(path)) {
            return Err(Failure::in_use(label, path, user_label, &user.path()));
        }
    }
    Ok(())
}

/// The interface of the first self IP that has this address in its network.
pub(super) fn near_interface<'a>(
    configuration: &'a Configuration,
    address: &str,
) -> Option<&'a str> {
    configuration.all(SELF_IP).find_map(|self_ip| {
        let network = Network::parse(self_ip.text("address")?)?;
        let interface = self_ip.text("vlan")?;
        network.contains(address).then_some(interface)
    })
}
