//! The task of one object: gives its devices their work and makes one status of what they report.
//!
//! Touches no device. Ends when the object is gone, or when the process ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::outcome::{DeviceReport, Failure};
use bigip_tunnel_crds::status;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, DeletionPolicy};
use bigip_tunnel_crds::{ANNOTATION_APPROVE_REMOVAL, ANNOTATION_RECONCILE_REQUESTED_AT};
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
use crate::steps::write_status::{Summary, write_status};
use crate::task::{News, keep_running};

/// How long a device's report waits for the others before the status is written.
const GATHER: Duration = Duration::from_millis(250);
/// The same for the first status after a start: a restart that changes nothing writes nothing.
const GATHER_FIRST: Duration = Duration::from_secs(2);
/// How long until something that the API server refused is tried again.
const KUBERNETES_RETRY: Duration = Duration::from_secs(2);

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
        Self {
            shared,
            api,
            object,
            ledger,
            identities: Arc::default(),
            stop,
            work: None,
            rejected: None,
            nodes_failure: None,
            devices: BTreeMap::new(),
            tasks: JoinSet::new(),
            news: mpsc::channel(64),
            awaited: BTreeSet::new(),
            approval: Approval::default(),
            write_at: Some(Instant::now() + GATHER_FIRST),
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
                    if self.work.is_none() {
                        // Something that the API server refused kept the work from beginning.
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
        // Their last requests are finished, not cut off.
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
        let settings = match Settings::read(&object.spec) {
            Ok(settings) => Arc::new(settings),
            Err(problem) => {
                self.rejected = Some(rejected(&problem));
                self.work = None;
                self.stop_devices(|_| true);
                self.write_soon(Duration::ZERO);
                return;
            }
        };
        self.rejected = None;
        let nodes = match state {
            NodeState::Known(set) => {
                self.nodes_failure = None;
                set.values()
                    .map(|node| node.view(&settings.selector))
                    .collect()
            }
            NodeState::Unknown(failure) => {
                self.nodes_failure = Some(failure);
                if !deleting {
                    self.write_soon(GATHER_FIRST);
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
                self.write_soon(KUBERNETES_RETRY);
            }
            return;
        }
        self.publish(Work {
            generation: object.metadata.generation.unwrap_or_default(),
            deleting,
            approved: self.approval.approved(),
            request: object
                .annotations()
                .get(ANNOTATION_RECONCILE_REQUESTED_AT)
                .cloned(),
            settings,
            nodes,
        })
        .await;
    }

    async fn publish(&mut self, work: Work) {
        let settings = work.settings.clone();
        if work.deleting && settings.deletion_policy == DeletionPolicy::Retain {
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

    fn write_soon(&mut self, delay: Duration) {
        let at = Instant::now() + delay;
        self.write_at = Some(self.write_at.map_or(at, |planned| planned.min(at)));
    }

    /// Writes the status; for an object that is going, lets it go when nothing is left.
    async fn act(&mut self) -> Result<(), LedgerError> {
        let object = self.object.borrow().clone();
        let deleting = object.metadata.deletion_timestamp.is_some();
        if deleting && self.is_clean().await {
            if let Err(error) = finalizer::clear(&self.api, &object).await {
                tracing::warn!(name = object.name_any(), "the finalizer stays: {error}");
                self.write_soon(KUBERNETES_RETRY);
            }
            return Ok(());
        }
        let result = self.write(&object, deleting).await;
        if let Err(error) = &result {
            tracing::warn!(name = object.name_any(), "{error}");
            self.write_soon(KUBERNETES_RETRY);
        }
        result
    }

    /// Whether nothing keeps the object: its records stay on purpose, or every device is clean.
    async fn is_clean(&self) -> bool {
        let settings = self
            .work
            .as_ref()
            .map(|work| work.borrow().settings.clone());
        let object = self.object.borrow().clone();
        if object.spec.deletion_policy == DeletionPolicy::Retain {
            return true;
        }
        let claims = self.ledger.claims().await;
        match settings {
            Some(settings) => settings.devices.iter().all(|device| {
                let last = self.devices.get(&device.name).and_then(|d| d.last.as_ref());
                last.is_some_and(|news| news.clean)
            }),
            None => claims.is_empty(),
        }
    }

    async fn write(&mut self, object: &BigIpTunnel, deleting: bool) -> Result<(), LedgerError> {
        let work = self.work.as_ref().map(|work| work.borrow().clone());
        let desired = match &work {
            Some(work) if !deleting => desired(&work.nodes, work.settings.prefix),
            _ => Desired::default(),
        };
        let reports: Vec<DeviceReport> = work.iter().flat_map(|work| self.reports(work)).collect();
        self.ask_and_hear(object, &reports).await;
        let handled = work.as_ref().and_then(|work| {
            let all = self.devices.values();
            let answered = |d: &DeviceHandle| d.last.as_ref()?.request.clone();
            let mut all = all.map(answered);
            let same = work.request.is_some() && all.all(|request| request == work.request);
            work.request.clone().filter(|_| same)
        });
        let generation = work.as_ref().map(|work| work.generation);
        let summary = Summary {
            rejected: self.rejected.as_ref(),
            nodes_failure: self.nodes_failure.as_ref(),
            desired: &desired,
            devices: &reports,
            held: self.approval.held(),
            handled_approval: self.approval.handled(),
            deleting,
            generation: generation
                .or(object.metadata.generation)
                .unwrap_or_default(),
            handled_request: handled.as_deref(),
        };
        write_status(&self.shared, &self.ledger, &summary).await
    }

    /// Brings the held removal up to date, and acts on a person's answer to it.
    async fn ask_and_hear(&mut self, object: &BigIpTunnel, reports: &[DeviceReport]) {
        let stored = self.ledger.status().await;
        let over_budget = reports
            .iter()
            .flat_map(|r| r.over_budget.iter().copied())
            .collect();
        let stale = reports.iter().filter_map(|report| report.plan.as_ref());
        let stale = stale.flat_map(|plan| plan.remove.keys().copied()).collect();
        self.approval
            .update(over_budget, &stale, &stored, self.shared.clock.time());
        let answer = object
            .annotations()
            .get(ANNOTATION_APPROVE_REMOVAL)
            .map(String::as_str);
        if self
            .approval
            .answer(answer, stored.last_handled_approval.as_deref())
            && let Some(sender) = &self.work
        {
            let approved = self.approval.approved();
            sender.send_modify(|work| {
                *work = Arc::new(Work {
                    approved,
                    ..Work::clone(work)
                });
            });
        }
    }

    fn reports(&self, work: &Work) -> Vec<DeviceReport> {
        let report = |device: &crate::settings::DeviceSettings| {
            let last = self
                .devices
                .get(&device.name)
                .and_then(|handle| handle.last.as_ref());
            last.map_or_else(
                || DeviceReport::pending(device.name.clone(), device.host.clone()),
                |news| news.report.clone(),
            )
        };
        work.settings.devices.iter().map(report).collect()
    }
}
