//! What agents say of the entries of a CiliumVTEPConfig that is as it should be.
//!
//! In `v2alpha1` each agent says it in the CiliumVTEPNodeConfig of its node, in `v2` the status of the object says it for
//! all (*source:* cilium#46602, cilium#44188). Nothing is `True` without a status that is shown to be about the present spec.

use bigip_tunnel_core::reason::Reason;
use std::collections::BTreeSet;

use bigip_tunnel_core::conditions::{Condition, Truth};

use super::{Question, said};
use crate::objects::{self, Object};
use crate::render::Shape;
use crate::seen::VtepNode;
use crate::vtep::WrittenEntry;
use crate::words::{count, some_of};

/// The condition of an object that is as it should be.
pub(super) fn condition(question: &Question<'_>, object: &Object) -> Condition {
    match question.shape {
        Shape::V2 => of_object(question, object),
        Shape::V2Alpha1 => of_nodes(question, object),
    }
}

fn of_object(question: &Question<'_>, object: &Object) -> Condition {
    let name = &object.name;
    let unknown = |why: &str| {
        let message = format!("CiliumVTEPConfig {name} is written; {why}");
        said(Truth::Unknown, Reason::VtepNotConfirmed, message)
    };
    let Some(live) = question.own() else {
        return unknown("it was not read again yet");
    };
    if live.is_outdated {
        return unknown("its status is about what it was before");
    }
    if let Some((entry, why)) = failure(&live.object.failed, &object.entries) {
        let message = format!("CiliumVTEPConfig {name}: not programmed: {entry}: {why}");
        return said(Truth::False, Reason::VtepNotProgrammed, message);
    }
    let is_synced = |entry: &WrittenEntry| live.synced.contains(&entry.name);
    if !object.entries.iter().all(is_synced) {
        return unknown("its status does not say yet that all entries are programmed");
    }
    if !object
        .entries
        .iter()
        .all(|entry| live.confirmed.contains(&entry.name))
    {
        return unknown(
            "its status calls all entries programmed, and does not show that this is so since their last change",
        );
    }
    let entries = count(object.entries.len(), "entry");
    let message = format!(
        "CiliumVTEPConfig {name}: {entries} programmed, by the status of the object; which agents have programmed them is \
         not known"
    );
    said(Truth::True, Reason::VtepProgrammed, message)
}

fn of_nodes(question: &Question<'_>, object: &Object) -> Condition {
    let (name, cluster) = (&object.name, question.cluster);
    let unknown = |why: &str| {
        let message = format!("CiliumVTEPConfig {name} is written; {why}");
        said(Truth::Unknown, Reason::VtepNotConfirmed, message)
    };
    let nodes = match &cluster.vtep_nodes {
        Ok(nodes) => nodes,
        Err(why) => return unknown(&format!("what agents say could not be read: {why}")),
    };
    let failing: Vec<(&str, (&str, &str))> = nodes
        .iter()
        .filter_map(|node| Some((&*node.node, failure(&node.failed, &object.entries)?)))
        .collect();
    if let [(node, (entry, why)), ..] = failing.as_slice() {
        let on = count(failing.len(), "node");
        let message =
            format!("CiliumVTEPConfig {name}: not programmed on {on}: {node}: {entry}: {why}");
        return said(Truth::False, Reason::VtepNotProgrammed, message);
    }
    let agents = match (&cluster.cilium_nodes, &cluster.nodes) {
        (Ok(Some(nodes)), _) => nodes.iter().map(|node| &*node.name).collect(),
        (Err(why), _) | (Ok(None), Err(why)) => {
            return unknown(&format!(
                "which nodes have an agent could not be read: {why}"
            ));
        }
        (Ok(None), Ok(nodes)) => nodes.iter().map(|node| &*node.name).collect(),
    };
    let agents: BTreeSet<&str> = agents;
    let confirmed: BTreeSet<&str> = nodes
        .iter()
        .filter(|node| has_all(node, &object.entries))
        .map(|node| &*node.node)
        .collect();
    let silent: Vec<&str> = agents.difference(&confirmed).copied().collect();
    if agents.is_empty() || !silent.is_empty() {
        let which = if silent.is_empty() {
            String::new()
        } else {
            format!("; not by {}", some_of(&silent))
        };
        let done = agents.len() - silent.len();
        let why = format!(
            "programmed by {done} of {}{which}",
            count(agents.len(), "node")
        );
        return unknown(&why);
    }
    let on = count(agents.len(), "node");
    let message = format!(
        "CiliumVTEPConfig {name}: programmed by {on} of {}",
        agents.len()
    );
    said(Truth::True, Reason::VtepProgrammed, message)
}

/// What is said of one of these entries, or of the table as a whole, that is not programmed.
fn failure<'a>(
    failed: &'a [(String, String)],
    entries: &[WrittenEntry],
) -> Option<(&'a str, &'a str)> {
    let is_meant = |name: &str| name.is_empty() || entries.iter().any(|entry| entry.name == name);
    let (name, why) = failed.iter().find(|(name, _)| is_meant(name))?;
    let name = if name.is_empty() { "all entries" } else { name };
    let why = if why.is_empty() {
        "no reason given"
    } else {
        why
    };
    Some((name, why))
}

/// Whether an agent has programmed all of them, by what they lead to: names may be those of others, too.
fn has_all(node: &VtepNode, entries: &[WrittenEntry]) -> bool {
    let programmed: Vec<WrittenEntry> = node.programmed.iter().map(objects::normal).collect();
    entries.iter().all(|wanted| {
        programmed.iter().any(|entry| {
            (&entry.endpoint, &entry.cidr, &entry.mac)
                == (&wanted.endpoint, &wanted.cidr, &wanted.mac)
        })
    })
}
