//! What `check` found: one line per question, with a stable code where the answer is not as it should
//! be.
//!
//! Pure: evidence in, checks out. Knows no cluster and no BIG-IP.

mod cilium;
mod cluster;
mod device;
pub(crate) mod evidence;
pub(crate) mod live;
mod overlay;
mod tunnel;

use bigip_tunnel_cilium::finding::UnitKey;
use bigip_tunnel_cilium::seen::Unread;
use bigip_tunnel_cilium::words::{count, some_of};
use serde::Serialize;

use crate::catalogue::{BTN0011, Code};
use crate::error::Outcome;
pub(crate) use device::code_of;
use evidence::Evidence;

/// Everything that `check` found.
#[derive(Serialize, Debug)]
pub(crate) struct CheckReport {
    /// Whether nothing was found that counts as a failure.
    pub(crate) success: bool,
    pub(crate) summary: Counts,
    pub(crate) categories: Vec<Category>,
}

/// How many checks ended how.
#[derive(Serialize, Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) warnings: usize,
    pub(crate) errors: usize,
    /// Checks that could not be made.
    pub(crate) skipped: usize,
}

/// Checks about one thing.
#[derive(Serialize, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Category {
    pub(crate) category_name: String,
    pub(crate) checks: Vec<Check>,
}

/// One check.
#[derive(Serialize, Debug, PartialEq)]
pub(crate) struct Check {
    pub(crate) result: Verdict,
    /// What was found, as a sentence.
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// Where to read more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
    /// The unit that it is about, if it is about one.
    #[serde(skip)]
    pub(crate) about: Option<UnitKey>,
}

/// How a check ended.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// It is as it should be.
    Success,
    /// It could not be looked at.
    Skipped,
    /// Somebody may want to look at it.
    Warning,
    /// It is not as it should be.
    Error,
}

impl Check {
    /// It is as it should be.
    pub(crate) fn ok(description: impl Into<String>) -> Self {
        Self {
            result: Verdict::Success,
            description: description.into(),
            code: None,
            hint: None,
            link: None,
            about: None,
        }
    }

    /// Somebody may want to look at it.
    pub(crate) fn warning(code: Code, description: impl Into<String>) -> Self {
        Self::found(Verdict::Warning, code, description.into())
    }

    /// It is not as it should be.
    pub(crate) fn error(code: Code, description: impl Into<String>) -> Self {
        Self::found(Verdict::Error, code, description.into())
    }

    /// It could not be looked at: `what` was not readable.
    pub(crate) fn unread(what: &str, why: &Unread) -> Self {
        Self::skipped(BTN0011, format!("{what}: {why}"))
    }

    /// It could not be looked at.
    pub(crate) fn skipped(code: Code, description: String) -> Self {
        Self::found(Verdict::Skipped, code, description)
    }

    fn found(result: Verdict, code: Code, description: String) -> Self {
        Self {
            result,
            description,
            code: Some(code),
            hint: Some(code.fix()),
            link: Some(code.link()),
            about: None,
        }
    }

    /// The same about this unit.
    fn about(self, unit: &UnitKey) -> Self {
        Self {
            about: Some(unit.clone()),
            ..self
        }
    }

    /// The same with a hint that fits this case better than what the code's page says.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Category {
    /// Checks about this thing.
    fn new(name: impl Into<String>, checks: Vec<Check>) -> Self {
        Self {
            category_name: name.into(),
            checks,
        }
    }
}

impl CheckReport {
    /// What the evidence shows. Findings at or above the threshold make it a failure.
    pub(crate) fn new(evidence: &Evidence, threshold: Verdict) -> Self {
        let mut categories = vec![cluster::category(evidence)];
        categories.extend(tunnel::categories(evidence));
        categories.push(cilium::category(evidence));
        Self::of(categories, threshold)
    }

    /// What these checks amount to.
    fn of(categories: Vec<Category>, threshold: Verdict) -> Self {
        let mut summary = Counts::default();
        let mut success = true;
        for check in categories.iter().flat_map(|category| &category.checks) {
            *match check.result {
                Verdict::Success => &mut summary.passed,
                Verdict::Skipped => &mut summary.skipped,
                Verdict::Warning => &mut summary.warnings,
                Verdict::Error => &mut summary.errors,
            } += 1;
            success &= check.result < threshold;
        }
        Self {
            success,
            summary,
            categories,
        }
    }

    /// The same, where it also counts as a failure that a check was not made.
    pub(crate) const fn strict(mut self, is_strict: bool) -> Self {
        self.success = self.success && (!is_strict || self.summary.skipped == 0);
        self
    }

    /// Whether something was found.
    pub(crate) const fn outcome(&self) -> Outcome {
        Outcome::fine_if(self.success)
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
pub(crate) mod tests;
