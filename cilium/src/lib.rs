//! Cilium's side of a BIG-IP's tunnel, as pure functions on plain data: the configuration of its agents, and
//! whether it matches the tunnels.
//!
//! `Judge` is the whole: a cluster as read, and the units of the tunnels, become findings. Facts about
//! Cilium carry their evidence in `docs/reference/cilium-compatibility.md`. Nothing here does I/O, reads
//! a clock or knows a Kubernetes client; the caller converts objects at the edge.

mod advice;
pub mod agents;
pub mod condition;
pub mod config;
pub mod desired;
pub mod effective;
pub mod finding;
mod judge;
mod lines;
pub mod manage;
pub mod network;
mod nodes;
pub mod objects;
mod overlap;
pub mod policies;
pub mod render;
pub mod revision;
pub mod seen;
mod settings;
mod table;
#[cfg(test)]
mod testing;
pub mod unit;
mod unit_entries;
pub mod vtep;
pub mod words;

pub use advice::restart;
pub use judge::{Judge, Selection, Subject};
pub use overlap::pod_cidrs;
