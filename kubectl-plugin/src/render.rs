//! Reports to text. Knows no cluster; decides nothing.

pub(crate) mod accept_device;
pub(crate) mod act;
pub(crate) mod approve;
pub(crate) mod fdb;
pub(crate) mod macs;
pub(crate) mod release;
pub(crate) mod status;
mod table;

use std::io::Write;

use serde::Serialize;

use crate::error::Error;
use crate::report::Envelope;

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
