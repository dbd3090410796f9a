//! Builders for the tests of objects and devices.

use bigip_tunnel_core::node::{INTERNAL_IP, NodeAddress, NodeTraits, NodeView};
use bigip_tunnel_crds::v1alpha1::BigIpTunnelSpec;
use serde_json::json;

use super::Work;
use crate::settings::Settings;

/// A node with an address of its own.
pub(crate) fn node(name: &str, selected: bool) -> NodeView {
    let kind = INTERNAL_IP.to_owned();
    let value = format!("10.0.0.{}", name.len());
    NodeView {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        created: None,
        selected,
        addresses: vec![NodeAddress { kind, value }],
        cilium_addresses: None,
        damped: None,
        traits: NodeTraits::default(),
    }
}

/// The work of an object with the devices `a` and `b`.
pub(crate) fn work(nodes: &[NodeView]) -> Work {
    let device = |name: &str, address: &str| json!({"name": name, "address": address, "credentialsSecretRef": {"name": "login"}});
    let spec: BigIpTunnelSpec = serde_json::from_value(json!({
        "tunnel": {"name": "t"},
        "devices": [device("a", "192.0.2.11"), device("b", "192.0.2.12")],
    }))
    .unwrap();
    Work {
        settings: std::sync::Arc::new(Settings::read(&spec).unwrap()),
        nodes: nodes.into(),
        arrivals: std::sync::Arc::default(),
        generation: 1,
        deleting: false,
        former: std::sync::Arc::default(),
        approved: std::sync::Arc::default(),
        accepted: None,
        against_nodes: std::sync::Arc::default(),
        request: None,
    }
}
