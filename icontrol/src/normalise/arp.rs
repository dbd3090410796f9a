//! ARP entries, out of what the statistics of a unit say. What is no ARP entry of an IPv4 address is left out.

use std::net::Ipv4Addr;

use bigip_tunnel_core::arp::{ArpEntry, ArpMac};
use bigip_tunnel_core::endpoint::RouteDomain;

use crate::collection::Collected;
use crate::error::{ErrorKind, Mismatch, clean};
use crate::items::Shape;
use crate::wire;

/// Entries that are read. The table of a unit holds 8,192 by default (`arp.maxentries`).
const ENTRIES_MAX: usize = 100_000;
/// The partition whose objects are shown without it, where any are.
const COMMON: &str = "/Common/";

/// The entries of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    pub(crate) entries: Vec<ArpEntry>,
    heap_bytes: usize,
}

impl Collected for Entries {
    // How it goes on is not recorded; of tunnels it is `tunnelcollectionstats`.
    const KIND: &'static str = "tm:net:arp:";
    const LIST: &'static str = "ARP entries (net/arp/stats)";
    const SHAPE: Shape = Shape::Entries;

    fn take(&mut self, index: usize, member: Option<&[u8]>) -> Result<(), ErrorKind> {
        let json = member.filter(|_| index < ENTRIES_MAX);
        let json = json.ok_or(Mismatch::TooLarge)?;
        let resource = Self::LIST;
        let read = serde_json::from_slice::<wire::StatsEntry>(json);
        let read = read.map_err(|_| Mismatch::Member { resource, index })?;
        if let Some(entry) = entry(read) {
            self.heap_bytes += entry.interface.capacity();
            self.entries.push(entry);
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<ArpEntry>() + self.heap_bytes
    }
}

fn entry(entry: wire::StatsEntry) -> Option<ArpEntry> {
    let mut fields = entry.nested_stats.entries;
    let mut text = |name: &str| fields.remove(name)?.description;
    let (address, route_domain) = address(&text("ipAddress")?)?;
    let mac = text("macAddress");
    Some(ArpEntry {
        address,
        route_domain,
        interface: interface(&text("vlan").unwrap_or_default()),
        mac: mac.map_or(ArpMac::Unreadable, |text| self::mac(&text)),
    })
}

/// An address with its route domain (`10.0.1.7%2`), as other resources show them.
fn address(text: &str) -> Option<(Ipv4Addr, RouteDomain)> {
    match text.split_once('%') {
        Some((address, domain)) => Some((address.parse().ok()?, domain.parse().ok()?)),
        None => Some((text.parse().ok()?, RouteDomain::ZERO)),
    }
}

fn mac(text: &str) -> ArpMac {
    let text = text.trim();
    if text.eq_ignore_ascii_case("incomplete") {
        return ArpMac::Incomplete;
    }
    text.parse().map_or(ArpMac::Unreadable, ArpMac::Known)
}

/// The full path. A name without a partition is in `/Common` (*assumed*: none was seen).
fn interface(text: &str) -> String {
    match text.trim() {
        text if text.starts_with('/') || text.is_empty() => clean(text),
        name => clean(&format!("{COMMON}{name}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::collection::read_in_pieces;

    /// The statistics of entries under these keys. `kind` is *assumed*.
    fn statistics(entries: &[(&str, Value)]) -> Vec<u8> {
        let nested = |fields: &Value| json!({"nestedStats": {"entries": fields}});
        let entries = entries
            .iter()
            .map(|(key, fields)| ((*key).to_owned(), nested(fields)));
        let entries: serde_json::Map<_, _> = entries.collect();
        let body = json!({"kind": "tm:net:arp:arpcollectionstats", "entries": entries});
        body.to_string().into_bytes()
    }

    fn shown(address: &str, mac: &str, vlan: &str, status: &str) -> Value {
        json!({
            "ipAddress": {"description": address},
            "macAddress": {"description": mac},
            "vlan": {"description": vlan},
            "status": {"description": status},
            "expire": {"value": 42},
        })
    }

    fn read(body: &[u8]) -> Result<Vec<ArpEntry>, ErrorKind> {
        read_in_pieces::<Entries>(body, 7).map(|(entries, ..)| entries.entries)
    }

    #[test]
    fn entries_are_read_under_keys_of_either_form() {
        let tunnel = "/Common/flannel_vxlan";
        let body = statistics(&[
            (
                "https://localhost/mgmt/tm/net/arp/10.0.1.7/stats",
                shown("10.0.1.7", "52:54:00:3E:3F:C1", tunnel, "resolved"),
            ),
            (
                "https://localhost/mgmt/tm/net/arp/~Common~10.0.1.8/stats",
                shown("10.0.1.8%2", "incomplete", tunnel, "unknown"),
            ),
        ]);
        let entry = |address: &str, domain: &str, mac| ArpEntry {
            address: address.parse().unwrap(),
            route_domain: domain.parse().unwrap(),
            interface: tunnel.to_owned(),
            mac,
        };
        let mac = ArpMac::Known("52:54:00:3e:3f:c1".parse().unwrap());
        let expected = [
            entry("10.0.1.7", "0", mac),
            entry("10.0.1.8", "2", ArpMac::Incomplete),
        ];
        assert_eq!(read(&body).unwrap(), expected);
    }

    #[test]
    fn table_without_entries_is_empty() {
        let body = br#"{"kind":"tm:net:arp:arpcollectionstats","selfLink":"s"}"#;
        assert_eq!(read(body).unwrap(), []);
    }

    #[test]
    fn zero_mac_differs_from_a_missing_mac() {
        assert_eq!(
            mac("00:00:00:00:00:00"),
            ArpMac::Known(bigip_tunnel_core::mac::MacAddress::new([0; 6]))
        );
        assert_eq!(mac("incomplete"), ArpMac::Incomplete);
        assert_eq!(mac("none"), ArpMac::Unreadable);
    }

    #[test]
    fn odd_entry_hides_no_other_entry() {
        let body = statistics(&[
            ("a", json!({"ipAddress": {"description": "fd00::7"}})),
            ("b", json!({"macAddress": {"value": 1}})),
            ("c", shown("10.0.1.7", "?", "internal", "?")),
        ]);
        let entries = read(&body).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].mac, ArpMac::Unreadable);
        assert_eq!(entries[0].interface, "/Common/internal");
    }

    #[test]
    fn answer_of_another_kind_is_no_table() {
        for body in [
            r#"{"kind":"tm:net:arp:arpcollectionstats","entries":{},"nextLink":"x"}"#,
            r#"{"kind":"tm:net:ndp:ndpcollectionstats","entries":{}}"#,
            r#"{"entries":{}}"#,
            r#"{"kind":"tm:net:arp:arpcollectionstats","entries":{"a":{}}}"#,
            "<html>",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
