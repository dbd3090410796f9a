//! Which objects become of which CIS, and what a person is told.

use serde_json::{Value, json};

use super::*;
use crate::cis::workload::Workload;
use crate::manifest;
use crate::report::lint::{FileReport, Level, Rules, Secrets};

/// A CIS for each of these names and arguments.
fn found(each: &[(&str, &[&str])]) -> Vec<Cis> {
    let one = |(name, words): &(&str, &[&str])| {
        let document = json!({
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"template": {"spec": {"containers": [{
                "name": "cis",
                "args": words,
                "env": [
                    login("BIGIP_USERNAME", name, "username"),
                    login("BIGIP_PASSWORD", name, "password"),
                ],
            }]}}},
        });
        let workload = Workload::of_document(&document, None).unwrap().remove(0);
        Cis::all_in(&workload, &[]).unwrap()
    };
    each.iter().flat_map(one).collect()
}

fn login(variable: &str, secret: &str, key: &str) -> Value {
    json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
}

fn report(each: &[(&str, &[&str])]) -> MigrateReport {
    MigrateReport::new(found(each), None)
}

fn spec(migration: &Migration) -> Value {
    migration.object["spec"].clone()
}

/// What is to be done first.
fn told(words: &[&str]) -> String {
    let report = report(&[("cis", words)]);
    let items = report.tunnels[0].to_do.iter();
    let texts: Vec<&str> = items.map(|item| item.text.as_str()).collect();
    texts.join("\n")
}

const TUNNEL: &str = "--cilium-name=/Common/flannel_vxlan";
const UNIT_A: &str = "--bigip-url=bigip-a.example.net";
const UNIT_B: &str = "--bigip-url=https://bigip-b.example.net:8443";

#[test]
fn units_of_a_pair_become_one_object() {
    let report = report(&[("cis-a", &[TUNNEL, UNIT_A]), ("cis-b", &[TUNNEL, UNIT_B])]);
    assert_eq!(report.tunnels.len(), 1);
    let migration = &report.tunnels[0];
    assert_eq!(
        spec(migration),
        json!({
            "managementPolicy": "Observe",
            "devices": [
                {
                    "name": "bigip-a",
                    "address": "bigip-a.example.net",
                    "credentialsSecretRef": {"name": "cis-a"},
                },
                {
                    "name": "bigip-b",
                    "address": "bigip-b.example.net",
                    "port": 8443,
                    "credentialsSecretRef": {"name": "cis-b"},
                },
            ],
            "tunnel": {"partition": "Common", "name": "flannel_vxlan"},
        })
    );
    // Both lose the argument, and both get it back.
    let all = migration.steps.iter().chain(&migration.back);
    let all: String = all.map(|item| item.text.as_str()).collect();
    for name in ["kube-system/cis-a", "kube-system/cis-b"] {
        assert_eq!(all.matches(name).count(), 2, "{all}");
    }
}

#[test]
fn bigip_with_two_writers_is_listed_once() {
    let report = report(&[
        ("cis", &[TUNNEL, UNIT_A]),
        ("cis", &[TUNNEL, "--bigip-url=BIGIP-A.example.net:443"]),
    ]);
    let spec = spec(&report.tunnels[0]);
    assert_eq!(spec["devices"].as_array().unwrap().len(), 1);
    assert_eq!(spec["credentialsSecretRef"], json!({"name": "cis"}));
}

#[test]
fn other_nodes_or_tunnels_get_their_own_object() {
    let report = report(&[
        ("a", &[TUNNEL, UNIT_A]),
        ("b", &[TUNNEL, UNIT_A, "--node-label-selector=pool=x"]),
        ("c", &[TUNNEL, UNIT_A, "--use-node-internal=false"]),
        ("d", &["--flannel-name=/k8s/Other.One", UNIT_A]),
    ]);
    let names = report
        .tunnels
        .iter()
        .map(|tunnel| tunnel.object["metadata"]["name"].clone());
    let expected = [
        "flannel-vxlan",
        "flannel-vxlan-2",
        "flannel-vxlan-3",
        "other-one",
    ];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let nodes = |index: usize| spec(&report.tunnels[index])["nodes"].clone();
    assert_eq!(nodes(0), Value::Null);
    assert_eq!(
        nodes(1),
        json!({"selector": {"matchLabels": {"pool": "x"}}})
    );
    assert_eq!(nodes(2), json!({"addressSource": {"type": "ExternalIP"}}));
    assert_eq!(spec(&report.tunnels[3])["tunnel"]["partition"], "k8s");
}

#[test]
fn every_object_passes_lint() {
    let report = report(&[
        (
            "a",
            &[
                TUNNEL,
                UNIT_A,
                "--trusted-certs-cfgmap=kube-system/bigip-ca",
            ],
        ),
        ("b", &[TUNNEL, UNIT_B]),
        (
            "c",
            &[
                "--cilium-name=Common/app/x",
                "--bigip-url=192.0.2.11",
                "--insecure",
            ],
        ),
        (
            "d",
            &["--flannel-name=y_", "--bigip-url=[2001:db8::1]:8443"],
        ),
        (
            "e",
            &[
                TUNNEL,
                UNIT_A,
                "--node-label-selector=a in (b),!c",
                "--use-node-internal=0",
            ],
        ),
    ]);
    assert_eq!(report.tunnels.len(), 4);
    let rules = Rules::new().unwrap();
    for tunnel in &report.tunnels {
        let text = serde_saphyr::to_string(&tunnel.object).unwrap();
        let documents = manifest::documents(&text).unwrap();
        let linted = FileReport::new("object".to_owned(), &documents, &rules, &Secrets::default());
        assert_eq!(linted.tunnels.len(), 1, "{text}");
        let errors = linted
            .findings
            .iter()
            .filter(|finding| finding.level == Level::Error);
        assert_eq!(errors.collect::<Vec<_>>(), [] as [&_; 0], "{text}");
    }
}

#[test]
fn certificates_are_verified_even_if_cis_did_not() {
    let insecure = report(&[("a", &[TUNNEL, UNIT_A, "--insecure=true"])]);
    assert_eq!(spec(&insecure.tunnels[0])["tls"], Value::Null);
    let told_of = told(&[TUNNEL, UNIT_A, "--insecure=true"]);
    assert!(
        told_of.contains("CIS verifies no certificate (--insecure)"),
        "{told_of}"
    );
    let trusted = ["--trusted-certs-cfgmap=pki/bigip-ca"];
    let trusted = [&[TUNNEL, UNIT_A], &trusted[..]].concat();
    let bundle = json!({"caBundleRef": {"kind": "ConfigMap", "name": "bigip-ca"}});
    assert_eq!(spec(&report(&[("a", &trusted)]).tunnels[0])["tls"], bundle);
    assert!(told(&trusted).contains("Copy it from namespace pki"));
}

#[test]
fn migration_risks_are_listed_first() {
    for (words, said) in [
        (
            &["--cilium-name=/k8s/k8s_vxlan", UNIT_A][..],
            "tries to delete them",
        ),
        (
            &["--cilium-name=/Common/app/x", UNIT_A],
            "does not understand folders",
        ),
        (&["--flannel-name=x", UNIT_A], "flannel's annotations"),
        (
            &["--openshift-sdn-name=x", UNIT_A],
            "make sure that the cluster runs it",
        ),
        (
            &[TUNNEL, UNIT_A, "--enable-ipv6"],
            "writes no records at all",
        ),
        (&[TUNNEL, UNIT_A], "HA pair"),
    ] {
        let told = told(words);
        assert!(told.contains(said), "{said}: {told}");
    }
    let usual = told(&[TUNNEL, UNIT_A]);
    for said in ["delete", "folders", "flannel's", "runs it", "no records"] {
        assert!(!usual.contains(said), "{said}: {usual}");
    }
}

#[test]
fn unusable_login_must_be_created() {
    let words = [TUNNEL, UNIT_A].map(str::to_owned);
    let found = Cis::all_in(&Workload::of_arguments(Some("bigip")), &words).unwrap();
    let migration = &MigrateReport::new(found, None).tunnels[0];
    assert_eq!(
        spec(migration)["credentialsSecretRef"],
        json!({"name": "bigip-login"})
    );
    let command = &migration.to_do[0].commands[0];
    assert!(
        command.starts_with("kubectl create secret generic bigip-login -n bigip "),
        "{command}"
    );
}

#[test]
fn object_in_another_namespace_needs_copies_from_cis() {
    let words = [
        TUNNEL,
        UNIT_A,
        "--trusted-certs-cfgmap=kube-system/bigip-ca",
    ];
    let of = |into| {
        let report = MigrateReport::new(found(&[("cis", &words)]), into);
        let migration = report.tunnels.into_iter().next().unwrap();
        let namespace = migration.object["metadata"]["namespace"].clone();
        let texts = migration.to_do.iter().map(|item| item.text.as_str());
        (namespace, texts.collect::<String>())
    };
    let (namespace, told) = of(None);
    assert_eq!(namespace, "kube-system");
    assert!(told.contains("watchNamespaces"), "{told}");
    assert!(!told.contains("Copy it"), "{told}");
    let (namespace, told) = of(Some("bigip"));
    assert_eq!(namespace, "bigip");
    assert!(
        told.contains("Make Secret cis in namespace bigip too"),
        "{told}"
    );
    assert!(
        told.contains("Copy it from namespace kube-system"),
        "{told}"
    );
}
