//! What changes around a tunnel while it runs: nodes, its Secret, the level of the log.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{NAMESPACE, PODS, SHORT, SYSTEM, Stage, text};
use crate::Failure;
use crate::cluster::until;

const NODE: &str = "e2e-new-node";
/// Nothing is removed in the first 75 s of a leadership, and a node's record 60 s after the node has gone.
const REMOVAL_MAX: Duration = Duration::from_secs(240);
/// A ConfigMap reaches its pods when the kubelet looks, at most every minute and a half.
const LOG_LEVEL_MAX: Duration = Duration::from_secs(120);
const SECRET: &str = "bigip-login";

impl Stage<'_> {
    /// While the record of a node that has gone waits for its time, the level of the log changes.
    pub(super) fn node_joins_and_leaves(&self) -> Result<(), Failure> {
        self.add_node(NODE, "10.169.72.239")?;
        let took =
            self.until_records_are_right(SHORT, "a new node has its record on both units")?;
        self.say(&format!(
            "figure: a new node's record {:.1} s after the node",
            took.as_secs_f64()
        ));
        self.cluster.kubectl(&["delete", "node", NODE])?;
        let waiting = Instant::now();
        self.log_level_changes_without_a_restart()?;
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

    /// One wrong attempt for each unit, and no more: BIG-IP locks accounts. Then a new Secret of the same name.
    pub(super) fn wrong_password_is_told_and_corrected(&self) -> Result<(), Failure> {
        let before = self.units.logins()?;
        self.set_password("not-the-password")?;
        // The pass that this asks for is to fail, so that there is nothing to wait for.
        self.cluster
            .run(&[&Self::RECONCILE[..], &["--no-wait"]].concat())?;
        until(SHORT, "a wrong password is told", || {
            Ok(self.ready_reason()? == "AuthenticationFailed")
        })?;
        until(SHORT, "both units were asked", || {
            Ok(self.units.logins()? >= before + 2)
        })?;
        let attempts = self.units.logins()? - before;
        if attempts > 4 {
            return Err(Failure::Wrong(format!(
                "a wrong password was tried {attempts} times on two units"
            )));
        }
        self.set_password(self.units.password())?;
        self.reconcile()?;
        self.until_ready()?;
        self.without_a_write("a new Secret", || {
            let secret = self
                .cluster
                .get(&["secret", SECRET, "--namespace", NAMESPACE])?;
            let new = json!({
                "apiVersion": "v1", "kind": "Secret", "data": secret.get("data"),
                "metadata": {
                    "name": SECRET, "namespace": NAMESPACE,
                    "annotations": secret.pointer("/metadata/annotations"),
                },
            });
            self.cluster
                .kubectl(&["delete", "secret", SECRET, "--namespace", NAMESPACE])?;
            let before = self.units.logins()?;
            self.cluster
                .feed(&["kubectl", "create", "--filename", "-"], &new.to_string())?;
            self.reconcile()?;
            until(SHORT, "the new Secret is used", || {
                Ok(self.units.logins()? >= before + 2)
            })?;
            self.until_ready()
        })?;
        self.say(&format!("a wrong password was told after {attempts} attempts on two units; a new Secret was taken"));
        Ok(())
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
