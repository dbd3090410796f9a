//! A real Kubernetes API server for tests and the demo: a `control-plane` process that ends when
//! the process that started it ends.
//!
//! It must not know what is done with the API server.

mod credentials;
pub mod server;

use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde::{Deserialize, Serialize};

use crate::products::{Product, ProductError};
use crate::supervise::Exit;

/// The line that the `control-plane` program prints when it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// A kubeconfig with all rights.
    pub kubeconfig: PathBuf,
    /// Address of the API server.
    pub server: String,
    /// Where its programs come from, for people.
    pub source: String,
}

/// Why there is no API server.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// kube-apiserver or etcd is not available.
    #[error(transparent)]
    Binaries(#[from] crate::binaries::BinariesError),
    /// The `control-plane` program is not available.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// A file, port or process cannot be had.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// No certificate can be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// etcd or kube-apiserver ended by itself.
    #[error("{program} ended ({exit:?}); its last lines: {log}")]
    Ended {
        /// Which.
        program: &'static str,
        /// How.
        exit: Exit,
        /// What it wrote last.
        log: String,
    },
    /// The API server does not answer in time.
    #[error("kube-apiserver is not ready after {seconds} s ({last}); its last lines: {log}")]
    NotReady {
        /// How long it had.
        seconds: u64,
        /// Its last answer.
        last: String,
        /// What it wrote last.
        log: String,
    },
    /// The custom resource definition is refused.
    #[error("the API server does not serve the CRD: {0}")]
    Crd(String),
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig: {0}")]
    Kubeconfig(String),
    /// The `control-plane` program ended before it was ready; it said why on standard error.
    #[error("the control plane did not start; its message is above")]
    NotStarted,
}

/// A running control plane. It ends when this value goes.
#[derive(Debug)]
pub struct ControlPlane {
    announcement: Announcement,
    process: Child,
    /// The program runs until this pipe closes.
    lifeline: Option<ChildStdin>,
}

impl ControlPlane {
    /// The control plane that the tests of a process share. It is started by the first one and
    /// ends with the process. A test about *all* nodes starts one of its own.
    pub fn shared() -> Result<&'static Self, &'static ControlPlaneError> {
        static SHARED: OnceLock<Result<ControlPlane, ControlPlaneError>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Starts a control plane with the `BigIpTunnel` resource installed, and waits until it is
    /// ready.
    pub fn start() -> Result<Self, ControlPlaneError> {
        let mut process = Command::new(Product::ControlPlane.path()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for this process, which ends the control plane when it is done.
            .process_group(0)
            .spawn()
            .map_err(|source| ControlPlaneError::System {
                action: "start the control plane",
                source,
            })?;
        let lifeline = process.stdin.take();
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            // At its end without a line the text stays empty, and is no announcement.
            let _ = BufReader::new(output).read_line(&mut line);
        }
        let Ok(announcement) = serde_json::from_str(&line) else {
            drop(lifeline);
            let _ = process.wait();
            return Err(ControlPlaneError::NotStarted);
        };
        Ok(Self {
            announcement,
            process,
            lifeline,
        })
    }

    /// A kubeconfig with all rights.
    pub fn kubeconfig(&self) -> &Path {
        &self.announcement.kubeconfig
    }

    /// Address of the API server.
    pub fn server(&self) -> &str {
        &self.announcement.server
    }

    /// Where its programs come from, for people.
    pub fn source(&self) -> &str {
        &self.announcement.source
    }

    /// Process id of the `control-plane` program.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A new client with all rights. Each test takes one of its own: its connections live on the
    /// test's runtime.
    pub async fn client(&self) -> Result<Client, ControlPlaneError> {
        client(self.kubeconfig()).await
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.process.wait();
    }
}

/// A client from a kubeconfig, without retries of its own: a test sees each refusal.
pub async fn client(kubeconfig: &Path) -> Result<Client, ControlPlaneError> {
    let unusable = |error: &dyn std::fmt::Display| ControlPlaneError::Kubeconfig(error.to_string());
    let file = Kubeconfig::read_from(kubeconfig).map_err(|error| unusable(&error))?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(&error))?;
    config.default_retry = false;
    Client::try_from(config).map_err(|error| unusable(&error))
}
