//! The unit that answers under one login, and the typed calls that change something on it.
//!
//! No call is sent twice, and none under another login than the one that was read under: what answers
//! after another login may be a different unit. After an uncertain error of a write
//! (`Error::is_uncertain`) the caller reads before it decides. Calls that write are meant to be made one
//! at a time per device; nothing here queues them.

use std::ops::Deref;
use std::time::Duration;

use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::record::{FdbRecord, Records};
use bigip_tunnel_core::tunnel::TunnelPath;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::transport::{Body, Request, Verb};
use crate::{normalise, path, wire};
use bigip_tunnel_core::listing::RecordName;
use bigip_tunnel_core::unit::Login;

/// The unit that answers under one login. Every call, also one that reads, fails with
/// [`ErrorKind::LoginEnded`] once that login is over, and is then not worked on.
#[derive(Debug, Clone)]
pub struct Unit {
    client: Client,
    login: Login,
}

/// Reads as a client does, but under one login.
impl Deref for Unit {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// What became of a record that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was created.
    Created,
    /// A record of this MAC address is there already, with whatever endpoint.
    Exists,
}

/// What became of a record that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It was removed.
    Removed,
    /// It was not there, says a unit that is ready.
    Absent,
}

impl Unit {
    /// `client` makes its calls under `login` only.
    pub(crate) const fn new(client: Client, login: Login) -> Self {
        Self { client, login }
    }

    /// The login that its calls are made under.
    pub const fn made_under(&self) -> Login {
        self.login
    }

    /// Adds a record: `POST` to the tunnel's records. The endpoint is always sent with its route
    /// domain: a bare one means route domain 0 (12.1.1, CIS#425).
    ///
    /// A record of that MAC address that is there already is left alone (409 `01020066`). The
    /// answer does not prove that the record is there: read it back.
    pub async fn add_record(&self, tunnel: &TunnelPath, record: FdbRecord) -> Result<Added, Error> {
        let body = normalise::render(&normalise::new_record(record));
        let result = self
            .write(Verb::Post, "record", path::records(tunnel), Some(body))
            .await;
        match self.of_tunnel(tunnel, result).await {
            Ok(()) => Ok(Added::Created),
            Err(error) if matches!(error.kind(), ErrorKind::Exists { .. }) => Ok(Added::Exists),
            Err(error) => Err(error),
        }
    }

    /// Gives a record another endpoint: `PATCH` of it. A record that is gone is an error, not
    /// created.
    pub async fn correct_record(
        &self,
        tunnel: &TunnelPath,
        name: &RecordName,
        endpoint: Endpoint,
    ) -> Result<(), Error> {
        let body = normalise::render(&wire::RecordChange {
            endpoint: endpoint.to_string(),
        });
        self.write(
            Verb::Patch,
            "record",
            path::record(tunnel, name),
            Some(body),
        )
        .await?;
        Ok(())
    }

    /// Removes a record: `DELETE` of it. `Absent` only if the configuration layer does not know it
    /// (404 `01020036`) and the unit says that it is ready.
    pub async fn remove_record(
        &self,
        tunnel: &TunnelPath,
        name: &RecordName,
    ) -> Result<Removed, Error> {
        let result = self
            .write(Verb::Delete, "record", path::record(tunnel, name), None)
            .await;
        let found = self.believe_missing(result).await?;
        Ok(if found.is_some() {
            Removed::Removed
        } else {
            Removed::Absent
        })
    }

    /// Replaces **all** records of a tunnel by these: `GET` of `net/fdb/tunnel/<t>`, then `PUT` of
    /// the object as read plus `records`, as F5 CIS writes it (request recorded on 14.1.3.1,
    /// CIS#1730). Records of others that are not in the list are lost, also those that were added
    /// since the caller read them.
    pub async fn replace_records(
        &self,
        tunnel: &TunnelPath,
        records: &Records,
    ) -> Result<(), Error> {
        const RESOURCE: &str = "FDB of the tunnel";
        let result = self.get(RESOURCE, path::fdb(tunnel)).await;
        let read = self.of_tunnel(tunnel, result).await?;
        let body = self.parsed(normalise::with_records(&read, tunnel, records))?;
        let deadline = self.limits().bulk_write;
        let request = request(Verb::Put, RESOURCE, path::fdb(tunnel), Some(body), deadline);
        let result = self.send(&request, &mut Body::Skip).await;
        self.of_tunnel(tunnel, result).await?;
        Ok(())
    }

    /// Saves the running configuration: `POST sys/config {"command":"save"}`. Without it a reboot
    /// brings the saved state back. Saves everybody's changes.
    pub async fn save(&self) -> Result<(), Error> {
        let body = normalise::render(&wire::Command { command: "save" });
        let deadline = self.limits().save;
        let path = path::CONFIG.to_owned();
        let request = request(Verb::Post, "configuration", path, Some(body), deadline);
        self.send(&request, &mut Body::Skip).await?;
        Ok(())
    }

    async fn write(
        &self,
        verb: Verb,
        resource: &'static str,
        path: String,
        body: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let deadline = self.limits().write;
        let request = request(verb, resource, path, body, deadline);
        self.send(&request, &mut Body::Skip).await?;
        Ok(())
    }
}

fn request(
    verb: Verb,
    resource: &'static str,
    path: String,
    body: Option<Vec<u8>>,
    deadline: Duration,
) -> Request {
    Request {
        verb,
        resource,
        path,
        body,
        deadline,
    }
}
