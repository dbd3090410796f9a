//! What is found in fixed manifests.

use serde_json::json;

use super::*;
use crate::catalogue::{BTN0009, BTN0010, BTN0103, BTN0115, BTN0305};
use crate::manifest::documents;
use crate::render;
use crate::style::Style;
use crate::testing::printed;

const GOOD: &str = "\
apiVersion: bigip-tunnel.dev/v1alpha1
kind: BigIpTunnel
metadata:
  name: prod-east
  namespace: bigip
spec:
  credentialsSecretRef:
    name: bigip-login
  devices:
  - name: bigip-a
    address: 192.0.2.11
  - name: bigip-b
    address: 192.0.2.12
  tunnel:
    name: flannel_vxlan
";

fn report(text: &str) -> FileReport {
    let documents = documents(text).unwrap();
    let mut secrets = Secrets::default();
    secrets.extend(&documents);
    FileReport::new(
        "a.yaml".to_owned(),
        &documents,
        &Rules::new().unwrap(),
        &secrets,
    )
}

/// The paths and messages of what is refused in this text.
fn errors(text: &str) -> Vec<(String, String)> {
    let findings = report(text).findings.into_iter();
    let errors = findings.filter(|finding| finding.level == Level::Error);
    errors
        .map(|finding| (finding.path, finding.message))
        .collect()
}

/// The codes of the advice.
fn advice(from: &str, to: &str) -> Vec<Option<Code>> {
    assert!(GOOD.contains(from));
    let report = report(&GOOD.replace(from, to));
    let findings = report.findings.iter();
    findings
        .inspect(|finding| assert_eq!(finding.level, Level::Warning, "{finding:?}"))
        .map(|finding| finding.code)
        .collect()
}

fn shown(files: Vec<FileReport>) -> String {
    let report = LintReport::new(files, Level::Error);
    printed(|out| render::lint::write(&report, Style::PLAIN, out))
}

#[test]
fn valid_manifest_has_no_finding() {
    let report = report(GOOD);
    assert_eq!((report.findings.len(), report.tunnels.len()), (0, 1));
    insta::assert_snapshot!(shown(vec![report]), @"
    a.yaml: BigIpTunnel bigip/prod-east: ok
    0 errors, 0 warnings in 1 tunnels
    ");
}

#[test]
fn unknown_field_is_refused_with_the_likely_name() {
    let found = errors(&GOOD.replace("  tunnel:\n", "  tunel: {}\n  tunnel:\n"));
    let expected = (
        "spec.tunel".to_owned(),
        "unknown field; is tunnel meant?".to_owned(),
    );
    assert_eq!(found, [expected]);
}

#[test]
fn cel_rule_is_applied_with_its_message() {
    let found = errors(&GOOD.replace("192.0.2.12", "192.0.2.11"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1, "two devices have the same address and port");
    let found = errors(&GOOD.replace("  credentialsSecretRef:\n    name: bigip-login\n", ""));
    assert!(
        found[0].1.starts_with("set spec.credentialsSecretRef"),
        "{found:?}"
    );
}

#[test]
fn invalid_field_is_refused_at_its_line() {
    let report = report(&GOOD.replace(
        "    address: 192.0.2.12",
        "    address: 192.0.2.12\n    port: 0",
    ));
    assert_eq!(report.findings.len(), 1, "{report:?}");
    let finding = &report.findings[0];
    assert_eq!(
        (finding.path.as_str(), finding.line),
        ("spec.devices[1].port", Some(14))
    );
    let found = errors(&GOOD.replace("  tunnel:\n    name: flannel_vxlan\n", ""));
    assert!(found[0].1.contains("tunnel"), "{found:?}");
    let found = errors(&GOOD.replace("name: bigip-b", "name: bigip-a"));
    let expected = ("spec.devices[1]".to_owned(), "is there twice".to_owned());
    assert_eq!(found, [expected]);
}

#[test]
fn object_needs_a_name_and_a_served_version() {
    let path = |from: &str, to: &str| errors(&GOOD.replace(from, to))[0].0.clone();
    assert_eq!(path("v1alpha1", "v1"), "apiVersion");
    assert_eq!(path("bigip-tunnel.dev/", "bigip-tunnel.de/"), "apiVersion");
    assert_eq!(path("name: prod-east", "name: Prod_East"), "metadata.name");
    assert_eq!(path("  name: prod-east\n", ""), "metadata.name");
    assert_eq!(path("BigIpTunnel", "BigIPTunnel"), "kind");
}

#[test]
fn advice_has_a_code_and_is_no_error() {
    let spec = "spec:\n";
    let none = "spec:\n  tls: {verification: None}\n";
    assert_eq!(advice(spec, none), [Some(BTN0103)]);
    assert_eq!(advice(spec, "spec:\n  suspend: true\n"), [Some(BTN0009)]);
    let observes = "spec:\n  managementPolicy: Observe\n";
    assert_eq!(advice(spec, observes), [Some(BTN0010)]);
    let bulk = "spec:\n  fdb: {bulkWrites: WhenEmpty}\n";
    assert_eq!(advice(spec, bulk), [Some(BTN0305)]);
    assert_eq!(advice("flannel_vxlan", "k8s_vxlan"), [Some(BTN0305)]);
    let twice = advice("192.0.2.12", "192.0.2.11\n    port: 8443");
    assert_eq!(twice, [Some(BTN0115)]);
}

#[test]
fn other_objects_are_counted_and_lists_are_searched() {
    let other = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n";
    let object = serde_json::to_value(&documents(GOOD).unwrap()[0].value).unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [object]});
    let report = report(&format!("{other}---\n{list}\n"));
    assert_eq!((report.others, report.tunnels.len()), (1, 1));
}

#[test]
fn findings_are_printed_with_file_line_and_field() {
    let bad = GOOD
        .replace("  tunnel:\n", "  tunel: {}\n  tunnel:\n")
        .replace("192.0.2.12", "192.0.2.12:443");
    let advised = GOOD.replace("spec:\n", "spec:\n  tls: {verification: None}\n");
    let broken = FileReport::unreadable("b.yaml".to_owned(), Some(3), "invalid YAML".to_owned());
    insta::assert_snapshot!(shown(vec![report(&bad), report(&advised), broken]));
}

#[test]
fn warnings_fail_only_if_configured() {
    let of = |threshold| {
        let advised = GOOD.replace("spec:\n", "spec:\n  suspend: true\n");
        LintReport::new(vec![report(&advised)], threshold).outcome()
    };
    assert_eq!(of(Level::Error), Outcome::Fine);
    assert_eq!(of(Level::Warning), Outcome::Findings);
}

#[test]
fn secret_beside_the_tunnel_has_to_name_its_devices() {
    let secret = |annotations: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: bigip-login\n  namespace: bigip\n{annotations}---\n{GOOD}"
        )
    };
    let unbound = errors(&secret(""));
    assert_eq!(unbound.len(), 2, "{unbound:?}");
    assert_eq!(unbound[0].0, "spec.devices[0].address");
    let command = "allowed-addresses=192.0.2.11,192.0.2.12'";
    assert!(unbound[0].1.ends_with(command), "{unbound:?}");

    let one = "  annotations: {bigip-tunnel.dev/allowed-addresses: 192.0.2.11}\n";
    let refused = errors(&secret(one));
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].0, "spec.devices[1].address");

    let both = "  annotations: {bigip-tunnel.dev/allowed-addresses: \"192.0.2.11,192.0.2.12\"}\n";
    assert_eq!(errors(&secret(both)), []);
    // One of another namespace is another Secret.
    let elsewhere = secret("").replace("namespace: bigip\n---", "namespace: other\n---");
    assert_eq!(errors(&elsewhere), []);
}
