//! `cargo xtask test`: the same for contributors and for continuous integration.

use std::io::{self, Write as _};
use std::time::Instant;

use crate::step::{Failure, Step, built_programs};

/// Runs every step up to the first that fails, and says how long each took.
pub(crate) fn run() -> Result<(), Failure> {
    let mut out = io::stderr();
    let mut took = Vec::new();
    let mut result = Ok(());
    for step in steps()? {
        let name = step.name;
        writeln!(out, "--- {name}: {step}")?;
        let started = Instant::now();
        result = step.run();
        took.push((name, started.elapsed().as_secs_f64(), result.is_ok()));
        if result.is_err() {
            break;
        }
    }
    writeln!(out, "---")?;
    for (name, seconds, is_ok) in took {
        writeln!(
            out,
            "{seconds:8.1} s  {} {name}",
            if is_ok { "ok    " } else { "FAILED" }
        )?;
    }
    result
}

/// Cheap ones first.
fn steps() -> Result<Vec<Step>, Failure> {
    let programs = built_programs()?;
    Ok(vec![
        Step::cargo("format", &["fmt", "--all", "--check"]),
        Step::cargo(
            "lints",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ],
        ),
        // With the tests, so that both share one set of features and nothing is built twice.
        Step::cargo("build", &["build", "--workspace", "--all-targets"]),
        Step::built("generated files", "crdgen", &["--check"])?,
        Step::built("reference of the plugin", "clidoc", &["--check"])?,
        Step::built("foreign programs", "control-plane", &["prepare"])?,
        Step::built("files of the chart", "chartgen", &["--check"])?,
        Step::cargo("tests", &["test", "--workspace"]).env("BIGIP_TUNNEL_BINARIES", programs),
    ])
}
