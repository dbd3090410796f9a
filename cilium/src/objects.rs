//! The CiliumVTEPConfigs that the tunnels need, one for each, beside those of others. Must not know a format.

use std::collections::{BTreeMap, BTreeSet};

use bigip_tunnel_core::node::Ipv4Net;

use crate::config::Config;
use crate::desired::{self, Refusal, Row};
use crate::finding::UnitKey;
use crate::network::overlap;
use crate::seen::{Cluster, Scope};
use crate::unit::Tunnel;
use crate::vtep::{self, ENTRIES_MAX, Entry, VtepObject, WrittenEntry};

/// Characters of a name in Kubernetes.
const NAME_MAX: usize = 253;
/// Characters of a DNS label.
const LABEL_MAX: usize = 63;

/// A CiliumVTEPConfig of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Its entries, by name.
    pub entries: Vec<WrittenEntry>,
}

/// The objects as they should be, and as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objects {
    /// As they should be, by namespace and name of the tunnel.
    pub wanted: Vec<Object>,
    /// Those of them that exist, as they are.
    pub live: Vec<Object>,
    /// What may go wrong with them, or could not be checked.
    pub cautions: Vec<String>,
}

impl Objects {
    /// Whether they are not as they should be.
    pub fn differ(&self) -> bool {
        self.wanted != self.live
    }
}

/// The name of the object of a unit's tunnel. A namespace has no dot, so two tunnels never share a name.
pub fn name(unit: &UnitKey) -> String {
    name_of(&unit.namespace, &unit.object)
}

/// The same by namespace and name of the tunnel's object.
pub fn name_of(namespace: &str, object: &str) -> String {
    format!("bigip-tunnel.{namespace}.{object}")
}

/// The objects of these tunnels. `config`: what `cilium-config` says, where it is known.
///
/// # Errors
///
/// Every reason not to create them.
pub fn of_tunnels(
    config: Option<Config<'_>>,
    cluster: &Cluster,
    tunnels: &[Tunnel],
) -> Result<Objects, Vec<Refusal>> {
    let rows = desired::of_tunnels(tunnels)?;
    let wanted = objects(&rows);
    let is_ours = |object: &&VtepObject| wanted.iter().any(|ours| ours.name == object.name);
    let seen = cluster.vtep_objects.iter().flatten().flatten();
    let (ours, others): (Vec<&VtepObject>, Vec<&VtepObject>) = seen.partition(is_ours);
    let foreign: Vec<Entry> = others
        .iter()
        .flat_map(|object| vtep::of_objects(std::slice::from_ref(*object)))
        .filter(|entry| entry.scope.meets(&Scope::All) != Some(false))
        .collect();
    let empty = BTreeMap::new();
    let values = config.unwrap_or(Config(&empty));
    let mut refusals = desired::overlaps(&rows, values, cluster);
    refusals.extend(taken(&rows, &foreign));
    let long = wanted.iter().filter(|object| object.name.len() > NAME_MAX);
    refusals.extend(long.map(|object| Refusal::NameTooLong(object.name.clone())));
    let number = most(&rows, &foreign, values, cluster);
    if number > ENTRIES_MAX {
        refusals.push(Refusal::TooMany(number));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut cautions = desired::cautions(&rows, config, cluster);
    cautions.extend(merging(&wanted, &others, values));
    let restricted = ours.iter().filter(|object| object.scope != Scope::All);
    cautions.extend(restricted.map(|object| {
        let name = &object.name;
        format!("CiliumVTEPConfig {name} has a nodeSelector: other nodes do not have its entries")
    }));
    let live = wanted.iter().filter_map(|object| {
        let found = ours.iter().find(|ours| ours.name == object.name)?;
        let mut entries: Vec<WrittenEntry> = found.entries.iter().map(normal).collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let name = object.name.clone();
        Some(Object { name, entries })
    });
    let live = live.collect();
    Ok(Objects {
        wanted,
        live,
        cautions,
    })
}

/// The rows as objects. Names of entries are DNS labels (cilium#44188).
fn objects(rows: &[Row]) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    let units: Vec<&UnitKey> = rows.iter().filter_map(|row| row.unit.as_ref()).collect();
    let ours = rows
        .iter()
        .filter_map(|row| Some((row.unit.as_ref()?, row)));
    for (unit, row) in ours {
        let name = name(unit);
        if objects.last().is_none_or(|last| last.name != name) {
            objects.push(Object {
                name,
                entries: Vec::new(),
            });
        }
        let Some(Object { entries, .. }) = objects.last_mut() else {
            continue;
        };
        let is_taken = |name: &str| {
            let is_device = |other: &&UnitKey| {
                let is_sibling =
                    (&other.namespace, &other.object) == (&unit.namespace, &unit.object);
                is_sibling && *other != unit && other.device == name
            };
            units.iter().any(is_device) || entries.iter().any(|entry| entry.name == name)
        };
        let name = entry_name(&unit.device, is_taken);
        entries.push(WrittenEntry {
            name,
            endpoint: row.endpoint.to_string(),
            cidr: row.cidr.to_string(),
            mac: row.mac.to_string(),
        });
    }
    for object in &mut objects {
        object
            .entries
            .sort_by(|one, other| one.name.cmp(&other.name));
    }
    objects
}

/// The name of the next entry of a device: its own, then `DEVICE-2` and so on.
fn entry_name(device: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number: u32| {
        let suffix = format!("-{number}");
        let length = LABEL_MAX - suffix.len();
        let stem: String = device.chars().take(length).collect();
        format!("{}{suffix}", stem.trim_end_matches('-'))
    });
    let mut names = std::iter::once(device.to_owned()).chain(numbered);
    names.find(|name| !is_taken(name)).unwrap_or_default()
}

/// An entry in the form of ours, where it can be read.
pub(crate) fn normal(written: &WrittenEntry) -> WrittenEntry {
    let object = VtepObject {
        name: String::new(),
        scope: Scope::All,
        entries: vec![written.clone()],
        failed: Vec::new(),
    };
    let mut normal = written.clone();
    for entry in vtep::of_objects(&[object]) {
        if let Ok(endpoint) = entry.endpoint {
            normal.endpoint = endpoint.to_string();
        }
        if let Ok(cidr) = entry.cidr {
            normal.cidr = cidr.to_string();
        }
        if let Ok(mac) = entry.mac {
            normal.mac = mac.to_string();
        }
    }
    normal
}

/// Networks of ours that an object of others has, or that it leads elsewhere.
fn taken(rows: &[Row], foreign: &[Entry]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for row in rows {
        let cidrs = foreign.iter().filter_map(|entry| {
            let cidr = entry.cidr.as_ref().ok()?;
            let leads_elsewhere = entry.endpoint != Ok(row.endpoint);
            let is_taken = *cidr == row.cidr || (leads_elsewhere && overlap(*cidr, row.cidr));
            is_taken.then(|| Refusal::ObjectHasNetwork(entry.to_string(), row.cidr))
        });
        refusals.extend(cidrs);
    }
    refusals
}

/// The most networks that one agent would have in its table.
fn most(rows: &[Row], foreign: &[Entry], config: Config<'_>, cluster: &Cluster) -> usize {
    let of_lists = if config.is_on("enable-vtep") {
        vtep::of_lists(config).0
    } else {
        Vec::new()
    };
    let cidr = |entry: &Entry| entry.cidr.as_ref().ok().copied();
    let everywhere: BTreeSet<Ipv4Net> = rows
        .iter()
        .map(|row| row.cidr)
        .chain(of_lists.iter().filter_map(cidr))
        .collect();
    let on = |node: &str| {
        let held = foreign
            .iter()
            .filter(|entry| entry.scope.holds(node) == Some(true));
        let networks: BTreeSet<Ipv4Net> = held.filter_map(cidr).collect();
        everywhere.union(&networks).count()
    };
    let nodes = cluster.nodes.iter().flatten();
    let numbers = nodes.map(|node| on(&node.name)).chain([on("")]);
    numbers.max().unwrap_or_default()
}

/// What is not known about several objects, and about objects beside the lists.
fn merging(wanted: &[Object], others: &[&VtepObject], config: Config<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let names: Vec<&str> = others.iter().map(|object| object.name.as_str()).collect();
    if wanted.len() + others.len() > 1 {
        let beside = match names.as_slice() {
            [] => String::new(),
            names => format!(" ({} exist already)", names.join(", ")),
        };
        notes.push(format!(
            "there would be several CiliumVTEPConfigs{beside}; whether agents merge them is not known"
        ));
    }
    if config.is_on("enable-vtep") && !vtep::of_lists(config).0.is_empty() {
        notes.push(
            "cilium-config has VTEP entries, too; which of both agents use depends on their version"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests;
