//! How the watches on the Kubernetes API fare.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is watched, by the plural.
const KINDS: [&str; 9] = [
    "bigiptunnels",
    "nodes",
    "CiliumNodes",
    "configmaps",
    "pods",
    "ciliumnodes",
    "ciliumnodeconfigs",
    "ciliumvtepconfigs",
    "ciliumvtepnodeconfigs",
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// Their numbers. Copies count the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watches {
    errors: Family<KindLabel, Counter>,
    crd_missing: Gauge,
}

impl Watches {
    /// Every kind is there from the start: a counter that appears with its first error shows no increase.
    pub(super) fn register(&self, registry: &mut Registry) {
        for kind in KINDS {
            self.errors.get_or_create(&KindLabel { kind }).inc_by(0);
        }
        registry.register(
            "watch_errors",
            "Lists and watches of the Kubernetes API that failed",
            self.errors.clone(),
        );
        registry.register(
            "crd_missing",
            "Whether the resource definition of BigIpTunnel is missing: 1 while it is waited for",
            self.crd_missing.clone(),
        );
    }

    /// Counts a failed list or watch of a kind of object, by its plural.
    pub(crate) fn record_error(&self, kind: &'static str) {
        self.errors.get_or_create(&KindLabel { kind }).inc();
    }

    #[cfg(test)]
    pub(crate) fn is_crd_missing(&self) -> bool {
        self.crd_missing.get() == 1
    }

    /// Says whether the resource definition is missing.
    pub(crate) fn set_crd_missing(&self, is_missing: bool) {
        self.crd_missing.set(is_missing.into());
    }
}
