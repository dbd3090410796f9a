//! The body: what is shown of the product on any cluster, in one order, each step on what the one before left.
//!
//! It must not know where the cluster comes from; what cannot be done on one is said, not passed over.

mod change;
mod failover;
mod install;
mod limits;
mod packets;
mod page;
mod units;

use std::time::{Duration, Instant};

use bigip_tunnel_harness::progress::to_stderr;
use serde_json::Value;

use crate::Failure;
use crate::cluster::{Cluster, until};
use page::Page;
use units::Units;

/// Where the operator is, as the page says.
const SYSTEM: &str = "bigip-system";
/// Where the tunnel is, as the page says.
const NAMESPACE: &str = "bigip";
const TUNNEL: &str = "prod-east";
/// The network of all pods of stand-ins for nodes, and the one that kind gives to pods.
const STAND_IN_PODS: &str = "10.0.0.0/16";
const KIND_PODS: &str = "10.244.0.0/16";
const RELEASE: &str = "bigip-tunnel-operator";
const CHART: &str = "charts/bigip-tunnel-operator";
const PODS: &str = "app.kubernetes.io/name=bigip-tunnel-operator,app.kubernetes.io/component!=test";
/// How long a usual step may take.
const SHORT: Duration = Duration::from_secs(60);

/// The images to run, by name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Images<'a> {
    /// Of the operator.
    pub(crate) operator: &'a str,
    /// Of the simulated units.
    pub(crate) simulator: &'a str,
}

/// The product on a cluster.
struct Stage<'a> {
    cluster: &'a Cluster,
    page: Page,
    units: Units<'a>,
    simulator_image: &'a str,
    /// Options of Helm, where the image is not the chart's.
    image_values: Vec<String>,
    started: Instant,
}

/// Shows everything, up to the first thing that is not as it should be.
pub(crate) fn run(cluster: &Cluster, images: &Images<'_>) -> Result<(), Failure> {
    let pods = match cluster.cilium() {
        Some(_) => KIND_PODS,
        None => STAND_IN_PODS,
    };
    let stage = Stage {
        cluster,
        page: Page::read()?,
        units: Units::start(cluster, images.simulator, pods)?,
        simulator_image: images.simulator,
        image_values: install::image_values(images.operator),
        started: Instant::now(),
    };
    stage.say("two simulated units run");
    stage.install_by_the_page()?;
    stage.pods_keep_the_restricted_policy()?;
    stage.upgrade_with_a_change_writes_nothing()?;
    stage.rollout_writes_nothing()?;
    stage.killed_leader_is_replaced()?;
    stage.node_joins_and_leaves()?;
    stage.wrong_password_is_told_and_corrected()?;
    stage.rotated_secret_is_followed()?;
    stage.api_server_away_is_survived()?;
    stage.uninstall_keeps_definition_tunnel_and_records()?;
    stage.export_adopts_what_is_there()?;
    stage.many_nodes_stay_below_the_memory_limit()?;
    stage.uninstall_by_the_page()?;
    stage.say("all is shown");
    Ok(())
}

impl Stage<'_> {
    /// Tells what has been shown, with the time since the start.
    fn say(&self, what: &str) {
        to_stderr(&format!(
            "{:7.1} s  {what}",
            self.started.elapsed().as_secs_f64()
        ));
    }

    /// Runs a command of Helm on the release, with the image that is tried.
    fn helm(&self, verb: &str, options: &[&str]) -> Result<(), Failure> {
        let mut words = vec!["helm", verb, RELEASE, CHART, "--namespace", SYSTEM];
        words.extend(options);
        words.extend(self.image_values.iter().map(String::as_str));
        self.cluster.run(&words).map(drop)
    }

    /// Waits until both pods run what they should.
    fn until_rolled_out(&self) -> Result<(), Failure> {
        let deployment = format!("deployment/{RELEASE}");
        let words = [
            "rollout",
            "status",
            &deployment,
            "--namespace",
            SYSTEM,
            "--timeout=120s",
        ];
        self.cluster.kubectl(&words).map(drop)
    }

    /// Has the operator verify the tunnel, and waits until it has.
    fn reconcile(&self) -> Result<(), Failure> {
        self.cluster
            .kubectl(&[
                "bigip-tunnel",
                "reconcile",
                TUNNEL,
                "--namespace",
                NAMESPACE,
            ])
            .map(drop)
    }

    /// Waits until the tunnel is Ready as it is now.
    fn until_ready(&self) -> Result<(), Failure> {
        let words = [
            "bigip-tunnel",
            "status",
            TUNNEL,
            "--namespace",
            NAMESPACE,
            "--wait",
            "--timeout",
            "120s",
        ];
        self.cluster.kubectl(&words).map(drop)
    }

    fn tunnel(&self) -> Result<Value, Failure> {
        self.cluster
            .get(&["bigiptunnel", TUNNEL, "--namespace", NAMESPACE])
    }

    /// The reason that the tunnel is Ready for, or is not.
    fn ready_reason(&self) -> Result<String, Failure> {
        let tunnel = self.tunnel()?;
        let conditions = tunnel
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        let ready = conditions
            .into_iter()
            .flatten()
            .find(|one| text(one, "/type") == "Ready");
        Ok(ready
            .map(|ready| text(ready, "/reason").to_owned())
            .unwrap_or_default())
    }

    /// Waits until each unit holds the record of every node, and nothing else.
    fn until_records_are_right(&self, limit: Duration, what: &str) -> Result<Duration, Failure> {
        until(limit, what, || self.units.hold_the_records_of_all_nodes())
    }

    /// Does something, and requires that nothing was written to the units.
    fn without_a_write<T>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let before = self.units.writes()?;
        let done = work()?;
        let after = self.units.writes()?;
        if before == after {
            return Ok(done);
        }
        let new = beyond(&before, after).join("; ");
        Err(Failure::Wrong(format!("{what} wrote to the units: {new}")))
    }

    /// The pods of the operator that are not on their way out.
    fn pods(&self) -> Result<Vec<Value>, Failure> {
        let pods = self
            .cluster
            .get(&["pods", "--namespace", SYSTEM, "--selector", PODS])?;
        let pods = pods
            .get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let stays = |pod: &Value| pod.pointer("/metadata/deletionTimestamp").is_none();
        Ok(pods.into_iter().filter(stays).collect())
    }

    /// How often the containers of the operator have been restarted.
    fn restarts(&self) -> Result<u64, Failure> {
        let count = |pod: &Value| {
            let count = pod.pointer("/status/containerStatuses/0/restartCount");
            count.and_then(Value::as_u64).unwrap_or_default()
        };
        Ok(self.pods()?.iter().map(count).sum())
    }
}

/// What came on top of this.
fn beyond(before: &[String], mut after: Vec<String>) -> Vec<String> {
    for line in before {
        if let Some(place) = after.iter().position(|other| other == line) {
            after.remove(place);
        }
    }
    after
}

/// A text in a value; empty where there is none.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
