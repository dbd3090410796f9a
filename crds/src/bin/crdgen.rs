//! Writes the CRD's YAML beside this crate's manifest and into the chart: `crdgen`. With `--check` it
//! compares instead.
//!
//! Called by `cargo xtask codegen` and by the checks; no part of the product.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use bigip_tunnel_crds::schema;

/// Where the YAML lies, in the workspace: a chart cannot reach beyond its own folder.
const FILES: [&str; 2] = [
    "crds/bigiptunnels.bigip-tunnel.dev.yaml",
    "charts/bigip-tunnel-operator/charts/bigip-tunnel-crds/files/bigiptunnels.bigip-tunnel.dev.yaml",
];

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
    let wanted = schema::yaml()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = match arguments.as_slice() {
        [] => false,
        [argument] if argument == "--check" => true,
        _ => return Err("usage: crdgen [--check]".into()),
    };
    for file in FILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        if !check {
            std::fs::write(path, &wanted)?;
        } else if !std::fs::read_to_string(path).is_ok_and(|found| found == wanted) {
            return Err(format!("{file} is out of date; run `cargo xtask codegen`").into());
        }
    }
    Ok(())
}
