//! Logging in: to which account a password is sent, whether it may be tried, and what a refusal says.
//!
//! A connection is made first, over which nothing is sent: it proves which unit answers. Only then is it known which
//! account the password would count against.

use bigip_tunnel_core::reason::Reason;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bigip_tunnel_core::account::{
    AccountId, Asker, LoginOutcome, LoginRecord, Now, SecretVersion, Wait, WaitRule,
};
use bigip_tunnel_core::unit::PublicKeyHash;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::accounts::Known;
use super::token::Token;
use super::{Active, Proof, Session, next_login};
use crate::config::ConfigError;
use crate::error::{DeviceText, Error, ErrorKind, LoginRefusal, NextLogin};
use crate::login_store::{KnownLogins, LoginStore, NotStored};
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

/// An account, and its name.
pub(super) type Tried = (AccountId, Arc<Mutex<Known>>);

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
        self.known
            .account
            .note(self.session.asker(&self.secret), outcome, now);
        let account = OwnedMutexGuard::mutex(&self.known).clone();
        *self.session.tried() = Some((self.id.clone(), account));
        self.record()
    }

    fn record(&self) -> Option<LoginRecord> {
        let asker = self.session.asker(&self.secret);
        self.known.account.record(self.id.clone(), asker)
    }

    /// Notes that it was accepted. Returns what is to be stored at once, since what is stored counts it as refused.
    fn accept(mut self) -> Option<LoginRecord> {
        let was_refused = self.record().is_some_and(|record| record.refusals > 0);
        let record = self.end(LoginOutcome::Accepted);
        record.filter(|_| was_refused || self.ahead.is_some())
    }

    /// Ends a login that says nothing about its password. What was stored before it was sent is put right.
    async fn take_back(mut self, store: &dyn LoginStore) {
        self.is_over = true;
        if self.ahead.is_some() {
            let record = self.end(LoginOutcome::NotCounted);
            self.store(record, store).await;
        }
    }

    /// Stores at once how it ended: the next one may follow a crash. The others of the account do not wait for it.
    async fn store(self, record: Option<LoginRecord>, store: &dyn LoginStore) {
        let session = self.session;
        let record = record.filter(|record| self.ahead.as_ref() != Some(record));
        drop(self);
        if let Some(record) = record {
            session.remember(&record, store).await;
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

    /// What is to be remembered of the last login that was tried, as its account is now. `None` also while another
    /// login of the account is under way.
    pub(crate) fn login_record(&self, secret: &SecretVersion) -> Option<LoginRecord> {
        let (id, account) = self.tried().clone()?;
        let known = account.try_lock().ok()?;
        known.account.record(id, self.asker(secret))
    }

    fn tried(&self) -> std::sync::MutexGuard<'_, Option<Tried>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores how a login ended, if it can be stored.
    pub(super) async fn remember(&self, record: &LoginRecord, store: &dyn LoginStore) {
        if let Err(NotStored { cause, .. }) = self.store_in_time(record, store).await {
            let address = self.device();
            tracing::warn!(address, "the end of a login was not stored: {cause}");
        }
    }

    /// Half of the time that others wait for their turn: they are not told that the unit does not answer.
    async fn store_in_time(
        &self,
        record: &LoginRecord,
        store: &dyn LoginStore,
    ) -> Result<(), NotStored> {
        let after = self.limits.read / 2;
        let stored = tokio::time::timeout(after, store.store(record)).await;
        stored.unwrap_or_else(|_| {
            Err(NotStored {
                reason: Reason::KubernetesUnavailable,
                cause: format!(
                    "the Kubernetes API server did not answer within {} s",
                    after.as_secs()
                ),
            })
        })
    }

    /// A new login, and what is to be stored of it at once.
    pub(super) async fn login(
        &self,
        store: &dyn LoginStore,
    ) -> Result<(Active, Option<LoginRecord>), Error> {
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
        let pending = self.begin(key, store).await?;
        let started = Instant::now();
        let answer = self.send_login(&connections, &request).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err((error, said)) => return Err(self.failed_login(pending, store, error, said).await),
        };
        let wire::Token { token, timeout } = match normalise::login(&answer) {
            Ok(token) => token,
            Err(mismatch) => {
                pending.take_back(store).await;
                return Err(self.error(mismatch));
            }
        };
        let news = pending.accept();
        let proof = Proof {
            login: next_login(),
            key,
        };
        *self.proof() = Some(proof);
        let token = Token::new(token.into(), started, timeout.map(Duration::from_secs));
        let active = Active {
            proof,
            token,
            connections,
        };
        Ok((active, news))
    }

    /// Whether the password may be sent to the unit of this key now. A try with one that was never accepted
    /// there is stored before it is made.
    async fn begin(
        &self,
        key: PublicKeyHash,
        store: &dyn LoginStore,
    ) -> Result<Pending<'_>, Error> {
        let (id, known) = self.accounts.of(key, &self.credentials.username);
        let is_complete = known.try_lock().is_ok_and(|known| known.is_complete);
        let stored = if is_complete {
            KnownLogins::default()
        } else {
            store.known(&id).await
        };
        let mut known = self.turn(known).await?;
        let secret = store.secret();
        let asker = self.asker(&secret);
        if !known.is_complete {
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
            let stored = self.store_in_time(ahead, store).await;
            stored.map_err(|NotStored { reason, cause }| {
                self.error(ErrorKind::LoginNotStored { reason, cause })
            })?;
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
    async fn turn(&self, account: Arc<Mutex<Known>>) -> Result<OwnedMutexGuard<Known>, Error> {
        let after = self.limits.read;
        let turn = tokio::time::timeout(after, account.lock_owned()).await;
        turn.map_err(|_| self.error(ErrorKind::LoginTurn { after }))
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
                pending.take_back(store).await;
                return error.before_the_request();
            }
        };
        let record = pending.end(outcome);
        let Some(refusal) = refused else {
            return error.before_the_request();
        };
        let secret = pending.secret.clone();
        let asker = self.asker(&secret);
        let never = Wait {
            time: None,
            rule: WaitRule::Refused,
        };
        let now = self.accounts.now().moment;
        let wait = pending.known.account.check(asker, now).err();
        pending.store(record, store).await;
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
