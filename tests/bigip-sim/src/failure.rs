//! Every refusal of a BIG-IP that the simulator can give, word for word where a device was heard.
//!
//! Two families: icrd (the request reached the configuration) and restjavad (it did not). It must not
//! know which request is refused, only what the answer looks like.

mod objects;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

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
    /// From the web server in front of both.
    Html {
        status: StatusCode,
        page: &'static str,
    },
}

/// `apiError` of errors that come from mcpd.
const MCPD: u32 = 3;
/// `apiError` of errors found by icrd itself.
const ICRD: u32 = 1;
/// `apiError` of errors found by the command parser (`0x0190_0001`).
const PARSER: u32 = 26_214_401;

/// Body of the 503 while the web front end restarts; ANS `module_utils/bigip.py` looks for this text.
pub(crate) const RESTARTING_PAGE: &str = "<html><head><title>BIG-IP</title></head>\
    <body><h1>Configuration Utility restarting...</h1></body></html>\n";

/// Body of the web server's own 401. *Assumed*: only that it is HTML is said, no body was captured.
const UNAUTHORIZED_PAGE: &str = "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n\
    <html><head><title>401 Unauthorized</title></head>\
    <body><h1>Unauthorized</h1></body></html>\n";

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
    pub(crate) fn html_tag(place: &str) -> Self {
        let message = format!("HTML Tag-like Content in the Request {place}");
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

    /// A wrong name or password at login; the password is not echoed (CIS#1462, 15.1.2.1).
    pub(crate) fn authentication_failed(user: &str, provider: &str) -> Self {
        let echo = json!({
            "username": user, "loginProviderName": provider, "generation": 0, "lastUpdateMicros": 0
        });
        Self::Restjavad {
            status: StatusCode::UNAUTHORIZED,
            message: "Authentication failed.".to_owned(),
            original_request_body: Some(echo.to_string()),
        }
    }

    /// An unknown `loginProviderName` (pr8kerl/f5er#18).
    pub(crate) fn login_provider() -> Self {
        Self::restjavad(StatusCode::UNAUTHORIZED, "loginProviderName is invalid.")
    }

    /// A login or token call whose body cannot be used. The 400 is known for a missing provider
    /// (e-XpertSolutions/f5-rest-client#1), the wording is *assumed*.
    pub(crate) fn bad_login_body(what: &str) -> Self {
        Self::restjavad(StatusCode::BAD_REQUEST, what)
    }

    /// Too many tokens (ANS#269, CIS#3780).
    pub(crate) fn too_many_tokens(user: &str) -> Self {
        let message = format!("user {user} has reached maximum active login tokens");
        Self::restjavad(StatusCode::BAD_REQUEST, message)
    }

    /// A token timeout above ten hours (`DevCentral` 287462).
    pub(crate) fn token_timeout() -> Self {
        let message = "Auth-token absolute timeout (36000 seconds) exceeded";
        Self::restjavad(StatusCode::NOT_ACCEPTABLE, message)
    }

    /// Another user's token. A 400 by third-party accounts, the wording is *assumed*.
    pub(crate) fn other_users_token() -> Self {
        let message = "a user can view, modify and delete only own tokens";
        Self::restjavad(StatusCode::BAD_REQUEST, message)
    }

    /// The token's time is over (ANS#2410, 15.1.5.1 and 17.1.1.2).
    pub(crate) fn token_expired() -> Self {
        Self::restjavad(StatusCode::UNAUTHORIZED, "X-F5-Auth-Token has expired.")
    }

    /// The token was never given out or was deleted (POSH-LTM-Rest#147).
    pub(crate) fn token_unknown() -> Self {
        Self::restjavad(StatusCode::UNAUTHORIZED, "X-F5-Auth-Token does not exist.")
    }

    /// A token named in the URI that is not there. *Assumed*: only the header's wording is known.
    pub(crate) fn token_not_found() -> Self {
        Self::restjavad(StatusCode::NOT_FOUND, "token not found")
    }

    /// No credentials at all (BRG `bigip/utils.go`).
    pub(crate) fn no_credentials(path: &str, client: &str) -> Self {
        let message = format!(
            "Authorization failed: no user authentication header or token detected. \
             Uri:http://localhost:8100{path} Referrer:{client} Sender:{client}"
        );
        Self::restjavad(StatusCode::UNAUTHORIZED, message)
    }

    /// The web server refuses the `Authorization` header: beside a token on 17.1
    /// (f5devcentral/application-study-tool#153), and alone because Basic is not simulated.
    pub(crate) fn authorization_header() -> Self {
        Self::Html {
            status: StatusCode::UNAUTHORIZED,
            page: UNAUTHORIZED_PAGE,
        }
    }

    /// No worker answers for this path: also what a starting device says of any path (BRG
    /// `bigip/utils.go`). `path` starts after `/mgmt`.
    pub(crate) fn not_registered(path: &str) -> Self {
        let message = format!("Public URI path not registered: {path}");
        Self::restjavad(StatusCode::NOT_FOUND, message)
    }

    /// The status line's code.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Icrd { status, .. }
            | Self::Restjavad { status, .. }
            | Self::Html { status, .. } => *status,
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
