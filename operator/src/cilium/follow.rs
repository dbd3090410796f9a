//! The watch on one kind of Cilium's objects, of which only what is judged is kept.
//!
//! Nothing depends on it but a condition, so that it asks little: a list at the beginning, one watch, another list
//! each hour (a watch may lose events without a word, kubernetes#123072). A kind that is not served, or may not be
//! read, is asked for rarely. Must not know what the objects mean.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_cilium::seen::Unread;
use futures::StreamExt;
use kube::api::ListParams;
use kube::runtime::watcher;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use super::seen::{Known, Slot};
use crate::kubernetes::{READ_DEADLINE, call, code_of};
use crate::metrics::Watches;
use crate::watch::back_off;
use crate::watch::progress::{Progress, Silence};

/// How often everything is listed again although the watch seems to work.
const RELIST_INTERVAL: Duration = Duration::from_secs(3600);
/// How soon a kind is asked for again that is not served, or may not be read.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// Failures, none of them followed by a watch that worked, after which what was read before no longer counts.
const FAILURES_MAX: u32 = 5;

/// A kind of objects.
pub(super) struct Kind<K> {
    /// Its plural, as in its path.
    pub(super) plural: &'static str,
    /// Their namespace, where they have one.
    pub(super) namespace: Option<String>,
    /// Where they are: in the versions in which they may be served.
    pub(super) apis: Vec<Api<K>>,
    /// Which of them.
    pub(super) config: watcher::Config,
}

/// Why the watch in one version ended.
enum Ended {
    /// The version is not served.
    NotServed,
    /// The objects may not be read.
    Forbidden,
    /// They could not be read, several times in a row.
    Failed(Unread),
    /// They are to be listed again.
    Relist,
}

/// Keeps a slot up to date, for ever. `keep` says what is kept of an object, if anything is.
pub(super) async fn follow<K, T>(
    kind: Kind<K>,
    slot: &Slot<T>,
    watches: &Watches,
    mut keep: impl FnMut(K) -> Option<T>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: PartialEq,
{
    loop {
        let mut ended = Ended::NotServed;
        for api in &kind.apis {
            ended = follow_one(&kind, api, slot, watches, &mut keep).await;
            if !matches!(ended, Ended::NotServed) {
                break;
            }
        }
        match ended {
            Ended::Relist => continue,
            Ended::NotServed => slot.set(Known::NotServed),
            Ended::Forbidden => slot.set(Known::Unread(kind.forbidden())),
            Ended::Failed(why) => slot.set(Known::Unread(why)),
        }
        sleep(RETRY_INTERVAL).await;
    }
}

impl<K> Kind<K> {
    fn forbidden(&self) -> Unread {
        let place = self.namespace.as_ref();
        let place = place.map_or_else(String::new, |name| format!(" in the namespace {name}"));
        Unread(format!(
            "the operator may not list and watch {}{place}; the chart's value cilium.verify.enabled grants it",
            self.plural
        ))
    }

    fn unread(&self, cause: &str) -> Unread {
        Unread(format!("{} could not be read: {cause}", self.plural))
    }
}

async fn follow_one<K, T>(
    kind: &Kind<K>,
    api: &Api<K>,
    slot: &Slot<T>,
    watches: &Watches,
    keep: &mut impl FnMut(K) -> Option<T>,
) -> Ended
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: PartialEq,
{
    match probe(kind, api).await {
        Ok(None) => {}
        Ok(Some(ended)) => return ended,
        Err(cause) => slot.fail(kind.unread(&cause)),
    }
    let build = || watcher(api.clone(), kind.config.clone()).boxed();
    let (mut events, mut progress) = (build(), Progress::new(Instant::now(), RELIST_INTERVAL));
    let mut listed = BTreeMap::new();
    loop {
        let cause = match timeout_at(progress.until(), events.next()).await {
            Ok(Some(Ok(event))) => {
                progress.advance(&event, Instant::now());
                take(event, slot, &mut listed, keep);
                continue;
            }
            Ok(Some(Err(error))) => {
                // A refusal is asked for once more: what was read is not given up for one answer.
                if let Some(401 | 403 | 404) = code_of(&error)
                    && let Ok(Some(ended)) = probe(kind, api).await
                {
                    return ended;
                }
                error.to_string()
            }
            Ok(None) => return Ended::Relist,
            Err(_) => match progress.silence(Instant::now()) {
                Silence::Quiet | Silence::Recovered => continue,
                Silence::Old => return Ended::Relist,
                Silence::NoList => {
                    events = build();
                    format!("no list within {} s", READ_DEADLINE.as_secs())
                }
            },
        };
        watches.record_error(kind.plural);
        let failures = progress.fail();
        tracing::debug!(failures, "{} cannot be watched: {cause}", kind.plural);
        if failures >= FAILURES_MAX {
            return Ended::Failed(kind.unread(&cause));
        }
        slot.fail(kind.unread(&cause));
        sleep(back_off(failures)).await;
        progress.resume(Instant::now());
        progress.extend_list(Instant::now());
    }
}

/// Whether there is no use in a watch: it would log each refusal as a fault.
///
/// # Errors
///
/// There was no answer, or another one.
async fn probe<K>(kind: &Kind<K>, api: &Api<K>) -> Result<Option<Ended>, String>
where
    K: Clone + DeserializeOwned + Debug,
{
    let one = ListParams {
        label_selector: kind.config.label_selector.clone(),
        field_selector: kind.config.field_selector.clone(),
        ..ListParams::default().limit(1)
    };
    let Err(error) = call(READ_DEADLINE, api.list_metadata(&one)).await else {
        return Ok(None);
    };
    match error.code() {
        Some(404) => Ok(Some(Ended::NotServed)),
        Some(401) => {
            let cause = "the API server does not accept the operator's token (401)";
            Ok(Some(Ended::Failed(kind.unread(cause))))
        }
        Some(403) => Ok(Some(Ended::Forbidden)),
        _ => Err(error.to_string()),
    }
}

/// Takes an event in.
fn take<K: Resource, T: PartialEq>(
    event: watcher::Event<K>,
    slot: &Slot<T>,
    listed: &mut BTreeMap<String, Arc<T>>,
    keep: &mut impl FnMut(K) -> Option<T>,
) {
    match event {
        watcher::Event::Init => listed.clear(),
        watcher::Event::InitApply(object) => {
            let name = object.name_any();
            if let Some(kept) = keep(object) {
                let kept = slot.share(&name, kept);
                listed.insert(name, kept);
            }
        }
        watcher::Event::InitDone => slot.set(Known::Read(std::mem::take(listed))),
        watcher::Event::Apply(object) => {
            let name = object.name_any();
            slot.put(name, keep(object));
        }
        watcher::Event::Delete(object) => slot.put(object.name_any(), None),
    }
}
