//! The FDB records of tunnels.
//!
//! It checks nothing: what a record may be is for the resources to say.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Configuration, FDB_TUNNEL};
use crate::journal::Endpoints;

/// An FDB record, texts as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// Suffix included if it was written with one (recorded on 12.1, 14.1.3.1, 16.1.2).
    pub(crate) endpoint: String,
    /// *Assumed* to be kept; the 12.0 schema has it.
    pub(crate) description: Option<String>,
    /// Properties that no request of this simulator's clients writes, such as `replicators` (12.0 schema).
    /// They are shown in place of others of the same name; `null` takes one away. A write of the whole
    /// list loses them.
    pub(crate) odd: Map<String, Value>,
    pub(crate) generation: u64,
}

impl Record {
    /// What is compared to tell whether it was changed.
    fn summary(&self) -> String {
        if self.odd.is_empty() {
            return self.endpoint.clone();
        }
        format!("{} {}", self.endpoint, Value::Object(self.odd.clone()))
    }
}

impl Configuration {
    /// The records of a tunnel by rising MAC address, the order of the recorded lists; none if there is no
    /// such tunnel.
    pub(crate) fn records(&self, tunnel: &str) -> impl Iterator<Item = &Record> {
        let records = self.records.get(tunnel).into_iter();
        records.flat_map(BTreeMap::values)
    }

    /// The record of this name, in whatever case it is written.
    pub(crate) fn record(&self, tunnel: &str, mac: &str) -> Option<&Record> {
        self.records.get(tunnel)?.get(&key(mac))
    }

    /// Endpoints by tunnel and name, of all records or of those of one name.
    pub(crate) fn endpoints(&self, mac: Option<&str>) -> Endpoints {
        let name = mac.map(key);
        let tunnels = self.records.iter();
        let records = tunnels.flat_map(|(tunnel, records)| {
            let named = name.iter().filter_map(|name| records.get_key_value(name));
            let all = records.iter().filter(|_| name.is_none());
            named.chain(all).map(move |record| (tunnel, record))
        });
        records
            .map(|(tunnel, (name, record))| {
                let key = (tunnel.clone(), name.clone());
                (key, record.summary())
            })
            .collect()
    }

    /// Writes one record, new or not, without any check; false if there is no such tunnel.
    pub(crate) fn put_record(
        &mut self,
        tunnel: &str,
        mac: &str,
        endpoint: &str,
        description: Option<String>,
    ) -> bool {
        if !self.records.contains_key(tunnel) {
            return false;
        }
        let odd = self.record(tunnel, mac).map(|record| record.odd.clone());
        let record = Record {
            name: mac.to_owned(),
            endpoint: endpoint.to_owned(),
            description,
            odd: odd.unwrap_or_default(),
            generation: self.next_fdb_generation(tunnel),
        };
        let records = self.records.entry(tunnel.to_owned()).or_default();
        records.insert(key(mac), record);
        true
    }

    /// Gives a record properties of any kind; makes it, without an endpoint, if it is new. False if there
    /// is no such tunnel.
    pub(crate) fn put_odd_record(
        &mut self,
        tunnel: &str,
        mac: &str,
        odd: Map<String, Value>,
    ) -> bool {
        let known = self
            .record(tunnel, mac)
            .map(|record| record.endpoint.clone());
        let is_there = self.put_record(tunnel, mac, &known.unwrap_or_default(), None);
        let records = self.records.get_mut(tunnel);
        if let Some(record) = records.and_then(|records| records.get_mut(&key(mac))) {
            record.odd = odd;
        }
        is_there
    }

    /// Removes one record; false if there is none.
    pub(crate) fn remove_record(&mut self, tunnel: &str, mac: &str) -> bool {
        let records = self.records.get_mut(tunnel);
        let removed = records.and_then(|records| records.remove(&key(mac)));
        if removed.is_some() {
            self.next_fdb_generation(tunnel);
        }
        removed.is_some()
    }

    /// Replaces the whole list of a tunnel at once, if there is such a tunnel. Every record gets the same
    /// generation (CCCL fixture).
    pub(crate) fn replace_records(&mut self, tunnel: &str, list: Vec<Record>) {
        if !self.records.contains_key(tunnel) {
            return;
        }
        let generation = self.next_fdb_generation(tunnel);
        let numbered = list.into_iter().map(|record| Record {
            generation,
            ..record
        });
        let records = numbered.map(|record| (key(&record.name), record));
        self.records.insert(tunnel.to_owned(), records.collect());
    }

    /// The number of a change to the records, which becomes that of the tunnel, too (CIS#1730).
    fn next_fdb_generation(&mut self, tunnel: &str) -> u64 {
        let generation = self.next_generation();
        if let Some(object) = self.edit(FDB_TUNNEL, tunnel) {
            object.generation = generation;
        }
        generation
    }
}

fn key(mac: &str) -> String {
    mac.to_ascii_lowercase()
}
