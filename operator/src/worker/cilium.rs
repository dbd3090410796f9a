//! What is found of Cilium's side of one object, and whether its status says so.

use std::sync::Arc;

use bigip_tunnel_core::conditions::Condition;
use bigip_tunnel_crds::status::Verified;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;

use crate::cilium::{Judged, verifies};
use crate::index::ObjectKey;

/// What is found, and what was put into the status last.
pub(super) struct Findings {
    judged: watch::Receiver<Arc<Judged>>,
    shown: Option<Condition>,
}

impl Findings {
    /// What is found from now on.
    pub(super) fn new(judged: watch::Receiver<Arc<Judged>>) -> Self {
        Self {
            judged,
            shown: None,
        }
    }

    /// Waits until something else is found of any object.
    pub(super) async fn changed(&mut self) -> Result<(), RecvError> {
        self.judged.changed().await
    }

    /// Whether something else is found of this object than what its status says.
    pub(super) fn is_news(&mut self, key: &ObjectKey) -> bool {
        self.judged.borrow_and_update().get(key) != self.shown.as_ref()
    }

    /// What the status of this object shows.
    pub(super) fn of_status(&self, object: &BigIpTunnel) -> Option<&Condition> {
        self.shown.as_ref().filter(|_| verifies(object))
    }

    /// What the status of this object shows from now on.
    pub(super) fn verified(&mut self, key: &ObjectKey, object: &BigIpTunnel) -> Verified<'_> {
        self.shown = self.judged.borrow_and_update().get(key).cloned();
        if !verifies(object) {
            return Verified::Off;
        }
        self.shown
            .as_ref()
            .map_or(Verified::Pending, Verified::Found)
    }
}
