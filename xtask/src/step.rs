//! A command that has to succeed. It must not know which commands there are.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command with a name for people.
#[derive(Debug)]
pub(crate) struct Step {
    /// What it is for.
    pub(crate) name: &'static str,
    command: Command,
}

impl Step {
    /// A step that calls Cargo.
    pub(crate) fn cargo(name: &'static str, args: &[&str]) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(args);
        Self { name, command }
    }

    /// A step that runs a program which an earlier step has built.
    pub(crate) fn built(name: &'static str, program: &str, args: &[&str]) -> Result<Self, Failure> {
        Ok(Self::program(name, built_programs()?.join(program), args))
    }

    /// A step that runs any program.
    pub(crate) fn program(
        name: &'static str,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        Self { name, command }
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Sets the folder that it runs in.
    pub(crate) fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        match self.command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(status)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Becomes the command, so that signals reach it alone. Returns only if that fails.
    pub(crate) fn exec(mut self) -> Failure {
        use std::os::unix::process::CommandExt as _;
        let error = self.command.exec();
        self.failed(error)
    }

    fn failed(&self, why: impl fmt::Display) -> Failure {
        Failure(format!("{} failed: {self}: {why}", self.name))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = PathBuf::from(self.command.get_program());
        f.write_str(&program.file_name().unwrap_or_default().to_string_lossy())?;
        self.command
            .get_args()
            .try_for_each(|arg| write!(f, " {}", arg.to_string_lossy()))
    }
}

/// A step that did not succeed, with its command.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// One that no single command stands for.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Where Cargo leaves the programs of the workspace: beside this one.
pub(crate) fn built_programs() -> Result<PathBuf, Failure> {
    let this = std::env::current_exe()?;
    let folder = this
        .parent()
        .ok_or_else(|| Failure("this program has no folder".to_owned()))?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_step_names_its_command() {
        let failure = Step::cargo("the impossible", &["no-such-command", "--flag"]).run();
        let text = failure.unwrap_err().to_string();
        assert!(
            text.starts_with("the impossible failed: cargo no-such-command --flag: "),
            "{text}"
        );
    }

    #[test]
    fn programs_are_searched_beside_the_own_binary() {
        let step = Step::built("codegen", "crdgen", &["--check"]).unwrap();
        assert_eq!(step.to_string(), "crdgen --check");
        assert!(built_programs().unwrap().is_dir());
    }
}
