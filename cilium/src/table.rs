//! The table of VTEP entries as such: how it is built, and what agents make of it. Must not know units.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Switch};
use crate::effective::Group;
use crate::finding::{Finding, Problem};
use crate::overlap;
use crate::seen::{Cluster, Scope};
use crate::vtep::{self, ENTRIES_MAX, Entry, Lengths, Source};
use crate::words::{count, some_of};

/// The entries that agents of one group have.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
    /// The mask of the lists, where it can be read.
    pub(crate) prefix: Option<u8>,
}

/// The table, and what is wrong with how it is written. `None`: VTEP is off.
pub(crate) fn build(config: Config<'_>, cluster: &Cluster) -> (Option<Table>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut may_hide = false;
    let objects = match &cluster.vtep_objects {
        Ok(objects) => objects.as_deref().unwrap_or_default(),
        Err(why) => {
            may_hide = true;
            let text = format!("CiliumVTEPConfigs: {why}");
            findings.push(Finding::not_judged(Problem::Unreadable, text));
            &[]
        }
    };
    let of_objects = vtep::of_objects(objects);
    let is_on = config.is_on("enable-vtep");
    if !is_on && of_objects.is_empty() {
        // Entries may be in objects that could not be read, and an invalid switch is said already.
        if !may_hide && config.switch("enable-vtep") == Switch::Off {
            let text = "enable-vtep is not true, and no CiliumVTEPConfig has an entry";
            findings.push(Finding::error(Problem::VtepOff, text));
        }
        return (None, findings);
    }
    let (of_lists, lengths) = if is_on {
        vtep::of_lists(config)
    } else {
        (
            Vec::new(),
            Lengths {
                endpoints: 0,
                cidrs: 0,
                macs: 0,
            },
        )
    };
    if of_lists.is_empty() && of_objects.is_empty() {
        if !may_hide {
            let text = "VTEP is on and has no endpoint";
            findings.push(Finding::error(Problem::VtepOff, text));
        }
        return (None, findings);
    }
    findings.extend(unequal(&of_lists, lengths));
    findings.extend(two_sources(&of_lists, &of_objects));
    let (entries, prefix) = merged(of_lists, of_objects, config, &mut findings);
    (Some(Table { entries, prefix }), findings)
}

/// The entries of objects, and those of the lists whose endpoint no object has.
fn merged(
    of_lists: Vec<Entry>,
    of_objects: Vec<Entry>,
    config: Config<'_>,
    findings: &mut Vec<Finding>,
) -> (Vec<Entry>, Option<u8>) {
    let known: BTreeSet<_> = of_objects
        .iter()
        .filter_map(|e| e.endpoint.as_ref().ok().copied())
        .collect();
    let more = of_lists.into_iter().filter(|entry| {
        let endpoint = entry.endpoint.as_ref().ok();
        endpoint.is_none_or(|endpoint| !known.contains(endpoint))
    });
    let mut entries: Vec<Entry> = more.collect();
    let mut prefix = None;
    if !entries.is_empty() {
        prefix = config.vtep_prefix();
        if prefix.is_none() {
            let text = format!("vtep-mask {:?} is not a mask", config.get("vtep-mask"));
            findings.push(Finding::error(Problem::InvalidEntry, text));
        }
    }
    entries.extend(of_objects);
    (entries, prefix)
}

fn unequal(entries: &[Entry], lengths: Lengths) -> Option<Finding> {
    if lengths.are_equal() {
        return None;
    }
    let Lengths {
        endpoints,
        cidrs,
        macs,
    } = lengths;
    let short: Vec<String> = entries
        .iter()
        .filter(|entry| !entry.faults().is_empty())
        .map(|entry| format!("{entry}: {}", entry.faults().join(", ")))
        .collect();
    let text = format!(
        "vtep-endpoint has {}, vtep-cidr {cidrs} and vtep-mac {macs}, with which no agent starts; {}",
        count(endpoints, "item"),
        short.join("; ")
    );
    Some(Finding::error(Problem::InvalidEntry, text))
}

/// Both sources at once: which of them agents use is not settled upstream.
fn two_sources(of_lists: &[Entry], of_objects: &[Entry]) -> Option<Finding> {
    if of_lists.is_empty() || of_objects.is_empty() {
        return None;
    }
    let content = |entries: &[Entry]| {
        let members = entries.iter().map(|entry| {
            let Entry {
                endpoint,
                cidr,
                mac,
                ..
            } = entry;
            format!("{endpoint:?} {cidr:?} {mac:?}")
        });
        members.collect::<BTreeSet<_>>()
    };
    (content(of_lists) != content(of_objects)).then(|| {
        let text = "cilium-config and CiliumVTEPConfigs hold different VTEP entries; which of them agents \
                    use depends on their version";
        Finding::warning(Problem::TwoSources, text)
    })
}

/// What is wrong with the entries of a table.
pub(crate) fn findings(
    table: &Table,
    group: &Group<'_>,
    config: Config<'_>,
    cluster: &Cluster,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let faulty: Vec<&Entry> = table
        .entries
        .iter()
        .filter(|entry| !entry.faults().is_empty())
        .collect();
    let lists_fit = vtep::of_lists(config).1.are_equal();
    for entry in &faulty {
        // What a list lacks is said of the lists.
        if lists_fit || !matches!(entry.source, Source::Lists(_)) {
            let text = format!("{entry}: {}", entry.faults().join(", "));
            let mut finding = Finding::error(Problem::InvalidEntry, text);
            finding.fix = fix_of(entry);
            findings.push(finding);
        }
    }
    if faulty.is_empty() {
        let number = count(table.entries.len(), "entry");
        findings.push(Finding::holds(format!("VTEP is on, with {number}")));
    }
    findings.extend(too_many(table, group));
    findings.extend(twice(table));
    findings.extend(table.entries.iter().filter_map(|entry| mask(entry, table)));
    for entry in &table.entries {
        findings.extend(overlap::findings(entry, config, cluster));
    }
    findings
}

/// What corrects an entry of an object. Lists are corrected as a whole.
fn fix_of(entry: &Entry) -> Option<String> {
    match &entry.source {
        Source::Lists(_) => None,
        Source::Object { object, entry } => Some(format!(
            "correct entry {entry} of CiliumVTEPConfig {object}"
        )),
    }
}

/// More entries than an agent's table holds: of the lists on every node, of objects on the node that has
/// most.
fn too_many(table: &Table, group: &Group<'_>) -> Option<Finding> {
    let most = |counts: &dyn Fn(Option<bool>) -> bool| -> usize {
        let on = |node: Option<&str>| {
            let holds = |entry: &&Entry| match (node, &entry.scope) {
                (_, Scope::All) => counts(Some(true)),
                (None, _) => counts(None),
                (Some(node), scope) => counts(scope.holds(node)),
            };
            table.entries.iter().filter(holds).count()
        };
        let nodes = group.nodes.iter().map(|node| on(Some(node)));
        nodes.max().unwrap_or_else(|| on(None))
    };
    let certain = most(&|holds| holds == Some(true));
    let possible = most(&|holds| holds != Some(false));
    let holds = format!("the table of an agent holds {ENTRIES_MAX}");
    if certain > ENTRIES_MAX {
        let text = format!("{certain} VTEP entries, and {holds}");
        return Some(Finding::error(Problem::TooManyEntries, text));
    }
    (possible > ENTRIES_MAX).then(|| {
        let text = format!(
            "{possible} VTEP entries; how many of them one node has is not known, and {holds}"
        );
        Finding::not_judged(Problem::TooManyEntries, text)
    })
}

/// Entries of one network: of the lists the last one wins (seen); of objects it is not known.
fn twice(table: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, later) in table.entries.iter().enumerate() {
        let Ok(cidr) = later.cidr else { continue };
        let earlier = table.entries.iter().take(index);
        let same = earlier.filter(|earlier| earlier.cidr == Ok(cidr));
        let met = same.map(|earlier| (later.scope.meets(&earlier.scope), earlier));
        // A node that surely has both goes before one that may have them.
        let Some((meets, earlier)) = met
            .filter(|(meets, _)| *meets != Some(false))
            .max_by_key(|(meets, _)| *meets)
        else {
            continue;
        };
        let text = format!("{earlier} and {later} have one network, {cidr}");
        let outcome = match (&earlier.source, &later.source) {
            (Source::Lists(_), Source::Lists(_)) => "the last one wins, the other gets no answer",
            _ => "agents may use neither",
        };
        findings.push(match meets {
            Some(_) => Finding::error(Problem::NetworkTwice, format!("{text}: {outcome}")),
            None => Finding::not_judged(
                Problem::NetworkTwice,
                format!("{text}; whether a node has both is not known"),
            ),
        });
    }
    findings
}

/// One mask is laid over every sender: it has to be the one of every network of the lists.
fn mask(entry: &Entry, table: &Table) -> Option<Finding> {
    let (Source::Lists(_), Some(prefix), Ok(cidr)) = (&entry.source, table.prefix, &entry.cidr)
    else {
        return None;
    };
    if cidr.prefix_len() == prefix {
        return None;
    }
    let text = format!("{entry}: vtep-cidr {cidr} and vtep-mask /{prefix} differ: ");
    Some(if !entry.finds(cidr.network(), Some(prefix)) {
        let text = text + "agents answer no address of it";
        Finding::error(Problem::NetworkMismatch, text)
    } else if prefix > cidr.prefix_len() {
        let text = format!(
            "{text}agents answer only addresses in {}/{prefix}",
            cidr.network()
        );
        Finding::warning(Problem::NetworkMismatch, text)
    } else {
        let text = format!(
            "{text}all of {}/{prefix} goes to the BIG-IP",
            cidr.network()
        );
        Finding::warning(Problem::NetworkMismatch, text)
    })
}

/// What agents say that they could not program, in their own words.
pub(crate) fn not_programmed(cluster: &Cluster) -> Vec<Finding> {
    let objects = cluster.vtep_objects.iter().flatten().flatten();
    let of_objects = objects.flat_map(|object| {
        let place = format!("CiliumVTEPConfig {}", object.name);
        object
            .failed
            .iter()
            .map(move |failed| (place.clone(), failed))
    });
    let findings = of_objects.chain(of_nodes(cluster));
    let findings = findings.map(|(place, (entry, words))| {
        let what = match entry.as_str() {
            "" => "VTEP entries are not programmed".to_owned(),
            entry => format!("entry {entry} is not programmed"),
        };
        let words = match words.as_str() {
            "" => String::new(),
            words => format!(": {words}"),
        };
        Finding::error(Problem::NotProgrammed, format!("{place}: {what}{words}"))
    });
    findings.chain(unread(cluster)).collect()
}

/// What agents say that they could not program: once for all nodes that say the same.
fn of_nodes(cluster: &Cluster) -> impl Iterator<Item = (String, &(String, String))> {
    let mut alike: BTreeMap<&(String, String), Vec<&str>> = BTreeMap::new();
    for node in cluster.vtep_nodes.iter().flatten() {
        for failed in &node.failed {
            alike.entry(failed).or_default().push(&node.node);
        }
    }
    alike.into_iter().map(|(failed, nodes)| {
        let place = match nodes.as_slice() {
            [node] => format!("node {node}"),
            nodes => format!("{} ({})", count(nodes.len(), "node"), some_of(nodes)),
        };
        (place, failed)
    })
}

/// What agents say of the entries of objects is not known. Without such an entry they say nothing.
fn unread(cluster: &Cluster) -> Option<Finding> {
    let why = cluster.vtep_nodes.as_ref().err()?;
    let may_have_entries = match &cluster.vtep_objects {
        Ok(objects) => objects.iter().flatten().next().is_some(),
        Err(_) => true,
    };
    let text = format!("CiliumVTEPNodeConfigs: {why}");
    may_have_entries.then(|| Finding::not_judged(Problem::Unreadable, text))
}

/// The selector of an entry that not every node knows, and how many of these nodes know it. `None` for a
/// number that is not known.
pub(crate) fn partial<'a>(entry: &'a Entry, nodes: &[&str]) -> Option<(&'a str, Option<usize>)> {
    match &entry.scope {
        Scope::All => None,
        Scope::Unknown { selector } => Some((selector, None)),
        Scope::Some {
            selector,
            nodes: known,
        } => {
            let number = nodes.iter().filter(|node| known.contains(**node)).count();
            (number < nodes.len()).then_some((selector, Some(number)))
        }
    }
}
