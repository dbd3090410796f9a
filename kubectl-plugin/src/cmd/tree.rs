//! `tree`: a tunnel, its BIG-IPs and their records, each below what it belongs to.

use std::io::Write;

use jiff::Timestamp;

use super::seen::Seen;
use super::watch::{Picture, Pictures};
use crate::cli::see::{DataFormat, TreeArgs};
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Outcome};
use crate::render::{self, View};
use crate::report::fdb::Wanted;
use crate::report::tree::TreeReport;
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "TreeReport";

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &TreeArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    connection.must_be_one_namespace()?;
    let cluster = Cluster::new(connection).await?;
    let seen = Seen::collect(&cluster, &args.name).await?;
    if args.watch {
        let pictures = Pictures::new(style, args.output.is_none());
        let picture = |seen: &Seen, style| {
            let (report, view) = (report(seen, args)?, View::new(style, Timestamp::now()));
            Picture::new(KIND, &report, |text| write(&report, args, view, text))
        };
        let streams = (out, err);
        return seen
            .follow(&cluster, pictures, style, streams, picture)
            .await;
    }
    let report = report(&seen, args)?;
    write(&report, args, View::new(style, Timestamp::now()), out)?;
    Ok(report.outcome())
}

fn report(seen: &Seen, args: &TreeArgs) -> Result<TreeReport, Error> {
    let fdb = seen.fdb(&Wanted::default())?;
    Ok(TreeReport::new(&seen.object, &fdb, !args.no_grouping))
}

/// Prints the report.
fn write(
    report: &TreeReport,
    args: &TreeArgs,
    view: View,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match args.output {
        Some(DataFormat::Json) => render::json_looks(KIND, report, args.watch, out),
        Some(DataFormat::Yaml) => render::yaml_looks(KIND, report, args.watch, out),
        None => render::tree::write(report, view, out),
    }
}

#[cfg(test)]
mod tests;
