//! What is wrong with a certificate, and how a person recognises it.
//!
//! Knows nothing of how certificates are verified.

use crate::config::Fingerprint;

/// A certificate as a person recognises it, to pin it or to put it into the CA bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Whom it was made out to.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Until when it is valid.
    pub not_after: String,
    /// Its SHA-256 fingerprint.
    pub fingerprint: Fingerprint,
}

pub(super) fn shown(presented: Option<&Presented>) -> String {
    presented.map_or_else(String::new, |certificate| {
        format!(
            " (presented: subject {}, issuer {}, valid until {}, SHA-256 {})",
            certificate.subject, certificate.issuer, certificate.not_after, certificate.fingerprint
        )
    })
}

/// Which check of a certificate failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// Its time is over.
    #[error("it has expired; renew it, and check the clocks")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet; check the clocks")]
    NotValidYet,
    /// None of the trusted CAs issued it.
    #[error(
        "no trusted CA issued it; put the CA that did, or the certificate itself, into the CA bundle"
    )]
    UnknownIssuer,
    /// Its signature does not fit: mostly one of a CA that has the name of a trusted one, and
    /// another key.
    #[error(
        "its signature does not fit the trusted CA of that name; if the CA was renewed, put the \
         new one into the CA bundle"
    )]
    WrongSignature,
    /// It is made out to another name.
    #[error(
        "it is not made out to {expected}; set tls.serverName to a name that it carries, or, if it \
         carries none, tls.verification to CAOnly or Pinned"
    )]
    WrongName {
        /// The name or address that was expected.
        expected: String,
    },
    /// It is of X.509 version 1, which no chain is verified for.
    #[error(
        "it is of X.509 version 1, and no chain of such a certificate can be verified; set tls.verification to \
         Pinned with its fingerprint, or give the unit a certificate of version 3"
    )]
    VersionOne,
    /// Its RSA key is too short for any verification.
    #[error(
        "its RSA key has {bits} bits, and at least 2,048 are needed; give the unit a new key and certificate"
    )]
    ShortKey {
        /// Length of the modulus.
        bits: usize,
    },
    /// It cannot be read.
    #[error("it cannot be read; give the unit a new certificate")]
    Malformed,
    /// It was revoked.
    #[error("it was revoked; give the unit a new certificate")]
    Revoked,
    /// It was issued for another purpose than a server's.
    #[error(
        "it was not issued for a server; have one issued with the extended key usage serverAuth"
    )]
    WrongPurpose,
    /// It, or one of its chain, is signed in a way that is not supported.
    #[error(
        "it is signed with an algorithm that is not supported, such as SHA-1 or MD5; reissue it \
         with SHA-256"
    )]
    UnsupportedSignature,
    /// It has none of the pinned fingerprints.
    #[error("it has none of the pinned fingerprints; pin its own if it was renewed on purpose")]
    NotPinned,
    /// Anything else. The library's own words are in the log at level debug.
    #[error(
        "it cannot be verified; compare it with the CA bundle: openssl verify -CAfile ca.crt server.crt"
    )]
    Other,
}
