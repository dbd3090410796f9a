//! Against a server that misbehaves: TLS, redirects, sizes, deadlines, broken connections.

use bigip_tunnel_core::reason::Reason;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Mutex;

use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::tunnel::TunnelPath;
use rcgen::{CertificateParams, date_time_ymd};
use rustls::HandshakeKind;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::client::Client;
use crate::config::{Fingerprint, Trust, Verification};
use crate::error::CertificateProblem;
use crate::testing::{
    Authority, PASSWORD, Reply, Server, VERSION_ONE, add, is_alone, read_certificates, recorded,
    save, short_limits,
};

fn path() -> TunnelPath {
    TunnelPath::new("Common".parse().unwrap(), "flannel_vxlan".parse().unwrap())
}

fn record() -> bigip_tunnel_core::record::FdbRecord {
    bigip_tunnel_core::record::FdbRecord {
        mac: "0a:0a:c0:a8:c8:41".parse().unwrap(),
        endpoint: "192.168.200.65%0".parse().unwrap(),
    }
}

fn localhost_certificate() -> CertificateParams {
    CertificateParams::new(["127.0.0.1".to_owned()]).unwrap()
}

/// What a client that trusts the server's CA makes of this certificate.
async fn problem_with(params: CertificateParams) -> CertificateProblem {
    let server = Server::with_certificate(params, |_, _| Reply::login("T")).await;
    let client = Client::new(server.config()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::CertificateInvalid);
    assert!(
        server.seen().is_empty(),
        "nothing may be sent before the certificate stood up"
    );
    problem_in(&error)
}

fn problem_in(error: &Error) -> CertificateProblem {
    match error.kind() {
        ErrorKind::CertificateInvalid { problem, .. } => problem.clone(),
        other => panic!("{other}"),
    }
}

/// The same for a client that trusts only another CA, of this name.
async fn problem_trusting(ca: &str) -> CertificateProblem {
    let server = Server::start(|_, _| Reply::login("T")).await;
    let mut config = server.config();
    config.verification = Verification::Full(Trust::Bundle(Authority::new(ca).pem().into_bytes()));
    let error = Client::new(config)
        .unwrap()
        .records(&path())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::CertificateInvalid);
    assert!(
        server.seen().is_empty(),
        "nothing may be sent before the certificate stood up"
    );
    problem_in(&error)
}

#[tokio::test]
async fn device_of_an_unknown_ca_gets_no_request() {
    let problem = CertificateProblem::UnknownIssuer;
    assert_eq!(problem_trusting("another CA").await, problem);
}

#[tokio::test]
async fn ca_of_same_name_with_another_key_is_not_trusted() {
    let problem = CertificateProblem::WrongSignature;
    assert_eq!(problem_trusting("CA of the server").await, problem);
}

#[tokio::test]
async fn wrong_certificate_name_shows_the_expected_name() {
    let params = CertificateParams::new(["bigip-a.example".to_owned()]).unwrap();
    let problem = CertificateProblem::WrongName {
        expected: "127.0.0.1".into(),
    };
    assert_eq!(problem_with(params).await, problem);
}

#[tokio::test]
async fn expired_certificate_is_reported_as_expired() {
    let mut params = localhost_certificate();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    let problem = CertificateProblem::Expired;
    assert_eq!(problem_with(params).await, problem);
}

#[tokio::test]
async fn future_certificate_is_reported_as_not_yet_valid() {
    let mut params = localhost_certificate();
    params.not_before = date_time_ymd(2201, 1, 1);
    params.not_after = date_time_ymd(2202, 1, 1);
    let problem = CertificateProblem::NotValidYet;
    assert_eq!(problem_with(params).await, problem);
}

/// A BIG-IP with the certificate that it makes for itself, which answers nothing but a login, and what
/// a client says that verifies it in this way.
async fn default_certificate(
    verification: impl FnOnce(&Authority) -> Verification,
) -> (Server, Result<(), Error>) {
    let server = Server::presenting(Authority::default_of_bigip(), |seen, _| {
        if seen.is_login() {
            Reply::login("T")
        } else {
            Reply::ok(recorded::RECORDS)
        }
    })
    .await;
    let mut config = server.config();
    config.verification = verification(&server.authority);
    let result = Client::new(config).unwrap().records(&path()).await;
    (server, result.map(|_| ()))
}

fn bundle(authority: &Authority) -> Trust {
    Trust::Bundle(authority.pem().into_bytes())
}

#[tokio::test]
async fn self_signed_certificate_in_bundle_is_trusted() {
    let (_, result) = default_certificate(|own| Verification::CaOnly(bundle(own))).await;
    assert_eq!(result, Ok(()));
}

#[tokio::test]
async fn full_verification_checks_name_of_bundled_certificate() {
    let (server, result) = default_certificate(|own| Verification::Full(bundle(own))).await;
    let error = result.unwrap_err();
    let expected = "127.0.0.1".to_owned();
    assert_eq!(
        problem_in(&error),
        CertificateProblem::WrongName { expected }
    );
    assert!(error.to_string().contains("CAOnly or Pinned"), "{error}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn unbundled_self_signed_certificate_has_unknown_issuer() {
    let other = Trust::Bundle(Authority::new("another").pem().into_bytes());
    let (server, result) = default_certificate(|_| Verification::CaOnly(other)).await;
    assert_eq!(
        problem_in(&result.unwrap_err()),
        CertificateProblem::UnknownIssuer
    );
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn only_the_pinned_certificate_is_accepted() {
    let pin = |own: &Authority| Verification::Pinned(vec![own.fingerprint()]);
    let (_, result) = default_certificate(pin).await;
    assert_eq!(result, Ok(()));

    let other = Authority::new("another").fingerprint();
    let (server, result) = default_certificate(|_| Verification::Pinned(vec![other])).await;
    assert_eq!(
        problem_in(&result.unwrap_err()),
        CertificateProblem::NotPinned
    );
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn refused_certificate_is_shown_for_pinning() {
    let other = Authority::new("another").fingerprint();
    let (server, result) = default_certificate(|_| Verification::Pinned(vec![other])).await;
    let said = result.unwrap_err().to_string();
    let fingerprint = server.authority.fingerprint().to_string();
    for part in ["localhost.localdomain", "valid until", &fingerprint] {
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn disabled_verification_accepts_any_certificate() {
    let (_, result) = default_certificate(|_| Verification::Nothing).await;
    assert_eq!(result, Ok(()));
}

#[tokio::test]
async fn copied_certificate_of_version_1_is_refused() {
    let certificate = read_certificates(VERSION_ONE).remove(0);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = Server::version_one(version, false, |_, _| Reply::login("T")).await;
        let mut config = server.config();
        config.verification = Verification::Pinned(vec![Fingerprint::of(&certificate)]);
        let client = Client::new(config).unwrap();
        client.records(&path()).await.unwrap_err();
        assert!(server.seen().is_empty(), "sent without proof of the key");
    }
}

#[tokio::test]
async fn certificate_of_version_1_is_accepted_by_its_pin() {
    let [certificate] = &read_certificates(VERSION_ONE)[..] else {
        panic!("one certificate");
    };
    let pinned = Verification::Pinned(vec![Fingerprint::of(certificate)]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = Server::version_one(version, true, |seen, _| {
            if seen.is_login() {
                Reply::login("T")
            } else {
                Reply::ok(recorded::NO_RECORDS)
            }
        })
        .await;
        let client = |verification: Verification| {
            let mut config = server.config();
            config.verification = verification;
            Client::new(config).unwrap()
        };
        client(pinned.clone()).records(&path()).await.unwrap();
        client(Verification::Nothing)
            .records(&path())
            .await
            .unwrap();
        let requests = server.seen().len();
        let refused = client(Verification::CaOnly(bundle(&server.authority)));
        let error = refused.records(&path()).await.unwrap_err();
        assert_eq!(problem_in(&error), CertificateProblem::VersionOne);
        assert!(
            error
                .to_string()
                .contains(&Fingerprint::of(certificate).to_string())
        );
        assert_eq!(server.seen().len(), requests);
    }
}

/// Each way to verify lets this certificate through; its copy alone must not do.
async fn assert_copied_certificate_is_refused(version: &'static rustls::SupportedProtocolVersion) {
    let authority = Authority::default_of_bigip();
    let ways = [
        Verification::Pinned(vec![authority.fingerprint()]),
        Verification::CaOnly(bundle(&authority)),
        Verification::Nothing,
    ];
    let server = Server::impostor(authority, version, |_, _| Reply::login("T")).await;
    for verification in ways {
        let mut config = server.config();
        config.verification = verification;
        let client = Client::new(config).unwrap();
        let error = client.records(&path()).await.unwrap_err();
        assert!(!error.is_uncertain(), "{error}");
        assert!(server.seen().is_empty(), "sent without proof of the key");
    }
}

#[tokio::test]
async fn copied_certificate_is_refused_under_tls_1_2() {
    assert_copied_certificate_is_refused(&rustls::version::TLS12).await;
}

#[tokio::test]
async fn copied_certificate_is_refused_under_tls_1_3() {
    assert_copied_certificate_is_refused(&rustls::version::TLS13).await;
}

#[tokio::test]
async fn proxy_of_the_environment_is_not_used() {
    // Nothing listens on the discard port.
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let proxies = names.map(|name| (name, "http://127.0.0.1:9"));
    let test = "transport::tests::proxy_of_the_environment_is_not_used";
    if is_alone(test, &proxies).await {
        let server = Server::with_login(|_, _| Reply::ok(recorded::NO_RECORDS)).await;
        let client = Client::new(server.config()).unwrap();
        client.records(&path()).await.unwrap();
    }
}

#[tokio::test]
async fn bundled_certificate_is_refused_when_expired() {
    let expired = Authority::expired("old");
    let trust = bundle(&expired);
    let server = Server::presenting(expired, |_, _| Reply::login("T")).await;
    let mut config = server.config();
    config.verification = Verification::CaOnly(trust);
    let error = Client::new(config)
        .unwrap()
        .records(&path())
        .await
        .unwrap_err();
    assert_eq!(problem_in(&error), CertificateProblem::Expired);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn device_certificate_in_bundle_trusts_no_other() {
    let device = Authority::not_marked_as_ca("bigip-a");
    let server = Server::issued_by(device, localhost_certificate(), |_, _| Reply::login("T")).await;
    let client = Client::new(server.config()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(problem_in(&error), CertificateProblem::UnknownIssuer);
    assert!(server.seen().is_empty());

    let itself = Authority::not_marked_as_ca("bigip-a");
    let server = Server::presenting(itself, |seen, _| {
        if seen.is_login() {
            Reply::login("T")
        } else {
            Reply::ok(recorded::RECORDS)
        }
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    assert!(client.records(&path()).await.is_ok());
}

#[test]
fn ca_only_and_pinned_need_explicit_trust() {
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let config = |verification: &Verification| {
        let refusals = Handshakes::default();
        tls::client_config(verification, name.clone(), &refusals).unwrap_err()
    };
    assert_eq!(
        config(&Verification::CaOnly(Trust::SystemRoots)),
        ConfigError::CaOnlyBundle
    );
    assert_eq!(
        config(&Verification::Pinned(vec![])),
        ConfigError::NoFingerprints
    );
}

#[tokio::test]
async fn missing_common_cipher_has_its_own_reason() {
    // Answers the first message with the alert `handshake_failure`, as old devices do.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let alert = [21, 3, 3, 0, 2, 2, 40];
            stream.write_all(&alert).await?;
        }
        std::io::Result::Ok(())
    });
    let mut config = Server::start(|_, _| Reply::login("T")).await.config();
    config.port = address.port();
    let error = Client::new(config)
        .unwrap()
        .records(&path())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::TlsNoCommonCipher);
}

#[tokio::test]
async fn server_name_replaces_host_in_certificate_check() {
    let params = CertificateParams::new(["bigip-a.example".to_owned()]).unwrap();
    let server = Server::with_certificate(params, |seen, _| {
        if seen.is_login() {
            Reply::login("T")
        } else {
            Reply::ok(recorded::NO_RECORDS)
        }
    })
    .await;
    let mut config = server.config();
    config.server_name = Some("bigip-a.example".into());
    Client::new(config).unwrap().records(&path()).await.unwrap();
}

/// A server that sends every request on to another place: itself, so that only the client's own rule
/// keeps it from going there.
async fn redirecting(status: u16, after_login: bool) -> Server {
    Server::start(move |seen, _| {
        if after_login && seen.is_login() {
            Reply::login("T")
        } else {
            let host = seen.header("host").unwrap();
            let location = format!("Location: https://{host}/elsewhere");
            Reply::With(status, location, String::new())
        }
    })
    .await
}

#[tokio::test]
async fn redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = redirecting(status, true).await;
        let client = Client::new(server.config()).unwrap();
        let error = client.records(&path()).await.unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::Protocol(Mismatch::Redirect { status })
        );
        assert_eq!(server.seen().len(), 2, "{:?}", server.lines());
    }
}

#[tokio::test]
async fn redirected_login_sends_no_password() {
    let server = redirecting(307, false).await;
    let error = Client::new(server.config())
        .unwrap()
        .records(&path())
        .await
        .unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::Protocol(Mismatch::Redirect { status: 307 })
    );
    assert_eq!(server.seen().len(), 1, "{:?}", server.lines());
}

#[tokio::test]
async fn endless_body_is_aborted() {
    let server = Server::with_login(|_, _| Reply::Endless).await;
    let limits = Limits {
        body_bytes: 1 << 20,
        ..Limits::default()
    };
    let client = Client::with_limits(server.config(), limits).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Protocol(Mismatch::TooLarge));
    assert!(!error.is_uncertain());
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert!(error.is_uncertain());
}

#[tokio::test]
async fn endless_head_is_aborted() {
    let server = Server::with_login(|_, _| {
        let header = format!("X-Long: {}", "x".repeat(4 << 20));
        Reply::With(200, header, recorded::NO_RECORDS.into())
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ConnectionFailed);
}

#[tokio::test]
async fn slow_answer_ends_at_the_deadline() {
    let server = Server::with_login(|_, _| Reply::Drip(recorded::NO_RECORDS.into())).await;
    let client = Client::with_limits(server.config(), short_limits()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
}

#[tokio::test]
async fn write_after_a_closed_connection_is_sent_once() {
    let server = Server::with_login(|seen, _| {
        if seen.line.starts_with("GET") {
            Reply::ThenClose(recorded::NO_RECORDS.into())
        } else {
            Reply::Drop
        }
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    for written in 1..=5 {
        client.records(&path()).await.unwrap();
        let error = add(&client, &path(), record()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::ConnectionFailed);
        let lines = server.lines();
        let sent = lines.iter().filter(|line| line.ends_with("/records"));
        let posts = sent.filter(|line| line.starts_with("POST")).count();
        assert!(posts <= written, "{lines:?}");
        assert!(error.is_uncertain() || posts < written, "{lines:?}");
    }
}

#[tokio::test]
async fn oversized_member_list_is_aborted_before_buffering() {
    let member = r#"{"name":""},"#;
    let members = member.repeat(200_000);
    let list = recorded::NO_RECORDS.replace("[]", &format!("[{}]", members.trim_end_matches(',')));
    let server = Server::with_login(move |_, _| Reply::ok(&list)).await;
    let client = Client::new(server.config()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::TooManyRecords);
    assert!(!error.is_retryable());
}

/// A list of so many records that are of no interest.
fn list_of(count: usize) -> String {
    let members = (0..count).map(|n| {
        let [.., a, b] = u32::try_from(n).unwrap().to_be_bytes();
        format!(r#"{{"name":"0a:0a:0a:00:{a:02x}:{b:02x}","endpoint":"10.0.{a}.{b}%0"}}"#)
    });
    let members = members.collect::<Vec<_>>().join(",");
    recorded::NO_RECORDS.replace("[]", &format!("[{members}]"))
}

#[tokio::test]
async fn large_list_waits_for_memory_and_a_small_one_does_not() {
    let (small, large) = (list_of(2_000), list_of(20_000));
    let server =
        Server::with_login(move |_, before| Reply::ok(if before == 0 { &small } else { &large }))
            .await;
    let config = server.config();
    let memory = config.memory.clone();
    let mut places = Vec::new();
    for device in ["a", "b", "c"] {
        places.push(memory.place(&device.into()).await);
    }
    let client = Client::new(config).unwrap();
    let count = |listing: crate::Listing| listing.observed.records.len();
    assert_eq!(count(client.records(&path()).await.unwrap()), 2_000);
    let path = path();
    let mut waits = std::pin::pin!(client.records(&path));
    let moment = Duration::from_millis(500);
    let early = tokio::time::timeout(moment, waits.as_mut()).await;
    assert!(early.is_err(), "{early:?}");
    places.pop();
    assert_eq!(count(waits.await.unwrap()), 20_000);
    // It has given its place back.
    let _ = memory.place(&"d".into()).await;
}

#[tokio::test]
async fn answer_to_a_write_is_not_buffered() {
    let fdb = recorded::FDB.replace(
        "/TEST_K8S_partition/TEST_FLANNEL_VXLAN",
        &path().to_string(),
    );
    let list = list_of(20_000);
    let server = Server::with_login(move |seen, _| {
        Reply::ok(if seen.line.starts_with("GET ") {
            &fdb
        } else {
            &list
        })
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let unit = client.unit().await.unwrap();
    let written = unit.replace_records(&path(), &Records::new()).await;
    assert_eq!(written, Ok(()));
}

#[tokio::test]
async fn partial_answer_is_no_answer() {
    for status in [203, 206] {
        let server =
            Server::with_login(move |_, _| Reply::Body(status, recorded::NO_RECORDS.into()));
        let server = server.await;
        let client = Client::new(server.config()).unwrap();
        let error = client.records(&path()).await.unwrap_err();
        assert_eq!(*error.kind(), Mismatch::Foreign { status }.into());
    }
}

#[tokio::test]
async fn endless_pages_are_aborted() {
    let server = Server::with_login(|_, _| Reply::Stall).await;
    let limits = Limits {
        collection: Duration::from_millis(300),
        ..Limits::default()
    };
    let client = Client::with_limits(server.config(), limits).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
}

#[tokio::test]
async fn every_connection_verifies_the_certificate() {
    let server = Server::with_login(|_, _| Reply::ThenClose(recorded::NO_RECORDS.into())).await;
    let client = Client::new(server.config()).unwrap();
    for _ in 0..3 {
        client.records(&path()).await.unwrap();
    }
    let kinds = server.handshakes();
    assert!(kinds.len() >= 3, "{kinds:?}");
    assert!(
        kinds.iter().all(|kind| *kind != HandshakeKind::Resumed),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn unresolvable_name_is_reported() {
    let server = Server::start(|_, _| Reply::Drop).await;
    let mut config = server.config();
    // Reserved never to exist (RFC 6761).
    config.host = "bigip.invalid".into();
    let error = save(&Client::new(config).unwrap()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::NameNotResolved);
    assert!(error.is_retryable() && !error.is_uncertain());
}

#[tokio::test]
async fn unanswered_read_times_out_and_is_certain() {
    let server = Server::with_login(|_, _| Reply::Stall).await;
    let client = Client::with_limits(server.config(), short_limits()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
    assert!(error.is_retryable() && !error.is_uncertain());
    let device = server.config().authority().unwrap();
    assert_eq!(
        error.to_string(),
        format!("{device}: no answer within 0.3 s")
    );
}

#[tokio::test]
async fn unanswered_write_is_uncertain_and_not_repeated() {
    let server = Server::with_login(|_, _| Reply::Stall).await;
    let client = Client::with_limits(server.config(), short_limits()).unwrap();
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
    assert!(error.is_uncertain());
    assert_eq!(server.lines().len(), 2, "{:?}", server.lines());
}

#[tokio::test]
async fn broken_write_is_uncertain_and_not_repeated() {
    // Also on a connection that was used before, where a client might think that it was stale.
    let server = Server::with_login(|_, _| Reply::Drop).await;
    let client = Client::new(server.config()).unwrap();
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ConnectionFailed);
    assert!(error.is_uncertain());
    assert_eq!(server.lines().len(), 2, "{:?}", server.lines());
}

#[tokio::test]
async fn write_with_a_server_error_is_uncertain() {
    let server = Server::with_login(|_, _| Reply::icrd(500, "01070734:3: odd", 3)).await;
    let client = Client::new(server.config()).unwrap();
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ServerError);
    assert!(error.is_uncertain());
    assert!(!client.records(&path()).await.unwrap_err().is_uncertain());
}

#[tokio::test]
async fn unsent_write_is_certain() {
    let server = Server::start(|_, _| Reply::Stall).await;
    let client = Client::with_limits(server.config(), short_limits()).unwrap();
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
    assert!(!error.is_uncertain(), "only the login was sent");
}

#[tokio::test]
async fn half_a_body_is_no_answer() {
    let server = Server::with_login(|_, _| Reply::CutBody(recorded::NO_RECORDS.into())).await;
    let error = Client::new(server.config())
        .unwrap()
        .records(&path())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::ConnectionFailed);
}

#[tokio::test]
async fn closed_port_is_connection_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::start(|_, _| Reply::Drop).await;
    let mut config = server.config();
    config.port = port;
    drop(listener);
    let client = Client::new(config).unwrap();
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::ConnectionRefused);
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{port}")),
        "{error}"
    );
    assert!(!error.is_uncertain());
}

#[tokio::test]
async fn write_without_a_connection_is_certain() {
    let server = Server::with_login(|_, _| {
        Reply::With(200, "Connection: close".into(), recorded::NO_RECORDS.into())
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    server.stop().await;
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::ConnectionRefused);
    assert!(!error.is_uncertain());
}

#[tokio::test]
async fn stalled_handshake_ends_at_the_connect_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(|_, _| Reply::Drop).await;
    let mut config = server.config();
    config.port = listener.local_addr().unwrap().port();
    let limits = Limits {
        connect: Duration::from_millis(200),
        ..Limits::default()
    };
    let error = Client::with_limits(config, limits)
        .unwrap()
        .records(&path())
        .await
        .unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::Timeout {
            after: Duration::from_millis(200)
        }
    );
}

#[tokio::test]
async fn port_without_tls_is_a_failed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(|_, _| Reply::Drop).await;
    let mut config = server.config();
    config.port = listener.local_addr().unwrap().port();
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        stream
    });
    let error = Client::new(config)
        .unwrap()
        .records(&path())
        .await
        .unwrap_err();
    plain.abort();
    assert!(
        matches!(error.kind(), ErrorKind::ConnectionFailed { cause } if cause.starts_with("TLS: ")),
        "{error}"
    );
}

#[tokio::test]
async fn retry_after_is_limited_to_a_minute() {
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    for (asked, kept) in [
        ("7", 7),
        ("86400", 60),
        (date, 60),
        ("99999999999999999999", 60),
    ] {
        let header = format!("Retry-After: {asked}");
        let server = Server::with_login(move |_, _| {
            Reply::With(503, header.clone(), recorded::RESTARTING.into())
        })
        .await;
        let error = Client::new(server.config())
            .unwrap()
            .records(&path())
            .await
            .unwrap_err();
        assert_eq!(error.reason(), Reason::DeviceNotReady);
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_secs(kept)),
            "{asked}"
        );
    }
}

/// Everything that is logged, in one string.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a client makes of a device by this name, in these networks.
async fn by_name(server: &Server, networks: &[&str]) -> Result<(), ErrorKind> {
    let mut config = server.config();
    config.server_name = Some(config.host);
    config.host = "localhost".into();
    config.networks = networks.iter().map(|text| text.parse().unwrap()).collect();
    let client = Client::new(config).unwrap();
    save(&client).await.map_err(|error| {
        assert!(!error.is_uncertain());
        error.kind().clone()
    })
}

#[tokio::test]
async fn name_is_dialled_only_into_an_allowed_network() {
    let server = Server::with_login(|_, _| Reply::ok("{}")).await;
    let refused = by_name(&server, &["10.0.0.0/8", "fd00::/8"]).await;
    let problem = crate::AddressProblem::OutsideOfNetworks;
    assert!(
        matches!(&refused, Err(ErrorKind::AddressNotAllowed { problem: p, .. }) if *p == problem),
        "{refused:?}"
    );
    assert!(server.seen().is_empty());
    by_name(&server, &["127.0.0.0/8"]).await.unwrap();
}

/// Replies for every path of the client, among them a device that repeats what it was sent.
fn hostile(before: usize) -> Reply {
    let echo = format!("01070734:3: you sent {PASSWORD} and CANARYTOKEN0 and CANARYTOKEN1");
    match before % 5 {
        0 => Reply::icrd(400, &echo, 3),
        1 => Reply::restjavad(401, &echo),
        2 => Reply::Body(503, format!("<html>{echo}</html>")),
        3 => Reply::ok(&format!(r#"{{"kind":"{echo}","items":["{echo}"]}}"#)),
        _ => Reply::Drop,
    }
}

#[tokio::test]
async fn no_error_and_no_log_line_holds_a_secret() {
    // Another test's thread would decide for the whole process that nothing is logged.
    if !is_alone(
        "transport::tests::no_error_and_no_log_line_holds_a_secret",
        &[],
    )
    .await
    {
        return;
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start(|seen, before| {
        if seen.is_login() {
            Reply::login(&format!("CANARYTOKEN{before}"))
        } else {
            hostile(before)
        }
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let mut shown = format!("{client:?} {:?}", server.config());
    for _ in 0..10 {
        let errors = [
            client.records(&path()).await.err(),
            add(&client, &path(), record()).await.err(),
            save(&client).await.err(),
        ];
        for error in errors.iter().flatten() {
            write!(shown, "{error} {error:?}").unwrap();
        }
    }
    client.logout().await;
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("list of records"), "the log was not captured");
    assert!(
        server
            .lines()
            .iter()
            .any(|line| line.ends_with("/CANARYTOKEN0"))
    );
    for secret in [PASSWORD, "CANARYTOKEN"] {
        assert!(!shown.contains(secret), "{shown}");
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
    }
}

/// A way to a server whose connections are passed on one by one, each when it is let through.
struct Sluice {
    config: DeviceConfig,
    came: Arc<tokio::sync::Semaphore>,
    pass: Arc<tokio::sync::Semaphore>,
    _task: tokio::task::JoinHandle<()>,
}

async fn sluice(server: &Server) -> Sluice {
    let mut config = server.config();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = (config.host.clone(), config.port);
    config.port = listener.local_addr().unwrap().port();
    let [came, pass] = [(); 2].map(|()| Arc::new(tokio::sync::Semaphore::new(0)));
    let (arrivals, permits) = (came.clone(), pass.clone());
    let task = tokio::spawn(async move {
        let mut passed = tokio::task::JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            arrivals.add_permits(1);
            permits.acquire().await.unwrap().forget();
            let mut onward = tokio::net::TcpStream::connect(to.clone()).await.unwrap();
            passed.spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    Sluice {
        config,
        came,
        pass,
        _task: task,
    }
}

/// Answers a login and closes the connection, so that the next request needs another one.
fn login_then_close(seen: &crate::testing::Seen, _: usize) -> Reply {
    match Reply::login("TOKEN") {
        Reply::Body(_, body) if seen.is_login() => Reply::ThenClose(body),
        _ => Reply::ok("{}"),
    }
}

#[tokio::test]
async fn write_is_sent_only_with_permission_after_connect() {
    for (removes, uncertain) in [(false, false), (true, true)] {
        let server = Server::start(login_then_close).await;
        let mut sluice = sluice(&server).await;
        let may_write = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let asked = may_write.clone();
        sluice.config.may_write =
            MayWrite::when(move || asked.load(std::sync::atomic::Ordering::SeqCst));
        let client = Client::new(sluice.config).unwrap();
        // One connection that proves the key, and one that the login is sent over.
        sluice.pass.add_permits(2);
        let unit = client.unit().await.unwrap();
        sluice.came.acquire_many(2).await.unwrap().forget();

        let write = tokio::spawn(async move {
            if removes {
                let name = record().mac.into();
                unit.remove_record(&path(), &name).await.err()
            } else {
                unit.add_record(&path(), record()).await.err()
            }
        });
        // The connection is being made when the permission ends.
        sluice.came.acquire().await.unwrap().forget();
        may_write.store(false, std::sync::atomic::Ordering::SeqCst);
        sluice.pass.add_permits(1);
        let error = write.await.unwrap().unwrap();
        assert_eq!(*error.kind(), ErrorKind::MayNotWrite);
        assert_eq!(error.is_uncertain(), uncertain);
        assert_eq!(server.lines(), ["POST /mgmt/shared/authn/login"]);
    }
}
