//! What a process costs, as Linux tells it in `/proc`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

/// How often a short process is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A running process.
#[derive(Debug)]
pub(super) struct Measured {
    folder: PathBuf,
}

impl Measured {
    /// The process that runs this program.
    pub(super) fn find(program: &Path) -> io::Result<Self> {
        let program = program.canonicalize()?;
        for entry in fs::read_dir("/proc")? {
            let folder = entry?.path();
            if fs::read_link(folder.join("exe")).is_ok_and(|exe| exe == program) {
                return Ok(Self { folder });
            }
        }
        Err(io::Error::other(format!(
            "{} does not run",
            program.display()
        )))
    }

    /// The memory that it has, and the most that it ever had.
    pub(super) fn memory(&self) -> io::Result<String> {
        let status = fs::read_to_string(self.folder.join("status"))?;
        let of = |name: &str| {
            let mut lines = status.lines();
            let line = lines.find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        let mib =
            |name| of(name).map_or_else(|| "?".to_owned(), |kib| format!("{:.1}", kib / 1024.0));
        Ok(format!(
            "{} MiB, at most {} MiB",
            mib("VmRSS:"),
            mib("VmHWM:")
        ))
    }

    /// The processor time that it has used.
    pub(super) fn cpu(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(self.folder.join("stat"))?;
        // The name in brackets may hold anything; behind it utime and stime are the 12th and 13th field.
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        let mut fields = fields.split_whitespace().skip(11);
        let mut next = || fields.next().and_then(|field| field.parse::<u64>().ok());
        let ticks = next().zip(next()).map(|(user, system)| user + system);
        let ticks = ticks.ok_or_else(|| io::Error::other("no times in /proc"))?;
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        Ok(Duration::from_millis(
            ticks.saturating_mul(1000) / per_second,
        ))
    }
}

/// Runs a program to its end. Returns how long it took, and its memory as it was last seen.
pub(super) async fn run(mut command: Command) -> io::Result<(Duration, String)> {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let measured = child.id().map(|id| Measured {
        folder: PathBuf::from(format!("/proc/{id}")),
    });
    let mut memory = String::new();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status?;
                return if status.success() {
                    Ok((started.elapsed(), memory))
                } else {
                    Err(io::Error::other(format!("the program ended with {status}")))
                };
            }
            _ = looks.tick() => {
                if let Some(Ok(seen)) = measured.as_ref().map(Measured::memory)
                    && !seen.contains('?')
                {
                    memory = seen;
                }
            }
        }
    }
}
