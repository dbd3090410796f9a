//! What has to hold when nothing happens any more.
//!
//! Judges by the truth about the cluster and by who wrote which record. Must not trust what the
//! operator believes, except for the word by which it says why a record stays.

use bigip_tunnel_core::claims::{ClaimState, DeviceClaims};
use bigip_tunnel_core::guard::Hold;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::Records;

use super::apply::claimed_elsewhere;
use super::cluster::{Node, needed};
use super::device::{endpoint_of, mac_of};
use super::operation::{DEVICES, Depth, Operation, Pass};
use super::world::{Broken, DEVICE_NAMES, World};

impl World {
    /// Every device holds what it has to hold, and another look writes nothing.
    pub(super) fn check_rest(&mut self) -> Result<(), Broken> {
        for device in 0..DEVICES {
            self.check_needed_records(device)?;
            self.check_other_records(device)?;
        }
        let before = (self.writes, self.claim_changes);
        for depth in [Depth::Quick, Depth::Verify, Depth::Removal] {
            for device in 0..DEVICES {
                self.step(&Operation::Pass(Pass::calm(device, depth)))?;
            }
        }
        if before == (self.writes, self.claim_changes) {
            Ok(())
        } else {
            Err("at rest: there was something left to write".into())
        }
    }

    fn check_needed_records(&self, device: usize) -> Result<(), Broken> {
        let (records, claims) = self.known(device);
        for address in needed(self.cluster.now(), self.settings.selector) {
            let mac = mac_of(address);
            match records.get(&mac) {
                None => return Err(format!("at rest: {address} has no record")),
                Some(found) if *found == endpoint_of(address) => {
                    if !claims.contains_key(&mac) {
                        return Err(format!("at rest: the record of {address} is not claimed"));
                    }
                }
                Some(found) => {
                    let is_conflict = !self.devices[device].by_operator.contains(&mac)
                        && !claims.contains_key(&mac);
                    if !is_conflict {
                        return Err(format!("at rest: {address} has a record for {found}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_other_records(&self, device: usize) -> Result<(), Broken> {
        let (records, claims) = self.known(device);
        let needed = needed(self.cluster.now(), self.settings.selector);
        let needed = |mac| needed.iter().any(|address| mac_of(*address) == mac);
        for mac in records.keys().copied().filter(|mac| !needed(*mac)) {
            if claims.contains_key(&mac) {
                let held = self.operator.tasks[device].verdict.held.get(&mac);
                if !held.is_some_and(|hold| self.is_true(device, hold)) {
                    return Err(format!("at rest: {mac} stays because of {held:?}"));
                }
            } else if self.devices[device].by_operator.contains(&mac) {
                return Err(format!("at rest: {mac} was left behind"));
            }
        }
        // What is gone here stays leaving for as long as another device has it to remove still.
        let elsewhere = claimed_elsewhere(&self.ledger.claims, DEVICE_NAMES[device]);
        let waits = |mac: &MacAddress| {
            claims.get(mac) == Some(&ClaimState::Leaving) && elsewhere.contains(mac)
        };
        let absent = claims
            .keys()
            .find(|mac| !records.contains_key(mac) && !waits(mac));
        absent.map_or(Ok(()), |mac| {
            Err(format!("at rest: {mac} is claimed and not there"))
        })
    }

    /// Whether the reason why a record stays is one that lasts, and holds.
    fn is_true(&self, device: usize, hold: &Hold) -> bool {
        let selector = self.settings.selector;
        let nodes = self.cluster.now();
        let mut selected = nodes.values().filter(|node| node.is_selected(selector));
        match hold {
            Hold::NoNodeSelected => selected.next().is_none(),
            Hold::StillListed(name) => nodes.contains_key(name),
            Hold::NodeAddressMissing(name) => {
                let address = nodes.get(name).and_then(Node::address);
                nodes.contains_key(name) && address.is_none()
            }
            Hold::OverBudget => {
                let over = self.operator.tasks[device].verdict.over_budget();
                self.is_over_budget(&over)
            }
            Hold::NothingElse => self.operator.tasks[device].plan.present().is_empty(),
            // Every claim of this model names its node.
            Hold::NodeUnknown
            | Hold::NodeAddressUnstable(_)
            | Hold::Neighbour(_)
            | Hold::OthersUnknown
            | Hold::Waiting(_) => false,
        }
    }

    fn known(&self, device: usize) -> (Records, &DeviceClaims) {
        let claims = self.ledger.claims.of(DEVICE_NAMES[device]);
        (self.devices[device].records(), claims)
    }
}
