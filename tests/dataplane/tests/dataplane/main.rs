//! Packets from simulated BIG-IPs to the pods of stand-ins for nodes with Cilium, with the records that the operator
//! writes: it is a real process on a real API server.
//!
//! What has to come of a setting was seen on a real Cilium datapath. Every test owns its world, which is in network
//! namespaces and needs the right to make them: as root the tests have to run, otherwise they say that they do not.

#![cfg_attr(
    target_os = "linux",
    expect(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "the helpers of a test may fail it"
    )
)]

#[cfg(target_os = "linux")]
mod changes;
#[cfg(target_os = "linux")]
mod in_place;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod records;
#[cfg(target_os = "linux")]
mod tutorial;
#[cfg(target_os = "linux")]
mod wrong_settings;

/// Elsewhere there is nothing to move packets with, and a run must not look as if something had passed.
#[cfg(not(target_os = "linux"))]
#[test]
fn packets_need_linux() {
    use std::io::Write as _;
    // A closed standard error is no failure of the test.
    let _ = std::io::stderr().write_all(b"skipped: every test of packets: they need Linux\n");
}
