//! Claims on records: stored before a device is touched, those of several devices in one write.
//!
//! The devices of an object see a new node at the same moment, and a write costs the API server the more the
//! larger the cluster is. Decides nothing.

use std::time::Duration;

use bigip_tunnel_core::budget::Window;
use bigip_tunnel_core::claims::{ClaimChanges, Claims};
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::status::DEVICES_MAX;
use bigip_tunnel_crds::v1alpha1::DeviceStatus;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::{CONFLICT_TRIES, Ledger, LedgerError, Spending, Stored, may_be_stored};

/// How long a claim waits for those of the other devices. They come to it at the same time, within what it
/// takes to plan.
const GATHER: Duration = Duration::from_millis(5);

/// What one device wants to be stored.
pub(super) struct Claim {
    device: String,
    changes: ClaimChanges,
    /// What is known of the device, with the time since when it holds changes that are not saved.
    unsaved: Option<DeviceStatus>,
}

impl Claim {
    fn apply(&self, claims: &mut Claims) -> bool {
        claims.apply(&self.device, &self.changes)
    }

    /// Notes since when there are changes that are not saved; nothing where that is noted already. Returns
    /// whether it did.
    fn note_unsaved(&self, devices: &mut Vec<DeviceStatus>) -> bool {
        let Some(unsaved) = self.unsaved.as_ref() else {
            return false;
        };
        let is_known = |known: &&mut DeviceStatus| known.name == unsaved.name;
        if let Some(known) = devices.iter_mut().find(is_known) {
            let is_news = known.unsaved_since.is_none() && unsaved.unsaved_since.is_some();
            if is_news {
                known.unsaved_since.clone_from(&unsaved.unsaved_since);
            }
            return is_news;
        }
        // There may be no room beside devices that have just left the spec.
        let is_news = devices.len() < DEVICES_MAX && unsaved.unsaved_since.is_some();
        if is_news {
            devices.push(unsaved.clone());
        }
        is_news
    }
}

/// A claim, and where the answer goes.
pub(super) type Waiting = (Claim, oneshot::Sender<Result<(), LedgerError>>);

impl Ledger {
    /// Changes the claims for one device and returns when that is stored. Writes nothing when
    /// nothing changes. Removals are taken from the budget in the same write, so that nobody else
    /// can spend it in between; and since when the device holds changes that are not saved stands
    /// there before it is touched.
    pub(crate) async fn claim(
        &self,
        device: &str,
        changes: &ClaimChanges,
        spending: Option<&Spending<'_>>,
        unsaved: Option<&DeviceStatus>,
    ) -> Result<(), LedgerError> {
        let claim = || Claim {
            device: device.to_owned(),
            changes: changes.clone(),
            unsaved: unsaved.cloned(),
        };
        {
            let mut stored = self.stored.lock().await;
            let own = [claim()];
            if is_stored(&stored, &own) {
                return Ok(());
            }
            // Whether removals may be paid for is asked of what is stored, by nobody else meanwhile.
            if let Some(spending) = spending.filter(|spending| !spending.removing.is_empty()) {
                let window = spending.window(&stored, device)?;
                return self.store(&mut stored, &own, window.as_ref()).await;
            }
        }
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.waiting().push((claim(), answer));
            tokio::time::sleep(GATHER).await;
            let mut stored = self.stored.lock().await;
            match answered.try_recv() {
                Ok(result) => return result,
                // Whoever wrote for this device was stopped in the middle of it.
                Err(TryRecvError::Closed) => {}
                Err(TryRecvError::Empty) => return self.store_all(&mut stored).await,
            }
        }
    }

    /// Stores what waits, this caller's claim among it, and tells everybody what came of it.
    async fn store_all(&self, stored: &mut Stored) -> Result<(), LedgerError> {
        let waiting = std::mem::take(&mut *self.waiting());
        // Nobody touches a device for a claim that nobody waits for any more.
        let (claims, answers): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .filter(|(_, answer)| !answer.is_closed())
            .unzip();
        let result = self.store(stored, &claims, None).await;
        for answer in answers {
            // One who was stopped meanwhile does not hear it.
            let _: Result<_, _> = answer.send(result.clone());
        }
        result
    }

    async fn store(
        &self,
        stored: &mut Stored,
        batch: &[Claim],
        window: Option<&Window>,
    ) -> Result<(), LedgerError> {
        let before = stored.claims.clone();
        let mut wanted = before.clone();
        for claim in batch {
            claim.apply(&mut wanted);
        }
        let mut operations = vec![self.ownership(&wanted)];
        if let Some(window) = window.and_then(convert::stored_window) {
            let value = serde_json::to_value(window).unwrap_or_default();
            operations.push(json!({"op": "add", "path": "/status/removalWindow", "value": value}));
        }
        for _ in 0..CONFLICT_TRIES {
            let noted = noted(stored, batch);
            if stored.claims == wanted && noted.is_none() {
                return Ok(());
            }
            let noted = noted.map(|devices| {
                let value = serde_json::to_value(devices).unwrap_or_default();
                json!({"op": "add", "path": "/status/devices", "value": value})
            });
            let all = operations.iter().cloned().chain(noted).collect();
            match self.patch(stored, all).await {
                Err(LedgerError::Call(error)) if may_be_stored(&error) => {
                    self.reread(stored).await?;
                    if stored.claims != before && stored.claims != wanted {
                        return Err(LedgerError::Overtaken);
                    }
                }
                result => return result,
            }
        }
        Err(LedgerError::Busy)
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
        differs |= claim.note_unsaved(&mut devices);
    }
    differs.then_some(devices)
}

#[cfg(test)]
mod tests;
