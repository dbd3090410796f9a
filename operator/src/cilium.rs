//! Cilium's side of the tunnels, compared with what the BIG-IPs say, all the time.
//!
//! Reads only, and only while this process leads and an object asks for it. The judgement is that of the crate
//! `cilium`, as in `check`; here is what it is made of, and when.

mod board;
mod follow;
mod seen;
mod task;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_cilium::condition;
use bigip_tunnel_cilium::unit::Tunnel;
use bigip_tunnel_core::conditions::Condition;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, CiliumVerify, VtepConfig};
use kube::core::Selector;
use tokio::sync::{Notify, watch};

use crate::index::ObjectKey;

pub(crate) use self::task::run;

/// The conditions that were found, by object. An object that is missing was not judged yet.
pub(crate) type Judged = BTreeMap<ObjectKey, Condition>;

/// The tunnels to compare, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Cilium {
    /// Whether nothing of Cilium is read.
    is_off: bool,
    tunnels: Mutex<BTreeMap<ObjectKey, Noted>>,
    changed: Notify,
    judged: watch::Sender<Arc<Judged>>,
}

/// What counts of an object.
#[derive(Debug, Clone, PartialEq)]
struct Noted {
    /// Its units.
    tunnel: Arc<Tunnel>,
    /// Selects its nodes. `None` where it cannot be read.
    selector: Option<Selector>,
    /// Whether it asks for a judgement.
    verifies: bool,
    /// Whether it asks for a CiliumVTEPConfig.
    manages: bool,
}

impl Cilium {
    /// `verifies`: whether the task of [`run`] reads and judges.
    pub(crate) fn new(verifies: bool) -> Self {
        Self {
            is_off: !verifies,
            ..Self::default()
        }
    }

    /// Takes an object in, as it is now.
    pub(crate) fn note(&self, key: &ObjectKey, object: &BigIpTunnel) {
        if self.is_off {
            let found = verifies(object).then(condition::off);
            return self.show(key, found);
        }
        let noted = Noted {
            tunnel: Arc::new(convert::cilium::tunnel(object)),
            selector: convert::selector(&object.spec).ok(),
            verifies: verifies(object),
            manages: object.spec.cilium.vtep_config == VtepConfig::Managed,
        };
        let before = self.lock().insert(key.clone(), noted.clone());
        if before.is_none_or(|before| before != noted) {
            self.changed.notify_one();
        }
    }

    /// Forgets an object.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        if self.is_off {
            return self.show(key, None);
        }
        if self.lock().remove(key).is_some() {
            self.changed.notify_one();
        }
    }

    /// Replaces what is found of an object.
    fn show(&self, key: &ObjectKey, found: Option<Condition>) {
        self.judged.send_if_modified(|judged| {
            if judged.get(key) == found.as_ref() {
                return false;
            }
            let judged = Arc::make_mut(judged);
            match found {
                Some(found) => judged.insert(key.clone(), found),
                None => judged.remove(key),
            };
            true
        });
    }

    /// What is found, and its changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Judged>> {
        self.judged.subscribe()
    }

    fn tunnels(&self) -> BTreeMap<ObjectKey, Noted> {
        self.lock().clone()
    }

    fn is_asked(&self) -> bool {
        let noted = self.lock();
        noted.values().any(|noted| noted.verifies || noted.manages)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Noted>> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an object asks for a judgement.
pub(crate) fn verifies(object: &BigIpTunnel) -> bool {
    object.spec.cilium.verify == CiliumVerify::Auto
}
