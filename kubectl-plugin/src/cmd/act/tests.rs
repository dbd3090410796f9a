//! What is shown before a decision, and what is printed after an action.

use bigip_tunnel_core::node::NodeView;
use serde_json::{Value, json};

use super::*;
use crate::report::accept_device::Exchange;
use crate::report::act::{Acted, Action, Decision};
use crate::report::approve::{Held, HeldRecord};
use crate::report::release::Left;
use crate::style::Style;
use crate::testing::{MACS, Tunnel, device, device_down, nodes, printed, view};

/// What a person sees before the question, and the question.
fn shown<Q: Question>(question: &Q) -> String {
    let text = printed(|out| question.show(view(false), out));
    format!("{text}{}", question.ask())
}

/// Since when records are held.
const SINCE: &str = "2026-11-22T06:27:48Z";

fn digest_of(macs: &[String]) -> String {
    let held = bigip_tunnel_core::outcome::HeldRemoval {
        macs: macs.iter().map(|mac| mac.parse().unwrap()).collect(),
        since: SINCE.parse().unwrap(),
    };
    held.digest()
}

/// A tunnel of which the records of 10.1.0.1 and up are held, one for each of these nodes; the status names
/// the first 16.
fn holding_for(nodes: &[String]) -> (Tunnel, String) {
    let macs = (1..=nodes.len()).map(|last| format!("0a:0a:0a:01:00:{last:02x}"));
    let macs: Vec<String> = macs.collect();
    let records = macs.iter().zip(nodes);
    let records: Vec<String> = records.map(|(mac, node)| format!("{mac} {node}")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let digest = digest_of(&macs);
    let tunnel = Tunnel::healthy("prod-east")
        .claim(&["bigip-a", "bigip-b"], "Owned", &records)
        .with(
            "/status/heldRemoval",
            &json!({
                "digest": digest,
                "since": SINCE,
                "count": macs.len(),
                "sample": macs.iter().take(16).collect::<Vec<_>>(),
            }),
        );
    (tunnel, digest)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A record of each cause is held.
fn holding() -> (Tunnel, Vec<NodeView>) {
    let (tunnel, _) = holding_for(&names(&["gone", "worker-01", "outside"]));
    let outside = NodeView {
        name: "outside".into(),
        uid: "uid-outside".into(),
        selected: false,
        ..nodes().remove(0)
    };
    (tunnel, [nodes(), vec![outside]].concat())
}

#[test]
fn blocked_records_are_shown_by_cause_before_approval() {
    let (tunnel, nodes) = holding();
    let held = Held::of(&tunnel.object(), &nodes).unwrap();
    let text = shown(&held).replace(&held.digest, "DIGEST");
    insta::assert_snapshot!(text, @"
    bigip/prod-east: the removal of 3 records has been pending approval for 12m (digest DIGEST):

    Node deleted: 1 record
    MAC                 ADDRESS    NODE   NODE EXISTS   BIG-IPS
    0a:0a:0a:01:00:01   10.1.0.1   gone   no            bigip-a,bigip-b

    Node no longer selected: 1 record
    MAC                 ADDRESS    NODE      NODE EXISTS   BIG-IPS
    0a:0a:0a:01:00:03   10.1.0.3   outside   yes           bigip-a,bigip-b

    Address of the node changed: 1 record
    MAC                 ADDRESS    NODE        NODE EXISTS   BIG-IPS
    0a:0a:0a:01:00:02   10.1.0.2   worker-01   yes           bigip-a,bigip-b

    The BIG-IPs do not reach pods at these addresses any more once the records are removed.
    Let 3 records be removed?
    ");
}

#[test]
fn every_blocked_record_is_shown() {
    let many: Vec<String> = (1..=60).map(|number| format!("gone-{number}")).collect();
    let (tunnel, digest) = holding_for(&many);
    let held = Held::of(&tunnel.object(), &nodes()).unwrap();
    assert_eq!((held.records.len(), &held.digest), (60, &digest));
    let text = shown(&held);
    assert!(
        many.iter().all(|name| text.contains(name.as_str())),
        "{text}"
    );
    let json = serde_json::to_value(&held).unwrap();
    assert_eq!(json["records"].as_array().unwrap().len(), 60);
    let first = json!({
        "cause": "NodeDeleted",
        "mac": "0a:0a:0a:01:00:01",
        "address": "10.1.0.1",
        "nodes": ["gone-1"],
        "nodeExists": false,
        "devices": ["bigip-a", "bigip-b"],
    });
    assert_eq!(json["records"][0], first);
}

#[test]
fn records_within_their_delay_are_not_blocked() {
    let many: Vec<String> = (1..=60).map(|number| format!("gone-{number}")).collect();
    let (tunnel, digest) = holding_for(&many);
    let tunnel = tunnel
        .claim(&["bigip-a"], "Owned", &["0a:0a:0a:01:01:01 late"])
        .with(
            "/status/leavingNodes",
            &json!([{
                "name": "late",
                "address": "10.1.1.1",
                "since": SINCE,
                "removableAt": "2026-11-22T06:41:00Z",
            }]),
        );
    let held = Held::of(&tunnel.object(), &nodes()).unwrap();
    assert_eq!((held.records.len(), held.digest), (60, digest));
}

/// A held removal of 60 records, and one more claimed record that no node desires: that of this node.
fn holding_besides(node: &str) -> (Tunnel, String) {
    let many: Vec<String> = (1..=60).map(|number| format!("gone-{number}")).collect();
    let (tunnel, digest) = holding_for(&many);
    let record = format!("0a:0a:0a:01:01:01 {node}");
    let tunnel = tunnel.claim(&["bigip-a"], "Owned", &[&*record]);
    (tunnel, digest)
}

#[test]
fn records_of_an_unstable_node_are_not_blocked() {
    let (tunnel, digest) = holding_besides("worker-01");
    // It shows another address meanwhile, and has left a second record behind.
    let tunnel = tunnel
        .claim(&["bigip-a"], "Owned", &["0a:0a:0a:01:01:02 worker-01"])
        .with(
            "/status/skippedNodes",
            &json!([{"name": "worker-01", "reason": "NodeAddressUnstable", "message": ""}]),
        );
    let held = Held::of(&tunnel.object(), &nodes()).unwrap();
    assert_eq!((held.records.len(), held.digest), (60, digest));
}

#[test]
fn record_kept_for_another_object_is_not_blocked() {
    let (tunnel, digest) = holding_besides("shared");
    let held = Held::of(&tunnel.object(), &nodes()).unwrap();
    assert_eq!((held.records.len(), held.digest), (60, digest));
    let extra = |record: &HeldRecord| record.mac == "0a:0a:0a:01:01:01";
    assert!(!held.records.iter().any(extra));
}

#[test]
fn set_that_does_not_give_the_digest_is_not_approved() {
    let many: Vec<String> = (1..=60).map(|number| format!("gone-{number}")).collect();
    let (tunnel, _) = holding_for(&many);
    let more = tunnel.clone().claim(
        &["bigip-a"],
        "Owned",
        &["0a:0a:0a:01:01:01 other", "0a:0a:0a:01:01:02 other-2"],
    );
    let problem = Held::of(&more.object(), &nodes()).unwrap_err();
    // It is not known which records those are, not that they have changed.
    insta::assert_snapshot!(problem.problem, @"of the held removal of 60 records the status names 16, and not which the other 44 are: 46 more claimed records have no node, and with them the digest is not that of the status; nothing is approved");
    assert!(problem.hint.contains("run again"));
    let other = json!("0".repeat(64));
    let other = tunnel.with("/status/heldRemoval/digest", &other);
    assert!(Held::of(&other.object(), &nodes()).is_err());
}

#[test]
fn confirmation_is_truncated_to_the_terminal() {
    let narrow = View {
        style: Style::PLAIN.on_terminal(76, 24),
        ..view(false)
    };
    let (tunnel, nodes) = holding();
    let mut held = Held::of(&tunnel.object(), &nodes).unwrap();
    let many = (1..8).map(|number| format!("bigip-{number}"));
    held.records[0].devices.extend(many);
    let text = printed(|out| held.show(narrow, out));
    let mac = &held.records[0].mac;
    let row = text.lines().find(|line| line.starts_with(mac)).unwrap();
    assert!(row.ends_with('…') && row.chars().count() <= 76, "{row}");
}

#[test]
fn approval_is_for_exactly_the_shown_digest() {
    let (tunnel, digest) = holding_for(&names(&["gone", "gone-2"]));
    let held = Held::of(&tunnel.object(), &nodes()).unwrap();
    let annotation = ("bigip-tunnel.dev/approve-removal", &*digest);
    assert_eq!(held.annotation(), annotation);
    let (other, _) = holding_for(&names(&["gone"]));
    let other = Held::of(&other.object(), &nodes()).unwrap();
    assert!(!other.is_covered_by(&held));
    assert!(held.is_covered_by(&held.clone()));
}

#[test]
fn no_blocked_removal_means_nothing_to_approve() {
    let nothing = Held::of(&Tunnel::healthy("prod-east").object(), &nodes()).unwrap_err();
    assert_eq!(nothing.problem, "no removal is pending approval");
}

/// A tunnel whose second BIG-IP is another box than the one that was known.
fn exchanged() -> Tunnel {
    let mut standby = device("bigip-b", "192.0.2.12", "Standby");
    standby["identity"] = json!("bigip-b.example.net 00:94:a1:00:00:02");
    standby["foundIdentity"] = json!("new.example.net 00:94:a1:00:ff:00");
    Tunnel::new("prod-east")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .device(standby)
        .claim(&["bigip-a", "bigip-b"], "Owned", &MACS)
}

#[test]
fn both_units_are_shown_before_acceptance() {
    let exchange = Exchange::of(&exchanged().object(), "bigip-b").unwrap();
    insta::assert_snapshot!(shown(&exchange), @"
    bigip/prod-east: another box answers as bigip-b at 192.0.2.12:

    known   bigip-b.example.net 00:94:a1:00:00:02
    found   new.example.net 00:94:a1:00:ff:00

    On the known box 3 records are claimed. What is there stays there, if it still runs. On the one
    that was found, records that match are taken over and missing ones are added.
    Go on with the unit that was found as bigip-b?
    ");
    let annotation = (
        "bigip-tunnel.dev/accept-device",
        "bigip-b=new.example.net 00:94:a1:00:ff:00",
    );
    assert_eq!(exchange.annotation(), annotation);
}

#[test]
fn only_the_shown_unit_is_accepted() {
    let shown = Exchange::of(&exchanged().object(), "bigip-b").unwrap();
    let third = json!("third.example.net 00:94:a1:00:ff:01");
    let now = exchanged().with("/status/devices/1/foundIdentity", &third);
    let now = Exchange::of(&now.object(), "bigip-b").unwrap();
    assert!(!now.is_covered_by(&shown));
    assert!(shown.is_covered_by(&shown.clone()));
}

#[test]
fn pending_acceptance_is_not_replaced_silently() {
    let other = "other.example.net 00:94:a1:00:00:09";
    let answer = format!("bigip-a={other}");
    let both = exchanged()
        .with("/status/devices/0/foundIdentity", &json!(other))
        .with(
            "/metadata/annotations",
            &json!({"bigip-tunnel.dev/accept-device": answer}),
        );
    let exchange = Exchange::of(&both.object(), "bigip-b").unwrap();
    let text = shown(&exchange);
    let said = "bigip-a has been accepted and not been gone on with; that is withdrawn.";
    assert!(text.contains(said), "{text}");
}

#[test]
fn unchanged_device_cannot_be_accepted() {
    let problem = |tunnel: Tunnel, device: &str| {
        let obstacle = Exchange::of(&tunnel.object(), device).unwrap_err();
        format!("{}; {}", obstacle.problem, obstacle.hint)
    };
    assert_eq!(
        problem(exchanged(), "bigip-z"),
        "no BIG-IP \"bigip-z\" is listed; listed are bigip-a, bigip-b"
    );
    let known = exchanged().with("/status/devices/0/identity", &json!("a 00:00"));
    assert!(problem(known, "bigip-a").starts_with("no other unit than a 00:00 was found"));
    assert!(problem(exchanged(), "bigip-a").starts_with("no unit was found as bigip-a yet"));
}

/// A tunnel that is being deleted and whose second BIG-IP does not answer.
fn going() -> Tunnel {
    Tunnel::new("prod-east")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .device(device_down("bigip-b", "192.0.2.12"))
        .claim(&["bigip-b"], "Leaving", &MACS)
        .with(
            "/metadata/deletionTimestamp",
            &json!("2026-11-22T06:00:00Z"),
        )
        .with("/metadata/finalizers", &json!(["bigip-tunnel.dev/cleanup"]))
}

#[test]
fn records_left_by_a_release_are_shown() {
    let left = Left::of(&going().object(), None).unwrap();
    insta::assert_snapshot!(shown(&left), @"
    bigip/prod-east is being deleted. Released, it goes at once and leaves up to 3 records:

    BIG-IP    ADDRESS      REASON    MAC
    bigip-b   192.0.2.12   Timeout   0a:0a:0a:a9:48:e9
    bigip-b   192.0.2.12   Timeout   0a:0a:0a:a9:48:ef
    bigip-b   192.0.2.12   Timeout   0a:0a:0a:a9:48:f0

    The operator does not remove them later: nothing claims them then.
    Let go of bigip/prod-east?
    ");
    assert_eq!(left.annotation(), ("bigip-tunnel.dev/release", "true"));
}

#[test]
fn long_record_list_is_truncated_with_a_count() {
    let many: Vec<String> = (0..20).map(|n| format!("0a:0a:0a:00:00:{n:02x}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let left = Left::of(&going().claim(&["bigip-a"], "Owned", &many).object(), None).unwrap();
    let text = shown(&left);
    let counted = "leaves up to 6 records, of 23 that are claimed";
    assert!(text.contains(counted), "{text}");
    assert!(text.contains("\n(and 4 more on bigip-a)\n"), "{text}");
    assert!(!text.contains("0a:0a:0a:00:00:10"), "{text}");
}

#[test]
fn tunnel_without_deletion_is_not_released() {
    // The annotation would stay, and turn a later deletion into one that leaves its records.
    let object = Tunnel::healthy("prod-east").object();
    let obstacle = Left::of(&object, None).unwrap_err();
    assert!(obstacle.problem.starts_with("it is not being deleted"));
    let kept = going().with("/metadata/finalizers", &json!(["example.net/other"]));
    let obstacle = Left::of(&kept.object(), None).unwrap_err();
    assert!(
        obstacle
            .problem
            .starts_with("the operator does not keep it")
    );
}

/// A tunnel that still has records on a BIG-IP that is not listed any more.
fn with_former() -> Tunnel {
    Tunnel::new("prod-east")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .claim(&["bigip-a", "bigip-c"], "Owned", &MACS)
        .former("bigip-c", "192.0.2.13")
}

#[test]
fn records_of_a_former_device_are_shown_before_release() {
    let left = Left::of(&with_former().object(), Some("bigip-c")).unwrap();
    insta::assert_snapshot!(shown(&left), @"
    bigip/prod-east: bigip-c is not cleaned up. Released, it keeps up to 3 records:

    BIG-IP    ADDRESS      REASON    MAC
    bigip-c   192.0.2.13   Timeout   0a:0a:0a:a9:48:e9
    bigip-c   192.0.2.13   Timeout   0a:0a:0a:a9:48:ef
    bigip-c   192.0.2.13   Timeout   0a:0a:0a:a9:48:f0

    The operator does not remove them later: nothing claims them then.
    Let go of bigip-c?
    ");
    let answer = "bigip-c=bigip-c.example.net 00:94:a1:00:00:03";
    assert_eq!(left.annotation(), ("bigip-tunnel.dev/release", answer));
}

#[test]
fn release_counts_the_records_that_are_there() {
    let text = |records: Value| {
        let former = with_former().with("/status/formerDevices/0/records", &records);
        shown(&Left::of(&former.object(), Some("bigip-c")).unwrap())
    };
    let some = "Released, it keeps 1 record, of 3 that are claimed:";
    assert!(text(json!(1)).contains(some), "{}", text(json!(1)));
    assert!(text(json!(3)).contains("Released, it keeps 3 records:"));
    assert!(text(json!(0)).contains("Released, it keeps no records."));
    assert!(text(Value::Null).contains("Released, it keeps up to 3 records:"));
}

#[test]
fn repeated_release_of_a_unit_has_a_number() {
    let answer = "bigip-c=bigip-c.example.net 00:94:a1:00:00:03";
    let handled = with_former().with("/status/handledReleases", &json!([answer]));
    let left = Left::of(&handled.object(), Some("bigip-c")).unwrap();
    assert_eq!(left.annotation().1, format!("{answer};2"));
}

#[test]
fn only_a_former_device_can_be_released() {
    let problem = |device: &str| {
        let obstacle = Left::of(&with_former().object(), Some(device)).unwrap_err();
        format!("{}; {}", obstacle.problem, obstacle.hint)
    };
    assert_eq!(
        problem("bigip-a"),
        "bigip-a is listed, and only a BIG-IP that is not can be released; take it off \
         spec.devices: kubectl edit btun prod-east -n bigip"
    );
    assert_eq!(
        problem("bigip-z"),
        "no records are left on a BIG-IP \"bigip-z\"; left are those on bigip-c"
    );
}

#[test]
fn release_covers_only_the_shown_records() {
    let left = |macs: &[&str]| {
        let tunnel = with_former().with("/status/ownership/claims", &json!([]));
        let object = tunnel.claim(&["bigip-c"], "Owned", macs).object();
        Left::of(&object, Some("bigip-c")).unwrap()
    };
    assert!(left(&MACS[..2]).is_covered_by(&left(&MACS)));
    assert!(!left(&MACS).is_covered_by(&left(&MACS[..2])));
}

/// A report of one action.
fn report(action: Action, dry_run: DryRun, changed: bool) -> ActionReport {
    let object = Tunnel::healthy("prod-east").object();
    ActionReport {
        tunnels: vec![Acted {
            changed,
            ..Acted::new(&object, action, dry_run)
        }],
        notes: Vec::new(),
    }
}

#[test]
fn actions_are_reported_in_kubectl_style() {
    let line = |report: ActionReport| printed(|out| write(&report, None, out));
    let lines = [
        line(report(Action::Suspended, DryRun::None, true)),
        line(report(Action::Suspended, DryRun::None, false)),
        line(report(Action::Resumed, DryRun::Client, true)),
        line(report(Action::RemovalApproved, DryRun::Server, true)),
    ];
    insta::assert_snapshot!(lines.concat(), @"
    bigiptunnel.bigip-tunnel.dev/prod-east suspended
    bigiptunnel.bigip-tunnel.dev/prod-east already suspended
    bigiptunnel.bigip-tunnel.dev/prod-east resumed (dry run)
    bigiptunnel.bigip-tunnel.dev/prod-east removal approved (server dry run)
    ");
    let name = printed(|out| {
        let report = report(Action::Released, DryRun::None, true);
        write(&report, Some(ActionFormat::Name), out)
    });
    assert_eq!(name, "bigiptunnel.bigip-tunnel.dev/prod-east\n");
}

#[test]
fn only_stored_actions_have_a_note() {
    let object = Tunnel::healthy("prod-east").object();
    let noted = |dry_run, changed| {
        let mut report = ActionReport::default();
        let acted = Acted {
            changed,
            ..Acted::new(&object, Action::Released, dry_run)
        };
        report.push(acted, "The operator lets go.");
        report.notes.len()
    };
    assert_eq!(noted(DryRun::None, true), 1);
    assert_eq!(noted(DryRun::None, false), 0);
    assert_eq!(noted(DryRun::Server, true), 0);
}

#[test]
fn device_of_a_decision_is_named() {
    let line = |action, decision| {
        let mut report = report(action, DryRun::None, true);
        report.tunnels[0].decision = Some(decision);
        printed(|out| write(&report, None, out))
    };
    let exchange = Exchange::of(&exchanged().object(), "bigip-b").unwrap();
    let former = Left::of(&with_former().object(), Some("bigip-c")).unwrap();
    let whole = Left::of(&going().object(), None).unwrap();
    let lines = [
        line(Action::DeviceAccepted, Decision::Device(exchange)),
        line(Action::Released, Decision::Left(former)),
        line(Action::Released, Decision::Left(whole)),
    ];
    insta::assert_snapshot!(lines.concat(), @"
    bigiptunnel.bigip-tunnel.dev/prod-east bigip-b accepted
    bigiptunnel.bigip-tunnel.dev/prod-east bigip-c released
    bigiptunnel.bigip-tunnel.dev/prod-east released
    ");
}

#[test]
fn requested_pass_is_reported_with_its_result() {
    let told = |tunnel: Tunnel| {
        let object = tunnel.object();
        let mut acted = Acted::new(&object, Action::ReconcileRequested, DryRun::None);
        acted.reconciled(&object);
        let report = ActionReport {
            tunnels: vec![acted],
            notes: Vec::new(),
        };
        (printed(|out| write(&report, None, out)), report.outcome())
    };
    let (text, outcome) = told(Tunnel::healthy("prod-east"));
    insta::assert_snapshot!(text, @"bigiptunnel.bigip-tunnel.dev/prod-east reconciled: InSync: 3 nodes on 2 of 2 BIG-IPs");
    assert_eq!(outcome, Outcome::Fine);
    let failing = Tunnel::healthy("prod-east").ready("False", "Conflict", "bigip-a: 1 record");
    let (text, outcome) = told(failing);
    insta::assert_snapshot!(text, @"
    bigiptunnel.bigip-tunnel.dev/prod-east reconciled: not ready, Conflict: bigip-a: 1 record
    Next: see which: kubectl bigip-tunnel fdb prod-east -n bigip
    ");
    assert_eq!(outcome, Outcome::Findings);
}

#[test]
fn report_contains_the_decision() {
    let mut report = report(Action::RemovalApproved, DryRun::Server, true);
    let (tunnel, nodes) = holding();
    let held = Held::of(&tunnel.object(), &nodes).unwrap();
    let digest = held.digest.clone();
    report.tunnels[0].decision = Some(Decision::HeldRemoval(held));
    let text = printed(|out| write(&report, Some(ActionFormat::Json), out));
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["apiVersion"], "cli.bigip-tunnel.dev/v1");
    assert_eq!(parsed["kind"], "ActionReport");
    let acted = &parsed["tunnels"][0];
    assert_eq!(acted["action"], "removalApproved");
    assert_eq!(acted["dryRun"], "server");
    assert_eq!(acted["heldRemoval"]["digest"], *digest);
    let records = &acted["heldRemoval"]["records"];
    assert_eq!(records[0]["nodes"], json!(["gone"]));
    assert_eq!(records[2]["cause"], "AddressChanged");
    let yaml = printed(|out| write(&report, Some(ActionFormat::Yaml), out));
    assert!(yaml.contains("kind: ActionReport"), "{yaml}");
}
