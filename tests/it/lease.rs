//! Operators that are elected by a lease: one leads and writes, the others know everything and ask no
//! device.

use std::time::{Duration, Instant};

use bigip_sim::{Effect, Fault, Method, Simulator};
use bigip_tunnel_harness::account::rule;
use bigip_tunnel_harness::operator::OperatorProcess;
use bigip_tunnel_harness::proxy::Trouble;
use bigip_tunnel_harness::supervise::Exit;
use bigip_tunnel_harness::wait::{Answer, eventually};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::rights::{all_rights, rights_without};
use crate::witness::Rule;
use crate::world::operator::{LEASE, get};
use crate::world::{NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World, mutations};

/// All records of a world in sync, and that of the new node.
const WITH_NEW: [(&str, &str); 4] = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
/// How soon another operator has to lead after one was killed.
const FAIL_OVER_MAX: Duration = Duration::from_secs(20);
/// How long something may take that has no limit of its own.
const LIMIT: Duration = Duration::from_secs(60);
/// Times short enough to be waited for, and long enough for a busy machine.
const SHORT: [&str; 3] = [
    "--lease-duration=12",
    "--lease-renew-deadline=5",
    "--lease-retry-period=1",
];

/// A world in sync with a leader, and an operator that follows.
async fn with_follower(name: &str, args: &[&str]) -> (World, OperatorProcess) {
    let mut world = World::new(name).await;
    world.elect(args).await;
    let world = world.into_sync().await;
    let follower = world.another_operator().await;
    until_it_says(&follower, "another process leads").await;
    (world, follower)
}

async fn until_it_says(operator: &OperatorProcess, text: &str) {
    let said = eventually(format!("{text:?} in the log"), LIMIT, async || {
        let log = operator.log();
        let says = log.iter().any(|line| line.contains(text));
        if says {
            Answer::Done(())
        } else {
            Answer::NotYet(log.last().cloned().unwrap_or_default())
        }
    });
    said.await.unwrap();
}

async fn until_leading(operator: &OperatorProcess) {
    let leads = eventually("leading", LIMIT, async || {
        Answer::when(leads(operator).await, |leads| *leads)
    });
    leads.await.unwrap();
}

async fn leads(operator: &OperatorProcess) -> bool {
    let metrics = get(operator, "/metrics").await;
    metrics.lines().any(|line| line == "bigiptunnel_leader 1")
}

async fn holder(world: &World) -> Option<String> {
    let lease = world.leases().get_opt(LEASE).await.unwrap();
    lease?.spec?.holder_identity
}

/// Checks that one operator has logged in to each device.
fn assert_one_was_there(world: &World) {
    assert_eq!(
        world.devices.units().each_ref().map(Simulator::logins),
        [1; 2]
    );
}

/// A leader that has claimed three records and waits for the answer to the first one that it adds to each
/// unit. The other two would follow.
async fn in_the_middle_of_a_batch(world: &mut World) {
    for unit in world.devices.units() {
        let first = Fault::new(Effect::stall()).method(Method::POST);
        unit.fault(first.path_contains("/records").nth(1));
    }
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    for unit in world.devices.units() {
        let waits = unit.wait_until(LIMIT, |state| state.held_requests() > 0);
        waits.await.unwrap();
    }
}

fn let_go(world: &World) {
    world
        .devices
        .units()
        .iter()
        .for_each(Simulator::clear_faults);
}

#[tokio::test]
async fn follower_adds_a_record_in_time_after_leader_kill() {
    let (mut world, follower) = with_follower("lease-kill", &[]).await;
    assert_one_was_there(&world);
    let ready = eventually("a follower that is ready", LIMIT, async || {
        let answer = get(&follower, "/readyz").await;
        Answer::when(answer, |answer| answer.starts_with("HTTP/1.1 200"))
    });
    ready.await.unwrap();
    world.kill_operator().await;
    let killed = Instant::now();
    world.create_node(NEW_NODE).await;
    world.until_records(&WITH_NEW).await;
    assert!(killed.elapsed() < FAIL_OVER_MAX, "{:?}", killed.elapsed());
    assert!(leads(&follower).await);
    assert_eq!(world.status().await.writer, holder(&world).await);
}

#[tokio::test]
async fn paused_leader_sends_no_write_after_losing_its_lease() {
    let mut world = World::new("lease-stop").await;
    let reason = "what is on the wire of a stopped process is not called back";
    world.witness.exempt(Rule::OneWriteAtATime, reason);
    world.elect(&SHORT).await;
    in_the_middle_of_a_batch(&mut world).await;
    let follower = world.another_operator().await;
    world.operator().pause();
    until_leading(&follower).await;
    world.until_records(&[RECORD_1, RECORD_2, RECORD_3]).await;
    world.until_ready().await;
    world.settle().await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    let_go(&world);
    world.operator().resume();
    assert_eq!(world.operator().ended().await.unwrap(), Exit::Code(1));
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
    assert!(leads(&follower).await);
}

#[tokio::test]
async fn no_write_follows_lease_expiry_without_api_server() {
    let mut world = World::new("lease-away").await;
    let proxy = world.start_proxy().await;
    world.elect(&SHORT).await;
    in_the_middle_of_a_batch(&mut world).await;
    proxy.make_trouble(Trouble::Silence, |_| true);
    let stopped = eventually("leading no more", LIMIT, async || {
        Answer::when(leads(world.operator()).await, |leads| !*leads)
    });
    stopped.await.unwrap();
    let_go(&world);
    assert_eq!(world.operator().ended().await.unwrap(), Exit::Code(1));
    for unit in world.devices.units() {
        let writes = mutations(unit);
        assert_eq!(writes.len(), 1, "{writes:#?}");
    }
}

#[tokio::test]
async fn second_of_two_operators_sends_no_device_request() {
    let mut world = World::new("lease-together").await;
    world.elect(&[]).await;
    world.create_nodes().await;
    let (one, other) = tokio::join!(world.another_operator(), world.another_operator());
    world.create(world.spec()).await;
    world.until_ready().await;
    world.settle().await;
    assert!(leads(&one).await ^ leads(&other).await);
    assert_one_was_there(&world);
    for unit in world.devices.units() {
        let added = mutations(unit).len();
        assert_eq!(added, 3);
    }
}

#[tokio::test]
async fn deleted_lease_returns_to_its_leader() {
    let (world, follower) = with_follower("lease-deleted", &[]).await;
    let before = holder(&world).await;
    assert!(before.is_some());
    let params = DeleteParams::default();
    world.leases().delete(LEASE, &params).await.unwrap();
    let again = eventually("the lease held again", LIMIT, async || {
        Answer::when(holder(&world).await, Option::is_some)
    });
    assert_eq!(again.await.unwrap(), before);
    world.create_node(NEW_NODE).await;
    world.until_records(&WITH_NEW).await;
    assert!(leads(world.operator()).await && !leads(&follower).await);
    assert_one_was_there(&world);
}

#[tokio::test]
async fn leader_exits_if_its_lease_names_another_holder() {
    let (world, follower) = with_follower("lease-ghost", &SHORT).await;
    let ghost = Patch::Merge(json!({"spec": {"holderIdentity": "ghost"}}));
    let params = PatchParams::default();
    world.leases().patch(LEASE, &params, &ghost).await.unwrap();
    assert_eq!(world.operator().ended().await.unwrap(), Exit::Code(1));
    world.create_node(NEW_NODE).await;
    world.until_records(&WITH_NEW).await;
    assert!(leads(&follower).await);
}

#[tokio::test]
async fn sigterm_releases_the_lease_and_follower_leads_at_once() {
    let lasts = ["--lease-duration=600", "--lease-renew-deadline=500"];
    let (mut world, follower) = with_follower("lease-term", &lasts).await;
    let before = holder(&world).await;
    assert_eq!(world.terminate_operator().await, Exit::Code(0));
    // It would take ten minutes for the lease to run out.
    until_leading(&follower).await;
    world.create_node(NEW_NODE).await;
    world.until_records(&WITH_NEW).await;
    let after = holder(&world).await;
    assert!(after.is_some() && after != before, "{after:?}");
}

#[tokio::test]
async fn second_sigterm_exits_at_once_during_a_request() {
    let mut world = World::new("lease-twice").await;
    world.elect(&[]).await;
    in_the_middle_of_a_batch(&mut world).await;
    let operator = world.take_operator();
    operator.send_terminate();
    until_it_says(&operator, "requests in flight are finished").await;
    let asked = Instant::now();
    assert_eq!(operator.terminate().await.unwrap(), Exit::Code(0));
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn missing_lease_without_create_permission_is_reported() {
    let mut world = World::new("lease-missing").await;
    let account = world.restrict_operator().await;
    let mut rights = all_rights().await;
    rights.push(rule("coordination.k8s.io", &["leases"], &["get", "update"]));
    account.allow(&rights).await.unwrap();
    world.elect(&SHORT).await;
    let leases = world.leases();
    let made = leases.get(LEASE).await.unwrap();
    leases
        .delete(LEASE, &DeleteParams::default())
        .await
        .unwrap();
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_logged(&["create the lease", "forbidden"]).await;
    assert!(!leads(world.operator()).await);
    let mut lease = made;
    lease.metadata = kube::api::ObjectMeta {
        name: Some(LEASE.to_owned()),
        ..kube::api::ObjectMeta::default()
    };
    leases.create(&PostParams::default(), &lease).await.unwrap();
    world.until_ready().await;
}

#[tokio::test]
async fn missing_lease_is_created_and_acquired_after_duration() {
    let mut world = World::new("lease-made").await;
    world.elect(&SHORT).await;
    let params = DeleteParams::default();
    world.leases().delete(LEASE, &params).await.unwrap();
    let started = Instant::now();
    world.start_operator().await;
    until_leading(world.operator()).await;
    // Somebody may lead still who has not seen that the lease is gone.
    assert!(
        started.elapsed() >= Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
}

/// Waits until an operator answers on this path with a status and a text.
async fn until_answered(operator: &OperatorProcess, path: &str, status: &str, text: &str) {
    let answered = eventually(
        format!("{path} says {status} {text:?}"),
        LIMIT,
        async || {
            let answer = get(operator, path).await;
            Answer::when(answer, |answer| {
                answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(text)
            })
        },
    );
    answered.await.unwrap();
}

#[tokio::test]
async fn unused_lease_is_acquired_without_delay() {
    let mut world = World::new("lease-unused").await;
    // Longer than the test waits.
    world.elect(&["--lease-duration=600"]).await;
    world.start_operator().await;
    until_leading(world.operator()).await;
    until_answered(world.operator(), "/leaderz", "200", " leads").await;
}

#[tokio::test]
async fn reapplied_manifest_keeps_a_held_lease() {
    let mut world = World::new("lease-applied").await;
    world.elect(&[]).await;
    world.start_operator().await;
    until_leading(world.operator()).await;
    let applied = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}});
    let params = PatchParams::apply("kubectl");
    let patch = Patch::Apply(&applied);
    let lease = world.leases().patch(LEASE, &params, &patch).await.unwrap();
    let spec = lease.spec.unwrap();
    assert!(spec.holder_identity.is_some());
    assert_eq!(spec.lease_duration_seconds, Some(15));
}

#[tokio::test]
async fn replica_that_may_not_read_the_lease_is_not_ready() {
    let mut world = World::new("lease-unread").await;
    world.elect(&[]).await;
    let account = world.restrict_operator().await;
    account
        .allow(&rights_without("leases").await)
        .await
        .unwrap();
    world.start_operator().await;
    let denied = "cannot read the lease";
    until_answered(world.operator(), "/readyz", "503", denied).await;
    until_answered(world.operator(), "/leaderz", "503", denied).await;
    let mut rights = all_rights().await;
    rights.push(rule("coordination.k8s.io", &["leases"], &["get", "update"]));
    account.allow(&rights).await.unwrap();
    until_answered(world.operator(), "/readyz", "200", "ok").await;
}

#[tokio::test]
async fn follower_that_may_not_update_the_lease_is_not_ready() {
    let mut world = World::new("lease-unwritten").await;
    world.elect(&[]).await;
    world.start_operator().await;
    until_leading(world.operator()).await;
    let account = world.restrict_operator().await;
    let mut rights = rights_without("leases").await;
    rights.push(rule("coordination.k8s.io", &["leases"], &["get"]));
    account.allow(&rights).await.unwrap();
    let follower = world.another_operator().await;
    until_answered(&follower, "/leaderz", "200", " leads").await;
    until_answered(&follower, "/readyz", "503", "cannot update the lease").await;
}

#[tokio::test]
async fn follower_is_ready_again_when_the_lease_is_restored() {
    let mut world = World::new("lease-restored").await;
    world.elect(&[]).await;
    let account = world.restrict_operator().await;
    let mut rights = rights_without("leases").await;
    rights.push(rule("coordination.k8s.io", &["leases"], &["get", "update"]));
    account.allow(&rights).await.unwrap();
    let params = DeleteParams::default();
    world.leases().delete(LEASE, &params).await.unwrap();
    world.start_operator().await;
    until_answered(
        world.operator(),
        "/readyz",
        "503",
        "cannot create the lease",
    )
    .await;
    let held = json!({"metadata": {"name": LEASE}, "spec": {"holderIdentity": "another"}});
    let held = serde_json::from_value(held).unwrap();
    let params = PostParams::default();
    world.leases().create(&params, &held).await.unwrap();
    until_answered(world.operator(), "/readyz", "200", "ok").await;
}
