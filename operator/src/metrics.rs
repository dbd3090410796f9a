//! Counters of the process, in the text format of Prometheus.
//!
//! Labels come from closed sets: never a name of an object, a node or a device.

use std::sync::Mutex;

use bigip_tunnel_core::vocabulary::reason;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// What is written to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    operation: WriteKind,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// All metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    writes: Family<WriteLabels, Counter>,
    passes: Family<ReasonLabel, Counter>,
    status_writes: Counter,
    tunnels: Gauge,
    leader: Gauge,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("bigiptunnel");
        let writes = Family::default();
        registry.register(
            "device_writes",
            "Writes to BIG-IPs, by how they ended",
            writes.clone(),
        );
        let passes = Family::default();
        registry.register(
            "device_passes",
            "Passes over a device, by how they ended",
            passes.clone(),
        );
        let status_writes = Counter::default();
        registry.register(
            "status_writes",
            "Writes of the displayed status",
            status_writes.clone(),
        );
        let tunnels = Gauge::default();
        registry.register(
            "tunnels",
            "BigIpTunnel objects that the leader works on",
            tunnels.clone(),
        );
        let leader = Gauge::default();
        registry.register(
            "leader",
            "Whether this process leads: 1 while it may write, else 0",
            leader.clone(),
        );
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        Self {
            registry: Mutex::new(registry),
            writes,
            passes,
            status_writes,
            tunnels,
            leader,
        }
    }

    /// Counts a write. `failed` is the reason why it failed, if it did.
    pub(crate) fn record_write(&self, operation: WriteKind, failed: Option<&'static str>) {
        let reason = failed.unwrap_or(reason::ANSWERED);
        self.writes
            .get_or_create(&WriteLabels { operation, reason })
            .inc();
    }

    /// Counts a pass.
    pub(crate) fn record_pass(&self, reason: &'static str) {
        self.passes.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a write of a status.
    pub(crate) fn record_status_write(&self) {
        self.status_writes.inc();
    }

    /// Says how many objects are worked on.
    pub(crate) fn set_tunnels(&self, count: usize) {
        self.tunnels.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Everything as text. `leads`: whether this process may write now.
    pub(crate) fn render(&self, leads: bool) -> String {
        self.leader.set(i64::from(leads));
        let registry = self
            .registry
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _: Result<(), std::fmt::Error> = encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_counted_under_how_it_ended() {
        let metrics = Metrics::new();
        metrics.record_write(WriteKind::Add, None);
        metrics.record_write(WriteKind::Add, Some(reason::TIMEOUT));
        let text = metrics.render(true);
        for line in [
            r#"bigiptunnel_device_writes_total{operation="Add",reason="Answered"} 1"#,
            r#"bigiptunnel_device_writes_total{operation="Add",reason="Timeout"} 1"#,
            "bigiptunnel_leader 1",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
