//! One HTTPS request and its answer. The only module that names the HTTP library.
//!
//! Redirects, proxies, cookies, retries and compressed answers are off. All connections of one
//! [`Connections`] lead to holders of one key. Knows nothing of tokens but that one goes into a
//! header, and nothing of what an answer means.

mod gate;
mod resolver;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::unit::PublicKeyHash;
use ipnet::IpNet;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, redirect, retry};
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use self::gate::{Closed, Gate};
use self::resolver::{CheckedResolver, NotAllowed};
use crate::answer::{Answer, Asked, ERROR_BYTES_MAX};
use crate::config::{ConfigError, DeviceConfig, Verification};
use crate::error::{Error, ErrorKind, Mismatch, PAUSE_MAX, clean};
use crate::exchange::{Exchange, Observer};
use crate::limits::Limits;
use crate::may_write::MayWrite;
use crate::memory::{BodyMemory, Place, SMALL_BYTES_MAX};
use crate::tls::{self, Handshakes};

const USER_AGENT: &str = concat!("bigip-tunnel/", env!("CARGO_PKG_VERSION"));

/// The token's header. With `Authorization` beside it 17.1.2.1 answers 401
/// (application-study-tool#153).
const TOKEN_HEADER: &str = "X-F5-Auth-Token";

/// How long an unused connection is kept. Shorter than httpd keeps it (5 s by Apache's default;
/// *assumed* for BIG-IP), so that a write does not meet a connection that is being closed.
const IDLE_MAX: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request. Has no `Debug`: path and body may hold secrets.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    /// Kind of resource, for logs and messages.
    pub(crate) resource: &'static str,
    /// Path, encoded.
    pub(crate) path: String,
    /// JSON.
    pub(crate) body: Option<Vec<u8>>,
    /// From sending to the end of the answer.
    pub(crate) deadline: Duration,
}

impl Request {
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            verb: self.verb.as_str(),
            resource: self.resource,
        }
    }

    /// Whether the device may be changed by it.
    pub(crate) fn writes(&self) -> bool {
        self.verb != Verb::Get
    }
}

/// What becomes of the body of a success.
pub(crate) enum Body<'a> {
    /// It is kept, if it is small.
    Keep,
    /// It is of no interest: what a write has done is read back.
    Skip,
    /// It is read while it comes in.
    Read(&'a mut dyn Reader),
}

/// Reads a body while it comes in, and tells when it holds so much of it that it needs a place in memory.
pub(crate) trait Reader: Send {
    fn read(&mut self, piece: &[u8]) -> Result<(), ErrorKind>;
    fn needs_place(&self) -> bool;
    fn give_place(&mut self, place: Place);
}

/// How connections to one device are made.
pub(crate) struct Transport {
    device: Arc<str>,
    expected: ServerName<'static>,
    verification: Verification,
    networks: Arc<[IpNet]>,
    connect_deadline: Duration,
    body_bytes_max: usize,
    memory: BodyMemory,
    observer: Observer,
}

impl Transport {
    pub(crate) fn new(config: &DeviceConfig, limits: &Limits) -> Result<Self, ConfigError> {
        let transport = Self {
            device: config.authority()?.into(),
            expected: config.expected_name()?,
            verification: config.verification.clone(),
            networks: config.networks.clone(),
            connect_deadline: limits.connect,
            body_bytes_max: limits.body_bytes,
            memory: config.memory.clone(),
            observer: config.observer.clone(),
        };
        // What cannot work shows before anything is dialled.
        transport.connections()?;
        Ok(transport)
    }

    /// Connections that are not made yet. The first one decides which key the others have to present.
    pub(crate) fn connections(&self) -> Result<Connections, ConfigError> {
        let handshakes = Handshakes::default();
        let tls = tls::client_config(&self.verification, self.expected.clone(), &handshakes)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(CheckedResolver {
                networks: self.networks.clone(),
            }))
            .referer(false)
            .retry(retry::never())
            .user_agent(USER_AGENT)
            .connect_timeout(self.connect_deadline)
            .pool_idle_timeout(IDLE_MAX)
            .build()
            .map_err(|_| ConfigError::Setup)?;
        Ok(Connections {
            client,
            handshakes,
            device: self.device.clone(),
            connect_deadline: self.connect_deadline,
            body_bytes_max: self.body_bytes_max,
            memory: self.memory.clone(),
            observer: self.observer.clone(),
        })
    }

    /// `host:port`, as messages name the device.
    pub(crate) fn device(&self) -> &Arc<str> {
        &self.device
    }
}

/// The connections of one login. Clones share them.
#[derive(Clone)]
pub(crate) struct Connections {
    client: reqwest::Client,
    handshakes: Handshakes,
    device: Arc<str>,
    connect_deadline: Duration,
    body_bytes_max: usize,
    memory: BodyMemory,
    observer: Observer,
}

impl Connections {
    /// The key that the device proved to hold, in every handshake so far.
    pub(crate) fn proven_key(&self) -> Option<PublicKeyHash> {
        self.handshakes.proven_key()
    }

    /// The key that the device proves in a handshake. Makes a connection for this request, and sends nothing over it:
    /// the request loses its permission once the key is known.
    pub(crate) async fn prove_key(&self, request: &Request) -> Result<PublicKeyHash, Error> {
        let handshakes = self.handshakes.clone();
        let gate = Gate::new(MayWrite::when(move || handshakes.proven_key().is_none()));
        let mut skip = Body::Skip;
        let exchange = Box::pin(self.exchange(request, None, &gate, &mut skip));
        let failed = match gate.guard(exchange).await {
            Ok(Err(error)) if *error.kind() != ErrorKind::MayNotWrite => Some(error),
            _ => None,
        };
        let unknown = || {
            Error::new(
                &self.device,
                ErrorKind::ConnectionFailed {
                    cause: "no key was proven".to_owned(),
                },
            )
        };
        match failed {
            Some(error) => Err(error),
            None => self.proven_key().ok_or_else(unknown),
        }
    }

    /// Sends a request once and reads the answer, whatever its status. Asks `may_write` for as long as
    /// nothing was sent. An error of a request that writes is uncertain unless it is known that the
    /// request was not sent.
    pub(crate) async fn send(
        &self,
        request: &Request,
        token: Option<&SecretString>,
        may_write: MayWrite,
        body: &mut Body<'_>,
    ) -> Result<Answer, Error> {
        let started = Instant::now();
        let gate = Gate::new(may_write);
        // Boxed: it is large, and part of every call.
        let exchange = Box::pin(self.exchange(request, token, &gate, body));
        let result = gate.guard(exchange).await.unwrap_or_else(|Closed| {
            // Without a body it does not show whether a connection has taken the request.
            let uncertain = request.body.is_none();
            let error = Error::new(&self.device, ErrorKind::MayNotWrite);
            Err(Error { uncertain, ..error })
        });
        let Asked { verb, resource } = request.asked();
        let address = &*self.device;
        let took = started.elapsed();
        let elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.observer.tell(&Exchange {
            address,
            verb,
            resource,
            outcome: match &result {
                Ok(answer) => Ok(answer.status),
                Err(error) => Err(error.reason()),
            },
            took,
            certificate_expires_unix_s: self.handshakes.expires_unix_s(),
        });
        match &result {
            Ok(Answer { status, .. }) => {
                tracing::debug!(address, verb, resource, status, elapsed_ms, "answered");
            }
            Err(error) => {
                let reason = error.reason().as_str();
                tracing::debug!(address, verb, resource, reason, elapsed_ms, "not answered");
            }
        }
        result
    }

    async fn exchange(
        &self,
        request: &Request,
        token: Option<&SecretString>,
        gate: &Gate,
        sink: &mut Body<'_>,
    ) -> Result<Answer, Error> {
        // Sent from memory: a large one has to wait like one that comes in.
        let is_large = |body: &Vec<u8>| body.len() > SMALL_BYTES_MAX;
        let _place = match request.body.as_ref().filter(|body| is_large(body)) {
            Some(_) => Some(self.memory.place(&self.device).await),
            None => None,
        };
        let url = format!("https://{}{}", self.device, request.path);
        let mut builder = self
            .client
            .request(request.verb.method(), url)
            .timeout(request.deadline);
        if let Some(token) = token {
            let property = Mismatch::Property {
                resource: "login",
                property: "token",
            };
            let mut value = HeaderValue::from_str(token.expose_secret())
                .map_err(|_| Error::new(&self.device, property))?;
            value.set_sensitive(true);
            builder = builder.header(TOKEN_HEADER, value);
        }
        if let Some(body) = &request.body {
            // Anything else is answered with 415 (BIGREST#12).
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(reqwest::Body::wrap(gate.body(body.clone())));
        }
        let failed = |error| self.failed(&error, request);
        let mut response = builder.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).map(pause);
        let body = if Answer::is_success(status) {
            self.take(&mut response, request, sink).await?
        } else {
            // What is behind that is not an error's text.
            let mut body = Vec::new();
            while body.len() < ERROR_BYTES_MAX
                && let Some(piece) = response.chunk().await.map_err(failed)?
            {
                body.extend_from_slice(&piece);
            }
            body
        };
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }

    /// Takes the body of a success. Returns what is kept of it.
    async fn take(
        &self,
        response: &mut reqwest::Response,
        request: &Request,
        sink: &mut Body<'_>,
    ) -> Result<Vec<u8>, Error> {
        let refused = |kind: ErrorKind| Error {
            uncertain: request.writes(),
            ..Error::new(&self.device, kind)
        };
        let mut body = Vec::new();
        let mut passed = 0;
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|error| self.failed(&error, request))?
        {
            passed += piece.len();
            match sink {
                Body::Keep if passed <= SMALL_BYTES_MAX => body.extend_from_slice(&piece),
                Body::Skip if passed <= self.body_bytes_max => {}
                Body::Keep | Body::Skip => return Err(refused(Mismatch::TooLarge.into())),
                Body::Read(reader) => {
                    reader.read(&piece).map_err(refused)?;
                    if reader.needs_place() {
                        reader.give_place(self.memory.place(&self.device).await);
                    }
                }
            }
        }
        Ok(body)
    }

    fn failed(&self, error: &reqwest::Error, request: &Request) -> Error {
        let kind = tls::failure_among(error, &self.handshakes).unwrap_or_else(|| {
            let refused = causes(error).find_map(|cause| cause.downcast_ref::<NotAllowed>());
            if causes(error).any(<dyn StdError>::is::<Closed>) {
                ErrorKind::MayNotWrite
            } else if let Some(&NotAllowed { address, problem }) = refused {
                ErrorKind::AddressNotAllowed { address, problem }
            } else if error.is_dns() {
                ErrorKind::NameNotResolved
            } else if io_kind(error) == Some(io::ErrorKind::ConnectionRefused) {
                ErrorKind::ConnectionRefused
            } else if error.is_timeout() {
                let connecting = error.is_connect();
                let after = if connecting {
                    self.connect_deadline
                } else {
                    request.deadline
                };
                ErrorKind::Timeout { after }
            } else {
                ErrorKind::ConnectionFailed {
                    cause: root_cause(error),
                }
            }
        });
        let is_sent = !error.is_connect() && kind != ErrorKind::MayNotWrite;
        Error {
            uncertain: request.writes() && is_sent,
            retry_after: kind.pause(),
            ..Error::new(&self.device, kind)
        }
    }
}

/// The pause that is asked for. A date, or anything else that is not a number of seconds, is as good as
/// the longest that is kept.
fn pause(value: &HeaderValue) -> Duration {
    let seconds = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    seconds.map_or(PAUSE_MAX, |seconds| {
        Duration::from_secs(seconds).min(PAUSE_MAX)
    })
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    causes(error)
        .find_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind)
}

/// The innermost cause: those around it only repeat that a request failed, and name its URL.
fn root_cause(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map_or_else(|| "no cause is known".to_owned(), |e| clean(&e.to_string()))
}

#[cfg(test)]
mod tests;
