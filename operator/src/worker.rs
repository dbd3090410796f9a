//! The task of one object: gives its devices their work and makes one status of what they report.
//!
//! Touches no device. Ends when the object is gone, or when the process ends.

mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::outcome::{DeviceReport, Failure};
use bigip_tunnel_core::requeue::{Ended, next_delay};
use bigip_tunnel_core::vocabulary::reason;
use bigip_tunnel_crds::status;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, DeletionPolicy};
use bigip_tunnel_crds::{ANNOTATION_ACCEPT_DEVICE, ANNOTATION_RECONCILE_REQUESTED_AT};
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
use crate::settings::{Settings, paused, rejected};
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
    /// Whether something that the API server refused keeps the work from going on.
    blocked: bool,
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
            blocked: false,
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
                    self.write_at = None;
                    if self.blocked {
                        self.refresh(&mut nodes).await;
                    }
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
        self.blocked = false;
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
        let Some(nodes) = self.views(&settings, &state, deleting) else {
            return;
        };
        if !deleting && !finalizer::is_set(&object) {
            // Its arrival is a change of the object, and brings us here again.
            if let Err(error) = finalizer::set(&self.api, &object).await {
                tracing::warn!(
                    name = object.name_any(),
                    "the finalizer was not set: {error}"
                );
                self.retry_blocked();
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

    /// The nodes as this object sees them, or `None` when they are not known; what the devices have
    /// to work on then stays what it was. An object that is going needs none.
    fn views(
        &mut self,
        settings: &Settings,
        state: &NodeState,
        deleting: bool,
    ) -> Option<Arc<[NodeView]>> {
        self.shared.nodes.ask_for(settings);
        match state.views(settings) {
            Ok(views) => {
                self.nodes_failure = None;
                Some(views)
            }
            Err(failure) => {
                // Before the first list the nodes are unknown to every process; that is no news.
                let is_news = failure.reason != reason::PROGRESSING || self.has_written;
                self.nodes_failure = Some(failure);
                if is_news && !deleting {
                    self.write_soon(GATHER_NEW);
                }
                deleting.then(Arc::default)
            }
        }
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
                self.retry_blocked();
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
        self.forget_unlisted(&settings).await;
        let stored = self.ledger.status().await;
        for device in &settings.devices {
            if !self.devices.contains_key(&device.name) {
                self.start_device(&device.name, &device.host, &stored);
            }
        }
    }

    /// A device that is no longer listed cannot be looked after. Its records stay, and what was
    /// claimed there gives no right on whatever box may be listed under its name later.
    async fn forget_unlisted(&mut self, settings: &Settings) {
        let claims = self.ledger.claims().await;
        for device in claims
            .devices()
            .filter(|name| settings.device(name).is_none())
        {
            let changes = claims.of(device).keys().map(|mac| (*mac, None)).collect();
            match self.ledger.claim(device, &changes, None).await {
                Ok(()) => tracing::warn!(
                    name = self.object.borrow().name_any(),
                    device,
                    count = changes.len(),
                    "records stay on a BIG-IP that is no longer listed"
                ),
                Err(error) => {
                    tracing::warn!(name = self.object.borrow().name_any(), device, "{error}");
                    self.retry_blocked();
                }
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

    /// The same for something without which no work is given to the devices.
    fn retry_blocked(&mut self) {
        self.blocked = true;
        self.retry();
    }

    fn write_soon(&mut self, delay: Duration) {
        let at = Instant::now() + delay;
        self.write_at = Some(self.write_at.map_or(at, |planned| planned.min(at)));
    }
}
