//! The parts that the demo starts, and how they are asked. It must not know in which order they are
//! shown.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use bigip_sim::SimConfig;
use bigip_sim::TunnelConfig;
use kube::Client;
use kube::core::DynamicObject;
use serde_json::json;
use tokio::process::Command;

#[cfg(target_os = "linux")]
use super::packets::Packets;
use super::screen::{Screen, Shown};
use super::{DemoError, FOREIGN, LIMIT, NODES};
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

/// Everything that runs.
pub(super) struct World {
    /// Where packets can be shown.
    #[cfg(target_os = "linux")]
    pub(super) packets: Option<Packets>,
    pub(super) devices: DevicePair,
    pub(super) nodes: Nodes,
    operator: OperatorProcess,
    client: Client,
    /// Last, so that it outlives what uses it.
    control_plane: ControlPlane,
}

impl World {
    /// Starts everything, and says so.
    pub(super) async fn start(screen: &mut Screen<'_>) -> Result<Self, DemoError> {
        screen.heading("the parts")?;
        // First alone, so that a missing program is one clear sentence.
        binaries::locate(&to_stderr)?;
        let control_plane = ControlPlane::start()?;
        let (server, source) = (control_plane.server(), control_plane.source());
        screen.line(&format!(
            "API server on {server} (kube-apiserver and etcd from {source})"
        ))?;
        let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, "10.169.72.34");
        #[cfg(target_os = "linux")]
        let (devices, packets) = with_packets(&tunnel, screen).await?;
        #[cfg(not(target_os = "linux"))]
        let devices = {
            screen.line("no packets are shown: they need Linux")?;
            DevicePair::start(&tunnel).await?
        };
        for (name, unit) in devices.named() {
            screen.line(&format!(
                "{name}: simulated BIG-IP on https://{}",
                unit.address()
            ))?;
        }
        let (mac, endpoint) = FOREIGN;
        devices.active().seed_record(TUNNEL_PATH, mac, endpoint)?;
        screen.line(&format!(
            "bigip-a has a record that is not ours: {mac} -> {endpoint}"
        ))?;
        let client = control_plane.client().await?;
        objects::create_namespace(&client, NAMESPACE).await?;
        objects::create_access(&client, NAMESPACE, &devices).await?;
        let nodes = Nodes::new(client.clone(), "demo");
        for (name, address) in NODES {
            nodes.create(name, address).await?;
        }
        let operator = OperatorProcess::start(OperatorOptions {
            kubeconfig: Some(control_plane.kubeconfig().to_owned()),
            settle_seconds: Some(SETTLE_S),
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
            nodes,
            operator,
            client,
            control_plane,
        })
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

    /// Waits until the object says that it is ready.
    pub(super) async fn until_ready(&self) -> Result<(), DemoError> {
        let api = objects::tunnels(&self.client, NAMESPACE);
        eventually("condition Ready of the object", LIMIT, async || {
            match api.get(NAME).await {
                Ok(object) => Answer::when(ready_status(&object), |status| status == "True"),
                Err(error) => Answer::NotYet(error.to_string()),
            }
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

/// The units, the first one with a data plane where this process may make one.
#[cfg(target_os = "linux")]
async fn with_packets(
    tunnel: &TunnelConfig,
    screen: &mut Screen<'_>,
) -> Result<(DevicePair, Option<Packets>), DemoError> {
    match Packets::new().await {
        Ok(packets) => {
            let adjust = |unit: usize, config: &mut SimConfig| packets.adjust(unit, config);
            let devices = DevicePair::start_with(tunnel, adjust).await?;
            Packets::route(devices.active())?;
            screen.line("bigip-a has a data plane: its tunnel carries packets")?;
            Ok((devices, Some(packets)))
        }
        Err(why) => {
            screen.line(&format!("no packets are shown: {why}"))?;
            Ok((DevicePair::start(tunnel).await?, None))
        }
    }
}

/// The folder to put on the PATH so that kubectl finds the plugin.
pub(super) fn plugin_folder() -> Result<PathBuf, DemoError> {
    let program = Product::Plugin.path()?;
    Ok(program.parent().unwrap_or(&program).to_owned())
}

/// `status` of the condition `Ready`; empty where there is none yet.
fn ready_status(object: &DynamicObject) -> String {
    let conditions = object
        .data
        .pointer("/status/conditions")
        .and_then(|list| list.as_array());
    conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready")
        .and_then(|condition| condition["status"].as_str())
        .unwrap_or_default()
        .to_owned()
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
