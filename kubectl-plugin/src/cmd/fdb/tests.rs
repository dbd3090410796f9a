//! What `fdb` prints, and how it exits.

use crate::error::Unusable;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_crds::convert::InvalidSpec;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;
use crate::context::Nodes;
use crate::report::fdb::State;
use crate::testing::{MACS, Tunnel, condition, device, device_down, node, nodes, printed, view};

/// What is asked for without further flags.
fn args(output: Option<TableFormat>) -> FdbArgs {
    FdbArgs {
        name: "prod-east".to_owned(),
        devices: Vec::new(),
        nodes: Vec::new(),
        problems: false,
        output,
        watch: false,
    }
}

fn report(tunnel: Tunnel, nodes: &[NodeView]) -> FdbReport {
    FdbReport::new(&tunnel.object(), nodes, &Wanted::default()).unwrap()
}

fn shown(report: &FdbReport, format: Option<TableFormat>) -> String {
    let wide = format == Some(TableFormat::Wide);
    printed(|out| write(report, &args(format), view(wide), out))
}

/// What is shown of a tunnel with these flags.
fn asked(tunnel: Tunnel, nodes: Vec<NodeView>, args: &FdbArgs) -> Result<FdbReport, Error> {
    let nodes = Nodes {
        views: nodes,
        ready: [("worker-02".to_owned(), "False".to_owned())].into(),
    };
    let seen = Seen::new(tunnel.object(), nodes);
    seen.must_know(&wanted(args))?;
    seen.fdb(&wanted(args))
}

#[test]
fn healthy_tunnel_is_ok_everywhere() {
    let report = report(Tunnel::healthy("prod-east"), &nodes());
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_snapshot!(shown(&report, None), @"
    NODE        ADDRESS         MAC                 BIGIP-A   BIGIP-B
    worker-01   10.169.72.239   0a:0a:0a:a9:48:ef   ok        ok
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   ok        ok
    worker-03   10.169.72.240   0a:0a:0a:a9:48:f0   ok        ok
    3 nodes; records: 6 ok
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
    assert_snapshot!(shown(&report, Some(TableFormat::Wide)), @"
    NODE        ADDRESS         MAC                 BIGIP-A   BIGIP-B   ENDPOINT          NODE-READY
    worker-01   10.169.72.239   0a:0a:0a:a9:48:ef   ok        ok        10.169.72.239%0   <unknown>
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   ok        ok        10.169.72.233%0   <unknown>
    worker-03   10.169.72.240   0a:0a:0a:a9:48:f0   ok        ok        10.169.72.240%0   <unknown>
    3 nodes; records: 6 ok
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
}

#[test]
fn unreachable_unit_shows_its_last_records() {
    let tunnel = Tunnel::new("prod-west")
        .device(device("bigip-c", "192.0.2.13", "Active"))
        .device(device_down("bigip-d", "192.0.2.14"))
        .claim(&["bigip-c"], "Owned", &MACS)
        .claim(&["bigip-d"], "Owned", &MACS[..2]);
    let report = report(tunnel, &nodes());
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, None), @"
    NODE        ADDRESS         MAC                 BIGIP-C   BIGIP-D
    worker-01   10.169.72.239   0a:0a:0a:a9:48:ef   ok        ok?
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   ok        ok?
    worker-03   10.169.72.240   0a:0a:0a:a9:48:f0   ok        unknown
    3 nodes; records: 5 ok, 1 unknown
    ?: last known, the BIG-IP could not be verified since
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
}

#[test]
fn unit_without_its_tunnel_is_not_verified() {
    let mut gone = device("bigip-b", "192.0.2.12", "Active");
    gone["conditions"][1] = condition("Programmed", "False", "TunnelNotFound", "no such tunnel");
    let tunnel = Tunnel::new("prod-east")
        .device(gone)
        .claim(&["bigip-b"], "Owned", &MACS);
    let report = report(tunnel, &nodes());
    assert_eq!(report.outcome(), Outcome::Findings);
    assert!(shown(&report, None).contains("10.169.72.239   0a:0a:0a:a9:48:ef   ok?"));
}

/// A unit at work: these problems, and these claims besides.
fn at_work(problems: &Value) -> Value {
    let mut device = device("bigip-a", "192.0.2.11", "Active");
    device["conditions"][1] = condition("Programmed", "False", "Progressing", "at work");
    device["problems"] = problems.clone();
    device["records"]["missing"] = json!(problems.as_array().unwrap().len());
    device
}

#[test]
fn every_wrong_record_has_its_state() {
    let nodes = [
        node("claimed", Some("10.0.0.1")),
        node("conflicting", Some("10.0.0.2")),
        node("incorrect", Some("10.0.0.3")),
        node("lost", Some("10.0.0.4")),
        node("new", Some("10.0.0.5")),
        node("own", Some("10.169.72.34")),
        node("unclaimed", Some("10.0.0.6")),
        node("without", None),
    ];
    let problems = json!([
        {"mac": "0a:0a:0a:00:00:02", "endpoint": "10.9.9.9%0", "kind": "Conflict"},
        {"mac": "0a:0a:0a:00:00:03", "endpoint": "10.0.0.3%0", "kind": "Incorrect"},
        {"mac": "0a:0a:0a:00:00:04", "endpoint": "10.0.0.4%0", "kind": "Missing"},
        {"mac": "0a:0a:0a:00:00:05", "endpoint": "10.0.0.5%0", "kind": "Missing"},
    ]);
    let owned = [
        "0a:0a:0a:00:00:01",
        "0a:0a:0a:00:00:03",
        "0a:0a:0a:00:00:04",
    ];
    let tunnel = Tunnel::new("prod-east")
        .device(at_work(&problems))
        .claim(&["bigip-a"], "Owned", &owned)
        .claim(&["bigip-a"], "Pending", &["0a:0a:0a:00:00:05"]);
    let report = report(tunnel, &nodes);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, Some(TableFormat::Wide)), @"
    NODE          ADDRESS        MAC                 BIGIP-A     ENDPOINT     NODE-READY
    claimed       10.0.0.1       0a:0a:0a:00:00:01   ok          10.0.0.1%0   <unknown>
    conflicting   10.0.0.2       0a:0a:0a:00:00:02   conflict    10.9.9.9%0   <unknown>
    incorrect     10.0.0.3       0a:0a:0a:00:00:03   incorrect   10.0.0.3%0   <unknown>
    lost          10.0.0.4       0a:0a:0a:00:00:04   missing     10.0.0.4%0   <unknown>
    new           10.0.0.5       0a:0a:0a:00:00:05   pending     10.0.0.5%0   <unknown>
    own           10.169.72.34   0a:0a:0a:a9:48:22   own         <unknown>    <unknown>
    unclaimed     10.0.0.6       0a:0a:0a:00:00:06   missing     10.0.0.6%0   <unknown>
    without       <none>         <none>              skipped     <none>       <unknown>
    8 nodes, 1 skipped; records: 1 ok, 1 pending, 2 missing, 1 incorrect, 1 conflict
    conflicting: on bigip-a the record leads to 10.9.9.9%0
    without: NodeAddressMissing: the node lists no InternalIP
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
}

#[test]
fn deleted_node_is_shown_until_record_removal() {
    let tunnel = Tunnel::healthy("prod-east")
        .claim(&["bigip-a"], "Leaving", &["0a:0a:0a:a9:48:11"])
        .claim(
            &["bigip-b"],
            "Owned",
            &["0a:0a:0a:a9:48:11", "0a:0a:0a:a9:48:12"],
        )
        .with(
            "/status/leavingNodes",
            &json!([{
                "name": "worker-09",
                "address": "10.169.72.17",
                "since": "2026-11-22T06:39:22Z",
                "removableAt": "2026-11-22T06:40:22Z",
            }]),
        );
    let report = report(tunnel, &nodes());
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_snapshot!(shown(&report, None), @"
    NODE        ADDRESS         MAC                 BIGIP-A   BIGIP-B
    worker-01   10.169.72.239   0a:0a:0a:a9:48:ef   ok        ok
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   ok        ok
    worker-03   10.169.72.240   0a:0a:0a:a9:48:f0   ok        ok
    worker-09   10.169.72.17    0a:0a:0a:a9:48:11   removed   leaving
    <none>      10.169.72.18    0a:0a:0a:a9:48:12   -         leaving
    3 nodes; records: 6 ok, 2 leaving, 1 removed
    worker-09: left, its record goes in 22s
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
}

#[test]
fn removed_record_differs_from_a_leaving_one() {
    let (gone, going) = ("0a:0a:0a:a9:48:11", "0a:0a:0a:a9:48:12");
    let cells = |stale: i32| -> Vec<State> {
        let mut bigip = device("bigip-a", "192.0.2.11", "Active");
        bigip["records"]["stale"] = json!(stale);
        bigip["problems"] = json!([{"mac": going, "endpoint": "10.169.72.18%0", "kind": "Stale"}]);
        let tunnel = Tunnel::new("prod-east")
            .device(bigip)
            .claim(&["bigip-a"], "Owned", &MACS)
            .claim(&["bigip-a"], "Leaving", &[gone, going]);
        let report = report(tunnel, &nodes());
        report.rows[3..]
            .iter()
            .map(|row| row.cells[0].state)
            .collect()
    };
    assert_eq!(cells(1), [State::Removed, State::Leaving]);
    // One more is left that is not named: it may be either.
    assert_eq!(cells(2), [State::Leaving, State::Leaving]);
}

#[test]
fn foreign_records_are_shown_without_a_finding() {
    let mut shared = device("bigip-a", "192.0.2.11", "Active");
    shared["problems"] = json!([
        {"mac": "0a:0a:0a:a9:48:4d", "endpoint": "10.169.72.77%0", "kind": "Unclaimed"},
        {"mac": "52:54:00:11:22:33", "endpoint": "192.0.2.50%0", "kind": "Foreign"},
    ]);
    shared["records"]["unclaimed"] = json!(1);
    shared["records"]["foreign"] = json!(4);
    let tunnel = Tunnel::new("prod-east")
        .device(shared)
        .device(device("bigip-b", "192.0.2.12", "Standby"))
        .claim(&["bigip-a", "bigip-b"], "Owned", &MACS);
    let report = report(tunnel, &nodes());
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_snapshot!(shown(&report, None), @"
    NODE        ADDRESS         MAC                 BIGIP-A     BIGIP-B
    worker-01   10.169.72.239   0a:0a:0a:a9:48:ef   ok          ok
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   ok          ok
    worker-03   10.169.72.240   0a:0a:0a:a9:48:f0   ok          ok
    <none>      10.169.72.77    0a:0a:0a:a9:48:4d   unclaimed   -
    <none>      192.0.2.50      52:54:00:11:22:33   foreign     -
    3 nodes; records: 6 ok; 5 not ours and kept
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
}

#[test]
fn truncated_problem_list_makes_no_record_certain() {
    let mut broken = device("bigip-a", "192.0.2.11", "Active");
    broken["conditions"][1] = condition("Programmed", "False", "Progressing", "at work");
    broken["records"]["missing"] = json!(2);
    broken["problems"] =
        json!([{"mac": MACS[0], "endpoint": "10.169.72.233%0", "kind": "Missing"}]);
    let tunnel = Tunnel::new("prod-east")
        .device(broken)
        .claim(&["bigip-a"], "Owned", &MACS);
    let text = shown(&report(tunnel, &nodes()), None);
    assert!(
        text.contains("worker-01   10.169.72.239   0a:0a:0a:a9:48:ef   ok?"),
        "{text}"
    );
    assert!(
        text.contains("worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   missing\n"),
        "{text}"
    );
}

#[test]
fn claims_of_another_object_prove_nothing() {
    let tunnel = Tunnel::healthy("restored").with("/status/ownership/uid", &json!("u2"));
    let text = shown(&report(tunnel, &nodes()), None);
    assert!(
        text.contains("0a:0a:0a:a9:48:ef   missing   missing"),
        "{text}"
    );
}

#[test]
fn unreconciled_tunnel_is_unknown_everywhere() {
    let tunnel = Tunnel::healthy("new").with("/status", &json!({"observedGeneration": -1}));
    let report = report(tunnel, &nodes());
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, Some(TableFormat::Wide)), @"
    NODE        ADDRESS         MAC                 BIGIP-A   BIGIP-B   ENDPOINT    NODE-READY
    worker-01   10.169.72.239   0a:0a:0a:a9:48:ef   unknown   unknown   <unknown>   <unknown>
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   unknown   unknown   <unknown>   <unknown>
    worker-03   10.169.72.240   0a:0a:0a:a9:48:f0   unknown   unknown   <unknown>   <unknown>
    3 nodes; records: 6 unknown
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
}

#[test]
fn only_selected_nodes_count() {
    let mut nodes = nodes();
    nodes[0].selected = false;
    let tunnel = Tunnel::new("pool")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .claim(&["bigip-a"], "Owned", &[MACS[0], MACS[2]]);
    let report = report(tunnel, &nodes);
    assert_eq!(report.outcome(), Outcome::Fine);
    assert!(!shown(&report, None).contains("worker-01"));
}

#[test]
fn endpoints_lie_in_the_route_domain_of_each_units_tunnel() {
    let mut elsewhere = device("bigip-b", "192.0.2.12", "Standby");
    elsewhere["tunnel"]["localAddress"] = json!("10.169.72.36%20");
    let tunnel = Tunnel::new("prod-east")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .device(elsewhere)
        .claim(&["bigip-a", "bigip-b"], "Owned", &MACS);
    let text = shown(&report(tunnel, &nodes()), Some(TableFormat::Wide));
    assert!(text.contains("10.169.72.239%0,10.169.72.239%20"), "{text}");
}

#[test]
fn node_addresses_follow_the_source_of_the_spec() {
    let source = json!({"addressSource": {"type": "CiliumNode"}});
    let tunnel = Tunnel::healthy("prod-east").with("/spec/nodes", &source);
    let mut nodes = nodes();
    let listed = &mut nodes[0].addresses;
    // The CiliumNode has what the Node had, and the Node something else.
    let addresses = std::mem::replace(listed, node("", Some("192.0.2.1")).addresses);
    nodes[0].cilium_addresses = Some(addresses);
    let report = report(tunnel, &nodes);
    assert_eq!(report.rows[0].mac.as_deref(), Some("0a:0a:0a:a9:48:ef"));
    assert_eq!(report.rows[0].cells[0].state, State::Ok);
    let skipped = report.rows[1].skipped.as_ref().unwrap();
    assert_eq!(skipped.message, "there is no CiliumNode of its name");
}

#[test]
fn node_with_own_tunnel_address_is_no_finding() {
    let mut unit = device("bigip-a", "192.0.2.11", "Active");
    unit["tunnel"]["localAddress"] = json!("10.169.72.239%0");
    unit["problems"] = json!([
        {"mac": MACS[1], "endpoint": "10.169.72.239%0", "kind": "OwnAddress"},
    ]);
    let tunnel =
        Tunnel::new("prod-east")
            .device(unit)
            .claim(&["bigip-a"], "Owned", &[MACS[0], MACS[2]]);
    let report = report(tunnel, &nodes());
    assert_eq!(report.rows[0].cells[0].state, State::Own);
    assert_eq!(report.rows.len(), 3);
    assert_eq!(report.outcome(), Outcome::Fine);
}

#[test]
fn json_contains_everything_in_the_text() {
    let tunnel = Tunnel::new("prod-east")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .claim(&["bigip-a"], "Owned", &MACS[1..2]);
    let nodes = [
        node("worker-01", Some("10.169.72.239")),
        node("worker-04", None),
    ];
    assert_snapshot!(shown(&report(tunnel, &nodes), Some(TableFormat::Json)), @r#"
    {
      "apiVersion": "cli.bigip-tunnel.dev/v1",
      "kind": "FdbReport",
      "namespace": "bigip",
      "name": "prod-east",
      "tunnel": "/Common/flannel_vxlan",
      "devices": [
        "bigip-a"
      ],
      "rows": [
        {
          "node": "worker-01",
          "address": "10.169.72.239",
          "mac": "0a:0a:0a:a9:48:ef",
          "cells": [
            {
              "device": "bigip-a",
              "state": "ok",
              "verified": true,
              "endpoint": "10.169.72.239%0"
            }
          ]
        },
        {
          "node": "worker-04",
          "skipped": {
            "reason": "NodeAddressMissing",
            "message": "the node lists no InternalIP"
          },
          "cells": [
            {
              "device": "bigip-a",
              "state": "skipped",
              "verified": true
            }
          ]
        }
      ],
      "nodes": 2,
      "records": {
        "ok": 1,
        "skipped": 1
      },
      "skipped": 1,
      "extra": 0
    }
    "#);
}

#[test]
fn yaml_equals_json() {
    let report = report(Tunnel::healthy("prod-east"), &nodes());
    let json: Value = serde_json::from_str(&shown(&report, Some(TableFormat::Json))).unwrap();
    let yaml: Value = serde_saphyr::from_str(&shown(&report, Some(TableFormat::Yaml))).unwrap();
    assert_eq!(json, yaml);
}

#[test]
fn invalid_spec_is_an_error() {
    let tunnel = Tunnel::healthy("broken").with("/spec/tunnel/name", &json!("../x"));
    assert!(matches!(
        FdbReport::new(&tunnel.object(), &nodes(), &Wanted::default()),
        Err(Unusable::Spec(InvalidSpec::TunnelName { .. }))
    ));
}

#[test]
fn unclaimed_missing_records_are_read_from_problems() {
    let observed = |missing: usize| {
        let mut unit = device("bigip-a", "192.0.2.11", "Active");
        unit["conditions"][1] = condition("Programmed", "False", "Observed", "m");
        unit["records"]["missing"] = json!(missing);
        unit["problems"] =
            json!([{"mac": MACS[0], "endpoint": "10.169.72.233%0", "kind": "Missing"}]);
        let tunnel = Tunnel::new("lab")
            .device(unit)
            .with("/spec/managementPolicy", &json!("Observe"));
        report(tunnel, &nodes())
    };
    let states = |report: &FdbReport| -> Vec<State> {
        report.rows.iter().map(|row| row.cells[0].state).collect()
    };
    assert_eq!(states(&observed(1)), [State::Ok, State::Missing, State::Ok]);
    // The status names only some of them: the others may be there or not.
    assert_eq!(
        states(&observed(2)),
        [State::Unknown, State::Missing, State::Unknown]
    );
}

/// A tunnel of which one record is missing on the second BIG-IP.
fn one_missing() -> Tunnel {
    let mut standby = device("bigip-b", "192.0.2.12", "Standby");
    standby["conditions"][1] = condition("Programmed", "False", "Progressing", "at work");
    standby["records"]["missing"] = json!(1);
    standby["problems"] =
        json!([{"mac": MACS[0], "endpoint": "10.169.72.233%0", "kind": "Missing"}]);
    standby["records"]["foreign"] = json!(2);
    Tunnel::new("prod-east")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .device(standby)
        .claim(&["bigip-a", "bigip-b"], "Owned", &MACS)
}

#[test]
fn problems_filter_shows_problems_and_counts_all() {
    let args = FdbArgs {
        problems: true,
        ..args(Some(TableFormat::Wide))
    };
    let report = asked(one_missing(), nodes(), &args).unwrap();
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, args.output), @"
    NODE        ADDRESS         MAC                 BIGIP-A   BIGIP-B   ENDPOINT          NODE-READY
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   ok        missing   10.169.72.233%0   False
    3 nodes; records: 5 ok, 1 missing; 2 not ours and kept
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
    let report = asked(Tunnel::healthy("prod-east"), nodes(), &args).unwrap();
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_snapshot!(shown(&report, args.output), @"
    3 nodes; records: 6 ok
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
}

#[test]
fn findings_cover_only_selected_devices_and_nodes() {
    let of_device = |name: &str| {
        let args = FdbArgs {
            devices: vec![name.to_owned()],
            ..args(None)
        };
        asked(one_missing(), nodes(), &args).unwrap()
    };
    assert_eq!(of_device("bigip-b").outcome(), Outcome::Findings);
    let report = of_device("bigip-a");
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_eq!((report.devices, report.extra), (vec!["bigip-a".into()], 0));

    let of_node = |name: &str| {
        let args = FdbArgs {
            nodes: vec![name.to_owned()],
            ..args(None)
        };
        asked(one_missing(), nodes(), &args).unwrap()
    };
    assert_eq!(of_node("worker-01").outcome(), Outcome::Fine);
    let report = of_node("worker-02");
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, None), @"
    NODE        ADDRESS         MAC                 BIGIP-A   BIGIP-B
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   ok        missing
    1 of 3 nodes; records: 1 ok, 1 missing; 2 not ours and kept
    tmsh list net fdb tunnel /Common/flannel_vxlan
    ");
}

#[test]
fn unknown_device_or_node_name_is_an_error() {
    let devices = FdbArgs {
        devices: vec!["bigip-z".to_owned()],
        ..args(None)
    };
    let nodes_asked = FdbArgs {
        nodes: vec!["worker-99".to_owned()],
        ..args(None)
    };
    for (args, said) in [
        (
            devices,
            "bigiptunnel bigip/prod-east has no BIG-IP \"bigip-z\"",
        ),
        (
            nodes_asked,
            "bigiptunnel bigip/prod-east has no node \"worker-99\"",
        ),
    ] {
        let error = asked(one_missing(), nodes(), &args).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (1, said));
    }
}

#[test]
fn deleted_node_is_selectable_while_in_the_status() {
    let tunnel = Tunnel::healthy("prod-east")
        .claim(&["bigip-a"], "Owned", &["0a:0a:0a:a9:48:11"])
        .with(
            "/status/leavingNodes",
            &json!([{
                "name": "worker-09",
                "address": "10.169.72.17",
                "since": "2026-11-22T06:39:22Z",
            }]),
        );
    let args = FdbArgs {
        nodes: vec!["worker-09".to_owned()],
        ..args(None)
    };
    let report = asked(tunnel, nodes(), &args).unwrap();
    assert_eq!(report.rows.len(), 1);
    assert_eq!(report.rows[0].cells[0].state, State::Leaving);
}

#[test]
fn twice_the_nodes_give_at_most_twice_the_output() {
    let counted = |count: u16| {
        let address = |n: u16| format!("10.20.{}.{}", 100 + n / 100, 100 + n % 100);
        let nodes: Vec<_> = (0..count)
            .map(|n| node(&format!("worker-{n:04}"), Some(&address(n))))
            .collect();
        let claimed: Vec<String> = (0..count)
            .map(|n| format!("0a:0a:0a:14:{:02x}:{:02x}", 100 + n / 100, 100 + n % 100))
            .collect();
        let claimed: Vec<&str> = claimed.iter().map(String::as_str).collect();
        let tunnel = Tunnel::new("large")
            .device(device("bigip-a", "192.0.2.11", "Active"))
            .device(device("bigip-b", "192.0.2.12", "Standby"))
            .claim(&["bigip-a", "bigip-b"], "Owned", &claimed);
        let report = report(tunnel, &nodes);
        assert_eq!(report.records, [(State::Ok, 2 * usize::from(count))].into());
        shown(&report, Some(TableFormat::Wide))
    };
    let (small, large) = (counted(2_500), counted(5_000));
    // A header, a sum and the line for tmsh do not grow; the sum's figures do by a letter or two.
    assert_eq!(small.lines().count(), 2_500 + 3);
    assert_eq!(large.lines().count(), 5_000 + 3);
    let per_node = (large.len() - small.len()) / 2_500;
    assert_eq!(per_node, small.len() / 2_500);
}
