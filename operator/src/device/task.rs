//! The task of one device of one object: when the next pass is made, and how deep it reads.
//!
//! Each device has a task of its own: a slow or dead one delays only itself. A pass runs to its end; requests to
//! stop are read between its calls. What is decided about time is in `core::pass::following`.

use bigip_tunnel_core::reason::Reason;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::answers::Answer;
use bigip_tunnel_core::events::Changes;
use bigip_tunnel_core::outcome::{DeviceReport, Failure, Reach};
use bigip_tunnel_core::pass::assignment::Assignment;
use bigip_tunnel_core::pass::following::plan_next;
use bigip_tunnel_core::pass::memory::{Beginning, Memory, Note};
use bigip_tunnel_core::pass::saving::{save_due, take_save_result};
use bigip_tunnel_core::pass::{Depth, Fault, PassError, PassOutcome};
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_crds::status;
use tokio::sync::{mpsc, watch};
use tracing::Instrument as _;

use super::io::{DeviceCluster, DeviceLedger, request_error};
use super::login::{DeviceAccess, UserInput};
use super::pass::pass;
use super::ports::Ports;
use super::save::{self, Save, Saved};
use super::{DeviceContext, Work, needs_of_others};
use crate::metrics::WriteKind;
use crate::restart::{self, RESTART_DELAY};

/// What a device's task reports to the object's worker after a pass.
#[derive(Debug, Clone)]
pub(crate) struct DeviceUpdate {
    /// The device as it is now.
    pub(crate) report: DeviceReport,
    /// What was done to it since the last report.
    pub(crate) changes: Changes,
    /// `metadata.generation` of the object that this is about.
    pub(crate) generation: i64,
    /// The reconcile request that this pass has answered.
    pub(crate) request: Option<String>,
    /// The acceptance that this pass knew of.
    pub(crate) accepted: Option<Answer>,
    /// Whether nothing of the object is left on the device. Only ever after a clean-up.
    pub(crate) clean: bool,
}

/// How often what other objects need is compared while records stay for them.
const NEIGHBOUR_INTERVAL: Duration = Duration::from_secs(10);

/// Why the task goes on.
enum TaskEvent {
    Work,
    Due,
    Saved(Saved),
    Units,
    Neighbours,
    Stop,
}

/// What a pass is asked for besides the nodes.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    generation: i64,
    request: Option<String>,
    accepted: Option<Answer>,
}

impl Asked {
    fn of(work: &Work, device: &str) -> Self {
        let accepted = work.accepted.as_ref();
        let accepted = accepted.filter(|answer| answer.is_about(device));
        Self {
            generation: work.generation,
            request: work.request.clone(),
            accepted: accepted.cloned(),
        }
    }
}

/// Runs a device's task, and starts it again when it panics. Reports that to its object.
pub(crate) async fn keep_running(
    ctx: Arc<DeviceContext>,
    report: DeviceReport,
    work: watch::Receiver<Arc<Work>>,
    updates: mpsc::Sender<DeviceUpdate>,
) {
    let begin = || async {
        let memory = remembered(&ctx, report.clone()).await;
        let task = DeviceTask::new(ctx.clone(), memory, work.clone(), updates.clone());
        Box::pin(task.run()).await;
    };
    let report_panic = || async {
        tracing::error!(
            reason = Reason::InternalError.as_str(),
            "the device's task panicked and restarts in {} s",
            RESTART_DELAY.as_secs()
        );
        let mut failed = report.clone();
        failed.reach = Reach::Failed(Failure {
            reason: Reason::InternalError,
            message: "the operator failed while working on this device; its log says more".into(),
            retryable: true,
        });
        let failed = DeviceUpdate {
            // Whatever the object says, this is the state of its device.
            generation: i64::MAX,
            report: failed,
            changes: Changes::default(),
            request: None,
            accepted: None,
            clean: false,
        };
        // The channel is closed only when the object's worker has ended, and then this task ends too.
        let _: Result<(), _> = updates.send(failed).await;
    };
    restart::keep_running(&ctx.stop, begin, report_panic).await;
}

/// What is known of the device before the first pass of a task.
async fn remembered(ctx: &DeviceContext, report: DeviceReport) -> Memory {
    let (shared, stored) = (&ctx.shared, ctx.ledger.status().await);
    let (now, time) = shared.clock.both();
    Memory::after_restart(Beginning {
        report,
        claims: &ctx.ledger.claims_of(&ctx.device).await,
        identity: status::known_identity(&stored, &ctx.device).map(str::to_owned),
        has_foreign_records: status::has_foreign_records(&stored, &ctx.device),
        led_since: shared.leadership.since(),
        settle_period: shared.settle,
        now,
        time,
    })
}

/// The task.
struct DeviceTask {
    ctx: Arc<DeviceContext>,
    memory: Memory,
    access: DeviceAccess,
    /// Where the worker puts what is to be worked on.
    inbox: watch::Receiver<Arc<Work>>,
    updates: mpsc::Sender<DeviceUpdate>,
    /// What the last pass was asked for.
    seen: Option<Asked>,
    /// The device listed before this one that was known as the same unit when the last pass began.
    twin: Option<String>,
    save: Option<Save>,
}

impl DeviceTask {
    /// A task that has not begun.
    fn new(
        ctx: Arc<DeviceContext>,
        memory: Memory,
        inbox: watch::Receiver<Arc<Work>>,
        updates: mpsc::Sender<DeviceUpdate>,
    ) -> Self {
        let work = inbox.borrow().clone();
        Self {
            access: DeviceAccess::new(ctx.clone(), work),
            ctx,
            memory,
            inbox,
            updates,
            seen: None,
            twin: None,
            save: None,
        }
    }

    /// Works on the device until the task is stopped.
    async fn run(mut self) {
        let mut depth = Depth::Verify;
        loop {
            let work = self.inbox.borrow_and_update().clone();
            let Some(assignment) = work.assignment(&self.ctx.device) else {
                // The worker ends the tasks of devices that it has taken off the list.
                return self.ctx.stop.cancelled().await;
            };
            let asked = Asked::of(&work, &self.ctx.device);
            if self.seen.as_ref() != Some(&asked) {
                // A user changed or asked for something: everything is verified.
                let input = self.input(asked.request.as_ref()).await;
                self.access.note_input(input);
                self.seen = Some(asked);
                depth = depth.max(Depth::Verify);
            }
            if assignment.purpose.is_clean_up() {
                depth = Depth::Removal;
            }
            let (task, again) = self.pass(&work, &assignment, depth).await;
            self = task;
            if self.ctx.stop.is_cancelled() {
                return;
            }
            depth = match again {
                Some(depth) => depth,
                None => match self.wait(&work, &assignment).await {
                    Some(depth) => depth,
                    None => return,
                },
            };
        }
    }

    /// Makes a pass and reports it. Returns the depth of the next one if it follows at once.
    async fn pass(
        mut self,
        work: &Arc<Work>,
        assignment: &Assignment,
        depth: Depth,
    ) -> (Self, Option<Depth>) {
        self.access.begin(work.clone());
        self.twin = self.ctx.twin(work);
        let mut cluster = DeviceCluster::new(self.ctx.clone(), work.clone(), self.inbox.clone());
        let ledger = DeviceLedger {
            ctx: &self.ctx,
            work,
        };
        let ports = Ports {
            cluster: &mut cluster,
            access: &mut self.access,
            ledger: &ledger,
            clock: self.ctx.shared.clock,
        };
        let (memory, ended) = pass(ports, self.memory, assignment, depth).await;
        self.memory = memory;
        self.record(&ended);
        let now = self.ctx.shared.clock.now();
        let (interval, random) = (work.settings.interval, fastrand::f64());
        plan_next(
            &mut self.memory,
            assignment,
            interval,
            (depth, &ended),
            now,
            random,
        );
        if !matches!(ended, Err(PassError::Restart | PassError::Stopping)) {
            self.report(work, &ended).await;
        }
        let again = match ended {
            Ok(PassOutcome::Requeue(depth)) => Some(depth),
            Err(PassError::Restart) => Some(Depth::Verify),
            _ => None,
        };
        (self, again)
    }

    /// Reports the device to the object's worker.
    async fn report(&mut self, work: &Work, ended: &Result<PassOutcome, PassError>) {
        // What was asked for is done when nothing follows at once.
        let is_over = !matches!(ended, Ok(PassOutcome::Requeue(_)));
        let update = DeviceUpdate {
            report: self.memory.report.clone(),
            changes: std::mem::take(&mut self.memory.changes),
            request: work.request.clone().filter(|_| is_over),
            accepted: work.accepted.clone().filter(|_| is_over),
            generation: work.generation,
            clean: *ended == Ok(PassOutcome::Clean),
        };
        // The channel is closed only when the object's worker has ended, and then this task ends too.
        let _: Result<(), _> = self.updates.send(update).await;
    }

    /// What a user asks of the next pass. At the first one only a request counts that no process has handled.
    async fn input(&self, request: Option<&String>) -> UserInput {
        match &self.seen {
            Some(seen) if seen.request.as_ref() != request => UserInput::Request,
            Some(_) => UserInput::Edit,
            None => {
                let handled = self.ctx.ledger.status().await.last_handled_reconcile_at;
                if request.is_some() && handled.as_ref() != request {
                    UserInput::Request
                } else {
                    UserInput::None
                }
            }
        }
    }

    /// Waits for the next pass. Returns its depth, or `None` when the task ends.
    async fn wait(&mut self, work: &Work, assignment: &Assignment) -> Option<Depth> {
        let mut units = self.ctx.identities.subscribe();
        // What was noted while the last pass was made counts as well.
        units.mark_changed();
        loop {
            self.begin_save_if_due(assignment);
            let sleep = self.ctx.shared.clock.until(self.due(assignment));
            let reacts_to_nodes = self.memory.schedule.reacts_to_nodes();
            let is_held = self.memory.report.held_by_neighbours.is_some();
            let needs = self.memory.needs.as_ref();
            let event = tokio::select! {
                () = self.ctx.stop.cancelled() => TaskEvent::Stop,
                changed = self.inbox.changed() => match changed {
                    Ok(()) => TaskEvent::Work,
                    Err(_) => TaskEvent::Stop,
                },
                saved = save::join(&mut self.save) => TaskEvent::Saved(saved),
                Ok(()) = units.changed() => TaskEvent::Units,
                () = tokio::time::sleep(sleep) => TaskEvent::Due,
                () = neighbours_changed(&self.ctx, work, needs), if is_held && reacts_to_nodes => {
                    TaskEvent::Neighbours
                }
            };
            match event {
                TaskEvent::Stop => return None,
                // While a device does not answer, nodes do not make it be asked more often.
                TaskEvent::Work if !reacts_to_nodes && !self.spec_or_request_changed() => {
                    self.note_nodes().await;
                }
                TaskEvent::Work => return Some(Depth::Quick),
                TaskEvent::Saved(saved) => {
                    self.take_saved(saved);
                    if self.memory.schedule.trouble.is_none() {
                        // What is gone now is gone for good.
                        return Some(Depth::Verify);
                    }
                }
                TaskEvent::Neighbours => return Some(Depth::Verify),
                TaskEvent::Units if self.ctx.twin(work) != self.twin => return Some(Depth::Verify),
                TaskEvent::Due if self.ctx.shared.clock.now() >= self.memory.schedule.due() => {
                    return Some(Depth::Verify);
                }
                TaskEvent::Units | TaskEvent::Due => {}
            }
        }
    }

    /// Whether the object was changed or a user asked for something, not only its nodes.
    fn spec_or_request_changed(&self) -> bool {
        let asked = Asked::of(&self.inbox.borrow(), &self.ctx.device);
        self.seen != Some(asked)
    }

    /// Takes the nodes in without asking the device: a node that was away and came back has not been away since.
    async fn note_nodes(&mut self) {
        let work = self.inbox.borrow().clone();
        let assignment = work.assignment(&self.ctx.device);
        if let Some(assignment) = assignment.filter(|a| !a.purpose.is_clean_up()) {
            let claims = self.ctx.ledger.claims_of(&self.ctx.device).await;
            let desired = assignment.desired(&work.nodes);
            let now = self.ctx.shared.clock.both();
            self.memory.note_nodes(&claims, desired, now);
        }
    }

    /// When the task goes on at the latest: for the next pass, or to begin a save.
    fn due(&self, work: &Assignment) -> Moment {
        let save = self.save_due(work).filter(|_| self.save.is_none());
        let pass = self.memory.schedule.due();
        save.map_or(pass, |save| save.min(pass))
    }

    fn save_due(&self, work: &Assignment) -> Option<Moment> {
        let session = self.access.session_of(self.memory.login?)?;
        save_due(
            &self.memory,
            work.save_delay,
            session.queue().last_save_try(),
        )
    }

    /// Saves beside the passes: a unit that takes minutes for it, or refuses, holds no record up.
    fn begin_save_if_due(&mut self, work: &Assignment) {
        let now = self.ctx.shared.clock.now();
        let is_due = self.save.is_none() && self.save_due(work).is_some_and(|due| due <= now);
        let login = self.memory.login.filter(|_| is_due);
        let session = login.and_then(|login| Some((login, self.access.session_of(login)?)));
        let Some((login, session)) = session else {
            return;
        };
        session.queue().note_save_try();
        // Only the unit whose identity was read.
        let unit = session.client.unit_of(login);
        let metrics = self.ctx.metrics.clone();
        let save = async move {
            let saved = unit.save().await.map_err(|error| request_error(&error));
            let failed = saved.as_ref().err().map(|error| error.failure.reason);
            metrics.record_write(WriteKind::Save, failed);
            saved
        };
        self.save = Some(Save {
            begun: now,
            task: tokio::spawn(save.in_current_span()),
        });
    }

    fn take_saved(&mut self, Saved { begun, result }: Saved) {
        if let Err(error) = &result
            && error.fault != Fault::LoginEnded
        {
            let Failure {
                reason, message, ..
            } = &error.failure;
            let reason = reason.as_str();
            tracing::warn!(reason, "the configuration was not saved: {message}");
        }
        let time = self.ctx.shared.clock.time();
        take_save_result(&mut self.memory, begun, result, time);
    }

    /// Logs and counts what a pass found, and how it ended.
    fn record(&mut self, ended: &Result<PassOutcome, PassError>) {
        for note in std::mem::take(&mut self.memory.notes) {
            self.record_note(note);
        }
        let metrics = &self.ctx.metrics;
        let failure = match ended {
            Ok(_) => return metrics.record_pass(Reason::InSync),
            Err(error) => error.failure(),
        };
        let Some(failure) = failure else { return };
        metrics.record_pass(failure.reason);
        // Once when it begins, not once per try. What another object holds was logged with its name.
        if self.memory.failures == 0 && failure.reason != Reason::HeldByNeighbour {
            tracing::warn!(reason = failure.reason.as_str(), "{}", failure.message);
        }
    }

    fn record_note(&self, note: Note) {
        match note {
            Note::Drift(count) => {
                self.ctx.metrics.record_drift();
                tracing::warn!(
                    count,
                    "records of this object were removed or changed by another writer"
                );
            }
            Note::Propagated(took) => self.ctx.metrics.record_propagation(took),
            Note::HeldByNeighbour(hold) => {
                let by = hold.by.as_ref();
                let neighbour = by.map(|by| format!("{}/{}", by.namespace, by.name));
                tracing::warn!(
                    reason = Reason::HeldByNeighbour.as_str(),
                    neighbour,
                    "{hold}"
                );
            }
            Note::NeighbourHoldEnded => {
                tracing::info!("another object no longer holds any removal");
            }
            Note::PasswordRefused(failure) => tracing::warn!(
                reason = failure.reason.as_str(),
                "the login from before the Secret changed is used until its token ends: {}",
                failure.message
            ),
            Note::NotSaved(failure) => tracing::warn!(
                reason = failure.reason.as_str(),
                "the configuration was not saved after the last removal: {}",
                failure.message
            ),
        }
    }
}

/// Waits until other objects, for which records stay here, need something else than `before`. Asks no device.
async fn neighbours_changed(ctx: &DeviceContext, work: &Work, before: Option<&Needs>) {
    loop {
        tokio::time::sleep(NEIGHBOUR_INTERVAL).await;
        let nodes = ctx.shared.nodes.current();
        if needs_of_others(ctx, work, &nodes).as_ref() != before {
            return;
        }
    }
}
