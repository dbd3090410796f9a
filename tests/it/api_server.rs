//! An API server that refuses for a while, loses answers, conflicts with every write or is late with its
//! events: what is refused is asked again, not too often, and costs neither the leadership nor the process;
//! claims stay exact, and no record is written twice.

use std::time::Duration;

use bigip_sim::Simulator;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnelStatus, ClaimState};
use bigip_tunnel_harness::proxy::{Loss, Proxy, Rule, Seen, Trouble};
use bigip_tunnel_harness::wait::{Answer, eventually};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::interval;

use crate::world::operator::LEASE;
use crate::world::{
    NEW_NODE, NEW_RECORD, NODES, RECORD_1, RECORD_2, RECORD_3, World, claims, mutations, to_map,
};

/// All records of a world in sync, and that of the new node.
const WITH_NEW: [(&str, &str); 4] = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
/// How long something may take that has no limit of its own.
const LIMIT: Duration = Duration::from_secs(60);
/// A leadership that outlives any trouble of these tests.
const LONG: [&str; 3] = [
    "--lease-duration=90",
    "--lease-renew-deadline=60",
    "--lease-retry-period=1",
];

/// A world in sync with a leader that reaches the API server over the proxy.
async fn led_over_a_proxy(name: &str) -> (World, Proxy) {
    let mut world = World::new(name).await;
    let proxy = world.start_proxy().await;
    world.elect(&LONG).await;
    (world.into_sync().await, proxy)
}

fn is_renewal(seen: &Seen) -> bool {
    is_of_the_lease(seen) && seen.method == Method::PUT
}

fn is_of_the_lease(seen: &Seen) -> bool {
    seen.path.ends_with(LEASE)
}

fn is_of_anything_else(seen: &Seen) -> bool {
    !is_of_the_lease(seen)
}

/// Waits until so many more requests for the lease have come: one a second at most.
async fn until_asked_for_the_lease(proxy: &Proxy, more: usize) {
    let wanted = proxy.seen(is_of_the_lease).len() + more;
    let asked = eventually("requests for the lease", LIMIT, async || {
        Answer::when(proxy.seen(is_of_the_lease).len(), |count| *count >= wanted)
    });
    asked.await.unwrap();
}

async fn assert_the_same_one_leads(world: &World, before: Option<&String>) {
    let lease = world.leases().get(LEASE).await.unwrap();
    assert_eq!(lease.spec.unwrap().holder_identity.as_ref(), before);
    assert_eq!(world.counter("bigiptunnel_leader", "").await, 1);
    let logins = world.devices.units().each_ref().map(Simulator::logins);
    assert_eq!(logins, [1; 2]);
}

#[tokio::test]
async fn refused_renewal_is_retried_regardless_of_retry_after() {
    let (world, proxy) = led_over_a_proxy("api-renewal").await;
    let holder = world.status().await.writer;
    let pause = Trouble::Answer(StatusCode::SERVICE_UNAVAILABLE, Some(600));
    proxy.make_trouble(pause, is_renewal);
    until_asked_for_the_lease(&proxy, 4).await;
    proxy.clear();
    let renewed = proxy.seen(is_renewal).len() + 1;
    let again = eventually("a renewal", LIMIT, async || {
        Answer::when(proxy.seen(is_renewal).len(), |count| *count >= renewed)
    });
    again.await.unwrap();
    world.create_node(NEW_NODE).await;
    world.until_records(&WITH_NEW).await;
    assert_the_same_one_leads(&world, holder.as_ref()).await;
}

#[tokio::test]
async fn throttled_leader_keeps_its_lease_and_backs_off() {
    let (world, proxy) = led_over_a_proxy("api-throttled").await;
    let holder = world.status().await.writer;
    let throttled = Trouble::Answer(StatusCode::TOO_MANY_REQUESTS, Some(1));
    proxy.make_trouble(throttled, is_of_anything_else);
    let before = proxy.seen(is_of_anything_else).len();
    world.create_node(NEW_NODE).await;
    let seconds = 6;
    until_asked_for_the_lease(&proxy, seconds).await;
    let asked = proxy.seen(is_of_anything_else).split_off(before);
    assert!(!asked.is_empty(), "the new node's claim is to be stored");
    // The status and the claims of two devices, each at ever longer pauses from half a second on.
    assert!(asked.len() <= 4 * seconds, "in {seconds} s: {asked:#?}");
    proxy.clear();
    world.until_records(&WITH_NEW).await;
    assert_the_same_one_leads(&world, holder.as_ref()).await;
}

#[tokio::test]
async fn operator_recovers_from_temporary_unauthorized_answers() {
    let (world, proxy) = led_over_a_proxy("api-unknown").await;
    let holder = world.status().await.writer;
    let unknown = Trouble::Answer(StatusCode::UNAUTHORIZED, None);
    proxy.make_trouble(unknown, |_| true);
    world.create_node(NEW_NODE).await;
    until_asked_for_the_lease(&proxy, 3).await;
    proxy.clear();
    world.until_records(&WITH_NEW).await;
    assert_the_same_one_leads(&world, holder.as_ref()).await;
}

/// Whether it is a write of claims or of what is shown.
pub(crate) fn is_status_write(seen: &Seen) -> bool {
    seen.is_mutation() && seen.path.contains("/bigiptunnels/") && seen.path.ends_with("/status")
}

fn is_watch_of_objects(seen: &Seen) -> bool {
    seen.is_watch() && seen.path.ends_with("/bigiptunnels")
}

/// Waits until both devices hold these records, and exactly these are claimed as owned. What was removed
/// stays claimed until the unit is saved.
async fn until_owned(world: &World, records: &[(&str, &str)]) {
    world.until_records(records).await;
    let expected = to_map(records);
    let is_exact = |status: &BigIpTunnelStatus, device| {
        let claims = claims(status, device).into_iter();
        let owned = claims.filter(|(_, state)| *state == ClaimState::Owned);
        owned.map(|(mac, _)| mac).eq(expected.keys().cloned())
    };
    world
        .until_status("exact claims", |status| {
            let devices = ["bigip-a", "bigip-b"];
            devices.iter().all(|device| is_exact(status, device))
        })
        .await;
}

/// Which records each unit was asked to change, in their order.
fn written(world: &World) -> [Vec<(Method, Option<String>)>; 2] {
    world.devices.units().each_ref().map(|unit| {
        let writes = mutations(unit).into_iter();
        let writes = writes.filter(|write| write.record.is_some());
        writes.map(|write| (write.method, write.record)).collect()
    })
}

fn clear_logs(world: &World) {
    world.devices.units().iter().for_each(Simulator::clear_log);
}

fn one_addition() -> [Vec<(Method, Option<String>)>; 2] {
    let added = vec![(Method::POST, Some(NEW_RECORD.0.to_owned()))];
    [added.clone(), added]
}

fn one_addition_and_removal() -> [Vec<(Method, Option<String>)>; 2] {
    one_addition().map(|mut writes| {
        writes.push((Method::DELETE, Some(RECORD_1.0.to_owned())));
        writes
    })
}

#[tokio::test]
async fn status_write_not_yet_in_the_watch_repeats_no_write() {
    let mut world = World::new("api-late-watch").await;
    let proxy = world.start_proxy().await;
    let world = world.into_sync().await;
    world.settle().await;
    clear_logs(&world);
    let held = proxy.make_trouble(Trouble::HoldWatch, is_watch_of_objects);
    world.create_node(NEW_NODE).await;
    until_owned(&world, &WITH_NEW).await;
    proxy.until_effects(held, 1, LIMIT).await.unwrap();
    world.delete_node(NODES[0].0).await;
    until_owned(&world, &WITH_NEW[1..]).await;
    proxy.remove(held);
    world.settle().await;
    until_owned(&world, &WITH_NEW[1..]).await;
    assert_eq!(written(&world), one_addition_and_removal());
}

#[tokio::test]
async fn claims_stored_without_an_answer_lead_to_one_write() {
    for (name, loss) in [
        ("api-late-504", Loss::GatewayTimeout),
        ("api-late-broken", Loss::BrokenConnection),
    ] {
        let mut world = World::new(name).await;
        let proxy = world.start_proxy().await;
        let world = world.into_sync().await;
        world.settle().await;
        clear_logs(&world);
        let lost = Rule::new(Trouble::AnswerAfter(loss), is_status_write).nth(1);
        let lost = proxy.add(lost);
        world.create_node(NEW_NODE).await;
        until_owned(&world, &WITH_NEW).await;
        assert_eq!(proxy.effects(lost), 1);
        world.settle().await;
        assert_eq!(written(&world), one_addition(), "{loss:?}");
    }
}

#[tokio::test]
async fn claims_that_always_conflict_lead_to_no_device_write() {
    let (world, proxy) = led_over_a_proxy("api-conflict").await;
    world.settle().await;
    clear_logs(&world);
    let holder = world.status().await.writer;
    let before = proxy.seen(is_status_write).len();
    let conflict = Trouble::Answer(StatusCode::CONFLICT, None);
    proxy.make_trouble(conflict, is_status_write);
    world.create_node(NEW_NODE).await;
    let seconds = 6;
    until_asked_for_the_lease(&proxy, seconds).await;
    let asked = proxy.seen(is_status_write).len() - before;
    assert!(asked > 0, "the new node's claim is to be stored");
    // Five tries each, of the status and the claims of two devices, at ever longer pauses.
    assert!(asked <= 15 * seconds, "{asked} in {seconds} s");
    assert_eq!(written(&world), [vec![], vec![]]);
    proxy.clear();
    until_owned(&world, &WITH_NEW).await;
    assert_eq!(written(&world), one_addition());
    assert_the_same_one_leads(&world, holder.as_ref()).await;
}

#[tokio::test]
async fn object_changed_ten_times_a_second_gets_its_records() {
    let world = World::in_sync("api-bumped").await;
    world.settle().await;
    clear_logs(&world);
    let bumping = async {
        let mut ticks = interval(Duration::from_millis(100));
        for count in 0_u64.. {
            ticks.tick().await;
            let annotation = json!({"example.com/bump": count.to_string()});
            world
                .patch(json!({"metadata": {"annotations": annotation}}))
                .await;
        }
    };
    let working = async {
        world.create_node(NEW_NODE).await;
        until_owned(&world, &WITH_NEW).await;
        world.delete_node(NODES[0].0).await;
        until_owned(&world, &WITH_NEW[1..]).await;
    };
    tokio::select! {
        () = bumping => {}
        () = working => {}
    }
    world.settle().await;
    assert_eq!(written(&world), one_addition_and_removal());
}
