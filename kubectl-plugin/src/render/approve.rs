//! A removal that waits, as a person is shown it before the question.

use std::io::Write;

use super::View;
use super::table::{Table, UNKNOWN, plain};
use crate::age;
use crate::error::Error;
use crate::report::act::records;
use crate::report::approve::Held;

/// Prints it.
pub(crate) fn write(held: &Held, view: View, out: &mut dyn Write) -> Result<(), Error> {
    let title = format!(
        "{}: the removal of {} is held back for {} (digest {}):",
        held.tunnel,
        records(held.count),
        age::since(held.since.0, view.now),
        held.digest
    );
    writeln!(out, "{}\n", plain(&title))?;
    let mut table = Table::new(["MAC", "ADDRESS", "NODE", "BIG-IPS"]);
    for record in &held.sample {
        let address = record.address.map(|address| address.to_string());
        table.row([
            record.mac.clone(),
            address.unwrap_or_else(|| UNKNOWN.to_owned()),
            record.node.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            record.devices.join(","),
        ]);
    }
    table.write(view.style, out)?;
    let shown = i32::try_from(held.sample.len()).unwrap_or(i32::MAX);
    if held.count > shown {
        writeln!(out, "(and {} more)", held.count - shown)?;
    }
    writeln!(
        out,
        "\nTheir nodes are gone, or no longer selected by the spec. If such a node still runs pods,\nthe \
         BIG-IPs will not reach those."
    )?;
    Ok(())
}
