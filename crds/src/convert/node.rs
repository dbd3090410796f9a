//! Nodes as one object sees them.

use std::collections::BTreeMap;

use bigip_tunnel_core::node::{NodeAddress, NodeTraits, NodeView};
use jiff::Timestamp;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{Selector, SelectorExt};

use crate::cilium::CiliumNodeAddress;

/// The taint of a node that its cloud provider has not initialized yet.
const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
/// flannel's annotation that names the address of the machine.
const FLANNEL_ADDRESS: &str = "flannel.alpha.coreos.com/public-ip";

/// The traits of the node with this metadata and taints with these keys. `has_kubelet`: whether a kubelet
/// has ever reported on it.
pub fn node_traits<'a>(
    metadata: &ObjectMeta,
    mut taints: impl Iterator<Item = &'a str>,
    has_kubelet: bool,
) -> NodeTraits {
    let annotations = metadata.annotations.as_ref();
    let address = annotations.and_then(|all| all.get(FLANNEL_ADDRESS));
    let address = address.filter(|_| !has_kubelet);
    NodeTraits {
        is_uninitialized: taints.any(|key| key == UNINITIALIZED),
        stands_for: address.and_then(|address| address.parse().ok()),
    }
}

/// The traits of a whole Node.
pub fn traits_of(node: &v1::Node) -> NodeTraits {
    let taints = node
        .spec
        .iter()
        .flat_map(|spec| spec.taints.iter().flatten());
    let taints = taints.map(|taint| taint.key.as_str());
    let status = node.status.as_ref();
    let info = status.and_then(|status| status.node_info.as_ref());
    let version = info.map(|info| info.kubelet_version.as_str());
    let conditions = status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let heartbeats = conditions.map(|c| (c.type_.as_str(), c.last_heartbeat_time.is_some()));
    node_traits(&node.metadata, taints, has_kubelet(version, heartbeats))
}

/// Whether a kubelet has ever reported on a node: it says its version, and keeps `Ready` up to date.
/// `heartbeats`: the types of its conditions, and whether they were ever kept.
pub fn has_kubelet<'a>(
    version: Option<&str>,
    mut heartbeats: impl Iterator<Item = (&'a str, bool)>,
) -> bool {
    let has_version = version.is_some_and(|version| !version.is_empty());
    has_version || heartbeats.any(|(kind, is_kept)| kind == "Ready" && is_kept)
}

/// The parts of a Node that count, so that a caller need not keep whole ones.
#[derive(Debug, Clone, Copy)]
pub struct NodeParts<'a> {
    /// `metadata.name`.
    pub name: &'a str,
    /// `metadata.uid`.
    pub uid: &'a str,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// `metadata.labels`.
    pub labels: &'a BTreeMap<String, String>,
    /// `status.addresses`.
    pub addresses: &'a [NodeAddress],
    /// What else is read of it.
    pub traits: NodeTraits,
}

/// `status.addresses` of a Node.
pub fn addresses(listed: Vec<v1::NodeAddress>) -> Vec<NodeAddress> {
    let each = listed.into_iter().map(|address| NodeAddress {
        kind: address.type_,
        value: address.address,
    });
    each.collect()
}

/// The node with these parts, as an object with this selector sees it. `cilium` are the addresses of the
/// `CiliumNode` of its name, where there is one and the object asks for it.
pub fn node_view(
    node: &NodeParts<'_>,
    cilium: Option<&[CiliumNodeAddress]>,
    selector: &Selector,
) -> NodeView {
    let cilium_address = |address: &CiliumNodeAddress| NodeAddress {
        kind: address.kind.clone(),
        value: address.ip.clone(),
    };
    NodeView {
        name: node.name.to_owned(),
        uid: node.uid.to_owned(),
        created: node.created,
        selected: selector.matches(node.labels),
        addresses: node.addresses.to_vec(),
        cilium_addresses: cilium.map(|listed| listed.iter().map(cilium_address).collect()),
        damped: None,
        traits: node.traits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn parts<'a>(
        labels: &'a BTreeMap<String, String>,
        addresses: &'a [NodeAddress],
    ) -> NodeParts<'a> {
        NodeParts {
            name: "worker-01",
            uid: "u1",
            created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            labels,
            addresses,
            traits: NodeTraits::default(),
        }
    }

    #[test]
    fn node_is_copied_with_its_address_order() {
        let address = |kind: &str, value: &str| v1::NodeAddress {
            type_: kind.into(),
            address: value.into(),
        };
        let listed = addresses(vec![
            address("InternalIP", "10.0.0.2"),
            address("InternalIP", "10.0.0.1"),
        ]);
        let cilium = [CiliumNodeAddress {
            kind: "InternalIP".into(),
            ip: "10.9.0.1".into(),
        }];
        let (labels, all) = (labels(&[]), Selector::default());
        let view = node_view(&parts(&labels, &listed), Some(&cilium), &all);
        let copy = |value: &str| NodeAddress {
            kind: "InternalIP".into(),
            value: value.into(),
        };
        assert_eq!(
            view,
            NodeView {
                name: "worker-01".into(),
                uid: "u1".into(),
                created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                selected: true,
                addresses: vec![copy("10.0.0.2"), copy("10.0.0.1")],
                cilium_addresses: Some(vec![copy("10.9.0.1")]),
                damped: None,
                traits: NodeTraits::default(),
            }
        );
    }

    #[test]
    fn node_is_selected_by_its_labels() {
        let selector: Selector = Some(("pool", "edge")).into_iter().collect();
        let selected = |pairs: &[(&str, &str)]| {
            node_view(&parts(&labels(pairs), &[]), None, &selector).selected
        };
        assert!(selected(&[("pool", "edge"), ("zone", "a")]));
        assert!(!selected(&[("pool", "core")]));
        assert!(!selected(&[]));
    }

    #[test]
    fn taint_of_the_cloud_provider_is_read() {
        let is_uninitialized =
            |key| node_traits(&ObjectMeta::default(), [key].into_iter(), true).is_uninitialized;
        assert!(is_uninitialized(UNINITIALIZED));
        assert!(!is_uninitialized("node.kubernetes.io/not-ready"));
    }

    #[test]
    fn flannel_address_counts_only_without_a_kubelet() {
        let mut metadata = ObjectMeta::default();
        let annotation = (FLANNEL_ADDRESS.to_owned(), "10.1.6.34".to_owned());
        metadata.annotations = Some([annotation].into());
        let stands_for = |has_kubelet| {
            let none = std::iter::empty();
            node_traits(&metadata, none, has_kubelet).stands_for
        };
        assert_eq!(stands_for(false), Some("10.1.6.34".parse().unwrap()));
        assert_eq!(stands_for(true), None);
        let kept = |is_kept| [("Ready", is_kept)].into_iter();
        assert!(!has_kubelet(Some(""), kept(false)));
        assert!(has_kubelet(Some("v1.34.0"), kept(false)));
        assert!(has_kubelet(None, kept(true)));
    }
}
