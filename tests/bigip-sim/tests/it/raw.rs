//! A client below HTTP: it chooses its TLS, and reads what comes byte by byte.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bigip_sim::{SimConfig, Simulator, TlsProfile};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::config;

/// TLS versions as they are chosen today.
pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

pub(crate) async fn start(tls: TlsProfile) -> Simulator {
    Simulator::start(SimConfig { tls, ..config() })
        .await
        .unwrap()
}

/// A client that trusts this certificate.
pub(crate) fn trusting(ca_pem: &str) -> ClientConfig {
    client(ca_pem, default_provider(), BOTH)
}

pub(crate) fn client(
    ca_pem: &str,
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Connects as `localhost`.
pub(crate) async fn handshake(
    address: SocketAddr,
    client: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
}

/// Why a client refuses a device.
pub(crate) async fn refusal(address: SocketAddr, client: ClientConfig) -> rustls::Error {
    let error = handshake(address, client).await.unwrap_err();
    error
        .into_inner()
        .unwrap()
        .downcast_ref::<rustls::Error>()
        .unwrap()
        .clone()
}

pub(crate) async fn send(stream: &mut (impl AsyncWriteExt + Unpin), request: &str) {
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// A look at a path without credentials, which is refused with a body.
pub(crate) fn look(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Everything up to the end, however it comes.
pub(crate) async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> (String, io::Result<usize>) {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    (String::from_utf8(bytes).unwrap(), end)
}
