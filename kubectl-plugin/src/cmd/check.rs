//! `check`: everything that is known to go wrong, looked at in the cluster and in what the operator
//! says of the BIG-IPs.

use std::io::Write;

use super::status::nothing_found;
use crate::cli::see::DataFormat;
use crate::cli::why::{CheckArgs, Threshold};
use crate::connection::Connection;
use crate::context::{Cluster, ReadTunnel};
use crate::error::{Error, Outcome};
use crate::render;
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
