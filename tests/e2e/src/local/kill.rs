//! Shows that a run that is killed leaves nothing behind: no process, mount, cgroup, interface or folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bigip_tunnel_harness::progress::to_stderr;

use super::{PREFIX, READY_TIMEOUT, cgroups, check_machine};
use crate::Failure;

/// When a run is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start.
    After(Duration),
    /// When its node is ready: pods run then.
    Ready,
}

/// Before there is a node, in the middle of its start, and when pods run.
const MOMENTS: [Moment; 4] = [
    Moment::After(Duration::from_millis(50)),
    Moment::After(Duration::from_millis(1_500)),
    Moment::After(Duration::from_secs(5)),
    Moment::Ready,
];
/// Fewer traces than a node that is ready has: its processes and cgroups.
const MANY_TRACES: usize = 20;
/// How long the last trace may take to go.
const LIMIT: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(100);

/// Starts runs with these images and kills them with SIGKILL.
pub(crate) fn run(images: &Path) -> Result<(), Failure> {
    check_machine()?;
    let failed = |error: io::Error| Failure::failed("kill a run", error);
    let before = Traces::now().map_err(failed)?;
    for moment in MOMENTS {
        let mut run = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["run", "--provider", "local", "--only-cluster", "--images"])
            .arg(images)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        moment.wait();
        let had = Traces::now().map_err(failed)?;
        if matches!(moment, Moment::Ready) && had.beyond(&before).len() < MANY_TRACES {
            return Err(Failure::Failed("there was no node to kill".to_owned()));
        }
        run.kill().map_err(failed)?;
        run.wait().map_err(failed)?;
        let gone_after = until_gone(&before)?;
        let (processes, cgroups) = (had.processes.len(), had.cgroups.len());
        to_stderr(&format!(
            "killed {moment:?} with {processes} processes and {cgroups} cgroups: all gone after {:.1} s",
            gone_after.as_secs_f64()
        ));
    }
    Ok(())
}

impl Moment {
    fn wait(self) {
        match self {
            Self::After(time) => sleep(time),
            Self::Ready => {
                let started = Instant::now();
                while !is_a_node_ready() && started.elapsed() < READY_TIMEOUT {
                    sleep(INTERVAL);
                }
            }
        }
    }
}

fn is_a_node_ready() -> bool {
    let entries = fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten();
    let mut nodes = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    nodes.any(|node| node.path().join("ready").exists())
}

fn until_gone(before: &Traces) -> Result<Duration, Failure> {
    let killed = Instant::now();
    loop {
        let now = Traces::now().map_err(|error| Failure::failed("look for traces", error))?;
        let left = now.beyond(before);
        if left.is_empty() {
            return Ok(killed.elapsed());
        }
        if killed.elapsed() > LIMIT {
            let left = left.join(", ");
            return Err(Failure::Wrong(format!("a killed run left {left}")));
        }
        sleep(INTERVAL);
    }
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
