//! `diff`: what separates the records of the BIG-IPs from those that they should hold.

mod external;

use bigip_tunnel_core::reason::Reason;
use std::io::Write;
use std::path::Path;

use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, Device};
use kube::ResourceExt as _;

use super::create::checked;
use super::seen::{Seen, invalid};
use crate::cli::why::{DiffArgs, DiffFormat, DirectArgs};
use crate::connection::Connection;
use crate::context::Cluster;
use crate::direct::{Direct, Trouble};
use crate::error::{Error, Outcome};
use crate::manifest;
use crate::render;
use crate::report::diff::{DiffReport, Held, Source, Wish, held_by_status, not_looked_at};
use crate::report::fdb::Wanted;
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "DiffReport";

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &DiffArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    connection.must_be_one_namespace()?;
    let mut cluster = Cluster::new(connection).await?;
    let edited = args.file.as_deref().map(read).transpose()?;
    if let Some(edited) = &edited {
        must_be_meant(connection, args, edited)?;
        if let (None, Some(namespace)) = (&connection.namespace, edited.namespace()) {
            cluster.namespace = namespace;
        }
    }
    let report = collect(&cluster, args, edited, err).await?;
    match args.output {
        Some(DiffFormat::Json) => render::json(KIND, &report, out),
        Some(DiffFormat::Yaml) => render::yaml(KIND, &report, out),
        Some(DiffFormat::Tmsh) => render::diff::write_tmsh(&report, out),
        Some(DiffFormat::Unified) => match external::program() {
            Some(program) => external::show(&program, &report),
            None => render::diff::write_unified(&report, out),
        },
        None => render::diff::write(&report, style, out),
    }?;
    out.flush()?;
    match report.trouble() {
        // What was found is said; what was not found is a failure.
        Some((device, trouble)) => Err(Error::Device {
            device: device.to_owned(),
            trouble: trouble.clone(),
        }),
        None => Ok(report.outcome()),
    }
}

async fn collect(
    cluster: &Cluster,
    args: &DiffArgs,
    edited: Option<BigIpTunnel>,
    err: &mut dyn Write,
) -> Result<DiffReport, Error> {
    let name = match (&args.name, &edited) {
        (Some(name), _) => name.clone(),
        (None, Some(edited)) => edited.name_any(),
        (None, None) => return Err(NOTHING_NAMED),
    };
    let seen = match (Seen::collect(cluster, &name).await, &edited) {
        // What applying it would make.
        (Err(Error::NotFound { .. }), Some(edited)) => Seen::of(cluster, edited.clone()).await?,
        (seen, _) => seen?,
    };
    let mut wanted = seen.object.clone();
    if let Some(edited) = edited {
        wanted.spec = edited.spec;
    }
    let devices = seen.devices_of(&wanted, &args.devices)?;
    let refused = |problem| invalid(&wanted, problem);
    let selector = convert::selector(&wanted.spec).map_err(refused)?;
    let rule = convert::address_rule(&wanted.spec).map_err(refused)?;
    let nodes = cluster.nodes(&selector, &rule).await?;
    let (source, held) = if args.direct.direct {
        let held = live(cluster, &args.direct, &seen.object, &wanted, &devices, err).await;
        (Source::Live, held)
    } else {
        let fdb = seen.fdb(&Wanted::default())?;
        let mut known = held_by_status(&seen.object, &fdb);
        let of = |device: &&Device| {
            let held = known.remove(&device.name);
            let held = held.filter(|_| is_same_place(&seen.object, &wanted, device));
            let held = held.unwrap_or_else(|| Err(not_looked_at()));
            (device.name.clone(), held)
        };
        (Source::Status, devices.iter().map(of).collect())
    };
    let wish = Wish {
        object: &wanted,
        nodes: &nodes.views,
    };
    DiffReport::new(&wish, &seen.claims()?, source, held).map_err(refused)
}

const NOTHING_NAMED: Error = Error::Flags {
    problem: "no tunnel is named",
    hint: "name one, or give a file with -f",
};

/// Whether a file is about the tunnel that the command line names, in the same words as kubectl.
fn must_be_meant(
    connection: &Connection,
    args: &DiffArgs,
    edited: &BigIpTunnel,
) -> Result<(), Error> {
    let namespace = connection.namespace.as_ref().zip(edited.namespace());
    if namespace.is_some_and(|(typed, written)| *typed != written) {
        return Err(Error::Flags {
            problem: "the file is about another namespace than --namespace",
            hint: "leave out --namespace, or correct the file",
        });
    }
    if args
        .name
        .as_ref()
        .is_some_and(|name| *name != edited.name_any())
    {
        return Err(Error::Flags {
            problem: "the file is about another tunnel than the one that is named",
            hint: "leave out the name, or correct the file",
        });
    }
    Ok(())
}

/// Whether a BIG-IP is at the same place in both, and the tunnel on it is the same one.
fn is_same_place(known: &BigIpTunnel, wanted: &BigIpTunnel, device: &Device) -> bool {
    let mut listed = known.spec.devices.iter();
    let listed = listed.find(|listed| listed.name == device.name);
    let is_there = |listed: &Device| {
        listed.port == device.port && listed.address.eq_ignore_ascii_case(&device.address)
    };
    known.spec.tunnel == wanted.spec.tunnel && listed.is_some_and(is_there)
}

/// Whether a password may be sent to this BIG-IP: only to where the tunnel in the cluster says, and as
/// it says. A file may be somebody's proposal.
fn may_be_asked(known: &BigIpTunnel, wanted: &BigIpTunnel, device: &Device) -> bool {
    let access = |object: &BigIpTunnel, device: &Device| {
        let secret = convert::secret_name(device, &object.spec).ok();
        let tls = device.tls.clone().or_else(|| object.spec.tls.clone());
        (secret.map(str::to_owned), tls.unwrap_or_default())
    };
    let mut listed = known.spec.devices.iter();
    let listed = listed.find(|listed| listed.name == device.name);
    let is_known = known.metadata.uid.is_some();
    let is_alike = |listed: &Device| access(known, listed) == access(wanted, device);
    is_known && is_same_place(known, wanted, device) && listed.is_some_and(is_alike)
}

/// What the BIG-IPs say that they hold.
async fn live(
    cluster: &Cluster,
    args: &DirectArgs,
    known: &BigIpTunnel,
    wanted: &BigIpTunnel,
    devices: &[&Device],
    err: &mut dyn Write,
) -> Vec<(String, Result<Held, Trouble>)> {
    let direct = Direct::new(cluster, args.allow_insecure_tls);
    let ask = async |direct: &Direct<'_>, device: &Device| {
        if !may_be_asked(known, wanted, device) {
            return Err(not_as_in_the_cluster());
        }
        let live = direct.look(wanted, device).await?;
        live.unit.logout().await;
        let local = live.facts.tunnel.local_address;
        Ok(Held {
            observed: live.listing.observed,
            local: local.ok_or_else(no_local_address)?,
            is_complete: true,
        })
    };
    let answers = direct.ask_all(devices, err, ask).await;
    let names = devices.iter().map(|device| device.name.clone());
    names.zip(answers).collect()
}

fn not_as_in_the_cluster() -> Trouble {
    Trouble {
        reason: Reason::AddressNotAllowed,
        message:
            "the file names another address, tunnel, login or way to verify than the cluster; no \
                  password is sent where only a file says so"
                .to_owned(),
    }
}

/// Without a local address nobody knows in which route domain the records belong.
fn no_local_address() -> Trouble {
    Trouble {
        reason: Reason::TunnelMismatch,
        message: "the local address of its tunnel is no plain IPv4 address".to_owned(),
    }
}

/// The one tunnel in a file or in standard input, if the API server would take it.
fn read(path: &Path) -> Result<BigIpTunnel, Error> {
    let text = manifest::read(path)?;
    let documents =
        manifest::documents(&text).map_err(|problem| manifest::unusable(path, &problem))?;
    let is_tunnel = |document: &&manifest::Document| {
        document
            .value
            .get("kind")
            .is_some_and(|kind| kind == "BigIpTunnel")
    };
    let tunnels: Vec<_> = documents.iter().filter(is_tunnel).collect();
    let [tunnel] = tunnels.as_slice() else {
        let problem = format!("there are {} tunnels in it; one is needed", tunnels.len());
        return Err(manifest::unusable(path, &problem));
    };
    checked(&tunnel.value)?;
    serde_json::from_value(tunnel.value.clone())
        .map_err(|problem| manifest::unusable(path, &problem))
}

#[cfg(test)]
mod tests;
