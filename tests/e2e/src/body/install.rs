//! From nothing to a tunnel that is Ready, and away again, as the page says.

use std::fs;
use std::time::Instant;

use bigip_tunnel_harness::binaries::definitions;
use bigip_tunnel_harness::progress::to_stderr;

use super::{NAMESPACE, SHORT, SYSTEM, Stage};
use crate::Failure;

/// The image that the chart names by itself.
const IMAGE_OF_THE_CHART: &str =
    concat!("ghcr.io/bigip-tunnel/operator:", env!("CARGO_PKG_VERSION"));
const RESTRICTED: &str = "pod-security.kubernetes.io/enforce=restricted";

/// The values that name this image, as the page says; none for the chart's own.
pub(super) fn image_values(image: &str) -> Vec<String> {
    if image == IMAGE_OF_THE_CHART {
        return Vec::new();
    }
    let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let values = [
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
    ];
    values
        .into_iter()
        .flat_map(|value| ["--set-string".to_owned(), value])
        .collect()
}

impl Stage<'_> {
    pub(super) fn install_by_the_page(&self) -> Result<(), Failure> {
        let write = |name: &str, text: &str| {
            fs::write(self.cluster.folder().join(name), text)
                .map_err(|error| Failure::failed("write a file", error))
        };
        write("ca.crt", self.units.authorities())?;
        write("tunnel.yaml", self.page.yaml("4. ")?)?;
        self.cluster.kubectl(&["create", "namespace", SYSTEM])?;
        self.cluster
            .kubectl(&["label", "namespace", SYSTEM, RESTRICTED])?;
        self.follow("1. ", "")?;
        let started = Instant::now();
        self.follow("2. ", "")?;
        self.say("installed as the page says");
        // Typed, with the key at the end.
        self.follow("3. ", &format!("{}\n", self.units.initial_password()))?;
        self.without_a_write("an object that observes", || self.follow("4. ", ""))?;
        self.follow("5. ", "")?;
        self.until_records_are_right(SHORT, "every node has its record")?;
        let seconds = started.elapsed().as_secs_f64();
        self.say(&format!(
            "figure: {seconds:.1} s from `helm install` to Ready, by way of Observe"
        ));
        Ok(())
    }

    /// The namespace refuses a pod that does not keep the policy, so that those of the chart keep it.
    pub(super) fn pods_keep_the_restricted_policy(&self) -> Result<(), Failure> {
        let loose = [
            "run",
            "loose",
            "--image=loose",
            "--dry-run=server",
            "--namespace",
            SYSTEM,
        ];
        if self
            .cluster
            .succeeds(&[&["kubectl"], &loose[..]].concat())?
        {
            let text = format!("the namespace {SYSTEM} takes a pod that is not restricted");
            return Err(Failure::Wrong(text));
        }
        self.say("the operator runs where only restricted pods may");
        Ok(())
    }

    /// Leaves the pods and their leader as they are.
    pub(super) fn upgrade_without_a_change_writes_nothing(&self) -> Result<(), Failure> {
        for definition in definitions::of_others(&to_stderr)
            .map_err(|error| Failure::Failed(error.to_string()))?
        {
            self.cluster.feed(
                &["kubectl", "apply", "--server-side", "--filename", "-"],
                &definition,
            )?;
        }
        self.without_a_write("an upgrade", || {
            self.follow("Upgrade", "")?;
            self.follow("6. ", "")?;
            self.until_rolled_out()?;
            self.reconcile()
        })?;
        self.say("an upgrade without a change wrote nothing, nor did one that adds monitors");
        Ok(())
    }

    pub(super) fn upgrade_with_a_change_writes_nothing(&self) -> Result<(), Failure> {
        self.without_a_write("an upgrade that replaces the pods", || {
            self.helm(
                "upgrade",
                &[
                    "--reset-then-reuse-values",
                    "--set-string",
                    "podAnnotations.tried=yes",
                    "--wait",
                ],
            )?;
            self.reconcile()
        })?;
        self.say("an upgrade that replaces the pods wrote nothing");
        Ok(())
    }

    pub(super) fn another_release_stays_apart(&self) -> Result<(), Failure> {
        self.without_a_write("another release", || {
            self.follow("Several releases", "")?;
            let words = [
                "rollout",
                "status",
                "deployment",
                "--namespace",
                "team-b",
                "--timeout=120s",
            ];
            self.cluster.kubectl(&words)?;
            self.reconcile()
        })?;
        self.cluster.run(&[
            "helm",
            "uninstall",
            "tunnels-b",
            "--namespace",
            "team-b",
            "--wait",
        ])?;
        self.say("another release in the cluster stays apart");
        Ok(())
    }

    pub(super) fn uninstall_keeps_definition_tunnel_and_records(&self) -> Result<(), Failure> {
        self.without_a_write("uninstalling", || {
            self.cluster
                .run(&[
                    "helm",
                    "uninstall",
                    super::RELEASE,
                    "--namespace",
                    SYSTEM,
                    "--wait",
                ])
                .map(drop)
        })?;
        self.tunnel()?;
        self.until_records_are_right(SHORT, "the records stay")?;
        self.say("uninstalling kept definition, tunnel and records");
        Ok(())
    }

    /// The export installs into the namespace of the tunnel; then Helm takes over again.
    pub(super) fn export_adopts_what_is_there(&self) -> Result<(), Failure> {
        let export =
            "kubectl bigip-tunnel install --export -n bigip | kubectl apply --server-side -f -";
        let page = self.page.text();
        if !page.contains(export) {
            return Err(Failure::Wrong(format!(
                "the page no longer says `{export}`"
            )));
        }
        let deployment = "deployment/bigip-tunnel-operator";
        self.without_a_write("the export", || {
            self.shell(export, "")?;
            let words = [
                "rollout",
                "status",
                deployment,
                "--namespace",
                NAMESPACE,
                "--timeout=120s",
            ];
            self.cluster.kubectl(&words)?;
            self.reconcile()?;
            self.until_ready()
        })?;
        self.say("the export adopted what is there without a write");
        self.remove_export()?;
        self.without_a_write("installing again", || {
            let values = format!("watchNamespaces={{{NAMESPACE}}}");
            self.helm("install", &["--set", &values, "--wait"])?;
            self.reconcile()?;
            self.until_ready()
        })
    }

    /// Everything of the export but the definition and the namespace.
    fn remove_export(&self) -> Result<(), Failure> {
        let selector = "app.kubernetes.io/name=bigip-tunnel-operator";
        let namespaced = "deployment,service,serviceaccount,configmap,lease,poddisruptionbudget,networkpolicy,role,rolebinding";
        // Among them what the operator may do in the namespace of Cilium.
        let everywhere = ["--all-namespaces", "--selector", selector];
        self.cluster
            .kubectl(&[&["delete", namespaced], &everywhere[..]].concat())?;
        let global = "clusterrole,clusterrolebinding";
        self.cluster
            .kubectl(&["delete", global, "--selector", selector])
            .map(drop)
    }

    /// The tunnel that is there by now leaves its records, as the page says how to.
    pub(super) fn uninstall_by_the_page(&self) -> Result<(), Failure> {
        self.without_a_write("uninstalling with `deletionPolicy: Retain`", || {
            self.follow("Uninstall", "")
        })?;
        if !self.units.hold_the_records_of_all_nodes()? {
            return Err(Failure::Wrong(
                "records that were to stay are gone".to_owned(),
            ));
        }
        let crds = ["get", "crd", "bigiptunnels.bigip-tunnel.dev"];
        if self.cluster.succeeds(&[&["kubectl"], &crds[..]].concat())? {
            return Err(Failure::Wrong("the page leaves the definition".to_owned()));
        }
        self.say("uninstalled as the page says; the records stayed");
        Ok(())
    }

    /// Runs what the page says under a heading.
    fn follow(&self, heading: &str, input: &str) -> Result<(), Failure> {
        for script in self.page.scripts(heading)? {
            self.shell(&self.with_image(&script), input)?;
        }
        Ok(())
    }

    /// Runs a script as a user types it: up to the first command that fails. `diff` says 1 where there is a difference.
    fn shell(&self, script: &str, input: &str) -> Result<(), Failure> {
        let settings = "set -eu -o pipefail\n";
        let mut text = settings.to_owned();
        for line in script.lines() {
            text += line;
            if line.starts_with("kubectl bigip-tunnel diff ") {
                text += " || [ $? -eq 1 ]";
            }
            text += "\n";
        }
        self.cluster.feed(&["bash", "-c", &text], input).map(drop)
    }

    /// The script with the image that is tried, as the page says to name another one.
    fn with_image(&self, script: &str) -> String {
        let names_chart =
            |line: &str| line.starts_with("helm install ") || line.starts_with("helm upgrade ");
        let lines = script.lines().map(|line| {
            let values = self.image_values.join(" ");
            if values.is_empty() || !names_chart(line) {
                return line.to_owned();
            }
            format!("{line} {values}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_of_the_chart_needs_no_values() {
        assert!(image_values(IMAGE_OF_THE_CHART).is_empty());
    }

    #[test]
    fn other_image_is_set_by_chart_values() {
        let values = image_values("registry.example:5000/team/operator:1");
        let wanted = [
            "--set-string",
            "image.repository=registry.example:5000/team/operator",
            "--set-string",
            "image.tag=1",
        ];
        assert_eq!(values, wanted);
    }
}
