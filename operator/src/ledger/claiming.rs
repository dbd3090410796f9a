//! Claims on records: stored before a device is touched, those of several devices in one write.
//!
//! The devices of an object see a new node at the same moment, and a write costs the API server the more the
//! larger the cluster is. Decides nothing.

use std::time::Duration;

use bigip_tunnel_core::budget::Window;
use bigip_tunnel_core::claims::{ClaimChanges, Claims, DeviceClaims, NodeChanges};
use bigip_tunnel_core::pass::inputs::Spending;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::status::DEVICES_MAX;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnelStatus, DeviceStatus};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::{CONFLICT_TRIES, Ledger, LedgerError, Stored, may_be_stored};

/// How long a claim waits for those of the other devices. They come to it at the same time, within what it
/// takes to plan.
const GATHER: Duration = Duration::from_millis(5);

/// What one device wants to be stored.
pub(super) struct Claim {
    device: String,
    changes: ClaimChanges,
    nodes: NodeChanges,
    /// What is known of the device: how it is reached, and since when it holds changes that are not saved.
    note: Option<DeviceStatus>,
}

impl Claim {
    fn apply(&self, claims: &mut Claims) -> bool {
        let changed = claims.apply(&self.device, &self.changes);
        claims.note_nodes(&self.nodes) || changed
    }

    /// Notes how the device is reached, and since when there are changes that are not saved; nothing where
    /// that is noted already. Returns whether it did.
    fn note_device(&self, devices: &mut Vec<DeviceStatus>) -> bool {
        let Some(note) = self.note.as_ref() else {
            return false;
        };
        let is_known = |known: &&mut DeviceStatus| known.name == note.name;
        let Some(known) = devices.iter_mut().find(is_known) else {
            // There may be no room beside devices that have just left the spec.
            let has_room = devices.len() < DEVICES_MAX;
            if has_room {
                devices.push(note.clone());
            }
            return has_room;
        };
        let before = known.clone();
        if known.unsaved_since.is_none() {
            known.unsaved_since.clone_from(&note.unsaved_since);
        }
        // A login at another address is not one at this address.
        if known.address == note.address && known.port == note.port {
            known
                .credentials_secret_ref
                .clone_from(&note.credentials_secret_ref);
            known.tls.clone_from(&note.tls);
        }
        *known != before
    }
}

/// A claim, and where the answer goes.
pub(super) type Waiting = (Claim, oneshot::Sender<Result<DeviceClaims, LedgerError>>);

impl Ledger {
    /// Changes the claims for one device. Returns all claims on it as they are stored then, before another claim or
    /// another client changes them. Writes nothing when nothing changes. Removals are taken from the budget in the same write, so that no other claim
    /// can spend it in between; and how the device is reached, and since when it holds changes that are not
    /// saved, stands there before it is touched.
    pub(crate) async fn claim(
        &self,
        device: &str,
        changes: &ClaimChanges,
        nodes: &NodeChanges,
        spending: Option<&Spending>,
        note: Option<&DeviceStatus>,
    ) -> Result<DeviceClaims, LedgerError> {
        let claim = || Claim {
            device: device.to_owned(),
            changes: changes.clone(),
            nodes: nodes.clone(),
            note: note.cloned(),
        };
        {
            let mut stored = self.stored.lock().await;
            stored.check_readable()?;
            let own = [claim()];
            if is_stored(&stored, &own) {
                return Ok(stored.claims.of(device).clone());
            }
            // Whether removals may be paid for is decided by what is stored, while no other claim is.
            if let Some(spending) = spending {
                let window = spending.window(&stored.removals(device, &spending.listed))?;
                self.store(&mut stored, &own, window.as_ref()).await?;
                return Ok(stored.claims.of(device).clone());
            }
        }
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.waiting().push((claim(), answer));
            tokio::time::sleep(GATHER).await;
            let mut stored = self.stored.lock().await;
            match answered.try_recv() {
                Ok(result) => return result,
                // The caller that wrote for this device was stopped in the middle of it.
                Err(TryRecvError::Closed) => {}
                Err(TryRecvError::Empty) => {
                    self.store_all(&mut stored).await?;
                    return Ok(stored.claims.of(device).clone());
                }
            }
        }
    }

    /// Stores what waits, this caller's claim among it, and answers all of them.
    async fn store_all(&self, stored: &mut Stored) -> Result<(), LedgerError> {
        let waiting = std::mem::take(&mut *self.waiting());
        // No device is touched for a claim whose caller is gone.
        let (claims, answers): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .filter(|(_, answer)| !answer.is_closed())
            .unzip();
        let result = self.store(stored, &claims, None).await;
        for (claim, answer) in claims.iter().zip(answers) {
            let claims = || stored.claims.of(&claim.device).clone();
            // A caller that was stopped meanwhile does not receive it.
            let _: Result<_, _> = answer.send(result.clone().map(|()| claims()));
        }
        result
    }

    async fn store(
        &self,
        stored: &mut Stored,
        batch: &[Claim],
        window: Option<&Window>,
    ) -> Result<(), LedgerError> {
        stored.check_readable()?;
        let before = stored.claims.clone();
        let mut wanted = before.clone();
        for claim in batch {
            claim.apply(&mut wanted);
        }
        for _ in 0..CONFLICT_TRIES {
            let noted = noted(stored, batch);
            if stored.claims == wanted && noted.is_none() {
                return Ok(());
            }
            let status = self.with_claims(stored, &wanted, window, noted);
            match self.replace(stored, status).await {
                Ok(()) => {
                    stored.check_readable()?;
                    if stored.claims != wanted {
                        return Err(LedgerError::NotAsSent);
                    }
                    return Ok(());
                }
                Err(LedgerError::Call(error)) if may_be_stored(&error) => {
                    self.reread(stored).await?;
                    stored.check_readable()?;
                    if stored.claims != before && stored.claims != wanted {
                        return Err(LedgerError::Overtaken);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(LedgerError::Busy)
    }

    /// The stored status with these claims, and with what is written together with them.
    fn with_claims(
        &self,
        stored: &Stored,
        wanted: &Claims,
        window: Option<&Window>,
        devices: Option<Vec<DeviceStatus>>,
    ) -> BigIpTunnelStatus {
        let mut status = stored.status.clone();
        status.ownership = Some(convert::ownership(wanted, &self.uid));
        if let Some(window) = window {
            status.removal_window = Some(convert::stored_window(window));
        }
        if let Some(devices) = devices {
            status.devices = devices;
        }
        status
    }
}

/// Whether nothing has to be written for these claims.
fn is_stored(stored: &Stored, batch: &[Claim]) -> bool {
    let mut claims = stored.claims.clone();
    !batch.iter().any(|claim| claim.apply(&mut claims)) && noted(stored, batch).is_none()
}

/// What the status knows of the devices, with what these claims note of them, if that is not there yet.
fn noted(stored: &Stored, batch: &[Claim]) -> Option<Vec<DeviceStatus>> {
    let mut devices = stored.status.devices.clone();
    let mut differs = false;
    for claim in batch {
        differs |= claim.note_device(&mut devices);
    }
    differs.then_some(devices)
}

#[cfg(test)]
mod tests;
