//! Puts the process together and takes it apart again. Wiring only.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::clock::Clock;
use crate::device_pool::DevicePool;
use crate::events::Events;
use crate::http;
use crate::index::Index;
use crate::kubernetes::{self, ConnectError};
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::shared::Shared;
use crate::supervisor::Supervisor;

/// How long requests in flight may take to be finished. With the logout's own bound behind it, it
/// stays below the 30 s that a pod gets by default.
const FINISH_MAX: Duration = Duration::from_secs(18);
/// How often logins that nobody uses any more are given back.
const POOL_SWEEP: Duration = Duration::from_secs(30);

/// Why the process could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// No cluster.
    #[error("cannot connect to Kubernetes: {0}")]
    Connect(#[from] ConnectError),
    /// The address of the endpoints cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// No signal handler.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] std::io::Error),
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(args: Args) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let client = kubernetes::connect().await?;
    let listener = http::bind(args.listen)
        .await
        .map_err(|source| RunError::Listen {
            address: args.listen,
            source,
        })?;

    let stop = CancellationToken::new();
    let endpoints = CancellationToken::new();
    let writer = writer_name();
    let shared = Arc::new(Shared {
        events: Events::start(client.clone(), &writer, stop.clone()),
        writer,
        nodes: Nodes::start(client.clone(), stop.clone()),
        client,
        index: Index::default(),
        pool: DevicePool::default(),
        clock: Clock::start(),
        settle: args.settle_seconds,
        allow_insecure_tls: args.allow_insecure_tls,
        device_networks: args.device_networks.into(),
        require_secret_binding: args.require_secret_binding,
        metrics: Metrics::new(),
        stop: stop.clone(),
    });
    http::serve(listener, shared.clone(), endpoints.clone());
    let sweep = tokio::spawn(sweep_pool(shared.clone()));
    let supervisor = Supervisor::new(shared.clone());
    let work = tokio::spawn(async move { supervisor.run(&args.watch_namespaces).await });

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("ending: requests in flight are finished");
    stop.cancel();
    let end = async {
        match tokio::time::timeout(FINISH_MAX, work).await {
            Ok(Ok(())) => tracing::info!("the work has ended"),
            Ok(Err(error)) => tracing::error!("the work ended in a failure: {error}"),
            Err(_) => tracing::warn!("the work is cut off with requests in flight"),
        }
        sweep.abort();
        shared.pool.log_out_all().await;
    };
    tokio::select! {
        () = end => tracing::info!("ended"),
        _ = terminate.recv() => tracing::warn!("ended at once, as asked for twice"),
        _ = interrupt.recv() => tracing::warn!("ended at once, as asked for twice"),
    }
    endpoints.cancel();
    Ok(())
}

/// Host, which is the pod's name in a cluster, and something that no other process has.
fn writer_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "operator".to_owned());
    let host: String = host.chars().take(63).collect();
    format!("{host}_{:016x}", fastrand::u64(..))
}

async fn sweep_pool(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(POOL_SWEEP);
    loop {
        tick.tick().await;
        shared.pool.drop_unused().await;
    }
}
