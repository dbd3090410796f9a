//! What became of the CiliumVTEPConfig of one object, and whether its status says so.

use bigip_tunnel_core::events::EventReason;
use bigip_tunnel_core::events::Occurrence;
use bigip_tunnel_core::reason::Reason;
use std::sync::Arc;

use bigip_tunnel_core::conditions::Condition;
use bigip_tunnel_core::events::{Event, Kind};
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_crds::status::Managed;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, VtepConfig};
use kube::ResourceExt as _;
use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;

use super::Worker;
use crate::index::ObjectKey;
use crate::vtep::{Outcome, Outcomes};

/// What became of it, and what was put into the status last.
pub(super) struct Vtep {
    outcomes: watch::Receiver<Arc<Outcomes>>,
    told: Option<Outcome>,
}

impl Vtep {
    /// What becomes of it from now on.
    pub(super) fn new(outcomes: watch::Receiver<Arc<Outcomes>>) -> Self {
        Self {
            outcomes,
            told: None,
        }
    }

    /// Waits until the outcome of any object changes.
    pub(super) async fn changed(&mut self) -> Result<(), RecvError> {
        self.outcomes.changed().await
    }

    /// Whether the outcome of this object is not what its status says.
    pub(super) fn is_news(&mut self, key: &ObjectKey) -> bool {
        self.outcomes.borrow_and_update().get(key) != self.told.as_ref()
    }

    /// What the status of this object has to say now. `stored`: the name that it has.
    pub(super) fn tell(
        &mut self,
        key: &ObjectKey,
        object: &BigIpTunnel,
        stored: Option<&str>,
    ) -> Managed<'_> {
        self.told = self.outcomes.borrow_and_update().get(key).cloned();
        let is_asked = object.spec.cilium.vtep_config == VtepConfig::Managed || stored.is_some();
        let uid = object.uid().unwrap_or_default();
        match self.told.as_ref().filter(|told| told.uid == uid) {
            Some(told) => Managed::Found {
                condition: told.condition.as_ref(),
                name: told.name.as_deref(),
            },
            None if is_asked => Managed::Pending,
            None => Managed::Off,
        }
    }

    /// Name of the CiliumVTEPConfig that an object has still. `stored`: the one in its status.
    fn name(&self, key: &ObjectKey, uid: &str, stored: Option<String>) -> Option<String> {
        let outcomes = self.outcomes.borrow();
        let outcome = outcomes.get(key).filter(|outcome| outcome.uid == uid);
        outcome.map_or(stored, |outcome| outcome.name.clone())
    }

    /// Why a CiliumVTEPConfig keeps an object that is being deleted from going.
    fn failure(&self, key: &ObjectKey, uid: &str) -> Option<Failure> {
        let outcomes = self.outcomes.borrow();
        let outcome = outcomes.get(key).filter(|outcome| outcome.uid == uid)?;
        outcome.name.as_ref().filter(|_| outcome.is_removal)?;
        let Condition {
            reason, message, ..
        } = outcome.condition.as_ref()?;
        (*reason != Reason::CleaningUp).then(|| Failure {
            reason: *reason,
            message: format!(
                "{message}. To let the object go without its CiliumVTEPConfig, set the annotation \
                 bigip-tunnel.dev/release to true"
            ),
            retryable: true,
        })
    }
}

impl Worker {
    /// Whether the object has no CiliumVTEPConfig left. Has it removed otherwise: everything else is clean.
    pub(super) async fn has_no_vtep_config(&self) -> bool {
        let uid = self.object.borrow().uid().unwrap_or_default();
        let stored = self.ledger.status().await.vtep_config;
        if self.vtep.name(&self.key, &uid, stored).is_none() {
            return true;
        }
        self.shared.vtep.remove(&self.key, &uid);
        false
    }

    /// Why a CiliumVTEPConfig keeps this object from going, which is clean otherwise.
    pub(super) async fn vtep_failure(&self, object: &BigIpTunnel) -> Option<Failure> {
        if object.metadata.deletion_timestamp.is_none() || !self.is_clean_of_records().await {
            return None;
        }
        let uid = object.uid().unwrap_or_default();
        self.vtep.failure(&self.key, &uid)
    }

    /// Tells of a CiliumVTEPConfig that stays although its object goes.
    pub(super) async fn tell_of_left_vtep_config(&self, object: &BigIpTunnel) {
        let uid = object.uid().unwrap_or_default();
        let stored = self.ledger.status().await.vtep_config;
        let Some(name) = self.vtep.name(&self.key, &uid, stored) else {
            return;
        };
        tracing::warn!(
            object = name,
            "the object goes and its CiliumVTEPConfig may stay"
        );
        let left = Event {
            kind: Kind::Warning,
            reason: EventReason::Occurrence(Occurrence::VtepConfigLeft),
            action: "Delete",
            note: format!("the object goes and CiliumVTEPConfig {name} may stay"),
        };
        self.shared.events.tell(object, Some(left));
    }
}
