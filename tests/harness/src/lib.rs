//! Everything that a test or the demo needs around the product: a real Kubernetes API server, nodes
//! without machines, simulated devices, and the operator as a real process.
//!
//! A process that this crate starts ends with the process that started it, however that one ends:
//! each runs under a supervisor that watches the pipe to its parent (`supervise`).
//!
//! It must not know how the operator works: it starts the product and looks at Kubernetes and at
//! the devices.

pub mod account;
pub mod alerts;
pub mod bench;
pub mod binaries;
pub mod chart;
mod cilium_nodes;
pub mod control_plane;
pub mod demo;
pub mod devices;
pub mod nodes;
pub mod objects;
pub mod operator;
pub mod paths;
pub mod products;
pub mod progress;
pub mod proxy;
pub mod supervise;
pub mod wait;
