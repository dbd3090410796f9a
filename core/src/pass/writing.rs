//! Writes: which of them a stored claim permits, and how their results are taken in.
//!
//! Nothing is sent twice: a write whose result is not known ends the pass, and the next one reads before it decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::Timestamp;

use super::assignment::Assignment;
use super::claiming::is_dropped_when_gone;
use super::inputs::Inputs;
use super::memory::{Memory, Note};
use super::{Fault, PassError, RequestError};
use crate::claims::{ClaimChanges, ClaimState, DeviceClaims};
use crate::endpoint::Endpoint;
use crate::guard::{Absence, keeps};
use crate::listing::RecordName;
use crate::mac::MacAddress;
use crate::node::NodeView;
use crate::outcome::Failure;
use crate::reason::Reason;
use crate::record::{FdbRecord, Records};
use crate::time::Moment;

/// Up to this many written records are read back one by one; more of them by one list.
pub const READ_SINGLY_MAX: usize = 2;
/// Equal refusals after which the device is left alone until the next pass.
const REFUSALS_MAX: u32 = 3;

/// A request that changes records on a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Adds a record.
    Add(FdbRecord),
    /// Gives a record another endpoint.
    Correct(RecordName, FdbRecord),
    /// Removes a record.
    Remove(RecordName, MacAddress),
    /// Fills an empty tunnel with these records.
    Fill(Records),
}

/// The claims on one device, as stored. A write is permitted by what is stored, not by what was meant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClaims(DeviceClaims);

/// The permission for one write. Only stored claims give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit(Write);

impl Permit {
    /// The write.
    pub const fn write(&self) -> &Write {
        &self.0
    }
}

impl StoredClaims {
    /// The claims that the ledger has read back from where they are stored.
    pub const fn of(claims: DeviceClaims) -> Self {
        Self(claims)
    }

    /// Permits a write that is claimed.
    ///
    /// # Errors
    ///
    /// A record of it is not claimed for it, or no longer: what was planned has to be planned again. Nothing is sent.
    pub fn permit(&self, write: Write) -> Result<Permit, PassError> {
        use ClaimState::{Leaving, Owned, Pending};
        let unclaimed = match &write {
            Write::Add(record) => self.first_without(&[Pending, Owned], [record.mac]),
            Write::Correct(_, record) => self.first_without(&[Owned], [record.mac]),
            Write::Remove(_, mac) => self.first_without(&[Leaving], [*mac]),
            Write::Fill(records) => self.first_without(&[Pending, Owned], records.keys().copied()),
        };
        match unclaimed {
            None => Ok(Permit(write)),
            Some(mac) => Err(PassError::Refused(Failure {
                reason: Reason::KubernetesUnavailable,
                message: format!(
                    "the claim on record {mac} was changed by another client: nothing is written to the record"
                ),
                retryable: true,
            })),
        }
    }

    fn first_without(
        &self,
        states: &[ClaimState],
        macs: impl IntoIterator<Item = MacAddress>,
    ) -> Option<MacAddress> {
        let is_claimed =
            |mac: &MacAddress| self.0.get(mac).is_some_and(|state| states.contains(state));
        macs.into_iter().find(|mac| !is_claimed(mac))
    }
}

/// What makes two refusals equal: the reason, and the device's own code.
type Refusal = (Reason, Option<String>);

/// What the device has refused in one pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusals {
    counts: BTreeMap<Refusal, u32>,
    /// The first refusal, or the first write that is not effective.
    pub first: Option<Failure>,
}

impl Refusals {
    /// Takes in the result of a write of one record. Returns whether it has to be read back. `Ok(true)`: the device
    /// holds something new, which decides about saving and not about reading back.
    ///
    /// # Errors
    ///
    /// The pass ends: the result is not known, the device cannot be asked, or it refuses one write after another.
    pub fn take_result(
        &mut self,
        memory: &mut Memory,
        mac: MacAddress,
        result: Result<bool, RequestError>,
        now: (Moment, Timestamp),
    ) -> Result<bool, PassError> {
        let error = match result {
            Ok(is_changed) => {
                if is_changed {
                    memory.note_change(now);
                }
                memory.rejected.remove(&mac);
                if std::mem::take(&mut memory.probe_single_write) {
                    // It takes records again: what it refused before is worth another try.
                    memory.rejected.clear();
                }
                return Ok(true);
            }
            Err(error) => error,
        };
        if error.is_uncertain {
            memory.note_uncertain(now);
        }
        // Something about the tunnel may have changed, and another unit may answer next: the next pass
        // reads.
        memory.facts = None;
        match error.fault {
            // Its configuration layer fails on this record; others would wait for it for good.
            Fault::Refused | Fault::Configuration => self.refuse(memory, mac, error),
            Fault::LoginEnded | Fault::Unreachable => Err(error.into()),
        }
    }

    fn refuse(
        &mut self,
        memory: &mut Memory,
        mac: MacAddress,
        error: RequestError,
    ) -> Result<bool, PassError> {
        let mut failure = error.failure;
        failure.message = format!("record {mac}: {}", failure.message);
        memory.rejected.insert(mac);
        let count = self.counts.entry((failure.reason, error.code)).or_default();
        *count += 1;
        if *count == REFUSALS_MAX {
            memory.probe_single_write = true;
            return Err(PassError::Refused(failure));
        }
        self.first.get_or_insert(failure);
        Ok(false)
    }

    /// Notes a write that the device accepted and does not show.
    fn not_effective(&mut self, mac: MacAddress) {
        self.first.get_or_insert(Failure {
            reason: Reason::WriteNotEffective,
            message: format!("record {mac}: the device accepted the write and does not show it"),
            retryable: true,
        });
    }
}

/// Takes in that the whole list could not be written. A request that was not sent says nothing of the device.
pub fn note_fill_failed(memory: &mut Memory, error: &RequestError, now: (Moment, Timestamp)) {
    memory.bulk_write_disabled |= error.fault != Fault::LoginEnded;
    if error.is_uncertain {
        memory.note_uncertain(now);
    }
}

/// What was written to a record that holds an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was added.
    Added,
    /// It got another endpoint.
    Corrected,
}

/// Settles the claims of records that were written, by what was read back. A record that was added and shows
/// another endpoint belongs to another writer, who was faster: its claim is withdrawn.
pub fn settle_written(
    memory: &mut Memory,
    refusals: &mut Refusals,
    (work, inputs): (&Assignment, &Inputs),
    (written, change): (&Records, Change),
    found: &Records,
    now: Moment,
) -> ClaimChanges {
    let mut claims = ClaimChanges::new();
    for (mac, wanted) in written {
        match found.get(mac) {
            Some(endpoint) if endpoint == wanted => {
                let was_ours = inputs.claims.get(mac) == Some(&ClaimState::Owned);
                let is_new = change == Change::Added && !was_ours;
                count_done(memory, work, *mac, is_new, now);
                claims.insert(*mac, Some(ClaimState::Owned));
            }
            Some(_) if change == Change::Added => {
                claims.insert(*mac, None);
            }
            _ => refusals.not_effective(*mac),
        }
    }
    claims
}

/// Settles the claims of records that were removed.
pub fn settle_removed(
    memory: &mut Memory,
    refusals: &mut Refusals,
    (work, inputs): (&Assignment, &Inputs),
    removed: &BTreeSet<MacAddress>,
    found: &Records,
) -> ClaimChanges {
    let mut claims = ClaimChanges::new();
    for mac in removed {
        if found.contains_key(mac) {
            refusals.not_effective(*mac);
            continue;
        }
        let name = memory.node_name(*mac);
        memory.changes.removed.add(name);
        if is_dropped_when_gone(work, inputs, *mac) {
            claims.insert(*mac, None);
        }
    }
    claims
}

/// Counts a record that is as it should be now. One that was ours before had been lost.
fn count_done(memory: &mut Memory, work: &Assignment, mac: MacAddress, is_new: bool, now: Moment) {
    let name = memory.node_name(mac);
    let came = work.arrivals.get(&name);
    if let Some(came) = came.filter(|_| memory.newcomers.contains(&mac)) {
        memory.notes.push(Note::Propagated(came.until(now)));
    }
    let changes = &mut memory.changes;
    let tally = if is_new {
        &mut changes.added
    } else {
        &mut changes.restored
    };
    tally.add(name);
}

/// Counts records that are ours from now on without a write. What was claimed before is what was written.
pub fn count_adopted(memory: &mut Memory, inputs: &Inputs, adopted: &BTreeSet<MacAddress>) {
    for mac in adopted
        .iter()
        .filter(|mac| !inputs.claims.contains_key(mac))
    {
        let name = memory.node_name(*mac);
        memory.changes.adopted.add(name);
    }
}

/// Whether one of these nodes keeps a record that is about to be removed: a node that came since the list was
/// made takes the address over.
pub fn desired_again(
    memory: &Memory,
    work: &Assignment,
    nodes: &[NodeView],
    record: FdbRecord,
) -> bool {
    let Some(address) = measured_address(work, record.endpoint) else {
        return false;
    };
    let absence = memory.absences.get(record.mac);
    let mut nodes = nodes.iter();
    nodes.any(|node| keeps(node, address, absence, &work.addresses))
}

/// The nodes that have to confirm a removal: those that the claim names, and the one that was seen with the
/// record. None where all records of the object are removed.
pub fn nodes_to_ask(
    memory: &Memory,
    work: &Assignment,
    inputs: &Inputs,
    record: FdbRecord,
) -> BTreeSet<String> {
    if measured_address(work, record.endpoint).is_none() {
        return BTreeSet::new();
    }
    let absence = memory.absences.get(record.mac);
    let seen = absence.and_then(Absence::node_name).map(str::to_owned);
    let claimed = inputs.names.of(record.mac).map(ToString::to_string);
    claimed.chain(seen).collect()
}

/// What the answer about a node means for the removal of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeAnswer {
    /// The node does not keep the record.
    Gone,
    /// It keeps the record: it has changed since the list was made.
    Changed,
    /// It keeps the record, and contradicts the list: all removals stop for a while.
    Contradicts,
}

/// Judges the answer about a node that was asked for right before the removal of its record.
pub fn judge_node(
    memory: &Memory,
    work: &Assignment,
    inputs: &Inputs,
    record: FdbRecord,
    node: Option<&NodeView>,
) -> NodeAnswer {
    let nodes = node.map(std::slice::from_ref).unwrap_or_default();
    let Some(node) = node.filter(|_| desired_again(memory, work, nodes, record)) else {
        return NodeAnswer::Gone;
    };
    let mut listed = inputs.nodes.iter();
    // One that the list shows with other addresses has changed since.
    if listed.any(|listed| listed.uid == node.uid && listed.addresses != node.addresses) {
        NodeAnswer::Changed
    } else {
        NodeAnswer::Contradicts
    }
}

/// The node address that a record points to, where its removal depends on the nodes.
fn measured_address(work: &Assignment, endpoint: Endpoint) -> Option<Ipv4Addr> {
    match endpoint.address {
        IpAddr::V4(address) if !work.purpose.is_clean_up() => Some(address),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// The API server did not answer in time whether a node exists.
pub fn node_not_read(deadline: Duration) -> PassError {
    PassError::Refused(Failure {
        reason: Reason::KubernetesUnavailable,
        message: format!(
            "the API server did not answer within {} s whether a node exists; its record stays",
            deadline.as_secs()
        ),
        retryable: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::assignment::{CleanUp, Purpose};
    use crate::pass::testing::{NOW, assignment, at, inputs, memory};
    use crate::testing::{mac, records, worker};

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";
    const E1: &str = "10.0.0.1%0";
    const E2: &str = "10.0.0.2%0";

    fn record() -> FdbRecord {
        FdbRecord {
            mac: mac(M1),
            endpoint: E1.parse().unwrap(),
        }
    }

    fn claims(state: ClaimState) -> DeviceClaims {
        [(mac(M1), state)].into()
    }

    fn error(fault: Fault, is_uncertain: bool) -> RequestError {
        RequestError {
            fault,
            failure: Failure {
                reason: Reason::RequestRefused,
                message: "no".into(),
                retryable: false,
            },
            code: Some("01070734".into()),
            is_uncertain,
            retry_after: None,
        }
    }

    #[test]
    fn write_is_permitted_only_by_its_own_claim() {
        use ClaimState::{Leaving, Owned, Pending};
        let name = || RecordName::from(mac(M1));
        let fill = || Write::Fill(records(&[(M1, E1)]));
        for (write, states) in [
            (Write::Add(record()), vec![Pending, Owned]),
            (Write::Correct(name(), record()), vec![Owned]),
            (Write::Remove(name(), mac(M1)), vec![Leaving]),
            (fill(), vec![Pending, Owned]),
        ] {
            for state in [Pending, Owned, Leaving] {
                let permit = StoredClaims::of(claims(state)).permit(write.clone());
                let is_permitted = permit.as_ref().is_ok_and(|permit| *permit.write() == write);
                assert_eq!(is_permitted, states.contains(&state), "{write:?} {state:?}");
            }
            let nothing = StoredClaims::of(DeviceClaims::new());
            assert!(nothing.permit(write).is_err());
        }
        let both = Write::Fill(records(&[(M1, E1), (M2, E2)]));
        assert!(StoredClaims::of(claims(Pending)).permit(both).is_err());
    }

    #[test]
    fn uncertain_write_is_remembered_and_ends_the_pass() {
        let (mut memory, mut refusals) = (memory(), Refusals::default());
        let result = Err(error(Fault::Unreachable, true));
        let ended = refusals.take_result(&mut memory, mac(M1), result, (at(1), NOW));
        assert!(matches!(ended, Err(PassError::Unreachable { .. })));
        assert!(memory.awaits_late_write(at(65)) && memory.unsaved.is_some());
        assert_eq!(memory.settled_at, at(76));
        assert!(memory.listing.is_none() && memory.facts.is_none());
    }

    #[test]
    fn third_equal_refusal_ends_the_pass_and_others_do_not() {
        let (mut memory, mut refusals) = (memory(), Refusals::default());
        let mut refuse = |fault, code: &str, memory: &mut Memory| {
            let mut error = error(fault, false);
            error.code = Some(code.into());
            refusals.take_result(memory, mac(M1), Err(error), (at(1), NOW))
        };
        assert_eq!(refuse(Fault::Refused, "a", &mut memory), Ok(false));
        assert_eq!(refuse(Fault::Configuration, "a", &mut memory), Ok(false));
        assert_eq!(refuse(Fault::Refused, "b", &mut memory), Ok(false));
        assert!(!memory.probe_single_write);
        let ended = refuse(Fault::Refused, "a", &mut memory);
        assert!(matches!(ended, Err(PassError::Refused(failure))
            if failure.message == format!("record {M1}: no")));
        assert!(memory.probe_single_write && memory.rejected.contains(&mac(M1)));
    }

    #[test]
    fn device_that_takes_a_record_again_gets_all_others() {
        let (mut memory, mut refusals) = (memory(), Refusals::default());
        memory.probe_single_write = true;
        memory.rejected = [mac(M1), mac(M2)].into();
        let taken = refusals.take_result(&mut memory, mac(M1), Ok(false), (at(1), NOW));
        assert_eq!(taken, Ok(true));
        assert!(memory.rejected.is_empty() && !memory.probe_single_write);
        assert_eq!(memory.unsaved, None, "it was there already");
    }

    #[test]
    fn ended_login_says_nothing_of_the_device() {
        let (mut memory, mut refusals) = (memory(), Refusals::default());
        let result = Err(error(Fault::LoginEnded, false));
        let ended = refusals.take_result(&mut memory, mac(M1), result, (at(1), NOW));
        assert_eq!(ended, Err(PassError::Restart));
        assert!(memory.rejected.is_empty());
        note_fill_failed(&mut memory, &error(Fault::LoginEnded, false), (at(1), NOW));
        assert!(!memory.bulk_write_disabled);
        note_fill_failed(&mut memory, &error(Fault::Refused, false), (at(1), NOW));
        assert!(memory.bulk_write_disabled);
    }

    #[test]
    fn added_record_with_another_endpoint_belongs_to_another_writer() {
        let work = assignment(&[worker("a", "10.0.0.1")]);
        let inputs = inputs(&claims(ClaimState::Pending), &work.nodes);
        let written = records(&[(M1, E1)]);
        let settle = |change, found: &[(&str, &str)]| {
            let (mut memory, mut refusals) = (memory(), Refusals::default());
            let (of, found) = ((&work, &inputs), records(found));
            let written = (&written, change);
            let claims = settle_written(&mut memory, &mut refusals, of, written, &found, at(1));
            (claims, refusals.first.map(|failure| failure.reason))
        };
        let owned = [(mac(M1), Some(ClaimState::Owned))].into();
        assert_eq!(settle(Change::Added, &[(M1, E1)]), (owned, None));
        let withdrawn = [(mac(M1), None)].into();
        assert_eq!(settle(Change::Added, &[(M1, E2)]), (withdrawn, None));
        let ineffective = (ClaimChanges::new(), Some(Reason::WriteNotEffective));
        assert_eq!(settle(Change::Added, &[]), ineffective);
        assert_eq!(settle(Change::Corrected, &[(M1, E2)]), ineffective);
    }

    #[test]
    fn removed_record_that_is_still_shown_keeps_its_claim() {
        let (mut memory, mut refusals) = (memory(), Refusals::default());
        let work = assignment(&[]);
        let inputs = inputs(&claims(ClaimState::Leaving), &[]);
        let removed = [mac(M1), mac(M2)].into();
        let found = records(&[(M1, E1)]);
        let of = (&work, &inputs);
        let claims = settle_removed(&mut memory, &mut refusals, of, &removed, &found);
        assert_eq!(claims, [(mac(M2), None)].into());
        assert_eq!(refusals.first.unwrap().reason, Reason::WriteNotEffective);
    }

    #[test]
    fn newcomer_is_timed_and_lost_record_is_counted_as_restored() {
        let mut work = assignment(&[worker("a", "10.0.0.1")]);
        work.arrivals = std::sync::Arc::new([("a".to_owned(), at(1))].into());
        let inputs = inputs(&claims(ClaimState::Owned), &work.nodes);
        let (mut memory, mut refusals) = (memory(), Refusals::default());
        memory.note_nodes(&inputs.claims, work.desired(&work.nodes), (at(0), NOW));
        memory.newcomers.insert(mac(M1));
        let written = records(&[(M1, E1)]);
        let (of, change) = ((&work, &inputs), (&written, Change::Added));
        settle_written(&mut memory, &mut refusals, of, change, &written, at(3));
        assert_eq!(memory.notes, [Note::Propagated(Duration::from_secs(2))]);
        assert!(memory.changes.added.is_empty() && !memory.changes.restored.is_empty());
    }

    #[test]
    fn node_that_answers_otherwise_than_the_list_keeps_its_record() {
        let mut work = assignment(&[]);
        let node = worker("a", "10.0.0.1");
        let judge = |listed: &[NodeView], work: &Assignment| {
            let inputs = inputs(&claims(ClaimState::Leaving), listed);
            judge_node(&memory(), work, &inputs, record(), Some(&node))
        };
        assert_eq!(judge(&[], &work), NodeAnswer::Contradicts);
        let elsewhere = worker("a", "10.0.0.9");
        assert_eq!(judge(&[elsewhere], &work), NodeAnswer::Changed);
        let inputs = inputs(&claims(ClaimState::Leaving), &[]);
        let gone = judge_node(&memory(), &work, &inputs, record(), None);
        assert_eq!(gone, NodeAnswer::Gone);
        work.purpose = Purpose::CleanUp(CleanUp::ObjectDeleted);
        assert_eq!(judge(&[], &work), NodeAnswer::Gone);
        assert!(nodes_to_ask(&memory(), &work, &inputs, record()).is_empty());
    }
}
