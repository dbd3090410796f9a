//! One HTTPS request and its complete answer. The only room that names the HTTP library.
//!
//! Redirects, proxies, cookies, retries and compressed answers are off. Knows nothing of tokens but
//! that one goes into a header, and nothing of what an answer means.

mod resolver;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::unit::PublicKeyHash;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use self::resolver::{CheckedResolver, NotAllowed};
use crate::answer::{Answer, Asked};
use crate::config::{ConfigError, DeviceConfig};
use crate::error::{Error, ErrorKind, Mismatch, PAUSE_MAX, clean};
use crate::exchange::{Exchange, Observer};
use crate::limits::Limits;
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

/// The connections to one device.
pub(crate) struct Transport {
    client: reqwest::Client,
    device: Arc<str>,
    handshakes: Handshakes,
    connect_deadline: Duration,
    body_bytes_max: usize,
    observer: Observer,
}

impl Transport {
    pub(crate) fn new(config: &DeviceConfig, limits: &Limits) -> Result<Self, ConfigError> {
        let device: Arc<str> = config.authority()?.into();
        let expected = config.expected_name()?;
        let handshakes = Handshakes::default();
        let tls = tls::client_config(&config.verification, expected, &handshakes)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(CheckedResolver {
                networks: config.networks.clone(),
            }))
            .referer(false)
            .retry(retry::never())
            .user_agent(USER_AGENT)
            .connect_timeout(limits.connect)
            .pool_idle_timeout(IDLE_MAX)
            .build()
            .map_err(|_| ConfigError::Setup)?;
        Ok(Self {
            client,
            device,
            handshakes,
            connect_deadline: limits.connect,
            body_bytes_max: limits.body_bytes,
            observer: config.observer.clone(),
        })
    }

    /// `host:port`, as messages name the device.
    pub(crate) fn device(&self) -> &Arc<str> {
        &self.device
    }

    /// The key that the device proved in the last handshake.
    pub(crate) fn proven_key(&self) -> Option<PublicKeyHash> {
        self.handshakes.proven_key()
    }

    /// Sends a request once and reads the answer, whatever its status. An error of a request that
    /// writes is uncertain unless it is known that the request was not sent.
    pub(crate) async fn send(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Answer, Error> {
        let started = Instant::now();
        let result = self.exchange(request, token).await;
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
                let reason = error.reason();
                tracing::debug!(address, verb, resource, reason, elapsed_ms, "not answered");
            }
        }
        result
    }

    async fn exchange(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Answer, Error> {
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
                .body(body.clone());
        }
        let failed = |error| self.failed(&error, request);
        let mut response = builder.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).map(pause);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.body_bytes_max {
                let error = Error::new(&self.device, Mismatch::TooLarge);
                return Err(Error {
                    uncertain: request.writes(),
                    ..error
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }

    fn failed(&self, error: &reqwest::Error, request: &Request) -> Error {
        let kind = tls::failure_among(error, &self.handshakes).unwrap_or_else(|| {
            let refused = causes(error).find_map(|cause| cause.downcast_ref::<NotAllowed>());
            if let Some(&NotAllowed { address, problem }) = refused {
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
        let uncertain = request.writes() && !error.is_connect();
        Error {
            uncertain,
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
