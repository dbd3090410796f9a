//! What `explain` says: the meaning of check codes and reasons.

use serde::Serialize;

use crate::catalogue::{ALL, Code, reasons};

/// Everything that `explain` says.
#[derive(Serialize, Debug)]
pub(crate) struct ExplainReport {
    /// What was asked for; all codes if nothing was.
    pub(crate) entries: Vec<Explanation>,
    /// Whether one thing was asked for.
    #[serde(skip)]
    pub(crate) is_one: bool,
}

/// One code or reason.
#[derive(Serialize, Debug)]
pub(crate) struct Explanation {
    /// The code or the reason itself.
    pub(crate) name: String,
    /// What it says in a few words. Reasons speak for themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    pub(crate) meaning: String,
    /// What to do about it, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
    /// Where it is known from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The code that says what to do about a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
}

impl ExplainReport {
    /// The explanation of a word. `None` if there is none.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let code = Code::find(word).map(Explanation::from);
        let entry = code.or_else(|| reasons::find(word).map(Explanation::from))?;
        Some(Self {
            entries: vec![entry],
            is_one: true,
        })
    }

    /// The explanations of all codes.
    pub(crate) fn all() -> Self {
        Self {
            entries: ALL.iter().copied().map(Explanation::from).collect(),
            is_one: false,
        }
    }
}

impl From<Code> for Explanation {
    fn from(code: Code) -> Self {
        Self {
            name: code.name().to_owned(),
            title: Some(code.title().to_owned()),
            meaning: code.meaning(),
            fix: Some(code.fix()),
            source: code.source(),
            code: None,
            link: Some(code.link()),
        }
    }
}

impl From<reasons::Reason> for Explanation {
    fn from(reason: reasons::Reason) -> Self {
        Self {
            name: reason.name.to_owned(),
            title: None,
            meaning: reason.meaning,
            fix: reason.code.map(Code::fix),
            source: None,
            code: reason.code,
            link: reason.code.map(Code::link),
        }
    }
}
