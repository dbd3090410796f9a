//! One user's login on one device: the token and the connections that all calls share.
//!
//! Logs in when a call needs it and extends the token before it ends. A login is over when the device
//! refuses its token, or proves another key than at the login. A read is then repeated under a new
//! login; what changes something never is, because a different unit may answer by then. Callers at the
//! same time wait for one login. Knows nothing of tunnels and records.

pub(crate) mod accounts;
mod login;
mod token;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bigip_tunnel_core::unit::{Login, PublicKeyHash};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::answer::Answer;
use crate::config::{ConfigError, Credentials, DeviceConfig};
use crate::error::{Error, ErrorKind, PAUSE_MAX};
use crate::limits::Limits;
use crate::login_store::LoginStore;
use crate::may_write::MayWrite;
use crate::transport::{Body, Connections, Request, Transport, Verb};
use crate::{normalise, path, wire};
use accounts::Accounts;
use login::Hold;
use token::Token;

/// A login that is none of those before.
fn next_login() -> Login {
    static LOGINS: AtomicU64 = AtomicU64::new(0);
    Login(LOGINS.fetch_add(1, Ordering::Relaxed))
}

/// A login, and the key that the unit proved in the handshake that the login was sent over.
#[derive(Debug, Clone, Copy)]
struct Proof {
    login: Login,
    key: PublicKeyHash,
}

/// A login that has not ended.
#[derive(Clone)]
struct Active {
    proof: Proof,
    token: Token,
    /// All of them to a holder of the key.
    connections: Connections,
}

#[derive(Default)]
struct Logins {
    current: Option<Active>,
    /// The one before, whose token has not been given back.
    ended: Option<Active>,
    /// A login that ends before this moment is followed by a pause.
    quiet_until: Option<Instant>,
}

impl Logins {
    /// Ends the current login.
    fn end_current(&mut self) {
        self.ended = self.current.take().or(self.ended.take());
    }
}

/// A login that gave no token that works.
struct Failed {
    at: Instant,
    /// Until when no other one is tried, if the device asked for a pause or every try costs a token.
    until: Instant,
    error: Error,
}

/// The login. Dials nothing before the first call.
pub(crate) struct Session {
    transport: Transport,
    credentials: Credentials,
    limits: Limits,
    logins: tokio::sync::Mutex<Logins>,
    /// The last login that worked.
    proof: Mutex<Option<Proof>>,
    failed: Mutex<Option<Failed>>,
    hold: Mutex<Hold>,
    /// The account of the last login that was tried.
    tried: Mutex<Option<login::Tried>>,
    accounts: Accounts,
    tenant: String,
    may_write: MayWrite,
}

impl Session {
    pub(crate) fn new(
        config: DeviceConfig,
        limits: Limits,
        accounts: Accounts,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            transport: Transport::new(&config, &limits)?,
            may_write: config.may_write,
            credentials: config.credentials,
            limits,
            logins: tokio::sync::Mutex::default(),
            proof: Mutex::default(),
            failed: Mutex::default(),
            hold: Mutex::default(),
            tried: Mutex::default(),
            accounts,
            tenant: config.tenant,
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// An error about this device.
    pub(crate) fn error(&self, kind: impl Into<ErrorKind>) -> Error {
        Error::new(self.transport.device(), kind)
    }

    /// `host:port`.
    pub(crate) fn device(&self) -> &str {
        self.transport.device()
    }

    /// Sends a request under the login `only`, or under any if it is a read that stands for itself. That
    /// one is repeated once under a new login: a 401 may be spurious (15.1.2.1,
    /// terraform-provider-bigip#469). A call under a login that is over is `LoginEnded` and not worked on.
    pub(crate) async fn call(
        &self,
        request: &Request,
        only: Option<Login>,
        (store, body): (&dyn LoginStore, &mut Body<'_>),
    ) -> Result<Vec<u8>, Error> {
        let active = self.active(only, store).await?;
        let error = match self.send(request, &active, body).await {
            Err(error) if error.ends_login() => error,
            result => return result,
        };
        let pauses = self.end(&active, &error).await;
        if only.is_some() {
            return Err(self.error(ErrorKind::LoginEnded));
        }
        if pauses || request.writes() {
            return Err(error);
        }
        let active = self.active(None, store).await?;
        // The body of a refusal was not for its reader: nothing has been read.
        let result = self.send(request, &active, body).await;
        if let Err(error) = &result
            && error.ends_login()
        {
            self.end(&active, error).await;
        }
        result
    }

    /// The current login, made if there is none.
    pub(crate) async fn log_in(&self, store: &dyn LoginStore) -> Result<Login, Error> {
        Ok(self.active(None, store).await?.proof.login)
    }

    /// The current login, if there is one.
    pub(crate) async fn current_login(&self) -> Option<Login> {
        let logins = self.logins.lock().await;
        logins.current.as_ref().map(|current| current.proof.login)
    }

    /// Ends a login because of how the unit answered under it. Returns whether the next one has to wait:
    /// at most one is replaced at once within a minute, whoever asks.
    async fn end(&self, active: &Active, error: &Error) -> bool {
        let mut logins = self.logins.lock().await;
        let is_current = |current: &Active| current.proof.login == active.proof.login;
        if !logins.current.as_ref().is_some_and(is_current) {
            // Another caller has ended it, and may have made a new one.
            return false;
        }
        logins.end_current();
        let now = Instant::now();
        let pauses = logins.quiet_until.is_some_and(|until| now < until);
        logins.quiet_until = Some(now + PAUSE_MAX);
        if pauses {
            self.note_failure(error);
            logins.quiet_until = Some(now + 2 * PAUSE_MAX);
        }
        pauses
    }

    /// Gives the token back. Best effort: a token that stays ends by itself.
    pub(crate) async fn logout(&self) {
        let logout = async {
            let mut logins = self.logins.lock().await;
            logins.end_current();
            if let Some(ended) = logins.ended.take() {
                self.give_back(&ended, &ended).await;
            }
        };
        if tokio::time::timeout(self.limits.logout, logout)
            .await
            .is_err()
        {
            tracing::debug!(
                address = self.device(),
                "the logout was not answered in time"
            );
        }
    }

    /// Whether a login has worked.
    pub(crate) fn has_logged_in(&self) -> bool {
        self.proof().is_some()
    }

    /// The last login that worked.
    pub(crate) fn login_made(&self) -> Option<Login> {
        self.proof().map(|proof| proof.login)
    }

    /// The key that the unit proved at that login.
    pub(crate) fn peer_key(&self) -> Option<PublicKeyHash> {
        self.proof().map(|proof| proof.key)
    }

    fn proof(&self) -> MutexGuard<'_, Option<Proof>> {
        self.proof.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self) -> MutexGuard<'_, Option<Failed>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_failure(&self, error: &Error) {
        let at = Instant::now();
        *self.failed() = Some(Failed {
            at,
            until: at + error.retry_after.unwrap_or_default(),
            error: error.clone(),
        });
    }

    /// The failure of a login that is as good as that of another one now: it failed while this caller
    /// waited for it, or its pause is not over. All tasks of an operator share a session, and each of them
    /// would try for itself.
    fn shared_failure(&self, asked: Instant) -> Option<Error> {
        let failed = self.failed();
        let failed = failed.as_ref()?;
        let counts = failed.at > asked || Instant::now() < failed.until;
        counts.then(|| failed.error.clone().before_the_request())
    }

    /// The current login, its token extended if it is near its end; a new one if there is none, or if its
    /// token cannot be extended. A new login would do as well as an extension, but some versions keep what
    /// was given back (17.1.2, bug 1787517), and a user has 100 tokens. With `only` no login is made.
    async fn active(&self, only: Option<Login>, store: &dyn LoginStore) -> Result<Active, Error> {
        let asked = Instant::now();
        let mut logins = self.logins.lock().await;
        let fits = |current: &&Active| only.is_none_or(|login| login == current.proof.login);
        if let Some(current) = logins.current.as_ref().filter(fits).cloned() {
            if current.token.is_fresh(Instant::now()) {
                return Ok(current);
            }
            if let Some(token) = self.extend(&current).await? {
                let extended = Active { token, ..current };
                logins.current = Some(extended.clone());
                return Ok(extended);
            }
            logins.end_current();
        }
        if only.is_some() {
            return Err(self.error(ErrorKind::LoginEnded));
        }
        if let Some(error) = self.shared_failure(asked) {
            return Err(error);
        }
        // A login is rare, and large beside the calls that come here.
        let new = Box::pin(self.login(store)).await;
        // If the login failed, the old token is forgotten; it ends by itself.
        let old = logins.ended.take();
        let (new, news) = new.inspect_err(|error| self.note_failure(error))?;
        logins.current = Some(new.clone());
        // The token of one unit is not for another one to see.
        if let Some(old) = old.filter(|old| old.proof.key == new.proof.key) {
            self.give_back(&old, &new).await;
        }
        drop(logins);
        if let Some(news) = news {
            self.remember(&news, store).await;
        }
        Ok(new)
    }

    /// The token with a longer lifetime: `PATCH` of it. `None` if it takes a new login. A device that
    /// does not answer is not asked for a login either.
    async fn extend(&self, active: &Active) -> Result<Option<Token>, Error> {
        let token = &active.token;
        let Some(wanted) = token.extension(Instant::now()) else {
            return Ok(None);
        };
        let request = Request {
            verb: Verb::Patch,
            resource: "token",
            path: path::token(token.value.expose_secret()),
            body: Some(normalise::render(&wire::TokenChange {
                timeout: wanted.as_secs(),
            })),
            deadline: self.limits.read,
        };
        let lifetime = match self.send(&request, active, &mut Body::Keep).await {
            Ok(body) => normalise::lifetime(&body).ok(),
            Err(error) if error.is_unanswered() => return Err(error.before_the_request()),
            Err(_) => None,
        };
        let extended = lifetime.map(|lifetime| token.extended(lifetime));
        // A device that takes the request and extends nothing would be asked again by every call.
        Ok(extended.filter(|extended| extended.is_fresh(Instant::now())))
    }

    /// Deletes a token. A user may do that with another token of its own, and always.
    async fn give_back(&self, ended: &Active, with: &Active) {
        let request = Request {
            verb: Verb::Delete,
            resource: "token",
            path: path::token(ended.token.value.expose_secret()),
            body: None,
            deadline: self.limits.logout,
        };
        let (connections, token) = (&with.connections, Some(&with.token.value));
        let request = (&request, &mut Body::Skip);
        let deleted = self.exchange(connections, request, token, MayWrite::default());
        if let Err(error) = deleted.await {
            let (address, reason) = (self.device(), error.reason().as_str());
            tracing::debug!(address, reason, "a token was not deleted");
        }
    }

    /// Sends a request under a login. Asks whether anything may be changed before anything is dialled, and
    /// again when the request leaves.
    async fn send(
        &self,
        request: &Request,
        active: &Active,
        body: &mut Body<'_>,
    ) -> Result<Vec<u8>, Error> {
        let may_write = if request.writes() {
            self.may_write.clone()
        } else {
            MayWrite::default()
        };
        let token = Some(&active.token.value);
        self.exchange(&active.connections, (request, body), token, may_write)
            .await
    }

    async fn exchange(
        &self,
        connections: &Connections,
        (request, body): (&Request, &mut Body<'_>),
        token: Option<&SecretString>,
        may_write: MayWrite,
    ) -> Result<Vec<u8>, Error> {
        if !may_write.now() {
            return Err(self.error(ErrorKind::MayNotWrite));
        }
        let answer = connections.send(request, token, may_write, body).await?;
        self.judge(answer, request, token)
    }

    /// The body of a success, or what the answer means.
    fn judge(
        &self,
        answer: Answer,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Vec<u8>, Error> {
        let (status, retry_after) = (answer.status, answer.retry_after);
        let token = token.map_or("", ExposeSecret::expose_secret);
        let secrets = [self.credentials.password.expose_secret(), token];
        answer
            .judge(request.asked(), &secrets)
            .map_err(|kind| Error {
                uncertain: request.writes() && Answer::leaves_uncertain(&kind, status),
                retry_after: retry_after.or(kind.pause()),
                ..self.error(kind)
            })
    }
}

#[cfg(test)]
mod tests;
