//! The records of a tunnel as read, with the names that the device gave them.
//!
//! Knows nothing of JSON or of requests.

use std::collections::BTreeMap;
use std::fmt;

use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::Records;

/// The name of a record on the device: its MAC address, spelled as the device spells it. Always six
/// octets of hex digits with colons or dashes, so that it needs no encoding in a URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecordName(String);

impl RecordName {
    /// Keeps a spelling that parses as `mac`.
    pub(crate) fn spelled(text: &str) -> Option<(MacAddress, Self)> {
        let mac = text.parse().ok()?;
        Some((mac, Self(text.to_owned())))
    }

    /// The name as it stands.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<MacAddress> for RecordName {
    /// The name of a record that this product writes: lower case, colons.
    fn from(mac: MacAddress) -> Self {
        Self(mac.to_string())
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All records of one tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// What is compared.
    pub records: Records,
    /// Names that are not spelled as this product spells them.
    spellings: BTreeMap<MacAddress, RecordName>,
}

impl Listing {
    /// The name to address a record by: exactly as it was read, otherwise in lower case. Whether a
    /// device finds a record under another spelling of its MAC is not known.
    pub fn name_of(&self, mac: MacAddress) -> RecordName {
        self.spellings
            .get(&mac)
            .cloned()
            .unwrap_or_else(|| RecordName::from(mac))
    }

    /// Takes a record in. Returns false if its MAC is already there.
    pub(crate) fn insert(
        &mut self,
        (mac, name): (MacAddress, RecordName),
        endpoint: Endpoint,
    ) -> bool {
        if name != RecordName::from(mac) {
            self.spellings.insert(mac, name);
        }
        self.records.insert(mac, endpoint).is_none()
    }
}
