//! Reports to text. Knows no cluster; decides nothing.

pub(crate) mod accept_device;
pub(crate) mod act;
pub(crate) mod approve;
pub(crate) mod fdb;
pub(crate) mod macs;
pub(crate) mod release;
pub(crate) mod status;
mod table;
mod tone;

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::error::Error;
use crate::report::Envelope;
use crate::style::Style;

/// How a report is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) style: Style,
    /// When it is looked at: ages are counted from here.
    pub(crate) now: Timestamp,
    /// Whether more is wanted than fits most terminals.
    pub(crate) wide: bool,
    /// Whether the lines of a table are wanted, and nothing else.
    pub(crate) no_headers: bool,
    /// Whether a line has to say which namespace it is about.
    pub(crate) all_namespaces: bool,
}

/// Prints a report as JSON.
pub(crate) fn json<R: Serialize>(
    kind: &'static str,
    report: &R,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(&Envelope::new(kind, report))
        .map_err(|error| Error::Format(error.to_string()))?;
    Ok(writeln!(out, "{text}")?)
}

/// Prints a report as JSON on one line.
pub(crate) fn json_line<R: Serialize>(
    kind: &'static str,
    report: &R,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let text = serde_json::to_string(&Envelope::new(kind, report))
        .map_err(|error| Error::Format(error.to_string()))?;
    Ok(writeln!(out, "{text}")?)
}

/// Prints a report as YAML.
pub(crate) fn yaml<R: Serialize>(
    kind: &'static str,
    report: &R,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let text = serde_saphyr::to_string(&Envelope::new(kind, report))
        .map_err(|error| Error::Format(error.to_string()))?;
    Ok(write!(out, "{text}")?)
}
