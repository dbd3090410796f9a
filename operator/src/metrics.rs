//! What the process counts, in the text format of Prometheus. `docs/reference/metrics.md` has them all.
//!
//! Labels come from closed sets: words of ours, and the names and addresses of objects and their devices. Never
//! a node or a record.

mod cilium;
mod device;
mod exchanges;
mod objects;
mod snapshot;
mod watches;

use std::sync::Mutex;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::args::{COMMIT, platform};

pub(crate) use self::cilium::CiliumNumbers;
pub(crate) use self::device::{DeviceMetrics, WriteKind};
pub(crate) use self::exchanges::Exchanges;
pub(crate) use self::objects::Objects;
pub(crate) use self::watches::Watches;

/// What every name begins with.
const PREFIX: &str = "bigiptunnel";

/// All metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    status_writes: Counter,
    tunnels: Gauge,
    leader: Gauge,
    /// How each object and its devices are.
    pub(crate) objects: Objects,
    /// Cilium's side of the tunnels.
    pub(crate) cilium: CiliumNumbers,
    /// Requests to BIG-IPs.
    pub(crate) exchanges: Exchanges,
    /// The watches.
    pub(crate) watches: Watches,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let status_writes = Counter::default();
        registry.register(
            "status_writes",
            "Writes of the displayed status",
            status_writes.clone(),
        );
        let tunnels = Gauge::default();
        registry.register(
            "tunnels",
            "BigIpTunnel objects that are known, and worked on by the leader",
            tunnels.clone(),
        );
        let leader = Gauge::default();
        registry.register(
            "leader",
            "Whether this process leads: 1 while it may write, else 0",
            leader.clone(),
        );
        registry.register("build", "The running version", build());
        let watches = Watches::default();
        watches.register(&mut registry);
        let (objects, exchanges) = (Objects::default(), Exchanges::default());
        registry.register_collector(Box::new(objects.clone()));
        registry.register_collector(Box::new(exchanges.clone()));
        let cilium = CiliumNumbers::default();
        registry.register_collector(Box::new(cilium.clone()));
        Self {
            registry: Mutex::new(registry),
            status_writes,
            tunnels,
            leader,
            objects,
            cilium,
            exchanges,
            watches,
        }
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
        text(&registry)
    }
}

fn build() -> Info<Vec<(&'static str, String)>> {
    Info::new(vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("revision", COMMIT.unwrap_or_default().to_owned()),
        ("target", platform()),
    ])
}

fn text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _: Result<(), std::fmt::Error> = encode(&mut text, registry);
    text
}

#[cfg(test)]
pub(crate) mod testing {
    use prometheus_client::collector::Collector;

    use super::*;

    /// What is scraped of a collector.
    pub(crate) fn text_of<C: Collector + Clone>(collector: &C) -> String {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(collector.clone()));
        text(&registry)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use bigip_icontrol::Exchange;

    use super::*;

    const REFERENCE: &str = include_str!("../../docs/reference/metrics.md");

    /// The names that are scraped, with their suffixes.
    fn scraped(text: &str) -> BTreeSet<String> {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types
            .filter_map(|line| line.split_once(' '))
            .map(|(name, kind)| {
                let suffix = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    _ => "",
                };
                format!(
                    "{name}{suffix} {}",
                    if kind == "info" { "gauge" } else { kind }
                )
            })
            .collect()
    }

    #[test]
    fn every_metric_is_in_the_reference_and_no_other() {
        let text = Metrics::new().render(true);
        let rows = REFERENCE
            .lines()
            .filter_map(|line| line.strip_prefix("| `"));
        let documented: BTreeSet<String> = rows
            .filter_map(|row| row.split_once("` | "))
            .filter_map(|(name, rest)| Some((name, rest.split(' ').next()?)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        assert_eq!(scraped(&text), documented);
        assert!(documented.len() > 15, "{documented:?}");
    }

    /// Metrics with something of everything.
    fn filled() -> Metrics {
        let metrics = Metrics::new();
        metrics.record_status_write();
        metrics.set_tunnels(3);
        metrics.watches.record_error("nodes");
        metrics.watches.set_crd_missing(true);
        metrics.cilium.set_mac_mismatches(1);
        objects::tests::fill(&metrics.objects);
        metrics.exchanges.record(&Exchange {
            address: "192.0.2.11:443",
            verb: "GET",
            resource: "list of records",
            outcome: Ok(200),
            took: Duration::from_millis(30),
            certificate_expires_unix_s: Some(1_800_000_000),
        });
        metrics
    }

    #[test]
    fn metrics_output_matches_the_golden_file() {
        let build = |version: &str, revision: &str, target: &str| {
            format!(r#"version="{version}",revision="{revision}",target="{target}""#)
        };
        let (version, revision) = (env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or_default());
        let own = build(version, revision, &platform());
        let text = filled().render(true);
        let text = text.replace(&own, &build("VERSION", "REVISION", "TARGET"));
        // Series of one metric come in any order.
        let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
        assert_eq!(lines(&text), lines(include_str!("metrics/golden.txt")));
        assert!(filled().render(false).contains("bigiptunnel_leader 0"));
    }

    #[test]
    fn every_label_is_in_the_reference() {
        let text = filled().render(true);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, labels)) = line.split_once('{') else {
                continue;
            };
            let ends = ["_bucket", "_sum", "_count", ""];
            let mut rows = ends.iter().filter_map(|end| {
                let row = format!("| `{}` |", name.strip_suffix(end)?);
                REFERENCE.lines().find(|line| line.starts_with(&row))
            });
            let row = rows.next().and_then(|row| row.split(" | ").nth(2));
            let row = row.unwrap();
            for label in labels
                .split("=\"")
                .filter_map(|part| part.rsplit([',', ' ']).next())
            {
                let label = label.trim_start_matches('"');
                let is_common = ["namespace", "name", "le"].contains(&label);
                let is_label = label.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                let is_named = row.contains(&format!("`{label}`"));
                assert!(is_common || !is_label || is_named, "{label} of {name}");
            }
        }
    }
}
