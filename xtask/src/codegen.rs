//! `cargo xtask codegen`: the generator is a program of the crate that owns the types.

use crate::step::Step;

/// Writes the generated files, or compares them.
pub(crate) fn step(check: bool) -> Step {
    let mut args = vec![
        "run",
        "--quiet",
        "--package",
        "bigip-tunnel-crds",
        "--bin",
        "crdgen",
        "--",
    ];
    if check {
        args.push("--check");
    }
    Step::cargo("codegen", &args)
}
