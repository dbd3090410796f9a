//! What is found of Cilium's side, in numbers.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// The numbers. Copies show the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct CiliumNumbers(Arc<Mutex<Option<i64>>>);

impl CiliumNumbers {
    /// Says how many units have another MAC address than Cilium sends to.
    pub(crate) fn set_mac_mismatches(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(count);
    }

    /// Shows nothing until something is found again.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Collector for CiliumNumbers {
    /// None until they are known: 0 would say that all is well.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let metric = encoder.encode_descriptor(
            "cilium_mac_mismatches",
            "Tunnels on BIG-IPs that have another MAC address than Cilium sends to",
            None,
            MetricType::Gauge,
        )?;
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(count) => ConstGauge::new(count).encode(metric),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::testing::text_of;

    #[test]
    fn mac_mismatches_are_shown_after_the_first_verdict() {
        let numbers = CiliumNumbers::default();
        let line = |count: usize| format!("\nbigiptunnel_cilium_mac_mismatches {count}\n");
        assert!(!text_of(&numbers).contains(&line(0)));
        for count in [2, 0] {
            numbers.set_mac_mismatches(count);
            assert!(text_of(&numbers).contains(&line(count)));
        }
        numbers.forget();
        assert!(!text_of(&numbers).contains(&line(0)));
    }
}
