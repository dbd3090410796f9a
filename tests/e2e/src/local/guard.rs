//! The process that owns a local node: starts it, and removes every trace when standard input closes, which it does
//! however the process at the other end ended.
//!
//! Processes, mounts and interfaces live in namespaces that end with the node's first process, and that one ends with
//! this process. Cgroups and the folder are removed by hand; if this process is killed, by the next run.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{sleep, spawn};
use std::time::Duration;

use bigip_tunnel_harness::paths::workspace_root;
use clap::Args;

use super::cgroups::Cgroups;
use crate::Failure;

const INTERVAL: Duration = Duration::from_millis(50);
/// Moves itself into the cgroups that come before `--`, then becomes the command behind it.
const MOVE: &str =
    r#"while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@""#;

/// What the node is made of.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Folder of the node, which is removed at the end.
    folder: PathBuf,
    /// Programs of the node.
    programs: PathBuf,
    /// Programs of the control plane.
    control_plane: PathBuf,
    /// Archives of images.
    images: PathBuf,
}

/// Runs the node until standard input closes or the node ends.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::failed("keep the local node", error);
    let lifeline = watch_stdin();
    let cgroups = Cgroups::create(std::process::id()).map_err(failed)?;
    let kept = start(options, &cgroups).and_then(|child| keep(child, &lifeline));
    let removed = cgroups.remove();
    // What the kernel still holds on to for a moment is tried once more.
    let cleared = fs::remove_dir_all(&options.folder).or_else(|_| {
        sleep(INTERVAL);
        fs::remove_dir_all(&options.folder)
    });
    kept.and(removed).and(cleared).map_err(failed)
}

fn start(options: &Options, cgroups: &Cgroups) -> io::Result<Child> {
    Command::new("bash")
        .args(["-c", MOVE, "bash"])
        .args(cgroups.folders())
        // When this process is killed, unshare is; with that its child, the first process of the node; with that
        // everything in its namespaces.
        .args(["--", "setpriv", "--pdeathsig", "KILL", "--", "unshare"])
        .args(["--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"])
        .args(["--fork", "--kill-child", "--propagation", "private", "bash"])
        .arg(workspace_root().join("tests/e2e/local/node.sh"))
        .args([&options.folder, &options.programs])
        .args([&options.control_plane, &options.images])
        // The node ends with this pipe, too.
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
}

fn keep(mut child: Child, lifeline: &Receiver<()>) -> io::Result<()> {
    loop {
        if child.try_wait()?.is_some() {
            return Err(io::Error::other("it ended"));
        }
        if lifeline.try_recv() != Err(TryRecvError::Empty) {
            child.kill()?;
            child.wait()?;
            return Ok(());
        }
        sleep(INTERVAL);
    }
}

/// Tells when standard input has ended.
fn watch_stdin() -> Receiver<()> {
    let (ended, watch) = channel();
    spawn(move || {
        // An error ends it as much as the end does.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    watch
}
