//! What every object's work shares: the cluster, the pool, the clock, the settings of the process.

use std::sync::Arc;
use std::time::Duration;

use bigip_icontrol::BodyMemory;
use ipnet::IpNet;
use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::cilium::Cilium;
use crate::clock::Clock;
use crate::device_pool::DevicePool;
use crate::events::Events;
use crate::index::Index;
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::vtep::Vtep;

/// The process.
pub(crate) struct Shared {
    /// Name of this process, unlike that of any other.
    pub(crate) writer: String,
    /// Whether this process may write. The ways out, to devices and to Kubernetes, ask it.
    pub(crate) leadership: Leadership,
    /// The Kubernetes client.
    pub(crate) client: Client,
    /// The cluster's nodes.
    pub(crate) nodes: Nodes,
    /// All objects, to see what others need.
    pub(crate) index: Index,
    /// Cilium's side of the tunnels.
    pub(crate) cilium: Cilium,
    /// The CiliumVTEPConfigs of the tunnels.
    pub(crate) vtep: Vtep,
    /// Logins and writer queues.
    pub(crate) pool: DevicePool,
    /// The clocks.
    pub(crate) clock: Clock,
    /// How long after the beginning of its leadership the process removes nothing.
    pub(crate) settle: Duration,
    /// Whether a spec may ask for no verification of certificates.
    pub(crate) allow_insecure_tls: bool,
    /// Networks that devices may be in; if there are none, any.
    pub(crate) device_networks: Arc<[IpNet]>,
    /// Whether a Secret has to say where its password may be sent.
    pub(crate) require_secret_binding: bool,
    /// What bodies from and to all devices may take.
    pub(crate) body_memory: BodyMemory,
    /// What is told of objects.
    pub(crate) events: Events,
    /// Counters.
    pub(crate) metrics: Metrics,
    /// Cancelled when the process is to end.
    pub(crate) stop: CancellationToken,
}
