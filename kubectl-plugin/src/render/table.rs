//! Tables as kubectl prints them: no borders, headers in upper case, three spaces between columns.

use comfy_table::Table as Layout;
use comfy_table::presets::NOTHING;

/// Shown where there is nothing to show.
pub(crate) const NONE: &str = "<none>";
/// Shown where a value is not known.
pub(crate) const UNKNOWN: &str = "<unknown>";

/// Rows of equal length below a header.
pub(crate) struct Table {
    layout: Layout,
}

impl Table {
    /// A table with these headers.
    pub(crate) fn new<H: AsRef<str>>(headers: impl IntoIterator<Item = H>) -> Self {
        let mut layout = Layout::new();
        layout.load_style(NOTHING);
        let headers = headers
            .into_iter()
            .map(|header| plain(header.as_ref()).to_uppercase());
        layout.set_header(headers.collect::<Vec<_>>());
        for column in layout.column_iter_mut() {
            column.set_padding((0, 3));
        }
        Self { layout }
    }

    /// Adds a row. An empty cell shows that there is nothing.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| match cell.as_str() {
            "" => NONE.to_owned(),
            text => plain(text),
        });
        self.layout.add_row(cells.collect::<Vec<_>>());
    }

    /// The lines, without spaces at their ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.layout.lines().map(|line| line.trim_end().to_owned())
    }
}

/// Text without anything that a terminal would obey: much of what is shown was chosen by a device.
pub(crate) fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn a_cell_cannot_command_the_terminal() {
        let mut table = Table::new(["NAME"]);
        table.row(["a\u{1b}[2Jb\nc".to_owned()]);
        assert_eq!(table.lines().nth(1).as_deref(), Some("a [2Jb c"));
    }
}
