//! Every request that asks for a change and every change of a record, from the start on: what a checker of a
//! whole run needs. Clearing the log does not clear it.
//!
//! Token values are kept to tell sessions apart, and never shown.

use std::collections::BTreeMap;

use hyper::Method;
use hyper::header::HeaderValue;
use jiff::Timestamp;

use crate::log::mask;

/// Nothing more is noted beyond so many entries, so that a device left running does not grow.
const CAPACITY: usize = 100_000;

/// A request that asks to change the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Method.
    pub method: Method,
    /// Path and query, as sent.
    pub path: String,
    /// Which session it belongs to: requests with the same token have the same number.
    pub session: usize,
    /// When it arrived.
    pub began: Timestamp,
    /// When its answer was ready, or its client was gone.
    pub ended: Option<Timestamp>,
    /// Whether it was answered, in whatever way.
    pub is_answered: bool,
}

/// A change of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// Path of the tunnel.
    pub tunnel: String,
    /// Name of the record, in lower case.
    pub mac: String,
    /// Its endpoint before, if it was there.
    pub before: Option<String>,
    /// Its endpoint after, if it is there.
    pub after: Option<String>,
    /// The place in [`Journal::writes`] of the request that made the change; `None` for a change that no
    /// request made.
    pub write: Option<usize>,
}

/// What has changed on a device, and what was asked to change.
#[derive(Debug, Default, Clone)]
pub struct Journal {
    writes: Vec<Write>,
    changes: Vec<RecordChange>,
    tokens: Vec<Option<HeaderValue>>,
}

/// Endpoints by tunnel and record.
pub(crate) type Endpoints = BTreeMap<(String, String), String>;

/// Names a write while its request is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteId(usize);

impl Journal {
    /// The requests that ask for a change, in the order of their arrival.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The changes of records, in their order.
    pub fn changes(&self) -> &[RecordChange] {
        &self.changes
    }

    pub(crate) fn began(
        &mut self,
        method: &Method,
        path: &str,
        token: Option<&HeaderValue>,
        at: Timestamp,
    ) -> Option<WriteId> {
        if self.writes.len() >= CAPACITY {
            return None;
        }
        let known = self.tokens.iter().position(|known| known.as_ref() == token);
        let session = known.unwrap_or_else(|| {
            self.tokens.push(token.cloned());
            self.tokens.len() - 1
        });
        self.writes.push(Write {
            method: method.clone(),
            path: mask(path),
            session,
            began: at,
            ended: None,
            is_answered: false,
        });
        Some(WriteId(self.writes.len() - 1))
    }

    pub(crate) fn ended(&mut self, id: WriteId, is_answered: bool, at: Timestamp) {
        if let Some(write) = self.writes.get_mut(id.0) {
            write.ended = Some(at);
            write.is_answered = is_answered;
        }
    }

    pub(crate) fn changed(
        &mut self,
        mut before: Endpoints,
        after: Endpoints,
        write: Option<WriteId>,
    ) {
        if self.changes.len() >= CAPACITY {
            return;
        }
        let write = write.map(|id| id.0);
        for ((tunnel, mac), endpoint) in after {
            let key = (tunnel, mac);
            let earlier = before.remove(&key);
            if earlier.as_ref() == Some(&endpoint) {
                continue;
            }
            self.changes.push(RecordChange {
                tunnel: key.0,
                mac: key.1,
                before: earlier,
                after: Some(endpoint),
                write,
            });
        }
        let removed = before.into_iter();
        self.changes
            .extend(removed.map(|((tunnel, mac), endpoint)| RecordChange {
                tunnel,
                mac,
                before: Some(endpoint),
                after: None,
                write,
            }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(records: &[(&str, &str)]) -> Endpoints {
        let records = records.iter();
        records
            .map(|(mac, endpoint)| {
                let key = ("/Common/t".to_owned(), (*mac).to_owned());
                (key, (*endpoint).to_owned())
            })
            .collect()
    }

    #[test]
    fn only_changed_records_are_noted() {
        let before = endpoints(&[("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3")]);
        let after = endpoints(&[("a", "10.0.0.1"), ("b", "10.0.0.9"), ("d", "10.0.0.4")]);
        let mut journal = Journal::default();
        journal.changed(before, after, None);
        let changes = journal.changes().iter();
        let changes: Vec<_> = changes
            .map(|c| (&*c.mac, c.before.as_deref(), c.after.as_deref()))
            .collect();
        let expected = [
            ("b", Some("10.0.0.2"), Some("10.0.0.9")),
            ("d", None, Some("10.0.0.4")),
            ("c", Some("10.0.0.3"), None),
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn requests_with_one_token_are_one_session() {
        let mut journal = Journal::default();
        let tokens = ["x", "y", "x"].map(HeaderValue::from_static);
        for token in &tokens {
            let at = Timestamp::UNIX_EPOCH;
            journal.began(&Method::POST, "/mgmt/tm/net", Some(token), at);
        }
        let sessions: Vec<_> = journal.writes().iter().map(|w| w.session).collect();
        assert_eq!(sessions, [0, 1, 0]);
    }
}
