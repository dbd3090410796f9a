//! What a user asks for about Cilium's side of a tunnel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done about Cilium's side of the tunnel.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cilium {
    /// `Auto`: what Cilium's agents are told is compared with the tunnels on the BIG-IPs, and the condition
    /// `CiliumReady` says what does not fit; it is `Unknown` where Cilium's objects may not be read. Nothing of
    /// Cilium is changed, and `Ready` does not depend on it. `Off`: nothing is compared.
    #[serde(default)]
    pub verify: CiliumVerify,
}

/// Whether what Cilium's agents are told is compared with the tunnels.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CiliumVerify {
    /// It is, where it may be read.
    #[default]
    Auto,
    /// It is not.
    Off,
}
