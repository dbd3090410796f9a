//! `bigip-sim`: a simulated BIG-IP for the command line.
//!
//! Starts the device, says where it is, waits for the end. It must not know of requests.

mod args;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::iter;
use std::process::ExitCode;

use bigip_sim::Simulator;
use bigip_sim::shutdown::Shutdown;
use clap::Parser;
use serde_json::json;

use crate::args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.log {
        let colour = io::stderr().is_terminal();
        tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(colour)
            .init();
    }
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = iter::successors(Some(error.as_ref()), |&cause| cause.source());
            let message: Vec<String> = causes.map(ToString::to_string).collect();
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(io::stderr(), "error: {}", message.join(": "));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    // First, so that a signal right after the line below is not lost.
    let shutdown = Shutdown::watch(args.exit_with_stdin)?;
    let faults = args.faults()?;
    let simulator = Simulator::start(args.into_config()?).await?;
    for fault in faults {
        simulator.fault(fault);
    }
    let address = simulator.address();
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_mut, reason = "only a data plane is added")
    )]
    let mut line = json!({
        "address": address.ip(), "port": address.port(), "ca": simulator.ca_pem(),
    });
    #[cfg(target_os = "linux")]
    if let (Some(namespace), Some(line)) = (simulator.namespace(), line.as_object_mut()) {
        line.insert("namespace".to_owned(), json!(namespace.path()));
    }
    let mut stdout = io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    shutdown.requested().await;
    Ok(simulator.close().await?)
}
