//! `events`: what was noted about tunnels lately, by whoever works with them.

use std::io::Write;

use jiff::Timestamp;

use crate::cli::see::{DataFormat, EventsArgs};
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Outcome};
use crate::render::{self, View};
use crate::report::events::EventsReport;
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "EventsReport";

/// Runs the verb. No event is a finding: what is true now is for `status` to say.
pub(crate) async fn run(
    connection: &Connection,
    args: &EventsArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    if !args.names.is_empty() {
        connection.must_be_one_namespace()?;
    }
    let cluster = Cluster::new(connection).await?;
    let events = cluster.events(connection.all_namespaces).await?;
    let report = EventsReport::new(events, &args.names);
    if report.events.is_empty() {
        writeln!(err, "{}", nothing_found(connection, &cluster.namespace))?;
    }
    let view = View {
        all_namespaces: connection.all_namespaces,
        ..View::new(style, Timestamp::now())
    };
    write(&report, args, view, out)?;
    Ok(Outcome::Fine)
}

fn nothing_found(connection: &Connection, namespace: &str) -> String {
    let place = if connection.all_namespaces {
        String::new()
    } else {
        format!(" in {namespace} namespace")
    };
    format!(
        "No events of BigIpTunnels found{place}. Kubernetes forgets them, usually after an hour."
    )
}

/// Prints the report.
fn write(
    report: &EventsReport,
    args: &EventsArgs,
    view: View,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match args.output {
        Some(DataFormat::Json) => render::json(KIND, report, out),
        Some(DataFormat::Yaml) => render::yaml(KIND, report, out),
        None => render::events::write(report, view, out),
    }
}

#[cfg(test)]
mod tests;
