//! The verbs: each collects a report from the cluster and has it rendered. Decides nothing about
//! what the report says. Those that change something have their frame in `act`.

mod accept_device;
pub(crate) mod act;
mod approve;
pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod cilium;
pub(crate) mod completion;
pub(crate) mod create;
pub(crate) mod diff;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fdb;
pub(crate) mod graph;
pub(crate) mod install;
pub(crate) mod lint;
pub(crate) mod macs;
pub(crate) mod migrate;
pub(crate) mod prune;
mod reconcile;
mod release;
mod resume;
mod seen;
pub(crate) mod status;
mod suspend;
pub(crate) mod tree;
pub(crate) mod verify;
pub(crate) mod version;
mod watch;
