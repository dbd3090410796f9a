//! Who owns which record on which device.
//!
//! FDB records carry no owner mark, so ownership is a list of claims in the object's status. A claim
//! is written *before* the device is touched; without a claim nothing is written or removed. Knows
//! nothing of how the list is stored.

use std::collections::BTreeMap;

use crate::mac::MacAddress;

/// How far a claim has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimState {
    /// About to be written, or written and not read back yet.
    Pending,
    /// Read on the device with the endpoint we want.
    Owned,
    /// About to be removed, or removed and not known to be out of the stored configuration.
    Leaving,
}

/// The claims for one device.
pub type DeviceClaims = BTreeMap<MacAddress, ClaimState>;

/// The claims of one object, per device name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims(BTreeMap<String, DeviceClaims>);

/// Claims of one state that a set of devices has in common: the form in which claims are stored.
/// In the normal case one row names all devices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimRow {
    /// Device names, sorted.
    pub devices: Vec<String>,
    /// The state they share.
    pub state: ClaimState,
    /// The claimed MAC addresses, sorted.
    pub macs: Vec<MacAddress>,
}

/// The most rows that are stored: what the schema of the status allows. Three for each of 8 devices
/// and 8 that have left.
pub const ROWS_MAX: usize = 48;

/// The most MAC addresses that are stored, over all rows: 5,000 cost about 100 KB and a status
/// cannot grow beyond about 1.5 MB (measured on a real API server).
pub const MACS_MAX: usize = 20_000;

/// A change of one device's claims: `None` drops the claim.
pub type ClaimChanges = BTreeMap<MacAddress, Option<ClaimState>>;

impl Claims {
    /// The claims for this device. Empty when there are none.
    pub fn of(&self, device: &str) -> &DeviceClaims {
        static NONE: DeviceClaims = BTreeMap::new();
        self.0.get(device).unwrap_or(&NONE)
    }

    /// The names of all devices with a claim.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether nothing is claimed anywhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many MAC addresses are claimed, counted once per device.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// How many more claims fit into what can be stored.
    pub fn room(&self) -> usize {
        let stored: usize = self.to_rows().iter().map(|row| row.macs.len()).sum();
        MACS_MAX.saturating_sub(stored)
    }

    /// Carries out a change. Returns whether it changed anything.
    pub fn apply(&mut self, device: &str, changes: &ClaimChanges) -> bool {
        let before = self.of(device).clone();
        let claims = self.0.entry(device.to_owned()).or_default();
        for (mac, change) in changes {
            match change {
                Some(state) => claims.insert(*mac, *state),
                None => claims.remove(mac),
            };
        }
        let differs = *claims != before;
        if claims.is_empty() {
            self.0.remove(device);
        }
        differs
    }

    /// Moves the claims on one device to another name. Where both have one, the more careful counts.
    /// Returns whether there was anything to move.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        let Some(moved) = self.0.remove(from) else {
            return false;
        };
        let claims = self.0.entry(to.to_owned()).or_default();
        for (mac, state) in moved {
            let known = claims.entry(mac).or_insert(state);
            *known = more_careful(*known, state);
        }
        true
    }

    /// The claims as rows, in a fixed order, so that equal claims are stored equal. At most
    /// [`ROWS_MAX`]: where devices differ too much for common rows, each has its own.
    pub fn to_rows(&self) -> Vec<ClaimRow> {
        let common = self.common_rows();
        if common.len() <= ROWS_MAX {
            common
        } else {
            self.rows_by_device()
        }
    }

    fn common_rows(&self) -> Vec<ClaimRow> {
        let mut holders: BTreeMap<(ClaimState, MacAddress), Vec<String>> = BTreeMap::new();
        for (device, claims) in &self.0 {
            for (mac, state) in claims {
                holders
                    .entry((*state, *mac))
                    .or_default()
                    .push(device.clone());
            }
        }
        let mut rows: BTreeMap<(Vec<String>, ClaimState), Vec<MacAddress>> = BTreeMap::new();
        for ((state, mac), devices) in holders {
            rows.entry((devices, state)).or_default().push(mac);
        }
        into_rows(rows)
    }

    /// Three rows per device at most.
    fn rows_by_device(&self) -> Vec<ClaimRow> {
        let mut rows: BTreeMap<(Vec<String>, ClaimState), Vec<MacAddress>> = BTreeMap::new();
        for (device, claims) in &self.0 {
            for (mac, state) in claims {
                rows.entry((vec![device.clone()], *state))
                    .or_default()
                    .push(*mac);
            }
        }
        into_rows(rows)
    }

    /// Reads rows back. Of two rows that disagree the more careful state counts: a record that may
    /// be leaving is not taken for one that is surely ours.
    pub fn from_rows(rows: impl IntoIterator<Item = ClaimRow>) -> Self {
        let mut claims = Self::default();
        for row in rows {
            for device in row.devices {
                let of_device = claims.0.entry(device).or_default();
                for mac in &row.macs {
                    let state = of_device.entry(*mac).or_insert(row.state);
                    *state = more_careful(*state, row.state);
                }
            }
        }
        claims.0.retain(|_, of_device| !of_device.is_empty());
        claims
    }
}

fn into_rows(rows: BTreeMap<(Vec<String>, ClaimState), Vec<MacAddress>>) -> Vec<ClaimRow> {
    let rows = rows.into_iter();
    rows.map(|((devices, state), macs)| ClaimRow {
        devices,
        state,
        macs,
    })
    .collect()
}

fn more_careful(a: ClaimState, b: ClaimState) -> ClaimState {
    let rank = |state| match state {
        ClaimState::Owned => 0,
        ClaimState::Leaving => 1,
        ClaimState::Pending => 2,
    };
    if rank(a) >= rank(b) { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mac;
    use proptest::prelude::*;

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";

    #[test]
    fn devices_that_agree_share_one_row() {
        let mut claims = Claims::default();
        for device in ["b", "a"] {
            let both = [M1, M2].map(|m| (mac(m), Some(ClaimState::Owned)));
            claims.apply(device, &both.into());
        }
        assert_eq!(
            claims.to_rows(),
            [ClaimRow {
                devices: vec!["a".into(), "b".into()],
                state: ClaimState::Owned,
                macs: vec![mac(M1), mac(M2)],
            }]
        );
    }

    #[test]
    fn a_record_that_all_devices_have_takes_up_room_once() {
        let mut claims = Claims::default();
        for device in ["a", "b"] {
            claims.apply(device, &[(mac(M1), Some(ClaimState::Owned))].into());
        }
        assert_eq!(claims.room(), MACS_MAX - 1);
        claims.apply("a", &[(mac(M1), Some(ClaimState::Leaving))].into());
        assert_eq!(claims.room(), MACS_MAX - 2);
    }

    #[test]
    fn devices_that_all_differ_still_fit_into_the_rows_of_the_schema() {
        let mut claims = Claims::default();
        // One MAC for every set of the eight devices: 255 sets.
        for set in 1..=255_u8 {
            let mac = MacAddress::new([0x0a, 0x0a, 10, 0, 0, set]);
            for device in (0..8).filter(|bit| set & (1 << bit) != 0) {
                claims.apply(
                    &format!("bigip-{device}"),
                    &[(mac, Some(ClaimState::Owned))].into(),
                );
            }
        }
        let rows = claims.to_rows();
        assert!(rows.len() <= ROWS_MAX, "{}", rows.len());
        assert_eq!(Claims::from_rows(rows), claims);
    }

    #[test]
    fn dropping_the_last_claim_of_a_device_forgets_the_device() {
        let mut claims = Claims::default();
        assert!(claims.apply("a", &[(mac(M1), Some(ClaimState::Pending))].into()));
        assert!(claims.apply("a", &[(mac(M1), None)].into()));
        assert!(claims.is_empty());
        assert!(!claims.apply("a", &[(mac(M1), None)].into()));
    }

    #[test]
    fn a_device_that_got_another_name_keeps_its_claims() {
        let mut claims = Claims::default();
        claims.apply("a", &[(mac(M1), Some(ClaimState::Owned))].into());
        claims.apply("b", &[(mac(M2), Some(ClaimState::Owned))].into());
        assert!(claims.rename("a", "b"));
        let both = [(mac(M1), ClaimState::Owned), (mac(M2), ClaimState::Owned)];
        assert_eq!(*claims.of("b"), both.into());
        assert_eq!(claims.devices().collect::<Vec<_>>(), ["b"]);
        assert!(!claims.rename("a", "b"));
    }

    #[test]
    fn of_two_rows_that_disagree_the_more_careful_one_counts() {
        let row = |state| ClaimRow {
            devices: vec!["a".into()],
            state,
            macs: vec![mac(M1)],
        };
        let claims = Claims::from_rows([row(ClaimState::Pending), row(ClaimState::Owned)]);
        assert_eq!(claims.of("a")[&mac(M1)], ClaimState::Pending);
    }

    fn any_claims() -> impl Strategy<Value = Claims> {
        let state = prop_oneof![
            Just(ClaimState::Pending),
            Just(ClaimState::Owned),
            Just(ClaimState::Leaving)
        ];
        let macs = proptest::collection::btree_map(
            any::<[u8; 6]>().prop_map(MacAddress::new),
            state,
            1..20,
        );
        proptest::collection::btree_map("[a-c]", macs, 0..3).prop_map(Claims)
    }

    proptest! {
        #[test]
        fn claims_survive_being_stored(claims in any_claims()) {
            prop_assert_eq!(Claims::from_rows(claims.to_rows()), claims);
        }
    }
}
