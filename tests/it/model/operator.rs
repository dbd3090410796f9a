//! The operator without network and clock: the pass of `operator/src/device/pass.rs`, step by step.
//!
//! Puts `core`'s decisions together in the same order and remembers the same things. Must not decide
//! about a record, and must not know the truth about the cluster beyond what it asks for.

use std::collections::BTreeSet;
use std::time::Duration;

use bigip_tunnel_core::budget::Census;
use bigip_tunnel_core::claims::{ClaimState, DeviceClaims};
use bigip_tunnel_core::desired::Desired;
use bigip_tunnel_core::drift::Losses;
use bigip_tunnel_core::guard::{Absences, Verdict};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::plan::Plan;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::time::Moment;

use super::cluster::{Nodes, views};
use super::decisions::{self, Purse};
use super::operation::{DEVICES, Depth, List, Pass, Trouble};
use super::world::{Broken, DEVICE_NAMES, World};

/// `--settle-seconds`, and the same after an uncertain answer.
pub(super) const SETTLE: Duration = Duration::from_secs(75);
const LATE_WRITE: Duration = Duration::from_secs(65);
/// How many passes may follow each other at once.
const FOLLOWING_MAX: usize = 20;

/// What a restart loses.
pub(super) struct Operator {
    /// When the process began, on the world's clock.
    pub(super) started: u64,
    pub(super) tasks: [Task; DEVICES],
    /// The version of the newest list.
    newest_list: usize,
    /// The version that the watch has shown.
    watched: usize,
    approved: BTreeSet<MacAddress>,
}

/// What a device's task remembers.
pub(super) struct Task {
    pub(super) desired: Desired,
    pub(super) absences: Absences,
    losses: Losses,
    /// Records of nodes that have just come, and are not there yet.
    newcomers: BTreeSet<MacAddress>,
    pub(super) settled_at: Moment,
    late_write_until: Option<Moment>,
    pub(super) refused: BTreeSet<MacAddress>,
    pub(super) listing: Option<Records>,
    pub(super) unsaved: bool,
    /// What the last pass judged.
    pub(super) verdict: Verdict,
    /// What the last pass had to do.
    pub(super) plan: Plan,
}

/// One pass: what it was made with.
pub(super) struct Turn {
    pub(super) device: usize,
    pub(super) depth: Depth,
    /// The nodes of the list or of the watch.
    pub(super) listed: Nodes,
    pub(super) views: Vec<NodeView>,
    /// The claims that were stored when it began.
    pub(super) claims: DeviceClaims,
    /// The records that it was planned on.
    pub(super) records: Records,
}

/// What is going to happen to the writes of a pass.
pub(super) struct Fate(Option<(usize, Trouble)>);

enum End {
    Settled,
    Again(Depth),
}

/// Why a pass was broken off.
pub(super) enum Stop {
    Failed,
    Crashed,
    Broken(Broken),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Default for Operator {
    fn default() -> Self {
        Self {
            started: 0,
            tasks: std::array::from_fn(|_| Task::new(false)),
            newest_list: 0,
            watched: 0,
            approved: BTreeSet::new(),
        }
    }
}

impl Task {
    fn new(unsaved: bool) -> Self {
        Self {
            desired: Desired::default(),
            absences: Absences::default(),
            losses: Losses::default(),
            newcomers: BTreeSet::new(),
            settled_at: Moment::since_start(SETTLE),
            late_write_until: None,
            refused: BTreeSet::new(),
            listing: None,
            unsaved,
            verdict: Verdict::default(),
            plan: Plan::default(),
        }
    }

    /// As `operator/src/device.rs` does it.
    fn note_newcomers(&mut self, desired: &Desired) {
        let (before, after) = (&self.desired.nodes, &desired.nodes);
        self.newcomers.retain(|mac| after.contains_key(mac));
        if !before.is_empty() {
            let new = after.keys().filter(|mac| !before.contains_key(mac));
            self.newcomers.extend(new);
        }
    }

    pub(super) fn awaits_late_write(&mut self, now: Moment) -> bool {
        self.late_write_until = self.late_write_until.filter(|until| *until > now);
        self.late_write_until.is_some()
    }

    pub(super) fn note_uncertain(&mut self, now: Moment) {
        self.listing = None;
        self.unsaved = true;
        self.settled_at = self.settled_at.max(now + SETTLE);
        self.late_write_until = Some(now + LATE_WRITE);
    }
}

impl Fate {
    pub(super) fn strike(&mut self) -> Option<Trouble> {
        match &mut self.0 {
            Some((0, _)) => self.0.take().map(|(_, trouble)| trouble),
            Some((writes, _)) => {
                *writes -= 1;
                None
            }
            None => None,
        }
    }
}

impl World {
    /// The process ends, and a new one begins.
    pub(super) fn restart(&mut self) {
        let task = |device: usize| {
            let claims = self.ledger.claims.of(DEVICE_NAMES[device]);
            let leaves = claims.values().any(|state| *state == ClaimState::Leaving);
            Task::new(self.ledger.unsaved[device] || leaves)
        };
        self.operator = Operator {
            started: self.clock,
            tasks: std::array::from_fn(task),
            newest_list: 0,
            watched: self.cluster.version(),
            approved: BTreeSet::new(),
        };
        self.witness.restarted();
    }

    /// A person approves what is held.
    pub(super) fn approve(&mut self) {
        let held = self.operator.tasks.iter().map(|t| t.verdict.over_budget());
        let held: BTreeSet<MacAddress> = held.flatten().collect();
        if !held.is_empty() {
            self.witness.approved.extend(&held);
            self.operator.approved = held;
        }
    }

    /// A pass, and those that follow it at once.
    pub(super) fn pass(&mut self, pass: &Pass) -> Result<(), Broken> {
        let passed = self.passes(pass);
        self.witness.devices[pass.device].pass_is_over();
        passed
    }

    fn passes(&mut self, pass: &Pass) -> Result<(), Broken> {
        let shown = self.cluster.version().saturating_sub(pass.lag);
        self.operator.watched = self.operator.watched.max(shown);
        let mut fate = Fate(pass.trouble.clone());
        let mut depth = pass.depth;
        for _ in 0..FOLLOWING_MAX {
            match self.reconcile(pass, depth, &mut fate) {
                Ok(End::Again(next)) => depth = next,
                Ok(End::Settled) | Err(Stop::Failed) => {
                    self.conclude(pass.device);
                    return Ok(());
                }
                Err(Stop::Crashed) => {
                    self.restart();
                    return Ok(());
                }
                Err(Stop::Broken(broken)) => return Err(broken),
            }
        }
        Err(format!(
            "{FOLLOWING_MAX} passes follow each other: {pass:?}"
        ))
    }

    /// What the object's task does with a report: stores it, and ends approvals.
    fn conclude(&mut self, device: usize) {
        self.ledger.unsaved[device] = self.operator.tasks[device].unsaved;
        let nodes = self.cluster.at(self.operator.watched);
        let selector = self.settings.selector;
        self.witness.watched(nodes, selector);
        let desired = decisions::desire(&views(nodes, selector));
        let (staying, _) = self.ledger.claims.staying_and_leaving(&|_| true);
        decisions::note_nodes(&mut self.ledger.window, Census::of(&staying, &desired));
        let tasks = self.operator.tasks.iter();
        let unwanted = tasks.flat_map(|task| task.plan.remove.keys().copied());
        let unwanted: BTreeSet<MacAddress> = unwanted
            .filter(|mac| !desired.nodes.contains_key(mac))
            .collect();
        self.operator.approved.retain(|mac| unwanted.contains(mac));
    }

    fn reconcile(&mut self, pass: &Pass, depth: Depth, fate: &mut Fate) -> Result<End, Stop> {
        let now = self.now();
        let device = pass.device;
        if self.operator.tasks[device].late_write_until.is_some() {
            self.operator.tasks[device].listing = None;
        }
        let claims = self.ledger.claims.of(DEVICE_NAMES[device]).clone();
        let listed = self.nodes(pass, depth)?;
        let views = views(&listed, self.settings.selector);
        let desired = decisions::desire(&views);
        let wanted = decisions::wanted(&desired);
        let task = &mut self.operator.tasks[device];
        decisions::note_absences(&mut task.absences, &claims, (&task.desired, &desired), now);
        task.note_newcomers(&desired);
        task.desired = desired;
        self.witness
            .saw_nodes(device, &listed, self.settings.selector, self.clock);
        let records = self.observe(pass, depth)?;
        self.witness.devices[device].saw_records(&wanted, &records);
        let plan = decisions::compare(&wanted, &records, &claims);
        let task = &mut self.operator.tasks[device];
        let held_back =
            decisions::hold_back(&mut task.losses, &plan, (&claims, &task.newcomers), now);
        let corrects = plan.correct.keys().any(|mac| !held_back.contains(mac));
        if depth == Depth::Quick && (corrects || !plan.adopt.is_empty()) {
            return Ok(End::Again(Depth::Verify));
        }
        if depth != Depth::Removal && corrects {
            return Ok(End::Again(Depth::Removal));
        }
        let turn = Turn {
            device,
            depth,
            listed,
            views,
            claims,
            records,
        };
        let verdict = self.judge(&turn, &plan, &held_back);
        let mut allowed = verdict.remove.clone();
        allowed.retain(|_| depth == Depth::Removal);
        let task = &self.operator.tasks[device];
        let in_order = (&task.refused, &held_back);
        let batch = decisions::choose(&plan, &turn.claims, &allowed, &task.desired, in_order);
        let applied = self.apply(&turn, &plan, &batch, fate);
        let removal_is_due = depth != Depth::Removal && !verdict.remove.is_empty();
        self.operator.tasks[device].verdict = verdict;
        self.note_left(device, &wanted);
        applied?;
        Ok(if batch.more {
            End::Again(depth)
        } else if removal_is_due {
            End::Again(Depth::Removal)
        } else {
            End::Settled
        })
    }

    /// The nodes as the watch shows them; before a removal listed now.
    fn nodes(&mut self, pass: &Pass, depth: Depth) -> Result<Nodes, Stop> {
        if depth != Depth::Removal {
            return Ok(self.cluster.at(self.operator.watched).clone());
        }
        let newest = self.operator.newest_list;
        let (version, nodes) = match pass.list {
            List::Complete => (self.cluster.version(), self.cluster.now().clone()),
            List::Empty => (self.cluster.version(), Nodes::new()),
            // Before the first list of a process nothing can be told from the past.
            List::Old if newest == 0 => return Err(Stop::Failed),
            List::Old => (newest - 1, self.cluster.at(newest - 1).clone()),
        };
        if version < newest {
            // As `operator/src/nodes/store.rs` does: a list from the past is none.
            return Err(Stop::Failed);
        }
        self.operator.newest_list = version;
        Ok(nodes)
    }

    fn observe(&mut self, pass: &Pass, depth: Depth) -> Result<Records, Stop> {
        let task = &mut self.operator.tasks[pass.device];
        if let Some(known) = task.listing.as_ref().filter(|_| depth == Depth::Quick) {
            return Ok(known.clone());
        }
        let records = self.devices[pass.device].records();
        task.listing = Some(records.clone()).filter(|_| !pass.is_down);
        task.listing.clone().ok_or(Stop::Failed)
    }

    fn judge(&self, turn: &Turn, plan: &Plan, held_back: &BTreeSet<MacAddress>) -> Verdict {
        let task = &self.operator.tasks[turn.device];
        let delay = Duration::from_secs(self.settings.delay_seconds);
        let evidence = (&task.absences, delay, task.settled_at);
        let (staying, leaving) = self.ledger.claims.staying_and_leaving(&|_| true);
        let purse = self.purse(Census::of(&staying, &task.desired), &leaving);
        decisions::judge(plan, &turn.views, held_back, evidence, &purse, self.now())
    }

    pub(super) fn purse<'a>(
        &'a self,
        census: Census,
        leaving: &'a BTreeSet<MacAddress>,
    ) -> Purse<'a> {
        Purse {
            window: &self.ledger.window,
            census,
            leaving,
            approved: &self.operator.approved,
            names: self.ledger.claims.nodes(),
            percent: self.settings.percent,
        }
    }

    /// Plans again with what is known now, for the report.
    fn note_left(&mut self, device: usize, wanted: &Records) {
        let now = self.now();
        let claims = self.ledger.claims.of(DEVICE_NAMES[device]);
        let task = &mut self.operator.tasks[device];
        if let Some(listing) = &task.listing {
            task.plan = decisions::compare(wanted, listing, claims);
            task.newcomers.retain(|mac| task.plan.add.contains_key(mac));
            let nobody = BTreeSet::new();
            decisions::hold_back(&mut task.losses, &task.plan, (claims, &nobody), now);
        }
    }
}
