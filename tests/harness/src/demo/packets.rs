//! The part of the demo in which packets arrive: a data plane for both units, and stand-ins for the nodes' machines.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bigip_sim::netns::Namespace;
use bigip_sim::{DataPlaneConfig, SimConfig, Simulator};
use bigip_tunnel_dataplane::{Node, Underlay, UnderlayError, Vtep, VtepTable, http_get, parse_mac};
use ipnet::Ipv4Net;

use super::DemoError;
use super::cilium::{HEALTH, VtepConfig, host};
use super::world::{LOCAL_ADDRESSES, Machine};

/// The number of the pod among the addresses of a node's pods.
const POD: u32 = 7;
/// How long one request may take: longer than ARP asks again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the pod may stay silent after its node has joined.
const LIMIT: Duration = Duration::from_secs(20);

/// A network with both units on it, and the machines of nodes.
pub(super) struct Packets {
    underlay: Underlay,
    units: [Namespace; 2],
    machines: Arc<Machines>,
}

/// The machines that run, by the name of their node.
#[derive(Default)]
pub(super) struct Machines(Mutex<BTreeMap<String, Node>>);

impl Machines {
    /// Has a machine do what its agent has read.
    pub(super) fn restart_agent(&self, node: &str, config: &VtepConfig) {
        let machines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(machine) = machines.get(node) {
            machine.set_vteps(table(config));
        }
    }
}

fn table(config: &VtepConfig) -> VtepTable {
    let entries = config.entries.iter().filter_map(|entry| {
        Some(Vtep {
            network: entry.network,
            endpoint: entry.endpoint,
            mac: parse_mac(&entry.mac)?,
        })
    });
    let entries: Vec<Vtep> = entries.collect();
    let mask = config.mask.unwrap_or(Ipv4Addr::BROADCAST);
    let length = u32::from(mask).leading_ones();
    VtepTable::new(u8::try_from(length).unwrap_or(32), &entries)
}

impl Packets {
    /// Sets up the network.
    pub(super) async fn new(machines: Arc<Machines>) -> Result<Self, UnderlayError> {
        let underlay = Underlay::new().await?;
        let [first, second] = LOCAL_ADDRESSES;
        let units = [
            underlay.add_host(on_underlay(first)).await?,
            underlay.add_host(on_underlay(second)).await?,
        ];
        Ok(Self {
            underlay,
            units,
            machines,
        })
    }

    /// Gives a unit a data plane.
    pub(super) fn adjust(&self, unit: usize, config: &mut SimConfig) {
        config.data_plane = self
            .units
            .get(unit)
            .map(|namespace| DataPlaneConfig::Separate {
                underlay: Some(namespace.path()),
            });
    }

    /// Starts the machine of a node, with its health endpoint and one pod. Its agent has read nothing yet.
    pub(super) async fn start_machine(&self, machine: &Machine) -> Result<(), DemoError> {
        let failed = |why: String| DemoError::Packets(why);
        let address = machine.address();
        let namespace = self.underlay.add_host(on_underlay(address)).await;
        let namespace = namespace.map_err(|error| failed(error.to_string()))?;
        let node = Node::start(&namespace, address, VtepTable::new(32, &[]));
        let node = node.map_err(|error| failed(error.to_string()))?;
        for number in [HEALTH, POD] {
            node.add_pod(host(machine.pods(), number));
        }
        let mut machines = self
            .machines
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        machines.insert(machine.node.to_owned(), node);
        Ok(())
    }
}

/// The pod on a machine.
pub(super) fn pod(machine: &Machine) -> Ipv4Addr {
    host(machine.pods(), POD)
}

/// Asks a pod once: the first line of its answer, or why there is none.
pub(super) async fn ask(unit: &Simulator, pod: Ipv4Addr) -> Result<String, String> {
    let namespace = unit.namespace().ok_or("there is no data plane")?;
    let answer = http_get(namespace, pod, PATIENCE).await;
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// Asks a pod until it answers.
pub(super) async fn until_answered(unit: &Simulator, pod: Ipv4Addr) -> Result<String, DemoError> {
    let started = Instant::now();
    loop {
        match ask(unit, pod).await {
            Ok(answer) => return Ok(answer),
            Err(why) if started.elapsed() > LIMIT => {
                return Err(DemoError::Packets(format!(
                    "pod {pod} does not answer: {why}"
                )));
            }
            Err(_) => {}
        }
    }
}

fn on_underlay(address: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::new(address, 24).unwrap_or_default()
}
