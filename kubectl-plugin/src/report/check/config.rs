//! Cilium's configuration, as far as a BIG-IP depends on it, from the data of `cilium-config`.
//!
//! Keys and their defaults are those of Cilium 1.12 to 1.20 (`Documentation/cmdref`,
//! `pkg/datapath/tunnel`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bigip_tunnel_core::node::Ipv4Net;

/// Default UDP ports of the tunnel protocols.
const VXLAN_PORT: u16 = 8472;
const GENEVE_PORT: u16 = 6081;

/// The configuration.
#[derive(Clone, Copy)]
pub(super) struct Config<'a>(pub(super) &'a BTreeMap<String, String>);

/// Whether nodes talk through a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Routing {
    /// Through one of this protocol and UDP port.
    Tunnel { protocol: String, port: u16 },
    /// Not.
    Native,
}

impl<'a> Config<'a> {
    /// The value of a key, without what YAML leaves around it.
    pub(super) fn get(self, key: &str) -> &'a str {
        self.0.get(key).map_or("", |value| value.trim())
    }

    /// Whether a switch is on; `false` where it is not mentioned.
    pub(super) fn is_on(self, key: &str) -> bool {
        self.get(key) == "true"
    }

    /// The items of a list: separated by blanks, and in newer versions by commas.
    pub(super) fn list(self, key: &str) -> Vec<&'a str> {
        let text = self.get(key);
        text.split(|separator: char| separator == ',' || separator.is_whitespace())
            .filter(|item| !item.is_empty())
            .collect()
    }

    /// How nodes talk. Until 1.13 one key, `tunnel`, said it all.
    pub(super) fn routing(self) -> Routing {
        let old = self.get("tunnel");
        if self.get("routing-mode") == "native" || old == "disabled" {
            return Routing::Native;
        }
        let protocol = match (self.get("tunnel-protocol"), old) {
            ("", "") => "vxlan",
            ("", old) => old,
            (new, _) => new,
        };
        let default = if protocol == "geneve" {
            GENEVE_PORT
        } else {
            VXLAN_PORT
        };
        // 0 stands for the default.
        let port = self.get("tunnel-port").parse().ok();
        Routing::Tunnel {
            protocol: protocol.to_owned(),
            port: port.filter(|port| *port != 0).unwrap_or(default),
        }
    }

    /// The mask of all VTEP networks, as prefix length.
    pub(super) fn vtep_prefix(self) -> Option<u8> {
        let mask = match self.get("vtep-mask") {
            "" => "255.255.255.0",
            mask => mask,
        };
        let mask: Ipv4Addr = mask.parse().ok()?;
        Ipv4Net::with_netmask(Ipv4Addr::UNSPECIFIED, mask)
            .ok()
            .map(|net| net.prefix_len())
    }

    /// The networks of pods and services that the configuration names.
    pub(super) fn cluster_networks(self) -> Vec<(&'static str, Ipv4Net)> {
        const KEYS: [&str; 3] = [
            "cluster-pool-ipv4-cidr",
            "ipv4-native-routing-cidr",
            "ipv4-service-range",
        ];
        let all = KEYS.into_iter().flat_map(|key| {
            let nets = self.list(key).into_iter();
            nets.filter_map(move |net| Some((key, net.parse().ok()?)))
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn how_nodes_talk_is_said_in_two_ways() {
        let routing = |pairs: &[(&str, &str)]| Config(&data(pairs)).routing();
        let tunnel = |protocol: &str, port| Routing::Tunnel {
            protocol: protocol.to_owned(),
            port,
        };
        assert_eq!(routing(&[]), tunnel("vxlan", 8472));
        assert_eq!(routing(&[("tunnel", "geneve")]), tunnel("geneve", 6081));
        assert_eq!(routing(&[("tunnel", "disabled")]), Routing::Native);
        assert_eq!(routing(&[("routing-mode", "native")]), Routing::Native);
        assert_eq!(
            routing(&[("routing-mode", "tunnel"), ("tunnel-port", "4789")]),
            tunnel("vxlan", 4789)
        );
        assert_eq!(routing(&[("tunnel-port", "0")]), tunnel("vxlan", 8472));
    }

    #[test]
    fn lists_are_separated_by_blanks_or_commas() {
        let data = data(&[("vtep-endpoint", " 10.0.0.1  10.0.0.2,10.0.0.3\n")]);
        let list = Config(&data).list("vtep-endpoint");
        assert_eq!(list, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert!(Config(&data).list("vtep-cidr").is_empty());
    }

    #[test]
    fn a_mask_is_24_bits_long_unless_it_is_said() {
        let prefix = |pairs: &[(&str, &str)]| Config(&data(pairs)).vtep_prefix();
        assert_eq!(prefix(&[]), Some(24));
        assert_eq!(prefix(&[("vtep-mask", "255.255.255.128")]), Some(25));
        assert_eq!(prefix(&[("vtep-mask", "255.0.255.0")]), None);
    }
}
