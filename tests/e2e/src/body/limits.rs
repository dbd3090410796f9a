//! A cluster of 5,000 nodes, within the memory that the chart gives.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::failover::node;
use super::{NAMESPACE, SHORT, SYSTEM, Stage, TUNNEL, text};
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
        let made = self.delete_tunnel_while(|| {
            self.cluster.create_all("/api/v1/nodes", &nodes)?;
            Ok(started.elapsed())
        })?;
        let started = Instant::now();
        self.create_tunnel_for_many()?;
        until(LIMIT, "5,000 nodes have their records", || {
            self.units.hold_the_records_of_all_nodes()
        })?;
        self.until_ready()?;
        let took = started.elapsed();
        let mib = self.memory_measured_from_now_mib()?;
        let new = self.restarts()?.saturating_sub(restarts);
        if new > 0 {
            return Err(Failure::Wrong(format!(
                "{NODES} nodes took {new} restarts, at {mib:.0} MiB"
            )));
        }
        self.say(&format!(
            "figure: {NODES} nodes made in {:.0} s, their records {:.0} s later, {mib:.0} MiB of {MEMORY_LIMIT_MIB:.0} in a pod",
            made.as_secs_f64(),
            took.as_secs_f64()
        ));
        Ok(())
    }

    /// A tunnel that goes takes its records along, and adds none for what comes meanwhile.
    fn delete_tunnel_while<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let tunnel = ["bigiptunnel", TUNNEL, "--namespace", NAMESPACE];
        self.cluster
            .kubectl(&[&["delete", "--wait=false"], &tunnel[..]].concat())?;
        thread::scope(|scope| {
            let working = scope.spawn(work);
            let gone = ["wait", "--for=delete", "--timeout=120s"];
            self.cluster.kubectl(&[&gone, &tunnel[..]].concat())?;
            if !self.units.are_empty()? {
                return Err(Failure::Wrong("a deleted tunnel left records".to_owned()));
            }
            self.say("a deleted tunnel took its records along");
            let broke_off = |_| Failure::Failed("the work meanwhile broke off".to_owned());
            working.join().map_err(broke_off)?
        })
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

    /// The most memory of a pod, once the kubelets have measured every pod anew: they do so only every few seconds.
    fn memory_measured_from_now_mib(&self) -> Result<f64, Failure> {
        let before = self.measurements()?;
        let mut now = Vec::new();
        until(SHORT, "the memory of every pod is measured", || {
            now = self.measurements()?;
            let is_new = |one: &Measurement| !before.contains(one);
            Ok(now.len() == self.pods()?.len() && now.iter().all(is_new))
        })?;
        Ok(now.iter().map(|one| one.mib).fold(0.0, f64::max))
    }

    /// What the kubelets last measured of the pods; a pod that was just started has nothing yet.
    fn measurements(&self) -> Result<Vec<Measurement>, Failure> {
        let pods = self.pods()?;
        let nodes: BTreeSet<&str> = pods.iter().map(|pod| text(pod, "/spec/nodeName")).collect();
        let names: BTreeSet<&str> = pods.iter().map(|pod| text(pod, "/metadata/name")).collect();
        let mut measured = Vec::new();
        for node in nodes {
            let path = format!("/api/v1/nodes/{node}/proxy/stats/summary");
            let summary = self.cluster.kubectl(&["get", "--raw", &path])?;
            let summary: Value = serde_json::from_str(&summary)
                .map_err(|error| Failure::failed("read JSON", error))?;
            let reported = summary.get("pods").and_then(Value::as_array);
            let ours = reported.into_iter().flatten().filter(|one| {
                text(one, "/podRef/namespace") == SYSTEM
                    && names.contains(text(one, "/podRef/name"))
            });
            measured.extend(ours.filter_map(Measurement::read));
        }
        Ok(measured)
    }
}

/// The memory of a pod, as its kubelet measured it at some time.
#[derive(Debug, PartialEq)]
struct Measurement {
    pod: String,
    time: String,
    mib: f64,
}

impl Measurement {
    fn read(reported: &Value) -> Option<Self> {
        let bytes = reported.pointer("/memory/workingSetBytes")?.as_f64()?;
        Some(Self {
            pod: text(reported, "/podRef/name").to_owned(),
            time: text(reported, "/memory/time").to_owned(),
            mib: bytes / MIB,
        })
    }
}
