//! `fdb`: every node and its record on every BIG-IP.

use std::io::Write;

use jiff::Timestamp;

use super::seen::Seen;
use super::watch::{Picture, Pictures};
use crate::cli::see::{FdbArgs, TableFormat};
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Outcome};
use crate::render::{self, View};
use crate::report::fdb::{FdbReport, Wanted};
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "FdbReport";

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &FdbArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    connection.must_be_one_namespace()?;
    let wanted = wanted(args);
    let cluster = Cluster::new(connection).await?;
    let seen = Seen::collect(&cluster, &args.name).await?;
    seen.must_know(&wanted)?;
    if args.watch {
        let is_text = matches!(args.output, None | Some(TableFormat::Wide));
        let pictures = Pictures::new(style, is_text);
        let picture = |seen: &Seen, style| {
            let (report, view) = (seen.fdb(&wanted)?, view(args, style));
            Picture::new(KIND, &report, |text| write(&report, args, view, text))
        };
        let streams = (out, err);
        return seen
            .follow(&cluster, pictures, style, streams, picture)
            .await;
    }
    let report = seen.fdb(&wanted)?;
    write(&report, args, view(args, style), out)?;
    Ok(report.outcome())
}

fn wanted(args: &FdbArgs) -> Wanted<'_> {
    Wanted {
        devices: &args.devices,
        nodes: &args.nodes,
        only_problems: args.problems,
    }
}

fn view(args: &FdbArgs, style: Style) -> View {
    View {
        wide: args.output == Some(TableFormat::Wide),
        ..View::new(style, Timestamp::now())
    }
}

/// Prints the report.
fn write(report: &FdbReport, args: &FdbArgs, view: View, out: &mut dyn Write) -> Result<(), Error> {
    match args.output {
        Some(TableFormat::Json) => render::json_looks(KIND, report, args.watch, out),
        Some(TableFormat::Yaml) => render::yaml_looks(KIND, report, args.watch, out),
        None | Some(TableFormat::Wide) => render::fdb::write(report, view, out),
    }
}

#[cfg(test)]
mod tests;
