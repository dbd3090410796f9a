//! Another box behind an address, as a person is shown it before the question.

use std::io::Write;

use super::table::{UNKNOWN, plain};
use crate::error::Error;
use crate::report::accept_device::Exchange;
use crate::report::act::records;

fn claimed(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb}", records(count))
}

/// Prints it.
pub(crate) fn write(exchange: &Exchange, out: &mut dyn Write) -> Result<(), Error> {
    let unknown = || UNKNOWN.to_owned();
    let address = exchange.address.clone().unwrap_or_else(unknown);
    let known = exchange.known_identity.clone().unwrap_or_else(unknown);
    let (tunnel, device) = (&exchange.tunnel, &exchange.device);
    let lines = [
        format!("{tunnel}: another box answers as {device} at {address}:"),
        String::new(),
        format!("known   {known}"),
        format!("found   {}", exchange.found_identity),
        String::new(),
        format!(
            "On the known box {} claimed. What is there stays there, if it still runs. On the one",
            claimed(exchange.claimed)
        ),
        "that was found, records that match are taken over and missing ones are added.".to_owned(),
    ];
    for line in lines {
        writeln!(out, "{}", plain(&line))?;
    }
    if let Some(other) = &exchange.replaces_acceptance_of {
        let line =
            format!("{other} has been accepted and not been gone on with; that is withdrawn.");
        writeln!(out, "{}", plain(&line))?;
    }
    Ok(())
}
