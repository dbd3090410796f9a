//! `migrate cis`: an object that takes over from F5 CIS, and how. Changes nothing, reads no Secret.

use std::io::Write;
use std::path::Path;

use super::create::checked;
use crate::cis::Cis;
use crate::cis::workload::Workload;
use crate::cli::migrate::{CisArgs, MigrateCommand};
use crate::cli::see::DataFormat;
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Obstacle, Outcome};
use crate::manifest;
use crate::render;
use crate::report::migrate::MigrateReport;
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "MigrateReport";

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    command: &MigrateCommand,
    style: Style,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let MigrateCommand::Cis(args) = command;
    let workloads = workloads(connection, args).await?;
    let report = collect(&workloads, args)?;
    for tunnel in &report.tunnels {
        checked(&tunnel.object)?;
    }
    match args.output {
        Some(DataFormat::Json) => render::json(KIND, &report, out),
        Some(DataFormat::Yaml) => render::yaml(KIND, &report, out),
        None => render::migrate::write(&report, style, out),
    }?;
    Ok(Outcome::Fine)
}

/// Everything that may be a CIS.
async fn workloads(connection: &Connection, args: &CisArgs) -> Result<Vec<Workload>, Error> {
    let namespace = connection.namespace.as_deref();
    if let Some(file) = &args.file {
        return in_file(file, namespace);
    }
    let Some(name) = &args.deployment else {
        if !args.arguments.is_empty() {
            return Ok(vec![Workload::of_arguments(namespace)]);
        }
        let cluster = Cluster::new(connection).await?;
        let all = cluster.deployments(connection.all_namespaces).await?;
        return Ok(all.iter().map(Workload::of_deployment).collect());
    };
    connection.must_be_one_namespace()?;
    let cluster = Cluster::new(connection).await?;
    match cluster.deployment(name).await? {
        Some(deployment) => Ok(vec![Workload::of_deployment(&deployment)]),
        None => Err(Error::NoMigration(Obstacle {
            problem: format!(
                "deployment {name:?} not found in namespace {:?}",
                cluster.namespace
            ),
            hint: "kubectl bigip-tunnel migrate cis -A looks at those of all namespaces".to_owned(),
        })),
    }
}

/// What is in a file. Its lines are not shown where it cannot be read: they may hold a password.
fn in_file(path: &Path, namespace: Option<&str>) -> Result<Vec<Workload>, Error> {
    let text = manifest::read(path)?;
    let documents =
        manifest::documents(&text).map_err(|problem| manifest::unusable(path, &problem))?;
    let mut found = Vec::new();
    for document in documents {
        let workloads = Workload::of_document(&document.value, namespace);
        found.extend(workloads.map_err(|problem| {
            let problem = format!("line {}: {problem}", document.line);
            manifest::unusable(path, &problem)
        })?);
    }
    Ok(found)
}

fn collect(workloads: &[Workload], args: &CisArgs) -> Result<MigrateReport, Error> {
    let mut found = Vec::new();
    // Somebody else's Deployment does not become a CIS by arguments that are meant for one.
    let candidates = workloads
        .iter()
        .filter(|workload| workloads.len() == 1 || Cis::is_in(workload));
    let candidates: Vec<&Workload> = candidates.collect();
    if candidates.len() > 1 && !args.arguments.is_empty() {
        return Err(SEVERAL);
    }
    for workload in candidates {
        let all = Cis::all_in(workload, &args.arguments).map_err(Error::NoMigration)?;
        found.extend(all);
    }
    if found.is_empty() {
        return Err(nothing_found(args));
    }
    Ok(MigrateReport::new(found, args.into.as_deref()))
}

const SEVERAL: Error = Error::Flags {
    problem: "arguments behind -- are those of one CIS, and there are several",
    hint: "name its Deployment",
};

fn nothing_found(args: &CisArgs) -> Error {
    let (place, hint) = match (&args.deployment, &args.file) {
        (Some(name), _) => (format!("deployment {name:?}"), NOT_NEEDED),
        (None, Some(file)) => (format!("{}", file.display()), NOT_NEEDED),
        (None, None) if args.arguments.is_empty() => (
            "no Deployment there".to_owned(),
            "-n names another namespace, -A looks at all of them",
        ),
        (None, None) => (
            "what stands behind --".to_owned(),
            "give --cilium-name=/PARTITION/TUNNEL and --bigip-url=ADDRESS behind --",
        ),
    };
    let is_none = args.deployment.is_none() && args.file.is_none() && args.arguments.is_empty();
    let has = if is_none { "has" } else { "does not have" };
    Error::NoMigration(Obstacle {
        problem: format!(
            "{place} {has} one of --cilium-name, --flannel-name and --openshift-sdn-name, with which F5 CIS \
             writes the records of a tunnel"
        ),
        hint: hint.to_owned(),
    })
}

/// What to say to those who have a CIS that does something else.
const NOT_NEEDED: &str = "a CIS without it writes no records: there is nothing to take over";

#[cfg(test)]
mod tests;
