//! `cargo xtask demo`: builds what the demo runs and becomes it.

use crate::step::{Failure, Step, built_programs};

/// Builds with visible progress, then runs the demo in this process, which gets Ctrl-C itself.
pub(crate) fn run(keep: bool) -> Result<(), Failure> {
    let build = [
        "build",
        "--package=bigip-tunnel-operator",
        "--package=kubectl-bigip-tunnel",
        "--package=bigip-tunnel-harness",
        "--bins",
    ];
    Step::cargo("build", &build).run()?;
    let args: &[&str] = if keep { &["--keep"] } else { &[] };
    let demo = Step::built("demo", "demo", args)?;
    Err(demo.env("BIGIP_TUNNEL_BINARIES", built_programs()?).exec())
}
