//! `events` as text: a line per event.

use std::io::Write;

use super::View;
use super::table::{Cell, Table};
use crate::age;
use crate::error::Error;
use crate::report::events::{EventReport, EventsReport};
use crate::style::Tone;

/// Prints the report. Without events there is nothing to print.
pub(crate) fn write(report: &EventsReport, view: View, out: &mut dyn Write) -> Result<(), Error> {
    if report.events.is_empty() {
        return Ok(());
    }
    let mut headers = vec!["LAST-SEEN", "TYPE", "REASON", "TUNNEL", "COUNT", "MESSAGE"];
    if view.all_namespaces {
        headers.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(headers);
    for event in &report.events {
        let tone = tone(event);
        let seen = event.last_seen.as_ref();
        let mut cells = vec![
            Cell::from(seen.map_or_else(String::new, |seen| age::since(seen.0, view.now))),
            Cell::new(tone, &event.kind),
            Cell::new(tone, &event.reason),
            Cell::from(event.tunnel.clone()),
            Cell::from(event.count.to_string()),
            Cell::from(event.message.clone()),
        ];
        if view.all_namespaces {
            cells.insert(0, Cell::from(event.namespace.clone()));
        }
        table.row(cells);
    }
    Ok(table.write(view.style, out)?)
}

fn tone(event: &EventReport) -> Tone {
    if event.kind == "Warning" {
        Tone::Warn
    } else {
        Tone::Plain
    }
}
