//! `check`: everything that is known to go wrong, looked at in the cluster, in what the operator says
//! of the BIG-IPs, and with `--direct` in what they say themselves.

use bigip_tunnel_core::reason::Reason;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use bigip_tunnel_crds::v1alpha1::Device;

use super::seen::Seen;
use super::status::nothing_found;
use crate::cli::why::{CheckArgs, CheckFormat, Threshold};
use crate::connection::Connection;
use crate::context::{Cluster, ReadTunnel};
use crate::direct::{Direct, Live, Trouble, trouble};
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::check::evidence::{Evidence, LiveKey};
use crate::report::check::live::{LiveSeen, key, take};
use crate::report::check::{CheckReport, Verdict};
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "CheckReport";
/// Between two looks of `--wait`: a look reads all nodes and policies.
const PAUSE: Duration = Duration::from_secs(5);

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
    let report = settled(&cluster, connection, args, err).await?;
    match args.output {
        Some(CheckFormat::Json) => render::json(KIND, &report, out),
        Some(CheckFormat::Yaml) => render::yaml(KIND, &report, out),
        Some(CheckFormat::Short) => render::check::write_short(&report, style, out),
        None => render::check::write(&report, style, out),
    }?;
    match args.timeout.0.filter(|_| args.wait && !report.success) {
        Some(limit) => Err(Error::StillFailing(limit)),
        None => Ok(report.outcome()),
    }
}

/// The report, or with `--wait` the first one in which nothing fails, or the last one in time.
async fn settled(
    cluster: &Cluster,
    connection: &Connection,
    args: &CheckArgs,
    err: &mut dyn Write,
) -> Result<CheckReport, Error> {
    let limit = args.timeout.0.map(|limit| Instant::now() + limit);
    // One for all looks: a login that a BIG-IP refused is not repeated, because BIG-IP locks accounts.
    let direct = Direct::new(cluster, args.direct.allow_insecure_tls);
    loop {
        let report = look(&direct, connection, args, err).await?;
        let is_over = limit.is_some_and(|limit| Instant::now() + PAUSE >= limit);
        if !args.wait || report.success || is_over {
            return Ok(report);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One look at everything.
async fn look(
    direct: &Direct<'_>,
    connection: &Connection,
    args: &CheckArgs,
    err: &mut dyn Write,
) -> Result<CheckReport, Error> {
    let cluster = direct.cluster();
    let (tunnels, crd_missing) = match tunnels(cluster, connection, args).await {
        // That the cluster does not know the kind is a finding; the rest is checked.
        Err(Error::NoCrd) => (Some(Vec::new()), true),
        tunnels => (tunnels?, false),
    };
    if tunnels.as_ref().is_some_and(Vec::is_empty) && !crd_missing {
        writeln!(err, "{}", nothing_found(connection, &cluster.namespace))?;
    }
    let cilium = args.cilium_namespace.as_deref();
    let mut evidence = cluster.evidence(tunnels, cilium).await?;
    evidence.crd_missing = crd_missing;
    if args.pre {
        evidence.rights = cluster.rights_to_install().await?;
    }
    if args.direct.direct {
        let live = live(direct, &evidence, err).await?;
        take(&mut evidence, live);
    }
    let threshold = match args.failure_threshold {
        Threshold::Warning => Verdict::Warning,
        Threshold::Error => Verdict::Error,
    };
    Ok(CheckReport::new(&evidence, threshold).strict(args.strict))
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
    direct: &Direct<'_>,
    evidence: &Evidence,
    err: &mut dyn Write,
) -> Result<BTreeMap<LiveKey, Result<LiveSeen, Trouble>>, Error> {
    let cluster = direct.cluster();
    let mut live = BTreeMap::new();
    let tunnels = evidence.tunnels.iter().flatten();
    for object in tunnels.filter_map(|tunnel| tunnel.0.as_ref().ok()) {
        let seen = match Seen::of(cluster, object.clone()).await {
            Ok(seen) => seen,
            // The other tunnels are checked nevertheless.
            Err(error) => {
                for device in &object.spec.devices {
                    let trouble = Trouble {
                        reason: Reason::KubernetesUnavailable,
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
    let said = said(seen, device, &live).await;
    live.unit.logout().await;
    said
}

/// What a BIG-IP says that was logged in to.
pub(super) async fn said(seen: &Seen, device: &Device, live: &Live) -> Result<LiveSeen, Trouble> {
    let client = &live.unit;
    let of = |error: bigip_icontrol::Error| trouble(&error);
    let selected = seen.nodes().iter().filter(|node| node.selected);
    Ok(LiveSeen {
        nodes: selected.map(|node| node.name.clone()).collect(),
        plan: seen.plan(&device.name, live).map_err(|problem| Trouble {
            reason: Reason::InvalidSpec,
            message: problem.to_string(),
        })?,
        self_ips: client.self_ips().await.map_err(of),
        routes: client.routes().await.map_err(of),
        virtual_servers: client.virtual_servers().await.map_err(of),
        pools: client.pools().await.map_err(of),
        snat_pools: client.snat_pools().await.map_err(of),
        sync_status: client.sync_status().await.map_err(of),
        facts: live.facts.clone(),
    })
}
