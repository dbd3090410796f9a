//! Requests to BIG-IPs, by address: objects may share a login, so that no object is whose they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_icontrol::Exchange;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds in seconds. iControl REST takes tens of milliseconds at best and answers a busy unit's
/// requests after up to a minute.
const DURATION_SECONDS: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct Address {
    address: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct Asked {
    address: String,
    method: &'static str,
    resource: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct Ended {
    address: String,
    method: &'static str,
    resource: &'static str,
    /// Status of the answer, or the reason why there was none.
    code: String,
}

#[derive(Debug, Default)]
struct Numbers {
    counts: BTreeMap<Ended, u64>,
    durations: BTreeMap<Asked, Histogram>,
    /// Unix time in seconds.
    expiries: BTreeMap<Address, i64>,
}

/// The requests so far. Copies count the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchanges(Arc<Mutex<Numbers>>);

impl Exchanges {
    /// Counts and times a request.
    pub(crate) fn record(&self, exchange: &Exchange<'_>) {
        let asked = Asked {
            address: exchange.address.to_owned(),
            method: exchange.verb,
            resource: exchange.resource,
        };
        let ended = Ended {
            address: exchange.address.to_owned(),
            method: exchange.verb,
            resource: exchange.resource,
            code: match exchange.outcome {
                Ok(status) => status.to_string(),
                Err(reason) => reason.to_string(),
            },
        };
        let mut numbers = self.lock();
        *numbers.counts.entry(ended).or_default() += 1;
        let durations = numbers.durations.entry(asked);
        let histogram = durations.or_insert_with(|| Histogram::new(DURATION_SECONDS));
        histogram.observe(exchange.took.as_secs_f64());
        if let Some(expires_unix_s) = exchange.certificate_expires_unix_s {
            let address = exchange.address.to_owned();
            numbers.expiries.insert(Address { address }, expires_unix_s);
        }
    }

    /// Shows no other addresses than these any more, and of no others than `expiring` when a certificate
    /// expires.
    pub(crate) fn keep(&self, addresses: &BTreeSet<String>, expiring: &BTreeSet<String>) {
        let mut numbers = self.lock();
        let counts = &mut numbers.counts;
        counts.retain(|ended, _| addresses.contains(&ended.address));
        let durations = &mut numbers.durations;
        durations.retain(|asked, _| addresses.contains(&asked.address));
        let expiries = &mut numbers.expiries;
        expiries.retain(|at, _| expiring.contains(&at.address));
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Exchanges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let numbers = self.lock();
        let mut counts = encoder.encode_descriptor(
            "device_requests",
            "Requests to BIG-IPs, by how they ended",
            None,
            MetricType::Counter,
        )?;
        for (labels, count) in &numbers.counts {
            ConstCounter::new(*count).encode(counts.encode_family(labels)?)?;
        }
        let mut durations = encoder.encode_descriptor(
            "device_request_duration_seconds",
            "From sending a request to a BIG-IP to the end of its answer",
            None,
            MetricType::Histogram,
        )?;
        for (labels, histogram) in &numbers.durations {
            histogram.encode(durations.encode_family(labels)?)?;
        }
        let mut expiries = encoder.encode_descriptor(
            "device_certificate_expiry_timestamp_seconds",
            "When the certificate of a BIG-IP expires",
            None,
            MetricType::Gauge,
        )?;
        for (labels, unix_s) in &numbers.expiries {
            ConstGauge::new(*unix_s).encode(expiries.encode_family(labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bigip_tunnel_core::reason::Reason;

    use super::*;
    use crate::metrics::testing::text_of;

    fn exchange(address: &str, outcome: Result<u16, Reason>) -> Exchange<'_> {
        Exchange {
            address,
            verb: "GET",
            resource: "records",
            outcome,
            took: Duration::from_millis(30),
            certificate_expires_unix_s: Some(1_800_000_000),
        }
    }

    #[test]
    fn requests_count_by_outcome_until_device_removal() {
        let exchanges = Exchanges::default();
        exchanges.record(&exchange("192.0.2.11:443", Ok(200)));
        exchanges.record(&exchange("192.0.2.11:443", Ok(200)));
        exchanges.record(&exchange("192.0.2.12:443", Err(Reason::Timeout)));
        let text = text_of(&exchanges);
        for line in [
            r#"bigiptunnel_device_requests_total{address="192.0.2.11:443",method="GET",resource="records",code="200"} 2"#,
            r#"bigiptunnel_device_requests_total{address="192.0.2.12:443",method="GET",resource="records",code="Timeout"} 1"#,
            r#"bigiptunnel_device_certificate_expiry_timestamp_seconds{address="192.0.2.11:443"} 1800000000"#,
            r#"bigiptunnel_device_request_duration_seconds_count{address="192.0.2.11:443",method="GET",resource="records"} 2"#,
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let left = BTreeSet::from(["192.0.2.12:443".to_owned()]);
        exchanges.keep(&left, &left);
        let text = text_of(&exchanges);
        assert!(
            !text.contains("192.0.2.11") && text.contains("192.0.2.12"),
            "{text}"
        );
    }

    #[test]
    fn obsolete_expiry_is_not_shown() {
        let exchanges = Exchanges::default();
        exchanges.record(&exchange("192.0.2.11:443", Ok(200)));
        let there = BTreeSet::from(["192.0.2.11:443".to_owned()]);
        exchanges.keep(&there, &BTreeSet::new());
        let text = text_of(&exchanges);
        assert!(text.contains("device_requests_total{"), "{text}");
        assert!(!text.contains("expiry_timestamp_seconds{"), "{text}");
    }
}
