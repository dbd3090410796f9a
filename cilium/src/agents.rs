//! Cilium's agents: which version each of them is, and whether it runs with the configuration of now.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::advice::Advice;
use crate::finding::{Finding, Problem};
use crate::seen::Agent;
use crate::words::{count, some_of};

/// A version: its first three numbers.
pub type Version = (u64, u64, u64);

/// The version of an image, from its tag: `quay.io/cilium/cilium:v1.18.3@sha256:…`. A digest alone, and a
/// tag such as `latest`, say none.
pub fn version(image: &str) -> Option<Version> {
    let image = image.split('@').next()?;
    let (_, name) = image.rsplit_once('/').unwrap_or(("", image));
    let (_, tag) = name.split_once(':')?;
    let mut numbers = tag.trim_start_matches('v').split(['.', '-', '+', '_']);
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?, next()?))
}

/// What is broken in a version, and the next one in which it is not.
///
/// cilium#31023: 1.15.0 and 1.15.1. cilium#44453: 1.18.0 to 1.18.7, 1.19.0 (by source) and 1.19.1 (by
/// dates); seen on the wire.
fn broken(version: Version) -> Option<(&'static str, &'static str)> {
    const ZERO: &str = "answers the ARP requests of a BIG-IP with the MAC address 0";
    match version {
        (1, minor, _) if minor < 12 => Some(("has no VTEP", "1.12")),
        (1, 15, 0 | 1) => Some(("drops what comes from a VTEP", "1.15.2")),
        (1, 18, patch) if patch < 8 => Some((ZERO, "1.18.8")),
        (1, 19, patch) if patch < 2 => Some((ZERO, "1.19.2")),
        _ => None,
    }
}

/// What is found. `changed`: when the data of the configuration last changed.
pub(crate) fn findings(
    agents: &[Arc<Agent>],
    changed: Option<Timestamp>,
    advice: &Advice<'_>,
) -> Vec<Finding> {
    if agents.is_empty() {
        let text = "no pod with the label k8s-app=cilium runs, so that no version is known";
        return vec![Finding::not_judged(Problem::Unreadable, text)];
    }
    let mut versions: BTreeMap<Version, usize> = BTreeMap::new();
    let mut unknown = Vec::new();
    for agent in agents {
        match version(&agent.image) {
            Some(version) => *versions.entry(version).or_default() += 1,
            None => unknown.push(&*agent.image),
        }
    }
    let mut findings: Vec<Finding> = versions
        .iter()
        .map(|(version, number)| {
            let (major, minor, patch) = version;
            let nodes = count(*number, "node");
            let name = format!("Cilium {major}.{minor}.{patch} on {nodes}");
            match broken(*version) {
                Some((problem, cured)) => {
                    Finding::error(Problem::BrokenVersion, format!("{name} {problem}"))
                        .with_fix(format!("upgrade Cilium to {cured} or later"))
                }
                None => Finding::holds(name),
            }
        })
        .collect();
    if !unknown.is_empty() {
        let agents = count(unknown.len(), "agent");
        unknown.sort_unstable();
        unknown.dedup();
        let text = format!(
            "the image of {agents} names no version: {}",
            some_of(&unknown)
        );
        let namespace = advice.namespace;
        let fix = format!("kubectl -n {namespace} exec ds/cilium -- cilium-dbg version");
        findings.push(Finding::not_judged(Problem::Unreadable, text).with_fix(fix));
    }
    findings.extend(outdated(agents, changed, advice));
    findings
}

fn outdated(
    agents: &[Arc<Agent>],
    changed: Option<Timestamp>,
    advice: &Advice<'_>,
) -> Option<Finding> {
    let is_older = |agent: &&Arc<Agent>| agent.started.is_some_and(|at| Some(at) < changed);
    let older = agents.iter().filter(is_older);
    let nodes: Vec<&str> = older.map(|agent| agent.node.as_str()).collect();
    (!nodes.is_empty()).then(|| {
        let text = format!(
            "{} of {} started before the configuration changed: {}",
            nodes.len(),
            count(agents.len(), "agent"),
            some_of(&nodes)
        );
        Finding::warning(Problem::AgentsOutdated, text)
            .with_fix(format!(
            "run {}; entries that were taken out are served until cilium-dbg bpf vtep delete CIDR removes them \
             from each node",
            advice.restart()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Weight;

    fn findings(agents: &[Arc<Agent>], changed: Option<Timestamp>) -> Vec<Finding> {
        super::findings(agents, changed, &Advice::new("cilium", []))
    }

    fn agent(image: &str, started: &str) -> Arc<Agent> {
        let agent = Agent {
            node: "n".to_owned(),
            image: image.into(),
            started: Some(started.parse().unwrap()),
            ready: true,
        };
        Arc::new(agent)
    }

    #[test]
    fn version_is_read_from_the_tag_of_an_image() {
        for (image, version_of) in [
            ("quay.io/cilium/cilium:v1.18.3", Some((1, 18, 3))),
            ("reg:5000/cilium:v1.19.2-1@sha256:0123", Some((1, 19, 2))),
            ("rancher/mirrored-cilium-cilium:v1.17.6", Some((1, 17, 6))),
            ("gke.gcr.io/cilium/cilium:v1.14.5-gke.15", Some((1, 14, 5))),
            (
                "mcr.microsoft.com/oss/cilium/cilium:1.14.10-1",
                Some((1, 14, 10)),
            ),
            ("cilium", None),
            ("reg:5000/cilium", None),
            ("cilium:latest", None),
            ("cilium@sha256:00", None),
            ("cilium:v1.18", None),
        ] {
            assert_eq!(version(image), version_of, "{image}");
        }
    }

    #[test]
    fn versions_with_broken_vtep_are_listed() {
        for version in [(1, 11, 9), (1, 15, 1), (1, 18, 7), (1, 19, 1)] {
            assert!(broken(version).is_some(), "{version:?}");
        }
        for version in [(1, 12, 0), (1, 15, 2), (1, 17, 13), (1, 18, 8), (1, 19, 2)] {
            assert!(broken(version).is_none(), "{version:?}");
        }
    }

    #[test]
    fn agents_of_unknown_version_are_counted_separately() {
        let at = "2026-11-22T06:00:00Z";
        let agents = [agent("cilium:v1.17.9", at), agent("cilium@sha256:01", at)];
        let found = findings(&agents, None);
        assert_eq!(found[0], Finding::holds("Cilium 1.17.9 on 1 node"));
        assert_eq!(found[1].weight, Weight::NotJudged);
        assert!(found[1].text.contains("image of 1 agent"), "{found:?}");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn agents_older_than_a_change_are_outdated() {
        let agents = [
            agent("cilium:v1.17.4", "2026-11-22T06:00:00Z"),
            agent("cilium:v1.17.4", "2026-11-22T06:20:00Z"),
        ];
        let problems = |changed: Option<&str>| {
            let changed = changed.map(|text| text.parse().unwrap());
            let found = findings(&agents, changed).into_iter();
            found.filter_map(|f| f.problem).collect::<Vec<_>>()
        };
        let outdated = [Problem::AgentsOutdated];
        assert_eq!(problems(Some("2026-11-22T06:10:00Z")), outdated);
        assert_eq!(problems(Some("2026-11-22T05:00:00Z")), []);
        assert_eq!(problems(None), []);
    }

    #[test]
    fn no_version_verdict_without_agents() {
        assert_eq!(findings(&[], None)[0].weight, Weight::NotJudged);
    }
}
