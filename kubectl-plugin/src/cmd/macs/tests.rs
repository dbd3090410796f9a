//! What `macs` prints, and how it exits.

use std::net::Ipv4Addr;

use bigip_tunnel_core::endpoint::RouteDomain;
use bigip_tunnel_core::mac::MacPrefix;
use bigip_tunnel_core::node::AddressKind;
use insta::assert_snapshot;

use super::*;
use crate::testing::{node, nodes, printed};

/// The report on these addresses, with nothing said besides.
fn typed(addresses: &[&str]) -> MacsReport {
    let addresses: Vec<Ipv4Addr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    MacsReport::of_addresses(&addresses, MacPrefix::DEFAULT, RouteDomain::ZERO)
}

fn of_cluster() -> MacsReport {
    let mut nodes = nodes();
    nodes.push(node("worker-04", None));
    MacsReport::of_nodes(
        &nodes,
        &AddressRule::default(),
        MacPrefix::DEFAULT,
        RouteDomain::ZERO,
    )
}

#[test]
fn address_gives_the_published_record() {
    let report = typed(&["10.169.72.239"]);
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_snapshot!(printed(|out| render::macs::write(&report, out)), @"
    ADDRESS         MAC                 ENDPOINT
    10.169.72.239   0a:0a:0a:a9:48:ef   10.169.72.239%0
    ");
}

#[test]
fn cluster_nodes_are_listed_with_and_without_record() {
    let report = of_cluster();
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(printed(|out| render::macs::write(&report, out)), @"
    NODE        ADDRESS         MAC                 ENDPOINT
    worker-02   10.169.72.233   0a:0a:0a:a9:48:e9   10.169.72.233%0
    worker-01   10.169.72.239   0a:0a:0a:a9:48:ef   10.169.72.239%0
    worker-03   10.169.72.240   0a:0a:0a:a9:48:f0   10.169.72.240%0
    worker-04: NodeAddressMissing: the node lists no InternalIP
    ");
}

#[test]
fn tmsh_output_is_the_records_block_of_a_big_ip() {
    assert_snapshot!(printed(|out| render::macs::write_tmsh(&of_cluster(), out)), @"
    records {
        0a:0a:0a:a9:48:e9 {
            endpoint 10.169.72.233%0
        }
        0a:0a:0a:a9:48:ef {
            endpoint 10.169.72.239%0
        }
        0a:0a:0a:a9:48:f0 {
            endpoint 10.169.72.240%0
        }
    }
    # worker-04: the node lists no InternalIP
    ");
}

#[test]
fn prefix_and_route_domain_can_be_chosen() {
    let report = MacsReport::of_addresses(
        &[Ipv4Addr::new(10, 0, 0, 1)],
        "0e:01".parse().unwrap(),
        "20".parse().unwrap(),
    );
    assert_eq!(report.records[0].mac, "0e:01:0a:00:00:01");
    assert_eq!(report.records[0].endpoint, "10.0.0.1%20");
}

#[test]
fn address_unfit_for_a_node_is_a_finding() {
    let report = typed(&["127.0.0.1"]);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(printed(|out| render::macs::write(&report, out)), @"127.0.0.1: NodeAddressUnusable: the InternalIP 127.0.0.1 cannot be an endpoint: it is loopback, multicast, broadcast or unspecified");
}

#[test]
fn address_source_of_a_tunnel_can_be_tested() {
    let rule = AddressRule {
        kind: AddressKind::InternalIp,
        cidrs: vec!["10.169.72.239/32".parse().unwrap()],
        exclude: Vec::new(),
    };
    let report = MacsReport::of_nodes(&nodes(), &rule, MacPrefix::DEFAULT, RouteDomain::ZERO);
    assert_eq!(report.records.len(), 1);
    assert_eq!(report.records[0].node.as_deref(), Some("worker-01"));
    assert_eq!(report.skipped[0].why.reason, "NodeAddressOutsideCIDRs");
}

#[test]
fn repeated_address_counts_once() {
    let report = typed(&["10.0.0.1", "10.0.0.1"]);
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_eq!(report.records.len(), 1);
}

#[test]
fn json_and_yaml_are_versioned() {
    assert_snapshot!(
        printed(|out| render::json("MacsReport", &of_cluster(), out)), @r#"
        {
          "apiVersion": "cli.bigip-tunnel.dev/v1",
          "kind": "MacsReport",
          "records": [
            {
              "node": "worker-02",
              "address": "10.169.72.233",
              "mac": "0a:0a:0a:a9:48:e9",
              "endpoint": "10.169.72.233%0"
            },
            {
              "node": "worker-01",
              "address": "10.169.72.239",
              "mac": "0a:0a:0a:a9:48:ef",
              "endpoint": "10.169.72.239%0"
            },
            {
              "node": "worker-03",
              "address": "10.169.72.240",
              "mac": "0a:0a:0a:a9:48:f0",
              "endpoint": "10.169.72.240%0"
            }
          ],
          "skipped": [
            {
              "name": "worker-04",
              "reason": "NodeAddressMissing",
              "message": "the node lists no InternalIP"
            }
          ]
        }
        "#
    );
    assert_snapshot!(
        printed(|out| render::yaml("MacsReport", &typed(&["10.169.72.239"]), out)), @r#"
        apiVersion: cli.bigip-tunnel.dev/v1
        kind: MacsReport
        records:
        - address: "10.169.72.239"
          mac: 0a:0a:0a:a9:48:ef
          endpoint: 10.169.72.239%0
        "#
    );
}
