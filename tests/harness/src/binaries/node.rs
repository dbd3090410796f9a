//! The programs of a local node: found in the project's cache, else built from their Go modules, which pin them.
//!
//! It must not know how the node is started.

use std::fs;
use std::path::PathBuf;

use super::go::{self, Program};
use super::{BinariesError, KUBERNETES_VERSION, is_executable, lock};
use crate::paths;
use crate::progress::Progress;

/// The release of the plugins for the network of pods; `tests/tools/cni/go.mod` pins the same.
const CNI_VERSION: &str = "1.9.1";
/// The release of the name server; `tests/tools/dns/go.mod` pins the same.
const COREDNS_VERSION: &str = "1.14.3";

/// The programs of Kubernetes, kubectl among them.
const KUBERNETES: [(&str, &str); 5] = [
    ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];
const CNI: [(&str, &str); 3] = [
    (
        "bridge",
        "github.com/containernetworking/plugins/plugins/main/bridge",
    ),
    (
        "loopback",
        "github.com/containernetworking/plugins/plugins/main/loopback",
    ),
    (
        "host-local",
        "github.com/containernetworking/plugins/plugins/ipam/host-local",
    ),
];
/// Mains of our own, in modules of the same name as their folder.
const OWN: [(&str, &str, &str); 2] = [("coredns", COREDNS_VERSION, "dns"), ("pause", "1", "pause")];

/// The folder that holds them. Built where needed, which takes four minutes on two cores, once.
pub fn programs(progress: Progress<'_>) -> Result<PathBuf, BinariesError> {
    let cache = paths::tools_cache();
    let entry = cache.join(format!(
        "node-v{KUBERNETES_VERSION}-cni-v{CNI_VERSION}-coredns-v{COREDNS_VERSION}"
    ));
    if is_whole(&entry) {
        return Ok(entry);
    }
    let cache_error = |source| BinariesError::Cache {
        folder: cache.clone(),
        source,
    };
    let _lock = lock(&cache, progress).map_err(cache_error)?;
    // Another process may have built them while this one waited.
    if is_whole(&entry) {
        return Ok(entry);
    }
    // Moved into place whole, so that no process ever sees half of it.
    let folder = tempfile::tempdir_in(&cache).map_err(cache_error)?;
    let modules = paths::tools_modules();
    go::build(&all(), "go".as_ref(), &modules, folder.path(), progress).map_err(|reason| {
        BinariesError::NoTool {
            tool: "a Kubernetes node",
            reason: reason.to_string(),
        }
    })?;
    // Only a damaged entry can be there: a whole one would have been found.
    if entry.exists() {
        fs::remove_dir_all(&entry).map_err(cache_error)?;
    }
    fs::rename(folder.keep(), &entry).map_err(cache_error)?;
    Ok(entry)
}

fn all() -> Vec<Program> {
    let kubernetes = KUBERNETES.map(|(name, package)| Program::of_kubernetes(name, package));
    let cni = CNI.map(|(name, package)| Program::new(name, CNI_VERSION, package).in_module("cni"));
    let own = OWN.map(|(name, version, module)| Program::new(name, version, ".").in_module(module));
    kubernetes.into_iter().chain(cni).chain(own).collect()
}

fn is_whole(entry: &std::path::Path) -> bool {
    all()
        .iter()
        .all(|program| is_executable(&entry.join(program.name())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(module: &str) -> String {
        fs::read_to_string(paths::tools_modules().join(module).join("go.mod")).unwrap()
    }

    #[test]
    fn cache_entry_names_the_releases_that_are_built() {
        for (module, pin) in [
            (
                "cni",
                format!("github.com/containernetworking/plugins v{CNI_VERSION}"),
            ),
            (
                "dns",
                format!("github.com/coredns/coredns v{COREDNS_VERSION}"),
            ),
        ] {
            assert!(pins(module).contains(&pin), "{module}: {pin}");
        }
    }

    #[test]
    fn modules_name_every_program_as_a_tool() {
        for (module, programs) in [("kubernetes", KUBERNETES.as_slice()), ("cni", &CNI)] {
            for (_, package) in programs {
                let tool = format!("\t{package}\n");
                assert!(pins(module).contains(&tool), "{module}: {package}");
            }
        }
    }

    #[test]
    fn incomplete_cache_entry_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        for program in all() {
            assert!(!is_whole(folder.path()));
            let path = folder.path().join(program.name());
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert!(is_whole(folder.path()));
    }
}
