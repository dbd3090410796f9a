//! The parts of the demo without a tunnel: what the tutorial begins with. Nothing is shown but where the parts are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cilium;
use super::screen::Screen;
use super::world::{self, Machine, World};
use super::{DemoError, machine};
use crate::devices::USER;

/// The nodes that are there.
const NODES: [Machine; 2] = [
    machine(1, "worker-1", "10.169.72.239"),
    machine(2, "worker-2", "10.169.72.233"),
];
/// The node whose machine runs, and which has not joined.
const NEXT: Machine = machine(3, "worker-3", "10.169.72.240");

/// The files of a lab.
#[derive(Debug, Clone)]
pub struct LabFiles {
    folder: PathBuf,
}

impl LabFiles {
    /// Those of this folder, which is made.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.canonicalize()?,
        })
    }

    /// Writes what a shell needs, the certificates and the password of the units, and the node that can join.
    fn write(&self, world: &World) -> Result<(), DemoError> {
        let file = |name: &str| self.folder.join(name);
        let mut env = format!(
            "export KUBECONFIG={}\nexport PATH={}:$PATH\nexport BIGIP_USER={USER}\n",
            world.kubeconfig().display(),
            world::plugin_folder()?.display(),
        );
        for (name, unit) in world.devices.named() {
            let variable = name.replace('-', "_").to_uppercase();
            env = format!("{env}export {variable}={}\n", unit.address());
        }
        fs::write(file("ca.crt"), world.devices.ca_bundle())?;
        fs::write(file("password"), world.devices.password())?;
        fs::write(file("worker-3.yaml"), joining(&NEXT))?;
        // Last: the others are there when it is.
        fs::write(file("env"), env)?;
        Ok(())
    }
}

/// What kubelet and Cilium write for a node that joins.
fn joining(machine: &Machine) -> String {
    let Machine { node, address, .. } = machine;
    let pods = machine.pods();
    let (internal, health) = (cilium::host(pods, 1), cilium::host(pods, cilium::HEALTH));
    format!(
        "\
apiVersion: v1
kind: Node
metadata:
  name: {node}
status:
  addresses:
    - {{type: InternalIP, address: {address}}}
  conditions:
    - {{type: Ready, status: \"True\"}}
---
apiVersion: cilium.io/v2
kind: CiliumNode
metadata:
  name: {node}
spec:
  addresses:
    - {{type: InternalIP, ip: {address}}}
    - {{type: CiliumInternalIP, ip: {internal}}}
  ipam: {{podCIDRs: [{pods}]}}
  health: {{ipv4: {health}}}
"
    )
}

/// Starts the parts, writes where they are, and keeps them until `end`.
///
/// # Errors
///
/// A part does not start, packets cannot be had here, or the operator does not end as it should.
pub async fn lab(
    files: &LabFiles,
    out: &mut (dyn io::Write + Send),
    end: impl Future<Output = ()>,
) -> Result<(), DemoError> {
    let mut screen = Screen::new(out);
    let world = World::start(&mut screen).await?;
    let started = begin(&world, files, &mut screen).await;
    if started.is_ok() {
        end.await;
    }
    let _ = fs::remove_file(files.folder.join("env"));
    let exit = world.stop().await?;
    started?;
    if exit != crate::supervise::Exit::Code(0) {
        return Err(DemoError::Unclean(exit));
    }
    Ok(())
}

async fn begin(world: &World, files: &LabFiles, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    if !world.has_packets() {
        let need = "the tutorial needs Linux and the right to make network namespaces (root)";
        return Err(DemoError::Packets(need.to_owned()));
    }
    for machine in NODES {
        world.start_machine(&machine).await?;
        world.join(&machine).await?;
    }
    world.start_machine(&NEXT).await?;
    world.cilium.start_agent(NEXT.node).await?;
    world.cilium.restart_on_rollout();
    files.write(world)?;
    screen.heading("the lab runs until Ctrl-C; in another terminal:")?;
    let env = files.folder.join("env");
    screen.line(&format!(". {}", env.display()))?;
    Ok(())
}
