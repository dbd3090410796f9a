//! What becomes of a configuration in the kernel, and what has no counterpart there.

use serde_json::json;

use super::*;
use crate::config::{FloodingType, SelfIp, SimConfig, TunnelConfig};

use crate::configuration::TUNNEL as TUNNEL_TYPE;

const TUNNEL: &str = "/Common/flannel_vxlan";
const BASE_MAC: &str = "00:0c:29:35:0d:bd";

/// A device with the usual tunnel and two records.
fn config() -> SimConfig {
    SimConfig {
        tunnels: vec![
            TunnelConfig::vxlan(TUNNEL, "10.169.72.34")
                .with_record("0a:0a:0a:a9:48:ef", "10.169.72.239%0")
                .with_record("0a:0a:0a:a9:48:e9", "10.169.72.233"),
        ],
        self_ips: vec![self_ip("10.1.6.34/24", TUNNEL)],
        ..SimConfig::default()
    }
}

fn self_ip(address: &str, interface: &str) -> SelfIp {
    SelfIp {
        path: format!("/Common/{}", address.replace('/', "-")),
        address: address.to_owned(),
        vlan: interface.to_owned(),
    }
}

fn configuration(config: &SimConfig) -> Configuration {
    Configuration::new(config).unwrap()
}

fn macs() -> TunnelMacs {
    TunnelMacs {
        doubled_keys: true,
        told: BTreeMap::new(),
        seen: BTreeMap::new(),
    }
}

fn desired(configuration: &Configuration) -> Desired {
    Desired::of(configuration, BASE_MAC, &macs()).unwrap()
}

/// The only tunnel.
fn tunnel(configuration: &Configuration) -> Tunnel {
    let desired = desired(configuration);
    assert_eq!(desired.tunnels.len(), 1);
    desired.tunnels[TUNNEL].clone()
}

fn refusal(configuration: &Configuration) -> String {
    Desired::of(configuration, BASE_MAC, &macs())
        .unwrap_err()
        .to_string()
}

#[test]
fn mac_that_is_set_is_that_of_the_device() {
    let configuration = configuration(&config());
    let mut macs = macs();
    let set = |mac: &str| Some(mac.to_owned());
    macs.told
        .insert(TUNNEL.to_owned(), set("02:00:00:00:00:99"));
    let desired = Desired::of(&configuration, BASE_MAC, &macs).unwrap();
    assert_eq!(desired.tunnels[TUNNEL].device.mac, [2, 0, 0, 0, 0, 0x99]);

    // One that is not told is the device's own.
    macs.told.insert(TUNNEL.to_owned(), None);
    let desired = Desired::of(&configuration, BASE_MAC, &macs).unwrap();
    assert_eq!(desired, self::desired(&configuration));

    macs.told
        .insert(TUNNEL.to_owned(), set("01:00:5e:00:00:01"));
    let refused = Desired::of(&configuration, BASE_MAC, &macs).unwrap_err();
    assert!(refused.to_string().contains("the MAC address"), "{refused}");
}

#[test]
fn tunnel_becomes_a_device_with_its_records() {
    let tunnel = tunnel(&configuration(&config()));

    assert_eq!(tunnel.device.vni, 2);
    assert_eq!(tunnel.device.port, 8472);
    assert_eq!(tunnel.device.local, Ipv4Addr::new(10, 169, 72, 34));
    assert_eq!(tunnel.device.mac, [0x00, 0x0c, 0x29, 0x35, 0x0d, 0xbe]);
    assert!(tunnel.device.name.len() <= 15, "{}", tunnel.device.name);
    assert_eq!(tunnel.addresses, ["10.1.6.34/24".parse().unwrap()].into());
    assert_eq!(
        tunnel.records[&[0x0a, 0x0a, 0x0a, 0xa9, 0x48, 0xef]],
        Ipv4Addr::new(10, 169, 72, 239)
    );
    assert_eq!(tunnel.records.len(), 2);
}

#[test]
fn endpoint_of_two_records_is_flooded_to_once() {
    let mut configuration = configuration(&config());
    configuration.put_record(TUNNEL, "02:00:00:00:00:01", "10.169.72.239", None);
    let tunnel = tunnel(&configuration);

    assert_eq!(tunnel.records.len(), 3);
    let endpoints = [[10, 169, 72, 233], [10, 169, 72, 239]].map(Ipv4Addr::from);
    assert_eq!(tunnel.floods, endpoints.into());
}

#[test]
fn flooding_type_none_floods_to_no_endpoint() {
    let mut configuration = configuration(&config());
    configuration.set_flooding_type(TUNNEL, FloodingType::None);
    let tunnel = tunnel(&configuration);

    assert_eq!(tunnel.floods, BTreeSet::new());
    assert_eq!(tunnel.records.len(), 2);
}

#[test]
fn other_flooding_types_have_no_counterpart() {
    for flooding_type in [FloodingType::Multicast, FloodingType::Replicator] {
        let mut configuration = configuration(&config());
        configuration.set_flooding_type(TUNNEL, flooding_type);
        assert!(refusal(&configuration).contains(flooding_type.as_str()));
    }
}

#[test]
fn geneve_and_other_route_domains_have_no_counterpart() {
    for (tunnel, what) in [
        (TunnelConfig::geneve(TUNNEL, "10.169.72.34"), "Geneve"),
        (
            TunnelConfig::vxlan(TUNNEL, "10.169.72.34%1"),
            "10.169.72.34%1",
        ),
        (TunnelConfig::vxlan(TUNNEL, "fd00::1"), "fd00::1"),
        (TunnelConfig::vxlan(TUNNEL, "any"), "local address any"),
    ] {
        let config = SimConfig {
            tunnels: vec![tunnel],
            ..SimConfig::default()
        };
        let refusal = refusal(&configuration(&config));
        assert!(refusal.contains(what), "{refusal}");
    }
}

#[test]
fn second_tunnel_of_one_vni_and_port_has_no_counterpart() {
    let mut config = config();
    let second = TunnelConfig::vxlan("/Common/second", "10.169.72.35");
    config.tunnels.push(second);
    let refusal = refusal(&configuration(&config));

    assert!(refusal.contains("VNI 2 on UDP port 8472"), "{refusal}");
}

#[test]
fn record_of_no_unicast_address_has_no_counterpart() {
    for mac in [
        "01:00:5e:00:00:01",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
    ] {
        let mut configuration = configuration(&config());
        configuration.put_record(TUNNEL, mac, "10.169.72.240", None);
        let refusal = refusal(&configuration);
        assert!(refusal.contains(mac), "{refusal}");
    }
}

#[test]
fn number_that_the_kernel_lacks_has_no_counterpart() {
    for (change, what) in [
        (
            (|tunnel| tunnel.key = 0x0100_0000) as fn(&mut TunnelConfig),
            "the key 16777216",
        ),
        (|tunnel| tunnel.profile.port = 0, "the port"),
    ] {
        let mut config = config();
        config.tunnels.iter_mut().for_each(change);
        let refusal = refusal(&configuration(&config));
        assert!(refusal.contains(what), "{refusal}");
    }
}

#[test]
fn greatest_vni_has_a_counterpart() {
    let mut config = config();
    config.tunnels[0].key = 0x00ff_ffff;
    assert_eq!(tunnel(&configuration(&config)).device.vni, 0x00ff_ffff);
}

#[test]
fn mtu_that_the_kernel_lacks_has_no_counterpart() {
    for (mtu, is_supported) in [(67, false), (68, true), (65_535, true), (65_536, false)] {
        let mut configuration = configuration(&config());
        let mut changed = configuration.get(TUNNEL_TYPE, TUNNEL).unwrap().clone();
        changed.values.insert("mtu", json!(mtu));
        configuration.put(TUNNEL_TYPE, changed);
        let result = Desired::of(&configuration, BASE_MAC, &macs());
        assert_eq!(result.is_ok(), is_supported, "{mtu}: {result:?}");
    }
}

#[test]
fn route_to_the_network_of_a_self_ip_has_no_counterpart() {
    let mut configuration = configuration(&config());
    configuration
        .add_route("/Common/near", "10.1.6.0/24", TUNNEL)
        .unwrap();
    let refusal = refusal(&configuration);
    assert!(refusal.contains("the route to 10.1.6.0/24"), "{refusal}");
}

#[test]
fn gateway_that_is_no_other_host_has_no_counterpart() {
    for gateway in ["10.1.6.0", "10.1.6.34", "10.1.6.255"] {
        let mut configuration = configuration(&config());
        let mut route = Object::named("/Common", "far");
        for (property, value) in [("network", "10.0.0.0/16"), ("gw", gateway)] {
            route.values.insert(property, json!(value));
        }
        configuration.put(ROUTE, route);
        let refusal = refusal(&configuration);
        assert!(refusal.contains(gateway), "{refusal}");
    }
}

#[test]
fn record_that_names_no_ipv4_endpoint_is_left_out() {
    let mut configuration = configuration(&config());
    for (mac, endpoint) in [
        ("02:00:00:00:00:01", "10.169.72.240%1"),
        ("02:00:00:00:00:02", "fd00::1"),
        ("02:00:00:00:00:03", ""),
        ("02:00:00:00:00", "10.169.72.240"),
    ] {
        configuration.put_record(TUNNEL, mac, endpoint, None);
    }

    assert_eq!(tunnel(&configuration).records.len(), 2);
}

#[test]
fn built_in_tunnels_and_vlans_are_left_out() {
    let mut config = config();
    config.tunnels.clear();
    config.self_ips = vec![self_ip("10.169.72.34/24", "/Common/external")];
    let mut configuration = configuration(&config);
    configuration
        .add_route("/Common/r", "10.2.0.0/16", "/Common/external")
        .unwrap();

    assert_eq!(desired(&configuration), Desired::default());
}

#[test]
fn route_goes_into_the_tunnel_or_to_its_gateway() {
    let mut configuration = configuration(&config());
    configuration
        .add_route("/Common/pods", "10.0.0.7/16", TUNNEL)
        .unwrap();
    let mut by_gateway = Object::named("/Common", "far");
    for (property, value) in [("network", "default"), ("gw", "10.1.6.1")] {
        by_gateway.values.insert(property, json!(value));
    }
    configuration.put(ROUTE, by_gateway);
    let routes = desired(&configuration).routes;

    let pods = &routes[&"10.0.0.0/16".parse().unwrap()];
    assert_eq!((pods.tunnel.as_str(), pods.gateway), (TUNNEL, None));
    let far = &routes[&"0.0.0.0/0".parse().unwrap()];
    assert_eq!(far.gateway, Some(Ipv4Addr::new(10, 1, 6, 1)));
    assert_eq!(routes.len(), 2);
}

#[test]
fn self_ip_of_ipv6_on_the_tunnel_has_no_counterpart() {
    let mut config = config();
    config.self_ips.push(self_ip("fd00::1/64", TUNNEL));

    assert!(refusal(&configuration(&config)).contains("fd00::1/64"));
}
