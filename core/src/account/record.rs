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
    /// When the login was sent, or when a later one of the account was refused.
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
    pub fn restore<'a>(&mut self, records: impl IntoIterator<Item = &'a LoginRecord>, now: Now) {
        let records: Vec<&LoginRecord> = records
            .into_iter()
            .filter(|record| !self.restored.contains(record))
            .collect();
        let mut times: BTreeMap<Timestamp, Option<&SecretVersion>> = BTreeMap::new();
        for (time, secret) in records.iter().copied().flat_map(LoginRecord::refusals) {
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
        for record in records {
            let restored = Password::restored(record, now);
            let password = self.stored.entry(record.secret.clone()).or_default();
            *password = password.merged(restored);
            self.restored.push(record.clone());
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
        let last_try = password.last_try?;
        let oldest = self.refused.len().saturating_sub(REFUSALS_MAX);
        let last_refused = self.refused.iter().map(|refused| refused.time).max();
        Some(LoginRecord {
            account,
            secret: asker.secret.clone(),
            accepted: password.accepted,
            refusals: password.refusals,
            window_start: self.refused.get(oldest).map(|refused| refused.time),
            last_tried: last_refused.map_or(last_try, |refused| refused.max(last_try)),
        })
    }

    /// What is known of a password, from this process and from an earlier one. Several Secrets may hold it.
    pub(super) fn password(&mut self, asker: Asker<'_>) -> Password {
        let known = self.passwords.get(&asker.password).copied();
        let known = known.unwrap_or_default();
        let Some(stored) = self.stored.remove(asker.secret) else {
            return known;
        };
        let merged = known.merged(stored);
        self.passwords.insert(asker.password, merged);
        let by_it = |refused: &&mut Refused| refused.secret.as_ref() == Some(asker.secret);
        for refused in self.refused.iter_mut().filter(by_it) {
            refused.password = Some(asker.password);
        }
        merged
    }
}

impl Password {
    /// What a row says of its password. Times that seem to lie ahead count as now.
    fn restored(row: &LoginRecord, now: Now) -> Self {
        let is_refused = row.refusals > 0;
        Self {
            accepted: row.accepted.map(|time| time.min(now.time)),
            refusals: row.refusals,
            last_refused: is_refused.then(|| now.at_of(row.last_tried)),
            last_try: Some(row.last_tried.min(now.time)),
        }
    }

    /// What two sources say of one password: the most careful of it. Its refusals are over where the other source
    /// shows a later acceptance. Each source's own acceptance came before its refusals, whatever the clock said.
    fn merged(self, other: Self) -> Self {
        let accepted = self.accepted.max(other.accepted);
        let counts = |source: &Self| {
            source.refusals > 0 && (source.accepted == accepted || source.last_try > accepted)
        };
        let counting = || [self, other].into_iter().filter(counts);
        Self {
            accepted,
            refusals: counting()
                .map(|source| source.refusals)
                .max()
                .unwrap_or_default(),
            last_refused: counting().filter_map(|source| source.last_refused).max(),
            last_try: self.last_try.max(other.last_try),
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
