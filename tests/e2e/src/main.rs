//! `e2e`: the product in pods. A provider gives a cluster, one body shows the product on it, whatever the cluster.
//!
//! `cargo xtask e2e` builds the images and the programs first.

mod body;
mod cluster;
mod kind;
mod local;
mod suite;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bigip_tunnel_harness::binaries::node;
use bigip_tunnel_harness::progress::to_stderr;
use bigip_tunnel_harness::wait::Timeout;
use clap::{Args, Parser, Subcommand, ValueEnum};

use cluster::{Access, Cluster};

/// Shows the product in pods.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Get a cluster and run the body on it.
    Run(Run),
    /// Keep a local node for as long as standard input is open, then remove every trace of it.
    #[command(hide = true)]
    Guard(local::guard::Options),
    /// Kill runs on a local node at some moments, and show that they leave nothing behind.
    Kill {
        /// Folder with `operator.tar` and `simulator.tar`.
        #[arg(long, value_name = "DIR")]
        images: PathBuf,
    },
    /// Find, fetch or build the foreign programs of the local node.
    Prepare,
}

#[derive(Debug, Args)]
struct Run {
    /// Where the cluster comes from.
    #[arg(long, value_enum, default_value_t)]
    provider: Provider,
    /// With `kind`: install Cilium, and wait for it.
    #[arg(long)]
    cilium: bool,
    /// Folder with `operator.tar` and `simulator.tar`. Not needed for `current`, whose nodes pull the images.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Name of the operator's image.
    #[arg(long, default_value = concat!("ghcr.io/bigip-tunnel/operator:", env!("CARGO_PKG_VERSION")))]
    operator_image: String,
    /// Name of the simulator's image.
    #[arg(long, default_value = concat!("ghcr.io/bigip-tunnel/simulator:", env!("CARGO_PKG_VERSION")))]
    simulator_image: String,
    /// Run the integration tests that share an API server on that of the cluster, too; some minutes.
    #[arg(long)]
    suite: bool,
    /// Only bring the cluster up, and keep it until Ctrl-C.
    #[arg(long)]
    only_cluster: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Provider {
    /// A lean node in namespaces of its own on this machine.
    #[default]
    Local,
    /// A cluster of kind.
    Kind,
    /// The one that KUBECONFIG names.
    Current,
}

/// Why the run is no success.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// This machine cannot do it. Nothing was shown, which is not a success.
    #[error("not run: {0}")]
    NotRun(String),
    /// The cluster does not come up, or a command fails.
    #[error("{0}")]
    Failed(String),
    /// The product does something else than it should.
    #[error("not as it should be: {0}")]
    Wrong(String),
}

impl From<Timeout> for Failure {
    fn from(timeout: Timeout) -> Self {
        Self::Wrong(timeout.to_string())
    }
}

impl Failure {
    fn failed(action: &str, why: impl std::fmt::Display) -> Self {
        Self::Failed(format!("cannot {action}: {why}"))
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Run(options) => run(&options),
        Task::Guard(options) => local::guard::run(&options),
        Task::Kill { images } => local::kill::run(&images),
        Task::Prepare => node::programs(&to_stderr)
            .map(drop)
            .map_err(|error| Failure::Failed(error.to_string())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // There is no other place for it if standard error is closed.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Run) -> Result<(), Failure> {
    let started = Instant::now();
    let images = || {
        let missing = || Failure::Failed("--images is needed for this provider".to_owned());
        options.images.as_deref().ok_or_else(missing)
    };
    // Each is kept to the end: the cluster goes with it.
    let (mut world, mut kind) = (None, None);
    let access = match options.provider {
        Provider::Local => {
            local::check_machine()?;
            let started = local::World::start(images()?)?;
            let access = started.access()?;
            world = Some(started);
            access
        }
        Provider::Kind => {
            let created = kind::Kind::create(images()?, options.cilium)?;
            let access = created.access();
            kind = Some(created);
            access
        }
        Provider::Current => Access::current()?,
    };
    to_stderr(&format!(
        "cluster ready after {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    if options.only_cluster {
        to_stderr(&format!("until Ctrl-C: {}", access.hint()));
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        return Ok(());
    }
    let cluster = Cluster::new(access)?;
    let images = body::Images {
        operator: &options.operator_image,
        simulator: &options.simulator_image,
    };
    let mut shown = body::run(&cluster, &images);
    if shown.is_ok() && options.suite {
        shown = suite::run(&cluster);
    }
    if shown.is_err() {
        cluster.describe();
    }
    drop((world, kind));
    shown
}
