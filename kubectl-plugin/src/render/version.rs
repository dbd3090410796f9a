//! `version` as text, in the words of kubectl.

use std::io::Write;

use super::table::{UNKNOWN, plain};
use crate::error::Error;
use crate::report::version::VersionReport;
use crate::style::{Style, Tone};

/// Prints the report.
pub(crate) fn write(
    report: &VersionReport,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let client = &report.client;
    let commit = client.commit.map(|commit| format!("{commit}, "));
    let commit = commit.unwrap_or_default();
    let (version, platform) = (client.version, &client.platform);
    writeln!(out, "Client Version: v{version} ({commit}{platform})")?;
    for operator in &report.operators {
        let version = operator.version.as_deref().unwrap_or(UNKNOWN);
        let version = version.trim_start_matches('v');
        let text = format!(
            "Operator Version: v{version} ({}/{})",
            operator.namespace, operator.name
        );
        writeln!(out, "{}", plain(&text))?;
        if let (Some(skew), Some(code)) = (&operator.skew, operator.code) {
            let text = format!("{}: {code}", plain(skew));
            writeln!(out, "{}", style.signed(Tone::Warn, &text))?;
        }
    }
    if !report.served.is_empty() {
        writeln!(out, "API Versions: {}", plain(&report.served.join(", ")))?;
    }
    Ok(())
}
