//! The verbs: each collects a report from the cluster and has it rendered. Decides nothing about
//! what the report says.

pub(crate) mod events;
pub(crate) mod fdb;
pub(crate) mod graph;
pub(crate) mod macs;
mod seen;
pub(crate) mod status;
pub(crate) mod tree;
pub(crate) mod version;
mod watch;
