//! What an answer means: the one table of statuses, ids and texts.
//!
//! iControl REST has two families of error bodies. Those of icrd, the configuration layer, carry
//! `apiError`: the request reached the configuration. Those of restjavad carry `restOperationId`:
//! authentication, routing or availability, and the configuration was not touched. Anything else
//! (HTML of httpd or Jetty, a text cut at 2 kB before 16.1) is neither. Knows nothing of sessions.

use std::time::Duration;

use serde::Deserialize;

use crate::error::{DeviceText, ErrorKind, Mismatch};

/// No error body that was recorded is longer than 2 kB.
pub(crate) const ERROR_BYTES_MAX: usize = 64 << 10;

/// A complete answer.
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// `Retry-After`, at most 60 s.
    pub(crate) retry_after: Option<Duration>,
    /// What was kept of the body: of an error its beginning.
    pub(crate) body: Vec<u8>,
}

/// What was asked, as far as messages name it.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// HTTP method.
    pub(crate) verb: &'static str,
    /// Kind of resource.
    pub(crate) resource: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Icrd,
    Restjavad,
    Neither,
}

/// An error body of either family. Both differ in more fields than these.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    #[serde(default)]
    message: String,
    api_error: Option<u64>,
    rest_operation_id: Option<u64>,
    kind: Option<String>,
}

impl ErrorBody {
    fn family(&self) -> Family {
        if self.api_error.is_some() {
            Family::Icrd
        } else if self.rest_operation_id.is_some()
            || self.kind.as_deref() == Some(":resterrorresponse")
        {
            Family::Restjavad
        } else {
            Family::Neither
        }
    }

    /// The mcpd message id in front of `:<severity>: `. Inside a transaction it stands behind a
    /// prefix (recorded by users of AS3).
    fn id(&self) -> Option<&str> {
        let text = self
            .message
            .strip_prefix("transaction failed:")
            .unwrap_or(&self.message);
        let (id, _) = text.split_once(':')?;
        (id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
    }
}

/// What tells an answer from others with the same status.
#[derive(Clone, Copy)]
enum Sign {
    Any,
    Id(&'static str),
    ApiError(u64),
    Begins(&'static str),
    /// Only where there is no id.
    Contains(&'static str),
}

impl Sign {
    fn is_on(self, body: &ErrorBody) -> bool {
        match self {
            Self::Any => true,
            Self::Id(id) => body.id() == Some(id),
            Self::ApiError(number) => body.api_error == Some(number),
            Self::Begins(text) => body.message.starts_with(text),
            Self::Contains(text) => body.message.contains(text),
        }
    }
}

#[derive(Clone, Copy)]
enum Meaning {
    TokenRefused,
    UnknownLoginProvider,
    Forbidden,
    TooManyTokens,
    NotFound,
    Exists,
    NotReady(&'static str),
    Busy(&'static str),
}

struct Rule(u16, Option<Family>, Sign, Meaning);

const ICRD: Option<Family> = Some(Family::Icrd);
const RESTJAVAD: Option<Family> = Some(Family::Restjavad);

/// The first rule that fits decides; what fits none is judged by its status.
const RULES: &[Rule] = &[
    // A missing right comes as 401 too (15.1.1, f5-appsvcs-extension#420). The other 401s that
    // begin with "Authorization failed:" are about the token or the user.
    Rule(
        401,
        None,
        Sign::Begins("Authorization failed: user="),
        Meaning::Forbidden,
    ),
    // pr8kerl/f5er#18.
    Rule(
        401,
        None,
        Sign::Begins("loginProviderName is invalid"),
        Meaning::UnknownLoginProvider,
    ),
    // "X-F5-Auth-Token has expired." (f5-ansible#2410), "... does not exist." (POSH-LTM-Rest#147),
    // "no user authentication header or token detected" also without cause (15.1.2.1,
    // terraform-provider-bigip#469), HTML.
    Rule(401, None, Sign::Any, Meaning::TokenRefused),
    // Not seen from BIG-IP; a proxy may answer so.
    Rule(403, None, Sign::Any, Meaning::Forbidden),
    // The configuration layer's own refusals of a role: f5-common-python#1516 (13.0), and, with which
    // status is not known, terraform-provider-bigip#333.
    Rule(400, ICRD, Sign::Id("01070822"), Meaning::Forbidden),
    Rule(400, ICRD, Sign::Id("01070824"), Meaning::Forbidden),
    Rule(
        400,
        None,
        Sign::Contains("does not have update access to partition"),
        Meaning::Forbidden,
    ),
    // CIS#3780.
    Rule(
        400,
        None,
        Sign::Contains("maximum active login tokens"),
        Meaning::TooManyTokens,
    ),
    // 17.1.2.1; for pool members 01020036 on PATCH and DELETE, "Object not found" on GET.
    Rule(404, ICRD, Sign::Id("01020036"), Meaning::NotFound),
    Rule(
        404,
        ICRD,
        Sign::Begins("Object not found"),
        Meaning::NotFound,
    ),
    Rule(409, ICRD, Sign::Id("01020066"), Meaning::Exists),
    // "Public URI path not registered", "URI path ... not registered" (bigip-rest-go).
    Rule(
        404,
        RESTJAVAD,
        Sign::Any,
        Meaning::NotReady("iControl REST is starting"),
    ),
    // CIS#3538, 17.1.1.3, also on GET.
    Rule(
        503,
        ICRD,
        Sign::ApiError(32_964_609),
        Meaning::Busy("an asynchronous task is running"),
    ),
    // HTML "Configuration Utility restarting..." (f5-ansible).
    Rule(
        503,
        None,
        Sign::Any,
        Meaning::NotReady("its management service is restarting"),
    ),
    // bigip-rest-go.
    Rule(
        500,
        ICRD,
        Sign::ApiError(32_768_001),
        Meaning::NotReady("mcpd is restarting"),
    ),
    // f5-ansible, bigip_device_info.
    Rule(
        400,
        RESTJAVAD,
        Sign::Contains("java.net.ConnectException"),
        Meaning::NotReady("its configuration service does not answer"),
    ),
    Rule(
        400,
        ICRD,
        Sign::Id("01071003"),
        Meaning::NotReady("provisioning is in progress"),
    ),
    // f5-openstack-agent retries on it.
    Rule(
        400,
        None,
        Sign::Contains("Device or resource busy"),
        Meaning::Busy("a resource of its system is in use"),
    ),
    // restjavad gave up waiting for icrd (f5-appsvcs-extension#188).
    Rule(
        400,
        RESTJAVAD,
        Sign::Contains("remoteSender:"),
        Meaning::Busy(GAVE_UP_WAITING),
    ),
    // Jetty's HTML page "AsyncContext timeout" (16.1.4.1, f5-appsvcs-extension#780).
    Rule(
        500,
        Some(Family::Neither),
        Sign::Any,
        Meaning::Busy(GAVE_UP_WAITING),
    ),
    // Not seen from BIG-IP; a proxy may answer so.
    Rule(429, None, Sign::Any, Meaning::Busy("too many requests")),
];

/// A write that is answered so can still be carried out.
const GAVE_UP_WAITING: &str = "iControl REST gave up waiting for the configuration service";

impl Meaning {
    fn kind(self, asked: Asked) -> ErrorKind {
        let Asked { verb, resource } = asked;
        match self {
            Self::TokenRefused => ErrorKind::TokenRefused,
            Self::UnknownLoginProvider => ErrorKind::UnknownLoginProvider,
            Self::Forbidden => ErrorKind::Forbidden { verb, resource },
            Self::TooManyTokens => ErrorKind::TooManyTokens,
            Self::NotFound => ErrorKind::NotFound { resource },
            Self::Exists => ErrorKind::Exists { resource },
            Self::NotReady(cause) => ErrorKind::NotReady {
                cause: cause.to_owned(),
            },
            Self::Busy(cause) => ErrorKind::Busy { cause },
        }
    }
}

impl Answer {
    /// Whether an answer with this status is what was asked for.
    pub(crate) fn is_success(status: u16) -> bool {
        (200..300).contains(&status) && !matches!(status, 203 | 206)
    }

    /// What a refusal says; nothing of a body that is none.
    fn error_body(&self) -> ErrorBody {
        let body = self.body.get(..ERROR_BYTES_MAX.min(self.body.len()));
        serde_json::from_slice(body.unwrap_or_default()).unwrap_or_default()
    }

    /// The body of a success, or what the answer means. A text that repeats one of `secrets` is
    /// left out.
    pub(crate) fn judge(self, asked: Asked, secrets: &[&str]) -> Result<Vec<u8>, ErrorKind> {
        let status = self.status;
        match status {
            _ if Self::is_success(status) => return Ok(self.body),
            // A part of an answer, or somebody else's version of it.
            200..=299 => return Err(Mismatch::Foreign { status }.into()),
            300..=399 => return Err(Mismatch::Redirect { status }.into()),
            _ => {}
        }
        let body = self.error_body();
        let family = body.family();
        let fits = |Rule(number, wanted, sign, _): &&Rule| {
            *number == status && wanted.is_none_or(|wanted| wanted == family) && sign.is_on(&body)
        };
        if let Some(Rule(.., meaning)) = RULES.iter().find(fits) {
            return Err(meaning.kind(asked));
        }
        let text = match family {
            Family::Icrd => DeviceText::new(&body.message, secrets),
            Family::Restjavad | Family::Neither => DeviceText::default(),
        };
        let Asked { verb, resource } = asked;
        Err(match (status, family) {
            (500.., _) => ErrorKind::Server { status, text },
            (_, Family::Neither) => Mismatch::Foreign { status }.into(),
            _ => ErrorKind::Refused {
                verb,
                resource,
                status,
                text,
            },
        })
    }

    /// The device's own words, unless they repeat one of `secrets`.
    pub(crate) fn said(&self, secrets: &[&str]) -> DeviceText {
        let body = self.error_body();
        if body.message.is_empty() {
            return DeviceText::default();
        }
        DeviceText::new(&body.message, secrets)
    }

    /// Whether a write that is answered so may have been carried out.
    pub(crate) fn leaves_uncertain(kind: &ErrorKind, status: u16) -> bool {
        status >= 500
            || *kind
                == ErrorKind::Busy {
                    cause: GAVE_UP_WAITING,
                }
    }
}

#[cfg(test)]
mod tests;
