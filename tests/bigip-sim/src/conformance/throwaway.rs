//! The tunnel that fixtures ask about and, if that is allowed, write to: what it is, and that nothing is
//! left in it.
//!
//! Records are removed only if a fixture writes records of that name: the tunnel was empty before, but
//! another person may have taken to it since.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::Value;

use super::conversation::Conversation;
use super::fixture::Fixture;
use super::run::RunError;
use super::target::TargetError;

/// A tunnel that no device is expected to have.
const ABSENT: &str = "~Common~no-such-tunnel-of-bigip-tunnel";
const RECORDS: &str = "/mgmt/tm/net/fdb/tunnel/{tunnel}/records";

/// The tunnel.
#[derive(Debug)]
pub(crate) struct Throwaway {
    path: String,
    /// Names of records that fixtures write, in one notation.
    written: BTreeSet<String>,
}

impl Throwaway {
    /// Looks the tunnel up, and makes its properties known for placeholders. One that is to be written to
    /// has to be empty.
    pub(crate) async fn find(
        device: &mut Conversation<'_>,
        path: &str,
        write: bool,
        fixtures: &[Fixture],
    ) -> Result<Self, RunError> {
        let rest = path.strip_prefix('/').filter(|rest| rest.contains('/'));
        let rest = rest.ok_or_else(|| RunError::TunnelPath(path.to_owned()))?;
        let names = fixtures.iter().flat_map(Fixture::records);
        let tunnel = Self {
            path: path.to_owned(),
            written: names.map(notation).collect(),
        };
        let segment = format!("~{}", rest.replace('/', "~"));
        device.know([("tunnel", segment), ("tunnelPath", path.to_owned())]);
        let url = "/mgmt/tm/net/tunnels/tunnel/{tunnel}";
        let answer = device.ask(Method::GET, url).await?;
        let local = answer.text_at("/localAddress");
        let local = local.ok_or_else(|| RunError::Tunnel {
            tunnel: path.to_owned(),
            seen: device.shown(&answer, &[]),
        })?;
        let (address, domain) = local.split_once('%').unwrap_or((&local, "0"));
        let other = if domain == "0" { "1" } else { "0" };
        device.know([
            ("local", address.to_owned()),
            ("rd", domain.to_owned()),
            ("otherRd", other.to_owned()),
        ]);
        if write {
            if address == "any6" || address.contains(':') {
                return Err(RunError::TunnelFamily(path.to_owned()));
            }
            if !tunnel.records(device).await?.is_empty() {
                return Err(RunError::TunnelInUse(path.to_owned()));
            }
        }
        Ok(tunnel)
    }

    /// Makes the placeholder for a tunnel known that no device has.
    pub(crate) fn know_absent(device: &mut Conversation<'_>) {
        device.know([("absentTunnel", ABSENT.to_owned())]);
    }

    /// Removes what a fixture has left. A connection that just broke is given a second chance.
    pub(crate) async fn clean_up(&self, device: &mut Conversation<'_>) -> Result<(), RunError> {
        match self.remove_all(device).await {
            Err(RunError::Target(TargetError::Unanswered(_))) => self.remove_all(device).await,
            done => done,
        }
    }

    async fn remove_all(&self, device: &mut Conversation<'_>) -> Result<(), RunError> {
        for name in self.records(device).await? {
            if !self.written.contains(&notation(&name)) {
                return Err(RunError::Foreign(device.without_secrets(&name)));
            }
            let url = format!("{RECORDS}/{name}");
            let answer = device.ask(Method::DELETE, &url).await?;
            if answer.status != 200 && answer.status != 404 {
                let seen = device.shown(&answer, &[]);
                return Err(RunError::CleanUp { name, seen });
            }
        }
        match self.records(device).await?.into_iter().next() {
            None => Ok(()),
            Some(name) => {
                let seen = "it is still listed".to_owned();
                Err(RunError::CleanUp { name, seen })
            }
        }
    }

    /// The names of its records.
    async fn records(&self, device: &mut Conversation<'_>) -> Result<Vec<String>, RunError> {
        let answer = device.ask(Method::GET, RECORDS).await?;
        let list: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status != 200 || !list.is_object() {
            return Err(RunError::Tunnel {
                tunnel: self.path.clone(),
                seen: device.shown(&answer, &[]),
            });
        }
        let items = list.get("items").and_then(Value::as_array);
        let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
        Ok(items.into_iter().flatten().filter_map(name).collect())
    }
}

/// A device may show a name in another notation than it was written in.
fn notation(name: &str) -> String {
    let significant = name.chars().filter(|c| !matches!(c, ':' | '-' | '.'));
    significant.map(|c| c.to_ascii_lowercase()).collect()
}
