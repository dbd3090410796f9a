//! Writes the reference of the command line: `clidoc`. With `--check` it compares instead.
//!
//! Called by `cargo xtask codegen` and by the checks; no part of the product.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Where the page lies, in the workspace.
const FILE: &str = "docs/reference/cli.md";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(std::io::stderr(), "clidoc: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let wanted = kubectl_bigip_tunnel::reference::markdown();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => Ok(std::fs::write(path, wanted)?),
        [argument] if argument == "--check" => {
            if std::fs::read_to_string(path).is_ok_and(|found| found == wanted) {
                return Ok(());
            }
            Err(format!("{FILE} is out of date; run `cargo xtask codegen`").into())
        }
        _ => Err("usage: clidoc [--check]".into()),
    }
}
