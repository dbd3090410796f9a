//! How many logins of one user a device may refuse, whoever tries: BIG-IP locks accounts.
//!
//! Knows nothing of requests and of who tries, and keeps no password: a keyed hash tells a changed
//! one from one that was refused.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::gate::Refusal;

/// How long a refused login counts.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Refused logins within the window, of whatever passwords. After them only a password that was not
/// among them is tried.
const REFUSALS_MAX: usize = 2;
/// The same with those of changed passwords. That accounts are not locked before is *assumed*
/// (CIS#3441 shows a lock, without its number).
const REFUSALS_MAX_CHANGED: usize = 4;

/// The refused logins of one user on one device, for all clients that log in as that user there.
/// Clones share them.
///
/// Within 15 minutes a device is made to refuse at most two logins, and one more of each password
/// that it has not refused meanwhile, at most four in all. Logins that share a budget are sent one
/// at a time, so that none is on its way while another is refused. A login that nobody answers does
/// not count.
#[derive(Clone, Default)]
pub struct LoginBudget(Arc<Mutex<Refusals>>);

/// Says nothing about the passwords.
impl fmt::Debug for LoginBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginBudget").finish_non_exhaustive()
    }
}

impl LoginBudget {
    /// Whether no other clone is left and no refused login counts any more: a new budget in its
    /// place allows no more than this one.
    pub fn is_unused(&self) -> bool {
        let now = Instant::now();
        let holds_none =
            |refusals: MutexGuard<'_, Refusals>| refusals.within_window(now).count() == 0;
        Arc::strong_count(&self.0) == 1 && self.0.try_lock().is_ok_and(holds_none)
    }

    /// Waits for this caller's turn to log in. Dropping the guard ends the turn.
    pub(super) async fn turn(&self) -> MutexGuard<'_, Refusals> {
        self.0.lock().await
    }
}

/// The memory of a budget.
#[derive(Default)]
pub(super) struct Refusals {
    keys: RandomState,
    /// In order of time.
    recent: Vec<Refused>,
}

struct Refused {
    at: Instant,
    /// Hash of the password, of use only beside others of the same budget.
    password: u64,
    refusal: Refusal,
}

impl Refusals {
    /// Whether a login with this password may be tried now; otherwise how it was refused, or how
    /// the last one was if it was not among them.
    pub(super) fn check(&self, password: &SecretString, now: Instant) -> Result<(), Refusal> {
        let hash = self.hash(password);
        let same = self.within_window(now).rfind(|one| one.password == hash);
        let refusals_max = match same {
            Some(_) => REFUSALS_MAX,
            None => REFUSALS_MAX_CHANGED,
        };
        match same.or_else(|| self.within_window(now).next_back()) {
            Some(one) if self.within_window(now).count() >= refusals_max => Err(one.refusal),
            _ => Ok(()),
        }
    }

    /// Notes that a login with this password was refused.
    pub(super) fn note(&mut self, password: &SecretString, refusal: Refusal, now: Instant) {
        self.recent.retain(|one| counts(one, now));
        self.recent.push(Refused {
            at: now,
            password: self.hash(password),
            refusal,
        });
    }

    fn within_window(&self, now: Instant) -> impl DoubleEndedIterator<Item = &Refused> {
        self.recent.iter().filter(move |one| counts(one, now))
    }

    fn hash(&self, password: &SecretString) -> u64 {
        self.keys.hash_one(password.expose_secret())
    }
}

fn counts(refused: &Refused, now: Instant) -> bool {
    now.saturating_duration_since(refused.at) < WINDOW
}

#[cfg(test)]
mod tests;
