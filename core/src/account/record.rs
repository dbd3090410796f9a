//! What outlives the process of an account: one row for each device, kept in the status of its object.
//!
//! Holds no password, no hash of one, and no user name. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{Account, Asker, At, Now, Password, REFUSALS_MAX, Refused, at};
use crate::unit::PublicKeyHash;

/// How many bytes of the digest name an account: as many as no holder of a key can aim at.
const ID_BYTES: usize = 16;

/// Names an account: the first 128 bits of the SHA-256 of the unit's public key hash and the user name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// The account of this user on the unit that proves this key.
    pub fn of(unit: &PublicKeyHash, user: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(unit.0);
        hasher.update(user);
        let mut text = String::with_capacity(2 * ID_BYTES);
        for byte in hasher.finalize().iter().take(ID_BYTES) {
            let _: fmt::Result = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// One that was stored.
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The Secret that a password was read from, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SecretVersion {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
}

/// The last login that was tried for a device, and what it leaves to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRecord {
    /// Whose login it was.
    pub account: AccountId,
    /// Where its password came from.
    pub secret: SecretVersion,
    /// When a login with this password was last accepted; `None` if none was.
    pub accepted: Option<Timestamp>,
    /// Refusals of this password in a row.
    pub refusals: u32,
    /// The older one of the account's refusals that use up its budget, while it counts.
    pub window_start: Option<Timestamp>,
    /// When the login was sent.
    pub last_tried: Timestamp,
}

impl LoginRecord {
    /// The times of refusals that this row speaks of. Where there was one before the last try, that
    /// counts as refused too: the row cannot tell.
    fn refusals(&self) -> impl Iterator<Item = (Timestamp, Option<&SecretVersion>)> {
        let was_refused = self.refusals > 0;
        let last = (was_refused || self.window_start.is_some()).then_some(self.last_tried);
        let last = last.map(|time| (time, was_refused.then_some(&self.secret)));
        let first = self.window_start.map(|time| (time, None));
        first.into_iter().chain(last)
    }
}

impl Account {
    /// Takes over what an earlier process stored, in whatever objects: the most careful of the rows counts. Rows
    /// that are known already change nothing.
    pub fn restore<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a LoginRecord> + Clone,
        now: Now,
    ) {
        let mut times: BTreeMap<Timestamp, Option<&SecretVersion>> = BTreeMap::new();
        for (time, secret) in records.clone().into_iter().flat_map(LoginRecord::refusals) {
            let known = times.entry(time).or_default();
            *known = known.or(secret);
        }
        for (time, secret) in times {
            if self.refused.iter().any(|refused| refused.time == time) {
                continue;
            }
            self.refused.push(Refused {
                at: now.at_of(time),
                time,
                password: None,
                secret: secret.cloned(),
            });
        }
        self.refused.sort_by_key(|refused| refused.at);
        let mut by_secret: BTreeMap<&SecretVersion, Vec<&LoginRecord>> = BTreeMap::new();
        for record in records {
            by_secret.entry(&record.secret).or_default().push(record);
        }
        for (secret, rows) in by_secret {
            let password = Password::restored(&rows, now);
            self.stored.insert(secret.clone(), password);
        }
        self.forget(at(now.moment));
    }

    /// What is to be stored before this password is sent: the try, counted as refused. `None` for a password
    /// that was accepted before.
    pub fn ahead(&self, id: AccountId, asker: Asker<'_>, now: Now) -> Option<LoginRecord> {
        let mut ahead = self.clone();
        if ahead.password(asker).accepted.is_some() {
            return None;
        }
        ahead.note(asker, super::LoginOutcome::Refused, now);
        ahead.record(id, asker)
    }

    /// What is to be stored of this password, if a login with it was tried.
    pub fn record(&self, account: AccountId, asker: Asker<'_>) -> Option<LoginRecord> {
        let password = self.passwords.get(&asker.password)?;
        let oldest = self.refused.len().saturating_sub(REFUSALS_MAX);
        Some(LoginRecord {
            account,
            secret: asker.secret.clone(),
            accepted: password.accepted,
            refusals: password.refusals,
            window_start: self.refused.get(oldest).map(|refused| refused.time),
            last_tried: password.last_try?,
        })
    }

    /// What is known of a password: from this process, else from an earlier one.
    pub(super) fn password(&mut self, asker: Asker<'_>) -> Password {
        if let Some(known) = self.passwords.get(&asker.password) {
            return *known;
        }
        let Some(stored) = self.stored.get(asker.secret).copied() else {
            return Password::default();
        };
        self.passwords.insert(asker.password, stored);
        let by_it = |refused: &&mut Refused| refused.secret.as_ref() == Some(asker.secret);
        for refused in self.refused.iter_mut().filter(by_it) {
            refused.password = Some(asker.password);
        }
        stored
    }
}

impl Password {
    /// What these rows, all of one Secret as it was, say of its password. Refusals before it was accepted
    /// are over.
    fn restored(rows: &[&LoginRecord], now: Now) -> Self {
        let accepted = rows.iter().filter_map(|row| row.accepted).max();
        let refused = rows
            .iter()
            .filter(|row| row.refusals > 0 && accepted.is_none_or(|at| row.last_tried > at));
        let last_refused = refused.clone().map(|row| row.last_tried).max();
        Self {
            accepted,
            refusals: refused.map(|row| row.refusals).max().unwrap_or_default(),
            last_refused: last_refused.map(|time| now.at_of(time)),
            last_try: rows.iter().map(|row| row.last_tried).max(),
        }
    }
}

impl Now {
    /// When something happened, by the wall clock. What seems to lie ahead counts as happening now.
    fn at_of(self, time: Timestamp) -> At {
        let age = self.time.duration_since(time).max(SignedDuration::ZERO);
        at(self.moment).checked_sub(age).unwrap_or(At::MIN)
    }
}
