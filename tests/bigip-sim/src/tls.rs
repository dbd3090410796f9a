//! How a simulated device greets: its certificate, the TLS it speaks, or no TLS at all.
//!
//! It must not know of requests.

mod certificates;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::{ServerConfig, SupportedProtocolVersion, version};

use self::certificates::{Authority, Served};
use crate::config::UnknownValue;

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

/// How a device greets. Each but the first is what a client has to refuse or to cope with.
///
/// TLS 1.0 and 1.1 cannot be played: the TLS library has neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsProfile {
    /// With a certificate by its authority, good for its address, the one that it shows, and `localhost`; TLS 1.2 and 1.3.
    #[default]
    Authority,
    /// With the certificate of a new BIG-IP: signed by itself, marked as a CA, made out to
    /// `localhost.localdomain`, without an alternative name (all of it *assumed*).
    OwnCertificate,
    /// With a certificate by an authority that no client trusts.
    UnknownAuthority,
    /// With a certificate of 2019.
    Expired,
    /// With a certificate of 2999.
    NotYetValid,
    /// With a certificate for another device.
    WrongName,
    /// TLS 1.2 only.
    Tls12,
    /// TLS 1.2 with an RSA certificate, ECDHE over P-256 and AES-GCM only (*assumed* of old TMOS).
    OldTmos,
    /// Takes connections, and never answers a handshake.
    Stall,
    /// HTTP without TLS.
    Plain,
}

impl TlsProfile {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Authority,
        Self::OwnCertificate,
        Self::UnknownAuthority,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongName,
        Self::Tls12,
        Self::OldTmos,
        Self::Stall,
        Self::Plain,
    ];
}

impl fmt::Display for TlsProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authority => "authority",
            Self::OwnCertificate => "own-certificate",
            Self::UnknownAuthority => "unknown-authority",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongName => "wrong-name",
            Self::Tls12 => "tls12",
            Self::OldTmos => "old-tmos",
            Self::Stall => "stall",
            Self::Plain => "plain",
        })
    }
}

impl FromStr for TlsProfile {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        let profile = all.find(|profile| profile.to_string() == text);
        profile.ok_or(UnknownValue(
            "authority, own-certificate, unknown-authority, expired, not-yet-valid, wrong-name, \
             tls12, old-tmos, stall, plain",
        ))
    }
}

/// What a device does with a new connection.
#[derive(Clone)]
pub(crate) enum Greeting {
    Tls(Arc<ServerConfig>),
    Stall,
    Plain,
}

/// How a device greets, and what is needed to greet otherwise.
#[derive(Clone)]
pub(crate) struct Tls {
    authority: Authority,
    profile: TlsProfile,
    /// What its certificate is for, besides `localhost`.
    addresses: Vec<IpAddr>,
    /// What to trust, in PEM.
    pub(crate) ca_pem: String,
    /// SHA-256 of its certificate, in hexadecimal.
    pub(crate) fingerprint: String,
    pub(crate) greeting: Greeting,
}

impl Tls {
    /// With a new authority and a new certificate.
    pub(crate) fn new(profile: TlsProfile, addresses: Vec<IpAddr>) -> Result<Self, TlsError> {
        Self::with(Authority::new("bigip-sim authority")?, profile, addresses)
    }

    /// The same authority with a new certificate.
    pub(crate) fn renewed(&self, profile: TlsProfile) -> Result<Self, TlsError> {
        Self::with(self.authority.clone(), profile, self.addresses.clone())
    }

    /// The same profile with a new authority.
    pub(crate) fn with_new_authority(&self) -> Result<Self, TlsError> {
        Self::new(self.profile, self.addresses.clone())
    }

    fn with(
        authority: Authority,
        profile: TlsProfile,
        addresses: Vec<IpAddr>,
    ) -> Result<Self, TlsError> {
        let served = match profile {
            TlsProfile::OwnCertificate => Served::by_itself()?,
            TlsProfile::UnknownAuthority => {
                Authority::new("another authority")?.issue(profile, &addresses)?
            }
            _ => authority.issue(profile, &addresses)?,
        };
        let ca_pem = match profile {
            TlsProfile::OwnCertificate => served.pem.clone(),
            _ => authority.pem(),
        };
        Ok(Self {
            ca_pem,
            fingerprint: served.fingerprint(),
            greeting: match profile {
                TlsProfile::Stall => Greeting::Stall,
                TlsProfile::Plain => Greeting::Plain,
                _ => Greeting::Tls(settings(profile, served)?),
            },
            authority,
            profile,
            addresses,
        })
    }
}

/// Without keys.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("profile", &self.profile)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

fn settings(profile: TlsProfile, served: Served) -> Result<Arc<ServerConfig>, TlsError> {
    let mut provider = default_provider();
    let only_12 = matches!(profile, TlsProfile::Tls12 | TlsProfile::OldTmos);
    let versions: &[&SupportedProtocolVersion] = if only_12 {
        &[&version::TLS12]
    } else {
        &[&version::TLS12, &version::TLS13]
    };
    if profile == TlsProfile::OldTmos {
        provider.kx_groups = vec![kx_group::SECP256R1];
        provider.cipher_suites = vec![
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ];
    }
    let settings = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(vec![served.certificate], served.key)?;
    Ok(Arc::new(settings))
}
