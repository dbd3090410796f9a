//! The operator as a real process, as a cluster would run it.
//!
//! It must not know what the operator does: it starts it, reads its log and ends it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::products::{Product, ProductError};
use crate::supervise::{Exit, Process, Supervised};

/// How long it may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to end after SIGTERM: one device request in flight may take a minute.
const STOP_TIMEOUT: Duration = Duration::from_secs(90);
/// Lines of its log that go into an error.
const ERROR_LINES: usize = 40;

/// How to start an operator.
#[derive(Debug, Clone, Default)]
pub struct OperatorOptions {
    /// Which cluster; the operator's own search applies when it is not set.
    pub kubeconfig: Option<PathBuf>,
    /// Which namespaces it watches; none is all.
    pub watch_namespaces: Vec<String>,
    /// `--settle-seconds`; the operator's own value when it is not set.
    pub settle_seconds: Option<u32>,
    /// Namespace and name of the lease by which it is elected; without it it leads from the start.
    pub lease: Option<(String, String)>,
    /// More arguments.
    pub args: Vec<String>,
    /// More environment variables.
    pub env: Vec<(String, String)>,
}

/// Why there is no operator.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// Its program is not available.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// It cannot be started.
    #[error("cannot start the operator: {0}")]
    Spawn(std::io::Error),
    /// It ended before it listened.
    #[error("the operator ended ({exit:?}); its log:\n{log}")]
    Ended {
        /// How.
        exit: Exit,
        /// What it wrote.
        log: String,
    },
    /// It did not listen, or did not end, in time.
    #[error("the operator did not {action} within {} s; its log:\n{log}", limit.as_secs())]
    Timeout {
        /// What it should have done.
        action: &'static str,
        /// The time it had.
        limit: Duration,
        /// What it wrote.
        log: String,
    },
}

/// A running operator; killed when this value goes.
#[derive(Debug)]
pub struct OperatorProcess {
    process: Process,
    listen: SocketAddr,
}

impl OperatorProcess {
    /// Starts it and waits until it listens.
    pub async fn start(options: OperatorOptions) -> Result<Self, OperatorError> {
        let (supervisor, operator) = (Product::ControlPlane.path()?, Product::Operator.path()?);
        Self::start_program(&supervisor, &operator, options).await
    }

    /// The same with programs from elsewhere: `supervisor` is a `control-plane`, `operator` for
    /// example another release.
    pub async fn start_program(
        supervisor: &Path,
        operator: &Path,
        options: OperatorOptions,
    ) -> Result<Self, OperatorError> {
        let (sender, mut listening) = watch::channel(None);
        let process = command(supervisor, operator, options)
            .spawn(move |line| {
                if let Some(address) = listen_address(line) {
                    sender.send_replace(Some(address));
                }
            })
            .map_err(OperatorError::Spawn)?;
        let started = async {
            tokio::select! {
                exit = process.wait() => Err(exit),
                address = listening.wait_for(Option::is_some) => match address {
                    Ok(address) => Ok(*address),
                    // The log has ended, so the process has.
                    Err(_) => Err(process.wait().await),
                },
            }
        };
        let listen = match timeout(START_TIMEOUT, started).await {
            Ok(Ok(Some(listen))) => listen,
            Ok(Ok(None)) | Err(_) => {
                return Err(late(&process, "listen", START_TIMEOUT));
            }
            Ok(Err(exit)) => {
                return Err(OperatorError::Ended {
                    exit,
                    log: last_lines(&process),
                });
            }
        };
        Ok(Self { process, listen })
    }

    /// Where it serves health and metrics.
    pub fn listen_address(&self) -> SocketAddr {
        self.listen
    }

    /// What it logged.
    pub fn log(&self) -> Vec<String> {
        self.process.log()
    }

    /// Stops it with SIGSTOP.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on with SIGCONT.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Sends SIGTERM and does not wait.
    pub fn send_terminate(&self) {
        self.process.terminate();
    }

    /// Waits until it has ended.
    pub async fn ended(&self) -> Result<Exit, OperatorError> {
        timeout(STOP_TIMEOUT, self.process.wait())
            .await
            .map_err(|_| late(&self.process, "end", STOP_TIMEOUT))
    }

    /// Ends it with SIGTERM and waits. Zero is the code of an orderly end.
    pub async fn terminate(self) -> Result<Exit, OperatorError> {
        self.send_terminate();
        self.ended().await
    }

    /// Ends it with SIGKILL, as a crash would, and waits.
    pub async fn kill(self) {
        self.process.kill();
        self.process.wait().await;
    }
}

fn command(supervisor: &Path, operator: &Path, options: OperatorOptions) -> Supervised {
    let mut command = Supervised::new(supervisor, operator)
        .arg("--listen=127.0.0.1:0")
        .arg(format!("--leader-elect={}", options.lease.is_some()))
        .arg("--log-format=json");
    if let Some((namespace, name)) = options.lease {
        command = command
            .arg(format!("--lease-namespace={namespace}"))
            .arg(format!("--lease-name={name}"));
    }
    if let Some(seconds) = options.settle_seconds {
        command = command.arg(format!("--settle-seconds={seconds}"));
    }
    for namespace in options.watch_namespaces {
        command = command.arg(format!("--watch-namespace={namespace}"));
    }
    if let Some(kubeconfig) = options.kubeconfig {
        command = command.env("KUBECONFIG", kubeconfig);
    }
    for arg in options.args {
        command = command.arg(arg);
    }
    for (name, value) in options.env {
        command = command.env(name, value);
    }
    command
}

/// The address in the log line that announces it.
fn listen_address(line: &str) -> Option<SocketAddr> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let field = entry
        .pointer("/fields/listen_address")
        .or_else(|| entry.get("listen_address"))?;
    field.as_str()?.parse().ok()
}

fn late(process: &Process, action: &'static str, limit: Duration) -> OperatorError {
    OperatorError::Timeout {
        action,
        limit,
        log: last_lines(process),
    }
}

fn last_lines(process: &Process) -> String {
    let lines = process.log();
    lines
        .get(lines.len().saturating_sub(ERROR_LINES)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_address_is_read_from_both_log_forms() {
        let address = Some(SocketAddr::from(([127, 0, 0, 1], 4321)));
        let nested =
            r#"{"level":"INFO","fields":{"message":"serving","listen_address":"127.0.0.1:4321"}}"#;
        let flat = r#"{"level":"INFO","message":"serving","listen_address":"127.0.0.1:4321"}"#;
        assert_eq!(listen_address(nested), address);
        assert_eq!(listen_address(flat), address);
        assert_eq!(listen_address("{\"message\":\"starting\"}"), None);
        assert_eq!(listen_address("thread main panicked"), None);
    }
}
