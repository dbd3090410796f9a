//! Which request goes wrong, and how.
//!
//! Faults are matched here; what they do is done by the state (answers) and the server (connections).
//! It must not know what a request means.

use hyper::Method;

/// Something that goes wrong with the requests it matches.
#[derive(Debug, Clone)]
pub struct Fault {
    method: Option<Method>,
    path_contains: String,
    path_ends_with: String,
    nth: Option<u64>,
    effect: Effect,
}

impl Fault {
    /// A fault that hits every request, until narrowed.
    pub fn new(effect: Effect) -> Self {
        Self {
            method: None,
            path_contains: String::new(),
            path_ends_with: String::new(),
            nth: None,
            effect,
        }
    }

    /// Hits this method only.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Hits requests whose path and query, as sent, contain this text.
    #[must_use]
    pub fn path_contains(mut self, text: impl Into<String>) -> Self {
        self.path_contains = text.into();
        self
    }

    /// Hits requests whose path and query, as sent, end with this text.
    #[must_use]
    pub fn path_ends_with(mut self, text: impl Into<String>) -> Self {
        self.path_ends_with = text.into();
        self
    }

    /// Hits one request only: the n-th that matches, counted from 1 and from when the fault was set.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// This answer; the request is not carried out.
    Status {
        /// Status code; one that HTTP does not know becomes 500.
        code: u16,
        /// `Content-Type` of the answer.
        content_type: String,
        /// Body of the answer.
        body: String,
    },
    /// 503 with the HTML page of a restarting web front end (ANS `module_utils/bigip.py`).
    Html503,
    /// 404 of restjavad while its workers start (BRG `bigip/utils.go`).
    NotRegistered404,
    /// The connection ends; the request is not carried out.
    DropBeforeCommit,
    /// The request is carried out, then the connection ends without an answer.
    DropAfterCommit,
    /// The request waits until the fault is removed and is carried out then, also if its sender has
    /// gone: how a late write of a busy device looks.
    Stall,
    /// The request waits until the fault is removed; then the connection ends, and the request is
    /// not carried out. A test can end its sender at exactly this moment.
    StallThenDrop,
    /// The request is carried out and its answer waits until the fault is removed; then the
    /// connection ends without an answer.
    CommitThenStall,
}

/// Names a fault that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(u64);

/// The faults of a device, in the order they were set.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    set: Vec<Counted>,
    last_id: u64,
}

#[derive(Debug)]
struct Counted {
    id: FaultId,
    fault: Fault,
    matched: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> FaultId {
        self.last_id += 1;
        let id = FaultId(self.last_id);
        self.set.push(Counted {
            id,
            fault,
            matched: 0,
        });
        id
    }

    pub(crate) fn remove(&mut self, id: FaultId) {
        self.set.retain(|counted| counted.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }

    pub(crate) fn contains(&self, id: FaultId) -> bool {
        self.set.iter().any(|counted| counted.id == id)
    }

    /// Counts the request with every fault that matches; the first that is due takes effect.
    pub(crate) fn strike(&mut self, method: &Method, path: &str) -> Option<(FaultId, Effect)> {
        let mut struck = None;
        for counted in &mut self.set {
            let fault = &counted.fault;
            let matches = fault.method.as_ref().is_none_or(|wanted| wanted == method)
                && path.contains(&fault.path_contains)
                && path.ends_with(&fault.path_ends_with);
            if !matches {
                continue;
            }
            counted.matched += 1;
            if struck.is_none() && fault.nth.is_none_or(|nth| nth == counted.matched) {
                struck = Some((counted.id, fault.effect.clone()));
            }
        }
        struck
    }
}
