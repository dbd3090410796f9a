//! One device of one object: what its task remembers between passes.
//!
//! Everything here lives in memory only and can be lost at any moment: the claims are in the ledger,
//! the records on the device.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bigip_icontrol::{Listing, Login};
use bigip_tunnel_core::account::SecretVersion;
use bigip_tunnel_core::answers::Answer;
use bigip_tunnel_core::claims::{ClaimState, DeviceClaims};
use bigip_tunnel_core::desired::Desired;
use bigip_tunnel_core::drift::Losses;
use bigip_tunnel_core::events::Changes;
use bigip_tunnel_core::guard::Absences;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::outcome::{DeviceReport, Failure};
use bigip_tunnel_core::proven::{ProvenUnits, Verified};
use bigip_tunnel_core::saving::Unsaved;
use bigip_tunnel_core::schedule::Schedule;
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::turns::Applicant;
use bigip_tunnel_core::unit::{ProvenUnit, UnitFacts};
use bigip_tunnel_crds::status;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::device_pool::Session;
use crate::ledger::Ledger;
use crate::metrics::DeviceMetrics;
use crate::pass::Stop;
use crate::settings::{DeviceSettings, Settings};
use crate::shared::Shared;

/// How long after an uncertain answer of a device nothing is removed from it.
const SETTLE_AFTER_UNCERTAIN: Duration = Duration::from_secs(75);
/// How long after sending a write can still take effect on the device: it works on a request for up
/// to 60 s (`icrd.timeout`, K94602685).
const LATE_WRITE: Duration = Duration::from_secs(65);

/// What never changes while the device's task lives.
pub(crate) struct DeviceContext {
    /// What all objects share.
    pub(crate) shared: Arc<Shared>,
    /// Namespace of the object.
    pub(crate) namespace: String,
    /// Name of the object.
    pub(crate) object: String,
    /// Name of the device in the spec.
    pub(crate) device: String,
    /// What is counted of it.
    pub(crate) metrics: Arc<DeviceMetrics>,
    /// The object's claims.
    pub(crate) ledger: Arc<Ledger>,
    /// Which units the object's devices have proven to be.
    pub(crate) identities: Arc<Identities>,
    /// Cancelled when the task is to end.
    pub(crate) stop: CancellationToken,
}

/// What a pass works on: the object and the nodes, as they were when it began.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// The spec, read.
    pub(crate) settings: Arc<Settings>,
    /// All nodes, as this object's selector sees them.
    pub(crate) nodes: Arc<[NodeView]>,
    /// When nodes came that came since the object is worked on, by name.
    pub(crate) arrivals: Arc<BTreeMap<String, Moment>>,
    /// `metadata.generation`.
    pub(crate) generation: i64,
    /// Whether the object is being deleted.
    pub(crate) deleting: bool,
    /// Devices that are no longer listed and are to be cleaned up.
    pub(crate) former: Arc<[DeviceSettings]>,
    /// Records whose removal a person has approved.
    pub(crate) approved: Arc<BTreeSet<MacAddress>>,
    /// The unit that a user has accepted behind one of the devices.
    pub(crate) accepted: Option<Answer>,
    /// Records that unstable nodes have left behind and that count against those nodes alone.
    pub(crate) against_nodes: Arc<BTreeSet<MacAddress>>,
    /// Value of the annotation `reconcile-requested-at`.
    pub(crate) request: Option<String>,
}

impl Work {
    /// This task's device: in the spec, or one that has left it.
    pub(crate) fn device(&self, ctx: &DeviceContext) -> Option<&DeviceSettings> {
        let listed = self.settings.device(&ctx.device);
        listed.or_else(|| self.former(ctx))
    }

    /// What this task's device is asked for besides its nodes: generation, request and acceptance.
    pub(crate) fn asked(&self, ctx: &DeviceContext) -> Asked {
        let accepted = self.accepted.as_ref();
        let accepted = accepted.filter(|answer| answer.is_about(&ctx.device));
        (self.generation, self.request.clone(), accepted.cloned())
    }

    /// Whether everything of the object is to go from this task's device.
    pub(crate) fn leaves(&self, ctx: &DeviceContext) -> bool {
        self.deleting || self.former(ctx).is_some()
    }

    /// When nodes came that came, or came to be as they are, since the object is worked on. `before`: the
    /// work before this one, which selected others.
    pub(crate) fn arrivals_since(&self, before: &Self, now: Moment) -> BTreeMap<String, Moment> {
        let selected = |node: &&NodeView| node.selected;
        let known = before.nodes.iter().filter(selected);
        let known: BTreeMap<&str, &NodeView> = known.map(|n| (n.name.as_str(), n)).collect();
        let arrivals = self.nodes.iter().filter(selected).filter_map(|node| {
            let came = match known.get(node.name.as_str()) {
                Some(before_now) if *before_now == node => *before.arrivals.get(&node.name)?,
                _ => now,
            };
            Some((node.name.clone(), came))
        });
        arrivals.collect()
    }

    fn former(&self, ctx: &DeviceContext) -> Option<&DeviceSettings> {
        self.former.iter().find(|device| device.name == ctx.device)
    }
}

/// Generation, request and acceptance that a pass was made for.
pub(crate) type Asked = (i64, Option<String>, Option<Answer>);

/// What a user has done that decides about the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UserInput {
    /// Nothing.
    None,
    /// The spec was changed: Secret and CA bundle are read again.
    Edit,
    /// It was asked to reconcile: a refused login may be tried once more, too.
    Request,
}

/// What the task remembers.
pub(crate) struct DeviceState {
    /// Where the worker puts what is to be worked on.
    pub(crate) inbox: watch::Receiver<Arc<Work>>,
    /// The login.
    pub(crate) session: Option<KnownSession>,
    /// What a user has done since the last login.
    pub(crate) input: UserInput,
    /// The login that facts and listing were read under. Under another one they count for nothing.
    pub(crate) login: Option<Login>,
    /// What the unit told about itself, and when.
    pub(crate) facts: Option<(UnitFacts, Moment)>,
    /// The records, as read and as changed since by writes that were read back. `None` when they
    /// have to be read again before anything is concluded from them.
    pub(crate) listing: Option<Listing>,
    /// What was desired at the last pass: gives absent nodes their names.
    pub(crate) desired: Arc<Desired>,
    /// Records of nodes that came since the task began, and are not known to be on the device.
    pub(crate) newcomers: BTreeSet<MacAddress>,
    /// Since when claimed records have no node.
    pub(crate) absences: Absences,
    /// What somebody else took away.
    pub(crate) losses: Losses,
    /// Whether the tunnel is never filled by one write: a record that is not ours was seen on it, or a
    /// fill has failed.
    pub(crate) fills_singly: bool,
    /// No removal before this moment.
    pub(crate) settled_at: Moment,
    /// A write whose fate is not known may take effect until then.
    pub(crate) late_write_until: Option<Moment>,
    /// What other objects needed here at the last pass that asked; `None` when it could not be known.
    pub(crate) needs: Option<Needs>,
    /// When the next pass is due.
    pub(crate) schedule: Schedule,
    /// Records that the device refused the last time it was asked to take them.
    pub(crate) refused: BTreeSet<MacAddress>,
    /// Whether the device refused one write after another: the next pass tries one first.
    pub(crate) refuses: bool,
    /// Which box the claims were made on.
    pub(crate) identity: Option<String>,
    /// The device listed before this one that was known as the same unit when the last pass began.
    pub(crate) twin: Option<String>,
    /// Changes that are not in the stored configuration.
    pub(crate) unsaved: Option<Unsaved>,
    /// What was done to the device and has not been reported.
    pub(crate) changes: Changes,
    /// What the status is made from.
    pub(crate) report: DeviceReport,
}

/// A login, and what it was made from.
#[derive(Clone)]
pub(crate) struct KnownSession {
    /// The login.
    pub(crate) session: Arc<Session>,
    /// The device as it was in the spec.
    pub(crate) settings: DeviceSettings,
    /// When Secret and CA bundle were read.
    pub(crate) read_at: Moment,
    /// The Secret, as it was then.
    pub(crate) secret: SecretVersion,
    /// Why the password may not be sent again. The login goes on until its token ends.
    pub(crate) no_new_login: Option<Failure>,
    /// The session of the password before this one, until a login with this one was accepted.
    pub(crate) previous: Option<Arc<Session>>,
}

impl KnownSession {
    /// The session that this login is one of.
    pub(crate) fn of(&self, login: Login) -> &Arc<Session> {
        let is_previous = |previous: &&Arc<Session>| previous.client.login() == Some(login);
        self.previous
            .as_ref()
            .filter(is_previous)
            .unwrap_or(&self.session)
    }

    /// What works while a new password is not accepted yet.
    pub(crate) fn last_accepted(self) -> Option<Arc<Session>> {
        if self.session.client.has_logged_in() {
            Some(self.session)
        } else {
            self.previous
        }
    }

    /// The session of a Secret that lets its password be sent nowhere any more.
    pub(crate) fn without_new_login(self, failure: Failure, now: Moment) -> Self {
        if self.no_new_login.is_none() {
            tracing::warn!(reason = failure.reason.as_str(), "{}", failure.message);
        }
        Self {
            read_at: now,
            no_new_login: Some(failure),
            ..self
        }
    }
}

impl DeviceContext {
    /// The object, as the writer queues know it.
    pub(crate) fn applicant(&self) -> Applicant {
        Applicant {
            namespace: self.namespace.clone(),
            object: self.object.clone(),
        }
    }

    /// Waits for a read, but not when the task is to end: nothing is lost with an answer that nobody
    /// needs. Writes are never given up this way.
    pub(crate) async fn unless_stopping<T>(
        &self,
        read: impl Future<Output = T>,
    ) -> Result<T, Stop> {
        self.stop
            .run_until_cancelled(read)
            .await
            .ok_or(Stop::Stopping)
    }
}

impl DeviceState {
    /// The state of a task that has just begun. What the last process left unsaved is saved after
    /// the quiet time, counted from now. It may have ended before it said so; a record that was being
    /// added or removed then shows that something was.
    pub(crate) async fn new(
        mut report: DeviceReport,
        inbox: watch::Receiver<Arc<Work>>,
        ctx: &DeviceContext,
    ) -> Self {
        let shared = &ctx.shared;
        let now = shared.clock.now();
        let claims = ctx.ledger.claims_of(&ctx.device).await;
        if claims.values().any(|state| *state != ClaimState::Owned) {
            report.save.unsaved_since.get_or_insert(shared.clock.time());
        }
        // Where something is claimed, an earlier task may have sent what is not known here: the process
        // before this one, or one of this process that has ended.
        let settled_at = if claims.is_empty() {
            shared.leadership.since() + shared.settle
        } else {
            now + shared.settle
        };
        let unsaved = report.save.unsaved_since.map(|_| Unsaved {
            first: now,
            last: now,
        });
        let stored = ctx.ledger.status().await;
        let identity = status::known_identity(&stored, &ctx.device).map(str::to_owned);
        Self {
            inbox,
            session: None,
            input: UserInput::None,
            login: None,
            facts: None,
            listing: None,
            desired: Arc::default(),
            newcomers: BTreeSet::new(),
            absences: Absences::default(),
            losses: Losses::default(),
            fills_singly: status::has_foreign_records(&stored, &ctx.device),
            settled_at,
            late_write_until: None,
            needs: None,
            schedule: Schedule::default(),
            refused: BTreeSet::new(),
            refuses: false,
            identity,
            twin: None,
            unsaved,
            changes: Changes::default(),
            report,
        }
    }

    /// Notes which claimed records have lost their node, and which have it again. Called whenever the
    /// nodes are looked at, also when the device is not: an absence that was interrupted begins anew.
    pub(crate) fn note_absences(&mut self, claims: &DeviceClaims, desired: Desired, clock: Clock) {
        let claimed = claims.keys().copied().collect();
        self.absences.update(
            &claimed,
            &self.desired,
            &desired,
            (clock.now(), clock.time()),
        );
        let (before, after) = (&self.desired.nodes, &desired.nodes);
        self.newcomers.retain(|mac| after.contains_key(mac));
        if !before.is_empty() {
            let new = after.keys().filter(|mac| !before.contains_key(mac));
            self.newcomers.extend(new);
        }
        self.desired = Arc::new(desired);
    }

    /// Name of the node that a record is or was for; the record itself where no node is known.
    pub(crate) fn node_name(&self, mac: MacAddress) -> String {
        let desired = self.desired.nodes.get(&mac);
        let absent = || self.absences.get(mac)?.node.as_ref();
        let node = desired.or_else(absent);
        node.map_or_else(|| mac.to_string(), |node| node.name.clone())
    }

    /// Notes that a write may or may not have been carried out, or may still be.
    pub(crate) fn note_uncertain(&mut self, now: Moment) {
        self.listing = None;
        self.settled_at = self.settled_at.max(now + SETTLE_AFTER_UNCERTAIN);
        self.late_write_until = Some(now + LATE_WRITE);
    }

    /// Whether a write may still take effect late. Forgets it when its time is over.
    pub(crate) fn awaits_late_write(&mut self, now: Moment) -> bool {
        self.late_write_until = self.late_write_until.filter(|until| *until > now);
        self.late_write_until.is_some()
    }
}

/// The units that an object's devices have proven to be in this process: finds one that is listed twice.
#[derive(Debug, Default)]
pub(crate) struct Identities(watch::Sender<ProvenUnits>);

impl Identities {
    /// Notes which unit a device has proven to be.
    pub(crate) fn note(&self, device: &str, unit: &ProvenUnit) {
        self.0.send_if_modified(|known| known.note(device, unit));
    }

    /// Forgets which unit a device was: its address has changed.
    pub(crate) fn forget(&self, device: &str) {
        self.0.send_if_modified(|known| known.forget(device));
    }

    /// Which unit a device has proven to be.
    pub(crate) fn of(&self, device: &str) -> Option<ProvenUnit> {
        self.0.borrow().of(device).cloned()
    }

    /// The device listed before this one that is the same unit.
    pub(crate) fn twin(&self, device: &str, devices: &[DeviceSettings]) -> Option<String> {
        let names = devices.iter().map(|device| device.name.as_str());
        let before = names.take_while(|name| *name != device);
        self.0.borrow().same_unit(device, before).map(str::to_owned)
    }

    /// Notes that a device was verified.
    pub(crate) fn note_verified(&self, device: &str, verified: Verified) {
        self.note_quietly(|known| known.note_verified(device, verified));
    }

    /// Notes that a look at a device has failed, or showed another unit.
    pub(crate) fn note_doubt(&self, device: &str) {
        self.note_quietly(|known| known.note_doubt(device));
    }

    /// Which units the devices are is the same as before, so nothing has to be done about it.
    fn note_quietly(&self, note: impl FnOnce(&mut ProvenUnits)) {
        self.0.send_if_modified(|known| {
            note(known);
            false
        });
    }

    /// What is known now. To be given back before anything is waited for.
    pub(crate) fn known(&self) -> watch::Ref<'_, ProvenUnits> {
        self.0.borrow()
    }

    /// All that is known. Changes when a device turns out to be another unit, or one that is known already.
    pub(crate) fn subscribe(&self) -> watch::Receiver<ProvenUnits> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::unit::{PublicKeyHash, UnitIdentity};
    use bigip_tunnel_crds::v1alpha1::Tls;

    use super::*;

    fn device(name: &str) -> DeviceSettings {
        DeviceSettings {
            name: name.into(),
            host: "192.0.2.11".into(),
            port: 443,
            secret: "login".into(),
            tls: Tls::default(),
        }
    }

    #[test]
    fn of_two_entries_for_one_unit_the_first_listed_counts() {
        let unit = ProvenUnit {
            identity: UnitIdentity {
                device_name: "bigip01".into(),
                base_mac: "00:0c:29:35:0d:bd".into(),
            },
            key: PublicKeyHash([1; 32]),
        };
        let devices = [device("a"), device("b")];
        let identities = Identities::default();
        identities.note("b", &unit);
        assert_eq!(identities.twin("b", &devices), None);
        identities.note("a", &unit);
        assert_eq!(identities.twin("a", &devices), None);
        assert_eq!(identities.twin("b", &devices), Some("a".into()));
        identities.forget("a");
        assert_eq!(identities.twin("b", &devices), None);
    }
}
