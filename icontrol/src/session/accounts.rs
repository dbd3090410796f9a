//! The accounts that all clients of a process share: one user of one unit, by whatever address it is reached.
//!
//! The unit is known by the key that it proves in the handshake, before a password is sent. Keeps no password: a keyed
//! hash tells a changed one from one that was refused. What is allowed is decided in `core`.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError};

use bigip_tunnel_core::account::{Account, PasswordId};
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::unit::PublicKeyHash;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::Credentials;

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
    known: std::sync::Mutex<HashMap<AccountKey, Arc<Mutex<Account>>>>,
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

    /// Forgets the accounts that no client is about to use and that hold no login back.
    pub fn drop_unused(&self) {
        let now = self.now();
        let is_used = |account: &Arc<Mutex<Account>>| {
            Arc::strong_count(account) > 1
                || account
                    .try_lock()
                    .is_ok_and(|mut account| !account.is_unused(now))
        };
        self.known().retain(|_, account| is_used(account));
    }

    pub(super) fn of(&self, unit: PublicKeyHash, user: &str) -> Arc<Mutex<Account>> {
        let key = (unit, user.to_owned());
        self.known().entry(key).or_default().clone()
    }

    pub(super) fn now(&self) -> Moment {
        Moment::since_start(self.0.started.elapsed())
    }

    /// A panic cannot leave the map half changed.
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<AccountKey, Arc<Mutex<Account>>>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::account::{Asker, LoginOutcome};

    use super::*;

    fn credentials(password: &str) -> Credentials {
        Credentials {
            username: "admin".into(),
            password: password.into(),
            login_provider: "tmos".into(),
        }
    }

    #[test]
    fn credentials_are_told_apart_by_what_they_hold() {
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

    #[tokio::test]
    async fn account_that_holds_a_login_back_is_kept() {
        tokio::time::pause();
        let accounts = Accounts::default();
        let unit = PublicKeyHash([1; 32]);
        let asker = Asker {
            namespace: "bigip",
            password: accounts.password_id(&credentials("one")),
        };
        let refused = accounts.of(unit, "admin");
        refused
            .lock()
            .await
            .note(asker, LoginOutcome::Refused, accounts.now());
        drop(refused);
        drop(accounts.of(unit, "other"));
        accounts.drop_unused();
        assert_eq!(accounts.known().len(), 1);
        tokio::time::advance(std::time::Duration::from_secs(15 * 60)).await;
        accounts.drop_unused();
        assert_eq!(accounts.known().len(), 0);
    }

    #[test]
    fn debug_output_shows_no_user() {
        let accounts = Accounts::default();
        drop(accounts.of(PublicKeyHash([1; 32]), "canary-user"));
        assert!(!format!("{accounts:?}").contains("canary"));
    }
}
