//! The watch on one scope of `BigIpTunnel` objects, which heals itself.
//!
//! A watch may be stuck on a resource version that the server no longer has, and may lose events
//! without a word (kubernetes#123072). So it is built anew after errors in a row, and every few
//! minutes in any case; each time it begins with a complete list. Knows nothing of what the objects
//! mean.

pub(crate) mod progress;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::requeue::{Ended, next_delay};
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout_at};

use self::progress::{Progress, Silence};
use crate::kubernetes::{READ_DEADLINE, WATCH_SECONDS, code_of};
use crate::metrics::Watches;

/// How often a watch is built anew although it seems to work.
const RELIST_INTERVAL: Duration = Duration::from_secs(300);
/// Errors in a row after which a watch is built anew.
const ERRORS_MAX: u32 = 3;

/// A watched namespace; empty for all of them.
pub(crate) type Scope = Arc<str>;
/// What a watch says. The objects are plain JSON: one that does not parse stops no other.
pub(crate) type Event = watcher::Event<DynamicObject>;

type Attempts = BoxStream<'static, Result<Event, watcher::Error>>;

/// The namespaces to watch, each once; all of them when none is named.
pub(crate) fn scopes(namespaces: &[String]) -> BTreeSet<Scope> {
    match namespaces {
        [] => [Scope::from("")].into(),
        named => named
            .iter()
            .map(|name| Scope::from(name.as_str()))
            .collect(),
    }
}

/// Watches these scopes, each by itself: one that fails delays no other. Never ends.
pub(crate) fn watch(
    client: &Client,
    scopes: &BTreeSet<Scope>,
    watches: &Watches,
) -> SelectAll<BoxStream<'static, (Scope, Event)>> {
    let watch = |scope: &Scope| {
        let api = objects(client, scope);
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        Watch::new(scope.clone(), watches.clone(), move || {
            watcher(api.clone(), config.clone()).boxed()
        })
        .events()
    };
    scopes.iter().map(watch).collect()
}

/// The objects of a scope as plain JSON.
pub(crate) fn objects(client: &Client, scope: &str) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<BigIpTunnel>(&());
    match scope {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}

/// How long to wait after the `attempt`-th failure in a row of a call to Kubernetes.
pub(crate) fn back_off(attempt: u32) -> Duration {
    let ended = Ended::Retry {
        attempt,
        retry_after: None,
    };
    next_delay(ended, Duration::ZERO, fastrand::f64())
}

/// One scope's watch.
struct Watch<B> {
    scope: Scope,
    build: B,
    attempts: Attempts,
    progress: Progress,
    /// Errors since it last said anything else.
    errors: u32,
    watches: Watches,
}

impl<B: Fn() -> Attempts + Send + 'static> Watch<B> {
    fn new(scope: Scope, watches: Watches, build: B) -> Self {
        Self {
            scope,
            attempts: build(),
            build,
            progress: Progress::new(Instant::now(), RELIST_INTERVAL),
            errors: 0,
            watches,
        }
    }

    fn events(self) -> BoxStream<'static, (Scope, Event)> {
        let next = async |mut watch: Self| {
            let event = watch.next().await;
            Some(((watch.scope.clone(), event), watch))
        };
        stream::unfold(self, next).boxed()
    }

    /// The next event, however long it takes.
    async fn next(&mut self) -> Event {
        loop {
            match timeout_at(self.progress.until(), self.attempts.next()).await {
                Ok(Some(Ok(event))) => {
                    self.heard(&event);
                    return event;
                }
                Ok(Some(Err(error))) => {
                    self.errors += 1;
                    // Whatever else goes wrong says nothing about it.
                    if code_of(&error) == Some(404) {
                        self.watches.set_crd_missing(true);
                    }
                    self.failed(&error.to_string()).await;
                    if self.errors >= ERRORS_MAX {
                        self.rebuild();
                    }
                }
                Ok(None) => {
                    self.failed("it ended").await;
                    self.rebuild();
                }
                Err(_) => self.heard_nothing().await,
            }
        }
    }

    fn heard(&mut self, event: &Event) {
        self.errors = 0;
        if matches!(event, watcher::Event::InitDone) {
            self.watches.set_crd_missing(false);
        }
        if self.progress.advance(event, Instant::now()) {
            self.say_that_it_works();
        }
    }

    async fn heard_nothing(&mut self) {
        match self.progress.silence(Instant::now()) {
            Silence::Quiet => {}
            Silence::Recovered => self.say_that_it_works(),
            Silence::Old => self.rebuild(),
            Silence::NoList => {
                let seconds = READ_DEADLINE.as_secs();
                self.failed(&format!("no list within {seconds} s")).await;
                self.rebuild();
            }
        }
    }

    /// Says that it does not work, once, and waits longer each time.
    async fn failed(&mut self, cause: &str) {
        self.watches.record_error("bigiptunnels");
        let failures = self.progress.fail();
        if failures == 1 {
            tracing::warn!(
                namespace = &*self.scope,
                "BigIpTunnel objects cannot be watched: {cause}"
            );
        } else {
            tracing::debug!(
                namespace = &*self.scope,
                failures,
                "the watch failed: {cause}"
            );
        }
        sleep(back_off(failures)).await;
        self.progress.resume(Instant::now());
    }

    fn say_that_it_works(&self) {
        tracing::info!(
            namespace = &*self.scope,
            "BigIpTunnel objects are watched again"
        );
    }

    fn rebuild(&mut self) {
        self.attempts = (self.build)();
        self.progress.restart(Instant::now(), RELIST_INTERVAL);
        self.errors = 0;
    }
}

#[cfg(test)]
mod tests;
