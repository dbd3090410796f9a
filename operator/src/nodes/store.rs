//! Objects of one kind, watched and listed, of which only a part is kept.
//!
//! The watch makes changes quick; the full list every minute makes them certain (a watch may lose
//! events or stop without a word). Must not know what the objects mean.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bigip_tunnel_core::outcome::Failure;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::NodeState;
use crate::kubernetes::{READ_DEADLINE, WATCH_SECONDS, call, code_of};
use crate::metrics::Watches;

/// How often all objects are listed.
const LIST_INTERVAL: Duration = Duration::from_secs(60);
/// The deadline of a complete list, all pages together.
const LIST_DEADLINE: Duration = Duration::from_secs(60);
/// Objects per page of a list.
const PAGE_SIZE: u32 = 500;
/// Changes that follow within this time are published together.
const COALESCE: Duration = Duration::from_millis(100);
/// Watch errors in a row after which the watch is built anew: it may be stuck on a resource version
/// that the server no longer has.
const WATCH_ERRORS_MAX: u32 = 3;

/// The kept parts of all objects, by name.
pub(super) type Entries<E> = Arc<BTreeMap<String, Arc<E>>>;
/// All objects; or why they are not known, and then nothing may be concluded.
pub(super) type Known<E> = Result<Entries<E>, Failure>;

/// A kind of object.
pub(super) trait Kept:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
    /// What is kept of one object.
    type Entry: Debug + Clone + PartialEq + Send + Sync + 'static;

    /// What the objects are called in a log.
    const PLURAL: &str;

    /// The object's name and what is kept of it; nothing without a name.
    fn into_entry(self) -> Option<(String, Self::Entry)>;

    /// What a failed request means, with the HTTP status where there was an answer.
    fn failure(code: Option<u16>, cause: &str) -> Failure;

    /// Where the objects are kept.
    fn part(state: &NodeState) -> &Known<Self::Entry>;

    /// The same, to change them.
    fn part_mut(state: &mut NodeState) -> &mut Known<Self::Entry>;
}

/// Why there is no list.
#[derive(Debug, Clone)]
pub(super) enum ListProblem {
    /// It could not be made.
    Failed(Failure),
    /// It shows the past: an API server that lags behind, or a cluster that was restored. A watch
    /// from a version that is yet to come says nothing, so it has to be made anew as well.
    Old(Failure),
}

impl ListProblem {
    /// The failure as a user sees it.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Failed(failure) | Self::Old(failure) => failure,
        }
    }
}

/// Where the objects are read from.
#[derive(Clone)]
pub(super) struct Source<K> {
    api: Api<K>,
    /// The newest resource version that a list had: an older one shows the past.
    newest: Arc<Mutex<u128>>,
}

impl<K: Kept> Source<K> {
    /// All objects of the cluster.
    pub(super) fn new(client: Client) -> Self
    where
        K: Resource<Scope = k8s_openapi::ClusterResourceScope>,
    {
        Self {
            api: Api::all(client),
            newest: Arc::default(),
        }
    }

    /// A complete list, made now: all pages, consistent (never from the API server's watch cache
    /// alone, since a list at an unset resource version is the most recent one).
    pub(super) async fn list(&self) -> Result<Entries<K::Entry>, ListProblem> {
        let late = |_| {
            let cause = format!("not complete within {} s", LIST_DEADLINE.as_secs());
            Err(ListProblem::Failed(K::failure(None, &cause)))
        };
        let listing = timeout(LIST_DEADLINE, self.list_pages()).await;
        listing.unwrap_or_else(late).map(Arc::new)
    }

    async fn list_pages(&self) -> Result<BTreeMap<String, Arc<K::Entry>>, ListProblem> {
        let mut entries = BTreeMap::new();
        let mut params = ListParams::default().limit(PAGE_SIZE);
        // As known when the list is begun: one that is made at the same time may be newer.
        let floor = *self.newest();
        loop {
            let page = call(READ_DEADLINE, self.api.list(&params)).await;
            let page = page.map_err(|error| {
                ListProblem::Failed(K::failure(error.code(), &error.to_string()))
            })?;
            self.check_age(page.metadata.resource_version.as_deref(), floor)?;
            entries.extend(page.items.into_iter().filter_map(kept));
            match page.metadata.continue_ {
                Some(token) if !token.is_empty() => params = params.continue_token(&token),
                _ => return Ok(entries),
            }
        }
    }

    /// Refuses a list that is older than one seen before. All pages of a list have the resource
    /// version of the first.
    fn check_age(&self, resource_version: Option<&str>, floor: u128) -> Result<(), ListProblem> {
        let Some(version) = resource_version.and_then(|v| v.parse::<u128>().ok()) else {
            return Ok(());
        };
        if version < floor {
            let cause = "the list is older than one that was seen before";
            return Err(ListProblem::Old(K::failure(None, cause)));
        }
        let mut newest = self.newest();
        *newest = version.max(*newest);
        Ok(())
    }

    fn newest(&self) -> MutexGuard<'_, u128> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One object, asked for now. `None` when the API server says that there is none.
    pub(super) async fn get(&self, name: &str) -> Result<Option<K::Entry>, Failure> {
        let object = call(READ_DEADLINE, self.api.get_opt(name))
            .await
            .map_err(|error| K::failure(error.code(), &error.to_string()))?;
        Ok(object.and_then(K::into_entry).map(|(_, entry)| entry))
    }
}

fn kept<K: Kept>(object: K) -> Option<(String, Arc<K::Entry>)> {
    object
        .into_entry()
        .map(|(name, entry)| (name, Arc::new(entry)))
}

/// The task that keeps the objects up to date.
pub(super) struct Store<K: Kept> {
    source: Source<K>,
    sender: Arc<watch::Sender<NodeState>>,
    entries: BTreeMap<String, Arc<K::Entry>>,
    /// Counts changes, so that a list that was overtaken by the watch is not taken for newer.
    changes: u64,
    watches: Watches,
    /// Whether the last list or watch failed: that is told once.
    failing: bool,
}

impl<K: Kept> Store<K> {
    /// A store that publishes to `sender`, not begun.
    pub(super) fn new(
        source: Source<K>,
        sender: Arc<watch::Sender<NodeState>>,
        watches: Watches,
    ) -> Self {
        Self {
            source,
            sender,
            entries: BTreeMap::new(),
            changes: 0,
            watches,
            failing: false,
        }
    }

    /// Watches and lists for ever.
    pub(super) async fn run(mut self) {
        loop {
            self.watch_until_stuck().await;
            // What failed was told when it failed.
            tracing::debug!("the watch on {} does not work; building it anew", K::PLURAL);
        }
    }

    async fn watch_until_stuck(&mut self) {
        let config = watcher::Config::default()
            .timeout(WATCH_SECONDS)
            .page_size(PAGE_SIZE);
        let mut events = watcher(self.source.api.clone(), config)
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
                        // A list that only begins has not worked yet.
                        if !matches!(event, watcher::Event::Init) {
                            errors = 0;
                            self.failing = false;
                        }
                        if self.take(event, &mut batch) && publish_at.is_none() {
                            // The first change goes out at once; what follows it, together.
                            self.publish();
                            publish_at = Some((Instant::now() + COALESCE, self.changes));
                        }
                    }
                    Some(Err(error)) => {
                        errors += 1;
                        self.failed(&K::failure(code_of(&error), &error.to_string()));
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
                        let source = self.source.clone();
                        relist = async move { Relist::Done(source.list().await) }.boxed();
                    }
                    Relist::Done(Ok(entries)) => {
                        self.failing = false;
                        self.take_list(entries, changes_at_list);
                        relist = list_due();
                    }
                    Relist::Done(Err(ListProblem::Failed(failure))) => {
                        self.failed(&failure);
                        relist = list_due();
                    }
                    Relist::Done(Err(ListProblem::Old(failure))) => {
                        self.failed(&failure);
                        return;
                    }
                },
            }
        }
    }

    /// Takes an event in. Returns whether a record may depend on what changed.
    fn take(
        &mut self,
        event: watcher::Event<K>,
        batch: &mut BTreeMap<String, Arc<K::Entry>>,
    ) -> bool {
        let changed = match event {
            watcher::Event::Init => {
                batch.clear();
                false
            }
            watcher::Event::InitApply(object) => {
                batch.extend(kept(object));
                false
            }
            watcher::Event::InitDone => self.replace(std::mem::take(batch)),
            watcher::Event::Apply(object) => match kept(object) {
                Some((name, entry)) if self.entries.get(&name) != Some(&entry) => {
                    self.entries.insert(name, entry);
                    true
                }
                _ => false,
            },
            watcher::Event::Delete(object) => {
                let name = &object.meta().name;
                name.as_ref()
                    .is_some_and(|name| self.entries.remove(name).is_some())
            }
        };
        self.changes += u64::from(changed);
        changed
    }

    /// Replaces everything. Returns whether that changed anything, or made the objects known.
    fn replace(&mut self, entries: BTreeMap<String, Arc<K::Entry>>) -> bool {
        let news = self.entries != entries || !self.is_known();
        self.entries = entries;
        news
    }

    fn is_known(&self) -> bool {
        K::part(&self.sender.borrow()).is_ok()
    }

    /// Takes a full list in, unless the watch has brought changes since it was begun: which of the
    /// two is newer could not be told, and the next list is never far.
    fn take_list(&mut self, entries: Entries<K::Entry>, changes_at_list: u64) {
        if changes_at_list == self.changes && self.replace(Arc::unwrap_or_clone(entries)) {
            tracing::info!(
                "the list of {} held changes that the watch had not shown",
                K::PLURAL
            );
            self.changes += 1;
            self.publish();
        }
    }

    fn failed(&mut self, failure: &Failure) {
        self.watches.record_error(K::PLURAL);
        let is_news = self
            .sender
            .send_if_modified(|state| note_failure(K::part_mut(state), failure));
        if is_news || !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(reason = failure.reason, "{}", failure.message);
        } else {
            tracing::debug!(reason = failure.reason, "{}", failure.message);
        }
    }

    fn publish(&self) {
        let entries = Arc::new(self.entries.clone());
        self.sender
            .send_modify(|state| *K::part_mut(state) = Ok(entries));
    }
}

/// Notes why the objects could not be read. Returns whether that changed what is known: objects that
/// were known once stay known, since adds go on and removals ask for themselves. Only what trying
/// again does not mend is for a person to see.
fn note_failure<E>(part: &mut Known<E>, failure: &Failure) -> bool {
    let is_news = match part {
        Ok(_) => !failure.retryable,
        Err(before) => before != failure,
    };
    if is_news {
        *part = Err(failure.clone());
    }
    is_news
}

/// The steps of the listing that runs beside the watch, without holding it up.
enum Relist<E> {
    Due,
    Done(Result<Entries<E>, ListProblem>),
}

fn list_due<E: Send + Sync + 'static>() -> BoxFuture<'static, Relist<E>> {
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
    use super::*;

    fn failure(reason: &'static str, retryable: bool) -> Failure {
        Failure {
            reason,
            message: String::new(),
            retryable,
        }
    }

    #[test]
    fn objects_that_are_known_stay_known_while_trying_again_may_help() {
        let mut part: Known<()> = Ok(Arc::default());
        assert!(!note_failure(&mut part, &failure("A", true)));
        assert!(part.is_ok());
    }

    #[test]
    fn objects_that_need_a_person_are_not_known_any_more() {
        let mut part: Known<()> = Ok(Arc::default());
        assert!(note_failure(&mut part, &failure("A", false)));
        assert_eq!(part, Err(failure("A", false)));
    }

    #[test]
    fn a_failure_that_is_known_is_no_news() {
        let mut part: Known<()> = Err(failure("A", true));
        assert!(note_failure(&mut part, &failure("B", false)));
        assert!(!note_failure(&mut part, &failure("B", false)));
    }
}
