//! The task of one object: gives its devices their work and makes one status of what they report.
//!
//! Touches no device. Ends when the object is gone, or when the process ends.

mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::outcome::{DeviceReport, Failure};
use bigip_tunnel_core::requeue::{Ended, next_delay};
use bigip_tunnel_core::vocabulary::reason;
use bigip_tunnel_crds::status;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, DeletionPolicy};
use bigip_tunnel_crds::{
    ANNOTATION_ACCEPT_DEVICE, ANNOTATION_PAUSED, ANNOTATION_RECONCILE_REQUESTED_AT,
};
use kube::{Api, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::approval::Approval;
use crate::device::{DeviceContext, Identities, Work};
use crate::finalizer;
use crate::ledger::{Ledger, LedgerError};
use crate::nodes::NodeState;
use crate::settings::{Settings, rejected};
use crate::shared::Shared;
use crate::task::{News, keep_running};

/// How long a device's report waits for the others before the status is written.
const GATHER: Duration = Duration::from_millis(250);
/// The same for the first status of a new object.
const GATHER_NEW: Duration = Duration::from_secs(2);
/// The same for an object that had a status before: a restart that changes nothing says nothing new.
const GATHER_RESTART: Duration = Duration::from_secs(15);

/// Why the task goes on.
enum Wake {
    Object,
    Nodes,
    News(Box<News>),
    Due,
    Stop,
}

/// The task of one object.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    api: Api<BigIpTunnel>,
    object: watch::Receiver<Arc<BigIpTunnel>>,
    ledger: Arc<Ledger>,
    identities: Arc<Identities>,
    stop: CancellationToken,
    work: Option<watch::Sender<Arc<Work>>>,
    /// Why no work is done, when none is to be done.
    paused: Option<&'static str>,
    rejected: Option<Failure>,
    nodes_failure: Option<Failure>,
    devices: BTreeMap<String, DeviceHandle>,
    tasks: JoinSet<()>,
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    /// Devices that have not reported since they were given work.
    awaited: BTreeSet<String>,
    approval: Approval,
    write_at: Option<Instant>,
    has_written: bool,
    /// Whether the object may go without its records: its whole kind is going.
    is_released: bool,
    /// Calls to the API server in a row that failed.
    failures: u32,
}

/// A running device task, and what it reported last.
struct DeviceHandle {
    stop: CancellationToken,
    last: Option<News>,
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
        let ledger = Arc::new(Ledger::new(api.clone(), &current));
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
            api,
            object,
            ledger,
            identities: Arc::default(),
            stop,
            work: None,
            paused: None,
            rejected: None,
            nodes_failure: None,
            devices: BTreeMap::new(),
            tasks: JoinSet::new(),
            news: mpsc::channel(64),
            awaited: BTreeSet::new(),
            approval: Approval::default(),
            write_at: Some(Instant::now() + gather),
            is_released: false,
            failures: 0,
            has_written: false,
        }
    }

    /// Works until the object is gone or the task is stopped.
    pub(crate) async fn run(mut self) {
        let mut nodes = self.shared.nodes.subscribe();
        let mut wake = Wake::Object;
        loop {
            match wake {
                Wake::Stop => break,
                Wake::Object | Wake::Nodes => self.refresh(&mut nodes).await,
                Wake::News(news) => self.take(*news),
                Wake::Due => {
                    if self.failures > 0 {
                        // Something that the API server refused kept the work from going on.
                        self.refresh(&mut nodes).await;
                    }
                    self.write_at = None;
                    self.has_written = true;
                    if self
                        .act()
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
        self.news.1.close();
        while self.tasks.join_next().await.is_some() {}
    }

    async fn wait(&mut self, nodes: &mut watch::Receiver<NodeState>) -> Wake {
        let write_at = self.write_at;
        let due = async {
            match write_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Wake::Stop,
            changed = self.object.changed() => changed.map_or(Wake::Stop, |()| Wake::Object),
            changed = nodes.changed() => changed.map_or(Wake::Stop, |()| Wake::Nodes),
            Some(news) = self.news.1.recv() => Wake::News(Box::new(news)),
            () = due => Wake::Due,
        }
    }

    /// Gives the devices what they have to work on now.
    async fn refresh(&mut self, nodes: &mut watch::Receiver<NodeState>) {
        let object = self.object.borrow_and_update().clone();
        let state = nodes.borrow_and_update().clone();
        let deleting = object.metadata.deletion_timestamp.is_some();
        // A status that somebody else changed is written again; and where a removal waits, this may
        // be the answer.
        let rewrite = self.ledger.observe(&object).await && self.has_written;
        if rewrite || self.approval.held().is_some() {
            self.write_soon(Duration::ZERO);
        }
        self.paused = paused(&object);
        if self.paused.is_some() {
            self.work = None;
            self.stop_devices(|_| true);
            self.write_soon(Duration::ZERO);
            return;
        }
        let settings = match Settings::read(&object.spec) {
            Ok(settings) => Arc::new(settings),
            Err(problem) => {
                self.rejected = Some(rejected(&problem));
                self.work = None;
                self.stop_devices(|_| true);
                self.write_soon(GATHER);
                return;
            }
        };
        self.rejected = None;
        self.shared.nodes.ask_for(&settings);
        let nodes = match state.views(&settings) {
            Ok(views) => {
                self.nodes_failure = None;
                views
            }
            // What the devices have to work on stays what it was.
            Err(failure) => {
                self.nodes_failure = Some(failure);
                if !deleting {
                    self.write_soon(GATHER_NEW);
                    return;
                }
                Arc::default()
            }
        };
        if !deleting && !finalizer::is_set(&object) {
            // Its arrival is a change of the object, and brings us here again.
            if let Err(error) = finalizer::set(&self.api, &object).await {
                tracing::warn!(
                    name = object.name_any(),
                    "the finalizer was not set: {error}"
                );
                self.retry();
            }
            return;
        }
        if deleting && !self.may_clean_up().await {
            return;
        }
        self.publish(Work {
            generation: object.metadata.generation.unwrap_or_default(),
            deleting,
            approved: self.approval.approved(),
            accepted_box: object.annotations().get(ANNOTATION_ACCEPT_DEVICE).cloned(),
            request: object
                .annotations()
                .get(ANNOTATION_RECONCILE_REQUESTED_AT)
                .cloned(),
            settings,
            nodes,
        })
        .await;
    }

    /// Whether the deletion is meant for this object. When the resource definition is removed all
    /// objects go with it, which is an uninstallation and no order to empty every BIG-IP.
    async fn may_clean_up(&mut self) -> bool {
        if self.is_released
            || self
                .work
                .as_ref()
                .is_some_and(|work| work.borrow().deleting)
        {
            return true;
        }
        match finalizer::definition_is_going(&self.shared.client).await {
            Ok(false) => true,
            Ok(true) => {
                tracing::warn!(
                    name = self.object.borrow().name_any(),
                    "the resource definition is being removed; the records stay on the BIG-IPs"
                );
                self.is_released = true;
                true
            }
            Err(error) => {
                self.nodes_failure = Some(Failure {
                    reason: reason::KUBERNETES_UNAVAILABLE,
                    message: format!(
                        "whether the resource definition is being removed could not be read, so \
                         nothing is cleaned up yet: {error}"
                    ),
                    retryable: true,
                });
                self.retry();
                false
            }
        }
    }

    async fn publish(&mut self, work: Work) {
        let settings = work.settings.clone();
        let retains = self.is_released || settings.deletion_policy == DeletionPolicy::Retain;
        if work.deleting && retains {
            self.stop_devices(|_| true);
            self.write_soon(Duration::ZERO);
            return;
        }
        let changed = self.work.as_ref().is_none_or(|sender| {
            let before = sender.borrow();
            before.generation != work.generation
                || before.deleting != work.deleting
                || before.request != work.request
                || before.approved != work.approved
                || before.accepted_box != work.accepted_box
                || before.nodes != work.nodes
        });
        let work = Arc::new(work);
        if changed {
            self.awaited = settings
                .devices
                .iter()
                .map(|device| device.name.clone())
                .collect();
        }
        match &self.work {
            Some(sender) if changed => {
                sender.send_replace(work);
            }
            Some(_) => {}
            None => self.work = Some(watch::channel(work).0),
        }
        self.stop_devices(|name| settings.device(name).is_none());
        let stored = self.ledger.status().await;
        for device in &settings.devices {
            if !self.devices.contains_key(&device.name) {
                self.start_device(&device.name, &device.host, &stored);
            }
        }
    }

    fn start_device(&mut self, name: &str, host: &str, stored: &BigIpTunnelStatus) {
        let Some(work) = &self.work else { return };
        let object = self.object.borrow().clone();
        let stop = self.stop.child_token();
        let ctx = Arc::new(DeviceContext {
            shared: self.shared.clone(),
            namespace: object.namespace().unwrap_or_default(),
            object: object.name_any(),
            device: name.to_owned(),
            ledger: self.ledger.clone(),
            identities: self.identities.clone(),
            stop: stop.clone(),
        });
        let pending = DeviceReport::pending(name.to_owned(), host.to_owned());
        let report = status::resume(pending, stored);
        self.tasks.spawn(keep_running(
            ctx,
            report,
            work.subscribe(),
            self.news.0.clone(),
        ));
        self.devices
            .insert(name.to_owned(), DeviceHandle { stop, last: None });
    }

    fn stop_devices(&mut self, which: impl Fn(&str) -> bool) {
        self.devices.retain(|name, device| {
            let stops = which(name);
            if stops {
                device.stop.cancel();
            }
            !stops
        });
    }

    fn take(&mut self, news: News) {
        let name = news.report.name.clone();
        self.awaited.remove(&name);
        if let Some(device) = self.devices.get_mut(&name) {
            device.last = Some(news);
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
    }

    /// Tries again what the API server refused, later each time.
    fn retry(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let retry = Ended::Retry {
            attempt: self.failures,
            retry_after: None,
        };
        self.write_soon(next_delay(retry, Duration::ZERO, fastrand::f64()));
    }

    fn write_soon(&mut self, delay: Duration) {
        let at = Instant::now() + delay;
        self.write_at = Some(self.write_at.map_or(at, |planned| planned.min(at)));
    }
}

/// Why no work is to be done on this object.
fn paused(object: &BigIpTunnel) -> Option<&'static str> {
    let annotation = object.annotations().get(ANNOTATION_PAUSED);
    if object.spec.suspend {
        Some(reason::SUSPENDED)
    } else if annotation.is_some_and(|value| value == "true") {
        Some(reason::PAUSED_BY_ANNOTATION)
    } else {
        None
    }
}
