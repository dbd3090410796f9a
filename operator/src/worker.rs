//! The task of one object: gives its devices their work and makes one status of what they report.
//!
//! Touches no device. Ends when the object is gone, or when the process ends.

mod addresses;
mod answers;
mod cilium;
mod devices;
mod former;
mod outcome;
mod phase;
mod status;
mod vtep;

use bigip_tunnel_core::reason::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::events::Journal;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::requeue::{Ended, next_delay};
use bigip_tunnel_crds::ANNOTATION_RECONCILE_REQUESTED_AT;
use bigip_tunnel_crds::convert::seen;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::addresses::Addresses;
use self::answers::Answers;
use self::cilium::Findings;
use self::devices::DeviceHandle;
use self::former::Former;
use self::phase::Phase;
use self::vtep::Vtep;
use crate::approval::Approval;
use crate::device::{DeviceUpdate, Identities, Work};
use crate::finalizer;
use crate::index::ObjectKey;
use crate::ledger::{Ledger, LedgerError};
use crate::nodes::NodeState;
use crate::settings::{Settings, paused, rejected};
use crate::shared::Shared;

/// How long a device's report waits for the others before the status is written.
const GATHER: Duration = Duration::from_millis(250);
/// The same for the first status of a new object.
const GATHER_NEW: Duration = Duration::from_secs(2);
/// The same for an object that had a status before: a restart that changes nothing says nothing new.
const GATHER_RESTART: Duration = Duration::from_secs(15);

/// Why the task goes on.
enum WorkerEvent {
    Object,
    Nodes,
    Update(Box<DeviceUpdate>),
    Cilium,
    Vtep,
    Due,
    Stop,
}

/// The task of one object.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    key: ObjectKey,
    api: Api<BigIpTunnel>,
    object: watch::Receiver<Arc<BigIpTunnel>>,
    ledger: Arc<Ledger>,
    identities: Arc<Identities>,
    stop: CancellationToken,
    /// What becomes of the object now.
    phase: Phase,
    /// When each device was last read before the work stopped.
    verified: BTreeMap<String, Timestamp>,
    nodes_failure: Option<Failure>,
    devices: BTreeMap<String, DeviceHandle>,
    tasks: JoinSet<()>,
    updates: (mpsc::Sender<DeviceUpdate>, mpsc::Receiver<DeviceUpdate>),
    /// Devices that have not reported since they were given work.
    awaited: BTreeSet<String>,
    approval: Approval,
    addresses: Addresses,
    write_at: Option<Instant>,
    has_written: bool,
    former: Former,
    answers: Answers,
    /// What is found of Cilium's side.
    cilium: Findings,
    /// What became of its CiliumVTEPConfig.
    vtep: Vtep,
    /// What events have reported of the object.
    journal: Journal,
    /// The last spec that could be worked with.
    last: Option<Arc<Settings>>,
    /// Whether the object may go without its records: a person has said so, or its whole kind is
    /// going.
    is_released: bool,
    /// Whether something that the API server refused keeps the work from going on.
    blocked: bool,
    /// Calls to the API server in a row that failed.
    failures: u32,
}

impl Worker {
    /// The task of this object, not begun.
    pub(crate) fn new(
        shared: Arc<Shared>,
        object: watch::Receiver<Arc<BigIpTunnel>>,
        stop: CancellationToken,
    ) -> Self {
        let current = object.borrow().clone();
        let namespace = current.namespace().unwrap_or_default();
        let api: Api<BigIpTunnel> = Api::namespaced(shared.client.clone(), &namespace);
        let leadership = shared.leadership.clone();
        let ledger = Ledger::new(api.clone(), &current, &shared.writer, leadership);
        let key = (namespace, current.name_any());
        let uid = current.uid().unwrap_or_default();
        let identities = shared.index.identities(&key, &uid);
        let (judged, outcomes) = (shared.cilium.subscribe(), shared.vtep.subscribe());
        let had_status = current
            .status
            .as_ref()
            .is_some_and(|status| !status.devices.is_empty());
        let gather = if had_status {
            GATHER_RESTART
        } else {
            GATHER_NEW
        };
        Self {
            shared,
            key,
            api,
            object,
            ledger: Arc::new(ledger),
            identities,
            stop,
            phase: Phase::Idle,
            verified: BTreeMap::new(),
            nodes_failure: None,
            devices: BTreeMap::new(),
            tasks: JoinSet::new(),
            updates: mpsc::channel(64),
            awaited: BTreeSet::new(),
            approval: Approval::default(),
            addresses: Addresses::default(),
            write_at: Some(Instant::now() + gather),
            former: Former::of(&current),
            answers: Answers::default(),
            cilium: Findings::new(judged),
            vtep: Vtep::new(outcomes),
            journal: Journal::new(seen(&current.status.clone().unwrap_or_default())),
            last: None,
            is_released: false,
            blocked: false,
            failures: 0,
            has_written: false,
        }
    }

    /// Works until the object is gone or the task is stopped.
    pub(crate) async fn run(mut self) {
        let mut nodes = self.shared.nodes.subscribe();
        if !self.take_over().await {
            return;
        }
        let mut wake = WorkerEvent::Object;
        loop {
            match wake {
                WorkerEvent::Stop => break,
                WorkerEvent::Object | WorkerEvent::Nodes => self.refresh(&mut nodes).await,
                WorkerEvent::Update(update) => {
                    if self.take(*update) {
                        self.refresh(&mut nodes).await;
                    }
                }
                WorkerEvent::Cilium => {
                    if self.has_written && self.cilium.is_news(&self.key) {
                        self.write_soon(Duration::ZERO);
                    }
                }
                WorkerEvent::Vtep => {
                    if self.has_written && self.vtep.is_news(&self.key) {
                        self.write_soon(Duration::ZERO);
                    }
                }
                WorkerEvent::Due => {
                    self.write_at = None;
                    if self.blocked {
                        self.refresh(&mut nodes).await;
                    }
                    self.has_written = true;
                    if self
                        .write_status_or_finalize()
                        .await
                        .is_err_and(|error| matches!(error, LedgerError::Gone))
                    {
                        break;
                    }
                }
            }
            wake = self.wait(&mut nodes).await;
        }
        for device in self.devices.values() {
            device.stop.cancel();
        }
        // Their last requests are finished, not cut off; their reports are not waited for.
        self.updates.1.close();
        while self.tasks.join_next().await.is_some() {}
        self.shared.metrics.objects.forget(&self.key);
    }

    async fn wait(&mut self, nodes: &mut watch::Receiver<NodeState>) -> WorkerEvent {
        let write_at = self.write_at;
        let due = async {
            match write_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => WorkerEvent::Stop,
            changed = self.object.changed() => changed.map_or(WorkerEvent::Stop, |()| WorkerEvent::Object),
            changed = nodes.changed() => changed.map_or(WorkerEvent::Stop, |()| WorkerEvent::Nodes),
            Some(update) = self.updates.1.recv() => WorkerEvent::Update(Box::new(update)),
            changed = self.cilium.changed() => changed.map_or(WorkerEvent::Stop, |()| WorkerEvent::Cilium),
            changed = self.vtep.changed() => changed.map_or(WorkerEvent::Stop, |()| WorkerEvent::Vtep),
            () = due => WorkerEvent::Due,
            () = self.addresses.due(self.shared.clock) => WorkerEvent::Nodes,
        }
    }

    /// Gives the devices what they have to work on now.
    async fn refresh(&mut self, nodes: &mut watch::Receiver<NodeState>) {
        self.addresses.begin_look();
        let object = self.object.borrow_and_update().clone();
        let state = nodes.borrow_and_update().clone();
        let deleting = object.metadata.deletion_timestamp.is_some();
        self.blocked = false;
        // A status that another client changed is written again; and where a removal waits, this may
        // be the answer.
        let rewrite = self.ledger.observe(&object).await && self.has_written;
        if !self.is_writer().await {
            return;
        }
        let answered = self.has_written && self.has_answer(&object).await;
        if rewrite || answered || self.approval.held().is_some() {
            self.write_soon(Duration::ZERO);
        }
        // Before anything of the spec is read: one that cannot be worked with names devices all the same.
        self.note_former(&object).await;
        if let Some(why) = paused(&object) {
            self.phase = Phase::Paused(why);
            self.note_verified();
            self.stop_devices(|_| true);
            self.write_soon(Duration::ZERO);
            return;
        }
        let settings = match Settings::read(&object.spec) {
            Ok(settings) => Arc::new(settings.with_units(object.status.as_ref())),
            Err(problem) => {
                self.phase = Phase::Rejected(rejected(&problem));
                self.stop_devices(|_| true);
                // What cannot be worked on can be let go all the same.
                if !deleting || self.may_clean_up().await {
                    self.write_soon(GATHER);
                }
                return;
            }
        };
        self.phase.resume();
        self.note_settings(&settings);
        let Some(nodes) = self.views(&settings, &state, deleting).await else {
            return;
        };
        if !deleting && !settings.observes && !finalizer::is_set(&object) {
            // Its arrival is a change of the object, and brings us here again.
            if let Err(error) = finalizer::set(&self.api, &self.shared.leadership, &object).await {
                tracing::warn!("the finalizer was not set: {error}");
                self.retry_blocked();
            }
            return;
        }
        if deleting && !self.may_clean_up().await {
            return;
        }
        let former = self.former_work(&settings, deleting).await;
        self.publish(Work {
            generation: object.metadata.generation.unwrap_or_default(),
            deleting,
            approved: self.approval.approved(),
            accepted: self.acceptance(&object).await,
            against_nodes: self.addresses.against_nodes(&settings),
            request: object
                .annotations()
                .get(ANNOTATION_RECONCILE_REQUESTED_AT)
                .cloned(),
            former,
            settings,
            nodes,
            arrivals: Arc::default(),
        })
        .await;
    }

    /// Becomes the one process that writes this object. Returns whether it is, before the end.
    async fn take_over(&mut self) -> bool {
        loop {
            match self.ledger.take_over().await {
                Ok(()) => return true,
                Err(LedgerError::Gone) => return false,
                Err(error) => {
                    tracing::warn!("{error}");
                    self.retry();
                }
            }
            let at = self.write_at.unwrap_or_else(Instant::now);
            let pause = tokio::time::sleep_until(at);
            if self.stop.run_until_cancelled(pause).await.is_none() {
                return false;
            }
        }
    }

    /// Whether this process is the writer still: one that came later takes an object over for good.
    async fn is_writer(&mut self) -> bool {
        if !self.ledger.is_displaced().await {
            return true;
        }
        let before = std::mem::replace(&mut self.phase, Phase::Displaced);
        if before.work().is_some() {
            tracing::warn!("another operator has taken the object over; this one leaves it alone");
        }
        self.stop_devices(|_| true);
        self.shared.metrics.objects.forget(&self.key);
        self.write_at = None;
        false
    }

    /// The nodes as this object sees them, or `None` when they are not known; what the devices have
    /// to work on then stays what it was. An object that is going needs none.
    async fn views(
        &mut self,
        settings: &Settings,
        state: &NodeState,
        deleting: bool,
    ) -> Option<Arc<[NodeView]>> {
        self.shared.nodes.ask_for(settings);
        match state.views(settings) {
            Ok(views) => {
                self.nodes_failure = None;
                let (claims, now) = (self.ledger.claims().await, self.shared.clock.now());
                Some(self.addresses.settle(views, settings, &claims, now))
            }
            Err(failure) => {
                // Before the first list the nodes are unknown to every process; nothing has changed.
                let is_change = failure.reason != Reason::Progressing || self.has_written;
                self.nodes_failure = Some(failure);
                if is_change && !deleting {
                    self.write_soon(GATHER_NEW);
                }
                deleting.then(Arc::default)
            }
        }
    }

    async fn publish(&mut self, work: Work) {
        let settings = work.settings.clone();
        let former = work.former.clone();
        if work.deleting && self.retains(&self.object.borrow().spec) {
            self.stop_devices(|_| true);
            self.write_soon(Duration::ZERO);
            return;
        }
        if self.phase.publish(work, self.shared.clock.now()) {
            self.awaited.clone_from(&settings.listed);
        }
        let is_wanted = |name: &str| {
            settings.device(name).is_some() || former.iter().any(|device| device.name == name)
        };
        self.stop_devices(|name| !is_wanted(name));
        let stored = self.ledger.status().await;
        for device in settings.devices.iter().chain(former.iter()) {
            if !self.devices.contains_key(&device.name) {
                self.start_device(device, &stored);
            }
        }
    }

    /// Takes a device's report in. Returns whether the devices' work has to be computed again, because the
    /// report shows which unit a device is that seemed to have left, or not to have.
    fn take(&mut self, mut update: DeviceUpdate) -> bool {
        let name = update.report.name.clone();
        self.journal
            .note(&name, std::mem::take(&mut update.changes));
        self.awaited.remove(&name);
        let is_twin = update
            .report
            .problem()
            .is_some_and(|problem| problem.reason == Reason::DuplicateUnit);
        let resettle = self.former.waits || is_twin && !self.former.devices.is_empty();
        if let Some(device) = self.devices.get_mut(&name) {
            device.last = Some(update);
        }
        if self.object.borrow().metadata.deletion_timestamp.is_none() {
            self.forget_if_clean(&name);
        }
        // The first status waits for every device, so that a restart which changes nothing says
        // nothing new; but not for ever.
        let complete = self.devices.values().all(|device| device.last.is_some());
        if complete || self.has_written {
            self.write_soon(if self.awaited.is_empty() {
                Duration::ZERO
            } else {
                GATHER
            });
        }
        resettle
    }

    /// Tries again what the API server refused, later each time, and nothing before that.
    fn retry(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let retry = Ended::Retry {
            attempt: self.failures,
            retry_after: None,
        };
        let delay = next_delay(retry, Duration::ZERO, fastrand::f64());
        self.write_at = Some(Instant::now() + delay);
    }

    fn write_soon(&mut self, delay: Duration) {
        let at = Instant::now() + delay;
        self.write_at = Some(self.write_at.map_or(at, |planned| planned.min(at)));
    }
}
