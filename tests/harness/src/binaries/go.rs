//! Builds the programs from the Go modules in `tests/tools`, which pin them and, by their
//! `go.sum`, every source file.
//!
//! It must not know where the result is kept.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{ETCD, ETCD_VERSION, KUBE_APISERVER, KUBERNETES_VERSION};
use crate::progress::Progress;

/// The oldest Go that builds them. A module may ask for a newer one, which this Go fetches itself
/// (`GOTOOLCHAIN`).
pub(super) const MINIMUM: GoVersion = GoVersion {
    major: 1,
    minor: 25,
};

/// How often a running build says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Version of a Go toolchain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GoVersion {
    major: u32,
    minor: u32,
}

impl GoVersion {
    /// Reads the answer of `go version`, such as `go version go1.26.8 linux/amd64`.
    pub(super) fn parse(answer: &str) -> Option<Self> {
        let text = answer.split_whitespace().nth(2)?.strip_prefix("go")?;
        let (major, rest) = text.split_once('.')?;
        // A pre-release is `1.26rc1`.
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub(super) enum GoError {
    /// No Go on the PATH.
    #[error("cannot be started: {0}")]
    Absent(io::Error),
    /// A Go that is too old, or that does not say its version.
    #[error("too old: `go version` says `{0}`")]
    TooOld(String),
    /// The compiler, or fetching the sources, failed.
    #[error("building {program} failed: {message}")]
    Build {
        program: &'static str,
        message: String,
    },
}

/// Builds these programs into `folder`.
pub(super) fn build(
    programs: &[Program],
    go: &OsStr,
    modules: &Path,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<(), GoError> {
    let answer = Command::new(go)
        .arg("version")
        .output()
        .map_err(GoError::Absent)?;
    let answer = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if GoVersion::parse(&answer).is_none_or(|version| version < MINIMUM) {
        return Err(GoError::TooOld(answer));
    }
    let names: Vec<&str> = programs.iter().map(|program| program.name).collect();
    let names = names.join(", ");
    progress(&format!("building {names} with Go: some minutes, once"));
    for program in programs {
        program.build(go, modules, folder, progress)?;
    }
    Ok(())
}

/// A program to build.
pub(super) struct Program {
    name: &'static str,
    version: &'static str,
    /// Folder of the module that pins it.
    module: &'static str,
    package: &'static str,
    ldflags: String,
    /// Build tags.
    tags: &'static str,
}

impl Program {
    /// A program that needs nothing special.
    pub(super) fn new(name: &'static str, version: &'static str, package: &'static str) -> Self {
        Self {
            name,
            version,
            module: name,
            package,
            ldflags: "-s -w".to_owned(),
            tags: "",
        }
    }

    /// The same, pinned by a module of another name.
    pub(super) fn in_module(self, module: &'static str) -> Self {
        Self { module, ..self }
    }

    /// A program of Kubernetes. Without the stamp it would call itself v0.0.0.
    pub(super) fn of_kubernetes(name: &'static str, package: &'static str) -> Self {
        let stamp = "k8s.io/component-base/version";
        let mut numbers = KUBERNETES_VERSION.split('.');
        let (major, minor) = (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        );
        Self {
            name,
            version: KUBERNETES_VERSION,
            module: "kubernetes",
            package,
            ldflags: format!(
                "-s -w -X {stamp}.gitVersion=v{KUBERNETES_VERSION} -X {stamp}.gitMajor={major} \
                 -X {stamp}.gitMinor={minor} -X {stamp}.gitTreeState=clean"
            ),
            tags: "",
        }
    }

    /// The name of its file.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The same with build tags.
    pub(super) fn tagged(self, tags: &'static str) -> Self {
        Self { tags, ..self }
    }
}

/// The programs of a control plane.
pub(super) fn control_plane() -> [Program; 2] {
    let etcd = Program::new(ETCD, ETCD_VERSION, "go.etcd.io/etcd/server/v3");
    let kube_apiserver =
        Program::of_kubernetes(KUBE_APISERVER, "k8s.io/kubernetes/cmd/kube-apiserver");
    [etcd, kube_apiserver]
}

impl Program {
    fn build(
        &self,
        go: &OsStr,
        modules: &Path,
        folder: &Path,
        progress: Progress<'_>,
    ) -> Result<(), GoError> {
        let failed = |message: String| GoError::Build {
            program: self.name,
            message,
        };
        let mut child = Command::new(go)
            .args(["build", "-v", "-trimpath", "-tags", self.tags])
            .args(["-ldflags", &self.ldflags, "-o"])
            .arg(folder.join(self.name))
            .arg(self.package)
            .current_dir(modules.join(self.module))
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(GoError::Absent)?;
        let tail = child
            .stderr
            .take()
            .map(|stderr| self.follow(BufReader::new(stderr), progress));
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        if status.success() {
            Ok(())
        } else {
            Err(failed(tail.unwrap_or_default()))
        }
    }

    /// Reads what `go build -v` writes, a package per line, to its end. Returns the last lines.
    fn follow(&self, output: impl io::BufRead, progress: Progress<'_>) -> String {
        let (started, mut said) = (Instant::now(), Instant::now());
        let mut tail = VecDeque::new();
        for (count, line) in output.lines().map_while(Result::ok).enumerate() {
            if said.elapsed() >= PROGRESS_INTERVAL {
                said = Instant::now();
                let (name, version) = (self.name, self.version);
                let seconds = started.elapsed().as_secs();
                progress(&format!(
                    "  {name} {version}: {count} packages after {seconds} s"
                ));
            }
            tail.push_back(line);
            if tail.len() > 3 {
                tail.pop_front();
            }
        }
        Vec::from(tail).join(" / ")
    }
}
