//! When a watch is built anew, on scripted watches and a clock that the tests move.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::json;

use super::progress::CALM;
use super::*;

type Said = Result<Event, watcher::Error>;

fn object(name: &str) -> DynamicObject {
    let object = json!({"metadata": {"namespace": "bigip", "name": name}});
    serde_json::from_value(object).unwrap()
}

fn list(names: &[&str]) -> Vec<Said> {
    let mut said = vec![Ok(Event::Init)];
    said.extend(names.iter().map(|name| Ok(Event::InitApply(object(name)))));
    said.push(Ok(Event::InitDone));
    said
}

fn error() -> Said {
    Err(watcher::Error::NoResourceVersion)
}

/// A watch whose attempts say this, one after the other; each is silent afterwards, and so is every
/// further one.
fn scripted(attempts: Vec<Vec<Said>>) -> BoxStream<'static, (Scope, Event)> {
    scripted_and_counted(attempts, &Watches::default())
}

fn scripted_and_counted(
    attempts: Vec<Vec<Said>>,
    watches: &Watches,
) -> BoxStream<'static, (Scope, Event)> {
    let attempts = Mutex::new(VecDeque::from(attempts));
    let build = move || {
        let said = attempts.lock().unwrap().pop_front().unwrap_or_default();
        stream::iter(said).chain(stream::pending()).boxed()
    };
    Watch::new("bigip".into(), watches.clone(), build).events()
}

/// The names of the next objects that the watch speaks of.
async fn names(events: &mut BoxStream<'static, (Scope, Event)>, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    while names.len() < count {
        let (_, event) = events.next().await.unwrap();
        match event {
            Event::Apply(object) | Event::InitApply(object) | Event::Delete(object) => {
                names.extend(object.metadata.name);
            }
            Event::Init | Event::InitDone => {}
        }
    }
    names
}

#[test]
fn no_namespace_means_one_scope_for_all() {
    assert_eq!(scopes(&[]), [Scope::from("")].into());
}

#[test]
fn repeated_namespace_is_watched_once() {
    let scopes = scopes(&["b".into(), "a".into(), "b".into()]);
    assert_eq!(scopes, [Scope::from("a"), Scope::from("b")].into());
}

#[tokio::test(start_paused = true)]
async fn watch_with_three_failures_in_a_row_is_rebuilt() {
    let mut first = list(&["a"]);
    first.extend([error(), error(), error(), Ok(Event::Apply(object("stuck")))]);
    let mut events = scripted(vec![first, list(&["b"])]);
    let started = Instant::now();
    assert_eq!(names(&mut events, 2).await, ["a", "b"]);
    assert!(started.elapsed() < CALM, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn missing_crd_is_reported_until_objects_can_be_listed() {
    let watches = Watches::default();
    let missing = || {
        let status = kube::core::Status::failure("no such page", "NotFound").with_code(404);
        let error = kube::Error::Api(Box::new(status));
        vec![
            Ok(Event::Init),
            Err(watcher::Error::InitialListFailed(error)),
        ]
    };
    let mut said = missing();
    said.extend(missing());
    said.extend(list(&["a"]));
    let mut events = scripted_and_counted(vec![said], &watches);
    let (_, begins) = events.next().await.unwrap();
    assert!(matches!(begins, Event::Init));
    let (_, again) = events.next().await.unwrap();
    assert!(matches!(again, Event::Init));
    assert!(watches.is_crd_missing());
    assert_eq!(names(&mut events, 1).await, ["a"]);
    events.next().await;
    assert!(!watches.is_crd_missing());
}

#[tokio::test(start_paused = true)]
async fn recovered_watch_continues() {
    let mut said = list(&["a"]);
    said.extend([error(), error(), Ok(Event::Apply(object("b")))]);
    said.extend([error(), error(), Ok(Event::Apply(object("c")))]);
    let mut events = scripted(vec![said]);
    assert_eq!(names(&mut events, 3).await, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn silent_watch_relists_every_five_minutes() {
    let mut events = scripted(vec![list(&["a"]), list(&["b"]), list(&["c"])]);
    let started = Instant::now();
    assert_eq!(names(&mut events, 3).await, ["a", "b", "c"]);
    assert_eq!(started.elapsed(), 2 * RELIST_INTERVAL);
}

#[tokio::test(start_paused = true)]
async fn missing_list_is_requested_again() {
    let mut events = scripted(vec![vec![Ok(Event::Init)], list(&["a"])]);
    let started = Instant::now();
    assert_eq!(names(&mut events, 1).await, ["a"]);
    let limit = READ_DEADLINE + Duration::from_secs(1);
    assert!(started.elapsed() <= limit, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn watch_that_fails_after_its_list_backs_off() {
    let attempt = || {
        let mut said = list(&["a"]);
        said.extend([error(), error(), error()]);
        said
    };
    let mut events = scripted((0..6).map(|_| attempt()).collect());
    let mut waits = Vec::new();
    names(&mut events, 1).await;
    for _ in 0..5 {
        let before = Instant::now();
        names(&mut events, 1).await;
        waits.push(before.elapsed());
    }
    // At most 1 + 2 + 4 s at first, at least three halves of a minute at last.
    assert!(waits[0] <= Duration::from_secs(7), "{waits:?}");
    assert!(waits[4] >= Duration::from_secs(90), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn recovered_watch_starts_with_short_delays() {
    let mut first = list(&["a"]);
    first.extend([error(), error(), error()]);
    let mut second = list(&["b"]);
    second.extend([
        Ok(Event::Apply(object("c"))),
        error(),
        Ok(Event::Apply(object("d"))),
    ]);
    let mut events = scripted(vec![first, second]);
    names(&mut events, 3).await;
    let before = Instant::now();
    assert_eq!(names(&mut events, 1).await, ["d"]);
    assert!(
        before.elapsed() <= Duration::from_secs(1),
        "{:?}",
        before.elapsed()
    );
}
