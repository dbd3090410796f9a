//! Certificates of the test servers, and who signed them.

use std::sync::Arc;

use bigip_tunnel_core::unit::PublicKeyHash;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::config::{Fingerprint, sha256};

/// Made by OpenSSL, signed by itself.
pub(crate) const VERSION_ONE: &[u8] = include_bytes!("certificates/x509-v1.crt");
const VERSION_ONE_KEY: &[u8] = include_bytes!("certificates/x509-v1.key");
/// The same with an RSA key of 1,024 bits.
pub(crate) const RSA_1024: &[u8] = include_bytes!("certificates/rsa-1024.crt");

/// The certificates in PEM form.
pub(crate) fn read_certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .map(Result::unwrap)
        .collect()
}

/// A CA.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Fingerprint of its own certificate.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.der())
    }

    /// SHA-256 of its public key.
    pub(crate) fn key_hash(&self) -> PublicKeyHash {
        PublicKeyHash(sha256(&self.0.key().subject_public_key_info()))
    }

    /// A device's own certificate, which is not marked as a CA and issues all the same.
    pub(crate) fn not_marked_as_ca(name: &str) -> Self {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The same, valid in 2001 only.
    pub(crate) fn expired(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The certificate that TMOS makes for itself: signed by itself, marked as a CA, made out to
    /// `localhost.localdomain`, without an alternative name.
    pub(crate) fn default_of_bigip() -> Self {
        Self::new("localhost.localdomain")
    }

    pub(super) fn server(&self, params: &CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Self::serving(certificate.der().clone(), &key)
    }

    /// A server that presents the authority's own certificate.
    pub(super) fn as_server(&self) -> ServerConfig {
        Self::serving(self.0.der().clone(), self.0.key())
    }

    /// A server that presents the authority's certificate and holds another key: an impostor with a copy
    /// of what each handshake shows.
    pub(super) fn as_impostor(&self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        let other = KeyPair::generate().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(other.serialize_der()));
        let key = provider.key_provider.load_private_key(key).unwrap();
        let copied = CertifiedKey::new(vec![self.0.der().clone()], key);
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(copied)))
    }

    /// A server with the certificate of X.509 version 1 that an old unit made for itself, and its key or
    /// another one.
    pub(super) fn version_one_server(
        version: &'static SupportedProtocolVersion,
        has_key: bool,
    ) -> ServerConfig {
        let [certificate] = read_certificates(VERSION_ONE).try_into().unwrap();
        let key = if has_key {
            PrivateKeyDer::from_pem_slice(VERSION_ONE_KEY).unwrap()
        } else {
            let other = KeyPair::generate().unwrap();
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(other.serialize_der()))
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = provider.key_provider.load_private_key(key).unwrap();
        let single = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(single))
    }

    fn serving(
        certificate: rustls::pki_types::CertificateDer<'static>,
        key: &KeyPair,
    ) -> ServerConfig {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap()
    }
}
