//! `demo`: shows the product at work. `cargo xtask demo` builds what it needs and runs it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use bigip_tunnel_harness::demo::{self, DemoError, Fault, LabFiles, Show};
use bigip_tunnel_harness::progress::to_stderr;
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

/// A real API server, the operator, two simulated BIG-IPs, and nodes that come and go.
#[derive(Debug, Parser)]
struct Args {
    /// Leave everything running until Ctrl-C, and say how to reach it.
    #[arg(long)]
    keep: bool,
    /// Show one fault: what breaks, how it is found, how it is mended.
    #[arg(long = "break", value_enum, value_name = "FAULT")]
    fault: Option<Broken>,
    /// Start the parts without a tunnel, for the tutorial; what a shell needs is written into this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["keep", "fault"])]
    lab: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Broken {
    /// The Secret holds another password than the BIG-IPs.
    Auth,
    /// A BIG-IP presents a certificate that is not trusted.
    Cert,
    /// A record disappears from a BIG-IP.
    Drift,
    /// Most nodes disappear at once.
    Mass,
    /// Cilium has another MAC address for a BIG-IP's tunnel.
    Cilium,
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Auth => Self::Auth,
            Broken::Cert => Self::Cert,
            Broken::Drift => Self::Drift,
            Broken::Mass => Self::Mass,
            Broken::Cilium => Self::Cilium,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            to_stderr(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), DemoError> {
    let out = &mut io::stdout();
    if let Some(folder) = args.lab {
        let mut int = signal(SignalKind::interrupt())?;
        let mut term = signal(SignalKind::terminate())?;
        let end = async {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
            }
        };
        return demo::lab(&LabFiles::new(&folder)?, out, end).await;
    }
    let show = args
        .fault
        .map_or(Show::Tour, |fault| Show::Break(fault.into()));
    demo::run(show, args.keep, out).await
}
