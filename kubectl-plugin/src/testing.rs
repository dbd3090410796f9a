//! Tunnels and nodes for tests, and what is printed about them.

use std::fmt;
use std::io::Write;

use bigip_tunnel_core::node::{INTERNAL_IP, NodeAddress, NodeTraits, NodeView};
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::context::ReadTunnel;
use crate::error::Error;
use crate::render::View;
use crate::style::Style;

/// When the tests look.
pub(crate) const NOW: &str = "2026-11-22T06:40:00Z";
/// When the objects of the tests came to be what they are: 8 hours before.
const THEN: &str = "2026-11-21T22:40:00Z";

/// The moment at which the tests look.
pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A look without colour and terminal.
pub(crate) fn view(wide: bool) -> View {
    View {
        wide,
        ..View::new(Style::PLAIN, now())
    }
}

/// What `print` prints.
pub(crate) fn printed(print: impl FnOnce(&mut dyn Write) -> Result<(), Error>) -> String {
    let mut text = Vec::new();
    print(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// A tunnel in the making: healthy, and without BIG-IPs until they are added.
#[derive(Clone)]
pub(crate) struct Tunnel(Value);

impl Tunnel {
    /// A tunnel of this name in the namespace `bigip`, at generation 3.
    pub(crate) fn new(name: &str) -> Self {
        Self(json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1",
            "kind": "BigIpTunnel",
            "metadata": {
                "name": name,
                "namespace": "bigip",
                "uid": "u1",
                "generation": 3,
                "creationTimestamp": THEN,
            },
            "spec": {
                "credentialsSecretRef": {"name": "bigip-login"},
                "devices": [],
                "tunnel": {"name": "flannel_vxlan"},
            },
            "status": {
                "observedGeneration": 3,
                "lastVerifiedTime": "2026-11-22T06:38:30Z",
                "summary": {"devices": "2/2", "nodes": "3/3", "records": "6/6"},
                "nodes": {"selected": 3, "programmed": 3, "leaving": 0, "skipped": 0},
                "devices": [],
                "conditions": [
                    condition("Ready", "True", "InSync", "3 nodes on 2 of 2 BIG-IPs"),
                    condition(
                        "Available", "True", "DevicesProgrammed", "2 of 2 BIG-IPs hold the records"
                    ),
                ],
                "ownership": {"uid": "u1", "claims": []},
            },
        }))
    }

    /// A healthy tunnel with two BIG-IPs that hold the records of the three nodes of [`nodes`].
    pub(crate) fn healthy(name: &str) -> Self {
        Self::new(name)
            .device(device("bigip-a", "192.0.2.11", "Active"))
            .device(device("bigip-b", "192.0.2.12", "Standby"))
            .claim(&["bigip-a", "bigip-b"], "Owned", &MACS)
    }

    /// The same with other words in the condition `Ready`.
    pub(crate) fn ready(mut self, status: &str, reason: impl fmt::Display, message: &str) -> Self {
        self.0["status"]["conditions"][0] = condition("Ready", status, reason, message);
        self
    }

    /// The same with one BIG-IP more, in spec and status.
    pub(crate) fn device(mut self, status: Value) -> Self {
        let listed = json!({"name": status["name"], "address": status["address"]});
        push(&mut self.0["spec"]["devices"], listed);
        push(&mut self.0["status"]["devices"], status);
        self
    }

    /// The same with a BIG-IP that is not listed any more, still holds records and does not answer.
    pub(crate) fn former(self, name: &str, address: &str) -> Self {
        let former = json!({
            "name": name,
            "address": address,
            "port": 443,
            "credentialsSecretRef": {"name": "bigip-login"},
            "identity": format!("{name}.example.net 00:94:a1:00:00:03"),
            "since": "2026-11-22T06:39:22Z",
            "reason": "Timeout",
            "message": format!("{address}:443: no answer within 5 s"),
        });
        self.with("/status/formerDevices", &json!([former]))
    }

    /// The same with a claim more.
    pub(crate) fn claim(mut self, devices: &[&str], state: &str, macs: &[&str]) -> Self {
        let claim = json!({"devices": devices, "state": state, "records": macs});
        push(&mut self.0["status"]["ownership"]["claims"], claim);
        self
    }

    /// The same with another value at this place.
    pub(crate) fn with(mut self, pointer: &str, value: &Value) -> Self {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        self.0.pointer_mut(parent).unwrap()[field] = value.clone();
        self
    }

    /// The object.
    pub(crate) fn object(self) -> BigIpTunnel {
        serde_json::from_value(self.0).unwrap()
    }

    /// The object as a list of the cluster holds it.
    pub(crate) fn read(self) -> ReadTunnel {
        serde_json::from_value(self.0).unwrap()
    }
}

fn push(list: &mut Value, item: Value) {
    list.as_array_mut().unwrap().push(item);
}

/// A condition that has been so for 8 hours.
pub(crate) fn condition(
    kind: impl fmt::Display,
    status: &str,
    reason: impl fmt::Display,
    message: &str,
) -> Value {
    json!({
        "type": kind.to_string(),
        "status": status,
        "reason": reason.to_string(),
        "message": message,
        "observedGeneration": 3,
        "lastTransitionTime": THEN,
    })
}

/// A healthy BIG-IP, as the status shows it.
pub(crate) fn device(name: &str, address: &str, failover_state: &str) -> Value {
    json!({
        "name": name,
        "address": address,
        "hostname": format!("{name}.example.net"),
        "version": "17.1.2.1",
        "failoverState": failover_state,
        "tunnel": {
            "fullPath": "/Common/flannel_vxlan",
            "localAddress": "10.169.72.34%0",
            "vni": 2,
            "profile": "/Common/fl-vxlan",
            "encapsulation": "vxlan",
            "port": 8472,
            "floodingType": "multipoint",
        },
        "records": {
            "desired": 3, "present": 3, "missing": 0, "stale": 0, "unclaimed": 0, "foreign": 0
        },
        "lastChangeTime": "2026-11-22T03:38:00Z",
        "conditions": [
            condition("Reachable", "True", "Answered", "iControl REST answers"),
            condition("Programmed", "True", "InSync", "3 of 3 records present"),
            condition("Saved", "True", "Saved", "nothing of ours is unsaved"),
        ],
    })
}

/// A BIG-IP that does not answer, and held everything when it last did.
pub(crate) fn device_down(name: &str, address: &str) -> Value {
    let mut device = device(name, address, "Unknown");
    let conditions = &mut device["conditions"];
    conditions[0] = condition("Reachable", "False", "Timeout", "no answer within 5 s");
    conditions[1] = condition("Programmed", "Unknown", "Timeout", "not verified since");
    device
}

/// A BIG-IP that answers, and whose records are not right for this reason.
pub(crate) fn device_failing(name: &str, reason: impl fmt::Display) -> Value {
    let mut device = device(name, "192.0.2.11", "Active");
    if reason.to_string() != "InSync" {
        device["conditions"][1] = condition("Programmed", "False", reason, "m");
    }
    device
}

/// The MAC addresses of the nodes of [`nodes`].
pub(crate) const MACS: [&str; 3] = [
    "0a:0a:0a:a9:48:e9",
    "0a:0a:0a:a9:48:ef",
    "0a:0a:0a:a9:48:f0",
];

/// The three nodes of the published example.
pub(crate) fn nodes() -> Vec<NodeView> {
    vec![
        node("worker-01", Some("10.169.72.239")),
        node("worker-02", Some("10.169.72.233")),
        node("worker-03", Some("10.169.72.240")),
    ]
}

/// A selected node with this internal address.
pub(crate) fn node(name: &str, address: Option<&str>) -> NodeView {
    let address = address.map(|value| NodeAddress {
        kind: INTERNAL_IP.to_owned(),
        value: value.to_owned(),
    });
    NodeView {
        name: name.to_owned(),
        uid: name.to_owned(),
        created: Some(THEN.parse().unwrap()),
        selected: true,
        addresses: address.into_iter().collect(),
        cilium_addresses: None,
        damped: None,
        traits: NodeTraits::default(),
    }
}
