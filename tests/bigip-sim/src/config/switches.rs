//! Switches: where devices differ, or may differ.

use std::fmt;
use std::str::FromStr;

use super::UnknownValue;

/// What becomes of a token that comes together with Basic credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TwoCredentials {
    /// The token counts, on every version (*assumed*). CIS is reported to send both, and is supported by F5 on every
    /// version that is simulated, 17.1 among them.
    #[default]
    Accepted,
    /// Refused with a 401 page, as one thread says of 17.1.2.1 (f5devcentral/application-study-tool#153). A
    /// client that passes here passes on either device.
    Refused,
}

/// What becomes of a list of FDB records that has one MAC address twice, as CIS writes it for two nodes with
/// one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepeatedRecords {
    /// The whole list is refused with a 409, as a second object of one name is. *Assumed*: no device was
    /// recorded with such a list. CIS does not know the answer and writes the list again for ever.
    #[default]
    Refused,
    /// The last one of them is stored.
    LastWins,
}

impl TwoCredentials {
    const ALL: [Self; 2] = [Self::Accepted, Self::Refused];
}

impl fmt::Display for TwoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        })
    }
}

impl FromStr for TwoCredentials {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|value| value.to_string() == text)
            .ok_or(UnknownValue("accepted, refused"))
    }
}

impl RepeatedRecords {
    const ALL: [Self; 2] = [Self::Refused, Self::LastWins];
}

impl fmt::Display for RepeatedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::LastWins => "last-wins",
        })
    }
}

impl FromStr for RepeatedRecords {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|value| value.to_string() == text)
            .ok_or(UnknownValue("refused, last-wins"))
    }
}
