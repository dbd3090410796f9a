//! `cargo xtask mutants`: breaks one rule after the other, and requires the test of each rule to fail.
//!
//! A mutant is a patch in `tests/mutants`. The commit that is checked out is patched in a checkout of its own
//! below `target/mutants`; the working tree stays as it is.

mod patch;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::Failure;
use patch::Patch;

/// What the named test says of one patch.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The test failed: the rule is tested.
    Caught,
    /// The test passed.
    Survived,
    /// The patch does not apply to the sources of today.
    Outdated,
    /// The patched sources do not compile, or the test did not run.
    NotRun,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caught => "caught",
            Self::Survived => "SURVIVED: the test passes although the rule is broken",
            Self::Outdated => "OUTDATED: the patch does not apply; write it for the code of today",
            Self::NotRun => "NOT RUN: the patched sources do not compile, or there is no such test",
        })
    }
}

/// Tries every mutant whose name contains one of `only`; all of them if there is none.
pub(crate) fn run(only: &[String]) -> Result<(), Failure> {
    let root = root();
    let wanted =
        |patch: &Patch| only.is_empty() || only.iter().any(|name| patch.name.contains(name));
    let mut patches = patch::read_all(&root.join("tests/mutants"))?;
    patches.retain(wanted);
    if patches.is_empty() {
        return Err(Failure::new("no mutant has such a name".to_owned()));
    }
    let tree = Tree::check_out(&root)?;
    tree.check_baseline(&patches)?;
    let mut out = io::stderr();
    let mut missed = 0;
    for patch in &patches {
        let verdict = tree.judge(patch)?;
        missed += usize::from(verdict != Verdict::Caught);
        writeln!(out, "{}: {verdict}", patch.name)?;
        if verdict != Verdict::Caught {
            writeln!(out, "    fault: {}", patch.fault)?;
            writeln!(
                out,
                "    test:  cargo test {} -- --exact {}",
                patch.run.join(" "),
                patch.test
            )?;
        }
    }
    writeln!(
        out,
        "{} of {} mutants caught",
        patches.len() - missed,
        patches.len()
    )?;
    if missed == 0 {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "{missed} of {} mutants were not caught",
            patches.len()
        )))
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A checkout of its own, of the commit that is checked out.
struct Tree {
    path: PathBuf,
    target: PathBuf,
}

impl Tree {
    fn check_out(root: &Path) -> Result<Self, Failure> {
        let below = root.join("target/mutants");
        let tree = Self {
            path: below.join("tree"),
            target: below.join("target"),
        };
        let head = output(git(root).args(["rev-parse", "HEAD"]))?;
        let head = head.trim();
        if !output(git(root).args(["status", "--porcelain"]))?.is_empty() {
            writeln!(
                io::stderr(),
                "uncommitted changes are left out: tested is {head}"
            )?;
        }
        output(git(root).args(["worktree", "prune"]))?;
        if tree.path.exists() {
            tree.restore()?;
            output(git(&tree.path).args(["checkout", "--quiet", "--detach", head]))?;
        } else {
            let add = ["worktree", "add", "--quiet", "--detach"];
            output(git(root).args(add).arg(&tree.path).arg(head))?;
        }
        tree.share_tools(&root.join("target/tools"))?;
        Ok(tree)
    }

    /// Lets the tests use the foreign programs of the checkout that is judged: no patch changes those.
    fn share_tools(&self, tools: &Path) -> Result<(), Failure> {
        let shared = self.target.join("tools");
        if tools.is_dir() && !shared.exists() {
            fs::create_dir_all(&self.target)?;
            symlink(tools, shared)?;
        }
        Ok(())
    }

    /// Every named test has to pass while no rule is broken.
    fn check_baseline(&self, patches: &[Patch]) -> Result<(), Failure> {
        let mut by_run: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
        for patch in patches {
            by_run.entry(&patch.run).or_default().push(&patch.test);
        }
        for (run, tests) in by_run {
            let printed = self.test(run, &tests)?;
            if let Some(test) = tests.iter().find(|test| !says(&printed, test, "ok")) {
                let run = run.join(" ");
                let why =
                    format!("does not pass without a mutant: cargo test {run} -- --exact {test}");
                return Err(Failure::new(why));
            }
        }
        Ok(())
    }

    fn judge(&self, patch: &Patch) -> Result<Verdict, Failure> {
        let applied = git(&self.path).arg("apply").arg(&patch.file).output()?;
        if !applied.status.success() {
            return Ok(Verdict::Outdated);
        }
        let printed = self.test(&patch.run, &[&patch.test]);
        self.restore()?;
        let printed = printed?;
        Ok(if says(&printed, &patch.test, "FAILED") {
            Verdict::Caught
        } else if says(&printed, &patch.test, "ok") {
            Verdict::Survived
        } else {
            Verdict::NotRun
        })
    }

    /// What `cargo test` prints of these tests.
    fn test(&self, run: &[String], tests: &[&str]) -> Result<String, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .arg("test")
            .args(run)
            .args(["--", "--exact"])
            .args(tests);
        command
            .current_dir(&self.path)
            .env("CARGO_TARGET_DIR", &self.target)
            // Programs are built from the patched sources, too.
            .env_remove("BIGIP_TUNNEL_BINARIES")
            // A test that is skipped would count as passed.
            .env("BIGIP_TUNNEL_DATAPLANE", "required");
        let output = command.stderr(Stdio::inherit()).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn restore(&self) -> Result<(), Failure> {
        output(git(&self.path).args(["checkout", "--quiet", "--force", "--", "."]))?;
        output(git(&self.path).args(["clean", "--quiet", "-d", "--force"])).map(|_| ())
    }
}

/// Whether the test harness reported this result of the test.
fn says(printed: &str, test: &str, result: &str) -> bool {
    let line = format!("test {test} ... {result}");
    printed.lines().any(|printed| printed == line)
}

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder);
    git
}

/// What a command prints; it has to succeed.
fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::new(format!("{command:?} failed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_of_another_test_does_not_count() {
        let printed = "running 2 tests\ntest a::b ... ok\ntest a::bc ... FAILED\n";
        assert!(says(printed, "a::b", "ok"));
        assert!(!says(printed, "a::b", "FAILED"));
        assert!(says(printed, "a::bc", "FAILED"));
    }
}
