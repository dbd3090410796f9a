//! How the device's certificate is verified, and which check failed.
//!
//! TLS 1.2 and 1.3 with aws-lc-rs, given explicitly: the process needs no default provider. Nothing
//! is sent before the certificate stood up. Knows nothing of HTTP.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::config::{ConfigError, Trust};
use crate::error::{CertificateProblem, ErrorKind, clean};

/// The TLS side of one client. Sessions are resumed only within it, so never with another login.
pub(crate) fn client_config(
    trust: &Trust,
    expected: ServerName<'static>,
) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(CryptoProvider {
        // Hybrid key shares make a first message that old network devices drop.
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..default_provider()
    });
    let inner: Arc<dyn ServerCertVerifier> = match trust {
        Trust::SystemRoots => Arc::new(
            rustls_platform_verifier::Verifier::new(provider.clone())
                .map_err(|_| ConfigError::NoSystemRoots)?,
        ),
        Trust::Bundle(pem) => {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(pem)?), provider.clone())
                .build()
                .map_err(|_| ConfigError::Setup)?
        }
    };
    let algorithms = provider.signature_verification_algorithms;
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|_| ConfigError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NamedVerifier {
            inner,
            expected,
            algorithms,
        }))
        .with_no_client_auth();
    Ok(config)
}

fn roots(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let certificate = certificate.map_err(|_| ConfigError::BundleSyntax)?;
        let unusable = |_| ConfigError::BundleCertificate { number: index + 1 };
        roots.add(certificate).map_err(unusable)?;
    }
    if roots.is_empty() {
        Err(ConfigError::BundleEmpty)
    } else {
        Ok(roots)
    }
}

/// Verifies in full, against a name that need not be the one that was dialled.
#[derive(Debug)]
struct NamedVerifier {
    inner: Arc<dyn ServerCertVerifier>,
    expected: ServerName<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for NamedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let expected = &self.expected;
        self.inner
            .verify_server_cert(end_entity, intermediates, expected, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The failure of TLS among the causes of an error, if there is one. `expected` is named when the
/// certificate is made out to something else.
pub(crate) fn failure_among(
    causes: &(dyn StdError + 'static),
    expected: &str,
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
            return Some(failure(tls, expected));
        }
        cause = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}

fn failure(error: &rustls::Error, expected: &str) -> ErrorKind {
    let rustls::Error::InvalidCertificate(problem) = error else {
        return ErrorKind::ConnectionFailed {
            cause: format!("TLS: {}", clean(&error.to_string())),
        };
    };
    ErrorKind::CertificateInvalid(match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateProblem::NotValidYet
        }
        CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
        CertificateError::BadSignature => CertificateProblem::WrongSignature,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateProblem::WrongName {
                expected: expected.to_owned(),
            }
        }
        other => CertificateProblem::Other(clean(&other.to_string())),
    })
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup::{X25519, secp256r1, secp384r1};

    use super::*;
    use crate::testing::Authority;

    fn config(pem: &[u8]) -> Result<ClientConfig, ConfigError> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        client_config(&Trust::Bundle(pem.to_vec()), name)
    }

    #[test]
    fn a_bundle_without_a_certificate_says_so() {
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
    fn a_broken_bundle_says_which_part_is_broken() {
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
