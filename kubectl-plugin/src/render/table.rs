//! Tables as kubectl prints them: no borders, headers in upper case, three spaces between columns.
//!
//! On a terminal the last column gives way where a line would be too wide.

use std::io::{self, Write};

pub(crate) use bigip_tunnel_core::text::printable as plain;
use comfy_table::Table as Layout;
use comfy_table::presets::NOTHING;
use unicode_width::UnicodeWidthStr as _;

use crate::style::{Style, Tone};

/// Shown where there is nothing to show.
pub(crate) const NONE: &str = "<none>";
/// Shown where a value is not known.
pub(crate) const UNKNOWN: &str = "<unknown>";

/// Spaces between columns.
const GAP: u16 = 3;
/// A last column is not cut below this width: less of it says nothing.
const LAST_WIDTH_MIN: usize = 8;

/// Rows of equal length below a header.
pub(crate) struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<Cell>>,
    has_headers: bool,
}

/// A text and what its colour says.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text with a meaning. An empty one shows that there is nothing.
    pub(crate) fn new(tone: Tone, text: &str) -> Self {
        let text = match text {
            "" => NONE.to_owned(),
            text => plain(text),
        };
        Self { text, tone }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Tone::Plain, &text)
    }
}

impl Table {
    /// A table with these headers.
    pub(crate) fn new<H: AsRef<str>>(headers: impl IntoIterator<Item = H>) -> Self {
        let headers = headers.into_iter();
        Self {
            headers: headers
                .map(|header| plain(header.as_ref()).to_uppercase())
                .collect(),
            rows: Vec::new(),
            has_headers: true,
        }
    }

    /// The same, with or without the line of the headers.
    pub(crate) fn with_headers(mut self, has_headers: bool) -> Self {
        self.has_headers = has_headers;
        self
    }

    /// Adds a row.
    pub(crate) fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// How many lines it has.
    pub(crate) fn height(&self) -> usize {
        self.rows.len() + usize::from(self.has_headers)
    }

    /// The lines, as they are, without spaces at their ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + use<> {
        let layout = self.layout(str::to_owned);
        let lines: Vec<_> = layout
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        lines.into_iter()
    }

    /// Prints the lines in a style.
    pub(crate) fn write(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let room = style
            .terminal()
            .and_then(|terminal| self.room_of_last(terminal.width));
        let layout = self.layout(|text| match room {
            Some(room) => style.cut(text, room),
            None => text.to_owned(),
        });
        let widths = layout.column_max_content_widths();
        let headers = self.has_headers.then_some(&[][..]);
        let rows = headers
            .into_iter()
            .chain(self.rows.iter().map(Vec::as_slice));
        for (line, cells) in layout.lines().zip(rows) {
            let line = line.trim_end();
            writeln!(out, "{}", paint(line, cells, &widths, style))?;
        }
        Ok(())
    }

    /// How wide the last column may be, if it has to give way.
    fn room_of_last(&self, width: usize) -> Option<usize> {
        let layout = self.layout(str::to_owned);
        let widths = layout.column_max_content_widths();
        let (last, before) = widths.split_last()?;
        let begin: usize = before.iter().map(|width| usize::from(width + GAP)).sum();
        let room = width.checked_sub(begin)?;
        (room >= LAST_WIDTH_MIN && room < usize::from(*last)).then_some(room)
    }

    /// The layout, with the last column as `fit` makes it.
    fn layout(&self, fit: impl Fn(&str) -> String) -> Layout {
        let mut layout = Layout::new();
        layout.load_style(NOTHING);
        if self.has_headers {
            layout.set_header(fit_last(self.headers.iter().map(String::as_str), &fit));
        }
        for row in &self.rows {
            layout.add_row(fit_last(row.iter().map(|cell| cell.text.as_str()), &fit));
        }
        for column in layout.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        layout
    }
}

fn fit_last<'a>(
    cells: impl Iterator<Item = &'a str>,
    fit: &impl Fn(&str) -> String,
) -> Vec<String> {
    let mut cells: Vec<String> = cells.map(str::to_owned).collect();
    if let Some(last) = cells.last_mut() {
        *last = fit(last);
    }
    cells
}

/// Paints the cells of a line that was laid out: they stand side by side, filled with spaces.
fn paint(line: &str, cells: &[Cell], widths: &[u16], style: Style) -> String {
    let mut painted = String::with_capacity(line.len());
    let mut rest = line;
    for (cell, width) in cells.iter().zip(widths) {
        let spaces = usize::from(width + GAP).saturating_sub(cell.text.width());
        let end = cell.text.len() + spaces;
        // The last one has no spaces behind it, and may be cut.
        let (column, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let text = column.trim_end();
        let gap = column.strip_prefix(text).unwrap_or_default();
        painted.push_str(&style.paint(cell.tone, text));
        painted.push_str(gap);
        rest = after;
    }
    painted.push_str(rest);
    painted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::printed;

    fn shown(table: &Table, style: Style) -> String {
        printed(|out| Ok(table.write(style, out)?))
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["name", "READY"]);
        table.row(["prod-east".to_owned(), "True".to_owned()]);
        table.row(["lab".to_owned(), String::new()]);
        let lines: Vec<String> = table.lines().collect();
        assert_eq!(
            lines,
            [
                "NAME        READY",
                "prod-east   True",
                "lab         <none>"
            ]
        );
        assert_eq!(table.height(), lines.len());
        assert_eq!(shown(&table, Style::PLAIN), lines.join("\n") + "\n");
    }

    #[test]
    fn cell_cannot_control_the_terminal() {
        let mut table = Table::new(["NAME"]);
        table.row(["a\u{1b}[2Jb\nc".to_owned()]);
        assert_eq!(table.lines().nth(1).as_deref(), Some("a [2Jb c"));
    }

    #[test]
    fn without_headers_there_are_only_rows() {
        let mut table = Table::new(["A-LONG-HEADER", "READY"]).with_headers(false);
        table.row(["lab".to_owned(), "True".to_owned()]);
        assert_eq!(shown(&table, Style::PLAIN), "lab   True\n");
        assert_eq!(table.height(), 1);
    }

    #[test]
    fn colour_applies_to_text_and_moves_no_column() {
        let mut table = Table::new(["BIG-IP", "STATE", "HA"]);
        table.row([
            Cell::new(Tone::Plain, "日本"),
            Cell::new(Tone::Bad, "Timeout"),
            Cell::new(Tone::Good, "Active"),
        ]);
        let coloured = shown(&table, Style::PLAIN.with_color());
        let row = coloured.lines().nth(1).unwrap();
        assert_eq!(
            row,
            "日本     \u{1b}[31mTimeout\u{1b}[0m   \u{1b}[32mActive\u{1b}[0m"
        );
        let stripped = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(stripped, shown(&table, Style::PLAIN));
    }

    #[test]
    fn on_a_narrow_terminal_the_last_column_is_cut() {
        let mut table = Table::new(["NAME", "REASON"]);
        table.row([
            Cell::new(Tone::Plain, "prod-west"),
            Cell::new(Tone::Bad, "DeviceUnreachable"),
        ]);
        let narrow = |width| shown(&table, Style::PLAIN.on_terminal(width, 24));
        assert!(narrow(29).ends_with("prod-west   DeviceUnreachable\n"));
        assert!(narrow(28).ends_with("prod-west   DeviceUnreachab…\n"));
        // Nobody could read what is left.
        assert!(narrow(15).ends_with("prod-west   DeviceUnreachable\n"));
        let coloured = shown(&table, Style::PLAIN.with_color().on_terminal(28, 24));
        assert!(coloured.ends_with("\u{1b}[31mDeviceUnreachab…\u{1b}[0m\n"));
    }
}
