//! All objects that the operator may see, to answer one question: what do others need of a unit and tunnel?
//!
//! Two objects may share a device and a tunnel (two pools of nodes). Objects are kept by the path of their
//! tunnel, so that those on another one cost nothing, and cannot be in the way. What a neighbour has a say in
//! is decided in `core::sharing`. Changes no object.

mod desires;
mod raw;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_core::account::{AccountId, LoginRecord};
use bigip_tunnel_core::sharing::{
    Activity, NOT_KNOWN_YET, Needs, Neighbour, Ours, Part, TheirDevice, Theirs, UnitEvidence,
    Wants, part,
};
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::unit::Place;
use kube::core::DynamicObject;
use tokio::sync::watch;

use self::desires::Desires;
use self::raw::Raw;
use crate::device::Identities;
use crate::nodes::NodeState;
use crate::settings::{DeviceSettings, Settings};

/// How many sites are remembered of one object. It lists at most 8 devices.
const SITES_MAX: usize = 32;

/// Namespace and name of an object.
pub(crate) type ObjectKey = (String, String);

/// The objects, as last seen.
#[derive(Debug, Default)]
pub(crate) struct Index {
    objects: Mutex<Objects>,
    /// Whether every object has been seen once.
    complete: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Objects {
    all: BTreeMap<ObjectKey, Arc<Entry>>,
    /// By the path of the tunnel; `None`: those of which it cannot be read.
    by_tunnel: HashMap<Option<String>, BTreeSet<ObjectKey>>,
}

/// A device at a place, on a tunnel, as far as each can be read.
type Site = (Option<Place>, Option<String>);

/// One object.
#[derive(Debug)]
struct Entry {
    raw: Raw,
    desires: Arc<Desires>,
    /// What its devices have proven to be. Its worker writes it.
    identities: Arc<Identities>,
    /// When this process first saw it with a device there: of what it lists, or began to list within the time
    /// that counts, so that an edit and its undoing change nothing. A site beyond [`SITES_MAX`] is not noted.
    first_seen: BTreeMap<Site, Moment>,
}

impl Entry {
    /// An object, after what was known of the same one before.
    fn new(raw: Raw, before: Option<&Self>, now: Moment) -> Self {
        let before = before.filter(|before| before.raw.uid == raw.uid);
        Self {
            desires: before
                .map(|before| before.desires.clone())
                .unwrap_or_default(),
            identities: before
                .map(|before| before.identities.clone())
                .unwrap_or_default(),
            first_seen: first_seen(&raw, before, now),
            raw,
        }
    }

    /// What it has a say in.
    fn part(
        &self,
        ours: &Ours<'_>,
        (is_near, comes_first): (bool, bool),
        now: Moment,
    ) -> Option<Part> {
        let proven = self.identities.known();
        let devices = self.raw.devices.iter().map(|device| {
            let site = (device.place.clone(), self.raw.tunnel.clone());
            let first_seen = self.first_seen.get(&site).copied();
            TheirDevice {
                place: device.place.as_ref(),
                proven: device.name.as_deref().and_then(|name| proven.seen(name)),
                recorded: device.recorded.as_ref(),
                claimed: &device.claimed,
                is_listed: device.is_listed,
                first_seen,
            }
        });
        let theirs = Theirs {
            is_near,
            comes_first,
            activity: self.raw.activity,
            devices: devices.collect(),
        };
        part(ours, &theirs, now)
    }
}

/// When the object was first seen at each of its sites.
fn first_seen(raw: &Raw, before: Option<&Entry>, now: Moment) -> BTreeMap<Site, Moment> {
    let listed = raw.devices.iter().filter(|device| device.is_listed);
    let listed: BTreeSet<Site> = listed
        .map(|device| (device.place.clone(), raw.tunnel.clone()))
        .collect();
    let known = before.iter().flat_map(|before| &before.first_seen);
    let mut sites: BTreeMap<Site, Moment> = known
        .filter(|(site, since)| listed.contains(*site) || since.until(now) < NOT_KNOWN_YET)
        .map(|(site, since)| (site.clone(), *since))
        .collect();
    for site in listed {
        if sites.len() < SITES_MAX {
            sites.entry(site).or_insert(now);
        }
    }
    sites
}

/// The device of an object that asks what others need, and what it knows.
pub(crate) struct Asker<'a> {
    /// The object.
    pub(crate) key: &'a ObjectKey,
    /// Its spec.
    pub(crate) settings: &'a Settings,
    /// The device.
    pub(crate) device: &'a DeviceSettings,
    /// What the object's devices have proven to be.
    pub(crate) identities: &'a Identities,
    /// Whether the object is being deleted.
    pub(crate) deleting: bool,
    /// The nodes.
    pub(crate) nodes: &'a NodeState,
    /// Now.
    pub(crate) now: Moment,
}

impl Index {
    /// Takes an object in, or its newer version, whether it can be worked with or not.
    pub(crate) fn insert(&self, key: &ObjectKey, object: &DynamicObject, now: Moment) {
        let raw = Raw::read(object);
        let mut objects = self.lock();
        let before = objects.take(key);
        let entry = Entry::new(raw, before.as_deref(), now);
        let tunnel = entry.raw.tunnel.clone();
        objects
            .by_tunnel
            .entry(tunnel)
            .or_default()
            .insert(key.clone());
        objects.all.insert(key.clone(), Arc::new(entry));
    }

    /// Forgets an object that is gone.
    pub(crate) fn remove(&self, key: &ObjectKey) {
        self.lock().take(key);
    }

    /// Notes that every object has been seen once. Until then the needs of others are not known.
    pub(crate) fn set_complete(&self) {
        self.complete.send_replace(true);
    }

    /// Waits until every object has been seen once.
    pub(crate) async fn seen_all(&self) {
        // The sender lives as long as the index.
        let _: Result<_, _> = self
            .complete
            .subscribe()
            .wait_for(|complete| *complete)
            .await;
    }

    /// Whether every object has been seen once.
    pub(crate) fn has_seen_all(&self) -> bool {
        *self.complete.borrow()
    }

    /// What the statuses of all objects say of logins of this account.
    pub(crate) fn logins(&self, account: &AccountId) -> Vec<LoginRecord> {
        let objects = self.lock();
        let all = objects.all.values().flat_map(|entry| &entry.raw.logins);
        all.filter(|login| login.account == *account)
            .cloned()
            .collect()
    }

    /// Where an object's worker notes what its devices have proven to be: the one place for it.
    pub(crate) fn identities(&self, key: &ObjectKey, uid: &str) -> Arc<Identities> {
        let objects = self.lock();
        let entry = objects.all.get(key).filter(|entry| entry.raw.uid == uid);
        entry
            .map(|entry| entry.identities.clone())
            .unwrap_or_default()
    }

    /// What objects other than the asking one need on its device and tunnel; `None` until all objects have
    /// been seen.
    pub(crate) fn needs(&self, asker: &Asker<'_>) -> Option<Needs> {
        if !self.has_seen_all() {
            return None;
        }
        let others = self.lock().beside(asker);
        let place = asker.device.place();
        let proven = asker.identities.known();
        let ours = Ours {
            unit: UnitEvidence {
                place: Some(&place),
                proven: proven.seen(&asker.device.name),
            },
            tunnel: &asker.settings.tunnel,
            activity: if asker.deleting {
                Activity::Leaving
            } else {
                Activity::Working
            },
        };
        let neighbours = others.iter().filter_map(|(key, entry)| {
            let is_near = key.0 == asker.key.0;
            let part = entry.part(&ours, (is_near, key < asker.key), asker.now)?;
            let (generation, settings) = (entry.raw.generation, entry.raw.settings.as_ref());
            let wants = if part.depends_on_desires() {
                entry.desires.of(generation, settings, asker.nodes)
            } else {
                Wants::Unknown
            };
            Some(Neighbour {
                namespace: key.0.as_str().into(),
                name: key.1.as_str().into(),
                is_near,
                wants,
                part,
            })
        });
        Some(Needs::of(neighbours.collect()))
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    /// Takes an object out.
    fn take(&mut self, key: &ObjectKey) -> Option<Arc<Entry>> {
        let entry = self.all.remove(key)?;
        if let Some(keys) = self.by_tunnel.get_mut(&entry.raw.tunnel) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_tunnel.remove(&entry.raw.tunnel);
            }
        }
        Some(entry)
    }

    /// The other objects that may be on the same tunnel.
    fn beside(&self, asker: &Asker<'_>) -> Vec<(ObjectKey, Arc<Entry>)> {
        let tunnels = [Some(asker.settings.tunnel.to_string()), None];
        let keys = tunnels
            .iter()
            .filter_map(|tunnel| self.by_tunnel.get(tunnel));
        let others = keys.flatten().filter(|key| *key != asker.key);
        let others = others.filter_map(|key| Some((key.clone(), self.all.get(key)?.clone())));
        others.collect()
    }
}

#[cfg(test)]
mod tests;
