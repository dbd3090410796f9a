//! Looking again and again: when a picture is shown, and how a terminal is drawn anew.
//!
//! The verbs ask the cluster once a second instead of watching it: that needs no further right, and goes
//! on by itself when the cluster was away. Knows no verb.

use std::io::{self, Write};
use std::time::Duration;

use anstream::adapter::strip_str;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::error::Error;
use crate::render;
use crate::style::{Size, Style, Tone};

/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// To the upper left corner.
const HOME: &str = "\x1b[H";
/// Away with what is on the screen.
const CLEAR: &str = "\x1b[2J";
/// Away with the rest of the line.
const CLEAR_LINE: &str = "\x1b[K";
/// Away with everything below.
const CLEAR_BELOW: &str = "\x1b[J";

/// One look at something.
pub(crate) struct Picture {
    /// What is shown.
    pub(crate) text: String,
    /// What is said by it, without what only time changes.
    pub(crate) essence: String,
}

impl Picture {
    /// A report of this kind, as `print` prints it.
    pub(crate) fn new<R: Serialize>(
        kind: &'static str,
        report: &R,
        print: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let (mut text, mut essence) = (Vec::new(), Vec::new());
        print(&mut text)?;
        render::json_line(kind, report, &mut essence)?;
        Ok(Self {
            text: String::from_utf8_lossy(&text).into_owned(),
            essence: String::from_utf8_lossy(&essence).into_owned(),
        })
    }
}

/// Pictures of the same thing, one after the other.
pub(crate) struct Pictures {
    /// Whether a picture takes the place of the one before, rather than stand below.
    redraws: bool,
    /// What stands between pictures that stand below each other.
    separator: &'static str,
    last: Option<Picture>,
    trouble: Option<String>,
}

impl Pictures {
    /// For text that a person reads, if `is_text`, else for data.
    pub(crate) fn new(style: Style, is_text: bool) -> Self {
        Self {
            redraws: is_text && style.terminal().is_some(),
            separator: if is_text { "\n" } else { "" },
            last: None,
            trouble: None,
        }
    }

    /// Whether a picture takes the place of the one before.
    pub(crate) const fn redraws(&self) -> bool {
        self.redraws
    }

    /// Shows a picture, if it says something new. The age of something is news to a terminal alone.
    pub(crate) fn show(
        &mut self,
        picture: Picture,
        style: Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let was_in_trouble = self.trouble.take().is_some();
        let last = self.last.replace(picture);
        let Some(picture) = &self.last else {
            return Ok(());
        };
        if self.redraws {
            let is_same = last.as_ref().is_some_and(|last| last.text == picture.text);
            if last.is_none() {
                out.write_all(CLEAR.as_bytes())?;
            }
            return if is_same && !was_in_trouble {
                Ok(())
            } else {
                self.draw(style, out)
            };
        }
        if let Some(last) = last {
            if last.essence == picture.essence {
                return Ok(());
            }
            out.write_all(self.separator.as_bytes())?;
        }
        out.write_all(picture.text.as_bytes())?;
        out.flush()
    }

    /// Says that there is no newer picture, and why: once, and as long as it is so.
    pub(crate) fn trouble(
        &mut self,
        error: &Error,
        style: Style,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> io::Result<()> {
        let text = format!("{error}; trying again");
        if self.trouble.as_ref() == Some(&text) {
            return Ok(());
        }
        if !self.redraws {
            writeln!(err, "warning: {text}")?;
        }
        self.trouble = Some(text);
        if self.redraws {
            self.draw(style, out)?;
        }
        Ok(())
    }

    fn draw(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let Some((size, last)) = style.terminal().zip(self.last.as_ref()) else {
            return Ok(());
        };
        let trouble = self.trouble.as_deref();
        let trouble = trouble.map(|text| style.signed(Tone::Warn, text));
        let frame = frame(&last.text, trouble.as_deref(), size, style);
        out.write_all(frame.as_bytes())?;
        out.flush()
    }
}

/// What draws the text over whatever is on the screen, as much of it as there is room for. `note` comes
/// below it.
fn frame(text: &str, note: Option<&str>, size: Size, style: Style) -> String {
    let height_of = |line: &str| {
        let width = strip_str(line).to_string().width();
        width.div_ceil(size.width.max(1)).max(1)
    };
    // The cursor stands on the line below.
    let below = note.map_or(0, height_of) + 1;
    let room = size.height.saturating_sub(below);
    let lines: Vec<&str> = text.lines().collect();
    let all: usize = lines.iter().map(|line| height_of(line)).sum();
    let room = if all > room {
        room.saturating_sub(1)
    } else {
        room
    };
    let mut frame = HOME.to_owned();
    let mut push = |line: &str| {
        frame.push_str(line);
        frame.push_str(CLEAR_LINE);
        frame.push('\n');
    };
    let (mut used, mut shown) = (0, 0);
    for line in &lines {
        used += height_of(line);
        if used > room {
            break;
        }
        push(line);
        shown += 1;
    }
    if shown < lines.len() {
        let mark = if style.is_ascii() { "..." } else { "…" };
        push(&format!("{mark} {} more lines", lines.len() - shown));
    }
    if let Some(note) = note {
        push(note);
    }
    frame.push_str(CLEAR_BELOW);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(text: &str, essence: &str) -> Picture {
        Picture {
            text: text.to_owned(),
            essence: essence.to_owned(),
        }
    }

    /// What is printed for these pictures, one after the other.
    fn printed(style: Style, is_text: bool, pictures: &[(&str, &str)]) -> String {
        let mut out = Vec::new();
        let mut shown = Pictures::new(style, is_text);
        for (text, essence) in pictures {
            shown.show(picture(text, essence), style, &mut out).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    const SIZE: Size = Size {
        width: 10,
        height: 4,
    };

    #[test]
    fn only_changes_are_printed_without_a_terminal() {
        let pictures = [("for 1s\n", "a"), ("for 2s\n", "a"), ("for 0s\n", "b")];
        let text = printed(Style::PLAIN, true, &pictures);
        assert_eq!(text, "for 1s\n\nfor 0s\n");
        let lines = printed(Style::PLAIN, false, &pictures);
        assert_eq!(lines, "for 1s\nfor 0s\n");
    }

    #[test]
    fn each_refresh_replaces_the_last_on_a_terminal() {
        let terminal = Style::PLAIN.on_terminal(80, 24);
        let pictures = [("for 1s\n", "a"), ("for 2s\n", "a"), ("for 2s\n", "a")];
        assert_eq!(
            printed(terminal, true, &pictures),
            "\x1b[2J\x1b[Hfor 1s\x1b[K\n\x1b[J\x1b[Hfor 2s\x1b[K\n\x1b[J"
        );
        // Data is for programs, whoever looks at it.
        assert_eq!(printed(terminal, false, &pictures), "for 1s\n");
    }

    #[test]
    fn lines_below_the_screen_are_counted() {
        let drawn = frame("1\n2\n3\n4\n5\n", None, SIZE, Style::PLAIN);
        assert_eq!(
            drawn,
            "\x1b[H1\x1b[K\n2\x1b[K\n… 3 more lines\x1b[K\n\x1b[J"
        );
        let fits = frame("1\n2\n3\n", None, SIZE, Style::PLAIN);
        assert_eq!(fits, "\x1b[H1\x1b[K\n2\x1b[K\n3\x1b[K\n\x1b[J");
        // A line that is wider than the screen takes two.
        let wide = frame("0123456789a\n2\n3\n", None, SIZE, Style::PLAIN);
        assert!(wide.contains("0123456789a\x1b[K\n… 2 more"), "{wide}");
        // Colour takes no room.
        let coloured = "\x1b[31m0123456789\x1b[0m\n2\n3\n";
        assert!(!frame(coloured, None, SIZE, Style::PLAIN).contains("more"));
    }

    #[test]
    fn unreachable_cluster_is_reported_once_beside_last_state() {
        let error = Error::Unreachable("https://192.0.2.1:6443: connection refused".to_owned());
        let said = "cannot reach https://192.0.2.1:6443: connection refused; trying again";
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let style = Style::PLAIN;
        let mut shown = Pictures::new(style, true);
        shown.show(picture("a\n", "a"), style, &mut out).unwrap();
        for _ in 0..2 {
            let told = shown.trouble(&error, style, &mut out, &mut err);
            told.unwrap();
        }
        assert_eq!(out, b"a\n");
        assert_eq!(
            String::from_utf8(err).unwrap(),
            format!("warning: {said}\n")
        );

        let mut out = Vec::new();
        let style = Style::PLAIN.on_terminal(80, 24);
        let mut shown = Pictures::new(style, true);
        shown.show(picture("a\n", "a"), style, &mut out).unwrap();
        let told = shown.trouble(&error, style, &mut out, &mut io::sink());
        told.unwrap();
        let drawn = String::from_utf8(out.clone()).unwrap();
        let frame = format!("\x1b[Ha\x1b[K\n‼ {said}\x1b[K\n\x1b[J");
        assert!(drawn.ends_with(&frame), "{drawn:?}");
        // The same picture again is news now.
        shown.show(picture("a\n", "a"), style, &mut out).unwrap();
        let drawn = String::from_utf8(out).unwrap();
        assert!(drawn.ends_with("\x1b[Ha\x1b[K\n\x1b[J"), "{drawn:?}");
    }
}
