//! Foreign tools that tests and generators run: found in the project's cache, else built from their Go
//! modules, which pin them.
//!
//! It must not know what they are used for.

use std::fs;
use std::path::PathBuf;

use super::go::{self, Program};
use super::{BinariesError, is_executable, lock};
use crate::paths;
use crate::progress::Progress;

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Renders and installs charts.
    Helm,
    /// Writes the reference of a chart's values.
    HelmDocs,
    /// Tests alerts.
    Promtool,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Helm, Self::HelmDocs, Self::Promtool];

    fn name(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::HelmDocs => "helm-docs",
            Self::Promtool => "promtool",
        }
    }

    /// The release that is built; its `go.mod` in `tests/tools` pins the same.
    fn version(self) -> &'static str {
        match self {
            Self::Helm => "4.3.1",
            Self::HelmDocs => "1.14.2",
            Self::Promtool => "0.313.5",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::HelmDocs => "github.com/norwoodj/helm-docs/cmd/helm-docs",
            Self::Promtool => "github.com/prometheus/prometheus/cmd/promtool",
        }
    }

    /// Build tags: promtool would bring the clients of every cloud that Prometheus discovers targets in.
    fn tags(self) -> &'static str {
        match self {
            Self::Helm | Self::HelmDocs => "",
            Self::Promtool => "remove_all_sd",
        }
    }

    /// Its path. Built where needed, which takes two minutes for the largest, once.
    pub fn path(self, progress: Progress<'_>) -> Result<PathBuf, BinariesError> {
        let (cache, name) = (paths::tools_cache(), self.name());
        let entry = cache.join(format!("{name}-v{}", self.version()));
        let program = entry.join(name);
        if is_executable(&program) {
            return Ok(program);
        }
        let cache_error = |source| BinariesError::Cache {
            folder: cache.clone(),
            source,
        };
        let _lock = lock(&cache, progress).map_err(cache_error)?;
        // Another process may have built it while this one waited.
        if is_executable(&program) {
            return Ok(program);
        }
        // Moved into place whole, so that nobody ever sees half of it.
        let folder = tempfile::tempdir_in(&cache).map_err(cache_error)?;
        let program_source = Program::new(name, self.version(), self.package());
        let programs = [program_source.tagged(self.tags())];
        let modules = paths::tools_modules();
        go::build(&programs, "go".as_ref(), &modules, folder.path(), progress).map_err(
            |reason| BinariesError::NoTool {
                tool: name,
                reason: reason.to_string(),
            },
        )?;
        // Only a damaged entry can be there: a whole one would have been found.
        if entry.exists() {
            fs::remove_dir_all(&entry).map_err(cache_error)?;
        }
        fs::rename(folder.keep(), &entry).map_err(cache_error)?;
        Ok(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_entry_release_is_the_built_one() {
        for tool in Tool::ALL {
            let module = paths::tools_modules().join(tool.name()).join("go.mod");
            let pins = fs::read_to_string(module).unwrap();
            let (version, package) = (format!("v{}", tool.version()), tool.package());
            let is_pin = |line: &str| {
                let words: Vec<&str> = line.split_whitespace().collect();
                words
                    .windows(2)
                    .any(|pair| package.starts_with(pair[0]) && pair[1] == version)
            };
            assert!(pins.lines().any(is_pin), "{tool:?}: {pins}");
            assert!(pins.contains(&format!("tool {package}\n")), "{tool:?}");
        }
    }
}
