//! What `tree` prints, and how it exits.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;
use crate::context::Nodes;
use crate::testing::{MACS, Tunnel, condition, device, device_down, node, nodes, printed, view};

fn args(output: Option<DataFormat>) -> TreeArgs {
    TreeArgs {
        name: "prod-east".to_owned(),
        no_grouping: false,
        output,
        watch: false,
    }
}

/// What is found about a tunnel.
fn found(tunnel: Tunnel, args: &TreeArgs) -> TreeReport {
    let nodes = Nodes {
        views: nodes(),
        ..Nodes::default()
    };
    report(&Seen::new(tunnel.object(), nodes), args).unwrap()
}

fn shown(report: &TreeReport, args: &TreeArgs) -> String {
    printed(|out| write(report, args, view(false), out))
}

#[test]
fn records_that_are_alike_are_one_branch() {
    let report = found(Tunnel::healthy("prod-east"), &args(None));
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_snapshot!(shown(&report, &args(None)), @"
    NAME                    READY    REASON   SINCE    MESSAGE
    BigIpTunnel/prod-east   True     InSync   8h       3 nodes on 2 of 2 BIG-IPs
    ├─BigIp/bigip-a         True     InSync   8h       Active, TMOS 17.1.2.1, local address 10.169.72.34%0
    │ └─3 records           True     ok       <none>   worker-01, worker-02, worker-03
    ├─BigIp/bigip-b         True     InSync   8h       Standby, TMOS 17.1.2.1, local address 10.169.72.34%0
    │ └─3 records           True     ok       <none>   worker-01, worker-02, worker-03
    └─Secret/bigip-login    <none>   <none>   <none>   login of bigip-a, bigip-b
    ");
}

#[test]
fn every_record_has_a_branch_without_grouping() {
    let args = TreeArgs {
        no_grouping: true,
        ..args(None)
    };
    let tunnel = Tunnel::new("prod-east")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .claim(&["bigip-a"], "Owned", &MACS);
    let report = found(tunnel, &args);
    assert_snapshot!(shown(&report, &args), @"
    NAME                    READY    REASON   SINCE    MESSAGE
    BigIpTunnel/prod-east   True     InSync   8h       3 nodes on 2 of 2 BIG-IPs
    ├─BigIp/bigip-a         True     InSync   8h       Active, TMOS 17.1.2.1, local address 10.169.72.34%0
    │ ├─Record/worker-01    True     ok       <none>   0a:0a:0a:a9:48:ef to 10.169.72.239%0
    │ ├─Record/worker-02    True     ok       <none>   0a:0a:0a:a9:48:e9 to 10.169.72.233%0
    │ └─Record/worker-03    True     ok       <none>   0a:0a:0a:a9:48:f0 to 10.169.72.240%0
    └─Secret/bigip-login    <none>   <none>   <none>   login of bigip-a
    ");
}

/// A tunnel with one unit that misses a record, one that does not answer, and one that left.
fn troubled() -> Tunnel {
    let mut at_work = device("bigip-a", "192.0.2.11", "Active");
    at_work["conditions"][1] = condition("Programmed", "False", "Progressing", "at work");
    at_work["records"]["missing"] = json!(1);
    at_work["problems"] =
        json!([{"mac": MACS[0], "endpoint": "10.169.72.233%0", "kind": "Missing"}]);
    let message = "bigip-b: no answer within 5 s";
    Tunnel::new("prod-east")
        .ready("False", "DeviceUnreachable", message)
        .device(at_work)
        .device(device_down("bigip-b", "192.0.2.12"))
        .claim(&["bigip-a", "bigip-b"], "Owned", &MACS)
        .with(
            "/spec/tls",
            &json!({"caBundleRef": {"kind": "ConfigMap", "name": "bigip-ca"}}),
        )
        .former("bigip-old", "192.0.2.19")
}

#[test]
fn problems_are_drawn_at_their_object() {
    let report = found(troubled(), &args(None));
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, &args(None)), @"
    NAME                      READY     REASON              SINCE    MESSAGE
    BigIpTunnel/prod-east     False     DeviceUnreachable   8h       bigip-b: no answer within 5 s
    ├─BigIp/bigip-a           False     Progressing         8h       at work
    │ ├─2 records             True      ok                  <none>   worker-01, worker-03
    │ └─Record/worker-02      False     missing             <none>   0a:0a:0a:a9:48:e9 to 10.169.72.233%0
    ├─BigIp/bigip-b           False     Timeout             8h       no answer within 5 s
    │ └─3 records             Unknown   ok?                 <none>   worker-01, worker-02, worker-03
    ├─FormerBigIp/bigip-old   False     Timeout             38s      192.0.2.19:443: no answer within 5 s
    ├─Secret/bigip-login      <none>    <none>              <none>   login of bigip-a, bigip-b
    └─ConfigMap/bigip-ca      <none>    <none>              <none>   CA bundle of bigip-a, bigip-b
    ");
}

#[test]
fn tree_is_drawn_in_ascii() {
    let report = found(troubled(), &args(None));
    let view = View {
        style: Style::PLAIN.with_ascii(),
        ..view(false)
    };
    let text = printed(|out| write(&report, &args(None), view, out));
    assert!(text.is_ascii(), "{text}");
    let branch = |line: &str| text.lines().any(|shown| shown.starts_with(line));
    assert!(branch("|-BigIp/bigip-a "), "{text}");
    assert!(branch("| `-Record/worker-02 "), "{text}");
    assert!(branch("`-ConfigMap/bigip-ca "), "{text}");
}

#[test]
fn nodes_without_a_record_are_named_with_the_reason() {
    let mut seen = nodes();
    seen.push(node("worker-04", None));
    seen.push(node("worker-05", None));
    let nodes = Nodes {
        views: seen,
        ..Nodes::default()
    };
    let seen = Seen::new(Tunnel::healthy("prod-east").object(), nodes);
    let report = report(&seen, &args(None)).unwrap();
    assert_eq!(report.outcome(), Outcome::Findings);
    let text = shown(&report, &args(None));
    let line = text.lines().find(|line| line.contains("2 nodes")).unwrap();
    assert!(line.contains("False    NodeAddressMissing"), "{text}");
    assert!(
        line.ends_with("worker-04, worker-05: the node lists no InternalIP"),
        "{text}"
    );
}

#[test]
fn json_and_yaml_hold_every_name() {
    let report = found(Tunnel::healthy("prod-east"), &args(None));
    let json = shown(&report, &args(Some(DataFormat::Json)));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["kind"], "TreeReport");
    assert_eq!(json["apiVersion"], "cli.bigip-tunnel.dev/v1");
    let records = &json["root"]["children"][0]["children"][0];
    assert_eq!(
        records["names"],
        json!(["worker-01", "worker-02", "worker-03"])
    );
    let yaml = shown(&report, &args(Some(DataFormat::Yaml)));
    assert_eq!(json, serde_saphyr::from_str::<Value>(&yaml).unwrap());
}
