//! The product at work, told line by line: an API server, two simulated units of an HA pair, the
//! operator as a process of its own, nodes that come and go, with Cilium's objects; also one fault at a time
//! ([`Show::Break`]), and the parts alone ([`lab`]).
//!
//! Everything that is said is checked as well: the demo fails if the product does not do it. It
//! must not know how the product does it.

mod breaks;
mod cilium;
mod deployment;
mod lab;
#[cfg(target_os = "linux")]
mod packets;
mod screen;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::binaries::BinariesError;
use crate::control_plane::ControlPlaneError;
use crate::operator::OperatorError;
use crate::products::ProductError;
use crate::supervise::Exit;
use crate::wait::Timeout;
pub use breaks::Fault;
pub use lab::{LabFiles, lab};
use screen::Screen;
use world::{Machine, NAME, NAMESPACE, TUNNEL_PATH, World};

/// The nodes of the start: the addresses of the example in the guide.
const NODES: [Machine; 3] = [
    machine(1, "worker-1", "10.169.72.239"),
    machine(2, "worker-2", "10.169.72.233"),
    machine(3, "worker-3", "10.169.72.240"),
];
/// The node that comes later, and the one that goes.
const NEW_NODE: Machine = machine(4, "worker-4", "10.169.72.241");
const DELETED_NODE: &str = "worker-2";

const fn machine(number: u8, node: &'static str, address: &'static str) -> Machine {
    Machine {
        number,
        node,
        address,
    }
}

/// A record that somebody else made on the first unit.
const FOREIGN: (&str, &str) = ("52:54:00:c0:ff:ee", "192.0.2.99%0");

/// The records of the nodes above, worked out by hand.
const RECORDS: [(&str, &str, &str); 4] = [
    ("worker-1", "0a:0a:0a:a9:48:ef", "10.169.72.239%0"),
    ("worker-2", "0a:0a:0a:a9:48:e9", "10.169.72.233%0"),
    ("worker-3", "0a:0a:0a:a9:48:f0", "10.169.72.240%0"),
    ("worker-4", "0a:0a:0a:a9:48:f1", "10.169.72.241%0"),
];

/// How long the product may take for a step. What it does take is printed.
const LIMIT: Duration = Duration::from_secs(60);

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// kube-apiserver or etcd is not available.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// There is no API server.
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    /// A simulated device does not start.
    #[error("a simulated BIG-IP does not start: {0}")]
    Device(#[from] bigip_sim::StartError),
    /// A simulated device does not take the record that is not ours.
    #[error("a simulated BIG-IP cannot be prepared: {0}")]
    Prepare(#[from] bigip_sim::ConfigError),
    /// The API server refuses something.
    #[error("the API server refuses: {0}")]
    Kubernetes(#[from] kube::Error),
    /// A program of the workspace is not there.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// The operator does not run.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The product did not do what the demo shows.
    #[error("{timeout}; the operator's log:\n{log}")]
    NotDone {
        /// What did not become true.
        timeout: Timeout,
        /// What the operator wrote.
        log: String,
    },
    /// A packet does not arrive that should, or packets cannot be had.
    #[error("{0}")]
    Packets(String),
    /// Cilium's kind is not served.
    #[error("{0}")]
    NotServed(Timeout),
    /// A simulated device cannot renew its certificate.
    #[error("a simulated BIG-IP cannot renew its certificate: {0}")]
    Certificate(#[from] bigip_sim::TlsError),
    /// A fault is not found, or the plugin finds something wrong where nothing is.
    #[error("`kubectl bigip-tunnel {verb}` ended with {status}")]
    Plugin {
        /// The verb.
        verb: &'static str,
        /// How it ended.
        status: ExitStatus,
    },
    /// The operator did not end as it should.
    #[error("the operator ended with {0:?} after SIGTERM")]
    Unclean(Exit),
    /// The output or a signal cannot be had.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Nodes come and go.
    Tour,
    /// A fault, how it is seen, and how it is mended.
    Break(Fault),
}

/// Shows it and ends; with `keep`, leaves everything running until Ctrl-C or SIGTERM.
pub async fn run(
    show: Show,
    keep: bool,
    out: &mut (dyn io::Write + Send),
) -> Result<(), DemoError> {
    let mut screen = Screen::new(out);
    let world = World::start(&mut screen).await?;
    let told = match show {
        Show::Tour => tell(&world, &mut screen).await,
        Show::Break(fault) => breaks::tell(&world, fault, &mut screen).await,
    };
    if told.is_ok() && keep {
        keep_running(&world, &mut screen).await?;
    }
    screen.heading("ending: SIGTERM to the operator, then the API server")?;
    let exit = world.stop().await?;
    told?;
    if exit != Exit::Code(0) {
        return Err(DemoError::Unclean(exit));
    }
    screen.line("the operator ended with code 0; nothing is left running")?;
    Ok(())
}

async fn tell(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    let (mac, endpoint) = FOREIGN;
    world
        .devices
        .active()
        .seed_record(TUNNEL_PATH, mac, endpoint)?;
    screen.line(&format!(
        "bigip-a has a foreign record: {mac} -> {endpoint}"
    ))?;
    prepare(world, &NODES).await?;
    three_nodes(world, screen).await?;
    world.until_ready().await?;
    screen.heading("what the plugin shows")?;
    show_plugin(world, screen, "status").await?;
    screen.line("")?;
    show_plugin(world, screen, "fdb").await?;
    prove(world, screen).await?;
    node_comes(world, screen).await?;
    node_goes(world, screen).await?;
    screen.heading("the foreign record")?;
    // Checked as part of the expected records above; shown once more from the device.
    let records = world.devices.active().records(TUNNEL_PATH);
    let endpoint = records.get(FOREIGN.0).map_or("GONE", String::as_str);
    screen.line(&format!(
        "bigip-a still has {} -> {endpoint}, untouched",
        FOREIGN.0
    ))?;
    screen.heading("nothing is wrong, on either side of the tunnel")?;
    world.until("CiliumReady", "True", "").await?;
    healthy(world, screen).await
}

/// Login, Cilium's configuration for both units, and these nodes with their machines.
async fn prepare(world: &World, machines: &[Machine]) -> Result<(), DemoError> {
    world.create_access().await?;
    world.configure_cilium().await?;
    for machine in machines {
        world.start_machine(machine).await?;
        world.join(machine).await?;
    }
    Ok(())
}

/// Has both units ping every node, where they can.
#[cfg(target_os = "linux")]
async fn prove(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    if world.packets.is_none() {
        return Ok(());
    }
    screen.heading("a packet from each BIG-IP to each node")?;
    show_plugin(world, screen, "verify").await
}

#[cfg(not(target_os = "linux"))]
async fn prove(_: &World, _: &mut Screen<'_>) -> Result<(), DemoError> {
    Ok(())
}

/// Everything is checked, the BIG-IPs included, and nothing is found.
async fn healthy(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    let args = ["check", "-A", "--direct"];
    let status = screen.command(world.plugin(&args)?).await?;
    if status.success() {
        Ok(())
    } else {
        Err(DemoError::Plugin {
            verb: "check",
            status,
        })
    }
}

async fn three_nodes(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    screen.heading("a BigIpTunnel object for three nodes and both units")?;
    for machine in NODES {
        screen.line(&format!("node {} {}", machine.node, machine.address))?;
    }
    let started = Instant::now();
    world.create_object().await?;
    world
        .until_records(expected(&["worker-1", "worker-2", "worker-3"]))
        .await?;
    screen.line(&format!(
        "all records on both units after {} ms",
        started.elapsed().as_millis()
    ))?;
    show_records(world, screen)
}

async fn show_plugin(
    world: &World,
    screen: &mut Screen<'_>,
    verb: &'static str,
) -> Result<(), DemoError> {
    let status = screen
        .command(world.plugin(&[verb, NAME, "--namespace", NAMESPACE])?)
        .await?;
    if status.success() {
        Ok(())
    } else {
        Err(DemoError::Plugin { verb, status })
    }
}

async fn node_comes(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    let Machine { node, address, .. } = NEW_NODE;
    screen.heading(&format!("node {node} {address} joins"))?;
    world.start_machine(&NEW_NODE).await?;
    pod_is_silent(world, screen).await?;
    let started = Instant::now();
    world.join(&NEW_NODE).await?;
    world
        .until_records(expected(&["worker-1", "worker-2", "worker-3", "worker-4"]))
        .await?;
    screen.line(&format!(
        "its record is on both units after {} ms",
        started.elapsed().as_millis()
    ))?;
    pod_answers(world, screen, started).await
}

/// The pod of a machine does not answer before its node joins.
#[cfg(target_os = "linux")]
async fn pod_is_silent(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    if world.packets.is_none() {
        return Ok(());
    }
    let pod = packets::pod(&NEW_NODE);
    screen.line(&format!(
        "its machine runs, with a pod {pod} that serves HTTP"
    ))?;
    match packets::ask(world.devices.active(), pod).await {
        Ok(answer) => Err(DemoError::Packets(format!(
            "pod {pod} answers though its node has not joined: {answer}"
        ))),
        Err(why) => {
            screen.line(&format!("bigip-a: GET http://{pod}/ -> no answer ({why})"))?;
            Ok(())
        }
    }
}

#[cfg(target_os = "linux")]
async fn pod_answers(
    world: &World,
    screen: &mut Screen<'_>,
    started: Instant,
) -> Result<(), DemoError> {
    if world.packets.is_none() {
        return Ok(());
    }
    let pod = packets::pod(&NEW_NODE);
    let answer = packets::until_answered(world.devices.active(), pod).await?;
    screen.line(&format!(
        "bigip-a: GET http://{pod}/ -> {answer}, after {} ms",
        started.elapsed().as_millis()
    ))?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
async fn pod_is_silent(_: &World, _: &mut Screen<'_>) -> Result<(), DemoError> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
async fn pod_answers(_: &World, _: &mut Screen<'_>, _: Instant) -> Result<(), DemoError> {
    Ok(())
}

async fn node_goes(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    screen.heading(&format!(
        "node {DELETED_NODE} is deleted (removalDelaySeconds: {})",
        world::REMOVAL_DELAY_S
    ))?;
    let started = Instant::now();
    world.leave(DELETED_NODE).await?;
    world
        .until_records(expected(&["worker-1", "worker-3", "worker-4"]))
        .await?;
    let seconds = started.elapsed().as_secs_f64();
    screen.line(&format!(
        "its record is gone from both units after {seconds:.1} s"
    ))?;
    show_records(world, screen)
}

async fn keep_running(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    let (mut int, mut term) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    screen.heading("everything stays running until Ctrl-C; in another terminal:")?;
    screen.line(&format!(
        "export KUBECONFIG={}",
        world.kubeconfig().display()
    ))?;
    screen.line(&format!(
        "export PATH={}:$PATH",
        world::plugin_folder()?.display()
    ))?;
    screen.line(&format!(
        "kubectl bigip-tunnel status {NAME} -n {NAMESPACE}"
    ))?;
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
    Ok(())
}

/// What both units should hold for these nodes: the first one also the record that is not ours.
fn expected(nodes: &[&str]) -> [BTreeMap<String, String>; 2] {
    let ours: BTreeMap<String, String> = RECORDS
        .iter()
        .filter(|(node, _, _)| nodes.contains(node))
        .map(|(_, mac, endpoint)| ((*mac).to_owned(), (*endpoint).to_owned()))
        .collect();
    let mut first = ours.clone();
    first.insert(FOREIGN.0.to_owned(), FOREIGN.1.to_owned());
    [first, ours]
}

fn show_records(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    for (name, unit) in world.devices.named() {
        screen.line("")?;
        screen.line(&format!("{name}: tmsh list net fdb tunnel {TUNNEL_PATH}"))?;
        for line in screen::tmsh_list(world::TUNNEL, &unit.records(TUNNEL_PATH)) {
            screen.line(&line)?;
        }
    }
    Ok(())
}
