//! What becomes of a request that a fault hits: four questions, answered one by one.
//!
//! Is it carried out, when is it answered, with what, and does the answer arrive whole? Every mix is
//! allowed. It must not know how any of it is done.

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::preset::Preset;

/// What happens to a request. The default is what happens without a fault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    /// Whether the request is carried out, and when.
    pub commit: Commit,
    /// When it is answered.
    pub reply: Moment,
    /// How long after its arrival "late" is, in milliseconds; `None` is when the fault is removed,
    /// however long that takes. Removing the fault ends the wait in any case.
    pub late_ms: Option<u64>,
    /// What is answered.
    pub answer: Answer,
    /// Headers that the answer has besides, in place of its own of that name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How the answer gets there.
    pub delivery: Delivery,
}

/// Whether a request is carried out, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Commit {
    /// On arrival.
    #[default]
    Now,
    /// Late, by the rights that its sender had on arrival, also if the sender has gone.
    Late,
    /// Never. The device's own answer is then what it would have said.
    Never,
}

/// When a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// On arrival.
    #[default]
    Now,
    /// Late.
    Late,
}

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The device's own answer.
    #[default]
    Own,
    /// This one.
    Given(Given),
    /// A recorded one of a device that is not well.
    Preset(Preset),
    /// The own one with the first so many `items` only, and no word of the others.
    FirstItems(usize),
    /// A page of so many `items`, with the `nextLink` of the next page if there is one (the link as in
    /// f5-telemetry-streaming). Requests for the pages that follow have to be hit as well.
    Page(usize),
    /// The own one without this member, named by a JSON pointer such as `/items`.
    Without(String),
    /// The own one as of when the fault was set.
    Stale,
    /// The own one of a device that has not loaded its configuration yet (BRG `bigip/utils.go`:
    /// objects are then said not to be there).
    Unloaded,
    /// The own one to a GET of this path.
    Object(String),
}

/// An answer in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Status code; one that HTTP does not know becomes 500.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// Body.
    pub body: String,
}

/// How an answer gets to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Delivery {
    /// Whole.
    #[default]
    Whole,
    /// Not at all: the connection ends.
    Drop,
    /// Whole; then the connection ends, which the answer did not announce.
    Close,
    /// Up to the middle of the body; then the connection is reset.
    Reset,
    /// A byte at a time.
    Drip {
        /// From one byte to the next, in milliseconds.
        interval_ms: u64,
    },
    /// Followed by spaces, which JSON ignores, up to a body of so many bytes.
    Oversized(u64),
    /// Followed by spaces that never end.
    Endless,
}

impl Effect {
    /// The connection ends; the request is not carried out.
    pub fn drop_before_commit() -> Self {
        Self {
            commit: Commit::Never,
            delivery: Delivery::Drop,
            ..Self::default()
        }
    }
    /// The request is carried out, then the connection ends without an answer.
    pub fn drop_after_commit() -> Self {
        Self {
            delivery: Delivery::Drop,
            ..Self::default()
        }
    }
    /// The connection ends at once and the request is carried out late: a write that lands after its
    /// sender has given it up.
    pub fn drop_then_commit() -> Self {
        Self {
            commit: Commit::Late,
            delivery: Delivery::Drop,
            ..Self::default()
        }
    }
    /// The request waits and is carried out and answered late, also if its sender has gone: how a
    /// busy device looks.
    pub fn stall() -> Self {
        Self {
            commit: Commit::Late,
            reply: Moment::Late,
            ..Self::default()
        }
    }
    /// The request waits; then the connection ends, and the request is not carried out. A test can
    /// end its sender at exactly this moment.
    pub fn stall_then_drop() -> Self {
        Self {
            commit: Commit::Never,
            reply: Moment::Late,
            delivery: Delivery::Drop,
            ..Self::default()
        }
    }
    /// The request is carried out and its answer waits; then the connection ends without an answer.
    pub fn commit_then_stall() -> Self {
        Self {
            reply: Moment::Late,
            delivery: Delivery::Drop,
            ..Self::default()
        }
    }
    /// The request is answered as if it had been carried out, and is not.
    pub fn pretend() -> Self {
        Self {
            commit: Commit::Never,
            ..Self::default()
        }
    }

    /// This answer. The request is carried out if the device's own answer is part of it, else not.
    pub fn answer(answer: Answer) -> Self {
        Self {
            commit: answer.usual_commit(),
            answer,
            ..Self::default()
        }
    }

    /// This answer; the request is not carried out.
    pub fn status(code: u16, content_type: impl Into<String>, body: impl Into<String>) -> Self {
        Self::answer(Answer::Given(Given {
            status: code,
            content_type: content_type.into(),
            body: body.into(),
        }))
    }

    /// This recorded answer; the request is not carried out.
    pub fn preset(preset: Preset) -> Self {
        Self::answer(Answer::Preset(preset))
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Answer {
    /// What is done with a request that is answered so, unless something else is said.
    pub(super) fn usual_commit(&self) -> Commit {
        match self {
            Self::Given(_) | Self::Preset(_) => Commit::Never,
            Self::Own
            | Self::FirstItems(_)
            | Self::Page(_)
            | Self::Without(_)
            | Self::Stale
            | Self::Unloaded
            | Self::Object(_) => Commit::Now,
        }
    }
}
