//! Who leads, and what happens when the leader, its node's API server or a pod goes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{RELEASE, SHORT, SYSTEM, Stage, beyond, text};
use crate::Failure;
use crate::cluster::until;

/// How long the tunnel may be without a leader when one dies.
const FAILOVER_MAX: Duration = Duration::from_secs(20);
/// How long the API server is away.
const AWAY: Duration = Duration::from_secs(60);
/// A node that comes while the leader stands still. It stays, as its removal would be a write of later steps.
const NODE: &str = "e2e-while-frozen";

/// A leader that stands still.
pub(super) struct Frozen {
    container: String,
    /// Of all pods, before.
    restarts: u64,
    /// How long the tunnel had no leader.
    took: Duration,
}

impl Stage<'_> {
    pub(super) fn rollout_writes_nothing(&self) -> Result<(), Failure> {
        let started = Instant::now();
        self.without_a_write("a rollout", || {
            self.restart_pods()?;
            let seconds = started.elapsed().as_secs_f64();
            self.say(&format!("figure: rollout in {seconds:.1} s"));
            self.reconcile()
        })
    }

    pub(super) fn killed_leader_is_replaced(&self) -> Result<(), Failure> {
        let leader = self.leader()?;
        let Some(container) = self.container_of(&leader)? else {
            return Ok(());
        };
        let took = self.without_a_write("a killed leader", || {
            let kill = [
                "ctr",
                "--namespace",
                "k8s.io",
                "tasks",
                "kill",
                "--signal",
                "SIGKILL",
                &container,
            ];
            self.enter(&kill)?;
            let took = self.until_led_by_another(&leader)?;
            self.until_rolled_out()?;
            self.reconcile()?;
            Ok(took)
        })?;
        self.say(&format!(
            "figure: another leader {:.1} s after the leader was killed",
            took.as_secs_f64()
        ));
        Ok(())
    }

    /// A node comes while the leader stands still, so that there is something to write. The old leader wakes up with
    /// that in front of it, and must leave it to the new one. Returns once another one leads.
    pub(super) fn leader_is_frozen(&self) -> Result<Option<Frozen>, Failure> {
        let leader = self.leader()?;
        let Some(container) = self.container_of(&leader)? else {
            return Ok(None);
        };
        let (restarts, before) = (self.restarts()?, self.units.writes()?);
        self.enter(&["ctr", "--namespace", "k8s.io", "tasks", "pause", &container])?;
        self.add_node(NODE, "10.169.72.230")?;
        let took = self.until_led_by_another(&leader)?;
        self.until_records_are_right(SHORT, "the new leader writes the record of a new node")?;
        let by_the_new_leader = beyond(&before, self.units.writes()?);
        let records = by_the_new_leader
            .iter()
            .filter(|line| line.ends_with("/records"))
            .count();
        if records != 2 {
            let writes = by_the_new_leader.join("; ");
            return Err(Failure::Wrong(format!(
                "one new record on two units took these writes: {writes}"
            )));
        }
        Ok(Some(Frozen {
            container,
            restarts,
            took,
        }))
    }

    pub(super) fn thawed_leader_writes_nothing(&self, frozen: &Frozen) -> Result<(), Failure> {
        self.without_a_write("a leader that thaws", || {
            let container = frozen.container.as_str();
            self.enter(&["ctr", "--namespace", "k8s.io", "tasks", "resume", container])?;
            until(SHORT, "the old leader ends", || {
                Ok(self.restarts()? > frozen.restarts)
            })?;
            self.until_rolled_out()?;
            self.reconcile()
        })?;
        self.say(&format!(
            "figure: another leader {:.1} s after the leader froze; it thawed without a write",
            frozen.took.as_secs_f64()
        ));
        Ok(())
    }

    pub(super) fn second_eviction_is_refused(&self) -> Result<(), Failure> {
        until(SHORT, "the disruption budget allows one eviction", || {
            let budget =
                self.cluster
                    .get(&["poddisruptionbudget", RELEASE, "--namespace", SYSTEM])?;
            Ok(budget.pointer("/status/disruptionsAllowed") == Some(&json!(1)))
        })?;
        let pods = self.pods()?;
        let mut names: Vec<&str> = pods.iter().map(|pod| text(pod, "/metadata/name")).collect();
        // The one that leads goes on: a new leader would begin its wait before removals from the start.
        let leader = self.leader()?;
        names.sort_by_key(|name| leader.starts_with(&format!("{name}_")));
        let [first, second] = names[..] else {
            return Err(Failure::Wrong(format!("not two pods: {names:?}")));
        };
        self.evict(first)?;
        match self.evict(second) {
            Ok(()) => {
                return Err(Failure::Wrong(
                    "both pods could be evicted at once".to_owned(),
                ));
            }
            Err(failure) if failure.to_string().contains("disruption budget") => {}
            Err(failure) => return Err(failure),
        }
        self.until_rolled_out()?;
        self.say("the second eviction was refused");
        Ok(())
    }

    pub(super) fn api_server_away_is_survived(&self) -> Result<(), Failure> {
        let restarts = self.restarts()?;
        let signal = |signal: &str| {
            let script = format!(
                "for p in /proc/[0-9]*; do [ \"$(cat $p/comm 2>/dev/null)\" != kube-apiserver ] || kill -{signal} ${{p#/proc/}}; done"
            );
            self.cluster.on_node(&["sh", "-c", &script])
        };
        let Some(stopped) = signal("STOP") else {
            self.say("not shown: the API server of this cluster cannot be stopped");
            return Ok(());
        };
        stopped?;
        sleep(AWAY);
        signal("CONT").transpose()?;
        let back = Instant::now();
        let took = self.without_a_write("an outage of the API server", || {
            until(SHORT, "the API server answers", || {
                self.cluster
                    .succeeds(&["kubectl", "get", "--raw", "/readyz"])
            })?;
            self.until_rolled_out()?;
            until(SHORT, "the tunnel is verified", || {
                self.reconcile().map(|()| true)
            })?;
            self.until_ready()?;
            Ok(back.elapsed())
        })?;
        let new = self.restarts()?.saturating_sub(restarts);
        let waiting = self
            .pods()?
            .iter()
            .map(|pod| text(pod, "/status/containerStatuses/0/state/waiting/reason").to_owned())
            .collect::<String>();
        // The leader ends when it cannot renew; a follower has no reason to.
        if new > 1 || !waiting.is_empty() {
            return Err(Failure::Wrong(format!(
                "an outage of 60 s took {new} restarts {waiting}"
            )));
        }
        self.libraries_log_no_error()?;
        self.say(&format!(
            "figure: API server away for 60 s: Ready {:.1} s after it was back, {new} restarts",
            took.as_secs_f64()
        ));
        Ok(())
    }

    /// A client library logs an error for each of its requests, beside the line of ours that says it once.
    fn libraries_log_no_error(&self) -> Result<(), Failure> {
        for pod in self.pods()? {
            let name = text(&pod, "/metadata/name");
            let restarts = pod.pointer("/status/containerStatuses/0/restartCount");
            let mut logs = vec!["--previous=false"];
            if restarts.and_then(Value::as_u64) > Some(0) {
                logs.push("--previous=true");
            }
            for which in logs {
                let words = ["logs", name, "--namespace", SYSTEM, "--tail=-1", which];
                let log = self.cluster.kubectl(&words)?;
                if let Some(line) = log.lines().find(|line| is_error_of_a_library(line)) {
                    return Err(Failure::Wrong(format!("a library logs an error: {line}")));
                }
            }
        }
        Ok(())
    }

    /// The identity that leads.
    fn leader(&self) -> Result<String, Failure> {
        until(SHORT, "a pod leads", || Ok(!self.holder()?.is_empty()))?;
        self.holder()
    }

    fn holder(&self) -> Result<String, Failure> {
        let lease = self
            .cluster
            .get(&["lease", RELEASE, "--namespace", SYSTEM])?;
        Ok(text(&lease, "/spec/holderIdentity").to_owned())
    }

    fn until_led_by_another(&self, leader: &str) -> Result<Duration, Failure> {
        until(FAILOVER_MAX, "another pod leads", || {
            let holder = self.holder()?;
            Ok(!holder.is_empty() && holder != leader)
        })
    }

    /// The container of the pod that leads by this identity; `None`, and said so, where the node is not ours to enter.
    fn container_of(&self, identity: &str) -> Result<Option<String>, Failure> {
        if self.cluster.on_node(&["true"]).is_none() {
            self.say("not shown: a leader that is killed or frozen; the nodes of this cluster are not ours to enter");
            return Ok(None);
        }
        let pods = self.pods()?;
        let is_leader =
            |pod: &&Value| identity.starts_with(&format!("{}_", text(pod, "/metadata/name")));
        let leader = pods
            .iter()
            .find(is_leader)
            .ok_or_else(|| Failure::Wrong(format!("no pod is {identity}")))?;
        let id = text(leader, "/status/containerStatuses/0/containerID");
        Ok(Some(id.trim_start_matches("containerd://").to_owned()))
    }

    fn enter(&self, command: &[&str]) -> Result<(), Failure> {
        let nowhere = || Err(Failure::Failed("there is no way to the node".to_owned()));
        self.cluster
            .on_node(command)
            .unwrap_or_else(nowhere)
            .map(drop)
    }

    fn evict(&self, pod: &str) -> Result<(), Failure> {
        let eviction = json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": SYSTEM},
        });
        let path = format!("/api/v1/namespaces/{SYSTEM}/pods/{pod}/eviction");
        self.cluster
            .feed(
                &["kubectl", "create", "--raw", &path, "--filename", "-"],
                &eviction.to_string(),
            )
            .map(drop)
    }

    /// Adds a node without a machine.
    pub(super) fn add_node(&self, name: &str, address: &str) -> Result<(), Failure> {
        let node = node(name, address);
        self.cluster
            .feed(&["kubectl", "create", "--filename", "-"], &node.to_string())
            .map(drop)
    }
}

/// A node without a machine.
pub(super) fn node(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    })
}

fn is_error_of_a_library(line: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    text(&line, "/level") == "ERROR" && !text(&line, "/target").starts_with("bigip_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_errors_differ_from_operator_errors() {
        let line = |target: &str| format!(r#"{{"level":"ERROR","target":"{target}"}}"#);
        assert!(is_error_of_a_library(&line("kube_client::client::builder")));
        assert!(!is_error_of_a_library(&line("bigip_tunnel_operator::task")));
        assert!(!is_error_of_a_library("not JSON"));
    }
}
