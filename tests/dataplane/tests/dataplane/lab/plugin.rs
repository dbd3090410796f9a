//! What `kubectl bigip-tunnel verify` and `check` say, with Cilium's configuration as the cluster would show it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::process::Command;

use bigip_tunnel_dataplane::Vtep;
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::products::Product;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Lab, NAME};

/// Who writes what agents and kubelets would.
const WRITER: &str = "dataplane-lab";

/// Outcome and code of the likely cause, of the path from one unit.
pub(crate) type Verified = (String, Option<String>);

/// The keys of `cilium-config` for these entries.
fn cilium_config(mask_length: u8, entries: &[Vtep]) -> Value {
    let listed = |text: fn(&Vtep) -> String| {
        let texts: Vec<String> = entries.iter().map(text).collect();
        texts.join(" ")
    };
    let mask = ipnet::Ipv4Net::new(Ipv4Addr::UNSPECIFIED, mask_length).unwrap();
    json!({
        "enable-vtep": "true",
        "ipam": "kubernetes",
        "routing-mode": "tunnel",
        "tunnel-protocol": "vxlan",
        "vtep-endpoint": listed(|vtep| vtep.endpoint.to_string()),
        "vtep-cidr": listed(|vtep| vtep.network.to_string()),
        "vtep-mac": listed(|vtep| vtep.mac.map(|byte| format!("{byte:02x}")).join(":")),
        "vtep-mask": mask.netmask().to_string(),
    })
}

impl Lab {
    /// What the plugin says of a pod on a node, from each unit.
    pub(crate) async fn verify(&self, node: &str, pod: &str) -> [Verified; 2] {
        let name = self.write_pod(node, pod).await;
        self.write_cilium_config().await;
        let pod = format!("{}/{name}", self.name);
        let report = self.plugin("verify", &["--pod", &pod]).await;
        [0, 1].map(|unit| {
            let path = &report["tunnels"][0]["devices"][unit]["paths"][0];
            let code = path["cause"]["code"].as_str();
            let outcome = path["outcome"].as_str().unwrap();
            (outcome.to_owned(), code.map(str::to_owned))
        })
    }

    /// The codes that `check` finds something for, from the cluster alone or with `--direct` also from the units.
    pub(crate) async fn check(&self, options: &[&str]) -> BTreeSet<String> {
        self.write_cilium_config().await;
        let report = self.plugin("check", options).await;
        let categories = report["categories"].as_array().unwrap().iter();
        let checks = categories.flat_map(|category| category["checks"].as_array().unwrap());
        let is_found = |check: &&Value| check["result"] == "warning" || check["result"] == "error";
        let codes = checks
            .filter(is_found)
            .filter_map(|check| check["code"].as_str());
        codes.map(str::to_owned).collect()
    }

    /// The report of a verb of the plugin about the tunnel.
    async fn plugin(&self, verb: &str, options: &[&str]) -> Value {
        let kubeconfig = ControlPlane::shared().unwrap().kubeconfig();
        let mut command = Command::new(Product::Plugin.path().unwrap());
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--namespace", &self.name, verb, NAME])
            .args(options)
            .args(["--cilium-namespace", &self.name, "-o", "json"]);
        let ended = tokio::task::spawn_blocking(move || command.output());
        let ended = ended.await.unwrap().unwrap();
        serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    /// The pod as the API server would show it, and the network that its node has for pods.
    async fn write_pod(&self, node: &str, pod: &str) -> String {
        let (writer, node) = (PatchParams::apply(WRITER).force(), self.node_name(node));
        let network = ipnet::Ipv4Net::new(pod.parse().unwrap(), 24).unwrap();
        let network = network.trunc().to_string();
        let pods = json!({"spec": {"podCIDR": network, "podCIDRs": [network]}});
        let nodes: Api<Node> = Api::all(self.client.clone());
        let merge = PatchParams::default();
        nodes
            .patch(&node, &merge, &Patch::Merge(pods))
            .await
            .unwrap();
        let name = format!("pod-{}", pod.replace('.', "-"));
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.name);
        let object = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": node, "containers": [{"name": "web", "image": "example.com/web:1"}]},
        });
        api.patch(&name, &writer, &Patch::Apply(object))
            .await
            .unwrap();
        let status = json!({"status": {
            "phase": "Running", "podIP": pod, "podIPs": [{"ip": pod}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }});
        api.patch_status(&name, &merge, &Patch::Merge(status))
            .await
            .unwrap();
        name
    }

    async fn write_cilium_config(&self) {
        let writer = PatchParams::apply(WRITER).force();
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.name);
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config"},
            "data": cilium_config(self.mask_length, &self.vteps),
        });
        api.patch("cilium-config", &writer, &Patch::Apply(object))
            .await
            .unwrap();
    }
}
