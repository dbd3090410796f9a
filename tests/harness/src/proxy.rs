//! A way to an API server on which things go wrong: it falls silent, or answers in the server's place.
//!
//! It must not know what goes over it, nor who asks.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::stream;
use http::header::RETRY_AFTER;
use http::{Method, StatusCode, Uri};
use http_body_util::BodyExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The largest body of a request that is passed on.
const BODY_MAX_BYTES: usize = 4 << 20;

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

/// What happens to a request, instead of being passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is answered with this code, and with how many seconds to wait.
    Answer(StatusCode, Option<u32>),
    /// It is never answered. Nothing more comes of what was answered before, either: so it is behind a
    /// network that drops everything.
    Silence,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
}

/// To which requests something happens.
type Matches = fn(&Seen) -> bool;

struct Shared {
    client: Client,
    trouble: watch::Sender<Option<(Trouble, Matches)>>,
    seen: Mutex<Vec<Seen>>,
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
        // Whoever is on the way shall see every failure.
        config.default_retry = false;
        let shared = Arc::new(Shared {
            client: Client::try_from(config)?,
            trouble: watch::Sender::new(None),
            seen: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let task = tokio::spawn(async move {
            // It ends with its task, and says nothing worth hearing.
            let _: io::Result<()> = axum::serve(listener, router).await;
        });
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

    /// From now on this happens to such requests, and nothing else to others.
    pub fn make_trouble(&self, trouble: Trouble, matches: Matches) {
        self.shared.trouble.send_replace(Some((trouble, matches)));
    }

    /// Passes everything on again.
    pub fn clear(&self) {
        self.shared.trouble.send_replace(None);
    }

    /// Such requests that came.
    pub fn seen(&self, matches: Matches) -> Vec<Seen> {
        let seen = self.shared.seen();
        seen.iter().filter(|seen| matches(seen)).cloned().collect()
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
            .field("trouble", &self.trouble)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kubeconfig_in(folder: &TempDir) -> PathBuf {
    folder.path().join("kubeconfig")
}

/// Waits until what is on its way may arrive.
async fn until_heard(trouble: &mut watch::Receiver<Option<(Trouble, Matches)>>, seen: &Seen) {
    let is_heard = |now: &Option<(Trouble, Matches)>| {
        now.is_none_or(|(trouble, matches)| trouble != Trouble::Silence || !matches(seen))
    };
    // The sender lives as long as the proxy.
    let _: Result<_, _> = trouble.wait_for(is_heard).await;
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
    };
    shared.seen().push(seen.clone());
    let mut trouble = shared.trouble.subscribe();
    let now = *trouble.borrow_and_update();
    if let Some((Trouble::Answer(code, retry_after_s), matches)) = now
        && matches(&seen)
    {
        return refusal(code, retry_after_s, "as the test wants it");
    }
    until_heard(&mut trouble, &seen).await;
    let Ok(bytes) = axum::body::to_bytes(body, BODY_MAX_BYTES).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, None, "too large");
    };
    let mut request = http::Request::new(kube::client::Body::from(bytes.to_vec()));
    *request.method_mut() = parts.method;
    *request.uri_mut() = path_of(&parts.uri);
    *request.headers_mut() = parts.headers;
    request.headers_mut().remove(http::header::HOST);
    match shared.client.send(request).await {
        Ok(response) => pass_back(response, trouble, seen).await,
        Err(error) => refusal(StatusCode::BAD_GATEWAY, None, &error.to_string()),
    }
}

fn path_of(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    path.parse().unwrap_or_default()
}

/// Passes an answer back as it comes, while it may be heard.
async fn pass_back(
    response: http::Response<kube::client::Body>,
    mut trouble: watch::Receiver<Option<(Trouble, Matches)>>,
    seen: Seen,
) -> Response {
    until_heard(&mut trouble, &seen).await;
    let (parts, body) = response.into_parts();
    let chunks = stream::unfold(
        (body, trouble, seen),
        async |(mut body, mut trouble, seen)| {
            let chunk = body.frame().await?.ok()?.into_data().ok()?;
            until_heard(&mut trouble, &seen).await;
            Some((Ok::<_, Infallible>(chunk), (body, trouble, seen)))
        },
    );
    Response::from_parts(parts, Body::from_stream(Box::pin(chunks)))
}

fn refusal(code: StatusCode, retry_after_s: Option<u32>, message: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "code": code.as_u16(),
    });
    let mut response = Response::new(Body::from(status.to_string()));
    *response.status_mut() = code;
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
