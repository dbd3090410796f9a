//! An API server that refuses for a while: what is refused is asked again, not too often, and costs neither
//! the leadership nor the process.

use std::time::Duration;

use bigip_sim::Simulator;
use bigip_tunnel_harness::proxy::{Proxy, Seen, Trouble};
use bigip_tunnel_harness::wait::{Answer, eventually};
use http::{Method, StatusCode};

use crate::world::operator::LEASE;
use crate::world::{NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World};

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
async fn a_renewal_that_is_refused_is_made_again_in_its_own_time_whatever_the_answer_asks_for() {
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
async fn while_everything_but_the_lease_is_throttled_the_leader_leads_and_asks_seldom() {
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
async fn an_operator_that_the_api_server_does_not_know_for_a_while_goes_on_afterwards() {
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
