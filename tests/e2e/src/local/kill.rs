//! Shows that a run that is killed leaves nothing behind: no process, mount, cgroup, interface or folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bigip_tunnel_harness::progress::to_stderr;
use bigip_tunnel_harness::wait::{Answer, eventually_blocking};

use super::{PREFIX, READY_TIMEOUT, cgroups, check_machine, prepare};
use crate::Failure;

/// When a run is killed: as soon as this is in the folder of its node. Before there is a node, when its first process
/// runs, when the API server starts, and when pods run.
const MOMENTS: [&str; 4] = ["images", "init", "log/kube-apiserver", "ready"];
/// How long the last trace may take to go.
const LIMIT: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(100);

/// Starts runs with these images and kills them with SIGKILL.
pub(crate) fn run(images: &Path) -> Result<(), Failure> {
    check_machine()?;
    let failed = |error: io::Error| Failure::failed("kill a run", error);
    // What takes minutes is not what is killed.
    prepare()?;
    let before = Traces::now().map_err(failed)?;
    for file in MOMENTS {
        let mut run = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["run", "--provider", "local", "--only-cluster", "--images"])
            .arg(images)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let there = until_there(file, &before);
        let had = Traces::now().map_err(failed)?;
        run.kill().map_err(failed)?;
        run.wait().map_err(failed)?;
        there?;
        let gone_after = until_gone(&before)?;
        let (processes, cgroups) = (had.processes.len(), had.cgroups.len());
        to_stderr(&format!(
            "killed when {file} was there, with {processes} processes and {cgroups} cgroups: all gone after {:.1} s",
            gone_after.as_secs_f64()
        ));
    }
    Ok(())
}

/// Waits until a node that was not there before has this in its folder.
fn until_there(file: &str, before: &Traces) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::failed("wait for a node", error);
    let what = format!("a node has {file}");
    eventually_blocking(what, (READY_TIMEOUT, INTERVAL), || {
        let folders = Traces::now().map_err(failed)?.folders;
        let mut new = folders.difference(&before.folders);
        let has_it = new.any(|folder| std::env::temp_dir().join(folder).join(file).exists());
        Ok(if has_it {
            Answer::Done(())
        } else {
            Answer::NotYet(format!("{folders:?}"))
        })
    })
}

fn until_gone(before: &Traces) -> Result<Duration, Failure> {
    let killed = Instant::now();
    let what = "a killed run leaves nothing behind";
    eventually_blocking(what, (LIMIT, INTERVAL), || {
        let now = Traces::now().map_err(|error| Failure::failed("look for traces", error))?;
        let left = now.beyond(before);
        Ok(if left.is_empty() {
            Answer::Done(killed.elapsed())
        } else {
            Answer::NotYet(left.join(", "))
        })
    })
}

/// What a node leaves on the machine while it is there.
#[derive(Debug)]
struct Traces {
    processes: BTreeSet<String>,
    mounts: BTreeSet<String>,
    cgroups: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Traces {
    fn now() -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let mounts = mounts.lines().filter(|line| line.contains(PREFIX));
        let names = |folder: &Path| -> io::Result<BTreeSet<String>> {
            let entries = fs::read_dir(folder)?.filter_map(Result::ok);
            Ok(entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect())
        };
        let mut folders = names(&std::env::temp_dir())?;
        folders.retain(|name| name.starts_with(PREFIX));
        Ok(Self {
            processes: processes()?,
            mounts: mounts.map(str::to_owned).collect(),
            cgroups: cgroups::present()
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            interfaces: names(Path::new("/sys/class/net"))?,
            folders,
        })
    }

    fn beyond(&self, before: &Self) -> Vec<String> {
        let pairs = [
            ("process", &self.processes, &before.processes),
            ("mount", &self.mounts, &before.mounts),
            ("cgroup", &self.cgroups, &before.cgroups),
            ("interface", &self.interfaces, &before.interfaces),
            ("folder", &self.folders, &before.folders),
        ];
        let left = pairs.into_iter().flat_map(|(kind, now, before)| {
            now.difference(before)
                .map(move |name| format!("{kind} {name}"))
        });
        left.collect()
    }
}

/// The processes of nodes: in another process namespace than this one, or with the folder of a node on their command line.
fn processes() -> io::Result<BTreeSet<String>> {
    let own = fs::read_link("/proc/self/ns/pid")?;
    let entries = fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_of_a_node = |path: &PathBuf| {
        let names_one = fs::read(path.join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(PREFIX));
        let is_elsewhere = fs::read_link(path.join("ns/pid")).is_ok_and(|other| other != own);
        names_one || is_elsewhere
    };
    let found = entries.filter(is_of_a_node);
    Ok(found.map(|path| path.display().to_string()).collect())
}
