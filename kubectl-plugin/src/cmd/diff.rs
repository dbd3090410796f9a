//! `diff`: what separates the records of the BIG-IPs from those that they should hold.

mod external;

use std::io::Write;
use std::path::Path;

use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, Device};
use kube::ResourceExt as _;

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
    let cluster = Cluster::new(connection).await?;
    let edited = args.file.as_deref().map(read).transpose()?;
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
    let seen = Seen::collect(cluster, &name).await?;
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
        (
            Source::Live,
            live(cluster, &args.direct, &wanted, &devices, err).await,
        )
    } else {
        let fdb = seen.fdb(&Wanted::default())?;
        let mut known = held_by_status(&seen.object, &fdb);
        let of = |device: &&Device| {
            let held = known.remove(&device.name);
            (
                device.name.clone(),
                held.unwrap_or_else(|| Err(not_looked_at())),
            )
        };
        (Source::Status, devices.iter().map(of).collect())
    };
    let wish = Wish {
        object: &wanted,
        nodes: &nodes.views,
    };
    DiffReport::new(&wish, &seen.claims(), source, held).map_err(refused)
}

const NOTHING_NAMED: Error = Error::Flags {
    problem: "no tunnel is named",
    hint: "name one, or give a file with -f",
};

/// What the BIG-IPs say that they hold.
async fn live(
    cluster: &Cluster,
    args: &DirectArgs,
    object: &BigIpTunnel,
    devices: &[&Device],
    err: &mut dyn Write,
) -> Vec<(String, Result<Held, Trouble>)> {
    let direct = Direct {
        cluster,
        allow_insecure_tls: args.allow_insecure_tls,
    };
    let ask = async |direct: &Direct<'_>, device: &Device| {
        let live = direct.look(object, device).await?;
        live.client.logout().await;
        let local = live
            .facts
            .tunnel
            .local_address
            .ok_or_else(no_local_address)?;
        Ok(Held {
            records: live.listing.records,
            local,
            is_complete: true,
        })
    };
    let answers = direct.ask_all(devices, err, ask).await;
    let names = devices.iter().map(|device| device.name.clone());
    names.zip(answers).collect()
}

/// Without a local address nobody knows in which route domain the records belong.
fn no_local_address() -> Trouble {
    Trouble {
        reason: bigip_tunnel_core::vocabulary::reason::TUNNEL_MISMATCH,
        message: "the local address of its tunnel is no plain IPv4 address".to_owned(),
    }
}

/// The tunnel in a file, or in standard input.
fn read(path: &Path) -> Result<BigIpTunnel, Error> {
    let text = manifest::read(path)?;
    serde_saphyr::from_str(&text).map_err(|problem| manifest::unusable(path, &problem))
}

#[cfg(test)]
mod tests;
