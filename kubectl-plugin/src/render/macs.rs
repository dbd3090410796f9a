//! `macs` as text: a table, or what a BIG-IP would show.

use std::io::Write;

use super::table::{Table, plain};
use crate::error::Error;
use crate::report::macs::{MacsReport, Record};

/// Prints the report as a table.
pub(crate) fn write(report: &MacsReport, out: &mut dyn Write) -> Result<(), Error> {
    let named = report.records.iter().any(|record| record.node.is_some());
    let mut headers = vec!["ADDRESS", "MAC", "ENDPOINT"];
    if named {
        headers.insert(0, "NODE");
    }
    let mut table = Table::new(headers);
    for Record {
        node,
        address,
        mac,
        endpoint,
    } in &report.records
    {
        let cells = [
            node.clone(),
            Some(address.to_string()),
            Some(mac.clone()),
            Some(endpoint.clone()),
        ];
        table.row(cells.into_iter().flatten());
    }
    if !report.records.is_empty() {
        for line in table.lines() {
            writeln!(out, "{line}")?;
        }
    }
    for skipped in &report.skipped {
        let why = &skipped.why;
        writeln!(
            out,
            "{}",
            plain(&format!(
                "{}: {}: {}",
                skipped.name, why.reason, why.message
            ))
        )?;
    }
    Ok(())
}

/// Prints the records as they stand in the output of `tmsh list net fdb tunnel`. What has no record
/// stands behind a `#`.
pub(crate) fn write_tmsh(report: &MacsReport, out: &mut dyn Write) -> Result<(), Error> {
    writeln!(out, "records {{")?;
    for record in &report.records {
        writeln!(out, "    {} {{", record.mac)?;
        writeln!(out, "        endpoint {}", record.endpoint)?;
        writeln!(out, "    }}")?;
    }
    writeln!(out, "}}")?;
    for skipped in &report.skipped {
        writeln!(
            out,
            "# {}: {}",
            plain(&skipped.name),
            plain(&skipped.why.message)
        )?;
    }
    Ok(())
}
