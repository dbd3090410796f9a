//! The accounts that all clients of a process share: one user of one unit, by whatever address it is reached.
//!
//! The unit is known by the key that it proves in the handshake, before a password is sent. Keeps no password: a keyed
//! hash tells a changed one from one that was refused. What is allowed is decided in `core`.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError};

use bigip_tunnel_core::account::{Account, AccountId, Now, PasswordId};
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::unit::PublicKeyHash;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::Credentials;

/// Accounts that are remembered.
const ACCOUNTS_MAX: usize = 4_096;

/// The unit's key, and the user's name.
type AccountKey = (PublicKeyHash, String);

/// The logins of a process, by account. Clones share them.
///
/// All clients of a process are made with the same accounts. Logins of one account are sent one at a time, so that
/// none is on its way while another is refused.
#[derive(Clone)]
pub struct Accounts(Arc<Shared>);

struct Shared {
    hash: RandomState,
    started: Instant,
    known: std::sync::Mutex<HashMap<AccountKey, Arc<Mutex<Known>>>>,
}

/// An account, and whether all that is stored of it was read.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) account: Account,
    pub(super) is_complete: bool,
}

impl Default for Accounts {
    fn default() -> Self {
        Self(Arc::new(Shared {
            hash: RandomState::new(),
            started: Instant::now(),
            known: std::sync::Mutex::default(),
        }))
    }
}

/// Says nothing about users and passwords.
impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// Tells these credentials from others of this process: by user, password and login provider.
    pub fn password_id(&self, credentials: &Credentials) -> PasswordId {
        let Credentials {
            username,
            password,
            login_provider,
        } = credentials;
        let all = (
            username,
            secrecy::ExposeSecret::expose_secret(password),
            login_provider,
        );
        PasswordId(self.0.hash.hash_one(all))
    }

    /// Forgets the accounts that nothing is known of. What was accepted or refused is remembered as long as
    /// the process lives: it decides about the next try, however long ago it was.
    pub fn drop_unused(&self) {
        let is_used = |known: &Arc<Mutex<Known>>| {
            Arc::strong_count(known) > 1
                || known
                    .try_lock()
                    .is_ok_and(|known| !known.account.is_unused())
        };
        self.known().retain(|_, account| is_used(account));
    }

    /// The account of this user on the unit of this key, and its name.
    pub(super) fn of(&self, unit: PublicKeyHash, user: &str) -> (AccountId, Arc<Mutex<Known>>) {
        let id = AccountId::of(&unit, user);
        let key = (unit, user.to_owned());
        let mut known = self.known();
        if !known.contains_key(&key) && known.len() >= ACCOUNTS_MAX {
            self.forget_one(&mut known);
        }
        (id, known.entry(key).or_default().clone())
    }

    /// Forgets the account that is worth least: a unit that shows a new key at each login makes one each
    /// time.
    fn forget_one(&self, known: &mut HashMap<AccountKey, Arc<Mutex<Known>>>) {
        let now = self.now().moment;
        let idle = known
            .iter()
            .filter(|(_, account)| Arc::strong_count(account) == 1);
        let worth = idle.filter_map(|(key, account)| {
            let worth = account.try_lock().ok()?.account.worth(now);
            Some((worth, key.clone()))
        });
        if let Some((_, key)) = worth.min() {
            known.remove(&key);
        }
    }

    /// Now, in whole microseconds: what a status can hold.
    pub(super) fn now(&self) -> Now {
        let time = Timestamp::now();
        Now {
            moment: Moment::since_start(self.0.started.elapsed()),
            time: Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time),
        }
    }

    /// A panic cannot leave the map half changed.
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<AccountKey, Arc<Mutex<Known>>>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::account::{Asker, LoginOutcome, SecretVersion};

    use super::*;

    fn credentials(password: &str) -> Credentials {
        Credentials {
            username: "admin".into(),
            password: password.into(),
            login_provider: "tmos".into(),
        }
    }

    #[test]
    fn credentials_differ_by_content() {
        let accounts = Accounts::default();
        let id = |password: &str| accounts.password_id(&credentials(password));
        assert_eq!(id("one"), id("one"));
        assert_ne!(id("one"), id("other"));
        let elsewhere = Credentials {
            login_provider: "radius".into(),
            ..credentials("one")
        };
        assert_ne!(accounts.password_id(&elsewhere), id("one"));
    }

    async fn note(accounts: &Accounts, unit: u32, outcome: LoginOutcome) {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&unit.to_be_bytes());
        let asker = Asker {
            namespace: "bigip",
            password: accounts.password_id(&credentials("one")),
            secret: &SecretVersion::default(),
        };
        let (_, known) = accounts.of(PublicKeyHash(key), "admin");
        let now = accounts.now();
        known.lock().await.account.note(asker, outcome, now);
    }

    #[tokio::test]
    async fn history_of_an_account_outlives_the_window() {
        let accounts = Accounts::default();
        note(&accounts, 1, LoginOutcome::Accepted).await;
        note(&accounts, 2, LoginOutcome::Refused).await;
        drop(accounts.of(PublicKeyHash([9; 32]), "other"));
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(24 * 3_600)).await;
        accounts.drop_unused();
        assert_eq!(accounts.known().len(), 2);
    }

    #[tokio::test]
    async fn account_limit_drops_the_least_valuable() {
        let accounts = Accounts::default();
        note(&accounts, 0, LoginOutcome::Refused).await;
        for unit in 1..=u32::try_from(ACCOUNTS_MAX).unwrap() {
            note(&accounts, unit, LoginOutcome::Accepted).await;
        }
        assert_eq!(accounts.known().len(), ACCOUNTS_MAX);
        let (_, refused) = accounts.of(PublicKeyHash([0; 32]), "admin");
        assert!(!refused.lock().await.account.is_unused());
    }

    #[test]
    fn debug_output_shows_no_user() {
        let accounts = Accounts::default();
        drop(accounts.of(PublicKeyHash([1; 32]), "canary-user"));
        assert!(!format!("{accounts:?}").contains("canary"));
    }
}
