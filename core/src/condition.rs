//! Types of conditions, of the object and of its devices: strings that users read as an API.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The type of a condition.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
pub enum ConditionType {
    /// Object: all devices hold exactly the desired records. The summary.
    Ready,
    /// Object: every active unit is programmed, so traffic flows.
    Available,
    /// Object: the spec can be worked on.
    Accepted,
    /// Object: work goes on by itself. Present only while true (kstatus).
    Reconciling,
    /// Object: a person has to act. Present only while true (kstatus).
    Stalled,
    /// Object: no work is done on it. Present only while true.
    Paused,
    /// Object: the tunnels are as Cilium needs them.
    TunnelUsable,
    /// Object: what Kubernetes says of its nodes agrees. Present only while it does not, and no record is
    /// removed then.
    NodesResolved,
    /// Object: every unit that could take over is listed.
    PeersCovered,
    /// Object: Cilium's configuration matches the tunnels. Missing with `cilium.verify: Off`, and no part of
    /// `Ready`.
    CiliumReady,
    /// Object: its `CiliumVTEPConfig` is as it has to be, and agents have programmed it. Present with
    /// `cilium.vtepConfig: Managed` only, and no part of `Ready`.
    #[strum(serialize = "VTEPConfigured")]
    VtepConfigured,
    /// Object: every server is verified before a password is sent to it.
    SecureTransport,
    /// Device: iControl REST answers with our login.
    Reachable,
    /// Device: its records are as desired.
    Programmed,
    /// Device: its stored configuration holds our changes.
    Saved,
}

impl ConditionType {
    /// Every one of them, in the order of this file.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The string in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads the string of the API; `None` for one that this version does not know.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
