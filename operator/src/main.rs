//! `bigip-tunnel-operator`: keeps one FDB record per node on every BIG-IP that a `BigIpTunnel` names.
//!
//! The calls of a pass are in `device::pass`; what decides is in the crate `bigip-tunnel-core`.

mod approval;
mod args;
mod cilium;
mod clock;
mod device;
mod device_pool;
mod events;
mod features;
mod finalizer;
mod http;
mod index;
mod kubernetes;
mod lease;
mod ledger;
mod log;
mod logins;
mod metrics;
mod nodes;
mod probe;
mod restart;
mod run;
mod settings;
mod shared;
mod supervisor;
mod unreadable;
mod vtep;
mod watch;
mod worker;
mod writer_queue;

use std::process::ExitCode;

use crate::args::{Args, Command};
use crate::log::Log;

fn main() -> ExitCode {
    let args = Args::read();
    if let Some(Command::Probe(probe)) = &args.command {
        return probe::main(probe);
    }
    let log = Log::start(args.log_format, args.log_level_file.clone());
    // The only cryptography in the process; installing it twice is the only way this can fail.
    let _: Result<(), _> = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("no threads to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(run::run(args, log));
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
