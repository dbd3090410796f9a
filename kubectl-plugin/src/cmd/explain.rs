//! `explain`: what a check code or a reason means. Needs no cluster.

use std::io::Write;

use crate::cli::see::DataFormat;
use crate::cli::why::ExplainArgs;
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::explain::ExplainReport;
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "ExplainReport";

/// Runs the verb.
pub(crate) fn run(args: &ExplainArgs, style: Style, out: &mut dyn Write) -> Result<Outcome, Error> {
    let report = match &args.word {
        Some(word) => ExplainReport::of(word).ok_or_else(|| Error::UnknownWord(word.clone()))?,
        None => ExplainReport::all(),
    };
    match args.output {
        Some(DataFormat::Json) => render::json(KIND, &report, out),
        Some(DataFormat::Yaml) => render::yaml(KIND, &report, out),
        None => render::explain::write(&report, style, out),
    }?;
    Ok(Outcome::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::printed;

    fn shown(word: Option<&str>, output: Option<DataFormat>, style: Style) -> String {
        let word = word.map(str::to_owned);
        printed(|out| run(&ExplainArgs { word, output }, style, out).map(|_| ()))
    }

    #[test]
    fn a_code_is_explained_on_one_screen() {
        insta::assert_snapshot!(shown(Some("BTN0305"), None, Style::PLAIN));
    }

    #[test]
    fn a_reason_is_explained_with_what_to_do_about_it() {
        insta::assert_snapshot!(shown(Some("foreignwriter"), None, Style::PLAIN));
    }

    #[test]
    fn a_reason_that_asks_for_nothing_is_only_explained() {
        insta::assert_snapshot!(shown(Some("InSync"), None, Style::PLAIN), @"
        InSync
        Meaning  Every BIG-IP holds exactly the records that it should.
        ");
    }

    #[test]
    fn an_explanation_fits_the_terminal() {
        let text = shown(Some("BTN0101"), None, Style::PLAIN.on_terminal(60, 24));
        let wide = text.lines().filter(|line| !line.starts_with("More"));
        assert!(wide.clone().count() > 5);
        assert!(
            wide.clone().all(|line| line.chars().count() <= 60),
            "{text}"
        );
    }

    #[test]
    fn without_a_word_all_codes_are_listed() {
        let text = shown(None, None, Style::PLAIN);
        assert!(text.starts_with("CODE"));
        assert_eq!(text.lines().count(), crate::catalogue::ALL.len() + 1);
    }

    #[test]
    fn an_explanation_can_be_read_by_programs() {
        insta::assert_snapshot!(shown(Some("BTN0312"), Some(DataFormat::Json), Style::PLAIN));
    }

    #[test]
    fn a_word_that_nobody_knows_is_a_mistake() {
        let args = ExplainArgs {
            word: Some("BTN9999".to_owned()),
            output: None,
        };
        let error = run(&args, Style::PLAIN, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), 2);
    }
}
