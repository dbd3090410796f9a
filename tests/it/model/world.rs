//! The whole world of one case: cluster, devices, what is stored, the operator, the witness.
//!
//! Carries steps out and brings the world to rest. Must not judge: that is the witness's.

use std::collections::BTreeSet;
use std::time::Duration;

use bigip_tunnel_core::budget::Window;
use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::time::Moment;
use jiff::Timestamp;

use super::cluster::{Cluster, Selector};
use super::decisions::Now;
use super::device::Device;
use super::operation::{DEVICES, Depth, Operation, Outside, Pass};
use super::operator::Operator;
use super::witness::Witness;

/// How many passes over all devices may be needed to come to rest.
const ROUNDS_MAX: usize = 12;

/// An invariant that does not hold.
pub(super) type Broken = String;

/// What a restart does not lose.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) claims: Claims,
    pub(super) window: Window,
    /// Which devices hold changes that were not saved.
    pub(super) unsaved: [bool; DEVICES],
}

/// The spec.
pub(super) struct Settings {
    pub(super) selector: Selector,
    pub(super) delay_seconds: u64,
    pub(super) percent: u8,
    pub(super) saves: bool,
}

pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) devices: [Device; DEVICES],
    pub(super) ledger: Ledger,
    pub(super) settings: Settings,
    pub(super) operator: Operator,
    pub(super) witness: Witness,
    /// Seconds since the world began.
    pub(super) clock: u64,
    pub(super) writes: usize,
    pub(super) claim_changes: usize,
}

pub(super) const DEVICE_NAMES: [&str; DEVICES] = ["bigip-a", "bigip-b"];

impl World {
    pub(super) fn new(saves: bool) -> Self {
        Self {
            cluster: Cluster::new(),
            devices: [Device::new(), Device::new()],
            ledger: Ledger::default(),
            settings: Settings {
                selector: Selector::All,
                delay_seconds: 60,
                percent: 25,
                saves,
            },
            operator: Operator::default(),
            witness: Witness::default(),
            clock: 0,
            writes: 0,
            claim_changes: 0,
        }
    }

    pub(super) fn now(&self) -> Now {
        let second = 1_800_000_000 + i64::try_from(self.clock).unwrap();
        let elapsed = self.clock - self.operator.started;
        Now {
            moment: Moment::since_start(Duration::from_secs(elapsed)),
            time: Timestamp::from_second(second).unwrap(),
        }
    }

    pub(super) fn step(&mut self, operation: &Operation) -> Result<(), Broken> {
        match operation {
            Operation::Outside(outside) => {
                self.outside(outside);
            }
            Operation::Pass(pass) => self.pass(pass)?,
            Operation::Restart => self.restart(),
            Operation::LateWrite(device) => {
                let touched = self.devices[*device].commit_late();
                self.note_touched(*device, touched);
            }
            Operation::Save(device) => self.save(*device),
            Operation::Select(selector) => self.settings.selector = *selector,
            Operation::SetDelay(seconds) => self.settings.delay_seconds = *seconds,
            Operation::SetPercent(percent) => self.settings.percent = *percent,
            Operation::Approve => self.approve(),
            Operation::Advance(seconds) => self.advance(*seconds),
        }
        self.check_nothing_else_changed()?;
        self.check_no_gap()
    }

    /// Carries out what the operator has no part in. Returns the names of the nodes that it changed.
    pub(super) fn outside(&mut self, outside: &Outside) -> BTreeSet<String> {
        match outside {
            Outside::Node(change) => self.cluster.change(change),
            Outside::Device(device, edit) => {
                let touched = self.devices[*device].edit(edit);
                self.note_touched(*device, touched);
                BTreeSet::new()
            }
        }
    }

    fn save(&mut self, device: usize) {
        if self.settings.saves {
            self.devices[device].save();
            self.operator.tasks[device].unsaved = false;
            self.ledger.unsaved[device] = false;
        }
    }

    fn advance(&mut self, seconds: u64) {
        self.clock += seconds;
        for device in 0..DEVICES {
            while let Some(touched) = self.devices[device].commit_overdue(self.clock) {
                self.note_touched(device, [touched]);
            }
        }
    }

    pub(super) fn note_touched(
        &mut self,
        device: usize,
        touched: impl IntoIterator<Item = MacAddress>,
    ) {
        let texts = self.devices[device].texts();
        self.witness.devices[device].touched(touched, &texts);
    }

    /// Nothing goes wrong any more: passes, until two rounds change nothing.
    pub(super) fn come_to_rest(&mut self) -> Result<(), Broken> {
        let mut quiet = 0;
        for _ in 0..ROUNDS_MAX {
            let before = (self.writes, self.claim_changes);
            for device in 0..DEVICES {
                self.step(&Operation::Pass(Pass::calm(device, Depth::Verify)))?;
                self.step(&Operation::Save(device))?;
            }
            quiet = if before == (self.writes, self.claim_changes) {
                quiet + 1
            } else {
                0
            };
            if quiet == 2 {
                return Ok(());
            }
            // Longer than every delay, so that no removal waits for time alone.
            self.step(&Operation::Advance(200))?;
        }
        Err(format!("not at rest after {ROUNDS_MAX} rounds"))
    }
}
