//! The workspace's own programs, built when they are asked for.
//!
//! It knows their names, not what they do.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use crate::paths;

/// Names a folder that holds programs built just now, so that nothing is built again.
pub const BINARIES_VARIABLE: &str = "BIGIP_TUNNEL_BINARIES";

/// A program of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// The operator.
    Operator,
    /// The kubectl plugin.
    Plugin,
    /// The control plane of this crate, which is the supervisor too.
    ControlPlane,
    /// The simulated device.
    Simulator,
}

impl Product {
    fn package(self) -> &'static str {
        match self {
            Self::Operator => "bigip-tunnel-operator",
            Self::Plugin => "kubectl-bigip-tunnel",
            Self::ControlPlane => "bigip-tunnel-harness",
            Self::Simulator => "bigip-sim",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Operator => "bigip-tunnel-operator",
            Self::Plugin => "kubectl-bigip_tunnel",
            Self::ControlPlane => "control-plane",
            Self::Simulator => "bigip-sim",
        }
    }

    /// Its path. The first time in a process, Cargo brings it up to date.
    pub fn path(self) -> Result<PathBuf, ProductError> {
        static FOUND: Mutex<Option<HashMap<Product, PathBuf>>> = Mutex::new(None);
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.get_or_insert_default();
        if let Some(path) = found.get(&self) {
            return Ok(path.clone());
        }
        let path = match std::env::var_os(BINARIES_VARIABLE) {
            Some(folder) => PathBuf::from(folder).join(self.program()),
            None => self.build()?,
        };
        if !path.is_file() {
            return Err(ProductError::Absent { path });
        }
        found.insert(self, path.clone());
        Ok(path)
    }

    fn build(self) -> Result<PathBuf, ProductError> {
        let program = self.program();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--package", self.package(), "--bin", program])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(paths::workspace_root())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(ProductError::Cargo)?;
        if !output.status.success() {
            return Err(ProductError::Build { program });
        }
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Message>(line).ok())
            .find(|message| {
                message
                    .target
                    .as_ref()
                    .is_some_and(|target| target.name == program)
            })
            .and_then(|message| message.executable)
            .ok_or(ProductError::Build { program })
    }
}

/// What of Cargo's messages matters here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Why a program of the workspace is not there.
#[derive(Debug, thiserror::Error)]
pub enum ProductError {
    /// Cargo does not start.
    #[error("cargo cannot be started: {0}")]
    Cargo(io::Error),
    /// Its source does not build; Cargo said why on standard error.
    #[error("{program} does not build")]
    Build {
        /// The program.
        program: &'static str,
    },
    /// The folder named by `BIGIP_TUNNEL_BINARIES` lacks it.
    #[error("there is no program {}; unset {BINARIES_VARIABLE} or build it first", path.display())]
    Absent {
        /// Where it should be.
        path: PathBuf,
    },
}
