//! `explain` as text: a page for one word, a table for all codes.

use std::io::Write;

use super::table::Table;
use crate::error::Error;
use crate::report::explain::{ExplainReport, Explanation};
use crate::style::Style;

/// Width of the column of the names, and of the text where there is no terminal.
const NAMES_WIDTH: usize = 9;
const TEXT_WIDTH: usize = 90;
/// Nothing is left out of an explanation.
const LINES_MAX: usize = usize::MAX;

/// Prints the report.
pub(crate) fn write(
    report: &ExplainReport,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match report.entries.first() {
        Some(entry) if report.is_one => write_one(entry, style, out),
        _ => write_all(report, style, out),
    }
}

fn write_all(report: &ExplainReport, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let mut table = Table::new(["CODE", "MEANING"]);
    for entry in &report.entries {
        table.row([entry.name.clone(), entry.title.clone().unwrap_or_default()]);
    }
    Ok(table.write(style, out)?)
}

fn write_one(entry: &Explanation, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let title = entry.title.as_deref().unwrap_or_default();
    writeln!(out, "{}", format!("{}  {title}", entry.name).trim_end())?;
    let code = entry.code.map(|code| code.name().to_owned());
    let parts = [
        ("Meaning", Some(&entry.meaning)),
        ("Fix", entry.fix.as_ref()),
        ("Source", entry.source.as_ref()),
        ("Code", code.as_ref()),
        ("More", entry.link.as_ref()),
    ];
    let width = style.terminal().map_or(TEXT_WIDTH, |size| {
        size.width.saturating_sub(NAMES_WIDTH).clamp(20, TEXT_WIDTH)
    });
    for (name, text) in parts {
        let Some(text) = text else { continue };
        // An address that is broken cannot be opened.
        let lines = if name == "More" {
            vec![text.clone()]
        } else {
            style.wrap(text, width, LINES_MAX)
        };
        for (number, line) in lines.iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            writeln!(out, "{name:NAMES_WIDTH$}{line}")?;
        }
    }
    Ok(())
}
