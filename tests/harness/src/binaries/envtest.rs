//! The archive that the kubebuilder project publishes for tests: fetched with `curl`, checked
//! against the SHA-512 that its index publishes, unpacked with `tar`.
//!
//! It must not know what the programs inside are for.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use aws_lc_rs::digest;

use crate::progress::Progress;

/// The archive of the same Kubernetes minor as `KUBERNETES_VERSION`; the project publishes one or
/// two per minor.
const VERSION: &str = "v1.35.0";

/// Seconds until a network that does not reach the server is given up.
const CONNECT_TIMEOUT_S: &str = "3";

/// System and machine as Rust names them, as the archive names them, and the SHA-512 of the
/// archive as `envtest-releases.yaml` of kubernetes-sigs/controller-tools publishes it.
const PUBLISHED: [(&str, &str, &str, &str); 4] = [
    (
        "linux",
        "x86_64",
        "linux-amd64",
        "130369c16f076e724d089189afaede960316f5f5dea6cf57be7a4fc6f09c7734\
         2893192509790e4056e116e232dff832ed863f5bd55dcb55d38f3ab834828a11",
    ),
    (
        "linux",
        "aarch64",
        "linux-arm64",
        "e53e2b88398f5b9503e3f074d82a2dcb090c708b34940848607ce658138a5d4a\
         25962e042ab683ccc026a8a6c90c0be7f658e42dde0887369d73c3b68e2fc86c",
    ),
    (
        "macos",
        "x86_64",
        "darwin-amd64",
        "fccc583ba6d322c88a8c56f7876090a7ad63460046a4bcae414093b23ce68a75\
         f172ca7484b7c7475b707657eca5108a8ad3fd85e1b4f70a6c99ca2f22dbd6b2",
    ),
    (
        "macos",
        "aarch64",
        "darwin-arm64",
        "bb5d0bb3975956331b0aa0c039955b4c4dc6c5c288e5af369364c7d2fbeac11a\
         025227dabb127569080b259dd29b697cc77fa77abd27ae26721ddb23e8ee0613",
    ),
];

/// An archive to fetch.
#[derive(Debug, Clone)]
pub(super) struct Archive {
    /// Name of its cache entry.
    pub(super) name: String,
    /// Where it lies.
    pub(super) url: String,
    /// Its SHA-512 in lower-case hex.
    pub(super) sha512: String,
}

impl Archive {
    /// The published archive for the system this runs on, if there is one.
    pub(super) fn for_this_machine() -> Option<Self> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let (_, _, platform, sha512) = PUBLISHED
            .iter()
            .find(|entry| entry.0 == os && entry.1 == arch)?;
        let name = format!("envtest-{VERSION}-{platform}");
        Some(Self {
            url: format!(
                "https://github.com/kubernetes-sigs/controller-tools/releases/download/\
                 envtest-{VERSION}/{name}.tar.gz"
            ),
            name,
            sha512: (*sha512).to_owned(),
        })
    }
}

/// Why the archive is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvtestError {
    /// `curl` or `tar` cannot be started.
    #[error("{tool} cannot be started: {source}")]
    Tool {
        tool: &'static str,
        source: io::Error,
    },
    /// The server is not reached or does not have it.
    #[error("{url} cannot be fetched: {message}")]
    Fetch { url: String, message: String },
    /// It is not what was published.
    #[error("{url} does not have the published SHA-512")]
    Checksum { url: String },
    /// It cannot be unpacked.
    #[error("the archive cannot be unpacked: {message}")]
    Unpack { message: String },
    /// The downloaded file cannot be read.
    #[error("the archive cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// Fetches the archive and leaves its programs in `folder`, and nothing there if it is not the
/// published one.
pub(super) fn fetch(
    archive: &Archive,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<(), EnvtestError> {
    progress(&format!("fetching {}", archive.name));
    let file = tempfile::NamedTempFile::new()?;
    run(
        "curl",
        Command::new("curl")
            .args(["--fail", "--silent", "--show-error", "--location"])
            .args(["--connect-timeout", CONNECT_TIMEOUT_S])
            // A transfer below 20 kB/s for 20 s is given up; the Go build is faster then.
            .args(["--speed-limit", "20000", "--speed-time", "20", "--output"])
            .arg(file.path())
            .arg(&archive.url),
    )?
    .map_err(|message| EnvtestError::Fetch {
        url: archive.url.clone(),
        message,
    })?;
    if sha512_of(file.path())? != archive.sha512 {
        return Err(EnvtestError::Checksum {
            url: archive.url.clone(),
        });
    }
    // The programs lie in controller-tools/envtest/.
    run(
        "tar",
        Command::new("tar")
            .args(["-xz", "--strip-components=2", "-f"])
            .arg(file.path())
            .arg("-C")
            .arg(folder),
    )?
    .map_err(|message| EnvtestError::Unpack { message })
}

/// Runs a tool to its end; the inner error is the last line it wrote.
fn run(tool: &'static str, command: &mut Command) -> Result<Result<(), String>, EnvtestError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| EnvtestError::Tool { tool, source })?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    Ok(Err(last.map_or_else(
        || output.status.to_string(),
        |line| line.trim().to_owned(),
    )))
}

/// The SHA-512 of a file in lower-case hex.
pub(super) fn sha512_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = digest::Context::new(&digest::SHA512);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        context.update(chunk);
    }
    Ok(context
        .finish()
        .as_ref()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        }))
}
