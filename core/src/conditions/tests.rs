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
fn a_pair_in_sync_is_ready_and_available() {
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
fn a_standby_that_does_not_answer_is_retried_and_leaves_the_tunnel_available() {
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
fn a_wrong_password_stalls_and_is_shown_before_a_timeout() {
    let mut case =
        Case::pair(|b| b.reach = Reach::Failed(failure(Reason::AuthenticationFailed, false)));
    case.devices[0].reach = Reach::Failed(failure(Reason::Timeout, true));
    let words = case.words();
    assert_eq!(words[0], "Ready=False/AuthenticationFailed");
    assert_eq!(words[5], "Stalled=True/AuthenticationFailed");
}

#[test]
fn an_active_unit_without_its_records_makes_the_tunnel_unavailable() {
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
fn a_device_that_was_not_asked_yet_makes_ready_unknown() {
    let case =
        Case::pair(|b| *b = DeviceReport::pending("bigip-b".into(), "192.0.2.12".into(), 443));
    assert_eq!(case.words()[0], "Ready=Unknown/Progressing");
}

#[test]
fn a_node_without_address_is_named_while_the_others_are_programmed() {
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
fn a_selector_that_matches_nothing_stalls() {
    let mut case = Case::pair(|_| {});
    case.desired = Desired::default();
    assert_eq!(case.words()[0], "Ready=False/NoNodesSelected");
    assert!(
        case.words()
            .contains(&"Stalled=True/NoNodesSelected".into())
    );
}

#[test]
fn a_conflicting_record_stalls_and_the_device_says_what_to_do() {
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
fn a_cleanup_that_a_device_holds_up_says_which() {
    let mut case = Case::pair(|b| b.reach = Reach::Failed(failure(Reason::Timeout, true)));
    case.deleting = true;
    assert_eq!(case.words()[0], "Ready=False/CleanupFailed");
    assert!(case.conditions()[0].message.contains("bigip-b"));
}

#[test]
fn removal_held_by_a_neighbour_is_said_and_never_in_sync() {
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
fn a_device_that_fails_keeps_saying_what_it_last_held() {
    let case = Case::pair(|b| b.reach = Reach::Failed(failure(Reason::Timeout, true)));
    let programmed = device_conditions(&case.devices[1]).remove(1);
    assert_eq!(
        (programmed.truth, programmed.reason),
        (Truth::Unknown, Reason::Timeout)
    );
    assert!(programmed.message.ends_with("2 of 2 records present"));
}

#[test]
fn unsaved_changes_are_a_condition_only_where_saving_is_asked_for() {
    let mut case = Case::pair(|_| {});
    let saved = |case: &Case| device_conditions(&case.devices[0]).into_iter().nth(2);
    assert_eq!(saved(&case), None);
    case.devices[0].save.enabled = true;
    assert_eq!(saved(&case).unwrap().truth, Truth::True);
    case.devices[0].save.unsaved_since = Some(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(saved(&case).unwrap().reason, Reason::SavePending);
}

#[test]
fn a_held_removal_stalls_and_names_its_digest() {
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
fn the_same_set_held_at_another_time_has_another_digest() {
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
fn a_tunnel_that_floods_nowhere_is_unusable_and_its_records_count_all_the_same() {
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
fn a_tunnel_without_a_self_ip_or_of_another_kind_is_unusable() {
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
fn a_unit_of_the_trust_domain_that_is_not_listed_is_named() {
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
fn while_a_listed_unit_has_never_said_who_it_is_a_missing_peer_is_not_known() {
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
fn an_object_that_only_looks_is_ready_and_says_what_it_would_do() {
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
fn drift_that_is_only_reported_waits_for_a_person() {
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
fn contested_records_that_are_missing_make_it_not_ready() {
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
fn observed_selector_that_matches_nothing_is_not_ready() {
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
fn node_that_keeps_its_record_is_not_said_to_have_none() {
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
fn removal_stopped_by_a_disagreement_is_not_in_sync_in_silence() {
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
fn a_device_that_left_the_list_is_shown_until_its_records_are_gone() {
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
fn a_certificate_that_is_not_verified_is_said_loudly() {
    let unverified = secure_transport(&Transport::Unverified("bigip-a".into()));
    assert_eq!(
        (unverified.truth, unverified.reason),
        (Truth::False, Reason::VerificationDisabled)
    );
    assert!(unverified.message.contains("bigip-a"));
    assert_eq!(secure_transport(&Transport::Pinned).truth, Truth::True);
}

#[test]
fn doubt_about_the_nodes_is_shown_and_makes_nothing_unready() {
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
