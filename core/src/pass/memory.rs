//! What a device's task remembers between passes.
//!
//! Plain data: a pass takes it by value and returns it. It lives in the process only and can be lost at any
//! moment: the claims are in the ledger, the records on the device. After a restart or a panic the next pass begins
//! with [`Memory::after_restart`].

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::claims::{ClaimState, DeviceClaims};
use crate::desired::Desired;
use crate::drift::Losses;
use crate::events::Changes;
use crate::guard::Absences;
use crate::listing::{Listing, RecordName};
use crate::mac::MacAddress;
use crate::outcome::{DeviceReport, Failure, NeighbourHold, Reach};
use crate::saving::Unsaved;
use crate::schedule::Schedule;
use crate::sharing::Needs;
use crate::time::Moment;
use crate::unit::{Login, UnitFacts};

use super::assignment::Assignment;

/// How long after an uncertain answer of a device nothing is removed from it.
const SETTLE_AFTER_UNCERTAIN: Duration = Duration::from_secs(75);
/// How long after sending a write can still take effect on the device: it works on a request for up
/// to 60 s (`icrd.timeout`, K94602685).
const LATE_WRITE: Duration = Duration::from_secs(65);

/// What is remembered of one device of one object.
#[derive(Debug, Clone)]
pub struct Memory {
    /// The login that facts and listing were read under. Under another one they count for nothing.
    pub login: Option<Login>,
    /// What the unit reported of itself.
    pub facts: Option<KnownFacts>,
    /// The records, as read and as changed since by writes that were read back. `None` when they
    /// have to be read again before anything is concluded from them.
    pub listing: Option<Listing>,
    /// What was desired at the last pass: gives absent nodes their names.
    pub desired: Desired,
    /// Records of nodes that came since the task began, and are not known to be on the device.
    pub newcomers: BTreeSet<MacAddress>,
    /// Since when claimed records have no node.
    pub absences: Absences,
    /// Records that another writer removed or changed.
    pub losses: Losses,
    /// Whether the tunnel is never filled by one write: it has held records of others, or such a write has
    /// failed.
    pub bulk_write_disabled: bool,
    /// No removal before this moment.
    pub settled_at: Moment,
    /// A write whose result is not known may take effect until then.
    pub late_write_until: Option<Moment>,
    /// What other objects needed here at the last pass that asked; `None` when it could not be known.
    pub needs: Option<Needs>,
    /// When the next pass is due.
    pub schedule: Schedule,
    /// Passes in a row that failed.
    pub failures: u32,
    /// Records that the device refused at the last try.
    pub rejected: BTreeSet<MacAddress>,
    /// Whether the device refused one write after another: the next pass tries one first.
    pub probe_single_write: bool,
    /// The unit that the claims were made on.
    pub identity: Option<String>,
    /// Changes that are not in the stored configuration.
    pub unsaved: Option<Unsaved>,
    /// What was done to the device and has not been reported.
    pub changes: Changes,
    /// What is to be logged and counted.
    pub notes: Vec<Note>,
    /// What the status is made from.
    pub report: DeviceReport,
}

/// The facts of a unit, and when they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFacts {
    /// The facts.
    pub facts: UnitFacts,
    /// When they were read.
    pub read_at: Moment,
}

/// Something that a pass found or did, for log and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Another writer removed or changed records: so many are lost now.
    Drift(usize),
    /// A new node has its record, so long after it came.
    Propagated(Duration),
    /// Another object holds removals, or another one than before.
    HeldByNeighbour(NeighbourHold),
    /// No other object holds a removal any more.
    NeighbourHoldEnded,
    /// The unit refuses the new password, and the login from before is used.
    PasswordRefused(Failure),
    /// The unit was not saved before its records were given up.
    NotSaved(Failure),
}

/// What is known when a task begins.
#[derive(Debug, Clone)]
pub struct Beginning<'a> {
    /// What the status says of the device.
    pub report: DeviceReport,
    /// What is claimed on it.
    pub claims: &'a DeviceClaims,
    /// The unit that the claims were made on.
    pub identity: Option<String>,
    /// Whether records of others were seen on it.
    pub has_foreign_records: bool,
    /// Since when this process leads.
    pub led_since: Moment,
    /// How long a process removes nothing after it began to lead.
    pub settle_period: Duration,
    /// Now.
    pub now: Moment,
    /// Now, by the clock that dates objects.
    pub time: Timestamp,
}

impl Memory {
    /// The memory of a task that has just begun. What the last process left unsaved is saved after the quiet
    /// time, counted from now. It may have ended before it reported that; a record that was being added or
    /// removed then shows that something was changed.
    pub fn after_restart(beginning: Beginning<'_>) -> Self {
        let Beginning {
            mut report,
            claims,
            identity,
            has_foreign_records,
            led_since,
            settle_period,
            now,
            time,
        } = beginning;
        if claims.values().any(|state| *state != ClaimState::Owned) {
            report.save.unsaved_since.get_or_insert(time);
        }
        // Where something is claimed, an earlier task may have sent what is not known here: the process
        // before this one, or one of this process that has ended.
        let settled_since = if claims.is_empty() { led_since } else { now };
        let unsaved = report.save.unsaved_since.map(|_| Unsaved {
            first: now,
            last: now,
        });
        Self {
            login: None,
            facts: None,
            listing: None,
            desired: Desired::default(),
            newcomers: BTreeSet::new(),
            absences: Absences::default(),
            losses: Losses::default(),
            bulk_write_disabled: has_foreign_records,
            settled_at: settled_since + settle_period,
            late_write_until: None,
            needs: None,
            schedule: Schedule::default(),
            failures: 0,
            rejected: BTreeSet::new(),
            probe_single_write: false,
            identity,
            unsaved,
            changes: Changes::default(),
            notes: Vec::new(),
            report,
        }
    }

    /// Begins a pass. What was read before a late write may take effect proves nothing, also when its time has
    /// passed since: the first pass after that reads, whatever it was made for.
    pub fn begin(&mut self, work: &Assignment, now: Moment) {
        if self.late_write_until.is_some() {
            self.listing = None;
        }
        self.late_write_until = self.late_write_until.filter(|until| *until > now);
        self.schedule.next_removal = None;
        self.schedule.next_restore = None;
        let report = &mut self.report;
        if (report.address.as_str(), report.port) != (work.host.as_str(), work.port) {
            // What was reported of the old address says nothing of the new one.
            let save = report.save.clone();
            let (device, host) = (work.device.clone(), work.host.clone());
            *report = DeviceReport::pending(device, host, work.port);
            report.save = save;
        }
        report.observing = work.purpose == super::assignment::Purpose::Observe;
    }

    /// Takes in what the nodes desire now, and which claimed records have lost their node or have it again.
    /// Called whenever the nodes have changed, also when the device is not asked: an absence that was
    /// interrupted starts again.
    pub fn note_nodes(
        &mut self,
        claims: &DeviceClaims,
        desired: Desired,
        now: (Moment, Timestamp),
    ) {
        let claimed = claims.keys().copied().collect();
        self.absences.update(&claimed, &self.desired, &desired, now);
        let (before, after) = (&self.desired.nodes, &desired.nodes);
        self.newcomers.retain(|mac| after.contains_key(mac));
        if !before.is_empty() {
            let new = after.keys().filter(|mac| !before.contains_key(mac));
            self.newcomers.extend(new);
        }
        self.desired = desired;
    }

    /// Name of the node that a record is or was for; the record itself where no node is known.
    pub fn node_name(&self, mac: MacAddress) -> String {
        let desired = self.desired.nodes.get(&mac);
        let absent = || self.absences.get(mac)?.node.as_ref();
        let node = desired.or_else(absent);
        node.map_or_else(|| mac.to_string(), |node| node.name.clone())
    }

    /// Takes in the login under which the unit answers now. What was read under another login may be of
    /// another unit: behind the same address and certificate stands whatever unit a user or a failover puts
    /// there.
    pub fn note_login(&mut self, login: Login) {
        if self.login != Some(login) {
            self.forget_unit();
            self.login = Some(login);
        }
    }

    /// Forgets what was read of the unit: all of it is read again before anything is concluded.
    pub fn forget_unit(&mut self) {
        self.facts = None;
        self.listing = None;
    }

    /// Takes in a complete list of the records.
    pub fn note_listing(&mut self, listing: Listing, time: Timestamp) {
        self.listing = Some(listing);
        self.report.last_read_time = Some(time);
        self.report.reach = Reach::Answered;
    }

    /// The name of a record on the device.
    pub fn name_of(&self, mac: MacAddress) -> RecordName {
        let listed = self.listing.as_ref();
        listed.map_or_else(|| RecordName::from(mac), |listing| listing.name_of(mac))
    }

    /// Notes that the device holds something that its stored configuration does not.
    pub fn note_change(&mut self, (now, time): (Moment, Timestamp)) {
        self.unsaved = Some(Unsaved::with_change(self.unsaved, now));
        self.report.save.unsaved_since.get_or_insert(time);
        self.report.last_change_time = Some(time);
    }

    /// Notes that a write may or may not have been carried out, or may still be.
    pub fn note_uncertain(&mut self, now: (Moment, Timestamp)) {
        self.note_change(now);
        self.listing = None;
        self.settled_at = self.settled_at.max(now.0 + SETTLE_AFTER_UNCERTAIN);
        self.late_write_until = Some(now.0 + LATE_WRITE);
    }

    /// Whether a write may still take effect late.
    pub fn awaits_late_write(&self, now: Moment) -> bool {
        self.late_write_until.is_some_and(|until| until > now)
    }

    /// Takes in what the unit says of the new password, while the login from before is used.
    pub fn note_password_refused(&mut self, failure: Failure) {
        let before = self.report.password_refused.replace(failure.clone());
        if before.is_none() {
            self.notes.push(Note::PasswordRefused(failure));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::assignment::Purpose;
    use crate::pass::testing::{NOW, assignment, at, memory};
    use crate::reason::Reason;
    use crate::testing::{facts, mac, worker};
    use crate::unit::FailoverState;

    const M1: &str = "0a:0a:0a:00:00:01";

    fn beginning(claims: &DeviceClaims) -> Beginning<'_> {
        Beginning {
            report: DeviceReport::pending("a".into(), "192.0.2.11".into(), 443),
            claims,
            identity: None,
            has_foreign_records: false,
            led_since: at(0),
            settle_period: Duration::from_secs(75),
            now: at(30),
            time: NOW,
        }
    }

    #[test]
    fn restart_with_claims_begins_settle_period_again() {
        let claims = DeviceClaims::new();
        assert_eq!(Memory::after_restart(beginning(&claims)).settled_at, at(75));
        let claims = [(mac(M1), ClaimState::Owned)].into();
        let memory = Memory::after_restart(beginning(&claims));
        assert_eq!(memory.settled_at, at(105));
        assert_eq!(memory.unsaved, None);
    }

    #[test]
    fn restart_during_a_write_leaves_something_to_save() {
        for state in [ClaimState::Pending, ClaimState::Leaving] {
            let claims = [(mac(M1), state)].into();
            let memory = Memory::after_restart(beginning(&claims));
            assert_eq!(memory.report.save.unsaved_since, Some(NOW));
            assert_eq!(memory.unsaved.map(|unsaved| unsaved.first), Some(at(30)));
        }
    }

    #[test]
    fn another_login_forgets_what_was_read() {
        let mut memory = memory();
        memory.note_login(Login(1));
        memory.facts = Some(KnownFacts {
            facts: facts("a", FailoverState::Active),
            read_at: at(0),
        });
        memory.note_listing(Listing::default(), NOW);
        memory.note_login(Login(1));
        assert!(memory.facts.is_some() && memory.listing.is_some());
        memory.note_login(Login(2));
        assert!(memory.facts.is_none() && memory.listing.is_none());
    }

    #[test]
    fn late_write_is_read_for_until_its_time_is_over() {
        let (mut memory, work) = (memory(), assignment(&[]));
        memory.note_uncertain((at(0), NOW));
        assert_eq!(memory.settled_at, at(75));
        assert!(memory.awaits_late_write(at(64)));
        memory.note_listing(Listing::default(), NOW);
        memory.begin(&work, at(65));
        assert!(memory.listing.is_none(), "the pass after it reads");
        assert!(!memory.awaits_late_write(at(65)));
        memory.note_listing(Listing::default(), NOW);
        memory.begin(&work, at(66));
        assert!(memory.listing.is_some());
    }

    #[test]
    fn new_address_forgets_report_but_not_unsaved_changes() {
        let (mut memory, mut work) = (memory(), assignment(&[]));
        memory.note_change((at(0), NOW));
        memory.report.reach = Reach::Answered;
        work.host = "192.0.2.12".into();
        work.purpose = Purpose::Observe;
        memory.begin(&work, at(1));
        assert_eq!(memory.report.reach, Reach::Pending);
        assert_eq!(memory.report.last_change_time, None);
        assert_eq!(memory.report.save.unsaved_since, Some(NOW));
        assert!(memory.report.observing);
    }

    #[test]
    fn node_that_comes_later_is_a_newcomer() {
        let (mut memory, claims) = (memory(), DeviceClaims::new());
        let (one, two) = (worker("a", "10.0.0.1"), worker("b", "10.0.0.2"));
        let work = assignment(&[]);
        let first = work.desired(std::slice::from_ref(&one));
        memory.note_nodes(&claims, first, (at(0), NOW));
        assert!(
            memory.newcomers.is_empty(),
            "the first nodes are no newcomers"
        );
        let both = work.desired(&[one, two]);
        memory.note_nodes(&claims, both, (at(1), NOW));
        assert_eq!(memory.newcomers, [mac("0a:0a:0a:00:00:02")].into());
        assert_eq!(memory.node_name(mac("0a:0a:0a:00:00:02")), "b");
    }

    #[test]
    fn refused_password_is_noted_once() {
        let mut memory = memory();
        let failure = Failure {
            reason: Reason::AuthenticationFailed,
            message: String::new(),
            retryable: false,
        };
        memory.note_password_refused(failure.clone());
        memory.note_password_refused(failure);
        assert_eq!(memory.notes.len(), 1);
    }
}
