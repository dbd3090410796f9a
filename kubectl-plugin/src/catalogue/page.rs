//! A page: Markdown with a title and sections. Knows no more of Markdown than the pages use.

/// A text with a title in its first line and sections below.
pub(super) struct Page(&'static str);

impl Page {
    /// The page with this text.
    pub(super) const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// What the first line says behind the colon.
    pub(super) fn title(&self) -> &'static str {
        let first = self.0.lines().next().unwrap_or_default();
        first.split_once(": ").map_or("", |(_, title)| title)
    }

    /// The text of a section, its lines joined: how they are broken is the terminal's business.
    pub(super) fn section(&self, heading: &str) -> Option<String> {
        let lines = self.0.lines();
        let inside = lines.skip_while(|line| line.strip_prefix("## ") != Some(heading));
        let text = inside.skip(1).take_while(|line| !line.starts_with("## "));
        let text = joined(text);
        (!text.is_empty()).then_some(text)
    }
}

/// Lines as one.
pub(super) fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}
