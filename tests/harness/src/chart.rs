//! The chart of this checkout, through Helm: rendered, installed, upgraded, uninstalled.
//!
//! It must not know what the chart holds.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::binaries::BinariesError;
use crate::binaries::tools::Tool;
use crate::paths;
use crate::progress::to_stderr;

/// Why Helm did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// There is no Helm.
    #[error(transparent)]
    Tool(#[from] BinariesError),
    /// It cannot be run.
    #[error("cannot run helm: {0}")]
    Run(#[from] io::Error),
    /// It refuses.
    #[error("helm {action} failed: {message}")]
    Refused {
        /// What it was told to do.
        action: String,
        /// What it says.
        message: String,
    },
    /// What it renders is not YAML.
    #[error("helm did not render YAML: {0}")]
    Yaml(String),
}

/// Helm with nothing of the person's own: no configuration, no repositories, no plugins.
#[derive(Debug)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: Option<PathBuf>,
    home: TempDir,
}

impl Helm {
    /// Helm that reaches no cluster.
    pub fn new() -> Result<Self, ChartError> {
        Ok(Self {
            program: Tool::Helm.path(&to_stderr)?,
            kubeconfig: None,
            home: tempfile::Builder::new()
                .prefix("bigip-tunnel-helm-")
                .tempdir()?,
        })
    }

    /// Helm that works on this cluster.
    pub fn on(kubeconfig: &Path) -> Result<Self, ChartError> {
        Ok(Self {
            kubeconfig: Some(kubeconfig.to_owned()),
            ..Self::new()?
        })
    }

    /// Runs it. Returns what it prints.
    pub async fn run(&self, args: &[&str]) -> Result<String, ChartError> {
        let nowhere = self.home.path().join("no-kubeconfig");
        let output = Command::new(&self.program)
            .args(args)
            .env("HELM_CACHE_HOME", self.home.path())
            .env("HELM_CONFIG_HOME", self.home.path())
            .env("HELM_DATA_HOME", self.home.path())
            .env("KUBECONFIG", self.kubeconfig.as_ref().unwrap_or(&nowhere))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(ChartError::Refused {
            action: args.join(" "),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// The objects of a release with these values (`NAME=JSON`), in the order of their creation.
    pub async fn render(
        &self,
        release: &str,
        namespace: &str,
        values: &[&str],
    ) -> Result<Vec<Value>, ChartError> {
        let folder = folder();
        let folder = folder.to_string_lossy();
        let mut args = vec!["template", release, &folder, "--namespace", namespace];
        for value in values {
            args.extend(["--set-json", value]);
        }
        objects(&self.run(&args).await?)
    }
}

/// Where the chart lies.
pub fn folder() -> PathBuf {
    paths::workspace_root().join("charts/bigip-tunnel-operator")
}

/// The objects in a text with several YAML documents.
pub fn objects(yaml: &str) -> Result<Vec<Value>, ChartError> {
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(yaml).map_err(|error| ChartError::Yaml(error.to_string()))?;
    // A template that renders nothing but a comment.
    Ok(objects.into_iter().filter(Value::is_object).collect())
}

/// All rules of the roles among these objects that are bound to a service account.
pub fn bound_rules(objects: &[Value]) -> Vec<PolicyRule> {
    let text = |object: &Value, pointer: &str| {
        let text = object.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let bound: Vec<(String, String)> = objects
        .iter()
        .map(|object| (text(object, "/roleRef/kind"), text(object, "/roleRef/name")))
        .collect();
    let is_bound =
        |object: &&Value| bound.contains(&(text(object, "/kind"), text(object, "/metadata/name")));
    let rules = objects.iter().filter(is_bound);
    let rules = rules.filter_map(|role| serde_json::from_value(role.get("rules")?.clone()).ok());
    rules.flat_map(|rules: Vec<PolicyRule>| rules).collect()
}
