//! `demo`: shows the product at work. `cargo xtask demo` builds what it needs and runs it.

use std::io;
use std::process::ExitCode;

use bigip_tunnel_harness::demo;
use bigip_tunnel_harness::progress::to_stderr;
use clap::Parser;

/// A real API server, the operator, two simulated BIG-IPs, and nodes that come and go.
#[derive(Debug, Parser)]
struct Args {
    /// Leave everything running until Ctrl-C, and say how to reach it.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo::run(Args::parse().keep, &mut io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            to_stderr(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
