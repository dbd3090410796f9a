//! Writes the CRD's YAML beside this crate's manifest: `crdgen`. With `--check` it compares instead.
//!
//! Called by `cargo xtask codegen` and by the checks; no part of the product.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use bigip_tunnel_crds::schema;

const FILE: &str = "bigiptunnels.bigip-tunnel.dev.yaml";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(std::io::stderr(), "crdgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let wanted = schema::yaml()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => Ok(std::fs::write(path, wanted)?),
        [argument] if argument == "--check" => {
            if std::fs::read_to_string(path).is_ok_and(|found| found == wanted) {
                Ok(())
            } else {
                Err(format!("crds/{FILE} is out of date; run `cargo xtask codegen`").into())
            }
        }
        _ => Err("usage: crdgen [--check]".into()),
    }
}
