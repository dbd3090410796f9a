//! A removal that waits, as it is shown before the question: all of its records.

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
        "{}: the removal of {} has been pending approval for {} (digest {}):",
        held.tunnel,
        records(held.count),
        age::since(held.since.0, view.now),
        held.digest
    );
    writeln!(out, "{}", plain(&title))?;
    for (cause, group) in held.groups() {
        writeln!(out, "\n{}: {}", cause.title(), records(group.len()))?;
        let mut table = Table::new(["MAC", "ADDRESS", "NODE", "NODE EXISTS", "BIG-IPS"]);
        for record in group {
            let address = record.address.map(|address| address.to_string());
            let nodes = match record.nodes.as_slice() {
                [] => UNKNOWN.to_owned(),
                nodes => nodes.join(","),
            };
            table.row([
                record.mac.clone(),
                address.unwrap_or_else(|| UNKNOWN.to_owned()),
                nodes,
                if record.node_exists { "yes" } else { "no" }.to_owned(),
                record.devices.join(","),
            ]);
        }
        table.write(view.style, out)?;
    }
    writeln!(
        out,
        "\nThe BIG-IPs do not reach pods at these addresses any more once the records are removed."
    )?;
    Ok(())
}
