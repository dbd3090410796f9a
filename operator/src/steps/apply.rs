//! (I/O) Carries a batch out: claims, then writes, then reading back what was written.
//!
//! Touches only records that are claimed for this device, one at a time, and makes no choices: which
//! records, and whether they may go, was decided before. Nothing is sent twice: a write whose fate
//! is not known ends the pass, and the next one reads before it decides.

use std::collections::{BTreeMap, BTreeSet};

use bigip_icontrol::{Added, Error, RecordName};
use bigip_tunnel_core::batch::{Batch, Bookkeeping, Stored, claims_before};
use bigip_tunnel_core::claims::{ClaimChanges, ClaimState, DeviceClaims};
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::guard::keeps;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::record::{FdbRecord, Records};
use bigip_tunnel_core::saving::Unsaved;
use bigip_tunnel_core::vocabulary::reason;

use super::dereference::Inputs;
use super::observe::stop_for;
use crate::device::{DeviceContext, DeviceState, Work};
use crate::ledger::{LedgerError, Spending};
use crate::metrics::WriteKind;
use crate::pass::{Depth, Stop};

/// Up to this many written records are read back one by one; more of them by one list.
const READ_SINGLY_MAX: usize = 2;
/// Equal refusals after which the device is left alone until the next pass.
const REFUSALS_MAX: u32 = 3;

/// What makes two refusals equal: the reason, and the device's own code.
type Refusal = (&'static str, Option<String>);

/// Carries the batch out; `fills` as one list. Returns whether all of it was carried out: a node that
/// comes meanwhile does not wait for the rest.
pub(crate) async fn apply(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    inputs: &Inputs,
    (plan, batch, fills): (&Plan, &Batch, bool),
    depth: Depth,
) -> Result<bool, Stop> {
    let leaves = work.leaves(ctx);
    if leaves && batch.is_empty() {
        save_before_leaving(ctx, state, work, inputs).await;
    }
    let now = ctx.shared.clock.now();
    let nobody = BTreeSet::new();
    let book = Bookkeeping {
        stored: match work.settings.save_delay {
            None => Stored::Ignored,
            Some(_) if state.unsaved.is_some() => Stored::Behind,
            Some(_) => Stored::UpToDate,
        },
        awaits_late_write: state.awaits_late_write(now),
        is_young: now < state.settled_at,
        is_fresh: depth != Depth::Quick,
        // A clean-up costs nothing, so nothing has to be remembered for it.
        elsewhere: if leaves {
            &nobody
        } else {
            &inputs.removals.elsewhere
        },
        // What another object takes care of stays where it is; it is no longer ours.
        theirs: inputs.needs.as_ref().map_or(&nobody, |needs| &needs.theirs),
    };
    let changes = claims_before(plan, batch, &inputs.claims, book);
    let spending = Spending {
        removing: &batch.remove,
        percent: work.settings.removal_percent,
        approved: &work.approved,
        now: ctx.shared.clock.time(),
    };
    // Deleting the object, or taking the device off its list, is an order of its own, and not measured.
    let spending = Some(&spending).filter(|_| !leaves);
    let is_listed = work.settings.device(&ctx.device).is_some();
    let unsaved_since = (is_listed && !batch.is_empty()).then(|| {
        let noted = &mut state.report.save.unsaved_since;
        *noted.get_or_insert(ctx.shared.clock.time())
    });
    let claimed = ctx
        .ledger
        .claim(&ctx.device, &changes, spending, unsaved_since)
        .await;
    let applied = match claimed.map_err(stopped) {
        Ok(()) => carry_out(ctx, state, work, inputs, (batch, fills), book).await,
        Err(stop) => Err(stop),
    };
    if state.unsaved.is_none() {
        // Nothing came of it: there is nothing to save.
        state.report.save.unsaved_since = None;
    }
    applied
}

async fn carry_out(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    inputs: &Inputs,
    (batch, fills): (&Batch, bool),
    book: Bookkeeping<'_>,
) -> Result<bool, Stop> {
    let mut writer = Writer {
        ctx,
        state,
        work,
        inputs,
        refusals: BTreeMap::new(),
        failure: None,
    };
    let complete = if fills {
        writer.fill(&batch.add).await?;
        true
    } else {
        writer.add(&batch.add).await?
    };
    if !complete {
        return Ok(false);
    }
    writer.correct(&batch.correct).await?;
    // Make before break: nothing is removed while something could not be added.
    if writer.failure.is_none() {
        writer.remove(&batch.remove, book).await?;
    }
    writer
        .failure
        .map_or(Ok(true), |failure| Err(Stop::Refused(failure)))
}

/// Gives up every claim on a device whose tunnel is gone: the records went with it.
pub(crate) async fn give_up_all(ctx: &DeviceContext, claims: &DeviceClaims) -> Result<(), Stop> {
    claim(ctx, &claims.keys().map(|mac| (*mac, None)).collect()).await
}

/// Changes claims after the device was touched, or without touching it.
async fn claim(ctx: &DeviceContext, changes: &ClaimChanges) -> Result<(), Stop> {
    let claimed = ctx.ledger.claim(&ctx.device, changes, None, None).await;
    claimed.map_err(stopped)
}

fn stopped(error: LedgerError) -> Stop {
    match error {
        LedgerError::Gone | LedgerError::Displaced(_) => Stop::Stopping,
        error => Stop::Refused(error.failure()),
    }
}

/// When an object goes, nobody is left to save later. A unit that does not save keeps no object from
/// going: the worst that follows is that a reboot brings records back that nobody claims.
async fn save_before_leaving(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    inputs: &Inputs,
) {
    if work.settings.save_delay.is_none() || state.unsaved.is_none() {
        return;
    }
    inputs.session.queue().note_save_try(ctx.shared.clock.now());
    if let Err(error) = inputs.session.client.save().await {
        tracing::warn!(
            namespace = ctx.namespace,
            name = ctx.object,
            device = ctx.device,
            "the configuration was not saved after the last removal: {error}"
        );
    }
    state.unsaved = None;
}

/// The writes of one pass.
struct Writer<'a> {
    ctx: &'a DeviceContext,
    state: &'a mut DeviceState,
    work: &'a Work,
    inputs: &'a Inputs,
    refusals: BTreeMap<Refusal, u32>,
    failure: Option<Failure>,
}

impl Writer<'_> {
    /// Adds records, those of new nodes first. Returns whether all were added.
    async fn add(&mut self, records: &Records) -> Result<bool, Stop> {
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
            let result = {
                let _turn = self.turn().await?;
                self.inputs
                    .session
                    .client
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

    /// Whether there is something newer to work on.
    fn is_overtaken(&self) -> bool {
        self.state.inbox.has_changed().unwrap_or(true)
    }

    /// Fills an empty tunnel by one write.
    async fn fill(&mut self, records: &Records) -> Result<(), Stop> {
        let result = {
            let _turn = self.turn().await?;
            let client = &self.inputs.session.client;
            client
                .replace_records(&self.work.settings.tunnel, records)
                .await
        };
        self.ctx
            .shared
            .metrics
            .record_write(WriteKind::Fill, result.as_ref().err().map(Error::reason));
        if let Err(error) = result {
            if error.is_uncertain() {
                self.note_change();
                self.state.note_uncertain(self.ctx.shared.clock.now());
            }
            return Err(stop_for(&error));
        }
        self.note_change();
        self.confirm(records, true).await
    }

    async fn correct(&mut self, records: &Records) -> Result<(), Stop> {
        let mut written = Records::new();
        for (&mac, &endpoint) in records {
            let name = self.name_of(mac);
            let client = &self.inputs.session.client;
            let result = {
                let _turn = self.turn().await?;
                client
                    .correct_record(&self.work.settings.tunnel, &name, endpoint)
                    .await
            };
            if self.note(WriteKind::Correct, mac, result.map(|()| true))? {
                written.insert(mac, endpoint);
            }
        }
        self.confirm(&written, false).await
    }

    async fn remove(&mut self, records: &Records, book: Bookkeeping<'_>) -> Result<(), Stop> {
        let mut removed = BTreeSet::new();
        for (&mac, &endpoint) in records {
            let name = self.name_of(mac);
            let client = &self.inputs.session.client;
            let result = {
                // Asked when the turn has come: what was true before a long wait may not be now.
                let _turn = self.turn().await?;
                if self.has_node_again(mac, endpoint).await? {
                    continue;
                }
                client
                    .remove_record(&self.work.settings.tunnel, &name)
                    .await
            };
            if self.note(WriteKind::Remove, mac, result.map(|_| true))? {
                removed.insert(mac);
            }
        }
        self.confirm_removed(&removed, book).await
    }

    /// Waits for this object's turn to write to the box, but not beyond the end of the task.
    async fn turn(&self) -> Result<tokio::sync::OwnedMutexGuard<()>, Stop> {
        self.ctx
            .unless_stopping(async { self.inputs.session.queue().turn().await })
            .await
    }

    /// The list proposed the removal; the node itself, where its name is known, confirms it.
    async fn has_node_again(&self, mac: MacAddress, endpoint: Endpoint) -> Result<bool, Stop> {
        let absence = self.state.absences.get(mac);
        let name = absence.and_then(|absence| absence.node.as_ref());
        let (Some(name), std::net::IpAddr::V4(address)) = (name, endpoint.address) else {
            return Ok(false);
        };
        if self.work.leaves(self.ctx) {
            return Ok(false);
        }
        let settings = &self.work.settings;
        let node = self.ctx.shared.nodes.get(name, settings).await;
        let node = node.map_err(Stop::Refused)?;
        Ok(node.is_some_and(|node| keeps(&node, address, absence, &settings.addresses)))
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
            .shared
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
                match stop_for(&error) {
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
                    stop => Err(stop),
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
            } else if !(book.stored != Stored::Ignored || book.elsewhere.contains(mac)) {
                claims.insert(*mac, None);
            }
        }
        claim(self.ctx, &claims).await
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
        let client = &self.inputs.session.client;
        let tunnel = &self.work.settings.tunnel;
        let mut found = Records::new();
        if macs.len() > READ_SINGLY_MAX {
            let listing = client
                .records(tunnel)
                .await
                .map_err(|error| stop_for(&error))?;
            found = listing.records.clone();
            found.retain(|mac, _| macs.contains(mac));
            self.state.listing = Some(listing);
            return Ok(found);
        }
        for mac in macs {
            let name = self.name_of(mac);
            let record = client
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
