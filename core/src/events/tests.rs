//! Tests of the events: what is told, once, and what is not.

use std::time::Duration;

use super::*;
use crate::desired::{Desired, desired};
use crate::mac::MacPrefix;
use crate::node::AddressRule;
use crate::outcome::{Failure, HeldRemoval, Reach, Transport};
use crate::testing::{facts, mac, node, plan, worker};
use crate::unit::FailoverState;

fn nodes() -> Desired {
    let nodes = [worker("a", "10.0.0.1"), worker("b", "10.0.0.2")];
    desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default())
}

/// A device that answers and holds the records of these nodes, all of them the object's.
fn device(name: &str, held: &Desired, wanted: &Desired) -> DeviceReport {
    let facts = facts(name, FailoverState::Active);
    let local = facts.tunnel.local_address.unwrap();
    let plan = plan(
        &wanted.records(local),
        &held.records(local),
        &[].into(),
        MacPrefix::DEFAULT,
    );
    let mut report = DeviceReport::pending(name.into(), "192.0.2.11".into(), 443);
    report.reach = Reach::Answered;
    report.identity = Some(facts.identity.to_string());
    report.facts = Some(facts);
    report.plan = Some(plan);
    report.save.enabled = true;
    report
}

fn at(second: i64) -> (Moment, Timestamp) {
    let elapsed = Duration::from_secs(u64::try_from(second).unwrap());
    (
        Moment::since_start(elapsed),
        Timestamp::from_second(second).unwrap(),
    )
}

fn fails(device: &mut DeviceReport, reason: Reason) {
    device.reach = Reach::Failed(failure(reason));
}

fn failure(reason: Reason) -> Failure {
    Failure {
        reason,
        message: format!("it is {reason}"),
        retryable: true,
    }
}

/// An object with two devices, and what was told of it.
struct Case {
    journal: Journal,
    desired: Desired,
    devices: Vec<DeviceReport>,
    transport: Transport,
    held: Option<HeldRemoval>,
    deleting: bool,
}

impl Case {
    /// Both devices as they should be, and that is known.
    fn in_sync() -> Self {
        let mut case = Self::new();
        case.look(0);
        case
    }

    fn new() -> Self {
        let desired = nodes();
        let names = ["bigip-a", "bigip-b"];
        Self {
            journal: Journal::new(Seen {
                skipped: Some(BTreeSet::new()),
                leaving: Some(BTreeSet::new()),
                ..Seen::default()
            }),
            devices: names.map(|name| device(name, &desired, &desired)).into(),
            desired,
            transport: Transport::Verified,
            held: None,
            deleting: false,
        }
    }

    fn look(&mut self, second: i64) -> Vec<Event> {
        let report = TunnelReport {
            rejected: None,
            nodes_failure: None,
            nodes_doubt: None,
            desired: &self.desired,
            devices: &self.devices,
            former: &[],
            observing: false,
            transport: Some(&self.transport),
            held: self.held.as_ref(),
            deleting: self.deleting,
            now: Timestamp::UNIX_EPOCH,
        };
        self.journal.look(&report, at(second))
    }

    /// The reasons of what is told now.
    fn reasons(&mut self, second: i64) -> Vec<&'static str> {
        self.look(second)
            .iter()
            .map(|event| event.reason.as_str())
            .collect()
    }

    /// The notes of what is told now.
    fn notes(&mut self, second: i64) -> Vec<String> {
        self.look(second).into_iter().map(|e| e.note).collect()
    }
}

fn added(names: &[&str]) -> Changes {
    Changes {
        added: names.iter().copied().collect(),
        ..Changes::default()
    }
}

/// Cilium's side, as found.
fn cilium(truth: Truth, reason: Reason) -> Condition {
    Condition {
        kind: ConditionType::CiliumReady,
        truth,
        reason,
        message: format!("it is {reason}"),
    }
}

#[test]
fn cilium_that_stops_to_match_gives_an_event() {
    let mut journal = Journal::default();
    let mut told = |second, truth, reason| {
        let event = journal.cilium(&cilium(truth, reason), at(second));
        event.map(|event| (event.kind, event.reason, event.action))
    };
    let wrong = |reason: Reason| Some((Kind::Warning, reason.into(), "Verify"));
    let right = Some((Kind::Normal, Reason::CiliumVerified.into(), "Verify"));
    // That it matches from the beginning is no turning point.
    assert_eq!(told(0, Truth::True, Reason::CiliumVerified), None);
    assert_eq!(
        told(1, Truth::False, Reason::VtepDisabled),
        wrong(Reason::VtepDisabled)
    );
    assert_eq!(told(2, Truth::False, Reason::VtepDisabled), None);
    assert_eq!(told(3, Truth::Unknown, Reason::CiliumUnreadable), None);
    assert_eq!(told(4, Truth::False, Reason::VtepDisabled), None);
    assert_eq!(
        told(5, Truth::False, Reason::NativeRouting),
        wrong(Reason::NativeRouting)
    );
    assert_eq!(told(6, Truth::True, Reason::CiliumVerified), right);
    assert_eq!(told(7, Truth::True, Reason::CiliumVerified), None);
}

#[test]
fn events_of_cilium_are_limited_like_others() {
    let mut journal = Journal::default();
    let mut events = 0;
    for second in 0..60 {
        let wrong = cilium(Truth::False, Reason::VtepDisabled);
        events += u32::from(journal.cilium(&wrong, at(second)).is_some());
        let right = cilium(Truth::True, Reason::CiliumVerified);
        journal.cilium(&right, at(second));
    }
    assert!((10..=12).contains(&events), "{events}");
}

#[test]
fn object_that_becomes_ready_gives_one_event() {
    let mut case = Case::new();
    let told = case.look(0);
    assert_eq!(
        told,
        [Event {
            kind: Kind::Normal,
            reason: Reason::InSync.into(),
            action: "Reconcile",
            note: "2 nodes on 2 of 2 BIG-IPs".into(),
        }]
    );
    assert_eq!(case.look(60), []);
}

#[test]
fn device_outage_and_recovery_give_two_events() {
    let mut case = Case::in_sync();
    fails(&mut case.devices[1], Reason::Timeout);
    let told = case.look(100);
    assert_eq!(
        told,
        [Event {
            kind: Kind::Warning,
            reason: Reason::DeviceUnreachable.into(),
            action: "Connect",
            note: "bigip-b: it is Timeout".into(),
        }]
    );
    assert_eq!(case.look(160), []);
    case.devices[1].reach = Reach::Answered;
    let told = case.look(652);
    let reasons: Vec<_> = told.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!(reasons, ["DeviceRecovered", "InSync"]);
    assert_eq!(told[0].note, "bigip-b: answers again after 9m 12s");
}

#[test]
fn other_connection_error_gives_no_new_event() {
    let mut case = Case::in_sync();
    fails(&mut case.devices[0], Reason::Timeout);
    assert_eq!(case.reasons(10), ["DeviceUnreachable"]);
    fails(&mut case.devices[0], Reason::ConnectionRefused);
    assert_eq!(case.look(20), []);
    fails(&mut case.devices[0], Reason::AuthenticationFailed);
    assert_eq!(case.reasons(30), ["AuthenticationFailed"]);
}

#[test]
fn same_failure_on_two_devices_is_one_event() {
    let mut case = Case::in_sync();
    for device in &mut case.devices {
        fails(device, Reason::SecretNotFound);
    }
    let notes = case.notes(10);
    assert_eq!(notes, ["bigip-a, bigip-b: it is SecretNotFound"]);
}

#[test]
fn pending_device_repeats_no_event() {
    let mut case = Case::in_sync();
    fails(&mut case.devices[0], Reason::Timeout);
    assert_eq!(case.reasons(10), ["DeviceUnreachable"]);
    case.devices[0].reach = Reach::Pending;
    assert_eq!(case.look(20), []);
    fails(&mut case.devices[0], Reason::Timeout);
    assert_eq!(case.look(30), []);
}

#[test]
fn restored_journal_repeats_no_event() {
    let mut case = Case::in_sync();
    fails(&mut case.devices[0], Reason::Timeout);
    case.look(10);
    case.journal = Journal::new(case.journal.seen.clone());
    assert_eq!(case.look(20), []);
}

#[test]
fn same_nodes_added_on_two_devices_are_one_event() {
    let mut case = Case::in_sync();
    for device in ["bigip-a", "bigip-b"] {
        case.journal.note(device, added(&["w-51", "w-52"]));
    }
    let notes = case.notes(10);
    assert_eq!(notes, ["2 records added on bigip-a, bigip-b: w-51, w-52"]);
    assert_eq!(case.look(20), []);
}

#[test]
fn only_five_of_many_nodes_are_named() {
    let mut case = Case::in_sync();
    let names: Vec<String> = (0..5000).map(|number| format!("w-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for some in names.chunks(64) {
        case.journal.note("bigip-a", added(some));
    }
    let notes = case.notes(10);
    assert_eq!(
        notes,
        ["5000 records added on bigip-a: w-0, w-1, w-2, w-3, w-4 and 4995 more"]
    );
}

#[test]
fn batched_adds_give_one_event_after_the_last_batch() {
    let mut case = Case::in_sync();
    let all = nodes();
    case.devices[0] = device("bigip-a", &Desired::default(), &all);
    case.journal.note("bigip-a", added(&["a"]));
    assert_eq!(case.look(10), []);
    case.journal.note("bigip-a", added(&["b"]));
    case.devices[0] = device("bigip-a", &all, &all);
    let notes = case.notes(11);
    assert_eq!(notes[0], "2 records added on bigip-a: a, b");
}

#[test]
fn adds_before_a_device_failure_give_an_event() {
    let mut case = Case::in_sync();
    case.devices[0] = device("bigip-a", &Desired::default(), &nodes());
    case.devices[0].failure = Some(failure(Reason::RequestRefused));
    case.journal.note("bigip-a", added(&["a"]));
    assert_eq!(case.reasons(10), ["RecordsAdded", "RequestRefused"]);
}

#[test]
fn adopted_restored_and_removed_are_separate_events() {
    let mut case = Case::in_sync();
    let one = || ["a"].into_iter().collect::<Tally>();
    let changes = Changes {
        adopted: one(),
        restored: one(),
        removed: one(),
        ..Changes::default()
    };
    case.journal.note("bigip-a", changes);
    let reasons = case.reasons(10);
    assert_eq!(
        reasons,
        ["RecordsAdopted", "DriftCorrected", "RecordsRemoved"]
    );
}

#[test]
fn rate_limited_event_is_sent_later_with_its_total() {
    let mut case = Case::in_sync();
    let mut told = 0;
    for second in 1..=30 {
        case.journal.note("bigip-a", added(&["w"]));
        told += case.look(second).len();
    }
    assert_eq!(told, 10);
    let notes = case.notes(90);
    assert_eq!(
        notes,
        ["20 records added on bigip-a: w, w, w, w, w and 15 more"]
    );
}

#[test]
fn events_of_one_reason_do_not_suppress_another() {
    let mut case = Case::in_sync();
    for second in 1..=30 {
        case.journal.note("bigip-a", added(&["w"]));
        case.look(second);
    }
    fails(&mut case.devices[1], Reason::Timeout);
    assert_eq!(case.reasons(31), ["DeviceUnreachable"]);
}

#[test]
fn flapping_device_gives_at_most_one_event_a_minute() {
    let mut case = Case::in_sync();
    let mut told = 0;
    for second in 1..=600 {
        if second % 2 == 0 {
            fails(&mut case.devices[0], Reason::Timeout);
        } else {
            case.devices[0].reach = Reach::Answered;
        }
        let reasons = case.reasons(second);
        told += reasons
            .iter()
            .filter(|r| **r == "DeviceUnreachable")
            .count();
    }
    assert!((10..=20).contains(&told), "{told}");
}

#[test]
fn tunnel_failure_event_repeats_its_condition() {
    for reason in [
        Reason::TunnelNotFound,
        Reason::TunnelMismatch,
        Reason::DeviceIdentityChanged,
        Reason::WriteNotEffective,
    ] {
        let mut case = Case::in_sync();
        case.devices[0].failure = Some(failure(reason));
        let told = case.look(10);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (told[0].kind, told[0].reason),
            (Kind::Warning, reason.into())
        );
        assert_eq!(told[0].note, format!("bigip-a: it is {reason}"));
    }
}

#[test]
fn repeated_foreign_removal_gives_an_event() {
    let mut case = Case::in_sync();
    case.devices[0].contended = true;
    assert_eq!(case.reasons(10), ["ForeignWriter"]);
    assert_eq!(case.look(20), []);
}

#[test]
fn refused_new_password_gives_one_event() {
    let mut case = Case::in_sync();
    case.devices[0].password_refused = Some(failure(Reason::AuthenticationFailed));
    assert_eq!(case.reasons(10), ["NewPasswordRefused"]);
    assert_eq!(case.look(20), []);
}

#[test]
fn work_in_progress_is_no_warning() {
    let mut case = Case::in_sync();
    case.devices[0] = device("bigip-a", &Desired::default(), &nodes());
    assert_eq!(case.look(10), []);
}

#[test]
fn save_gives_an_event_if_changes_were_unsaved() {
    let mut case = Case::in_sync();
    case.devices[0].save.unsaved_since = Some(at(5).1);
    assert_eq!(case.look(10), []);
    case.devices[0].save.unsaved_since = None;
    assert_eq!(case.reasons(20), ["ConfigSaved"]);
    case.devices[0].save.failure = Some(failure(Reason::ServerError));
    assert_eq!(case.reasons(30), ["SaveFailed"]);
}

#[test]
fn each_pending_approval_set_gives_one_event() {
    let mut case = Case::in_sync();
    let held = |macs: &[&str]| HeldRemoval {
        macs: macs.iter().map(|text| mac(text)).collect(),
        since: at(1).1,
    };
    case.held = Some(held(&["0a:0a:0a:00:00:07"]));
    let told = case.look(10);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].reason.as_str(), "MassRemovalBlocked");
    assert!(told[0].note.contains(&case.held.as_ref().unwrap().digest()));
    assert_eq!(case.look(20), []);
    case.held = Some(held(&["0a:0a:0a:00:00:07", "0a:0a:0a:00:00:08"]));
    assert_eq!(case.reasons(30), ["MassRemovalBlocked"]);
}

#[test]
fn nodes_without_a_usable_address_are_one_event() {
    let mut case = Case::in_sync();
    let all: Vec<_> = (0..9)
        .map(|number| node(&format!("n{number}")).build())
        .collect();
    case.desired = desired(&all, MacPrefix::DEFAULT, &AddressRule::default());
    let told = case.look(10);
    let skipped: Vec<_> = told
        .iter()
        .filter(|e| e.reason.as_str() == "NodesSkipped")
        .collect();
    assert_eq!(skipped.len(), 1, "{told:?}");
    let note = &skipped[0].note;
    let begins =
        "9 nodes have no usable address: n0, n1, n2, n3, n4 and 4 more. n0 has no record: ";
    assert!(note.starts_with(begins), "{note}");
    assert!(!case.reasons(20).contains(&"NodesSkipped"));
}

#[test]
fn deleted_node_event_shows_the_removal_time() {
    let mut case = Case::in_sync();
    let leaving = Leaving {
        node: Some("w-3".into()),
        address: "10.0.0.3".parse().unwrap(),
        since: at(10).1,
        removable_at: Some(at(70).1),
    };
    for device in &mut case.devices {
        device.leaving.push(leaving.clone());
    }
    let notes = case.notes(10);
    assert_eq!(
        notes,
        ["1 node is gone: w-3; removal of the records not before 1970-01-01T00:01:10Z"]
    );
    assert_eq!(case.look(20), []);
}

#[test]
fn record_kept_for_other_reason_gives_no_event() {
    let mut case = Case::in_sync();
    case.devices[0].leaving.push(Leaving {
        node: None,
        address: "10.0.0.3".parse().unwrap(),
        since: at(10).1,
        removable_at: None,
    });
    assert_eq!(case.look(10), []);
}

#[test]
fn nodes_unknown_from_old_status_give_no_new_event() {
    let mut case = Case::in_sync();
    let skipped = [
        worker("a", "10.0.0.1"),
        worker("b", "10.0.0.2"),
        node("n").build(),
    ];
    case.desired = desired(&skipped, MacPrefix::DEFAULT, &AddressRule::default());
    case.journal.seen.skipped = None;
    case.journal.seen.leaving = None;
    assert!(!case.reasons(10).contains(&"NodesSkipped"));
}

#[test]
fn pause_and_resume_give_events() {
    let mut case = Case::in_sync();
    let told = case.journal.pause(Reason::Suspended, at(10)).unwrap();
    assert_eq!(
        (told.kind, told.reason.as_str()),
        (Kind::Normal, "Suspended")
    );
    assert_eq!(case.journal.pause(Reason::Suspended, at(20)), None);
    assert_eq!(case.reasons(30), ["Resumed"]);
    assert_eq!(case.look(40), []);
}

#[test]
fn disabled_verification_gives_an_event() {
    let mut case = Case::in_sync();
    case.transport = Transport::Unverified("bigip-a".into());
    assert_eq!(case.reasons(10), ["VerificationDisabled"]);
    assert_eq!(case.look(20), []);
}

#[test]
fn blocked_cleanup_gives_an_event() {
    let mut case = Case::in_sync();
    case.deleting = true;
    fails(&mut case.devices[0], Reason::Timeout);
    assert_eq!(case.reasons(10), ["DeviceUnreachable", "CleanupFailed"]);
}

#[test]
fn deletion_event_shows_removed_and_nothing_left() {
    let mut case = Case::in_sync();
    let removed = ["a"].into_iter().collect();
    let changes = Changes {
        removed,
        ..Changes::default()
    };
    case.journal.note("bigip-a", changes);
    let told = case.journal.end(None);
    let reasons: Vec<_> = told.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!(reasons, ["RecordsRemoved", "CleanupComplete"]);
    assert_eq!(case.journal.end(None), []);
}

#[test]
fn deletion_that_leaves_records_warns() {
    let mut case = Case::in_sync();
    let told = case.journal.end(Some((3, &["bigip-a", "bigip-b"])));
    assert_eq!(told[0].kind, Kind::Warning);
    assert_eq!(
        told[0].note,
        "the object goes and its 3 records stay on bigip-a, bigip-b"
    );
}

#[test]
fn every_reason_of_an_event_is_in_the_reference() {
    let reference = include_str!("../../../docs/reference/events.md");
    for occurrence in Occurrence::ALL {
        let name = occurrence.as_str();
        assert!(reference.contains(&format!("| `{name}` |")), "{name}");
    }
}
