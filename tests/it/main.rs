//! Integration tests: the operator as a real process, a real API server, simulated BIG-IPs over TLS.
//!
//! Every test owns its world: a namespace, nodes with a label of their own, devices, an operator that
//! watches that namespace only. None knows how the operator works inside, except `model`, which puts
//! the operator's decisions to the test without any of this.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of a test may fail it"
)]

mod addresses;
mod answers;
mod api_server;
mod approval;
mod budget;
mod chart;
mod chart_policies;
mod chart_rights;
mod chart_watched;
mod cilium;
mod cilium_reads;
mod claims_limit;
mod converge;
mod crash;
mod crash_everywhere;
mod crd;
mod damping;
mod demo;
mod devices;
mod drift;
mod events;
mod former;
mod green;
mod inputs;
mod install_page;
mod large;
mod lease;
mod lies;
mod lives;
mod logins;
mod logs;
mod memory;
mod metrics;
mod model;
mod neighbours;
mod node_lists;
mod odd_records;
mod outages;
mod ownership;
mod pausing;
mod plugin_act;
mod plugin_check;
mod plugin_complete;
mod plugin_direct;
mod plugin_migrate;
mod plugin_report;
mod plugin_see;
mod plugin_start;
mod plugin_verify;
mod plugin_watch;
mod queues;
mod removal;
mod rights;
mod saving;
mod secrets;
mod sessions;
mod sharing;
mod standing;
mod takeover;
mod tidy;
mod tls;
mod unreadable;
mod vtep_config;
mod witness;
mod world;
mod writers;
