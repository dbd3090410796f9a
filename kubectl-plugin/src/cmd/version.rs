//! `version`: which plugin this is, which operators run, and which API the cluster serves.

use std::io::Write;

use crate::cli::see::DataFormat;
use crate::cli::why::VersionArgs;
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::version::VersionReport;
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "VersionReport";

/// Runs the verb. It works without a cluster too, and says so.
pub(crate) async fn run(
    connection: &Connection,
    args: &VersionArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    let mut report = VersionReport::of_client();
    if !args.client
        && let Err(error) = ask(connection, &mut report).await
    {
        report.unread.push(error.to_string());
    }
    match args.output {
        Some(DataFormat::Json) => render::json(KIND, &report, out),
        Some(DataFormat::Yaml) => render::yaml(KIND, &report, out),
        None => render::version::write(&report, style, out),
    }?;
    for unread in &report.unread {
        writeln!(err, "{unread}")?;
    }
    Ok(Outcome::Fine)
}

async fn ask(connection: &Connection, report: &mut VersionReport) -> Result<(), Error> {
    let cluster = Cluster::new(connection).await?;
    let served = cluster.served_versions().await?;
    report.add(cluster.operators().await?, served);
    Ok(())
}
