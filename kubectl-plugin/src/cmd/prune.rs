//! `prune`: removes records of our form that nobody claims, with the person's own rights.
//!
//! The operator never touches them: they may be another cluster's. What a node has, or any object
//! claims, is spared; what goes is shown and asked for first, and looked at again before it goes.

use bigip_tunnel_core::reason::Reason;
use std::io::Write;

use bigip_icontrol::Removed;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::status::known_identity;
use bigip_tunnel_crds::v1alpha1::Device;
use kube::ResourceExt as _;

use super::seen::{Seen, invalid};
use crate::cli::act::{DryRun, PruneArgs};
use crate::cli::see::DataFormat;
use crate::connection::Connection;
use crate::context::Cluster;
use crate::direct::{Direct, Live, Trouble, trouble};
use crate::error::{Error, Outcome};
use crate::person::Person;
use crate::render;
use crate::report::prune::{Leftover, Needed, PruneReport, Pruned, Unreadable};

/// Kind of the report.
const KIND: &str = "PruneReport";

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &PruneArgs,
    out: &mut dyn Write,
    person: &mut Person<'_>,
) -> Result<Outcome, Error> {
    connection.must_be_one_namespace()?;
    let cluster = Cluster::new(connection).await?;
    let seen = Seen::collect(&cluster, &args.name).await?;
    let direct = Direct::new(&cluster, args.direct.allow_insecure_tls);
    let devices = seen.devices(&args.devices)?;
    let ask = async |direct: &Direct<'_>, device: &Device| {
        must_be_written_to(&seen, device)?;
        let live = direct.look(&seen.object, device).await?;
        if live.facts.version.is_supported() {
            return Ok(live);
        }
        live.unit.logout().await;
        Err(Trouble {
            reason: Reason::UnsupportedVersion,
            message: format!("TMOS {} is only read", live.facts.version),
        })
    };
    let answers = direct.ask_all(&devices, person.err(), ask).await;
    let result = prune(&cluster, &seen, args, person, &devices, &answers).await;
    for live in answers.iter().flatten() {
        live.unit.logout().await;
    }
    let report = result?;
    match args.output {
        Some(DataFormat::Json) => render::json(KIND, &report, out),
        Some(DataFormat::Yaml) => render::yaml(KIND, &report, out),
        None => render::prune::write(&report, out),
    }?;
    out.flush()?;
    match report.trouble() {
        Some((device, trouble)) => Err(Error::Device {
            device: device.to_owned(),
            trouble: trouble.clone(),
        }),
        None => Ok(Outcome::Fine),
    }
}

/// Nothing is removed from a box of which the operator has not said which one it is: it may be another
/// cluster's, where nobody here needs anything.
fn must_be_written_to(seen: &Seen, device: &Device) -> Result<(), Trouble> {
    let status = seen.object.status.as_ref();
    match status.and_then(|status| known_identity(status, &device.name)) {
        Some(_) => Ok(()),
        None => Err(Trouble {
            reason: Reason::Pending,
            message: "the operator has not said which box this is; let it look first".to_owned(),
        }),
    }
}

/// Shows, asks, removes.
async fn prune(
    cluster: &Cluster,
    seen: &Seen,
    args: &PruneArgs,
    person: &mut Person<'_>,
    devices: &[&Device],
    answers: &[Result<Live, Trouble>],
) -> Result<PruneReport, Error> {
    let needed = needed(cluster, seen).await?;
    let of = |(device, answer): (&&Device, &Result<Live, Trouble>)| match answer {
        Ok(live) => {
            let plan = seen.plan(&device.name, live)?;
            Ok(Pruned::new(device.name.clone(), &plan.unclaimed, &needed))
        }
        Err(trouble) => Ok(Pruned::unknown(device.name.clone(), trouble.clone())),
    };
    let pruned: Result<Vec<Pruned>, Error> = devices.iter().zip(answers).map(of).collect();
    let mut report = PruneReport {
        namespace: seen.object.namespace().unwrap_or_default(),
        name: seen.object.name_any(),
        tunnel: convert::tunnel_path(&seen.object.spec)
            .map_err(|problem| invalid(&seen.object, problem))?
            .to_string(),
        dry_run: args.dry_run == DryRun::Client,
        devices: pruned?,
    };
    if report.found() == 0 {
        return Ok(report);
    }
    let asked = person.style;
    person.show(|out| render::prune::show(&report, asked, out))?;
    if report.dry_run {
        return Ok(report);
    }
    if !args.yes {
        let records = match report.found() {
            1 => "this record".to_owned(),
            found => format!("these {found} records"),
        };
        person.must_agree(&format!("Remove {records}?"))?;
    }
    // A node may have come, or an object may have claimed one, while the person thought.
    let now = Seen::collect(cluster, &args.name).await?;
    let needed = self::needed(cluster, &now).await?;
    for (pruned, live) in report.devices.iter_mut().zip(answers) {
        if let Ok(live) = live
            && let Err(trouble) = remove(pruned, live, &needed, args.save).await
        {
            pruned.trouble = Some(trouble);
        }
    }
    Ok(report)
}

/// What may not be removed.
async fn needed(cluster: &Cluster, seen: &Seen) -> Result<Needed, Error> {
    let objects = cluster.tunnels(true, None).await?;
    Needed::by(seen.nodes(), &objects).map_err(|Unreadable(name)| Error::Flags {
        problem: "it is not known what all tunnels claim, so nothing is a leftover",
        hint: if name.is_empty() {
            "see which tunnel cannot be read: kubectl bigip-tunnel status -A"
        } else {
            "correct the tunnel that cannot be read: kubectl bigip-tunnel status -A"
        },
    })
}

/// Removes what is left over on one BIG-IP, and saves what was removed also if not all could be.
async fn remove(
    pruned: &mut Pruned,
    live: &Live,
    needed: &Needed,
    save: bool,
) -> Result<(), Trouble> {
    let mut result = Ok(());
    for leftover in &mut pruned.leftovers {
        match remove_one(leftover, live, needed).await {
            Ok(removed) => leftover.removed = removed,
            Err(trouble) => {
                result = Err(trouble);
                break;
            }
        }
    }
    if save && pruned.leftovers.iter().any(|leftover| leftover.removed) {
        live.unit.save().await.map_err(|error| trouble(&error))?;
        pruned.saved = true;
    }
    result
}

/// Removes a record if it is still what was shown; whether it was removed.
async fn remove_one(leftover: &Leftover, live: &Live, needed: &Needed) -> Result<bool, Trouble> {
    let (Ok(mac), Ok(shown)) = (
        leftover.mac.parse::<MacAddress>(),
        leftover.endpoint.parse(),
    ) else {
        return Ok(false);
    };
    if needed.has(mac, shown) {
        return Ok(false);
    }
    let name = live.listing.name_of(mac);
    let failed = |error| trouble(&error);
    let found = live.unit.record(&live.tunnel, &name).await;
    match found.map_err(failed)? {
        Some(endpoint) if endpoint == shown => {
            let removed = live.unit.remove_record(&live.tunnel, &name).await;
            Ok(removed.map_err(failed)? == Removed::Removed)
        }
        Some(_) => Err(Trouble {
            reason: Reason::Conflict,
            message: format!("{mac} was changed since it was shown; nothing more was done"),
        }),
        None => Ok(false),
    }
}
