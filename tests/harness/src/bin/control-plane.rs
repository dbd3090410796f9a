//! `control-plane`: a Kubernetes API server with etcd on loopback ports, for as long as its
//! standard input stays open. Prints one line of JSON when it is ready.
//!
//! It is also the supervisor of the processes that the harness starts.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use bigip_tunnel_harness::binaries::tools::Tool;
use bigip_tunnel_harness::binaries::{self, definitions};
use bigip_tunnel_harness::control_plane::ControlPlaneError;
use bigip_tunnel_harness::control_plane::server::Server;
use bigip_tunnel_harness::progress::to_stderr;
use bigip_tunnel_harness::supervise;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// A Kubernetes API server for tests and the demo.
///
/// Starts etcd and kube-apiserver on free loopback ports, installs the `BigIpTunnel` resource and
/// prints one line of JSON: `{"kubeconfig": …, "server": …, "source": …}`. Ends, and removes its
/// files, when its standard input closes or on SIGTERM.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Only make sure that all foreign programs of the tests are there: find, fetch or build them.
    Prepare,
    /// Run a program that is killed when standard input closes.
    ///
    /// A line `terminate` sends it SIGTERM, `kill` SIGKILL, `pause` SIGSTOP, `resume` SIGCONT. Ends with its exit code, or
    /// with 128 plus the number of the signal that ended it.
    Supervise {
        /// Remove this folder when the program has ended, and its parent if that is empty then.
        #[arg(long, value_name = "FOLDER")]
        remove: Option<PathBuf>,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Args::parse().command {
        Some(Task::Supervise { remove, command }) => {
            return match supervise::supervise(&command, remove.as_deref()).await {
                Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
                Err(error) => {
                    to_stderr(&format!("error: cannot run the program: {error}"));
                    ExitCode::FAILURE
                }
            };
        }
        Some(Task::Prepare) => prepare(),
        None => serve().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            to_stderr(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn prepare() -> Result<(), ControlPlaneError> {
    let found = binaries::locate(&to_stderr)?;
    to_stderr(&format!("kube-apiserver and etcd: from {}", found.source));
    for tool in Tool::ALL {
        tool.path(&to_stderr)?;
    }
    definitions::of_others(&to_stderr)?;
    Ok(())
}

async fn serve() -> Result<(), ControlPlaneError> {
    let system = |action| move |source| ControlPlaneError::System { action, source };
    let stop = stop_requested().map_err(system("listen to signals"))?;
    let supervisor = std::env::current_exe().map_err(system("find this program"))?;
    let found = binaries::locate(&to_stderr)?;
    tokio::pin!(stop);
    let server = tokio::select! {
        server = Server::start(&supervisor, &found) => server?,
        () = &mut stop => return Ok(()),
    };
    let line = serde_json::to_string(&server.announcement)
        .map_err(|error| ControlPlaneError::Kubeconfig(error.to_string()))?;
    let mut output = io::stdout();
    writeln!(output, "{line}")
        .and_then(|()| output.flush())
        .map_err(system("write to standard output"))?;
    tokio::select! {
        () = stop => {
            server.stop().await;
            Ok(())
        }
        error = server.failed() => {
            server.stop().await;
            Err(error)
        }
    }
}

/// Completes at the end of standard input, on SIGTERM and on SIGINT.
fn stop_requested() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let (closed_sender, closed) = oneshot::channel();
    // A thread of its own: a read of standard input cannot be called off.
    std::thread::spawn(move || {
        let mut rest = [0; 64];
        let mut input = io::stdin();
        while input.read(&mut rest).is_ok_and(|read| read > 0) {}
        let _ = closed_sender.send(());
    });
    Ok(async move {
        tokio::select! {
            _ = closed => {}
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
