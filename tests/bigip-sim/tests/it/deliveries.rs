//! Answers that do not arrive as they should, and requests that are carried out late, over TLS.

use std::io::ErrorKind;
use std::time::Duration;

use bigip_sim::{Delivery, Effect, Fault, Method, Moment, Simulator, TlsProfile};
use reqwest::Certificate;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::raw::{handshake, look, rest, send, start, trusting};
use crate::support::{
    ENDPOINT, LOGIN_URI, MAC, RECORDS_URI, TUNNEL, TUNNEL_URI, credentials, pair, record,
};

/// Long enough that only a defect reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A device that delivers its answer about the tunnel so, and a connection that asked for it.
async fn asked(delivery: Delivery) -> (Simulator, TlsStream<TcpStream>) {
    let sim = start(TlsProfile::Authority).await;
    let effect = Effect {
        delivery,
        ..Effect::default()
    };
    sim.fault(Fault::new(effect).path(TUNNEL_URI));
    let mut stream = handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
    send(&mut stream, &look(TUNNEL_URI)).await;
    (sim, stream)
}

/// The length that the head announces, and the body.
fn parts(answer: &str) -> (usize, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("HTTP/1.1 401 F5 Authorization Required"));
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    (length.unwrap().parse().unwrap(), body)
}

#[tokio::test]
async fn connection_can_close_after_an_answer_without_notice() {
    let (sim, mut stream) = asked(Delivery::Close).await;
    let (answer, end) = rest(&mut stream).await;
    end.unwrap();
    let (length, body) = parts(&answer);
    assert_eq!(body.len(), length);
    assert!(serde_json::from_str::<Value>(body).is_ok(), "{body}");
    assert!(!answer.contains("connection:"), "{answer}");
    assert_eq!(sim.requests()[0].status, Some(401));
}

#[tokio::test]
async fn connection_can_be_reset_within_a_body() {
    let (_sim, mut stream) = asked(Delivery::Reset).await;
    let (answer, end) = rest(&mut stream).await;
    let error = end.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error:?}");
    let (length, body) = parts(&answer);
    assert_eq!(body.len(), length / 2);
}

#[tokio::test]
async fn answer_can_arrive_byte_by_byte() {
    let (_sim, mut stream) = asked(Delivery::Drip { interval_ms: 0 }).await;
    let mut buffer = [0; 64];
    assert_eq!(stream.read(&mut buffer).await.unwrap(), 1);
    let (answer, end) = rest(&mut stream).await;
    end.unwrap();
    let answer = format!("H{answer}");
    let (length, body) = parts(&answer);
    assert_eq!(body.len(), length);
}

#[tokio::test]
async fn drip_delays_each_byte() {
    let sim = start(TlsProfile::Authority).await;
    let drip = Effect {
        delivery: Delivery::Drip { interval_ms: 1 },
        ..Effect::status(200, "application/json", "12345678")
    };
    sim.fault(Fault::new(drip));
    let mut stream = handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
    let started = std::time::Instant::now();
    send(&mut stream, &look(TUNNEL_URI)).await;
    let (answer, _) = rest(&mut stream).await;
    let bytes = u32::try_from(answer.len()).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(1) * bytes);
}

#[tokio::test]
async fn answer_can_be_too_long_and_valid() {
    let bytes = 3_000_000;
    let (_sim, mut stream) = asked(Delivery::Oversized(bytes)).await;
    let (answer, end) = rest(&mut stream).await;
    end.unwrap();
    let (length, body) = parts(&answer);
    assert_eq!((length, body.len()), (3_000_000, 3_000_000));
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["code"], 401);
}

#[tokio::test]
async fn answer_can_be_endless() {
    let (_sim, mut stream) = asked(Delivery::Endless).await;
    let mut buffer = vec![0; 5_000_000];
    stream.read_exact(&mut buffer).await.unwrap();
    let start = String::from_utf8_lossy(&buffer[..2000]);
    assert!(
        start.contains("\r\ntransfer-encoding: chunked\r\n"),
        "{start}"
    );
    assert!(!start.contains("content-length"), "{start}");
}

/// Sends a POST of a record with a good token.
async fn add(sim: &Simulator) -> reqwest::Result<reqwest::Response> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder()
        .tls_certs_only([Certificate::from_pem(sim.ca_pem().as_bytes()).unwrap()])
        .no_proxy()
        .build()
        .unwrap();
    let base = format!("https://{}", sim.address());
    let login = client.post(format!("{base}{LOGIN_URI}"));
    let login = login.json(&credentials("admin", "s3cret")).send().await?;
    let login: Value = login.json().await?;
    let token = login["token"]["token"].as_str().unwrap();
    let post = client.post(format!("{base}{RECORDS_URI}"));
    let post = post.header("X-F5-Auth-Token", token);
    post.json(&record(MAC, ENDPOINT)).send().await
}

fn on_add(effect: Effect) -> Fault {
    Fault::new(effect).method(Method::POST).path(RECORDS_URI)
}

async fn until_nothing_is_held(sim: &Simulator) {
    let none = |state: &bigip_sim::State| state.held_requests() == 0;
    sim.wait_until(PATIENCE, none).await.unwrap();
}

#[tokio::test]
async fn dropped_write_lands_when_the_fault_is_removed() {
    let sim = start(TlsProfile::Authority).await;
    let id = sim.fault(on_add(Effect::drop_then_commit()));
    add(&sim).await.unwrap_err();
    assert!(sim.records(TUNNEL).is_empty());
    assert_eq!(sim.held_by(id).len(), 1);
    sim.remove_fault(id);
    until_nothing_is_held(&sim).await;
    let stored: Vec<_> = sim.records(TUNNEL).into_iter().collect();
    assert_eq!(stored, [pair(MAC, ENDPOINT)]);
}

#[tokio::test]
async fn dropped_write_lands_after_its_delay() {
    let sim = start(TlsProfile::Authority).await;
    sim.fault(on_add(Effect {
        late_ms: Some(30),
        ..Effect::drop_then_commit()
    }));
    add(&sim).await.unwrap_err();
    until_nothing_is_held(&sim).await;
    assert_eq!(sim.records(TUNNEL).len(), 1);
}

#[tokio::test]
async fn answer_can_arrive_after_a_delay() {
    let sim = start(TlsProfile::Authority).await;
    sim.fault(on_add(Effect {
        reply: Moment::Late,
        late_ms: Some(30),
        ..Effect::default()
    }));
    let started = std::time::Instant::now();
    assert_eq!(add(&sim).await.unwrap().status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn reboot_closes_connections() {
    let sim = start(TlsProfile::Authority).await;
    let mut stream = handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
    sim.begin_reboot();
    assert_eq!(rest(&mut stream).await.0, "");
    let mut stream = handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
    send(&mut stream, &look(TUNNEL_URI)).await;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 503");
}
