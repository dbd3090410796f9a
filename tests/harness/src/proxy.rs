//! A way to an API server that can be cut: nothing gets through any more, and no connection breaks. To
//! whoever is on it the server is silent, as behind a network that drops everything.
//!
//! It must not know what goes over it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use kube::config::{Kubeconfig, KubeconfigError};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No port, or no file.
    #[error("cannot make a proxy: {0}")]
    System(#[from] io::Error),
    /// The kubeconfig to start from cannot be read.
    #[error("cannot read the kubeconfig: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// It is no JSON.
    #[error("cannot render the kubeconfig: {0}")]
    Render(#[from] serde_json::Error),
    /// It names no server, or not by an address.
    #[error("the kubeconfig names no server by its address")]
    NoServer,
}

/// A proxy on a port of its own. All connections end with it.
#[derive(Debug)]
pub struct Proxy {
    is_open: watch::Sender<bool>,
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
        let own = listener.local_addr()?;
        let mut config = serde_json::to_value(Kubeconfig::read_from(kubeconfig)?)?;
        let server = config
            .pointer_mut("/clusters/0/cluster/server")
            .ok_or(ProxyError::NoServer)?;
        let address = server.as_str().and_then(|url| url.strip_prefix("https://"));
        let address = address.and_then(|text| text.parse().ok());
        let address: SocketAddr = address.ok_or(ProxyError::NoServer)?;
        *server = Value::String(format!("https://{own}"));
        std::fs::write(kubeconfig_in(&folder), serde_json::to_string(&config)?)?;
        let is_open = watch::Sender::new(true);
        let task = tokio::spawn(serve(listener, address, is_open.subscribe()));
        Ok(Self {
            is_open,
            task,
            folder,
        })
    }

    /// A kubeconfig that leads over the proxy.
    pub fn kubeconfig(&self) -> PathBuf {
        kubeconfig_in(&self.folder)
    }

    /// Lets nothing through any more.
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn kubeconfig_in(folder: &TempDir) -> PathBuf {
    folder.path().join("kubeconfig")
}

async fn serve(listener: TcpListener, server: SocketAddr, is_open: watch::Receiver<bool>) {
    // Connections end with this task.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connect(client, server, is_open.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, server: SocketAddr, mut is_open: watch::Receiver<bool>) {
    if is_open.wait_for(|is_open| *is_open).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::join!(
        pass_on(from_client, to_server, is_open.clone()),
        pass_on(from_server, to_client, is_open),
    );
}

/// Passes on what comes, while the way is open. Ends the other side when this one ends.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut is_open: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if is_open.wait_for(|is_open| *is_open).await.is_err() {
            return;
        }
        let some = bytes.get(..count).unwrap_or_default();
        if to.write_all(some).await.is_err() {
            return;
        }
    }
}
