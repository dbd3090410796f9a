//! A proxy in front of an API server, with faults: it falls silent, answers in the server's place, loses
//! answers, changes them, and delays the events of watches.
//!
//! It must not know which program sends requests over it, nor what they mean.
//!
//! A fault is a [`Trouble`] and a rule which requests it applies to. Of several faults, the one that was
//! added first applies. [`Proxy::clear`] removes all of them, and what they held goes on.

mod pass;
mod rewrite;
mod rule;

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::rewrite::Rewrite;
pub use self::rule::{Loss, Rule, RuleId, Seen, Trouble};

use self::rule::Traffic;
use crate::wait::Timeout;

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No port, or no file.
    #[error("cannot make a proxy: {0}")]
    System(#[from] io::Error),
    /// The kubeconfig to start from cannot be used.
    #[error("cannot use the kubeconfig: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// There is no client for it.
    #[error("cannot reach the API server: {0}")]
    Client(#[from] kube::Error),
}

struct Shared {
    client: Client,
    traffic: watch::Sender<Traffic>,
}

/// A proxy on a port of its own, with the rights of the kubeconfig that it was made with. All connections
/// end with it.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    folder: TempDir,
}

impl Proxy {
    /// Begins to pass everything on to the server of this kubeconfig.
    pub async fn start(kubeconfig: &Path) -> Result<Self, ProxyError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let folder = tempfile::Builder::new()
            .prefix("bigip-tunnel-proxy-")
            .tempdir()?;
        let own = format!("http://{}", listener.local_addr()?);
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": own}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        std::fs::write(kubeconfig_in(&folder), text.to_string())?;
        let options = KubeConfigOptions::default();
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        // Every failure is passed back as it is.
        config.default_retry = false;
        let shared = Arc::new(Shared {
            client: Client::try_from(config)?,
            traffic: watch::Sender::default(),
        });
        let task = tokio::spawn(pass::accept(listener, Arc::clone(&shared)));
        Ok(Self {
            shared,
            task,
            folder,
        })
    }

    /// A kubeconfig that leads over the proxy.
    pub fn kubeconfig(&self) -> PathBuf {
        kubeconfig_in(&self.folder)
    }

    /// Adds a fault for every such request from now on.
    pub fn make_trouble(
        &self,
        trouble: Trouble,
        matches: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> RuleId {
        self.add(Rule::new(trouble, matches))
    }

    /// Adds a fault.
    pub fn add(&self, rule: Rule) -> RuleId {
        let mut id = RuleId::default();
        self.shared
            .traffic
            .send_modify(|traffic| id = traffic.add(rule));
        id
    }

    /// Removes one fault; what it held goes on.
    pub fn remove(&self, id: RuleId) {
        self.shared
            .traffic
            .send_modify(|traffic| traffic.remove(id));
    }

    /// Removes every fault; what they held goes on.
    pub fn clear(&self) {
        self.shared.traffic.send_modify(Traffic::clear);
    }

    /// Such requests that came.
    pub fn seen(&self, matches: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let traffic = self.shared.traffic.borrow();
        traffic.seen(matches).cloned().collect()
    }

    /// How often a fault has taken effect: for [`Trouble::AnswerAfter`] and [`Trouble::Rewrite`] once the
    /// server has answered, for [`Trouble::HoldWatch`] once an event is held.
    pub fn effects(&self, id: RuleId) -> usize {
        self.shared.traffic.borrow().effects(id)
    }

    /// The first request that a fault took effect on.
    pub fn first_effect(&self, id: RuleId) -> Option<Seen> {
        self.shared.traffic.borrow().first_effect(id).cloned()
    }

    /// Waits until a fault has taken effect so many times.
    pub async fn until_effects(
        &self,
        id: RuleId,
        count: usize,
        limit: Duration,
    ) -> Result<(), Timeout> {
        let what = format!("{count} effects of a fault of the proxy");
        self.until(what, limit, |traffic| traffic.effects(id) >= count)
            .await
    }

    /// Waits until no request or answer is under way, watches included: until the clients are gone.
    pub async fn until_idle(&self, limit: Duration) -> Result<(), Timeout> {
        let what = "no request under way".to_owned();
        self.until(what, limit, |traffic| traffic.under_way() == 0)
            .await
    }

    async fn until(
        &self,
        what: String,
        limit: Duration,
        is_so: impl Fn(&Traffic) -> bool,
    ) -> Result<(), Timeout> {
        let mut traffic = self.shared.traffic.subscribe();
        let waited = tokio::time::timeout(limit, traffic.wait_for(is_so)).await;
        let last = match waited {
            // The sender lives as long as the proxy.
            Ok(Ok(_) | Err(_)) => return Ok(()),
            Err(_) => format!("{:?}", self.shared.traffic.borrow()),
        };
        Err(Timeout {
            what,
            waited: limit,
            last,
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("traffic", &self.traffic)
            .finish_non_exhaustive()
    }
}

fn kubeconfig_in(folder: &TempDir) -> PathBuf {
    folder.path().join("kubeconfig")
}
