//! Which units an object's devices have proven to be, shared between their tasks.
//!
//! Decides nothing: what a proof means is decided in `core::proven`.

use bigip_tunnel_core::proven::{ProvenUnits, Verified};
use bigip_tunnel_core::unit::{Place, ProvenUnit};
use tokio::sync::watch;

use crate::settings::DeviceSettings;

/// The units that an object's devices have proven to be in this process: finds one that is listed twice.
#[derive(Debug, Default)]
pub(crate) struct Identities(watch::Sender<ProvenUnits>);

impl Identities {
    /// Takes in the devices of a spec. Behind another address there may be another unit, also before it is asked.
    pub(crate) fn list(&self, devices: &[DeviceSettings]) {
        let listed = devices.iter();
        let listed = listed.map(|device| (device.name.clone(), device.place()));
        let listed = listed.collect();
        self.0.send_if_modified(|known| known.list(listed));
    }

    /// Notes which unit a device has proven to be at this place. Nothing where it is listed at another one now.
    pub(crate) fn note(&self, device: &str, place: &Place, unit: &ProvenUnit) {
        self.0
            .send_if_modified(|known| known.note(device, place, unit));
    }

    /// Forgets which unit a device was at another place than this one.
    pub(crate) fn forget_elsewhere(&self, device: &str, place: &Place) {
        self.0
            .send_if_modified(|known| known.forget_elsewhere(device, place));
    }

    /// Forgets which unit a device was: it proves nothing any more.
    pub(crate) fn forget(&self, device: &str) {
        self.0.send_if_modified(|known| known.forget(device));
    }

    /// Which unit a device has proven to be.
    pub(crate) fn of(&self, device: &str) -> Option<ProvenUnit> {
        self.0.borrow().of(device).cloned()
    }

    /// The device listed before this one that is the same unit.
    pub(crate) fn twin(&self, device: &str, devices: &[DeviceSettings]) -> Option<String> {
        let names = devices.iter().map(|device| device.name.as_str());
        let before = names.take_while(|name| *name != device);
        self.0.borrow().same_unit(device, before).map(str::to_owned)
    }

    /// Notes that a device was verified.
    pub(crate) fn note_verified(&self, device: &str, verified: Verified) {
        self.note_quietly(|known| known.note_verified(device, verified));
    }

    /// Notes that a verification of a device has failed, or showed another unit.
    pub(crate) fn note_doubt(&self, device: &str) {
        self.note_quietly(|known| known.note_doubt(device));
    }

    /// Which units the devices are is the same as before, so nothing has to be done about it.
    fn note_quietly(&self, note: impl FnOnce(&mut ProvenUnits)) {
        self.0.send_if_modified(|known| {
            note(known);
            false
        });
    }

    /// What is known now. To be given back before anything is waited for.
    pub(crate) fn known(&self) -> watch::Ref<'_, ProvenUnits> {
        self.0.borrow()
    }

    /// All that is known. Changes when a device turns out to be another unit, or one that is known already.
    pub(crate) fn subscribe(&self) -> watch::Receiver<ProvenUnits> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::unit::{PublicKeyHash, UnitIdentity};
    use bigip_tunnel_crds::v1alpha1::Tls;

    use super::*;

    fn device(name: &str) -> DeviceSettings {
        DeviceSettings {
            name: name.into(),
            host: "192.0.2.11".into(),
            port: 443,
            secret: "login".into(),
            tls: Tls::default(),
        }
    }

    #[test]
    fn of_two_entries_for_one_unit_the_first_listed_counts() {
        let unit = ProvenUnit {
            identity: UnitIdentity {
                device_name: "bigip01".into(),
                base_mac: "00:0c:29:35:0d:bd".into(),
            },
            key: PublicKeyHash([1; 32]),
        };
        let devices = [device("a"), device("b")];
        let place = devices[0].place();
        let identities = Identities::default();
        identities.list(&devices);
        identities.note("b", &place, &unit);
        assert_eq!(identities.twin("b", &devices), None);
        identities.note("a", &place, &unit);
        assert_eq!(identities.twin("a", &devices), None);
        assert_eq!(identities.twin("b", &devices), Some("a".into()));
        identities.forget("a");
        assert_eq!(identities.twin("b", &devices), None);
    }
}
