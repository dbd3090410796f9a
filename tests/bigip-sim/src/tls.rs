//! Certificates of a simulated device: an authority of its own and a server certificate signed by it, or
//! the one certificate that TMOS makes for itself.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The keys or certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The TLS settings.
    #[error("cannot set up TLS")]
    Settings(#[from] rustls::Error),
}

/// What a server needs to be trusted.
pub(crate) struct Identity {
    /// Certificate of the authority, in PEM.
    pub(crate) ca_pem: String,
    /// SHA-256 of the server certificate, in hexadecimal.
    pub(crate) fingerprint: String,
    /// Settings with the server certificate.
    pub(crate) server: Arc<ServerConfig>,
}

impl Identity {
    /// Makes both certificates new; the server's is for these addresses and `localhost`.
    pub(crate) fn generate(addresses: &[IpAddr]) -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "bigip-sim authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut names = vec!["localhost".to_owned()];
        names.extend(addresses.iter().map(ToString::to_string));
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;

        Self::serving(authority.pem(), certificate.der().clone(), &key)
    }

    /// The certificate of a new BIG-IP: signed by itself, marked as a CA, made out to
    /// `localhost.localdomain`, without an alternative name (all of it *assumed*).
    pub(crate) fn of_new_device() -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost.localdomain");
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Self::serving(certificate.pem(), certificate.der().clone(), &key)
    }

    fn serving(
        ca_pem: String,
        certificate: CertificateDer<'static>,
        key: &KeyPair,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let fingerprint =
            hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate).as_ref());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )?;
        Ok(Self {
            ca_pem,
            fingerprint,
            server: Arc::new(server),
        })
    }
}

fn hex(octets: &[u8]) -> String {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}
