//! The verbs that change something: what they have in common.
//!
//! What needs a person's decision is shown first and then written against the version of the object
//! that was shown. Knows no BIG-IP: everything goes through the object, and the operator acts on it.

use std::io::Write;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::json;

use crate::cli::act::{ActCommand, ActionFormat, DecisionArgs, DryRun};
use crate::cmd::{accept_device, approve, reconcile, release, resume, suspend};
use crate::connection::Connection;
use crate::context::{Cluster, readable};
use crate::error::{Error, Obstacle, Outcome};
use crate::person::Person;
use crate::render::{self, View};
use crate::report::act::ActionReport;

/// How often a decision is written again because the object changed in ways that it is not about.
const ATTEMPTS: usize = 5;

/// Runs one of the verbs.
pub(crate) async fn run(
    connection: &Connection,
    command: &ActCommand,
    out: &mut dyn Write,
    person: &mut Person<'_>,
) -> Result<Outcome, Error> {
    let takes_all = matches!(command, ActCommand::Reconcile(args) if args.all);
    if !takes_all {
        connection.must_be_one_namespace()?;
    }
    let cluster = Cluster::new(connection).await?;
    let mut report = ActionReport::default();
    let result = match command {
        ActCommand::Reconcile(args) => {
            reconcile::collect(&cluster, connection, args, person, &mut report).await
        }
        ActCommand::Suspend(args) => suspend::collect(&cluster, args, &mut report).await,
        ActCommand::Resume(args) => resume::collect(&cluster, args, &mut report).await,
        ActCommand::Approve(args) => approve::collect(&cluster, args, person, &mut report).await,
        ActCommand::AcceptDevice(args) => {
            accept_device::collect(&cluster, args, person, &mut report).await
        }
        ActCommand::Release(args) => release::collect(&cluster, args, person, &mut report).await,
    };
    // What was done is said also when something failed after it.
    if result.is_ok() || !report.tunnels.is_empty() {
        write(&report, command.change().output, out)?;
        out.flush()?;
    }
    for note in &report.notes {
        person.tell(note);
    }
    result?;
    Ok(report.outcome())
}

/// Prints the report.
fn write(
    report: &ActionReport,
    format: Option<ActionFormat>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match format {
        Some(ActionFormat::Json) => render::json("ActionReport", report, out),
        Some(ActionFormat::Yaml) => render::yaml("ActionReport", report, out),
        Some(ActionFormat::Name) => render::act::write_names(report, out),
        None => render::act::write(report, out),
    }
}

/// The tunnels of these names. None is changed before all of them are known to be there.
pub(crate) async fn named(cluster: &Cluster, names: &[String]) -> Result<Vec<BigIpTunnel>, Error> {
    let mut objects = Vec::new();
    for name in names {
        objects.push(readable(cluster.tunnel(name).await?)?);
    }
    Ok(objects)
}

/// Changes a tunnel in a way that does not depend on what it was.
pub(crate) async fn change(
    cluster: &Cluster,
    object: &BigIpTunnel,
    patch: &serde_json::Value,
    dry_run: DryRun,
) -> Result<(), Error> {
    let namespace = object.namespace().unwrap_or_default();
    cluster
        .change(&namespace, &object.name_any(), patch, dry_run)
        .await
}

/// This stands in the way with this tunnel.
pub(crate) fn blocked(object: &BigIpTunnel, obstacle: Obstacle) -> Error {
    Error::Obstacle {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        obstacle,
    }
}

/// Something that a person has to see and agree to.
pub(crate) trait Question: Sized {
    /// The annotation that is the answer, and its value.
    fn annotation(&self) -> (&'static str, &str);

    /// Shows what it is about.
    fn show(&self, view: View, out: &mut dyn Write) -> Result<(), Error>;

    /// What is asked then.
    fn ask(&self) -> String;

    /// Whether somebody who agreed to `shown` has agreed to this.
    fn is_covered_by(&self, shown: &Self) -> bool;
}

/// Shows what `look` finds in the tunnel, has it agreed to, and writes the answer: for the object as it
/// was shown, or one that differs from it in other things. Returns what was agreed to, with the object
/// and whether the answer was not there already.
pub(crate) async fn decide<Q: Question>(
    cluster: &Cluster,
    name: &str,
    args: &DecisionArgs,
    person: &mut Person<'_>,
    look: impl Fn(&BigIpTunnel) -> Result<Q, Obstacle>,
) -> Result<(Q, BigIpTunnel, bool), Error> {
    let look = |object: &BigIpTunnel| look(object).map_err(|obstacle| blocked(object, obstacle));
    let mut object = readable(cluster.tunnel(name).await?)?;
    let shown = look(&object)?;
    let view = View::new(person.style, Timestamp::now());
    person.show(|out| shown.show(view, out))?;
    if is_answered(&object, &shown) {
        return Ok((shown, object, false));
    }
    if args.change.dry_run == DryRun::None && !args.yes {
        person.must_agree(&shown.ask())?;
    }
    for _ in 0..ATTEMPTS {
        match answer(cluster, &object, &shown, args.change.dry_run).await {
            Err(Error::Changed { .. }) => {}
            written => return written.map(|()| (shown, object, true)),
        }
        object = readable(cluster.tunnel(name).await?)?;
        if !look(&object)?.is_covered_by(&shown) {
            break;
        }
    }
    Err(Error::Changed {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    })
}

/// Whether the answer is there already.
fn is_answered<Q: Question>(object: &BigIpTunnel, question: &Q) -> bool {
    let (key, value) = question.annotation();
    object
        .annotations()
        .get(key)
        .is_some_and(|now| now == value)
}

/// Writes the answer to what is seen in exactly this version of the object.
async fn answer<Q: Question>(
    cluster: &Cluster,
    object: &BigIpTunnel,
    question: &Q,
    dry_run: DryRun,
) -> Result<(), Error> {
    let (key, value) = question.annotation();
    let patch = json!({
        "metadata": {
            "uid": object.metadata.uid,
            "resourceVersion": object.metadata.resource_version,
            "annotations": {key: value},
        },
    });
    change(cluster, object, &patch, dry_run).await
}

#[cfg(test)]
mod tests;
