//! Builders for the tests of this crate. Not compiled into the library.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::claims::DeviceClaims;
use crate::mac::{MacAddress, MacPrefix};
use crate::node::{NodeAddress, NodeTraits, NodeView};
use crate::plan::Plan;
use crate::proven::{ProvenUnits, Verified};
use crate::record::Records;
use crate::time::Moment;
use crate::tunnel::TunnelPath;
use crate::unit::{
    Encapsulation, FailoverState, Place, ProvenUnit, PublicKeyHash, TunnelFacts, UnitFacts,
    UnitIdentity,
};

/// A unit of this name whose key is made of this byte.
pub(crate) fn unit(name: &str, key: u8) -> ProvenUnit {
    ProvenUnit {
        identity: UnitIdentity {
            device_name: name.to_owned(),
            base_mac: "00:0c:29:35:0d:bd".to_owned(),
        },
        key: PublicKeyHash([key; 32]),
    }
}

/// The tunnel `/Common/t`.
pub(crate) fn tunnel() -> TunnelPath {
    TunnelPath::new("Common".parse().unwrap(), "t".parse().unwrap())
}

/// A device `unit`, proven and verified at this host and second with the tunnel `/Common/t`.
pub(crate) fn proven_at(host: &str, unit: &ProvenUnit, second: u64) -> ProvenUnits {
    let mut known = ProvenUnits::default();
    let place = Place::new(host, 443);
    known.note("unit", &place, unit);
    let verified = Verified {
        place,
        tunnel: tunnel(),
        at: Moment::since_start(std::time::Duration::from_secs(second)),
    };
    known.note_verified("unit", verified);
    known
}

/// A selected node without addresses, to be filled.
pub(crate) fn node(name: &str) -> NodeBuilder {
    NodeBuilder(NodeView {
        name: name.into(),
        uid: format!("uid-{name}"),
        created: None,
        selected: true,
        addresses: Vec::new(),
        cilium_addresses: None,
        damped: None,
        traits: NodeTraits::default(),
    })
}

/// A selected node with one `InternalIP`.
pub(crate) fn worker(name: &str, address: &str) -> NodeView {
    node(name).address("InternalIP", address).build()
}

pub(crate) struct NodeBuilder(NodeView);

impl NodeBuilder {
    pub(crate) fn address(mut self, kind: &str, value: &str) -> Self {
        self.0.addresses.push(NodeAddress {
            kind: kind.into(),
            value: value.into(),
        });
        self
    }

    pub(crate) fn cilium_address(mut self, kind: &str, value: &str) -> Self {
        let listed = self.0.cilium_addresses.get_or_insert_default();
        listed.push(NodeAddress {
            kind: kind.into(),
            value: value.into(),
        });
        self
    }

    pub(crate) fn created(mut self, second: i64) -> Self {
        self.0.created = Some(Timestamp::from_second(second).unwrap());
        self
    }

    pub(crate) fn unselected(mut self) -> Self {
        self.0.selected = false;
        self
    }

    pub(crate) fn build(self) -> NodeView {
        self.0
    }
}

/// The MAC address written as `text`.
pub(crate) fn mac(text: &str) -> MacAddress {
    text.parse().unwrap()
}

/// Records from pairs of texts.
pub(crate) fn records(pairs: &[(&str, &str)]) -> Records {
    pairs
        .iter()
        .map(|(m, e)| (mac(m), e.parse().unwrap()))
        .collect::<BTreeMap<_, _>>()
}

/// The facts of a unit whose tunnel has the local address 10.0.0.254.
pub(crate) fn facts(name: &str, failover_state: FailoverState) -> UnitFacts {
    UnitFacts {
        identity: UnitIdentity {
            device_name: format!("{name}.example.net"),
            base_mac: "00:0c:29:35:0d:bd".into(),
        },
        hostname: format!("{name}.example.net"),
        version: "17.1.2.1".parse().unwrap(),
        failover_state,
        peers: Vec::new(),
        tunnel: TunnelFacts {
            full_path: "/Common/flannel_vxlan".into(),
            local_address: Some("10.0.0.254".parse().unwrap()),
            vni: 2,
            profile: "/Common/vxlan-multipoint".into(),
            encapsulation: Encapsulation::Vxlan,
            port: Some(8472),
            flooding_type: Some("multipoint".into()),
            self_ips: vec!["10.1.6.34/24".into()],
            mac: Some("00:50:56:aa:00:01".parse().unwrap()),
        },
    }
}

/// The plan for a device whose records can all be read.
pub(crate) fn plan(
    desired: &Records,
    observed: &Records,
    claims: &DeviceClaims,
    prefix: MacPrefix,
) -> Plan {
    crate::plan::plan(desired, &observed.clone().into(), claims, prefix)
}
