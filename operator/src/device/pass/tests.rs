//! The rules of safety of a pass, with ports in memory.
//!
//! Each port follows the contract of its trait; what a write needs is checked when it is sent, against what is
//! stored then.

mod fakes;
mod world;

use bigip_tunnel_core::claims::ClaimState::{Leaving, Owned, Pending};
use bigip_tunnel_core::pass::assignment::{CleanUp, Purpose};
use bigip_tunnel_core::pass::saving::save_due;
use bigip_tunnel_core::pass::{Depth, PassError, PassOutcome};
use bigip_tunnel_core::reason::Reason;

use self::world::{AfterWrite, Event, FOREIGN, Fate, M1, M2, World, node};

#[tokio::test(start_paused = true)]
async fn record_is_claimed_then_written_then_read_back() {
    let mut world = World::new(&[node("a", 1)]);
    assert_eq!(world.pass(Depth::Verify).await, Ok(PassOutcome::Settled));
    let writing = [
        Event::Claimed(vec![(M1, Some(Pending))]),
        Event::Added(M1),
        Event::Read(M1),
        Event::Claimed(vec![(M1, Some(Owned))]),
    ];
    assert_eq!(world.events(), writing);
    // What is known was read: a further node costs one write and one read.
    world.publish(&[node("a", 1), node("b", 2)]);
    assert_eq!(world.pass(Depth::Quick).await, Ok(PassOutcome::Settled));
    let requests = world.events();
    assert!(!requests.contains(&Event::Facts) && !requests.contains(&Event::Listed));
    assert_eq!(world.claims(), [(M1, Owned), (M2, Owned)]);
}

#[tokio::test(start_paused = true)]
async fn device_that_is_right_is_read_once_and_nothing_is_stored() {
    let mut world = World::new(&[node("a", 1)]);
    world.settle().await;
    world.all_events();
    assert_eq!(world.pass(Depth::Verify).await, Ok(PassOutcome::Settled));
    assert_eq!(world.all_events(), [Event::Listed]);
}

#[tokio::test(start_paused = true)]
async fn claim_that_is_not_stored_sends_no_write() {
    let mut world = World::new(&[node("a", 1)]);
    // What is stored is not what was planned on.
    world.state().drops_claims = true;
    let ended = world.pass(Depth::Verify).await;
    assert_eq!(failed(&ended), Reason::KubernetesUnavailable);
    assert!(ended.unwrap_err().failure().unwrap().retryable);
    world.state().drops_claims = false;
    world.state().refuses_claims = true;
    let ended = world.pass(Depth::Verify).await;
    assert_eq!(failed(&ended), Reason::KubernetesUnavailable);
    assert!(world.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn follower_sends_no_write() {
    let mut world = World::new(&[node("a", 1)]);
    world.state().is_leading = false;
    let ended = world.pass(Depth::Verify).await;
    assert_eq!(failed(&ended), Reason::NotLeading);
    assert!(world.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn foreign_and_orphaned_records_stay_untouched() {
    let mut world = World::new(&[node("a", 1)]);
    world.assignment.bulk_writes = true;
    world.put(FOREIGN, "192.0.2.7%0");
    world.put(M2, "10.0.0.2%0");
    world.settle().await;
    assert_eq!(world.records(), [M1, M2, FOREIGN]);
    assert_eq!(world.claims(), [(M1, Owned)]);
    let touched = world.writes();
    assert_eq!(touched, [Event::Added(M1)]);
}

#[tokio::test(start_paused = true)]
async fn equal_record_is_adopted_without_a_write() {
    let mut world = World::new(&[node("a", 1)]);
    world.put(M1, "10.0.0.1%0");
    world.settle().await;
    assert_eq!(world.claims(), [(M1, Owned)]);
    assert!(world.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn record_of_another_writer_is_a_conflict_and_stays() {
    let mut world = World::new(&[node("a", 1)]);
    world.put(M1, "10.0.0.9%0");
    world.settle().await;
    assert!(world.writes().is_empty() && world.claims().is_empty());
    let plan = world.memory().report.plan.clone().unwrap();
    assert_eq!(plan.conflict.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn uncertain_write_is_remembered_and_read_before_the_next() {
    for fate in [Fate::LostBefore, Fate::LostAfter] {
        let mut world = World::new(&[node("a", 1)]);
        world.state().fate = Some(fate);
        let ended = world.pass(Depth::Verify).await;
        assert!(
            matches!(ended, Err(PassError::Unreachable { .. })),
            "{fate:?}"
        );
        let now = world.clock.now();
        assert!(world.memory().awaits_late_write(now), "{fate:?}");
        assert_eq!(world.claims(), [(M1, Pending)], "{fate:?}");
        world.all_events();
        world.pass(Depth::Quick).await.unwrap();
        let requests = world.all_events();
        assert_eq!(requests[..2], [Event::Facts, Event::Listed], "{fate:?}");
        world.settle().await;
        assert_eq!(world.claims(), [(M1, Owned)], "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn uncertain_write_defers_removals_until_it_is_resolved() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.publish(&[node("a", 1), node("c", 3)]);
    world.state().fate = Some(Fate::LostAfter);
    world.pass(Depth::Verify).await.unwrap_err();
    world.settle().await;
    assert!(world.records().contains(&M2));
    tokio::time::advance(std::time::Duration::from_secs(76)).await;
    world.settle().await;
    assert!(!world.records().contains(&M2));
}

#[tokio::test(start_paused = true)]
async fn removal_lists_nodes_and_asks_for_its_node_in_the_turn() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.publish(&[node("a", 1)]);
    world.all_events();
    world.settle().await;
    let events = world.all_events();
    let at = |wanted: &Event| events.iter().position(|event| event == wanted).unwrap();
    let order = [
        at(&Event::ListedNodes),
        at(&Event::Claimed(vec![(M2, Some(Leaving))])),
        at(&Event::AskedFor("b".into())),
        at(&Event::Removed(M2)),
        at(&Event::Claimed(vec![(M2, None)])),
    ];
    assert!(order.is_sorted(), "{events:?}");
    assert_eq!(world.records(), [M1]);
}

#[tokio::test(start_paused = true)]
async fn node_that_answers_keeps_its_record_and_contradicts_the_list() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.publish(&[node("a", 1)]);
    world.state().hidden = vec![node("b", 2)];
    world.settle().await;
    assert_eq!(world.records(), [M1, M2]);
    assert_eq!(world.state().contradictions, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn api_server_that_disagrees_with_itself_removes_nothing() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.publish(&[node("a", 1)]);
    world.state().list_is_doubted = true;
    world.settle().await;
    assert_eq!(world.records(), [M1, M2]);
    assert_eq!(world.claims(), [(M1, Owned), (M2, Owned)]);
}

#[tokio::test(start_paused = true)]
async fn changed_spec_interrupts_a_removal() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.publish(&[node("a", 1)]);
    world.state().is_superseded = true;
    let ended = world.pass(Depth::Removal).await;
    assert_eq!(ended, Ok(PassOutcome::Requeue(Depth::Removal)));
    assert_eq!(world.records(), [M1, M2]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_while_an_addition_is_refused() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.publish(&[node("a", 1), node("c", 3)]);
    world.state().fate = Some(Fate::Refused);
    let ended = world.pass(Depth::Removal).await;
    assert_eq!(failed(&ended), Reason::RequestRefused);
    assert_eq!(world.records(), [M1, M2]);
}

#[tokio::test(start_paused = true)]
async fn refused_record_stops_no_other() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.state().fate = Some(Fate::Refused);
    let ended = world.pass(Depth::Verify).await;
    assert_eq!(failed(&ended), Reason::RequestRefused);
    assert_eq!(world.records(), [M2]);
    assert_eq!(world.claims(), [(M1, Pending), (M2, Owned)]);
}

#[tokio::test(start_paused = true)]
async fn other_unit_is_neither_written_to_nor_adopted() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.replace_unit("other");
    let ended = world.pass(Depth::Verify).await;
    assert_eq!(failed(&ended), Reason::DeviceIdentityChanged);
    assert!(world.writes().is_empty() && world.state().is_doubted);
    assert_eq!(world.claims(), [(M1, Owned), (M2, Owned)]);
    world.accept("other");
    assert_eq!(world.pass(Depth::Verify).await, Err(PassError::Restart));
    assert!(world.claims().is_empty() && world.writes().is_empty());
    world.settle().await;
    assert_eq!(world.records(), [M1, M2]);
}

#[tokio::test(start_paused = true)]
async fn another_login_reads_everything_before_a_write() {
    let mut world = World::new(&[node("a", 1)]);
    world.settle().await;
    world.publish(&[node("a", 1), node("b", 2)]);
    world.state().login += 1;
    world.all_events();
    world.pass(Depth::Quick).await.unwrap();
    let events = world.all_events();
    assert_eq!(events[..2], [Event::Facts, Event::Listed]);
}

#[tokio::test(start_paused = true)]
async fn observer_reports_its_plan_and_writes_nothing() {
    let mut world = World::new(&[node("a", 1)]);
    world.assignment.purpose = Purpose::Observe;
    world.settle().await;
    assert!(world.events().is_empty());
    let plan = world.memory().report.plan.clone().unwrap();
    assert_eq!(plan.add.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn clean_up_without_claims_asks_no_device() {
    let mut world = World::new(&[node("a", 1)]);
    world.assignment.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
    assert_eq!(world.pass(Depth::Removal).await, Ok(PassOutcome::Clean));
    assert!(world.all_events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn clean_up_removes_only_what_is_claimed_and_saves_last() {
    let mut world = World::new(&[node("a", 1)]);
    world.assignment.save_delay = Some(std::time::Duration::from_secs(300));
    world.put(FOREIGN, "192.0.2.7%0");
    world.settle().await;
    world.assignment.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
    world.all_events();
    assert_eq!(world.settle().await, PassOutcome::Clean);
    assert_eq!(world.records(), [FOREIGN]);
    let events = world.events();
    let end = [Event::Saved, Event::Claimed(vec![(M1, None)])];
    assert_eq!(events[events.len() - 2..], end);
}

#[tokio::test(start_paused = true)]
async fn clean_up_of_a_missing_tunnel_drops_its_claims() {
    let mut world = World::new(&[node("a", 1)]);
    world.settle().await;
    world.state().has_tunnel = false;
    let ended = world.pass(Depth::Verify).await;
    assert_eq!(failed(&ended), Reason::TunnelNotFound);
    assert_eq!(world.claims(), [(M1, Owned)]);
    world.assignment.purpose = Purpose::CleanUp(CleanUp::DeviceRemoved);
    assert_eq!(world.pass(Depth::Removal).await, Ok(PassOutcome::Clean));
    assert!(world.claims().is_empty());
}

#[tokio::test(start_paused = true)]
async fn whole_list_is_not_written_over_a_record_that_came_meanwhile() {
    let nodes: Vec<_> = (1..=70).map(|n| node(&format!("n{n}"), n)).collect();
    for (comes, fills) in [(false, 1), (true, 0)] {
        let mut world = World::new(&nodes);
        world.assignment.bulk_writes = true;
        world.state().comes_before_second_read = comes;
        world.settle().await;
        let writes = world.writes();
        let filled = writes.iter().filter(|write| **write == Event::Filled);
        assert_eq!(filled.count(), fills, "{comes}");
        assert_eq!(world.records().contains(&FOREIGN), comes);
        assert_eq!(world.claims().len(), 70);
    }
}

#[tokio::test(start_paused = true)]
async fn stopped_pass_returns_what_it_has_learnt() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.publish(&[node("a", 1), node("c", 3)]);
    world.state().is_stopping = true;
    assert_eq!(world.pass(Depth::Verify).await, Err(PassError::Stopping));
    assert!(world.memory().absences.get(M2.parse().unwrap()).is_some());
    assert_eq!(world.memory().newcomers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn stop_between_write_and_read_back_settles_the_claim() {
    // One record is read back alone, many by a list, also those that were written at once.
    for (count, writes) in [(1, 1), (3, 3), (70, 1)] {
        let nodes: Vec<_> = (1..=count).map(|n| node(&format!("n{n}"), n)).collect();
        let mut world = World::new(&nodes);
        world.assignment.bulk_writes = true;
        world.state().after_write = Some((writes, AfterWrite::Stop));
        let _: Result<_, _> = world.pass(Depth::Verify).await;
        assert!(world.state().is_stopping);
        assert_eq!(world.writes().len(), writes);
        let claims = world.claims();
        assert_eq!(claims.len(), usize::from(count));
        let is_settled = claims.iter().all(|(_, state)| *state == Owned);
        assert!(is_settled, "{claims:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stop_after_a_removal_drops_its_claim() {
    let mut world = World::new(&[node("a", 1), node("b", 2)]);
    world.settle().await;
    world.publish(&[node("a", 1)]);
    world.state().after_write = Some((1, AfterWrite::Stop));
    let _: Result<_, _> = world.pass(Depth::Removal).await;
    assert!(world.state().is_stopping);
    assert_eq!(world.claims(), [(M1, Owned)]);
}

#[tokio::test(start_paused = true)]
async fn missing_secret_keeps_what_is_known_and_unsaved() {
    let delay = Some(std::time::Duration::from_secs(300));
    let mut world = World::new(&[node("a", 1)]);
    world.assignment.save_delay = delay;
    world.settle().await;
    let due = save_due(world.memory(), delay, None);
    assert!(due.is_some());
    world.state().has_secret = false;
    world.all_events();
    for depth in [Depth::Verify, Depth::Removal] {
        let ended = world.pass(depth).await;
        assert_eq!(failed(&ended), Reason::SecretNotFound);
        assert_eq!(save_due(world.memory(), delay, None), due);
        assert!(world.memory().listing.is_some());
    }
    // The nodes are not listed for a device that cannot be asked.
    assert!(world.all_events().is_empty());
    assert!(!world.state().is_doubted);
}

#[tokio::test(start_paused = true)]
async fn clean_up_without_claims_needs_no_secret() {
    let mut world = World::new(&[node("a", 1)]);
    world.state().has_secret = false;
    world.assignment.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
    assert_eq!(world.pass(Depth::Removal).await, Ok(PassOutcome::Clean));
}

#[tokio::test(start_paused = true)]
async fn only_observing_verifies_a_device_or_doubts_it() {
    let nodes: Vec<_> = (1..=3).map(|n| node(&format!("n{n}"), n)).collect();
    let mut world = World::new(&nodes);
    world.pass(Depth::Verify).await.unwrap();
    // The list that reads the records back verifies nothing.
    assert_eq!(world.state().verified, 1);
    world.publish(&[node("n1", 1), node("n2", 2), node("n3", 3), node("n4", 4)]);
    world.state().after_write = Some((1, AfterWrite::Silence));
    let ended = world.pass(Depth::Verify).await;
    assert_eq!(failed(&ended), Reason::Timeout);
    assert!(!world.state().is_doubted);
    world.pass(Depth::Verify).await.unwrap_err();
    assert!(world.state().is_doubted);
    assert_eq!(world.state().verified, 2);
}

#[tokio::test(start_paused = true)]
async fn unit_that_may_not_be_written_to_joins_no_queue() {
    let mut world = World::new(&[node("a", 1)]);
    world.state().version = "12.1.0";
    let ended = world.pass(Depth::Verify).await;
    assert_eq!(failed(&ended), Reason::UnsupportedVersion);
    assert_eq!(world.state().joined, 0);
    world.state().version = "17.1.2.1";
    world.settle().await;
    assert_eq!(world.state().joined, 1);
    world.replace_unit("other");
    world.pass(Depth::Verify).await.unwrap_err();
    assert_eq!(world.state().joined, 1);
}

/// Why a pass failed.
fn failed(ended: &Result<PassOutcome, PassError>) -> Reason {
    ended.as_ref().unwrap_err().failure().unwrap().reason
}
