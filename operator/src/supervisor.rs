//! The watch on `BigIpTunnel` objects: one worker for each, begun and ended as they come and go.
//!
//! An object that does not parse is reported and skipped; it stops no other. Knows nothing of nodes
//! or devices.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, StreamExt};
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::index::ObjectKey;
use crate::kubernetes::WATCH_SECONDS;
use crate::shared::Shared;
use crate::worker::Worker;

/// How long after a panic an object's worker begins anew.
const RESTART_DELAY: Duration = Duration::from_secs(10);

type Guarded = DeserializeGuard<BigIpTunnel>;
type Event = (Arc<str>, Result<watcher::Event<Guarded>, watcher::Error>);

/// All workers.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    workers: BTreeMap<ObjectKey, Handle>,
    /// What a listing has named so far, per watched namespace.
    listed: BTreeMap<Arc<str>, Vec<ObjectKey>>,
    tasks: JoinSet<()>,
}

struct Handle {
    uid: String,
    object: watch::Sender<Arc<BigIpTunnel>>,
    stop: CancellationToken,
}

impl Supervisor {
    /// A supervisor without workers.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            workers: BTreeMap::new(),
            listed: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Watches these namespaces (all when there are none) until the process ends; then lets every
    /// worker finish what it has begun.
    pub(crate) async fn run(mut self, namespaces: &[String]) {
        let mut events = watches(&self.shared.client, namespaces);
        let stop = self.shared.stop.clone();
        while let Some(Some((scope, event))) = stop.run_until_cancelled(events.next()).await {
            match event {
                Ok(event) => self.take(&scope, event),
                Err(error) => tracing::warn!("BigIpTunnel objects cannot be watched: {error}"),
            }
            while self.tasks.try_join_next().is_some() {}
        }
        for worker in self.workers.values() {
            worker.stop.cancel();
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn take(&mut self, scope: &Arc<str>, event: watcher::Event<Guarded>) {
        match event {
            watcher::Event::Init => {
                self.listed.insert(scope.clone(), Vec::new());
            }
            watcher::Event::InitApply(object) => {
                let key = self.apply(object);
                self.listed.entry(scope.clone()).or_default().extend(key);
            }
            watcher::Event::InitDone => {
                let listed = self.listed.remove(scope).unwrap_or_default();
                self.keep_only(scope, &listed);
            }
            watcher::Event::Apply(object) => {
                self.apply(object);
            }
            watcher::Event::Delete(object) => {
                if let Some(key) = key_of(&object) {
                    self.remove(&key);
                }
            }
        }
        self.shared.metrics.set_tunnels(self.workers.len());
    }

    /// Takes an object in. Returns its key, also when it does not parse: it is there, and its worker
    /// goes on with what it knew.
    fn apply(&mut self, object: Guarded) -> Option<ObjectKey> {
        let key = key_of(&object)?;
        let object = match object.0 {
            Ok(object) => Arc::new(object),
            Err(invalid) => {
                tracing::warn!(
                    namespace = key.0,
                    name = key.1,
                    reason = bigip_tunnel_core::vocabulary::reason::INVALID_SPEC,
                    "the object cannot be read and is skipped: {}",
                    invalid.error
                );
                return Some(key);
            }
        };
        self.shared.index.insert(key.clone(), object.clone());
        let uid = object.uid().unwrap_or_default();
        if self
            .workers
            .get(&key)
            .is_some_and(|handle| handle.uid != uid)
        {
            // Deleted and made again under the same name: nothing of the old one is meant for it.
            self.remove(&key);
            self.shared.index.insert(key.clone(), object.clone());
        }
        match self.workers.get(&key) {
            Some(handle) => {
                handle.object.send_replace(object);
            }
            None => self.start(key.clone(), uid, object),
        }
        Some(key)
    }

    fn start(&mut self, key: ObjectKey, uid: String, object: Arc<BigIpTunnel>) {
        let (sender, receiver) = watch::channel(object);
        let stop = self.shared.stop.child_token();
        self.tasks
            .spawn(keep_running(self.shared.clone(), receiver, stop.clone()));
        self.workers.insert(
            key,
            Handle {
                uid,
                object: sender,
                stop,
            },
        );
    }

    fn remove(&mut self, key: &ObjectKey) {
        self.shared.index.remove(key);
        if let Some(worker) = self.workers.remove(key) {
            worker.stop.cancel();
        }
    }

    fn keep_only(&mut self, scope: &str, listed: &[ObjectKey]) {
        let in_scope = |key: &ObjectKey| scope.is_empty() || key.0 == scope;
        let gone: Vec<ObjectKey> = self
            .workers
            .keys()
            .filter(|k| in_scope(k) && !listed.contains(k))
            .cloned()
            .collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

/// Runs an object's worker, and begins it anew when it panics: one object that brings out a fault of
/// ours stops no other.
async fn keep_running(
    shared: Arc<Shared>,
    object: watch::Receiver<Arc<BigIpTunnel>>,
    stop: CancellationToken,
) {
    loop {
        let worker = Worker::new(shared.clone(), object.clone(), stop.clone());
        if AssertUnwindSafe(worker.run()).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!(
            name = object.borrow().name_any(),
            reason = bigip_tunnel_core::vocabulary::reason::INTERNAL_ERROR,
            "the object's task panicked; it begins anew in {} s",
            RESTART_DELAY.as_secs()
        );
        if stop
            .run_until_cancelled(tokio::time::sleep(RESTART_DELAY))
            .await
            .is_none()
        {
            return;
        }
    }
}

fn watches(client: &Client, namespaces: &[String]) -> SelectAll<BoxStream<'static, Event>> {
    let scopes: Vec<Arc<str>> = match namespaces {
        [] => vec!["".into()],
        named => named
            .iter()
            .map(|namespace| namespace.as_str().into())
            .collect(),
    };
    let watch = |scope: Arc<str>| {
        let api: Api<Guarded> = match &*scope {
            "" => Api::all(client.clone()),
            namespace => Api::namespaced(client.clone(), namespace),
        };
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let events = watcher(api, config).default_backoff();
        events.map(move |event| (scope.clone(), event)).boxed()
    };
    scopes.into_iter().map(watch).collect()
}

fn key_of(object: &Guarded) -> Option<ObjectKey> {
    let metadata = kube::Resource::meta(object);
    Some((metadata.namespace.clone()?, metadata.name.clone()?))
}
