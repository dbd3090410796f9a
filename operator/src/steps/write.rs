//! (I/O) The writes of one pass, one at a time, each read back.
//!
//! Touches only records that are claimed for this device and makes no choices. Nothing is sent twice: a
//! write whose fate is not known ends the pass, and the next one reads before it decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bigip_icontrol::{Added, Error, ErrorKind, RecordName, Unit};
use bigip_tunnel_core::batch::{Bookkeeping, Stored};
use bigip_tunnel_core::claims::{ClaimChanges, ClaimState};
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::guard::{Absence, keeps};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::node_evidence::Doubt;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::record::{FdbRecord, Records};
use bigip_tunnel_core::saving::Unsaved;
use bigip_tunnel_core::turns::Urgency;
use bigip_tunnel_core::vocabulary::reason;

use super::apply::claim;
use super::dereference::Inputs;
use super::observe::{failure_of, read_records, stop_for};
use crate::device::{DeviceContext, DeviceState, Work};
use crate::metrics::WriteKind;
use crate::pass::Stop;
use crate::writer_queue::Turn;

/// Up to this many written records are read back one by one; more of them by one list.
const READ_SINGLY_MAX: usize = 2;
/// Equal refusals after which the device is left alone until the next pass.
const REFUSALS_MAX: u32 = 3;
/// The longest turn with one write: asking for its node, extending the token, and the write itself. The
/// deadlines of these requests end it earlier.
const TURN_LIMIT: Duration = Duration::from_secs(110);
/// The longest turn that fills a tunnel: the second look, reading the list, and writing it.
const FILL_LIMIT: Duration = Duration::from_secs(280);
/// How long others wait for the answer about the node of a record that is to be removed.
const NODE_LIMIT: Duration = Duration::from_secs(10);
/// How long after the first look an empty tunnel is looked at again before it is filled.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(2);

/// What makes two refusals equal: the reason, and the device's own code.
type Refusal = (Reason, Option<String>);

/// The writes of one pass.
pub(super) struct Writer<'a> {
    pub(super) ctx: &'a DeviceContext,
    pub(super) state: &'a mut DeviceState,
    pub(super) work: &'a Work,
    pub(super) inputs: &'a Inputs,
    /// The unit that the plan was made for.
    pub(super) unit: &'a Unit,
    /// How often the device has refused a write, by why.
    pub(super) refusals: BTreeMap<Refusal, u32>,
    /// The first refusal.
    pub(super) failure: Option<Failure>,
}

impl Writer<'_> {
    /// Adds records, those of new nodes first. Returns whether all were added.
    pub(super) async fn add(&mut self, records: &Records) -> Result<bool, Stop> {
        let mut written = Records::new();
        let newcomers = self.state.newcomers.clone();
        let (first, backlog): (Vec<_>, Vec<_>) = records
            .iter()
            .partition(|(mac, _)| newcomers.contains(*mac));
        let mut complete = true;
        for (index, (&mac, &endpoint)) in first.iter().chain(&backlog).copied().enumerate() {
            if index > first.len() && self.is_overtaken() {
                complete = false;
                break;
            }
            let record = FdbRecord { mac, endpoint };
            let urgency = if index < first.len() {
                Urgency::NewNode
            } else {
                Urgency::Backlog
            };
            let result = {
                let _turn = self.turn(urgency, TURN_LIMIT).await?;
                self.unit
                    .add_record(&self.work.settings.tunnel, record)
                    .await
            };
            let result = result.map(|added| added == Added::Created);
            if self.note(WriteKind::Add, mac, result)? {
                written.insert(mac, endpoint);
            }
        }
        self.confirm(&written, true).await?;
        Ok(complete || self.failure.is_some())
    }

    /// Whether there is something newer to work on: another spec, or a record that was not asked for when
    /// the pass began. A node that changes otherwise does not stop the backlog.
    fn is_overtaken(&self) -> bool {
        if !self.state.inbox.has_changed().unwrap_or(true) {
            return false;
        }
        let known = &self.state.desired.nodes;
        let settings = &self.work.settings;
        let brings_record = || {
            let latest = self.state.inbox.borrow();
            let mut selected = latest.nodes.iter().filter(|node| node.selected);
            selected.any(|node| {
                let address = node.tunnel_address(&settings.addresses);
                address.is_ok_and(|address| !known.contains_key(&settings.prefix.derive(address)))
            })
        };
        self.is_outdated() || brings_record()
    }

    /// Fills an empty tunnel by one write, if a second look finds it empty still and nobody has asked
    /// for something else meanwhile. Nobody else of this process writes between the look and the write.
    /// Returns whether it was filled.
    pub(super) async fn fill(&mut self, records: &Records) -> Result<bool, Stop> {
        let result = {
            let _turn = self.turn(Urgency::Backlog, FILL_LIMIT).await?;
            let pause = tokio::time::sleep(SECOND_LOOK_AFTER);
            self.ctx.unless_stopping(pause).await?;
            let listing = read_records(self.ctx, self.work, self.unit).await?;
            let is_empty = listing.observed.is_empty();
            self.state.listing = Some(listing);
            if !is_empty || self.is_outdated() {
                return Ok(false);
            }
            self.unit
                .replace_records(&self.work.settings.tunnel, records)
                .await
        };
        self.ctx
            .metrics
            .record_write(WriteKind::Fill, result.as_ref().err().map(Error::reason));
        if let Err(error) = result {
            // A request that was not sent says nothing of the device.
            self.state.fills_singly |= *error.kind() != ErrorKind::LoginEnded;
            if error.is_uncertain() {
                self.note_change();
                self.state.note_uncertain(self.ctx.shared.clock.now());
            }
            return Err(stop_for(&error));
        }
        self.note_change();
        self.confirm(records, true).await?;
        Ok(true)
    }

    /// Whether the object was changed since the pass began, not only its nodes.
    fn is_outdated(&self) -> bool {
        let now = self.state.inbox.borrow();
        now.generation != self.work.generation || now.deleting != self.work.deleting
    }

    /// Gives records another endpoint.
    pub(super) async fn correct(&mut self, records: &Records) -> Result<(), Stop> {
        let mut written = Records::new();
        for (&mac, &endpoint) in records {
            let name = self.name_of(mac);
            let result = {
                let _turn = self.turn(Urgency::Backlog, TURN_LIMIT).await?;
                self.unit
                    .correct_record(&self.work.settings.tunnel, &name, endpoint)
                    .await
            };
            if self.note(WriteKind::Correct, mac, result.map(|()| true))? {
                written.insert(mac, endpoint);
            }
        }
        self.confirm(&written, false).await
    }

    /// Removes records. Returns whether all were looked at: a change of the object ends it.
    pub(super) async fn remove(
        &mut self,
        records: &Records,
        book: Bookkeeping<'_>,
    ) -> Result<bool, Stop> {
        let mut removed = BTreeSet::new();
        let mut complete = true;
        for (&mac, &endpoint) in records {
            let name = self.name_of(mac);
            let result = {
                // Asked when the turn has come: what was true before a long wait may not be now.
                let _turn = self.turn(Urgency::Backlog, TURN_LIMIT).await?;
                if self.is_outdated() {
                    complete = false;
                    break;
                }
                if self.is_stopped() {
                    break;
                }
                if self.is_wanted_again(mac, endpoint) {
                    continue;
                }
                let node = self.has_node_again(mac, endpoint);
                let node = tokio::time::timeout(NODE_LIMIT, node).await;
                if node.unwrap_or_else(|_| Err(nodes_not_read()))? {
                    continue;
                }
                self.unit
                    .remove_record(&self.work.settings.tunnel, &name)
                    .await
            };
            if self.note(WriteKind::Remove, mac, result.map(|_| true))? {
                removed.insert(mac);
            }
        }
        self.confirm_removed(&removed, book).await?;
        Ok(complete)
    }

    /// Waits for this object's turn to write to the unit, but not beyond the end of the task.
    async fn turn(&self, urgency: Urgency, limit: Duration) -> Result<Turn, Stop> {
        let applicant = self.ctx.applicant();
        let turn = self.inputs.session.turn(&applicant, urgency, limit);
        self.ctx.unless_stopping(turn).await
    }

    /// Whether a node that came since the list was made takes the address over. It is known already,
    /// though no pass has been made for it yet.
    fn is_wanted_again(&self, mac: MacAddress, endpoint: Endpoint) -> bool {
        let std::net::IpAddr::V4(address) = endpoint.address else {
            return false;
        };
        if self.work.leaves(self.ctx) {
            return false;
        }
        let absence = self.state.absences.get(mac);
        let rule = &self.work.settings.addresses;
        let latest = self.state.inbox.borrow();
        let mut nodes = latest.nodes.iter();
        nodes.any(|node| keeps(node, address, absence, rule))
    }

    /// Whether the API server's answers about the nodes disagree, here or in another pass. What all records
    /// are to go from is not measured by the nodes.
    fn is_stopped(&self) -> bool {
        let shared = &self.ctx.shared;
        !self.work.leaves(self.ctx) && shared.nodes.stops_removals(shared.clock.now())
    }

    /// The list proposed the removal; each node that the claim names confirms it. One that does not
    /// contradicts the list, and stops all removals for a while.
    async fn has_node_again(&self, mac: MacAddress, endpoint: Endpoint) -> Result<bool, Stop> {
        let std::net::IpAddr::V4(address) = endpoint.address else {
            return Ok(false);
        };
        if self.work.leaves(self.ctx) {
            return Ok(false);
        }
        let absence = self.state.absences.get(mac);
        let seen = absence.and_then(Absence::node_name);
        let claimed = self.inputs.names.of(mac).map(|name| &**name);
        let names: BTreeSet<&str> = claimed.chain(seen).collect();
        let (shared, settings) = (&self.ctx.shared, &self.work.settings);
        for name in names {
            let node = shared.nodes.get(name, settings).await;
            let node = node.map_err(Stop::Refused)?;
            let kept = |node: &NodeView| keeps(node, address, absence, &settings.addresses);
            if let Some(node) = node.filter(kept) {
                // One that the list shows with other addresses has changed since.
                if !self.is_listed_otherwise(&node) {
                    let doubt = Doubt::Contradicted(name.to_owned());
                    shared.nodes.note_doubt(doubt, shared.clock.now());
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_listed_otherwise(&self, node: &NodeView) -> bool {
        let mut listed = self.inputs.nodes.iter();
        listed.any(|listed| listed.uid == node.uid && listed.addresses != node.addresses)
    }

    fn name_of(&self, mac: MacAddress) -> RecordName {
        match &self.state.listing {
            Some(listing) => listing.name_of(mac),
            None => RecordName::from(mac),
        }
    }

    /// Takes a write's result in. Returns whether it has to be read back. Whether the device holds
    /// something new (`Ok(true)`) decides about saving, not about reading back.
    fn note(
        &mut self,
        write: WriteKind,
        mac: MacAddress,
        result: Result<bool, Error>,
    ) -> Result<bool, Stop> {
        let now = self.ctx.shared.clock.now();
        self.ctx
            .metrics
            .record_write(write, result.as_ref().err().map(Error::reason));
        match result {
            Ok(changed) => {
                if changed {
                    self.note_change();
                }
                self.state.refused.remove(&mac);
                if std::mem::take(&mut self.state.refuses) {
                    // It takes records again: what it refused before is worth another try.
                    self.state.refused.clear();
                }
                Ok(true)
            }
            Err(error) => {
                if error.is_uncertain() {
                    self.note_change();
                    self.state.note_uncertain(now);
                }
                let stop = match error.kind() {
                    // Its configuration layer fails on this record; others would wait for it for good.
                    ErrorKind::Server { .. } if error.code().is_some() => {
                        Stop::Refused(failure_of(&error))
                    }
                    _ => stop_for(&error),
                };
                match stop {
                    Stop::Refused(mut failure) => {
                        // Something about the tunnel may have changed: the next pass asks.
                        self.state.facts = None;
                        failure.message = format!("record {mac}: {}", failure.message);
                        self.state.refused.insert(mac);
                        let refusal = (error.reason(), error.code().map(str::to_owned));
                        let count = self.refusals.entry(refusal).or_default();
                        *count += 1;
                        if *count == REFUSALS_MAX {
                            self.state.refuses = true;
                            return Err(Stop::Refused(failure));
                        }
                        self.failure.get_or_insert(failure);
                        Ok(false)
                    }
                    stop => {
                        // Who answers next may be another one.
                        self.state.facts = None;
                        Err(stop)
                    }
                }
            }
        }
    }

    fn note_change(&mut self) {
        let clock = self.ctx.shared.clock;
        self.state.unsaved = Some(Unsaved::with_change(self.state.unsaved, clock.now()));
        self.state
            .report
            .save
            .unsaved_since
            .get_or_insert(clock.time());
        self.state.report.last_change_time = Some(clock.time());
    }

    /// Reads back what was written and settles its claims. A record that was added and shows another
    /// endpoint belongs to somebody who was faster: its claim is withdrawn.
    async fn confirm(&mut self, written: &Records, added: bool) -> Result<(), Stop> {
        let found = self.read_back(written.keys().copied().collect()).await?;
        let mut claims = ClaimChanges::new();
        for (mac, wanted) in written {
            match found.get(mac) {
                Some(endpoint) if endpoint == wanted => {
                    self.note_done(*mac, added);
                    claims.insert(*mac, Some(ClaimState::Owned));
                }
                Some(_) if added => {
                    claims.insert(*mac, None);
                }
                _ => self.not_effective(*mac),
            }
        }
        let before = self.ctx.ledger.claims_of(&self.ctx.device).await;
        claims.retain(|mac, change| before.get(mac).copied() != *change);
        claim(self.ctx, &claims).await
    }

    async fn confirm_removed(
        &mut self,
        removed: &BTreeSet<MacAddress>,
        book: Bookkeeping<'_>,
    ) -> Result<(), Stop> {
        let found = self.read_back(removed.clone()).await?;
        let mut claims = ClaimChanges::new();
        for mac in removed {
            if found.contains_key(mac) {
                self.not_effective(*mac);
                continue;
            }
            let name = self.state.node_name(*mac);
            self.state.changes.removed.add(name);
            if !(book.stored != Stored::Ignored || book.elsewhere.contains(mac)) {
                claims.insert(*mac, None);
            }
        }
        claim(self.ctx, &claims).await
    }

    /// Counts a record that is as it should be now. One that was ours before had been lost.
    fn note_done(&mut self, mac: MacAddress, added: bool) {
        let was_ours = self.inputs.claims.get(&mac) == Some(&ClaimState::Owned);
        let name = self.state.node_name(mac);
        let came = self.work.arrivals.get(&name);
        if let Some(came) = came.filter(|_| self.state.newcomers.contains(&mac)) {
            let took = came.until(self.ctx.shared.clock.now());
            self.ctx.metrics.record_propagation(took);
        }
        let changes = &mut self.state.changes;
        let tally = if added && !was_ours {
            &mut changes.added
        } else {
            &mut changes.restored
        };
        tally.add(name);
    }

    fn not_effective(&mut self, mac: MacAddress) {
        self.failure.get_or_insert(Failure {
            reason: reason::WRITE_NOT_EFFECTIVE,
            message: format!("record {mac}: the device accepted the write and does not show it"),
            retryable: true,
        });
    }

    /// Reads these records, one by one or by one list, and takes them over into what is known of
    /// the device.
    async fn read_back(&mut self, macs: BTreeSet<MacAddress>) -> Result<Records, Stop> {
        let read = self.read_from_device(macs).await;
        if read.is_err() {
            self.state.listing = None;
        }
        read
    }

    async fn read_from_device(&mut self, macs: BTreeSet<MacAddress>) -> Result<Records, Stop> {
        let tunnel = &self.work.settings.tunnel;
        let mut found = Records::new();
        if macs.len() > READ_SINGLY_MAX {
            let listing = self
                .unit
                .records(tunnel)
                .await
                .map_err(|error| stop_for(&error))?;
            found = listing.observed.records.clone();
            found.retain(|mac, _| macs.contains(mac));
            self.state.listing = Some(listing);
            return Ok(found);
        }
        for mac in macs {
            let name = self.name_of(mac);
            let record = self
                .unit
                .record(tunnel, &name)
                .await
                .map_err(|error| stop_for(&error))?;
            found.extend(record.map(|endpoint| (mac, endpoint)));
            if let Some(listing) = &mut self.state.listing {
                listing.note(mac, record);
            }
        }
        Ok(found)
    }
}

/// The API server did not answer in time whether a node exists.
fn nodes_not_read() -> Stop {
    Stop::Refused(Failure {
        reason: reason::KUBERNETES_UNAVAILABLE,
        message: format!(
            "the API server did not answer within {} s whether a node exists; its record stays",
            NODE_LIMIT.as_secs()
        ),
        retryable: true,
    })
}
