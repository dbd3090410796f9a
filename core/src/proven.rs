//! What the devices of one object have proven to be, in this process.
//!
//! A unit says its name and base MAC address, and proves its key. Two devices are one unit only if both
//! agree. A certificate may be renewed between two logins: the last two keys of each device count. Beside
//! the proof stands when the device was last verified, and whether a look at it has failed since. A proof
//! counts for the place where it was made: behind another address there may be another unit. Pure: knows
//! nothing of logins.

use std::collections::BTreeMap;

use crate::time::Moment;
use crate::tunnel::TunnelPath;
use crate::unit::{Place, ProvenUnit, PublicKeyHash};

/// The units behind the devices of one object.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ProvenUnits {
    seen: BTreeMap<String, Seen>,
    /// Where the devices of the spec are reached.
    listed: BTreeMap<String, Place>,
}

/// What one device has proven to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    unit: ProvenUnit,
    /// Where the unit has proven it.
    place: Place,
    /// The key that this unit proved before, behind the same device.
    previous_key: Option<PublicKeyHash>,
    /// The last verification of the device.
    verified: Option<Verified>,
    /// Whether a look at the device has failed since: another unit may stand there now.
    in_doubt: bool,
}

/// A device's tunnel and records, read under a login that proved the unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Where the unit was reached.
    pub place: Place,
    /// The tunnel that was read.
    pub tunnel: TunnelPath,
    /// When.
    pub at: Moment,
}

impl Seen {
    /// A unit that was proven and not verified yet.
    pub const fn new(place: Place, unit: ProvenUnit) -> Self {
        Self {
            unit,
            place,
            previous_key: None,
            verified: None,
            in_doubt: false,
        }
    }

    /// Whether this unit has proven this identity, and this key as one of its last two.
    pub fn has_proven(&self, unit: &ProvenUnit) -> bool {
        self.unit.identity == unit.identity && self.has_key(unit.key)
    }

    /// What it said it is, whatever its key.
    pub const fn unit(&self) -> &ProvenUnit {
        &self.unit
    }

    /// The last verification.
    pub const fn verified(&self) -> Option<&Verified> {
        self.verified.as_ref()
    }

    /// Whether the proof holds for what answers at this place now: it was made there, and no look at the
    /// device has failed since.
    pub fn is_current(&self, place: Option<&Place>) -> bool {
        let made_at = self.verified.as_ref().map(|verified| &verified.place);
        !self.in_doubt && made_at.is_some() && made_at == place
    }

    fn has_key(&self, key: PublicKeyHash) -> bool {
        self.unit.key == key || self.previous_key == Some(key)
    }

    /// Whether the two are one unit: the key of one of them is among the last two of the other.
    pub fn is_same(&self, other: &Self) -> bool {
        self.unit.identity == other.unit.identity
            && (self.has_key(other.unit.key) || other.has_key(self.unit.key))
    }
}

impl ProvenUnits {
    /// Takes in where the devices of the spec are reached. Forgets what was proven behind another address, and
    /// what a device was that has left the spec. Returns whether there was something to forget.
    pub fn list(&mut self, listed: BTreeMap<String, Place>) -> bool {
        let before = self.seen.len();
        self.seen.retain(|device, seen| match listed.get(device) {
            Some(place) => seen.place == *place,
            None => !self.listed.contains_key(device),
        });
        self.listed = listed;
        self.seen.len() != before
    }

    /// Notes what a device has proven to be at this place. Returns whether that is new. Drops a proof of a listed
    /// device that was made at another place than it is listed at: the spec has changed while it was made.
    pub fn note(&mut self, device: &str, place: &Place, unit: &ProvenUnit) -> bool {
        let listed = self.listed.get(device);
        if listed.is_some_and(|listed| listed != place) {
            return false;
        }
        let before = self.seen.get(device);
        let before = before.filter(|before| before.place == *place);
        if before.is_some_and(|before| before.unit == *unit) {
            return false;
        }
        let same = before.filter(|before| before.unit.identity == unit.identity);
        let seen = Seen {
            previous_key: same.map(|same| same.unit.key),
            verified: same.and_then(|same| same.verified.clone()),
            in_doubt: same.is_some_and(|same| same.in_doubt),
            ..Seen::new(place.clone(), unit.clone())
        };
        self.seen.insert(device.to_owned(), seen);
        true
    }

    /// Notes that a device was verified. Nothing where its unit has proven nothing at that place.
    pub fn note_verified(&mut self, device: &str, verified: Verified) {
        let seen = self.seen.get_mut(device);
        if let Some(seen) = seen.filter(|seen| seen.place == verified.place) {
            seen.verified = Some(verified);
            seen.in_doubt = false;
        }
    }

    /// Notes that a look at a device has failed.
    pub fn note_doubt(&mut self, device: &str) {
        if let Some(seen) = self.seen.get_mut(device) {
            seen.in_doubt = true;
        }
    }

    /// What a device has proven to be, and when it was verified.
    pub fn seen(&self, device: &str) -> Option<&Seen> {
        self.seen.get(device)
    }

    /// Forgets what a device was: it proves nothing any more. Returns whether it was known.
    pub fn forget(&mut self, device: &str) -> bool {
        self.seen.remove(device).is_some()
    }

    /// Forgets what a device has proven at another place than this one. Returns whether there was such a proof.
    pub fn forget_elsewhere(&mut self, device: &str, place: &Place) -> bool {
        let seen = self.seen.get(device);
        seen.is_some_and(|seen| seen.place != *place) && self.forget(device)
    }

    /// What a device has proven to be, with its latest key.
    pub fn of(&self, device: &str) -> Option<&ProvenUnit> {
        self.seen.get(device).map(|seen| &seen.unit)
    }

    /// Whether a device has proven this identity and key, as one of its last two keys.
    pub fn have_seen(&self, unit: &ProvenUnit) -> bool {
        let mut seen = self.seen.values();
        seen.any(|seen| seen.has_proven(unit))
    }

    /// The first of these other devices that is the same unit as this one.
    pub fn same_unit<'a>(
        &self,
        device: &str,
        mut others: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let this = self.seen.get(device)?;
        others.find(|other| {
            self.seen
                .get(*other)
                .is_some_and(|other| other.is_same(this))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{tunnel, unit};

    fn here() -> Place {
        Place::new("192.0.2.11", 443)
    }

    fn elsewhere() -> Place {
        Place::new("192.0.2.12", 443)
    }

    fn listed(place: Place) -> BTreeMap<String, Place> {
        [("a".to_owned(), place)].into()
    }

    fn known(devices: &[(&str, u8)]) -> ProvenUnits {
        let mut known = ProvenUnits::default();
        for (device, key) in devices {
            known.note(device, &here(), &unit("bigip01", *key));
        }
        known
    }

    fn twin<'a>(known: &ProvenUnits, device: &str, others: &[&'a str]) -> Option<&'a str> {
        known.same_unit(device, others.iter().copied())
    }

    #[test]
    fn equal_identity_and_key_are_one_unit() {
        assert_eq!(twin(&known(&[("a", 1), ("b", 1)]), "b", &["a"]), Some("a"));
    }

    #[test]
    fn repeated_name_with_another_key_is_another_unit() {
        let known = known(&[("a", 1), ("b", 2)]);
        assert_eq!(twin(&known, "b", &["a"]), None);
        assert_eq!(twin(&known, "a", &["b"]), None);
    }

    #[test]
    fn equal_key_under_another_name_is_another_unit() {
        let mut known = known(&[("a", 1)]);
        known.note("b", &here(), &unit("bigip02", 1));
        assert_eq!(twin(&known, "b", &["a"]), None);
    }

    #[test]
    fn renewed_certificate_keeps_two_devices_one_unit() {
        let mut known = known(&[("a", 1), ("b", 1)]);
        assert!(known.note("a", &here(), &unit("bigip01", 2)));
        assert_eq!(twin(&known, "b", &["a"]), Some("a"));
        assert_eq!(twin(&known, "a", &["b"]), Some("b"));
    }

    #[test]
    fn only_the_last_two_keys_of_a_device_count() {
        let known = known(&[("a", 1), ("a", 2), ("a", 3)]);
        let seen = |key| known.have_seen(&unit("bigip01", key));
        assert_eq!([seen(1), seen(2), seen(3)], [false, true, true]);
        assert!(!known.have_seen(&unit("bigip02", 3)));
    }

    #[test]
    fn keys_of_a_replaced_unit_do_not_count() {
        let mut known = known(&[("a", 1)]);
        known.note("a", &here(), &unit("bigip02", 2));
        assert!(!known.have_seen(&unit("bigip02", 1)));
        assert!(!known.have_seen(&unit("bigip01", 1)));
    }

    #[test]
    fn failed_read_puts_a_proof_in_doubt_until_verified() {
        let place = Place::new("192.0.2.11", 443);
        let verified = Verified {
            place: place.clone(),
            tunnel: tunnel(),
            at: Moment::default(),
        };
        let mut known = known(&[("a", 1)]);
        let is_current = |known: &ProvenUnits, at: &Place| {
            known
                .seen("a")
                .is_some_and(|seen| seen.is_current(Some(at)))
        };
        assert!(!is_current(&known, &place));
        known.note_verified("a", verified.clone());
        assert!(is_current(&known, &place));
        assert!(!is_current(&known, &Place::new("192.0.2.12", 443)));
        known.note_doubt("a");
        known.note("a", &here(), &unit("bigip01", 2));
        assert!(!is_current(&known, &place));
        known.note_verified("a", verified);
        assert!(is_current(&known, &place));
        known.note("a", &here(), &unit("bigip02", 2));
        assert!(!is_current(&known, &place));
    }

    #[test]
    fn same_unit_noted_again_is_no_change() {
        let mut known = known(&[("a", 1)]);
        assert!(!known.note("a", &here(), &unit("bigip01", 1)));
        assert!(known.forget("a"));
        assert!(!known.forget("a"));
        assert_eq!(known.of("a"), None);
    }
    #[test]
    fn proof_of_another_address_is_dropped() {
        let mut known = ProvenUnits::default();
        known.list(listed(here()));
        assert!(known.note("a", &here(), &unit("bigip01", 1)));
        assert!(known.list(listed(elsewhere())), "it was at another address");
        assert_eq!(known.of("a"), None);
        // A pass that began before the change still reads the unit there.
        assert!(!known.note("a", &here(), &unit("bigip01", 1)));
        assert_eq!(known.of("a"), None);
        assert!(known.note("a", &elsewhere(), &unit("bigip02", 1)));
        assert!(!known.list(listed(elsewhere())));
        assert_eq!(known.of("a"), Some(&unit("bigip02", 1)));
    }

    #[test]
    fn device_listed_again_elsewhere_has_proven_nothing() {
        let mut known = ProvenUnits::default();
        known.list(listed(here()));
        known.note("a", &here(), &unit("bigip01", 1));
        assert!(known.list(BTreeMap::new()));
        // It is cleaned up where it was.
        assert!(known.note("a", &here(), &unit("bigip01", 1)));
        assert!(!known.list(BTreeMap::new()));
        assert!(known.of("a").is_some());
        assert!(known.list(listed(elsewhere())));
        assert_eq!(known.of("a"), None);
    }

    #[test]
    fn pass_at_another_address_forgets_the_proof_before_it() {
        let mut known = known(&[("a", 1)]);
        assert!(!known.forget_elsewhere("a", &here()));
        assert!(known.forget_elsewhere("a", &elsewhere()));
        assert_eq!(known.of("a"), None);
    }

    #[test]
    fn verification_at_another_address_does_not_count() {
        let mut known = known(&[("a", 1)]);
        known.note_verified(
            "a",
            Verified {
                place: elsewhere(),
                tunnel: tunnel(),
                at: Moment::default(),
            },
        );
        assert_eq!(known.seen("a").and_then(Seen::verified), None);
    }
}
