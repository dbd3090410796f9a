//! All objects that the operator may see, to answer one question: who else needs a record?
//!
//! Two objects may share a device and a tunnel (two pools of nodes). A record goes only when none of
//! them wants it, and while it is not known what the others want, none goes. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_core::claims::{ClaimState, Claims};
use bigip_tunnel_core::desired::desired;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::sharing::{Needs, Neighbour, needs};
use bigip_tunnel_crds::convert::UnreadableClaims;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_crds::{convert, status};
use kube::ResourceExt;

use crate::nodes::NodeState;
use crate::settings::{DeviceSettings, Settings, paused};

/// Namespace and name of an object.
pub(crate) type ObjectKey = (String, String);

/// The objects, as last seen.
#[derive(Debug, Default)]
pub(crate) struct Index(Mutex<Objects>);

#[derive(Debug, Default)]
struct Objects {
    readable: BTreeMap<ObjectKey, Arc<BigIpTunnel>>,
    unreadable: BTreeSet<ObjectKey>,
    complete: bool,
}

impl Index {
    /// Takes an object in, or its newer version.
    pub(crate) fn insert(&self, key: ObjectKey, object: Arc<BigIpTunnel>) {
        let mut objects = self.lock();
        objects.unreadable.remove(&key);
        objects.readable.insert(key, object);
    }

    /// Notes an object that cannot be read. What it needs is not known, so everything is kept.
    pub(crate) fn insert_unreadable(&self, key: ObjectKey) {
        let mut objects = self.lock();
        objects.readable.remove(&key);
        objects.unreadable.insert(key);
    }

    /// Forgets an object that is gone.
    pub(crate) fn remove(&self, key: &ObjectKey) {
        let mut objects = self.lock();
        objects.readable.remove(key);
        objects.unreadable.remove(key);
    }

    /// Notes that every object has been seen once. Until then nobody's needs are known.
    pub(crate) fn set_complete(&self) {
        self.lock().complete = true;
    }

    /// What objects other than `this` need on this device and tunnel; `None` when that is not known.
    pub(crate) fn needs(
        &self,
        this: &ObjectKey,
        settings: &Settings,
        (device, identity): (&DeviceSettings, Option<&str>),
        nodes: &NodeState,
    ) -> Option<Needs> {
        let others: Vec<(ObjectKey, Arc<BigIpTunnel>)> = {
            let objects = self.lock();
            if !objects.complete || objects.unreadable.iter().any(|key| key != this) {
                return None;
            }
            let others = objects.readable.iter().filter(|(key, _)| *key != this);
            others
                .map(|(key, object)| (key.clone(), object.clone()))
                .collect()
        };
        let mut neighbours = Vec::new();
        for (key, other) in &others {
            neighbours.extend(neighbour(
                key < this,
                other,
                settings,
                (device, identity),
                nodes,
            )?);
        }
        Some(needs(&neighbours))
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `other` wants of this device and tunnel: `Some(None)` when it has no part in them, `None`
/// when that cannot be told.
#[expect(
    clippy::option_option,
    reason = "no part in it and not known are different answers"
)]
fn neighbour(
    comes_first: bool,
    other: &BigIpTunnel,
    settings: &Settings,
    (device, identity): (&DeviceSettings, Option<&str>),
    nodes: &NodeState,
) -> Option<Option<Neighbour>> {
    let theirs = Settings::read(&other.spec).ok()?;
    let known = |name: &str| {
        other
            .status
            .as_ref()
            .and_then(|s| status::known_identity(s, name))
    };
    // One box may be listed by two addresses.
    let same = |d: &&DeviceSettings| {
        let same_address = d.host == device.host && d.port == device.port;
        same_address || identity.is_some_and(|identity| known(&d.name) == Some(identity))
    };
    let Some(shared) = theirs
        .devices
        .iter()
        .find(same)
        .filter(|_| theirs.tunnel == settings.tunnel)
    else {
        return Some(None);
    };
    let desired = if other.metadata.deletion_timestamp.is_some() {
        BTreeSet::new()
    } else {
        let views = nodes.views(&theirs).ok()?;
        let desired = desired(&views, theirs.prefix, &theirs.addresses);
        desired.nodes.into_keys().collect()
    };
    Some(Some(Neighbour {
        desired,
        claimed: claimed(other, &shared.name).ok()?,
        // One that writes nothing gives nothing up, so the other one has to.
        comes_first: comes_first || paused(other).is_some() || theirs.observes,
    }))
}

/// What an object claims on its device of this name and does not let go.
fn claimed(object: &BigIpTunnel, device: &str) -> Result<BTreeSet<MacAddress>, UnreadableClaims> {
    let uid = object.uid().unwrap_or_default();
    let claims = object.status.as_ref();
    let claims = claims.map(|status| convert::claims(status, &uid));
    let claims = claims.unwrap_or(Ok(Claims::default()))?;
    let kept = claims
        .of(device)
        .iter()
        .filter(|(_, state)| **state != ClaimState::Leaving);
    Ok(kept.map(|(mac, _)| *mac).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, tunnel: &str, claimed: &[&str]) -> Arc<BigIpTunnel> {
        let object = serde_json::from_value(json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1",
            "kind": "BigIpTunnel",
            "metadata": {"name": name, "namespace": "bigip", "uid": name},
            "spec": {
                "credentialsSecretRef": {"name": "login"},
                "devices": [{"name": "unit", "address": "192.0.2.11"}],
                "tunnel": {"name": tunnel},
            },
            "status": {"ownership": {"uid": name, "claims": [
                {"devices": ["unit"], "state": "Owned", "records": claimed},
            ]}},
        }));
        Arc::new(object.unwrap())
    }

    fn key(name: &str) -> ObjectKey {
        ("bigip".into(), name.into())
    }

    const M1: &str = "0a:0a:0a:00:00:01";

    /// What the others need of object `a`'s device and tunnel.
    fn needs_beside(index: &Index) -> Option<Needs> {
        let settings = Settings::read(&object("a", "t1", &[]).spec).unwrap();
        let device = settings.devices[0].clone();
        index.needs(
            &key("a"),
            &settings,
            (&device, Some("box")),
            &NodeState::empty(),
        )
    }

    fn index_with(other: Arc<BigIpTunnel>) -> Index {
        let index = Index::default();
        index.insert(key("a"), object("a", "t1", &[M1]));
        index.insert(key(&other.name_any()), other);
        index.set_complete();
        index
    }

    #[test]
    fn what_another_object_on_the_tunnel_claims_is_needed() {
        let needs = needs_beside(&index_with(object("b", "t1", &[M1]))).unwrap();
        assert!(needs.needed.contains(&M1.parse().unwrap()));
        assert!(!needs.theirs.contains(&M1.parse().unwrap()));
    }

    #[test]
    fn an_object_on_another_tunnel_needs_nothing_here() {
        let needs = needs_beside(&index_with(object("b", "t2", &[M1])));
        assert_eq!(needs, Some(Needs::default()));
    }

    #[test]
    fn an_object_that_lists_the_same_box_by_another_address_counts() {
        let mut other = Arc::unwrap_or_clone(object("b", "t1", &[M1]));
        other.spec.devices[0].address = "bigip-a.example.com".into();
        assert_eq!(
            needs_beside(&index_with(Arc::new(other.clone()))),
            Some(Needs::default())
        );
        let status = other.status.as_mut().unwrap();
        status.devices =
            serde_json::from_value(json!([{"name": "unit", "identity": "box"}])).unwrap();
        let needs = needs_beside(&index_with(Arc::new(other))).unwrap();
        assert!(needs.needed.contains(&M1.parse().unwrap()));
    }

    #[test]
    fn a_paused_object_keeps_its_claim_and_the_other_gives_its_own_up() {
        let mut other = Arc::unwrap_or_clone(object("b", "t1", &[M1]));
        other.spec.suspend = true;
        let needs = needs_beside(&index_with(Arc::new(other))).unwrap();
        assert!(needs.theirs.contains(&M1.parse().unwrap()));
    }

    #[test]
    fn until_all_objects_were_seen_nobodys_needs_are_known() {
        let index = Index::default();
        index.insert(key("a"), object("a", "t1", &[]));
        assert_eq!(needs_beside(&index), None);
    }

    #[test]
    fn while_an_object_cannot_be_read_nobodys_needs_are_known() {
        let index = index_with(object("b", "t2", &[]));
        index.insert_unreadable(key("c"));
        assert_eq!(needs_beside(&index), None);
        index.remove(&key("c"));
        assert_eq!(needs_beside(&index), Some(Needs::default()));
    }
}
