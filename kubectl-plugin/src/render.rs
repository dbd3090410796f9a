//! Reports to text. Knows no cluster; decides nothing.

pub(crate) mod accept_device;
pub(crate) mod act;
pub(crate) mod approve;
pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod cilium;
pub(crate) mod diff;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fdb;
pub(crate) mod graph;
pub(crate) mod lint;
pub(crate) mod macs;
pub(crate) mod migrate;
pub(crate) mod prune;
pub(crate) mod release;
pub(crate) mod status;
mod table;
mod tone;
pub(crate) mod tree;
pub(crate) mod verify;
pub(crate) mod version;

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

impl View {
    /// The usual look at something in one namespace.
    pub(crate) const fn new(style: Style, now: Timestamp) -> Self {
        Self {
            style,
            now,
            wide: false,
            no_headers: false,
            all_namespaces: false,
        }
    }
}

/// Prints one of several looks at something as JSON, on a line of its own, if `is_watched`; else the
/// only one.
pub(crate) fn json_looks<R: Serialize>(
    kind: &'static str,
    report: &R,
    is_watched: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if is_watched {
        json_line(kind, report, out)
    } else {
        json(kind, report, out)
    }
}

/// The same as YAML, as a document of its own.
pub(crate) fn yaml_looks<R: Serialize>(
    kind: &'static str,
    report: &R,
    is_watched: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if is_watched {
        writeln!(out, "---")?;
    }
    yaml(kind, report, out)
}

/// Prints a report as JSON.
pub(crate) fn json<R: Serialize>(
    kind: &'static str,
    report: &R,
    out: &mut dyn Write,
) -> Result<(), Error> {
    write_json(
        serde_json::to_string_pretty(&Envelope::new(kind, report)),
        out,
    )
}

/// Prints a report as JSON on one line.
pub(crate) fn json_line<R: Serialize>(
    kind: &'static str,
    report: &R,
    out: &mut dyn Write,
) -> Result<(), Error> {
    write_json(serde_json::to_string(&Envelope::new(kind, report)), out)
}

fn write_json(text: serde_json::Result<String>, out: &mut dyn Write) -> Result<(), Error> {
    let text = text.map_err(|error| Error::Format(error.to_string()))?;
    Ok(writeln!(out, "{text}")?)
}

/// Any value as YAML.
pub(crate) fn to_yaml(value: &impl Serialize) -> Result<String, Error> {
    serde_saphyr::to_string(value).map_err(|error| Error::Format(error.to_string()))
}

/// Prints a report as YAML.
pub(crate) fn yaml<R: Serialize>(
    kind: &'static str,
    report: &R,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let text = to_yaml(&Envelope::new(kind, report))?;
    Ok(write!(out, "{text}")?)
}
