//! What is counted and timed of one device of one object. Goes with the work on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bigip_tunnel_core::reason::Reason;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds in seconds. A record is there within one second where nothing is in the way.
const PROPAGATION_SECONDS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// What is written to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EncodeLabelValue)]
pub(crate) enum WriteKind {
    /// A new record.
    Add,
    /// All records of an empty tunnel at once.
    Fill,
    /// Another endpoint for a record of ours.
    Correct,
    /// One record less.
    Remove,
    /// The running configuration into the stored one.
    Save,
}

/// How writes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub(super) struct WriteLabels {
    operation: WriteKind,
    reason: &'static str,
}

/// How passes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    reason: &'static str,
}

/// The numbers of one device.
#[derive(Debug)]
pub(crate) struct DeviceMetrics(Mutex<Numbers>);

/// What was counted so far.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) writes: BTreeMap<WriteLabels, u64>,
    pub(super) passes: BTreeMap<ReasonLabel, u64>,
    pub(super) drift: u64,
    pub(super) propagation: Histogram,
    /// Unix time of the last whole read of the records, in seconds.
    pub(super) last_read_s: Option<i64>,
}

impl Default for DeviceMetrics {
    fn default() -> Self {
        Self(Mutex::new(Numbers {
            writes: BTreeMap::new(),
            passes: BTreeMap::new(),
            drift: 0,
            propagation: Histogram::new(PROPAGATION_SECONDS),
            last_read_s: None,
        }))
    }
}

impl DeviceMetrics {
    /// Counts a write. `failed` is the reason why it failed, if it did.
    pub(crate) fn record_write(&self, operation: WriteKind, failed: Option<Reason>) {
        let reason = failed.unwrap_or(Reason::Answered).as_str();
        let labels = WriteLabels { operation, reason };
        *self.lock().writes.entry(labels).or_default() += 1;
    }

    /// Counts a pass by how it ended.
    pub(crate) fn record_pass(&self, reason: Reason) {
        let reason = reason.as_str();
        *self
            .lock()
            .passes
            .entry(ReasonLabel { reason })
            .or_default() += 1;
    }

    /// Counts that somebody else was found to have removed or changed records.
    pub(crate) fn record_drift(&self) {
        self.lock().drift += 1;
    }

    /// Counts how long a node waited for its record.
    pub(crate) fn record_propagation(&self, took: Duration) {
        self.lock().propagation.observe(took.as_secs_f64());
    }

    /// Notes when the records were last read whole, in seconds since 1970.
    pub(crate) fn set_last_read(&self, unix_s: i64) {
        self.lock().last_read_s = Some(unix_s);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
