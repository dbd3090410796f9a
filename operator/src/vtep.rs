//! CiliumVTEPConfigs of the tunnels that ask for one (`spec.cilium.vtepConfig: Managed`, feature gate `VTEPConfig`).
//!
//! One task for all tunnels, so that no pass waits for it. What is written is decided in `bigip_tunnel_cilium::manage`;
//! the name of an object is in the tunnel's status before its first write (`status.vtepConfig`). Never changed:
//! `cilium-config`, agents, entries in their tables, and objects without the operator's marks.

mod api;
mod failure;
mod noted;
mod removal;
mod task;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_cilium::seen::Cluster;
use bigip_tunnel_cilium::unit::Tunnel;
use bigip_tunnel_core::conditions::Condition;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use tokio::sync::{Notify, watch};

use self::noted::Noted;
pub(crate) use self::task::run;
use crate::index::ObjectKey;

/// What is known of Cilium and of the tunnels.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// The units of every tunnel.
    pub(crate) tunnels: BTreeMap<ObjectKey, Arc<Tunnel>>,
}

/// What became of a tunnel's CiliumVTEPConfig.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// uid of the tunnel's object.
    pub(crate) uid: String,
    /// What is to be said.
    pub(crate) condition: Option<Condition>,
    /// Its name, until it is known to be gone.
    pub(crate) name: Option<String>,
    /// Whether it was to be removed.
    pub(crate) is_removal: bool,
}

/// The outcomes. An object that is missing was not looked at yet, or asks for nothing.
pub(crate) type Outcomes = BTreeMap<ObjectKey, Outcome>;

/// The tunnels, and what became of their CiliumVTEPConfigs.
#[derive(Debug)]
pub(crate) struct Vtep {
    /// Whether the feature gate is open.
    is_enabled: bool,
    /// Whether this process reads anything of Cilium.
    reads_cilium: bool,
    noted: Mutex<BTreeMap<ObjectKey, Noted>>,
    /// Objects that are being deleted, and of which everything else is cleaned up: key and uid.
    leaving: Mutex<BTreeSet<(ObjectKey, String)>>,
    scene: Mutex<Option<Arc<Scene>>>,
    changed: Notify,
    outcomes: watch::Sender<Arc<Outcomes>>,
}

impl Vtep {
    /// Knows of no object.
    pub(crate) fn new(is_enabled: bool, reads_cilium: bool) -> Self {
        Self {
            is_enabled,
            reads_cilium,
            noted: Mutex::default(),
            leaving: Mutex::default(),
            scene: Mutex::default(),
            changed: Notify::new(),
            outcomes: watch::Sender::default(),
        }
    }

    /// Takes an object in, as it is now.
    pub(crate) fn note(&self, key: &ObjectKey, object: &BigIpTunnel) {
        let noted = Noted::of(object);
        let before = lock(&self.noted).insert(key.clone(), noted.clone());
        if before.is_none_or(|before| before != noted) {
            self.changed.notify_one();
        }
    }

    /// Forgets an object.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        if lock(&self.noted).remove(key).is_some() {
            lock(&self.leaving).retain(|(left, _)| left != key);
            self.changed.notify_one();
        }
    }

    /// Takes in what is known of Cilium; nothing while no object asks for that.
    pub(crate) fn set_scene(&self, scene: Option<Scene>) {
        let is_known = scene.is_some();
        let before = std::mem::replace(&mut *lock(&self.scene), scene.map(Arc::new));
        if is_known || before.is_some() {
            self.changed.notify_one();
        }
    }

    /// Has the CiliumVTEPConfig of an object removed, which is being deleted and is clean otherwise.
    pub(crate) fn remove(&self, key: &ObjectKey, uid: &str) {
        if lock(&self.leaving).insert((key.clone(), uid.to_owned())) {
            self.changed.notify_one();
        }
    }

    /// Takes that back: what the object has stays on purpose.
    pub(crate) fn retain(&self, key: &ObjectKey) {
        lock(&self.leaving).retain(|(leaving, _)| leaving != key);
    }

    /// What became of them, and changes of that.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Outcomes>> {
        self.outcomes.subscribe()
    }

    fn noted(&self) -> BTreeMap<ObjectKey, Noted> {
        lock(&self.noted).clone()
    }

    fn is_leaving(&self, key: &ObjectKey, uid: &str) -> bool {
        lock(&self.leaving).contains(&(key.clone(), uid.to_owned()))
    }

    fn scene(&self) -> Option<Arc<Scene>> {
        lock(&self.scene).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
