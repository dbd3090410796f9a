//! `cargo xtask demo`: builds what the demo runs and becomes it.

use std::path::PathBuf;

use clap::Args;

use crate::step::{Failure, Step, built_programs};

/// What is shown.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave everything running until Ctrl-C, and print how to reach it.
    #[arg(long)]
    keep: bool,
    /// Show one fault, how it is found and how it is mended: auth, cert, drift, mass or cilium.
    #[arg(long = "break", value_name = "FAULT")]
    fault: Option<String>,
    /// Start the parts without a tunnel, for the tutorial; what a shell needs is written into this folder.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "target/lab")]
    lab: Option<PathBuf>,
}

/// Builds with visible progress, then runs the demo in this process, which gets Ctrl-C itself.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let build = [
        "build",
        "--package=bigip-tunnel-operator",
        "--package=kubectl-bigip-tunnel",
        "--package=bigip-tunnel-harness",
        "--bins",
    ];
    Step::cargo("build", &build).run()?;
    let mut demo = Step::built("demo", "demo", &[])?;
    if options.keep {
        demo = demo.arg("--keep");
    }
    if let Some(fault) = options.fault {
        demo = demo.arg("--break").arg(fault);
    }
    if let Some(folder) = options.lab {
        demo = demo.arg("--lab").arg(folder);
    }
    Err(demo.env("BIGIP_TUNNEL_BINARIES", built_programs()?).exec())
}
