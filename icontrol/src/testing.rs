//! A TLS server that answers by script, and a CA to trust it by. For this crate's tests only.
//!
//! Speaks just enough HTTP/1.1 to misbehave on purpose: stall, break off, redirect, drip. Knows
//! nothing of iControl REST.

mod authority;
pub(crate) mod recorded;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bigip_tunnel_core::record::FdbRecord;
use bigip_tunnel_core::tunnel::TunnelPath;
use rcgen::CertificateParams;
use rustls::{HandshakeKind, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::client::Client;
use crate::config::{Credentials, DeviceConfig, Trust, Verification};
use crate::error::Error;
use crate::exchange::Observer;
use crate::limits::Limits;
use crate::may_write::MayWrite;
use crate::memory::BodyMemory;
use crate::unit::Added;

pub(crate) use authority::{Authority, RSA_1024, VERSION_ONE, read_certificates};

/// What must never be seen outside of a request.
pub(crate) const PASSWORD: &str = "canary-password";

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and path.
    pub(crate) line: String,
    /// Headers in lower case, one per line.
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn is_login(&self) -> bool {
        self.line == "POST /mgmt/shared/authn/login"
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .lines()
            .filter_map(|line| line.split_once(": "));
        values.find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

/// What the server does with a request.
pub(crate) enum Reply {
    /// Status and body.
    Body(u16, String),
    /// Status, one header line, body.
    With(u16, String, String),
    /// Nothing, for good.
    Stall,
    /// Closes the connection.
    Drop,
    /// A whole answer with this body that promises nothing, and closes the connection behind it.
    ThenClose(String),
    /// This body, a byte at a time.
    Drip(String),
    /// Closes the connection in the middle of the body.
    CutBody(String),
    /// A body without end.
    Endless,
}

impl Reply {
    pub(crate) fn ok(body: &str) -> Self {
        Self::Body(200, body.to_owned())
    }

    /// An error of the configuration layer.
    pub(crate) fn icrd(status: u16, message: &str, api_error: u64) -> Self {
        Self::Body(
            status,
            format!(
                r#"{{"code":{status},"message":"{message}","errorStack":[],"apiError":{api_error}}}"#
            ),
        )
    }

    /// An error of restjavad.
    pub(crate) fn restjavad(status: u16, message: &str) -> Self {
        Self::Body(
            status,
            format!(
                r#"{{"code":{status},"message":"{message}","referer":"10.0.0.1","restOperationId":39168,"kind":":resterrorresponse"}}"#
            ),
        )
    }

    /// A login with this token.
    pub(crate) fn login(token: &str) -> Self {
        Self::ok(&format!(
            r#"{{"username":"admin","loginProviderName":"tmos","token":{{"token":"{token}","name":"{token}","userName":"admin","authProviderName":"tmos","timeout":1200,"startTime":"2019-12-03T05:25:10.321-0800","partition":"[All]","generation":1,"kind":"shared:authz:tokens:authtokenitemstate"}},"generation":0,"lastUpdateMicros":0}}"#
        ))
    }
}

/// What a server has noted so far.
type Log<T> = Arc<Mutex<Vec<T>>>;

type Script = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

/// A server on 127.0.0.1. Ends with the value.
pub(crate) struct Server {
    pub(crate) authority: Authority,
    address: SocketAddr,
    seen: Log<Seen>,
    handshakes: Log<HandshakeKind>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers by `script`, which is also given how many requests of the same line came before.
    pub(crate) async fn start(
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        Self::with_certificate(params, script).await
    }

    /// Answers logins with tokens `TOKEN0`, `TOKEN1`, … and their deletion, the rest by `script`.
    pub(crate) async fn with_login(
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |seen, before| {
            if seen.is_login() {
                Reply::login(&format!("TOKEN{before}"))
            } else if seen.line.starts_with("DELETE /mgmt/shared/authz/tokens/") {
                Reply::ok("{}")
            } else {
                script(seen, before)
            }
        })
        .await
    }

    pub(crate) async fn with_certificate(
        params: CertificateParams,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::issued_by(Authority::new("CA of the server"), params, script).await
    }

    /// Presents a certificate that this authority has issued.
    pub(crate) async fn issued_by(
        authority: Authority,
        params: CertificateParams,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let config = authority.server(&params);
        Self::listen(authority, config, script).await
    }

    /// Presents the authority's own certificate.
    pub(crate) async fn presenting(
        authority: Authority,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let config = authority.as_server();
        Self::listen(authority, config, script).await
    }

    /// Presents a certificate of X.509 version 1, with its key or without.
    pub(crate) async fn version_one(
        version: &'static SupportedProtocolVersion,
        has_key: bool,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let config = Authority::version_one_server(version, has_key);
        Self::listen(Authority::new("unused"), config, script).await
    }

    /// Presents the authority's own certificate without holding its key.
    pub(crate) async fn impostor(
        authority: Authority,
        version: &'static SupportedProtocolVersion,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let config = authority.as_impostor(version);
        Self::listen(authority, config, script).await
    }

    /// Another server at the same address, with a certificate of the same authority and another key.
    pub(crate) async fn replaced_by(
        mut self,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.task.abort();
        let _ = (&mut self.task).await;
        let authority = std::mem::replace(&mut self.authority, Authority::new("unused"));
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let config = authority.server(&params);
        Self::listen_at(self.address, authority, config, script).await
    }

    async fn listen(
        authority: Authority,
        config: ServerConfig,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::listen_at(any, authority, config, script).await
    }

    async fn listen_at(
        address: SocketAddr,
        authority: Authority,
        config: ServerConfig,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, handshakes) = (Arc::default(), Arc::default());
        let script: Arc<Script> = Arc::new(script);
        let logs = (Arc::clone(&seen), Arc::clone(&handshakes));
        let task = tokio::spawn(accept(listener, acceptor, script, logs));
        Self {
            authority,
            address,
            seen,
            handshakes,
            task,
        }
    }

    /// Ends the server and waits until its port is closed.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// A configuration that trusts this server.
    pub(crate) fn config(&self) -> DeviceConfig {
        DeviceConfig {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            server_name: None,
            networks: Arc::default(),
            verification: Verification::Full(Trust::Bundle(self.authority.pem().into_bytes())),
            may_write: MayWrite::default(),
            observer: Observer::default(),
            memory: BodyMemory::default(),
            credentials: Credentials {
                username: "admin".into(),
                password: PASSWORD.into(),
                login_provider: "tmos".into(),
            },
            tenant: "bigip".into(),
        }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How the connections so far began.
    pub(crate) fn handshakes(&self) -> Vec<HandshakeKind> {
        self.handshakes.lock().unwrap().clone()
    }

    /// Their methods and paths.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    /// How many logins were tried.
    pub(crate) fn logins(&self) -> usize {
        self.seen().iter().filter(|seen| seen.is_login()).count()
    }
}

/// Whether this is the process in which only this test runs; otherwise runs it there, with these environment
/// variables, and requires it to pass. What a process has once, its tests share.
pub(crate) async fn is_alone(test: &str, environment: &[(&str, &str)]) -> bool {
    const MARK: &str = "BIGIP_TUNNEL_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut alone = tokio::process::Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", test]).env(MARK, "1");
    alone.envs(environment.iter().copied());
    let output = alone.output().await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
    false
}

/// Adds a record to the unit that answers now.
pub(crate) async fn add(
    client: &Client,
    tunnel: &TunnelPath,
    record: FdbRecord,
) -> Result<Added, Error> {
    client.unit().await?.add_record(tunnel, record).await
}

/// Saves the configuration of the unit that answers now.
pub(crate) async fn save(client: &Client) -> Result<(), Error> {
    client.unit().await?.save().await
}

/// Deadlines short enough to wait for.
pub(crate) fn short_limits() -> Limits {
    let short = Duration::from_millis(300);
    Limits {
        read: short,
        write: short,
        bulk_write: short,
        save: short,
        logout: short,
        ..Limits::default()
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    script: Arc<Script>,
    (seen, handshakes): (Log<Seen>, Log<HandshakeKind>),
) {
    // Connections end with the server.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, script, seen) = (acceptor.clone(), script.clone(), seen.clone());
        let handshakes = handshakes.clone();
        connections.spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                handshakes
                    .lock()
                    .unwrap()
                    .extend(stream.get_ref().1.handshake_kind());
                serve(stream, &*script, &seen).await;
            }
        });
    }
}

async fn serve(mut stream: TlsStream<TcpStream>, script: &Script, log: &Mutex<Vec<Seen>>) {
    while let Some(seen) = read_request(&mut stream).await {
        let reply = {
            let mut log = log.lock().unwrap();
            let before = log.iter().filter(|other| other.line == seen.line).count();
            log.push(seen.clone());
            script(&seen, before)
        };
        let (status, header, body) = match reply {
            Reply::Body(status, body) => (status, "X-Frame-Options: SAMEORIGIN".to_owned(), body),
            Reply::With(status, header, body) => (status, header, body),
            Reply::Stall => return std::future::pending().await,
            Reply::Drop => return,
            Reply::ThenClose(body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Drip(body) => return drip(&mut stream, &body).await,
            Reply::CutBody(body) => {
                let length = body.len() + 1;
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.flush().await;
                return;
            }
            Reply::Endless => {
                let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
                let mut open = stream.write_all(head).await.is_ok();
                while open {
                    open = stream.write_all(chunk.as_bytes()).await.is_ok();
                }
                return;
            }
        };
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status} X\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body}");
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// Answers with a body so slow that no single wait is long and all of them together are.
async fn drip(stream: &mut TlsStream<TcpStream>, body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    for byte in body.bytes() {
        if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn read_request(stream: &mut TlsStream<TcpStream>) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.lines().map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        format!("{}: {value}\n", name.to_lowercase())
    });
    let mut seen = Seen {
        line: line.trim_end_matches(" HTTP/1.1").to_owned(),
        headers: headers.collect(),
        body: String::new(),
    };
    let length = seen
        .header("content-length")
        .map_or(0, |value| value.parse().unwrap());
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    seen.body = String::from_utf8(body).unwrap();
    Some(seen)
}
