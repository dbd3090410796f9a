//! Nodes as one object sees them.

use std::collections::BTreeMap;

use bigip_tunnel_core::node::{NodeAddress, NodeView};
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{Selector, SelectorExt};

use crate::cilium::CiliumNodeAddress;

/// The node with this metadata and these `status.addresses`, as an object with this selector sees
/// it. `cilium` are the addresses of the `CiliumNode` of its name, where there is one and the object
/// asks for it. Takes only the parts of a Node that count, so that a caller need not keep whole ones.
pub fn node_view(
    metadata: &ObjectMeta,
    addresses: &[v1::NodeAddress],
    cilium: Option<&[CiliumNodeAddress]>,
    selector: &Selector,
) -> NodeView {
    let unlabelled = BTreeMap::new();
    let labels = metadata.labels.as_ref().unwrap_or(&unlabelled);
    let addresses = addresses.iter().map(|address| NodeAddress {
        kind: address.type_.clone(),
        value: address.address.clone(),
    });
    let cilium_address = |address: &CiliumNodeAddress| NodeAddress {
        kind: address.kind.clone(),
        value: address.ip.clone(),
    };
    NodeView {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        created: metadata
            .creation_timestamp
            .as_ref()
            .map(|created| created.0),
        selected: selector.matches(labels),
        addresses: addresses.collect(),
        cilium_addresses: cilium.map(|listed| listed.iter().map(cilium_address).collect()),
        damped: None,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn metadata(labels: &[(&str, &str)]) -> ObjectMeta {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ObjectMeta {
            name: Some("worker-01".into()),
            uid: Some("u1".into()),
            creation_timestamp: Some(Time("2026-01-01T00:00:00Z".parse().unwrap())),
            labels: Some(labels.collect()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn a_node_is_copied_with_its_addresses_in_their_order() {
        let address = |kind: &str, value: &str| v1::NodeAddress {
            type_: kind.into(),
            address: value.into(),
        };
        let listed = [
            address("InternalIP", "10.0.0.2"),
            address("InternalIP", "10.0.0.1"),
        ];
        let cilium = [CiliumNodeAddress {
            kind: "InternalIP".into(),
            ip: "10.9.0.1".into(),
        }];
        let view = node_view(&metadata(&[]), &listed, Some(&cilium), &Selector::default());
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
            }
        );
    }

    #[test]
    fn a_node_is_selected_by_its_labels() {
        let selector: Selector = Some(("pool", "edge")).into_iter().collect();
        let selected =
            |labels: &[(&str, &str)]| node_view(&metadata(labels), &[], None, &selector).selected;
        assert!(selected(&[("pool", "edge"), ("zone", "a")]));
        assert!(!selected(&[("pool", "core")]));
        assert!(!node_view(&ObjectMeta::default(), &[], None, &selector).selected);
    }
}
