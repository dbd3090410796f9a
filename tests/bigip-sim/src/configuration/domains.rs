//! Which interface, tunnel or VLAN, is in which route domain.
//!
//! Every interface is in one, and the built-in domain 0 takes those that are in no other (*assumed* of
//! what a domain's list lets go; recorded of the built-in tunnels, genieparser `net_route_domain`).

use serde_json::Value;

use super::{Configuration, Object, PARTITION, ROUTE_DOMAIN, TUNNEL, VLAN};
use crate::validate;

/// The route domain that every device has.
pub(crate) const DOMAIN_0: &str = "/Common/0";

impl Configuration {
    /// The route domain with this number.
    pub(crate) fn domain(&self, id: u16) -> Option<&Object> {
        let mut domains = self.all(ROUTE_DOMAIN);
        domains.find(|domain| domain.number("id") == Some(id.into()))
    }

    /// The number of the route domain that an interface is in.
    pub(crate) fn domain_of(&self, interface: &str) -> Option<u16> {
        let mut domains = self.all(ROUTE_DOMAIN);
        let domain = domains.find(|domain| list(domain).any(|member| member == interface))?;
        domain.number("id")?.try_into().ok()
    }

    /// Makes the route domain of an address if it is not there.
    pub(super) fn add_domain_of(&mut self, address: &str) {
        let Some(id) = validate::local_route_domain(address) else {
            return;
        };
        if self.domain(id).is_none() {
            let domain = Object::named("/Common", &id.to_string()).with("id", id);
            self.put(ROUTE_DOMAIN, domain);
        }
    }

    /// Puts a new interface into the default route domain of its partition (*assumed*).
    pub(crate) fn attach(&mut self, interface: &str) {
        let partition = self.get(PARTITION, super::partition(interface));
        let id = partition.and_then(|partition| partition.number("defaultRouteDomain"));
        let id = id.and_then(|id| u16::try_from(id).ok()).unwrap_or_default();
        let domain = self.domain(id).map_or(DOMAIN_0.to_owned(), Object::path);
        self.change_list(&domain, |list| list.push(interface.into()));
    }

    /// Takes an interface that is gone off the list of its route domain.
    pub(crate) fn detach(&mut self, interface: &str) {
        let domains: Vec<String> = self.all(ROUTE_DOMAIN).map(Object::path).collect();
        for domain in domains {
            self.change_list(&domain, |list| list.retain(|member| member != interface));
        }
    }

    /// Takes the interfaces of this route domain off all other lists, and puts those that are on none now
    /// on that of domain 0.
    pub(crate) fn settle_domains(&mut self, written: &str) {
        let members: Vec<Value> = self
            .get(ROUTE_DOMAIN, written)
            .map_or(Vec::new(), |domain| list(domain).map(Value::from).collect());
        let domains: Vec<String> = self.all(ROUTE_DOMAIN).map(Object::path).collect();
        for domain in domains.iter().filter(|domain| *domain != written) {
            self.change_list(domain, |list| {
                list.retain(|member| !members.contains(member));
            });
        }
        let interfaces = self.all(TUNNEL).chain(self.all(VLAN)).map(Object::path);
        let lost: Vec<String> = interfaces
            .filter(|interface| self.domain_of(interface).is_none())
            .collect();
        self.change_list(DOMAIN_0, |list| {
            list.extend(lost.into_iter().map(Value::from));
        });
    }

    fn change_list(&mut self, domain: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let Some(object) = self.edit(ROUTE_DOMAIN, domain) else {
            return;
        };
        let vlans = object
            .values
            .entry("vlans")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = vlans {
            change(list);
        }
    }
}

fn list(domain: &Object) -> impl Iterator<Item = &str> {
    let vlans = domain.values.get("vlans").and_then(Value::as_array);
    vlans.into_iter().flatten().filter_map(Value::as_str)
}
