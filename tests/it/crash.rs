//! The operator ends, in order or not, at the worst moments, and goes on where it was.

use std::pin::pin;
use std::time::{Duration, Instant};

use bigip_sim::{Effect, Fault, Method, Simulator};
use bigip_tunnel_crds::v1alpha1::ClaimState;
use bigip_tunnel_harness::devices::USER;
use bigip_tunnel_harness::supervise::Exit;
use futures::TryStreamExt as _;
use kube::api::{WatchEvent, WatchParams};

use crate::world::{
    FOREIGN, NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, claims,
    requests, to_map,
};

/// All records of a world in sync with one node more.
const ALL: [(&str, &str); 4] = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
/// How long Kubernetes lets a pod end by default.
const GRACE: Duration = Duration::from_secs(30);
/// How long the operator may take to send a request.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn restart_in_sync_writes_nothing() {
    let mut world = World::in_sync("crash-kill").await;
    world.settle().await;
    let before = world.devices.units().each_ref().map(Simulator::mutations);
    world.kill_operator().await;
    let version = world.object().await.metadata.resource_version.unwrap();
    world.start_operator().await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let after = world.devices.units().each_ref().map(Simulator::mutations);
    assert_eq!(after, before);
    // Two requests of this test and their two answers; what is left is the restart's.
    let handled = world.status().await.last_handled_reconcile_at;
    let writes = changes_since(&world, &version, handled).await;
    assert!(writes <= 5, "{writes} changes of the object");
}

/// How often the object was changed since this version, up to the answer to the last request.
async fn changes_since(world: &World, version: &str, handled: Option<String>) -> usize {
    let params = WatchParams::default().fields(&format!("metadata.name={NAME}"));
    let objects = world.objects();
    let mut events = pin!(objects.watch(&params, version).await.unwrap());
    let mut changes = 0;
    while let Some(event) = events.try_next().await.unwrap() {
        let WatchEvent::Modified(object) = event else {
            panic!("{event:?}");
        };
        changes += 1;
        if object.status.unwrap_or_default().last_handled_reconcile_at == handled {
            break;
        }
    }
    changes
}

/// A world in sync with a foreign record on both units, and a POST that goes wrong from now on.
async fn with_post_fault(name: &str, effect: &Effect) -> World {
    let world = World::new(name).await;
    for unit in world.devices.units() {
        unit.seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1).unwrap();
    }
    let world = world.into_sync().await;
    for unit in world.devices.units() {
        unit.clear_log();
        unit.fault(
            Fault::new(effect.clone())
                .method(Method::POST)
                .path_contains("/records"),
        );
    }
    world
}

/// Waits until both units have been sent a POST.
async fn until_posted(world: &World) {
    for unit in world.devices.units() {
        let posted = unit.wait_until(LIMIT, |state| {
            state
                .requests()
                .any(|request| request.method == Method::POST)
        });
        posted.await.unwrap();
    }
}

fn with_foreign() -> Vec<(&'static str, &'static str)> {
    ALL.into_iter().chain([FOREIGN]).collect()
}

#[tokio::test]
async fn record_is_claimed_before_it_is_written() {
    let world = with_post_fault("crash-claim", &Effect::stall()).await;
    world.create_node(NEW_NODE).await;
    until_posted(&world).await;
    let status = world.status().await;
    for (name, unit) in world.devices.named() {
        assert_eq!(
            claims(&status, name).get(NEW_RECORD.0),
            Some(&ClaimState::Pending)
        );
        assert!(!unit.records(TUNNEL_PATH).contains_key(NEW_RECORD.0));
    }
    world
        .devices
        .units()
        .iter()
        .for_each(Simulator::clear_faults);
    world.until_ready().await;
    let status = world.until_status("the new record owned", |status| {
        claims(status, "bigip-a").get(NEW_RECORD.0) == Some(&ClaimState::Owned)
    });
    status.await;
}

#[tokio::test]
async fn unsent_write_is_repeated_after_the_crash() {
    let mut world = with_post_fault("crash-lost", &Effect::drop_before_commit()).await;
    world.create_node(NEW_NODE).await;
    until_posted(&world).await;
    world.kill_operator().await;
    world
        .devices
        .units()
        .iter()
        .for_each(Simulator::clear_faults);
    world.start_operator().await;
    world.until_records(&with_foreign()).await;
    world.until_ready().await;
    world.assert_records(&with_foreign());
}

#[tokio::test]
async fn late_write_after_the_crash_does_no_harm() {
    let mut world = with_post_fault("crash-late", &Effect::stall()).await;
    world.create_node(NEW_NODE).await;
    until_posted(&world).await;
    world.kill_operator().await;
    world.start_operator().await;
    world
        .devices
        .units()
        .iter()
        .for_each(Simulator::clear_faults);
    world.until_records(&with_foreign()).await;
    world.until_ready().await;
    world.assert_records(&with_foreign());
    // It is ours: it goes with its node.
    world.delete_node(NEW_NODE.0).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, FOREIGN])
        .await;
}

#[tokio::test]
async fn write_with_a_lost_answer_is_not_repeated() {
    let world = World::in_sync("crash-answer").await;
    let active = world.devices.active();
    active.clear_log();
    active.fault(
        Fault::new(Effect::drop_after_commit())
            .method(Method::POST)
            .nth(1),
    );
    world.create_node(NEW_NODE).await;
    world
        .until_status("four nodes programmed", |status| {
            status
                .summary
                .as_ref()
                .is_some_and(|summary| summary.nodes == "4/4")
        })
        .await;
    world.assert_records(&ALL);
    let posts = requests(active, &Method::POST);
    assert_eq!(posts.len(), 1, "{posts:#?}");
    assert_eq!(posts[0].status, None);
}

#[tokio::test]
async fn crash_during_cleanup_still_removes_the_records() {
    let mut world = World::new("crash-cleanup").await;
    world
        .devices
        .active()
        .seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1)
        .unwrap();
    world = world.into_sync().await;
    for unit in world.devices.units() {
        unit.clear_log();
        unit.fault(
            Fault::new(Effect::drop_before_commit())
                .method(Method::DELETE)
                .path_contains("/records"),
        );
    }
    world.delete(NAME).await;
    for unit in world.devices.units() {
        let asked = unit.wait_until(LIMIT, |state| {
            state
                .requests()
                .any(|request| request.method == Method::DELETE)
        });
        asked.await.unwrap();
    }
    world.kill_operator().await;
    world
        .devices
        .units()
        .iter()
        .for_each(Simulator::clear_faults);
    world.start_operator().await;
    world.until_gone(NAME).await;
    world.until_each([&to_map(&[FOREIGN]), &to_map(&[])]).await;
}

#[tokio::test]
async fn sigterm_exits_with_0_and_deletes_every_token() {
    let mut world = World::in_sync("crash-term").await;
    for unit in world.devices.units() {
        assert_eq!(unit.live_tokens(USER), 1);
    }
    assert_eq!(world.terminate_operator().await, Exit::Code(0));
    for unit in world.devices.units() {
        assert_eq!(unit.live_tokens(USER), 0);
    }
}

#[tokio::test]
async fn write_in_flight_is_finished_before_exit() {
    let mut world = with_post_fault("crash-flight", &Effect::stall()).await;
    world.create_node(NEW_NODE).await;
    until_posted(&world).await;
    let release = async |units: &[Simulator; 2]| units.iter().for_each(Simulator::clear_faults);
    let operator = world.take_operator();
    // The signal is sent first: both run in this order on this thread.
    let (exit, ()) = tokio::join!(operator.terminate(), release(world.devices.units()));
    assert_eq!(exit.unwrap(), Exit::Code(0));
    for unit in world.devices.units() {
        let posts = requests(unit, &Method::POST);
        assert!(
            posts.iter().any(|post| post.status == Some(200)),
            "{posts:#?}"
        );
        assert_eq!(unit.live_tokens(USER), 0);
    }
    world.assert_records(&with_foreign());
}

#[tokio::test]
async fn dead_device_does_not_delay_the_exit() {
    let mut world = World::in_sync("crash-dead").await;
    world.devices.standby().set_responsive(false);
    let started = Instant::now();
    assert_eq!(world.terminate_operator().await, Exit::Code(0));
    assert!(started.elapsed() < GRACE, "{:?}", started.elapsed());
    assert_eq!(world.devices.active().live_tokens(USER), 0);
}
