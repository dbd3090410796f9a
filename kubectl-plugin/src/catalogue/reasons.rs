//! The reasons of conditions, as `docs/reference/reasons.md` explains them.

use super::Code;
use super::page::joined;

const TEXT: &str = include_str!("../../../docs/reference/reasons.md");

/// A word that a condition, a skipped node or a problem has as its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) name: &'static str,
    pub(crate) meaning: String,
    /// The check code that says what to do about it, where something is to be done.
    pub(crate) code: Option<Code>,
}

/// All reasons, in the order of the page.
pub(crate) fn all() -> impl Iterator<Item = Reason> {
    TEXT.split("\n### ").skip(1).map(|section| {
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut lines = section.lines();
        let name = lines.next().unwrap_or_default();
        let is_code = |line: &&str| line.starts_with("Code: ");
        Reason {
            name,
            meaning: joined(lines.clone().filter(|line| !is_code(line))),
            code: lines
                .find(is_code)
                .and_then(|line| line.split(['[', ']']).nth(1))
                .and_then(Code::find),
        }
    })
}

/// The reason of this name, in capitals or not.
pub(crate) fn find(name: &str) -> Option<Reason> {
    all().find(|reason| reason.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalogue::{BTN0111, BTN0305};

    #[test]
    fn every_reason_of_the_operator_is_explained() {
        let reasons = bigip_tunnel_core::reason::Reason::ALL.iter();
        let occurrences = bigip_tunnel_core::events::Occurrence::ALL.iter();
        let known: BTreeSet<&str> = reasons
            .map(|reason| reason.as_str())
            .chain(occurrences.map(|occurrence| occurrence.as_str()))
            .collect();
        let explained: BTreeSet<&str> = all().map(|reason| reason.name).collect();
        assert_eq!(known, explained);
        assert!(all().all(|reason| reason.meaning.len() > 10));
    }

    #[test]
    fn code_of_each_reason_exists() {
        let named = TEXT.matches("Code: [").count();
        let found = all().filter(|reason| reason.code.is_some()).count();
        assert_eq!((found, found > 20), (named, true));
        for reason in all().filter(|reason| reason.code.is_some()) {
            let code = reason.code.unwrap();
            assert!(TEXT.contains(&format!("[{code}](../codes/{code}.md)")));
        }
    }

    #[test]
    fn reason_leads_to_the_code_with_the_remedy() {
        let code = |name| find(name).and_then(|reason| reason.code);
        assert_eq!(code("ForeignWriter"), Some(BTN0305));
        // The last of its group: the heading behind it is not its own.
        assert_eq!(code("CABundleInvalid"), Some(BTN0111));
        assert_eq!(code("InSync"), None);
        assert_eq!(code("NoSuchReason"), None);
        let saved = find("saved").unwrap();
        assert_eq!(saved.name, "Saved");
        assert!(saved.meaning.ends_with("stored configuration."));
    }
}
