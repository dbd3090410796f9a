//! `bigip-tunnel-operator probe`: waits until endpoints of a running operator answer with success.
//!
//! The image has no shell and no other program, and clusters without access to registries have no other image.
//! Knows nothing of what the endpoints are about.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::args::Probe;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// More of an answer is not printed, in bytes.
const BODY_MAX_BYTES: usize = 1 << 10;

/// Runs the command and prints what the last try of each URL answered.
pub(crate) fn main(probe: &Probe) -> ExitCode {
    let mut out = io::stdout().lock();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(probe, &mut out)),
        Err(error) => writeln!(out, "cannot start: {error}").map(|()| false),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Whether every URL answered with success in time.
async fn run(probe: &Probe, out: &mut impl Write) -> io::Result<bool> {
    let deadline = Instant::now() + probe.timeout;
    let mut is_well = true;
    for url in &probe.urls {
        match wait(url, deadline).await {
            Ok(answer) => writeln!(out, "{url}: {answer}")?,
            Err(problem) => {
                is_well = false;
                writeln!(out, "{url}: failed: {problem}")?;
            }
        }
    }
    Ok(is_well)
}

/// Asks until the answer is a success or the deadline has passed; then what the last try came to.
async fn wait(url: &Uri, deadline: Instant) -> Result<String, String> {
    let mut problem = "no answer in time".to_owned();
    while let Ok(answer) = timeout_at(deadline, ask(url)).await {
        match answer {
            Ok((status, body)) if status.is_success() => return Ok(body),
            Ok((status, body)) => problem = format!("{status}: {body}"),
            Err(error) => problem = error,
        }
        if timeout_at(deadline, sleep(PAUSE)).await.is_err() {
            break;
        }
    }
    Err(problem)
}

/// One GET request over a connection of its own.
async fn ask(url: &Uri) -> Result<(StatusCode, String), String> {
    let host = url.host().unwrap_or_default();
    let port = url.port_u16().unwrap_or(80);
    let bare = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((bare, port)).await;
    let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| "no HTTP connection".to_owned())?;
    let connection = tokio::spawn(connection);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, host)
        .body(Body::empty());
    let request = request.map_err(|_| "not a URL that can be asked".to_owned())?;
    let answer = sender.send_request(request).await;
    let (head, body) = answer
        .map_err(|_| "the connection ended without an answer".to_owned())?
        .into_parts();
    let body = axum::body::to_bytes(Body::new(body), BODY_MAX_BYTES).await;
    connection.abort();
    let text = body.map_or_else(
        |_| "an answer that cannot be read".to_owned(),
        |bytes| {
            String::from_utf8_lossy(&bytes)
                .trim()
                .escape_debug()
                .to_string()
        },
    );
    Ok((head.status, text))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    async fn serve() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/well", get(|| async { "ok\n" }))
            .route(
                "/ill",
                get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "no replica leads\n") }),
            );
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn one_failure_among_the_urls_fails_the_probe() {
        let base = serve().await;
        let urls = ["/ill", "/well"].map(|path| format!("{base}{path}").parse().unwrap());
        let probe = Probe {
            urls: urls.into(),
            timeout: Duration::from_millis(50),
        };
        let mut out = Vec::new();
        assert!(!run(&probe, &mut out).await.unwrap());
        assert!(
            String::from_utf8(out)
                .unwrap()
                .contains("/ill: failed: 503")
        );
    }

    async fn waited(url: String) -> Result<String, String> {
        let deadline = Instant::now() + Duration::from_millis(50);
        wait(&url.parse().unwrap(), deadline).await
    }

    #[tokio::test]
    async fn success_ends_the_probe() {
        assert_eq!(waited(serve().await + "/well").await, Ok("ok".to_owned()));
    }

    #[tokio::test]
    async fn failure_is_quoted_when_the_time_is_over() {
        let problem = waited(serve().await + "/ill").await.unwrap_err();
        assert_eq!(problem, "503 Service Unavailable: no replica leads");
    }

    #[tokio::test]
    async fn closed_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let problem = waited(format!("http://{address}/")).await.unwrap_err();
        assert!(problem.starts_with("cannot connect: "), "{problem}");
    }
}
