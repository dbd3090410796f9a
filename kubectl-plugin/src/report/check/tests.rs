//! What `check` finds in fixed evidence.

use std::sync::Arc;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use bigip_tunnel_cilium::seen::{Agent, Cluster, ConfigMap, Node, Scope, Unread};
use bigip_tunnel_cilium::vtep::{VtepObject, WrittenEntry};

use super::evidence::{CisSeen, Deployments, Evidence, LeaderSeen, OperatorSeen, RightSeen};
use super::*;
use crate::catalogue::*;
use crate::render;
use crate::style::Style;
use crate::testing::{self, Tunnel, condition, device_down, device_failing, printed};

/// A BIG-IP whose tunnel has this local address and this self IP.
fn device(name: &str, local: &str, self_ip: &str) -> Value {
    let mut device = testing::device(name, "192.0.2.11", "Active");
    device["tunnel"]["localAddress"] = json!(local);
    device["tunnel"]["selfIPs"] = json!([self_ip]);
    let second = local.starts_with("10.169.72.36");
    device["tunnel"]["mac"] = json!(if second { MACS[1] } else { MACS[0] });
    device
}

pub(crate) fn tunnel() -> Tunnel {
    Tunnel::new("prod-east")
        .device(device("bigip-a", "10.169.72.34%0", "10.1.6.34/24"))
        .device(device("bigip-b", "10.169.72.36%0", "10.1.5.36/24"))
}

/// The MAC addresses of the tunnels, as Cilium has them.
const MACS: [&str; 2] = ["52:54:00:3e:3f:c1", "52:54:00:4e:01:a6"];

fn config() -> BTreeMap<String, String> {
    let pairs = [
        ("enable-ipv4", "true"),
        ("enable-ipv6", "false"),
        ("enable-vtep", "true"),
        ("enable-l7-proxy", "false"),
        ("routing-mode", "tunnel"),
        ("tunnel-protocol", "vxlan"),
        ("vtep-endpoint", "10.169.72.34 10.169.72.36"),
        ("vtep-cidr", "10.1.6.0/24 10.1.5.0/24"),
        ("vtep-mask", "255.255.255.0"),
        ("vtep-mac", "52:54:00:3e:3f:c1 52:54:00:4e:01:a6"),
    ];
    pairs.map(|(key, value)| (key.into(), value.into())).into()
}

fn nodes() -> Vec<Node> {
    let node = |name: &str, address: &str, pods: &str| Node {
        name: name.to_owned(),
        internal: vec![address.parse().unwrap()],
        pod_cidrs: vec![pods.parse().unwrap()],
        ..Node::default()
    };
    vec![
        node("worker-01", "10.169.72.239", "10.0.0.0/24"),
        node("worker-02", "10.169.72.233", "10.0.1.0/24"),
        node("worker-03", "10.169.72.240", "10.0.2.0/24"),
    ]
}

/// A cluster in which all is well.
pub(crate) fn evidence(tunnel: Tunnel) -> Evidence {
    Evidence {
        server_version: Ok("v1.35.4".to_owned()),
        tunnels: Some(vec![tunnel.read()]),
        crd_missing: false,
        rights: Vec::new(),
        live: BTreeMap::new(),
        deployments: Ok(Deployments {
            operators: vec![OperatorSeen {
                namespace: "bigip".to_owned(),
                name: "operator".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
                wanted: 2,
                ready: 2,
                lease: Some(("bigip".to_owned(), "operator".to_owned())),
                leader: Some(Ok(LeaderSeen {
                    holder: Some("operator-7f9c_0a1b".to_owned()),
                    silent_s: Some(2),
                    has_ended: false,
                })),
            }],
            cis: Vec::new(),
        }),
        cilium: Cluster {
            namespaces: vec!["kube-system".to_owned()],
            config: Ok(Some(ConfigMap {
                namespace: "kube-system".to_owned(),
                data: config(),
                changed: Some("2026-11-20T06:00:00Z".parse().unwrap()),
            })),
            agents: Ok(vec![agent("v1.17.13"), agent("v1.17.13")]),
            node_configs: Ok(Vec::new()),
            vtep_objects: Ok(None),
            vtep_nodes: Ok(Vec::new()),
            policies: Some(Ok(Vec::new())),
            nodes: Ok(nodes().into_iter().map(Arc::new).collect()),
            cilium_nodes: Ok(Some(nodes().into_iter().map(Arc::new).collect())),
        },
    }
}

fn agent(tag: &str) -> Arc<Agent> {
    Arc::new(Agent {
        node: "worker-01".to_owned(),
        image: format!("quay.io/cilium/cilium:{tag}").into(),
        started: Some("2026-11-21T06:00:00Z".parse().unwrap()),
        ready: true,
    })
}

/// The same with another value in Cilium's configuration.
pub(crate) fn with_config(key: &str, value: &str) -> Evidence {
    let mut evidence = evidence(tunnel());
    let config = evidence.cilium.config.as_mut().unwrap().as_mut().unwrap();
    config.data.insert(key.to_owned(), value.to_owned());
    evidence
}

/// What was found.
fn codes(evidence: &Evidence) -> Vec<(Verdict, Code)> {
    let report = CheckReport::new(evidence, Verdict::Error);
    let checks = report.categories.iter().flat_map(|c| &c.checks);
    checks
        .filter_map(|check| Some((check.result, check.code?)))
        .collect()
}

fn shown(evidence: &Evidence, style: Style) -> String {
    let report = CheckReport::new(evidence, Verdict::Error);
    printed(|out| render::check::write(&report, style, out))
}

const ERROR: Verdict = Verdict::Error;
const WARNING: Verdict = Verdict::Warning;
const SKIPPED: Verdict = Verdict::Skipped;

#[test]
fn healthy_cluster_has_no_finding() {
    let evidence = evidence(tunnel());
    assert_eq!(codes(&evidence), []);
    let report = CheckReport::new(&evidence, Verdict::Warning);
    assert_eq!(report.outcome(), Outcome::Fine);
    insta::assert_snapshot!(shown(&evidence, Style::PLAIN));
}

#[test]
fn finding_shows_its_remedy() {
    let down = Tunnel::new("prod-west")
        .device(device("bigip-c", "10.169.72.34%0", "10.1.6.34/24"))
        .device(device_down("bigip-d", "192.0.2.14"));
    let mut evidence = evidence(down);
    evidence.deployments.as_mut().unwrap().operators[0].version = Some("0.0.9".to_owned());
    insta::assert_snapshot!(shown(&evidence, Style::PLAIN.on_terminal(80, 24)));
}

#[test]
fn check_report_is_machine_readable() {
    let mut evidence = evidence(tunnel());
    evidence.cilium.config = Ok(None);
    let report = CheckReport::new(&evidence, Verdict::Error);
    insta::assert_snapshot!(printed(|out| render::yaml("CheckReport", &report, out)));
}

#[test]
fn missing_permissions_leave_other_checks() {
    let mut evidence = evidence(tunnel());
    let no = || Unread("not allowed to list things".to_owned());
    evidence.cilium.cilium_nodes = Err(no());
    evidence.deployments = Err(no());
    evidence.cilium.config = Err(no());
    evidence.cilium.agents = Err(no());
    evidence.cilium.vtep_objects = Err(no());
    evidence.cilium.policies = Some(Err(no()));
    evidence.cilium.node_configs = Err(no());
    let found = codes(&evidence);
    assert!(found.len() >= 4);
    assert!(
        found.iter().all(|found| *found == (SKIPPED, BTN0011)),
        "{found:?}"
    );
    let report = CheckReport::new(&evidence, Verdict::Warning);
    assert_eq!(report.outcome(), Outcome::Fine);
    assert!(report.summary.passed > 5);
}

#[test]
fn warning_fails_only_if_configured() {
    let evidence = with_config("enable-ipsec", "true");
    assert_eq!(codes(&evidence), [(WARNING, BTN0407)]);
    let outcome = |threshold| CheckReport::new(&evidence, threshold).outcome();
    assert_eq!(outcome(Verdict::Error), Outcome::Fine);
    assert_eq!(outcome(Verdict::Warning), Outcome::Findings);
}

#[test]
fn check_that_was_not_made_fails_only_a_strict_run() {
    let mut evidence = evidence(tunnel());
    evidence.cilium.agents = Err(Unread("not allowed".to_owned()));
    let report = |strict| CheckReport::new(&evidence, Verdict::Error).strict(strict);
    assert_eq!(report(false).outcome(), Outcome::Fine);
    assert_eq!(report(true).outcome(), Outcome::Findings);
    assert!(shown(&evidence, Style::PLAIN).contains("1 not made"));
}

#[test]
fn missing_crd_is_a_finding_beside_the_others() {
    let mut evidence = with_config("enable-vtep", "false");
    evidence.tunnels = Some(Vec::new());
    evidence.crd_missing = true;
    assert_eq!(codes(&evidence), [(ERROR, BTN0002), (ERROR, BTN0401)]);
}

#[test]
fn identical_remedy_is_printed_once() {
    let evidence = with_config("ipv4-service-range", "10.1.0.0/16");
    let text = shown(&evidence, Style::PLAIN);
    assert_eq!(text.matches("BTN0413\n").count(), 2, "{text}");
    assert_eq!(text.matches(&BTN0413.fix()).count(), 1, "{text}");
}

#[test]
fn short_form_is_a_line_per_finding() {
    let evidence = with_config("enable-ipsec", "true");
    let report = CheckReport::new(&evidence, Verdict::Error);
    let text = printed(|out| render::check::write_short(&report, Style::PLAIN, out));
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("BTN0407 cilium: IPsec is on"), "{text}");
}

#[test]
fn status_that_is_older_than_the_nodes_is_a_finding() {
    let mut evidence = evidence(tunnel());
    let node = Node {
        name: "worker-04".to_owned(),
        internal: vec!["10.169.72.241".parse().unwrap()],
        ..Node::default()
    };
    let nodes = evidence.cilium.nodes.as_mut().unwrap();
    nodes.push(node.clone().into());
    let theirs = evidence.cilium.cilium_nodes.as_mut().unwrap();
    theirs.as_mut().unwrap().push(Arc::new(node));
    assert_eq!(codes(&evidence), [(WARNING, BTN0008)]);
}

#[test]
fn device_reason_leads_to_its_code() {
    let reachable = |reason: &str| {
        let mut device = device_down("bigip-a", "192.0.2.11");
        device["conditions"][0] = condition("Reachable", "False", reason, "m");
        codes(&evidence(Tunnel::new("prod-east").device(device)))
    };
    for (reason, code) in [
        ("Timeout", BTN0101),
        ("CertificateInvalid", BTN0102),
        ("AuthenticationFailed", BTN0104),
        ("AuthorizationFailed", BTN0105),
        ("DeviceIdentityChanged", BTN0110),
        ("SecretNotFound", BTN0111),
        ("SomethingNew", BTN0113),
    ] {
        assert!(reachable(reason).contains(&(ERROR, code)), "{reason}");
    }
    for (reason, code) in [
        ("TunnelNotFound", BTN0201),
        ("ForeignWriter", BTN0305),
        ("Conflict", BTN0309),
        ("SomethingNew", BTN0301),
    ] {
        let device = device_failing("bigip-a", reason);
        let found = codes(&evidence(Tunnel::new("prod-east").device(device)));
        assert!(found.contains(&(ERROR, code)), "{reason}");
    }
}

#[test]
fn spec_settings_are_findings() {
    let of = |pointer: &str, value: Value| codes(&evidence(tunnel().with(pointer, &value)));
    assert_eq!(of("/spec/suspend", json!(true)), [(WARNING, BTN0009)]);
    let observes = of("/spec/managementPolicy", json!("Observe"));
    assert_eq!(observes, [(WARNING, BTN0010)]);
    assert_eq!(of("/metadata/generation", json!(4)), [(ERROR, BTN0008)]);
    let unseen = of("/status/observedGeneration", json!(-1));
    assert_eq!(unseen, [(ERROR, BTN0008)]);
}

#[test]
fn observed_tunnel_does_not_fail_for_planned_changes() {
    let device = device_failing("bigip-a", "Observed");
    let tunnel = Tunnel::new("prod-east").device(device);
    let tunnel = tunnel.with("/spec/managementPolicy", &json!("Observe"));
    let found = codes(&evidence(tunnel));
    assert!(found.contains(&(WARNING, BTN0010)), "{found:?}");
    assert!(
        !found
            .iter()
            .any(|(result, code)| (*result, *code) == (ERROR, BTN0010))
    );
}

#[test]
fn unreconciled_tunnel_is_a_finding() {
    let found = codes(&evidence(tunnel().with("/status", &Value::Null)));
    assert_eq!(found, [(ERROR, BTN0008)]);
}

#[test]
fn tunnel_settings_must_match_cilium() {
    let of = |field: &str, value: Value| {
        let mut device = device("bigip-a", "10.169.72.34%0", "10.1.6.34/24");
        device["tunnel"][field] = value;
        codes(&evidence(Tunnel::new("prod-east").device(device)))
    };
    assert_eq!(of("vni", json!(68)), [(ERROR, BTN0202)]);
    assert_eq!(of("port", json!(4789)), [(ERROR, BTN0203)]);
    assert_eq!(of("encapsulation", json!("geneve")), [(ERROR, BTN0203)]);
    assert_eq!(of("encapsulation", json!("gre"))[0], (ERROR, BTN0203));
    assert_eq!(of("floodingType", json!("none")), [(ERROR, BTN0206)]);
    // What Cilium has for it cannot be compared then.
    assert_eq!(
        of("localAddress", Value::Null),
        [(ERROR, BTN0210), (SKIPPED, BTN0011)]
    );
    assert_eq!(
        of("selfIPs", json!([])),
        [(ERROR, BTN0216), (SKIPPED, BTN0011)]
    );
    assert_eq!(
        of("localAddress", json!("10.169.72.35")),
        [(ERROR, BTN0402)]
    );
    assert_eq!(of("selfIPs", json!(["10.1.7.34/24"])), [(ERROR, BTN0404)]);
    let inside_pods = of("selfIPs", json!(["10.0.1.34/24"]));
    assert!(inside_pods.contains(&(ERROR, BTN0205)));
}

#[test]
fn dual_stack_cluster_needs_vni_2_and_no_other() {
    assert_eq!(codes(&with_config("enable-ipv6", "true")), []);
    for vni in [0, 1, 3, 9, 10, 68] {
        let mut device = device("bigip-a", "10.169.72.34%0", "10.1.6.34/24");
        device["tunnel"]["vni"] = json!(vni);
        let mut evidence = evidence(Tunnel::new("prod-east").device(device));
        evidence.cilium.config = with_config("enable-ipv6", "true").cilium.config;
        assert_eq!(codes(&evidence), [(ERROR, BTN0202)], "VNI {vni}");
    }
}

#[test]
fn mac_address_of_a_tunnel_is_compared() {
    let of = |mac: Value| {
        let mut device = device("bigip-a", "10.169.72.34%0", "10.1.6.34/24");
        device["tunnel"]["mac"] = mac;
        codes(&evidence(Tunnel::new("prod-east").device(device)))
    };
    assert_eq!(of(json!("52:54:00:00:00:99")), [(ERROR, BTN0403)]);
    assert_eq!(of(Value::Null), [(SKIPPED, BTN0403)]);
}

#[test]
fn two_bigips_need_an_overlay_network_each() {
    let tunnel = Tunnel::new("prod-east")
        .device(device("bigip-a", "10.169.72.34%0", "10.1.6.34/24"))
        .device(device("bigip-b", "10.169.72.36%0", "10.1.6.36/24"));
    let found = codes(&evidence(tunnel));
    assert_eq!(found, [(ERROR, BTN0204), (ERROR, BTN0404)]);
}

#[test]
fn pair_with_one_local_address_has_one_overlay_network() {
    let tunnel = Tunnel::new("prod-east")
        .device(device("bigip-a", "10.169.72.34%0", "10.1.6.34/24"))
        .device(device("bigip-b", "10.169.72.34%0", "10.1.6.36/24"));
    assert_eq!(codes(&evidence(tunnel)), []);
}

#[test]
fn wrong_cilium_configuration_is_a_finding() {
    let of = |key: &str, value: &str| codes(&with_config(key, value));
    assert_eq!(of("enable-vtep", "false"), [(ERROR, BTN0401)]);
    assert_eq!(of("routing-mode", "native"), [(ERROR, BTN0406)]);
    assert_eq!(of("enable-ipsec", "true"), [(WARNING, BTN0407)]);
    let strict = "enable-encryption-strict-mode-ingress";
    assert_eq!(of(strict, "true"), [(ERROR, BTN0407)]);
    assert_eq!(of("underlay-protocol", "ipv6"), [(ERROR, BTN0415)]);
    assert_eq!(of("vtep-mac", "52:54:00:3e:3f:c1")[0], (ERROR, BTN0410));
    let multicast = of("vtep-mac", "01:50:00:3e:3f:c1 52:54:00:4e:01:a6");
    assert_eq!(multicast[0], (ERROR, BTN0410));
    // Two entries that agents never find, and the two units that get no answer for it.
    assert_eq!(of("vtep-mask", "255.255.0.0"), [(ERROR, BTN0404); 4]);
    let twice = of("vtep-cidr", "10.1.6.0/24 10.1.6.0/24");
    assert!(twice.contains(&(ERROR, BTN0414)));
    let pods = of("vtep-cidr", "10.1.6.0/24 10.0.2.0/24");
    assert!(pods.contains(&(ERROR, BTN0413)));
    let services = of("ipv4-service-range", "10.1.0.0/16");
    assert_eq!(services, [(WARNING, BTN0413), (WARNING, BTN0413)]);
}

#[test]
fn table_with_more_than_eight_entries_is_too_long() {
    let mut evidence = with_config("vtep-mac", &["52:54:00:3e:3f:c1"; 9].join(" "));
    let config = evidence.cilium.config.as_mut().unwrap().as_mut().unwrap();
    let list = |text: &dyn Fn(u8) -> String| (0..9).map(text).collect::<Vec<_>>().join(",");
    let cidrs = list(&|n| format!("10.2.{n}.0/24"));
    let endpoints = list(&|n| format!("10.169.72.{}", n + 34));
    config.data.insert("vtep-cidr".to_owned(), cidrs);
    config.data.insert("vtep-endpoint".to_owned(), endpoints);
    assert_eq!(codes(&evidence)[0], (ERROR, BTN0408));
}

#[test]
fn entries_of_a_vtep_resource_count_instead() {
    let mut evidence = with_config("enable-vtep", "false");
    let entry = |endpoint: &str, cidr: &str| WrittenEntry {
        name: "x".to_owned(),
        endpoint: endpoint.to_owned(),
        cidr: cidr.to_owned(),
        mac: if endpoint == "10.169.72.34" {
            MACS[0]
        } else {
            MACS[1]
        }
        .to_uppercase(),
    };
    evidence.cilium.vtep_objects = Ok(Some(vec![VtepObject {
        name: "gateway".to_owned(),
        scope: Scope::All,
        entries: vec![
            entry("10.169.72.34", "10.1.6.0/25"),
            entry("10.169.72.36", "10.1.5.0/24"),
        ],
        failed: Vec::new(),
    }]));
    assert_eq!(codes(&evidence), []);
}

#[test]
fn nodes_with_other_cilium_addresses_are_named() {
    let mut evidence = evidence(tunnel());
    let theirs = evidence
        .cilium
        .cilium_nodes
        .as_mut()
        .unwrap()
        .as_mut()
        .unwrap();
    Arc::make_mut(&mut theirs[1])
        .internal
        .insert(0, "10.9.9.9".parse().unwrap());
    // A record for a second address works.
    assert_eq!(codes(&evidence), []);
    let theirs = evidence.cilium.cilium_nodes.as_mut().unwrap();
    let second = &mut theirs.as_mut().unwrap()[1];
    Arc::make_mut(second).internal.pop();
    assert_eq!(codes(&evidence), [(WARNING, BTN0416)]);
}

#[test]
fn node_with_the_address_of_a_bigip_is_named() {
    let mut evidence = evidence(tunnel());
    let dummy = Node {
        name: "bigip-a-dummy".to_owned(),
        internal: vec!["10.169.72.34".parse().unwrap()],
        ..Node::default()
    };
    let nodes = evidence.cilium.nodes.as_mut().unwrap();
    nodes.push(dummy.clone().into());
    let theirs = evidence.cilium.cilium_nodes.as_mut().unwrap();
    theirs.as_mut().unwrap().push(Arc::new(dummy));
    // The status was written before it came.
    let found = codes(&evidence);
    assert_eq!(found, [(WARNING, BTN0409), (WARNING, BTN0008)]);
}

#[test]
fn flannel_node_that_stands_for_a_bigip_is_named() {
    let mut evidence = evidence(tunnel());
    let dummy = Node {
        name: "bigip-a-dummy".to_owned(),
        stands_for: Some("10.169.72.34".parse().unwrap()),
        ..Node::default()
    };
    let nodes = evidence.cilium.nodes.as_mut().unwrap();
    nodes.push(dummy.into());
    assert_eq!(codes(&evidence), [(WARNING, BTN0409)]);
}

#[test]
fn cis_with_the_same_tunnel_is_another_writer() {
    let mut evidence = evidence(tunnel());
    let cis = |tunnel: &str| CisSeen {
        namespace: "kube-system".to_owned(),
        name: "k8s-bigip-ctlr".to_owned(),
        argument: "--cilium-name".to_owned(),
        tunnel: tunnel.to_owned(),
    };
    evidence.deployments.as_mut().unwrap().cis = vec![cis("/Common/other")];
    assert_eq!(codes(&evidence), []);
    evidence.deployments.as_mut().unwrap().cis = vec![cis("/Common/flannel_vxlan")];
    assert_eq!(codes(&evidence), [(ERROR, BTN0305)]);
}

#[test]
fn missing_operator_is_a_finding() {
    let mut evidence = evidence(tunnel());
    let deployments = evidence.deployments.as_mut().unwrap();
    deployments.operators[0].ready = 1;
    assert_eq!(codes(&evidence), [(WARNING, BTN0003)]);
    evidence.deployments.as_mut().unwrap().operators[0].ready = 0;
    assert_eq!(codes(&evidence), [(ERROR, BTN0003)]);
    evidence.deployments.as_mut().unwrap().operators.clear();
    assert_eq!(codes(&evidence), [(ERROR, BTN0003)]);
}

#[test]
fn operators_without_a_leader_are_a_finding() {
    let mut evidence = evidence(tunnel());
    let mut says = |holder: Option<&str>, silent_s| {
        let operators = &mut evidence.deployments.as_mut().unwrap().operators;
        operators[0].leader = Some(Ok(LeaderSeen {
            holder: holder.map(str::to_owned),
            silent_s: Some(silent_s),
            has_ended: holder == Some("ended"),
        }));
        codes(&evidence)
    };
    assert_eq!(says(Some("ended"), 2), [(ERROR, BTN0004)]);
    assert_eq!(says(Some("a"), 20), []);
    assert_eq!(says(Some("a"), 700), [(WARNING, BTN0004)]);
    assert_eq!(says(None, 2), [(ERROR, BTN0004)]);
}

#[test]
fn pending_approval_is_a_finding() {
    let held = json!({"digest": "d", "since": testing::NOW, "count": 31, "sample": []});
    let found = codes(&evidence(tunnel().with("/status/heldRemoval", &held)));
    assert_eq!(found, [(ERROR, BTN0307)]);
    let former = tunnel().former("bigip-c", "192.0.2.13");
    assert_eq!(codes(&evidence(former)), [(WARNING, BTN0308)]);
}

#[test]
fn nodes_without_a_record_are_named() {
    let skipped = json!([
        {"name": "worker-07", "reason": "NodeAddressNotIPv4", "message": "fd00::7 is not IPv4"},
        {"name": "worker-08", "reason": "DuplicateAddress", "message": "worker-02 has it too"},
    ]);
    let counts = json!({"selected": 3, "programmed": 0, "leaving": 0, "skipped": 3});
    let tunnel = tunnel()
        .with("/status/skippedNodes", &skipped)
        .with("/status/nodes", &counts);
    let found = codes(&evidence(tunnel));
    assert_eq!(
        found,
        [(WARNING, BTN0306), (WARNING, BTN0304), (WARNING, BTN0306)]
    );
}

#[test]
fn otherwise_unexplained_summary_is_a_finding() {
    let none = tunnel().ready("False", "NoNodesSelected", "the selector fits no node");
    assert_eq!(codes(&evidence(none)), [(ERROR, BTN0312)]);
}

#[test]
fn orphaned_records_are_a_finding() {
    let mut device = device("bigip-a", "10.169.72.34%0", "10.1.6.34/24");
    device["records"]["unclaimed"] = json!(2);
    device["records"]["stale"] = json!(1);
    let found = codes(&evidence(Tunnel::new("prod-east").device(device)));
    assert_eq!(found, [(WARNING, BTN0302), (WARNING, BTN0303)]);
}

#[test]
fn preflight_check_reviews_user_permissions() {
    let mut evidence = evidence(tunnel());
    evidence.tunnels = None;
    evidence.deployments.as_mut().unwrap().operators.clear();
    let right = |what: &str, is_granted| RightSeen {
        what: what.to_owned(),
        is_granted,
    };
    evidence.rights = vec![right("create roles in bigip", true)];
    assert_eq!(codes(&evidence), []);
    evidence.rights.push(right("create clusterroles", false));
    assert_eq!(codes(&evidence), [(ERROR, BTN0005)]);
}
