//! The process that owns a local node: starts it, and removes every trace when standard input closes, which it does
//! however the process at the other end ended.
//!
//! Processes, mounts and interfaces live in namespaces that end with the node's first process, and that one ends with
//! this process. Cgroups and the folder are removed by hand; if this process is killed, by the next run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bigip_sim::shutdown::Shutdown;
use bigip_tunnel_harness::paths::workspace_root;
use bigip_tunnel_harness::wait::{Answer, eventually_blocking};
use bigip_tunnel_image::{Options as ImageOptions, build};
use clap::Args;
use tokio::process::Command;
use tokio::runtime::Builder;

use super::cgroups::Cgroups;
use crate::Failure;

/// The images, in the folder of the node.
const IMAGES: &str = "images";
/// How long removing the folder may take, and how often it is tried.
const CLEARING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(50));
/// Moves itself into the cgroups that come before `--`, then becomes the command behind it.
const MOVE: &str =
    r#"while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@""#;

/// What the node is made of.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Folder of the node, which is made, and removed at the end.
    folder: PathBuf,
    /// Programs of the node.
    programs: PathBuf,
    /// Programs of the control plane.
    control_plane: PathBuf,
    /// Folder with the images of the product.
    images: PathBuf,
}

/// Runs the node until standard input closes or the node ends.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::failed("keep the local node", error);
    // Of one thread: the node ends with the thread that has started it.
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let lifeline = {
        let _entered = runtime.enter();
        Shutdown::watch(true).map_err(failed)?
    };
    let cgroups = Cgroups::create(std::process::id()).map_err(failed)?;
    let kept = lay_out(options).and_then(|()| {
        runtime
            .block_on(keep(node(options, &cgroups), lifeline))
            .map_err(failed)
    });
    let removed = cgroups.remove().map_err(failed);
    // The kernel holds on to some of it for a moment.
    let cleared = eventually_blocking("the folder of the node is removed", CLEARING, || {
        Ok(match fs::remove_dir_all(&options.folder) {
            Ok(()) => Answer::Done(()),
            Err(error) => Answer::NotYet(error.to_string()),
        })
    });
    kept.and(removed).and(cleared)
}

/// Makes the folder, with all images in it.
fn lay_out(options: &Options) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::failed("prepare the local node", error);
    let archives = options.folder.join(IMAGES);
    fs::create_dir(&options.folder)
        .and_then(|()| fs::create_dir(&archives))
        .map_err(failed)?;
    for name in ["operator.tar", "simulator.tar"] {
        let image = fs::canonicalize(options.images.join(name))
            .map_err(|error| Failure::failed(&format!("find the image {name}"), error))?;
        symlink(image, archives.join(name)).map_err(failed)?;
    }
    for name in ["pause", "coredns"] {
        archive(name, &options.programs, &archives)?;
    }
    Ok(())
}

/// The first process of the node.
fn node(options: &Options, cgroups: &Cgroups) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", MOVE, "bash"])
        .args(cgroups.folders())
        // When this process is killed, unshare is; with that its child, the first process of the node; with that
        // everything in its namespaces.
        .args(["--", "setpriv", "--pdeathsig", "KILL", "--", "unshare"])
        .args(["--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"])
        .args(["--fork", "--kill-child", "--propagation", "private", "bash"])
        .arg(workspace_root().join("tests/e2e/local/node.sh"))
        .args([&options.folder, &options.programs])
        .arg(&options.control_plane)
        .arg(options.folder.join(IMAGES))
        // The node ends with this pipe, too.
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    command
}

async fn keep(mut node: Command, lifeline: Shutdown) -> io::Result<()> {
    let mut child = node.spawn()?;
    // Waiting for a child closes its standard input, with which the node ends.
    let stdin = child.stdin.take();
    let kept = tokio::select! {
        ended = child.wait() => Err(io::Error::other(format!("it ended: {}", ended?))),
        () = lifeline.requested() => child.kill().await,
    };
    drop(stdin);
    kept
}

/// Makes the image of a foreign program.
fn archive(name: &str, programs: &Path, folder: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed("make an image", error);
    let layout = build(&ImageOptions {
        name: format!("localhost/{name}:1"),
        program: programs.join(name),
        also: Vec::new(),
        ports: Vec::new(),
        labels: BTreeMap::new(),
    })
    .map_err(|error| failed(&error))?;
    let file =
        fs::File::create(folder.join(format!("{name}.tar"))).map_err(|error| failed(&error))?;
    layout
        .archive(io::BufWriter::new(file))
        .map_err(|error| failed(&error))
}
