//! `fdb` as text: the neighbour table of a tunnel.

use std::collections::BTreeSet;
use std::io::Write;

use jiff::Timestamp;

use super::table::{self, NONE, Table, UNKNOWN, plain};
use super::{View, tone};
use crate::age;
use crate::error::Error;
use crate::report::fdb::{Cell, FdbReport, Row, State};
use crate::style::Tone;

/// Prints the report.
pub(crate) fn write(report: &FdbReport, view: View, out: &mut dyn Write) -> Result<(), Error> {
    if !report.rows.is_empty() {
        table(report, view.wide).write(view.style, out)?;
    }
    writeln!(out, "{}", footer(report))?;
    for row in &report.rows {
        for note in notes(row, view.now) {
            writeln!(out, "{}", plain(&note))?;
        }
    }
    let mut cells = report.rows.iter().flat_map(|row| &row.cells);
    if cells.any(|cell| text(cell).ends_with('?')) {
        writeln!(out, "?: last known, the BIG-IP could not be verified since")?;
    }
    writeln!(out, "tmsh list net fdb tunnel {}", report.tunnel)?;
    Ok(())
}

fn table(report: &FdbReport, wide: bool) -> Table {
    let mut headers = vec!["NODE", "ADDRESS", "MAC"];
    headers.extend(report.devices.iter().map(String::as_str));
    if wide {
        headers.extend(["ENDPOINT", "NODE-READY"]);
    }
    let mut table = Table::new(headers);
    for row in &report.rows {
        let address = row.address.map(|address| address.to_string());
        let mut cells = vec![
            table::Cell::from(row.node.clone().unwrap_or_default()),
            address.unwrap_or_default().into(),
            row.mac.clone().unwrap_or_default().into(),
        ];
        cells.extend(row.cells.iter().map(|cell| {
            let tone = tone::of_record(cell.state, cell.verified);
            table::Cell::new(tone, &text(cell))
        }));
        if wide {
            cells.push(endpoints(row).into());
            cells.push(readiness(row));
        }
        table.row(cells);
    }
    table
}

/// Whether the node is ready. It keeps its record either way.
fn readiness(row: &Row) -> table::Cell {
    match row.node_ready.as_deref() {
        Some("True") => "True".to_owned().into(),
        Some(status) => table::Cell::new(Tone::Warn, status),
        None if row.node.is_some() && row.removable_at.is_none() => UNKNOWN.to_owned().into(),
        None => NONE.to_owned().into(),
    }
}

fn text(cell: &Cell) -> String {
    let says_something = !matches!(cell.state, State::Unknown | State::Skipped | State::Absent);
    let mark = if says_something && !cell.verified {
        "?"
    } else {
        ""
    };
    format!("{}{mark}", cell.state.as_str())
}

/// The endpoints of a row's records: one, unless the tunnels lie in different route domains.
fn endpoints(row: &Row) -> String {
    if row.mac.is_none() {
        return NONE.to_owned();
    }
    let endpoints: BTreeSet<&str> = row
        .cells
        .iter()
        .filter_map(|cell| cell.endpoint.as_deref())
        .collect();
    if endpoints.is_empty() {
        return UNKNOWN.to_owned();
    }
    endpoints.into_iter().collect::<Vec<_>>().join(",")
}

/// How many nodes there are, and how many records are in which state.
fn footer(report: &FdbReport) -> String {
    let records: Vec<String> = report
        .records
        .iter()
        .filter(|(state, _)| state.is_record_of_ours())
        .map(|(state, count)| format!("{count} {}", state.as_str()))
        .collect();
    let mut nodes = format!("{} nodes", report.nodes);
    if let Some(asked_for) = report.nodes_asked_for {
        nodes = format!("{asked_for} of {nodes}");
    }
    if report.skipped > 0 {
        nodes = format!("{nodes}, {} skipped", report.skipped);
    }
    let mut parts = vec![nodes];
    if !records.is_empty() {
        parts.push(format!("records: {}", records.join(", ")));
    }
    if report.extra > 0 {
        parts.push(format!("{} not ours and kept", report.extra));
    }
    parts.join("; ")
}

/// What a cell has no room for.
fn notes(row: &Row, now: Timestamp) -> Vec<String> {
    let node = row.node.as_deref().unwrap_or_default();
    let mut notes = Vec::new();
    if let Some(skipped) = &row.skipped {
        notes.push(format!("{node}: {}: {}", skipped.reason, skipped.message));
    }
    if let Some(at) = &row.removable_at {
        let name = if node.is_empty() {
            row.mac.as_deref().unwrap_or_default()
        } else {
            node
        };
        notes.push(format!(
            "{name}: left, its record goes in {}",
            age::until(at.0, now)
        ));
    }
    for cell in row
        .cells
        .iter()
        .filter(|cell| cell.state == State::Conflict)
    {
        let endpoint = cell.endpoint.as_deref().unwrap_or(UNKNOWN);
        notes.push(format!(
            "{node}: on {} the record leads to {endpoint}",
            cell.device
        ));
    }
    notes
}
