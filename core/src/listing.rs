//! The records of a tunnel as read, with the names that the device gave them.
//!
//! Knows nothing of JSON or of requests.

use std::collections::BTreeMap;
use std::fmt;

use crate::endpoint::Endpoint;
use crate::mac::MacAddress;
use crate::record::ObservedRecords;

/// The name of a record on the device: its MAC address, spelled as the device spells it. Always six
/// octets of hex digits with colons or dashes, so that it needs no encoding in a URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecordName(String);

impl RecordName {
    /// Keeps a spelling that parses as `mac`.
    pub fn spelled(text: &str) -> Option<(MacAddress, Self)> {
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
    pub observed: ObservedRecords,
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

    /// Notes what became of a record after a write: its endpoint, or `None` for one that is gone. A
    /// record that comes back later has the name that this product gives it.
    pub fn note(&mut self, mac: MacAddress, endpoint: Option<Endpoint>) {
        self.observed.unreadable.remove(&mac);
        if let Some(endpoint) = endpoint {
            self.observed.records.insert(mac, endpoint);
        } else {
            self.observed.records.remove(&mac);
            self.spellings.remove(&mac);
        }
    }

    /// Memory that the list takes, about: what its trees take of the system for each record.
    pub fn held_bytes(&self) -> usize {
        const RECORD: usize = 64;
        const SPELLING: usize = 128;
        let observed = &self.observed;
        let records = observed.records.len() + observed.unreadable.len();
        records * RECORD + self.spellings.len() * SPELLING
    }

    /// Takes a record in by the texts that it is listed with. Of a record whose MAC address cannot be read
    /// only the number is kept; one whose endpoint cannot be read, or that is listed a second time, is
    /// there and unreadable.
    pub fn insert(&mut self, name: Option<&str>, endpoint: Option<&str>) {
        let Some((mac, name)) = name.and_then(RecordName::spelled) else {
            self.observed.unnamed += 1;
            return;
        };
        let observed = &mut self.observed;
        let is_second = observed.contains(mac);
        match endpoint.and_then(|text| text.parse().ok()) {
            Some(endpoint) if !is_second => {
                observed.records.insert(mac, endpoint);
            }
            _ => {
                observed.records.remove(&mac);
                observed.unreadable.insert(mac);
            }
        }
        if name != RecordName::from(mac) {
            self.spellings.insert(mac, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Records;

    #[test]
    fn record_keeps_its_spelling_until_removal() {
        let endpoint = "192.168.200.65%0".parse().unwrap();
        let mac = "0a:0a:c0:a8:c8:41".parse().unwrap();
        let mut listing = Listing::default();
        listing.insert(Some("0A:0A:C0:A8:C8:41"), Some("192.168.200.65%0"));
        listing.note(mac, Some("192.168.200.66%0".parse().unwrap()));
        assert_eq!(listing.name_of(mac).as_str(), "0A:0A:C0:A8:C8:41");
        listing.note(mac, None);
        listing.note(mac, Some(endpoint));
        assert_eq!(listing.name_of(mac).as_str(), "0a:0a:c0:a8:c8:41");
        assert_eq!(listing.observed, Records::from([(mac, endpoint)]).into());
    }
}
