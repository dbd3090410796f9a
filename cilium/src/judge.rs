//! The whole judgement: a cluster as read and the units of the tunnels become findings.
//!
//! A `Judge` is made once for a cluster and all of its tunnels. What does not depend on a tunnel is judged when it is
//! made, so that many tunnels on many nodes cost little more than one.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::advice::Advice;
use crate::config::Config;
use crate::effective::{self, Group};
use crate::finding::{Finding, Problem, UnitKey, Weight};
use crate::lines::Lines;
use crate::nodes::Apart;
use crate::seen::{Cluster, ConfigMap, Node};
use crate::table::Table;
use crate::unit::{Tunnel, Unit};
use crate::unit_entries::{self, Context};
use crate::words::{count, some_of};
use crate::{agents, policies, settings, table};

/// A cluster and its tunnels, prepared to be judged.
#[derive(Debug)]
pub struct Judge<'a> {
    cluster: &'a Cluster,
    advice: Advice<'a>,
    /// What is found where the configuration could not be read.
    unread: Option<Finding>,
    groups: Vec<Prepared<'a>>,
    nodes: Apart<'a>,
    /// The units by the local address of their tunnel: several where a tunnel moves between them.
    sharing: BTreeMap<Ipv4Addr, Vec<&'a Unit>>,
    units: BTreeMap<&'a UnitKey, &'a Unit>,
    /// What cures wrong entries.
    lines: Lines,
    /// What is found of agents, and of what they could not program.
    of_agents: Vec<Finding>,
    of_policies: Option<Finding>,
}

/// Nodes with one configuration, and what is found about it whatever the tunnel.
#[derive(Debug)]
struct Prepared<'a> {
    group: Group<'a>,
    /// For each of its alternatives.
    ways: Vec<Way>,
}

#[derive(Debug)]
struct Way {
    findings: Vec<Finding>,
    /// `None`: VTEP is off.
    table: Option<Table>,
}

/// Some nodes of a cluster.
#[derive(Debug)]
pub struct Selection<'a> {
    /// The nodes of each group of the judge.
    groups: Vec<Vec<&'a str>>,
    /// Whether Nodes and agents agree about them.
    apart: Option<Finding>,
}

/// A tunnel on the nodes that it selects.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'s> {
    /// The tunnel.
    pub tunnel: &'s Tunnel,
    /// The nodes; all of the cluster where they are not known.
    pub nodes: &'s Selection<'s>,
}

impl<'a> Judge<'a> {
    /// Prepares the judgement of these tunnels, which are all of the cluster: the lines to set hold the entries of
    /// all, and a unit may share its local address with one of another tunnel.
    pub fn new<T: Borrow<Tunnel>>(cluster: &'a Cluster, tunnels: &'a [T]) -> Self {
        let config = cluster.config.as_ref().ok().and_then(Option::as_ref);
        let groups: Vec<Group<'_>> =
            config.map_or_else(Vec::new, |config| effective::groups(config, cluster));
        let units = || tunnels.iter().flat_map(|tunnel| &tunnel.borrow().units);
        let advice = Advice::new(cluster.namespace(), units());
        let lines = Lines::new(cluster, &groups, tunnels, &advice.restart());
        let mut sharing: BTreeMap<_, Vec<&Unit>> = BTreeMap::new();
        for unit in units() {
            if let Some(local) = unit.local {
                sharing.entry(local).or_default().push(unit);
            }
        }
        let prepared = |group| Prepared::new(group, cluster, &advice);
        Self {
            cluster,
            unread: unread(cluster),
            groups: groups.into_iter().map(prepared).collect(),
            nodes: Apart::new(cluster),
            sharing,
            units: units().map(|unit| (&unit.key, unit)).collect(),
            lines,
            of_agents: of_agents(cluster, config, &advice),
            advice,
            of_policies: of_policies(cluster, config),
        }
    }

    /// The nodes that are selected. One that stands for a BIG-IP never is.
    pub fn select(&self, selects: impl Fn(&Node) -> bool) -> Selection<'a> {
        let nodes = self.cluster.nodes.iter().flatten();
        let selected = nodes.filter(|node| node.stands_for.is_none() && selects(node));
        let mut selected: Vec<&str> = selected.map(|node| node.name.as_str()).collect();
        selected.sort_unstable();
        let is_selected = |node: &str| selected.binary_search(&node).is_ok();
        let of_group = |prepared: &Prepared<'a>| -> Vec<&'a str> {
            let nodes = prepared.group.nodes.iter();
            nodes.copied().filter(|node| is_selected(node)).collect()
        };
        Selection {
            groups: self.groups.iter().map(of_group).collect(),
            apart: self.nodes.finding(is_selected),
        }
    }

    /// All nodes.
    pub fn all(&self) -> Selection<'a> {
        self.select(|_| true)
    }

    /// What is found about these tunnels, in the order in which a packet depends on it. `nodes`: those that any of
    /// them selects.
    pub fn judge(&self, subjects: &[Subject<'_>], nodes: &Selection<'_>) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.unread.iter().cloned().collect();
        findings.extend(self.configuration(subjects));
        findings.extend(self.of_agents.iter().cloned());
        findings.extend(nodes.apart.iter().cloned());
        findings.extend(self.of_policies.iter().cloned());
        self.add_lines(&mut findings);
        findings
    }

    /// What is found about one tunnel.
    pub fn one(&self, tunnel: &Tunnel, nodes: &Selection<'_>) -> Vec<Finding> {
        self.judge(&[Subject { tunnel, nodes }], nodes)
    }

    /// What is found about the configuration, by the nodes that have it.
    fn configuration(&self, subjects: &[Subject<'_>]) -> Vec<Finding> {
        let mut found: Vec<(Finding, Vec<usize>)> = Vec::new();
        for index in self.selected(subjects) {
            for finding in self.of_group(index, subjects) {
                match found.iter_mut().find(|(known, _)| *known == finding) {
                    Some((_, groups)) => groups.push(index),
                    None => found.push((finding, vec![index])),
                }
            }
        }
        let nodes_of = |groups: &[usize]| -> Vec<&str> {
            let groups = groups.iter().filter_map(|index| self.groups.get(*index));
            groups
                .flat_map(|prepared| prepared.group.nodes.iter().copied())
                .collect()
        };
        let mut findings = Vec::new();
        for (mut finding, groups) in found {
            if groups.len() < self.groups.len() {
                let nodes = nodes_of(&groups);
                let some = format!(" (on {}: {})", count(nodes.len(), "node"), some_of(&nodes));
                finding.text.push_str(&some);
            }
            findings.push(finding);
        }
        if let (Err(why), false) = (&self.cluster.node_configs, self.groups.is_empty()) {
            let text = format!("CiliumNodeConfigs: {why}");
            findings.push(Finding::not_judged(Problem::Unreadable, text));
        }
        findings
    }

    /// The groups with a node that a tunnel selects. All where no tunnel selects a node.
    fn selected(&self, subjects: &[Subject<'_>]) -> Vec<usize> {
        let all = || 0..self.groups.len();
        let is_meant = |index: &usize| {
            let group = self.groups.get(*index);
            let mut subjects = subjects.iter();
            group.is_some_and(|prepared| prepared.group.nodes.is_empty())
                || subjects.any(|subject| !subject.nodes.of_group(*index).is_empty())
        };
        let meant: Vec<usize> = all().filter(is_meant).collect();
        if meant.is_empty() {
            all().collect()
        } else {
            meant
        }
    }

    /// What is found for a group: what is found with each of the values that its undecided keys may have.
    fn of_group(&self, index: usize, subjects: &[Subject<'_>]) -> Vec<Finding> {
        let Some(Prepared { group, ways }) = self.groups.get(index) else {
            return Vec::new();
        };
        let alternatives = group.alternatives.iter().map(Config);
        let ways = ways.iter().zip(alternatives);
        let mut ways = ways.map(|(way, config)| self.of_way((way, config), index, subjects));
        let mut findings = ways.next().unwrap_or_default();
        for way in ways {
            findings.retain(|finding| way.contains(finding));
        }
        if !group.undecided.is_empty() {
            findings.insert(0, undecided(group, self.cluster.namespace()));
        }
        findings
    }

    fn of_way(
        &self,
        (way, config): (&Way, Config<'_>),
        index: usize,
        subjects: &[Subject<'_>],
    ) -> Vec<Finding> {
        let mut findings = way.findings.clone();
        // Without a table there is nothing that a unit could be compared with.
        let Some(table) = &way.table else {
            return findings;
        };
        for subject in subjects {
            let nodes = subject.nodes.of_group(index);
            if nodes.is_empty() && self.groups.len() > 1 {
                continue;
            }
            for unit in &subject.tunnel.units {
                let same = unit.local.and_then(|local| self.sharing.get(&local));
                let context = Context {
                    table,
                    config,
                    advice: &self.advice,
                    nodes,
                    sharing: same.map_or(&[], Vec::as_slice),
                };
                findings.extend(unit_entries::findings(unit, &context));
            }
        }
        findings
    }

    /// Puts the entries to set in the place of general advice, where all that they need is known.
    fn add_lines(&self, findings: &mut [Finding]) {
        let is_helped = |finding: &&mut Finding| match finding.problem {
            Some(
                Problem::VtepOff
                | Problem::EndpointMissing
                | Problem::MacMismatch
                | Problem::NetworkMismatch
                | Problem::NetworkTwice,
            ) => finding.weight >= Weight::Warning,
            // One with advice of its own is about another key.
            Some(Problem::InvalidEntry) => finding.fix.is_none(),
            _ => false,
        };
        for finding in findings.iter_mut().filter(is_helped) {
            let unit = finding.unit.as_ref().and_then(|key| self.units.get(key));
            if (self.lines.is_complete() || finding.fix.is_none())
                && let Some(fix) = self.lines.fix(unit.copied())
            {
                finding.fix = Some(fix);
            }
        }
    }
}

impl Selection<'_> {
    fn of_group(&self, index: usize) -> &[&str] {
        self.groups.get(index).map_or(&[], Vec::as_slice)
    }
}

impl<'a> Prepared<'a> {
    fn new(group: Group<'a>, cluster: &Cluster, advice: &Advice<'_>) -> Self {
        let ways = group.alternatives.iter().map(|values| {
            let config = Config(values);
            let mut findings = settings::findings(config, advice);
            let (table, problems) = table::build(config, cluster);
            findings.extend(problems);
            if let Some(table) = &table {
                findings.extend(table::findings(table, &group, config, cluster));
            }
            Way { findings, table }
        });
        Self {
            ways: ways.collect(),
            group,
        }
    }
}

/// Why the configuration is not known, if it is not.
fn unread(cluster: &Cluster) -> Option<Finding> {
    match &cluster.config {
        Ok(Some(_)) => None,
        Ok(None) => {
            let places = cluster.namespaces.join(" or ");
            let text = format!("there is no ConfigMap cilium-config in the namespace {places}");
            let fix = "kubectl get configmaps -A --field-selector metadata.name=cilium-config shows where it is; \
                       the chart's value cilium.namespace names that namespace for the operator, \
                       --cilium-namespace for the plugin";
            Some(Finding::warning(Problem::ConfigMissing, text).with_fix(fix))
        }
        Err(why) => {
            let text = format!("cilium-config: {why}");
            Some(Finding::not_judged(Problem::Unreadable, text))
        }
    }
}

fn of_agents(cluster: &Cluster, config: Option<&ConfigMap>, advice: &Advice<'_>) -> Vec<Finding> {
    let mut findings = table::not_programmed(cluster);
    match &cluster.agents {
        Ok(seen) => {
            let changed = config.and_then(|config| config.changed);
            findings.extend(agents::findings(seen, changed, advice));
        }
        Err(why) => {
            let text = format!("Cilium's agents: {why}");
            findings.push(Finding::not_judged(Problem::Unreadable, text));
        }
    }
    findings
}

fn of_policies(cluster: &Cluster, config: Option<&ConfigMap>) -> Option<Finding> {
    Some(match cluster.policies.as_ref()? {
        Ok(policies) => policies::finding(policies, config.map(|config| Config(&config.data))),
        Err(why) => {
            let text = format!("network policies: {why}");
            Finding::not_judged(Problem::Unreadable, text)
        }
    })
}

fn undecided(group: &Group<'_>, namespace: &str) -> Finding {
    let keys: Vec<&str> = group.undecided.keys().map(String::as_str).collect();
    let sources = group.undecided.values().flatten().map(String::as_str);
    let mut sources: Vec<&str> = sources.collect();
    sources.sort_unstable();
    sources.dedup();
    let nodes = match group.nodes.len() {
        0 => "some nodes".to_owned(),
        number => count(number, "node"),
    };
    let text = format!(
        "{} overridden for {nodes} by {}: which value counts depends on Cilium's version, so what \
         follows from it is not judged",
        some_of(&keys),
        some_of(&sources)
    );
    let fix = format!(
        "kubectl -n {namespace} exec ds/cilium -- cilium-dbg bpf vtep list shows what a node has"
    );
    Finding::not_judged(Problem::Overridden, text).with_fix(fix)
}

#[cfg(test)]
mod tests;
