//! The parts that the demo starts, and how they are asked. It must not know in which order they are
//! shown.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bigip_sim::{SelfIp, SimConfig, TunnelConfig};
use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::json;
use tokio::process::Command;

use super::cilium::{Cilium, Entry, OnStart};
#[cfg(target_os = "linux")]
use super::packets::{Machines, Packets};
use super::screen::{Screen, Shown};
use super::{DemoError, LIMIT, deployment};
use crate::binaries;
use crate::control_plane::ControlPlane;
use crate::devices::DevicePair;
use crate::nodes::Nodes;
use crate::objects;
use crate::operator::{OperatorOptions, OperatorProcess};
use crate::products::Product;
use crate::progress::to_stderr;
use crate::supervise::Exit;
use crate::wait::{Answer, Timeout, eventually};

/// Name of the tunnel on the devices, in partition `Common`.
pub(super) const TUNNEL: &str = "flannel_vxlan";
/// The same as a full path.
pub(super) const TUNNEL_PATH: &str = "/Common/flannel_vxlan";
/// Namespace of the object.
pub(super) const NAMESPACE: &str = "bigip";
/// Name of the object.
pub(super) const NAME: &str = "prod-east";
/// Short, so that the demo is.
pub(super) const REMOVAL_DELAY_S: u32 = 2;
/// The operator removes nothing in the first seconds after its start; short for the same reason.
const SETTLE_S: u32 = 1;
/// Local address of the tunnel on each unit.
pub(super) const LOCAL_ADDRESSES: [Ipv4Addr; 2] = [
    Ipv4Addr::new(10, 169, 72, 34),
    Ipv4Addr::new(10, 169, 72, 36),
];
/// Self IP of each unit on the tunnel.
const SELF_IPS: [&str; 2] = ["10.1.6.34/24", "10.1.5.36/24"];
/// The network of all pods, which each unit routes into the tunnel.
const PODS: &str = "10.0.0.0/16";

/// A node and what stands behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    /// Its number, from which the network of its pods follows.
    pub(super) number: u8,
    pub(super) node: &'static str,
    pub(super) address: &'static str,
}

impl Machine {
    /// Its address on the underlay.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.address.parse().unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// The network of its pods.
    pub(super) fn pods(&self) -> Ipv4Net {
        let network = Ipv4Addr::new(10, 0, self.number, 0);
        Ipv4Net::new(network, 24).unwrap_or_default()
    }
}

/// Everything that runs.
pub(super) struct World {
    /// Where packets can be shown.
    #[cfg(target_os = "linux")]
    pub(super) packets: Option<Packets>,
    pub(super) devices: DevicePair,
    pub(super) nodes: Nodes,
    pub(super) cilium: Cilium,
    operator: OperatorProcess,
    client: Client,
    /// Last, so that it outlives what uses it.
    control_plane: ControlPlane,
}

impl World {
    /// Starts everything but tunnel, login and nodes, and prints what it starts.
    pub(super) async fn start(screen: &mut Screen<'_>) -> Result<Self, DemoError> {
        screen.heading("the parts")?;
        // First alone, so that a missing program is one clear sentence.
        binaries::locate(&to_stderr)?;
        let control_plane = ControlPlane::start()?;
        let (server, source) = (control_plane.server(), control_plane.source());
        screen.line(&format!(
            "API server on {server} (kube-apiserver and etcd from {source})"
        ))?;
        #[cfg(target_os = "linux")]
        let machines = Arc::new(Machines::default());
        #[cfg(target_os = "linux")]
        let (devices, packets) = with_packets(&machines, screen).await?;
        #[cfg(not(target_os = "linux"))]
        let devices = {
            screen.line("no packets are shown: they need Linux")?;
            DevicePair::start_with(&tunnel(0), adjust).await?
        };
        for (name, unit) in devices.named() {
            unit.add_route("/Common/pods", PODS, TUNNEL_PATH)?;
            screen.line(&format!(
                "{name}: simulated BIG-IP on https://{}",
                unit.address()
            ))?;
        }
        let client = control_plane.client().await?;
        #[cfg(target_os = "linux")]
        let on_start: OnStart = Arc::new(move |node, config| machines.restart_agent(node, config));
        #[cfg(not(target_os = "linux"))]
        let on_start: OnStart = Arc::new(|_, _| {});
        let cilium = Cilium::install(client.clone(), on_start).await?;
        deployment::create(&client).await?;
        let operator = OperatorProcess::start(OperatorOptions {
            kubeconfig: Some(control_plane.kubeconfig().to_owned()),
            settle_seconds: Some(SETTLE_S),
            lease: Some((
                deployment::NAMESPACE.to_owned(),
                deployment::NAME.to_owned(),
            )),
            ..OperatorOptions::default()
        })
        .await?;
        screen.line(&format!(
            "operator: health and metrics on http://{}",
            operator.listen_address()
        ))?;
        Ok(Self {
            #[cfg(target_os = "linux")]
            packets,
            devices,
            nodes: Nodes::new(client.clone(), "demo"),
            cilium,
            operator,
            client,
            control_plane,
        })
    }

    /// Makes the namespace, the Secret with the login, and the certificates to trust.
    pub(super) async fn create_access(&self) -> Result<(), DemoError> {
        objects::create_namespace(&self.client, NAMESPACE).await?;
        objects::create_access(&self.client, NAMESPACE, &self.devices).await?;
        Ok(())
    }

    /// Has Cilium know both units, as Helm would.
    pub(super) async fn configure_cilium(&self) -> Result<(), DemoError> {
        let units = self.devices.units().iter().zip(SELF_IPS);
        let entries = units
            .zip(LOCAL_ADDRESSES)
            .map(|((unit, self_ip), endpoint)| {
                let network: Ipv4Net = self_ip.parse().unwrap_or_default();
                Entry {
                    network: network.trunc(),
                    endpoint,
                    mac: unit.tunnel_mac(TUNNEL_PATH).unwrap_or_default(),
                }
            });
        let entries: Vec<Entry> = entries.collect();
        self.cilium.configure(&entries).await
    }

    /// Starts the machine behind a node, where packets can be shown. Its node does not join.
    pub(super) async fn start_machine(&self, machine: &Machine) -> Result<(), DemoError> {
        #[cfg(target_os = "linux")]
        if let Some(packets) = &self.packets {
            packets.start_machine(machine).await?;
        }
        let _ = machine;
        Ok(())
    }

    /// Whether the units have a data plane.
    pub(super) fn has_packets(&self) -> bool {
        #[cfg(target_os = "linux")]
        return self.packets.is_some();
        #[cfg(not(target_os = "linux"))]
        false
    }

    /// Restarts Cilium's agents.
    pub(super) async fn restart_agents(&self) -> Result<(), DemoError> {
        self.cilium.restart_agents().await
    }

    /// Has a node join: its Node, its `CiliumNode` and its agent.
    pub(super) async fn join(&self, machine: &Machine) -> Result<(), DemoError> {
        self.cilium
            .add_node(machine.node, machine.address, machine.pods())
            .await?;
        self.nodes.create(machine.node, machine.address).await?;
        Ok(())
    }

    /// Has a node leave: its Node, its `CiliumNode` and its agent go.
    pub(super) async fn leave(&self, node: &str) -> Result<(), DemoError> {
        self.nodes.delete(node).await?;
        self.cilium.remove_node(node).await
    }

    /// Replaces the password in the Secret.
    pub(super) async fn set_secret(&self, password: &str) -> Result<(), DemoError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), NAMESPACE);
        let patch = Patch::Merge(json!({"stringData": {"password": password}}));
        api.patch(objects::SECRET, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Replaces the certificates to trust by those that the units have now.
    pub(super) async fn renew_bundle(&self) -> Result<(), DemoError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        let patch = Patch::Merge(json!({"data": {"ca.crt": self.devices.ca_bundle()}}));
        let params = PatchParams::default();
        api.patch(objects::CA_CONFIG_MAP, &params, &patch).await?;
        Ok(())
    }

    /// Makes the `BigIpTunnel`.
    pub(super) async fn create_object(&self) -> Result<(), DemoError> {
        let nodes = json!({"removalDelaySeconds": REMOVAL_DELAY_S});
        let spec = objects::tunnel_spec(&self.devices, TUNNEL, &nodes);
        objects::create_tunnel(&self.client, NAMESPACE, NAME, spec).await?;
        Ok(())
    }

    /// Waits until both units hold exactly these records.
    pub(super) async fn until_records(
        &self,
        expected: [BTreeMap<String, String>; 2],
    ) -> Result<(), DemoError> {
        self.devices
            .until_records(TUNNEL_PATH, expected.each_ref(), LIMIT)
            .await
            .map_err(|timeout| self.not_done(timeout))
    }

    /// Waits until the object is ready.
    pub(super) async fn until_ready(&self) -> Result<(), DemoError> {
        self.until("Ready", "True", "").await
    }

    /// Waits until a condition of the object has this status and, unless it is empty, this reason.
    pub(super) async fn until(
        &self,
        condition: &str,
        status: &str,
        reason: &str,
    ) -> Result<(), DemoError> {
        let api = objects::tunnels(&self.client, NAMESPACE);
        let what = format!("condition {condition}={status} {reason}");
        eventually(what, LIMIT, async || match api.get(NAME).await {
            Ok(object) => Answer::when(seen(&object, condition), |(is, why)| {
                is == status && (reason.is_empty() || why == reason)
            }),
            Err(error) => Answer::NotYet(error.to_string()),
        })
        .await
        .map(drop)
        .map_err(|timeout| self.not_done(timeout))
    }

    /// A call of the plugin: through kubectl where that is installed, else directly.
    pub(super) fn plugin(&self, args: &[&str]) -> Result<Shown, DemoError> {
        let program = Product::Plugin.path()?;
        let mut command = if on_path("kubectl") {
            let mut command = Command::new("kubectl");
            command
                .arg("bigip-tunnel")
                .env("PATH", path_with(&plugin_folder()?));
            command
        } else {
            Command::new(program)
        };
        command.args(args).env("KUBECONFIG", self.kubeconfig());
        Ok(Shown {
            text: format!("kubectl bigip-tunnel {}", args.join(" ")),
            command,
        })
    }

    pub(super) fn kubeconfig(&self) -> &Path {
        self.control_plane.kubeconfig()
    }

    /// Ends everything in order. Returns how the operator ended.
    pub(super) async fn stop(self) -> Result<Exit, DemoError> {
        Ok(self.operator.terminate().await?)
    }

    fn not_done(&self, timeout: Timeout) -> DemoError {
        DemoError::NotDone {
            timeout,
            log: self.operator.log().join("\n"),
        }
    }
}

fn tunnel(unit: usize) -> TunnelConfig {
    let local = LOCAL_ADDRESSES.get(unit).copied();
    let local = local.unwrap_or(Ipv4Addr::UNSPECIFIED);
    TunnelConfig::vxlan(TUNNEL_PATH, local.to_string())
}

/// Gives each unit its own local address and self IP.
fn adjust(unit: usize, config: &mut SimConfig) {
    let self_ip = |path: &str, address: String, vlan: &str| SelfIp {
        path: path.to_owned(),
        address,
        vlan: vlan.to_owned(),
    };
    let tunnel = tunnel(unit);
    let on_tunnel = SELF_IPS.get(unit).copied().unwrap_or_default().to_owned();
    let on_underlay = format!("{}/24", tunnel.local_address);
    config.self_ips = vec![
        self_ip("/Common/flannel_vxlan-self", on_tunnel, TUNNEL_PATH),
        self_ip("/Common/underlay-self", on_underlay, "/Common/underlay"),
    ];
    config.tunnels = vec![tunnel];
}

/// The units, with a data plane where this process may make one.
#[cfg(target_os = "linux")]
async fn with_packets(
    machines: &Arc<Machines>,
    screen: &mut Screen<'_>,
) -> Result<(DevicePair, Option<Packets>), DemoError> {
    match Packets::new(Arc::clone(machines)).await {
        Ok(packets) => {
            let with_data_plane = |unit: usize, config: &mut SimConfig| {
                adjust(unit, config);
                packets.adjust(unit, config);
            };
            let devices = DevicePair::start_with(&tunnel(0), with_data_plane).await?;
            screen.line("both units have a data plane: their tunnels carry packets")?;
            Ok((devices, Some(packets)))
        }
        Err(why) => {
            screen.line(&format!("no packets are shown: {why}"))?;
            let devices = DevicePair::start_with(&tunnel(0), adjust).await?;
            Ok((devices, None))
        }
    }
}

/// The folder to put on the PATH so that kubectl finds the plugin.
pub(super) fn plugin_folder() -> Result<PathBuf, DemoError> {
    let program = Product::Plugin.path()?;
    Ok(program.parent().unwrap_or(&program).to_owned())
}

/// Status and reason of a condition; empty where there is none yet.
fn seen(object: &DynamicObject, condition: &str) -> (String, String) {
    let conditions = object.data.pointer("/status/conditions");
    let mut conditions = conditions
        .and_then(|list| list.as_array())
        .into_iter()
        .flatten();
    let found = conditions.find(|found| found["type"] == condition);
    let text = |field: &str| {
        let text = found.and_then(|found| found[field].as_str());
        text.unwrap_or_default().to_owned()
    };
    (text("status"), text("reason"))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn path_with(first: &Path) -> OsString {
    let mut path = first.as_os_str().to_owned();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}
