//! VTEP entries as a comparison.

use std::io::Write;

use similar::TextDiff;

use crate::error::Error;
use crate::report::cilium::CiliumReport;

/// Prints how the cluster differs from what it should have, as `diff -u` does. Nothing where it does not.
pub(crate) fn write_diff(report: &CiliumReport, out: &mut dyn Write) -> Result<(), Error> {
    let diff = TextDiff::from_lines(&report.live, &report.wanted);
    let mut unified = diff.unified_diff();
    unified.header("live", "wanted");
    Ok(write!(out, "{unified}")?)
}
