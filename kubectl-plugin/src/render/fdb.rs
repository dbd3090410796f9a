//! `fdb` as text: the neighbour table of a tunnel.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use jiff::Timestamp;

use super::table::{NONE, Table, UNKNOWN, plain};
use crate::age;
use crate::error::Error;
use crate::report::fdb::{Cell, FdbReport, Row, State};

/// Prints the report.
pub(crate) fn write(
    report: &FdbReport,
    wide: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut headers = vec!["NODE".to_owned(), "ADDRESS".to_owned(), "MAC".to_owned()];
    headers.extend(report.devices.iter().cloned());
    if wide {
        headers.push("ENDPOINT".to_owned());
    }
    let mut table = Table::new(headers);
    for row in &report.rows {
        let mut cells = vec![
            row.node.clone().unwrap_or_default(),
            row.address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            row.mac.clone().unwrap_or_default(),
        ];
        cells.extend(row.cells.iter().map(text));
        if wide {
            cells.push(endpoints(row));
        }
        table.row(cells);
    }
    for line in table.lines() {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{}", footer(report))?;
    for row in &report.rows {
        for note in notes(row, now) {
            writeln!(out, "{}", plain(&note))?;
        }
    }
    if report
        .rows
        .iter()
        .flat_map(|row| &row.cells)
        .any(|cell| text(cell).ends_with('?'))
    {
        writeln!(out, "?: last known, the BIG-IP could not be verified since")?;
    }
    writeln!(out, "tmsh list net fdb tunnel {}", report.tunnel)?;
    Ok(())
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
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for cell in report.rows.iter().flat_map(|row| &row.cells) {
        *counts.entry(cell.state).or_default() += 1;
    }
    let records: Vec<String> = counts
        .into_iter()
        .filter(|(state, _)| state.is_record_of_ours())
        .map(|(state, count)| format!("{count} {}", state.as_str()))
        .collect();
    let skipped = report
        .rows
        .iter()
        .filter(|row| row.skipped.is_some())
        .count();
    let mut parts = vec![match skipped {
        0 => format!("{} nodes", report.nodes),
        _ => format!("{} nodes, {skipped} skipped", report.nodes),
    }];
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
