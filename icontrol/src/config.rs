//! What a client is made from, and what can be wrong with it before anything is dialled.
//!
//! Knows nothing of where the values come from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use bigip_tunnel_core::reason::Reason;
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use secrecy::SecretString;

use crate::address::{self, AddressProblem};
use crate::exchange::Observer;
use crate::may_write::MayWrite;
use crate::memory::BodyMemory;

/// One BIG-IP and how to log in on it.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// Host name or IP address (v4, or v6 without brackets) of its iControl REST: the management
    /// address or a non-floating self IP.
    pub host: String,
    /// TCP port, 443 by default of the device.
    pub port: u16,
    /// Name or address that the certificate must be made out to, if it is not `host`.
    pub server_name: Option<String>,
    /// Networks that a device may be in; if there are none, any. Link-local and metadata addresses are
    /// never dialled.
    pub networks: Arc<[IpNet]>,
    /// How its certificate is verified.
    pub verification: Verification,
    /// Whether anything may be changed on it now. A login changes something, and giving a token back is
    /// always allowed.
    pub may_write: MayWrite,
    /// Who is told of every request to it.
    pub observer: Observer,
    /// What large bodies may take, shared with all other devices of the process.
    pub memory: BodyMemory,
    /// The login.
    pub credentials: Credentials,
    /// For whom: tenants share the tries of an account in turn. A Kubernetes namespace, for example.
    pub tenant: String,
}

/// How a certificate is verified. That the device holds its key is always verified.
#[derive(Debug, Clone)]
pub enum Verification {
    /// Chain, time and name.
    Full(Trust),
    /// Chain and time. For devices whose certificate carries no name, as the one that BIG-IP makes for
    /// itself.
    CaOnly(Trust),
    /// The certificate itself, by one of these fingerprints; neither chain, nor time, nor name.
    Pinned(Vec<Fingerprint>),
    /// Not at all: whoever answers gets the password.
    Nothing,
}

/// SHA-256 of a certificate in DER form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// The text is no SHA-256 fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a SHA-256 fingerprint is 32 pairs of hexadecimal digits, with colons between them or without"
)]
pub struct ParseFingerprintError;

impl Fingerprint {
    /// The fingerprint of a certificate in DER form.
    pub fn of(certificate: &[u8]) -> Self {
        Self(sha256(certificate))
    }
}

/// The SHA-256 digest of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut octets = [0; 32];
    for (octet, of_digest) in octets.iter_mut().zip(digest.as_ref()) {
        *octet = *of_digest;
    }
    octets
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let mut octets = [0; 32];
        if digits.len() != 2 * octets.len() {
            return Err(ParseFingerprintError);
        }
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| ParseFingerprintError)?;
            // `from_str_radix` would take a sign.
            if !pair.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(ParseFingerprintError);
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| ParseFingerprintError)?;
        }
        Ok(Self(octets))
    }
}

/// As OpenSSL prints it.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The CAs that are trusted.
#[derive(Clone)]
pub enum Trust {
    /// The CAs that the system trusts.
    SystemRoots,
    /// Only these: one or more PEM certificates. A device that presents one of them itself is trusted:
    /// the certificate that BIG-IP makes for itself is signed by nobody else.
    Bundle(Vec<u8>),
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemRoots => f.write_str("SystemRoots"),
            Self::Bundle(pem) => write!(f, "Bundle({} bytes)", pem.len()),
        }
    }
}

/// A user of the BIG-IP.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password. Never shown.
    pub password: SecretString,
    /// Login provider, `tmos` unless the user comes from elsewhere by a provider of its own.
    pub login_provider: String,
}

/// Why no client can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The host is neither a host name nor an IP address.
    #[error(
        "the address is neither a host name nor an IP address; give it without scheme, port or path"
    )]
    Host,
    /// The host is an address that is not dialled.
    #[error("the address is {address}, {problem}")]
    AddressNotAllowed {
        /// As it is understood.
        address: IpAddr,
        /// Why not.
        problem: AddressProblem,
    },
    /// The server name is neither a host name nor an IP address.
    #[error("the server name is neither a host name nor an IP address")]
    ServerName,
    /// The CA bundle is not PEM, from some point on.
    #[error("the CA bundle is not valid PEM; give certificates between BEGIN and END lines")]
    BundleSyntax,
    /// The CA bundle holds no certificate.
    #[error("the CA bundle holds no certificate; a key or a request does not do")]
    BundleEmpty,
    /// One of the bundle's certificates cannot be used as a CA.
    #[error("certificate {number} of the CA bundle cannot be read")]
    BundleCertificate {
        /// Its place in the bundle, from 1.
        number: usize,
    },
    /// Only the chain is to be verified, against all of the internet's authorities.
    #[error("tls.verification CAOnly needs a CA bundle; name one in tls.caBundleRef")]
    CaOnlyBundle,
    /// The certificate is to be pinned, and no fingerprint is named.
    #[error("tls.verification Pinned needs tls.sha256Fingerprints")]
    NoFingerprints,
    /// The system trusts no CA at all, as in an image without certificates.
    #[error("the system has no trusted CA certificates; name a CA bundle for the device")]
    NoSystemRoots,
    /// TLS or HTTP could not be set up. Not the user's fault.
    #[error("the HTTPS client could not be set up")]
    Setup,
}

impl ConfigError {
    /// The word that users see as the reason.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Host | Self::ServerName | Self::CaOnlyBundle | Self::NoFingerprints => {
                Reason::InvalidSpec
            }
            Self::AddressNotAllowed { .. } => Reason::AddressNotAllowed,
            Self::BundleSyntax
            | Self::BundleEmpty
            | Self::BundleCertificate { .. }
            | Self::NoSystemRoots => Reason::CaBundleInvalid,
            Self::Setup => Reason::InternalError,
        }
    }
}

impl DeviceConfig {
    /// `host:port` as a URL writes it, with brackets around an IPv6 address. A host that is an address is
    /// checked here, as no resolver gets to see it.
    pub(crate) fn authority(&self) -> Result<String, ConfigError> {
        let ServerName::IpAddress(address) = name(&self.host).ok_or(ConfigError::Host)? else {
            return Ok(format!("{}:{}", self.host, self.port));
        };
        let address = IpAddr::from(address);
        address::check(address, &self.networks)
            .map_err(|problem| ConfigError::AddressNotAllowed { address, problem })?;
        Ok(SocketAddr::new(address, self.port).to_string())
    }

    /// What the certificate must be made out to.
    pub(crate) fn expected_name(&self) -> Result<ServerName<'static>, ConfigError> {
        match &self.server_name {
            Some(text) => name(text).ok_or(ConfigError::ServerName),
            None => name(&self.host).ok_or(ConfigError::Host),
        }
    }
}

/// The alphabet of DNS names in certificates keeps out every character that means something in a
/// URL.
fn name(text: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(text.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(host: &str) -> DeviceConfig {
        DeviceConfig {
            host: host.into(),
            port: 8443,
            server_name: None,
            networks: Arc::default(),
            verification: Verification::Full(Trust::Bundle(b"pem".to_vec())),
            may_write: MayWrite::default(),
            observer: Observer::default(),
            memory: BodyMemory::default(),
            credentials: Credentials {
                username: "admin".into(),
                password: "canary-password".into(),
                login_provider: "tmos".into(),
            },
            tenant: String::new(),
        }
    }

    #[test]
    fn ipv6_address_gets_brackets() {
        assert_eq!(device("fd00::1").authority(), Ok("[fd00::1]:8443".into()));
        assert_eq!(
            device("192.0.2.11").authority(),
            Ok("192.0.2.11:8443".into())
        );
        assert_eq!(
            device("bigip-a.example").authority(),
            Ok("bigip-a.example:8443".into())
        );
    }

    #[test]
    fn host_with_url_characters_is_refused() {
        for host in [
            "",
            "a b",
            "a/b",
            "user@host",
            "host:443",
            "https://host",
            "host?x",
            "host#x",
            "[::1]",
            "host\r\n",
            "a%2f",
            // Addresses to whoever reads URLs.
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
        ] {
            assert_eq!(device(host).authority(), Err(ConfigError::Host), "{host}");
        }
    }

    #[test]
    fn disallowed_address_makes_no_client() {
        let authority = |host: &str, networks: &[&str]| {
            let mut config = device(host);
            config.networks = networks.iter().map(|text| text.parse().unwrap()).collect();
            config.authority()
        };
        for host in ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::"] {
            let error = authority(host, &[]).unwrap_err();
            assert_eq!(error.reason(), Reason::AddressNotAllowed, "{host}");
        }
        assert!(authority("192.0.2.11", &["10.0.0.0/8"]).is_err());
        assert!(authority("10.1.2.3", &["10.0.0.0/8"]).is_ok());
    }

    #[test]
    fn invalid_server_name_differs_from_an_invalid_host() {
        let mut config = device("192.0.2.11");
        config.server_name = Some("big ip".into());
        assert_eq!(config.expected_name(), Err(ConfigError::ServerName));
    }

    #[test]
    fn fingerprint_of_openssl_and_browsers_is_parsed() {
        let printed = Fingerprint::of(b"certificate").to_string();
        assert_eq!(printed.len(), 95);
        let bare = printed.replace(':', "").to_lowercase();
        assert_eq!(printed.parse::<Fingerprint>(), bare.parse());
        for text in ["", "AB", &printed[1..], &printed.replace('A', "+"), "é"] {
            assert_eq!(
                text.parse::<Fingerprint>(),
                Err(ParseFingerprintError),
                "{text}"
            );
        }
    }

    #[test]
    fn debug_output_shows_neither_password_nor_bundle() {
        let shown = format!("{:?}", device("192.0.2.11"));
        assert!(
            shown.contains("admin") && shown.contains("Bundle(3 bytes)"),
            "{shown}"
        );
        assert!(!shown.contains("canary"), "{shown}");
    }
}
