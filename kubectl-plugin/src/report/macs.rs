//! What `macs` found: the records that addresses of nodes make.

use std::net::Ipv4Addr;

use bigip_tunnel_core::desired::desired;
use bigip_tunnel_core::endpoint::{Endpoint, RouteDomain};
use bigip_tunnel_core::mac::MacPrefix;
use bigip_tunnel_core::node::{AddressRule, INTERNAL_IP, NodeAddress, NodeTraits, NodeView};
use serde::Serialize;

use super::fdb::Skipped;
use crate::error::Outcome;

/// Everything that `macs` found.
#[derive(Serialize, Debug)]
pub(crate) struct MacsReport {
    /// The records, in the order of their MAC addresses.
    pub(crate) records: Vec<Record>,
    /// What has no record, in the order of the names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) skipped: Vec<SkippedName>,
}

/// A record.
#[derive(Serialize, Debug)]
pub(crate) struct Record {
    /// Name of the node, where the addresses came from the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    pub(crate) address: Ipv4Addr,
    pub(crate) mac: String,
    pub(crate) endpoint: String,
}

/// A node, or an address that was typed, without a record.
#[derive(Serialize, Debug)]
pub(crate) struct SkippedName {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) why: Skipped,
}

impl MacsReport {
    /// The records of the nodes.
    pub(crate) fn of_nodes(
        nodes: &[NodeView],
        rule: &AddressRule,
        prefix: MacPrefix,
        domain: RouteDomain,
    ) -> Self {
        let desired = desired(nodes, prefix, rule);
        let records = desired.nodes.into_iter().map(|(mac, node)| Record {
            node: Some(node.name),
            address: node.address,
            mac: mac.to_string(),
            endpoint: Endpoint::v4(node.address, domain).to_string(),
        });
        let skipped = desired.skipped.into_iter().map(|node| SkippedName {
            name: node.name,
            why: Skipped {
                reason: node.reason.as_str(),
                message: node.message,
            },
        });
        Self {
            records: records.collect(),
            skipped: skipped.collect(),
        }
    }

    /// The records that nodes with these addresses would have. One typed twice counts once.
    pub(crate) fn of_addresses(
        addresses: &[Ipv4Addr],
        prefix: MacPrefix,
        domain: RouteDomain,
    ) -> Self {
        let mut distinct = addresses.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let nodes: Vec<NodeView> = distinct.into_iter().map(node_of).collect();
        let mut report = Self::of_nodes(&nodes, &AddressRule::default(), prefix, domain);
        for record in &mut report.records {
            record.node = None;
        }
        report
    }

    /// Whether everything has a record.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::fine_if(self.skipped.is_empty())
    }
}

/// A node of which nothing but its address is known.
fn node_of(address: Ipv4Addr) -> NodeView {
    let value = address.to_string();
    NodeView {
        name: value.clone(),
        uid: String::new(),
        created: None,
        selected: true,
        addresses: vec![NodeAddress {
            kind: INTERNAL_IP.to_owned(),
            value,
        }],
        cilium_addresses: None,
        damped: None,
        traits: NodeTraits::default(),
    }
}
