//! The operator's own endpoints: `/livez`, `/readyz`, `/metrics`. Read-only, and without any secret.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;

/// Serves the endpoints until `stop`.
pub(crate) fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(shared);
    tokio::spawn(async move {
        let server = axum::serve(listener, router)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = server.await {
            tracing::error!("the endpoints are no longer served: {error}");
        }
    });
}

/// Binds the address of the endpoints.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    let listen_address = listener.local_addr()?.to_string();
    tracing::info!(listen_address, "serving /livez, /readyz and /metrics");
    Ok(listener)
}

/// Ready: the nodes are known, so that this process could lead, if it does not. Says nothing about BIG-IPs, which are not the operator's health.
async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    match shared.nodes.current().failure() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(failure) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", failure.message),
        ),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (
        [(header::CONTENT_TYPE, content_type)],
        shared.metrics.render(shared.leadership.may_write()),
    )
}
