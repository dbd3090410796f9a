//! `verify` as text: a table of the paths, the likely causes below it, and a summary. As `JUnit` for pipelines.

mod junit;

use std::io::Write;

pub(crate) use self::junit::write_junit;
use super::table::{Cell, NONE, Table, plain};
use crate::error::Error;
use crate::report::verify::cause::Cause;
use crate::report::verify::{Counts, DevicePaths, Kind, Path, TunnelPaths, VerifyReport};
use crate::style::{Style, Tone};

/// Spaces before a hint.
const INDENT: &str = "    ";

/// Prints the paths of every tunnel. `wide`: with addresses, times and MAC addresses.
pub(crate) fn write(
    report: &VerifyReport,
    wide: bool,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), Error> {
    for tunnel in &report.tunnels {
        write_tunnel(tunnel, wide, style, out)?;
    }
    write_causes(report, style, out)?;
    write_summary(report.summary, style, out)
}

fn write_tunnel(
    tunnel: &TunnelPaths,
    wide: bool,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let TunnelPaths {
        namespace,
        name,
        tunnel: path,
        nodes,
        devices,
    } = tunnel;
    let asked = devices.iter().map(|device| device.paths.len()).max();
    let asked = asked.unwrap_or_default();
    let head = format!("{namespace}/{name}  {path}: {asked} of {nodes} nodes");
    writeln!(out, "{}", plain(&head))?;
    let mut headers = vec!["BIG-IP", "NODE", "OUTCOME"];
    if wide {
        headers.extend(["SOURCE", "ADDRESS", "TIME", "ARP"]);
    }
    headers.extend(["CAUSE", "MESSAGE"]);
    let mut table = Table::new(headers);
    for device in devices {
        for path in &device.paths {
            table.row(cells(device, path, wide));
        }
    }
    table.write(style, out)?;
    Ok(writeln!(out)?)
}

fn cells(device: &DevicePaths, path: &Path, wide: bool) -> Vec<Cell> {
    let word = |text: Option<String>| Cell::from(text.unwrap_or_else(|| NONE.to_owned()));
    let mut cells = vec![
        Cell::from(device.device.clone()),
        Cell::from(path.node.clone()),
        Cell::new(tone(path.kind()), path.outcome),
    ];
    if wide {
        let time = path.round_trip_us;
        let time = time.map(|us| format!("{}.{:03} ms", us / 1_000, us % 1_000));
        cells.extend([
            word(device.source.map(|address| address.to_string())),
            word(path.address.map(|address| address.to_string())),
            word(time),
            word(path.arp_mac.clone()),
        ]);
    }
    let code = path.cause.as_ref().map(|cause| cause.code.to_string());
    cells.extend([word(code), Cell::from(path.message.clone())]);
    cells
}

const fn tone(kind: Kind) -> Tone {
    match kind {
        Kind::Proven => Tone::Good,
        Kind::Reached => Tone::Warn,
        Kind::NotReached => Tone::Bad,
        Kind::NotAsked | Kind::OutOfTime => Tone::Pending,
    }
}

/// Each likely cause once, with what to do about it.
fn write_causes(report: &VerifyReport, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let devices = report.tunnels.iter().flat_map(|tunnel| &tunnel.devices);
    let paths = devices.flat_map(|device| &device.paths);
    let mut told: Vec<&Cause> = Vec::new();
    for cause in paths.filter_map(|path| path.cause.as_ref()) {
        if told.contains(&cause) {
            continue;
        }
        told.push(cause);
        let line = plain(&format!("{} {}", cause.code, cause.text));
        writeln!(out, "{}", style.signed(Tone::Warn, &line))?;
        let terminal = style.terminal().map(|size| size.width);
        let room = terminal.map_or(usize::MAX, |width| width.saturating_sub(INDENT.len()));
        for line in style.wrap(&plain(&cause.hint), room, usize::MAX) {
            writeln!(out, "{INDENT}{line}")?;
        }
        writeln!(out, "{INDENT}see {}", cause.link)?;
    }
    if !told.is_empty() {
        writeln!(out)?;
    }
    Ok(())
}

fn write_summary(summary: Counts, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let Counts {
        proven,
        reached,
        not_reached,
        not_asked,
    } = summary;
    let tone = match (not_reached, not_asked, reached) {
        (0, 0, 0) if proven > 0 => Tone::Good,
        (0, 0, 1..) => Tone::Warn,
        (0, ..) => Tone::Pending,
        _ => Tone::Bad,
    };
    let result = format!(
        "{proven} proven, {reached} reached by a known path, {not_reached} not reached, {not_asked} not asked"
    );
    Ok(writeln!(out, "{}", style.signed(tone, &result))?)
}

#[cfg(test)]
mod tests;
