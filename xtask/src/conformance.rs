//! `cargo xtask conformance`: becomes the program that asks a BIG-IP.

use crate::step::{Failure, Step};

/// Becomes the program, so that its exit code and the terminal are its own. Returns only if that fails.
pub(crate) fn run(args: &[String]) -> Failure {
    let mut command = vec![
        "run",
        "--quiet",
        "--package=bigip-sim",
        "--bin=bigip-conformance",
        "--",
    ];
    command.extend(args.iter().map(String::as_str));
    Step::cargo("conformance", &command).exec()
}
