//! How the operator carries a batch out: the calls of `operator/src/device/apply.rs`, step by step.
//!
//! Claims first, then one write after the other, each with its fate, then reading back. Must not
//! decide about a record.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bigip_tunnel_core::batch::{Batch, ClaimContext, SavedConfig};
use bigip_tunnel_core::budget::Census;
use bigip_tunnel_core::claims::{ClaimChanges, ClaimState, Claims, NodeChanges};
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::record::Records;

use super::cluster::views;
use super::decisions;
use super::device::Write;
use super::operation::{Depth, Trouble};
use super::operator::{Fate, Stop, Turn};
use super::world::{DEVICE_NAMES, World};

const READ_SINGLY_MAX: usize = 2;
const REFUSALS_MAX: u32 = 3;

impl World {
    /// Claims, then the device, then what was written is read back.
    pub(super) fn apply(
        &mut self,
        turn: &Turn,
        plan: &Plan,
        batch: &Batch,
        fate: &mut Fate,
    ) -> Result<(), Stop> {
        let now = self.now();
        let task = &mut self.operator.tasks[turn.device];
        let elsewhere = claimed_elsewhere(&self.ledger.claims, DEVICE_NAMES[turn.device]);
        let context = ClaimContext {
            saved_config: match (self.settings.saves, task.unsaved) {
                (false, _) => SavedConfig::Ignored,
                (true, true) => SavedConfig::Behind,
                (true, false) => SavedConfig::UpToDate,
            },
            awaits_late_write: task.awaits_late_write(now.moment),
            within_settle_period: now.moment < task.settled_at,
            is_fresh: turn.depth != Depth::Quick,
            claimed_on_other_device: &elsewhere,
            claimed_by_peer: &BTreeSet::new(),
        };
        let changes = decisions::claims_first(plan, batch, &turn.claims, context);
        let nodes = decisions::nodes_first(
            &self.ledger.claims,
            DEVICE_NAMES[turn.device],
            &changes,
            &self.operator.tasks[turn.device].desired,
            &turn.views,
        );
        self.claim(turn.device, (&changes, &nodes), Some((turn, &batch.remove)))?;
        let mut refusals = 0;
        let mut is_right = true;
        for (added, records) in [(true, &batch.add), (false, &batch.correct)] {
            let mut written = Records::new();
            for (&mac, &endpoint) in records {
                let write = if added {
                    Write::Add(mac, endpoint)
                } else {
                    Write::Correct(mac, endpoint)
                };
                let trouble = self.strike(turn, fate);
                if self.send(turn, write, trouble.as_ref())? {
                    written.insert(mac, endpoint);
                } else {
                    refusals += 1;
                    if refusals == REFUSALS_MAX {
                        return Err(Stop::Failed);
                    }
                }
            }
            is_right &= self.confirm(turn.device, &written, added)?;
        }
        // Make before break: nothing is removed while something could not be added.
        if refusals > 0 || !is_right {
            return Err(Stop::Failed);
        }
        self.remove(turn, &batch.remove, context, fate)
    }

    fn remove(
        &mut self,
        turn: &Turn,
        records: &Records,
        context: ClaimContext<'_>,
        fate: &mut Fate,
    ) -> Result<(), Stop> {
        let mut removed = BTreeSet::new();
        let mut is_refused = false;
        for (&mac, &endpoint) in records {
            let trouble = self.strike(turn, fate);
            if self.has_node_again(turn.device, mac, endpoint) {
                continue;
            }
            if self.send(turn, Write::Remove(mac), trouble.as_ref())? {
                removed.insert(mac);
            } else {
                is_refused = true;
            }
        }
        let found = self.read_back(turn.device, &removed);
        let gone = removed.into_iter().filter(|mac| !found.contains_key(mac));
        let forgotten = gone.filter(|mac| {
            !(context.saved_config != SavedConfig::Ignored
                || context.claimed_on_other_device.contains(mac))
        });
        let changes = forgotten.map(|mac| (mac, None));
        self.claim(turn.device, (&changes.collect(), &NodeChanges::new()), None)?;
        if is_refused {
            Err(Stop::Failed)
        } else {
            Ok(())
        }
    }

    fn has_node_again(&self, device: usize, mac: MacAddress, endpoint: Endpoint) -> bool {
        let absence = self.operator.tasks[device].absences.get(mac);
        let IpAddr::V4(address) = endpoint.address else {
            return false;
        };
        let names: BTreeSet<&str> = self
            .ledger
            .claims
            .nodes()
            .of(mac)
            .map(|name| &**name)
            .collect();
        let now = views(self.cluster.now(), self.settings.selector);
        let mut nodes = now.iter().filter(|node| names.contains(node.name.as_str()));
        nodes.any(|node| decisions::keeps(node, address, absence))
    }

    /// What is going to happen to the next write. What others do, they do now.
    fn strike(&mut self, turn: &Turn, fate: &mut Fate) -> Option<Trouble> {
        let trouble = fate.strike();
        if let Some(Trouble::Meanwhile(outside)) = &trouble {
            for name in self.outside(outside) {
                self.witness.devices[turn.device].forgive(&name);
            }
        }
        trouble
    }

    /// Sends a write. Returns whether the device took it.
    fn send(&mut self, turn: &Turn, write: Write, trouble: Option<&Trouble>) -> Result<bool, Stop> {
        self.writes += 1;
        self.check_write(turn, write)?;
        let (is_carried_out, is_uncertain) = match trouble {
            Some(Trouble::Refused) => {
                self.operator.tasks[turn.device].refused.insert(write.mac());
                return Ok(false);
            }
            Some(Trouble::CrashBefore) => return Err(Stop::Crashed),
            Some(Trouble::Late) => {
                self.devices[turn.device].delay(write, self.clock);
                (false, true)
            }
            Some(Trouble::LostBefore) => (false, true),
            Some(Trouble::LostAfter) => (true, true),
            Some(Trouble::CrashAfter | Trouble::Meanwhile(_)) | None => (true, false),
        };
        if is_carried_out && self.devices[turn.device].commit(write) {
            self.operator.tasks[turn.device].unsaved = true;
            self.witness.devices[turn.device].wrote(write);
            self.check_nothing_else_changed()?;
            self.check_no_gap()?;
        }
        if is_uncertain {
            let now = self.now().moment;
            self.operator.tasks[turn.device].note_uncertain(now);
            self.witness.devices[turn.device].uncertain_at = Some(self.clock);
            return Err(Stop::Failed);
        }
        if matches!(trouble, Some(Trouble::CrashAfter)) {
            return Err(Stop::Crashed);
        }
        self.operator.tasks[turn.device]
            .refused
            .remove(&write.mac());
        Ok(true)
    }

    /// Reads back what was written and settles its claims. Returns whether it is all there.
    fn confirm(&mut self, device: usize, written: &Records, added: bool) -> Result<bool, Stop> {
        let found = self.read_back(device, &written.keys().copied().collect());
        let mut changes = ClaimChanges::new();
        let mut is_effective = true;
        for (mac, wanted) in written {
            match found.get(mac) {
                Some(endpoint) if endpoint == wanted => {
                    changes.insert(*mac, Some(ClaimState::Owned));
                }
                Some(_) if added => {
                    changes.insert(*mac, None);
                }
                _ => is_effective = false,
            }
        }
        self.witness.devices[device].saw_records(written, &found);
        self.claim(device, (&changes, &NodeChanges::new()), None)?;
        Ok(is_effective)
    }

    fn read_back(&mut self, device: usize, macs: &BTreeSet<MacAddress>) -> Records {
        let records = self.devices[device].records();
        let mut found = records.clone();
        found.retain(|mac, _| macs.contains(mac));
        let task = &mut self.operator.tasks[device];
        if macs.len() > READ_SINGLY_MAX {
            task.listing = Some(records);
        } else if let Some(listing) = &mut task.listing {
            listing.retain(|mac, _| !macs.contains(mac));
            listing.extend(&found);
        }
        found
    }

    /// Stores claims, in the form in which they are stored. Takes removals from the budget.
    fn claim(
        &mut self,
        device: usize,
        (changes, nodes): (&ClaimChanges, &NodeChanges),
        removing: Option<(&Turn, &Records)>,
    ) -> Result<(), Stop> {
        let mut claims = self.ledger.claims.clone();
        let applied = claims.apply(DEVICE_NAMES[device], changes);
        if !(claims.note_nodes(nodes) || applied) {
            return Ok(());
        }
        if let Some((turn, removing)) = removing {
            let (staying, leaving) = self.ledger.claims.staying_and_leaving(&|_| true);
            let task = &self.operator.tasks[device];
            let purse = self.purse(Census::of(&staying, &task.desired), &leaving);
            let evidence = (&*turn.views, &task.absences);
            let window = decisions::spend(removing, evidence, &purse, self.now());
            let window = window.map_err(|_| Stop::Failed)?;
            if let Some(window) = window {
                self.ledger.window = window;
            }
            self.check_budget(&removing.keys().copied().collect())?;
        }
        self.ledger.claims = Claims::from_rows(claims.to_rows());
        self.claim_changes += 1;
        self.witness.stored(&self.ledger.claims, self.cluster.now());
        Ok(())
    }
}

/// What stays claimed on other devices.
pub(super) fn claimed_elsewhere(claims: &Claims, device: &str) -> BTreeSet<MacAddress> {
    let others = claims.devices().filter(|other| *other != device);
    let claimed = others.flat_map(|other| claims.of(other));
    let staying = claimed.filter(|(_, state)| **state != ClaimState::Leaving);
    staying.map(|(mac, _)| *mac).collect()
}
