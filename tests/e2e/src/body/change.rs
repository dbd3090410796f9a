//! What changes around a tunnel while it runs: nodes, its Secret, the level of the log.

use std::time::{Duration, Instant};

use serde_json::json;

use super::units::LEAVING;
use super::{NAMESPACE, PODS, RELEASE, SHORT, SYSTEM, Stage, text};
use crate::Failure;
use crate::cluster::until;

const NODE: &str = "e2e-new-node";
/// Nothing is removed in the first 75 s of a leadership, and a node's record 60 s after the node has gone.
const REMOVAL_MAX: Duration = Duration::from_secs(240);
/// A ConfigMap reaches its pods when the kubelet looks, at most every minute and a half.
const LOG_LEVEL_MAX: Duration = Duration::from_secs(120);
/// Of a session that goes on and of one that begins, on each of two units.
const REFUSED_MAX: usize = 4;
const SECRET: &str = "bigip-login";

impl Stage<'_> {
    /// A new leader waits before it removes anything, and the record of a node that has gone waits for its time. What
    /// leaves the leader alone is shown meanwhile.
    pub(super) fn node_joins_and_leaves(&self) -> Result<(), Failure> {
        let frozen = self.leader_is_frozen()?;
        self.add_node(NODE, &LEAVING.to_string())?;
        let took =
            self.until_records_are_right(SHORT, "a new node has its record on both units")?;
        self.say(&format!(
            "figure: a new node's record {:.1} s after the node",
            took.as_secs_f64()
        ));
        self.cluster.kubectl(&["delete", "node", NODE])?;
        let waiting = Instant::now();
        if let Some(frozen) = frozen {
            self.thawed_leader_writes_nothing(&frozen)?;
        }
        self.log_level_changes_without_a_restart()?;
        self.packets_prove_the_records()?;
        self.second_eviction_is_refused()?;
        self.another_release_stays_apart()?;
        self.upgrade_without_a_change_writes_nothing()?;
        self.until_records_are_right(REMOVAL_MAX, "the record of a node that has gone is removed")?;
        self.say(&format!(
            "the record of a node that has gone was removed, {:.0} s later",
            waiting.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    fn log_level_changes_without_a_restart(&self) -> Result<(), Failure> {
        let names = || -> Result<Vec<String>, Failure> {
            Ok(self
                .pods()?
                .iter()
                .map(|pod| text(pod, "/metadata/name").to_owned())
                .collect())
        };
        let (pods, restarts) = (names()?, self.restarts()?);
        self.helm(
            "upgrade",
            &[
                "--reset-then-reuse-values",
                "--set",
                "operator.logLevel=debug",
            ],
        )?;
        let words = [
            "logs",
            "--namespace",
            SYSTEM,
            "--selector",
            PODS,
            "--tail=-1",
        ];
        let took = until(LOG_LEVEL_MAX, "both pods log at the new level", || {
            let log = self.cluster.kubectl(&words)?;
            Ok(log
                .lines()
                .filter(|line| line.contains("\"level_set\":\"debug\""))
                .count()
                == 2)
        })?;
        if names()? != pods || self.restarts()? != restarts {
            return Err(Failure::Wrong(
                "a change of the log level replaced pods".to_owned(),
            ));
        }
        self.say(&format!(
            "both pods followed the log level after {:.0} s, without a restart",
            took.as_secs_f64()
        ));
        self.helm(
            "upgrade",
            &[
                "--reset-then-reuse-values",
                "--set",
                "operator.logLevel=info",
            ],
        )
    }

    /// A session that works goes on, so that the pods are replaced after the password was made wrong. Few attempts are
    /// made: BIG-IP locks accounts.
    pub(super) fn wrong_password_is_told_and_corrected(&self) -> Result<(), Failure> {
        let attempts = self.without_a_write("a wrong password", || {
            self.set_password("not-the-password")?;
            self.restart_pods()?;
            until(SHORT, "a wrong password is told", || {
                Ok(self.ready_reason()? == "AuthenticationFailed")
            })?;
            let attempts = self.units.refused_logins()?;
            self.set_password(self.units.initial_password())?;
            self.reconcile()?;
            self.until_ready()?;
            Ok(attempts)
        })?;
        if attempts == 0 || attempts > REFUSED_MAX {
            return Err(Failure::Wrong(format!(
                "a wrong password was tried {attempts} times on two units"
            )));
        }
        self.say(&format!(
            "a wrong password was told after {attempts} attempts on two units, and corrected"
        ));
        Ok(())
    }

    /// The units have a new password, then the Secret is replaced by another object of its name, as tools do. Pods that
    /// start after it know no other password.
    pub(super) fn rotated_secret_is_followed(&self) -> Result<(), Failure> {
        let password = self.units.rotate_password()?;
        let refused = self.units.refused_logins()?;
        self.without_a_write("a rotated Secret", || {
            self.replace_secret(&password)?;
            self.reconcile()?;
            self.until_ready()?;
            self.restart_pods()?;
            self.reconcile()?;
            self.until_ready()
        })?;
        let new = self.units.refused_logins()?.saturating_sub(refused);
        if new > 0 {
            return Err(Failure::Wrong(format!(
                "a rotated password cost {new} refused logins"
            )));
        }
        self.say("a rotated Secret was followed, with no refused login");
        Ok(())
    }

    pub(super) fn restart_pods(&self) -> Result<(), Failure> {
        let deployment = format!("deployment/{RELEASE}");
        self.cluster
            .kubectl(&["rollout", "restart", &deployment, "--namespace", SYSTEM])?;
        self.until_rolled_out()
    }

    fn replace_secret(&self, password: &str) -> Result<(), Failure> {
        let name = [SECRET, "--namespace", NAMESPACE];
        let secret = self.cluster.get(&[&["secret"], &name[..]].concat())?;
        let new = json!({
            "apiVersion": "v1", "kind": "Secret", "data": secret.get("data"),
            "stringData": {"password": password},
            "metadata": {
                "name": SECRET, "namespace": NAMESPACE,
                "annotations": secret.pointer("/metadata/annotations"),
            },
        });
        self.cluster
            .kubectl(&[&["delete", "secret"], &name[..]].concat())?;
        self.cluster
            .feed(&["kubectl", "create", "--filename", "-"], &new.to_string())
            .map(drop)
    }

    fn set_password(&self, password: &str) -> Result<(), Failure> {
        let patch = json!({"stringData": {"password": password}}).to_string();
        let words = [
            "patch",
            "secret",
            SECRET,
            "--namespace",
            NAMESPACE,
            "--type=merge",
            "--patch",
            &patch,
        ];
        self.cluster.kubectl(&words).map(drop)
    }
}
