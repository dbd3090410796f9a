//! The device on the network: TCP, TLS and HTTP/1.1 around [`State`], and the handle tests hold.
//!
//! It decides nothing about requests; it reads them, asks the state, and does to the connection what
//! the state says.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::config::{ConfigError, FailoverState, FloodingType, SelfIp, SimConfig, TunnelConfig};
use crate::faults::{Fault, FaultId};
use crate::log::{self, LoggedRequest};
use crate::state::{Client, Reply, State};
use crate::tls::{Identity, TlsError};

/// A simulated BIG-IP that listens; dropping it ends it, with its connections.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca_pem: String,
    fingerprint: String,
    accepting: JoinHandle<()>,
}

/// The device cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What it should be makes no sense.
    #[error("the configuration cannot be simulated")]
    Config(#[from] ConfigError),
    /// Its certificates cannot be made.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The address is taken or not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// The state never became as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulated device was not in the expected state within {} ms", .0.as_millis())]
pub struct Timeout(Duration);

#[derive(Debug)]
struct Shared {
    /// Wakes everybody who waits whenever it is touched.
    state: watch::Sender<State>,
    responsive: watch::Sender<bool>,
    latency_ms: AtomicU64,
}

impl Simulator {
    /// Starts a device on the running Tokio runtime.
    pub async fn start(config: SimConfig) -> Result<Self, StartError> {
        let state = State::new(&config, RandomState::new().hash_one("tokens"))?;
        let failed = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut names = vec![address.ip()];
        if address.ip().is_unspecified() {
            names.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let identity = if config.own_certificate {
            Identity::of_new_device()?
        } else {
            Identity::generate(&names)?
        };
        let shared = Arc::new(Shared {
            state: watch::Sender::new(state),
            responsive: watch::Sender::new(true),
            latency_ms: AtomicU64::new(config.latency_ms),
        });
        let acceptor = TlsAcceptor::from(identity.server);
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Ok(Self {
            shared,
            address,
            ca_pem: identity.ca_pem,
            fingerprint: identity.fingerprint,
            accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate to trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// SHA-256 of the certificate that it presents, in hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// See [`State::records`].
    pub fn records(&self, tunnel: &str) -> BTreeMap<String, String> {
        self.shared.state.borrow().records(tunnel)
    }

    /// See [`State::saved_records`].
    pub fn saved_records(&self, tunnel: &str) -> BTreeMap<String, String> {
        self.shared.state.borrow().saved_records(tunnel)
    }

    /// See [`State::mutations`].
    pub fn mutations(&self) -> u64 {
        self.shared.state.borrow().mutations()
    }

    /// See [`State::requests`].
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.state.borrow().requests().cloned().collect()
    }

    /// See [`State::held_by`].
    pub fn held_by(&self, fault: FaultId) -> Vec<LoggedRequest> {
        self.shared.state.borrow().held_by(fault).cloned().collect()
    }

    /// See [`State::logins`].
    pub fn logins(&self) -> u64 {
        self.shared.state.borrow().logins()
    }

    /// See [`State::failed_logins`].
    pub fn failed_logins(&self) -> u64 {
        self.shared.state.borrow().failed_logins()
    }

    /// Tokens of a user that are good now.
    pub fn live_tokens(&self, user: &str) -> usize {
        self.shared
            .state
            .borrow()
            .live_tokens(user, Timestamp::now())
    }

    /// Waits until the device is in a state. Looked at once now and again after every change; the
    /// condition must not call this simulator.
    pub async fn wait_until(
        &self,
        timeout: Duration,
        condition: impl FnMut(&State) -> bool,
    ) -> Result<(), Timeout> {
        let mut state = self.shared.state.subscribe();
        match tokio::time::timeout(timeout, state.wait_for(condition)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Timeout(timeout)),
        }
    }

    /// See [`State::seed_record`].
    pub fn seed_record(&self, tunnel: &str, mac: &str, endpoint: &str) -> Result<(), ConfigError> {
        self.shared
            .change(|state| state.seed_record(tunnel, mac, endpoint))
    }

    /// See [`State::drop_record`].
    pub fn drop_record(&self, tunnel: &str, mac: &str) -> bool {
        self.shared.change(|state| state.drop_record(tunnel, mac))
    }

    /// See [`State::add_tunnel`].
    pub fn add_tunnel(&self, tunnel: &TunnelConfig) -> Result<(), ConfigError> {
        self.shared.change(|state| state.add_tunnel(tunnel))
    }

    /// See [`State::add_self_ip`].
    pub fn add_self_ip(&self, self_ip: &SelfIp) -> Result<(), ConfigError> {
        self.shared.change(|state| state.add_self_ip(self_ip))
    }

    /// See [`State::delete_self_ip`].
    pub fn delete_self_ip(&self, path: &str) -> bool {
        self.shared.change(|state| state.delete_self_ip(path))
    }

    /// See [`State::set_flooding_type`].
    pub fn set_flooding_type(&self, tunnel: &str, flooding_type: FloodingType) -> bool {
        self.shared
            .change(|state| state.set_flooding_type(tunnel, flooding_type))
    }

    /// See [`State::set_local_address`].
    pub fn set_local_address(&self, tunnel: &str, address: &str) -> bool {
        self.shared
            .change(|state| state.set_local_address(tunnel, address))
    }

    /// See [`State::reboot`].
    pub fn reboot(&self) {
        self.shared.change(State::reboot);
    }

    /// See [`State::delete_tunnel`].
    pub fn delete_tunnel(&self, path: &str) -> bool {
        self.shared.change(|state| state.delete_tunnel(path))
    }

    /// See [`State::set_password`].
    pub fn set_password(&self, user: &str, password: &str) {
        self.shared
            .change(|state| state.set_password(user, password));
    }

    /// See [`State::set_failover_state`].
    pub fn set_failover_state(&self, failover: FailoverState) {
        self.shared
            .change(|state| state.set_failover_state(failover));
    }

    /// See [`State::fault`].
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.shared.change(|state| state.fault(fault))
    }

    /// See [`State::remove_fault`].
    pub fn remove_fault(&self, id: FaultId) {
        self.shared.change(|state| state.remove_fault(id));
    }

    /// See [`State::clear_faults`].
    pub fn clear_faults(&self) {
        self.shared.change(State::clear_faults);
    }

    /// See [`State::clear_log`].
    pub fn clear_log(&self) {
        self.shared.change(State::clear_log);
    }

    /// Makes every request from now on take this long before it is worked on, in milliseconds.
    pub fn set_latency_ms(&self, latency_ms: u64) {
        self.shared.latency_ms.store(latency_ms, Ordering::Relaxed);
    }

    /// Turns the device into a black hole, or back. While it is one, connections are accepted but
    /// neither handshakes nor requests are answered; when it is back they go on.
    pub fn set_responsive(&self, responsive: bool) {
        self.shared.responsive.send_replace(responsive);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.accepting.abort();
        // Requests in flight run in tasks of their own: let go of those that wait.
        self.clear_faults();
    }
}

impl Shared {
    #[expect(clippy::expect_used, reason = "send_modify always calls its closure")]
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.state.send_modify(|state| result = Some(change(state)));
        result.expect("the closure has run")
    }

    async fn until_responsive(&self) {
        // Fails only when the sender is gone, and that is a field of self.
        let _ = self
            .responsive
            .subscribe()
            .wait_for(|responsive| *responsive)
            .await;
    }

    /// Has a request carried out; `None` if there is nothing to answer.
    async fn work(&self, request: Request<Bytes>) -> Option<Response<Bytes>> {
        let latency_ms = self.latency_ms.load(Ordering::Relaxed);
        if latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
        }
        let mut reply = self.change(|state| state.handle(&request, Timestamp::now()));
        if let Reply::Hold(held) = reply {
            // Fails only when the sender is gone, and that is a field of self.
            let _ = self
                .state
                .subscribe()
                .wait_for(|state| !state.holds(&held))
                .await;
            reply = self.change(|state| state.resume(&request, &held, Timestamp::now()));
        }
        let response = match reply {
            Reply::Answer(response) => Some(response),
            Reply::Drop | Reply::Hold(_) => None,
        };
        let status = response.as_ref().map(|response| response.status().as_u16());
        let path = log::mask(&request.uri().to_string());
        tracing::info!(method = %request.method(), path, status, "request");
        response
    }
}

/// Takes connections until it is aborted, which ends them all.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // An answer in two segments would wait 40 ms for a delayed acknowledgement.
                    let _ = stream.set_nodelay(true);
                    let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                    connections.spawn(serve_connection(stream, peer.ip(), acceptor, shared));
                }
                Err(error) => tracing::warn!(%error, "cannot accept a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    client: IpAddr,
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
) {
    shared.until_responsive().await;
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return tracing::info!(%error, "TLS handshake failed"),
    };
    let service = service_fn(move |request| serve(Arc::clone(&shared), client, request));
    // Ends with an error whenever a peer goes away or a fault drops the connection.
    let ended = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("a fault dropped the connection")]
    Dropped,
    #[error("the request could not be read")]
    Body(#[from] hyper::Error),
    #[error("the request ended early")]
    Ended(#[from] tokio::task::JoinError),
}

async fn serve(
    shared: Arc<Shared>,
    client: IpAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ServeError> {
    let (parts, body) = request.into_parts();
    let mut request = Request::from_parts(parts, body.collect().await?.to_bytes());
    request.extensions_mut().insert(Client(client));
    shared.until_responsive().await;
    // A task of its own: a device goes on with a request whose sender has gone.
    let response = tokio::spawn(async move { shared.work(request).await }).await?;
    response
        .map(|response| response.map(Full::new))
        .ok_or(ServeError::Dropped)
}
