//! `cargo xtask mutants`: breaks one rule after the other, and requires the test of each rule to fail.
//!
//! A mutant is a patch in `tests/mutants`. The commit that is checked out is patched in a checkout of its own
//! below `target/mutants`; the working tree stays as it is.

mod patch;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

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
    /// The patched sources do not compile, or there is no such test.
    NotRun,
    /// The test cannot run on this machine, as it says itself.
    Skipped(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caught => "caught",
            Self::Survived => "SURVIVED: the test passes although the rule is broken",
            Self::Outdated => "OUTDATED: the patch does not apply; write it for the code of today",
            Self::NotRun => "NOT RUN: the patched sources do not compile, or there is no such test",
            Self::Skipped(why) => return write!(f, "NOT RUN: the test says “{why}”"),
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
    let skipped = tree.check_baseline(&patches)?;
    let mut out = io::stderr();
    let mut tally = Tally::default();
    for patch in &patches {
        let verdict = match skipped.get(patch.test.as_str()) {
            Some(why) => Verdict::Skipped(why.clone()),
            None => tree.judge(patch)?,
        };
        tally.count(&verdict);
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
    writeln!(out, "{tally}")?;
    if tally.is_complete() {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "not every mutant was caught: {tally}"
        )))
    }
}

/// How many mutants were judged how.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    caught: usize,
    not_caught: usize,
    not_run: usize,
}

impl Tally {
    /// A test that did not run says nothing about its rule.
    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Caught => self.caught += 1,
            Verdict::Survived | Verdict::Outdated => self.not_caught += 1,
            Verdict::NotRun | Verdict::Skipped(_) => self.not_run += 1,
        }
    }

    fn is_complete(&self) -> bool {
        self.not_caught == 0 && self.not_run == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            caught,
            not_caught,
            not_run,
        } = self;
        let all = caught + not_caught + not_run;
        write!(
            f,
            "{caught} of {all} mutants caught, {not_caught} not caught, {not_run} not run"
        )
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

    /// Every named test has to pass while no rule is broken. Returns those that cannot run here, with the reason.
    fn check_baseline(&self, patches: &[Patch]) -> Result<BTreeMap<String, String>, Failure> {
        let mut skipped = BTreeMap::new();
        let mut by_run: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
        for patch in patches {
            by_run.entry(&patch.run).or_default().push(&patch.test);
        }
        for (run, tests) in by_run {
            let printed = self.test(run, &tests)?;
            if let Some(test) = tests.iter().find(|test| !says(&printed.tests, test, "ok")) {
                let run = run.join(" ");
                let why =
                    format!("does not pass without a mutant: cargo test {run} -- --exact {test}");
                return Err(Failure::new(why));
            }
            if printed.skip.is_none() {
                continue;
            }
            // Of several tests the line does not say which one it is of.
            for test in tests {
                if let Some(why) = self.test(run, &[test])?.skip {
                    skipped.insert(test.to_owned(), why);
                }
            }
        }
        Ok(skipped)
    }

    fn judge(&self, patch: &Patch) -> Result<Verdict, Failure> {
        let applied = git(&self.path).arg("apply").arg(&patch.file).output()?;
        if !applied.status.success() {
            return Ok(Verdict::Outdated);
        }
        let printed = self.test(&patch.run, &[&patch.test]);
        self.restore()?;
        Ok(verdict(printed?, &patch.test))
    }

    /// What `cargo test` prints of these tests. Its standard error is passed on.
    fn test(&self, run: &[String], tests: &[&str]) -> Result<Printed, Failure> {
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
            .env_remove("BIGIP_TUNNEL_BINARIES");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = child.stderr.take();
        let passing_on = thread::spawn(move || pass_on(errors));
        let output = child.wait_with_output()?;
        let panicked = |_| Failure::new("reading what cargo prints failed".to_owned());
        Ok(Printed {
            tests: String::from_utf8_lossy(&output.stdout).into_owned(),
            skip: passing_on.join().map_err(panicked)??,
        })
    }

    fn restore(&self) -> Result<(), Failure> {
        output(git(&self.path).args(["checkout", "--quiet", "--force", "--", "."]))?;
        output(git(&self.path).args(["clean", "--quiet", "-d", "--force"])).map(|_| ())
    }
}

/// What a run of `cargo test` printed.
struct Printed {
    tests: String,
    /// The first line in which a test says that it cannot run here.
    skip: Option<String>,
}

/// Passes the lines on to standard error. Returns the first one in which a test says that it cannot run here: the test
/// harness reports it as passed.
fn pass_on(errors: Option<impl io::Read>) -> io::Result<Option<String>> {
    let (mut out, mut skip) = (io::stderr(), None);
    for line in errors
        .into_iter()
        .flat_map(|errors| BufReader::new(errors).lines())
    {
        let line = line?;
        writeln!(out, "{line}")?;
        if skip.is_none() && line.starts_with("skipped: ") {
            skip = Some(line);
        }
    }
    Ok(skip)
}

/// What the run of a mutant's test says of it.
fn verdict(printed: Printed, test: &str) -> Verdict {
    let has = |result| says(&printed.tests, test, result);
    match (has("FAILED"), has("ok"), printed.skip) {
        (_, _, Some(why)) => Verdict::Skipped(why),
        (true, _, None) => Verdict::Caught,
        (false, true, None) => Verdict::Survived,
        (false, false, None) => Verdict::NotRun,
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

    fn judged(tests: &str, skip: Option<&str>) -> Verdict {
        let printed = Printed {
            tests: format!("running 1 test\n{tests}\n"),
            skip: skip.map(str::to_owned),
        };
        verdict(printed, "a::b")
    }

    #[test]
    fn skipped_test_is_neither_caught_nor_survived() {
        let why = "skipped: a: cannot make a network namespace";
        for result in ["ok", "FAILED"] {
            let verdict = judged(&format!("test a::b ... {result}"), Some(why));
            assert_eq!(verdict, Verdict::Skipped(why.to_owned()));
        }
        assert_eq!(judged("test a::b ... FAILED", None), Verdict::Caught);
        assert_eq!(judged("test a::b ... ok", None), Verdict::Survived);
        assert_eq!(judged("error: no such test", None), Verdict::NotRun);
    }

    #[test]
    fn mutant_that_was_not_run_fails_the_run() {
        let mut tally = Tally::default();
        tally.count(&Verdict::Caught);
        assert!(tally.is_complete());
        tally.count(&Verdict::Skipped("skipped: a".to_owned()));
        assert!(!tally.is_complete());
        assert_eq!(
            tally.to_string(),
            "1 of 2 mutants caught, 0 not caught, 1 not run"
        );
    }

    #[test]
    fn line_of_a_skipped_test_is_found_among_others() {
        let errors = "   Compiling a\nskipped: a: no right\nskipped: b: no right\n";
        let skip = pass_on(Some(errors.as_bytes())).unwrap();
        assert_eq!(skip.as_deref(), Some("skipped: a: no right"));
        assert_eq!(pass_on(Some(&b"Finished\n"[..])).unwrap(), None);
    }

    #[test]
    fn result_of_another_test_does_not_count() {
        let printed = "running 2 tests\ntest a::b ... ok\ntest a::bc ... FAILED\n";
        assert!(says(printed, "a::b", "ok"));
        assert!(!says(printed, "a::b", "FAILED"));
        assert!(says(printed, "a::bc", "FAILED"));
    }
}
