//! What the owner of a client remembers of logins beyond the process.
//!
//! Asked before a password is sent, and told of what it was sent for. Knows nothing of where that is kept.

use bigip_tunnel_core::reason::Reason;
use std::future::Future;
use std::pin::Pin;

use bigip_tunnel_core::account::{AccountId, LoginRecord, SecretVersion};

/// An answer that is waited for.
pub type Stored<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where logins are remembered.
pub trait LoginStore: Send + Sync {
    /// Where the password was read.
    fn secret(&self) -> SecretVersion;

    /// What is stored of an account. `complete`: there is no more, so it need not be asked for again. Asked before
    /// the login has its turn: others of the account do not wait for it.
    fn known<'a>(&'a self, account: &'a AccountId) -> Stored<'a, KnownLogins>;

    /// Stores a login. Returns when it is stored.
    ///
    /// # Errors
    ///
    /// Fails with what to tell a user. A password that was never accepted is then not sent.
    fn store<'a>(&'a self, login: &'a LoginRecord) -> Stored<'a, Result<(), NotStored>>;
}

/// Why a login was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStored {
    /// Why.
    pub reason: Reason,
    /// The sentence that explains it.
    pub cause: String,
}

/// What is stored of an account.
#[derive(Debug, Default)]
pub struct KnownLogins {
    /// The rows that name it.
    pub records: Vec<LoginRecord>,
    /// Whether these are all.
    pub complete: bool,
}

/// Remembers nothing: for a client whose process is all there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoStore;

impl LoginStore for NoStore {
    fn secret(&self) -> SecretVersion {
        SecretVersion::default()
    }

    fn known<'a>(&'a self, _: &'a AccountId) -> Stored<'a, KnownLogins> {
        let nothing = KnownLogins {
            records: Vec::new(),
            complete: true,
        };
        Box::pin(std::future::ready(nothing))
    }

    fn store<'a>(&'a self, _: &'a LoginRecord) -> Stored<'a, Result<(), NotStored>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
