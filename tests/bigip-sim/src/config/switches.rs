//! Where devices differ, or may differ, and whoever runs the simulator has to choose.

use std::fmt;
use std::str::FromStr;

use super::UnknownValue;

/// What becomes of a token that comes together with Basic credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TwoCredentials {
    /// Refused from 17.1 on, else the token counts. The refusal is known from one thread about one release
    /// (17.1.2.1, f5devcentral/application-study-tool#153); that all of 17.1 refuses is *assumed*. Against it
    /// stands that CIS sends both, and F5 supports it on 17.
    #[default]
    ByVersion,
    /// The token counts.
    Accepted,
    /// Refused with a 401 page.
    Refused,
}

/// What becomes of a list of FDB records that has one MAC address twice, as CIS writes it for two nodes with
/// one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepeatedRecords {
    /// The whole list is refused with a 409, as a second object of one name is. *Assumed*: nobody was seen to
    /// write such a list. A client that does not know the answer writes it again for ever.
    #[default]
    Refused,
    /// The last one of them is stored.
    LastWins,
}

impl TwoCredentials {
    const ALL: [Self; 3] = [Self::ByVersion, Self::Accepted, Self::Refused];
}

impl fmt::Display for TwoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByVersion => "by-version",
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
            .ok_or(UnknownValue("by-version, accepted, refused"))
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
