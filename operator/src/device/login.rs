//! (I/O) The way to a unit: the session of the current Secret, and the login under which the unit answers.
//!
//! A session that works outlives an API server that does not answer. Passes see none of this: they get the unit.

use bigip_tunnel_core::reason::Reason;
use std::sync::Arc;
use std::time::Duration;

use bigip_icontrol::{Error, ErrorKind, Unit};
use bigip_tunnel_core::account::SecretVersion;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::pass::PassError;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::unit::Login;

use super::io::{DeviceUnit, pass_error, request_error};
use super::ports::{Access, LoggedIn, Password};
use super::secrets::{ReadLogin, read_config};
use super::{DeviceContext, Work};
use crate::device_pool::Session;
use crate::logins::StatusLogins;
use crate::settings::DeviceSettings;

/// How long Secret and CA bundle are taken for unchanged.
const REREAD_AFTER: Duration = Duration::from_secs(60);

/// What a user has done that decides about the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UserInput {
    /// Nothing.
    None,
    /// The spec was changed: Secret and CA bundle are read again.
    Edit,
    /// It was asked to reconcile: a refused login may be tried once more, too.
    Request,
}

/// A session, and what it was made from.
#[derive(Clone)]
pub(super) struct KnownSession {
    session: Arc<Session>,
    /// The device as it was in the spec.
    settings: DeviceSettings,
    /// When Secret and CA bundle were read.
    read_at: Moment,
    /// The Secret, as it was then.
    secret: SecretVersion,
    /// Why the password may not be sent again. The login goes on until its token ends.
    no_new_login: Option<Failure>,
    /// The session of the password before this one, until a login with this one was accepted.
    previous: Option<Arc<Session>>,
}

impl KnownSession {
    /// What works while a new password is not accepted yet.
    fn last_accepted(self) -> Option<Arc<Session>> {
        if self.session.client.has_logged_in() {
            Some(self.session)
        } else {
            self.previous
        }
    }

    /// The session of a Secret that lets its password be sent nowhere any more.
    fn without_new_login(self, failure: Failure, now: Moment) -> Self {
        if self.no_new_login.is_none() {
            tracing::warn!(reason = failure.reason.as_str(), "{}", failure.message);
        }
        Self {
            read_at: now,
            no_new_login: Some(failure),
            ..self
        }
    }
}

/// The way to one device.
pub(super) struct DeviceAccess {
    ctx: Arc<DeviceContext>,
    work: Arc<Work>,
    session: Option<KnownSession>,
    input: UserInput,
}

impl DeviceAccess {
    /// Without a session.
    pub(super) const fn new(ctx: Arc<DeviceContext>, work: Arc<Work>) -> Self {
        Self {
            ctx,
            work,
            session: None,
            input: UserInput::None,
        }
    }

    /// Begins a pass for this work. What was proven at another address says nothing of this one.
    pub(super) fn begin(&mut self, work: Arc<Work>) {
        let (identities, name) = (&self.ctx.identities, &self.ctx.device);
        if let Some(device) = work.device(name) {
            identities.forget_elsewhere(name, &device.place());
        }
        self.work = work;
    }

    /// Takes in what a user has done, until the next login.
    pub(super) fn note_input(&mut self, input: UserInput) {
        self.input = self.input.max(input);
    }

    /// The session that this login is one of.
    pub(super) fn session_of(&self, login: Login) -> Option<&Arc<Session>> {
        let known = self.session.as_ref()?;
        let is_previous = |previous: &&Arc<Session>| previous.client.login() == Some(login);
        let previous = known.previous.as_ref().filter(is_previous);
        Some(previous.unwrap_or(&known.session))
    }

    /// The session with the current Secret and bundle. A session that works outlives an API server that
    /// does not answer, and during a deletion also its Secret: in a namespace that is being deleted the
    /// Secret goes first.
    async fn session(&mut self, trusts_session: bool) -> Result<KnownSession, PassError> {
        let (ctx, work) = (&*self.ctx, &*self.work);
        let device = work.device(&ctx.device).ok_or(PassError::Stopping)?;
        let now = ctx.shared.clock.now();
        let before = self.session.take();
        let before = before.filter(|known| known.settings == *device);
        // After a failure the cure may be a new Secret, and reading it costs the device nothing.
        let is_trusted = trusts_session && self.input == UserInput::None;
        let fresh = |known: &&KnownSession| is_trusted && known.read_at + REREAD_AFTER > now;
        if let Some(known) = before.as_ref().filter(fresh) {
            self.session = Some(known.clone());
            return Ok(known.clone());
        }
        let leaves = work.purpose(&ctx.device).is_clean_up();
        let read = match (read_config(ctx, work, device).await, &before) {
            (Ok(read), _) => read,
            (Err(problem), Some(known)) if problem.failure.reason == Reason::SecretNotBound => {
                // Nothing is sent that was not sent before: the login goes on to its end.
                let ending = known.clone().without_new_login(problem.failure, now);
                self.session = Some(ending.clone());
                return Ok(ending);
            }
            (Err(problem), Some(known)) if problem.outlived_by(leaves) => {
                self.session = Some(known.clone());
                return Ok(known.clone());
            }
            (Err(problem), _) => {
                // Kept for the day on which the object is deleted and its Secret cannot come back.
                self.session = before;
                return Err(PassError::unreachable(problem.failure));
            }
        };
        let known = known_session(ctx, device, read, before)?;
        self.session = Some(known.clone());
        Ok(known)
    }

    /// The unit under a login that is made if there is none; under the login of the password before, where the
    /// unit refuses the new one or it may not be sent yet: a rotation that has changed the Secret first is over
    /// when the unit has the new password too.
    async fn new_login(
        &mut self,
        known: KnownSession,
    ) -> Result<(Arc<Session>, Unit, Password), PassError> {
        let device = self.work.device(&self.ctx.device);
        let device = device.ok_or(PassError::Stopping)?;
        let logins = StatusLogins::new(&self.ctx, device, known.secret);
        let logins = Arc::new(logins);
        let client = known.session.client.remembering(logins.clone());
        let unit = self.ctx.unless_stopping(client.unit()).await;
        // Also where the login was made for another object: each status shows the logins of its devices.
        if let Some(login) = client.login_record() {
            logins.show(login);
        }
        let error = match unit? {
            Ok(unit) => {
                if let Some(known) = &mut self.session {
                    known.previous = None;
                }
                return Ok((known.session, unit, Password::Accepted));
            }
            Err(error) => error,
        };
        let is_refused = matches!(error.kind(), ErrorKind::LoginRefused { .. });
        let may_go_on = is_refused || error.is_login_delayed();
        if let Some(previous) = known.previous.filter(|_| may_go_on) {
            let unit = previous.client.current_unit();
            if let Some(unit) = self.ctx.unless_stopping(unit).await? {
                let password = if is_refused {
                    Password::Refused(request_error(&error).failure)
                } else {
                    Password::NotTried
                };
                return Ok((previous, unit, password));
            }
        }
        Err(self.login_error(&error))
    }

    /// Why there is no login. One that only waits casts no doubt on the unit, which has just proven its key.
    fn login_error(&self, error: &Error) -> PassError {
        let failed = pass_error(error);
        if !error.is_login_delayed() {
            self.ctx.note_doubt_of(&failed);
        }
        failed
    }
}

impl Access for DeviceAccess {
    type Session = KnownSession;
    type Unit = DeviceUnit;

    async fn prepare(&mut self, trusts_session: bool) -> Result<KnownSession, PassError> {
        let known = self.session(trusts_session).await?;
        if std::mem::replace(&mut self.input, UserInput::None) == UserInput::Request {
            known.session.client.allow_login();
        }
        Ok(known)
    }

    async fn log_in(&mut self, known: KnownSession) -> Result<LoggedIn<DeviceUnit>, PassError> {
        let (session, unit, password) = match known.no_new_login.clone() {
            None => self.new_login(known).await?,
            Some(failure) => {
                let unit = known.session.client.current_unit();
                let unit = self.ctx.unless_stopping(unit).await?;
                let ended = || PassError::unreachable(failure);
                let unit = unit.ok_or_else(ended);
                let unit = unit.inspect_err(|error| self.ctx.note_doubt_of(error))?;
                (known.session, unit, Password::NotTried)
            }
        };
        let (ctx, work) = (self.ctx.clone(), self.work.clone());
        Ok(LoggedIn {
            login: unit.made_under(),
            unit: DeviceUnit::new(ctx, work, session, unit),
            password,
        })
    }

    fn note_doubt(&self) {
        self.ctx.identities.note_doubt(&self.ctx.device);
    }
}

/// The session of what was read, after the one before.
fn known_session(
    ctx: &DeviceContext,
    device: &DeviceSettings,
    read: ReadLogin,
    before: Option<KnownSession>,
) -> Result<KnownSession, PassError> {
    let session = ctx.shared.pool.session(&read.key, read.config);
    let session = session.map_err(|error| {
        PassError::unreachable(Failure {
            reason: error.reason(),
            message: error.to_string(),
            retryable: false,
        })
    })?;
    let previous = match before {
        Some(before) if Arc::ptr_eq(&before.session, &session) => before.previous,
        before => before.and_then(KnownSession::last_accepted),
    };
    Ok(KnownSession {
        session,
        settings: device.clone(),
        read_at: ctx.shared.clock.now(),
        secret: read.secret,
        no_new_login: None,
        previous,
    })
}
