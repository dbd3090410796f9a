//! What is left behind, as a person is shown it before the question.

use std::io::Write;

use super::table::{Table, UNKNOWN, plain};
use crate::error::Error;
use crate::report::act::records;
use crate::report::release::Left;
use crate::style::Style;

/// Records of one BIG-IP that are shown; the others are counted.
const SHOWN: usize = 16;

/// Prints it.
pub(crate) fn write(left: &Left, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let (tunnel, count) = (&left.tunnel, left.count());
    let title = match &left.device {
        Some(device) => format!("{tunnel}: {device} is not cleaned up. Released, it keeps"),
        None => format!("{tunnel} is being deleted. Released, it goes at once and leaves"),
    };
    if count == 0 {
        writeln!(out, "{} no records.", plain(&title))?;
        return Ok(());
    }
    let (at_most, claimed) = (if left.is_known() { "" } else { "up to " }, left.claimed());
    let of = if count == claimed {
        String::new()
    } else {
        format!(", of {claimed} that are claimed")
    };
    writeln!(out, "{} {at_most}{}{of}:\n", plain(&title), records(count))?;
    let mut table = Table::new(["BIG-IP", "ADDRESS", "REASON", "MAC"]);
    for on in &left.devices {
        let address = on.address.as_deref().unwrap_or(UNKNOWN);
        let reason = on.reason.as_deref().unwrap_or_default();
        for mac in on.macs.iter().take(SHOWN) {
            table.row([&on.device, address, reason, mac].map(str::to_owned));
        }
    }
    table.write(style, out)?;
    for on in left.devices.iter().filter(|on| on.macs.len() > SHOWN) {
        let more = format!("(and {} more on {})", on.macs.len() - SHOWN, on.device);
        writeln!(out, "{}", plain(&more))?;
    }
    writeln!(
        out,
        "\nThe operator does not remove them later: nothing claims them then."
    )?;
    Ok(())
}
