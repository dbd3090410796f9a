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
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{sleep, spawn};
use std::time::Duration;

use bigip_tunnel_harness::paths::workspace_root;
use bigip_tunnel_image::{Options as ImageOptions, build};
use clap::Args;

use super::cgroups::Cgroups;
use crate::Failure;

/// The images, in the folder of the node.
const IMAGES: &str = "images";
const INTERVAL: Duration = Duration::from_millis(50);
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
    let lifeline = watch_stdin();
    let cgroups = Cgroups::create(std::process::id()).map_err(failed)?;
    let kept = lay_out(options).and_then(|()| {
        start(options, &cgroups)
            .and_then(|child| keep(child, &lifeline))
            .map_err(failed)
    });
    let removed = cgroups.remove();
    // What the kernel still holds on to for a moment is tried once more.
    let cleared = fs::remove_dir_all(&options.folder).or_else(|_| {
        sleep(INTERVAL);
        fs::remove_dir_all(&options.folder)
    });
    kept.and(removed.and(cleared).map_err(failed))
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
        .arg(&options.control_plane)
        .arg(options.folder.join(IMAGES))
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

/// Makes the image of a foreign program.
fn archive(name: &str, programs: &Path, folder: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed("make an image", error);
    let layout = build(&ImageOptions {
        name: format!("localhost/{name}:1"),
        program: programs.join(name),
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
