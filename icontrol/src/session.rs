//! One login on one device: the token that all calls share.
//!
//! Logs in when the first call needs it, extends the token before it ends, and logs in once more when
//! the device refuses it. Callers at the same time wait for one login. Knows nothing of tunnels and
//! records.

pub(crate) mod budget;
mod gate;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bigip_tunnel_core::unit::PublicKeyHash;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::answer::Answer;
use crate::config::{ConfigError, Credentials, DeviceConfig};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::may_write::MayWrite;
use crate::transport::{Request, Transport, Verb};
use crate::{normalise, path, wire};
use budget::LoginBudget;
use gate::{LoginGate, Refusal};

/// A token's lifetime where the login does not tell (14.1 to 17.1 answer 1,200 s).
const LIFETIME_DEFAULT: Duration = Duration::from_secs(1_200);
/// The longest that BIG-IP gives (`DevCentral` 287462).
const LIFETIME_MAX: Duration = Duration::from_secs(36_000);

/// One login that worked, told from all others of this process. What was read from a unit is valid for the
/// login that it was read under: after another one a different unit may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Login(u64);

impl Login {
    /// A login that is none of those before.
    fn next() -> Self {
        static LOGINS: AtomicU64 = AtomicU64::new(0);
        Self(LOGINS.fetch_add(1, Ordering::Relaxed))
    }
}

/// A login, and the key that the unit proved in the handshake that the login was sent over.
#[derive(Debug, Clone, Copy)]
struct Proof {
    login: Login,
    key: PublicKeyHash,
}

#[derive(Clone)]
struct Token {
    value: SecretString,
    started: Instant,
    /// From `started` on.
    lifetime: Duration,
    /// What the login gave, and every extension adds to the time that has passed.
    span: Duration,
    /// Tells a token that was refused from one that another caller got meanwhile.
    generation: u64,
}

impl Token {
    /// A quarter of the span is left for calls under way: 300 s, of which a save needs up to 120.
    fn margin(&self) -> Duration {
        self.span / 4
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now < self.started + self.lifetime.saturating_sub(self.margin())
    }

    /// The lifetime to ask for, or `None` if the token has ended or has been extended as far as BIG-IP
    /// allows. It counts from the login, not from the request (go-bigip).
    fn extension(&self, now: Instant) -> Option<Duration> {
        let age = now.saturating_duration_since(self.started);
        let wanted = age + self.span;
        (age < self.lifetime && wanted <= LIFETIME_MAX).then_some(wanted)
    }
}

#[derive(Default)]
struct Tokens {
    current: Option<Token>,
    /// Logins begun so far.
    issued: u64,
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
    tokens: tokio::sync::Mutex<Tokens>,
    /// The last login that worked.
    proof: Mutex<Option<Proof>>,
    failed: Mutex<Option<Failed>>,
    gate: Mutex<LoginGate>,
    budget: LoginBudget,
    may_write: MayWrite,
}

impl Session {
    pub(crate) fn new(
        config: DeviceConfig,
        limits: Limits,
        budget: LoginBudget,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            transport: Transport::new(&config, &limits)?,
            may_write: config.may_write,
            credentials: config.credentials,
            limits,
            tokens: tokio::sync::Mutex::default(),
            proof: Mutex::default(),
            failed: Mutex::default(),
            gate: Mutex::default(),
            budget,
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

    /// Sends a request with the token. A refused token is replaced once: a 401 may be spurious
    /// (15.1.2.1, terraform-provider-bigip#469), and it says that the request was not worked on, so
    /// that a write can be sent again.
    pub(crate) async fn call(&self, request: &Request) -> Result<Vec<u8>, Error> {
        let token = self.token(None).await?;
        match self.send(request, Some(&token.value)).await {
            Err(error) if *error.kind() == ErrorKind::TokenRefused => {
                let token = self.token(Some(token.generation)).await?;
                let result = self.send(request, Some(&token.value)).await;
                if let Err(error) = &result
                    && *error.kind() == ErrorKind::TokenRefused
                {
                    self.note_failure(error);
                }
                result
            }
            result => result,
        }
    }

    /// Gives the token back. Best effort: a token that stays ends by itself.
    pub(crate) async fn logout(&self) {
        let logout = async {
            if let Some(token) = self.tokens.lock().await.current.take() {
                self.give_back(&token, &token).await;
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

    /// A person asked again: forgets that the login was refused. The budget stays: it is what keeps
    /// the account from being locked.
    pub(crate) fn allow_login(&self) {
        self.gate().allow();
        *self.failed() = None;
    }

    /// Whether a login has worked.
    pub(crate) fn has_logged_in(&self) -> bool {
        self.gate().has_worked()
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

    /// A panic cannot leave the gate half changed.
    fn gate(&self) -> MutexGuard<'_, LoginGate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current token, extended if it is near its end, or a new one if it is `refused` or cannot be
    /// extended. A new login would do as well, but some versions keep what was given back (17.1.2, bug
    /// 1787517), and a user has 100 tokens.
    async fn token(&self, refused: Option<u64>) -> Result<Token, Error> {
        let asked = Instant::now();
        let mut tokens = self.tokens.lock().await;
        let usable = |token: &&Token| Some(token.generation) != refused;
        if let Some(token) = tokens.current.as_ref().filter(usable) {
            if token.is_fresh(Instant::now()) {
                return Ok(token.clone());
            }
            if let Some(extended) = self.extend(token).await? {
                tokens.current = Some(extended.clone());
                return Ok(extended);
            }
        }
        if let Some(error) = self.shared_failure(asked) {
            return Err(error);
        }
        // If the login fails, the old token is forgotten; it ends by itself.
        let old = tokens.current.take();
        tokens.issued += 1;
        let login = self.login(tokens.issued).await;
        let new = login.inspect_err(|error| self.note_failure(error))?;
        tokens.current = Some(new.clone());
        if let Some(old) = old {
            self.give_back(&old, &new).await;
        }
        Ok(new)
    }

    /// The token with a longer lifetime: `PATCH` of it. `None` if it takes a new login. A device that
    /// does not answer is not asked for a login either.
    async fn extend(&self, token: &Token) -> Result<Option<Token>, Error> {
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
        let lifetime = match self.send(&request, Some(&token.value)).await {
            Ok(body) => normalise::lifetime(&body).ok(),
            Err(error) if error.is_unanswered() => return Err(error.before_the_request()),
            Err(_) => None,
        };
        let extended = lifetime.map(|lifetime| Token {
            lifetime: lifetime.min(LIFETIME_MAX),
            ..token.clone()
        });
        // A device that takes the request and extends nothing would be asked again by every call.
        Ok(extended.filter(|extended| extended.is_fresh(Instant::now())))
    }

    async fn login(&self, generation: u64) -> Result<Token, Error> {
        let refused = |refusal: Refusal| self.error(refusal.kind());
        self.gate().check(Instant::now()).map_err(refused)?;
        let password = &self.credentials.password;
        let after = self.limits.read;
        let turn = tokio::time::timeout(after, self.budget.turn()).await;
        // Whoever has the turn waits for the same device.
        let mut refusals = turn.map_err(|_| self.error(ErrorKind::Timeout { after }))?;
        let started = Instant::now();
        refusals.check(password, started).map_err(refused)?;
        let result = self.send(&self.login_request(), None).await;
        let answer = result.map_err(|error| {
            let Some(refusal) = Refusal::of(error.kind()) else {
                return error.before_the_request();
            };
            let now = Instant::now();
            self.gate().refused(refusal, now);
            refusals.note(password, refusal, now);
            refused(refusal)
        })?;
        drop(refusals);
        let wire::Token { token, timeout } =
            normalise::login(&answer).map_err(|mismatch| self.error(mismatch))?;
        self.gate().worked();
        let login = Login::next();
        *self.proof() = self.transport.proven_key().map(|key| Proof { login, key });
        let lifetime = timeout
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        let lifetime = lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX);
        Ok(Token {
            value: token.into(),
            started,
            lifetime,
            span: lifetime,
            generation,
        })
    }

    fn login_request(&self) -> Request {
        let credentials = &self.credentials;
        Request {
            verb: Verb::Post,
            resource: "login",
            path: path::LOGIN.to_owned(),
            body: Some(normalise::render(&wire::Credentials {
                username: &credentials.username,
                password: credentials.password.expose_secret(),
                login_provider_name: &credentials.login_provider,
            })),
            deadline: self.limits.read,
        }
    }

    /// Deletes a token. A user may do that with another token of its own.
    async fn give_back(&self, token: &Token, with: &Token) {
        let request = Request {
            verb: Verb::Delete,
            resource: "token",
            path: path::token(token.value.expose_secret()),
            body: None,
            deadline: self.limits.logout,
        };
        if let Err(error) = self.exchange(&request, Some(&with.value)).await {
            let (address, reason) = (self.device(), error.reason());
            tracing::debug!(address, reason, "a token was not deleted");
        }
    }

    /// Sends a request, unless it would change something that may not be changed now.
    async fn send(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Vec<u8>, Error> {
        if request.writes() && !self.may_write.now() {
            return Err(self.error(ErrorKind::MayNotWrite));
        }
        self.exchange(request, token).await
    }

    async fn exchange(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Vec<u8>, Error> {
        let answer = self.transport.send(request, token).await?;
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
