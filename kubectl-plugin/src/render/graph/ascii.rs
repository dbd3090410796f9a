//! The graph on a terminal: BIG-IPs to the left, nodes to the right, the tunnel between them.

use std::io::Write;

use bigip_tunnel_core::reason::Reason;
use unicode_width::UnicodeWidthStr as _;

use super::{device_words, link_words, more_words, node_words, record_word};
use crate::error::Error;
use crate::render::table::plain;
use crate::render::{View, tone};
use crate::report::fdb::Row;
use crate::report::graph::{GraphDevice, GraphReport};
use crate::style::{Style, Tone};

/// Length of the line from an end to the tunnel.
const BRANCH: usize = 2;
/// Length of the line between both sides.
const TRUNK: usize = 3;

/// One of those that the tunnel connects.
struct End {
    words: Vec<String>,
    /// What is the matter with it; empty if nothing is.
    note: String,
    tone: Tone,
}

impl End {
    fn alone(tone: Tone, text: String) -> Self {
        Self {
            words: vec![text],
            note: String::new(),
            tone,
        }
    }
}

/// Prints the graph.
pub(crate) fn write(report: &GraphReport, view: View, out: &mut dyn Write) -> Result<(), Error> {
    let style = view.style;
    let title = format!("{}/{}", report.namespace, report.name);
    let title = [title, report.tunnel.clone(), link_words(report)].join("   ");
    writeln!(out, "{}\n", plain(title.trim_end()))?;

    let left = Side::new(report.devices.iter().map(device).collect());
    let right = Side::new(nodes(report));
    let height = left.ends.len().max(right.ends.len());
    let middle = height.saturating_sub(1) / 2;
    let (left_top, right_top) = (left.top(height), right.top(height));
    let drawn = left.width + right.width + 2 * BRANCH + TRUNK + 6;
    let fits = right.notes_fit(drawn, style);
    for row in 0..height {
        let (device, device_text) = left.at(row, left_top);
        let (node, node_text) = right.at(row, right_top);
        let (from, to, trunk) = (device.is_some(), node.is_some(), row == middle);
        let (above, below) = left.bar(row, left_top, middle);
        let first = glyph([above, below, from, trunk], style);
        let (above, below) = right.bar(row, right_top, middle);
        let last = glyph([above, below, trunk, to], style);
        let line = |there, length| glyph([false, false, there, there], style).repeat(length);
        let device_text = style.paint(device.map_or(Tone::Plain, |end| end.tone), device_text);
        let matter = node.map_or_else(String::new, |end| matter(end, fits, style));
        let drawn = format!(
            "{device_text} {}{first}{}{last}{} {node_text}  {matter}",
            line(from, BRANCH),
            line(trunk, TRUNK),
            line(to, BRANCH),
        );
        writeln!(out, "{}", drawn.trim_end())?;
    }
    if !fits {
        writeln!(out)?;
        for end in right.ends.iter().filter(|end| !end.note.is_empty()) {
            let name = end.words.first().map_or("", String::as_str);
            let note = style.signed(end.tone, &end.note);
            writeln!(out, "{name}: {note}")?;
        }
    }
    Ok(())
}

/// What is the matter with a node; only the sign, if there is no room for words.
fn matter(end: &End, fits: bool, style: Style) -> String {
    if end.note.is_empty() {
        String::new()
    } else if fits {
        style.signed(end.tone, &end.note)
    } else {
        style.paint(end.tone, style.sign(end.tone))
    }
}

fn device(device: &GraphDevice) -> End {
    let tone = tone::of_device(&device.state);
    let mut words = device_words(device).to_vec();
    if !matches!(
        Reason::parse(&device.state),
        Some(Reason::InSync | Reason::Observed)
    ) {
        words.push(plain(&device.state));
    }
    End {
        words,
        note: String::new(),
        tone,
    }
}

fn nodes(report: &GraphReport) -> Vec<End> {
    let mut ends: Vec<End> = report.nodes.iter().map(node).collect();
    let [in_sync, problems] = more_words(report);
    ends.extend(problems.map(|text| End::alone(Tone::Bad, text)));
    ends.extend(in_sync.map(|text| End::alone(Tone::Good, text)));
    if ends.is_empty() {
        ends.push(End::alone(Tone::Plain, "no nodes".to_owned()));
    }
    ends
}

/// A node is told by its name and address, and by every BIG-IP that does not just hold its record.
fn node(row: &Row) -> End {
    let mut tone = Tone::Good;
    let mut places: Vec<(String, Vec<&str>)> = Vec::new();
    for cell in &row.cells {
        let word = record_word(cell.state, cell.verified);
        if word.is_empty() {
            continue;
        }
        if !matches!(tone, Tone::Bad) {
            tone = tone::of_record(cell.state, cell.verified);
        }
        match places.iter_mut().find(|(said, _)| *said == word) {
            Some((_, devices)) => devices.push(&cell.device),
            None => places.push((word, vec![&cell.device])),
        }
    }
    let notes = places
        .into_iter()
        .map(|(word, devices)| format!("{word} on {}", devices.join(", ")));
    let note = match &row.skipped {
        Some(skipped) => format!("{}: {}", skipped.reason, skipped.message),
        None => notes.collect::<Vec<_>>().join(", "),
    };
    End {
        words: node_words(row).to_vec(),
        note: plain(&note),
        tone,
    }
}

/// The ends on one side, below each other.
struct Side {
    ends: Vec<End>,
    /// Their words, in columns where there are several.
    texts: Vec<String>,
    width: usize,
    blank: String,
}

impl Side {
    fn new(ends: Vec<End>) -> Self {
        let mut widths: Vec<usize> = Vec::new();
        // What has one word is a sentence and belongs to no column.
        for end in ends.iter().filter(|end| end.words.len() > 1) {
            widths.resize(widths.len().max(end.words.len()), 0);
            for (width, word) in widths.iter_mut().zip(&end.words) {
                *width = word.width().max(*width);
            }
        }
        let width = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let text = |end: &End| match end.words.as_slice() {
            [sentence] => sentence.clone(),
            words => {
                let columns = words.iter().zip(&widths);
                let columns = columns.map(|(word, width)| pad(word, *width));
                pad(&columns.collect::<Vec<_>>().join("  "), width)
            }
        };
        Self {
            texts: ends.iter().map(text).collect(),
            ends,
            width,
            blank: " ".repeat(width),
        }
    }

    /// Whether there is room for the notes behind what is drawn.
    fn notes_fit(&self, drawn: usize, style: Style) -> bool {
        let Some(terminal) = style.terminal() else {
            return true;
        };
        let mut noted = self.ends.iter().filter(|end| !end.note.is_empty());
        noted.all(|end| {
            let note = style.sign(end.tone).width() + 1 + end.note.width();
            drawn + note <= terminal.width
        })
    }

    /// The row of the first one, so that all stand in the middle.
    fn top(&self, height: usize) -> usize {
        height.saturating_sub(self.ends.len()) / 2
    }

    /// What stands in a row.
    fn at(&self, row: usize, top: usize) -> (Option<&End>, &str) {
        let index = row.checked_sub(top);
        let end = index.and_then(|index| self.ends.get(index));
        let text = index.and_then(|index| self.texts.get(index));
        (end, text.unwrap_or(&self.blank))
    }

    /// Whether the line that joins the ends goes on above and below this row.
    fn bar(&self, row: usize, top: usize, middle: usize) -> (bool, bool) {
        let last = top + self.ends.len().saturating_sub(1);
        let (begin, end) = (top.min(middle), last.max(middle));
        let above = row > begin && row <= end;
        (above, row >= begin && row < end)
    }
}

fn pad(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(spaces))
}

/// The sign where lines meet that go up, down, left and right.
fn glyph(goes: [bool; 4], style: Style) -> &'static str {
    let sign = match goes {
        [false, false, false, false] => " ",
        [false, false, ..] => "═",
        [_, _, false, false] => "║",
        [false, true, false, true] => "╔",
        [false, true, true, false] => "╗",
        [false, true, true, true] => "╦",
        [true, false, false, true] => "╚",
        [true, false, true, false] => "╝",
        [true, false, true, true] => "╩",
        [true, true, false, true] => "╠",
        [true, true, true, false] => "╣",
        [true, true, true, true] => "╬",
    };
    match sign {
        sign if !style.is_ascii() => sign,
        " " => " ",
        "═" => "=",
        "║" => "|",
        _ => "+",
    }
}
