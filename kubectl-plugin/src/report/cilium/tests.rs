//! What the verb says of the lists and objects of a cluster.

use std::collections::BTreeMap;

use bigip_tunnel_cilium::seen::{Scope, Unread};
use bigip_tunnel_cilium::vtep::VtepObject;
use bigip_tunnel_crds::convert;
use serde_json::json;

use super::*;
use crate::report::check::tests::{evidence, tunnel};
use crate::testing::{self, Tunnel as Made};

/// A tunnel of one BIG-IP with one network.
fn tunnels() -> Vec<Tunnel> {
    let mut device = testing::device("bigip-a", "192.0.2.11", "Active");
    device["tunnel"]["localAddress"] = json!("10.169.72.34%0");
    device["tunnel"]["selfIPs"] = json!(["10.1.6.34/24"]);
    device["tunnel"]["mac"] = json!("52:54:00:3e:3f:c1");
    let object = Made::new("prod-east").device(device).object();
    vec![convert::cilium::tunnel(&object)]
}

fn cluster(lists: Option<(&str, &str, &str)>) -> Cluster {
    let no = || Unread("you may not list it".to_owned());
    let config = lists.map(|(endpoint, cidr, mac)| {
        let data = [
            ("enable-vtep", "true"),
            ("vtep-endpoint", endpoint),
            ("vtep-cidr", cidr),
            ("vtep-mac", mac),
        ];
        let data: BTreeMap<_, _> = data.map(|(key, value)| (key.into(), value.into())).into();
        ConfigMap {
            namespace: "cilium".to_owned(),
            data,
            changed: None,
        }
    });
    Cluster {
        namespaces: vec!["kube-system".to_owned()],
        config: Ok(config),
        node_configs: Ok(Vec::new()),
        vtep_objects: Ok(None),
        vtep_nodes: Ok(Vec::new()),
        agents: Err(no()),
        policies: None,
        nodes: Err(no()),
        cilium_nodes: Err(no()),
    }
}

/// As the tunnel needs it, in another spelling.
const RIGHT: (&str, &str, &str) = ("10.169.72.34", "10.1.6.9/24", "52-54-00-3E-3F-C1");
/// With a network that the unit does not have.
const OLD: (&str, &str, &str) = ("10.169.72.34", "10.1.9.0/24", "52:54:00:3e:3f:c1");

fn of(cluster: &Cluster, format: CiliumFormat) -> CiliumReport {
    report(cluster, &tunnels(), format, None).unwrap()
}

#[test]
fn lists_without_cilium_config_are_refused() {
    for format in [CiliumFormat::Helm, CiliumFormat::Configmap] {
        let refused = report(&cluster(None), &tunnels(), format, None).unwrap_err();
        assert_eq!(refused, [Refusal::NoConfig]);
        assert!(refused[0].to_string().contains("--cilium-namespace"));
    }
    let objects = of(&cluster(None), CiliumFormat::Vtepconfig);
    assert!(
        objects.notes[0].contains("cilium-config is not known"),
        "{objects:?}"
    );
}

#[test]
fn lists_in_another_spelling_exit_fine_without_restart() {
    let report = of(&cluster(Some(RIGHT)), CiliumFormat::Helm);
    assert_eq!(report.outcome(true), Outcome::Fine);
    assert_eq!(report.live, report.wanted);
    assert!(!report.notes.iter().any(|note| note.contains("restart")));
}

#[test]
fn removed_entry_needs_a_restart_and_a_deletion() {
    let report = of(&cluster(Some(OLD)), CiliumFormat::Helm);
    assert_eq!(report.outcome(true), Outcome::Findings);
    let restart = "agents read it when they start: kubectl -n cilium rollout restart ds/cilium";
    assert!(
        report.notes.iter().any(|note| note == restart),
        "{report:?}"
    );
    let delete = "cilium-dbg bpf vtep delete 10.1.9.0/24";
    assert!(report.notes.iter().any(|note| note.contains(delete)));
    assert!(report.live.contains("10.1.9.0/24") && !report.wanted.contains("10.1.9.0/24"));
}

#[test]
fn config_map_output_warns_of_the_next_upgrade() {
    let reverted = |format| {
        let notes = of(&cluster(Some(RIGHT)), format).notes;
        notes.iter().any(|note| note.contains("next helm upgrade"))
    };
    assert!(reverted(CiliumFormat::Configmap) && !reverted(CiliumFormat::Helm));
    let report = of(&cluster(Some(RIGHT)), CiliumFormat::Configmap);
    assert!(
        report.wanted.contains("  namespace: cilium\n"),
        "{report:?}"
    );
}

#[test]
fn unknown_cluster_part_is_a_note() {
    let report = of(&cluster(Some(RIGHT)), CiliumFormat::Helm);
    let note = "not checked for overlaps, because not known: the addresses of the nodes (you may not list \
                it); the pod networks (you may not list it)";
    assert_eq!(report.notes, [note]);
}

/// The tunnel of two BIG-IPs that `check` is tested with.
fn pair() -> Vec<Tunnel> {
    vec![convert::cilium::tunnel(&tunnel().object())]
}

fn given(seen: &Cluster, format: CiliumFormat) -> CiliumReport {
    report(seen, &pair(), format, Some(Shape::V2)).unwrap()
}

#[test]
fn lists_that_are_right_differ_in_nothing() {
    let seen = evidence(tunnel()).cilium;
    for format in [CiliumFormat::Helm, CiliumFormat::Configmap] {
        let report = given(&seen, format);
        assert_eq!(report.wanted, report.live);
        assert!(
            !report
                .notes
                .iter()
                .any(|note| note.contains("rollout restart"))
        );
    }
}

#[test]
fn changed_lists_need_an_agent_restart() {
    let mut seen = evidence(tunnel()).cilium;
    let config = seen.config.as_mut().unwrap().as_mut().unwrap();
    config
        .data
        .insert("vtep-cidr".into(), "10.1.6.0/24 10.1.9.0/24".into());
    let report = given(&seen, CiliumFormat::Helm);
    assert!(
        report.wanted.contains("cidr: \"10.1.6.0/24 10.1.5.0/24\""),
        "{report:?}"
    );
    let notes = report.notes.join("\n");
    assert!(notes.contains("rollout restart ds/cilium"), "{notes}");
    assert!(
        notes.contains("cilium-dbg bpf vtep delete 10.1.9.0/24"),
        "{notes}"
    );
}

#[test]
fn cilium_config_values_warn_of_a_revert() {
    let report = given(&evidence(tunnel()).cilium, CiliumFormat::Configmap);
    assert!(report.wanted.contains("namespace: kube-system"));
    assert!(report.notes[0].contains("helm upgrade"), "{report:?}");
}

#[test]
fn object_that_was_applied_differs_in_nothing() {
    let mut seen = evidence(tunnel()).cilium;
    let format = CiliumFormat::Vtepconfig;
    let wanted = given(&seen, format).wanted;
    let content: serde_json::Value = serde_saphyr::from_str(&wanted).unwrap();
    let name = "bigip-tunnel.bigip.prod-east";
    assert_eq!(content["metadata"]["name"], name);
    let ours = VtepObject::new(name, Scope::All, &content);
    let other = VtepObject::new("gateway", Scope::All, &json!({}));
    seen.vtep_objects = Ok(Some(vec![ours, other]));
    let report = given(&seen, format);
    assert_eq!(report.wanted, report.live);
    assert!(
        report.notes.iter().any(|note| note.contains("(gateway ")),
        "{report:?}"
    );
}

#[test]
fn unknown_node_networks_refuse_nothing() {
    let mut seen = evidence(tunnel()).cilium;
    seen.nodes = Err(Unread("not allowed".to_owned()));
    seen.cilium_nodes = Err(Unread("not allowed".to_owned()));
    assert!(report(&seen, &pair(), CiliumFormat::Helm, None).is_ok());
}

/// A second tunnel, whose unit does not say its MAC address.
fn without_mac() -> Tunnel {
    let mut device = testing::device("bigip-z", "192.0.2.12", "Active");
    device["tunnel"]["localAddress"] = json!("10.169.72.99%0");
    device["tunnel"]["selfIPs"] = json!(["10.1.99.34/24"]);
    let tunnel = device["tunnel"].as_object_mut().unwrap();
    tunnel.remove("mac");
    convert::cilium::tunnel(&Made::new("prod-west").device(device).object())
}

#[test]
fn unit_without_mac_address_hides_no_other_entries() {
    for format in [
        CiliumFormat::Helm,
        CiliumFormat::Configmap,
        CiliumFormat::Vtepconfig,
    ] {
        let tunnels = [tunnels(), vec![without_mac()]].concat();
        let report = report(&cluster(Some(RIGHT)), &tunnels, format, None).unwrap();
        assert_eq!(report.outcome(false), Outcome::Findings);
        assert!(
            report.notes[0].contains("left out: bigip-z of bigip/prod-west"),
            "{report:?}"
        );
        assert!(report.notes[0].contains("MAC address"), "{report:?}");
        assert!(report.wanted.contains("10.169.72.34"), "{report:?}");
        assert!(!report.wanted.contains("10.169.72.99"), "{report:?}");
    }
}

#[test]
fn settings_in_the_way_of_the_entries_are_notes() {
    let mut seen = cluster(Some(RIGHT));
    let config = seen.config.as_mut().unwrap().as_mut().unwrap();
    config.data.insert("routing-mode".into(), "native".into());
    let notes = of(&seen, CiliumFormat::Helm).notes;
    let line = "routingMode=tunnel tunnelProtocol=vxlan";
    assert!(notes.iter().any(|note| note.contains(line)), "{notes:?}");
}
