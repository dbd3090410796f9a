//! `check`: everything that is known to go wrong, looked at in the cluster, in what the operator says
//! of the BIG-IPs, and with `--direct` in what they say themselves.

use std::collections::BTreeMap;
use std::io::Write;

use bigip_tunnel_core::vocabulary::reason;
use bigip_tunnel_crds::v1alpha1::Device;

use super::seen::Seen;
use super::status::nothing_found;
use crate::cli::see::DataFormat;
use crate::cli::why::{CheckArgs, Threshold};
use crate::connection::Connection;
use crate::context::{Cluster, ReadTunnel};
use crate::direct::{Direct, Trouble, trouble};
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::check::evidence::{Evidence, LiveKey};
use crate::report::check::live::{LiveSeen, key, take};
use crate::report::check::{CheckReport, Verdict};
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "CheckReport";

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &CheckArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    if !args.names.is_empty() {
        connection.must_be_one_namespace()?;
    }
    let cluster = Cluster::new(connection).await?;
    let tunnels = tunnels(&cluster, connection, args).await?;
    if tunnels.as_ref().is_some_and(Vec::is_empty) {
        writeln!(err, "{}", nothing_found(connection, &cluster.namespace))?;
    }
    let cilium = args.cilium_namespace.as_deref();
    let mut evidence = cluster.evidence(tunnels, cilium).await?;
    if args.pre {
        evidence.rights = cluster.rights_to_install().await?;
    }
    if args.direct.direct {
        let live = live(&cluster, args, &evidence, err).await?;
        take(&mut evidence, live);
    }
    let threshold = match args.failure_threshold {
        Threshold::Warning => Verdict::Warning,
        Threshold::Error => Verdict::Error,
    };
    let report = CheckReport::new(&evidence, threshold);
    match args.output {
        Some(DataFormat::Json) => render::json(KIND, &report, out),
        Some(DataFormat::Yaml) => render::yaml(KIND, &report, out),
        None => render::check::write(&report, style, out),
    }?;
    Ok(report.outcome())
}

/// The tunnels to check. None before an installation, where there need not be any.
async fn tunnels(
    cluster: &Cluster,
    connection: &Connection,
    args: &CheckArgs,
) -> Result<Option<Vec<ReadTunnel>>, Error> {
    if args.pre {
        return Ok(None);
    }
    if args.names.is_empty() {
        let all = connection.all_namespaces;
        return cluster.tunnels(all, None).await.map(Some);
    }
    let mut tunnels = Vec::new();
    for name in &args.names {
        tunnels.push(cluster.tunnel(name).await?);
    }
    Ok(Some(tunnels))
}

/// What the BIG-IPs of all tunnels say.
async fn live(
    cluster: &Cluster,
    args: &CheckArgs,
    evidence: &Evidence,
    err: &mut dyn Write,
) -> Result<BTreeMap<LiveKey, Result<LiveSeen, Trouble>>, Error> {
    let direct = Direct::new(cluster, args.direct.allow_insecure_tls);
    let mut live = BTreeMap::new();
    let tunnels = evidence.tunnels.iter().flatten();
    for object in tunnels.filter_map(|tunnel| tunnel.0.as_ref().ok()) {
        let seen = match Seen::of(cluster, object.clone()).await {
            Ok(seen) => seen,
            // The other tunnels are looked at all the same.
            Err(error) => {
                for device in &object.spec.devices {
                    let trouble = Trouble {
                        reason: reason::KUBERNETES_UNAVAILABLE,
                        message: error.to_string(),
                    };
                    live.insert(key(object, &device.name), Err(trouble));
                }
                continue;
            }
        };
        let devices = seen.devices(&[])?;
        let ask = async |direct: &Direct<'_>, device: &Device| ask(direct, &seen, device).await;
        let answers = direct.ask_all(&devices, err, ask).await;
        for (device, answer) in devices.iter().zip(answers) {
            live.insert(key(object, &device.name), answer);
        }
    }
    Ok(live)
}

async fn ask(direct: &Direct<'_>, seen: &Seen, device: &Device) -> Result<LiveSeen, Trouble> {
    let live = direct.look(&seen.object, device).await?;
    let client = &live.unit;
    let of = |error: bigip_icontrol::Error| trouble(&error);
    let selected = seen.nodes().iter().filter(|node| node.selected);
    let said = LiveSeen {
        nodes: selected.map(|node| node.name.clone()).collect(),
        plan: seen.plan(&device.name, &live).map_err(|problem| Trouble {
            reason: reason::INVALID_SPEC,
            message: problem.to_string(),
        })?,
        self_ips: client.self_ips().await.map_err(of),
        routes: client.routes().await.map_err(of),
        virtual_servers: client.virtual_servers().await.map_err(of),
        pools: client.pools().await.map_err(of),
        snat_pools: client.snat_pools().await.map_err(of),
        sync_status: client.sync_status().await.map_err(of),
        facts: live.facts,
    };
    client.logout().await;
    Ok(said)
}
