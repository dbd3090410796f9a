//! What came of a run, as data.

use serde::Serialize;

use super::calls::Call;
use super::fixture::Evidence;

/// What became of the fixtures.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version that the device runs.
    pub version: String,
    /// One of every fixture, in their order.
    pub findings: Vec<Finding>,
    /// The calls of the product, and whether this user may make them.
    pub calls: Vec<Call>,
}

/// What became of one fixture.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The fixture.
    pub title: String,
    /// How it was known.
    pub evidence: Evidence,
    /// From where.
    pub source: String,
    /// Of an assumption: what the product does if it does not hold. Of a question: what it does anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The last answer in a few words.
    pub seen: String,
}

/// Whether a device does what a fixture says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "camelCase")]
pub enum Outcome {
    /// It does.
    Held,
    /// It does not.
    Differs {
        /// The request, with its placeholders.
        request: String,
        /// What was expected.
        expected: String,
    },
    /// A question: the report says what the device does.
    Told,
    /// The user has no right to a request.
    NoRight {
        /// The request, with its placeholders.
        request: String,
    },
    /// It was not asked.
    Skipped {
        /// Why not.
        why: &'static str,
    },
}
