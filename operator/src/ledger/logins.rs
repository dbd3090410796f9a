//! The rows of logins in an object's status. One is written before a password is sent that was never accepted;
//! otherwise they go along with the status.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use bigip_tunnel_core::account::LoginRecord;
use bigip_tunnel_crds::status::{DEVICES_MAX, note_logins};
use bigip_tunnel_crds::v1alpha1::{BigIpTunnelStatus, DeviceStatus};
use json_patch::PatchOperation;

use super::{Ledger, LedgerError, Stored, patch};

/// The last login that was tried for each device, by its name.
pub(super) type Logins = BTreeMap<String, LoginRecord>;

impl Ledger {
    /// Has the next status show this login.
    pub(crate) fn note_login(&self, device: &str, login: LoginRecord) {
        self.logins().insert(device.to_owned(), login);
    }

    /// Writes a login into the status, and returns when it is there. `device`: what is noted of the device where
    /// the status does not know it yet.
    pub(crate) async fn store_login(
        &self,
        device: &DeviceStatus,
        login: &LoginRecord,
    ) -> Result<(), LedgerError> {
        let tried = Logins::from([(device.name.clone(), login.clone())]);
        let result = self
            .bring_to(|stored| noted(stored, device, &tried))
            .await
            .map(|_| ());
        let result = match result {
            Ok(()) if !self.shows(device, &tried).await => Err(LedgerError::LoginDropped),
            result => result,
        };
        if result.is_ok() {
            self.note_login(&device.name, login.clone());
        }
        result
    }

    /// Whether the status says this. A resource definition of an older version leaves it out.
    async fn shows(&self, device: &DeviceStatus, tried: &Logins) -> bool {
        let stored = self.stored.lock().await;
        noted(&stored, device, tried).is_ok_and(|operations| operations.is_empty())
    }

    /// What was tried, to be put into the next status.
    pub(super) fn with_logins(
        &self,
        stored: &BigIpTunnelStatus,
        mut next: BigIpTunnelStatus,
    ) -> BigIpTunnelStatus {
        note_logins(stored, &mut next, &self.logins());
        next
    }

    /// A device has got another name.
    pub(super) fn rename_login(&self, from: &str, to: &str) {
        let mut logins = self.logins();
        if let Some(login) = logins.remove(from) {
            logins.insert(to.to_owned(), login);
        }
    }

    /// A panic cannot leave the map half changed.
    fn logins(&self) -> MutexGuard<'_, Logins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The operations that note a login; none where it is noted already.
fn noted(
    stored: &Stored,
    device: &DeviceStatus,
    tried: &Logins,
) -> Result<Vec<PatchOperation>, LedgerError> {
    stored.check_readable()?;
    let before = &stored.status;
    let mut next = before.clone();
    let names = before.devices.iter().map(|d| &d.name);
    let mut names = names.chain(before.former_devices.iter().map(|d| &d.name));
    if !names.any(|name| *name == device.name) {
        // There may be no room beside devices that have just left the spec: the next status makes it.
        if next.devices.len() >= DEVICES_MAX {
            return Err(LedgerError::Busy);
        }
        next.devices.push(device.clone());
    }
    note_logins(before, &mut next, tried);
    let mut operations = Vec::new();
    if next.devices != before.devices {
        operations.push(patch::set("devices", &next.devices)?);
    }
    if next.former_devices != before.former_devices {
        operations.push(patch::set("formerDevices", &next.former_devices)?);
    }
    Ok(operations)
}
