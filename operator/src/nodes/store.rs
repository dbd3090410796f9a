//! Objects of one kind, watched and listed, of which only a part is kept.
//!
//! The watch makes changes quick; the full list every minute makes them certain (a watch may lose
//! events or stop without a word). Must not know what the objects mean.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bigip_tunnel_core::node_evidence::{Doubt, check_count, counted};
use bigip_tunnel_core::outcome::Failure;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kube::api::{ListParams, VersionMatch};
use kube::core::ObjectList;
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
/// How often a list is made that does not agree with its count: objects may come and go between the two
/// only where the API server has lost the moment of the list.
const LIST_TRIES: u32 = 2;
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
    /// It could, and is not good enough to conclude from it what is not there. A list that shows the past
    /// comes from an API server that lags behind, or from a cluster that was restored. A watch from a
    /// version that is yet to come says nothing, so it has to be made again as well.
    Doubted(Doubt),
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
    /// alone, since a list at an unset resource version is the most recent one), as large as the API
    /// server counts, and not older than `floor` or a list before. What is equal to what is `known` is shared with it,
    /// so that two lists take up the memory of one.
    pub(super) async fn list(
        &self,
        floor: u128,
        known: Option<Entries<K::Entry>>,
    ) -> Result<Entries<K::Entry>, ListProblem> {
        let late = |_| {
            let cause = format!("not complete within {} s", LIST_DEADLINE.as_secs());
            Err(ListProblem::Failed(K::failure(None, &cause)))
        };
        let listing = timeout(LIST_DEADLINE, self.list_counted(floor, known.as_deref())).await;
        listing.unwrap_or_else(late).map(Arc::new)
    }

    async fn list_counted(
        &self,
        floor: u128,
        known: Option<&BTreeMap<String, Arc<K::Entry>>>,
    ) -> Result<BTreeMap<String, Arc<K::Entry>>, ListProblem> {
        let mut tries = 1;
        loop {
            let listed = self.list_pages(floor, known).await?;
            let counted = self.count(&listed.resource_version).await;
            let problem = match counted {
                Ok(counted) => match check_count(K::PLURAL, listed.items, counted) {
                    Ok(()) => return Ok(listed.entries),
                    Err(doubt) => ListProblem::Doubted(doubt),
                },
                // The moment of the list is gone (410), or something else.
                Err(failure) => ListProblem::Failed(failure),
            };
            if tries == LIST_TRIES {
                return Err(problem);
            }
            tries += 1;
        }
    }

    async fn list_pages(
        &self,
        floor: u128,
        known: Option<&BTreeMap<String, Arc<K::Entry>>>,
    ) -> Result<Listed<K::Entry>, ListProblem> {
        let mut listed = Listed {
            entries: BTreeMap::new(),
            items: 0,
            resource_version: String::new(),
        };
        let mut params = ListParams::default().limit(PAGE_SIZE);
        // As known when the list is begun: one that is made at the same time may be newer.
        let floor = floor.max(*self.newest());
        loop {
            let page = self.page(&params).await.map_err(ListProblem::Failed)?;
            let version = page.metadata.resource_version;
            let version = self.check_age(version, floor)?;
            listed.items += page.items.len();
            let items = page.items.into_iter();
            listed.entries.extend(items.filter_map(|o| kept(o, known)));
            match page.metadata.continue_ {
                Some(token) if !token.is_empty() => params = params.continue_token(&token),
                _ => {
                    listed.resource_version = version;
                    return Ok(listed);
                }
            }
        }
    }

    /// How many objects there were at the moment of a list. `None` when the API server does not say.
    async fn count(&self, resource_version: &str) -> Result<Option<usize>, Failure> {
        let params = ListParams::default()
            .limit(1)
            .at(resource_version)
            .matching(VersionMatch::Exact);
        let page = self.page(&params).await?;
        let token = page.metadata.continue_.unwrap_or_default();
        let remaining = page.metadata.remaining_item_count;
        Ok(counted(page.items.len(), !token.is_empty(), remaining))
    }

    async fn page(&self, params: &ListParams) -> Result<ObjectList<K>, Failure> {
        let page = call(READ_DEADLINE, self.api.list(params)).await;
        page.map_err(|error| K::failure(error.code(), &error.to_string()))
    }

    /// Refuses a list that is older than what was read before. All pages of a list have the resource
    /// version of the first.
    fn check_age(
        &self,
        resource_version: Option<String>,
        floor: u128,
    ) -> Result<String, ListProblem> {
        let stale = || ListProblem::Doubted(Doubt::Stale(K::PLURAL));
        let text = resource_version.ok_or_else(stale)?;
        let version = text.parse::<u128>().map_err(|_| stale())?;
        if version < floor {
            return Err(stale());
        }
        let mut newest = self.newest();
        *newest = version.max(*newest);
        drop(newest);
        Ok(text)
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

/// A list, page by page.
struct Listed<E> {
    entries: BTreeMap<String, Arc<E>>,
    /// How many objects came, those that are not kept among them.
    items: usize,
    /// Of the last page.
    resource_version: String,
}

/// An object's name and what is kept of it: the known entry where that is equal.
fn kept<K: Kept>(
    object: K,
    known: Option<&BTreeMap<String, Arc<K::Entry>>>,
) -> Option<(String, Arc<K::Entry>)> {
    let (name, entry) = object.into_entry()?;
    let before = known.and_then(|known| known.get(&name));
    let entry = match before.filter(|before| ***before == entry) {
        Some(before) => before.clone(),
        None => Arc::new(entry),
    };
    Some((name, entry))
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
                        let known = K::part(&self.sender.borrow()).as_ref().ok().cloned();
                        relist = async move { Relist::Done(source.list(0, known).await) }.boxed();
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
                    Relist::Done(Err(ListProblem::Doubted(doubt))) => {
                        self.failed(&K::failure(None, &doubt.to_string()));
                        match doubt {
                            Doubt::Stale(_) => return,
                            _ => relist = list_due(),
                        }
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
                batch.extend(kept(object, Some(&self.entries)));
                false
            }
            watcher::Event::InitDone => self.replace(std::mem::take(batch)),
            watcher::Event::Apply(object) => match kept(object, None) {
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
            tracing::warn!(reason = failure.reason.as_str(), "{}", failure.message);
        } else {
            tracing::debug!(reason = failure.reason.as_str(), "{}", failure.message);
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
    use bigip_tunnel_core::reason::Reason;
    use std::convert::Infallible;

    use http::{Request, Response, StatusCode};
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;
    use crate::nodes::SlimNode;

    /// An API server that gives these answers, one after the other.
    fn source(answers: &[Value]) -> Source<SlimNode> {
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        let service = tower::service_fn(move |_: Request<Body>| {
            let answer = answers.lock().unwrap().remove(0);
            let code = answer["code"]
                .as_u64()
                .map_or(200, |code| u16::try_from(code).unwrap());
            let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
            *response.status_mut() = StatusCode::from_u16(code).unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        Source::new(Client::new(service, "default"))
    }

    /// A page with these nodes; `remaining`: that many come behind it.
    fn page(version: &str, names: &[&str], remaining: Option<usize>) -> Value {
        let items = names.iter().map(|name| json!({"metadata": {"name": name}}));
        let items: Vec<Value> = items.collect();
        let mut metadata = json!({"resourceVersion": version});
        if let Some(remaining) = remaining {
            metadata["continue"] = json!("token");
            metadata["remainingItemCount"] = json!(remaining);
        }
        json!({"apiVersion": "v1", "kind": "NodeList", "metadata": metadata, "items": items})
    }

    fn refusal(code: u16) -> Value {
        json!({"kind": "Status", "status": "Failure", "code": code, "message": "no"})
    }

    async fn list(answers: &[Value], floor: u128) -> Result<usize, ListProblem> {
        let listed = source(answers).list(floor, None).await;
        listed.map(|entries| entries.len())
    }

    #[tokio::test]
    async fn all_pages_that_agree_with_the_count_are_a_list() {
        let pages = [
            page("7", &["a", "b"], Some(1)),
            page("7", &["c"], None),
            page("7", &["a"], Some(2)),
        ];
        assert_eq!(list(&pages, 7).await.ok(), Some(3));
    }

    #[tokio::test]
    async fn list_that_lost_its_continue_token_is_doubted() {
        let cut = [page("7", &["a", "b"], None), page("7", &["a"], Some(2))];
        let doubt = list(&[cut.clone(), cut].concat(), 0).await.unwrap_err();
        let expected = Doubt::Incomplete {
            what: "nodes",
            listed: 2,
            counted: 3,
        };
        assert!(matches!(doubt, ListProblem::Doubted(d) if d == expected));
    }

    #[tokio::test]
    async fn list_with_a_failed_second_page_is_no_list() {
        for code in [410, 500] {
            let pages = [page("7", &["a", "b"], Some(1)), refusal(code)];
            let problem = list(&pages, 0).await.unwrap_err();
            assert!(matches!(problem, ListProblem::Failed(_)), "{code}");
        }
    }

    #[tokio::test]
    async fn expired_list_is_restarted() {
        let answers = [
            page("7", &["a"], None),
            refusal(410),
            page("9", &["a", "b"], None),
            page("9", &["a"], Some(1)),
        ];
        assert_eq!(list(&answers, 0).await.ok(), Some(2));
    }

    #[tokio::test]
    async fn list_older_than_what_was_read_before_is_doubted() {
        let stale = |problem| matches!(problem, ListProblem::Doubted(Doubt::Stale("nodes")));
        let answers = [page("7", &["a"], None)];
        assert!(stale(list(&answers, 8).await.unwrap_err()));
        let twice = [
            page("7", &["a"], None),
            page("7", &["a"], None),
            page("6", &["a"], None),
        ];
        let source = source(&twice);
        source.list(0, None).await.unwrap();
        assert!(stale(source.list(0, None).await.unwrap_err()));
    }

    #[tokio::test]
    async fn list_without_resource_version_is_doubted() {
        let mut answer = page("7", &["a"], None);
        answer["metadata"] = json!({});
        assert!(matches!(
            list(&[answer], 0).await,
            Err(ListProblem::Doubted(_))
        ));
    }

    fn failure(reason: Reason, retryable: bool) -> Failure {
        Failure {
            reason,
            message: String::new(),
            retryable,
        }
    }

    #[test]
    fn known_objects_stay_during_retryable_failures() {
        let mut part: Known<()> = Ok(Arc::default());
        assert!(!note_failure(&mut part, &failure(Reason::Timeout, true)));
        assert!(part.is_ok());
    }

    #[test]
    fn known_objects_are_dropped_on_a_permanent_failure() {
        let mut part: Known<()> = Ok(Arc::default());
        assert!(note_failure(&mut part, &failure(Reason::Timeout, false)));
        assert_eq!(part, Err(failure(Reason::Timeout, false)));
    }

    #[test]
    fn repeated_failure_is_no_change() {
        let mut part: Known<()> = Err(failure(Reason::Timeout, true));
        assert!(note_failure(
            &mut part,
            &failure(Reason::NodeListFailed, false)
        ));
        assert!(!note_failure(
            &mut part,
            &failure(Reason::NodeListFailed, false)
        ));
    }
}
