//! The decisions of the BIG-IP tunnel operator, as pure functions on plain data.
//!
//! `desired` (nodes → records), `plan` (desired + observed + claims → plan), `guard` (may a removal
//! go ahead now), `conditions` (outcome → what users read). Nothing here does I/O, reads a clock or
//! an environment, or waits: time and randomness are parameters. Nothing here knows Kubernetes or
//! HTTP. What is read from either is converted at the edge, so that equal things compare equal.

pub mod account;
pub mod answers;
pub mod arp;
pub mod batch;
pub mod budget;
pub mod cause;
pub mod claims;
pub mod condition;
pub mod conditions;
pub mod damping;
pub mod desired;
pub mod drift;
pub mod endpoint;
pub mod events;
pub mod former;
pub mod guard;
pub mod lease;
pub mod listing;
pub mod mac;
pub mod node;
pub mod node_evidence;
pub mod outcome;
pub mod pass;
pub mod plan;
pub mod probing;
pub mod proven;
pub mod reason;
pub mod record;
pub mod requeue;
pub mod saving;
pub mod schedule;
pub mod sharing;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
pub mod tunnel;
pub mod turns;
pub mod unit;
pub mod verify;
