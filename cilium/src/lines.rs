//! The VTEP entries to set, as a part of a finding: for which units they are known, and why not for others.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use bigip_tunnel_core::node::Ipv4Net;

use crate::config::Config;
use crate::desired::{self, Refusal, Row};
use crate::effective::Group;
use crate::render::Lists;
use crate::seen::Cluster;
use crate::unit::{Tunnel, Unit};
use crate::words::some_of;

/// The refusals that a finding names before it counts the rest.
const REFUSALS_MAX: usize = 3;

/// What cures wrong entries.
#[derive(Debug)]
pub(crate) enum Lines {
    /// Which of several values counts is not known, or the configuration is not: nor is what has to be changed.
    Unknown,
    /// Lists that hold the entries of all tunnels, but for those of some units.
    Lists {
        text: String,
        rows: Vec<Row>,
        left_out: Vec<Refusal>,
    },
    /// Entries stand in CiliumVTEPConfigs.
    Objects,
    /// No lists can be given.
    Refused(String),
}

impl Lines {
    pub(crate) fn new<T: Borrow<Tunnel>>(
        cluster: &Cluster,
        groups: &[Group<'_>],
        tunnels: &[T],
        restart: &str,
    ) -> Self {
        let Ok(Some(config)) = &cluster.config else {
            return Self::Unknown;
        };
        let is_disputed = |group: &Group<'_>| group.undecided.keys().any(|key| is_vtep(key));
        if groups.iter().any(is_disputed) {
            return Self::Unknown;
        }
        let mut objects = cluster.vtep_objects.iter().flatten().flatten();
        if objects.next().is_some() {
            return Self::Objects;
        }
        let (data, place) = match (holders(cluster).as_slice(), groups) {
            ([], _) => (&config.data, None),
            ([holder], [Group { alternatives, .. }]) => {
                let values = alternatives.first().unwrap_or(&config.data);
                (values, Some(holder.clone()))
            }
            (holders, _) => {
                let holders = some_of(holders);
                return Self::Refused(format!(
                    "change the VTEP keys where they stand, in {holders}"
                ));
            }
        };
        match desired::lists(Config(data), cluster, tunnels) {
            Ok(desired) => {
                let lists = Lists::new(&desired.rows);
                let text = match place {
                    None => format!(
                        "set Cilium's Helm values {} (kubectl bigip-tunnel cilium -A -o configmap prints the \
                         keys of cilium-config) and run {restart}",
                        lists.line()
                    ),
                    Some(place) => format!("set in {place} {} and run {restart}", lists.keys()),
                };
                Self::Lists {
                    text,
                    rows: desired.rows,
                    left_out: desired.left_out,
                }
            }
            Err(refusals) => Self::Refused(format!("no lists can be given: {}", joined(&refusals))),
        }
    }

    /// What cures a finding, about this unit if it is about one.
    pub(crate) fn fix(&self, unit: Option<&Unit>) -> Option<String> {
        match self {
            Self::Unknown => None,
            Self::Refused(why) => Some(why.clone()),
            Self::Objects => unit.map(entries_of),
            Self::Lists {
                text,
                rows,
                left_out,
            } => {
                let is_missing = unit.is_some_and(|unit| !holds(rows, unit));
                if let Some(unit) = unit.filter(|_| is_missing) {
                    let concerned = left_out
                        .iter()
                        .filter(|refusal| refusal.units().contains(&&unit.key));
                    let why: Vec<&Refusal> = concerned.collect();
                    return (!why.is_empty())
                        .then(|| format!("no entry can be given: {}", joined(&why)));
                }
                Some(match left_out.as_slice() {
                    [] => text.clone(),
                    left_out => format!("{text}; without the entries of {}", joined(left_out)),
                })
            }
        }
    }

    /// Whether it takes the place of advice that a finding has already.
    pub(crate) const fn is_complete(&self) -> bool {
        matches!(self, Self::Lists { .. })
    }
}

fn is_vtep(key: &str) -> bool {
    key.contains("vtep")
}

/// The objects besides `cilium-config` that hold keys of the lists.
fn holders(cluster: &Cluster) -> Vec<String> {
    let has_vtep = |keys: &BTreeMap<String, String>| keys.keys().any(|k| is_vtep(k));
    let configs = cluster.node_configs.iter().flatten();
    let configs = configs.filter(|config| has_vtep(&config.defaults));
    let configs = configs.map(|c| format!("spec.defaults of CiliumNodeConfig {}", c.name));
    let nodes = cluster.nodes.iter().flatten();
    let nodes = nodes.filter(|node| has_vtep(&node.overrides));
    let nodes = nodes.map(|node| format!("labels and annotations of Node {}", node.name));
    configs.chain(nodes).collect()
}

/// Whether these rows hold all entries of a unit.
fn holds(rows: &[Row], unit: &Unit) -> bool {
    let mut networks = unit.self_ips.iter().map(Ipv4Net::trunc);
    let has = |cidr| {
        let mut rows = rows.iter();
        rows.any(|row| Some(row.endpoint) == unit.local && row.cidr == cidr)
    };
    !unit.self_ips.is_empty() && networks.all(has)
}

/// The entries of a unit as a CiliumVTEPConfig has them.
fn entries_of(unit: &Unit) -> String {
    match desired::of_unit(unit) {
        Ok(rows) => {
            let entry = |row: &Row| {
                let Row {
                    unit: _,
                    endpoint,
                    cidr,
                    mac,
                } = row;
                format!(
                    "{{name: {:?}, tunnelEndpoint: \"{endpoint}\", cidr: \"{cidr}\", mac: \"{mac}\"}}",
                    unit.key.device
                )
            };
            let entries: Vec<String> = rows.iter().map(entry).collect();
            format!(
                "set in a CiliumVTEPConfig {}; kubectl bigip-tunnel cilium -A -o vtepconfig prints the objects",
                entries.join(", ")
            )
        }
        Err(refusal) => format!("no entry can be given: {refusal}"),
    }
}

/// The first refusals, and how many more there are: a message of a condition is bounded.
fn joined<R: ToString>(refusals: &[R]) -> String {
    let first = refusals.iter().take(REFUSALS_MAX).map(ToString::to_string);
    let mut texts: Vec<String> = first.collect();
    let more = refusals.len().saturating_sub(REFUSALS_MAX);
    if more > 0 {
        texts.push(format!("{more} more (kubectl bigip-tunnel cilium -A)"));
    }
    texts.join("; ")
}
