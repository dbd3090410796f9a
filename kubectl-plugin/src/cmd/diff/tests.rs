//! What `diff` prints about fixed objects.

use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::reason::Reason;
use serde_json::{Value, json};

use super::*;
use crate::context::Nodes;
use crate::testing::{MACS, Tunnel, device, device_down, node, nodes, printed};

/// What separates the BIG-IPs from the tunnel with this change of its spec, by the status.
fn by_status(tunnel: Tunnel, nodes: &[NodeView], edit: Option<(&str, Value)>) -> DiffReport {
    let wanted = edit.map_or_else(
        || tunnel.clone().object(),
        |(pointer, value)| tunnel.clone().with(pointer, &value).object(),
    );
    let object = tunnel.object();
    let status = object.status.as_ref().unwrap();
    let claims = convert::claims(status, &object.uid().unwrap()).unwrap();
    let listed = Nodes {
        views: nodes.to_vec(),
        ..Nodes::default()
    };
    let fdb = Seen::new(object.clone(), listed).fdb(&Wanted::default());
    let mut known = held_by_status(&object, &fdb.unwrap());
    let names = wanted.spec.devices.iter().map(|device| device.name.clone());
    let held = names
        .map(|name| {
            let held = known.remove(&name).unwrap_or_else(|| Err(not_looked_at()));
            (name, held)
        })
        .collect();
    let wish = Wish {
        object: &wanted,
        nodes,
    };
    DiffReport::new(&wish, &claims, Source::Status, held).unwrap()
}

fn table(report: &DiffReport) -> String {
    printed(|out| render::diff::write(report, Style::PLAIN, out))
}

/// A tunnel of which one BIG-IP lacks a record, holds one of a former node and two of others.
fn differing() -> Tunnel {
    let mut second = device("bigip-b", "192.0.2.12", "Standby");
    second["records"]["missing"] = json!(1);
    second["records"]["unclaimed"] = json!(1);
    second["records"]["foreign"] = json!(1);
    second["problems"] = json!([
        {"mac": MACS[0], "endpoint": "10.169.72.233%0", "kind": "Missing"},
        {"mac": "0a:0a:0a:a9:48:4d", "endpoint": "10.169.72.77%0", "kind": "Unclaimed"},
        {"mac": "52:54:00:c0:ff:ee", "endpoint": "198.51.100.7%0", "kind": "Foreign"},
    ]);
    second["conditions"][1]["status"] = json!("False");
    Tunnel::new("prod-east")
        .device(device("bigip-a", "192.0.2.11", "Active"))
        .device(second)
        .claim(&["bigip-a", "bigip-b"], "Owned", &MACS)
        .claim(&["bigip-b"], "Owned", &["0a:0a:0a:a9:48:11"])
}

#[test]
fn absent_differences_are_reported() {
    let report = by_status(Tunnel::healthy("prod-east"), &nodes(), None);
    assert_eq!(report.outcome(), Outcome::Fine);
    insta::assert_snapshot!(table(&report), @"
    bigip-a  /Common/flannel_vxlan: no differences (3 right)
    bigip-b  /Common/flannel_vxlan: no differences (3 right)
    ");
    let tmsh = printed(|out| render::diff::write_tmsh(&report, out));
    let unified = printed(|out| render::diff::write_unified(&report, out));
    assert_eq!((tmsh.as_str(), unified.as_str()), ("", ""));
}

#[test]
fn differences_are_listed_per_bigip() {
    let report = by_status(differing(), &nodes(), None);
    assert_eq!(report.outcome(), Outcome::Findings);
    insta::assert_snapshot!(table(&report));
}

#[test]
fn differences_are_printed_as_tmsh_commands() {
    let report = by_status(differing(), &nodes(), None);
    insta::assert_snapshot!(printed(|out| render::diff::write_tmsh(&report, out)));
}

#[test]
fn differences_can_be_read_as_a_unified_diff() {
    let report = by_status(differing(), &nodes(), None);
    insta::assert_snapshot!(printed(|out| render::diff::write_unified(&report, out)));
}

#[test]
fn differences_are_machine_readable() {
    let report = by_status(differing(), &nodes(), None);
    insta::assert_snapshot!(printed(|out| render::json(KIND, &report, out)));
}

#[test]
fn unreachable_bigip_is_known_only_partially() {
    let tunnel = Tunnel::new("prod-east")
        .device(device_down("bigip-a", "192.0.2.11"))
        .claim(&["bigip-a"], "Owned", &MACS);
    let report = by_status(tunnel, &nodes(), None);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert!(
        table(&report).contains("--direct asks the BIG-IP"),
        "{}",
        table(&report)
    );
}

#[test]
fn diff_of_a_file_shows_its_changes() {
    let tunnel = Tunnel::healthy("prod-east");
    // Another network of addresses leaves two nodes without a record.
    let cidrs = (
        "/spec/nodes",
        json!({"addressSource": {"cidrs": ["10.169.72.239/32"]}}),
    );
    let report = by_status(tunnel.clone(), &nodes(), Some(cidrs));
    insta::assert_snapshot!(table(&report));
    // A BIG-IP more is one of which nothing is known.
    let devices = json!([{"name": "bigip-z", "address": "192.0.2.99"}]);
    let report = by_status(tunnel, &nodes(), Some(("/spec/devices", devices)));
    let (name, trouble) = report.trouble().unwrap();
    assert_eq!((name, trouble.reason), ("bigip-z", Reason::Pending));
}

#[test]
fn new_node_is_added_on_every_device() {
    let mut nodes = nodes();
    nodes.push(node("worker-04", Some("10.169.72.241")));
    let report = by_status(Tunnel::healthy("prod-east"), &nodes, None);
    let added = report.devices.iter().map(|device| device.changes.len());
    assert_eq!(added.collect::<Vec<_>>(), [1, 1]);
    assert!(table(&report).contains("  + 0a:0a:0a:a9:48:f1  10.169.72.241%0  worker-04"));
}
