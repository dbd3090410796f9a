//! Writes the files that are made from the chart: `chartgen`. With `--check` it compares instead.
//!
//! Called by `cargo xtask codegen` and by the checks; no part of the product.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use bigip_tunnel_harness::binaries::tools::Tool;
use bigip_tunnel_harness::progress::to_stderr;
use bigip_tunnel_harness::{chart, paths};
use clap::Parser;

/// Writes the files that are made from the chart.
#[derive(Debug, Parser)]
struct Args {
    /// Only compare, and fail if a file is not as it would be written.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            to_stderr(&format!("chartgen: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let (file, wanted) = ("docs/reference/helm-values.md", values_reference()?);
    let path: PathBuf = paths::workspace_root().join(file);
    if !args.check {
        std::fs::write(path, &wanted)?;
    } else if !std::fs::read_to_string(path).is_ok_and(|found| found == wanted) {
        return Err(format!("{file} is out of date; run `cargo xtask codegen`").into());
    }
    Ok(())
}

/// All values with their defaults and comments, by helm-docs.
fn values_reference() -> Result<String, Box<dyn Error>> {
    let output = Command::new(Tool::HelmDocs.path(&to_stderr)?)
        .args(["--dry-run", "--skip-version-footer", "--log-level=warning"])
        .args([
            "--sort-values-order=file",
            "--template-files=values.md.gotmpl",
        ])
        // Of the chart itself, not of the one inside.
        .arg("--chart-to-generate=.")
        .current_dir(chart::folder())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("helm-docs failed; its message is above".into());
    }
    let text = String::from_utf8(output.stdout)?.trim().to_owned() + "\n";
    // What it cannot read it leaves out without failing.
    if !text.contains("| `watchNamespaces` |") {
        return Err("helm-docs could not read the chart; its message is above".into());
    }
    match text.lines().find(|line| line.ends_with("|  |")) {
        Some(line) => Err(format!("a value has no comment: {line}").into()),
        None => Ok(text),
    }
}
