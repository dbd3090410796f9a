//! What `migrate cis` says: objects that do what F5 CIS does for a tunnel, and how to take over.
//!
//! Pure. Knows no cluster, and no password.

mod object;
mod words;

use serde::Serialize;
use serde_json::Value;

use crate::cis::Cis;
use crate::cis::workload::Source;

/// Everything that `migrate cis` says.
#[derive(Serialize, Debug)]
pub(crate) struct MigrateReport {
    pub(crate) tunnels: Vec<Migration>,
}

/// One object, and the way to it.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Migration {
    /// Where it comes from: several where the units of a pair have a CIS each.
    pub(crate) from: Vec<From>,
    /// What a person has to see to first.
    pub(crate) to_do: Vec<Item>,
    /// What is not the same afterwards.
    pub(crate) differences: Vec<String>,
    /// The way, in order.
    pub(crate) steps: Vec<Item>,
    /// The way back.
    pub(crate) back: Vec<Item>,
    /// Arguments of CIS that are not about the tunnel.
    pub(crate) not_carried_over: Vec<String>,
    /// The tunnel that takes over.
    pub(crate) object: Value,
}

/// One CIS.
#[derive(Serialize, Debug)]
pub(crate) struct From {
    #[serde(flatten)]
    pub(crate) source: Source,
    /// What it is told about the tunnel.
    pub(crate) arguments: Vec<String>,
}

/// Something to do.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) text: String,
    /// What to type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) commands: Vec<String>,
}

impl Item {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            commands: Vec::new(),
        }
    }

    fn with(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }
}

impl MigrateReport {
    /// What becomes of these, in this namespace, or else in their own. Those that make the same records
    /// on one tunnel become one object.
    pub(crate) fn new(found: Vec<Cis>, into: Option<&str>) -> Self {
        let mut groups: Vec<Vec<Cis>> = Vec::new();
        for cis in found {
            let mut alike = groups.iter_mut();
            let is_alike = |group: &&mut Vec<Cis>| {
                let first = group.first();
                first.is_some_and(|first| is_one(first, &cis, into))
            };
            match alike.find(is_alike) {
                Some(group) => group.push(cis),
                None => groups.push(vec![cis]),
            }
        }
        let mut names = Vec::new();
        let tunnels = groups.iter().filter_map(|group| {
            let first = group.first()?;
            let name = object::unique(object::dns_label(&first.tunnel), &names);
            names.push(name.clone());
            Some(Migration::new(name, into, first, group))
        });
        Self {
            tunnels: tunnels.collect(),
        }
    }
}

/// Whether two write the same records into tunnels of the same path.
fn is_one(a: &Cis, b: &Cis, into: Option<&str>) -> bool {
    (into.is_some() || a.source.namespace == b.source.namespace)
        && (&a.partition, &a.tunnel) == (&b.partition, &b.tunnel)
        && a.uses_internal == b.uses_internal
        && a.selector == b.selector
}

impl Migration {
    fn new(name: String, into: Option<&str>, first: &Cis, group: &[Cis]) -> Self {
        let tunnel = object::tunnel(name, into, first, group);
        let mut others: Vec<String> = Vec::new();
        for other in group.iter().flat_map(|cis| &cis.others) {
            if !others.contains(other) {
                others.push(other.clone());
            }
        }
        let from = group.iter().map(|cis| From {
            source: cis.source.clone(),
            arguments: arguments(cis),
        });
        Self {
            from: from.collect(),
            to_do: words::to_do(&tunnel, group),
            differences: words::differences(first),
            steps: words::steps(&tunnel, group),
            back: words::back(&tunnel, group),
            not_carried_over: others,
            object: tunnel.object(),
        }
    }
}

/// The arguments that are carried over, as they are understood. Those of the login are left out.
fn arguments(cis: &Cis) -> Vec<String> {
    let host = if cis.address.contains(':') {
        format!("[{}]", cis.address)
    } else {
        cis.address.clone()
    };
    let mut arguments = vec![
        format!("--{}=/{}/{}", cis.flag, cis.partition, cis.tunnel),
        format!("--bigip-url=https://{host}:{}", cis.port),
        format!("--use-node-internal={}", cis.uses_internal),
    ];
    arguments.extend(
        cis.selector_text
            .as_ref()
            .map(|text| format!("--node-label-selector={text}")),
    );
    arguments.push(format!("--insecure={}", cis.insecure));
    arguments.extend(cis.trusted.as_ref().map(|(namespace, name)| {
        let place = namespace.as_ref().map(|namespace| format!("{namespace}/"));
        format!("--trusted-certs-cfgmap={}{name}", place.unwrap_or_default())
    }));
    arguments
}

#[cfg(test)]
mod tests;
