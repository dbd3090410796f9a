//! Checks of Cilium: that it knows the BIG-IPs, and speaks as they do.

use std::collections::BTreeMap;

use super::config::{Config, Routing};
use super::evidence::{ConfigSeen, Evidence, NodeSeen};
use super::{Category, Check, agents, count, policies, some_of, vtep};
use crate::catalogue::{BTN0401, BTN0406, BTN0407, BTN0415, BTN0416, BTN0417, BTN0418};

/// The checks.
pub(super) fn category(evidence: &Evidence) -> Category {
    let cilium = &evidence.cilium;
    let mut checks = Vec::new();
    match &cilium.config {
        Ok(Some(config)) => checks.extend(configuration(config, evidence)),
        Ok(None) => checks.push(Check::warning(BTN0417, "there is no cilium-config")),
        Err(why) => checks.push(Check::unread("cilium-config", why)),
    }
    match &cilium.agents {
        Ok(seen) => {
            let config = cilium.config.as_ref().ok().and_then(Option::as_ref);
            checks.extend(agents::checks(
                seen,
                config.and_then(|config| config.changed),
            ));
        }
        Err(why) => checks.push(Check::unread("Cilium's agents", why)),
    }
    checks.extend(nodes(evidence));
    checks.push(match &cilium.policies {
        Ok(policies) => policies::check(policies),
        Err(why) => Check::unread("network policies", why),
    });
    Category::new("cilium", checks)
}

fn configuration(seen: &ConfigSeen, evidence: &Evidence) -> Vec<Check> {
    let cilium = &evidence.cilium;
    let config = Config(&seen.data);
    let objects = cilium.vtep_objects.as_ref().ok();
    let objects = objects.and_then(|objects| objects.as_deref());
    let has_objects = objects.is_some_and(|objects| !objects.is_empty());
    let mut checks = modes(config);
    if let Err(why) = &cilium.vtep_objects {
        checks.push(Check::unread("CiliumVTEPConfigs", why));
        if !config.is_on("enable-vtep") {
            // They may be where its entries are.
            return checks;
        }
    }
    if !config.is_on("enable-vtep") && !has_objects {
        let text = format!(
            "enable-vtep is not true in {}/cilium-config",
            seen.namespace
        );
        checks.push(Check::error(BTN0401, text));
        return checks;
    }
    let (entries, problems) = vtep::entries(config, objects);
    if problems.is_empty() && entries.is_empty() {
        checks.push(Check::error(BTN0401, "VTEP is on and has no endpoint"));
        return checks;
    }
    if problems.is_empty() {
        checks.push(Check::ok(format!(
            "VTEP is on, with {}",
            count(entries.len(), "endpoint")
        )));
    }
    checks.extend(problems);
    checks.extend(vtep::sane(&entries, config, evidence));
    let tunnels = evidence.tunnels.iter().flatten();
    for tunnel in tunnels.filter_map(|tunnel| tunnel.0.as_ref().ok()) {
        checks.extend(vtep::devices(tunnel, &entries, config));
    }
    checks
}

/// What stands in the way of every VTEP.
fn modes(config: Config<'_>) -> Vec<Check> {
    let mut checks = vec![match config.routing() {
        Routing::Native => Check::error(BTN0406, "routing-mode is native"),
        Routing::Tunnel { protocol, port } => Check::ok(format!(
            "nodes talk through a tunnel: {protocol}, UDP {port}"
        )),
    }];
    if config.get("underlay-protocol") == "ipv6" {
        checks.push(Check::error(BTN0415, "the underlay is IPv6"));
    }
    if config.is_on("enable-ipsec") {
        checks.push(Check::warning(BTN0407, "IPsec is on"));
    }
    if config.is_on("enable-encryption-strict-mode-ingress") {
        let text = "the strict mode of encryption is on for what comes in";
        checks.push(Check::error(BTN0407, text));
    } else if config.is_on("enable-wireguard") {
        checks.push(Check::ok(
            "WireGuard is on; what goes to and comes from BIG-IPs is not encrypted",
        ));
    }
    if config.is_on("enable-vtep") && config.is_on("enable-l7-proxy") {
        checks.push(Check::warning(BTN0418, "the L7 proxy is on"));
    }
    checks
}

/// Whether nodes and Cilium's agents say the same of addresses.
fn nodes(evidence: &Evidence) -> Option<Check> {
    let nodes = evidence.nodes.as_ref().ok()?;
    let theirs = match &evidence.cilium_nodes {
        Ok(theirs) => theirs.as_ref()?,
        Err(why) => return Some(Check::unread("CiliumNodes", why)),
    };
    let theirs: BTreeMap<&str, &NodeSeen> = theirs
        .iter()
        .map(|node| (node.name.as_str(), node))
        .collect();
    let differs = |node: &&NodeSeen| {
        let other = theirs.get(node.name.as_str());
        node.stands_for.is_none()
            && other.is_none_or(|other| other.internal.first() != node.internal.first())
    };
    let differing: Vec<&str> = nodes
        .iter()
        .filter(differs)
        .map(|node| node.name.as_str())
        .collect();
    if differing.is_empty() {
        return Some(Check::ok("Nodes and CiliumNodes have the same addresses"));
    }
    let text = format!(
        "Node and CiliumNode differ for {}: {}",
        count(differing.len(), "node"),
        some_of(&differing)
    );
    Some(Check::warning(BTN0416, text))
}
