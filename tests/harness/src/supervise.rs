//! Processes that end with the process that started them, however that one ends.
//!
//! A program runs under a supervisor: `control-plane supervise -- PROGRAM ARGS…`. The supervisor
//! reads orders from its standard input, which is a pipe from the parent. When the parent is gone,
//! also after `kill -9`, the system closes that pipe and the supervisor kills the program.
//!
//! It must not know which programs those are.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Lines of output that are kept of a process.
const KEPT_LINES: usize = 5000;

const TERMINATE: &str = "terminate";
const KILL: &str = "kill";
const PAUSE: &str = "pause";
const RESUME: &str = "resume";

/// What to run under a supervisor.
#[derive(Debug)]
pub struct Supervised {
    command: Command,
    args: Vec<std::ffi::OsString>,
}

impl Supervised {
    /// `supervisor` is the `control-plane` program; it starts `program`.
    pub fn new(supervisor: &Path, program: &Path) -> Self {
        let mut command = Command::new(supervisor);
        command.arg("supervise");
        Self {
            command,
            args: vec![program.into()],
        }
    }

    /// Adds an argument of the program.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Sets an environment variable of the program.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes the folder when the program has ended, and its parent when that is empty then.
    #[must_use]
    pub fn remove_afterwards(mut self, folder: &Path) -> Self {
        self.command.arg("--remove").arg(folder);
        self
    }

    /// Starts it. `on_line` sees every line it writes to standard error.
    pub fn spawn(mut self, on_line: impl Fn(&str) + Send + 'static) -> io::Result<Process> {
        let mut child = self
            .command
            .arg("--")
            .args(self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for the parent, which ends its processes in order.
            .process_group(0)
            .spawn()?;
        let (orders, errors) = (child.stdin.take(), child.stderr.take());
        let log = Arc::new(Log::default());
        let (exit_sender, exit) = watch::channel(None);
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in errors
                .into_iter()
                .flat_map(|errors| BufReader::new(errors).lines())
            {
                let Ok(line) = line else { break };
                on_line(&line);
                kept.push(line);
            }
            exit_sender.send_replace(Some(child.wait().map_or(Exit::Unknown, Exit::from)));
        });
        Ok(Process {
            orders: Mutex::new(orders),
            log,
            exit,
        })
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this code; one that a signal ended has 128 plus the number of the signal.
    Code(i32),
    /// The system does not say.
    Unknown,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        exit_code(status).map_or(Self::Unknown, Self::Code)
    }
}

fn exit_code(status: ExitStatus) -> Option<i32> {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
}

/// A process under a supervisor; killed when this value goes.
#[derive(Debug)]
pub struct Process {
    orders: Mutex<Option<ChildStdin>>,
    log: Arc<Log>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.order(TERMINATE);
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        self.order(KILL);
    }

    /// Sends SIGSTOP: it stands still, as in a machine that is suspended.
    pub fn pause(&self) {
        self.order(PAUSE);
    }

    /// Sends SIGCONT: it goes on.
    pub fn resume(&self) {
        self.order(RESUME);
    }

    /// How it ended, if it did.
    pub fn exited(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits until it has ended and everything it wrote is in the log.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        // The sender goes only after it has sent.
        exit.wait_for(Option::is_some)
            .await
            .map_or(Exit::Unknown, |exit| exit.unwrap_or(Exit::Unknown))
    }

    /// The last lines it wrote to standard error.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    fn order(&self, word: &str) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = orders.as_mut() {
            // A supervisor that is gone took its program along.
            let _ = writeln!(pipe, "{word}");
        }
    }
}

/// The last lines of a process.
#[derive(Debug, Default)]
struct Log(Mutex<VecDeque<String>>);

impl Log {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

/// An order to the supervisor.
enum Order {
    Send(Signal),
    Kill,
}

impl Order {
    /// What is not known is a supervisor of another version, and the end.
    fn from_word(word: &str) -> Self {
        match word {
            TERMINATE => Self::Send(Signal::TERM),
            PAUSE => Self::Send(Signal::STOP),
            RESUME => Self::Send(Signal::CONT),
            _ => Self::Kill,
        }
    }
}

/// The supervisor's side: starts the program, obeys orders until it has ended, removes the folder.
/// Returns the code to exit with.
pub async fn supervise(command: &[std::ffi::OsString], remove: Option<&Path>) -> io::Result<i32> {
    let (program, args) = command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program is named"))?;
    let mut orders = orders()?;
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            order = orders.recv() => match order {
                Some(Order::Send(signal)) => send(&child, signal)?,
                Some(Order::Kill) | None => child.start_kill()?,
            },
        }
    };
    if let Some(folder) = remove {
        remove_with_parent(folder);
    }
    Ok(exit_code(status).unwrap_or(1))
}

/// Orders from standard input and from signals. The end of standard input means kill.
fn orders() -> io::Result<mpsc::UnboundedReceiver<Order>> {
    let (sender, orders) = mpsc::unbounded_channel();
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let from_signals = sender.clone();
    tokio::spawn(async move {
        while tokio::select! { got = term.recv() => got, got = int.recv() => got }.is_some() {
            if from_signals.send(Order::Send(Signal::TERM)).is_err() {
                break;
            }
        }
    });
    // A thread of its own: a read of standard input cannot be called off, and must not hold up the
    // end of the runtime.
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.send(Order::from_word(&line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Order::Kill);
    });
    Ok(orders)
}

fn send(child: &Child, signal: Signal) -> io::Result<()> {
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    match pid {
        Some(pid) => Ok(kill_process(pid, signal)?),
        // It has ended; the next turn of the loop sees that.
        None => Ok(()),
    }
}

fn remove_with_parent(folder: &Path) {
    // What cannot be removed stays for the system's own cleaning of temporary folders.
    let _ = fs::remove_dir_all(folder);
    if let Some(parent) = folder.parent() {
        let _ = fs::remove_dir(parent);
    }
}

/// A folder for one supervised process inside a folder that several share.
pub fn own_folder(shared: &Path, name: &str) -> io::Result<PathBuf> {
    let folder = shared.join(name);
    fs::create_dir(&folder)?;
    Ok(folder)
}
