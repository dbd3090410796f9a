//! `migrate cis` as manifests: each object behind comments that say what to do.

use std::io::Write;

use bigip_tunnel_core::text::printable;

use super::to_yaml;
use crate::error::Error;
use crate::report::migrate::{From, Item, MigrateReport, Migration};
use crate::style::Style;

/// Letters in a line of text.
const WIDTH: usize = 96;

/// Prints the report.
pub(crate) fn write(
    report: &MigrateReport,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), Error> {
    for (number, migration) in report.tunnels.iter().enumerate() {
        if number > 0 {
            writeln!(out, "---")?;
        }
        write_one(migration, &mut Comments { style, out })?;
        out.write_all(to_yaml(&migration.object)?.as_bytes())?;
    }
    Ok(())
}

fn write_one(migration: &Migration, out: &mut Comments<'_>) -> Result<(), Error> {
    for from in &migration.from {
        out.text("", "", &format!("From {}", named(from)))?;
        out.text("  ", "  ", &from.arguments.join(" "))?;
    }
    out.items("First:", &migration.to_do)?;
    out.text("", "", "")?;
    out.text("", "", "Not as with CIS:")?;
    for difference in &migration.differences {
        out.text("  - ", "    ", difference)?;
    }
    out.items("Then, in this order:", &migration.steps)?;
    out.items("The way back:", &migration.back)?;
    if !migration.not_carried_over.is_empty() {
        out.text("", "", "")?;
        let names = migration.not_carried_over.join(", ");
        let text = format!("Not carried over, since not about the tunnel: {names}");
        out.text("", "  ", &text)?;
    }
    Ok(())
}

fn named(from: &From) -> String {
    let image = from.source.image.as_ref();
    let image = image.map(|image| format!(" ({image})"));
    format!("{}{}", from.source, image.unwrap_or_default())
}

/// Lines that are no part of an object.
struct Comments<'a> {
    style: Style,
    out: &'a mut dyn Write,
}

impl Comments<'_> {
    /// A heading, and numbered lines with what to type.
    fn items(&mut self, heading: &str, items: &[Item]) -> Result<(), Error> {
        self.line("")?;
        self.line(heading)?;
        for (number, item) in items.iter().enumerate() {
            let number = number.saturating_add(1);
            self.text(&format!("{number:3}. "), "     ", &item.text)?;
            for command in &item.commands {
                self.line(&format!("       {command}"))?;
            }
        }
        Ok(())
    }

    /// A text in lines that are not too long.
    fn text(&mut self, first: &str, next: &str, text: &str) -> Result<(), Error> {
        let width = WIDTH.saturating_sub(next.len());
        let mut before = first;
        for line in self.style.wrap(text, width, usize::MAX) {
            self.line(&format!("{before}{line}"))?;
            before = next;
        }
        Ok(())
    }

    /// One line, whatever is in it: what stands in a manifest must not end the comment.
    fn line(&mut self, line: &str) -> Result<(), Error> {
        let line = format!("# {}", printable(line));
        Ok(writeln!(self.out, "{}", line.trim_end())?)
    }
}
