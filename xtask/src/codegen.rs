//! `cargo xtask codegen`: the generators are programs of the crates that own what is generated.

use crate::step::Step;

/// Packages and their generators. The last one builds its tools with Go the first time.
const GENERATORS: [(&str, &str); 3] = [
    ("bigip-tunnel-crds", "crdgen"),
    ("kubectl-bigip-tunnel", "clidoc"),
    ("bigip-tunnel-harness", "chartgen"),
];

/// Writes the generated files, or compares them.
pub(crate) fn steps(check: bool) -> Vec<Step> {
    let step = |(package, generator): (&str, &str)| {
        let mut args = vec![
            "run",
            "--quiet",
            "--package",
            package,
            "--bin",
            generator,
            "--",
        ];
        if check {
            args.push("--check");
        }
        Step::cargo("codegen", &args)
    };
    GENERATORS.map(step).into()
}
