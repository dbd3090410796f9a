//! Values of Cilium's configuration, read as Cilium reads them.
//!
//! Keys and their defaults are those of Cilium 1.12 to 1.20 (`Documentation/cmdref`,
//! `pkg/datapath/tunnel`). Must not know where a value comes from.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_core::unit::Encapsulation;

/// Default UDP ports of the tunnel protocols.
const VXLAN_PORT: u16 = 8472;
const GENEVE_PORT: u16 = 6081;

/// Values by key.
#[derive(Clone, Copy)]
pub struct Config<'a>(pub &'a BTreeMap<String, String>);

/// Whether nodes talk through a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// Through one of this protocol and UDP port.
    Tunnel {
        /// The protocol.
        protocol: Encapsulation,
        /// The UDP port.
        port: u16,
    },
    /// Without one.
    Native,
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It is on.
    On,
    /// It is off, or not mentioned.
    Off,
    /// The value is not a boolean.
    Invalid,
}

/// How addresses get to pods, as far as the networks of pods depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipam {
    /// Cilium cuts the nodes' networks out of a pool.
    Pool,
    /// Kubernetes gives each node its network (`Node.spec.podCIDRs`).
    Kubernetes,
    /// A cloud, a plugin, or something not known here.
    Other,
}

impl<'a> Config<'a> {
    /// The value of a key without surrounding blanks; empty where the key is missing.
    pub fn get(self, key: &str) -> &'a str {
        self.0.get(key).map_or("", |value| value.trim())
    }

    /// A switch, in every spelling of Go's `ParseBool`.
    pub fn switch(self, key: &str) -> Switch {
        match self.get(key) {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Switch::On,
            "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Switch::Off,
            _ => Switch::Invalid,
        }
    }

    /// Whether a switch is on.
    pub fn is_on(self, key: &str) -> bool {
        self.switch(key) == Switch::On
    }

    /// The items of a list: separated by blanks, commas or newlines, or a list in JSON.
    pub fn list(self, key: &str) -> Vec<String> {
        let text = self.get(key);
        if text.starts_with('[')
            && let Ok(items) = serde_json::from_str::<Vec<String>>(text)
        {
            return items;
        }
        text.split(|separator: char| separator == ',' || separator.is_whitespace())
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// How nodes talk. Until 1.13 one key, `tunnel`, said it all.
    pub fn routing(self) -> Routing {
        let old = self.get("tunnel");
        let mode = self.get("routing-mode");
        if mode == "native" || (mode.is_empty() && old == "disabled") {
            return Routing::Native;
        }
        let protocol = match (self.get("tunnel-protocol"), old) {
            ("", "" | "disabled") => "vxlan",
            ("", old) => old,
            (new, _) => new,
        };
        let (protocol, default) = match protocol {
            "vxlan" => (Encapsulation::Vxlan, VXLAN_PORT),
            "geneve" => (Encapsulation::Geneve, GENEVE_PORT),
            other => (Encapsulation::Other(other.to_owned()), VXLAN_PORT),
        };
        // 0 stands for the default.
        let port = self.get("tunnel-port").parse().ok();
        Routing::Tunnel {
            protocol,
            port: port.filter(|port| *port != 0).unwrap_or(default),
        }
    }

    /// The mask of all VTEP networks, as prefix length. `None` where it is not a mask.
    pub fn vtep_prefix(self) -> Option<u8> {
        let mask = match self.get("vtep-mask") {
            "" => "255.255.255.0",
            mask => mask,
        };
        let mask: Ipv4Addr = mask.parse().ok()?;
        let net = Ipv4Net::with_netmask(Ipv4Addr::UNSPECIFIED, mask);
        net.ok().map(|net| net.prefix_len())
    }

    /// How addresses get to pods.
    pub fn ipam(self) -> Ipam {
        match self.get("ipam") {
            // Cilium's own default.
            "" | "cluster-pool" | "multi-pool" => Ipam::Pool,
            "kubernetes" => Ipam::Kubernetes,
            _ => Ipam::Other,
        }
    }

    /// The networks of a key that holds networks.
    pub fn networks(self, key: &str) -> Vec<Ipv4Net> {
        let items = self.list(key).into_iter();
        items.filter_map(|item| item.parse().ok()).collect()
    }

    /// The MTU that is set. `None` where agents find it out themselves.
    pub fn mtu(self) -> Option<u32> {
        self.get("mtu").parse().ok().filter(|mtu| *mtu != 0)
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

    fn routing(pairs: &[(&str, &str)]) -> Routing {
        Config(&data(pairs)).routing()
    }

    #[test]
    fn routing_is_read_from_new_and_old_keys() {
        let tunnel = |protocol, port| Routing::Tunnel { protocol, port };
        let vxlan = || Encapsulation::Vxlan;
        assert_eq!(routing(&[]), tunnel(vxlan(), 8472));
        let geneve = tunnel(Encapsulation::Geneve, 6081);
        assert_eq!(routing(&[("tunnel", "geneve")]), geneve);
        assert_eq!(routing(&[("tunnel", "disabled")]), Routing::Native);
        assert_eq!(routing(&[("routing-mode", "native")]), Routing::Native);
        let port = [("routing-mode", "tunnel"), ("tunnel-port", "4789")];
        assert_eq!(routing(&port), tunnel(vxlan(), 4789));
        assert_eq!(routing(&[("tunnel-port", "0")]), tunnel(vxlan(), 8472));
    }

    #[test]
    fn obsolete_key_does_not_override_the_new_key() {
        let both = [("tunnel", "disabled"), ("routing-mode", "tunnel")];
        assert_ne!(routing(&both), Routing::Native);
    }

    #[test]
    fn booleans_are_parsed_as_in_go() {
        for text in ["1", "t", "T", "TRUE", "true", "True", " true "] {
            assert!(Config(&data(&[("k", text)])).is_on("k"), "{text}");
        }
        for text in ["0", "f", "F", "FALSE", "false", "False", ""] {
            let data = data(&[("k", text)]);
            assert_eq!(Config(&data).switch("k"), Switch::Off, "{text}");
        }
        for text in ["yes", "on", "tRUE"] {
            let data = data(&[("k", text)]);
            assert_eq!(Config(&data).switch("k"), Switch::Invalid, "{text}");
        }
    }

    #[test]
    fn list_items_are_separated_in_every_way() {
        for text in ["a  b,c\n", "a\nb\nc", "a, b, c", r#"["a", "b", "c"]"#] {
            let data = data(&[("k", text)]);
            assert_eq!(Config(&data).list("k"), ["a", "b", "c"], "{text:?}");
        }
        assert_eq!(Config(&data(&[])).list("k"), [""; 0]);
    }

    #[test]
    fn mask_is_24_bits_long_unless_set() {
        let prefix = |pairs: &[(&str, &str)]| Config(&data(pairs)).vtep_prefix();
        assert_eq!(prefix(&[]), Some(24));
        assert_eq!(prefix(&[("vtep-mask", "255.255.255.128")]), Some(25));
        assert_eq!(prefix(&[("vtep-mask", "255.0.255.0")]), None);
    }

    #[test]
    fn mtu_zero_means_detected_by_the_agent() {
        assert_eq!(Config(&data(&[("mtu", "0")])).mtu(), None);
        assert_eq!(Config(&data(&[("mtu", "8951")])).mtu(), Some(8951));
    }
}
