//! What a pass asks the world for.
//!
//! The pass makes its requests through these traits and no other way. `io` carries them out; the tests of the
//! pass carry them out in memory. A read never changes anything, a save changes no record, and a write needs a permit,
//! which only stored claims give.

use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::claims::DeviceClaims;
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::listing::{Listing, RecordName};
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::pass::claiming::ClaimRequest;
use bigip_tunnel_core::pass::inputs::ClaimView;
use bigip_tunnel_core::pass::writing::{Permit, StoredClaims};
use bigip_tunnel_core::pass::{PassError, RequestError};
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::turns::Urgency;
use bigip_tunnel_core::unit::{Login, PublicKeyHash, UnitFacts, UnitIdentity};
use jiff::Timestamp;

use crate::clock::Clock;

/// The ports of one pass.
pub(crate) struct Ports<'a, C, A, L> {
    /// Nodes and other objects.
    pub(crate) cluster: &'a mut C,
    /// The way to the unit.
    pub(crate) access: &'a mut A,
    /// Claims.
    pub(crate) ledger: &'a L,
    /// Both clocks.
    pub(crate) clock: Clock,
}

/// What the cluster says of nodes and of other objects.
pub(crate) trait Cluster {
    /// A complete list of the nodes, made now, to remove records by. `None` while the API server's answers
    /// disagree. `floor`: a resource version that was seen before.
    async fn list_nodes(&mut self, floor: u128) -> Result<Option<Arc<[NodeView]>>, PassError>;

    /// One node, asked for now. `None` when the API server says that there is none.
    async fn get_node(&self, name: &str) -> Result<Option<NodeView>, PassError>;

    /// Notes that this node contradicts the list: removals of the process stop for a while.
    fn note_contradiction(&self, node: &str);

    /// Until when removals are stopped, where they are or were.
    fn removals_stop_until(&self) -> Option<Moment>;

    /// What other objects need on the unit and tunnel; `None` while that is not known.
    fn neighbours(&self) -> Option<Needs>;

    /// Whether the spec was changed or the object deleted since the pass began.
    fn is_superseded(&self) -> bool;

    /// The nodes that were published since the pass began; `None` when there was nothing new.
    fn new_nodes(&self) -> Option<Arc<[NodeView]>>;

    /// The nodes as they are known now.
    fn latest_nodes(&self) -> Arc<[NodeView]>;
}

/// The way to a unit. Secrets stay behind it.
pub(crate) trait Access {
    /// What a login is made with.
    type Session;
    /// The unit under one login.
    type Unit: UnitReader + Saver;

    /// The session of the current Secret and CA bundle. Asks the device for nothing. `trusts_session`: whether
    /// both need not be read again where they were read a short while ago.
    async fn prepare(&mut self, trusts_session: bool) -> Result<Self::Session, PassError>;

    /// Logs in, or returns the login that there is.
    async fn log_in(&mut self, session: Self::Session) -> Result<LoggedIn<Self::Unit>, PassError>;

    /// Notes that it is not known any more which unit the device is.
    fn note_doubt(&self);
}

/// A unit under one login.
pub(crate) struct LoggedIn<U> {
    /// The unit.
    pub(crate) unit: U,
    /// The login.
    pub(crate) login: Login,
    /// What is known of the Secret's password.
    pub(crate) password: Password,
}

/// What is known of the password that the Secret holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Password {
    /// The unit accepted it.
    Accepted,
    /// The unit refuses it, and the login from before it is used.
    Refused(Failure),
    /// It was not tried: what was known of it holds on.
    NotTried,
}

/// A unit under one login, as far as it is read. A read is given up when the task is to end, except those after a
/// write.
pub(crate) trait UnitReader {
    /// One write in the unit's queue.
    type Writer: UnitWriter;

    /// Identity, version, failover state, and the tunnel.
    async fn facts(&self) -> Result<UnitFacts, PassError>;

    /// Only the identity.
    async fn identity(&self) -> Result<UnitIdentity, PassError>;

    /// Joins the queue of the unit that was proven last, so that it gets one write at a time. Only for a unit that
    /// may be written to.
    async fn join_queue(&self) -> Result<(), PassError>;

    /// All records of the tunnel.
    async fn records(&self) -> Result<Listing, PassError>;

    /// Notes that a list of the records was accepted: the device is verified by what was read since `began`.
    /// `time`: when the list was taken in.
    fn note_verified(&self, began: Moment, time: Timestamp);

    /// All records of the tunnel after writes. Read to the end, also when the task is to end: the claims on what was
    /// written are settled by it.
    async fn records_after_write(&self) -> Result<Listing, PassError>;

    /// One record of the tunnel after it was written; `None` if it is not there. Read to the end, too.
    async fn record_after_write(&self, name: &RecordName) -> Result<Option<Endpoint>, PassError>;

    /// The key that the unit has proven.
    fn key(&self) -> Option<PublicKeyHash>;

    /// The device listed before this one that is the same unit.
    fn twin(&self) -> Option<String>;

    /// Waits, unless the task is to end.
    async fn pause(&self, duration: Duration) -> Result<(), PassError>;

    /// Waits for this object's turn to write to the unit, which lasts at most `limit`. Only a leader gets it.
    async fn writer(
        &self,
        permit: Permit,
        urgency: Urgency,
        limit: Duration,
    ) -> Result<Self::Writer, PassError>;
}

/// A unit under one login, as far as it is saved. Changes no record, so it needs no claim and no turn.
pub(crate) trait Saver {
    /// Saves the running configuration.
    async fn save(&self) -> Result<(), RequestError>;
}

/// The turn for one permitted write. Dropping it ends the turn.
pub(crate) trait UnitWriter {
    /// Sends the write. Returns whether the device holds something new.
    async fn send(self) -> Result<bool, RequestError>;
}

/// The object's claims, as stored in Kubernetes by compare-and-swap.
pub(crate) trait Ledger {
    /// What is stored now, as far as the device needs it.
    async fn view(&self) -> ClaimView;

    /// What is claimed on the device now.
    async fn claims(&self) -> DeviceClaims;

    /// Changes claims. Returns those on the device as they were stored in the same moment; writes nothing when
    /// nothing changes.
    async fn claim(&self, request: ClaimRequest) -> Result<StoredClaims, PassError>;
}
