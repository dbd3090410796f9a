//! Linters: kept in the cache of foreign programs, fetched anew when what pins them has changed.
//!
//! It must not know what they look at.

use std::io;
use std::path::{Path, PathBuf};

use crate::cache::{Cache, prepared};
use crate::step::{Failure, Step};

/// The linters that could be had.
#[derive(Debug)]
pub(super) struct Tools {
    /// The linter of workflows.
    pub(super) actionlint: Option<PathBuf>,
    /// Where programs from wheels lie.
    wheels: Option<PathBuf>,
}

/// A linter that comes as a wheel of Python, with the program inside.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wheel {
    /// Of Dockerfiles.
    Hadolint,
    /// Of shell scripts.
    Shellcheck,
    /// Of what workflows are allowed to do.
    Zizmor,
}

impl Tools {
    /// Those that could be had, and for each of the others why it could not.
    pub(super) fn prepare(root: &Path) -> io::Result<(Self, Vec<String>)> {
        let cache = Cache::lock(root)?;
        let mut missing = Vec::new();
        let mut had = |what: &str, folder: Result<PathBuf, Failure>| {
            folder
                .inspect_err(|why| missing.push(format!("{what} cannot be had: {why}")))
                .ok()
        };
        let module = root.join("tests/tools/actionlint");
        let go = prepared(
            &cache.folder.join("actionlint"),
            &module.join("go.sum"),
            |folder| vec![build(&module, &folder.join("actionlint"))],
        );
        let pins = root.join("tests/tools/lint.txt");
        let wheels = prepared(&cache.folder.join("lint-wheels"), &pins, |folder| {
            install(folder, &pins)
        });
        let tools = Self {
            actionlint: had("actionlint", go).map(|folder| folder.join("actionlint")),
            wheels: had("hadolint, shellcheck, zizmor", wheels).map(|folder| folder.join("bin")),
        };
        Ok((tools, missing))
    }

    /// A program, if it could be had.
    pub(super) fn wheel(&self, wheel: Wheel) -> Option<PathBuf> {
        let name = match wheel {
            Wheel::Hadolint => "hadolint",
            Wheel::Shellcheck => "shellcheck",
            Wheel::Zizmor => "zizmor",
        };
        Some(self.wheels.as_ref()?.join(name))
    }
}

/// Builds it from its Go module, whose `go.sum` pins every source file.
fn build(module: &Path, program: &Path) -> Step {
    let args = [
        "build",
        "-mod=readonly",
        "-trimpath",
        "-ldflags=-s -w",
        "-o",
    ];
    Step::program("building actionlint with Go", "go", args)
        .arg(program)
        .arg("github.com/rhysd/actionlint/cmd/actionlint")
        .current_dir(module)
        .env("CGO_ENABLED", "0")
}

/// Installs into a Python environment of their own, by the hashes of the list.
fn install(folder: &Path, pins: &Path) -> Vec<Step> {
    let name = "installing linters with pip";
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    vec![
        Step::program(name, "python3", ["-m", "venv"]).arg(folder),
        Step::program(name, folder.join("bin/python"), pip)
            .arg("--require-hashes")
            .arg("--only-binary=:all:")
            .arg("--requirement")
            .arg(pins),
    ]
}
