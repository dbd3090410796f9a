//! The provider `kind`: a cluster of one node with the stock image, with or without Cilium.
//!
//! It must not know what the cluster is for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bigip_tunnel_harness::progress::to_stderr;
use tempfile::TempDir;

use crate::Failure;
use crate::cluster::Access;

/// The releases that this is for.
const NODE_IMAGE: &str = "kindest/node:v1.35.0";
/// The first of 1.18 that answers ARP of a BIG-IP (cilium#44453).
const CILIUM_VERSION: &str = "1.18.8";
const NAME: &str = "bigip-tunnel-e2e";

/// One node, so that every pod is where commands on the node run.
const CONFIG: &str =
    "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: [{role: control-plane}]\n";
const NO_NETWORK: &str = "networking: {disableDefaultCNI: true}\n";

/// What Helm installs.
const CILIUM_CHART: [&str; 7] = [
    "cilium",
    "--repo",
    "https://helm.cilium.io",
    "--version",
    CILIUM_VERSION,
    "--namespace",
    "kube-system",
];
/// Without VTEP entries: the body sets those that the plugin renders.
const CILIUM_VALUES: [&str; 2] = ["ipam.mode=kubernetes", "operator.replicas=1"];

/// A cluster of kind. It is deleted when this value goes.
#[derive(Debug)]
pub(crate) struct Kind {
    folder: TempDir,
    has_cilium: bool,
}

impl Kind {
    /// Creates it and loads the images.
    pub(crate) fn create(images: &Path, with_cilium: bool) -> Result<Self, Failure> {
        for program in ["docker", "kind", "helm", "kubectl"] {
            let found = Command::new(program)
                .arg("version")
                .stdout(Stdio::null())
                .status();
            if found.is_err() {
                return Err(Failure::NotRun(format!(
                    "a cluster of kind needs {program}"
                )));
            }
        }
        let folder = tempfile::Builder::new()
            .prefix("bigip-tunnel-e2e-kind-")
            .tempdir()
            .map_err(|error| Failure::failed("make a folder", error))?;
        let config = folder.path().join("kind.yaml");
        let text = if with_cilium {
            [CONFIG, NO_NETWORK].concat()
        } else {
            CONFIG.to_owned()
        };
        std::fs::write(&config, text).map_err(|error| Failure::failed("write a file", error))?;
        let kind = Self {
            folder,
            has_cilium: with_cilium,
        };
        let config = config.to_string_lossy();
        kind.run(&[
            "kind", "create", "cluster", "--name", NAME, "--image", NODE_IMAGE, "--config", &config,
        ])?;
        for image in ["operator.tar", "simulator.tar"] {
            let archive = images.join(image);
            kind.run(&[
                "kind",
                "load",
                "image-archive",
                &archive.to_string_lossy(),
                "--name",
                NAME,
            ])?;
        }
        if with_cilium {
            kind.install_cilium()?;
        }
        kind.run(&[
            "kubectl",
            "wait",
            "nodes",
            "--all",
            "--for=condition=Ready",
            "--timeout=5m",
        ])?;
        Ok(kind)
    }

    pub(crate) fn access(&self) -> Access {
        let node = ["docker", "exec", &format!("{NAME}-control-plane")].map(str::to_owned);
        Access {
            kubeconfig: self.kubeconfig(),
            inside: Vec::new(),
            folder: Some(self.folder.path().to_owned()),
            node: Some(node.to_vec()),
            cilium: self
                .has_cilium
                .then(|| CILIUM_CHART.map(str::to_owned).to_vec()),
        }
    }

    fn install_cilium(&self) -> Result<(), Failure> {
        let mut words = vec!["helm", "install", "cilium"];
        words.extend(CILIUM_CHART);
        for value in CILIUM_VALUES {
            words.extend(["--set", value]);
        }
        words.extend(["--wait", "--timeout", "10m"]);
        self.run(&words)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn run(&self, words: &[&str]) -> Result<(), Failure> {
        to_stderr(&words.join(" "));
        let (program, args) = words.split_first().unwrap_or((&"true", &[]));
        let status = Command::new(program)
            .args(args)
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null())
            .status()
            .map_err(|error| Failure::failed(&format!("run {program}"), error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "`{}` failed: {status}",
            words.join(" ")
        )))
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        // What cannot be deleted is said by kind itself.
        let _ = self.run(&["kind", "delete", "cluster", "--name", NAME]);
    }
}
