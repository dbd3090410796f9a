//! A cluster, however it came about: commands that reach it, and requests to its API server.
//!
//! It must not know the product.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use bigip_tunnel_harness::binaries::node;
use bigip_tunnel_harness::binaries::tools::Tool;
use bigip_tunnel_harness::control_plane::client;
use bigip_tunnel_harness::paths::workspace_root;
use bigip_tunnel_harness::progress::to_stderr;
use bigip_tunnel_harness::wait::{Answer, eventually_blocking};
use http::Request;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Failure;

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// How to reach a cluster.
#[derive(Debug)]
pub(crate) struct Access {
    /// A kubeconfig with all rights.
    pub(crate) kubeconfig: PathBuf,
    /// What a command begins with, so that it ends with the cluster.
    pub(crate) inside: Vec<String>,
    /// Where the body may put its files, which go with the cluster; `None`: where the system has temporary ones.
    pub(crate) folder: Option<PathBuf>,
    /// What a command on the node begins with; `None` where the nodes are not ours to enter.
    pub(crate) node: Option<Vec<String>>,
    /// What Helm has installed Cilium with, where it is ours to change: chart, version, namespace.
    pub(crate) cilium: Option<Vec<String>>,
}

impl Access {
    /// The cluster of KUBECONFIG.
    pub(crate) fn current() -> Result<Self, Failure> {
        let missing = || Failure::NotRun("KUBECONFIG names no cluster".to_owned());
        let kubeconfig = std::env::var_os("KUBECONFIG").ok_or_else(missing)?;
        Ok(Self {
            kubeconfig: kubeconfig.into(),
            inside: Vec::new(),
            folder: None,
            node: None,
            cilium: None,
        })
    }

    /// A command line for people.
    pub(crate) fn hint(&self) -> String {
        let inside = self.inside.join(" ");
        format!(
            "{inside} env KUBECONFIG={} kubectl …",
            self.kubeconfig.display()
        )
    }
}

/// A cluster.
pub(crate) struct Cluster {
    access: Access,
    /// Where commands are looked for: ours and the pinned ones first.
    path: OsString,
    /// Commands run here: files that they name lie here, and the configuration of Helm.
    folder: TempDir,
    runtime: Runtime,
    client: kube::Client,
}

impl Cluster {
    pub(crate) fn new(access: Access) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("bigip-tunnel-e2e-body-")
            .tempdir_in(access.folder.clone().unwrap_or_else(std::env::temp_dir))
            .map_err(|error| Failure::failed("make a folder", error))?;
        std::os::unix::fs::symlink(
            workspace_root().join("charts"),
            folder.path().join("charts"),
        )
        .map_err(|error| Failure::failed("link the chart", error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed("start a runtime", error))?;
        let client = runtime
            .block_on(client(&access.kubeconfig))
            .map_err(|error| Failure::failed("make a client", error))?;
        Ok(Self {
            access,
            path: path()?,
            folder,
            runtime,
            client,
        })
    }

    /// A kubeconfig with all rights.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.access.kubeconfig
    }

    /// See [`Access::cilium`].
    pub(crate) fn cilium(&self) -> Option<&[String]> {
        self.access.cilium.as_deref()
    }

    /// The folder that commands run in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command. Returns what it prints.
    pub(crate) fn run(&self, args: &[&str]) -> Result<String, Failure> {
        self.feed(args, "")
    }

    /// Runs a command with this as its standard input.
    pub(crate) fn feed(&self, args: &[&str], input: &str) -> Result<String, Failure> {
        let output = self.output(args, input)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Failure::Failed(format!(
            "`{}` failed: {}{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout),
        )))
    }

    /// Runs a command. Returns its exit code, and what it prints whatever that is.
    pub(crate) fn exit_of(&self, args: &[&str]) -> Result<(Option<i32>, String), Failure> {
        let output = self.output(args, "")?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.is_empty() {
            text = String::from_utf8_lossy(&output.stderr).into_owned();
        }
        Ok((output.status.code(), text))
    }

    /// Whether a command succeeds.
    pub(crate) fn succeeds(&self, args: &[&str]) -> Result<bool, Failure> {
        Ok(self.output(args, "")?.status.success())
    }

    fn output(&self, args: &[&str], input: &str) -> Result<Output, Failure> {
        let failed = |error| Failure::failed(&format!("run `{}`", args.join(" ")), error);
        let mut words = self
            .access
            .inside
            .iter()
            .map(String::as_str)
            .chain(args.iter().copied());
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .env("KUBECONFIG", &self.access.kubeconfig)
            .env("PATH", &self.path)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(home, self.folder.path().join("helm"));
        }
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads less than it is given has its reasons.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().map_err(failed)
    }

    /// Runs kubectl.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Result<String, Failure> {
        self.run(&[&["kubectl"], args].concat())
    }

    /// Creates or changes objects.
    pub(crate) fn apply(&self, yaml: &str) -> Result<(), Failure> {
        self.feed(&["kubectl", "apply", "--filename", "-"], yaml)
            .map(drop)
    }

    /// What `kubectl get` with these arguments gives, as JSON.
    pub(crate) fn get(&self, args: &[&str]) -> Result<Value, Failure> {
        let text = self.kubectl(&[&["get", "--output", "json"], args].concat())?;
        serde_json::from_str(&text).map_err(|error| Failure::failed("read JSON", error))
    }

    /// Runs a command on the node; `None` where there is no way to it.
    pub(crate) fn on_node(&self, args: &[&str]) -> Option<Result<String, Failure>> {
        let node = self.access.node.as_ref()?;
        let words: Vec<&str> = node
            .iter()
            .map(String::as_str)
            .chain(args.iter().copied())
            .collect();
        let mut command = Command::new(words.first()?);
        let output = command.args(words.get(1..)?).stdin(Stdio::null()).output();
        Some(match output {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Ok(output) => Err(Failure::Failed(format!(
                "`{}` on the node failed: {}",
                args.join(" "),
                String::from_utf8_lossy(&output.stderr)
            ))),
            Err(error) => Err(Failure::failed("run a command on the node", error)),
        })
    }

    /// Sends a request to the API server. Returns the body of the answer.
    pub(crate) fn request(&self, request: Request<Vec<u8>>) -> Result<String, Failure> {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = self.runtime.block_on(self.client.request_text(request));
        answer.map_err(|error| Failure::failed(&what, error))
    }

    /// Creates many objects, several at a time.
    pub(crate) fn create_all(&self, path: &str, objects: &[Value]) -> Result<(), Failure> {
        const AT_A_TIME: usize = 16;
        let failed = |error: &dyn std::fmt::Display| Failure::failed("create objects", error);
        self.runtime.block_on(async {
            let mut running: JoinSet<Result<String, kube::Error>> = JoinSet::new();
            for object in objects {
                if running.len() == AT_A_TIME
                    && let Some(done) = running.join_next().await
                {
                    done.map_err(|error| failed(&error))?
                        .map_err(|error| failed(&error))?;
                }
                let request = Request::post(path)
                    .header("Content-Type", "application/json")
                    .body(object.to_string().into_bytes())
                    .map_err(|error| failed(&error))?;
                let client = self.client.clone();
                running.spawn(async move { client.request_text(request).await });
            }
            while let Some(done) = running.join_next().await {
                done.map_err(|error| failed(&error))?
                    .map_err(|error| failed(&error))?;
            }
            Ok(())
        })
    }

    /// Says what is there, for a run that failed.
    pub(crate) fn describe(&self) {
        let app = "app.kubernetes.io/name=bigip-tunnel-operator";
        let questions: [&[&str]; 3] = [
            &["get", "nodes,pods,leases,bigiptunnels", "--all-namespaces"],
            &[
                "get",
                "bigiptunnels",
                "--all-namespaces",
                "--output",
                "yaml",
            ],
            &[
                "logs",
                "--namespace",
                "bigip-system",
                "--selector",
                app,
                "--tail",
                "60",
            ],
        ];
        for question in questions {
            match self.kubectl(question) {
                Ok(text) => to_stderr(&text.lines().take(200).collect::<Vec<_>>().join("\n")),
                Err(failure) => to_stderr(&failure.to_string()),
            }
        }
    }
}

/// Waits until something is so. Returns how long that took.
pub(crate) fn until(
    limit: Duration,
    what: &str,
    mut is_so: impl FnMut() -> Result<bool, Failure>,
) -> Result<Duration, Failure> {
    let started = Instant::now();
    eventually_blocking(what, (limit, INTERVAL), || {
        Ok(match is_so() {
            Ok(true) => Answer::Done(started.elapsed()),
            Ok(false) => Answer::NotYet("no".to_owned()),
            Err(failure) => Answer::NotYet(failure.to_string()),
        })
    })
}

/// Our programs, the pinned kubectl and Helm, then what the machine has.
fn path() -> Result<OsString, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed("find the programs", error);
    let this = std::env::current_exe().map_err(|error| failed(&error))?;
    let helm = Tool::Helm
        .path(&to_stderr)
        .map_err(|error| failed(&error))?;
    let programs = node::programs(&to_stderr).map_err(|error| failed(&error))?;
    let mut folders: Vec<PathBuf> = [this.parent(), Some(&programs), helm.parent()]
        .into_iter()
        .flatten()
        .map(Path::to_owned)
        .collect();
    let machine = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&machine));
    std::env::join_paths(folders).map_err(|error| failed(&error))
}
