//! The person at the terminal: what they are told on the way, and what they are asked.
//!
//! Nothing of it is data: that goes to standard output. Knows no verb.

use std::io::{BufRead, IsTerminal as _, Write};

use crate::error::Error;
use crate::style::Style;

/// The person, if there is one.
pub(crate) struct Person<'a> {
    input: &'a mut dyn BufRead,
    err: &'a mut dyn Write,
    /// How it looks there.
    pub(crate) style: Style,
    /// Whether there is one who can see a question and answer it.
    is_there: bool,
}

impl<'a> Person<'a> {
    /// The person at the other end of standard input and standard error.
    pub(crate) fn at(input: &'a mut dyn BufRead, err: &'a mut dyn Write, style: Style) -> Self {
        let is_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self {
            input,
            err,
            style,
            is_there,
        }
    }

    /// Tells them something. Nobody there to read it is no failure.
    pub(crate) fn tell(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    /// Where they read what is no data.
    pub(crate) fn err(&mut self) -> &mut dyn Write {
        self.err
    }

    /// The same with text of several lines.
    pub(crate) fn show(
        &mut self,
        print: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut text = Vec::new();
        print(&mut text)?;
        let _ = self.err.write_all(&text);
        Ok(())
    }

    /// Asks whether to go on. Everything but a yes is a no.
    pub(crate) fn must_agree(&mut self, question: &str) -> Result<(), Error> {
        if !self.is_there {
            return Err(Error::NobodyToAsk);
        }
        write!(self.err, "{question} [y/N] ")?;
        self.err.flush()?;
        let mut answer = String::new();
        self.input.read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Error::NotConfirmed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a question, and what was shown.
    fn asked(answer: &str, is_there: bool) -> (Result<(), Error>, String) {
        let (mut input, mut err) = (answer.as_bytes(), Vec::new());
        let mut person = Person {
            input: &mut input,
            err: &mut err,
            style: Style::PLAIN,
            is_there,
        };
        let result = person.must_agree("Go on?");
        (result, String::from_utf8(err).unwrap())
    }

    #[test]
    fn only_yes_confirms() {
        for answer in ["y\n", "Y\n", "yes\n", " Yes \n"] {
            let (result, shown) = asked(answer, true);
            assert!(result.is_ok(), "{answer:?}");
            assert_eq!(shown, "Go on? [y/N] ");
        }
        for answer in ["", "\n", "n\n", "no\n", "yep\n", "prod-east\n"] {
            let (result, _) = asked(answer, true);
            assert!(matches!(result, Err(Error::NotConfirmed)), "{answer:?}");
        }
    }

    #[test]
    fn missing_terminal_refuses_without_reading_an_answer() {
        let (result, shown) = asked("y\n", false);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::NobodyToAsk));
        assert_eq!((error.code(), shown.as_str()), (2, ""));
    }
}
