//! `status`: are the tunnels in sync, and what to do if not.

use std::io::Write;

use jiff::Timestamp;

use crate::cli::{StatusArgs, TableFormat};
use crate::connection::Connection;
use crate::context::{Cluster, ReadTunnel};
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::status::StatusReport;

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &StatusArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    if args.name.is_some() && connection.all_namespaces {
        return Err(Error::NameInAllNamespaces);
    }
    let cluster = Cluster::new(connection).await?;
    let tunnels = collect(&cluster, connection, args).await?;
    let report = StatusReport::new(&tunnels);
    if tunnels.is_empty() {
        writeln!(err, "{}", nothing_found(connection, &cluster.namespace))?;
    }
    write(
        &report,
        args.output,
        connection.all_namespaces,
        Timestamp::now(),
        out,
    )?;
    Ok(report.outcome())
}

async fn collect(
    cluster: &Cluster,
    connection: &Connection,
    args: &StatusArgs,
) -> Result<Vec<ReadTunnel>, Error> {
    match &args.name {
        Some(name) => Ok(vec![cluster.tunnel(name).await?]),
        None => cluster.tunnels(connection.all_namespaces).await,
    }
}

/// What kubectl says about other resources.
pub(super) fn nothing_found(connection: &Connection, namespace: &str) -> String {
    if connection.all_namespaces {
        "No BigIpTunnels found".to_owned()
    } else {
        format!("No BigIpTunnels found in {namespace} namespace.")
    }
}

/// Prints the report.
fn write(
    report: &StatusReport,
    format: Option<TableFormat>,
    all_namespaces: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match format {
        Some(TableFormat::Json) => render::json("StatusReport", report, out),
        Some(TableFormat::Yaml) => render::yaml("StatusReport", report, out),
        wide => render::status::write(report, all_namespaces, wide.is_some(), now, out),
    }
}

#[cfg(test)]
mod tests;
