//! Every refusal of a BIG-IP that the simulator can give, word for word where a device was heard.
//!
//! Two families: icrd (the request reached the configuration) and restjavad (it did not). It must not
//! know which request is refused, only what the answer looks like.

mod busy;
mod objects;
mod session;

use hyper::StatusCode;
use serde::Serialize;

/// An answer that refuses a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// From the configuration layer.
    Icrd {
        status: StatusCode,
        message: String,
        api_error: u32,
        closes: bool,
    },
    /// From the REST front end; the configuration was not touched.
    Restjavad {
        status: StatusCode,
        message: String,
        original_request_body: Option<String>,
    },
    /// From a web server in front of either: a page, not JSON.
    Html { status: StatusCode, page: String },
}

/// `apiError` of errors that come from mcpd.
const MCPD: u32 = 3;
/// `apiError` of errors found by icrd itself.
const ICRD: u32 = 1;
/// `apiError` of errors found by the command parser (`0x0190_0001`).
const PARSER: u32 = 26_214_401;

impl Failure {
    fn icrd(status: StatusCode, message: impl Into<String>, api_error: u32) -> Self {
        Self::Icrd {
            status,
            message: message.into(),
            api_error,
            closes: false,
        }
    }

    fn restjavad(status: StatusCode, message: impl Into<String>) -> Self {
        Self::Restjavad {
            status,
            message: message.into(),
            original_request_body: None,
        }
    }

    /// A body that is no JSON (17.1.2.1); the device closes the connection after it.
    pub(crate) fn invalid_json() -> Self {
        Self::Icrd {
            status: StatusCode::BAD_REQUEST,
            message: "Found invalid JSON body in the request.".to_owned(),
            api_error: ICRD,
            closes: true,
        }
    }

    /// A body that does not say it is JSON (BIGREST#12).
    pub(crate) fn content_type(received: &str) -> Self {
        let message = format!(
            "Found invalid content-type. The content-type must be application/json. The received \
             content-type is {received}"
        );
        Self::icrd(StatusCode::UNSUPPORTED_MEDIA_TYPE, message, ICRD)
    }

    /// No such URI below `/mgmt/tm` (FCP#532). `path` starts after that.
    pub(crate) fn unexpected_uri(path: &str) -> Self {
        let message = format!("Found unexpected URI tmapi_mapper/{path}");
        Self::icrd(StatusCode::BAD_REQUEST, message, ICRD)
    }

    /// A PATCH without properties (EC).
    pub(crate) fn no_properties() -> Self {
        let message = "one or more properties must be specified";
        Self::icrd(StatusCode::BAD_REQUEST, message, PARSER)
    }

    /// Angle brackets in the URI or the body (EC).
    pub(crate) fn html_tag() -> Self {
        let message = "HTML Tag-like Content in the Request URL/Body";
        Self::icrd(StatusCode::BAD_REQUEST, message, PARSER)
    }

    /// `ver=` of another version (CIS#1508).
    pub(crate) fn invalid_option() -> Self {
        Self::icrd(StatusCode::BAD_REQUEST, "enter a valid option", PARSER)
    }

    /// No answer of a BIG-IP: the simulator does not play this part, and says so rather than guess.
    pub(crate) fn not_simulated(what: &str) -> Self {
        let message = format!("bigip-sim does not simulate {what}");
        Self::icrd(StatusCode::NOT_IMPLEMENTED, message, ICRD)
    }

    /// The status line's code.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Icrd { status, .. }
            | Self::Restjavad { status, .. }
            | Self::Html { status, .. } => *status,
        }
    }

    /// The content type of its page: recorded of the web server's 401 (nuclei-templates#8701), *assumed* bare
    /// of others.
    pub(crate) fn page_type(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => "text/html; charset=iso-8859-1",
            _ => "text/html",
        }
    }

    /// What it says; nothing if it is a page.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Icrd { message, .. } | Self::Restjavad { message, .. } => message,
            Self::Html { .. } => "",
        }
    }

    /// The JSON body, if it has one. `client` is left out when unknown, as early after a start.
    pub(crate) fn json(&self, client: Option<&str>, operation_id: u64) -> Option<String> {
        let body = match self {
            Self::Icrd {
                status,
                message,
                api_error,
                ..
            } => serde_json::to_string(&IcrdBody {
                code: status.as_u16(),
                message,
                error_stack: [],
                api_error: *api_error,
            }),
            Self::Restjavad {
                status,
                message,
                original_request_body,
            } => serde_json::to_string(&RestjavadBody {
                code: status.as_u16(),
                message,
                original_request_body: original_request_body.as_deref(),
                referer: client,
                rest_operation_id: operation_id,
                kind: ":resterrorresponse",
            }),
            Self::Html { .. } => return None,
        };
        body.ok()
    }
}

/// The body of an icrd refusal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct IcrdBody<'a> {
    code: u16,
    message: &'a str,
    error_stack: [(); 0],
    api_error: u32,
}

/// The body of a restjavad refusal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RestjavadBody<'a> {
    code: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_request_body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<&'a str>,
    rest_operation_id: u64,
    kind: &'static str,
}
