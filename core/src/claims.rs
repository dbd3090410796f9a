//! Who owns which record on which device.
//!
//! FDB records carry no owner mark, so ownership is a list of claims in the object's status. A claim
//! is written *before* the device is touched; without a claim nothing is written or removed. Beside each
//! claim stands the name of the node, so that a removal can ask for the node also after a restart. Knows
//! nothing of how the list is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::Desired;
use crate::mac::MacAddress;
use crate::node::NodeView;

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

/// Names of the nodes that claimed records are for. A record can have several: an address may pass from
/// one node to another while both exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeNames(BTreeSet<(MacAddress, Arc<str>)>);

impl NodeNames {
    /// The names of the nodes of this record. Empty when no node is known by name.
    pub fn of(&self, mac: MacAddress) -> impl Iterator<Item = &Arc<str>> {
        let first = (mac, Arc::from(""));
        let from_there = self.0.range(first..);
        from_there
            .take_while(move |(of, _)| *of == mac)
            .map(|(_, name)| name)
    }

    /// Whether no node of this record is known by name.
    pub fn is_unknown(&self, mac: MacAddress) -> bool {
        self.of(mac).next().is_none()
    }

    /// Adds a name.
    pub fn insert(&mut self, mac: MacAddress, name: &str) {
        self.0.insert((mac, Arc::from(name)));
    }

    fn set(&mut self, mac: MacAddress, names: &BTreeSet<Arc<str>>) {
        self.forget(mac);
        self.0.extend(names.iter().map(|name| (mac, name.clone())));
    }

    fn forget(&mut self, mac: MacAddress) {
        let names: Vec<_> = self.of(mac).cloned().collect();
        for name in names {
            self.0.remove(&(mac, name));
        }
    }
}

/// The names that claimed records get.
pub type NodeChanges = BTreeMap<MacAddress, BTreeSet<Arc<str>>>;

/// The claims of one object: the state per device name and record, the nodes per record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    devices: BTreeMap<String, DeviceClaims>,
    /// Shared with each pass: it is large, and changes seldom.
    nodes: Arc<NodeNames>,
}

/// A claimed record, and the node that it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimedRecord {
    /// MAC address, the key of the record.
    pub mac: MacAddress,
    /// Name of the node. `None` in claims of versions that did not note it.
    pub node: Option<Arc<str>>,
}

/// Claims of one state that a set of devices has in common: the form in which claims are stored.
/// In the normal case one row names all devices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimRow {
    /// Device names, sorted.
    pub devices: Vec<String>,
    /// The state they share.
    pub state: ClaimState,
    /// The claimed records, sorted. A record of several nodes has several entries.
    pub records: Vec<ClaimedRecord>,
}

/// The most rows that are stored: what the schema of the status allows.
pub const ROWS_MAX: usize = 64;

/// Rows that devices can have in common when the others are split by device: three for each of 8
/// devices and 8 that have left fit beside them.
const COMMON_ROWS_KEPT: usize = 16;

/// The most bytes that stored claims may have. The API server takes 1.5 MB of an object, measured on a
/// real one; the rest is for everything else in the object and for claims that change their row.
pub const OWNERSHIP_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a MAC address, the blank after it, and what JSON puts around an entry.
const MAC_BYTES: usize = 17;
const NAME_SEPARATOR_BYTES: usize = 1;
const ENTRY_BYTES: usize = 3;
/// More than the bytes of a row without its devices and records, and of the object around all rows.
const ROW_BYTES: usize = 128;

/// A change of one device's claims: `None` drops the claim.
pub type ClaimChanges = BTreeMap<MacAddress, Option<ClaimState>>;

/// How many bytes the stored claim of a record takes up.
pub fn stored_bytes(node: Option<&str>) -> usize {
    let name = node.map_or(0, |name| NAME_SEPARATOR_BYTES + name.len());
    MAC_BYTES + name + ENTRY_BYTES
}

impl ClaimRow {
    fn stored_bytes(&self) -> usize {
        let devices = self.devices.iter().map(|name| name.len() + ENTRY_BYTES);
        let records = self.records.iter();
        let records = records.map(|record| stored_bytes(record.node.as_deref()));
        ROW_BYTES + devices.sum::<usize>() + records.sum::<usize>()
    }
}

impl Claims {
    /// The claims for this device. Empty when there are none.
    pub fn of(&self, device: &str) -> &DeviceClaims {
        static NONE: DeviceClaims = BTreeMap::new();
        self.devices.get(device).unwrap_or(&NONE)
    }

    /// The nodes that the claimed records are for.
    pub fn nodes(&self) -> &Arc<NodeNames> {
        &self.nodes
    }

    /// The names of all devices with a claim.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.devices.keys().map(String::as_str)
    }

    /// Whether nothing is claimed anywhere.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// How many MAC addresses are claimed, counted once per device.
    pub fn len(&self) -> usize {
        self.devices.values().map(BTreeMap::len).sum()
    }

    /// The records that are claimed on these devices and stay, and those that are leaving on one of them.
    pub fn staying_and_leaving(
        &self,
        is_listed: &dyn Fn(&str) -> bool,
    ) -> (BTreeSet<MacAddress>, BTreeSet<MacAddress>) {
        let (mut staying, mut leaving) = (BTreeSet::new(), BTreeSet::new());
        for device in self.devices().filter(|device| is_listed(device)) {
            for (mac, state) in self.of(device) {
                let set = if *state == ClaimState::Leaving {
                    &mut leaving
                } else {
                    &mut staying
                };
                set.insert(*mac);
            }
        }
        staying.retain(|mac| !leaving.contains(mac));
        (staying, leaving)
    }

    /// How many more bytes of claims can be stored.
    pub fn room_bytes(&self) -> usize {
        let rows = self.to_rows();
        let stored: usize = rows.iter().map(ClaimRow::stored_bytes).sum();
        OWNERSHIP_BYTES_MAX.saturating_sub(stored)
    }

    /// Carries out a change. Returns whether it changed anything.
    pub fn apply(&mut self, device: &str, changes: &ClaimChanges) -> bool {
        let mut differs = false;
        let claims = self.devices.entry(device.to_owned()).or_default();
        let mut dropped = Vec::new();
        for (mac, change) in changes {
            let before = match change {
                Some(state) => claims.insert(*mac, *state),
                None => claims.remove(mac),
            };
            differs |= before != *change;
            dropped.extend((change.is_none() && before.is_some()).then_some(*mac));
        }
        if claims.is_empty() {
            self.devices.remove(device);
        }
        for mac in dropped {
            if !self.is_claimed(mac) {
                Arc::make_mut(&mut self.nodes).forget(mac);
            }
        }
        differs
    }

    /// Notes the nodes of claimed records, instead of those noted before. Returns whether that changed
    /// anything.
    pub fn note_nodes(&mut self, changes: &NodeChanges) -> bool {
        let mut differs = false;
        for (mac, names) in changes {
            if self.is_claimed(*mac) && !self.nodes.of(*mac).eq(names) {
                Arc::make_mut(&mut self.nodes).set(*mac, names);
                differs = true;
            }
        }
        differs
    }

    fn is_claimed(&self, mac: MacAddress) -> bool {
        self.devices
            .values()
            .any(|claims| claims.contains_key(&mac))
    }

    /// Moves the claims on one device to another name. Where both have one, the more careful counts.
    /// Returns whether there was anything to move.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        let Some(moved) = self.devices.remove(from) else {
            return false;
        };
        let claims = self.devices.entry(to.to_owned()).or_default();
        for (mac, state) in moved {
            let known = claims.entry(mac).or_insert(state);
            *known = more_careful(*known, state);
        }
        true
    }

    /// The claims as rows, in a fixed order, so that equal claims are stored equal. At most
    /// [`ROWS_MAX`]: where devices differ too much for common rows, each has its own for what is not in
    /// the largest common ones.
    pub fn to_rows(&self) -> Vec<ClaimRow> {
        let mut rows = self.common_rows();
        if rows.len() > ROWS_MAX {
            let mut by_size: Vec<_> = rows.into_iter().collect();
            by_size.sort_by_key(|(_, macs)| std::cmp::Reverse(macs.len()));
            let rest = by_size.split_off(COMMON_ROWS_KEPT);
            rows = by_size.into_iter().collect();
            for ((devices, state), macs) in rest {
                for device in devices {
                    let row = rows.entry((vec![device], state)).or_default();
                    row.extend(macs.iter().copied());
                }
            }
        }
        rows.into_iter()
            .map(|((devices, state), macs)| ClaimRow {
                devices,
                state,
                records: macs.into_iter().flat_map(|mac| self.records(mac)).collect(),
            })
            .collect()
    }

    /// The entries of a claimed record: one per node, or one without a name.
    fn records(&self, mac: MacAddress) -> Vec<ClaimedRecord> {
        let named = self.nodes.of(mac).cloned().map(Some);
        let mut records: Vec<_> = named.map(|node| ClaimedRecord { mac, node }).collect();
        if records.is_empty() {
            records.push(ClaimedRecord { mac, node: None });
        }
        records
    }

    fn common_rows(&self) -> BTreeMap<(Vec<String>, ClaimState), BTreeSet<MacAddress>> {
        let mut holders: BTreeMap<(ClaimState, MacAddress), Vec<&str>> = BTreeMap::new();
        for (device, claims) in &self.devices {
            for (mac, state) in claims {
                holders.entry((*state, *mac)).or_default().push(device);
            }
        }
        let mut rows: BTreeMap<(Vec<&str>, ClaimState), BTreeSet<MacAddress>> = BTreeMap::new();
        for ((state, mac), devices) in holders {
            rows.entry((devices, state)).or_default().insert(mac);
        }
        let owned = |devices: Vec<&str>| devices.into_iter().map(str::to_owned).collect();
        rows.into_iter()
            .map(|((devices, state), macs)| ((owned(devices), state), macs))
            .collect()
    }

    /// Reads rows back. Of two rows that disagree the more careful state counts: a record that may
    /// be leaving is not taken for one that is surely ours. All names of a record count.
    pub fn from_rows(rows: impl IntoIterator<Item = ClaimRow>) -> Self {
        let mut claims = Self::default();
        let mut names = NodeNames::default();
        for row in rows {
            for ClaimedRecord { mac, node } in &row.records {
                names.0.extend(node.clone().map(|name| (*mac, name)));
            }
            for device in row.devices {
                let of_device = claims.devices.entry(device).or_default();
                for ClaimedRecord { mac, .. } in &row.records {
                    let state = of_device.entry(*mac).or_insert(row.state);
                    *state = more_careful(*state, row.state);
                }
            }
        }
        claims.devices.retain(|_, of_device| !of_device.is_empty());
        claims.nodes = Arc::new(names);
        claims
    }
}

/// The names that the claims on these records lack: the node that desires a record now, beside those
/// noted before whose nodes exist still. At most as many as fit into `room_bytes`; what has no room stays
/// as it is. Empty when nothing is to be noted, so that a claim is completed once.
pub fn nodes_to_note(
    claimed: impl IntoIterator<Item = MacAddress>,
    known: &NodeNames,
    desired: &Desired,
    nodes: &[NodeView],
    mut room_bytes: usize,
) -> NodeChanges {
    let mut existing: Option<BTreeSet<&str>> = None;
    let mut changes = NodeChanges::new();
    for mac in claimed {
        let Some(name) = desired.nodes.get(&mac).map(|node| node.name.as_str()) else {
            continue;
        };
        if changes.contains_key(&mac) || known.of(mac).any(|noted| **noted == *name) {
            continue;
        }
        let existing =
            existing.get_or_insert_with(|| nodes.iter().map(|n| n.name.as_str()).collect());
        let noted = known.of(mac).filter(|noted| existing.contains(&***noted));
        let mut names: BTreeSet<Arc<str>> = noted.cloned().collect();
        let Some(rest) = room_bytes.checked_sub(stored_bytes(Some(name))) else {
            continue;
        };
        room_bytes = rest;
        names.insert(Arc::from(name));
        changes.insert(mac, names);
    }
    changes
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
    use crate::desired::desired;
    use crate::mac::MacPrefix;
    use crate::node::AddressRule;
    use crate::testing::{mac, worker};
    use proptest::prelude::*;

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";

    fn record(text: &str, node: Option<&str>) -> ClaimedRecord {
        ClaimedRecord {
            mac: mac(text),
            node: node.map(Arc::from),
        }
    }

    /// Changes of names, from pairs of MAC address and node.
    fn names(pairs: &[(&str, &str)]) -> NodeChanges {
        let mut changes = NodeChanges::new();
        for (of, name) in pairs {
            changes.entry(mac(of)).or_default().insert(Arc::from(*name));
        }
        changes
    }

    fn owned(device: &str, macs: &[&str]) -> Claims {
        let mut claims = Claims::default();
        let changes = macs.iter().map(|m| (mac(m), Some(ClaimState::Owned)));
        claims.apply(device, &changes.collect());
        claims
    }

    #[test]
    fn devices_that_agree_share_one_row() {
        let mut claims = Claims::default();
        for device in ["b", "a"] {
            let both = [M1, M2].map(|m| (mac(m), Some(ClaimState::Owned)));
            claims.apply(device, &both.into());
        }
        claims.note_nodes(&names(&[(M1, "worker-1")]));
        assert_eq!(
            claims.to_rows(),
            [ClaimRow {
                devices: vec!["a".into(), "b".into()],
                state: ClaimState::Owned,
                records: vec![record(M1, Some("worker-1")), record(M2, None)],
            }]
        );
    }

    #[test]
    fn record_that_all_devices_have_takes_up_room_once() {
        let mut claims = owned("a", &[M1]);
        let before = claims.room_bytes();
        claims.apply("b", &[(mac(M1), Some(ClaimState::Owned))].into());
        assert!(before - claims.room_bytes() < stored_bytes(None));
        claims.apply("b", &[(mac(M1), Some(ClaimState::Leaving))].into());
        assert!(before - claims.room_bytes() >= stored_bytes(None));
    }

    #[test]
    fn name_is_dropped_with_the_last_claim() {
        let mut claims = owned("a", &[M1]);
        claims.apply("b", &[(mac(M1), Some(ClaimState::Owned))].into());
        claims.note_nodes(&names(&[(M1, "worker-1")]));
        claims.apply("a", &[(mac(M1), None)].into());
        assert!(!claims.nodes().is_unknown(mac(M1)));
        claims.apply("b", &[(mac(M1), None)].into());
        assert_eq!(claims, Claims::default());
    }

    #[test]
    fn record_that_is_not_claimed_gets_no_name() {
        let mut claims = owned("a", &[M1]);
        assert!(!claims.note_nodes(&names(&[(M2, "worker-2")])));
        assert!(claims.nodes().is_unknown(mac(M2)));
    }

    #[test]
    fn all_names_of_one_record_are_stored_and_read_back() {
        let mut claims = owned("a", &[M1]);
        assert!(claims.note_nodes(&names(&[(M1, "worker-1"), (M1, "worker-2")])));
        let rows = claims.to_rows();
        assert_eq!(rows[0].records.len(), 2);
        let read = Claims::from_rows(rows);
        assert_eq!(read, claims);
        assert_eq!(read.len(), 1);
    }

    fn desired_by(nodes: &[NodeView]) -> Desired {
        desired(nodes, MacPrefix::DEFAULT, &AddressRule::default())
    }

    fn to_note(claims: &Claims, nodes: &[NodeView], room_bytes: usize) -> NodeChanges {
        let claimed = claims.of("a").keys().copied();
        nodes_to_note(
            claimed,
            claims.nodes(),
            &desired_by(nodes),
            nodes,
            room_bytes,
        )
    }

    #[test]
    fn claim_without_name_is_completed_once() {
        let mut claims = owned("a", &[M1, M2]);
        let nodes = [worker("worker-1", "10.0.0.1")];
        let changes = to_note(&claims, &nodes, usize::MAX);
        assert_eq!(changes, names(&[(M1, "worker-1")]));
        assert!(claims.note_nodes(&changes));
        assert_eq!(to_note(&claims, &nodes, usize::MAX), NodeChanges::new());
        assert!(claims.nodes().is_unknown(mac(M2)));
    }

    #[test]
    fn new_holder_of_an_address_is_noted_with_the_old() {
        let mut claims = owned("a", &[M1]);
        claims.note_nodes(&names(&[(M1, "gone"), (M1, "moved")]));
        let nodes = [worker("new", "10.0.0.1"), worker("moved", "10.0.0.9")];
        let changes = to_note(&claims, &nodes, usize::MAX);
        assert_eq!(changes, names(&[(M1, "new"), (M1, "moved")]));
    }

    #[test]
    fn names_that_have_no_room_are_left_out() {
        let claims = owned("a", &[M1, M2]);
        let nodes = [worker("one", "10.0.0.1"), worker("two", "10.0.0.2")];
        let room = stored_bytes(Some("one"));
        assert_eq!(to_note(&claims, &nodes, room), names(&[(M1, "one")]));
    }

    #[test]
    fn claims_that_all_differ_fit_into_the_schema_rows() {
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
    fn last_claim_dropped_removes_the_device() {
        let mut claims = Claims::default();
        assert!(claims.apply("a", &[(mac(M1), Some(ClaimState::Pending))].into()));
        assert!(claims.apply("a", &[(mac(M1), None)].into()));
        assert!(claims.is_empty());
        assert!(!claims.apply("a", &[(mac(M1), None)].into()));
    }

    #[test]
    fn renamed_device_keeps_its_claims() {
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
    fn renamed_device_keeps_the_more_careful_claim() {
        let states = [ClaimState::Owned, ClaimState::Pending, ClaimState::Leaving];
        for (from, to) in states.iter().flat_map(|from| states.map(|to| (*from, to))) {
            let mut claims = Claims::default();
            claims.apply("a", &[(mac(M1), Some(from))].into());
            claims.apply("b", &[(mac(M1), Some(to))].into());
            claims.rename("a", "b");
            let kept = claims.of("b")[&mac(M1)];
            assert_eq!(kept, more_careful(from, to), "{from:?} over {to:?}");
        }
        assert_eq!(
            more_careful(ClaimState::Owned, ClaimState::Pending),
            ClaimState::Pending
        );
    }

    #[test]
    fn stricter_of_two_conflicting_rows_counts() {
        let row = |state| ClaimRow {
            devices: vec!["a".into()],
            state,
            records: vec![record(M1, None)],
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
        let any_mac = || (0_u8..30).prop_map(|last| MacAddress::new([0x0a, 0x0a, 10, 0, 0, last]));
        let macs = proptest::collection::btree_map(any_mac(), state, 1..20);
        let devices = proptest::collection::btree_map("[a-l]", macs, 0..12);
        let names = proptest::collection::btree_set("[x-z]", 1..3);
        let nodes = proptest::collection::btree_map(any_mac(), names, 0..20);
        (devices, nodes).prop_map(|(devices, nodes)| {
            let mut claims = Claims {
                devices,
                ..Claims::default()
            };
            let arcs = |names: BTreeSet<String>| names.into_iter().map(Arc::from).collect();
            claims.note_nodes(&nodes.into_iter().map(|(m, n)| (m, arcs(n))).collect());
            claims
        })
    }

    proptest! {
        #[test]
        fn claims_survive_being_stored(claims in any_claims()) {
            let rows = claims.to_rows();
            prop_assert!(rows.len() <= ROWS_MAX);
            prop_assert_eq!(Claims::from_rows(rows), claims);
        }
    }
}
