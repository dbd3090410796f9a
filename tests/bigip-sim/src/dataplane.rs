//! A data plane for the simulated device: what its configuration says of tunnels, as VXLAN devices, addresses, routes
//! and forwarding entries of the kernel, in a network namespace of its own or in that of the process.
//!
//! Linux stands in for TMM. What it cannot stand in for is refused when it is configured, never ignored.

mod desired;
mod kernel;
mod ping;
mod plan;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::{Mutex, Semaphore, watch};

use self::desired::Mac;
use self::kernel::{Kernel, KernelError};
use self::plan::plan;
use crate::netns::{Namespace, NamespaceError};
use crate::ping::{PingArguments, PingOutcome};
use crate::resources::Learned;
use crate::state::State;

pub(crate) use self::desired::{Desired, Unsupported};

/// Most pings of a device at a time, each of which has a thread.
const PINGS_MAX: usize = 64;

/// Where the data plane of a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataPlaneConfig {
    /// In a network namespace of its own, which takes `CAP_SYS_ADMIN` and `CAP_NET_ADMIN` and goes with the process.
    Separate {
        /// The namespace in which tunnels send and receive, which has to have their local addresses; that of the
        /// process if not given.
        underlay: Option<PathBuf>,
    },
    /// In the network namespace of the process, such as that of a pod, which takes `CAP_NET_ADMIN` alone. One device at
    /// a time can have its tunnels there. They are removed by [`crate::Simulator::close`]; those of a process that was
    /// killed are removed by the next one.
    InPlace,
}

impl Default for DataPlaneConfig {
    fn default() -> Self {
        Self::Separate { underlay: None }
    }
}

/// The data plane cannot be made, or cannot follow the configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataPlaneError {
    /// A network namespace cannot be had.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// It may not make a namespace of its own.
    #[error(
        "{0}; with CAP_NET_ADMIN alone, --dataplane=in-place puts the tunnels of one unit into the network namespace \
         that bigip-sim is started in"
    )]
    NoNamespace(NamespaceError),
    /// Another device has its tunnels in this network namespace.
    #[error(
        "another bigip-sim has its tunnels in this network namespace: start each unit in a namespace of its own, such as \
         that of a pod"
    )]
    Occupied,
    /// The configuration has something that it cannot stand in for.
    #[error("bigip-sim does not simulate {0}")]
    Unsupported(String),
    /// The kernel refuses a change.
    #[error("the kernel refuses a change of the data plane: {0}")]
    Kernel(String),
    /// No ping can be sent.
    #[error("cannot ping: {0}")]
    Ping(String),
}

impl From<KernelError> for DataPlaneError {
    fn from(error: KernelError) -> Self {
        match error {
            KernelError::Namespace(error) => Self::Namespace(error),
            KernelError::NoNamespace(error) => Self::NoNamespace(error),
            KernelError::Occupied => Self::Occupied,
            other => Self::Kernel(other.to_string()),
        }
    }
}

impl From<Unsupported> for DataPlaneError {
    fn from(Unsupported(what): Unsupported) -> Self {
        Self::Unsupported(what)
    }
}

/// A running data plane. It goes with this value, and with the process.
#[derive(Debug)]
pub(crate) struct DataPlane {
    /// One change at a time, in the order in which they were asked for.
    followed: Mutex<Followed>,
    namespace: Namespace,
    /// One permit for each ping at a time; others wait.
    pings: Semaphore,
}

#[derive(Debug)]
struct Followed {
    kernel: Kernel,
    /// What the kernel holds; `None` after a step that failed.
    current: Option<Desired>,
}

impl DataPlane {
    /// Makes one that is empty.
    pub(crate) async fn start(config: &DataPlaneConfig) -> Result<Self, DataPlaneError> {
        let kernel = match config {
            DataPlaneConfig::Separate { underlay } => {
                let underlay = match underlay {
                    Some(path) => Namespace::open(path)?,
                    None => Namespace::current()?,
                };
                Kernel::separate(&underlay).await?
            }
            DataPlaneConfig::InPlace => Kernel::in_place().await?,
        };
        Ok(Self {
            namespace: kernel.namespace().clone(),
            pings: Semaphore::new(PINGS_MAX),
            followed: Mutex::new(Followed {
                kernel,
                current: Some(Desired::default()),
            }),
        })
    }

    /// The namespace that it is in.
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Brings the kernel to what the configuration says now.
    pub(crate) async fn follow(&self, state: &watch::Sender<State>) -> Result<(), DataPlaneError> {
        let mut followed = self.followed.lock().await;
        followed.follow(state).await
    }

    /// Removes its tunnels. They come back with the next change.
    pub(crate) async fn close(&self) -> Result<(), DataPlaneError> {
        let mut followed = self.followed.lock().await;
        followed.current = None;
        Ok(followed.kernel.clear().await?)
    }

    /// Follows, then says which MAC address each tunnel has.
    pub(crate) async fn macs(
        &self,
        state: &watch::Sender<State>,
    ) -> Result<BTreeMap<String, String>, DataPlaneError> {
        let mut followed = self.followed.lock().await;
        followed.follow(state).await?;
        let macs = followed.kernel.macs().await?.into_iter();
        Ok(macs.map(|(path, mac)| (path, text(mac))).collect())
    }

    /// Follows, then says what it has learned by ARP.
    pub(crate) async fn learned(
        &self,
        state: &watch::Sender<State>,
    ) -> Result<Vec<Learned>, DataPlaneError> {
        let mut followed = self.followed.lock().await;
        followed.follow(state).await?;
        let neighbours = followed.kernel.neighbours().await?;
        let learned = neighbours.into_iter().map(|neighbour| {
            let mac = neighbour.mac.map(text);
            Learned::new(
                &neighbour.address.to_string(),
                mac.as_deref(),
                &neighbour.tunnel,
            )
        });
        Ok(learned.collect())
    }

    /// Follows, then pings.
    pub(crate) async fn ping(
        &self,
        state: &watch::Sender<State>,
        arguments: &PingArguments,
    ) -> Result<PingOutcome, DataPlaneError> {
        // Fails only when the semaphore is closed, which it never is.
        let _permit = self.pings.acquire().await;
        self.follow(state).await?;
        ping::run(&self.namespace, arguments).await
    }
}

/// A MAC address as REST shows it.
fn text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

impl Followed {
    async fn follow(&mut self, state: &watch::Sender<State>) -> Result<(), DataPlaneError> {
        let desired = state.borrow().desired()?;
        let current = if let Some(current) = self.current.take() {
            current
        } else {
            self.kernel.clear().await?;
            Desired::default()
        };
        for step in plan(&current, &desired) {
            tracing::debug!(?step, "data plane");
            self.kernel.take(&step).await?;
        }
        self.current = Some(desired);
        Ok(())
    }
}
