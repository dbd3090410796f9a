//! Puts the process together and takes it apart again. Wiring only.

use std::sync::Arc;
use std::time::Duration;

use bigip_icontrol::BodyMemory;
use bigip_tunnel_core::lease::InvalidTiming;
use futures::FutureExt;
use kube::Client;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::cilium::{self, Cilium};
use crate::clock::Clock;
use crate::device_pool::{DevicePool, SessionKey};
use crate::events::Events;
use crate::http;
use crate::index::Index;
use crate::kubernetes::{self, ConnectError};
use crate::lease::{self, Election, Leadership, Lost};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::shared::Shared;
use crate::supervisor::Supervisor;
use crate::vtep::{self, Vtep};

/// How long requests in flight may take to be finished. With the logout's own bound (5 s) and the next one
/// behind it, it stays below the 30 s that a pod gets by default.
const FINISH_MAX: Duration = Duration::from_secs(18);
/// How long it may take to give the lease back.
const GIVE_BACK_MAX: Duration = Duration::from_secs(5);
/// How often logins that nobody uses any more are given back.
const POOL_SWEEP: Duration = Duration::from_secs(30);

/// Why the process could not start, or had to end.
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
    /// The times of the lease do not go together.
    #[error(transparent)]
    Timing(#[from] InvalidTiming),
    /// Another process may lead now. Kubernetes starts this one again, as a follower.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The election failed in a way it should not.
    #[error("the leader election broke off: {0}")]
    Election(#[from] JoinError),
    /// The work ended although nobody asked for it. A process that only leads is of no use to anybody.
    #[error("the work broke off; please report it")]
    Work,
}

/// Runs until SIGTERM or SIGINT, or until the leadership is lost.
pub(crate) async fn run(args: Args, log: Log) -> Result<(), RunError> {
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let client = kubernetes::connect().await?;
    let listener = http::bind(args.listen)
        .await
        .map_err(|source| RunError::Listen {
            address: args.listen,
            source,
        })?;

    let stop = CancellationToken::new();
    let endpoints = CancellationToken::new();
    tokio::spawn(log.follow(endpoints.clone()));
    let (clock, writer) = (Clock::start(), writer_name());
    let mut election = Candidacy::begin(&args, client.clone(), &writer, clock)?;
    let leadership = election.leadership.clone();
    let metrics = Metrics::new();
    let shared = Arc::new(Shared {
        events: Events::start(client.clone(), &writer, leadership.clone(), stop.clone()),
        writer,
        leadership,
        nodes: Nodes::start(client.clone(), metrics.watches.clone(), stop.clone()),
        client,
        index: Index::default(),
        cilium: Cilium::new(args.cilium_verify),
        vtep: Vtep::new(args.feature_gates.vtep_config, args.cilium_verify),
        pool: DevicePool::new(clock),
        clock,
        settle: args.settle_seconds,
        allow_insecure_tls: args.allow_insecure_tls,
        device_networks: args.device_networks.into(),
        require_secret_binding: args.require_secret_binding,
        body_memory: BodyMemory::default(),
        metrics,
        stop: stop.clone(),
    });
    http::serve(listener, shared.clone(), endpoints.clone());
    let sweep = tokio::spawn(sweep_pool(shared.clone()));
    if args.cilium_verify {
        tokio::spawn(cilium::run(shared.clone(), args.cilium_namespace));
    }
    let (supervisor, managing) = (Supervisor::new(shared.clone()), vtep::run(shared.clone()));
    let mut work = tokio::spawn(async move {
        tokio::join!(supervisor.run(&args.watch_namespaces), managing);
    });

    let ending = tokio::select! {
        () = signals.next() => Ending::Asked,
        ended = &mut election.task => Ending::Lost(ended),
        _ = &mut work => Ending::Broken,
    };
    ending.tell();
    stop.cancel();
    let end = async {
        let is_finished = matches!(ending, Ending::Broken) || finish(work).await;
        sweep.abort();
        shared.pool.log_out_all().await;
        // Last, so that nobody else begins while this process still works.
        if is_finished && !matches!(ending, Ending::Lost(_)) {
            election.give_back().await;
        }
    };
    tokio::select! {
        () = end => tracing::info!("ended"),
        () = signals.next() => tracing::warn!("ended at once, as asked for twice"),
    }
    endpoints.cancel();
    match ending {
        Ending::Asked => Ok(()),
        Ending::Lost(ended) => Ok(ended??),
        Ending::Broken => Err(RunError::Work),
    }
}

/// What ends the process.
enum Ending {
    /// A signal.
    Asked,
    /// The election: the leadership is over.
    Lost(Result<Result<(), Lost>, JoinError>),
    /// The work, by a panic.
    Broken,
}

impl Ending {
    fn tell(&self) {
        match self {
            Self::Asked => tracing::info!("ending: requests in flight are finished"),
            Self::Lost(_) => tracing::error!("ending, because this process leads no more"),
            Self::Broken => tracing::error!("ending, because the work broke off"),
        }
    }
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// This process's part in the election, if there is one.
struct Candidacy {
    leadership: Leadership,
    /// Ends when the leadership is lost.
    task: JoinHandle<Result<(), Lost>>,
    give_back: CancellationToken,
}

impl Candidacy {
    fn begin(
        args: &Args,
        client: Client,
        identity: &str,
        clock: Clock,
    ) -> Result<Self, InvalidTiming> {
        let give_back = CancellationToken::new();
        if !args.leader_elect {
            return Ok(Self {
                leadership: Leadership::unelected(),
                task: tokio::spawn(give_back.clone().cancelled_owned().map(Ok)),
                give_back,
            });
        }
        let namespace = args.lease_namespace.clone();
        let options = lease::Options {
            namespace: namespace.unwrap_or_else(|| client.default_namespace().to_owned()),
            name: args.lease_name.clone(),
            timing: args.lease_timing()?,
        };
        let leadership = Leadership::none();
        let identity = identity.to_owned();
        let election = Election::new(client, options, identity, leadership.clone(), clock);
        Ok(Self {
            leadership,
            task: tokio::spawn(election.run(give_back.clone())),
            give_back,
        })
    }

    /// Ends it, and with it the leadership.
    async fn give_back(&mut self) {
        self.give_back.cancel();
        match tokio::time::timeout(GIVE_BACK_MAX, &mut self.task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(lost))) => tracing::warn!("{lost}"),
            Ok(Err(error)) => tracing::error!("the leader election broke off: {error}"),
            Err(_) => tracing::warn!("the lease is not given back in time, and runs out"),
        }
    }
}

/// Waits for the work to end. Returns whether nothing of it is left.
async fn finish(work: JoinHandle<()>) -> bool {
    match tokio::time::timeout(FINISH_MAX, work).await {
        Ok(Ok(())) => {
            tracing::info!("the work has ended");
            true
        }
        Ok(Err(error)) => {
            tracing::error!("the work ended in a failure: {error}");
            false
        }
        Err(_) => {
            tracing::warn!("the work is cut off with requests in flight");
            false
        }
    }
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
        let all = shared.pool.addresses(|_| true);
        let expiring = shared.pool.addresses(SessionKey::looks_at_expiry);
        shared.metrics.exchanges.keep(&all, &expiring);
    }
}
