//! The typed calls that read, one per resource. Those that write are in `unit`.
//!
//! A read whose login has ended is repeated once under a new one, unless it is asked of a
//! [`Unit`](crate::Unit).

use std::fmt;
use std::sync::Arc;

use bigip_tunnel_core::account::LoginRecord;
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::tunnel::TunnelPath;
use bigip_tunnel_core::unit::{Login, PublicKeyHash};

use crate::config::{ConfigError, DeviceConfig};
use crate::error::{Error, ErrorKind, Mismatch};
use crate::limits::Limits;
use crate::login_store::{LoginStore, NoStore};
use crate::session::Session;
use crate::session::accounts::Accounts;
use crate::transport::{Body, Request, Verb};
use crate::unit::Unit;
use crate::{normalise, path};
use bigip_tunnel_core::listing::{Listing, RecordName};

/// One user on one BIG-IP. Clones share token and connections.
#[derive(Clone)]
pub struct Client {
    session: Arc<Session>,
    /// The only login that its calls are made under, if it does not matter to them which one it is.
    only: Option<Login>,
    /// Where its logins are remembered.
    store: Arc<dyn LoginStore>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client")
            .field(&self.session.device())
            .finish()
    }
}

impl Client {
    /// A client for this device, with accounts of its own. Dials nothing; the first call logs
    /// in.
    pub fn new(config: DeviceConfig) -> Result<Self, ConfigError> {
        Self::with_accounts(config, Accounts::default())
    }

    /// The same with accounts that it shares with all clients of the process.
    pub fn with_accounts(config: DeviceConfig, accounts: Accounts) -> Result<Self, ConfigError> {
        Self::build(config, Limits::default(), accounts)
    }

    #[cfg(test)]
    pub(crate) fn with_limits(config: DeviceConfig, limits: Limits) -> Result<Self, ConfigError> {
        Self::build(config, limits, Accounts::default())
    }

    pub(crate) fn build(
        config: DeviceConfig,
        limits: Limits,
        accounts: Accounts,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            session: Arc::new(Session::new(config, limits, accounts)?),
            only: None,
            store: Arc::new(NoStore),
        })
    }

    /// The same client, whose logins are remembered there.
    #[must_use]
    pub fn remembering(&self, store: Arc<dyn LoginStore>) -> Self {
        Self {
            store,
            ..self.clone()
        }
    }

    /// What is to be remembered of the last login that was tried.
    pub fn login_record(&self) -> Option<LoginRecord> {
        self.session.login_record(&self.store.secret())
    }

    /// The unit that answers now, as far as one login can tell: logs in if there is no login. Dials nothing
    /// otherwise.
    pub async fn unit(&self) -> Result<Unit, Error> {
        let login = self.session.log_in(&*self.store).await?;
        Ok(self.unit_of(login))
    }

    /// The unit of the current login; `None` if there is none. Makes no login and dials nothing.
    pub async fn current_unit(&self) -> Option<Unit> {
        let login = self.session.current_login().await?;
        Some(self.unit_of(login))
    }

    /// The unit of a login of this client, which may have ended.
    pub fn unit_of(&self, login: Login) -> Unit {
        let client = Self {
            only: Some(login),
            ..self.clone()
        };
        Unit::new(client, login)
    }

    /// Reads all records of a tunnel: one `GET` of `net/fdb/tunnel/<t>/records`. If it is answered in
    /// pages (not seen of records), one of each page, and all of them twice.
    ///
    /// The list is complete or the call fails: pages that do not follow one another, or that differ when
    /// they are read again, are a `ProtocolError`, and a list of more than 40,000 records is
    /// `TooManyRecords`. A record that cannot be read is in the list as such. `TunnelNotFound` only after the unit said that it is ready. Recorded on
    /// 15.1.3.1 (empty, CIS#1929) and 16.1.2.
    pub async fn records(&self, tunnel: &TunnelPath) -> Result<Listing, Error> {
        let result = self.collection(&path::records(tunnel)).await;
        self.of_tunnel(tunnel, result).await
    }

    /// Reads one record: `GET` of it. `None` if the configuration layer does not know it and the
    /// unit says that it is ready; also if the tunnel is gone, as the answer (`Object not found`)
    /// does not tell (recorded for pool members).
    pub async fn record(
        &self,
        tunnel: &TunnelPath,
        name: &RecordName,
    ) -> Result<Option<Endpoint>, Error> {
        let result = self.get("record", path::record(tunnel, name)).await;
        match self.believe_missing(result).await? {
            Some(body) => self.parsed(normalise::record(&body, name)).map(Some),
            None => Ok(None),
        }
    }

    /// `host:port`, as errors and [`crate::Exchange`]s name the device.
    pub fn address(&self) -> &str {
        self.session.device()
    }

    /// Gives the token back, if there is one. Best effort, at most 5 s. A later call logs in again.
    pub async fn logout(&self) {
        self.session.logout().await;
    }

    /// Forgets that the login was refused, because a user asked to try again. The account's budget
    /// holds all the same ([`Accounts`]): BIG-IP locks accounts.
    pub fn allow_login(&self) {
        self.session.allow_login();
    }

    /// The last login of this client that worked; none before the first. Another value means that a
    /// login was made since: what was read before may be of a different unit.
    pub fn login(&self) -> Option<Login> {
        self.session.login_made()
    }

    /// The public key that the unit proved to hold in the handshake of that login, however its
    /// certificate is verified.
    pub fn peer_key(&self) -> Option<PublicKeyHash> {
        self.session.peer_key()
    }

    /// Whether a login of this client has ever worked.
    pub fn has_logged_in(&self) -> bool {
        self.session.has_logged_in()
    }

    pub(crate) async fn get(&self, resource: &'static str, path: String) -> Result<Vec<u8>, Error> {
        let request = Request {
            verb: Verb::Get,
            resource,
            path,
            body: None,
            deadline: self.limits().read,
        };
        self.send(&request, &mut Body::Keep).await
    }

    /// Sends a request, under the only login that counts if there is one.
    pub(crate) async fn send(
        &self,
        request: &Request,
        body: &mut Body<'_>,
    ) -> Result<Vec<u8>, Error> {
        self.session
            .call(request, self.only, (&*self.store, body))
            .await
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.session.limits()
    }

    /// The result of a request that only a missing tunnel can have answered with "not found".
    pub(crate) async fn of_tunnel<T>(
        &self,
        tunnel: &TunnelPath,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        let missing = || {
            self.error(ErrorKind::TunnelNotFound {
                tunnel: tunnel.to_string(),
            })
        };
        self.believe_missing(result).await?.ok_or_else(missing)
    }

    pub(crate) fn error(&self, kind: impl Into<ErrorKind>) -> Error {
        self.session.error(kind)
    }

    pub(crate) fn parsed<T>(&self, result: Result<T, Mismatch>) -> Result<T, Error> {
        result.map_err(|mismatch| self.error(mismatch))
    }
}

#[cfg(test)]
mod tests;
