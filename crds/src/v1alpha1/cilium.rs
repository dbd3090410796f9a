//! What a user asks for about Cilium's side of a tunnel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done about Cilium's side of the tunnel.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cilium {
    /// `Auto` compares Cilium's configuration with the tunnels on the BIG-IPs. The condition `CiliumReady` reports what
    /// does not match; it is `Unknown` where Cilium's objects cannot be read. Cilium is never changed, and `Ready` does
    /// not depend on it. `"Off"` compares nothing (quote it: YAML reads a bare `Off` as a boolean).
    #[serde(default)]
    pub verify: CiliumVerify,
}

/// Whether Cilium's configuration is compared with the tunnels.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CiliumVerify {
    /// Compare it where Cilium's objects can be read.
    #[default]
    Auto,
    /// Compare nothing.
    Off,
}
