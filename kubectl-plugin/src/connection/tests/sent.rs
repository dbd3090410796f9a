//! What an API server gets to see of the flags: the head of a request, the certificate of the client.

use std::sync::Arc;

use kube::Client;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// The lines of the head of the request that a client with these flags sends, in lower case.
async fn sent(connection: Connection) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(connection).await.unwrap();
    config.cluster_url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let client = Client::try_from(config).unwrap();
    let seen = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        head
    };
    // The request fails when the listener hangs up after the head.
    let (_, head) = tokio::join!(client.apiserver_version(), seen);
    let head = String::from_utf8(head).unwrap().to_lowercase();
    head.lines().map(str::to_owned).collect()
}

/// The values of this header.
fn values<'a>(head: &'a [String], header: &str) -> Vec<&'a str> {
    let of_header = |line: &'a String| {
        let (name, value) = line.split_once(": ")?;
        (name == header).then_some(value)
    };
    head.iter().filter_map(of_header).collect()
}

#[tokio::test]
async fn impersonated_user_is_sent_with_uid_groups_and_extras() {
    let head = sent(Connection {
        impersonate: Some("me".into()),
        impersonate_uid: Some("u-1".into()),
        impersonate_groups: vec!["a".into(), "b".into()],
        impersonate_extra: vec![
            ("reason".into(), "chg1".into()),
            ("example.net/scope".into(), "read".into()),
            ("reason".into(), "chg2".into()),
        ],
        ..Connection::default()
    })
    .await;
    assert_eq!(values(&head, "impersonate-user"), ["me"]);
    assert_eq!(values(&head, "impersonate-uid"), ["u-1"]);
    assert_eq!(values(&head, "impersonate-group"), ["a", "b"]);
    let reasons = values(&head, "impersonate-extra-reason");
    assert_eq!(reasons, ["chg1", "chg2"]);
    let scope = values(&head, "impersonate-extra-example.net%2fscope");
    assert_eq!(scope, ["read"]);
}

#[tokio::test]
async fn basic_login_precedes_any_login_of_the_kubeconfig() {
    let head = sent(Connection {
        user: Some("u2".into()),
        username: Some("aladdin".into()),
        password: Some("opensesame".into()),
        ..Connection::default()
    })
    .await;
    // RFC 7617 has this value for Aladdin; in lower case it is that of no other name.
    let basic = values(&head, "authorization");
    assert_eq!(basic, ["basic ywxhzgrpbjpvcgvuc2vzyw1l"]);
}

#[tokio::test]
async fn answers_are_compressed_unless_disabled() {
    let usual = sent(Connection::default()).await;
    assert_eq!(values(&usual, "accept-encoding"), ["gzip"]);
    let plain = sent(Connection {
        disable_compression: true,
        ..Connection::default()
    })
    .await;
    assert_eq!(values(&plain, "accept-encoding"), [""; 0]);
}

/// A certificate for this name that vouches for itself, and the files that it and its key are in.
fn certificate(folder: &TempDir, name: &str) -> (CertificateDer<'static>, PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (certificate, key) = (
        folder.path().join(format!("{name}.crt")),
        folder.path().join(format!("{name}.key")),
    );
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (made.cert.der().clone(), certificate, key)
}

#[tokio::test]
async fn client_certificate_is_presented_to_the_server() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = TempDir::new().unwrap();
    let (server, server_file, server_key) = certificate(&folder, "localhost");
    let (client, client_file, client_key) = certificate(&folder, "engineer");
    let mut roots = RootCertStore::empty();
    roots.add(client.clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
        .build()
        .unwrap();
    let tls = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![server],
            PrivateKeyDer::from_pem_file(server_key).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(Connection {
        certificate_authority: Some(server_file),
        client_certificate: Some(client_file),
        client_key: Some(client_key),
        tls_server_name: Some("localhost".into()),
        ..Connection::default()
    })
    .await
    .unwrap();
    config.cluster_url = format!("https://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let kube = Client::try_from(config).unwrap();
    let shown = async {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = TlsAcceptor::from(Arc::new(tls))
            .accept(stream)
            .await
            .unwrap();
        stream.get_ref().1.peer_certificates().unwrap().to_vec()
    };
    let (_, shown) = tokio::join!(kube.apiserver_version(), shown);
    assert_eq!(shown, [client]);
}

/// What a proxy gets first from a client whose kubeconfig names it with this scheme.
async fn asked_of_proxy(scheme: &str, length: usize) -> Vec<u8> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config");
    let text = format!(
        "current-context: c\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
         users: [{{name: u, user: {{}}}}]\n\
         clusters: [{{name: k, cluster: {{server: 'https://api.example.invalid:6443', \
         proxy-url: '{scheme}://{proxy}'}}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    let connection = Connection {
        kubeconfig: Some(path),
        ..Connection::default()
    };
    let client = Client::try_from(connection.reach().await.unwrap().config).unwrap();
    let asked = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; length];
        stream.read_exact(&mut asked).await.unwrap();
        asked
    };
    // The request fails when the proxy hangs up.
    let (_, asked) = tokio::join!(client.apiserver_version(), asked);
    asked
}

#[tokio::test]
async fn proxy_of_the_kubeconfig_is_used_for_the_api_server() {
    let expected = b"CONNECT api.example.invalid:6443 HTTP/1.1\r\n";
    assert_eq!(asked_of_proxy("http", expected.len()).await, expected);
    // RFC 1928: version 5, and which logins are offered.
    assert_eq!(asked_of_proxy("socks5", 1).await, [5]);
}
