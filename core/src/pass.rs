//! One pass over one device: what is decided in it, as pure functions and plain data.
//!
//! The requests are made by the operator, which asks here what to read, what an answer means, what to write and
//! what follows. Everything that a device's task remembers between passes is [`memory::Memory`]. Knows nothing of
//! how a request is made.

pub mod assignment;
pub mod claiming;
pub mod decision;
pub mod following;
pub mod identity;
pub mod inputs;
pub mod memory;
pub mod reading;
pub mod reporting;
pub mod saving;
#[cfg(test)]
mod testing;
pub mod writing;

use std::time::Duration;

use crate::outcome::Failure;
use crate::reason::Reason;

/// How much is read before anything is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Only what is not known: a node came, and what the device holds was read before.
    Quick,
    /// The records.
    Verify,
    /// Everything that a removal has to be shown by: all nodes, the unit's facts, the records.
    Removal,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassOutcome {
    /// Nothing is left to do now.
    Settled,
    /// More is to be written, or a removal is due: the next pass follows at once, at this depth.
    Requeue(Depth),
    /// The device is cleaned up, and holds nothing of the object.
    Clean,
}

/// Why a pass ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassError {
    /// The device does not answer as it should, or what is needed to ask it is missing.
    Unreachable {
        /// Why.
        failure: Failure,
        /// How long the device asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The device answers, and cannot be programmed.
    Refused(Failure),
    /// What the pass began with has changed: the next one follows at once.
    Restart,
    /// The process or the task is ending.
    Stopping,
}

impl PassError {
    /// A refusal that only a change by a user can mend.
    pub fn refused(reason: Reason, message: impl Into<String>) -> Self {
        Self::Refused(Failure {
            reason,
            message: message.into(),
            retryable: false,
        })
    }

    /// A device that cannot be asked.
    pub const fn unreachable(failure: Failure) -> Self {
        Self::Unreachable {
            failure,
            retry_after: None,
        }
    }

    /// What failed. `None` where nothing did.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Unreachable { failure, .. } | Self::Refused(failure) => Some(failure),
            Self::Restart | Self::Stopping => None,
        }
    }

    /// Whether a unit that answers under the current login says that the tunnel does not exist.
    pub fn is_tunnel_not_found(&self) -> bool {
        matches!(self, Self::Refused(failure) if failure.reason == Reason::TunnelNotFound)
    }
}

/// Where a failed request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The login is over. The request was not worked on.
    LoginEnded,
    /// The unit cannot be asked.
    Unreachable,
    /// The unit's configuration layer failed on it, with a code of its own.
    Configuration,
    /// The unit refuses the request, however often it is sent.
    Refused,
}

/// A request to a unit that failed, as far as a pass depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// Where it failed.
    pub fault: Fault,
    /// The failure as users see it.
    pub failure: Failure,
    /// The code of the unit's configuration layer, where it gave one.
    pub code: Option<String>,
    /// Whether a write may have been carried out, or may still be.
    pub is_uncertain: bool,
    /// How long the device asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl From<RequestError> for PassError {
    /// A read that failed.
    fn from(error: RequestError) -> Self {
        match error.fault {
            Fault::LoginEnded => Self::Restart,
            Fault::Unreachable | Fault::Configuration => Self::Unreachable {
                failure: error.failure,
                retry_after: error.retry_after,
            },
            Fault::Refused => Self::Refused(error.failure),
        }
    }
}
