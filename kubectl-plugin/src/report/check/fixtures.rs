//! `check` on clusters as files: `tests/fixtures/cilium`. Each file says in its second line what is found.
//!
//! The tunnel of all of them has two units, whose entries the healthy files hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bigip_tunnel_cilium::seen::Cluster;
use bigip_tunnel_crds::cilium::{AgentPod, CiliumNode};
use bigip_tunnel_crds::convert::cilium as convert;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::testing::{self, Tunnel};

/// The units of the tunnel.
fn tunnel() -> Tunnel {
    let unit = |name: &str, local: &str, self_ip: &str, mac: &str| {
        let mut unit = testing::device(name, "192.0.2.11", "Active");
        unit["tunnel"]["localAddress"] = json!(local);
        unit["tunnel"]["selfIPs"] = json!([self_ip]);
        unit["tunnel"]["mac"] = json!(mac);
        unit
    };
    let (a, b) = ("02:50:56:00:00:01", "02:50:56:00:00:02");
    Tunnel::new("prod")
        .device(unit("bigip-a", "10.169.72.34%0", "10.1.73.34/24", a))
        .device(unit("bigip-b", "10.169.72.36%0", "10.1.74.200/24", b))
        .with("/status/nodes", &Value::Null)
        .with(
            "/spec/nodes",
            &json!({"selector": {"matchExpressions": [{
                "key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["ec2"],
            }]}}),
        )
}

/// The objects of a file by their kinds.
struct Objects(Vec<Value>);

impl Objects {
    fn of<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        let all = self.0.iter().filter(|object| object["kind"] == kind);
        all.map(|object| serde_json::from_value(object.clone()).unwrap())
            .collect()
    }

    fn dynamic<T>(&self, kind: &str, seen: impl Fn(&DynamicObject) -> T) -> Vec<T> {
        self.of(kind).iter().map(seen).collect()
    }

    /// What `check` would read of a cluster with these objects.
    fn seen(&self) -> Cluster {
        let nodes = self.of::<Node>("Node");
        let nodes: Vec<_> = nodes.iter().map(convert::node).map(Arc::new).collect();
        let policies = self.of::<NetworkPolicy>("NetworkPolicy");
        let mut policies: Vec<_> = policies.iter().map(convert::network_policy).collect();
        let of_cilium = self.dynamic("CiliumNetworkPolicy", convert::cilium_policies);
        policies.extend(of_cilium.into_iter().flatten());
        let agents = self.of::<AgentPod>("Pod");
        let agents = agents.iter().filter_map(convert::agent);
        let cilium_nodes = self.of::<CiliumNode>("CiliumNode");
        let cilium_nodes = cilium_nodes.iter().map(convert::cilium_node);
        let config = self.of::<ConfigMap>("ConfigMap").pop();
        Cluster {
            namespaces: vec!["kube-system".to_owned()],
            config: Ok(config.map(|config| convert::config_map("kube-system", config))),
            node_configs: Ok(self.dynamic("CiliumNodeConfig", |object| {
                convert::node_config(object, Some(&nodes))
            })),
            vtep_objects: Ok(Some(self.dynamic("CiliumVTEPConfig", |object| {
                convert::vtep_object(object, Some(&nodes))
            }))),
            vtep_nodes: Ok(self.dynamic("CiliumVTEPNodeConfig", convert::vtep_node)),
            agents: Ok(agents.map(Arc::new).collect()),
            policies: Some(Ok(policies)),
            cilium_nodes: Ok(Some(cilium_nodes.map(Arc::new).collect())),
            nodes: Ok(nodes),
        }
    }
}

/// What a file says of itself, and its objects.
fn read(path: &Path) -> (String, Objects) {
    let text = fs::read_to_string(path).unwrap();
    let finds = text.lines().nth(1).unwrap();
    let finds = finds.strip_prefix("# finds: ").unwrap().to_owned();
    let documents = text.split("\n---\n").skip(1);
    let objects = documents.map(|document| serde_saphyr::from_str(document).unwrap());
    (finds, Objects(objects.collect()))
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/cilium");
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// The report of a cluster with these objects.
fn report(objects: &Objects) -> CheckReport {
    let mut evidence = super::tests::evidence(tunnel());
    evidence.cilium = objects.seen();
    CheckReport::new(&evidence, Verdict::Error)
}

fn found(report: &CheckReport) -> String {
    let checks = report.categories.iter().flat_map(|c| &c.checks);
    let checks = checks.filter_map(|check| {
        let result = match check.result {
            Verdict::Success => return None,
            Verdict::Skipped => "skipped",
            Verdict::Warning => "warning",
            Verdict::Error => "error",
        };
        Some(format!("{result} {}", check.code?))
    });
    let mut checks: Vec<String> = checks.collect();
    checks.sort_by_key(|check| check.rsplit_once(' ').map(|(_, code)| code.to_owned()));
    if checks.is_empty() {
        return "nothing".to_owned();
    }
    checks.join(", ")
}

#[test]
fn each_cluster_gives_its_findings() {
    let mut wrong = Vec::new();
    for file in files() {
        let (finds, objects) = read(&file);
        let report = report(&objects);
        let found = found(&report);
        let sorted = |text: &str| {
            let mut parts: Vec<String> = text.split(", ").map(str::to_owned).collect();
            parts.sort();
            parts
        };
        if sorted(&found) != sorted(&finds) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let texts = report.categories.iter().flat_map(|c| &c.checks);
            let texts: Vec<_> = texts
                .filter(|check| check.result != Verdict::Success)
                .map(|check| check.description.clone())
                .collect();
            wrong.push(format!(
                "{name}: {found} instead of {finds}\n  {}",
                texts.join("\n  ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn healthy_cluster_of_each_distribution_has_no_finding() {
    for name in [
        "kubeadm",
        "kubespray",
        "k3s",
        "rke2",
        "eks-hybrid",
        "aks-byocni",
        "gke",
        "openshift",
    ] {
        let is_it = |file: &PathBuf| file.ends_with(format!("healthy-{name}.yaml"));
        let file = files().into_iter().find(is_it);
        let report = report(&read(&file.unwrap()).1);
        assert_eq!(found(&report), "nothing", "{name}");
    }
}
