//! What a user asks for about Cilium's side of a tunnel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done about Cilium's side of the tunnel.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Cilium {
    /// `Auto` compares Cilium's configuration with the tunnels on the BIG-IPs. The condition `CiliumReady` reports what
    /// does not match; it is `Unknown` where Cilium's objects cannot be read. Nothing is changed, and `Ready` does
    /// not depend on it. `"Off"` compares nothing (quote it: YAML reads a bare `Off` as a boolean).
    #[serde(default)]
    pub verify: CiliumVerify,

    /// `Managed` writes the VTEP entries of this tunnel into a CiliumVTEPConfig of its own, where the cluster serves that
    /// kind. The operator needs the feature gate `VTEPConfig` and the rights of the chart's value
    /// `cilium.manage.enabled`. The condition `VTEPConfigured` reports the result; `Ready` does not depend on it. Back to
    /// `None` removes the CiliumVTEPConfig. With the tunnel it is removed under `deletionPolicy: Delete`, after the records.
    #[serde(default)]
    pub vtep_config: VtepConfig,
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

/// Whether a CiliumVTEPConfig is written.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VtepConfig {
    /// Write none.
    #[default]
    None,
    /// Write one with the entries of this tunnel.
    Managed,
}
