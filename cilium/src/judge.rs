//! The whole judgement: a cluster as read and the units of the tunnels become findings.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::desired;
use crate::effective::{self, Group};
use crate::finding::{Finding, Problem, Weight};
use crate::render::Lists;
use crate::seen::{Cluster, ConfigMap};
use crate::unit::{Tunnel, Unit};
use crate::unit_entries::{self, Context};
use crate::words::{count, some_of};
use crate::{agents, nodes, policies, settings, table};

/// What is found about Cilium, in the order in which a packet depends on it.
pub fn judge(cluster: &Cluster, tunnels: &[Tunnel]) -> Vec<Finding> {
    judge_beside(cluster, tunnels, &[])
}

/// The same about these tunnels alone, with what `others` need counted in: the lines to set hold their entries,
/// too, and a unit may share its local address with one of theirs.
pub fn judge_beside(cluster: &Cluster, tunnels: &[Tunnel], others: &[Tunnel]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut config = None;
    match &cluster.config {
        Ok(Some(read)) => {
            config = Some(read);
            let groups = effective::groups(read, cluster);
            findings.extend(configuration(&groups, cluster, (tunnels, others)));
            // Which of two values counts is not known, so neither is what has to be changed.
            let is_disputed =
                |group: &Group| group.undecided.keys().any(|key| key.contains("vtep"));
            if !groups.iter().any(is_disputed) {
                let all = tunnels.iter().chain(others).map(Tunnel::without_nodes);
                add_lines(&mut findings, read, cluster, &all.collect::<Vec<_>>());
            }
        }
        Ok(None) => {
            let text = "there is no ConfigMap cilium-config";
            findings.push(Finding::warning(Problem::ConfigMissing, text));
        }
        Err(why) => {
            let text = format!("cilium-config: {why}");
            findings.push(Finding::not_judged(Problem::Unreadable, text));
        }
    }
    findings.extend(table::not_programmed(cluster));
    match &cluster.agents {
        Ok(seen) => {
            let changed = config.and_then(|config| config.changed);
            findings.extend(agents::findings(seen, changed));
        }
        Err(why) => {
            let text = format!("Cilium's agents: {why}");
            findings.push(Finding::not_judged(Problem::Unreadable, text));
        }
    }
    findings.extend(nodes::finding(cluster, tunnels));
    findings.extend(cluster.policies.as_ref().map(|policies| match policies {
        Ok(policies) => {
            let config = config.map(|config| Config(&config.data));
            policies::finding(policies, config)
        }
        Err(why) => Finding::not_judged(Problem::Unreadable, format!("network policies: {why}")),
    }));
    findings
}

/// Puts the lines to set in the place of general advice, where all that they need is known.
fn add_lines(findings: &mut [Finding], config: &ConfigMap, cluster: &Cluster, tunnels: &[Tunnel]) {
    let has_objects = cluster
        .vtep_objects
        .iter()
        .flatten()
        .flatten()
        .next()
        .is_some();
    if has_objects {
        return;
    }
    let Ok(desired) = desired::lists(Config(&config.data), cluster, tunnels) else {
        return;
    };
    let line = Lists::new(&desired.rows).line();
    let namespace = &config.namespace;
    let fix = format!(
        "set Cilium's Helm values {line} and run kubectl -n {namespace} rollout restart ds/cilium"
    );
    let is_helped = |finding: &&mut Finding| {
        matches!(
            finding.problem,
            Some(
                Problem::VtepOff
                    | Problem::EndpointMissing
                    | Problem::MacMismatch
                    | Problem::NetworkMismatch
                    | Problem::NetworkTwice
            )
        ) && finding.weight >= Weight::Warning
    };
    for finding in findings.iter_mut().filter(is_helped) {
        finding.fix = Some(fix.clone());
    }
}

/// The tunnels that are judged, and those beside them.
type Beside<'a> = (&'a [Tunnel], &'a [Tunnel]);

/// What is found about the configuration, by the nodes that are told the same.
fn configuration(groups: &[Group], cluster: &Cluster, tunnels: Beside<'_>) -> Vec<Finding> {
    let mut found: Vec<(Finding, Vec<String>)> = Vec::new();
    let is_one = groups.len() == 1;
    for group in selected(groups, tunnels.0) {
        for finding in of_group(group, is_one, cluster, tunnels) {
            match found.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, nodes)) => nodes.extend(group.nodes.iter().cloned()),
                None => found.push((finding, group.nodes.clone())),
            }
        }
    }
    let all: usize = groups.iter().map(|group| group.nodes.len()).sum();
    let mut findings: Vec<Finding> = found
        .into_iter()
        .map(|(mut finding, nodes)| {
            if !is_one && nodes.len() < all {
                let some = format!(" (on {}: {})", count(nodes.len(), "node"), some_of(&nodes));
                finding.text.push_str(&some);
            }
            finding
        })
        .collect();
    if let Err(why) = &cluster.node_configs {
        let text = format!("CiliumNodeConfigs: {why}");
        findings.push(Finding::not_judged(Problem::Unreadable, text));
    }
    findings
}

/// The nodes of a group that a tunnel selects; all where that is not known.
fn nodes_of<'a>(tunnel: &Tunnel, group: &'a Group) -> Vec<&'a str> {
    let selected = tunnel.nodes.as_ref();
    let nodes = group.nodes.iter().map(String::as_str);
    nodes
        .filter(|node| selected.is_none_or(|names| names.contains(*node)))
        .collect()
}

/// The groups with a node that a tunnel selects. All where no tunnel selects a node.
fn selected<'a>(groups: &'a [Group], tunnels: &[Tunnel]) -> Vec<&'a Group> {
    let is_meant = |group: &&Group| {
        let mut of_tunnels = tunnels.iter().map(|tunnel| nodes_of(tunnel, group));
        group.nodes.is_empty() || of_tunnels.any(|nodes| !nodes.is_empty())
    };
    let meant: Vec<&Group> = groups.iter().filter(is_meant).collect();
    if meant.is_empty() {
        groups.iter().collect()
    } else {
        meant
    }
}

/// What is found for a group: what is found with each of the values that its undecided keys may have.
fn of_group(group: &Group, is_one: bool, cluster: &Cluster, tunnels: Beside<'_>) -> Vec<Finding> {
    let alternatives = group.alternatives.iter();
    let mut ways =
        alternatives.map(|values| of_values(Config(values), (group, is_one), cluster, tunnels));
    let mut findings = ways.next().unwrap_or_default();
    for way in ways {
        findings.retain(|finding| way.contains(finding));
    }
    if !group.undecided.is_empty() {
        findings.insert(0, undecided(group));
    }
    findings
}

fn of_values(
    config: Config<'_>,
    (group, is_one): (&Group, bool),
    cluster: &Cluster,
    (tunnels, others): Beside<'_>,
) -> Vec<Finding> {
    let mut findings = settings::findings(config);
    let (table, problems) = table::build(config, cluster);
    findings.extend(problems);
    // Without a table there is nothing that a unit could be compared with.
    let Some(table) = &table else {
        return findings;
    };
    findings.extend(table::findings(table, group, config, cluster));
    let sharing = by_local_address(tunnels.iter().chain(others));
    for tunnel in tunnels {
        let nodes = nodes_of(tunnel, group);
        if nodes.is_empty() && !is_one {
            continue;
        }
        for unit in &tunnel.units {
            let same = unit.local.and_then(|local| sharing.get(&local));
            let context = Context {
                table,
                routing: config.routing(),
                nodes: &nodes,
                sharing: same.map_or(&[], Vec::as_slice),
            };
            findings.extend(unit_entries::findings(unit, &context));
        }
    }
    findings
}

fn by_local_address<'a>(
    tunnels: impl Iterator<Item = &'a Tunnel>,
) -> BTreeMap<std::net::Ipv4Addr, Vec<&'a Unit>> {
    let mut sharing: BTreeMap<_, Vec<&Unit>> = BTreeMap::new();
    for unit in tunnels.flat_map(|tunnel| &tunnel.units) {
        if let Some(local) = unit.local {
            sharing.entry(local).or_default().push(unit);
        }
    }
    sharing
}

fn undecided(group: &Group) -> Finding {
    let keys: Vec<&str> = group.undecided.keys().map(String::as_str).collect();
    let mut sources: Vec<&str> = group
        .undecided
        .values()
        .flatten()
        .map(String::as_str)
        .collect();
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
    let fix =
        "kubectl -n kube-system exec ds/cilium -- cilium-dbg bpf vtep list shows what a node has";
    Finding::not_judged(Problem::Overridden, text).with_fix(fix)
}

#[cfg(test)]
mod tests;
