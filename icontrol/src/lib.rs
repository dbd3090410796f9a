//! iControl REST, as far as a tunnel and its FDB records need it, for F5 BIG-IP 13.1 and later.
//!
//! [`Client`] is one user on one BIG-IP; all clients of a process share its [`Accounts`],
//! because BIG-IP locks accounts after a few wrong passwords. [`Unit`] is what answers under one login:
//! only under the login that a unit was read under is anything changed on it. What a device sends is parsed, never trusted: bodies are
//! capped and lists are read as they come in, within a budget of memory ([`BodyMemory`]), links are not followed, redirects are refused, and a list that does not parse completely
//! is an error, not a shorter list. A missing object counts as gone only if the configuration layer
//! says so *and* the device says that it is ready.
//!
//! Knows nothing of Kubernetes, of ownership or of what should be on a device.
//!
//! Sources of facts are named where they are used, as repository, issue or recorded TMOS version;
//! *assumed* marks what no source was found for.

mod address;
mod answer;
mod arp;
mod client;
mod collection;
mod config;
mod error;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod items;
mod limits;
mod login_store;
mod may_write;
mod memory;
mod normalise;
mod observe;
mod path;
mod ping;
mod session;
mod surroundings;
#[cfg(test)]
mod testing;
mod tls;
mod transport;
mod unit;
mod wire;

pub use address::AddressProblem;
pub use bigip_tunnel_core::listing::{Listing, RecordName};
pub use bigip_tunnel_core::unit::Login;
pub use client::Client;
pub use config::{
    ConfigError, Credentials, DeviceConfig, Fingerprint, ParseFingerprintError, Trust, Verification,
};
pub use error::{
    CertificateProblem, DeviceText, Error, ErrorKind, LoginRefusal, Mismatch, NextLogin, Presented,
};
pub use exchange::{Exchange, Observer};
pub use limits::CONNECT_DEADLINE;
pub use login_store::{KnownLogins, LoginStore, NotStored, Stored};
pub use may_write::MayWrite;
pub use memory::BodyMemory;
pub use ping::Echo;
pub use session::accounts::Accounts;
pub use surroundings::{Pools, Route, SelfIp, SnatPools, Translation, VirtualServer};
pub use unit::{Added, Removed, Unit};
