//! `tree` as text: a line per branch, in columns.

use std::io::Write;

use super::table::{Cell, NONE, Table};
use super::{View, tone};
use crate::age;
use crate::error::Error;
use crate::report::fdb::State;
use crate::report::status::Fact;
use crate::report::tree::{Branch, TreeReport};
use crate::style::Tone;

/// Names of those that are alike that are shown.
const NAMES_MAX: usize = 3;

/// The lines of a tree.
struct Lines {
    /// Before a child that others follow, and before what is below it.
    middle: (&'static str, &'static str),
    /// Before the last child, and before what is below it.
    last: (&'static str, &'static str),
}

const LINES: Lines = Lines {
    middle: ("├─", "│ "),
    last: ("└─", "  "),
};
const ASCII_LINES: Lines = Lines {
    middle: ("|-", "| "),
    last: ("`-", "  "),
};

/// Prints the report.
pub(crate) fn write(report: &TreeReport, view: View, out: &mut dyn Write) -> Result<(), Error> {
    let mut table = Table::new(["NAME", "READY", "REASON", "SINCE", "MESSAGE"]);
    add(&report.root, "", "", view, &mut table);
    Ok(table.write(view.style, out)?)
}

/// Adds a branch and what is below it. `before` stands before its name, `below` before its children.
/// No branch is more than three levels deep.
fn add(branch: &Branch, before: &str, below: &str, view: View, table: &mut Table) {
    let tone = tone_of(branch);
    let since = branch.since.as_ref();
    table.row([
        Cell::from(format!("{before}{}", name(branch))),
        Cell::new(tone, branch.ready.as_deref().unwrap_or(NONE)),
        Cell::new(tone, &reason(branch)),
        Cell::from(since.map_or_else(String::new, |since| age::since(since.0, view.now))),
        Cell::from(message(branch)),
    ]);
    let lines = if view.style.is_ascii() {
        ASCII_LINES
    } else {
        LINES
    };
    let count = branch.children.len();
    for (number, child) in branch.children.iter().enumerate() {
        let (here, deeper) = if number + 1 == count {
            lines.last
        } else {
            lines.middle
        };
        let before = format!("{below}{here}");
        add(child, &before, &format!("{below}{deeper}"), view, table);
    }
}

/// Why it is so. What was only known last is marked.
fn reason(branch: &Branch) -> String {
    let reason = branch.reason.as_deref().unwrap_or(NONE);
    match branch.record {
        Some((state, false)) if state != State::Unknown => format!("{reason}?"),
        _ => reason.to_owned(),
    }
}

fn name(branch: &Branch) -> String {
    match branch.names.as_slice() {
        [name] => format!("{}/{name}", branch.kind),
        names => format!("{} {}s", names.len(), branch.kind.to_lowercase()),
    }
}

/// Of several that are alike, the names of the first belong to it.
fn message(branch: &Branch) -> String {
    let names = branch.names.as_slice();
    if names.len() <= 1 {
        return branch.message.clone();
    }
    let first: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
    let more = match names.len().saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = format!("{}{more}", first.join(", "));
    if branch.message.is_empty() {
        names
    } else {
        format!("{names}: {}", branch.message)
    }
}

fn tone_of(branch: &Branch) -> Tone {
    let reason = branch.reason.clone().unwrap_or_default();
    match (branch.record, &branch.ready) {
        (Some((state, verified)), _) => tone::of_record(state, verified),
        (None, _) if branch.kind == "BigIp" => tone::of_device(&reason),
        (None, Some(ready)) => tone::of_fact(&Fact {
            status: ready.clone(),
            reason,
            message: String::new(),
            since: None,
        }),
        (None, None) => Tone::Plain,
    }
}
