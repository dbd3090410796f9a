//! Settings of Cilium that stand in the way of every VTEP. Must not know entries.

use crate::advice::{Advice, Setting};
use crate::config::{Config, Routing, Switch};
use crate::finding::{Finding, Problem};

/// The largest packet that a BIG-IP's VLAN carries unless it is set up for more.
const MTU_MAX: u32 = 1500;
/// The switches that count, here and elsewhere.
const SWITCHES: [&str; 5] = [
    "enable-encryption-strict-mode-ingress",
    "enable-ipsec",
    "enable-ipv4",
    "enable-vtep",
    "enable-wireguard",
];

/// What is found.
pub(crate) fn findings(config: Config<'_>, advice: &Advice<'_>) -> Vec<Finding> {
    let mut findings = vec![routing(config, advice)];
    let invalid = SWITCHES
        .iter()
        .filter(|key| config.switch(key) == Switch::Invalid);
    findings.extend(invalid.map(|key| {
        let text = format!("{key} is {:?}, which is not a boolean", config.get(key));
        let fix = format!(
            "set {key} of cilium-config to \"true\" or \"false\" and run {}",
            advice.restart()
        );
        Finding::error(Problem::InvalidEntry, text).with_fix(fix)
    }));
    findings.extend(families(config, advice));
    findings.extend(encryption(config, advice));
    if let Some(mtu) = config.mtu().filter(|mtu| *mtu > MTU_MAX) {
        let text =
            format!("mtu is {mtu}: pods may send packets that no VLAN of 1500 bytes carries");
        let line = advice.set(&[Setting::new("MTU", "mtu", MTU_MAX.to_string())]);
        let fix = format!(
            "give the VLAN of each BIG-IP this MTU (tmsh modify net vlan VLAN mtu {mtu}); or {line}"
        );
        findings.push(Finding::warning(Problem::Mtu, text).with_fix(fix));
    }
    findings
}

/// Whether VTEPs have the address family that they need.
fn families(config: Config<'_>, advice: &Advice<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.get("underlay-protocol") == "ipv6" {
        let text = "underlay-protocol is ipv6, and VTEP endpoints are IPv4";
        let line = advice.set(&[Setting::new(
            "underlayProtocol",
            "underlay-protocol",
            "ipv4",
        )]);
        let fix = format!("where the nodes have IPv4 addresses, {line}");
        findings.push(Finding::error(Problem::NoIpv4, text).with_fix(fix));
    }
    if !config.get("enable-ipv4").is_empty() && config.switch("enable-ipv4") == Switch::Off {
        let text = "enable-ipv4 is false, and VTEP networks are IPv4";
        let line = advice.set(&[Setting::new("ipv4.enabled", "enable-ipv4", "true")]);
        findings.push(Finding::error(Problem::NoIpv4, text).with_fix(line));
    }
    findings
}

fn routing(config: Config<'_>, advice: &Advice<'_>) -> Finding {
    match config.routing() {
        Routing::Native => Finding::error(
            Problem::NativeRouting,
            "routing-mode is native: nodes have no tunnel interface that a BIG-IP could reach",
        )
        .with_fix(advice.tunnel(config)),
        Routing::Tunnel { protocol, port } => Finding::holds(format!(
            "nodes talk through a tunnel: {protocol}, UDP {port}"
        )),
    }
}

fn encryption(config: Config<'_>, advice: &Advice<'_>) -> Option<Finding> {
    if config.is_on("enable-encryption-strict-mode-ingress") {
        let text = "enable-encryption-strict-mode-ingress is on: agents drop what BIG-IPs send";
        let line = advice.set(&[Setting::new(
            "encryption.strictMode.ingress.enabled",
            "enable-encryption-strict-mode-ingress",
            "false",
        )]);
        return Some(Finding::error(Problem::Encryption, text).with_fix(line));
    }
    let off = |key| {
        let line = advice.set(&[Setting::new("encryption.enabled", key, "false")]);
        format!("where nodes may talk without encryption, {line}")
    };
    if config.is_on("enable-ipsec") {
        let text = "IPsec is on, which Cilium does not support between pods and a VTEP";
        return Some(Finding::warning(Problem::Encryption, text).with_fix(off("enable-ipsec")));
    }
    config.is_on("enable-wireguard").then(|| {
        let text = "WireGuard is on; a VTEP beside it is not known to work, and its traffic is not \
                    encrypted";
        let fix = format!(
            "kubectl bigip-tunnel verify shows whether pods are reached; {}",
            off("enable-wireguard")
        );
        Finding::warning(Problem::Encryption, text).with_fix(fix)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::finding::Weight;

    /// What is wrong with one value, and what cures it.
    fn found(key: &str, value: &str) -> (Problem, String) {
        let data = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let found = findings(Config(&data), &Advice::new("cilium", []));
        let mut found = found.into_iter().filter(|f| f.weight >= Weight::Warning);
        let one = found.next().unwrap();
        assert_eq!(found.next(), None);
        (one.problem.unwrap(), one.fix.unwrap())
    }

    #[test]
    fn each_setting_is_cured_by_its_own_lines() {
        for (key, value, problem, helm, cured) in [
            (
                "routing-mode",
                "native",
                Problem::NativeRouting,
                "routingMode=tunnel",
                "tunnel",
            ),
            (
                "enable-ipv4",
                "F",
                Problem::NoIpv4,
                "ipv4.enabled=true",
                "true",
            ),
            (
                "underlay-protocol",
                "ipv6",
                Problem::NoIpv4,
                "underlayProtocol=ipv4",
                "ipv4",
            ),
            (
                "enable-ipsec",
                "T",
                Problem::Encryption,
                "encryption.enabled=false",
                "false",
            ),
            (
                "enable-wireguard",
                "1",
                Problem::Encryption,
                "encryption.enabled=false",
                "false",
            ),
            (
                "enable-encryption-strict-mode-ingress",
                "True",
                Problem::Encryption,
                "encryption.strictMode.ingress.enabled=false",
                "false",
            ),
            ("mtu", "9000", Problem::Mtu, "MTU=1500", "1500"),
        ] {
            let (kind, fix) = found(key, value);
            assert_eq!(kind, problem, "{key}");
            for part in [
                helm,
                &format!("{key}: \"{cured}\""),
                "kubectl -n cilium rollout restart ds/cilium",
            ] {
                assert!(fix.contains(part), "{key}: {fix}");
            }
            // What cures it is no finding.
            let data = BTreeMap::from([(key.to_owned(), cured.to_owned())]);
            let again = findings(Config(&data), &Advice::new("cilium", []));
            assert!(again.iter().all(|f| f.weight == Weight::Holds), "{again:?}");
        }
    }

    #[test]
    fn value_that_is_no_boolean_is_named() {
        let (problem, fix) = found("enable-ipsec", "yes");
        assert_eq!(problem, Problem::InvalidEntry);
        assert!(fix.contains("set enable-ipsec of cilium-config"), "{fix}");
    }
}
