//! The FDB record: the one type in which desired and observed state are compared.
//!
//! Whatever is read from a BIG-IP or derived from a node becomes an [`FdbRecord`] before anything is
//! decided, so that equal things compare equal. Knows nothing of where a record came from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::endpoint::Endpoint;
use crate::mac::{MacAddress, MacPrefix};

/// One static entry of a tunnel's forwarding database. The MAC address is its key: a BIG-IP holds at
/// most one record per tunnel and MAC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FdbRecord {
    /// The key.
    pub mac: MacAddress,
    /// Where frames for that MAC, and flooded frames, are sent.
    pub endpoint: Endpoint,
}

/// The records of one tunnel on one device, in MAC order.
pub type Records = BTreeMap<MacAddress, Endpoint>;

/// What a device shows as the records of one tunnel. A record is known by its MAC address; only one of
/// this product's MAC scheme has to have an endpoint that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedRecords {
    /// Records whose endpoint can be read.
    pub records: Records,
    /// Records whose MAC address can be read and nothing more: without an endpoint, with an odd one, or
    /// listed more than once.
    pub unreadable: BTreeSet<MacAddress>,
    /// How many records have a name that is not a MAC address.
    pub unnamed: usize,
}

impl ObservedRecords {
    /// Whether the tunnel holds no record of any kind. Only then a write of the whole list loses none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.unreadable.is_empty() && self.unnamed == 0
    }

    /// Whether a record of this MAC address is there, readable or not.
    pub fn contains(&self, mac: MacAddress) -> bool {
        self.records.contains_key(&mac) || self.unreadable.contains(&mac)
    }
}

impl From<Records> for ObservedRecords {
    fn from(records: Records) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }
}

impl FdbRecord {
    /// Whether the MAC encodes the record's own endpoint under `prefix`: the form this product (and
    /// F5 CIS) writes. Such a record is a leftover of ours or belongs to another writer of the same
    /// scheme; any other is certainly somebody else's.
    pub fn encodes_itself(&self, prefix: MacPrefix) -> bool {
        self.mac
            .encoded_address(prefix)
            .is_some_and(|address| self.endpoint.address == address)
    }
}

impl fmt::Display for FdbRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.mac, self.endpoint)
    }
}

impl fmt::Debug for FdbRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_record_encoding_its_endpoint_matches_scheme() {
        let mac = "0a:0a:0a:a9:48:ef".parse().unwrap();
        let looks_like_ours = |endpoint: &str| {
            FdbRecord {
                mac,
                endpoint: endpoint.parse().unwrap(),
            }
            .encodes_itself(MacPrefix::DEFAULT)
        };
        assert!(looks_like_ours("10.169.72.239%0"));
        assert!(looks_like_ours("10.169.72.239%7"));
        assert!(!looks_like_ours("10.169.72.240%0"));
    }
}
