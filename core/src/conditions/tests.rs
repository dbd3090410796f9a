//! Tests of the conditions: one situation each.

use super::*;
use crate::desired::{Desired, desired};
use crate::mac::MacPrefix;
use crate::node::AddressRule;
use crate::outcome::{Failure, HeldRemoval, Leaving, NeighbourHold};
use crate::record::Records;
use crate::sharing::{HeldBy, Why};
use crate::testing::{facts, node, plan, worker};
use crate::unit::FailoverState;

fn two_nodes() -> Desired {
    desired(
        &[worker("a", "10.0.0.1"), worker("b", "10.0.0.2")],
        MacPrefix::DEFAULT,
        &AddressRule::default(),
    )
}

/// A device that answered and holds `records`.
fn device(name: &str, state: FailoverState, desired: &Desired, records: &Records) -> DeviceReport {
    let facts = facts(name, state);
    let wanted = desired.records(facts.tunnel.local_address.unwrap());
    let plan = plan(&wanted, records, &[].into(), MacPrefix::DEFAULT);
    let mut report = DeviceReport::pending(name.into(), "192.0.2.11".into(), 443);
    report.reach = Reach::Answered;
    report.identity = Some(facts.identity.to_string());
    report.facts = Some(facts);
    report.plan = Some(plan);
    report
}

fn in_sync(name: &str, state: FailoverState, desired: &Desired) -> DeviceReport {
    let local = facts(name, state).tunnel.local_address.unwrap();
    device(name, state, desired, &desired.records(local))
}

fn failure(reason: Reason, retryable: bool) -> Failure {
    Failure {
        reason,
        message: "no answer within 30 s".into(),
        retryable,
    }
}

struct Case {
    desired: Desired,
    devices: Vec<DeviceReport>,
    former: Vec<DeviceReport>,
    observing: bool,
    deleting: bool,
    held: Option<HeldRemoval>,
}

impl Case {
    fn pair(change: impl FnOnce(&mut DeviceReport)) -> Self {
        let desired = two_nodes();
        let a = in_sync("bigip-a", FailoverState::Active, &desired);
        let mut b = in_sync("bigip-b", FailoverState::Standby, &desired);
        change(&mut b);
        Self {
            desired,
            devices: vec![a, b],
            former: Vec::new(),
            observing: false,
            deleting: false,
            held: None,
        }
    }

    fn conditions(&self) -> Vec<Condition> {
        object_conditions(&self.report())
    }

    fn report(&self) -> TunnelReport<'_> {
        TunnelReport {
            rejected: None,
            nodes_failure: None,
            nodes_doubt: None,
            desired: &self.desired,
            devices: &self.devices,
            former: &self.former,
            observing: self.observing,
            transport: None,
            held: self.held.as_ref(),
            deleting: self.deleting,
            now: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    /// `Ready/InSync` style, in the order of the list.
    fn words(&self) -> Vec<String> {
        let word = |c: &Condition| format!("{}={}/{}", c.kind, c.truth.as_str(), c.reason);
        self.conditions().iter().map(word).collect()
    }
}

#[test]
fn pair_in_sync_is_ready_and_available() {
    let case = Case::pair(|_| {});
    assert_eq!(
        case.words(),
        [
            "Ready=True/InSync",
            "Available=True/DevicesProgrammed",
            "Accepted=True/Accepted",
            "TunnelUsable=True/Usable",
            "PeersCovered=True/PeersListed"
        ]
    );
    assert_eq!(case.conditions()[0].message, "2 nodes on 2 of 2 BIG-IPs");
}

#[test]
fn unreachable_standby_is_retried_tunnel_available() {
    let case = Case::pair(|b| b.reach = Reach::Failed(failure(Reason::Timeout, true)));
    assert_eq!(
        case.words(),
        [
            "Ready=False/DeviceUnreachable",
            "Available=True/DevicesProgrammed",
            "Accepted=True/Accepted",
            "TunnelUsable=True/Usable",
            "PeersCovered=True/PeersListed",
            "Reconciling=True/ProgressingWithRetry",
        ]
    );
    assert_eq!(
        case.conditions()[0].message,
        "bigip-b: no answer within 30 s"
    );
}

#[test]
fn wrong_password_stalls_and_precedes_a_timeout() {
    let mut case =
        Case::pair(|b| b.reach = Reach::Failed(failure(Reason::AuthenticationFailed, false)));
    case.devices[0].reach = Reach::Failed(failure(Reason::Timeout, true));
    let words = case.words();
    assert_eq!(words[0], "Ready=False/AuthenticationFailed");
    assert_eq!(words[5], "Stalled=True/AuthenticationFailed");
}

#[test]
fn active_unit_without_records_makes_unavailable() {
    let desired = two_nodes();
    let a = device("bigip-a", FailoverState::Active, &desired, &Records::new());
    let b = in_sync("bigip-b", FailoverState::Standby, &desired);
    let case = Case {
        desired,
        devices: vec![a, b],
        former: Vec::new(),
        observing: false,
        deleting: false,
        held: None,
    };
    assert_eq!(case.words()[1], "Available=False/ActiveDeviceNotProgrammed");
    assert_eq!(case.words()[0], "Ready=False/Progressing");
}

#[test]
fn pending_device_makes_ready_unknown() {
    let case =
        Case::pair(|b| *b = DeviceReport::pending("bigip-b".into(), "192.0.2.12".into(), 443));
    assert_eq!(case.words()[0], "Ready=Unknown/Progressing");
}

#[test]
fn node_without_address_is_named_others_programmed() {
    let mut case = Case::pair(|_| {});
    let nodes = [
        worker("a", "10.0.0.1"),
        worker("b", "10.0.0.2"),
        node("new").build(),
    ];
    case.desired = desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default());
    assert_eq!(case.words()[0], "Ready=False/NodesSkipped");
    assert!(
        case.conditions()[0]
            .message
            .starts_with("node new has no record")
    );
}

#[test]
fn empty_selector_match_stalls() {
    let mut case = Case::pair(|_| {});
    case.desired = Desired::default();
    assert_eq!(case.words()[0], "Ready=False/NoNodesSelected");
    assert!(
        case.words()
            .contains(&"Stalled=True/NoNodesSelected".into())
    );
}

#[test]
fn conflicting_record_stalls_and_names_the_remedy() {
    let desired = two_nodes();
    let mut records = desired.records("10.0.0.254".parse().unwrap());
    records.insert(
        "0a:0a:0a:00:00:01".parse().unwrap(),
        "10.9.9.9".parse().unwrap(),
    );
    let a = device("bigip-a", FailoverState::Active, &desired, &records);
    let programmed = device_conditions(&a).remove(1);
    assert_eq!(
        (programmed.truth, programmed.reason),
        (Truth::False, Reason::Conflict)
    );
    let case = Case {
        desired,
        devices: vec![a],
        former: Vec::new(),
        observing: false,
        deleting: false,
        held: None,
    };
    assert_eq!(case.words()[0], "Ready=False/Conflict");
}

#[test]
fn blocked_cleanup_names_the_device() {
    let mut case = Case::pair(|b| b.reach = Reach::Failed(failure(Reason::Timeout, true)));
    case.deleting = true;
    assert_eq!(case.words()[0], "Ready=False/CleanupFailed");
    assert!(case.conditions()[0].message.contains("bigip-b"));
}

#[test]
fn removal_blocked_by_peer_is_reported_not_in_sync() {
    let hold = NeighbourHold {
        count: 2,
        by: Some(HeldBy {
            namespace: "bigip".into(),
            name: "other".into(),
            is_near: true,
            why: Why::Claims,
        }),
    };
    let case = Case::pair(|b| b.held_by_neighbours = Some(hold.clone()));
    assert_eq!(case.words()[0], "Ready=False/HeldByNeighbour");
    let said = "bigip-b: 2 records are due for removal and stay: BigIpTunnel other claims them too";
    assert_eq!(case.conditions()[0].message, said);
    let programmed = device_conditions(&case.devices[1]).remove(1);
    let expected = (Truth::True, Reason::HeldByNeighbour);
    assert_eq!((programmed.truth, programmed.reason), expected);

    let mut going = Case::pair(|b| b.failure = Some(failure(Reason::HeldByNeighbour, true)));
    going.deleting = true;
    assert_eq!(going.words()[0], "Ready=False/HeldByNeighbour");
}

#[test]
fn failed_device_shows_its_last_record_count() {
    let case = Case::pair(|b| b.reach = Reach::Failed(failure(Reason::Timeout, true)));
    let programmed = device_conditions(&case.devices[1]).remove(1);
    assert_eq!(
        (programmed.truth, programmed.reason),
        (Truth::Unknown, Reason::Timeout)
    );
    assert!(programmed.message.ends_with("2 of 2 records present"));
}

#[test]
fn saved_condition_exists_only_with_saving_enabled() {
    let mut case = Case::pair(|_| {});
    let saved = |case: &Case| device_conditions(&case.devices[0]).into_iter().nth(2);
    assert_eq!(saved(&case), None);
    case.devices[0].save.enabled = true;
    assert_eq!(saved(&case).unwrap().truth, Truth::True);
    case.devices[0].save.unsaved_since = Some(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(saved(&case).unwrap().reason, Reason::SavePending);
}

#[test]
fn blocked_removal_stalls_and_names_its_digest() {
    let mut case = Case::pair(|_| {});
    let held = HeldRemoval {
        macs: ["0a:0a:0a:00:00:09".parse().unwrap()].into(),
        since: jiff::Timestamp::UNIX_EPOCH,
    };
    case.held = Some(held.clone());
    assert_eq!(case.words()[0], "Ready=False/MassRemovalBlocked");
    assert!(case.conditions()[0].message.ends_with(&held.digest()));
    assert!(
        case.words()
            .contains(&"Available=True/DevicesProgrammed".into())
    );
}

#[test]
fn digest_changes_with_the_time_of_the_block() {
    let held = |second| HeldRemoval {
        macs: ["0a:0a:0a:00:00:09".parse().unwrap()].into(),
        since: jiff::Timestamp::from_second(second).unwrap(),
    };
    assert_eq!(held(1).digest(), held(1).digest());
    assert_ne!(held(1).digest(), held(2).digest());
}

/// A change of what the standby unit told about itself.
fn with_facts(change: impl FnOnce(&mut crate::unit::UnitFacts)) -> Case {
    Case::pair(|b| change(b.facts.as_mut().unwrap()))
}

/// The condition of this type.
fn find(case: &Case, kind: ConditionType) -> Condition {
    let conditions = case.conditions();
    conditions.into_iter().find(|c| c.kind == kind).unwrap()
}

#[test]
fn tunnel_without_flooding_is_unusable_yet_programmed() {
    let case = with_facts(|facts| facts.tunnel.flooding_type = Some("none".into()));
    let usable = find(&case, ConditionType::TunnelUsable);
    assert_eq!(
        (usable.truth, usable.reason),
        (Truth::False, Reason::TunnelUnusable)
    );
    assert!(usable.message.contains("multipoint"), "{}", usable.message);
    assert_eq!(case.words()[0], "Ready=False/TunnelUnusable");
    assert!(case.words().contains(&"Stalled=True/TunnelUnusable".into()));
    assert_eq!(case.words()[1], "Available=True/DevicesProgrammed");
    let programmed = &device_conditions(&case.devices[1])[1];
    assert_eq!(programmed.truth, Truth::True);
}

#[test]
fn tunnel_without_self_ip_or_of_other_type_is_unusable() {
    for change in [
        (|facts| facts.tunnel.self_ips.clear()) as fn(&mut crate::unit::UnitFacts),
        |facts| facts.tunnel.encapsulation = crate::unit::Encapsulation::Other("gre".into()),
    ] {
        let usable = find(&with_facts(change), ConditionType::TunnelUsable);
        assert_eq!(usable.reason, Reason::TunnelUnusable);
    }
}

#[test]
fn tunnel_with_vni_other_than_2_is_unusable() {
    for vni in [0, 1, 3, 9, 10, 16_777_215] {
        let case = with_facts(|facts| facts.tunnel.vni = vni);
        let usable = find(&case, ConditionType::TunnelUsable);
        assert_eq!(usable.reason, Reason::TunnelUnusable, "VNI {vni}");
        assert!(usable.message.contains("has to be 2"), "{}", usable.message);
        assert_eq!(case.words()[0], "Ready=False/TunnelUnusable");
    }
}

#[test]
fn unlisted_unit_of_the_trust_domain_is_named() {
    let peer = |name: &str| crate::unit::UnitIdentity {
        device_name: format!("{name}.example.net"),
        base_mac: "00:0c:29:35:0d:bd".into(),
    };
    let case = with_facts(|facts| facts.peers = vec![peer("bigip-a"), peer("bigip-c")]);
    let covered = find(&case, ConditionType::PeersCovered);
    assert_eq!(
        (covered.truth, covered.reason),
        (Truth::False, Reason::PeerNotListed)
    );
    assert!(covered.message.starts_with("bigip-c.example.net"));
    assert_eq!(case.words()[0], "Ready=True/InSync");

    let listed = with_facts(|facts| facts.peers = vec![peer("bigip-a")]);
    let covered = find(&listed, ConditionType::PeersCovered);
    assert_eq!(covered.truth, Truth::True);
}

#[test]
fn missing_peer_is_unknown_before_first_identity() {
    let mut case = with_facts(|facts| {
        facts.peers = vec![crate::unit::UnitIdentity {
            device_name: "bigip-a".into(),
            base_mac: "00:0c:29:35:0d:bd".into(),
        }];
    });
    case.devices[0] = DeviceReport::pending("bigip-a".into(), "192.0.2.11".into(), 443);
    let covered = find(&case, ConditionType::PeersCovered);
    assert_eq!(
        (covered.truth, covered.reason),
        (Truth::Unknown, Reason::Pending)
    );
}

#[test]
fn observed_object_is_ready_and_lists_planned_changes() {
    let desired = two_nodes();
    let empty = device("bigip-a", FailoverState::Active, &desired, &Records::new());
    let mut case = Case {
        desired,
        devices: vec![empty],
        former: Vec::new(),
        observing: true,
        deleting: false,
        held: None,
    };
    case.devices[0].observing = true;
    assert_eq!(case.words()[0], "Ready=True/Observed");
    let message = &case.conditions()[0].message;
    assert!(message.contains("to add: 2"), "{message}");
    let programmed = &device_conditions(&case.devices[0])[1];
    assert_eq!(
        (programmed.truth, programmed.reason),
        (Truth::False, Reason::Observed)
    );
}

#[test]
fn reported_drift_is_not_ready() {
    let desired = two_nodes();
    let mut a = device("bigip-a", FailoverState::Active, &desired, &Records::new());
    a.reported_drift = 2;
    let mut case = Case::pair(|_| {});
    case.devices[0] = a;
    assert_eq!(case.words()[0], "Ready=False/DriftReported");
    let programmed = &device_conditions(&case.devices[0])[1];
    assert_eq!(programmed.reason, Reason::DriftReported);
}

#[test]
fn contested_records_that_are_right_stay_ready_and_are_named() {
    let case = Case::pair(|b| b.contended = true);
    assert_eq!(case.words()[0], "Ready=True/ForeignWriter");
    let message = &case.conditions()[0].message;
    assert!(message.contains("bigip-b: contested"), "{message}");
    let programmed = &device_conditions(&case.devices[1])[1];
    assert_eq!(
        (programmed.truth, programmed.reason),
        (Truth::True, Reason::ForeignWriter)
    );
}

#[test]
fn refused_new_password_is_shown_while_the_old_login_works() {
    let refused = |b: &mut DeviceReport| {
        b.password_refused = Some(failure(Reason::AuthenticationFailed, false));
    };
    let case = Case::pair(refused);
    assert_eq!(case.words()[0], "Ready=True/NewPasswordRefused");
    let told = "bigip-b: the login from before";
    assert!(case.conditions()[0].message.contains(told));
    let reachable = &device_conditions(&case.devices[1])[0];
    assert_eq!(
        (reachable.truth, reachable.reason),
        (Truth::True, Reason::NewPasswordRefused)
    );
    // The unit itself is what matters once it does not answer.
    let case = Case::pair(|b| {
        refused(b);
        b.reach = Reach::Failed(failure(Reason::Timeout, true));
    });
    let reachable = &device_conditions(&case.devices[1])[0];
    assert_eq!(reachable.reason, Reason::Timeout);
}

#[test]
fn contested_missing_records_are_not_ready() {
    let desired = two_nodes();
    let mut a = device("bigip-a", FailoverState::Active, &desired, &Records::new());
    a.contended = true;
    let mut case = Case::pair(|_| {});
    case.devices[0] = a;
    assert_eq!(case.words()[0], "Ready=False/ForeignWriter");
    let programmed = &device_conditions(&case.devices[0])[1];
    assert_eq!(
        (programmed.truth, programmed.reason),
        (Truth::False, Reason::ForeignWriter)
    );
}

#[test]
fn observed_empty_selector_match_is_not_ready() {
    let mut case = Case::pair(|_| {});
    case.desired = Desired::default();
    case.observing = true;
    assert_eq!(case.words()[0], "Ready=False/NoNodesSelected");
}

#[test]
fn saved_is_unknown_for_a_unit_that_does_not_answer() {
    let saved = |reach: Reach| {
        let mut case = Case::pair(|b| b.reach = reach);
        case.devices[1].save.enabled = true;
        let saved = device_conditions(&case.devices[1]).remove(2);
        (saved.truth, saved.reason)
    };
    let refused = failure(Reason::AuthenticationFailed, false);
    let unknown = (Truth::Unknown, Reason::AuthenticationFailed);
    assert_eq!(saved(Reach::Failed(refused)), unknown);
    assert_eq!(saved(Reach::Pending), (Truth::Unknown, Reason::Pending));
    assert_eq!(saved(Reach::Answered), (Truth::True, Reason::Saved));
}

#[test]
fn available_is_unknown_while_the_active_unit_does_not_answer() {
    let mut case = Case::pair(|_| {});
    case.devices[0].reach = Reach::Failed(failure(Reason::Timeout, true));
    let available = find(&case, ConditionType::Available);
    let unknown = (Truth::Unknown, Reason::DeviceUnreachable);
    assert_eq!((available.truth, available.reason), unknown);
    let message = &available.message;
    assert!(
        message.ends_with("1 of 2 BIG-IPs hold the records"),
        "{message}"
    );
    assert_eq!(case.report().programmed_nodes(), None);
}

#[test]
fn available_is_unknown_where_no_unit_ever_answered() {
    let mut case = Case::pair(|_| {});
    for device in &mut case.devices {
        *device = DeviceReport::pending("bigip-a".into(), "192.0.2.11".into(), 443);
        device.reach = Reach::Failed(failure(Reason::AuthenticationFailed, false));
    }
    let available = find(&case, ConditionType::Available);
    let unknown = (Truth::Unknown, Reason::AuthenticationFailed);
    assert_eq!((available.truth, available.reason), unknown);
}

#[test]
fn node_with_kept_record_is_not_reported_as_missing() {
    let mut case = Case::pair(|_| {});
    let nodes = [
        worker("a", "10.0.0.1"),
        worker("b", "10.0.0.2"),
        node("cp-2").build(),
    ];
    case.desired = desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default());
    case.devices[0].leaving = vec![Leaving {
        node: Some("cp-2".into()),
        address: "10.0.0.9".parse().unwrap(),
        since: jiff::Timestamp::UNIX_EPOCH,
        removable_at: None,
    }];
    let message = &case.conditions()[0].message;
    let expected = "node cp-2 keeps its record for 10.0.0.9: the node lists no InternalIP";
    assert_eq!(message, expected);
}

#[test]
fn removal_stopped_by_node_doubt_is_not_in_sync() {
    let mut case = Case::pair(|_| {});
    let doubt = Doubt::Contradicted("worker-01".into());
    let ready = |case: &Case| {
        let report = TunnelReport {
            nodes_doubt: Some(&doubt),
            ..case.report()
        };
        object_conditions(&report).remove(0)
    };
    assert_eq!(ready(&case).reason, Reason::InSync);
    case.devices[0].leaving = vec![Leaving {
        node: None,
        address: "10.0.0.9".parse().unwrap(),
        since: jiff::Timestamp::UNIX_EPOCH,
        removable_at: None,
    }];
    let ready = ready(&case);
    let expected = (Truth::True, Reason::NodeListContradicted);
    assert_eq!((ready.truth, ready.reason), expected);
    assert!(ready.message.contains("no record is removed"));
}

#[test]
fn unlisted_device_is_shown_until_records_are_removed() {
    let mut case = Case::pair(|_| {});
    let mut former = DeviceReport::pending("bigip-c".into(), "192.0.2.13".into(), 443);
    case.former = vec![former.clone()];
    assert_eq!(case.words()[0], "Ready=False/CleaningUp");
    former.reach = Reach::Failed(failure(Reason::SecretNotFound, false));
    case.former = vec![former];
    assert_eq!(case.words()[0], "Ready=False/CleanupFailed");
    let message = &case.conditions()[0].message;
    assert!(
        message.contains("bigip-tunnel.dev/release to bigip-c"),
        "{message}"
    );
}

#[test]
fn disabled_verification_is_a_false_condition() {
    let unverified = secure_transport(&Transport::Unverified("bigip-a".into()));
    assert_eq!(
        (unverified.truth, unverified.reason),
        (Truth::False, Reason::VerificationDisabled)
    );
    assert!(unverified.message.contains("bigip-a"));
    assert_eq!(secure_transport(&Transport::Pinned).truth, Truth::True);
}

#[test]
fn node_doubt_is_shown_and_keeps_ready() {
    let case = Case::pair(|_| {});
    let doubt = Doubt::Incomplete {
        what: "nodes",
        listed: 24,
        counted: 40,
    };
    let conditions = object_conditions(&TunnelReport {
        nodes_doubt: Some(&doubt),
        ..case.report()
    });
    let shown = conditions
        .iter()
        .find(|c| c.kind == ConditionType::NodesResolved)
        .unwrap();
    assert_eq!(shown.truth, Truth::Unknown);
    assert_eq!(shown.reason, Reason::NodeListIncomplete);
    assert!(shown.message.contains("24 entries"), "{}", shown.message);
    assert_eq!(conditions[0].truth, Truth::True);
}
