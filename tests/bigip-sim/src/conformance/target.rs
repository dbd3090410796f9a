//! The device that is asked: where it is, how it is trusted, who logs in. Sends requests and nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use reqwest::{Certificate, Client, Url, redirect};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

use super::expect::Seen;

/// A BIG-IP works up to 60 s on a request.
const DEADLINE: Duration = Duration::from_secs(65);

/// The account to log in with. The password never appears in `Debug` output.
#[derive(Clone)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// `loginProviderName`, mostly `tmos`.
    pub login_provider: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// How the device's certificate is trusted.
#[derive(Debug, Clone)]
pub enum Trust {
    /// By the authorities of the system.
    System,
    /// By one of these certificates, in PEM.
    Ca(Vec<u8>),
    /// By its fingerprint.
    Pin(Pin),
    /// Whatever it presents. The password goes to any host that answers.
    Anything,
}

/// SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// The text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 fingerprint is 64 hexadecimal digits, with colons or without")]
pub struct PinError;

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(PinError);
        }
        let mut octets = [0; 32];
        for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| PinError)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| PinError)?;
        }
        Ok(Self(octets))
    }
}

/// The device cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not a URL of a host. It is not repeated: it may hold a password.
    #[error("this is no URL of a device; write it as https://192.0.2.11 or https://bigip.lab:8443")]
    Url,
    /// A login in the URL.
    #[error(
        "the URL holds a login; name the user by itself, and keep the password off the command line"
    )]
    Login,
    /// Nothing but HTTPS.
    #[error("only https is spoken: a password goes over it")]
    Scheme,
    /// TLS or the CA file.
    #[error("TLS cannot be set up; is the CA file PEM?")]
    Tls(#[source] reqwest::Error),
    /// No protocol version.
    #[error("TLS cannot be set up")]
    Versions(#[from] rustls::Error),
    /// No answer.
    #[error("the device does not answer")]
    Unanswered(#[source] reqwest::Error),
}

/// A device.
#[derive(Debug, Clone)]
pub struct Target {
    client: Client,
    base: Url,
    pub(crate) credentials: Credentials,
}

/// A request, with all placeholders filled.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a BTreeMap<String, String>,
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Option<String>,
}

impl Target {
    /// The device at a URL. Dials nothing yet.
    pub fn new(url: &str, trust: &Trust, credentials: Credentials) -> Result<Self, TargetError> {
        let base = Url::parse(url).map_err(|_| TargetError::Url)?;
        // It would be sent beside the token.
        if !base.username().is_empty() || base.password().is_some() {
            return Err(TargetError::Login);
        }
        if base.scheme() != "https" {
            return Err(TargetError::Scheme);
        }
        if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
            return Err(TargetError::Url);
        }
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(DEADLINE);
        let builder = match trust {
            Trust::System => builder,
            Trust::Ca(pem) => {
                let certificates = Certificate::from_pem_bundle(pem).map_err(TargetError::Tls)?;
                builder.tls_certs_only(certificates)
            }
            Trust::Pin(pin) => builder.tls_backend_preconfigured(pinned(*pin)?),
            Trust::Anything => builder.tls_danger_accept_invalid_certs(true),
        };
        Ok(Self {
            client: builder.build().map_err(TargetError::Tls)?,
            base,
            credentials,
        })
    }

    pub(crate) async fn send(&self, asked: Asked<'_>) -> Result<Seen, TargetError> {
        let url = format!("{}{}", self.base.as_str().trim_end_matches('/'), asked.path);
        let mut request = self.client.request(asked.method, url);
        if let Some(token) = asked.token {
            request = request.header("X-F5-Auth-Token", token);
        }
        if let Some(body) = asked.body {
            if !asked.headers.contains_key("Content-Type") {
                request = request.header("Content-Type", "application/json");
            }
            request = request.body(body);
        }
        for (name, value) in asked.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(unanswered)?;
        Ok(Seen {
            status: answer.status().as_u16(),
            body: answer.text().await.map_err(unanswered)?,
        })
    }
}

/// Without the URL, which may hold a token.
fn unanswered(error: reqwest::Error) -> TargetError {
    TargetError::Unanswered(error.without_url())
}

fn pinned(pin: Pin) -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(PinVerifier {
        pin,
        provider: Arc::clone(&provider),
    });
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

/// Accepts one certificate, of any holder of its key.
#[derive(Debug)]
struct PinVerifier {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, end_entity);
        if digest.as_ref() == self.pin.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> TargetError {
        let credentials = Credentials {
            user: "admin".to_owned(),
            password: "s3cret".to_owned(),
            login_provider: "tmos".to_owned(),
        };
        Target::new(url, &Trust::Anything, credentials).unwrap_err()
    }

    #[test]
    fn login_in_the_url_is_refused_and_not_repeated() {
        for url in [
            "https://admin:s3cret@192.0.2.11",
            "https://admin:s3cret@ 192.0.2.11",
        ] {
            let shown = format!("{:?} {0}", refusal(url));
            assert!(!shown.contains("s3cret"), "{shown}");
        }
        assert!(matches!(
            refusal("https://admin@192.0.2.11"),
            TargetError::Login
        ));
    }

    #[test]
    fn password_needs_https_and_a_host() {
        assert!(matches!(refusal("http://192.0.2.11"), TargetError::Scheme));
        for url in [
            "192.0.2.11",
            "https://192.0.2.11/mgmt",
            "https://192.0.2.11?x",
            "https://",
        ] {
            assert!(matches!(refusal(url), TargetError::Url), "{url}");
        }
    }

    #[test]
    fn fingerprint_is_64_digits_with_or_without_colons() {
        let digits = "0A".repeat(32);
        let colons = vec!["0a"; 32].join(":");
        assert_eq!(digits.parse::<Pin>(), colons.parse::<Pin>());
        assert_eq!(digits.parse::<Pin>(), Ok(Pin([10; 32])));
        for text in ["", "0a", "0g".repeat(32).as_str(), "é".repeat(32).as_str()] {
            assert_eq!(text.parse::<Pin>(), Err(PinError), "{text}");
        }
    }
}
