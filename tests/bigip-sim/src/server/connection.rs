//! Connections: TCP, TLS and HTTP/1.1 around [`State`].
//!
//! It decides nothing about requests; it reads them, asks the state, and does to the connection what
//! the state says.

use std::future::{self, poll_fn};
use std::net::IpAddr;
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
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::broken::{self, Socket};
#[cfg(target_os = "linux")]
use crate::dataplane::DataPlane;
use crate::faults::Delivery;
use crate::journal::WriteId;
use crate::log::{self, asks_to_change};
use crate::state::{Client, Held, Reply, State};
use crate::tls::{Greeting, Tls};

/// The device, for its connections and its holder.
#[derive(Debug)]
pub(super) struct Shared {
    /// Wakes all waiters whenever it is touched.
    pub(super) state: watch::Sender<State>,
    pub(super) responsive: watch::Sender<bool>,
    /// Ends all connections whenever it is touched.
    pub(super) tls: watch::Sender<Tls>,
    pub(super) latency_ms: AtomicU64,
    /// Follows the configuration.
    #[cfg(target_os = "linux")]
    pub(super) data_plane: Option<DataPlane>,
}

impl Shared {
    pub(super) fn new(state: State, tls: Tls, latency_ms: u64) -> Self {
        Self {
            state: watch::Sender::new(state),
            responsive: watch::Sender::new(true),
            tls: watch::Sender::new(tls),
            latency_ms: AtomicU64::new(latency_ms),
            #[cfg(target_os = "linux")]
            data_plane: None,
        }
    }

    #[expect(clippy::expect_used, reason = "send_modify always calls its closure")]
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.state.send_modify(|state| result = Some(change(state)));
        result.expect("the closure has run")
    }

    pub(super) fn end_connections(&self) {
        self.tls.send_modify(|_| {});
    }

    async fn until_responsive(&self) {
        // Fails only when the sender is gone, and that is a field of self.
        let _ = self
            .responsive
            .subscribe()
            .wait_for(|responsive| *responsive)
            .await;
    }

    /// Has a request carried out; what comes of it neither waits nor comes late.
    async fn work(
        self: Arc<Self>,
        #[cfg_attr(
            not(target_os = "linux"),
            expect(unused_mut, reason = "only a data plane adds to a request")
        )]
        mut request: Request<Bytes>,
    ) -> Reply {
        let latency_ms = self.latency_ms.load(Ordering::Relaxed);
        if latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
        }
        #[cfg(target_os = "linux")]
        if let Err(error) = self.before(&mut request).await {
            return self.failed(&request, &error);
        }
        let path = log::mask(&request.uri().to_string());
        let method = request.method().clone();
        let reply = match self.change(|state| state.handle(&request, Timestamp::now())) {
            Reply::Hold(held) => self.released(&request, &held).await,
            Reply::Late(first, held) => {
                let (late, request) = (Arc::clone(&self), request.clone());
                tokio::spawn(async move { late.released(&request, &held).await });
                *first
            }
            reply => reply,
        };
        #[cfg(target_os = "linux")]
        let reply = self.after(&request, reply).await;
        let (status, delivery) = match &reply {
            Reply::Answer(response) => (Some(response.status().as_u16()), Delivery::Whole),
            Reply::Broken(response, delivery) => (Some(response.status().as_u16()), *delivery),
            Reply::Drop | Reply::Hold(_) | Reply::Late(..) => (None, Delivery::Drop),
        };
        tracing::info!(%method, path, status, ?delivery, "request");
        reply
    }

    /// Goes on with a request when it has waited long enough.
    async fn released(&self, request: &Request<Bytes>, held: &Held) -> Reply {
        let mut state = self.state.subscribe();
        let released = state.wait_for(|state| !state.holds(held));
        // Either way the wait is over. The sender, a field of self, is not gone.
        match held.late_ms() {
            Some(late_ms) => {
                let _ = tokio::time::timeout(Duration::from_millis(late_ms), released).await;
            }
            None => {
                let _ = released.await;
            }
        }
        self.change(|state| state.resume(request, held, Timestamp::now()))
    }
}

/// Takes connections until it is aborted, which ends them all.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // An answer in two segments would wait 40 ms for a delayed acknowledgement.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve_connection(stream, peer.ip(), Arc::clone(&shared)));
                }
                Err(error) => tracing::warn!(%error, "cannot accept a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, client: IpAddr, shared: Arc<Shared>) {
    let mut tls = shared.tls.subscribe();
    tokio::select! {
        () = greet(stream, client, &shared) => {}
        // Fails only when the sender is gone, and that is a field of shared.
        _ = tls.changed() => tracing::debug!("connection ended by the device"),
    }
}

async fn greet(stream: TcpStream, client: IpAddr, shared: &Arc<Shared>) {
    shared.until_responsive().await;
    let greeting = shared.tls.borrow().greeting.clone();
    match greeting {
        Greeting::Tls(settings) => match TlsAcceptor::from(settings).accept(stream).await {
            Ok(stream) => talk(stream, client, shared).await,
            Err(error) => tracing::info!(%error, "TLS handshake failed"),
        },
        Greeting::Stall => future::pending().await,
        Greeting::Plain => talk(stream, client, shared).await,
    }
}

/// Speaks HTTP until the peer goes away or a fault ends the connection.
async fn talk(stream: impl Socket, client: IpAddr, shared: &Arc<Shared>) {
    let (breaking, mut broken) = mpsc::channel(1);
    let service = service_fn(|request| {
        let (shared, breaking) = (Arc::clone(shared), breaking.clone());
        Box::pin(serve(shared, breaking, client, request))
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut stream = connection.into_parts().io.into_inner();
    let ended = match (broken.try_recv(), ended) {
        (Ok((response, delivery)), _) => broken::send(stream, &response, delivery).await,
        (Err(_), Ok(())) => stream.shutdown().await,
        (Err(_), Err(error)) => return tracing::debug!(%error, "connection ended"),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Why HTTP ends on a connection.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("a fault dropped the connection")]
    Dropped,
    #[error("a fault breaks the answer")]
    Broken,
    #[error("the request could not be read")]
    Body(#[from] hyper::Error),
    #[error("the request ended early")]
    Ended(#[from] tokio::task::JoinError),
}

/// A write, as long as its client waits for the answer.
struct WriteUnderWay {
    shared: Arc<Shared>,
    id: WriteId,
    is_answered: bool,
}

impl WriteUnderWay {
    /// Notes the arrival of a request, if it is a write.
    fn of(request: &mut Request<Bytes>, shared: &Arc<Shared>) -> Option<Self> {
        if !asks_to_change(request.method(), request.uri().path()) {
            return None;
        }
        let id = shared.change(|state| state.write_began(request, Timestamp::now()))?;
        request.extensions_mut().insert(id);
        Some(Self {
            shared: Arc::clone(shared),
            id,
            is_answered: false,
        })
    }
}

impl Drop for WriteUnderWay {
    fn drop(&mut self) {
        let (id, is_answered) = (self.id, self.is_answered);
        self.shared
            .change(|state| state.write_ended(id, is_answered, Timestamp::now()));
    }
}

async fn serve(
    shared: Arc<Shared>,
    breaking: mpsc::Sender<(Response<Bytes>, Delivery)>,
    client: IpAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ServeError> {
    let (parts, body) = request.into_parts();
    let mut request = Request::from_parts(parts, body.collect().await?.to_bytes());
    request.extensions_mut().insert(Client(client));
    let mut under_way = WriteUnderWay::of(&mut request, &shared);
    shared.until_responsive().await;
    // A task of its own: a device goes on with a request whose sender has gone.
    let reply = tokio::spawn(shared.work(request)).await?;
    if let Some(under_way) = &mut under_way {
        under_way.is_answered = true;
    }
    match reply {
        Reply::Answer(response) => Ok(response.map(Full::new)),
        Reply::Broken(response, delivery) => {
            // One connection has one answer at a time, so there is room for it.
            let _ = breaking.try_send((response, delivery));
            Err(ServeError::Broken)
        }
        Reply::Drop | Reply::Hold(_) | Reply::Late(..) => Err(ServeError::Dropped),
    }
}
