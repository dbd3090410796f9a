//! Stand-ins for Kubernetes nodes with Cilium, and the network between them and simulated BIG-IPs.
//!
//! A stand-in does what a real datapath was seen to do with a BIG-IP's tunnel, and no more: it takes VXLAN on UDP 8472,
//! answers ARP for its own pods, and delivers IP to them. Everything is in network namespaces, which end with the
//! process.
//!
//! It knows nothing of the product.

#![cfg(target_os = "linux")]

mod datapath;
mod http;
mod node;
mod pod;
mod underlay;
mod vxlan;

pub use self::datapath::{NoVtep, Seen, Vtep, VtepTable, parse_mac};
pub use self::http::http_get;
pub use self::node::{Node, NodeError};
pub use self::underlay::{Underlay, UnderlayError};
