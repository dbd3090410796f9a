//! The nodes of the cluster: one watch and one listing for all objects.
//!
//! The watch makes changes quick; the full list every minute makes them certain (a watch may lose
//! events or stop without a word). Decides nothing: what a node means is `core`'s business.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::vocabulary::reason;
use bigip_tunnel_crds::convert;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::core::v1::NodeAddress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::core::Selector;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::kubernetes::{READ_DEADLINE, WATCH_SECONDS, call};

/// How often all nodes are listed.
const LIST_INTERVAL: Duration = Duration::from_secs(60);
/// The deadline of a complete list, all pages together.
const LIST_DEADLINE: Duration = Duration::from_secs(60);
/// Nodes per page of a list.
const PAGE_SIZE: u32 = 500;
/// Changes that follow within this time are published together.
const COALESCE: Duration = Duration::from_millis(100);
/// Watch errors in a row after which the watch is built anew: it may be stuck on a resource version
/// that the server no longer has.
const WATCH_ERRORS_MAX: u32 = 3;

/// What a record can depend on, of one Node. A heartbeat does not change it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeEntry {
    metadata: ObjectMeta,
    addresses: Vec<NodeAddress>,
}

impl NodeEntry {
    /// The node as an object with this selector sees it.
    pub(crate) fn view(&self, selector: &Selector) -> NodeView {
        convert::node_view(&self.metadata, &self.addresses, selector)
    }
}

/// All nodes by name.
pub(crate) type NodeSet = Arc<BTreeMap<String, Arc<NodeEntry>>>;

/// What is known about the nodes.
#[derive(Debug, Clone)]
pub(crate) enum NodeState {
    /// Nothing, and why. Nothing may be concluded from it.
    Unknown(Failure),
    /// These are the nodes.
    Known(NodeSet),
}

/// The shared view of the nodes.
#[derive(Clone)]
pub(crate) struct Nodes {
    api: Api<SlimNode>,
    state: watch::Receiver<NodeState>,
    /// The newest resource version that a list had: an older one shows the past.
    newest: Arc<Mutex<u128>>,
}

impl Nodes {
    /// Begins watching and listing, until `stop`.
    pub(crate) fn start(client: Client, stop: CancellationToken) -> Self {
        let api = Api::all(client);
        let pending = Failure {
            reason: reason::PROGRESSING,
            message: "the nodes have not been listed yet".into(),
            retryable: true,
        };
        let (sender, state) = watch::channel(NodeState::Unknown(pending));
        let nodes = Self {
            api,
            state,
            newest: Arc::default(),
        };
        let mut store = Store {
            nodes: nodes.clone(),
            sender,
            entries: BTreeMap::new(),
            changes: 0,
        };
        tokio::spawn(async move {
            stop.run_until_cancelled(store.run()).await;
        });
        nodes
    }

    /// The current state, and its changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<NodeState> {
        self.state.clone()
    }

    /// A complete list, made now: all pages, consistent (never from the API server's watch cache
    /// alone, since a list at an unset resource version is the most recent one).
    pub(crate) async fn list(&self) -> Result<NodeSet, Failure> {
        let listing = timeout(LIST_DEADLINE, self.list_pages()).await;
        let pages = listing.unwrap_or_else(|_| {
            Err(list_failure(&format!(
                "not complete within {} s",
                LIST_DEADLINE.as_secs()
            )))
        })?;
        Ok(Arc::new(pages))
    }

    async fn list_pages(&self) -> Result<BTreeMap<String, Arc<NodeEntry>>, Failure> {
        let mut entries = BTreeMap::new();
        let mut params = ListParams::default().limit(PAGE_SIZE);
        loop {
            let page = call(READ_DEADLINE, self.api.list(&params))
                .await
                .map_err(|error| list_failure(&error.to_string()))?;
            entries.extend(page.items.into_iter().filter_map(SlimNode::into_entry));
            self.check_age(page.metadata.resource_version.as_deref())?;
            match page.metadata.continue_ {
                Some(token) if !token.is_empty() => params = params.continue_token(&token),
                _ => return Ok(entries),
            }
        }
    }

    /// Refuses a list that is older than one seen before: an API server that lags behind, or a
    /// cluster that was restored. All pages of a list have the resource version of the first.
    fn check_age(&self, resource_version: Option<&str>) -> Result<(), Failure> {
        let Some(version) = resource_version.and_then(|v| v.parse::<u128>().ok()) else {
            return Ok(());
        };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if version < *newest {
            return Err(list_failure(
                "the list is older than one that was seen before",
            ));
        }
        *newest = version;
        Ok(())
    }

    /// One node, asked for now. `None` when the API server says that there is none.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Arc<NodeEntry>>, Failure> {
        let node = call(READ_DEADLINE, self.api.get_opt(name))
            .await
            .map_err(|error| list_failure(&error.to_string()))?;
        Ok(node.and_then(SlimNode::into_entry).map(|(_, entry)| entry))
    }
}

fn list_failure(cause: &str) -> Failure {
    Failure {
        reason: reason::NODE_LIST_FAILED,
        message: format!("the nodes could not be listed: {cause}"),
        retryable: true,
    }
}

/// A Node, of which only what [`NodeEntry`] keeps is read.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SlimNode {
    metadata: ObjectMeta,
    #[serde(default)]
    status: Option<SlimNodeStatus>,
}

#[derive(Debug, Clone, Deserialize)]
struct SlimNodeStatus {
    addresses: Option<Vec<NodeAddress>>,
}

impl SlimNode {
    fn into_entry(self) -> Option<(String, Arc<NodeEntry>)> {
        let ObjectMeta {
            name,
            uid,
            creation_timestamp,
            labels,
            ..
        } = self.metadata;
        let name = name?;
        // Everything else in the metadata would only cost memory, thousands of times.
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            uid,
            creation_timestamp,
            labels,
            ..ObjectMeta::default()
        };
        let addresses = self
            .status
            .and_then(|status| status.addresses)
            .unwrap_or_default();
        Some((
            name,
            Arc::new(NodeEntry {
                metadata,
                addresses,
            }),
        ))
    }
}

impl kube::Resource for SlimNode {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Node".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "nodes".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The task that keeps the nodes up to date.
struct Store {
    nodes: Nodes,
    sender: watch::Sender<NodeState>,
    entries: BTreeMap<String, Arc<NodeEntry>>,
    /// Counts changes, so that a list that was overtaken by the watch is not taken for newer.
    changes: u64,
}

impl Store {
    async fn run(&mut self) {
        loop {
            self.watch_until_stuck().await;
            tracing::warn!("the watch on nodes failed {WATCH_ERRORS_MAX} times; building it anew");
        }
    }

    async fn watch_until_stuck(&mut self) {
        let config = watcher::Config::default()
            .timeout(WATCH_SECONDS)
            .page_size(PAGE_SIZE);
        let mut events = watcher(self.nodes.api.clone(), config)
            .default_backoff()
            .boxed();
        let mut relist = list_due();
        let mut changes_at_list = self.changes;
        let mut batch = BTreeMap::new();
        let mut errors = 0;
        let mut publish_at = None;
        while errors < WATCH_ERRORS_MAX {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        errors = 0;
                        if self.take(event, &mut batch) && publish_at.is_none() {
                            // The first change goes out at once; what follows it, together.
                            self.publish();
                            publish_at = Some((Instant::now() + COALESCE, self.changes));
                        }
                    }
                    Some(Err(error)) => {
                        errors += 1;
                        self.failed(&list_failure(&error.to_string()));
                    }
                    None => return,
                },
                () = wait_for(publish_at) => {
                    if publish_at.take().is_some_and(|(_, published)| published != self.changes) {
                        self.publish();
                    }
                }
                step = &mut relist => match step {
                    Relist::Due => {
                        changes_at_list = self.changes;
                        let nodes = self.nodes.clone();
                        relist = async move { Relist::Done(nodes.list().await) }.boxed();
                    }
                    Relist::Done(listed) => {
                        self.take_list(listed, changes_at_list);
                        relist = list_due();
                    }
                },
            }
        }
    }

    /// Takes an event in. Returns whether a record may depend on what changed.
    fn take(
        &mut self,
        event: watcher::Event<SlimNode>,
        batch: &mut BTreeMap<String, Arc<NodeEntry>>,
    ) -> bool {
        let changed = match event {
            watcher::Event::Init => {
                batch.clear();
                false
            }
            watcher::Event::InitApply(node) => {
                batch.extend(node.into_entry());
                false
            }
            watcher::Event::InitDone => self.replace(std::mem::take(batch)),
            watcher::Event::Apply(node) => match node.into_entry() {
                Some((name, entry)) if self.entries.get(&name) != Some(&entry) => {
                    self.entries.insert(name, entry);
                    true
                }
                _ => false,
            },
            watcher::Event::Delete(node) => node
                .metadata
                .name
                .is_some_and(|name| self.entries.remove(&name).is_some()),
        };
        self.changes += u64::from(changed);
        changed
    }

    /// Replaces everything. Returns whether that changed anything, or made the nodes known.
    fn replace(&mut self, entries: BTreeMap<String, Arc<NodeEntry>>) -> bool {
        let news = self.entries != entries || !self.is_known();
        self.entries = entries;
        news
    }

    fn is_known(&self) -> bool {
        matches!(*self.sender.borrow(), NodeState::Known(_))
    }

    /// Takes a full list in, unless the watch has brought changes since it was begun: which of the
    /// two is newer could not be told, and the next list is never far.
    fn take_list(&mut self, listed: Result<NodeSet, Failure>, changes_at_list: u64) {
        match listed {
            Ok(entries) if changes_at_list == self.changes => {
                if self.replace(Arc::unwrap_or_clone(entries)) {
                    tracing::info!("the list of nodes held changes that the watch had not shown");
                    self.changes += 1;
                    self.publish();
                }
            }
            Ok(_) => {}
            Err(failure) => self.failed(&failure),
        }
    }

    fn failed(&self, failure: &Failure) {
        tracing::warn!(reason = failure.reason, "{}", failure.message);
        // Nodes that were known once stay known: adds go on, and removals ask for themselves.
        if !self.is_known() {
            self.sender
                .send_replace(NodeState::Unknown(failure.clone()));
        }
    }

    fn publish(&self) {
        self.sender
            .send_replace(NodeState::Known(Arc::new(self.entries.clone())));
    }
}

/// The steps of the listing that runs beside the watch, without holding it up.
enum Relist {
    Due,
    Done(Result<NodeSet, Failure>),
}

fn list_due() -> BoxFuture<'static, Relist> {
    async {
        tokio::time::sleep(LIST_INTERVAL).await;
        Relist::Due
    }
    .boxed()
}

async fn wait_for(publish_at: Option<(Instant, u64)>) {
    match publish_at {
        Some((at, _)) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(heartbeat: &str, address: &str) -> (String, Arc<NodeEntry>) {
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
    fn a_heartbeat_changes_nothing_that_a_record_depends_on() {
        assert_eq!(entry("1", "10.0.0.1"), entry("2", "10.0.0.1"));
        assert_ne!(entry("1", "10.0.0.1"), entry("1", "10.0.0.2"));
    }

    #[test]
    fn a_node_without_status_or_addresses_is_still_a_node() {
        for status in [json!(null), json!({}), json!({"addresses": null})] {
            let node = json!({"metadata": {"name": "new"}, "status": status});
            let node: SlimNode = serde_json::from_value(node).unwrap();
            assert!(node.into_entry().unwrap().1.addresses.is_empty());
        }
    }
}
