//! `bench`: measures the product at a size. `cargo xtask bench` builds what it needs and runs it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bigip_tunnel_harness::bench::{self, Size};
use bigip_tunnel_harness::progress::to_stderr;
use clap::Parser;

/// A real API server, the operator and the plugin as they are shipped, two simulated BIG-IPs.
#[derive(Debug, Parser)]
struct Args {
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 5000)]
    nodes: u32,
    /// Seconds for which heartbeats are watched.
    #[arg(long, default_value_t = 60)]
    heartbeat_seconds: u64,
    /// Folder with the programs as they are shipped.
    #[arg(long, value_name = "FOLDER")]
    release: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let size = Size {
        nodes: args.nodes,
        heartbeats: Duration::from_secs(args.heartbeat_seconds),
    };
    match bench::run(&size, &args.release, &mut io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            to_stderr(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
