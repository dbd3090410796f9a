//! `prune` as text: what would go, and what went.

use std::io::Write;

use super::table::{Table, plain};
use crate::error::Error;
use crate::report::prune::PruneReport;
use crate::style::Style;

/// What everybody should know before they say yes.
const WARNING: &str = "Records of another cluster on the same tunnel look the same. The operator never \
touches these records; what you remove here is gone.";

/// Shows what would be removed.
pub(crate) fn show(report: &PruneReport, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let mut table = Table::new(["BIG-IP", "MAC", "ENDPOINT"]);
    for device in &report.devices {
        for leftover in &device.leftovers {
            let cells = [&device.device, &leftover.mac, &leftover.endpoint];
            table.row(cells.map(String::clone));
        }
    }
    table.write(style, out)?;
    Ok(writeln!(out, "{WARNING}")?)
}

/// Prints what was done, a line per record, and a line per BIG-IP of which nothing was removed.
pub(crate) fn write(report: &PruneReport, out: &mut dyn Write) -> Result<(), Error> {
    for device in &report.devices {
        let (name, dry) = (&device.device, report.dry_run);
        for leftover in &device.leftovers {
            let done = match (leftover.removed, dry) {
                (true, _) => "removed",
                (false, true) => "would be removed (dry run)",
                (false, false) => "not removed",
            };
            let text = format!("{name}: {} {} {done}", leftover.mac, leftover.endpoint);
            writeln!(out, "{}", plain(&text))?;
        }
        if device.leftovers.is_empty() && device.trouble.is_none() {
            let spared = match device.spared {
                0 => String::new(),
                spared => format!(" ({spared} of nodes or other objects)"),
            };
            writeln!(out, "{}", plain(&format!("{name}: no leftovers{spared}")))?;
        }
        if device.saved {
            writeln!(out, "{}", plain(&format!("{name}: configuration saved")))?;
        }
    }
    Ok(())
}
