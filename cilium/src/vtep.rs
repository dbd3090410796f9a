//! VTEP entries: the BIG-IPs as Cilium knows them, from the lists of its configuration and from objects.
//!
//! A multi-map: an endpoint may have several entries, and an entry with one bad member is an entry still.
//! Must not judge whether an entry matches a unit.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::Ipv4Net;
use serde_json::Value;

use crate::config::Config;
use crate::revision::Revision;
use crate::seen::{Scope, VtepNode};

/// Entries of an agent's table (cilium, `MaxVTEPDevices`).
pub const ENTRIES_MAX: usize = 8;

/// A CiliumVTEPConfig as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VtepObject {
    /// Its name.
    pub name: String,
    /// The nodes that it is for.
    pub scope: Scope,
    /// Its entries.
    pub entries: Vec<WrittenEntry>,
    /// What its status says of entries that are not programmed: name of the entry (empty: the object as a
    /// whole), and the status's own words.
    pub failed: Vec<(String, String)>,
}

/// An entry of an object as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WrittenEntry {
    /// Its name.
    pub name: String,
    /// Address of the BIG-IP.
    pub endpoint: String,
    /// Network behind it.
    pub cidr: String,
    /// MAC address of its tunnel.
    pub mac: String,
}

/// The list of entries in the served shapes: that of builds that serve `cilium.io/v2`, and upstream's.
const LISTS: [&str; 2] = ["endpoints", "vtepEndpoints"];
/// The lists of what became of them.
const STATUS_LISTS: [&str; 2] = ["endpointStatuses", "vtepEndpointStatuses"];

impl VtepObject {
    /// The object of this name and scope with this content (`spec` and `status`).
    pub fn new(name: impl Into<String>, scope: Scope, content: &Value) -> Self {
        Self {
            name: name.into(),
            scope,
            entries: entries(content).collect(),
            failed: failed(content.get("status")),
        }
    }
}

impl VtepNode {
    /// What the agent of this node says in a CiliumVTEPNodeConfig with this content.
    pub fn new(node: impl Into<String>, content: &Value, revision: Revision) -> Self {
        let status = content.get("status");
        let confirmed = revision.confirmed(status);
        let programmed = entries(content).filter(|entry| confirmed.contains(&entry.name));
        Self {
            node: node.into(),
            failed: failed(status),
            programmed: programmed.collect(),
        }
    }
}

/// The entries in the spec of this content.
fn entries(content: &Value) -> impl Iterator<Item = WrittenEntry> + use<'_> {
    let spec = content.get("spec");
    let lists = LISTS
        .iter()
        .filter_map(move |list| spec?.get(list)?.as_array());
    lists.flatten().map(|entry| WrittenEntry {
        name: text(entry, "name"),
        endpoint: text(entry, "tunnelEndpoint"),
        cidr: text(entry, "cidr"),
        mac: text(entry, "mac"),
    })
}

/// What a status says of each entry.
pub(crate) fn statuses(status: Option<&Value>) -> impl Iterator<Item = &Value> {
    let lists = STATUS_LISTS
        .iter()
        .filter_map(move |field| status?.get(field)?.as_array());
    lists.flatten()
}

/// Names of the entries that a status calls programmed, each time that it names them.
pub(crate) fn synced(status: Option<&Value>) -> BTreeSet<String> {
    let of_each = |is_synced: bool| {
        let each = statuses(status);
        let each = each
            .filter(move |entry| (entry.get("synced") == Some(&Value::Bool(true))) == is_synced);
        each.map(|entry| text(entry, "name")).collect()
    };
    let not_synced: BTreeSet<String> = of_each(false);
    let synced: BTreeSet<String> = of_each(true);
    synced.difference(&not_synced).cloned().collect()
}

/// Entries that a status calls not programmed, or the whole where only a condition says so.
fn failed(status: Option<&Value>) -> Vec<(String, String)> {
    let mut failed: Vec<(String, String)> = statuses(status)
        .filter(|entry| entry.get("synced") == Some(&Value::Bool(false)))
        .map(|entry| (text(entry, "name"), text(entry, "error")))
        .collect();
    if failed.is_empty() {
        let conditions = status.and_then(|status| status.get("conditions")?.as_array());
        let conditions = conditions.into_iter().flatten();
        let unready =
            conditions.filter(|c| text(c, "type") == "Ready" && text(c, "status") == "False");
        failed.extend(unready.map(|c| (String::new(), text(c, "message"))));
    }
    failed
}

fn text(data: &Value, field: &str) -> String {
    let text = data.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In the lists of the configuration, at this place (from 1).
    Lists(usize),
    /// In a CiliumVTEPConfig.
    Object {
        /// Name of the object.
        object: String,
        /// Name of the entry.
        entry: String,
    },
}

/// A BIG-IP, as Cilium knows it. A member that cannot be used says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub source: Source,
    /// The nodes that know it.
    pub scope: Scope,
    /// Where agents send to and answer to.
    pub endpoint: Result<Ipv4Addr, String>,
    /// The network behind it, host bits cut, as agents cut them.
    pub cidr: Result<Ipv4Net, String>,
    /// The MAC address that pods send to.
    pub mac: Result<MacAddress, String>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Lists(number) => write!(f, "VTEP entry {number}")?,
            Source::Object { object, entry } => {
                write!(f, "entry {entry} of CiliumVTEPConfig {object}")?;
            }
        }
        match &self.endpoint {
            Ok(endpoint) => write!(f, " ({endpoint})"),
            Err(_) => Ok(()),
        }
    }
}

impl Entry {
    /// What is wrong with its members.
    pub fn faults(&self) -> Vec<&str> {
        let endpoint = self.endpoint.as_ref().err();
        let cidr = self.cidr.as_ref().err();
        let faults = endpoint
            .into_iter()
            .chain(cidr)
            .chain(self.mac.as_ref().err());
        faults.map(String::as_str).collect()
    }

    /// Whether agents find it for this address. `prefix`: the mask of the lists.
    pub fn finds(&self, address: Ipv4Addr, prefix: Option<u8>) -> bool {
        let Ok(cidr) = &self.cidr else {
            return false;
        };
        match (&self.source, prefix) {
            (Source::Lists(_), Some(prefix)) => {
                let masked = Ipv4Net::new(address, prefix).map(|net| net.network());
                masked == Ok(cidr.network())
            }
            _ => cidr.contains(&address),
        }
    }

    fn new(source: Source, scope: Scope, written: &WrittenEntry) -> Self {
        let WrittenEntry {
            name: _,
            endpoint,
            cidr,
            mac,
        } = written;
        let cidr_of = |text: &str| text.parse::<Ipv4Net>().map(|net| net.trunc());
        Self {
            source,
            scope,
            endpoint: endpoint
                .parse()
                .map_err(|_| format!("{endpoint:?} is not an IPv4 address")),
            cidr: cidr_of(cidr).map_err(|_| format!("{cidr:?} is not an IPv4 network")),
            mac: unicast(mac),
        }
    }
}

/// The MAC address of a tunnel, in the forms that Go reads.
fn unicast(text: &str) -> Result<MacAddress, String> {
    let groups: Vec<&str> = text.split('.').collect();
    let plain = match groups.as_slice() {
        [a, b, c]
            if groups
                .iter()
                .all(|group| group.len() == 4 && group.is_ascii()) =>
        {
            let digits = format!("{a}{b}{c}");
            let octets: Vec<&str> = (0..6)
                .filter_map(|n| digits.get(n * 2..n * 2 + 2))
                .collect();
            octets.join(":")
        }
        _ => text.to_owned(),
    };
    let mac: MacAddress = plain
        .parse()
        .map_err(|_| format!("{text:?} is not a MAC address"))?;
    match mac.octets() {
        [0, 0, 0, 0, 0, 0] => Err(format!("{mac} is the MAC address zero")),
        [first, ..] if first & 1 == 1 => Err(format!("{mac} is a multicast MAC address")),
        _ => Ok(mac),
    }
}

/// How long the three lists are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Of `vtep-endpoint`.
    pub endpoints: usize,
    /// Of `vtep-cidr`.
    pub cidrs: usize,
    /// Of `vtep-mac`.
    pub macs: usize,
}

impl Lengths {
    /// Whether the lists are of one length.
    pub fn are_equal(self) -> bool {
        self.endpoints == self.cidrs && self.endpoints == self.macs
    }
}

/// The entries of the lists, as many as the longest list has items, and how long the lists are.
pub fn of_lists(config: Config<'_>) -> (Vec<Entry>, Lengths) {
    let endpoints = config.list("vtep-endpoint");
    let cidrs = config.list("vtep-cidr");
    let macs = config.list("vtep-mac");
    let lengths = Lengths {
        endpoints: endpoints.len(),
        cidrs: cidrs.len(),
        macs: macs.len(),
    };
    let longest = endpoints.len().max(cidrs.len()).max(macs.len());
    let item = |list: &[String], index: usize| list.get(index).cloned().unwrap_or_default();
    let entry = |index: usize| {
        let written = WrittenEntry {
            name: String::new(),
            endpoint: item(&endpoints, index),
            cidr: item(&cidrs, index),
            mac: item(&macs, index),
        };
        let mut entry = Entry::new(Source::Lists(index + 1), Scope::All, &written);
        let missing = |key: &str| format!("{key} has no item {}", index + 1);
        if index >= endpoints.len() {
            entry.endpoint = Err(missing("vtep-endpoint"));
        }
        if index >= cidrs.len() {
            entry.cidr = Err(missing("vtep-cidr"));
        }
        if index >= macs.len() {
            entry.mac = Err(missing("vtep-mac"));
        }
        entry
    };
    ((0..longest).map(entry).collect(), lengths)
}

/// The entries of the objects.
pub fn of_objects(objects: &[VtepObject]) -> Vec<Entry> {
    let entries = objects.iter().flat_map(|object| {
        object.entries.iter().map(|written| {
            let source = Source::Object {
                object: object.name.clone(),
                entry: written.name.clone(),
            };
            Entry::new(source, object.scope.clone(), written)
        })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lists(endpoint: &str, cidr: &str, mac: &str) -> Vec<Entry> {
        let data = [
            ("vtep-endpoint", endpoint),
            ("vtep-cidr", cidr),
            ("vtep-mac", mac),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
        of_lists(Config(&data.into())).0
    }

    #[test]
    fn bad_member_leaves_the_other_entries() {
        let macs = "01:50:56:00:00:01 02:50:56:00:00:02";
        let entries = lists("10.0.0.1 10.0.0.2", "10.1.73.0/24 10.1.74.0/24", macs);
        assert_eq!(
            entries[0].faults(),
            ["01:50:56:00:00:01 is a multicast MAC address"]
        );
        assert_eq!(entries[1].faults(), [""; 0]);
        assert_eq!(entries[0].to_string(), "VTEP entry 1 (10.0.0.1)");
    }

    #[test]
    fn short_list_is_a_fault_of_the_last_entry() {
        let entries = lists(
            "10.0.0.1,10.0.0.2",
            "10.1.73.0/24 10.1.74.0/24",
            "02:00:00:00:00:01",
        );
        assert_eq!(entries[0].faults(), [""; 0]);
        assert_eq!(entries[1].faults(), ["vtep-mac has no item 2"]);
    }

    #[test]
    fn host_bits_are_masked() {
        let entries = lists("10.0.0.1", "10.1.73.34/24", "02:00:00:00:00:01");
        assert_eq!(entries[0].cidr, Ok("10.1.73.0/24".parse().unwrap()));
    }

    #[test]
    fn mac_addresses_are_parsed_as_in_go() {
        let mac = |text: &str| unicast(text).map(|mac| mac.to_string());
        for text in ["02:AB:00:00:00:01", "02-ab-00-00-00-01", "02ab.0000.0001"] {
            assert_eq!(mac(text).as_deref(), Ok("02:ab:00:00:00:01"), "{text}");
        }
        for text in [
            "",
            "00:00:00:00:00:00",
            "03:00:00:00:00:01",
            "02ab.00",
            "ü.aaaa.aaaa",
        ] {
            assert!(mac(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mask_decides_which_addresses_an_entry_finds() {
        let entry = &lists("10.0.0.1", "10.1.6.0/24", "02:00:00:00:00:01")[0];
        let finds = |address: &str, prefix| entry.finds(address.parse().unwrap(), Some(prefix));
        assert!(finds("10.1.6.200", 24));
        assert!(finds("10.1.6.34", 25) && !finds("10.1.6.200", 25));
        assert!(!finds("10.1.6.34", 16));
        assert!(!finds("10.1.7.34", 24));
    }

    #[test]
    fn both_shapes_of_objects_are_read() {
        let entry = json!({"name": "lb-a", "tunnelEndpoint": "10.169.72.34",
            "cidr": "10.1.73.0/24", "mac": "02:50:56:00:00:01"});
        for list in ["endpoints", "vtepEndpoints"] {
            let object = VtepObject::new("g", Scope::All, &json!({"spec": {list: [entry]}}));
            let entries = of_objects(&[object]);
            assert_eq!(entries.len(), 1, "{list}");
            assert_eq!(entries[0].faults(), [""; 0]);
            let title = "entry lb-a of CiliumVTEPConfig g (10.169.72.34)";
            assert_eq!(entries[0].to_string(), title);
        }
    }

    #[test]
    fn entry_is_programmed_where_each_status_of_its_name_says_so() {
        let entry = |name: &str| json!({"name": name, "cidr": "10.1.73.0/24"});
        let status = |name: &str, synced: bool| json!({"name": name, "synced": synced});
        let node = |list: &str, statuses: &str, said: Value| {
            let content = json!({
                "spec": {list: [entry("a"), entry("b")]},
                "status": {statuses: said, "observedGeneration": 1},
            });
            let revision = Revision {
                generation: Some(1),
                changed: None,
            };
            let node = VtepNode::new("n", &content, revision);
            let names = node.programmed.iter().map(|entry| entry.name.clone());
            names.collect::<Vec<_>>()
        };
        let upstream = |said: Value| node("vtepEndpoints", "vtepEndpointStatuses", said);
        assert_eq!(upstream(json!([status("a", true)])), ["a"]);
        assert_eq!(
            upstream(json!([status("a", false), status("b", true)])),
            ["b"]
        );
        // Two objects may have entries of one name.
        assert_eq!(
            upstream(json!([status("a", true), status("a", false)])),
            [""; 0]
        );
        assert_eq!(upstream(json!([{"name": "a"}])), [""; 0]);
        assert_eq!(upstream(json!([status("c", true)])), [""; 0]);
        assert_eq!(
            node("endpoints", "endpointStatuses", json!([status("a", true)])),
            ["a"]
        );
    }

    #[test]
    fn failures_are_read_from_either_status() {
        let failed = |status: Value| {
            VtepNode::new("n", &json!({"status": status}), Revision::default()).failed
        };
        let entry = json!({"name": "lb-a", "synced": false, "error": "table full"});
        let named = vec![("lb-a".to_owned(), "table full".to_owned())];
        assert_eq!(failed(json!({"endpointStatuses": [entry]})), named);
        assert_eq!(failed(json!({"vtepEndpointStatuses": [entry]})), named);
        let unready = json!([{"type": "Ready", "status": "False", "message": "table full"}]);
        let whole = vec![(String::new(), "table full".to_owned())];
        assert_eq!(failed(json!({"conditions": unready})), whole);
        let fine = json!({"endpointStatuses": [{"name": "lb-a", "synced": true}]});
        assert_eq!(failed(fine), []);
    }
}
