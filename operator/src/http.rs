//! The operator's own endpoints: `/livez`, `/readyz`, `/leaderz`, `/metrics`. Read-only, and without any secret.
//!
//! Anybody in the cluster may be able to connect. So what a connection can cost is bounded: its time, the
//! size of its headers, and the number of connections. Knows nothing of what the endpoints say.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::lease::ElectionState;
use crate::shared::Shared;

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Connections at a time. With one more the oldest is closed: what answers at once is never the oldest
    /// for long, what only holds a connection is.
    connections: usize,
    /// From the beginning of a connection, or the end of a request, to the end of the next request's headers.
    header: Duration,
    /// A whole connection.
    connection: Duration,
    /// Bytes that are kept of a request.
    header_bytes: usize,
}

const LIMITS: Limits = Limits {
    connections: 64,
    header: Duration::from_secs(5),
    connection: Duration::from_secs(300),
    header_bytes: 16 << 10,
};

/// How long no connection is accepted after the system refused one, because it has no file handle left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves the endpoints until `stop`.
pub(crate) fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/leaderz", get(leader))
        .route("/metrics", get(metrics))
        .with_state(shared);
    tokio::spawn(accept(listener, router, LIMITS, stop));
}

/// Accepts connections until `stop`. Those that are open then end by themselves.
async fn accept(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!("a connection to the endpoints was not accepted: {error}");
                stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE))
                    .await;
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= limits.connections
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let connection = answer(stream, router.clone(), limits, stop.clone());
        open.push_back(tokio::spawn(connection).abort_handle());
    }
}

/// Answers the requests of one connection. How it ends is its peer's business.
async fn answer(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(limits.header_bytes)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let until_end = async {
        if stop
            .run_until_cancelled(connection.as_mut())
            .await
            .is_none()
        {
            connection.as_mut().graceful_shutdown();
            let _: Result<(), hyper::Error> = connection.await;
        }
    };
    let _: Result<(), tokio::time::error::Elapsed> =
        tokio::time::timeout(limits.connection, until_end).await;
}

/// Binds the address of the endpoints.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    let listen_address = listener.local_addr()?.to_string();
    tracing::info!(
        listen_address,
        "serving /livez, /readyz, /leaderz and /metrics"
    );
    Ok(listener)
}

/// Ready: the nodes are known and the lease can be read and updated, so that this process could lead, if it does
/// not. Says nothing about BIG-IPs, which are not the operator's health.
async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    let nodes = shared.nodes.current();
    let nodes = nodes.failure().map(|failure| failure.message.clone());
    match nodes.or_else(|| shared.leadership.election().refusal) {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
    }
}

/// Whether any replica leads, as far as this one knows.
async fn leader(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    match shared.leadership.election() {
        ElectionState {
            leader: Some(leader),
            ..
        } => (StatusCode::OK, format!("{leader} leads\n")),
        ElectionState { refusal, .. } => {
            let why = refusal.unwrap_or_else(|| "no replica holds the lease".to_owned());
            (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("no replica leads: {why}\n"),
            )
        }
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (
        [(header::CONTENT_TYPE, content_type)],
        shared.metrics.render(shared.leadership.may_write()),
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Serves `/livez` within these limits.
    async fn start(limits: Limits) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/livez", get(|| async { "ok\n" }));
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, router, limits, stop.clone()));
        (address, stop)
    }

    /// All that is answered to these bytes until the connection is closed.
    async fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that has seen enough closes before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    const ASK: &[u8] = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn half_open_connections_do_not_keep_others_out() {
        let (address, _stop) = start(LIMITS).await;
        let mut held = Vec::new();
        for _ in 0..400 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream
                .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
                .await;
            held.push(stream);
        }
        let answer = answer_to(address, ASK).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        // All but the last ones were closed to make place.
        let mut byte = [0];
        let ended = held[0].read(&mut byte).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }

    #[tokio::test]
    async fn connection_that_sends_nothing_is_closed() {
        let header = Duration::from_millis(50);
        let (address, _stop) = start(Limits { header, ..LIMITS }).await;
        assert_eq!(answer_to(address, b"").await, "");
        assert_eq!(
            answer_to(address, b"GET /livez HTTP/1.1\r\nHost:").await,
            ""
        );
        assert!(answer_to(address, ASK).await.ends_with("ok\n"));
    }

    #[tokio::test]
    async fn headers_that_are_too_long_are_refused() {
        let (address, _stop) = start(LIMITS).await;
        let long = format!("GET /livez HTTP/1.1\r\nHost: {}", "x".repeat(390_000));
        let answer = answer_to(address, long.as_bytes()).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }

    #[tokio::test]
    async fn connection_ends_with_the_process() {
        let (address, stop) = start(LIMITS).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut bytes = [0; 4096];
        assert!(stream.read(&mut bytes).await.unwrap() > 0);
        stop.cancel();
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).await.is_ok());
    }
}
