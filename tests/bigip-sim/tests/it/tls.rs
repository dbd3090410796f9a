//! How a device greets, and what a client makes of it.

use std::time::Duration;

use bigip_sim::TlsProfile;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::{CertificateError, CipherSuite, Error, NamedGroup, ProtocolVersion, version};
use tokio::net::TcpStream;

use crate::raw::{BOTH, client, handshake, look, refusal, rest, send, start, trusting};
use crate::support::TUNNEL_URI;

#[tokio::test]
async fn bad_certificate_is_refused_before_any_data() {
    for profile in [
        TlsProfile::UnknownAuthority,
        TlsProfile::Expired,
        TlsProfile::NotYetValid,
        TlsProfile::WrongName,
    ] {
        let sim = start(profile).await;
        let error = refusal(sim.address(), trusting(&sim.ca_pem())).await;
        let Error::InvalidCertificate(error) = error else {
            panic!("{profile}: {error:?}")
        };
        let is_right = match profile {
            TlsProfile::UnknownAuthority => matches!(error, CertificateError::UnknownIssuer),
            TlsProfile::Expired => matches!(error, CertificateError::ExpiredContext { .. }),
            TlsProfile::NotYetValid => matches!(error, CertificateError::NotValidYetContext { .. }),
            _ => matches!(error, CertificateError::NotValidForNameContext { .. }),
        };
        assert!(is_right, "{profile}: {error:?}");
        assert!(sim.requests().is_empty());
    }
}

#[tokio::test]
async fn self_signed_device_is_its_own_ca_without_a_name() {
    let sim = start(TlsProfile::OwnCertificate).await;
    let error = refusal(sim.address(), trusting(&sim.ca_pem())).await;
    // A certificate marked as a CA does not do for a server, whatever its name.
    assert!(
        matches!(error, Error::InvalidCertificate(CertificateError::Other(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn every_profile_name_parses_to_its_profile() {
    for profile in TlsProfile::ALL {
        assert_eq!(profile.to_string().parse(), Ok(profile));
    }
    let error = "tls10".parse::<TlsProfile>().unwrap_err().to_string();
    assert!(error.contains("old-tmos"), "{error}");
}

#[tokio::test]
async fn tls_1_2_alone_can_be_spoken() {
    let sim = start(TlsProfile::Tls12).await;
    let stream = handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
    let spoken = stream.get_ref().1.protocol_version();
    assert_eq!(spoken, Some(ProtocolVersion::TLSv1_2));
    let newer = client(&sim.ca_pem(), default_provider(), &[&version::TLS13]);
    handshake(sim.address(), newer).await.unwrap_err();

    let usual = start(TlsProfile::Authority).await;
    let stream = handshake(usual.address(), trusting(&usual.ca_pem()))
        .await
        .unwrap();
    let spoken = stream.get_ref().1.protocol_version();
    assert_eq!(spoken, Some(ProtocolVersion::TLSv1_3));
}

#[tokio::test]
async fn old_device_needs_p_256_and_has_an_rsa_key() {
    let sim = start(TlsProfile::OldTmos).await;
    let stream = handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
    let connection = stream.get_ref().1;
    let spoken = connection.protocol_version();
    assert_eq!(spoken, Some(ProtocolVersion::TLSv1_2));
    let suite = connection.negotiated_cipher_suite().unwrap().suite();
    assert!(
        [
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ]
        .contains(&suite),
        "{suite:?}"
    );
    let group = connection.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::secp256r1);

    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519];
    let modern = client(&sim.ca_pem(), provider, BOTH);
    handshake(sim.address(), modern).await.unwrap_err();
}

#[tokio::test]
async fn stalled_handshake_lasts_until_the_profile_changes() {
    let sim = start(TlsProfile::Stall).await;
    let stalled = handshake(sim.address(), trusting(&sim.ca_pem()));
    tokio::pin!(stalled);
    let patience = Duration::from_millis(50);
    let waited = tokio::time::timeout(patience, &mut stalled).await;
    assert!(waited.is_err(), "answered");
    sim.set_tls(TlsProfile::Authority).unwrap();
    stalled.await.unwrap_err();
    handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
}

#[tokio::test]
async fn http_without_tls_is_answered_and_a_handshake_is_not() {
    let sim = start(TlsProfile::Plain).await;
    handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap_err();
    let mut stream = TcpStream::connect(sim.address()).await.unwrap();
    let request = look(TUNNEL_URI).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    send(&mut stream, &request).await;
    let (text, _) = rest(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 401 F5 Authorization Required\r\n"),
        "{text}"
    );
}

#[tokio::test]
async fn renewed_certificate_keeps_the_ca_and_ends_connections() {
    let sim = start(TlsProfile::Authority).await;
    let (ca_pem, fingerprint) = (sim.ca_pem(), sim.fingerprint());
    let mut before = handshake(sim.address(), trusting(&ca_pem)).await.unwrap();
    sim.set_tls(TlsProfile::Authority).unwrap();
    assert_eq!(rest(&mut before).await.0, "");
    assert_eq!(sim.ca_pem(), ca_pem);
    assert_ne!(sim.fingerprint(), fingerprint);
    handshake(sim.address(), trusting(&ca_pem)).await.unwrap();
}

#[tokio::test]
async fn renewed_ca_must_be_trusted_again() {
    let sim = start(TlsProfile::Authority).await;
    let ca_pem = sim.ca_pem();
    sim.renew_authority().unwrap();
    assert_ne!(sim.ca_pem(), ca_pem);
    handshake(sim.address(), trusting(&ca_pem))
        .await
        .unwrap_err();
    handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
}

#[tokio::test]
async fn fingerprint_is_that_of_the_presented_certificate() {
    let sim = start(TlsProfile::Authority).await;
    let stream = handshake(sim.address(), trusting(&sim.ca_pem()))
        .await
        .unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &shown);
    let fingerprint = sim.fingerprint();
    let octets = (0..fingerprint.len()).step_by(2);
    let octets = octets.map(|at| u8::from_str_radix(&fingerprint[at..at + 2], 16).unwrap());
    assert_eq!(octets.collect::<Vec<_>>(), digest.as_ref());
}
