//! How often one user of one unit may be made to log in: BIG-IP locks accounts after refused logins in a row.
//!
//! An account is one user of one unit, whatever objects, Secrets and addresses lead to it. Two rules hold at
//! once: each password has its own schedule, and all passwords of the account share a budget. Pure: knows no
//! password (a keyed hash tells them apart), and no clock.

mod record;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::record::{AccountId, LoginRecord, SecretVersion};
use crate::time::Moment;

/// How long a refused login counts against the account.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// Refused logins of an account within the window. That no account is locked before is *assumed* (CIS#3441 shows a
/// lock without its number; TMOS locks none by default).
pub const REFUSALS_MAX: usize = 2;
/// How long a namespace that has to wait for the budget is waited for beyond its turn.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);
/// How long a namespace is remembered after its last try or wait.
const NAMESPACE_MEMORY: SignedDuration = SignedDuration::from_hours(1);
/// Passwords of an account that are remembered.
const PASSWORDS_MAX: usize = 64;

/// Tells the passwords of an account apart, of use only beside others of the same process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PasswordId(pub u64);

/// What wants to log in.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Namespace of the object: namespaces share the budget in turn.
    pub namespace: &'a str,
    /// The password.
    pub password: PasswordId,
    /// Where it was read: tells it from others for a later process.
    pub secret: &'a SecretVersion,
}

/// The same moment on both clocks: what is counted, and what is stored.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// On the monotonic clock.
    pub moment: Moment,
    /// On the wall clock.
    pub time: Timestamp,
}

/// Why a login is not tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// How long; `None` if only another password or a user's request leads to another try.
    pub time: Option<Duration>,
    /// Which rule says so.
    pub rule: WaitRule,
}

/// A rule that a login waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitRule {
    /// This password was refused.
    Refused,
    /// Others of the account were refused.
    Budget,
    /// Another namespace waits for its try.
    Turn,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOutcome {
    /// With a token.
    Accepted,
    /// The unit refused it.
    Refused,
    /// It was sent, and no answer came.
    Unanswered,
    /// It was not sent, or the answer says nothing about the password.
    NotCounted,
}

/// The logins of one user of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    passwords: BTreeMap<PasswordId, Password>,
    /// Passwords that an earlier process stored, by the Secret that they were read from.
    stored: BTreeMap<SecretVersion, Password>,
    /// The rows that this was taken from: none counts twice.
    restored: Vec<LoginRecord>,
    /// Refused logins, in order of time.
    refused: Vec<Refused>,
    namespaces: BTreeMap<String, Namespace>,
}

/// Time since the process began; negative before.
type At = SignedDuration;

/// What is known of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Password {
    /// When it was last accepted.
    accepted: Option<Timestamp>,
    /// Refusals in a row, since it was accepted or a user asked.
    refusals: u32,
    last_refused: Option<At>,
    last_try: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    at: At,
    time: Timestamp,
    /// `None` while it is not known in this process.
    password: Option<PasswordId>,
    secret: Option<SecretVersion>,
}

/// What is known of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Namespace {
    last_try: Option<At>,
    last_refused: Option<At>,
    /// Until when the others leave it a try.
    waits_until: Option<At>,
}

impl Password {
    /// The pause after so many refusals in a row; `None` for good.
    const fn pause(self) -> Option<SignedDuration> {
        let minutes = match (self.accepted.is_some(), self.refusals) {
            (_, 0) => 0,
            (_, 1) => 5,
            (true, 2) => 15,
            (true, _) | (false, 2) => 60,
            (false, _) => return None,
        };
        Some(SignedDuration::from_mins(minutes))
    }

    /// Its own schedule.
    fn check(self, now: At) -> Result<(), Wait> {
        let Some(last) = self.last_refused else {
            return Ok(());
        };
        match self.pause() {
            Some(pause) => wait_until(last + pause, now, WaitRule::Refused),
            None => Err(Wait {
                time: None,
                rule: WaitRule::Refused,
            }),
        }
    }
}

/// Fails while that time has not come.
fn wait_until(at: At, now: At, rule: WaitRule) -> Result<(), Wait> {
    match Duration::try_from(at - now) {
        Ok(time) if !time.is_zero() => Err(Wait {
            time: Some(time),
            rule,
        }),
        _ => Ok(()),
    }
}

fn at(now: Moment) -> At {
    SignedDuration::try_from(Moment::default().until(now)).unwrap_or(SignedDuration::MAX)
}

impl Account {
    /// Whether this login may be tried now. One that has to wait for the others is waited for in turn.
    ///
    /// # Errors
    ///
    /// Fails with how long it has to wait, and for which rule.
    pub fn check(&mut self, asker: Asker<'_>, now: Moment) -> Result<(), Wait> {
        let now = at(now);
        self.forget(now);
        let password = self.password(asker);
        password.check(now)?;
        let has_own_try = password.accepted.is_some()
            && !self
                .refused
                .iter()
                .any(|refused| refused.password == Some(asker.password));
        let shared = if has_own_try {
            Ok(())
        } else {
            self.check_budget(now)
                .and_then(|()| self.check_turn(asker.namespace, now))
        };
        let namespace = self
            .namespaces
            .entry(asker.namespace.to_owned())
            .or_default();
        namespace.waits_until = match shared {
            Ok(()) => None,
            Err(Wait { time, .. }) => {
                let time = SignedDuration::try_from(time.unwrap_or_default());
                Some(now + time.unwrap_or_default() + PATIENCE)
            }
        };
        shared
    }

    fn check_budget(&self, now: At) -> Result<(), Wait> {
        let over = self.refused.len().checked_sub(REFUSALS_MAX);
        match over.and_then(|first| self.refused.get(first)) {
            Some(first) => wait_until(first.at + WINDOW, now, WaitRule::Budget),
            None => Ok(()),
        }
    }

    /// A namespace that was refused since another one's last try leaves the next try to it.
    fn check_turn(&self, namespace: &str, now: At) -> Result<(), Wait> {
        let own = self.namespaces.get(namespace).copied().unwrap_or_default();
        let Some(refused) = own.last_refused else {
            return Ok(());
        };
        let goes_first = |(name, other): (&String, &Namespace)| {
            let waits = other.waits_until.filter(|until| now < *until)?;
            (name != namespace && other.last_try.is_none_or(|tried| tried < refused))
                .then_some(waits)
        };
        match self.namespaces.iter().filter_map(goes_first).max() {
            Some(until) => wait_until(until, now, WaitRule::Turn),
            None => Ok(()),
        }
    }

    /// Notes how a login ended. One without an answer counts as refused, unless its password was accepted
    /// before.
    pub fn note(&mut self, asker: Asker<'_>, outcome: LoginOutcome, now: Now) {
        let time = self.time_of_its_own(now.time);
        let now = at(now.moment);
        self.password(asker);
        if outcome == LoginOutcome::NotCounted {
            self.passwords.entry(asker.password).or_default().last_try = Some(time);
            return self.forget(now);
        }
        let namespace = self
            .namespaces
            .entry(asker.namespace.to_owned())
            .or_default();
        namespace.last_try = Some(now);
        namespace.waits_until = None;
        let password = self.passwords.entry(asker.password).or_default();
        password.last_try = Some(time);
        let is_refused = match outcome {
            LoginOutcome::Accepted | LoginOutcome::NotCounted => false,
            LoginOutcome::Refused => true,
            LoginOutcome::Unanswered => password.accepted.is_none(),
        };
        if outcome == LoginOutcome::Accepted {
            *password = Password {
                accepted: Some(time),
                last_try: Some(time),
                ..Password::default()
            };
        } else if is_refused {
            password.refusals = password.refusals.saturating_add(1);
            password.last_refused = Some(now);
            namespace.last_refused = Some(now);
            self.refused.push(Refused {
                at: now,
                time,
                password: Some(asker.password),
                secret: Some(asker.secret.clone()),
            });
        }
        self.forget(now);
    }

    /// Refusals are told apart by their times, also where the clock was set back between them.
    fn time_of_its_own(&self, mut time: Timestamp) -> Timestamp {
        while self.refused.iter().any(|refused| refused.time == time) {
            match time.checked_add(SignedDuration::from_micros(1)) {
                Ok(later) => time = later,
                Err(_) => break,
            }
        }
        time
    }

    /// A user asked to try this password again: its own schedule begins again, the budget stays.
    pub fn allow(&mut self, asker: Asker<'_>) {
        self.password(asker);
        if let Some(password) = self.passwords.get_mut(&asker.password) {
            password.refusals = 0;
            password.last_refused = None;
        }
    }

    /// How much would be lost with it: accounts that are worth more sort last.
    pub fn worth(&mut self, now: Moment) -> Worth {
        self.forget(at(now));
        let tries = self
            .namespaces
            .values()
            .filter_map(|namespace| namespace.last_try);
        Worth {
            holds_back: !self.refused.is_empty(),
            was_accepted: self
                .passwords
                .values()
                .any(|password| password.accepted.is_some()),
            last_try: tries.max(),
        }
    }

    /// Whether nothing is known of it.
    pub fn is_unused(&self) -> bool {
        let says_nothing =
            |password: &Password| password.accepted.is_none() && password.refusals == 0;
        self.passwords.values().all(says_nothing)
            && self.stored.is_empty()
            && self.refused.is_empty()
    }

    fn forget(&mut self, now: At) {
        self.refused.retain(|refused| now < refused.at + WINDOW);
        self.namespaces.retain(|_, namespace| {
            let latest = namespace.last_try.max(namespace.waits_until);
            latest.is_some_and(|latest| now < latest + NAMESPACE_MEMORY)
        });
        while self.passwords.len() > PASSWORDS_MAX {
            // The oldest refusal says least; one that is accepted is not forgotten for it.
            let oldest = self
                .passwords
                .iter()
                .min_by_key(|(_, p)| (p.accepted.is_some(), p.last_refused));
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                return;
            };
            self.passwords.remove(&oldest);
        }
    }
}

/// What would be lost with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Worth {
    /// A login was refused within the window.
    holds_back: bool,
    /// A password was accepted.
    was_accepted: bool,
    last_try: Option<At>,
}

#[cfg(test)]
mod tests;
