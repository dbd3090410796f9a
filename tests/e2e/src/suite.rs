//! The integration tests that share one API server, on the API server of a cluster with real nodes and controllers.
//!
//! They ask a program `control-plane` for an API server. The one that they get here tells of the cluster that is there.
//! It must not know what the tests are about.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use bigip_tunnel_harness::paths::workspace_root;
use serde_json::{Value, json};

use crate::Failure;
use crate::cluster::Cluster;

/// The tests that look at their own namespace only. Others own a control plane, since they are about all nodes of a
/// cluster, or break it.
const TESTS: [&str; 10] = [
    "converge::",
    "ownership::",
    "drift::",
    "devices::",
    "pausing::",
    "saving::",
    "sessions::",
    "tls::",
    "former::",
    "sharing::",
];
/// What the tests run beside the control plane.
const PROGRAMS: [&str; 3] = ["bigip-tunnel-operator", "kubectl-bigip_tunnel", "bigip-sim"];
/// Tells of the cluster, and ends with standard input. What else it is asked for, the real one does.
const CONTROL_PLANE: &str = "#!/bin/sh
here=$(dirname \"$0\")
[ $# -eq 0 ] || exec \"$here/supervisor\" \"$@\"
cat \"$here/announcement\"
exec cat >/dev/null
";

/// Runs them. The definition of the resource is left there.
pub(crate) fn run(cluster: &Cluster) -> Result<(), Failure> {
    let root = workspace_root();
    let definition = root.join("crds/bigiptunnels.bigip-tunnel.dev.yaml");
    cluster.kubectl(&[
        "apply",
        "--server-side",
        "--filename",
        &definition.to_string_lossy(),
    ])?;
    let established = [
        "wait",
        "crd/bigiptunnels.bigip-tunnel.dev",
        "--for=condition=Established",
    ];
    cluster.kubectl(&established)?;
    let view = cluster.kubectl(&["config", "view", "--minify", "--output", "json"])?;
    let view: Value =
        serde_json::from_str(&view).map_err(|error| Failure::failed("read JSON", error))?;
    let announcement = json!({
        "kubeconfig": cluster.kubeconfig(),
        "server": view.pointer("/clusters/0/cluster/server"),
        "source": "a cluster with nodes",
    });
    let programs = cluster.folder().join("programs");
    lay_out(&programs, &announcement)
        .map_err(|error| Failure::failed("lay out the programs", error))?;
    let manifest = root.join("Cargo.toml");
    let programs = format!("BIGIP_TUNNEL_BINARIES={}", programs.display());
    let manifest = format!("--manifest-path={}", manifest.display());
    let mut words = vec![
        "env",
        &programs,
        "cargo",
        "test",
        "--offline",
        "--workspace",
        "--test",
        "it",
        &manifest,
        "--",
    ];
    words.extend(TESTS);
    cluster.run(&words).map(drop)
}

fn lay_out(folder: &Path, announcement: &Value) -> io::Result<()> {
    let this = std::env::current_exe()?;
    let built = this.parent().unwrap_or(Path::new("/"));
    fs::create_dir(folder)?;
    for program in PROGRAMS {
        symlink(built.join(program), folder.join(program))?;
    }
    symlink(built.join("control-plane"), folder.join("supervisor"))?;
    fs::write(folder.join("announcement"), format!("{announcement}\n"))?;
    let script = folder.join("control-plane");
    fs::write(&script, CONTROL_PLANE)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
}
