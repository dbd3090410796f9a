//! Tests of the status: what moves, and above all what does not.

use bigip_tunnel_core::conditions::Truth;
use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::mac::MacPrefix;
use bigip_tunnel_core::node::{AddressRule, NodeAddress, NodeTraits, NodeView};
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::plan::plan;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::unit::{Encapsulation, TunnelFacts, UnitIdentity};

use super::*;
use crate::v1alpha1::Ownership;
use crate::v1alpha1::{Problem, ProblemKind};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn two_nodes() -> Desired {
    let node = |name: &str, address: &str| NodeView {
        name: name.into(),
        uid: name.into(),
        created: None,
        selected: true,
        addresses: vec![NodeAddress {
            kind: "InternalIP".into(),
            value: address.into(),
        }],
        cilium_addresses: None,
        damped: None,
        traits: NodeTraits::default(),
    };
    desired(
        &[node("a", "10.0.0.1"), node("b", "10.0.0.2")],
        MacPrefix::DEFAULT,
        &AddressRule::default(),
    )
}

fn facts() -> UnitFacts {
    UnitFacts {
        identity: UnitIdentity {
            device_name: "bigip01.lab.local".into(),
            base_mac: "00:0c:29:35:0d:bd".into(),
        },
        hostname: "bigip01.lab.local".into(),
        version: "17.1.2.1".parse().unwrap(),
        failover_state: FailoverState::Active,
        peers: Vec::new(),
        tunnel: TunnelFacts {
            full_path: "/Common/flannel_vxlan".into(),
            local_address: Some("10.0.0.254".parse().unwrap()),
            vni: 2,
            profile: "/Common/fl-vxlan".into(),
            encapsulation: Encapsulation::Vxlan,
            port: Some(8472),
            flooding_type: Some("multipoint".into()),
            self_ips: vec!["10.1.6.34/24".into()],
            mac: Some("00:50:56:aa:00:01".parse().unwrap()),
        },
    }
}

/// A device that holds every desired record.
fn in_sync(desired: &Desired, read_at: i64) -> DeviceReport {
    let records = desired.records("10.0.0.254".parse().unwrap());
    let mut report = DeviceReport::pending("bigip-a".into(), "192.0.2.11".into(), 443);
    report.reach = Reach::Answered;
    report.identity = Some(facts().identity.to_string());
    report.facts = Some(facts());
    report.plan = Some(plan(
        &records,
        &records.clone().into(),
        &[].into(),
        MacPrefix::DEFAULT,
    ));
    report.last_read_time = Some(at(read_at));
    report
}

fn written(second: i64) -> Written<'static> {
    Written {
        generation: 1,
        handled_request: None,
        handled_approval: None,
        handled_acceptances: &[],
        handled_releases: &[],
        access: &[],
        keep_held: false,
        former: &[],
        census: None,
        cilium: Verified::Off,
        vtep: Managed::Off,
        leading_since: Timestamp::UNIX_EPOCH,
        now: at(second),
    }
}

fn follow(
    previous: &BigIpTunnelStatus,
    desired: &Desired,
    device: &DeviceReport,
    written: &Written<'_>,
) -> BigIpTunnelStatus {
    let report = TunnelReport {
        rejected: None,
        nodes_failure: None,
        nodes_doubt: None,
        desired,
        devices: std::slice::from_ref(device),
        former: &[],
        observing: false,
        transport: None,
        held: None,
        deleting: false,
        now: written.now,
    };
    next(previous, &report, written)
}

fn first() -> BigIpTunnelStatus {
    let desired = two_nodes();
    follow(
        &BigIpTunnelStatus::default(),
        &desired,
        &in_sync(&desired, 1_000),
        &written(1_000),
    )
}

#[test]
fn status_counts_devices_nodes_and_records() {
    let status = first();
    let summary = status.summary.unwrap();
    assert_eq!(
        [summary.devices, summary.nodes, summary.records],
        ["1/1", "2/2", "2/2"]
    );
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(status.devices[0].version.as_deref(), Some("17.1.2.1"));
}

#[test]
fn idle_status_stays_byte_identical() {
    let desired = two_nodes();
    let later = follow(
        &first(),
        &desired,
        &in_sync(&desired, 1_060),
        &written(1_060),
    );
    assert_eq!(later, first());
}

#[test]
fn verification_time_moves_at_most_every_ten_minutes() {
    let desired = two_nodes();
    let later = follow(
        &first(),
        &desired,
        &in_sync(&desired, 1_600),
        &written(1_600),
    );
    assert_eq!(later.last_verified_time, Some(Time(at(1_600))));
}

#[test]
fn changed_status_carries_its_verification_time() {
    let desired = two_nodes();
    let before = BigIpTunnelStatus {
        nodes: None,
        ..first()
    };
    let later = follow(
        &before,
        &desired,
        &in_sync(&desired, 1_060),
        &written(1_060),
    );
    assert_eq!(later.last_verified_time, Some(Time(at(1_060))));
    let earlier = follow(&before, &desired, &in_sync(&desired, 900), &written(1_060));
    assert_eq!(earlier.last_verified_time, before.last_verified_time);
}

#[test]
fn new_leader_shows_its_own_verification() {
    let desired = two_nodes();
    let leader = Written {
        leading_since: at(1_050),
        ..written(1_060)
    };
    let later = follow(&first(), &desired, &in_sync(&desired, 1_060), &leader);
    assert_eq!(later.last_verified_time, Some(Time(at(1_060))));
    let again = follow(&later, &desired, &in_sync(&desired, 1_120), &leader);
    assert_eq!(again, later);
}

#[test]
fn transition_time_moves_only_with_condition_status() {
    let desired = two_nodes();
    let mut failing = in_sync(&desired, 1_000);
    let failure = |text: &str| {
        Reach::Failed(Failure {
            reason: Reason::Timeout,
            message: text.into(),
            retryable: true,
        })
    };
    failing.reach = failure("no answer");
    let failed = follow(&first(), &desired, &failing, &written(1_100));
    failing.reach = failure("still no answer");
    let still = follow(&failed, &desired, &failing, &written(1_200));

    let ready = &still.conditions[0];
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", "DeviceUnreachable")
    );
    assert_eq!(ready.last_transition_time, Time(at(1_100)));
    assert!(ready.message.ends_with("still no answer"));
}

#[test]
fn every_condition_names_its_generation() {
    let desired = two_nodes();
    let edited = Written {
        generation: 7,
        ..written(1_100)
    };
    let status = follow(&first(), &desired, &in_sync(&desired, 1_000), &edited);
    let conditions = status
        .conditions
        .iter()
        .chain(&status.devices[0].conditions);
    assert!(conditions.clone().count() > 3);
    assert!(
        conditions
            .into_iter()
            .all(|c| c.observed_generation == Some(7))
    );
}

#[test]
fn unreachable_device_keeps_its_last_facts() {
    let desired = two_nodes();
    let mut failing = DeviceReport::pending("bigip-a".into(), "192.0.2.11".into(), 443);
    failing.reach = Reach::Failed(Failure {
        reason: Reason::Timeout,
        message: "no answer".into(),
        retryable: true,
    });
    let status = follow(&first(), &desired, &failing, &written(1_100));
    assert_eq!(
        status.devices[0].hostname.as_deref(),
        Some("bigip01.lab.local")
    );
    assert_eq!(
        status.devices[0].failover_state,
        Some(v1alpha1::FailoverState::Unknown)
    );
}

#[test]
fn pending_device_keeps_its_status_entry() {
    let desired = two_nodes();
    let pending = DeviceReport::pending("bigip-a".into(), "192.0.2.11".into(), 443);
    let status = follow(&first(), &desired, &pending, &written(1_100));
    assert_eq!(status.devices, first().devices);
}

#[test]
fn device_at_another_address_starts_with_an_empty_entry() {
    let desired = two_nodes();
    let pending = DeviceReport::pending("bigip-a".into(), "192.0.2.99".into(), 443);
    let status = follow(&first(), &desired, &pending, &written(1_100));
    assert_eq!(status.devices[0].hostname, None);
}

#[test]
fn ownership_is_carried_over_untouched() {
    let ownership = Some(Ownership {
        uid: "uid-1".into(),
        claims: vec![],
    });
    let previous = BigIpTunnelStatus {
        ownership: ownership.clone(),
        ..first()
    };
    let desired = two_nodes();
    let status = follow(
        &previous,
        &desired,
        &in_sync(&desired, 1_000),
        &written(1_000),
    );
    assert_eq!(status.ownership, ownership);
}

#[test]
fn sixteen_problems_are_listed_and_all_are_counted() {
    let desired = two_nodes();
    let mut report = in_sync(&desired, 1_000);
    let foreign: Records = (0..40_u8)
        .map(|last| {
            let mac = bigip_tunnel_core::mac::MacAddress::new([0x52, 0x54, 0, 0, 0, last]);
            (mac, "10.9.9.9".parse().unwrap())
        })
        .collect();
    let foreign = foreign
        .into_iter()
        .map(|(mac, endpoint)| (mac, Some(endpoint)));
    report.plan.as_mut().unwrap().foreign = foreign.collect();
    let status = follow(
        &BigIpTunnelStatus::default(),
        &desired,
        &report,
        &written(1_000),
    );
    assert_eq!(status.devices[0].problems.len(), SHOWN_MAX);
    assert_eq!(status.devices[0].records.as_ref().unwrap().foreign, 40);
}

#[test]
fn node_with_own_tunnel_address_shows_its_record_mac() {
    let desired = two_nodes();
    let local = "10.0.0.2%7".parse().unwrap();
    let records = desired.records(local);
    let mut report = in_sync(&desired, 1_000);
    report.facts.as_mut().unwrap().tunnel.local_address = Some(local);
    report.plan = Some(plan(
        &records,
        &records.clone().into(),
        &[].into(),
        MacPrefix::DEFAULT,
    ));
    let status = follow(
        &BigIpTunnelStatus::default(),
        &desired,
        &report,
        &written(1_000),
    );
    let told = Problem {
        mac: "0a:0a:0a:00:00:02".into(),
        endpoint: Some("10.0.0.2%7".into()),
        kind: ProblemKind::OwnAddress,
    };
    assert_eq!(status.devices[0].problems, [told]);
    assert_eq!(status.summary.unwrap().records, "1/1");
    let word = serde_json::to_value(ProblemKind::OwnAddress).unwrap();
    assert_eq!(word, Reason::OwnAddress.as_str());
}

#[test]
fn device_text_is_truncated_to_the_schema_limit() {
    let desired = two_nodes();
    let mut report = in_sync(&desired, 1_000);
    report.facts.as_mut().unwrap().hostname = "ü".repeat(1_000);
    let status = follow(
        &BigIpTunnelStatus::default(),
        &desired,
        &report,
        &written(1_000),
    );
    assert_eq!(
        status.devices[0].hostname.as_ref().unwrap().chars().count(),
        253
    );
}

#[test]
fn restart_keeps_the_unsaved_state() {
    let mut stored = first();
    stored.devices[0].unsaved_since = Some(Time(at(900)));
    let pending = DeviceReport::pending("bigip-a".into(), "192.0.2.11".into(), 443);
    assert_eq!(resume(pending, &stored).save.unsaved_since, Some(at(900)));
}

#[test]
fn suspended_object_is_unknown_for_its_generation() {
    let edited = Written {
        generation: 7,
        handled_request: Some("now"),
        ..written(1_100)
    };
    let read = BTreeMap::from([("bigip-a".to_owned(), at(1_050))]);
    let status = paused(&first(), Reason::Suspended, &read, &edited);
    let words: Vec<(&str, &str)> = status
        .conditions
        .iter()
        .map(|c| (c.type_.as_str(), c.status.as_str()))
        .collect();
    assert_eq!(
        words,
        [
            ("Ready", "Unknown"),
            ("Available", "Unknown"),
            ("Accepted", "True"),
            ("TunnelUsable", "Unknown"),
            ("PeersCovered", "Unknown"),
            ("Paused", "True")
        ]
    );
    let of_device = &status.devices[0].conditions;
    assert!(of_device.iter().all(|c| c.status == "Unknown"));
    let message = &of_device[1].message;
    assert!(
        message.starts_with("last verified 1970-01-01T00:17:30Z: InSync: 2 of 2"),
        "{message}"
    );
    let all = status.conditions.iter().chain(of_device);
    assert!(all.into_iter().all(|c| c.observed_generation == Some(7)));
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
    let none = BTreeMap::new();
    let later = Written {
        now: at(9_000),
        ..edited
    };
    assert_eq!(paused(&status, Reason::Suspended, &none, &later), status);
}

#[test]
fn suspended_object_without_status_is_not_ready() {
    let none = BTreeMap::new();
    let nothing = BigIpTunnelStatus::default();
    let status = paused(&nothing, Reason::PausedByAnnotation, &none, &written(1_100));
    let words: Vec<_> = status
        .conditions
        .iter()
        .map(|c| (&*c.type_, &*c.status))
        .collect();
    assert_eq!(words, [("Ready", "Unknown"), ("Paused", "True")]);
}

#[test]
fn suspended_object_neither_reconciles_nor_stalls() {
    let mut previous = first();
    for kind in ["Reconciling", "Stalled", "NodesResolved"] {
        let condition = Condition {
            type_: kind.into(),
            ..previous.conditions[0].clone()
        };
        previous.conditions.push(condition);
    }
    let status = paused(
        &previous,
        Reason::Suspended,
        &BTreeMap::new(),
        &written(1_100),
    );
    assert_eq!(
        status,
        paused(
            &first(),
            Reason::Suspended,
            &BTreeMap::new(),
            &written(1_100)
        )
    );
}

#[test]
fn unit_addresses_are_on_the_tunnel() {
    let expected = ["10.0.0.254".parse().unwrap(), "10.1.6.34".parse().unwrap()];
    assert_eq!(unit_addresses(&first()), expected.into());
}

#[test]
fn joining_node_is_counted_and_is_no_failure() {
    let node = NodeView {
        name: "new".into(),
        uid: "new".into(),
        created: Some(at(1_000)),
        selected: true,
        addresses: Vec::new(),
        cilium_addresses: None,
        damped: None,
        traits: NodeTraits::default(),
    };
    let mut nodes = two_nodes();
    nodes.skipped = desired(&[node], MacPrefix::DEFAULT, &AddressRule::default()).skipped;
    let device = in_sync(&nodes, 1_000);
    let status = follow(&first(), &nodes, &device, &written(1_119));
    assert_eq!(status.conditions[0].status, "True");
    let message = &status.conditions[0].message;
    assert!(
        message.ends_with("1 node has just joined and has no usable address yet"),
        "{message}"
    );
    let counts = status.nodes.unwrap();
    assert_eq!((counts.joining, counts.skipped), (1, 0));
    assert_eq!(status.skipped_nodes, []);
    let late = follow(&first(), &nodes, &device, &written(1_120));
    assert_eq!(
        (&*late.conditions[0].status, &*late.conditions[0].reason),
        ("False", "NodesSkipped")
    );
}

#[test]
fn device_that_does_not_answer_is_not_counted() {
    let desired = two_nodes();
    let mut device = in_sync(&desired, 1_000);
    device.save.enabled = true;
    device.reach = Reach::Failed(Failure {
        reason: Reason::AuthenticationFailed,
        message: "login refused".into(),
        retryable: false,
    });
    let status = follow(&first(), &desired, &device, &written(1_100));
    let summary = status.summary.unwrap();
    assert_eq!(
        (&*summary.devices, &*summary.nodes, &*summary.records),
        ("0/1", "?/2", "0/2")
    );
    assert_eq!(status.nodes.unwrap().programmed, 0);
    let of = |kind: &str| status.conditions.iter().find(|c| c.type_ == kind).unwrap();
    assert_eq!(
        (&*of("Available").status, &*of("Available").reason),
        ("Unknown", "AuthenticationFailed")
    );
    let conditions = &status.devices[0].conditions;
    let saved = conditions.iter().find(|c| c.type_ == "Saved").unwrap();
    assert_eq!(
        (&*saved.status, &*saved.reason),
        ("Unknown", "AuthenticationFailed")
    );
}

#[test]
fn former_device_shows_why_its_records_remain() {
    let former = FormerDevice {
        name: "bigip-c".into(),
        address: "192.0.2.13".into(),
        port: 443,
        credentials_secret_ref: Some(v1alpha1::SecretRef {
            name: "login".into(),
        }),
        tls: None,
        login: None,
        identity: None,
        since: Time(at(900)),
        records: None,
        reason: None,
        message: None,
    };
    let mut device = DeviceReport::pending("bigip-c".into(), "192.0.2.13".into(), 443);
    device.reach = Reach::Failed(Failure {
        reason: Reason::SecretNotFound,
        message: "Secret bigip/login does not exist".into(),
        retryable: false,
    });
    let desired = two_nodes();
    let report = TunnelReport {
        rejected: None,
        nodes_failure: None,
        nodes_doubt: None,
        desired: &desired,
        devices: &[in_sync(&desired, 1_000)],
        former: &[device],
        observing: false,
        transport: None,
        held: None,
        deleting: false,
        now: Timestamp::UNIX_EPOCH,
    };
    let written = Written {
        former: std::slice::from_ref(&former),
        ..written(1_000)
    };
    let status = next(&BigIpTunnelStatus::default(), &report, &written);
    let shown = &status.former_devices[0];
    assert_eq!(
        shown.reason.as_deref(),
        Some(Reason::SecretNotFound.as_str())
    );
    assert_eq!(
        (&*shown.address, &shown.since),
        ("192.0.2.13", &former.since)
    );
}

#[test]
fn relisted_name_keeps_its_known_unit_identity() {
    let mut before = first();
    before.devices.clear();
    before.former_devices = vec![FormerDevice {
        name: "bigip-a".into(),
        address: "192.0.2.11".into(),
        port: 443,
        credentials_secret_ref: Some(v1alpha1::SecretRef {
            name: "login".into(),
        }),
        tls: None,
        login: None,
        identity: Some("the old box".into()),
        since: Time(at(900)),
        records: None,
        reason: None,
        message: None,
    }];
    assert_eq!(known_identity(&before, "bigip-a"), Some("the old box"));
    let pending = DeviceReport::pending("bigip-a".into(), "192.0.2.99".into(), 443);
    let listed = follow(&before, &two_nodes(), &pending, &written(1_000));
    assert_eq!(known_identity(&listed, "bigip-a"), Some("the old box"));
}

#[test]
fn replaced_unit_is_shown_until_the_known_one_answers() {
    let desired = two_nodes();
    let mut report = in_sync(&desired, 1_000);
    report.found_identity = Some("another box".into());
    let other = follow(&first(), &desired, &report, &written(1_000));
    let found = other.devices[0].found_identity.as_deref();
    assert_eq!(found, Some("another box"));
    assert_eq!(
        known_identity(&other, "bigip-a"),
        Some("bigip01.lab.local 00:0c:29:35:0d:bd")
    );
    report.found_identity = None;
    let same = follow(&other, &desired, &report, &written(1_001));
    assert_eq!(same.devices[0].found_identity, None);
}

#[test]
fn self_ips_that_are_not_shown_are_counted() {
    let omitted = |self_ips: usize| {
        let mut facts = facts();
        facts.tunnel.self_ips = vec!["10.1.6.34/24".into(); self_ips];
        let mut status = DeviceStatus::default();
        set_facts(&mut status, &facts);
        status.tunnel.unwrap().self_ips_omitted
    };
    assert_eq!(
        (omitted(8), omitted(9), omitted(40)),
        (None, Some(1), Some(32))
    );
}

/// A condition about Cilium's side.
fn of_cilium(truth: Truth, message: &str) -> CoreCondition {
    CoreCondition {
        kind: ConditionType::CiliumReady,
        truth,
        reason: Reason::CiliumVerified,
        message: message.into(),
    }
}

/// What a status says about Cilium's side.
fn said_of_cilium(status: &BigIpTunnelStatus) -> Option<(&str, &str, i64)> {
    let mut conditions = status.conditions.iter();
    let found = conditions.find(|c| c.type_ == ConditionType::CiliumReady.as_str())?;
    let since = found.last_transition_time.0.as_second();
    Some((&found.status, &found.message, since))
}

#[test]
fn cilium_condition_keeps_its_last_result_until_verified() {
    let (desired, device) = (two_nodes(), in_sync(&two_nodes(), 1_000));
    let after = |before: &BigIpTunnelStatus, cilium: Verified<'_>, second: i64| {
        let written = Written {
            cilium,
            ..written(second)
        };
        follow(before, &desired, &device, &written)
    };
    let (fits, off) = (
        of_cilium(Truth::True, "fits"),
        of_cilium(Truth::False, "off"),
    );
    let pending = after(&first(), Verified::Pending, 1_000);
    assert_eq!(said_of_cilium(&pending), None);
    let fitting = after(&pending, Verified::Found(&fits), 1_001);
    assert_eq!(said_of_cilium(&fitting), Some(("True", "fits", 1_001)));
    // A new process has not looked yet.
    assert_eq!(after(&fitting, Verified::Pending, 1_002), fitting);
    let wrong = after(&fitting, Verified::Found(&off), 1_003);
    assert_eq!(said_of_cilium(&wrong), Some(("False", "off", 1_003)));
    let ready = |status: &BigIpTunnelStatus| {
        let mut conditions = status.conditions.iter();
        conditions
            .find(|c| c.type_ == ConditionType::Ready.as_str())
            .cloned()
    };
    assert_eq!(ready(&wrong), ready(&pending));
    assert_eq!(said_of_cilium(&after(&wrong, Verified::Off, 1_004)), None);
}

#[test]
fn suspended_object_shows_cilium_as_last_verified() {
    let fits = of_cilium(Truth::True, "fits");
    let found = Written {
        cilium: Verified::Found(&fits),
        ..written(1_000)
    };
    let device = in_sync(&two_nodes(), 1_000);
    let before = follow(&first(), &two_nodes(), &device, &found);
    let suspended = paused(&before, Reason::Suspended, &BTreeMap::new(), &found);
    let (status, message, _) = said_of_cilium(&suspended).unwrap();
    assert_eq!(status, "Unknown");
    assert!(message.starts_with("last verified"), "{message}");
    let off = written(1_001);
    let off = paused(&suspended, Reason::Suspended, &BTreeMap::new(), &off);
    assert_eq!(said_of_cilium(&off), None);
}

#[test]
fn name_of_the_vtep_config_is_kept_until_it_is_known_to_be_gone() {
    let (desired, device) = (two_nodes(), in_sync(&two_nodes(), 1_000));
    let synced = CoreCondition {
        kind: ConditionType::VtepConfigured,
        truth: Truth::True,
        reason: Reason::VtepProgrammed,
        message: "3 of 3 nodes".into(),
    };
    let found = |condition, name| Managed::Found { condition, name };
    let after = |before: &BigIpTunnelStatus, vtep: Managed<'_>, second: i64| {
        let written = Written {
            vtep,
            ..written(second)
        };
        follow(before, &desired, &device, &written)
    };
    let said = |status: &BigIpTunnelStatus| {
        let mut conditions = status.conditions.iter();
        let found = conditions.find(|c| c.type_ == ConditionType::VtepConfigured.as_str());
        (status.vtep_config.clone(), found.map(|c| c.reason.clone()))
    };
    let all = (Some("x".to_owned()), Some("VTEPProgrammed".to_owned()));
    let written = after(&first(), found(Some(&synced), Some("x")), 1_000);
    assert_eq!(said(&written), all);
    // A new process has not looked yet.
    assert_eq!(after(&written, Managed::Pending, 1_001), written);
    let gone = after(&written, found(None, None), 1_002);
    assert_eq!(said(&gone), (None, None));
    assert_eq!(said(&after(&written, Managed::Off, 1_002)), (None, None));
}

#[test]
fn suspended_object_keeps_the_name_of_its_vtep_config() {
    let mut before = first();
    before.vtep_config = Some("x".to_owned());
    let suspended = paused(
        &before,
        Reason::Suspended,
        &BTreeMap::new(),
        &written(1_001),
    );
    assert_eq!(suspended.vtep_config.as_deref(), Some("x"));
}
