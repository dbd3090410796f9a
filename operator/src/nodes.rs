//! The nodes of the cluster: one watch and one listing for all objects.
//!
//! Decides nothing: what a node means is `core`'s business.

mod cilium;
mod seen;
mod store;

use bigip_tunnel_core::reason::Reason;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_cilium::seen::Node as Seen;
use bigip_tunnel_core::node::{AddressKind, INTERNAL_IP, NodeAddress, NodeTraits, NodeView};
use bigip_tunnel_core::node_evidence::{Doubt, Doubts, STOP};
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_crds::cilium::{CiliumNode, CiliumNodeAddress, without_managed_fields};
use bigip_tunnel_crds::convert::{self, NodeParts};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{self, Node};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Client, Resource};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::cilium::CiliumEntry;
use self::store::{Entries, Kept, Known, ListProblem, Source, Store};
use crate::metrics::Watches;
use crate::settings::Settings;

/// What a record, or the way to it, can depend on, of one Node. A heartbeat does not change it.
#[derive(Debug, Clone, PartialEq)]
struct NodeEntry {
    /// What Cilium's side is judged by, its name and labels among it.
    seen: Arc<Seen>,
    uid: Box<str>,
    created: Option<Timestamp>,
    addresses: Box<[NodeAddress]>,
    traits: NodeTraits,
}

/// What is known about the nodes.
#[derive(Debug, Clone)]
pub(crate) struct NodeState {
    nodes: Known<NodeEntry>,
    cilium: Known<CiliumEntry>,
}

impl NodeState {
    /// Nothing is known yet.
    fn pending() -> Self {
        let pending = |what: &str| Failure {
            reason: Reason::Progressing,
            message: format!("the {what} have not been listed yet"),
            retryable: true,
        };
        Self {
            nodes: Err(pending(SlimNode::PLURAL)),
            cilium: Err(pending(CiliumNode::PLURAL)),
        }
    }

    /// A cluster without nodes.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self {
            nodes: Ok(Arc::default()),
            cilium: Ok(Arc::default()),
        }
    }

    /// Why the nodes are not known, if they are not.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.nodes.as_ref().err()
    }

    /// Whether both are the same lists, not only equal ones.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        same_list(&self.nodes, &other.nodes) && same_list(&self.cilium, &other.cilium)
    }

    /// All nodes, as an object with these settings sees them. Whether a node exists, and is
    /// selected, the Node alone decides; a `CiliumNode` only adds to it.
    pub(crate) fn views(&self, settings: &Settings) -> Result<Vec<NodeView>, Failure> {
        let nodes = self.nodes.as_ref().map_err(Clone::clone)?;
        let cilium = if asks_for_cilium(settings) {
            Some(self.cilium.as_ref().map_err(Clone::clone)?)
        } else {
            None
        };
        let views = nodes.iter().map(|(name, node)| {
            let cilium = cilium.and_then(|nodes| nodes.get(name));
            node.view(cilium.map(|addresses| addresses.as_slice()), settings)
        });
        Ok(views.collect())
    }
}

impl NodeEntry {
    fn view(&self, cilium: Option<&[CiliumNodeAddress]>, settings: &Settings) -> NodeView {
        let Self {
            seen,
            uid,
            created,
            addresses,
            traits,
        } = self;
        let parts = NodeParts {
            name: &seen.name,
            uid,
            created: *created,
            labels: &seen.labels,
            addresses,
            traits: *traits,
        };
        let view = convert::node_view(&parts, cilium, &settings.selector);
        view.without_stand_in(&settings.units)
    }
}

/// Lists that are not known for the same reason count as the same.
fn same_list<E>(one: &Known<E>, other: &Known<E>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => Arc::ptr_eq(one, other),
        (Err(one), Err(other)) => one == other,
        _ => false,
    }
}

/// A list that was made now; the known one where both agree, so that what was concluded from it holds on.
fn known_if_equal<E: PartialEq>(listed: Entries<E>, known: &Known<E>) -> Entries<E> {
    match known {
        Ok(known) if **known == *listed => known.clone(),
        _ => listed,
    }
}

fn asks_for_cilium(settings: &Settings) -> bool {
    settings.addresses.kind == AddressKind::CiliumNode
}

/// The shared view of the nodes.
pub(crate) struct Nodes {
    kubernetes: Source<SlimNode>,
    cilium: Source<CiliumNode>,
    state: Arc<watch::Sender<NodeState>>,
    watches_cilium: AtomicBool,
    watches: Watches,
    /// What makes the API server's answers about the nodes no ground for a removal.
    doubts: Mutex<Doubts>,
    /// Held while a list is made for a removal.
    listing: tokio::sync::Mutex<()>,
    stop: CancellationToken,
}

impl Nodes {
    /// Begins watching and listing, until `stop`.
    pub(crate) fn start(client: Client, watches: Watches, stop: CancellationToken) -> Self {
        let nodes = Self {
            kubernetes: Source::new(client.clone()),
            cilium: Source::new(client),
            state: Arc::new(watch::Sender::new(NodeState::pending())),
            watches_cilium: AtomicBool::new(false),
            watches,
            doubts: Mutex::default(),
            listing: tokio::sync::Mutex::default(),
            stop,
        };
        nodes.spawn(nodes.kubernetes.clone());
        nodes
    }

    /// Begins watching what an object with these settings needs besides the nodes, if nobody has
    /// asked for it before.
    pub(crate) fn ask_for(&self, settings: &Settings) {
        if asks_for_cilium(settings) && !self.watches_cilium.swap(true, Ordering::Relaxed) {
            self.spawn(self.cilium.clone());
        }
    }

    fn spawn<K: Kept>(&self, source: Source<K>) {
        let store = Store::new(source, self.state.clone(), self.watches.clone());
        let stop = self.stop.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(store.run()).await;
        });
    }

    /// The current state, and its changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<NodeState> {
        self.state.subscribe()
    }

    /// The current state.
    pub(crate) fn current(&self) -> NodeState {
        self.state.borrow().clone()
    }

    /// Complete lists of all that an object with these settings needs, made now, to remove records by;
    /// what it does not need is as the watch last showed it. None while the API server's answers
    /// disagree: then nothing may be removed. `floor`: a resource version that was seen before.
    pub(crate) async fn list(
        &self,
        settings: &Settings,
        floor: u128,
        now: impl Fn() -> Moment,
    ) -> Result<Option<NodeState>, Failure> {
        // One after the other: what one of them finds out stops the next.
        let _turn = self.listing.lock().await;
        if self.stops_removals(now()) {
            return Ok(None);
        }
        match self.list_all(settings, floor).await {
            Ok(listed) => {
                self.doubts().dispel(now());
                Ok(Some(listed))
            }
            Err(ListProblem::Failed(failure)) => Err(failure),
            Err(ListProblem::Doubted(doubt)) => {
                self.note_doubt(doubt, now());
                Ok(None)
            }
        }
    }

    async fn list_all(&self, settings: &Settings, floor: u128) -> Result<NodeState, ListProblem> {
        let nodes = self
            .kubernetes
            .list(floor, self.current().nodes.ok())
            .await?;
        let cilium = if asks_for_cilium(settings) {
            Some(self.cilium.list(floor, self.current().cilium.ok()).await?)
        } else {
            None
        };
        let known = self.current();
        Ok(NodeState {
            nodes: Ok(known_if_equal(nodes, &known.nodes)),
            cilium: match cilium {
                Some(listed) => Ok(known_if_equal(listed, &known.cilium)),
                None => known.cilium,
            },
        })
    }

    /// Notes that the API server's answers about the nodes disagree: removals of this process stop.
    pub(crate) fn note_doubt(&self, doubt: Doubt, now: Moment) {
        let (reason, text) = (doubt.reason().as_str(), doubt.to_string());
        if self.doubts().note(doubt, now) {
            tracing::warn!(reason, "removals stop for {} s: {text}", STOP.as_secs());
        }
    }

    /// Whether removals of this process are stopped.
    pub(crate) fn stops_removals(&self, now: Moment) -> bool {
        self.doubts().stops(now)
    }

    /// When removals may go on, where they are or were stopped.
    pub(crate) fn removals_stop_until(&self) -> Option<Moment> {
        self.doubts().until()
    }

    /// Why removals are stopped, as it is shown.
    pub(crate) fn doubt(&self, now: Moment) -> Option<Doubt> {
        self.doubts().doubt(now).cloned()
    }

    fn doubts(&self) -> MutexGuard<'_, Doubts> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One node as an object with these settings sees it, asked for now. `None` when the API server
    /// says that there is none.
    pub(crate) async fn get(
        &self,
        name: &str,
        settings: &Settings,
    ) -> Result<Option<NodeView>, Failure> {
        let Some(node) = self.kubernetes.get(name).await? else {
            return Ok(None);
        };
        let cilium = if asks_for_cilium(settings) {
            self.cilium.get(name).await?
        } else {
            None
        };
        Ok(Some(node.view(cilium.as_deref(), settings)))
    }
}

/// A Node, of which only what [`NodeEntry`] keeps is read.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = Node)]
struct SlimNode {
    #[serde(deserialize_with = "without_managed_fields")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Option<SlimNodeSpec>,
    #[serde(default)]
    status: Option<SlimNodeStatus>,
}

#[derive(Debug, Clone, Deserialize)]
struct SlimNodeSpec {
    taints: Option<Vec<SlimTaint>>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
struct SlimTaint {
    #[serde(default)]
    key: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlimNodeStatus {
    addresses: Option<Vec<v1::NodeAddress>>,
    conditions: Option<Vec<SlimCondition>>,
    node_info: Option<SlimNodeInfo>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlimCondition {
    #[serde(rename = "type", default)]
    kind: String,
    last_heartbeat_time: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlimNodeInfo {
    kubelet_version: Option<String>,
}

impl SlimNode {
    fn traits(&self) -> NodeTraits {
        let taints = self
            .spec
            .iter()
            .flat_map(|spec| spec.taints.iter().flatten());
        let taints = taints.map(|taint| taint.key.as_str());
        let status = self.status.as_ref();
        let info = status.and_then(|status| status.node_info.as_ref());
        let version = info.and_then(|info| info.kubelet_version.as_deref());
        let conditions = status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        let heartbeats = conditions.map(|c| (c.kind.as_str(), c.last_heartbeat_time.is_some()));
        let has_kubelet = convert::has_kubelet(version, heartbeats);
        convert::node_traits(&self.metadata, taints, has_kubelet)
    }
}

impl Kept for SlimNode {
    type Entry = NodeEntry;

    const PLURAL: &str = "nodes";

    fn into_entry(self) -> Option<(String, NodeEntry)> {
        let traits = self.traits();
        let overrides = convert::cilium::overrides(&self.metadata);
        let cidrs = self.spec.as_ref().and_then(|spec| spec.pod_cidrs.as_ref());
        let cidrs: Vec<&str> = cidrs.into_iter().flatten().map(String::as_str).collect();
        let pod_cidrs = cidrs.iter().filter_map(|cidr| cidr.parse().ok()).collect();
        // Everything else in the metadata would only cost memory, thousands of times.
        let ObjectMeta {
            name,
            uid,
            creation_timestamp,
            labels,
            ..
        } = self.metadata;
        let name = name?;
        let addresses = self.status.and_then(|status| status.addresses);
        let addresses = convert::addresses(addresses.unwrap_or_default());
        let internal = addresses.iter().filter(|listed| listed.kind == INTERNAL_IP);
        let seen = Seen {
            name: name.clone(),
            internal: internal.filter_map(|a| a.value.parse().ok()).collect(),
            stands_for: traits.stands_for,
            pod_cidrs,
            health: None,
            overrides,
            labels: labels.unwrap_or_default(),
        };
        let entry = NodeEntry {
            seen: Arc::new(seen),
            uid: uid.unwrap_or_default().into(),
            created: creation_timestamp.map(|created| created.0),
            addresses: addresses.into(),
            traits,
        };
        Some((name, entry))
    }

    fn failure(_: Option<u16>, cause: &str) -> Failure {
        Failure {
            reason: Reason::NodeListFailed,
            message: format!("the nodes could not be listed: {cause}"),
            retryable: true,
        }
    }

    fn part(state: &NodeState) -> &Known<NodeEntry> {
        &state.nodes
    }

    fn part_mut(state: &mut NodeState) -> &mut Known<NodeEntry> {
        &mut state.nodes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::IpAddr;

    use serde_json::json;

    use super::*;

    fn entry(heartbeat: &str, address: &str) -> (String, NodeEntry) {
        let node: SlimNode = serde_json::from_value(json!({
            "metadata": {
                "name": "worker-01",
                "uid": "uid-1",
                "resourceVersion": heartbeat,
                "annotations": {"a": heartbeat},
                "labels": {"pool": "edge"},
            },
            "status": {
                "addresses": [{"type": "InternalIP", "address": address}],
                "conditions": [{"type": "Ready", "lastHeartbeatTime": heartbeat}],
            },
        }))
        .unwrap();
        node.into_entry().unwrap()
    }

    #[test]
    fn heartbeat_changes_no_relevant_node_field() {
        assert_eq!(entry("1", "10.0.0.1"), entry("2", "10.0.0.1"));
        assert_ne!(entry("1", "10.0.0.1"), entry("1", "10.0.0.2"));
    }

    fn settings(source: &str) -> Settings {
        let spec = json!({
            "credentialsSecretRef": {"name": "login"},
            "devices": [{"name": "unit", "address": "192.0.2.11"}],
            "tunnel": {"name": "t"},
            "nodes": {"addressSource": {"type": source}},
        });
        Settings::read(&serde_json::from_value(spec).unwrap()).unwrap()
    }

    fn one_node() -> NodeState {
        let (name, entry) = entry("1", "10.0.0.1");
        let nodes = [(name, Arc::new(entry))].into();
        NodeState {
            nodes: Ok(Arc::new(nodes)),
            ..NodeState::pending()
        }
    }

    #[test]
    fn cilium_nodes_are_needed_only_if_the_spec_sets_them() {
        let state = one_node();
        let views = state.views(&settings("InternalIP")).unwrap();
        assert_eq!((views.len(), &views[0].cilium_addresses), (1, &None));
        let unknown = state.views(&settings("CiliumNode")).unwrap_err();
        assert!(unknown.message.contains("CiliumNodes"));
    }

    #[test]
    fn cilium_node_is_joined_by_name_and_makes_no_node() {
        let address = |ip: &str| {
            let kind = "InternalIP".to_owned();
            Arc::new(vec![CiliumNodeAddress {
                kind,
                ip: ip.into(),
            }])
        };
        let cilium = [
            ("worker-01".to_owned(), address("10.9.0.1")),
            ("worker-02".to_owned(), address("10.9.0.2")),
        ];
        let state = NodeState {
            cilium: Ok(Arc::new(cilium.into())),
            ..one_node()
        };
        let views = state.views(&settings("CiliumNode")).unwrap();
        assert_eq!(views.len(), 1);
        assert_eq!(
            views[0].cilium_addresses.as_ref().unwrap()[0].value,
            "10.9.0.1"
        );
    }

    #[test]
    fn equal_list_keeps_the_stored_list() {
        let (known, equal) = (one_node(), one_node());
        assert!(!known.is_same(&equal));
        let listed = equal.nodes.clone().unwrap();
        let nodes = Ok(known_if_equal(listed, &known.nodes));
        assert!(known.is_same(&NodeState { nodes, ..equal }));
        let nodes = Ok(known_if_equal(Arc::default(), &known.nodes));
        assert!(!known.is_same(&NodeState {
            nodes,
            ..one_node()
        }));
    }

    #[test]
    fn stand_in_of_a_unit_is_not_selected() {
        let stand_in: SlimNode = serde_json::from_value(json!({
            "metadata": {
                "name": "bigip-a",
                "annotations": {"flannel.alpha.coreos.com/public-ip": "10.1.6.34"},
            },
        }))
        .unwrap();
        let (name, entry) = stand_in.into_entry().unwrap();
        let state = NodeState {
            nodes: Ok(Arc::new([(name, Arc::new(entry))].into())),
            ..NodeState::pending()
        };
        let selected = |units: BTreeSet<IpAddr>| {
            let settings = Settings {
                units,
                ..settings("InternalIP")
            };
            state.views(&settings).unwrap()[0].selected
        };
        assert!(!selected(["10.1.6.34".parse().unwrap()].into()));
        assert!(selected(["10.1.6.35".parse().unwrap()].into()));
    }

    #[test]
    fn node_without_status_or_addresses_is_a_node() {
        for status in [json!(null), json!({}), json!({"addresses": null})] {
            let node = json!({"metadata": {"name": "new"}, "status": status});
            let node: SlimNode = serde_json::from_value(node).unwrap();
            assert!(node.into_entry().unwrap().1.addresses.is_empty());
        }
    }
}
