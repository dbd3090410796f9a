//! Packets from simulated BIG-IPs to the pods of stand-ins for nodes with Cilium, with the records that the operator
//! writes: it is a real process on a real API server.
//!
//! What has to come of a setting was seen on a real Cilium datapath. Every test owns its world, which is in network
//! namespaces and needs the right to make them: as root the tests have to run, otherwise they say that they do not.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of a test may fail it"
)]

mod changes;
mod lab;
mod records;
mod wrong_settings;
