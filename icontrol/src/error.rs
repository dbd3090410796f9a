//! What can go wrong with a call, in words that say what to fix.
//!
//! Nothing here shows a response body, a token or a password: of what a device says only the
//! message of its configuration layer is kept, cut and cleaned. Knows nothing of requests; which
//! answer means what is in `answer`.

mod certificate;
mod login;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::text::is_unfit;
use bigip_tunnel_core::unit::TmosVersion;

use self::certificate::shown;
pub use self::certificate::{CertificateProblem, Presented};
pub use self::login::{LoginRefusal, NextLogin};
use crate::address::AddressProblem;
use crate::limits::RECORDS_MAX;

/// The longest pause that a device may ask for.
pub(crate) const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A call that failed. Displayed with the device's `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{device}: {kind}")]
pub struct Error {
    pub(crate) device: Arc<str>,
    pub(crate) kind: ErrorKind,
    pub(crate) uncertain: bool,
    pub(crate) retry_after: Option<Duration>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// No complete answer within the deadline.
    #[error("no answer within {} s", .after.as_secs_f32())]
    Timeout {
        /// The deadline.
        after: Duration,
    },
    /// The host name has no address.
    #[error("the host name has no address; check the device's address and the cluster's DNS")]
    NameNotResolved,
    /// The host name has only addresses that are not dialled.
    #[error("its host name leads to {address}, {problem}")]
    AddressNotAllowed {
        /// One of them.
        address: IpAddr,
        /// Why not.
        problem: AddressProblem,
    },
    /// Nothing listens there.
    #[error("the connection was refused; check the device's address and port")]
    ConnectionRefused,
    /// The connection could not be made or broke.
    #[error("the connection failed: {cause}")]
    ConnectionFailed {
        /// What the operating system or the TLS library says.
        cause: String,
    },
    /// The certificate does not stand up. Nothing was sent.
    #[error("its certificate is not accepted: {problem}{}", shown(.presented.as_deref()))]
    CertificateInvalid {
        /// Which check failed.
        problem: CertificateProblem,
        /// What the device presented, where it could be read.
        presented: Option<Box<Presented>>,
    },
    /// Device and client have no protocol version, cipher or key exchange in common.
    #[error(
        "it speaks no TLS that is accepted (1.2 or 1.3 with AEAD ciphers and X25519, P-256 or P-384): \
         {cause}; see the cipher settings of its web server"
    )]
    NoCommonCipher {
        /// What the TLS library says.
        cause: String,
    },
    /// The login was refused, or not tried because an earlier one was: BIG-IP locks accounts.
    #[error("{refusal}{said}. {}; {next}", refusal.remedy())]
    LoginRefused {
        /// Why.
        refusal: LoginRefusal,
        /// The device's own words.
        said: DeviceText,
        /// When the next one is tried.
        next: NextLogin,
    },
    /// A login with a password that was never accepted there was not tried: it would not have been remembered.
    #[error(
        "no login attempted: it could not be stored first in the status of the object: {cause}"
    )]
    LoginNotStored {
        /// Why not, in one word.
        reason: Reason,
        /// Why not.
        cause: String,
    },
    /// Logins of one account are sent one at a time, and another one did not end in time.
    #[error(
        "no login attempted: another login of this user on this unit has not ended within {} s",
        after.as_secs()
    )]
    LoginTurn {
        /// How long was waited.
        after: Duration,
    },
    /// The login provider is not known to the device.
    #[error("it does not know the login provider; correct `loginProviderName`")]
    UnknownLoginProvider,
    /// The device does not take the token that it just gave out.
    #[error("it refuses a token right after the login")]
    TokenRefused,
    /// The login that the call was made under is over. It was not worked on; what was read before may be of a
    /// different unit.
    #[error(
        "its login has ended, and a different unit may answer now: read the unit again before \
         anything is changed"
    )]
    LoginEnded,
    /// A connection proved another key than the login's. Nothing was sent over it.
    #[error(
        "its certificate has another key than at the login a moment ago; if a load balancer or a \
         floating address stands in front of several units, give each unit's own address"
    )]
    OtherKey,
    /// The user lacks a right. F5 CIS needs the role Administrator (F5 documents of CIS,
    /// `bigip-permissions-ctlr`); whether a smaller role does is not known.
    #[error("the user may not {verb} the {resource}; give it the role Administrator")]
    Forbidden {
        /// HTTP method.
        verb: &'static str,
        /// Kind of resource.
        resource: &'static str,
    },
    /// The user holds as many tokens as BIG-IP allows.
    #[error(
        "the user holds as many tokens as BIG-IP allows (100); use an account of its own, or wait \
         until tokens expire"
    )]
    TooManyTokens,
    /// The device is starting, or its configuration is not loaded.
    #[error("it is not ready: {cause}")]
    NotReady {
        /// What shows that.
        cause: String,
    },
    /// The device is busy with something else.
    #[error("it is busy: {cause}")]
    Busy {
        /// What shows that.
        cause: &'static str,
    },
    /// The device failed in a way of its own.
    #[error("it failed with status {status}{text}")]
    Server {
        /// HTTP status.
        status: u16,
        /// What its configuration layer says.
        text: DeviceText,
    },
    /// The device refused the request.
    #[error("it refuses a {verb} of the {resource} (status {status}){text}")]
    Refused {
        /// HTTP method.
        verb: &'static str,
        /// Kind of resource.
        resource: &'static str,
        /// HTTP status.
        status: u16,
        /// What its configuration layer says.
        text: DeviceText,
    },
    /// The answer is not what iControl REST answers.
    #[error("{0}")]
    Protocol(#[from] Mismatch),
    /// The tunnel is not on the device, which says that it is ready.
    #[error("the tunnel {tunnel} does not exist; create it, or correct its name or partition")]
    TunnelNotFound {
        /// Full path of the tunnel.
        tunnel: String,
    },
    /// The tunnel has more records than are read.
    #[error(
        "the tunnel has more than {RECORDS_MAX} records, which are not read; delete the records that are \
         not needed, or use a tunnel that holds nothing else"
    )]
    TooManyRecords,
    /// The configuration layer knows no such object. Seen by callers only for a record that was to
    /// be corrected and is gone.
    #[error("the {resource} does not exist any more")]
    NotFound {
        /// Kind of resource.
        resource: &'static str,
    },
    /// The object is there already.
    #[error("the {resource} exists already")]
    Exists {
        /// Kind of resource.
        resource: &'static str,
    },
    /// It would have changed something, and its sender may not do that now. It was not sent.
    #[error(
        "nothing is changed on it now: this operator does not lead, or cannot tell whether it does"
    )]
    MayNotWrite,
    /// TMOS is too old to tell a missing object from a unit that is starting.
    #[error("TMOS {0} is too old; 13.1 or later is needed")]
    UnsupportedVersion(TmosVersion),
}

/// How an answer differs from what iControl REST answers. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A redirect. Not followed: it could lead the login to another host.
    #[error(
        "the answer is a redirect (status {status}), which is not followed; is this the \
         address of a BIG-IP?"
    )]
    Redirect {
        /// HTTP status.
        status: u16,
    },
    /// An error, but not in a form of iControl REST.
    #[error(
        "the answer (status {status}) does not come from iControl REST; is this the \
         address of a BIG-IP?"
    )]
    Foreign {
        /// HTTP status.
        status: u16,
    },
    /// More of the body would have to be held than there is memory for.
    #[error("the answer is too large")]
    TooLarge,
    /// The body is not the JSON expected.
    #[error(
        "the {resource} is not answered in the form of iControl REST (line {line}, column {column})"
    )]
    Json {
        /// Kind of resource.
        resource: &'static str,
        /// Where parsing ended.
        line: usize,
        /// Where parsing ended.
        column: usize,
    },
    /// The answer is about something else than what was asked for.
    #[error("the answer is about another object than the {resource} asked for")]
    OtherObject {
        /// Kind of resource.
        resource: &'static str,
    },
    /// A property is missing or holds an unusable value.
    #[error("the {resource} has no usable `{property}`")]
    Property {
        /// Kind of resource.
        resource: &'static str,
        /// Name of the property.
        property: &'static str,
    },
    /// A list breaks off, or its members are not separated.
    #[error("the {resource} is cut off, or not in the form of iControl REST")]
    Cut {
        /// Kind of resource.
        resource: &'static str,
    },
    /// A member of a list is not JSON, or not of its kind.
    #[error("item {index} of the {resource} is not in the form of iControl REST")]
    Member {
        /// Kind of resource.
        resource: &'static str,
        /// Its place in the list, from 0.
        index: usize,
    },
    /// The pages of a list have a gap, overlap, or do not end.
    #[error("the pages of the {resource} do not follow one another")]
    Paged {
        /// Kind of resource.
        resource: &'static str,
    },
    /// A list in pages was not the same when it was read again.
    #[error("the {resource} comes in pages and changed while it was read")]
    Changed {
        /// Kind of resource.
        resource: &'static str,
    },
}

/// What the configuration layer of a device says about a request: at most 200 characters, without
/// control characters and the like, and nothing at all if it held a secret. Displayed behind a colon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceText(Option<String>);

impl DeviceText {
    /// Longest text kept, in characters.
    const CHARS_MAX: usize = 200;

    /// Keeps a device's text, unless it repeats one of `secrets`.
    pub(crate) fn new(text: &str, secrets: &[&str]) -> Self {
        // What is left out must not have kept a secret apart.
        let fit = text.replace(is_unfit, "");
        let repeats =
            |secret: &&str| !secret.is_empty() && (text.contains(*secret) || fit.contains(*secret));
        if secrets.iter().any(repeats) {
            return Self::default();
        }
        Self(Some(clean(&fit)))
    }
}

impl DeviceText {
    /// The code that a message of the configuration layer begins with, such as `01070734`.
    fn code(&self) -> Option<&str> {
        let (code, _) = self.0.as_ref()?.split_once(':')?;
        let is_code = code.len() == 8 && code.bytes().all(|b| b.is_ascii_hexdigit());
        is_code.then_some(code)
    }
}

impl fmt::Display for DeviceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |text| write!(f, ": {text}"))
    }
}

/// A device's text as it may be shown: cut to 200 characters, without those that are not fit.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !is_unfit(*c))
        .take(DeviceText::CHARS_MAX)
        .collect()
}

impl ErrorKind {
    /// How long to wait although the device does not ask for it: every further try costs a token.
    pub(crate) const fn pause(&self) -> Option<Duration> {
        match self {
            Self::TokenRefused | Self::TooManyTokens | Self::OtherKey => Some(PAUSE_MAX),
            _ => None,
        }
    }
}

impl Error {
    /// A failure that leaves nothing uncertain.
    pub(crate) fn new(device: &Arc<str>, kind: impl Into<ErrorKind>) -> Self {
        Self {
            device: device.clone(),
            kind: kind.into(),
            uncertain: false,
            retry_after: None,
        }
    }

    /// The same failure of what leads to a request: the request itself was not sent.
    pub(crate) fn before_the_request(self) -> Self {
        Self {
            uncertain: false,
            ..self
        }
    }

    /// Whether the configuration layer knows no such object. A unit that is starting may say so.
    pub(crate) const fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound { .. })
    }

    /// Whether nobody answered.
    pub(crate) const fn is_unanswered(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Timeout { .. }
                | ErrorKind::NameNotResolved
                | ErrorKind::AddressNotAllowed { .. }
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionFailed { .. }
                | ErrorKind::CertificateInvalid { .. }
                | ErrorKind::NoCommonCipher { .. }
        )
    }

    /// Whether a login waits for something else than the unit, which has just proven its key: nothing is known to
    /// be wrong with the unit or the password.
    pub const fn is_login_delayed(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::LoginNotStored { .. } | ErrorKind::LoginTurn { .. }
        )
    }

    /// Whether the login that the request was sent under is over. The request was not worked on.
    pub(crate) const fn ends_login(&self) -> bool {
        matches!(self.kind, ErrorKind::TokenRefused | ErrorKind::OtherKey)
    }

    /// The code of the configuration layer, where the device gave one.
    pub fn code(&self) -> Option<&str> {
        match &self.kind {
            ErrorKind::Server { text, .. } | ErrorKind::Refused { text, .. } => text.code(),
            _ => None,
        }
    }

    /// Why the call failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The reason that users see.
    pub const fn reason(&self) -> Reason {
        match &self.kind {
            ErrorKind::Timeout { .. } | ErrorKind::LoginTurn { .. } => Reason::Timeout,
            ErrorKind::NameNotResolved => Reason::NameNotResolved,
            ErrorKind::AddressNotAllowed { .. } => Reason::AddressNotAllowed,
            ErrorKind::ConnectionRefused => Reason::ConnectionRefused,
            ErrorKind::ConnectionFailed { .. } => Reason::ConnectionFailed,
            ErrorKind::CertificateInvalid { .. } => Reason::CertificateInvalid,
            ErrorKind::NoCommonCipher { .. } => Reason::TlsNoCommonCipher,
            ErrorKind::LoginRefused { refusal, .. } => refusal.reason(),
            ErrorKind::LoginNotStored { reason, .. } => *reason,
            ErrorKind::UnknownLoginProvider | ErrorKind::TokenRefused => {
                Reason::AuthenticationFailed
            }
            ErrorKind::LoginEnded => Reason::LoginEnded,
            ErrorKind::OtherKey => Reason::UnitKeyAlternates,
            ErrorKind::Forbidden { .. } => Reason::AuthorizationFailed,
            ErrorKind::TooManyTokens => Reason::TooManyTokens,
            ErrorKind::NotReady { .. } => Reason::DeviceNotReady,
            ErrorKind::Busy { .. } => Reason::DeviceBusy,
            ErrorKind::Server { .. } => Reason::ServerError,
            ErrorKind::Protocol(_) => Reason::ProtocolError,
            ErrorKind::Refused { .. } | ErrorKind::NotFound { .. } | ErrorKind::Exists { .. } => {
                Reason::RequestRefused
            }
            ErrorKind::TunnelNotFound { .. } => Reason::TunnelNotFound,
            ErrorKind::TooManyRecords => Reason::TooManyRecords,
            ErrorKind::MayNotWrite => Reason::NotLeading,
            ErrorKind::UnsupportedVersion(_) => Reason::UnsupportedVersion,
        }
    }

    /// Whether another try may mend it without a person.
    pub const fn is_retryable(&self) -> bool {
        match &self.kind {
            ErrorKind::CertificateInvalid { .. }
            | ErrorKind::NoCommonCipher { .. }
            | ErrorKind::AddressNotAllowed { .. }
            | ErrorKind::LoginRefused { .. }
            | ErrorKind::UnknownLoginProvider
            | ErrorKind::Forbidden { .. }
            | ErrorKind::Refused { .. }
            | ErrorKind::TunnelNotFound { .. }
            | ErrorKind::TooManyRecords
            | ErrorKind::UnsupportedVersion(_) => false,
            ErrorKind::Timeout { .. }
            | ErrorKind::NameNotResolved
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionFailed { .. }
            | ErrorKind::LoginNotStored { .. }
            | ErrorKind::LoginTurn { .. }
            | ErrorKind::TokenRefused
            | ErrorKind::LoginEnded
            | ErrorKind::OtherKey
            | ErrorKind::TooManyTokens
            | ErrorKind::NotReady { .. }
            | ErrorKind::Busy { .. }
            | ErrorKind::Server { .. }
            | ErrorKind::Protocol(_)
            | ErrorKind::NotFound { .. }
            | ErrorKind::Exists { .. }
            | ErrorKind::MayNotWrite => true,
        }
    }

    /// Whether a write may have been carried out, or may still be: no answer, a lost connection or
    /// a failure of the device after the request was sent. Read before writing again.
    pub const fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// How long the device is to be left alone, at most 60 s: what it asks for itself, or a minute
    /// where trying sooner could only make it worse.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bidi_and_invisible_characters_are_removed() {
        let shown = clean("a\u{202e}b\u{200b}c\u{2028}d\u{1b}[2Je\u{feff}\u{e0041}é");
        assert_eq!(shown, "abcd[2Jeé");
    }

    #[test]
    fn secret_split_by_control_characters_is_detected() {
        let text = DeviceText::new(
            "you sent canary\u{200b}-pass\u{0}word",
            &["canary-password"],
        );
        assert_eq!(text, DeviceText::default());
    }

    #[test]
    fn device_text_is_truncated_and_cleaned() {
        let text = format!("\u{1b}[31m{}\r\n", "x".repeat(500));
        let shown = DeviceText::new(&text, &[]).to_string();
        assert_eq!(shown, format!(": [31m{}", "x".repeat(196)));
    }

    #[test]
    fn device_text_with_a_secret_is_not_shown() {
        let text = DeviceText::new("wrong password canary-password", &["canary-password"]);
        assert_eq!(text.to_string(), "");
        assert_eq!(DeviceText::new("fine", &[""]).to_string(), ": fine");
    }

    #[test]
    fn message_begins_with_host_and_port() {
        let kind = ErrorKind::Timeout {
            after: Duration::from_secs(30),
        };
        let error = Error::new(&"192.0.2.11:443".into(), kind);
        assert_eq!(error.to_string(), "192.0.2.11:443: no answer within 30 s");
    }

    #[test]
    fn refusal_code_is_the_prefix_of_its_text() {
        let code = |text: &str| {
            let error = Error {
                device: "bigip".into(),
                kind: ErrorKind::Refused {
                    verb: "POST",
                    resource: "record",
                    status: 400,
                    text: DeviceText::new(text, &[]),
                },
                uncertain: false,
                retry_after: None,
            };
            error.code().map(str::to_owned)
        };
        assert_eq!(
            code("01070734:3: Configuration error").as_deref(),
            Some("01070734")
        );
        assert_eq!(code("one or more properties: must be specified"), None);
        assert_eq!(code("no colon"), None);
    }
}
