//! Packets from the units to a pod: with the record of its node, without it, and when the operator has repaired it.
//!
//! Where the network of the cluster is Cilium, the pods are real, with the VTEP entries that the plugin renders. Elsewhere
//! a pod stands in for a node with Cilium, and the pods on it are those of its program.

use std::net::Ipv4Addr;
use std::time::Instant;

use serde_json::{Value, json};

use super::units::{FIRST, NAMESPACE as UNITS, SECOND, record_mac};
use super::{NAMESPACE, SHORT, Stage, TUNNEL, text};
use crate::Failure;
use crate::cluster::until;

/// The namespace of Cilium.
const SYSTEM: &str = "kube-system";
const CONFIG: &str = "cilium-config";
/// The node that a pod stands in for. It stays, as its removal would be a write of later steps.
const NODE: &str = "e2e-packets";
const STAND_IN: &str = "node-stand-in";
/// One pod that is reached before the record is lost, and one that is new then.
const PODS: [&str; 2] = ["e2e-packets-used", "e2e-packets-new"];
/// The addresses of the pods of the stand-in.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 130), Ipv4Addr::new(10, 0, 0, 131)];
/// How long agents of Cilium take to restart.
const AGENTS_MAX: &str = "--timeout=300s";

/// The node that is asked for, and its pods.
struct Target {
    node: Ipv4Addr,
    pods: [Ipv4Addr; 2],
}

/// What `verify` says of a pod.
#[derive(Debug, PartialEq)]
struct Verified {
    exit: Option<i32>,
    /// By unit.
    paths: Vec<Path>,
}

/// What `verify` says of a pod as seen from a unit.
#[derive(Debug, PartialEq)]
struct Path {
    unit: String,
    outcome: String,
    /// The code of the likely cause; empty where none is named.
    cause: String,
}

impl Path {
    fn new(unit: &str, outcome: &str, cause: &str) -> Self {
        Self {
            unit: unit.to_owned(),
            outcome: outcome.to_owned(),
            cause: cause.to_owned(),
        }
    }

    /// A path on which nothing is wrong.
    fn right(unit: &str, outcome: &str) -> Self {
        Self::new(unit, outcome, "")
    }
}

impl Stage<'_> {
    pub(super) fn packets_prove_the_records(&self) -> Result<(), Failure> {
        let has_config = ["kubectl", "get", "configmap", CONFIG, "--namespace", SYSTEM];
        if self.cluster.cilium().is_none() && self.cluster.succeeds(&has_config)? {
            self.say("not shown: packets; the Cilium of this cluster is not ours to change");
            return Ok(());
        }
        let target = match self.cluster.cilium() {
            Some(chart) => self.real_pods(chart)?,
            None => self.stand_in()?,
        };
        let record = record_mac(target.node);
        until(SHORT, "both units have the node's record", || {
            self.units.all_have(&record)
        })?;
        let both = [FIRST, SECOND].map(|unit| Path::right(unit, "Proven"));
        self.expect(PODS[0], 0, both.into())?;
        if !self.units.ping(FIRST, target.pods[0])? {
            let what = "a pod does not answer a ping from the self IP of the first unit";
            return Err(Failure::Wrong(what.to_owned()));
        }
        self.say(
            "packets: `verify` exits with 0, Proven from both units; a ping of a unit is answered",
        );
        self.lost_record_is_named_and_repaired(&record)?;
        self.remove_stand_ins()
    }

    /// The operator looks at records every minute, so that for some seconds after a look nothing repairs this one.
    fn lost_record_is_named_and_repaired(&self, record: &str) -> Result<(), Failure> {
        self.reconcile()?;
        self.units.remove_record(FIRST, record)?;
        let lost = Path::new(FIRST, "NoARPAnswer", "BTN0301");
        self.expect(PODS[1], 1, vec![lost, Path::right(SECOND, "Proven")])?;
        self.say("packets: with the record removed from bigip-a `verify` exits with 1: NoARPAnswer, BTN0301");
        let asked = Instant::now();
        self.reconcile()?;
        until(SHORT, "the operator has put the record back", || {
            self.units.all_have(record)
        })?;
        let took = asked.elapsed();
        let repaired = Path::right(FIRST, "Proven");
        self.expect(PODS[1], 0, vec![repaired, Path::right(SECOND, "Reached")])?;
        self.say(&format!(
            "packets: repaired {:.1} s after it was asked for; `verify` exits with 0: Proven",
            took.as_secs_f64()
        ));
        Ok(())
    }

    /// Requires that `verify` says this of a pod, from the units in their order.
    fn expect(&self, pod: &str, exit: i32, paths: Vec<Path>) -> Result<(), Failure> {
        let exit = Some(exit);
        let wanted = Verified { exit, paths };
        let (seen, report) = self.verify(pod)?;
        if seen == wanted {
            return Ok(());
        }
        Err(Failure::Wrong(format!(
            "`verify` of {pod} says {seen:?}, not {wanted:?}: {report}"
        )))
    }

    fn verify(&self, pod: &str) -> Result<(Verified, String), Failure> {
        let pod = format!("{UNITS}/{pod}");
        let words = [
            "kubectl",
            "bigip-tunnel",
            "verify",
            TUNNEL,
            "--namespace",
            NAMESPACE,
            "--pod",
            &pod,
            "--output",
            "json",
        ];
        let (exit, report) = self.cluster.exit_of(&words)?;
        let read: Value = serde_json::from_str(&report).unwrap_or_default();
        let devices = read
            .pointer("/tunnels/0/devices")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let paths = devices.iter().map(|device| {
            Path::new(
                text(device, "/device"),
                text(device, "/paths/0/outcome"),
                text(device, "/paths/0/cause/code"),
            )
        });
        let paths = paths.collect();
        Ok((Verified { exit, paths }, report))
    }

    /// What the plugin says that Cilium needs for the tunnel.
    fn rendered(&self, format: &str) -> Result<String, Failure> {
        self.cluster.kubectl(&[
            "bigip-tunnel",
            "cilium",
            TUNNEL,
            "--namespace",
            NAMESPACE,
            "--output",
            format,
        ])
    }

    /// Configures Cilium with what the plugin renders, as a user would, and starts pods on its nodes. *Assumed* until it
    /// has run somewhere: that Cilium sends to an endpoint that is a pod of its own.
    fn real_pods(&self, chart: &[String]) -> Result<Target, Failure> {
        let values = self.cluster.folder().join("vtep.yaml");
        std::fs::write(&values, self.rendered("helm")?)
            .map_err(|error| Failure::failed("write a file", error))?;
        let values = values.to_string_lossy();
        let mut upgrade = vec!["helm", "upgrade", "cilium"];
        upgrade.extend(chart.iter().map(String::as_str));
        upgrade.extend(["--reuse-values", "--values", &values, "--wait", AGENTS_MAX]);
        self.cluster.run(&upgrade)?;
        for verb in [&["restart"][..], &["status", AGENTS_MAX]] {
            let (verb, options) = verb.split_first().unwrap_or((&"status", &[]));
            let agents = ["rollout", verb, "daemonset/cilium", "--namespace", SYSTEM];
            self.cluster.kubectl(&[&agents[..], options].concat())?;
        }
        let mut pods = [Ipv4Addr::UNSPECIFIED; 2];
        for (name, address) in PODS.into_iter().zip(&mut pods) {
            // It does nothing but live: the pod's own kernel answers.
            *address = self.start_pod(name, &["--address=$(POD_IP)".to_owned()])?;
        }
        let pod = self.cluster.get(&["pod", PODS[0], "--namespace", UNITS])?;
        Ok(Target {
            node: address(&pod, "/status/hostIP")?,
            pods,
        })
    }

    /// A node that is a pod, with the VTEP entries that the plugin renders.
    fn stand_in(&self) -> Result<Target, Failure> {
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG, "namespace": SYSTEM},
            "data": {"ipam": "kubernetes", "routing-mode": "tunnel", "tunnel-protocol": "vxlan"},
        });
        self.cluster.apply(&config.to_string())?;
        let rendered = self.rendered("configmap")?;
        let entries = vteps(&rendered, "vtep-")?;
        let values = self.rendered("helm")?;
        if vteps(&values, "")? != entries {
            return Err(Failure::Wrong(format!(
                "the plugin renders other entries for Helm than for the ConfigMap: {values}{rendered}"
            )));
        }
        let apply = "kubectl apply --server-side --force-conflicts --filename -";
        let apply: Vec<&str> = apply.split(' ').collect();
        self.cluster.feed(&apply, &rendered)?;
        let mut args = vec!["--address=$(POD_IP)".to_owned()];
        args.extend(entries.iter().map(|vtep| format!("--vtep={vtep}")));
        args.extend(ADDRESSES.map(|address| format!("--pod={address}")));
        let node = self.start_pod(STAND_IN, &args)?;
        self.add_node(NODE, &node.to_string())?;
        for (name, address) in PODS.into_iter().zip(ADDRESSES) {
            self.cluster.apply(&bound_pod(name).to_string())?;
            let patch = json!({"status": {
                "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                "conditions": [{"type": "Ready", "status": "True"}],
            }});
            let patch = patch.to_string();
            let words = [
                "patch",
                "pod",
                name,
                "--namespace",
                UNITS,
                "--subresource=status",
            ];
            let options = ["--type=merge", "--patch", &patch];
            self.cluster.kubectl(&[&words[..], &options].concat())?;
        }
        Ok(Target {
            node,
            pods: ADDRESSES,
        })
    }

    /// Starts a pod of the program `node-stand-in`. Returns its address, once the program listens.
    fn start_pod(&self, name: &str, args: &[String]) -> Result<Ipv4Addr, Failure> {
        let pod = stand_in_pod(name, self.simulator_image, args);
        self.cluster.apply(&pod.to_string())?;
        until(SHORT, &format!("{name} listens"), || {
            let log = self
                .cluster
                .kubectl(&["logs", name, "--namespace", UNITS])?;
            Ok(log.contains("listens"))
        })?;
        let pod = self.cluster.get(&["pod", name, "--namespace", UNITS])?;
        address(&pod, "/status/podIP")
    }

    /// Takes away what later steps do not need. No kubelet ends the pods of the stand-in.
    fn remove_stand_ins(&self) -> Result<(), Failure> {
        let pods = ["delete", "pods", PODS[0], PODS[1], "--namespace", UNITS];
        let options = ["--force", "--grace-period=0", "--wait=false"];
        self.cluster.kubectl(&[&pods[..], &options].concat())?;
        if self.cluster.cilium().is_none() {
            self.cluster
                .kubectl(&["delete", "configmap", CONFIG, "--namespace", SYSTEM])?;
        }
        Ok(())
    }
}

fn address(object: &Value, pointer: &str) -> Result<Ipv4Addr, Failure> {
    let found = text(object, pointer);
    let wrong = |_| Failure::Failed(format!("{pointer} is no IPv4 address: {found:?}"));
    found.parse().map_err(wrong)
}

/// The entries that were rendered, as the stand-in takes them. The keys of the lists begin with `prefix`.
fn vteps(rendered: &str, prefix: &str) -> Result<Vec<String>, Failure> {
    let list = |key: &str| -> Vec<&str> {
        let mut lines = rendered.lines().map(str::trim);
        let value = lines.find_map(|line| {
            let rest = line.strip_prefix(prefix)?.strip_prefix(key)?;
            rest.strip_prefix(": ")
        });
        let value = value.unwrap_or_default().trim_matches('"');
        value.split_whitespace().collect()
    };
    let (networks, endpoints, macs) = (list("cidr"), list("endpoint"), list("mac"));
    if networks.len() != 2 || endpoints.len() != 2 || macs.len() != 2 {
        let what = format!("not one VTEP entry for each of two units: {rendered}");
        return Err(Failure::Wrong(what));
    }
    let entries = networks.iter().zip(endpoints).zip(macs);
    let entry = |((network, endpoint), mac)| format!("{network}={endpoint}={mac}");
    Ok(entries.map(entry).collect())
}

/// A pod of the program, which keeps the policy `restricted`.
fn stand_in_pod(name: &str, image: &str, args: &[String]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": UNITS},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "node", "image": image, "imagePullPolicy": "IfNotPresent",
                "command": ["/node-stand-in"], "args": args,
                "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// A pod on the node that is a pod: no kubelet starts it, and the stand-in answers for it.
fn bound_pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": UNITS},
        "spec": {
            "nodeName": NODE, "automountServiceAccountToken": false,
            "containers": [{"name": "web", "image": "example.com/web:1"}],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENDERED: &str = "apiVersion: v1\nkind: ConfigMap\ndata:\n  enable-vtep: \"true\"\n  \
        vtep-endpoint: \"10.244.0.5 10.244.0.6\"\n  vtep-cidr: \"10.1.6.0/24 10.1.7.0/24\"\n  \
        vtep-mask: \"255.255.255.0\"\n  vtep-mac: \"00:94:a1:00:00:01 00:94:a1:00:01:01\"\n";

    #[test]
    fn rendered_entries_are_those_of_the_stand_in() {
        let wanted = [
            "10.1.6.0/24=10.244.0.5=00:94:a1:00:00:01",
            "10.1.7.0/24=10.244.0.6=00:94:a1:00:01:01",
        ];
        assert_eq!(vteps(RENDERED, "vtep-").unwrap(), wanted);
        let values = RENDERED.replace("vtep-", "");
        assert_eq!(vteps(&values, "").unwrap(), wanted);
    }

    #[test]
    fn lists_that_lack_an_entry_are_refused() {
        let short = RENDERED.replace(" 10.244.0.6", "");
        assert!(vteps(&short, "vtep-").is_err());
        assert!(vteps("", "vtep-").is_err());
    }
}
