//! `cargo xtask bench`: builds what is measured as it is shipped, and becomes the bench.

use crate::step::{Failure, Step, built_programs};

/// Builds with visible progress, then measures in this process, which gets Ctrl-C itself.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let shipped = [
        "build",
        "--release",
        "--package=bigip-tunnel-operator",
        "--package=kubectl-bigip-tunnel",
        // With the simulated devices inside: a slow one would be measured too.
        "--package=bigip-tunnel-harness",
        "--bins",
    ];
    Step::cargo("build", &shipped).run()?;
    let release = built_programs()?.join("../release");
    let folder = format!("--release={}", release.display());
    let mut all = vec![folder.as_str()];
    all.extend(args.iter().map(String::as_str));
    let bench = Step::program("bench", release.join("bench"), all);
    Err(bench.env("BIGIP_TUNNEL_BINARIES", release).exec())
}
