//! `verify`: pings nodes from the BIG-IPs of a tunnel, and says what that proves.
//!
//! Asks with the login of the tunnel's Secret, changes nothing, and deletes no ARP entry. The pings are sent beside
//! the operator's requests: at most one at a time on a unit, in a session of the plugin's own.

mod round;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::{Duration, Instant};

use bigip_tunnel_cilium::finding::UnitKey;
use bigip_tunnel_cilium::words::count;
use bigip_tunnel_core::verify::sample::Cost;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::Device;
use futures::future::join_all;
use kube::ResourceExt as _;
use tokio::sync::Mutex;

use self::round::{Progress, Round, ask};
use self::targets::Targets;
use super::check::said;
use super::seen::invalid;
use crate::cli::verify::{VerifyArgs, VerifyFormat};
use crate::connection::Connection;
use crate::context::{Cluster, ReadTunnel, readable};
use crate::direct::{Direct, Live, Trouble};
use crate::error::{Error, Outcome};
use crate::person::Person;
use crate::render;
use crate::report::check::evidence::{Evidence, LiveKey};
use crate::report::check::live::{LiveSeen, key, take};
use crate::report::check::{CheckReport, Verdict};
use crate::report::verify::cause::likely;
use crate::report::verify::{DevicePaths, Path, TunnelPaths, VerifyReport};
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "VerifyReport";
/// Between two lines about how far it is.
const PROGRESS: Duration = Duration::from_secs(2);

/// A unit that is asked for a tunnel.
struct Unit<'a> {
    targets: &'a Targets,
    device: &'a Device,
    live: Result<Live, Trouble>,
}

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &VerifyArgs,
    style: Style,
    out: &mut dyn Write,
    person: &mut Person<'_>,
) -> Result<Outcome, Error> {
    if args.name.is_some() {
        connection.must_be_one_namespace()?;
    }
    let cluster = Cluster::new(connection).await?;
    let tunnels = tunnels(&cluster, connection, args).await?;
    let cilium = args.cilium_namespace.as_deref();
    let evidence = cluster.evidence(Some(tunnels), cilium).await?;
    let pod = match &args.pod {
        Some(pod) => Some(cluster.pod(&pod.namespace, &pod.name).await?),
        None => None,
    };
    let mut all = Vec::new();
    for tunnel in evidence.tunnels.iter().flatten() {
        let object = readable(tunnel.clone())?;
        let place = (&evidence.cilium, pod.as_ref());
        all.extend(Targets::of(&cluster, object, place, args).await?);
    }
    let direct = Direct::new(&cluster, args.allow_insecure_tls);
    let units = look(&direct, &all, args, person).await?;
    let result = verify(evidence, &all, &units, args, person).await;
    for live in units.iter().filter_map(|unit| unit.live.as_ref().ok()) {
        live.unit.logout().await;
    }
    let report = result?;
    match args.output {
        Some(VerifyFormat::Json) => render::json(KIND, &report, out),
        Some(VerifyFormat::Yaml) => render::yaml(KIND, &report, out),
        Some(VerifyFormat::Junit) => render::verify::write_junit(&report, out),
        Some(VerifyFormat::Wide) => render::verify::write(&report, true, style, out),
        None => render::verify::write(&report, false, style, out),
    }?;
    out.flush()?;
    report.outcome()
}

async fn tunnels(
    cluster: &Cluster,
    connection: &Connection,
    args: &VerifyArgs,
) -> Result<Vec<ReadTunnel>, Error> {
    match &args.name {
        Some(name) => Ok(vec![cluster.tunnel(name).await?]),
        None => cluster.tunnels(connection.all_namespaces, None).await,
    }
}

/// Logs in to all units and reads what they hold.
async fn look<'a>(
    direct: &Direct<'_>,
    all: &'a [Targets],
    args: &VerifyArgs,
    person: &mut Person<'_>,
) -> Result<Vec<Unit<'a>>, Error> {
    let mut units = Vec::new();
    for targets in all {
        let devices = targets.seen.devices(&args.devices)?;
        let look = async |direct: &Direct<'_>, device: &Device| {
            direct.look(&targets.seen.object, device).await
        };
        let answers = direct.ask_all(&devices, person.err(), look).await;
        let unit = |(device, live)| Unit {
            targets,
            device,
            live,
        };
        units.extend(devices.into_iter().zip(answers).map(unit));
    }
    Ok(units)
}

/// Says what it costs, pings, and finds out why.
async fn verify(
    mut evidence: Evidence,
    all: &[Targets],
    units: &[Unit<'_>],
    args: &VerifyArgs,
    person: &mut Person<'_>,
) -> Result<VerifyReport, Error> {
    must_be_affordable(units, args, person)?;
    let rounds = rounds(units, args, person.err()).await;
    let live = seen_by_units(units, &rounds).await;
    take(&mut evidence, live);
    let checks = CheckReport::new(&evidence, Verdict::Error);
    let mut tunnels = Vec::new();
    let mut rounds = units.iter().zip(rounds).peekable();
    for targets in all {
        let object = &targets.seen.object;
        let path =
            convert::tunnel_path(&object.spec).map_err(|problem| invalid(object, problem))?;
        let mut devices = Vec::new();
        while let Some((unit, round)) =
            rounds.next_if(|(unit, _)| std::ptr::eq(unit.targets, targets))
        {
            devices.push(paths(unit, round, &checks));
        }
        tunnels.push(TunnelPaths {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            tunnel: path.to_string(),
            nodes: targets.nodes,
            devices,
        });
    }
    Ok(VerifyReport::new(tunnels))
}

/// What a round found on a unit, with the causes.
fn paths(unit: &Unit<'_>, round: Round, checks: &CheckReport) -> DevicePaths {
    let object = &unit.targets.seen.object;
    let key = UnitKey {
        namespace: object.namespace().unwrap_or_default(),
        object: object.name_any(),
        device: unit.device.name.clone(),
    };
    let path = |asked| {
        let cause = likely(&asked, &key, checks);
        Path::new(asked, cause)
    };
    DevicePaths {
        device: unit.device.name.clone(),
        source: round.source,
        endpoints: round.endpoints,
        paths: round.asked.into_iter().map(path).collect(),
    }
}

/// Shows what the pings cost, and asks, where that is called for.
fn must_be_affordable(
    units: &[Unit<'_>],
    args: &VerifyArgs,
    person: &mut Person<'_>,
) -> Result<(), Error> {
    let costs = units.iter().filter_map(|unit| {
        let records = &unit.live.as_ref().ok()?.listing.observed.records;
        let endpoints: BTreeSet<_> = records.values().collect();
        let cost = Cost {
            pings: unit.targets.addresses(),
            endpoints: endpoints.len(),
        };
        Some((unit.device.name.as_str(), cost))
    });
    let costs: Vec<(&str, Cost)> = costs.collect();
    if !args.all && !costs.iter().any(|(_, cost)| cost.needs_consent()) {
        return Ok(());
    }
    for (device, cost) in &costs {
        person.tell(&format!(
            "{device}: {}, one at a time, {} s at most; an ARP request for an unknown address goes to {}: \
             up to {} copies in all",
            count(cost.pings, "ping"),
            cost.longest_s(),
            count(cost.endpoints, "endpoint"),
            cost.copies()
        ));
    }
    if args.yes {
        return Ok(());
    }
    let pings: usize = costs.iter().map(|(_, cost)| cost.pings).sum();
    person.must_agree(&format!("Send {}?", count(pings, "ping")))
}

/// Asks all units at once, and each of them one thing at a time, whichever tunnel it is for.
async fn rounds(units: &[Unit<'_>], args: &VerifyArgs, err: &mut dyn Write) -> Vec<Round> {
    let until = args.timeout.0.map(|limit| Instant::now() + limit);
    let progress = Progress::of(units);
    let identities = units.iter().filter_map(|unit| unit.live.as_ref().ok());
    let turns: BTreeMap<_, Mutex<()>> = identities
        .map(|live| (&live.facts.identity, Mutex::default()))
        .collect();
    let asked = units.iter().map(async |unit| {
        let turn = unit.live.as_ref().ok();
        let turn = turn.and_then(|live| turns.get(&live.facts.identity));
        let _turn = match turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        ask(unit, until, &progress).await
    });
    let asked = join_all(asked);
    tokio::pin!(asked);
    let mut told = 0;
    loop {
        tokio::select! {
            rounds = &mut asked => return rounds,
            () = tokio::time::sleep(PROGRESS) => {}
        }
        if progress.done() > told {
            told = progress.done();
            // Nobody there to read it is no failure.
            let _ = writeln!(err, "{progress}");
        }
    }
}

/// What the units say that do not reach every node, or did not answer: where a cause is looked for.
async fn seen_by_units(
    units: &[Unit<'_>],
    rounds: &[Round],
) -> BTreeMap<LiveKey, Result<LiveSeen, Trouble>> {
    let seen = units.iter().zip(rounds).map(async |(unit, round)| {
        let seen = &unit.targets.seen;
        let answer = match &unit.live {
            Ok(_) if round.is_fine() => return None,
            Ok(live) => said(seen, unit.device, live).await,
            Err(trouble) => Err(trouble.clone()),
        };
        Some((key(&seen.object, &unit.device.name), answer))
    });
    join_all(seen).await.into_iter().flatten().collect()
}
