//! What the product costs at a size: measured and printed, not asserted. Machines differ, and a
//! number that fails a test on one of them says nothing of the product.
//!
//! It must not know how the product works.

mod cilium;
mod claims;
mod process;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bigip_sim::{Method, Simulator, TunnelConfig};
use kube::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::process::Measured;
use crate::control_plane::ControlPlane;
use crate::devices::DevicePair;
use crate::nodes::Nodes;
use crate::objects;
use crate::operator::{OperatorOptions, OperatorProcess};
use crate::products::Product;
use crate::wait::{Answer, eventually};

const TUNNEL: &str = "flannel_vxlan";
const TUNNEL_PATH: &str = "/Common/flannel_vxlan";
const LOCAL_ADDRESS: &str = "192.0.2.1";
const NAMESPACE: &str = "bench";
const NAME: &str = "prod-east";
/// Requests to the API server at one time.
const IN_FLIGHT: usize = 16;
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(600);
/// Nodes that come one by one.
const NEWCOMERS: u32 = 20;
/// Heartbeats in a second: what 5,000 kubelets write, one every five minutes each.
const BEATS_PER_SECOND: u32 = 17;

/// Why something could not be measured.
pub type BenchError = Box<dyn std::error::Error + Send + Sync>;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Size {
    /// Nodes of the cluster.
    pub nodes: u32,
    /// How long heartbeats are watched.
    pub heartbeats: Duration,
}

/// Measures, and prints what was measured. `release`: the folder with the programs as they are shipped.
pub async fn run(size: &Size, release: &Path, out: &mut dyn Write) -> Result<(), BenchError> {
    let bench = Bench::start(size, release, out).await?;
    let (operator, process) = bench.fill(out).await?;
    bench.newcomers(out).await?;
    bench.heartbeats(&process, out).await?;
    bench.plugin(out).await?;
    operator.terminate().await?;
    bench.claim_write(out).await
}

struct Bench {
    size: Size,
    operator: PathBuf,
    plugin: PathBuf,
    devices: DevicePair,
    nodes: Nodes,
    client: Client,
    control_plane: ControlPlane,
}

impl Bench {
    async fn start(size: &Size, release: &Path, out: &mut dyn Write) -> Result<Self, BenchError> {
        let control_plane = ControlPlane::start()?;
        let client = control_plane.client().await?;
        let devices = DevicePair::start(&TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS)).await?;
        objects::create_namespace(&client, NAMESPACE).await?;
        objects::create_access(&client, NAMESPACE, &devices).await?;
        let bench = Self {
            size: size.clone(),
            operator: release.join("bigip-tunnel-operator"),
            plugin: release.join("kubectl-bigip_tunnel"),
            devices,
            nodes: Nodes::new(client.clone(), NAMESPACE),
            client,
            control_plane,
        };
        let started = Instant::now();
        bench.create_nodes().await?;
        let took = started.elapsed();
        line(
            out,
            "nodes",
            &format!("{} (made in {})", size.nodes, seconds(took)),
        )?;
        cilium::create(&bench.client, size.nodes, LOCAL_ADDRESS).await?;
        Ok(bench)
    }

    async fn create_nodes(&self) -> Result<(), BenchError> {
        let mut creating = JoinSet::new();
        for number in 0..self.size.nodes {
            if creating.len() >= IN_FLIGHT
                && let Some(created) = creating.join_next().await
            {
                created??;
            }
            let nodes = self.nodes.clone();
            creating.spawn(async move {
                nodes
                    .create(&node_name(number), &address(number).to_string())
                    .await
            });
        }
        while let Some(created) = creating.join_next().await {
            created??;
        }
        Ok(())
    }

    /// Starts the operator and lets it fill empty tunnels.
    async fn fill(&self, out: &mut dyn Write) -> Result<(OperatorProcess, Measured), BenchError> {
        let options = OperatorOptions {
            kubeconfig: Some(self.control_plane.kubeconfig().to_owned()),
            watch_namespaces: vec![NAMESPACE.to_owned()],
            settle_seconds: Some(0),
            ..OperatorOptions::default()
        };
        let supervisor = Product::ControlPlane.path()?;
        let operator = OperatorProcess::start_program(&supervisor, &self.operator, options).await?;
        let process = Measured::find(&self.operator)?;
        let nodes = json!({"selector": self.nodes.selector()});
        let mut spec = objects::tunnel_spec(&self.devices, TUNNEL, &nodes);
        if let Some(fields) = spec.as_object_mut() {
            fields.insert("fdb".to_owned(), json!({"bulkWrites": "WhenEmpty"}));
        }
        let started = Instant::now();
        objects::create_tunnel(&self.client, NAMESPACE, NAME, spec).await?;
        self.until(self.size.nodes).await?;
        line(out, "first fill", &seconds(started.elapsed()))?;
        let writes: Vec<String> = self
            .devices
            .named()
            .map(|(name, unit)| format!("{name} {}", unit.mutations()))
            .collect();
        line(out, "  writes", &writes.join(", "))?;
        line(out, "  memory", &process.memory()?)?;
        let cpu = process.cpu()?;
        self.until_cilium_is_judged().await?;
        line(out, "Cilium judged", &seconds(started.elapsed()))?;
        line(
            out,
            "  processor",
            &seconds(process.cpu()?.saturating_sub(cpu)),
        )?;
        line(out, "  memory", &process.memory()?)?;
        Ok((operator, process))
    }

    /// Nodes that come one by one: how long until both units have the record, and by what.
    async fn newcomers(&self, out: &mut dyn Write) -> Result<(), BenchError> {
        let before: Vec<_> = self.devices.units().iter().map(requests).collect();
        let mut took = Vec::new();
        for number in 0..NEWCOMERS {
            let number = self.size.nodes + number;
            let started = Instant::now();
            let (name, address) = (node_name(number), address(number).to_string());
            self.nodes.create(&name, &address).await?;
            self.until_there(number).await?;
            took.push(started.elapsed());
            // The next one comes when the operator is at rest.
            self.until_shown(number + 1).await?;
        }
        took.sort();
        let of = |share: usize| took.get(took.len() * share / 100).copied();
        let (half, most) = (of(50).unwrap_or_default(), of(95).unwrap_or_default());
        let text = format!(
            "{} in half the cases, {} in 95 %",
            millis(half),
            millis(most)
        );
        line(out, "new node", &text)?;
        for ((name, unit), (all, writes)) in self.devices.named().zip(before) {
            let (all_now, writes_now) = requests(unit);
            let text = format!(
                "{:.1} requests, {:.1} writes per node",
                ratio(all_now - all, NEWCOMERS),
                ratio(writes_now - writes, NEWCOMERS)
            );
            line(out, &format!("  {name}"), &text)?;
        }
        Ok(())
    }

    /// Kubelets that say that they are alive.
    async fn heartbeats(&self, process: &Measured, out: &mut dyn Write) -> Result<(), BenchError> {
        let before: Vec<_> = self.devices.units().iter().map(requests).collect();
        let (cpu, started) = (process.cpu()?, Instant::now());
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / BEATS_PER_SECOND);
        let mut beating = JoinSet::new();
        let (mut number, mut beats) = (0, 0_u32);
        while started.elapsed() < self.size.heartbeats {
            ticks.tick().await;
            while let Some(done) = beating.try_join_next() {
                done??;
            }
            let (nodes, name) = (self.nodes.clone(), node_name(number % self.size.nodes));
            beating.spawn(async move { nodes.heartbeat(&name).await });
            number += 1;
            beats += 1;
        }
        while let Some(done) = beating.join_next().await {
            done??;
        }
        let (used, wall) = (process.cpu()?.saturating_sub(cpu), started.elapsed());
        let share = 100.0 * used.as_secs_f64() / wall.as_secs_f64();
        let rate = f64::from(beats) / wall.as_secs_f64();
        let text = format!(
            "{share:.1} % of a core at {rate:.1} a second, for {}",
            seconds(wall)
        );
        line(out, "heartbeats", &text)?;
        for ((name, unit), (all, writes)) in self.devices.named().zip(before) {
            let (all_now, writes_now) = requests(unit);
            let text = format!("{} requests, {} writes", all_now - all, writes_now - writes);
            line(out, &format!("  {name}"), &text)?;
        }
        line(out, "  memory", &process.memory()?)?;
        Ok(())
    }

    /// A claim beside those of all nodes. The operator has ended: it would answer.
    async fn claim_write(&self, out: &mut dyn Write) -> Result<(), BenchError> {
        let node = node_name(self.size.nodes + NEWCOMERS);
        let written = claims::measure(&self.client, (NAMESPACE, NAME), &node).await?;
        let text = format!(
            "{} in half the cases, {} in 95 %, {} KB stored",
            millis(written.half),
            millis(written.most),
            written.bytes / 1000
        );
        line(out, "claim write", &text)?;
        Ok(())
    }

    /// The neighbour table of the plugin.
    async fn plugin(&self, out: &mut dyn Write) -> Result<(), BenchError> {
        let kubeconfig = self.control_plane.kubeconfig();
        let mut command = tokio::process::Command::new(&self.plugin);
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["-n", NAMESPACE, "fdb", NAME]);
        let (took, memory) = process::run(command).await?;
        let text = format!("{}, {memory}", seconds(took));
        line(out, "kubectl bigip-tunnel fdb", &text)?;
        Ok(())
    }

    /// Waits until both units hold the record of this node. Does not look at all records: that would be
    /// measured as well.
    async fn until_there(&self, number: u32) -> Result<(), BenchError> {
        let mac = mac(number);
        for unit in self.devices.units() {
            unit.wait_until(LIMIT, |state| state.has_record(TUNNEL_PATH, &mac))
                .await?;
        }
        Ok(())
    }

    /// Waits until the status shows so many nodes as programmed.
    async fn until_shown(&self, nodes: u32) -> Result<(), BenchError> {
        let tunnels = objects::tunnels(&self.client, NAMESPACE);
        let shown = eventually("the status", LIMIT, async || {
            let tunnel = tunnels.get(NAME).await.ok();
            let programmed = tunnel
                .as_ref()
                .and_then(|tunnel| tunnel.data.pointer("/status/nodes/programmed"))
                .and_then(Value::as_u64);
            Answer::when(programmed, |shown| *shown == Some(nodes.into()))
        });
        shown.await?;
        Ok(())
    }

    /// Waits until the condition says that Cilium sends to another MAC address.
    async fn until_cilium_is_judged(&self) -> Result<(), BenchError> {
        let tunnels = objects::tunnels(&self.client, NAMESPACE);
        let judged = eventually("CiliumReady", LIMIT, async || {
            let tunnel = tunnels.get(NAME).await.ok();
            let conditions =
                tunnel.and_then(|tunnel| tunnel.data.pointer("/status/conditions").cloned());
            let conditions = conditions.as_ref().and_then(Value::as_array);
            let mut conditions = conditions.into_iter().flatten();
            let found = conditions.find(|condition| condition["type"] == "CiliumReady");
            let reason = found.and_then(|found| found["reason"].as_str().map(str::to_owned));
            Answer::when(reason, |reason| {
                reason.as_deref() == Some("VTEPMACMismatch")
            })
        });
        judged.await?;
        Ok(())
    }

    /// Waits until both units hold the records of so many nodes.
    async fn until(&self, nodes: u32) -> Result<(), BenchError> {
        let expected: BTreeMap<String, String> = (0..nodes)
            .map(|number| (mac(number), format!("{}%0", address(number))))
            .collect();
        self.devices
            .until_records(TUNNEL_PATH, [&expected, &expected], LIMIT)
            .await?;
        Ok(())
    }
}

/// The address of a node: one of 10.20.0.0/14.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 20, 0, 1)) + number)
}

fn mac(number: u32) -> String {
    let [a, b, c, d] = address(number).octets();
    format!("0a:0a:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// A name of 45 characters, as of a node in a public cloud.
fn node_name(number: u32) -> String {
    format!("bench-{number:05}.eu-central-1.compute.example.test")
}

/// Requests to a unit so far, and how many of them changed something.
fn requests(unit: &Simulator) -> (u64, u64) {
    let log = unit.requests();
    let is_read = |method: &Method| *method == Method::GET;
    let writes = log
        .iter()
        .filter(|request| !is_read(&request.method))
        .count();
    let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
    (count(log.len()), count(writes))
}

#[expect(clippy::cast_precision_loss, reason = "numbers of requests are small")]
fn ratio(number: u64, of: u32) -> f64 {
    number as f64 / f64::from(of)
}

fn line(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{name:<26}{text}")?;
    out.flush()
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

fn millis(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1000.0)
}
