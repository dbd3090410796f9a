//! What `graph` prints, and how it exits.

use bigip_tunnel_core::node::NodeView;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;
use crate::context::Nodes;
use crate::testing::{MACS, Tunnel, condition, device, device_down, node, nodes, printed, view};

fn report(tunnel: Tunnel, nodes: Vec<NodeView>, grouping: bool) -> GraphReport {
    let nodes = Nodes {
        views: nodes,
        ..Nodes::default()
    };
    let seen = Seen::new(tunnel.object(), nodes);
    let fdb = seen.fdb(&Wanted::default()).unwrap();
    GraphReport::new(&seen.object, fdb, grouping)
}

fn shown(report: &GraphReport, format: GraphFormat) -> String {
    printed(|out| write(report, format, view(false), out))
}

/// A tunnel of which one record is missing on the first unit and the third does not answer.
fn troubled() -> Tunnel {
    let mut at_work = device("bigip-a", "192.0.2.11", "Active");
    at_work["conditions"][1] = condition("Programmed", "False", "Progressing", "at work");
    at_work["records"]["missing"] = json!(1);
    at_work["problems"] =
        json!([{"mac": MACS[0], "endpoint": "10.169.72.233%0", "kind": "Missing"}]);
    Tunnel::new("prod-east")
        .ready("False", "Progressing", "m")
        .device(at_work)
        .device(device("bigip-b", "192.0.2.12", "Standby"))
        .claim(&["bigip-a", "bigip-b"], "Owned", &MACS)
}

#[test]
fn healthy_tunnel_is_drawn_completely() {
    let report = report(Tunnel::healthy("prod-east"), nodes(), true);
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_snapshot!(shown(&report, GraphFormat::Ascii), @"
    bigip/prod-east   /Common/flannel_vxlan   VXLAN, VNI 2, UDP 8472

    bigip-a  Active   10.169.72.34%0 ══╗   ╔══ worker-01  10.169.72.239
    bigip-b  Standby  10.169.72.34%0 ══╩═══╬══ worker-02  10.169.72.233
                                           ╚══ worker-03  10.169.72.240
    ");
}

#[test]
fn missing_record_is_marked_in_every_format() {
    let report = report(troubled(), nodes(), true);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, GraphFormat::Ascii), @"
    bigip/prod-east   /Common/flannel_vxlan   VXLAN, VNI 2, UDP 8472

    bigip-a  Active   10.169.72.34%0  Progressing ══╗   ╔══ worker-01  10.169.72.239
    bigip-b  Standby  10.169.72.34%0              ══╩═══╬══ worker-02  10.169.72.233  ✖ missing on bigip-a
                                                        ╚══ worker-03  10.169.72.240
    ");
    assert_snapshot!(shown(&report, GraphFormat::Mermaid), @r#"
    flowchart LR
      subgraph bigip["/Common/flannel_vxlan"]
        d0["bigip-a<br/>Active<br/>10.169.72.34%0"]
        d1["bigip-b<br/>Standby<br/>10.169.72.34%0"]
      end
      subgraph nodes["nodes of bigip/prod-east"]
        n0["worker-01<br/>10.169.72.239"]
        n1["worker-02<br/>10.169.72.233"]
        n2["worker-03<br/>10.169.72.240"]
      end
      d0 ==>|"VXLAN, VNI 2, UDP 8472"| n0
      d1 ==> n0
      d0 -. "missing" .-> n1
      d1 ==> n1
      d0 ==> n2
      d1 ==> n2
    "#);
    assert_snapshot!(shown(&report, GraphFormat::Dot), @r#"
    digraph "bigip/prod-east" {
      rankdir=LR;
      node [shape=box];
      subgraph cluster_bigip {
        label="/Common/flannel_vxlan\nVXLAN, VNI 2, UDP 8472";
        d0 [label="bigip-a\nActive\n10.169.72.34%0"];
        d1 [label="bigip-b\nStandby\n10.169.72.34%0"];
      }
      subgraph cluster_nodes {
        label="nodes of bigip/prod-east";
        n0 [label="worker-01\n10.169.72.239"];
        n1 [label="worker-02\n10.169.72.233"];
        n2 [label="worker-03\n10.169.72.240"];
      }
      d0 -> n0;
      d1 -> n0;
      d0 -> n1 [style=dashed, label="missing"];
      d1 -> n1;
      d0 -> n2;
      d1 -> n2;
    }
    "#);
}

/// This many nodes whose records are there.
fn many(count: u8) -> (Tunnel, Vec<NodeView>) {
    let nodes = (1..=count).map(|n| node(&format!("w-{n:02}"), Some(&format!("10.0.0.{n}"))));
    let macs: Vec<String> = (1..=count)
        .map(|n| format!("0a:0a:0a:00:00:{n:02x}"))
        .collect();
    let macs: Vec<&str> = macs.iter().map(String::as_str).collect();
    let tunnel = Tunnel::new("large")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .claim(&["bigip-a"], "Owned", &macs);
    (tunnel, nodes.collect())
}

#[test]
fn similar_nodes_are_drawn_up_to_a_limit_and_counted() {
    let (tunnel, nodes) = many(12);
    let thinned = report(tunnel.clone(), nodes.clone(), true);
    assert_eq!((thinned.nodes.len(), thinned.more_in_sync), (8, 4));
    assert_snapshot!(shown(&thinned, GraphFormat::Ascii), @"
    bigip/large   /Common/flannel_vxlan   VXLAN, VNI 2, UDP 8472

                                          ╔══ w-01  10.0.0.1
                                          ╠══ w-02  10.0.0.2
                                          ╠══ w-03  10.0.0.3
                                          ╠══ w-04  10.0.0.4
    bigip-a  Active  10.169.72.34%0 ══════╬══ w-05  10.0.0.5
                                          ╠══ w-06  10.0.0.6
                                          ╠══ w-07  10.0.0.7
                                          ╠══ w-08  10.0.0.8
                                          ╚══ 4 more, all ok
    ");
    assert!(shown(&thinned, GraphFormat::Mermaid).contains("d0 ==> ok"));
    assert!(shown(&thinned, GraphFormat::Dot).contains("d0 -> ok;"));
    let all = report(tunnel, nodes, false);
    assert_eq!((all.nodes.len(), all.more_in_sync), (12, 0));
}

#[test]
fn problems_are_drawn_first() {
    let (tunnel, mut nodes) = many(12);
    nodes.push(node("z-new", Some("10.0.0.99")));
    nodes.push(node("z-without", None));
    let report = report(tunnel, nodes, true);
    let text = shown(&report, GraphFormat::Ascii);
    assert!(
        text.contains("z-new      10.0.0.99  ✖ missing on bigip-a"),
        "{text}"
    );
    assert!(
        text.contains("✖ NodeAddressMissing: the node lists no"),
        "{text}"
    );
    assert_eq!((report.nodes.len(), report.more_in_sync), (8, 6));
}

#[test]
fn unreachable_unit_is_drawn_with_its_last_records() {
    let (_, nodes) = many(30);
    let macs: Vec<String> = (1..=30)
        .map(|n| format!("0a:0a:0a:00:00:{n:02x}"))
        .collect();
    let macs: Vec<&str> = macs.iter().map(String::as_str).collect();
    let tunnel = Tunnel::new("large")
        .device(device_down("bigip-d", "192.0.2.14"))
        .claim(&["bigip-d"], "Owned", &macs);
    let report = report(tunnel, nodes, true);
    assert_eq!((report.nodes.len(), report.more_problems), (16, 14));
    let text = shown(&report, GraphFormat::Ascii);
    assert!(
        text.contains("bigip-d  Unknown  10.169.72.34%0  Timeout"),
        "{text}"
    );
    assert!(text.contains("w-01  10.0.0.1   ◌ ok? on bigip-d"), "{text}");
    assert!(text.contains("14 more, not known to be ok"), "{text}");
}

#[test]
fn content_wider_than_the_graph_is_printed_below() {
    let report = report(troubled(), nodes(), true);
    let view = View {
        style: Style::PLAIN.with_ascii().on_terminal(90, 24),
        ..view(false)
    };
    let text = printed(|out| write(&report, GraphFormat::Ascii, view, out));
    assert!(text.is_ascii(), "{text}");
    assert!(text.lines().all(|line| line.len() <= 90), "{text}");
    assert!(text.contains("worker-02  10.169.72.233  FAIL\n"), "{text}");
    assert!(
        text.ends_with("\n\nworker-02: FAIL missing on bigip-a\n"),
        "{text}"
    );
}

#[test]
fn leaving_record_is_drawn_and_a_removed_one_is_not() {
    let unit = device("bigip-a", "192.0.2.11", "Active");
    let leaving = "0a:0a:0a:a9:48:11";
    let tunnel = |stale: i32| {
        let mut unit = unit.clone();
        unit["records"]["stale"] = json!(stale);
        Tunnel::new("prod-east")
            .device(unit)
            .claim(&["bigip-a"], "Owned", &MACS)
            .claim(&["bigip-a"], "Leaving", &[leaving])
    };
    let text = shown(&report(tunnel(1), nodes(), true), GraphFormat::Ascii);
    assert!(
        text.contains("10.169.72.17   ‼ leaving on bigip-a"),
        "{text}"
    );
    let text = shown(&report(tunnel(0), nodes(), true), GraphFormat::Ascii);
    assert!(!text.contains("10.169.72.17"), "{text}");
}

#[test]
fn tunnel_without_nodes_and_status_is_drawn() {
    let tunnel = Tunnel::healthy("new").with("/status", &json!({"observedGeneration": -1}));
    let report = report(tunnel, Vec::new(), true);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, GraphFormat::Ascii), @"
    bigip/new   /Common/flannel_vxlan

    bigip-a  Unknown    Pending ══╦══════ no nodes
    bigip-b  Unknown    Pending ══╝
    ");
}

#[test]
fn json_equals_yaml() {
    let report = report(troubled(), nodes(), true);
    let json: Value = serde_json::from_str(&shown(&report, GraphFormat::Json)).unwrap();
    assert_eq!(json["kind"], "GraphReport");
    assert_eq!(json["nodes"][1]["cells"][0]["state"], "missing");
    assert_eq!(json["devices"][1]["failoverState"], "Standby");
    let yaml = shown(&report, GraphFormat::Yaml);
    assert_eq!(json, serde_saphyr::from_str::<Value>(&yaml).unwrap());
}
