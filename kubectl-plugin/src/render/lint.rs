//! `lint` as text: a line per finding, and one per tunnel that is right.

use std::io::Write;

use super::table::plain;
use crate::error::Error;
use crate::report::lint::{FileReport, Finding, Level, LintReport};
use crate::style::{Style, Tone};

/// Prints the report.
pub(crate) fn write(report: &LintReport, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let mut others = 0;
    for file in &report.files {
        others += file.others;
        for tunnel in &file.tunnels {
            let mut findings = file.findings.iter();
            if !findings.any(|finding| finding.tunnel.as_ref() == Some(tunnel)) {
                let text = format!("{}: BigIpTunnel {tunnel}: ok", file.file);
                writeln!(out, "{}", plain(&text))?;
            }
        }
        for finding in &file.findings {
            writeln!(out, "{}", line(file, finding, style))?;
        }
    }
    let tunnels: usize = report.files.iter().map(|file| file.tunnels.len()).sum();
    let others = match others {
        0 => String::new(),
        others => format!(", {others} other objects not looked at"),
    };
    writeln!(
        out,
        "{} errors, {} warnings in {tunnels} tunnels{others}",
        report.errors, report.warnings
    )?;
    Ok(())
}

fn line(file: &FileReport, finding: &Finding, style: Style) -> String {
    let (level, tone) = match finding.level {
        Level::Error => ("error", Tone::Bad),
        Level::Warning => ("warning", Tone::Warn),
    };
    let place = match finding.line {
        Some(line) => format!("{}:{line}", file.file),
        None => file.file.clone(),
    };
    let parts = [Some(finding.path.as_str()), Some(&finding.message)];
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
    let text = plain(&parts.collect::<Vec<_>>().join(": "));
    let code = finding
        .code
        .map(|code| format!("  {code}"))
        .unwrap_or_default();
    format!(
        "{}: {}: {text}{code}",
        plain(&place),
        style.paint(tone, level)
    )
}
