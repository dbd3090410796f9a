//! One task for each `BigIpTunnel` object, begun and ended as the objects come and go.
//!
//! An object that does not parse is not worked on and says so in its status; it stops no other.
//! Knows nothing of nodes or devices.

use bigip_tunnel_core::reason::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use futures::StreamExt;
use kube::ResourceExt;
use kube::core::DynamicObject;
use kube::runtime::watcher;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument as _;

use crate::index::ObjectKey;
use crate::log;
use crate::restart::{self, RESTART_DELAY};
use crate::shared::Shared;
use crate::unreadable::{self, Problem};
use crate::watch::{Event, Scope, scopes, watch};
use crate::worker::Worker;

/// All workers.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    workers: BTreeMap<ObjectKey, Handle>,
    unreadable: BTreeMap<ObjectKey, Unreadable>,
    /// What a listing has named so far, per watched namespace.
    listed: BTreeMap<Scope, BTreeSet<ObjectKey>>,
    /// Namespaces that have not been listed completely since the start.
    unlisted: BTreeSet<Scope>,
    tasks: JoinSet<()>,
}

/// A worker. It is ended when this value goes.
struct Handle {
    uid: String,
    object: watch::Sender<Arc<BigIpTunnel>>,
    _stop: DropGuard,
}

/// An object that does not parse.
struct Unreadable {
    problem: Problem,
    /// The attempts to write its status. They are ended when this value goes.
    _writing: Option<DropGuard>,
}

impl Supervisor {
    /// A supervisor without workers.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            workers: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            listed: BTreeMap::new(),
            unlisted: BTreeSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Watches these namespaces (all when there are none) until the process ends; then lets every
    /// worker finish what it has begun.
    pub(crate) async fn run(mut self, namespaces: &[String]) {
        self.unlisted = scopes(namespaces);
        let mut events = watch(
            &self.shared.client,
            &self.unlisted,
            &self.shared.metrics.watches,
        );
        let stop = self.shared.stop.clone();
        while let Some(Some((scope, event))) = stop.run_until_cancelled(events.next()).await {
            self.take(&scope, event);
            while self.tasks.try_join_next().is_some() {}
        }
        self.workers.clear();
        self.unreadable.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    fn take(&mut self, scope: &Scope, event: Event) {
        match event {
            watcher::Event::Init => {
                self.listed.insert(scope.clone(), BTreeSet::new());
            }
            watcher::Event::InitApply(object) => {
                let key = self.apply(&object);
                self.listed.entry(scope.clone()).or_default().extend(key);
            }
            watcher::Event::InitDone => {
                let listed = self.listed.remove(scope).unwrap_or_default();
                let known = self.workers.keys().chain(self.unreadable.keys());
                for key in gone(known, scope, &listed) {
                    self.remove(&key);
                }
                if self.unlisted.remove(scope) && self.unlisted.is_empty() {
                    self.shared.index.set_complete();
                }
            }
            watcher::Event::Apply(object) => {
                self.apply(&object);
            }
            watcher::Event::Delete(object) => {
                if let Some(key) = key_of(&object) {
                    self.remove(&key);
                }
            }
        }
        self.shared.metrics.set_tunnels(self.workers.len());
    }

    /// Takes an object in. Returns its key.
    fn apply(&mut self, object: &DynamicObject) -> Option<ObjectKey> {
        let key = key_of(object)?;
        // Before anything begins to work on it, so that its devices are known as its own.
        self.shared
            .index
            .insert(&key, object, self.shared.clock.now());
        match unreadable::parse(object) {
            Ok(object) => {
                self.shared.cilium.note(&key, &object);
                self.shared.vtep.note(&key, &object);
                self.apply_readable(&key, Arc::new(object));
            }
            Err(problem) => {
                self.shared.cilium.forget(&key);
                self.shared.vtep.forget(&key);
                self.apply_unreadable(&key, object, problem);
            }
        }
        Some(key)
    }

    fn apply_readable(&mut self, key: &ObjectKey, object: Arc<BigIpTunnel>) {
        self.unreadable.remove(key);
        let uid = object.uid().unwrap_or_default();
        match self.workers.get(key) {
            // With another uid the object was deleted and made again under the same name: nothing of
            // the old one is meant for it. A closed channel is that of a worker that took the object
            // for gone, and was wrong.
            Some(handle) if handle.uid == uid && !handle.object.is_closed() => {
                handle.object.send_if_modified(|known| {
                    // A listing that brings nothing new wakes no worker.
                    let is_new = known.resource_version() != object.resource_version();
                    *known = object;
                    is_new
                });
            }
            _ => self.start(key.clone(), uid, object),
        }
    }

    /// Ends the work on an object that cannot be read: what it desires is not known. Its records stay, and
    /// its claims keep those that others share with it.
    fn apply_unreadable(&mut self, key: &ObjectKey, object: &DynamicObject, problem: Problem) {
        self.workers.remove(key);
        let known = self.unreadable.get(key);
        if known.is_none_or(|known| known.problem != problem) {
            tracing::warn!(
                namespace = key.0,
                name = key.1,
                reason = problem.reason.as_str(),
                "the object cannot be read and is not worked on: {}",
                problem.text
            );
        }
        let patch = unreadable::status_patch(object, &problem, self.shared.clock.time());
        let Some(patch) = patch else {
            // It is written, though the answer to the write may not be here yet.
            self.unreadable
                .entry(key.clone())
                .and_modify(|known| known.problem = problem.clone())
                .or_insert(Unreadable {
                    problem,
                    _writing: None,
                });
            return;
        };
        let stop = self.shared.stop.child_token();
        let writing = Some(stop.clone().drop_guard());
        self.unreadable.insert(
            key.clone(),
            Unreadable {
                problem,
                _writing: writing,
            },
        );
        let (shared, key) = (self.shared.clone(), key.clone());
        let span = log::of_object(&key.0, &key.1);
        let write = async move {
            let writing = unreadable::write(&shared, &key, &patch);
            stop.run_until_cancelled(writing).await;
        };
        self.tasks.spawn(write.instrument(span));
    }

    /// Begins an object's worker; one that there was is ended.
    fn start(&mut self, key: ObjectKey, uid: String, object: Arc<BigIpTunnel>) {
        let (sender, receiver) = watch::channel(object);
        let stop = self.shared.stop.child_token();
        let work = keep_running(self.shared.clone(), receiver, stop.clone());
        let span = log::of_object(&key.0, &key.1);
        self.tasks.spawn(work.instrument(span));
        let worker = Handle {
            uid,
            object: sender,
            _stop: stop.drop_guard(),
        };
        self.workers.insert(key, worker);
    }

    fn remove(&mut self, key: &ObjectKey) {
        self.shared.index.remove(key);
        self.shared.cilium.forget(key);
        self.shared.vtep.forget(key);
        self.workers.remove(key);
        self.unreadable.remove(key);
    }
}

/// The known objects of a scope that its listing did not name.
fn gone<'a>(
    known: impl Iterator<Item = &'a ObjectKey>,
    scope: &str,
    listed: &BTreeSet<ObjectKey>,
) -> BTreeSet<ObjectKey> {
    let in_scope = |key: &ObjectKey| scope.is_empty() || key.0 == scope;
    known
        .filter(|key| in_scope(key) && !listed.contains(key))
        .cloned()
        .collect()
}

/// Runs an object's worker once this process leads, and restarts it when it panics. Until then
/// nothing is asked of a device; what the object is, is known already.
async fn keep_running(
    shared: Arc<Shared>,
    object: watch::Receiver<Arc<BigIpTunnel>>,
    stop: CancellationToken,
) {
    let begin = || Worker::new(shared.clone(), object.clone(), stop.clone()).run();
    let tell = || async {
        tracing::error!(
            reason = Reason::InternalError.as_str(),
            "the object's task panicked and restarts in {} s",
            RESTART_DELAY.as_secs()
        );
    };
    if stop
        .run_until_cancelled(shared.leadership.begun())
        .await
        .is_some()
    {
        restart::keep_running(&stop, begin, tell).await;
    }
}

fn key_of(object: &DynamicObject) -> Option<ObjectKey> {
    Some((object.namespace()?, object.name_any()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[(&str, &str)]) -> BTreeSet<ObjectKey> {
        let owned = |(namespace, name): &(&str, &str)| ((*namespace).into(), (*name).into());
        names.iter().map(owned).collect()
    }

    #[test]
    fn object_missing_in_a_list_is_deleted() {
        let known = keys(&[("a", "one"), ("a", "two")]);
        let listed = keys(&[("a", "two"), ("a", "three")]);
        assert_eq!(gone(known.iter(), "a", &listed), keys(&[("a", "one")]));
    }

    #[test]
    fn list_of_a_namespace_does_not_cover_others() {
        let known = keys(&[("a", "one"), ("b", "one")]);
        assert_eq!(gone(known.iter(), "a", &keys(&[])), keys(&[("a", "one")]));
    }

    #[test]
    fn list_of_all_namespaces_covers_each() {
        let known = keys(&[("a", "one"), ("b", "one")]);
        assert_eq!(
            gone(known.iter(), "", &keys(&[("b", "one")])),
            keys(&[("a", "one")])
        );
    }
}
