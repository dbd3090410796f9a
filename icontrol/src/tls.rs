//! The TLS side of a client, and what its failures mean.
//!
//! TLS 1.2 and 1.3 with aws-lc-rs, given explicitly: the process needs no default provider. Nothing
//! is sent before the certificate stood up. Knows nothing of HTTP.

mod verifier;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, ClientConfig};

use self::verifier::{DeviceVerifier, OtherKey};
pub(crate) use self::verifier::{Handshakes, Refusal};
use crate::config::{ConfigError, Verification};
use crate::error::{CertificateProblem, ErrorKind, clean};

/// The TLS side of one login's connections. No session is resumed: every connection verifies the certificate anew, so
/// that one that has expired or was exchanged is noticed. What came of it is left in `handshakes`.
pub(crate) fn client_config(
    verification: &Verification,
    expected: ServerName<'static>,
    handshakes: &Handshakes,
) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(CryptoProvider {
        // Hybrid key shares make a first message that old network devices drop.
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..default_provider()
    });
    let verifier = DeviceVerifier::new(verification, expected, &provider, handshakes)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|_| ConfigError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The failure of TLS among the causes of an error, if there is one.
pub(crate) fn failure_among(
    causes: &(dyn StdError + 'static),
    handshakes: &Handshakes,
) -> Option<ErrorKind> {
    let mut cause = Some(causes);
    while let Some(error) = cause {
        // An `io::Error` hides the error that it carries behind that one's own cause.
        let carried = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        let tls = carried
            .and_then(|carried| carried.downcast_ref::<rustls::Error>())
            .or_else(|| error.downcast_ref::<rustls::Error>());
        if let Some(tls) = tls {
            return Some(failure(tls, handshakes));
        }
        cause = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}

fn failure(error: &rustls::Error, handshakes: &Handshakes) -> ErrorKind {
    let cause = || clean(&error.to_string());
    match error {
        rustls::Error::InvalidCertificate(problem) => {
            let Refusal { problem, presented } = handshakes.refusal().unwrap_or_else(|| Refusal {
                problem: problem_of(problem),
                presented: None,
            });
            ErrorKind::CertificateInvalid { problem, presented }
        }
        rustls::Error::Other(other) if other.0.is::<OtherKey>() => ErrorKind::OtherKey,
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::ProtocolVersion,
        ) => ErrorKind::NoCommonCipher { cause: cause() },
        _ => ErrorKind::ConnectionFailed {
            cause: format!("TLS: {}", cause()),
        },
    }
}

/// What the library found, in words that say what to fix. Which name was expected is added by whoever
/// knows it.
fn problem_of(problem: &CertificateError) -> CertificateProblem {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateProblem::NotValidYet
        }
        CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
        CertificateError::BadSignature => CertificateProblem::WrongSignature,
        CertificateError::BadEncoding => CertificateProblem::Malformed,
        CertificateError::Revoked => CertificateProblem::Revoked,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateProblem::WrongPurpose
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            CertificateProblem::UnsupportedSignature
        }
        other => {
            let cause = clean(&other.to_string());
            tracing::debug!(cause, "a certificate was refused");
            CertificateProblem::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup::{X25519, secp256r1, secp384r1};

    use super::*;
    use crate::config::Trust;
    use crate::testing::Authority;

    fn config(pem: &[u8]) -> Result<ClientConfig, ConfigError> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let verification = Verification::Full(Trust::Bundle(pem.to_vec()));
        client_config(&verification, name, &Handshakes::default())
    }

    #[test]
    fn bundle_without_a_certificate_is_refused_as_empty() {
        assert_eq!(config(b"").unwrap_err(), ConfigError::BundleEmpty);
        assert_eq!(
            config(b"no PEM at all").unwrap_err(),
            ConfigError::BundleEmpty
        );
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(
            config(key.as_bytes()).unwrap_err(),
            ConfigError::BundleEmpty
        );
    }

    #[test]
    fn invalid_bundle_names_the_invalid_part() {
        let good = Authority::new("CA").pem();
        let cut = &good[..good.len() / 2];
        assert_eq!(
            config(cut.as_bytes()).unwrap_err(),
            ConfigError::BundleSyntax
        );
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(
            config(format!("{good}{junk}").as_bytes()).unwrap_err(),
            ConfigError::BundleCertificate { number: 2 }
        );
    }

    #[test]
    fn only_the_three_small_key_exchanges_are_offered() {
        let config = config(Authority::new("CA").pem().as_bytes()).unwrap();
        let names: Vec<_> = config
            .crypto_provider()
            .kx_groups
            .iter()
            .map(|group| group.name())
            .collect();
        assert_eq!(names, [X25519, secp256r1, secp384r1]);
    }
}
