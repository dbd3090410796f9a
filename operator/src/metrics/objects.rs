//! How the objects are: what their status says, in numbers, and what is counted of their devices.
//!
//! Labels name objects and devices, never a node or a record. What is shown of an object goes with the
//! work on it, and what is shown of a device goes with that one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_crds::v1alpha1::{BigIpTunnelSpec, BigIpTunnelStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::device::{DeviceMetrics, Numbers};
use super::snapshot::{GAUGES, Snapshot, of_device};
use crate::index::ObjectKey;

/// The objects that are shown. Copies show the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Objects(Arc<Mutex<BTreeMap<ObjectKey, Shown>>>);

#[derive(Debug, Default)]
struct Shown {
    status: Snapshot,
    devices: BTreeMap<String, Arc<DeviceMetrics>>,
}

impl Objects {
    /// Shows what spec and status of an object say.
    pub(crate) fn show(&self, key: &ObjectKey, spec: &BigIpTunnelSpec, status: &BigIpTunnelStatus) {
        self.lock().entry(key.clone()).or_default().status = Snapshot::of(spec, status);
    }

    /// The numbers of a device, begun anew if it has none.
    pub(crate) fn device(&self, key: &ObjectKey, device: &str) -> Arc<DeviceMetrics> {
        let mut objects = self.lock();
        let devices = &mut objects.entry(key.clone()).or_default().devices;
        devices.entry(device.to_owned()).or_default().clone()
    }

    /// Shows a device no more.
    pub(crate) fn forget_device(&self, key: &ObjectKey, device: &str) {
        if let Some(shown) = self.lock().get_mut(key) {
            shown.devices.remove(device);
        }
    }

    /// Shows an object no more.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let objects = self.lock();
        for (name, help, samples) in GAUGES {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (key, shown) in objects.iter() {
                for (labels, value) in samples(&shown.status) {
                    let labels = with_object(key, labels);
                    ConstGauge::new(*value).encode(metric.encode_family(&labels)?)?;
                }
            }
        }
        encode_devices(&objects, encoder)
    }
}

/// What was counted of the devices.
fn encode_devices(
    objects: &BTreeMap<ObjectKey, Shown>,
    mut encoder: DescriptorEncoder<'_>,
) -> fmt::Result {
    let mut encode = |name, help, kind, each: Each| {
        let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
        for (key, shown) in objects {
            for (device, numbers) in &shown.devices {
                let labels = with_object(key, &of_device(device));
                each(&labels, &numbers.lock(), &mut metric)?;
            }
        }
        Ok(())
    };
    encode(
        "device_writes",
        "Writes to a device, by how they ended",
        MetricType::Counter,
        |labels, numbers, metric| {
            for (own, count) in &numbers.writes {
                ConstCounter::new(*count).encode(metric.encode_family(&Both(labels, own))?)?;
            }
            Ok(())
        },
    )?;
    encode(
        "device_passes",
        "Passes over a device, by how they ended",
        MetricType::Counter,
        |labels, numbers, metric| {
            for (own, count) in &numbers.passes {
                ConstCounter::new(*count).encode(metric.encode_family(&Both(labels, own))?)?;
            }
            Ok(())
        },
    )?;
    encode(
        "drift_detected",
        "How often records were found that somebody else had removed or changed",
        MetricType::Counter,
        |labels, numbers, metric| {
            ConstCounter::new(numbers.drift).encode(metric.encode_family(labels)?)
        },
    )?;
    encode(
        "device_last_read_timestamp_seconds",
        "When the records were last read whole",
        MetricType::Gauge,
        |labels, numbers, metric| match numbers.last_read_s {
            Some(unix_s) => ConstGauge::new(unix_s).encode(metric.encode_family(labels)?),
            None => Ok(()),
        },
    )?;
    encode(
        "node_propagation_seconds",
        "From the event of a node to its record read back on the device",
        MetricType::Histogram,
        |labels, numbers, metric| numbers.propagation.encode(metric.encode_family(labels)?),
    )
}

/// Writes the samples of one device under the labels of its object and itself.
type Each = fn(&Labels, &Numbers, &mut MetricEncoder<'_>) -> fmt::Result;

/// The labels of an object, or of a device of it.
type Labels = Vec<(&'static str, String)>;

/// Labels, and those behind them.
struct Both<'a, L>(&'a Labels, &'a L);

impl<L: EncodeLabelSet> EncodeLabelSet for Both<'_, L> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)?;
        self.1.encode(encoder)
    }
}

fn with_object((namespace, name): &ObjectKey, labels: &[(&'static str, String)]) -> Labels {
    let mut all = vec![("namespace", namespace.clone()), ("name", name.clone())];
    all.extend_from_slice(labels);
    all
}

#[cfg(test)]
pub(super) mod tests {
    use bigip_tunnel_core::reason::Reason;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::metrics::WriteKind;
    use crate::metrics::testing::text_of as text;

    fn key() -> ObjectKey {
        ("bigip".to_owned(), "prod".to_owned())
    }

    fn spec() -> BigIpTunnelSpec {
        let spec = json!({"devices": [], "tunnel": {"name": "flannel_vxlan"}});
        serde_json::from_value(spec).unwrap()
    }

    fn status() -> BigIpTunnelStatus {
        let condition = |kind: &str, status: &str| {
            json!({
                "type": kind, "status": status, "reason": "Because", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        };
        let status = json!({
            "conditions": [condition("Ready", "False"), condition("Stalled", "True")],
            "nodes": {"selected": 48, "programmed": 46, "leaving": 1, "skipped": 2},
            "heldRemoval": {
                "digest": "1", "since": "2026-01-01T00:00:00Z", "count": 40, "sample": [],
            },
            "devices": [{
                "name": "bigip-a", "unsavedSince": "2026-01-01T00:00:00Z",
                "hostname": "bigip-a.example.com", "version": "17.1.2.1", "failoverState": "Active",
                "conditions": [condition("Reachable", "True")],
                "records": {
                    "desired": 46, "present": 45, "missing": 1, "stale": 2, "unclaimed": 3,
                    "foreign": 4,
                },
            }, {
                "name": "bigip-b", "conditions": [condition("Reachable", "False")],
            }, {
                "name": "bigip-c", "conditions": [condition("Reachable", "Unknown")],
            }],
            "ownership": {"uid": "u", "claims": [
                {"devices": ["bigip-a", "bigip-b"], "state": "Owned", "records": ["1 a", "2 b"]},
                {"devices": ["bigip-a"], "state": "Pending", "records": ["3 c"]},
            ]},
        });
        serde_json::from_value(status).unwrap()
    }

    /// One object with something of everything.
    pub(crate) fn fill(objects: &Objects) {
        objects.show(&key(), &spec(), &status());
        let device = objects.device(&key(), "bigip-a");
        device.record_propagation(Duration::from_millis(300));
        device.record_write(WriteKind::Add, None);
        device.record_write(WriteKind::Add, Some(Reason::Timeout));
        device.record_pass(Reason::InSync);
        device.record_drift();
        device.set_last_read(1_780_000_000);
    }

    #[test]
    fn removed_object_is_not_scraped() {
        let objects = Objects::default();
        fill(&objects);
        objects.forget(&key());
        assert_eq!(text(&objects), text(&Objects::default()));
    }

    #[test]
    fn removed_device_is_not_counted() {
        let objects = Objects::default();
        objects.device(&key(), "bigip-a").record_drift();
        objects.forget_device(&key(), "bigip-a");
        assert_eq!(text(&objects), text(&Objects::default()));
    }
}
