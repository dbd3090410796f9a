//! `graph`: which BIG-IPs lead to which nodes, drawn.

use std::io::Write;

use jiff::Timestamp;

use super::seen::Seen;
use crate::cli::see::{GraphArgs, GraphFormat};
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Outcome};
use crate::render::{self, View, graph};
use crate::report::fdb::Wanted;
use crate::report::graph::GraphReport;
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "GraphReport";

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &GraphArgs,
    style: Style,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    connection.must_be_one_namespace()?;
    let cluster = Cluster::new(connection).await?;
    let seen = Seen::collect(&cluster, &args.name).await?;
    let fdb = seen.fdb(&Wanted::default())?;
    let report = GraphReport::new(&seen.object, fdb, !args.no_grouping);
    write(
        &report,
        args.output,
        View::new(style, Timestamp::now()),
        out,
    )?;
    Ok(report.outcome())
}

/// Prints the report.
fn write(
    report: &GraphReport,
    format: GraphFormat,
    view: View,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match format {
        GraphFormat::Ascii => graph::ascii::write(report, view, out),
        GraphFormat::Mermaid => graph::mermaid::write(report, out),
        GraphFormat::Dot => graph::dot::write(report, out),
        GraphFormat::Json => render::json(KIND, report, out),
        GraphFormat::Yaml => render::yaml(KIND, report, out),
    }
}

#[cfg(test)]
mod tests;
