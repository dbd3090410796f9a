//! What `prune` found and did: records of our form that nobody claims, per BIG-IP.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_crds::convert;
use serde::Serialize;

use crate::context::ReadTunnel;
use crate::direct::Trouble;

/// Everything that `prune` found and did.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PruneReport {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Path of the tunnel on the BIG-IPs.
    pub(crate) tunnel: String,
    /// Whether nothing was removed because only that was asked for.
    pub(crate) dry_run: bool,
    pub(crate) devices: Vec<Pruned>,
}

/// One BIG-IP.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pruned {
    pub(crate) device: String,
    /// Why it could not be asked, or not all of it could be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Trouble>,
    pub(crate) leftovers: Vec<Leftover>,
    /// Records of our form that are spared: of a node, or claimed by another object.
    pub(crate) spared: usize,
    /// Whether its configuration was saved.
    pub(crate) saved: bool,
}

/// A record that nobody claims.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) mac: String,
    pub(crate) endpoint: String,
    pub(crate) removed: bool,
}

/// What is never taken for a leftover.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needed {
    /// Addresses of the nodes, of every type and whether selected or not.
    addresses: BTreeSet<IpAddr>,
    /// Claimed by any object that is known.
    claimed: BTreeSet<MacAddress>,
}

/// An object cannot be read, so that it is not known what it claims.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

impl Needed {
    /// What these nodes and objects need.
    pub(crate) fn by(nodes: &[NodeView], objects: &[ReadTunnel]) -> Result<Self, Unreadable> {
        let mut needed = Self::default();
        for node in nodes {
            let cilium = node.cilium_addresses.iter().flatten();
            let all = node.addresses.iter().chain(cilium);
            let addresses = all.filter_map(|address| address.value.parse::<IpAddr>().ok());
            needed.addresses.extend(addresses);
        }
        for object in objects {
            let object = object
                .0
                .as_ref()
                .map_err(|invalid| Unreadable(invalid.metadata.name.clone().unwrap_or_default()))?;
            // Claims of a copied object are void, and say all the same whose records these were.
            if let Some(status) = &object.status {
                let ownership = status.ownership.as_ref();
                let uid = ownership.map_or("", |ownership| ownership.uid.as_str());
                let unreadable = |_| Unreadable(object.metadata.name.clone().unwrap_or_default());
                let claims = convert::claims(status, uid).map_err(unreadable)?;
                let devices = status.devices.iter().map(|device| &device.name);
                let former = status.former_devices.iter().map(|device| &device.name);
                let listed = object.spec.devices.iter().map(|device| &device.name);
                let names: BTreeSet<&String> = devices.chain(former).chain(listed).collect();
                let macs = names.into_iter().flat_map(|name| claims.of(name).keys());
                needed.claimed.extend(macs.copied());
            }
        }
        Ok(needed)
    }

    /// What is left over of these unclaimed records.
    pub(crate) fn leftovers<'a>(
        &'a self,
        unclaimed: &'a Records,
    ) -> impl Iterator<Item = (&'a MacAddress, &'a Endpoint)> {
        let leftovers = unclaimed.iter();
        leftovers.filter(|(mac, endpoint)| !self.has(**mac, **endpoint))
    }

    /// Whether this record is no leftover.
    pub(crate) fn has(&self, mac: MacAddress, endpoint: Endpoint) -> bool {
        self.claimed.contains(&mac) || self.addresses.contains(&endpoint.address)
    }
}

impl Pruned {
    /// What is left over of these unclaimed records.
    pub(crate) fn new(device: String, unclaimed: &Records, needed: &Needed) -> Self {
        let leftover = |(mac, endpoint): (&MacAddress, &Endpoint)| Leftover {
            mac: mac.to_string(),
            endpoint: endpoint.to_string(),
            removed: false,
        };
        let leftovers: Vec<_> = needed.leftovers(unclaimed).map(leftover).collect();
        Self {
            device,
            trouble: None,
            spared: unclaimed.len() - leftovers.len(),
            leftovers,
            saved: false,
        }
    }

    /// A BIG-IP that could not be asked.
    pub(crate) const fn unknown(device: String, trouble: Trouble) -> Self {
        Self {
            device,
            trouble: Some(trouble),
            leftovers: Vec::new(),
            spared: 0,
            saved: false,
        }
    }
}

impl PruneReport {
    /// How many records there are to remove.
    pub(crate) fn found(&self) -> usize {
        let devices = self.devices.iter();
        devices.map(|device| device.leftovers.len()).sum()
    }

    /// The first BIG-IP on which something could not be done.
    pub(crate) fn trouble(&self) -> Option<(&str, &Trouble)> {
        let mut devices = self.devices.iter();
        devices.find_map(|device| Some((device.device.as_str(), device.trouble.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tunnel, device, nodes};

    const LEFTOVER: &str = "0a:0a:0a:a9:48:4d";

    fn unclaimed() -> Records {
        let records = [
            (LEFTOVER, "10.169.72.77%0"),
            ("0a:0a:0a:a9:48:ef", "10.169.72.239%0"),
            ("0a:0a:0a:a9:48:4e", "10.169.72.78%0"),
        ];
        let parsed =
            records.map(|(mac, endpoint)| (mac.parse().unwrap(), endpoint.parse().unwrap()));
        parsed.into_iter().collect()
    }

    fn leftovers(nodes: &[NodeView], objects: &[ReadTunnel]) -> Vec<String> {
        let needed = Needed::by(nodes, objects).unwrap();
        let pruned = Pruned::new("bigip-a".to_owned(), &unclaimed(), &needed);
        let all = pruned.leftovers.into_iter();
        all.map(|leftover| leftover.mac).collect()
    }

    #[test]
    fn record_of_any_node_is_kept() {
        let mut nodes = nodes();
        for node in &mut nodes {
            node.selected = false;
        }
        assert_eq!(leftovers(&nodes, &[]), [LEFTOVER, "0a:0a:0a:a9:48:4e"]);
        nodes[0].addresses[0].value = "10.169.72.78".to_owned();
        nodes[0].addresses[0].kind = "ExternalIP".to_owned();
        assert_eq!(leftovers(&nodes, &[]), [LEFTOVER, "0a:0a:0a:a9:48:ef"]);
    }

    #[test]
    fn record_claimed_by_any_object_is_kept() {
        let other = Tunnel::new("other")
            .device(device("bigip-z", "192.0.2.99", "Active"))
            .claim(&["bigip-z"], "Leaving", &["0a:0a:0a:a9:48:4e"]);
        assert_eq!(leftovers(&nodes(), &[other.read()]), [LEFTOVER]);
    }

    #[test]
    fn unreadable_object_prevents_orphan_detection() {
        let broken = Tunnel::new("broken").with("/spec", &serde_json::json!({"devices": 7}));
        let problem = Needed::by(&nodes(), &[broken.read()]).unwrap_err();
        assert_eq!(problem, Unreadable("broken".to_owned()));
    }
}
