//! The part that answers a request (login, tokens or the configuration), and the outer form of its answer.
//!
//! It must not know of faults.

use hyper::body::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::State;
use super::handling::{Client, Pinged};
use crate::accounts::Access;
use crate::failure::Failure;
use crate::resources::{self, COORDINATION, Call};
use crate::tmos::TmosVersion;

/// What a device has beside `/mgmt/tm` that is not simulated.
const WORKERS: [&str; 15] = [
    "cm/autodeploy",
    "cm/cloud",
    "cm/system",
    "shared/authn",
    "shared/authz",
    "shared/bigip-failover-state",
    "shared/device-group-device-pairs",
    "shared/echo",
    "shared/file-transfer",
    "shared/iapp",
    "shared/identified-devices",
    "shared/licensing",
    "shared/nodejs",
    "shared/resolver",
    "shared/sys",
];

/// What a request is allowed to be.
#[derive(Debug)]
pub(super) enum Admission {
    /// A login, which needs none.
    Login,
    /// A request of this user.
    User(String),
}

impl State {
    pub(super) fn version(&self) -> TmosVersion {
        self.device.links.version()
    }

    /// Finds out who sends a request and whether it is allowed.
    pub(super) fn admit(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<Admission, Failure> {
        let (method, path) = (request.method(), request.uri().path());
        let segments = segments(path);
        let known: Vec<&str> = segments.iter().map(String::as_str).collect();
        if known.as_slice() == ["mgmt", "shared", "authn", "login"] && *method == Method::POST {
            return Ok(Admission::Login);
        }
        let client = client(request);
        let user = self
            .accounts
            .authorize(request.headers(), path, client.as_deref(), now)?;
        if let ["mgmt", "tm", _, ..] = known.as_slice() {
            let access = Access {
                method,
                path,
                segments: segments.get(2..).unwrap_or_default(),
                body: request.body(),
                client: client.as_deref().unwrap_or("Unknown"),
            };
            self.accounts.check_rights(&user, &access)?;
        }
        Ok(Admission::User(user))
    }

    /// Does what a request asks for, if it may, and says so.
    pub(super) fn carry_out(
        &mut self,
        request: &Request<Bytes>,
        admitted: &Result<Admission, Failure>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let client = client(request);
        let outcome = match admitted {
            Ok(admission) => self.execute(request, admission, client.as_deref(), now),
            Err(failure) => Err(failure.clone()),
        };
        match outcome {
            Ok(body) => self.accept(body),
            Err(failure) => self.refuse(&failure, client.as_deref()),
        }
    }

    fn execute(
        &mut self,
        request: &Request<Bytes>,
        admission: &Admission,
        client: Option<&str>,
        now: Timestamp,
    ) -> resources::Answer {
        let (method, uri, body) = (request.method(), request.uri(), request.body());
        let Admission::User(user) = admission else {
            let login = self.accounts.login(body, client, now)?;
            return Ok(Some(login.to_string()));
        };
        let segments = segments(uri.path());
        let known: Vec<&str> = segments.iter().map(String::as_str).collect();
        let call = |segments| Call {
            method,
            segments,
            query: uri.query(),
            headers: request.headers(),
            body,
            now,
            pinged: request
                .extensions()
                .get::<Pinged>()
                .map(|Pinged(outcome)| outcome),
        };
        match known.as_slice() {
            ["mgmt", "shared", "authz", "tokens"] if *method == Method::GET => {
                Ok(Some(self.accounts.own_tokens(user, now).to_string()))
            }
            ["mgmt", "shared", "authz", "tokens", id] => {
                let token = self.accounts.token(method, id, user, body, now)?;
                Ok(Some(token.to_string()))
            }
            ["mgmt", "tm", "auth", "user", name @ ..] if !is_queued(request) && name.len() < 2 => {
                let name = name.first().copied();
                if let (&Method::PATCH, Some(name)) = (method, name) {
                    self.accounts.change_user(name, body)?;
                }
                let links = self.device.links;
                let users = self.accounts.users(links);
                let call = call(segments.get(2..).unwrap_or_default());
                resources::users(links, &call, users, name)
            }
            ["mgmt", "tm", _, ..] => {
                let call = call(segments.get(2..).unwrap_or_default());
                #[cfg(target_os = "linux")]
                let answer = self.answer_with_data_plane(&call);
                #[cfg(not(target_os = "linux"))]
                let answer = resources::answer(&mut self.device, &call);
                answer
            }
            // BIGREST asks the second to see whether its credentials are good, and reads the status alone.
            ["mgmt", "shared", "echo", "available"] | ["mgmt", "shared", "echo-query"] => {
                resources::available(&call(&[]))
            }
            ["mgmt", rest @ ..] if is_known_worker(rest) => {
                let what = format!("{method} of {}", uri.path());
                Err(Failure::not_simulated(&what))
            }
            _ => Err(Failure::not_registered(below_mgmt(uri.path()))),
        }
    }

    fn accept(&self, body: Option<String>) -> Response<Bytes> {
        let mut response = match body {
            Some(json) => plain(StatusCode::OK, self.version().json_content_type(), json),
            None => Response::new(Bytes::new()),
        };
        self.add_headers(&mut response);
        response
    }

    pub(super) fn refuse(&mut self, failure: &Failure, client: Option<&str>) -> Response<Bytes> {
        self.operations += 1;
        let content_type = self.version().json_content_type();
        let status = failure.status();
        let mut response = match (failure, failure.json(client, self.operations)) {
            (Failure::Html { page, .. }, _) => plain(status, failure.page_type(), page.clone()),
            (_, json) => plain(status, content_type, json.unwrap_or_default()),
        };
        if let Some(length) = self.version().refusal_bytes_max() {
            let body = response.body_mut();
            body.truncate(length);
        }
        self.add_headers(&mut response);
        match failure {
            Failure::Icrd { closes: true, .. } => {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Failure::Html { .. } if status == StatusCode::UNAUTHORIZED => {
                let realm = HeaderValue::from_static("Basic realm=\"Enterprise Manager\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, realm);
            }
            _ => {}
        }
        if status == StatusCode::UNAUTHORIZED {
            // Recorded with expired tokens (ANS#2410) and with wrong Basic credentials (nuclei-templates#8701),
            // *assumed* for the other 401.
            let phrase = ReasonPhrase::from_static(b"F5 Authorization Required");
            response.extensions_mut().insert(phrase);
        }
        response
    }

    fn add_headers(&self, response: &mut Response<Bytes>) {
        for (name, value) in self.version().headers() {
            let name = HeaderName::from_static(name);
            response
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
    }
}

pub(super) fn plain(
    status: StatusCode,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

pub(super) fn client(request: &Request<Bytes>) -> Option<String> {
    request
        .extensions()
        .get::<Client>()
        .map(|client| client.0.to_string())
}

pub(super) fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", PathAndQuery::as_str)
}

/// The record that a request is about.
pub(super) fn record_of(request: &Request<Bytes>) -> Option<String> {
    let segments = segments(request.uri().path());
    let known: Vec<&str> = segments.iter().map(String::as_str).collect();
    match known.as_slice() {
        ["mgmt", "tm", "net", "fdb", "tunnel", _, "records", name] => Some((*name).to_owned()),
        ["mgmt", "tm", "net", "fdb", "tunnel", _, "records"] => {
            let body: Value = serde_json::from_slice(request.body()).ok()?;
            Some(body.get("name")?.as_str()?.to_owned())
        }
        _ => None,
    }
}

fn is_queued(request: &Request<Bytes>) -> bool {
    request.headers().contains_key(COORDINATION)
}

/// Whether a device has this beside `/mgmt/tm`: workers that its clients call (FCP `f5/bigip/{shared,cm}`,
/// ANS, CLIBS, genieparser), which are not simulated.
fn is_known_worker(segments: &[&str]) -> bool {
    let path = segments.join("/");
    let mut workers = WORKERS.into_iter();
    workers.any(|worker| {
        let rest = path.strip_prefix(worker);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn below_mgmt(path: &str) -> &str {
    path.strip_prefix("/mgmt").unwrap_or(path)
}

/// The decoded segments of a path. A slash at the end is nothing (CIS puts one, CIS#1730); `%3A` for a
/// colon is the same as a colon (*assumed*).
pub(super) fn segments(path: &str) -> Vec<String> {
    path.trim_matches('/')
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}
