//! `diff` as text: a list per BIG-IP, a unified diff, or what a person would type on the BIG-IPs.

use std::fmt::Write as _;
use std::io::Write;

use bigip_tunnel_core::record::Records;
use similar::TextDiff;

use super::table::plain;
use crate::error::Error;
use crate::report::diff::{Action, Change, DeviceDiff, DiffReport, Source};
use crate::style::{Style, Tone};

/// Records that are not ours and are shown.
const KEPT_MAX: usize = 16;

/// Prints a list per BIG-IP.
pub(crate) fn write(report: &DiffReport, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    for device in &report.devices {
        let head = format!("{}  {}: ", device.device, report.tunnel);
        if let Some(trouble) = &device.trouble {
            let text = format!("{head}{}: {}", trouble.reason, trouble.message);
            writeln!(out, "{}", style.paint(Tone::Bad, &plain(&text)))?;
            continue;
        }
        writeln!(out, "{}", plain(&format!("{head}{}", summary(device))))?;
        let mut kept = 0;
        for change in &device.changes {
            kept += usize::from(change.action == Action::Keep);
            if kept <= KEPT_MAX || change.action != Action::Keep {
                writeln!(out, "{}", line(change, style))?;
            }
        }
        if kept > KEPT_MAX {
            writeln!(out, "  = and {} more that are not ours", kept - KEPT_MAX)?;
        }
        if !device.is_complete {
            writeln!(out, "  ? {}", incomplete(report.source))?;
        }
    }
    Ok(())
}

/// What a list says that may lack something.
const fn incomplete(source: Source) -> &'static str {
    match source {
        Source::Status => "the status may not name all differences; --direct asks the BIG-IP",
        Source::Live => "not everything was read",
    }
}

fn summary(device: &DeviceDiff) -> String {
    let words = [
        (Action::Add, "to add"),
        (Action::Correct, "to correct"),
        (Action::Remove, "to remove"),
        (Action::Conflict, "in conflict"),
        (Action::Keep, "kept"),
    ];
    let counts: Vec<String> = words
        .iter()
        .map(|(action, words)| (device.count(*action), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let right = format!("{} right", device.right);
    if device.differs() && counts.is_empty() {
        format!("not all is known ({right})")
    } else if device.differs() {
        format!("{} ({right})", counts.join(", "))
    } else {
        let kept = match device.count(Action::Keep) {
            0 => String::new(),
            kept => format!(", {kept} kept"),
        };
        format!("no differences ({right}{kept})")
    }
}

fn line(change: &Change, style: Style) -> String {
    let (sign, tone) = match change.action {
        Action::Add => ("+", Tone::Good),
        Action::Correct => ("~", Tone::Warn),
        Action::Remove => ("-", Tone::Bad),
        Action::Conflict => ("!", Tone::Bad),
        Action::Keep => ("=", Tone::Plain),
    };
    let why = match (change.action, &change.node) {
        (Action::Keep, _) => "not ours".to_owned(),
        (Action::Conflict, Some(node)) if change.endpoint.is_none() => {
            format!("cannot be read, in the way of {node}")
        }
        (Action::Conflict, Some(node)) => format!("not ours, in the way of {node}"),
        (Action::Remove, _) => "its node is gone, or not selected".to_owned(),
        (_, node) => node.clone().unwrap_or_default(),
    };
    let was = change.was.as_ref().map(|was| format!(" (is {was})"));
    let text = format!(
        "  {sign} {}  {}{}  {why}",
        change.mac,
        endpoint(change),
        was.unwrap_or_default()
    );
    style.paint(tone, plain(&text).trim_end())
}

/// The endpoint of a record, where it can be read.
fn endpoint(change: &Change) -> String {
    change
        .endpoint
        .map_or_else(|| "?".to_owned(), |endpoint| endpoint.to_string())
}

/// Prints a unified diff per BIG-IP; nothing where nothing differs.
pub(crate) fn write_unified(report: &DiffReport, out: &mut dyn Write) -> Result<(), Error> {
    for device in &report.devices {
        let (before, after) = (text(&device.held), text(&device.wanted()));
        let (old, new) = names(report, device);
        let diff = TextDiff::from_lines(&before, &after);
        let mut diff = diff.unified_diff();
        write!(out, "{}", diff.context_radius(1).header(&old, &new))?;
    }
    Ok(())
}

/// What both sides are called.
fn names(report: &DiffReport, device: &DeviceDiff) -> (String, String) {
    let source = match report.source {
        Source::Status => "status",
        Source::Live => "live",
    };
    let name = format!("{}{}", device.device, report.tunnel);
    (format!("{name} ({source})"), format!("{name} (wanted)"))
}

/// Records as lines: what each side of a unified diff is.
pub(crate) fn text(records: &Records) -> String {
    records
        .iter()
        .fold(String::new(), |mut text, (mac, endpoint)| {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{mac} {endpoint}");
            text
        })
}

/// Prints what a person would type on the BIG-IPs. The form is that of F5's reference of `net fdb
/// tunnel`; it was not tried on a BIG-IP.
pub(crate) fn write_tmsh(report: &DiffReport, out: &mut dyn Write) -> Result<(), Error> {
    let mut is_first = true;
    for device in &report.devices {
        let of = |action| device.changes.iter().filter(move |c| c.action == action);
        let with_endpoints = |action| {
            of(action).fold(String::new(), |mut text, change| {
                let _ = write!(text, "{} {{ endpoint {} }} ", change.mac, endpoint(change));
                text
            })
        };
        let removed = of(Action::Remove).fold(String::new(), |mut text, change| {
            let _ = write!(text, "{} ", change.mac);
            text
        });
        let commands = [
            ("add", with_endpoints(Action::Add)),
            ("modify", with_endpoints(Action::Correct)),
            ("delete", removed),
        ];
        let mut commands = commands
            .iter()
            .filter(|(_, records)| !records.is_empty())
            .peekable();
        if commands.peek().is_none() && device.trouble.is_none() && device.is_complete {
            continue;
        }
        if !is_first {
            writeln!(out)?;
        }
        is_first = false;
        writeln!(out, "# {}", device.device)?;
        if let Some(trouble) = &device.trouble {
            writeln!(out, "# {}", plain(&trouble.message))?;
            continue;
        }
        if !device.is_complete {
            writeln!(out, "# {}", incomplete(report.source))?;
        }
        for conflict in of(Action::Conflict) {
            let (mac, endpoint) = (conflict.mac, endpoint(conflict));
            writeln!(out, "# {mac} {endpoint} is not ours and in the way")?;
        }
        let changes = commands.peek().is_some();
        for (verb, records) in commands {
            let tunnel = &report.tunnel;
            writeln!(
                out,
                "modify net fdb tunnel {tunnel} records {verb} {{ {records}}}"
            )?;
        }
        if report.saves && changes {
            writeln!(out, "save sys config")?;
        }
    }
    Ok(())
}
