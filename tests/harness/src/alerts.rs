//! Prometheus's own tests of alerts: which of them fire when series go like this.
//!
//! It must not know what the alerts are about.

use std::fs;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::binaries::BinariesError;
use crate::binaries::tools::Tool;
use crate::progress::to_stderr;

/// Why the alerts are not as the tests want them.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// There is no promtool.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// It cannot be run.
    #[error("cannot run promtool: {0}")]
    System(#[from] std::io::Error),
    /// A test failed, or makes no sense.
    #[error("promtool: {0}")]
    Failed(String),
}

/// Runs tests in promtool's form. They name the file of these `rules` as `rules.json`.
pub async fn test(rules: &Value, tests: &str) -> Result<(), AlertsError> {
    let program = Tool::Promtool.path(&to_stderr)?;
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("rules.json"), rules.to_string())?;
    fs::write(folder.path().join("tests.yaml"), tests)?;
    let output = Command::new(program)
        .args(["test", "rules", "tests.yaml"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(AlertsError::Failed(
        String::from_utf8_lossy(&said).into_owned(),
    ))
}
