//! `cargo xtask lint`: linters of what is not Rust (workflows, Dockerfile, scripts), one version everywhere, and the
//! supply chain.
//!
//! The linters are pinned in `tests/tools` and kept in the cache of foreign programs. What a finding means is theirs to
//! say.

mod tools;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::{Failure, Step};
use tools::{Tools, Wheel};

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 2] = [".git", "target"];
/// How people get what checks the supply chain: it takes minutes to compile, so it is not built here.
const DENY: &str = "cargo install cargo-deny --locked --version 0.20.2";

/// Runs every linter, also after one that found something. A tool that cannot be had is a failure, unless it
/// may be missing.
pub(crate) fn run(allow_missing: bool) -> Result<(), Failure> {
    let root = root();
    let (tools, missing) = Tools::prepare(&root)?;
    let mut out = io::stderr();
    let mut failed = Vec::new();
    for step in steps(&root, &tools)? {
        writeln!(out, "--- {}: {step}", step.name)?;
        if let Err(failure) = step.current_dir(&root).run() {
            failed.push(failure.to_string());
        }
    }
    for why in missing {
        writeln!(out, "--- not linted: {why}")?;
        if !allow_missing {
            failed.push(why);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(failed.join("\nerror: ")))
}

fn steps(root: &Path, tools: &Tools) -> io::Result<Vec<Step>> {
    let mut steps = vec![Step::program(
        "versions",
        root.join("delivery/version.sh"),
        [""; 0],
    )];
    if let Some(actionlint) = &tools.actionlint {
        // It has the scripts inside of workflows checked too, if it is told by what.
        let shellcheck = tools.wheel(Wheel::Shellcheck).unwrap_or_default();
        let args = ["-shellcheck".as_ref(), shellcheck.as_os_str()];
        steps.push(Step::program("workflows", actionlint, args));
    }
    if let Some(zizmor) = tools.wheel(Wheel::Zizmor) {
        let args = ["--offline", "--quiet", "--persona", "regular", ".github"];
        steps.push(Step::program("rights of workflows", zizmor, args));
    }
    if let Some(hadolint) = tools.wheel(Wheel::Hadolint) {
        steps.push(Step::program(
            "images",
            hadolint,
            ["Dockerfile", "tests/bigip-sim/Containerfile"],
        ));
    }
    if let Some(shellcheck) = tools.wheel(Wheel::Shellcheck) {
        let mut args = vec![OsString::from("--")];
        args.extend(scripts(root)?.into_iter().map(OsString::from));
        steps.push(Step::program("scripts", shellcheck, args));
    }
    if is_there("cargo-deny") {
        steps.push(Step::cargo("supply chain", &["deny", "check"]));
    } else {
        writeln!(
            io::stderr(),
            "--- supply chain: not checked, `{DENY}` gets what checks it"
        )?;
    }
    Ok(steps)
}

/// The shell scripts, by their first line, relative to the root.
fn scripts(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let is_foreign = || FOREIGN.iter().any(|name| entry.file_name() == *name);
            if kind.is_dir() && !is_foreign() {
                folders.push(path);
            } else if kind.is_file() && is_script(&path)? {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_script(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut start)?;
    let start = String::from_utf8_lossy(&start);
    let first = start.lines().next().unwrap_or_default();
    Ok(first.starts_with("#!") && (first.ends_with("/sh") || first.ends_with("bash")))
}

/// Whether a program is on the PATH and runs.
fn is_there(program: impl AsRef<OsStr>) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The root of the workspace.
fn root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.parent().unwrap_or(this).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_by_their_shebang() {
        let found = scripts(&root()).unwrap();
        for script in [".ci/run", "delivery/package.sh", "scripts/install.sh"] {
            assert!(found.contains(&PathBuf::from(script)), "{found:?}");
        }
        let is_ours = |path: &PathBuf| !path.starts_with("target") && !path.starts_with(".git/");
        assert!(found.iter().all(is_ours), "{found:?}");
        assert!(!found.contains(&PathBuf::from("README.md")));
    }

    #[test]
    fn missing_program_differs_from_an_existing_one() {
        assert!(is_there(env!("CARGO")));
        assert!(!is_there("no-such-program"));
    }
}
