//! A cluster of 5,000 nodes, within the memory that the chart gives.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::failover::node;
use super::{NAMESPACE, SYSTEM, Stage, TUNNEL, text};
use crate::Failure;
use crate::cluster::until;

const NODES: u32 = 5_000;
/// How long all records may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);
/// What the chart gives a pod.
const MEMORY_LIMIT_MIB: f64 = 128.0;
const MIB: f64 = 1024.0 * 1024.0;

impl Stage<'_> {
    pub(super) fn many_nodes_stay_below_the_memory_limit(&self) -> Result<(), Failure> {
        self.delete_tunnel()?;
        let restarts = self.restarts()?;
        let started = Instant::now();
        let nodes: Vec<Value> = (0..NODES)
            .map(|number| {
                node(
                    &format!("e2e-{number}"),
                    &format!("10.200.{}.{}", number / 250, number % 250 + 1),
                )
            })
            .collect();
        self.cluster.create_all("/api/v1/nodes", &nodes)?;
        self.create_tunnel_for_many()?;
        let mut peak_mib: f64 = 0.0;
        until(LIMIT, "5,000 nodes have their records", || {
            peak_mib = peak_mib.max(self.memory_mib()?);
            self.units.hold_the_records_of_all_nodes()
        })?;
        self.until_ready()?;
        peak_mib = peak_mib.max(self.memory_mib()?);
        if self.restarts()? != restarts || peak_mib == 0.0 {
            return Err(Failure::Wrong(format!(
                "a pod was restarted with {NODES} nodes, at {peak_mib:.0} MiB"
            )));
        }
        self.say(&format!(
            "figure: {NODES} nodes and their records after {:.0} s, at most {peak_mib:.0} MiB of {MEMORY_LIMIT_MIB:.0} in a pod",
            started.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// A tunnel that goes takes its records along.
    fn delete_tunnel(&self) -> Result<(), Failure> {
        let words = [
            "delete",
            "bigiptunnel",
            TUNNEL,
            "--namespace",
            NAMESPACE,
            "--timeout=120s",
        ];
        self.cluster.kubectl(&words)?;
        if !self.units.are_empty()? {
            return Err(Failure::Wrong("a deleted tunnel left records".to_owned()));
        }
        self.say("a deleted tunnel took its records along");
        Ok(())
    }

    /// The tunnel of the page, with the whole list written at once, as it is for units that hold none; it leaves its
    /// records when it goes, since to remove so many takes minutes.
    fn create_tunnel_for_many(&self) -> Result<(), Failure> {
        let observing = self.page.yaml("4. ")?;
        let writing =
            "managementPolicy: FDBOnly\n  deletionPolicy: Retain\n  fdb: {bulkWrites: WhenEmpty}";
        let tunnel = observing.replace("managementPolicy: Observe", writing);
        if tunnel == observing {
            return Err(Failure::Wrong(
                "the tunnel of the page does not observe".to_owned(),
            ));
        }
        self.cluster.apply(&tunnel)
    }

    /// The most memory of a pod, by what the kubelets say.
    fn memory_mib(&self) -> Result<f64, Failure> {
        let pods = self.pods()?;
        let mut most: f64 = 0.0;
        for pod in &pods {
            let path = format!(
                "/api/v1/nodes/{}/proxy/stats/summary",
                text(pod, "/spec/nodeName")
            );
            let summary = self.cluster.kubectl(&["get", "--raw", &path])?;
            let summary: Value = serde_json::from_str(&summary)
                .map_err(|error| Failure::failed("read JSON", error))?;
            let reported = summary
                .get("pods")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let ours = reported
                .iter()
                .filter(|one| text(one, "/podRef/namespace") == SYSTEM);
            for one in ours {
                let bytes = one
                    .pointer("/memory/workingSetBytes")
                    .and_then(Value::as_f64);
                most = most.max(bytes.unwrap_or_default() / MIB);
            }
        }
        Ok(most)
    }
}
