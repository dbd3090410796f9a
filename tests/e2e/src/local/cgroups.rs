//! The cgroups of a node: a folder in each hierarchy of version 1, below that of this process.
//!
//! Processes, mounts and interfaces end with the node's namespaces; these folders do not. It must not know what runs in
//! them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bigip_tunnel_harness::wait::{Answer, Timeout, eventually_blocking};

const ROOT: &str = "/sys/fs/cgroup";
/// The hierarchies that containers need.
const HIERARCHIES: [&str; 9] = [
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd",
];
/// What the folders are called, in front of a number of their own.
const PREFIX: &str = "bigip-tunnel-e2e-";
/// How long killed processes may take to be gone.
const GONE_TIMEOUT: Duration = Duration::from_secs(20);
const GONE_INTERVAL: Duration = Duration::from_millis(50);

/// The hierarchies that this machine lacks.
pub(super) fn lacking() -> impl Iterator<Item = &'static str> {
    let lacks = |name: &&str| !Path::new(ROOT).join(name).join("cgroup.procs").exists();
    HIERARCHIES.into_iter().filter(lacks)
}

/// The folders of one node.
#[derive(Debug)]
pub(super) struct Cgroups(Vec<PathBuf>);

impl Cgroups {
    /// Makes them. The number is that of a process, so that no other run has it.
    pub(super) fn create(number: u32) -> io::Result<Self> {
        let mut made = Self(Vec::new());
        for parent in parents()? {
            let folder = parent.join(format!("{PREFIX}{number}"));
            fs::create_dir(&folder)?;
            // A new folder of this hierarchy has no processor, and takes no process.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if parent.join(file).exists() {
                    fs::write(folder.join(file), fs::read(parent.join(file))?)?;
                }
            }
            made.0.push(folder);
        }
        Ok(made)
    }

    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.0
    }

    /// Removes them, once what runs in them is gone.
    pub(super) fn remove(self) -> io::Result<()> {
        let pace = (GONE_TIMEOUT, GONE_INTERVAL);
        eventually_blocking("the cgroups of the node are removed", pace, || {
            let removed = self.0.iter().try_for_each(|folder| remove_tree(folder));
            Ok::<_, Timeout>(match removed {
                Ok(()) => Answer::Done(()),
                Err(error) => Answer::NotYet(error.to_string()),
            })
        })
        .map_err(io::Error::other)
    }
}

/// Removes folders of runs whose guard was killed. Those of a run that goes on are in use, and stay.
pub(super) fn remove_left_over() {
    for folder in present() {
        // Busy: another run.
        let _ = remove_tree(&folder);
    }
}

/// The folders of all nodes that are there.
pub(super) fn present() -> Vec<PathBuf> {
    let entries = parents()
        .into_iter()
        .flatten()
        .flat_map(fs::read_dir)
        .flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(PREFIX)
    };
    paths.filter(is_ours).collect()
}

fn parents() -> io::Result<Vec<PathBuf>> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let parent = |name: &&str| {
        let path = own_path(&own, name).trim_start_matches('/');
        Path::new(ROOT).join(name).join(path)
    };
    Ok(HIERARCHIES.iter().map(parent).collect())
}

/// Where a process is in a hierarchy, by what `/proc/PID/cgroup` says.
fn own_path<'a>(text: &'a str, hierarchy: &str) -> &'a str {
    let path = |line: &'a str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let mut names = controllers.split(',');
        names
            .any(|name| name.trim_start_matches("name=") == hierarchy)
            .then_some(path)
    };
    text.lines().find_map(path).unwrap_or("/")
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "9:name=systemd:/user\n4:memory:/service/one\n2:cpu,cpuacct:/shared\n0::/\n";

    #[test]
    fn place_of_a_process_is_read_per_hierarchy() {
        assert_eq!(own_path(OWN, "memory"), "/service/one");
        assert_eq!(own_path(OWN, "systemd"), "/user");
    }

    #[test]
    fn hierarchies_with_several_controllers_are_found() {
        assert_eq!(own_path(OWN, "cpuacct"), "/shared");
        assert_eq!(own_path(OWN, "cpu"), "/shared");
    }

    #[test]
    fn unknown_hierarchy_is_taken_at_its_root() {
        assert_eq!(own_path(OWN, "pids"), "/");
    }
}
