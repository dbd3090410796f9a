//! (I/O) Carries the requests of a pass out: on the unit, in the cluster, in the ledger.
//!
//! Adapters only: each method is one request, and what it says in the words of `core`.

use bigip_tunnel_core::reason::Reason;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bigip_icontrol::{Added, Error, ErrorKind, Unit};
use bigip_tunnel_core::claims::DeviceClaims;
use bigip_tunnel_core::damping::settle_list;
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::listing::{Listing, RecordName};
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::node_evidence::Doubt;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::pass::claiming::{ClaimRequest, DeviceNote};
use bigip_tunnel_core::pass::inputs::ClaimView;
use bigip_tunnel_core::pass::writing::{Permit, StoredClaims, Write};
use bigip_tunnel_core::pass::{Fault, PassError, RequestError};
use bigip_tunnel_core::proven::Verified;
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::turns::Urgency;
use bigip_tunnel_core::unit::{ProvenUnit, PublicKeyHash, UnitFacts, UnitIdentity};
use bigip_tunnel_crds::v1alpha1::DeviceStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::sync::watch;

use super::{DeviceContext, Work, needs_of_others, ports};
use crate::device_pool::Session;
use crate::ledger::LedgerError;
use crate::metrics::WriteKind;
use crate::nodes::NodeState;
use crate::settings::DeviceSettings;
use crate::writer_queue::Turn;

/// A device's error as a pass sees it.
pub(super) fn request_error(error: &Error) -> RequestError {
    let fault = match error.kind() {
        // The client bounds how often a login is replaced.
        ErrorKind::LoginEnded => Fault::LoginEnded,
        ErrorKind::Server { .. } if error.code().is_some() => Fault::Configuration,
        _ => match error.reason() {
            Reason::TunnelNotFound
            | Reason::TooManyRecords
            | Reason::RequestRefused
            | Reason::AuthorizationFailed => Fault::Refused,
            _ => Fault::Unreachable,
        },
    };
    RequestError {
        fault,
        failure: Failure {
            reason: error.reason(),
            message: error.to_string(),
            retryable: error.is_retryable(),
        },
        code: error.code().map(str::to_owned),
        is_uncertain: error.is_uncertain(),
        retry_after: error.retry_after(),
    }
}

/// A device's error as the end of a pass.
pub(super) fn pass_error(error: &Error) -> PassError {
    request_error(error).into()
}

/// One unit under one login.
pub(super) struct DeviceUnit {
    ctx: Arc<DeviceContext>,
    work: Arc<Work>,
    session: Arc<Session>,
    unit: Unit,
    /// What the unit has proven to be under this login.
    proven: Mutex<Option<ProvenUnit>>,
}

impl DeviceUnit {
    /// The unit that answers under a login of this session.
    pub(super) const fn new(
        ctx: Arc<DeviceContext>,
        work: Arc<Work>,
        session: Arc<Session>,
        unit: Unit,
    ) -> Self {
        Self {
            ctx,
            work,
            session,
            unit,
            proven: Mutex::new(None),
        }
    }

    /// Makes a read, unless the task is to end: nothing is lost with an answer that is not needed.
    async fn read<T>(
        &self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, PassError> {
        let answer = self.ctx.unless_stopping(request).await?;
        answer.map_err(|error| pass_error(&error))
    }

    /// Notes which unit the device has proven to be, also one that may not be written to: it is not one that has
    /// left. Without a handshake nothing is proven.
    fn note_proof(&self, identity: &UnitIdentity) {
        let (identities, name) = (&self.ctx.identities, &self.ctx.device);
        let identity = identity.clone();
        let key = self.session.client.peer_key();
        let proven = key.map(|key| ProvenUnit { identity, key });
        match (&proven, self.work.device(name)) {
            (Some(proven), Some(device)) => identities.note(name, &device.place(), proven),
            (None, _) => identities.forget(name),
            // It is not on the list any more, and not to be cleaned up.
            (Some(_), None) => {}
        }
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = proven;
    }

    fn proven(&self) -> Option<ProvenUnit> {
        let proven = self.proven.lock();
        proven.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ports::UnitReader for DeviceUnit {
    type Writer = DeviceWriter;

    async fn facts(&self) -> Result<UnitFacts, PassError> {
        let facts = self
            .read(self.unit.facts(&self.work.settings.tunnel))
            .await?;
        self.note_proof(&facts.identity);
        Ok(facts)
    }

    async fn identity(&self) -> Result<UnitIdentity, PassError> {
        let identity = self.read(self.unit.identity()).await?;
        self.note_proof(&identity);
        Ok(identity)
    }

    async fn join_queue(&self) -> Result<(), PassError> {
        let Some(unit) = self.proven() else {
            return Ok(());
        };
        let (pool, applicant) = (&self.ctx.shared.pool, self.ctx.applicant());
        let joined = pool.join_unit(&self.session, &unit, &applicant);
        self.ctx.unless_stopping(joined).await
    }

    async fn records(&self) -> Result<Listing, PassError> {
        let tunnel = &self.work.settings.tunnel;
        self.read(self.unit.records(tunnel)).await
    }

    fn note_verified(&self, began: Moment, time: Timestamp) {
        self.ctx.metrics.set_last_read(time.as_second());
        if let Some(device) = self.work.device(&self.ctx.device) {
            let verified = Verified {
                place: device.place(),
                tunnel: self.work.settings.tunnel.clone(),
                at: began,
            };
            let identities = &self.ctx.identities;
            identities.note_verified(&self.ctx.device, verified);
        }
    }

    async fn records_after_write(&self) -> Result<Listing, PassError> {
        let listing = self.unit.records(&self.work.settings.tunnel).await;
        listing.map_err(|error| pass_error(&error))
    }

    async fn record_after_write(&self, name: &RecordName) -> Result<Option<Endpoint>, PassError> {
        let record = self.unit.record(&self.work.settings.tunnel, name).await;
        record.map_err(|error| pass_error(&error))
    }

    fn key(&self) -> Option<PublicKeyHash> {
        self.proven().map(|unit| unit.key)
    }

    fn twin(&self) -> Option<String> {
        self.ctx.twin(&self.work)
    }

    async fn pause(&self, duration: Duration) -> Result<(), PassError> {
        let pause = tokio::time::sleep(duration);
        self.ctx.unless_stopping(pause).await
    }

    async fn writer(
        &self,
        permit: Permit,
        urgency: Urgency,
        limit: Duration,
    ) -> Result<DeviceWriter, PassError> {
        let applicant = self.ctx.applicant();
        let turn = self.session.turn(&applicant, urgency, limit);
        let turn = self.ctx.unless_stopping(turn).await?;
        if !self.ctx.shared.leadership.may_write() {
            return Err(PassError::unreachable(not_leading()));
        }
        Ok(DeviceWriter {
            ctx: self.ctx.clone(),
            work: self.work.clone(),
            unit: self.unit.clone(),
            permit,
            _turn: turn,
        })
    }
}

impl ports::Saver for DeviceUnit {
    async fn save(&self) -> Result<(), RequestError> {
        self.session.queue().note_save_try();
        self.unit
            .save()
            .await
            .map_err(|error| request_error(&error))
    }
}

/// The leadership has ended, or it is not known whether it has. The client checks once more before it sends.
fn not_leading() -> Failure {
    Failure {
        reason: Reason::NotLeading,
        message: "nothing is written to the unit: this operator does not lead, or cannot tell whether it does"
            .into(),
        retryable: true,
    }
}

/// A turn in the unit's queue, for one write.
pub(super) struct DeviceWriter {
    ctx: Arc<DeviceContext>,
    work: Arc<Work>,
    unit: Unit,
    permit: Permit,
    _turn: Turn,
}

impl ports::UnitWriter for DeviceWriter {
    async fn send(self) -> Result<bool, RequestError> {
        let (unit, tunnel) = (&self.unit, &self.work.settings.tunnel);
        let (kind, result) = match self.permit.write() {
            Write::Add(record) => {
                let added = unit.add_record(tunnel, *record).await;
                (WriteKind::Add, added.map(|added| added == Added::Created))
            }
            Write::Correct(name, record) => {
                let corrected = unit.correct_record(tunnel, name, record.endpoint).await;
                (WriteKind::Correct, corrected.map(|()| true))
            }
            Write::Remove(name, _) => {
                let removed = unit.remove_record(tunnel, name).await;
                (WriteKind::Remove, removed.map(|_| true))
            }
            Write::Fill(records) => {
                let filled = unit.replace_records(tunnel, records).await;
                (WriteKind::Fill, filled.map(|()| true))
            }
        };
        let failed = result.as_ref().err().map(Error::reason);
        self.ctx.metrics.record_write(kind, failed);
        result.map_err(|error| request_error(&error))
    }
}

/// The cluster as one pass sees it.
pub(super) struct DeviceCluster {
    ctx: Arc<DeviceContext>,
    work: Arc<Work>,
    /// Where newer work arrives.
    inbox: watch::Receiver<Arc<Work>>,
    /// The nodes that were listed for this pass.
    listed: Option<NodeState>,
}

impl DeviceCluster {
    /// For a pass that begins with this work, the last that was taken from `inbox`.
    pub(super) const fn new(
        ctx: Arc<DeviceContext>,
        work: Arc<Work>,
        inbox: watch::Receiver<Arc<Work>>,
    ) -> Self {
        Self {
            ctx,
            work,
            inbox,
            listed: None,
        }
    }
}

impl ports::Cluster for DeviceCluster {
    async fn list_nodes(&mut self, floor: u128) -> Result<Option<Arc<[NodeView]>>, PassError> {
        let (shared, settings) = (&self.ctx.shared, &self.work.settings);
        let now = || shared.clock.now();
        let listed = shared.nodes.list(settings, floor, now).await;
        self.listed = listed.map_err(PassError::Refused)?;
        let Some(listed) = &self.listed else {
            return Ok(None);
        };
        let mut nodes = listed.views(settings).map_err(PassError::Refused)?;
        settle_list(&mut nodes, &self.work.nodes, &settings.addresses);
        Ok(Some(nodes.into()))
    }

    async fn get_node(&self, name: &str) -> Result<Option<NodeView>, PassError> {
        let nodes = &self.ctx.shared.nodes;
        let node = nodes.get(name, &self.work.settings).await;
        node.map_err(PassError::Refused)
    }

    fn note_contradiction(&self, node: &str) {
        let shared = &self.ctx.shared;
        let doubt = Doubt::Contradicted(node.to_owned());
        shared.nodes.note_doubt(doubt, shared.clock.now());
    }

    fn removals_stop_until(&self) -> Option<Moment> {
        self.ctx.shared.nodes.removals_stop_until()
    }

    fn neighbours(&self) -> Option<Needs> {
        match &self.listed {
            Some(listed) => needs_of_others(&self.ctx, &self.work, listed),
            None => needs_of_others(&self.ctx, &self.work, &self.ctx.shared.nodes.current()),
        }
    }

    fn is_superseded(&self) -> bool {
        let now = self.inbox.borrow();
        now.generation != self.work.generation || now.deleting != self.work.deleting
    }

    fn new_nodes(&self) -> Option<Arc<[NodeView]>> {
        // An inbox that is closed ends the task at its next wait.
        let has_changed = self.inbox.has_changed().unwrap_or(true);
        has_changed.then(|| self.latest_nodes())
    }

    fn latest_nodes(&self) -> Arc<[NodeView]> {
        self.inbox.borrow().nodes.clone()
    }
}

/// The object's ledger as one device's pass sees it.
pub(super) struct DeviceLedger<'a> {
    /// The device's task.
    pub(super) ctx: &'a DeviceContext,
    /// What the pass works on.
    pub(super) work: &'a Work,
}

impl ports::Ledger for DeviceLedger<'_> {
    async fn view(&self) -> ClaimView {
        let (ledger, listed) = (&self.ctx.ledger, &self.work.settings.listed);
        ledger.view(&self.ctx.device, listed).await
    }

    async fn claims(&self) -> DeviceClaims {
        self.ctx.ledger.claims_of(&self.ctx.device).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<StoredClaims, PassError> {
        let device = self.work.device(&self.ctx.device);
        let ClaimRequest {
            changes,
            nodes,
            spending,
            note,
        } = request;
        let note = device.zip(note).map(|(device, note)| noted(device, note));
        let stored = self
            .ctx
            .ledger
            .claim(
                &self.ctx.device,
                &changes,
                &nodes,
                spending.as_ref(),
                note.as_ref(),
            )
            .await;
        stored.map(StoredClaims::of).map_err(ledger_error)
    }
}

/// What the status keeps of a device: how it is reached, and since when it holds changes that are not saved.
fn noted(device: &DeviceSettings, note: DeviceNote) -> DeviceStatus {
    let mut status = DeviceStatus {
        name: device.name.clone(),
        address: Some(device.host.clone()),
        port: Some(i32::from(device.port)),
        identity: note.identity,
        key_fingerprint: note.key_fingerprint,
        unsaved_since: note.unsaved_since.map(Time),
        ..DeviceStatus::default()
    };
    device.access().note(&mut status);
    status
}

fn ledger_error(error: LedgerError) -> PassError {
    match error {
        LedgerError::Gone | LedgerError::Displaced(_) => PassError::Stopping,
        error => PassError::Refused(error.failure()),
    }
}
