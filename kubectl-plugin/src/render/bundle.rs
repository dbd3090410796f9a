//! How a support bundle is told of: a line for everything that is in it or is not, and what to mind.

use std::io::Write;
use std::path::Path;

use super::table::plain;
use crate::error::Error;
use crate::report::bundle::{BundleReport, Missing};
use crate::style::{Style, Tone};

/// Prints that something is in it.
pub(crate) fn write_included(what: &str, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    Ok(writeln!(out, "{} {}", style.sign(Tone::Good), plain(what))?)
}

/// Prints that something is not.
pub(crate) fn write_missing(
    missing: &Missing,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let line = format!("{}: {}; left out", missing.what, missing.why);
    Ok(writeln!(
        out,
        "{} {}",
        style.sign(Tone::Warn),
        plain(&line)
    )?)
}

/// Prints where it is, and what to mind.
pub(crate) fn write(
    report: &BundleReport,
    (path, size_bytes): (&Path, u64),
    out: &mut dyn Write,
) -> Result<(), Error> {
    let size_kib = size_bytes.div_ceil(1024);
    writeln!(out, "Wrote {} ({size_kib} KiB)", path.display())?;
    Ok(writeln!(out, "{}", report.notice)?)
}
