//! Linters: kept in the cache of foreign programs, fetched anew when what pins them has changed.
//!
//! It must not know what they look at.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

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
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let cache = root.join(target).join("tools");
        fs::create_dir_all(&cache)?;
        // One process at a time fills the cache. The lock goes with the file handle.
        let lock = File::create(cache.join(".lint.lock"))?;
        lock.lock()?;

        let mut missing = Vec::new();
        let mut had = |what: &str, folder: Result<PathBuf, Failure>| {
            folder
                .inspect_err(|why| missing.push(format!("{what} cannot be had: {why}")))
                .ok()
        };
        let module = root.join("tests/tools/actionlint");
        let go = prepared(
            &cache.join("actionlint"),
            &module.join("go.sum"),
            |folder| vec![build(&module, &folder.join("actionlint"))],
        );
        let pins = root.join("tests/tools/lint.txt");
        let wheels = prepared(&cache.join("lint-wheels"), &pins, |folder| {
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

/// A folder that was filled by what `pins` holds now: as it is there, or filled anew.
fn prepared(
    folder: &Path,
    pins: &Path,
    install: impl FnOnce(&Path) -> Vec<Step>,
) -> Result<PathBuf, Failure> {
    let wanted = fs::read(pins)?;
    // Written last: a folder without it was left half filled.
    let mark = folder.join("pins");
    if fs::read(&mark).is_ok_and(|had| had == wanted) {
        return Ok(folder.to_owned());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for step in install(folder) {
        writeln!(io::stderr(), "--- {}", step.name)?;
        step.run()?;
    }
    fs::write(mark, wanted)?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A cache and pins of a test's own.
    struct World {
        temporary: tempfile::TempDir,
        installations: Cell<u32>,
    }

    impl World {
        fn new() -> Self {
            let temporary = tempfile::tempdir().unwrap();
            fs::write(temporary.path().join("pins"), "tool 1").unwrap();
            Self {
                temporary,
                installations: Cell::new(0),
            }
        }

        fn pin(&self, text: &str) {
            fs::write(self.temporary.path().join("pins"), text).unwrap();
        }

        /// Prepares a tool whose installation is the run of `program`.
        fn prepare(&self, program: &str) -> Result<PathBuf, Failure> {
            let root = self.temporary.path();
            prepared(&root.join("cache/tool"), &root.join("pins"), |folder| {
                self.installations.set(self.installations.get() + 1);
                assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "not empty");
                fs::write(folder.join("program"), "").unwrap();
                vec![Step::program("installing", program, ["--version"])]
            })
        }
    }

    #[test]
    fn a_tool_is_installed_once() {
        let world = World::new();
        let folder = world.prepare(env!("CARGO")).unwrap();
        assert_eq!(world.prepare(env!("CARGO")).unwrap(), folder);
        assert!(folder.join("program").exists());
        assert_eq!(world.installations.get(), 1);
    }

    #[test]
    fn other_pins_install_it_anew() {
        let world = World::new();
        world.prepare(env!("CARGO")).unwrap();
        world.pin("tool 2");
        world.prepare(env!("CARGO")).unwrap();
        assert_eq!(world.installations.get(), 2);
    }

    #[test]
    fn an_installation_that_failed_is_tried_again() {
        let world = World::new();
        let failure = world.prepare("no-such-program").unwrap_err();
        let text = failure.to_string();
        assert!(
            text.starts_with("installing failed: no-such-program"),
            "{text}"
        );
        world.prepare(env!("CARGO")).unwrap();
        assert_eq!(world.installations.get(), 2);
    }
}
