//! The words of a pass: how deep it looks, how it ends, why it is broken off.
//!
//! Knows nothing of what a pass does.

use std::time::Duration;

use bigip_tunnel_core::outcome::Failure;

/// How much is read anew before anything is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// Only what is not known: a node came, and what the device holds was read before.
    Quick,
    /// The records.
    Verify,
    /// Everything that a removal has to be shown by: all nodes, the unit's facts, the records.
    Removal,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PassEnd {
    /// Nothing is left to do now.
    Settled,
    /// More is to be written, or a removal is due: the next pass follows at once, at this depth.
    Again(Depth),
    /// The object is being deleted, and on this device nothing of it is left.
    Clean,
}

/// Why a pass was broken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The device does not answer as it should, or what is needed to ask it is missing. Holds how
    /// long it asked us to wait.
    Unreachable(Failure, Option<Duration>),
    /// It answers, and cannot be programmed.
    Refused(Failure),
    /// What the pass began with has changed; it begins anew at once.
    Anew,
    /// The process or the task is ending.
    Stopping,
}
