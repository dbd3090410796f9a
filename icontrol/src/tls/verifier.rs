//! Whether a certificate is accepted, and why not.
//!
//! BIG-IPs present what libraries refuse by rule: the certificate that TMOS makes for itself is signed by
//! itself, often marked as a CA, made out to `localhost.localdomain`, and carries no alternative name. So
//! a certificate that is in the bundle itself is trusted as it is; its time, and in full verification its
//! name, count all the same. That the device holds the key is always verified. Knows nothing of HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_core::unit::PublicKeyHash;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, PeerMisbehaved, RootCertStore,
    SignatureScheme,
};
use webpki::RawPublicKeyEntity;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;

use super::problem_of;
use crate::config::{ConfigError, Fingerprint, Trust, Verification, sha256};
use crate::error::{CertificateProblem, Presented, clean};

/// What came of the certificates of one login's connections. The library's own errors say neither what was
/// presented nor what else was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handshakes(Arc<Mutex<Last>>);

#[derive(Debug, Default)]
struct Last {
    refusal: Option<Refusal>,
    expires_unix_s: Option<i64>,
    proven: Option<PublicKeyHash>,
}

/// The peer proved another key than the one before it.
#[derive(Debug, thiserror::Error)]
#[error("another key than that of the earlier handshakes")]
pub(super) struct OtherKey;

/// The shortest RSA key that signatures are verified with.
const RSA_BITS_MIN: usize = 2_048;

/// The RSA key of a certificate is shorter than that.
#[derive(Debug, thiserror::Error)]
#[error("the RSA key is too short")]
struct ShortKey;

/// A certificate that was refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) problem: CertificateProblem,
    pub(crate) presented: Option<Box<Presented>>,
}

impl Handshakes {
    fn note_verdict(&self, refusal: Option<Refusal>, expires_unix_s: Option<i64>) {
        let mut last = self.lock();
        last.refusal = refusal;
        last.expires_unix_s = expires_unix_s;
    }

    /// Notes the key of a certificate whose owner has signed the handshake with it. Fails the handshake
    /// if an earlier one was signed with another key: what is sent now was meant for its owner.
    fn note_key(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let key = public_key(certificate).ok_or(CertificateError::BadEncoding)?;
        if *self.lock().proven.get_or_insert(key) == key {
            Ok(())
        } else {
            Err(rustls::Error::Other(OtherError(Arc::new(OtherKey))))
        }
    }

    /// The key that the peer of every handshake so far proved to hold.
    pub(crate) fn proven_key(&self) -> Option<PublicKeyHash> {
        self.lock().proven
    }

    /// Why it was refused, if it was.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.lock().refusal.clone()
    }

    /// When it expires, if it was accepted and that counts: in seconds since 1970.
    pub(crate) fn expires_unix_s(&self) -> Option<i64> {
        self.lock().expires_unix_s
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a certificate is verified against.
#[derive(Debug)]
enum Check {
    /// The system's authorities, which look at the name as well.
    System(rustls_platform_verifier::Verifier),
    /// A bundle.
    Bundle {
        certificates: Vec<CertificateDer<'static>>,
        roots: RootCertStore,
        by_name: bool,
    },
    /// Fingerprints.
    Pinned(Vec<Fingerprint>),
    /// Nothing.
    Nothing,
}

/// Verifies as the spec asks for, against a name that need not be the one that was dialled.
#[derive(Debug)]
pub(super) struct DeviceVerifier {
    check: Check,
    expected: ServerName<'static>,
    algorithms: WebPkiSupportedAlgorithms,
    handshakes: Handshakes,
}

impl DeviceVerifier {
    pub(super) fn new(
        verification: &Verification,
        expected: ServerName<'static>,
        provider: &Arc<CryptoProvider>,
        handshakes: &Handshakes,
    ) -> Result<Self, ConfigError> {
        let bundle = |pem: &[u8], by_name| {
            let (certificates, roots) = read_bundle(pem)?;
            Ok(Check::Bundle {
                certificates,
                roots,
                by_name,
            })
        };
        let check = match verification {
            Verification::Full(Trust::Bundle(pem)) => bundle(pem, true)?,
            Verification::CaOnly(Trust::Bundle(pem)) => bundle(pem, false)?,
            Verification::Full(Trust::SystemRoots) => {
                let verifier = rustls_platform_verifier::Verifier::new(provider.clone());
                Check::System(verifier.map_err(|_| ConfigError::NoSystemRoots)?)
            }
            // Any site on the internet would do.
            Verification::CaOnly(Trust::SystemRoots) => return Err(ConfigError::CaOnlyBundle),
            Verification::Pinned(fingerprints) if fingerprints.is_empty() => {
                return Err(ConfigError::NoFingerprints);
            }
            Verification::Pinned(fingerprints) => Check::Pinned(fingerprints.clone()),
            Verification::Nothing => Check::Nothing,
        };
        Ok(Self {
            check,
            expected,
            algorithms: provider.signature_verification_algorithms,
            handshakes: handshakes.clone(),
        })
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        if short_rsa_key(end_entity).is_some() {
            // No signature of such a key is verified, so that it proves nothing.
            return Err(CertificateError::Other(OtherError(Arc::new(ShortKey))).into());
        }
        match &self.check {
            Check::Nothing => Ok(()),
            Check::System(verifier) => verifier
                .verify_server_cert(
                    end_entity,
                    intermediates,
                    &self.expected,
                    ocsp_response,
                    now,
                )
                .map(|_| ()),
            Check::Pinned(fingerprints) if fingerprints.contains(&Fingerprint::of(end_entity)) => {
                Ok(())
            }
            Check::Pinned(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
            Check::Bundle {
                certificates,
                roots,
                by_name,
            } => {
                if certificates.iter().any(|known| known == end_entity) {
                    verify_time(end_entity, now)?;
                } else {
                    verify_server_cert_signed_by_trust_anchor(
                        &ParsedCertificate::try_from(end_entity)?,
                        roots,
                        intermediates,
                        now,
                        self.algorithms.all,
                    )?;
                }
                if *by_name {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, &self.expected)?;
                }
                Ok(())
            }
        }
    }

    /// Verifies a handshake of TLS 1.2 by the certificate's key alone. The library reads no certificate of
    /// version 1, which old units make for themselves, and has no function of its own for this.
    fn verify_by_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let info = public_key_info(certificate).ok_or(CertificateError::BadEncoding)?;
        let key = RawPublicKeyEntity::try_from(&info).map_err(|_| CertificateError::BadEncoding)?;
        let mut mapping = self.algorithms.mapping.iter();
        let (_, algorithms) = mapping
            .find(|(scheme, _)| *scheme == dss.scheme)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let verified = algorithms.iter().any(|algorithm| {
            key.verify_signature(*algorithm, message, dss.signature())
                .is_ok()
        });
        if verified {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    /// `None` where the certificate is good at any time.
    fn expires_unix_s(&self, end_entity: &CertificateDer<'_>) -> Option<i64> {
        match self.check {
            Check::System(_) | Check::Bundle { .. } => {
                Some(parse(end_entity)?.validity().not_after.timestamp())
            }
            Check::Pinned(_) | Check::Nothing => None,
        }
    }

    fn problem(
        &self,
        end_entity: &CertificateDer<'_>,
        error: &rustls::Error,
    ) -> CertificateProblem {
        if let Some(bits) = short_rsa_key(end_entity) {
            return CertificateProblem::ShortKey { bits };
        }
        let rustls::Error::InvalidCertificate(problem) = error else {
            return CertificateProblem::Other;
        };
        match problem {
            CertificateError::Other(_) | CertificateError::BadEncoding
                if has_version_one(end_entity) =>
            {
                CertificateProblem::VersionOne
            }
            CertificateError::ApplicationVerificationFailure => CertificateProblem::NotPinned,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CertificateProblem::WrongName {
                    expected: self.expected.to_str().into_owned(),
                }
            }
            // The library's word for one that is signed by itself and marked as a CA.
            CertificateError::Other(_) if is_self_issued(end_entity) => {
                CertificateProblem::UnknownIssuer
            }
            other => problem_of(other),
        }
    }
}

impl ServerCertVerifier for DeviceVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let result = self.verify(end_entity, intermediates, ocsp_response, now);
        let refusal = result.as_ref().err().map(|error| Refusal {
            problem: self.problem(end_entity, error),
            presented: presented(end_entity).map(Box::new),
        });
        let expires = self.expires_unix_s(end_entity).filter(|_| result.is_ok());
        self.handshakes.note_verdict(refusal, expires);
        result.map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let valid = if has_version_one(cert) {
            self.verify_by_key(message, cert, dss)?
        } else {
            rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)?
        };
        self.handshakes.note_key(cert)?;
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let valid = if has_version_one(cert) {
            let key = public_key_info(cert).ok_or(CertificateError::BadEncoding)?;
            rustls::crypto::verify_tls13_signature_with_raw_key(
                message,
                &key,
                dss,
                &self.algorithms,
            )?
        } else {
            rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)?
        };
        self.handshakes.note_key(cert)?;
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn read_bundle(pem: &[u8]) -> Result<(Vec<CertificateDer<'static>>, RootCertStore), ConfigError> {
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let certificate = certificate.map_err(|_| ConfigError::BundleSyntax)?;
        let unusable = |_| ConfigError::BundleCertificate { number: index + 1 };
        let mut may_issue = RootCertStore::empty();
        may_issue.add(certificate.clone()).map_err(unusable)?;
        if is_authority(&certificate) {
            roots.roots.append(&mut may_issue.roots);
        }
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        Err(ConfigError::BundleEmpty)
    } else {
        Ok((certificates, roots))
    }
}

/// Whether others may be issued by it. A device's own certificate is trusted as that device's, and not to
/// vouch for another one: libraries take every root for an authority. Version 1 has no way to say it.
fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    parse(certificate).is_none_or(|parsed| parsed.is_ca() || parsed.version() == X509Version::V1)
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate)
        .ok()
        .map(|(_, parsed)| parsed)
}

/// SHA-256 of the `SubjectPublicKeyInfo`, as the certificate holds it. A handshake whose signature was
/// verified has read that part of the certificate.
fn public_key(certificate: &CertificateDer<'_>) -> Option<PublicKeyHash> {
    Some(PublicKeyHash(sha256(&public_key_info(certificate)?)))
}

fn public_key_info<'a>(certificate: &'a CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'a>> {
    Some(parse(certificate)?.subject_pki.raw.into())
}

/// The length of an RSA key that is shorter than what the library verifies signatures with.
fn short_rsa_key(certificate: &CertificateDer<'_>) -> Option<usize> {
    let parsed = parse(certificate)?;
    let Ok(PublicKey::RSA(key)) = parsed.public_key().parsed() else {
        return None;
    };
    let zeros = key.modulus.iter().take_while(|byte| **byte == 0).count();
    let bits = 8 * (key.modulus.len() - zeros);
    (bits < RSA_BITS_MIN).then_some(bits)
}

fn has_version_one(certificate: &CertificateDer<'_>) -> bool {
    parse(certificate).is_some_and(|parsed| parsed.version() == X509Version::V1)
}

fn verify_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let parsed = parse(certificate).ok_or(CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        Err(CertificateError::NotValidYet)
    } else if now > parsed.validity().not_after.timestamp() {
        Err(CertificateError::Expired)
    } else {
        Ok(())
    }
}

fn is_self_issued(certificate: &CertificateDer<'_>) -> bool {
    parse(certificate).is_some_and(|parsed| parsed.subject() == parsed.issuer())
}

fn presented(certificate: &CertificateDer<'_>) -> Option<Presented> {
    let parsed = parse(certificate)?;
    Some(Presented {
        subject: clean(&parsed.subject().to_string()),
        issuer: clean(&parsed.issuer().to_string()),
        not_after: clean(&parsed.validity().not_after.to_string()),
        fingerprint: Fingerprint::of(certificate),
    })
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs::default_provider;

    use super::*;
    use crate::testing::{RSA_1024, VERSION_ONE, read_certificates};

    /// Each way to verify that could let a certificate through.
    fn verify(certificate: &CertificateDer<'static>, handshakes: &Handshakes) -> Vec<bool> {
        let pinned = Verification::Pinned(vec![Fingerprint::of(certificate)]);
        let verified = [pinned, Verification::Nothing]
            .into_iter()
            .map(|verification| {
                let name = ServerName::try_from("localhost.localdomain").unwrap();
                let provider = Arc::new(default_provider());
                let verifier =
                    DeviceVerifier::new(&verification, name.clone(), &provider, handshakes)
                        .unwrap();
                let now = UnixTime::now();
                verifier
                    .verify_server_cert(certificate, &[], &name, &[], now)
                    .is_ok()
            });
        verified.collect()
    }

    #[test]
    fn short_rsa_key_is_refused_also_by_its_pin() {
        let [certificate] = &read_certificates(RSA_1024)[..] else {
            panic!("one certificate");
        };
        let handshakes = Handshakes::default();
        assert_eq!(verify(certificate, &handshakes), [false, false]);
        let refusal = handshakes.refusal().unwrap();
        let problem = CertificateProblem::ShortKey { bits: 1_024 };
        assert_eq!(refusal.problem, problem);
        let fingerprint = Fingerprint::of(certificate);
        assert_eq!(refusal.presented.unwrap().fingerprint, fingerprint);
    }

    #[test]
    fn non_rsa_key_is_not_short() {
        let [certificate] = &read_certificates(VERSION_ONE)[..] else {
            panic!("one certificate");
        };
        assert_eq!(short_rsa_key(certificate), None);
        assert_eq!(verify(certificate, &Handshakes::default()), [true, true]);
    }
}
