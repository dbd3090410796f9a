//! One fault at a time: what breaks, how the product shows it, and how it is mended.
//!
//! Each tour begins and ends with a `check` that finds nothing, and fails where the product does not show the fault.

use super::screen::Screen;
use super::world::{Machine, NAME, NAMESPACE, TUNNEL_PATH, World};
use super::{DemoError, NODES, healthy, machine, prepare};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The Secret holds another password than the BIG-IPs.
    Auth,
    /// A BIG-IP presents a certificate of an authority that is not trusted.
    Cert,
    /// A record disappears from a BIG-IP.
    Drift,
    /// Most nodes disappear at once.
    Mass,
    /// Cilium has another MAC address for a BIG-IP's tunnel.
    Cilium,
}

/// More nodes, so that most of them can disappear.
const MORE: [Machine; 5] = [
    machine(5, "worker-5", "10.169.72.245"),
    machine(6, "worker-6", "10.169.72.246"),
    machine(7, "worker-7", "10.169.72.247"),
    machine(8, "worker-8", "10.169.72.248"),
    machine(9, "worker-9", "10.169.72.249"),
];

/// Shows a fault from its beginning to its end.
pub(super) async fn tell(
    world: &World,
    fault: Fault,
    screen: &mut Screen<'_>,
) -> Result<(), DemoError> {
    prepare(world, &NODES).await?;
    if fault == Fault::Mass {
        for machine in MORE {
            world.join(&machine).await?;
        }
    }
    screen.heading("a tunnel in which nothing is wrong")?;
    world.create_object().await?;
    world.until_ready().await?;
    world.until("CiliumReady", "True", "").await?;
    healthy(world, screen).await?;
    match fault {
        Fault::Auth => auth(world, screen).await,
        Fault::Cert => cert(world, screen).await,
        Fault::Drift => drift(world, screen).await,
        Fault::Mass => mass(world, screen).await,
        Fault::Cilium => cilium(world, screen).await,
    }?;
    screen.heading("mended")?;
    world.until_ready().await?;
    world.until("CiliumReady", "True", "").await?;
    healthy(world, screen).await
}

async fn auth(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    screen.heading("the Secret gets a password that the BIG-IPs do not have")?;
    world.set_secret("not-the-password").await?;
    run(world, screen, &["reconcile", NAME]).await?;
    screen.line("the login from before goes on, so that no record is lost; the attempt is rare, as BIG-IP locks accounts")?;
    world.until("Ready", "True", "NewPasswordRefused").await?;
    run(world, screen, &["status", NAME]).await?;
    screen.line("")?;
    run(world, screen, &["explain", "NewPasswordRefused"]).await?;
    screen.heading("the Secret gets the right password")?;
    world.set_secret(world.devices.password()).await?;
    run(world, screen, &["reconcile", NAME]).await?;
    world.until("Ready", "True", "InSync").await
}

async fn cert(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    screen.heading("bigip-b gets a certificate of another authority")?;
    world.devices.standby().renew_authority()?;
    request(world, screen).await?;
    world.until("Ready", "False", "CertificateInvalid").await?;
    run(world, screen, &["status", NAME]).await?;
    screen.line("")?;
    screen.line("nothing was sent to it, no password either; bigip-a goes on")?;
    screen.heading("ConfigMap bigip-ca gets the new authority")?;
    world.renew_bundle().await?;
    run(world, screen, &["reconcile", NAME]).await
}

async fn drift(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    screen.heading("somewhere a script deletes the record of worker-1 from bigip-a")?;
    let records = world.devices.active().records(TUNNEL_PATH);
    let [(_, mac, _), ..] = super::RECORDS;
    if !world.devices.active().drop_record(TUNNEL_PATH, mac) {
        return Err(DemoError::Packets(format!("bigip-a had no record {mac}")));
    }
    let direct = ["diff", NAME, "--direct"];
    run(world, screen, &direct).await?;
    screen.heading("the next verification restores it; a request makes that now")?;
    run(world, screen, &["reconcile", NAME]).await?;
    let standby = world.devices.standby().records(TUNNEL_PATH);
    world.until_records([records, standby]).await?;
    run(world, screen, &["events", NAME]).await
}

async fn mass(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    screen.heading("five of eight nodes disappear from the API server")?;
    for machine in MORE {
        world.leave(machine.node).await?;
    }
    world.until("Stalled", "True", "MassRemovalBlocked").await?;
    run(world, screen, &["status", NAME]).await?;
    screen.line("")?;
    screen.line("no record was removed: a restored backup of etcd looks the same")?;
    screen.heading("a person looks at the set and approves exactly this one")?;
    run(world, screen, &["approve", NAME, "--yes"]).await?;
    let [first, second] = world.devices.units();
    let kept = |records: std::collections::BTreeMap<String, String>| {
        let is_kept = |mac: &String| super::RECORDS.iter().any(|(_, kept, _)| kept == mac);
        records
            .into_iter()
            .filter(|(mac, _)| is_kept(mac))
            .collect()
    };
    let both = [first, second].map(|unit| kept(unit.records(TUNNEL_PATH)));
    world.until_records(both).await
}

async fn cilium(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    screen
        .heading("Cilium has the MAC addresses that the tunnels had before they were made again")?;
    let stale = "02:00:00:00:00:99 02:00:00:00:00:98";
    world.cilium.set("vtep-mac", stale).await?;
    screen.line(
        "every record is right; when agents restart, ARP resolves and every frame of a pod is lost",
    )?;
    world
        .until("CiliumReady", "False", "VTEPMACMismatch")
        .await?;
    run(world, screen, &["status", NAME]).await?;
    screen.line("")?;
    run(world, screen, &["cilium", NAME, "-o", "helm"]).await?;
    screen.heading("Cilium gets these values, and its agents restart")?;
    world.configure_cilium().await?;
    world.restart_agents().await
}

/// Has the BIG-IPs verified now, also where that will not succeed.
async fn request(world: &World, screen: &mut Screen<'_>) -> Result<(), DemoError> {
    run(world, screen, &["reconcile", NAME, "--no-wait"]).await
}

/// Runs a verb on the tunnel, whatever it finds.
async fn run(world: &World, screen: &mut Screen<'_>, args: &[&str]) -> Result<(), DemoError> {
    let args = match args {
        ["explain", ..] => args.to_vec(),
        _ => [args, &["--namespace", NAMESPACE]].concat(),
    };
    screen.command(world.plugin(&args)?).await?;
    Ok(())
}
