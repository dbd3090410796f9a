//! How text may look where it is read: colour, signs, and how much of it fits.
//!
//! Words carry the meaning and colour repeats it, so nothing is lost without. Must not know what is
//! shown.

use std::env;
use std::io;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style as Ansi};
use clap::{Args, ValueEnum};
use terminal_size::{Height, Width};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How output shall look, as typed.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct StyleArgs {
    /// Whether to use colour
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        help = "Whether to use colour; auto goes by the terminal, NO_COLOR and CLICOLOR_FORCE"
    )]
    pub(crate) color: When,

    /// Use only ASCII for signs and lines, as where the locale is not UTF-8
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

/// When colour is used.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// What colour and sign say about a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing.
    Plain,
    /// It is as it should be.
    Good,
    /// Somebody may want to look at it.
    Warn,
    /// It is not as it should be.
    Bad,
    /// It is not known yet.
    Pending,
}

/// How output looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    color: bool,
    ascii: bool,
    terminal: Option<Size>,
}

/// Size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl From<(Width, Height)> for Size {
    fn from((width, height): (Width, Height)) -> Self {
        Self {
            width: width.0.into(),
            height: height.0.into(),
        }
    }
}

impl Style {
    /// No colour, and no terminal whose width could be too small.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self {
        color: false,
        ascii: false,
        terminal: None,
    };

    /// The style for standard output.
    pub(crate) fn of_stdout(args: &StyleArgs) -> Self {
        Self::new(args, AutoStream::choice(&io::stdout())).measured()
    }

    /// The style for standard error, where a person is shown what they are asked about.
    pub(crate) fn of_stderr(args: &StyleArgs) -> Self {
        let size = terminal_size::terminal_size_of(io::stderr());
        Self {
            terminal: size.map(Size::from),
            ..Self::new(args, AutoStream::choice(&io::stderr()))
        }
    }

    fn new(args: &StyleArgs, choice: ColorChoice) -> Self {
        let color = match args.color {
            When::Auto => choice != ColorChoice::Never,
            When::Always => true,
            When::Never => false,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| env::var(name).unwrap_or_default());
        Self {
            color,
            ascii: args.ascii || !is_utf8(&locale),
            terminal: None,
        }
    }

    /// The same for the terminal as it is now: people change the size of windows.
    pub(crate) fn measured(self) -> Self {
        let size = terminal_size::terminal_size_of(io::stdout());
        Self {
            terminal: size.map(Size::from),
            ..self
        }
    }

    /// The size of the terminal, if there is one.
    pub(crate) const fn terminal(self) -> Option<Size> {
        self.terminal
    }

    /// Whether signs and lines are made of ASCII.
    pub(crate) const fn is_ascii(self) -> bool {
        self.ascii
    }

    /// Text in the colour of its meaning.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let color = match tone {
            Tone::Plain => None,
            Tone::Good => Some(AnsiColor::Green),
            Tone::Warn | Tone::Pending => Some(AnsiColor::Yellow),
            Tone::Bad => Some(AnsiColor::Red),
        };
        match color.filter(|_| self.color && !text.is_empty()) {
            Some(color) => {
                let ansi = Ansi::new().fg_color(Some(color.into()));
                format!("{ansi}{text}{ansi:#}")
            }
            None => text.to_owned(),
        }
    }

    /// The sign before a word; empty where there is nothing to say.
    pub(crate) const fn sign(self, tone: Tone) -> &'static str {
        match (tone, self.ascii) {
            (Tone::Plain, _) => "",
            (Tone::Good, false) => "✔",
            (Tone::Warn, false) => "‼",
            (Tone::Bad, false) => "✖",
            (Tone::Pending, false) => "◌",
            (Tone::Good, true) => "OK",
            (Tone::Warn, true) => "WARN",
            (Tone::Bad, true) => "FAIL",
            (Tone::Pending, true) => "...",
        }
    }

    /// A word behind its sign, both in the colour of their meaning.
    pub(crate) fn signed(self, tone: Tone, word: &str) -> String {
        match self.sign(tone) {
            "" => word.to_owned(),
            sign => self.paint(tone, &format!("{sign} {word}")),
        }
    }

    /// Text of at most this width. What is left out is marked.
    pub(crate) fn cut(self, text: &str, width: usize) -> String {
        if text.width() <= width {
            return text.to_owned();
        }
        let mark = if self.ascii { "..." } else { "…" };
        let room = width.saturating_sub(mark.width());
        let (kept, _) = split_at_width(text, room);
        format!("{}{mark}", kept.trim_end())
    }

    /// Text in lines of at most this width, at most so many of them. Breaks between words, and marks
    /// what is left out.
    pub(crate) fn wrap(self, text: &str, width: usize, lines_max: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = text.trim();
        while rest.width() > width && lines.len() + 1 < lines_max {
            let (fits, _) = split_at_width(rest, width.saturating_add(1));
            // A word that is longer than a line is broken.
            let end = fits
                .rfind(' ')
                .filter(|end| *end > 0)
                .unwrap_or_else(|| split_at_width(rest, width.max(1)).0.len().max(1));
            let Some((line, after)) = rest.split_at_checked(end) else {
                break;
            };
            lines.push(line.trim_end().to_owned());
            rest = after.trim_start();
        }
        lines.push(self.cut(rest, width));
        lines
    }
}

/// The longest beginning of this width, and the rest.
fn split_at_width(text: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    let end = text.char_indices().find(|(_, letter)| {
        used += letter.width().unwrap_or(0);
        used > width
    });
    let end = end.map_or(text.len(), |(index, _)| index);
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Whether the locale can show more than ASCII: of its variables the first that is set counts.
fn is_utf8(locale: &[String]) -> bool {
    let set = locale.iter().find(|value| !value.is_empty());
    set.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

#[cfg(test)]
impl Style {
    /// The same with colour.
    pub(crate) const fn with_color(self) -> Self {
        Self {
            color: true,
            ..self
        }
    }

    /// The same in ASCII.
    pub(crate) const fn with_ascii(self) -> Self {
        Self {
            ascii: true,
            ..self
        }
    }

    /// The same on a terminal.
    pub(crate) const fn on_terminal(self, width: usize, height: usize) -> Self {
        Self {
            terminal: Some(Size { width, height }),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TONES: [Tone; 5] = [
        Tone::Plain,
        Tone::Good,
        Tone::Warn,
        Tone::Bad,
        Tone::Pending,
    ];

    #[test]
    fn plain_style_prints_only_the_text() {
        for tone in TONES {
            assert_eq!(Style::PLAIN.paint(tone, "missing"), "missing");
            let painted = Style::PLAIN.with_color().paint(tone, "missing");
            assert!(painted.contains("missing"));
            assert_eq!(painted == "missing", tone == Tone::Plain);
        }
    }

    #[test]
    fn every_symbol_has_an_ascii_form() {
        for tone in TONES {
            assert!(Style::PLAIN.with_ascii().sign(tone).is_ascii());
        }
        assert_eq!(Style::PLAIN.signed(Tone::Bad, "Not ready"), "✖ Not ready");
        let ascii = Style::PLAIN.with_ascii();
        assert_eq!(ascii.signed(Tone::Bad, "Not ready"), "FAIL Not ready");
        assert_eq!(ascii.signed(Tone::Plain, "Not ready"), "Not ready");
    }

    #[test]
    fn truncated_text_is_marked_and_fits() {
        let style = Style::PLAIN;
        assert_eq!(style.cut("DeviceUnreachable", 17), "DeviceUnreachable");
        assert_eq!(style.cut("DeviceUnreachable", 16), "DeviceUnreachab…");
        let ascii = style.with_ascii();
        assert_eq!(ascii.cut("DeviceUnreachable", 16), "DeviceUnreach...");
        // Letters of double width count twice.
        assert_eq!(style.cut("日本語", 5), "日本…");
        assert_eq!(style.cut("日本語", 4), "日…");
    }

    #[test]
    fn text_wraps_between_words_and_ends_with_a_mark() {
        let style = Style::PLAIN;
        let text = "bigip-d: no answer within 5 s";
        assert_eq!(style.wrap(text, 40, 2), [text]);
        let broken = ["bigip-d: no", "answer within", "5 s"];
        assert_eq!(style.wrap(text, 13, 9), broken);
        assert_eq!(style.wrap(text, 13, 2), ["bigip-d: no", "answer withi…"]);
        assert_eq!(style.wrap("aaaaaa b", 3, 9), ["aaa", "aaa", "b"]);
        assert_eq!(style.wrap("", 3, 9), [""]);
    }

    #[test]
    fn first_set_variable_decides_the_locale() {
        let of = |all: &str, ctype: &str, lang: &str| {
            is_utf8(&[all.to_owned(), ctype.to_owned(), lang.to_owned()])
        };
        assert!(of("", "", "en_US.UTF-8"));
        assert!(of("", "C.utf8", "C"));
        assert!(!of("C", "", "en_US.UTF-8"));
        assert!(!of("", "", "de_DE.ISO-8859-1"));
        assert!(!of("", "", ""));
    }
}
