//! `check` as text: a line per check, and below it what to do where it is not as it should be.

use std::io::Write;

use unicode_width::UnicodeWidthStr as _;

use super::table::plain;
use crate::catalogue::Code;
use crate::error::Error;
use crate::report::check::{Category, Check, CheckReport, Counts, Verdict};
use crate::style::{Style, Tone};

/// Where codes stand where there is no terminal.
const WIDTH: usize = 100;
/// Spaces before a hint.
const INDENT: &str = "    ";

/// Prints the report.
pub(crate) fn write(report: &CheckReport, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let mut told = Vec::new();
    for category in &report.categories {
        write_category(category, style, &mut told, out)?;
        writeln!(out)?;
    }
    write_summary(report.summary, style, out)
}

/// Prints a line per finding, its code first, and the summary.
pub(crate) fn write_short(
    report: &CheckReport,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), Error> {
    for category in &report.categories {
        let found = category
            .checks
            .iter()
            .filter_map(|check| Some((check, check.code?)));
        for (check, code) in found {
            let name = plain(&category.category_name);
            let line = format!("{code} {name}: {}", plain(&check.description));
            writeln!(out, "{}", style.signed(tone(check.result), &line))?;
        }
    }
    write_summary(report.summary, style, out)
}

fn write_summary(summary: Counts, style: Style, out: &mut dyn Write) -> Result<(), Error> {
    let Counts {
        passed,
        warnings,
        errors,
        skipped,
    } = summary;
    let tone = match (errors, warnings, skipped) {
        (0, 0, 0) => Tone::Good,
        // Nothing was found, and not everything was looked at.
        (0, 0, _) => Tone::Pending,
        (0, _, _) => Tone::Warn,
        _ => Tone::Bad,
    };
    let result =
        format!("{errors} failed, {warnings} warnings, {passed} passed, {skipped} not made");
    Ok(writeln!(out, "{}", style.signed(tone, &result))?)
}

/// An advice that has been printed, and its code.
type Told<'a> = (Code, &'a str);

fn write_category<'a>(
    category: &'a Category,
    style: Style,
    told: &mut Vec<Told<'a>>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let name = plain(&category.category_name);
    writeln!(out, "{name}\n{}", "-".repeat(name.width()))?;
    for check in &category.checks {
        write_check(check, style, told, out)?;
    }
    Ok(())
}

const fn tone(result: Verdict) -> Tone {
    match result {
        Verdict::Success => Tone::Good,
        Verdict::Skipped => Tone::Pending,
        Verdict::Warning => Tone::Warn,
        Verdict::Error => Tone::Bad,
    }
}

fn write_check<'a>(
    check: &'a Check,
    style: Style,
    told: &mut Vec<Told<'a>>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let tone = tone(check.result);
    // What goes into a file or a pipe is not broken: lines are searched there.
    let terminal = style.terminal().map(|size| size.width);
    let sign = style.sign(tone);
    let code = check.code.map_or("", Code::name);
    let column = terminal.map_or(WIDTH, |width| width.min(WIDTH));
    let column = column.saturating_sub(code.width());
    let room = terminal.map_or(usize::MAX, |_| column.saturating_sub(sign.width() + 2));
    let lines = style.wrap(&plain(&check.description), room, usize::MAX);
    for (number, line) in lines.iter().enumerate() {
        let (sign, code) = if number == 0 { (sign, code) } else { ("", "") };
        let line = format!("{sign:width$} {line}", width = style.sign(tone).width());
        let gap = " ".repeat(column.saturating_sub(line.width()).max(1));
        let line = format!("{}{gap}{code}", style.paint(tone, &line));
        writeln!(out, "{}", line.trim_end())?;
    }
    // One advice stands once for all that need it.
    let advice = check.code.zip(check.hint.as_deref());
    if let Some(advice) = advice {
        if told.contains(&advice) {
            return Ok(());
        }
        told.push(advice);
    }
    let room = terminal.map_or(usize::MAX, |width| width.saturating_sub(INDENT.len()));
    if let Some(hint) = &check.hint {
        for line in style.wrap(&plain(hint), room, usize::MAX) {
            writeln!(out, "{INDENT}{line}")?;
        }
    }
    if check.result > Verdict::Skipped
        && let Some(link) = &check.link
    {
        writeln!(out, "{INDENT}see {link}")?;
    }
    Ok(())
}
