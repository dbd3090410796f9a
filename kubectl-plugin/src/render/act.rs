//! What was done, in kubectl's way: a line per tunnel.

use std::io::Write;

use super::table::plain;
use crate::error::Error;
use crate::report::act::{Acted, ActionReport, Decision};
use crate::report::release::Left;

/// Prints a line per tunnel, and what to do next where that is known.
pub(crate) fn write(report: &ActionReport, out: &mut dyn Write) -> Result<(), Error> {
    for acted in &report.tunnels {
        writeln!(out, "{}", plain(&line(acted)))?;
        if let Some(next) = &acted.next {
            writeln!(out, "Next: {}", plain(next))?;
        }
    }
    Ok(())
}

/// Prints the names of the resources.
pub(crate) fn write_names(report: &ActionReport, out: &mut dyn Write) -> Result<(), Error> {
    for acted in &report.tunnels {
        writeln!(out, "{}", resource(acted))?;
    }
    Ok(())
}

fn resource(acted: &Acted) -> String {
    format!("bigiptunnel.bigip-tunnel.dev/{}", acted.name)
}

fn line(acted: &Acted) -> String {
    let already = if acted.changed { "" } else { "already " };
    let dry_run = match acted.dry_run {
        None => "",
        Some("server") => " (server dry run)",
        Some(_) => " (dry run)",
    };
    let ready = acted.ready.as_ref().map_or(String::new(), |ready| {
        let not = if ready.holds() { "" } else { "not ready, " };
        format!(": {not}{}: {}", ready.reason, ready.message)
    });
    let done = match &acted.decision {
        Some(Decision::Device(exchange)) => format!("{} {already}accepted", exchange.device),
        Some(Decision::Left(Left {
            device: Some(device),
            ..
        })) => format!("{device} {already}released"),
        _ => format!("{already}{}", acted.action),
    };
    format!("{} {done}{ready}{dry_run}", resource(acted))
}
