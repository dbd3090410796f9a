//! Logging in: to which account a password is sent, whether it may be tried, and what a refusal says.
//!
//! A connection is made first, over which nothing is sent: it proves which unit answers. Only then is it known which
//! account the password would count against.

use std::sync::PoisonError;
use std::time::Duration;

use bigip_tunnel_core::account::{
    AccountId, Asker, LoginOutcome, LoginRecord, Now, SecretVersion, Wait, WaitRule,
};
use bigip_tunnel_core::unit::PublicKeyHash;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::accounts::Known;
use super::token::Token;
use super::{Active, Login, Proof, Session};
use crate::config::ConfigError;
use crate::error::{DeviceText, Error, ErrorKind, LoginRefusal, NextLogin};
use crate::login_store::LoginStore;
use crate::transport::{Body, Connections, Request, Verb};
use crate::{normalise, path, wire};

/// How long a login that waits for others is not asked for again: they may have ended their wait by then.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What keeps this client from logging in, so that the unit need not be dialled to find out again.
#[derive(Default)]
pub(super) struct Hold {
    /// The refusal, and when it no longer counts; `None` for good.
    refused: Option<(Error, Option<Instant>)>,
    /// Whether a user asked to try again.
    is_asked_again: bool,
}

/// A login that was sent. One that is given up before its answer came counts like one without an answer.
struct Pending<'a> {
    session: &'a Session,
    known: OwnedMutexGuard<Known>,
    id: AccountId,
    secret: SecretVersion,
    tried: Timestamp,
    /// What was stored before it was sent.
    ahead: Option<LoginRecord>,
    is_over: bool,
}

impl Pending<'_> {
    /// Notes how it ended. Returns what is to be remembered of it.
    fn end(&mut self, outcome: LoginOutcome) -> Option<LoginRecord> {
        self.is_over = true;
        let now = Now {
            time: self.tried,
            ..self.session.accounts.now()
        };
        let asker = self.session.asker(&self.secret);
        let account = &mut self.known.account;
        account.note(asker, outcome, now);
        let record = account.record(self.id.clone(), asker);
        self.session.record().clone_from(&record);
        record
    }

    /// Stores a refusal at once: the next one may follow a crash.
    async fn store(&self, record: Option<LoginRecord>, store: &dyn LoginStore) {
        let Some(record) = record.filter(|record| self.ahead.as_ref() != Some(record)) else {
            return;
        };
        if let Err(cause) = store.store(&record).await {
            let address = self.session.device();
            tracing::warn!(address, "a refused login was not stored: {cause}");
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.end(LoginOutcome::Unanswered);
        }
    }
}

impl Session {
    /// A user asked again: forgets that the login was refused. The account's budget stays: it keeps the
    /// account from being locked.
    pub(crate) fn allow_login(&self) {
        *self.hold() = Hold {
            refused: None,
            is_asked_again: true,
        };
        *self.failed() = None;
    }

    fn hold(&self) -> std::sync::MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asker<'a>(&'a self, secret: &'a SecretVersion) -> Asker<'a> {
        Asker {
            namespace: &self.tenant,
            password: self.accounts.password_id(&self.credentials),
            secret,
        }
    }

    /// What is to be remembered of the last login that was tried.
    pub(crate) fn login_record(&self) -> Option<LoginRecord> {
        self.record().clone()
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Option<LoginRecord>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn login(&self, store: &dyn LoginStore) -> Result<Active, Error> {
        self.check_hold()?;
        let cannot_connect = |problem: ConfigError| {
            self.error(ErrorKind::ConnectionFailed {
                cause: problem.to_string(),
            })
        };
        // Connections of its own: the unit that answers may be another one than before.
        let connections = self.transport.connections().map_err(cannot_connect)?;
        let request = self.login_request();
        // Nothing is sent over it; if something were, it would not be the password.
        let probe = Request {
            body: Some(b"{}".to_vec()),
            ..request.clone()
        };
        let key = connections.prove_key(&probe).await;
        let key = key.map_err(Error::before_the_request)?;
        let mut pending = self.begin(key, store).await?;
        let started = Instant::now();
        let answer = self.send_login(&connections, &request).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err((error, said)) => return Err(self.failed_login(pending, store, error, said).await),
        };
        pending.is_over = true;
        let wire::Token { token, timeout } =
            normalise::login(&answer).map_err(|mismatch| self.error(mismatch))?;
        pending.end(LoginOutcome::Accepted);
        drop(pending);
        let proof = Proof {
            login: Login::next(),
            key,
        };
        *self.proof() = Some(proof);
        let token = Token::new(token.into(), started, timeout.map(Duration::from_secs));
        Ok(Active {
            proof,
            token,
            connections,
        })
    }

    /// Whether the password may be sent to the unit of this key now. A try with one that was never accepted
    /// there is stored before it is made.
    async fn begin(
        &self,
        key: PublicKeyHash,
        store: &dyn LoginStore,
    ) -> Result<Pending<'_>, Error> {
        let (id, known) = self.accounts.of(key, &self.credentials.username);
        let mut known = self.turn(known).await?;
        let secret = store.secret();
        let asker = self.asker(&secret);
        if !known.is_complete {
            let stored = store.known(&id).await;
            known.account.restore(&stored.records, self.accounts.now());
            known.is_complete = stored.complete;
        }
        if std::mem::take(&mut self.hold().is_asked_again) {
            known.account.allow(asker);
        }
        let now = self.accounts.now();
        known
            .account
            .check(asker, now.moment)
            .map_err(|wait| self.held(LoginRefusal::NotTried, DeviceText::default(), wait))?;
        let ahead = known.account.ahead(id.clone(), asker, now);
        if let Some(ahead) = &ahead {
            let stored = store.store(ahead).await;
            stored.map_err(|cause| self.error(ErrorKind::LoginNotStored { cause }))?;
        }
        Ok(Pending {
            session: self,
            known,
            id,
            secret,
            tried: now.time,
            ahead,
            is_over: false,
        })
    }

    /// Waits until no other login of the account is under way.
    async fn turn(
        &self,
        account: std::sync::Arc<tokio::sync::Mutex<Known>>,
    ) -> Result<OwnedMutexGuard<Known>, Error> {
        let after = self.limits.read;
        let turn = tokio::time::timeout(after, account.lock_owned()).await;
        // The login under way waits for the same unit.
        turn.map_err(|_| self.error(ErrorKind::Timeout { after }))
    }

    fn check_hold(&self) -> Result<(), Error> {
        let mut hold = self.hold();
        match &hold.refused {
            Some((error, until)) if until.is_none_or(|until| Instant::now() < until) => {
                return Err(error.clone());
            }
            _ => hold.refused = None,
        }
        Ok(())
    }

    /// The error of a login that was not tried, or was refused and is not tried again for that long.
    fn held(&self, refusal: LoginRefusal, said: DeviceText, wait: Wait) -> Error {
        let next = match (wait.time, wait.rule) {
            (None, _) => NextLogin::OnRequest,
            (Some(time), WaitRule::Refused) => NextLogin::After(time),
            (Some(time), WaitRule::Budget | WaitRule::Turn) => NextLogin::Within(time),
        };
        let until = wait.time.map(|time| match wait.rule {
            WaitRule::Refused => Instant::now() + time,
            WaitRule::Budget | WaitRule::Turn => Instant::now() + time.min(ASK_AGAIN_AFTER),
        });
        let error = self.error(ErrorKind::LoginRefused {
            refusal,
            said,
            next,
        });
        self.hold().refused = Some((error.clone(), until));
        error
    }

    /// Counts a login that failed, if it may count on the unit.
    async fn failed_login(
        &self,
        mut pending: Pending<'_>,
        store: &dyn LoginStore,
        error: Error,
        said: DeviceText,
    ) -> Error {
        let refused = match error.kind() {
            ErrorKind::TokenRefused | ErrorKind::Forbidden { .. } => Some(LoginRefusal::of(&said)),
            ErrorKind::UnknownLoginProvider => Some(LoginRefusal::Provider),
            _ => None,
        };
        let outcome = match refused {
            Some(_) => LoginOutcome::Refused,
            None if error.is_unanswered() && error.is_uncertain() => LoginOutcome::Unanswered,
            None => {
                pending.is_over = true;
                return error.before_the_request();
            }
        };
        let record = pending.end(outcome);
        let Some(refusal) = refused else {
            return error.before_the_request();
        };
        pending.store(record, store).await;
        let asker = self.asker(&pending.secret);
        let never = Wait {
            time: None,
            rule: WaitRule::Refused,
        };
        let now = self.accounts.now().moment;
        let wait = pending.known.account.check(asker, now).err();
        self.held(refusal, said, wait.unwrap_or(never))
    }

    /// Sends the password. A failure comes with what the unit said, if it said something.
    async fn send_login(
        &self,
        connections: &Connections,
        request: &Request,
    ) -> Result<Vec<u8>, (Error, DeviceText)> {
        if !self.may_write.now() {
            return Err((self.error(ErrorKind::MayNotWrite), DeviceText::default()));
        }
        let may_write = self.may_write.clone();
        let answer = connections
            .send(request, None, may_write, &mut Body::Keep)
            .await;
        let answer = answer.map_err(|error| (error, DeviceText::default()))?;
        let said = answer.said(&[self.credentials.password.expose_secret()]);
        self.judge(answer, request, None)
            .map_err(|error| (error, said))
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
}
