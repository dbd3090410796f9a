//! What happened to nodes and objects, and when it was seen.
//!
//! One watch of a control plane serves all worlds on it, on a thread of its own. Must not know what is
//! judged.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bigip_tunnel_crds::ANNOTATION_PAUSED;
use bigip_tunnel_harness::control_plane;
use bigip_tunnel_harness::nodes::GROUP_LABEL;
use futures::StreamExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde_json::Value;

/// How long the control plane may take to show what is there.
const LIMIT: Duration = Duration::from_secs(20);

/// A state of something, from when it was seen until something else was.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span<T> {
    pub(super) name: String,
    pub(super) from: Timestamp,
    /// Until when; `None` while it is so.
    pub(super) until: Option<Timestamp>,
    pub(super) state: T,
}

impl<T> Span<T> {
    /// Whether it was so all this time, as far as was seen by `now`.
    pub(super) fn covers(&self, from: Timestamp, until: Timestamp) -> bool {
        self.from <= from && self.until.is_none_or(|end| until < end)
    }
}

/// A node, as far as it counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NodeState {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) addresses: Vec<String>,
}

/// A `BigIpTunnel`, as far as it counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ObjectState {
    pub(super) spec: Value,
    /// Whether it is to be reconciled: neither being deleted nor paused.
    pub(super) is_reconciled: bool,
}

/// What happened in one world.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct History {
    pub(super) nodes: Vec<Span<NodeState>>,
    pub(super) objects: Vec<Span<ObjectState>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Node,
    Object,
}

/// What happened on one control plane.
pub(super) struct Observer {
    kubeconfig: PathBuf,
    seen: Mutex<Vec<(Kind, Span<DynamicObject>)>>,
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
});
static OBSERVERS: LazyLock<Mutex<HashMap<PathBuf, Arc<Observer>>>> = LazyLock::new(Mutex::default);

impl Observer {
    /// The observer of this control plane, which begins to watch with the first call.
    pub(super) fn of(kubeconfig: &Path) -> Arc<Self> {
        let mut observers = lock(&OBSERVERS);
        let observer = observers.entry(kubeconfig.to_owned()).or_insert_with(|| {
            let observer = Arc::new(Self {
                kubeconfig: kubeconfig.to_owned(),
                seen: Mutex::default(),
            });
            for kind in [Kind::Node, Kind::Object] {
                RUNTIME.spawn(watch(Arc::clone(&observer), kind));
            }
            observer
        });
        Arc::clone(observer)
    }

    /// What was seen of the nodes and objects of a world.
    pub(super) fn history(&self, world: &str) -> History {
        let (mut history, prefix) = (History::default(), format!("{world}-"));
        for (kind, span) in lock(&self.seen).iter() {
            let metadata = &span.state.metadata;
            match kind {
                Kind::Node => {
                    let state = node_state(&span.state);
                    let is_of_group = state.labels.get(GROUP_LABEL).is_some_and(|g| g == world);
                    if is_of_group || span.name.starts_with(&prefix) {
                        history.nodes.push(with_state(span, state));
                    }
                }
                Kind::Object if metadata.namespace.as_deref() == Some(world) => {
                    history
                        .objects
                        .push(with_state(span, object_state(&span.state)));
                }
                Kind::Object => {}
            }
        }
        history
    }

    /// Takes what is there now for seen. Where that cannot be found out, nothing is certain any more.
    pub(super) fn catch_up(&self) {
        let (done, listed) = std::sync::mpsc::channel();
        let kubeconfig = self.kubeconfig.clone();
        RUNTIME.spawn(async move {
            // The receiver has left when it has waited for too long.
            let _ = done.send(list_all(&kubeconfig).await);
        });
        let listed = listed.recv_timeout(LIMIT);
        let Ok(Ok(listed)) = listed else {
            lock(&self.seen).clear();
            return;
        };
        for (kind, objects) in listed {
            self.replace(kind, objects, Timestamp::now());
        }
    }

    /// Notes that something is so.
    fn note(&self, kind: Kind, object: DynamicObject, at: Timestamp) {
        let mut seen = lock(&self.seen);
        let name = name_of(&object);
        let open = seen
            .iter_mut()
            .rev()
            .find(|(of, span)| *of == kind && span.name == name && span.until.is_none());
        if let Some((_, span)) = open {
            if is_same(kind, &span.state, &object) {
                return;
            }
            span.until = Some(at);
        }
        seen.push((
            kind,
            Span {
                name,
                from: at,
                until: None,
                state: object,
            },
        ));
    }

    /// Notes that everything of a kind that `ends` chooses is no longer so.
    fn close(&self, kind: Kind, at: Timestamp, ends: impl Fn(&str) -> bool) {
        for (of, span) in lock(&self.seen).iter_mut() {
            if *of == kind && span.until.is_none() && ends(&span.name) {
                span.until = Some(at);
            }
        }
    }

    fn replace(&self, kind: Kind, objects: Vec<DynamicObject>, at: Timestamp) {
        let names: Vec<_> = objects.iter().map(name_of).collect();
        self.close(kind, at, |name| !names.iter().any(|there| there == name));
        for object in objects {
            self.note(kind, object, at);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with_state<T>(span: &Span<DynamicObject>, state: T) -> Span<T> {
    Span {
        name: span.name.clone(),
        from: span.from,
        until: span.until,
        state,
    }
}

fn name_of(object: &DynamicObject) -> String {
    let namespace = object.metadata.namespace.iter();
    let name = object.metadata.name.iter();
    namespace.chain(name).cloned().collect::<Vec<_>>().join("/")
}

fn is_same(kind: Kind, one: &DynamicObject, other: &DynamicObject) -> bool {
    let is_same_object = one.metadata.uid == other.metadata.uid;
    is_same_object
        && match kind {
            Kind::Node => node_state(one) == node_state(other),
            Kind::Object => object_state(one) == object_state(other),
        }
}

fn node_state(node: &DynamicObject) -> NodeState {
    let addresses = node.data.pointer("/status/addresses");
    let addresses = addresses.and_then(Value::as_array).into_iter().flatten();
    let addresses = addresses.filter_map(|address| address.get("address")?.as_str());
    NodeState {
        labels: node.metadata.labels.clone().unwrap_or_default(),
        addresses: addresses.map(str::to_owned).collect(),
    }
}

fn object_state(object: &DynamicObject) -> ObjectState {
    let annotations = object.metadata.annotations.as_ref();
    let is_paused = annotations.is_some_and(|all| all.contains_key(ANNOTATION_PAUSED));
    ObjectState {
        spec: object.data.get("spec").cloned().unwrap_or_default(),
        is_reconciled: object.metadata.deletion_timestamp.is_none() && !is_paused,
    }
}

fn api(client: Client, kind: Kind) -> Api<DynamicObject> {
    let kind = match kind {
        Kind::Node => GroupVersionKind::gvk("", "v1", "Node"),
        Kind::Object => GroupVersionKind::gvk("bigip-tunnel.dev", "v1alpha1", "BigIpTunnel"),
    };
    Api::all_with(client, &ApiResource::from_gvk(&kind))
}

async fn list_all(kubeconfig: &Path) -> Result<Vec<(Kind, Vec<DynamicObject>)>, String> {
    let client = control_plane::client(kubeconfig).await;
    let client = client.map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for kind in [Kind::Node, Kind::Object] {
        let list = api(client.clone(), kind).list(&ListParams::default()).await;
        all.push((kind, list.map_err(|error| error.to_string())?.items));
    }
    Ok(all)
}

/// Notes all that a watch shows, until the control plane is gone for good.
async fn watch(observer: Arc<Observer>, kind: Kind) {
    let Ok(client) = control_plane::client(&observer.kubeconfig).await else {
        return;
    };
    let events = watcher::watcher(api(client, kind), watcher::Config::default());
    let mut events = pin!(events.default_backoff());
    while let Some(event) = events.next().await {
        let now = Timestamp::now();
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => observer.note(kind, object, now),
            Ok(Event::Delete(object)) => {
                let gone = name_of(&object);
                observer.close(kind, now, |name| name == gone);
            }
            // What happened meanwhile is not known.
            Ok(Event::Init) | Err(_) => observer.close(kind, now, |_| true),
            Ok(Event::InitDone) => {}
        }
        // A control plane that a test started and ended has no file any more.
        if !observer.kubeconfig.exists() {
            return;
        }
    }
}
