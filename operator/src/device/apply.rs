//! (I/O) Carries a batch out: claims first, then the device, then what was written is read back.
//!
//! Makes no choices: which records are written, and whether they may go, was decided before. One write at a time,
//! each with a permit of the claims that are stored.

use std::collections::BTreeSet;
use std::time::Duration;

use bigip_tunnel_core::batch::Batch;
use bigip_tunnel_core::claims::ClaimChanges;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::pass::assignment::Assignment;
use bigip_tunnel_core::pass::claiming::{ClaimRequest, claim_request};
use bigip_tunnel_core::pass::decision::{Next, WriteMode};
use bigip_tunnel_core::pass::following::Progress;
use bigip_tunnel_core::pass::inputs::Inputs;
use bigip_tunnel_core::pass::memory::{Memory, Note};
use bigip_tunnel_core::pass::writing::{
    Change, NodeAnswer, READ_SINGLY_MAX, Refusals, StoredClaims, Write, count_adopted,
    desired_again, judge_node, node_not_read, nodes_to_ask, note_fill_failed, settle_removed,
    settle_written,
};
use bigip_tunnel_core::pass::{Depth, Fault, PassError};
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::record::{FdbRecord, Records};
use bigip_tunnel_core::turns::Urgency;

use super::ports::{Access, Cluster, Ledger, Ports, Saver, UnitReader, UnitWriter};

/// The longest turn with one write: asking for its node, extending the token, and the write itself. The
/// deadlines of these requests end it earlier.
const TURN_LIMIT: Duration = Duration::from_secs(110);
/// The longest turn that fills a tunnel: the second read, and the write.
const FILL_LIMIT: Duration = Duration::from_secs(280);
/// How long others wait for the answer about the node of a record that is to be removed.
const NODE_LIMIT: Duration = Duration::from_secs(10);
/// How long after the first read an empty tunnel is read again before it is filled.
const SECOND_READ_AFTER: Duration = Duration::from_secs(2);

/// Carries the batch out, unless nothing is to be written.
pub(super) async fn apply<C: Cluster, A: Access, L: Ledger>(
    ports: &mut Ports<'_, C, A, L>,
    memory: &mut Memory,
    work: &Assignment,
    (inputs, unit): (&Inputs, &A::Unit),
    (plan, next): (&Plan, &Next),
    depth: Depth,
) -> Result<Progress, PassError> {
    if next.mode == WriteMode::None {
        return Ok(Progress::Complete);
    }
    if work.purpose.is_clean_up() && next.batch.is_empty() {
        save_before_leaving(memory, work, unit).await?;
    }
    let from = (plan, &next.batch);
    let request = claim_request(memory, work, inputs, from, depth, ports.clock.both());
    let applied = match ports.ledger.claim(request).await {
        Ok(stored) => {
            count_adopted(memory, inputs, &next.batch.adopt);
            let mut writes = Writes {
                ports: &mut *ports,
                memory: &mut *memory,
                work,
                inputs,
                unit,
                stored,
                refusals: Refusals::default(),
            };
            writes.carry_out(&next.batch, next.mode).await
        }
        Err(error) => Err(error),
    };
    if memory.unsaved.is_none() {
        // Nothing came of it: there is nothing to save.
        memory.report.save.unsaved_since = None;
    }
    applied
}

/// Saves a unit before the object's last claims on it are dropped: there is no one left to save it later. A unit
/// that does not save keeps no object from going: the worst that follows is that a reboot brings records back
/// that no object claims.
async fn save_before_leaving<U: Saver>(
    memory: &mut Memory,
    work: &Assignment,
    unit: &U,
) -> Result<(), PassError> {
    if !work.saves() || memory.unsaved.is_none() {
        return Ok(());
    }
    match unit.save().await {
        // It was not sent: the pass that follows saves the unit that it finds.
        Err(error) if error.fault == Fault::LoginEnded => return Err(error.into()),
        Err(error) => memory.notes.push(Note::NotSaved(error.failure)),
        Ok(()) => {}
    }
    memory.unsaved = None;
    Ok(())
}

/// The writes of one pass.
struct Writes<'w, 'p, C, A: Access, L> {
    ports: &'w mut Ports<'p, C, A, L>,
    memory: &'w mut Memory,
    work: &'w Assignment,
    inputs: &'w Inputs,
    /// The unit that the plan was made for.
    unit: &'w A::Unit,
    /// What is claimed, as stored.
    stored: StoredClaims,
    /// What the device has refused.
    refusals: Refusals,
}

impl<C: Cluster, A: Access, L: Ledger> Writes<'_, '_, C, A, L> {
    async fn carry_out(&mut self, batch: &Batch, mode: WriteMode) -> Result<Progress, PassError> {
        let added = match mode {
            WriteMode::Bulk => self.fill(&batch.add).await?,
            WriteMode::None | WriteMode::Single => self.add(&batch.add).await?,
        };
        if added == Progress::Interrupted {
            return Ok(added);
        }
        self.correct(&batch.correct).await?;
        if let Some(failure) = self.refusals.first.take() {
            // Make before break: nothing is removed while something could not be added.
            return Err(PassError::Refused(failure));
        }
        let removed = self.remove(&batch.remove).await?;
        let failure = self.refusals.first.take();
        failure.map_or(Ok(removed), |failure| Err(PassError::Refused(failure)))
    }

    /// Adds records, those of new nodes first.
    async fn add(&mut self, records: &Records) -> Result<Progress, PassError> {
        let mut written = Records::new();
        let newcomers = self.memory.newcomers.clone();
        let (first, backlog): (Vec<_>, Vec<_>) = records
            .iter()
            .partition(|(mac, _)| newcomers.contains(*mac));
        let mut progress = Progress::Complete;
        for (index, (&mac, &endpoint)) in first.iter().chain(&backlog).copied().enumerate() {
            if index > first.len() && self.is_overtaken() {
                progress = Progress::Interrupted;
                break;
            }
            let urgency = if index < first.len() {
                Urgency::NewNode
            } else {
                Urgency::Backlog
            };
            let write = Write::Add(FdbRecord { mac, endpoint });
            if self.send(mac, write, urgency).await? {
                written.insert(mac, endpoint);
            }
        }
        self.confirm(&written, Change::Added).await?;
        let is_refused = self.refusals.first.is_some();
        Ok(if is_refused {
            Progress::Complete
        } else {
            progress
        })
    }

    /// Whether there is something newer to work on: another spec, or a record that was not asked for when
    /// the pass began. A node that changes otherwise does not stop the backlog.
    fn is_overtaken(&self) -> bool {
        let cluster = &self.ports.cluster;
        let brings_record =
            |nodes: std::sync::Arc<[_]>| self.work.brings_record(&nodes, &self.memory.desired);
        cluster.is_superseded() || cluster.new_nodes().is_some_and(brings_record)
    }

    /// Fills an empty tunnel by one write, if a second read finds it empty still and nothing else was asked for
    /// meanwhile. No other write of this process comes between the read and the write.
    async fn fill(&mut self, records: &Records) -> Result<Progress, PassError> {
        let permit = self.stored.permit(Write::Fill(records.clone()))?;
        let (urgency, limit) = (Urgency::Backlog, FILL_LIMIT);
        let writer = self.unit.writer(permit, urgency, limit).await?;
        self.unit.pause(SECOND_READ_AFTER).await?;
        let listing = self.unit.records().await?;
        let is_empty = listing.observed.is_empty();
        self.memory.listing = Some(listing);
        if !is_empty || self.ports.cluster.is_superseded() {
            return Ok(Progress::Interrupted);
        }
        if let Err(error) = writer.send().await {
            let now = self.ports.clock.both();
            note_fill_failed(self.memory, &error, now);
            return Err(error.into());
        }
        self.memory.note_change(self.ports.clock.both());
        self.confirm(records, Change::Added).await?;
        Ok(Progress::Complete)
    }

    /// Gives records another endpoint.
    async fn correct(&mut self, records: &Records) -> Result<(), PassError> {
        let mut written = Records::new();
        for (&mac, &endpoint) in records {
            let name = self.memory.name_of(mac);
            let write = Write::Correct(name, FdbRecord { mac, endpoint });
            if self.send(mac, write, Urgency::Backlog).await? {
                written.insert(mac, endpoint);
            }
        }
        self.confirm(&written, Change::Corrected).await
    }

    /// Sends one write in its turn. Returns whether it has to be read back.
    async fn send(
        &mut self,
        mac: MacAddress,
        write: Write,
        urgency: Urgency,
    ) -> Result<bool, PassError> {
        let permit = self.stored.permit(write)?;
        let writer = self.unit.writer(permit, urgency, TURN_LIMIT).await?;
        let result = writer.send().await;
        let now = self.ports.clock.both();
        self.refusals.take_result(self.memory, mac, result, now)
    }

    /// Removes records. A change of the object interrupts it; a doubt about the nodes ends it.
    async fn remove(&mut self, records: &Records) -> Result<Progress, PassError> {
        let mut removed = BTreeSet::new();
        let mut progress = Progress::Complete;
        for (&mac, &endpoint) in records {
            let record = FdbRecord { mac, endpoint };
            let write = Write::Remove(self.memory.name_of(mac), mac);
            let permit = self.stored.permit(write)?;
            let urgency = Urgency::Backlog;
            let writer = self.unit.writer(permit, urgency, TURN_LIMIT).await?;
            // Asked when the turn has come: what was true before a long wait may not be now.
            if self.ports.cluster.is_superseded() {
                progress = Progress::Interrupted;
                break;
            }
            if self.is_stopped() {
                break;
            }
            let latest = self.ports.cluster.latest_nodes();
            if desired_again(self.memory, self.work, &latest, record) {
                continue;
            }
            let asked = tokio::time::timeout(NODE_LIMIT, self.node_reappeared(record)).await;
            if asked.map_err(|_| node_not_read(NODE_LIMIT))?? {
                continue;
            }
            let result = writer.send().await;
            let now = self.ports.clock.both();
            if self.refusals.take_result(self.memory, mac, result, now)? {
                removed.insert(mac);
            }
        }
        let found = self.read_back(removed.clone()).await?;
        let of = (self.work, self.inputs);
        let changes = settle_removed(self.memory, &mut self.refusals, of, &removed, &found);
        self.claim(changes).await?;
        Ok(progress)
    }

    /// Whether the API server's answers about the nodes disagree, here or in another pass. A clean-up does not
    /// depend on the nodes.
    fn is_stopped(&self) -> bool {
        let until = self.ports.cluster.removals_stop_until();
        let now = self.ports.clock.now();
        !self.work.purpose.is_clean_up() && until.is_some_and(|until| until > now)
    }

    /// The list proposed the removal; each node that the claim names confirms it. One that does not
    /// contradicts the list, and stops all removals for a while.
    async fn node_reappeared(&self, record: FdbRecord) -> Result<bool, PassError> {
        for name in nodes_to_ask(self.memory, self.work, self.inputs, record) {
            let node = self.ports.cluster.get_node(&name).await?;
            match judge_node(self.memory, self.work, self.inputs, record, node.as_ref()) {
                NodeAnswer::Gone => {}
                NodeAnswer::Changed => return Ok(true),
                NodeAnswer::Contradicts => {
                    self.ports.cluster.note_contradiction(&name);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Reads back what was written, and settles its claims.
    async fn confirm(&mut self, written: &Records, change: Change) -> Result<(), PassError> {
        let found = self.read_back(written.keys().copied().collect()).await?;
        let (of, now) = ((self.work, self.inputs), self.ports.clock.now());
        let refusals = &mut self.refusals;
        let written = (written, change);
        let changes = settle_written(self.memory, refusals, of, written, &found, now);
        self.claim(changes).await
    }

    async fn claim(&mut self, changes: ClaimChanges) -> Result<(), PassError> {
        if !changes.is_empty() {
            self.stored = self.ports.ledger.claim(ClaimRequest::of(changes)).await?;
        }
        Ok(())
    }

    /// Reads these records, one by one or by one list, and takes them over into what is known of the device.
    async fn read_back(&mut self, macs: BTreeSet<MacAddress>) -> Result<Records, PassError> {
        let read = self.read_records(macs).await;
        if read.is_err() {
            self.memory.listing = None;
        }
        read
    }

    async fn read_records(&mut self, macs: BTreeSet<MacAddress>) -> Result<Records, PassError> {
        if macs.len() > READ_SINGLY_MAX {
            let listing = self.unit.records_after_write().await?;
            let mut found = listing.observed.records.clone();
            found.retain(|mac, _| macs.contains(mac));
            self.memory.listing = Some(listing);
            return Ok(found);
        }
        let mut found = Records::new();
        for mac in macs {
            let name = self.memory.name_of(mac);
            let record = self.unit.record_after_write(&name).await?;
            found.extend(record.map(|endpoint| (mac, endpoint)));
            if let Some(listing) = &mut self.memory.listing {
                listing.note(mac, record);
            }
        }
        Ok(found)
    }
}
