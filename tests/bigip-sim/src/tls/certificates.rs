//! Certificates of a simulated device: an authority of its own and server certificates signed by it, or
//! the one certificate that TMOS makes for itself.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{TlsError, TlsProfile};

/// A certificate authority.
#[derive(Clone)]
pub(super) struct Authority(Arc<CertifiedIssuer<'static, KeyPair>>);

impl Authority {
    /// Makes one of this name. Of two with one name a client only sees that a signature is wrong, not that
    /// it does not know the issuer.
    pub(super) fn new(name: &str) -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self(Arc::new(issuer)))
    }

    /// Its certificate.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Makes a server certificate by the profile: for these addresses and `localhost`, and good
    /// now, unless that is what is wrong with it.
    pub(super) fn issue(
        &self,
        profile: TlsProfile,
        addresses: &[IpAddr],
    ) -> Result<Served, TlsError> {
        let mut names = vec!["localhost".to_owned()];
        names.extend(addresses.iter().map(ToString::to_string));
        if profile == TlsProfile::WrongName {
            names = vec!["bigip99.lab.local".to_owned()];
        }
        let common_name = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let years = match profile {
            TlsProfile::Expired => Some(2019),
            TlsProfile::NotYetValid => Some(2999),
            _ => None,
        };
        if let Some(year) = years {
            params.not_before = date_time_ymd(year, 1, 1);
            params.not_after = date_time_ymd(year, 12, 31);
        }
        let key = match profile {
            TlsProfile::OldTmos => KeyPair::generate_for(&PKCS_RSA_SHA256)?,
            _ => KeyPair::generate()?,
        };
        let certificate = params.signed_by(&key, &*self.0)?;
        Ok(Served::new(&certificate, &key))
    }
}

/// A server certificate with its key.
pub(super) struct Served {
    pub(super) pem: String,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Served {
    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        }
    }

    /// The certificate of a new BIG-IP; see [`TlsProfile::OwnCertificate`].
    pub(super) fn by_itself() -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost.localdomain");
        let key = KeyPair::generate()?;
        Ok(Self::new(&params.self_signed(&key)?, &key))
    }

    /// SHA-256 of the certificate, in hexadecimal.
    pub(super) fn fingerprint(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate);
        let octets = digest.as_ref().iter();
        let digits = octets.flat_map(|octet| [octet >> 4, octet & 15]);
        digits
            .filter_map(|digit| char::from_digit(u32::from(digit), 16))
            .collect()
    }
}
