//! All objects that the operator may see, to answer one question: who else needs a record?
//!
//! Two objects may share a device and a tunnel (two pools of nodes). A record goes only when none of
//! them wants it. Reads what others desire; changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_core::desired::desired;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, DeletionPolicy};
use kube::ResourceExt;

use crate::nodes::NodeSet;
use crate::settings::{DeviceSettings, Settings};

/// Namespace and name of an object.
pub(crate) type ObjectKey = (String, String);

/// The objects, as last seen.
#[derive(Debug, Default)]
pub(crate) struct Index(Mutex<BTreeMap<ObjectKey, Arc<BigIpTunnel>>>);

impl Index {
    /// Takes an object in, or its newer version.
    pub(crate) fn insert(&self, key: ObjectKey, object: Arc<BigIpTunnel>) {
        self.lock().insert(key, object);
    }

    /// Forgets an object that is gone.
    pub(crate) fn remove(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    /// The records that objects other than `this` need on this device and tunnel.
    pub(crate) fn needed_elsewhere(
        &self,
        this: &ObjectKey,
        settings: &Settings,
        device: &DeviceSettings,
        nodes: Option<&NodeSet>,
    ) -> BTreeSet<MacAddress> {
        let others: Vec<Arc<BigIpTunnel>> = {
            let objects = self.lock();
            objects
                .iter()
                .filter(|(key, _)| *key != this)
                .map(|(_, o)| o.clone())
                .collect()
        };
        others
            .iter()
            .flat_map(|other| needs(other, settings, device, nodes))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Arc<BigIpTunnel>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `other` needs there. What it desires counts; where that cannot be told, and where it is
/// going and leaves its records, what it claims does.
fn needs(
    other: &BigIpTunnel,
    settings: &Settings,
    device: &DeviceSettings,
    nodes: Option<&NodeSet>,
) -> BTreeSet<MacAddress> {
    let Ok(theirs) = Settings::read(&other.spec) else {
        return claimed(other);
    };
    let shares = |d: &DeviceSettings| d.host == device.host && d.port == device.port;
    if theirs.tunnel != settings.tunnel || !theirs.devices.iter().any(shares) {
        return BTreeSet::new();
    }
    let leaves_records = theirs.deletion_policy == DeletionPolicy::Retain;
    match (other.metadata.deletion_timestamp.is_some(), nodes) {
        (true, _) if leaves_records => claimed(other),
        (true, _) => BTreeSet::new(),
        (false, Some(nodes)) => {
            let views: Vec<NodeView> = nodes
                .values()
                .map(|node| node.view(&theirs.selector))
                .collect();
            desired(&views, theirs.prefix).nodes.into_keys().collect()
        }
        (false, None) => claimed(other),
    }
}

fn claimed(object: &BigIpTunnel) -> BTreeSet<MacAddress> {
    let uid = object.uid().unwrap_or_default();
    object
        .status
        .as_ref()
        .map(|status| convert::claims(status, &uid).macs())
        .unwrap_or_default()
}
