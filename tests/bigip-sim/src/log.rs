//! What was asked of the device, and how often it was asked to change.
//!
//! Passwords never come here, and token values are masked before they are stored.

use std::collections::VecDeque;

use hyper::Method;
use jiff::Timestamp;

/// The oldest entries are forgotten beyond this, so that a device left running does not grow.
const CAPACITY: usize = 100_000;

/// A request as it was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Method.
    pub method: Method,
    /// Path and query, as sent; the value of a token is replaced by `***`.
    pub path: String,
    /// Name of the record that it is about, from the path or, where one is made, from the body.
    pub record: Option<String>,
    /// Whether it was put into a transaction, to be carried out with it.
    pub is_queued: bool,
    /// Status of the answer; `None` while it waits, and for good if the connection was dropped.
    pub status: Option<u16>,
    /// When it arrived.
    pub at: Timestamp,
}

impl LoggedRequest {
    /// Whether it asks to change the configuration. Logins and token calls do not; nor does what has to do
    /// with transactions, whose commands change something when they are committed.
    pub fn is_mutation(&self) -> bool {
        let is_single = !self.is_queued && !self.path.starts_with("/mgmt/tm/transaction");
        is_single && asks_to_change(&self.method, &self.path)
    }
}

/// Whether a request asks for a change of the configuration, a transaction included. Ping changes none.
pub(crate) fn asks_to_change(method: &Method, path: &str) -> bool {
    let is_look = matches!(*method, Method::GET | Method::HEAD);
    !is_look && path.starts_with("/mgmt/tm/") && path != "/mgmt/tm/util/ping"
}

/// Names an entry while its request is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryId(u64);

/// The requests since the start or the last clearing, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<(EntryId, LoggedRequest)>,
    last_id: u64,
    mutations: u64,
}

impl Log {
    pub(crate) fn arrived(
        &mut self,
        method: &Method,
        path: &str,
        record: Option<String>,
        is_queued: bool,
        at: Timestamp,
    ) -> EntryId {
        self.last_id += 1;
        let id = EntryId(self.last_id);
        let request = LoggedRequest {
            method: method.clone(),
            path: mask(path),
            record,
            is_queued,
            status: None,
            at,
        };
        self.mutations += u64::from(request.is_mutation());
        if self.entries.len() == CAPACITY {
            self.entries.pop_front();
        }
        self.entries.push_back((id, request));
        id
    }

    pub(crate) fn answered(&mut self, id: EntryId, status: u16) {
        let entry = self
            .entries
            .iter_mut()
            .rev()
            .find(|(entry, _)| *entry == id);
        if let Some((_, request)) = entry {
            request.status = Some(status);
        }
    }

    /// Requests to change the configuration, whatever came of them; not reset by clearing.
    pub(crate) fn mutations(&self) -> u64 {
        self.mutations
    }

    pub(crate) fn requests(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.entries.iter().map(|(_, request)| request)
    }

    pub(crate) fn get(&self, id: EntryId) -> Option<&LoggedRequest> {
        let entry = self.entries.iter().find(|(entry, _)| *entry == id);
        entry.map(|(_, request)| request)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// Replaces whatever follows `tokens/`.
pub(crate) fn mask(path: &str) -> String {
    const BEFORE_TOKEN: &str = "tokens/";
    match path.split_once(BEFORE_TOKEN) {
        Some((before, _)) => format!("{before}{BEFORE_TOKEN}***"),
        None => path.to_owned(),
    }
}
