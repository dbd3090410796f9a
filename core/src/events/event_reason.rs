//! Reasons of events: strings that users read as an API.

use std::fmt;

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::reason::Reason;

/// What an event reports that is no condition.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
pub enum Occurrence {
    /// Records that were there as wanted belong to the object from now on.
    RecordsAdopted,
    /// Records were added.
    RecordsAdded,
    /// Records that another writer had removed or changed are restored.
    DriftCorrected,
    /// Records were removed.
    RecordsRemoved,
    /// Nodes are gone, and their records wait for their removal.
    NodeLeaving,
    /// A device answers again.
    DeviceRecovered,
    /// A device's stored configuration holds our changes.
    ConfigSaved,
    /// The object is worked on again.
    Resumed,
    /// The object goes, and nothing of it is left.
    CleanupComplete,
    /// An answer of a user is about something else than what is there, and does nothing.
    AnswerIgnored,
    /// Records stay on a device that is no longer looked after: the object goes, or the device is given up.
    RecordsLeft,
    /// The object goes, and its `CiliumVTEPConfig` stays.
    #[strum(serialize = "VTEPConfigLeft")]
    VtepConfigLeft,
}

impl Occurrence {
    /// Every one of them, in the order of this file.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The string in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The reason of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventReason {
    /// A condition has this reason now.
    Condition(Reason),
    /// Something happened that no condition shows.
    Occurrence(Occurrence),
}

impl EventReason {
    /// The string in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Condition(reason) => reason.as_str(),
            Self::Occurrence(occurrence) => occurrence.as_str(),
        }
    }
}

impl From<Reason> for EventReason {
    fn from(reason: Reason) -> Self {
        Self::Condition(reason)
    }
}

impl fmt::Display for EventReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
