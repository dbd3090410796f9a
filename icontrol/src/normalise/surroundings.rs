//! What stands around a tunnel, out of what a unit says. What is not IPv4 is left out: a tunnel of
//! Cilium has nothing to do with it.

use std::net::Ipv4Addr;

use bigip_tunnel_core::endpoint::RouteDomain;
use ipnet::Ipv4Net;

use super::{heap, parse};
use crate::collection::Member;
use crate::error::{Mismatch, clean};
use crate::surroundings::{Pools, Route, SelfIp, SnatPools, Translation, VirtualServer};
use crate::wire;

impl Member for wire::Route {
    const KIND: &'static str = "tm:net:route:routecollectionstate";
    const LIST: &'static str = "list of routes";

    fn heap_bytes(&self) -> usize {
        self.full_path.capacity() + self.network.capacity() + heap(self.tm_interface.as_ref())
    }
}

impl Member for wire::VirtualServer {
    const KIND: &'static str = "tm:ltm:virtual:virtualcollectionstate";
    const LIST: &'static str = "list of virtual servers";

    fn heap_bytes(&self) -> usize {
        let translation = self.source_address_translation.as_ref();
        let translation = translation.map_or(0, |t| t.kind.capacity() + heap(t.pool.as_ref()));
        self.full_path.capacity() + heap(self.pool.as_ref()) + translation
    }
}

impl Member for wire::Pool {
    const KIND: &'static str = "tm:ltm:pool:poolcollectionstate";
    const LIST: &'static str = "list of pools";

    fn heap_bytes(&self) -> usize {
        let members = &self.members_reference.items;
        let addresses: usize = members
            .iter()
            .map(|member| heap(member.address.as_ref()))
            .sum();
        self.full_path.capacity() + members.capacity() * size_of::<wire::PoolMember>() + addresses
    }
}

impl Member for wire::SnatPool {
    const KIND: &'static str = "tm:ltm:snatpool:snatpoolcollectionstate";
    const LIST: &'static str = "list of SNAT pools";

    fn heap_bytes(&self) -> usize {
        let paths: usize = self.members.iter().map(String::capacity).sum();
        self.full_path.capacity() + self.members.capacity() * size_of::<String>() + paths
    }
}

pub(crate) fn self_ips(all: Vec<wire::SelfIp>) -> Vec<SelfIp> {
    let self_ip = |item: wire::SelfIp| {
        let (address, route_domain) = network(&item.address?)?;
        Some(SelfIp {
            path: clean(&item.full_path.unwrap_or_default()),
            address,
            route_domain,
            interface: clean(&item.vlan?),
            floats: item.floating.as_deref() == Some("enabled"),
            lets_in: item.allow_service == wire::Services::Some,
        })
    };
    all.into_iter().filter_map(self_ip).collect()
}

pub(crate) fn routes(all: Vec<wire::Route>) -> Vec<Route> {
    let route = |item: wire::Route| {
        let (network, route_domain) = network(&item.network)?;
        Some(Route {
            path: clean(&item.full_path),
            network: network.trunc(),
            route_domain,
            interface: item.tm_interface.map(|interface| clean(&interface)),
        })
    };
    all.into_iter().filter_map(route).collect()
}

pub(crate) fn virtual_servers(all: Vec<wire::VirtualServer>) -> Vec<VirtualServer> {
    let translation = |written: Option<wire::Translation>| match written {
        None => Translation::None,
        Some(written) => match (&*written.kind, written.pool) {
            ("none", _) => Translation::None,
            ("automap", _) => Translation::Automap,
            ("snat", Some(pool)) => Translation::Pool(clean(&pool)),
            _ => Translation::Other,
        },
    };
    let server = |item: wire::VirtualServer| VirtualServer {
        path: clean(&item.full_path),
        pool: item.pool.map(|pool| clean(&pool)),
        translation: translation(item.source_address_translation),
    };
    all.into_iter().map(server).collect()
}

pub(crate) fn pools(all: Vec<wire::Pool>) -> Pools {
    let pool = |item: wire::Pool| {
        let members = item.members_reference.items.into_iter();
        let addresses = members.filter_map(|member| address(&member.address?));
        (clean(&item.full_path), addresses.collect())
    };
    all.into_iter().map(pool).collect()
}

pub(crate) fn snat_pools(all: Vec<wire::SnatPool>) -> SnatPools {
    let pool = |item: wire::SnatPool| {
        let names = item.members.iter();
        let addresses = names.map(|path| address(path.rsplit('/').next()?));
        (clean(&item.full_path), addresses.collect())
    };
    all.into_iter().map(pool).collect()
}

pub(crate) fn sync_status(body: &[u8]) -> Result<String, Mismatch> {
    const RESOURCE: &str = "sync status";
    let stats: wire::Stats = parse(RESOURCE, body)?;
    let mut entries = stats.entries.into_values();
    let found = entries.find_map(|entry| {
        let mut fields = entry.nested_stats.entries;
        fields.remove("status")?.description
    });
    found.map(|text| clean(&text)).ok_or(Mismatch::Property {
        resource: RESOURCE,
        property: "status",
    })
}

/// An address without its route domain.
fn address(text: &str) -> Option<Ipv4Addr> {
    text.split('%').next()?.parse().ok()
}

/// A network with a route domain (`10.0.0.0%2/16`), or the word for all of them (`default`, `default%2`).
fn network(text: &str) -> Option<(Ipv4Net, RouteDomain)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, length.parse().ok()?),
        None if text == "default" || text.starts_with("default%") => (text, 0),
        None => (text, 32),
    };
    let (address, domain) = match address.split_once('%') {
        Some((address, domain)) => (address, domain.parse().ok()?),
        None => (address, RouteDomain::ZERO),
    };
    let address = match address {
        "default" => Ipv4Addr::UNSPECIFIED,
        address => address.parse().ok()?,
    };
    Some((Ipv4Net::new(address, length).ok()?, domain))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read<T: serde::de::DeserializeOwned>(items: Value) -> Vec<T> {
        serde_json::from_value(items).unwrap()
    }

    #[test]
    fn network_may_have_a_route_domain() {
        let parsed = |text: &str| network(text).map(|(net, rd)| (net.to_string(), rd.to_string()));
        let expected = |net: &str, rd: &str| Some((net.to_owned(), rd.to_owned()));
        assert_eq!(parsed("10.0.0.0%2/16"), expected("10.0.0.0/16", "2"));
        assert_eq!(parsed("10.1.6.34/24"), expected("10.1.6.34/24", "0"));
        assert_eq!(parsed("default"), expected("0.0.0.0/0", "0"));
        assert_eq!(parsed("default%2"), expected("0.0.0.0/0", "2"));
        for text in ["default-inet6", "fd00::/64", "10.0.0.0/33", "x/8"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn self_ip_without_services_admits_nothing() {
        let of = |services: Value| {
            let item = json!({
                "fullPath": "/Common/s", "address": "10.1.6.34/24", "vlan": "/Common/t",
                "floating": "enabled", "allowService": services,
            });
            let all = self_ips(read(json!([item])));
            (all[0].lets_in, all[0].floats)
        };
        assert_eq!(of(json!(["default"])), (true, true));
        assert_eq!(of(json!("all")), (true, true));
        assert_eq!(of(Value::Null), (false, true));
        assert_eq!(of(json!("none")), (false, true));
    }

    #[test]
    fn source_address_translation_is_read() {
        let of = |translation: Value| {
            let item = json!({"fullPath": "/Common/v", "sourceAddressTranslation": translation});
            virtual_servers(read(json!([item])))[0].translation.clone()
        };
        assert_eq!(of(json!({"type": "none"})), Translation::None);
        assert_eq!(of(json!({"type": "automap"})), Translation::Automap);
        let pool = json!({"type": "snat", "pool": "/Common/p"});
        assert_eq!(of(pool), Translation::Pool("/Common/p".to_owned()));
        assert_eq!(of(json!({"type": "lsn"})), Translation::Other);
        assert_eq!(of(Value::Null), Translation::None);
    }

    #[test]
    fn members_without_an_ipv4_address_are_kept_as_none() {
        let item =
            json!({"fullPath": "/Common/p", "members": ["/Common/10.1.6.5%1", "/Common/named"]});
        let all = snat_pools(read(json!([item])));
        assert_eq!(all["/Common/p"], [Some(Ipv4Addr::new(10, 1, 6, 5)), None]);
        let items = json!([{"address": "10.0.1.5"}, {"address": "any6"}, {}]);
        let item = json!({"fullPath": "/Common/p", "membersReference": {"items": items}});
        let all = pools(read(json!([item, {"fullPath": "/Common/q"}])));
        assert_eq!(all["/Common/p"], [Ipv4Addr::new(10, 0, 1, 5)]);
        assert!(all["/Common/q"].is_empty());
    }
}
