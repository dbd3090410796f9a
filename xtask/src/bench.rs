//! `cargo xtask bench`: builds what is measured as it is shipped, and becomes the bench.

use crate::step::{Failure, Step, built_programs};

/// Builds with visible progress, then measures in this process, which gets Ctrl-C itself.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let shipped = [
        "build",
        "--release",
        "--package=bigip-tunnel-operator",
        "--package=kubectl-bigip-tunnel",
        "--bins",
    ];
    Step::cargo("build", &shipped).run()?;
    let harness = ["build", "--package=bigip-tunnel-harness", "--bins"];
    Step::cargo("build", &harness).run()?;
    let programs = built_programs()?;
    let release = programs.join("../release");
    let release = format!("--release={}", release.display());
    let mut all = vec![release.as_str()];
    all.extend(args.iter().map(String::as_str));
    let bench = Step::built("bench", "bench", &all)?;
    Err(bench.env("BIGIP_TUNNEL_BINARIES", programs).exec())
}
