//! The provider `local`: a lean Kubernetes node in namespaces of its own. `node.sh` is the node; here it is started, and
//! reached.
//!
//! It must not know what the cluster is for.

mod cgroups;
pub(crate) mod guard;
pub(crate) mod kill;

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use bigip_tunnel_harness::binaries::{self, Binaries, BinariesError, node};
use bigip_tunnel_harness::progress::to_stderr;
use bigip_tunnel_harness::wait::{Answer, eventually_blocking};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Failure;
use crate::cluster::Access;

/// What the machine has to bring; everything else is built.
const PROGRAMS: [&str; 9] = [
    "containerd",
    "ctr",
    "runc",
    "iptables",
    "ip",
    "openssl",
    "setpriv",
    "unshare",
    "nsenter",
];
/// How long the node may take; usual are 10 s on two idle cores.
const READY_TIMEOUT: Duration = Duration::from_secs(240);
const READY_INTERVAL: Duration = Duration::from_millis(100);
/// What the folder of a node is called, in front of letters of its own.
const PREFIX: &str = "bigip-tunnel-e2e-node-";

/// Says what this machine lacks for a local node.
pub(crate) fn check_machine() -> Result<(), Failure> {
    let mut lacks = Vec::new();
    if !cfg!(target_os = "linux") {
        lacks.push("Linux".to_owned());
    }
    if !rustix::process::geteuid().is_root() {
        lacks.push("root".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let is_there = |name: &str| folders.iter().any(|folder| folder.join(name).is_file());
    lacks.extend(
        PROGRAMS
            .iter()
            .filter(|name| !is_there(name))
            .map(|name| (*name).to_owned()),
    );
    lacks.extend(cgroups::lacking().map(|name| format!("the cgroup v1 hierarchy {name}")));
    if lacks.is_empty() {
        return Ok(());
    }
    Err(Failure::NotRun(format!(
        "a local node needs {}",
        lacks.join(", ")
    )))
}

/// A running node. Every trace of it goes with this value, and with this process however that ends.
#[derive(Debug)]
pub(crate) struct World {
    folder: PathBuf,
    guard: Child,
    /// The guard keeps the node until this pipe closes.
    lifeline: Option<ChildStdin>,
    /// The first process of the node, by its id outside.
    init: String,
}

impl World {
    /// Starts a node that has the images of this folder, and waits until it is ready.
    pub(crate) fn start(images: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::failed("prepare the local node", error);
        let (programs, control_plane) = prepare()?;
        let control_plane = control_plane
            .kube_apiserver
            .parent()
            .unwrap_or(Path::new("/"));
        cgroups::remove_left_over();
        let images = fs::canonicalize(images).map_err(failed)?;
        // The guard makes the folder and removes it: this process may be killed at any moment.
        let folder = std::env::temp_dir().join(format!("{PREFIX}{:016x}", fastrand::u64(..)));
        let this = std::env::current_exe().map_err(failed)?;
        let mut guard = Command::new(this)
            .arg("guard")
            .args([&folder, &programs])
            .arg(control_plane)
            .arg(images)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Ctrl-C is for this process; the guard cleans up.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let mut world = Self {
            folder,
            lifeline: guard.stdin.take(),
            guard,
            init: String::new(),
        };
        world.until_ready()?;
        Ok(world)
    }

    /// How to reach the cluster. From here on this process is in the node's network.
    pub(crate) fn access(&self) -> Result<Access, Failure> {
        let failed = |error: io::Error| Failure::failed("enter the node's network", error);
        let network = fs::File::open(format!("/proc/{}/ns/net", self.init)).map_err(failed)?;
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|error| failed(error.into()))?;
        let enter = |namespaces: &[&str]| {
            let start = ["nsenter", "--target", &self.init];
            let words = start.iter().chain(namespaces).chain(&["--"]);
            words.map(|word| (*word).to_owned()).collect()
        };
        Ok(Access {
            kubeconfig: self.folder.join("kubeconfig"),
            inside: enter(&["--net", "--pid"]),
            folder: Some(self.folder.clone()),
            node: Some(enter(&[
                "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup",
            ])),
            cilium: None,
        })
    }

    fn until_ready(&mut self) -> Result<(), Failure> {
        let ready = self.folder.join("ready");
        let what = "the local node is ready (its messages are above)";
        eventually_blocking(what, (READY_TIMEOUT, READY_INTERVAL), || {
            if ready.exists() {
                return Ok(Answer::Done(()));
            }
            let ended = self.guard.try_wait();
            match ended.map_err(|error| Failure::failed("watch the node", error))? {
                None => Ok(Answer::NotYet("not yet".to_owned())),
                Some(status) => Err(Failure::Failed(format!(
                    "the local node ended before it was ready: {status}; its messages are above"
                ))),
            }
        })?;
        let init = fs::read_to_string(self.folder.join("init"))
            .map_err(|error| Failure::failed("find the node's first process", error))?;
        init.trim().clone_into(&mut self.init);
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.guard.wait();
    }
}

/// Finds, fetches or builds the foreign programs: those of the node, and those of the control plane.
fn prepare() -> Result<(PathBuf, Binaries), Failure> {
    let failed = |error: BinariesError| Failure::Failed(error.to_string());
    let programs = node::programs(&to_stderr).map_err(failed)?;
    let control_plane = binaries::locate(&to_stderr).map_err(failed)?;
    Ok((programs, control_plane))
}
