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
    fn code_explanation_fits_one_screen() {
        insta::assert_snapshot!(shown(Some("BTN0305"), None, Style::PLAIN));
    }

    #[test]
    fn reason_is_explained_with_its_remedy() {
        insta::assert_snapshot!(shown(Some("foreignwriter"), None, Style::PLAIN));
    }

    #[test]
    fn normal_reason_is_explained_without_a_remedy() {
        insta::assert_snapshot!(shown(Some("InSync"), None, Style::PLAIN), @"
        InSync
        Meaning  Every BIG-IP holds exactly the records that it should.
        ");
    }

    #[test]
    fn explanation_fits_the_terminal() {
        let text = shown(Some("BTN0101"), None, Style::PLAIN.on_terminal(60, 24));
        let wide = text.lines().filter(|line| !line.starts_with("More"));
        assert!(wide.clone().count() > 5);
        assert!(
            wide.clone().all(|line| line.chars().count() <= 60),
            "{text}"
        );
    }

    #[test]
    fn explain_without_arguments_lists_all_codes() {
        let text = shown(None, None, Style::PLAIN);
        assert!(text.starts_with("CODE"));
        assert_eq!(text.lines().count(), crate::catalogue::ALL.len() + 1);
    }

    #[test]
    fn explanation_is_machine_readable() {
        insta::assert_snapshot!(shown(Some("BTN0312"), Some(DataFormat::Json), Style::PLAIN));
    }

    #[test]
    fn unknown_code_or_reason_is_a_usage_error() {
        let args = ExplainArgs {
            word: Some("BTN9999".to_owned()),
            output: None,
        };
        let error = run(&args, Style::PLAIN, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), 2);
    }
}
