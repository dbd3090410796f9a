//! The verbs: each collects a report from the cluster and has it rendered. Decides nothing about
//! what the report says.

pub(crate) mod fdb;
pub(crate) mod macs;
pub(crate) mod status;
pub(crate) mod version;
mod watch;
