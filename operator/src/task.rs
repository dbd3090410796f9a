//! The task of one device of one object: when the next pass is made, and how deep it looks.
//!
//! Devices wait for nobody: each has a task of its own, and a slow or dead one delays only itself.
//! Decides about time; what is done in a pass is `reconcile`'s business.

use std::sync::Arc;
use std::time::Duration;

use bigip_icontrol::Error;
use bigip_tunnel_core::answers::Answer;
use bigip_tunnel_core::desired::desired;
use bigip_tunnel_core::events::Changes;
use bigip_tunnel_core::outcome::{DeviceReport, Failure, Reach};
use bigip_tunnel_core::requeue::{Ended, next_delay};
use bigip_tunnel_core::saving::Unsaved;
use bigip_tunnel_core::schedule::Trouble;
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::vocabulary::reason;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::device::{Asked, DeviceContext, DeviceState, UserInput, Work};
use crate::metrics::WriteKind;
use crate::pass::{Depth, PassEnd, Stop};
use crate::reconcile::reconcile;
use crate::restart::{self, RESTART_DELAY};
use crate::steps::dereference::needs_of_others;
use crate::steps::observe::failure_of;
use crate::steps::report::conclude;

/// What a device's task tells the object's task after a pass.
#[derive(Debug, Clone)]
pub(crate) struct News {
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
    /// Whether nothing of the object is left on the device. Only ever while it is being deleted.
    pub(crate) clean: bool,
}

/// How often what other objects need is compared while records stay for them.
const NEIGHBOUR_LOOK: Duration = Duration::from_secs(10);

/// Why the task goes on.
enum Wake {
    Work,
    Due,
    Saved(Result<(), Failure>),
    Boxes,
    Neighbours,
    Stop,
}

/// Runs a device's task, and begins it anew when it panics. Its object is told of that.
pub(crate) async fn keep_running(
    ctx: Arc<DeviceContext>,
    report: DeviceReport,
    work: watch::Receiver<Arc<Work>>,
    news: mpsc::Sender<News>,
) {
    let begin = || async {
        let state = DeviceState::new(report.clone(), work.clone(), &ctx).await;
        let task = DeviceTask::new(ctx.clone(), state, news.clone());
        Box::pin(task.run()).await;
    };
    let tell = || async {
        tracing::error!(
            reason = reason::INTERNAL_ERROR.as_str(),
            "the device's task panicked; it begins anew in {} s",
            RESTART_DELAY.as_secs()
        );
        let mut failed = report.clone();
        failed.reach = Reach::Failed(Failure {
            reason: reason::INTERNAL_ERROR,
            message: "the operator failed while working on this device; its log says more".into(),
            retryable: true,
        });
        let failed = News {
            // Whatever the object says, this is the state of its device.
            generation: i64::MAX,
            report: failed,
            changes: Changes::default(),
            request: None,
            accepted: None,
            clean: false,
        };
        // Nobody listens only when the object's task has ended, and then this one ends too.
        let _: Result<(), _> = news.send(failed).await;
    };
    restart::keep_running(&ctx.stop, begin, tell).await;
}

/// The task.
struct DeviceTask {
    ctx: Arc<DeviceContext>,
    state: DeviceState,
    news: mpsc::Sender<News>,
    /// Passes in a row that failed.
    attempt: u32,
    /// What the last pass was asked for.
    seen: Option<Asked>,
    saving: Option<(JoinHandle<Result<(), Failure>>, Moment)>,
}

impl DeviceTask {
    /// A task that has not begun.
    fn new(ctx: Arc<DeviceContext>, state: DeviceState, news: mpsc::Sender<News>) -> Self {
        Self {
            ctx,
            state,
            news,
            attempt: 0,
            seen: None,
            saving: None,
        }
    }

    /// Works on the device until the task is stopped.
    async fn run(mut self) {
        let mut depth = Depth::Verify;
        loop {
            let work = self.state.inbox.borrow_and_update().clone();
            let asked = work.asked(&self.ctx);
            if self.seen.as_ref() != Some(&asked) {
                // A user changed or asked for something: everything is verified.
                let input = self.input(asked.1.as_ref()).await;
                self.state.input = self.state.input.max(input);
                self.seen = Some(asked);
                depth = depth.max(Depth::Verify);
            }
            if work.leaves(&self.ctx) {
                depth = Depth::Removal;
            }
            let again = self.pass(&work, depth).await;
            if self.ctx.stop.is_cancelled() {
                return;
            }
            depth = match again {
                Some(depth) => depth,
                None => match self.wait(&work).await {
                    Some(depth) => depth,
                    None => return,
                },
            };
        }
    }

    /// Makes a pass and reports it. Returns the depth of the next one if it follows at once.
    async fn pass(&mut self, work: &Work, depth: Depth) -> Option<Depth> {
        self.state.twin = self.twin(work);
        if self.state.late_write_until.is_some() {
            // What was read before it may take effect proves nothing, also when its time has passed
            // since: the first pass after that reads, whatever it was made for.
            self.state.listing = None;
            self.state.awaits_late_write(self.ctx.shared.clock.now());
        }
        self.state.report.observing = work.settings.observes;
        let ended = Box::pin(reconcile(&self.ctx, &mut self.state, work, depth)).await;
        conclude(&mut self.state, &ended);
        self.log(&ended);
        self.plan_next(work, depth, &ended);
        if !matches!(ended, Err(Stop::Anew | Stop::Stopping)) {
            self.state.report.save.enabled = work.settings.save_delay.is_some();
            let is_over = !matches!(ended, Ok(PassEnd::Again(_)));
            let news = News {
                report: self.state.report.clone(),
                changes: std::mem::take(&mut self.state.changes),
                // What was asked for is done when nothing follows at once.
                request: work.request.clone().filter(|_| is_over),
                accepted: work.accepted.clone().filter(|_| is_over),
                generation: work.generation,
                clean: ended == Ok(PassEnd::Clean),
            };
            // Nobody listens only when the object's task has ended, and then this one ends too.
            let _: Result<(), _> = self.news.send(news).await;
        }
        match ended {
            Ok(PassEnd::Again(depth)) => Some(depth),
            Err(Stop::Anew) => Some(Depth::Verify),
            _ => None,
        }
    }

    /// Plans the next pass.
    fn plan_next(&mut self, work: &Work, depth: Depth, ended: &Result<PassEnd, Stop>) {
        let now = self.ctx.shared.clock.now();
        self.attempt = match ended {
            // What follows at once tells whether the trouble is over.
            Ok(PassEnd::Again(_)) => self.attempt,
            Ok(_) => 0,
            Err(_) => self.attempt.saturating_add(1),
        };
        let delay = next_delay(self.ended(ended), work.settings.interval, fastrand::f64());
        let schedule = &mut self.state.schedule;
        schedule.trouble = match ended {
            Ok(_) | Err(Stop::Anew | Stop::Stopping) => None,
            Err(Stop::Unreachable(..)) => Some(Trouble::Unreachable),
            Err(Stop::Refused(_)) => Some(Trouble::Refused),
        };
        if depth > Depth::Quick || ended.is_err() {
            schedule.next_verify = now + delay;
        } else if !self.state.refused.is_empty() {
            schedule.next_verify = schedule.next_verify.min(now + delay);
        }
        if work.leaves(&self.ctx) {
            let is_held = self.state.report.held_by_neighbours.is_some();
            schedule.plan_cleanup(delay, is_held, now);
        }
        schedule.plan_reread(self.state.late_write_until, now);
    }

    fn ended(&self, ended: &Result<PassEnd, Stop>) -> Ended {
        let retry = |retry_after| Ended::Retry {
            attempt: self.attempt,
            retry_after,
        };
        match ended {
            // What was refused is tried again when the device is looked at anew.
            Ok(_) if !self.state.refused.is_empty() => Ended::NeedsPerson,
            Ok(_) | Err(Stop::Anew | Stop::Stopping) => Ended::Settled,
            Err(Stop::Unreachable(failure, _) | Stop::Refused(failure)) if is_cheap(failure) => {
                retry(None)
            }
            Err(Stop::Unreachable(failure, retry_after)) if failure.retryable => {
                retry(*retry_after)
            }
            Err(Stop::Refused(failure)) if failure.retryable => retry(None),
            Err(_) => Ended::NeedsPerson,
        }
    }

    /// What a user wants of the next pass. At the first one only a request counts that no process has handled.
    async fn input(&self, request: Option<&String>) -> UserInput {
        match &self.seen {
            Some((_, before, _)) if before.as_ref() != request => UserInput::Request,
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
    async fn wait(&mut self, work: &Work) -> Option<Depth> {
        let mut boxes = self.ctx.identities.subscribe();
        // What was noted while the last pass was made counts as well.
        boxes.mark_changed();
        loop {
            self.begin_save_if_due(work);
            let due = self.due(work);
            let sleep = self.ctx.shared.clock.until(due);
            let is_held = self.state.report.held_by_neighbours.is_some();
            let compares = is_held && self.state.schedule.reacts_to_nodes();
            let needs = self.state.needs.as_ref();
            let wake = tokio::select! {
                () = self.ctx.stop.cancelled() => Wake::Stop,
                changed = self.state.inbox.changed() => match changed {
                    Ok(()) => Wake::Work,
                    Err(_) => Wake::Stop,
                },
                saved = join(&mut self.saving) => Wake::Saved(saved),
                Ok(()) = boxes.changed() => Wake::Boxes,
                () = tokio::time::sleep(sleep) => Wake::Due,
                () = neighbours_changed(&self.ctx, work, needs), if compares => Wake::Neighbours,
            };
            match wake {
                Wake::Stop => return None,
                // While a device is in trouble, nodes do not make it be asked more often.
                Wake::Work if !self.state.schedule.reacts_to_nodes() && !self.asks_anew() => {
                    self.note_nodes().await;
                }
                Wake::Work => return Some(Depth::Quick),
                Wake::Saved(result) => {
                    self.saved(result);
                    if self.state.schedule.trouble.is_none() {
                        // What is gone now is gone for good.
                        return Some(Depth::Verify);
                    }
                }
                Wake::Neighbours => return Some(Depth::Verify),
                Wake::Boxes if self.twin(work) != self.state.twin => return Some(Depth::Verify),
                Wake::Due if self.ctx.shared.clock.now() >= self.state.schedule.due() => {
                    return Some(Depth::Verify);
                }
                Wake::Boxes | Wake::Due => {}
            }
        }
    }

    /// The device listed before this one that is the same unit.
    fn twin(&self, work: &Work) -> Option<String> {
        let devices = &work.settings.devices;
        self.ctx.identities.twin(&self.ctx.device, devices)
    }

    /// Whether the object was changed or a person asked, not only its nodes.
    fn asks_anew(&self) -> bool {
        let asked = self.state.inbox.borrow().asked(&self.ctx);
        self.seen != Some(asked)
    }

    /// Takes the nodes in without asking the device: who was away and came back has not been away
    /// since.
    async fn note_nodes(&mut self) {
        let work = self.state.inbox.borrow().clone();
        if !work.leaves(&self.ctx) {
            let claims = self.ctx.ledger.claims_of(&self.ctx.device).await;
            let desired = desired(&work.nodes, work.settings.prefix, &work.settings.addresses);
            self.state
                .note_absences(&claims, desired, self.ctx.shared.clock);
        }
    }

    /// When to wake at the latest: for the next pass, or to begin a save.
    fn due(&self, work: &Work) -> Moment {
        let save = self.save_due(work).filter(|_| self.saving.is_none());
        save.map_or(self.state.schedule.due(), |save| {
            save.min(self.state.schedule.due())
        })
    }

    fn save_due(&self, work: &Work) -> Option<Moment> {
        let delay = work.settings.save_delay?;
        // Only a box that was asked who it is, and may be written to, is told to save.
        self.state.facts.as_ref()?;
        let session = self.state.session.as_ref()?.of(self.state.login?);
        let last_try = session.queue().last_save_try();
        Some(self.state.unsaved?.due(delay, last_try))
    }

    /// Saves beside the passes: a unit that takes minutes for it, or refuses, holds no record up.
    fn begin_save_if_due(&mut self, work: &Work) {
        let now = self.ctx.shared.clock.now();
        let due = self.saving.is_none() && self.save_due(work).is_some_and(|due| due <= now);
        let known = self.state.session.as_ref().filter(|_| due);
        let (Some(known), Some(login)) = (known, self.state.login) else {
            return;
        };
        let session = known.of(login);
        session.queue().note_save_try();
        // Only the unit that was asked for its identity.
        let unit = session.client.unit_of(login);
        let metrics = self.ctx.metrics.clone();
        let save = async move {
            let result = unit.save().await;
            metrics.record_write(WriteKind::Save, result.as_ref().err().map(Error::reason));
            result.map_err(|error| failure_of(&error))
        };
        self.saving = Some((tokio::spawn(save.in_current_span()), now));
    }

    fn saved(&mut self, result: Result<(), Failure>) {
        let begun = self
            .saving
            .take()
            .map(|(_, begun)| begun)
            .unwrap_or_default();
        let save = &mut self.state.report.save;
        match result {
            Ok(()) => {
                save.last_save_time = Some(self.ctx.shared.clock.time());
                save.failure = None;
                // What was changed while the unit saved is not surely in what it saved.
                let later = self.state.unsaved.filter(|unsaved| unsaved.last >= begun);
                self.state.unsaved = later.map(|u| Unsaved {
                    first: begun,
                    last: u.last,
                });
                save.unsaved_since = later.and(save.last_save_time);
            }
            // It was not sent. The unit is asked who it is first, and then told again.
            Err(failure) if failure.reason == reason::LOGIN_ENDED => {}
            Err(failure) => {
                tracing::warn!(
                    reason = failure.reason.as_str(),
                    "the configuration was not saved: {}",
                    failure.message
                );
                save.failure = Some(failure);
            }
        }
    }

    fn log(&self, ended: &Result<PassEnd, Stop>) {
        let failure = match ended {
            Ok(_) => {
                self.ctx.metrics.record_pass(reason::IN_SYNC);
                return;
            }
            Err(Stop::Anew | Stop::Stopping) => return,
            Err(Stop::Unreachable(failure, _) | Stop::Refused(failure)) => failure,
        };
        self.ctx.metrics.record_pass(failure.reason);
        // Once when it begins, not once per try. What another object holds was told with its name.
        if self.attempt == 0 && failure.reason != reason::HELD_BY_NEIGHBOUR {
            tracing::warn!(reason = failure.reason.as_str(), "{}", failure.message);
        }
    }
}

/// Whether trying again asks only the Kubernetes API: the object that is missing may be created any
/// moment, and waiting a whole interval for it would look broken.
fn is_cheap(failure: &Failure) -> bool {
    matches!(
        failure.reason,
        reason::SECRET_NOT_FOUND
            | reason::SECRET_INVALID
            | reason::SECRET_FORBIDDEN
            | reason::CA_BUNDLE_NOT_FOUND
            | reason::CA_BUNDLE_INVALID
            | reason::CA_BUNDLE_FORBIDDEN
    )
}

/// Waits for a save under way; for ever when there is none.
async fn join(
    saving: &mut Option<(JoinHandle<Result<(), Failure>>, Moment)>,
) -> Result<(), Failure> {
    match saving {
        Some((handle, _)) => handle.await.unwrap_or_else(|_| {
            Err(Failure {
                reason: reason::INTERNAL_ERROR,
                message: "the save was broken off".into(),
                retryable: true,
            })
        }),
        None => std::future::pending().await,
    }
}

/// Waits until other objects, for which records stay here, need something else than `before`. Asks no device.
async fn neighbours_changed(ctx: &DeviceContext, work: &Work, before: Option<&Needs>) {
    loop {
        tokio::time::sleep(NEIGHBOUR_LOOK).await;
        let nodes = ctx.shared.nodes.current();
        if needs_of_others(ctx, work, &nodes).as_ref() != before {
            return;
        }
    }
}
