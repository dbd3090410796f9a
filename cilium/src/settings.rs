//! Settings of Cilium that stand in the way of every VTEP. Must not look at entries or units.

use crate::config::{Config, Routing, Switch};
use crate::finding::{Finding, Problem};

/// The largest packet that a BIG-IP's VLAN carries unless it is set up for more.
const MTU_MAX: u32 = 1500;
/// The switches that are read here and elsewhere.
const SWITCHES: [&str; 5] = [
    "enable-encryption-strict-mode-ingress",
    "enable-ipsec",
    "enable-ipv4",
    "enable-vtep",
    "enable-wireguard",
];

/// What is found.
pub(crate) fn findings(config: Config<'_>) -> Vec<Finding> {
    let mut findings = vec![routing(config)];
    let invalid = SWITCHES
        .iter()
        .filter(|key| config.switch(key) == Switch::Invalid);
    findings.extend(invalid.map(|key| {
        let text = format!("{key} is {:?}, which is not a boolean", config.get(key));
        Finding::error(Problem::InvalidEntry, text).with_fix(format!("set {key} to true or false"))
    }));
    if config.get("underlay-protocol") == "ipv6" {
        let text = "underlay-protocol is ipv6, and VTEP endpoints are IPv4";
        findings.push(Finding::error(Problem::NoIpv4, text));
    }
    if !config.get("enable-ipv4").is_empty() && config.switch("enable-ipv4") == Switch::Off {
        let text = "enable-ipv4 is false, and VTEP networks are IPv4";
        findings.push(Finding::error(Problem::NoIpv4, text));
    }
    findings.extend(encryption(config));
    if let Some(mtu) = config.mtu().filter(|mtu| *mtu > MTU_MAX) {
        let text =
            format!("mtu is {mtu}: pods may send packets that no VLAN of 1500 bytes carries");
        findings.push(Finding::warning(Problem::Mtu, text));
    }
    findings
}

fn routing(config: Config<'_>) -> Finding {
    match config.routing() {
        Routing::Native => Finding::error(
            Problem::NativeRouting,
            "routing-mode is native: nodes have no tunnel interface that a BIG-IP could reach",
        ),
        Routing::Tunnel { protocol, port } => Finding::holds(format!(
            "nodes talk through a tunnel: {protocol}, UDP {port}"
        )),
    }
}

fn encryption(config: Config<'_>) -> Option<Finding> {
    if config.is_on("enable-encryption-strict-mode-ingress") {
        let text = "enable-encryption-strict-mode-ingress is on: agents drop what BIG-IPs send";
        return Some(Finding::error(Problem::Encryption, text));
    }
    if config.is_on("enable-ipsec") {
        let text = "IPsec is on, which Cilium does not support between pods and a VTEP";
        return Some(Finding::warning(Problem::Encryption, text));
    }
    config.is_on("enable-wireguard").then(|| {
        let text = "WireGuard is on; a VTEP beside it is not known to work, and its traffic is not \
                    encrypted";
        Finding::warning(Problem::Encryption, text)
    })
}
