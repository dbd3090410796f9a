//! Resource definitions of others, which a chart has objects of: taken from their Go modules, which are
//! pinned by checksum, and cached.
//!
//! It must not know what is done with them.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{BinariesError, lock};
use crate::paths;
use crate::progress::Progress;

/// A module that holds some.
struct Module {
    /// With its version.
    name: &'static str,
    /// The checksum that `go.sum` would have.
    sum: &'static str,
    /// Paths in it.
    files: &'static [&'static str],
}

const MODULES: [Module; 2] = [
    Module {
        name: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        files: &[
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ],
    },
    Module {
        name: "github.com/cilium/cilium@v1.20.2",
        sum: "h1:dqiEGIcXc+gqCLYG/l7VCFJ8GHyb4HUrwbZOpkX5dL8=",
        files: &["pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml"],
    },
];

/// What `go mod download -json` says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    dir: Option<String>,
    sum: Option<String>,
    error: Option<String>,
}

/// The definitions as YAML: `ServiceMonitor`, `PodMonitor` and `PrometheusRule` of the Prometheus operator, and
/// `CiliumNetworkPolicy`. Fetched at most once.
pub fn of_others(progress: Progress<'_>) -> Result<Vec<String>, BinariesError> {
    let cache = paths::tools_cache();
    let cache_error = |source| BinariesError::Cache {
        folder: cache.clone(),
        source,
    };
    let _lock = lock(&cache, progress).map_err(cache_error)?;
    let mut found = Vec::new();
    for module in &MODULES {
        let entry = cache.join(module.name.replace('/', "-"));
        let is_there = |file: &&str| entry.join(file_name(file)).is_file();
        if !module.files.iter().all(is_there) {
            let folder = tempfile::tempdir_in(&cache).map_err(cache_error)?;
            progress(&format!("fetching {}", module.name));
            fetch(module, folder.path()).map_err(|error| BinariesError::NoTool {
                tool: module.name,
                reason: error.to_string(),
            })?;
            // One that was filled for fewer files may be there.
            if entry.exists() {
                fs::remove_dir_all(&entry).map_err(cache_error)?;
            }
            fs::rename(folder.keep(), &entry).map_err(cache_error)?;
        }
        for file in module.files {
            let copy = entry.join(file_name(file));
            found.push(fs::read_to_string(copy).map_err(cache_error)?);
        }
    }
    Ok(found)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Leaves the files of a module in `folder`.
fn fetch(module: &Module, folder: &Path) -> io::Result<()> {
    let output = Command::new("go")
        .args(["mod", "download", "-json", module.name])
        // In a folder without a module, so that none is changed.
        .current_dir(folder)
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .output()?;
    let answer: Download = serde_json::from_slice(&output.stdout)
        .map_err(|_| io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))?;
    let Some(dir) = answer.dir else {
        return Err(io::Error::other(answer.error.unwrap_or_default()));
    };
    if answer.sum.as_deref() != Some(module.sum) {
        return Err(io::Error::other("it does not have the pinned checksum"));
    }
    for file in module.files {
        fs::write(
            folder.join(file_name(file)),
            fs::read(Path::new(&dir).join(file))?,
        )?;
    }
    Ok(())
}
