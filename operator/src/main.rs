//! `bigip-tunnel-operator`: keeps one FDB record per node on every BIG-IP that a `BigIpTunnel` names.
//!
//! The calls of a pass are in `reconcile`; what decides is in the crate `bigip-tunnel-core`.

mod approval;
mod args;
mod clock;
mod device;
mod device_pool;
mod events;
mod finalizer;
mod http;
mod index;
mod kubernetes;
mod lease;
mod ledger;
mod metrics;
mod nodes;
mod pass;
mod reconcile;
mod restart;
mod run;
mod settings;
mod shared;
mod steps;
mod supervisor;
mod task;
mod unreadable;
mod watch;
mod worker;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::args::{Args, LogFormat};

fn main() -> ExitCode {
    let args = Args::read();
    start_log(args.log_format);
    // The only cryptography in the process; installing it twice is the only way this can fail.
    let _: Result<(), _> = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("no threads to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(run::run(args));
    // A blocked name lookup must not keep a process that has finished.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `RUST_LOG` sets the level; `info` without it.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.init(),
    }
}
