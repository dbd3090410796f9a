//! The configuration of a device: objects by resource and path, and the FDB records of its tunnels.
//!
//! Kept twice by a device, running and saved. It must not know of requests, accounts or the version
//! of the device, nor what a property means to a client: that is for the resources to say.

mod built_in;
mod db;
mod domains;
mod fdb;
mod seeding;
mod settings;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use self::db::variable;
pub(crate) use self::fdb::Record;
pub(crate) use self::settings::{SETTINGS, Setting, SettingKind, Settings};

/// Partitions, by their name without a slash.
pub(crate) const PARTITION: &str = "auth/partition";
/// Groups of devices that share a configuration.
pub(crate) const DEVICE_GROUP: &str = "cm/device-group";
/// What floats between devices.
pub(crate) const TRAFFIC_GROUP: &str = "cm/traffic-group";
/// Pools.
pub(crate) const POOL: &str = "ltm/pool";
/// Addresses that virtual servers send from.
pub(crate) const SNAT_POOL: &str = "ltm/snatpool";
/// Virtual servers.
pub(crate) const VIRTUAL_SERVER: &str = "ltm/virtual";
/// Static ARP entries.
pub(crate) const ARP: &str = "net/arp";
/// Tunnels as holders of FDB records.
pub(crate) const FDB_TUNNEL: &str = "net/fdb/tunnel";
/// Interfaces, by their bare name.
pub(crate) const INTERFACE: &str = "net/interface";
/// Routes.
pub(crate) const ROUTE: &str = "net/route";
/// Route domains.
pub(crate) const ROUTE_DOMAIN: &str = "net/route-domain";
/// Self IPs.
pub(crate) const SELF_IP: &str = "net/self";
/// Geneve profiles.
pub(crate) const GENEVE: &str = "net/tunnels/geneve";
/// Profiles of the built-in tunnels; only named by them.
pub(crate) const TCP_FORWARD: &str = "net/tunnels/tcp-forward";
/// Tunnels.
pub(crate) const TUNNEL: &str = "net/tunnels/tunnel";
/// VXLAN profiles.
pub(crate) const VXLAN: &str = "net/tunnels/vxlan";
/// VLANs.
pub(crate) const VLAN: &str = "net/vlan";
/// How packets are treated, one for the device.
pub(crate) const TRAFFIC_CONTROL: &str = "ltm/global-settings/traffic-control";
/// Modules, by their bare name.
pub(crate) const PROVISION: &str = "sys/provision";
/// Database variables, by their bare name.
pub(crate) const DB: &str = "sys/db";
/// Folders, by their full path.
pub(crate) const FOLDER: &str = "sys/folder";

/// Everything a person can configure and save.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    objects: BTreeMap<&'static str, BTreeMap<String, Object>>,
    /// By tunnel, then by name in lower case. *Assumed*: a device takes `0A:…` and `0a:…` for one record.
    records: BTreeMap<String, BTreeMap<String, Record>>,
    /// Last number given out. One counter for the whole device: successive POSTs to different objects
    /// got 25, 26, 28, 33 and so on (recorded on 12.1.2).
    generation: u64,
    /// Whether something that config-sync carries has changed since the last one.
    pub(crate) changes_pending: bool,
}

/// An object as it is stored: what was written, without defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    /// The folder it is in, such as `/Common/app`; empty for what is in none.
    pub(crate) folder: String,
    /// Its name there. It may have slashes (a self IP called `10.131.0.10/14`, CIDOCS).
    pub(crate) name: String,
    pub(crate) generation: u64,
    pub(crate) values: BTreeMap<&'static str, Value>,
}

impl Object {
    /// An object without properties, at a full path whose last part is its name.
    fn at(path: &str) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Self::named(folder, name)
    }

    /// An object without properties.
    pub(crate) fn named(folder: &str, name: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    fn with(mut self, property: &'static str, value: impl Into<Value>) -> Self {
        self.values.insert(property, value.into());
        self
    }

    /// The full path, or the name of what is in no folder.
    pub(crate) fn path(&self) -> String {
        if self.folder.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.folder, self.name)
        }
    }

    /// The partition it is in.
    pub(crate) fn partition(&self) -> &str {
        partition(&self.folder)
    }

    /// A property as a text; `None` if it is not set or no text.
    pub(crate) fn text(&self, property: &str) -> Option<&str> {
        self.values.get(property)?.as_str()
    }

    /// A property as a number; `None` if it is not set or no number.
    pub(crate) fn number(&self, property: &str) -> Option<u64> {
        self.values.get(property)?.as_u64()
    }
}

/// The first segment of a full path.
pub(crate) fn partition(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

impl Configuration {
    /// An object by its full path, or by its name if it is in no folder.
    pub(crate) fn get(&self, resource: &str, path: &str) -> Option<&Object> {
        self.objects.get(resource)?.get(path)
    }

    /// Whether there is such an object.
    pub(crate) fn has(&self, resource: &str, path: &str) -> bool {
        self.get(resource, path).is_some()
    }

    /// The objects of a resource, by path.
    pub(crate) fn all(&self, resource: &str) -> impl Iterator<Item = &Object> {
        self.objects
            .get(resource)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// Every object, with its resource.
    pub(crate) fn everything(&self) -> impl Iterator<Item = (&'static str, &Object)> {
        let all = self.objects.iter();
        all.flat_map(|(resource, objects)| objects.values().map(|object| (*resource, object)))
    }

    /// The first of these resources that has an object at this path.
    pub(crate) fn holder(&self, resources: &[&'static str], path: &str) -> Option<&'static str> {
        let mut resources = resources.iter().copied();
        resources.find(|resource| self.has(resource, path))
    }

    /// A property of an object, or else of the one it takes its defaults from.
    pub(crate) fn value<'a>(
        &'a self,
        resource: &str,
        object: &'a Object,
        property: &str,
    ) -> Option<&'a Value> {
        let mut object = object;
        loop {
            if let Some(value) = object.values.get(property) {
                return Some(value);
            }
            object = self.get(resource, object.text("defaultsFrom")?)?;
        }
    }

    /// Stores an object, new or not, under the next number.
    pub(crate) fn put(&mut self, resource: &'static str, mut object: Object) {
        object.generation = self.next_generation();
        self.insert(resource, object);
    }

    /// Sets a property of a thing that there is one of.
    pub(crate) fn set_single(
        &mut self,
        resource: &str,
        property: &'static str,
        value: impl Into<Value>,
    ) {
        if let Some(object) = self.edit(resource, "") {
            object.values.insert(property, value.into());
        }
    }

    /// Takes an object away; `None` if there is none.
    pub(crate) fn remove(&mut self, resource: &str, path: &str) -> Option<Object> {
        let removed = self.objects.get_mut(resource)?.remove(path)?;
        self.next_generation();
        Some(removed)
    }

    fn insert(&mut self, resource: &'static str, object: Object) {
        let objects = self.objects.entry(resource).or_default();
        objects.insert(object.path(), object);
    }

    fn edit(&mut self, resource: &str, path: &str) -> Option<&mut Object> {
        self.objects.get_mut(resource)?.get_mut(path)
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}
