//! Finds kube-apiserver and etcd: what the person set, the project's cache, the archive of the
//! kubebuilder project, or built from their Go modules, in this order.
//!
//! It knows where programs come from, not how they are started.

pub mod definitions;
mod envtest;
mod go;
pub mod node;
#[cfg(test)]
mod tests;
pub mod tools;

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::paths;
use crate::progress::Progress;

/// The Kubernetes release that is built; `tests/tools/kubernetes/go.mod` pins the same.
pub const KUBERNETES_VERSION: &str = "1.35.4";
/// The etcd release that is built; `tests/tools/etcd/go.mod` pins the same.
pub const ETCD_VERSION: &str = "3.6.16";

const KUBE_APISERVER: &str = "kube-apiserver";
const ETCD: &str = "etcd";

/// The programs of a control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// Its store.
    pub etcd: PathBuf,
    /// Where they come from.
    pub source: Source,
}

impl Binaries {
    /// The programs in a folder, or the name of the one that is not there.
    fn in_folder(folder: &Path, source: Source) -> Result<Self, &'static str> {
        let program = |name: &'static str| {
            let path = folder.join(name);
            if is_executable(&path) {
                Ok(path)
            } else {
                Err(name)
            }
        };
        Ok(Self {
            kube_apiserver: program(KUBE_APISERVER)?,
            etcd: program(ETCD)?,
            source,
        })
    }
}

/// Where the programs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The folder named by `KUBEBUILDER_ASSETS`.
    KubebuilderAssets,
    /// The project's cache of an earlier run.
    Cache,
    /// Downloaded just now.
    Envtest,
    /// Built just now.
    Go,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KubebuilderAssets => "KUBEBUILDER_ASSETS",
            Self::Cache => "the project's cache",
            Self::Envtest => "the envtest archive",
            Self::Go => "Go modules",
        })
    }
}

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// No source has them.
    #[error(
        "kube-apiserver and etcd are not available: install Go {} or newer, or set \
         KUBEBUILDER_ASSETS to a folder that holds both ({reasons})",
        go::MINIMUM
    )]
    Unavailable {
        /// What each source said.
        reasons: String,
    },
    /// A tool can neither be found nor built.
    #[error(
        "{tool} is not available: install Go {} or newer ({reason})",
        go::MINIMUM
    )]
    NoTool {
        /// Its name.
        tool: &'static str,
        /// What Go said.
        reason: String,
    },
    /// The cache cannot be written.
    #[error("cannot use the tool cache {}: {source}", folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Where to look; tests have places of their own.
struct Sources {
    assets: Option<OsString>,
    cache: PathBuf,
    archive: Option<envtest::Archive>,
    go: OsString,
}

/// Finds the programs and, where needed, fetches or builds them; that is cached and takes some
/// minutes at most once.
pub fn locate(progress: Progress<'_>) -> Result<Binaries, BinariesError> {
    let sources = Sources {
        assets: std::env::var_os("KUBEBUILDER_ASSETS"),
        cache: paths::tools_cache(),
        archive: envtest::Archive::for_this_machine(),
        go: "go".into(),
    };
    sources.locate(progress)
}

impl Sources {
    fn locate(&self, progress: Progress<'_>) -> Result<Binaries, BinariesError> {
        let mut reasons = Vec::new();
        if let Some(folder) = &self.assets {
            match Binaries::in_folder(Path::new(folder), Source::KubebuilderAssets) {
                Ok(found) => return Ok(found),
                Err(name) => {
                    reasons.push(format!(
                        "KUBEBUILDER_ASSETS is set, but has no program {name}"
                    ));
                }
            }
        }
        if let Some(found) = self.cached() {
            return Ok(found);
        }
        let cache_error = |source| BinariesError::Cache {
            folder: self.cache.clone(),
            source,
        };
        let _lock = lock(&self.cache, progress).map_err(cache_error)?;
        // Another process may have filled the cache while this one waited.
        if let Some(found) = self.cached() {
            return Ok(found);
        }
        self.obtain(progress, &mut reasons)
            .map_err(cache_error)?
            .ok_or_else(|| BinariesError::Unavailable {
                reasons: reasons.join("; "),
            })
    }

    fn cached(&self) -> Option<Binaries> {
        let archive = self.archive.as_ref().map(|archive| archive.name.as_str());
        [Some(built_name().as_str()), archive]
            .into_iter()
            .flatten()
            .find_map(|name| Binaries::in_folder(&self.cache.join(name), Source::Cache).ok())
    }

    /// Fetches or builds into a folder of its own and moves that into place whole, so that nobody
    /// ever sees half a cache.
    fn obtain(
        &self,
        progress: Progress<'_>,
        reasons: &mut Vec<String>,
    ) -> io::Result<Option<Binaries>> {
        if let Some(archive) = &self.archive {
            let folder = tempfile::tempdir_in(&self.cache)?;
            match envtest::fetch(archive, folder.path(), progress) {
                Ok(()) => return self.publish(folder, &archive.name, Source::Envtest),
                Err(reason) => {
                    progress(&format!("envtest archive not used: {reason}"));
                    reasons.push(format!("envtest archive: {reason}"));
                }
            }
        }
        let folder = tempfile::tempdir_in(&self.cache)?;
        let programs = go::control_plane();
        match go::build(
            &programs,
            &self.go,
            &paths::tools_modules(),
            folder.path(),
            progress,
        ) {
            Ok(()) => self.publish(folder, &built_name(), Source::Go),
            Err(reason) => {
                reasons.push(format!("Go: {reason}"));
                Ok(None)
            }
        }
    }

    fn publish(
        &self,
        from: tempfile::TempDir,
        name: &str,
        source: Source,
    ) -> io::Result<Option<Binaries>> {
        let folder = self.cache.join(name);
        // Only a damaged entry can be there: a whole one would have been found.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(from.keep(), &folder)?;
        Binaries::in_folder(&folder, source)
            .map(Some)
            .map_err(|name| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("{} has no {name}", folder.display()),
                )
            })
    }
}

/// Name of the cache entry of what Go builds. Other pins are another entry.
fn built_name() -> String {
    format!("kubernetes-v{KUBERNETES_VERSION}-etcd-v{ETCD_VERSION}")
}

/// Lets one process at a time fill the cache. The lock goes with the file handle.
fn lock(cache: &Path, progress: Progress<'_>) -> io::Result<File> {
    fs::create_dir_all(cache)?;
    let file = File::create(cache.join(".lock"))?;
    if file.try_lock().is_err() {
        progress("waiting for another process that prepares programs");
        file.lock()?;
    }
    Ok(file)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
