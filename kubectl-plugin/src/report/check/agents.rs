//! Checks of Cilium's agents: which version they are, and whether they run with the configuration of
//! now.

use jiff::Timestamp;

use super::evidence::AgentSeen;
use super::{Check, count};
use crate::catalogue::{BTN0405, BTN0411};

/// A version: its first three numbers.
pub(super) type Version = (u64, u64, u64);

/// The version of an image, from its tag: `quay.io/cilium/cilium:v1.18.3@sha256:…`.
pub(super) fn version(image: &str) -> Option<Version> {
    let image = image.split('@').next()?;
    let (_, tag) = image.rsplit_once(':')?;
    let mut numbers = tag.trim_start_matches('v').split(['.', '-', '+']);
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?, next()?))
}

/// What is broken in a version. Sources are on the code's page.
fn broken(version: Version) -> Option<&'static str> {
    match version {
        (1, minor, _) if minor < 12 => Some("has no VTEP"),
        (1, 15, 0 | 1) => Some("drops what comes from a VTEP"),
        (1, 18, patch) if patch < 8 => Some("answers ARP requests with the MAC address 0"),
        (1, 19, patch) if patch < 2 => Some("answers ARP requests with the MAC address 0"),
        _ => None,
    }
}

/// The checks.
pub(super) fn checks(agents: &[AgentSeen], config_changed: Option<Timestamp>) -> Vec<Check> {
    if agents.is_empty() {
        return Vec::new();
    }
    let mut versions: Vec<Version> = agents
        .iter()
        .filter_map(|agent| version(&agent.image))
        .collect();
    versions.sort_unstable();
    versions.dedup();
    let mut checks: Vec<Check> = versions
        .iter()
        .map(|version| {
            let (major, minor, patch) = version;
            let name = format!("Cilium {major}.{minor}.{patch}");
            match broken(*version) {
                Some(problem) => Check::error(BTN0411, format!("{name} {problem}")),
                None => Check::ok(format!("{name} on {}", count(agents.len(), "node"))),
            }
        })
        .collect();
    let is_older = |agent: &&AgentSeen| agent.started.is_some_and(|at| Some(at) < config_changed);
    let older = agents.iter().filter(is_older).count();
    if older > 0 {
        let text = format!(
            "{older} of {} agents started before cilium-config was changed",
            agents.len()
        );
        checks.push(Check::warning(BTN0405, text));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(tag: &str, started: &str) -> AgentSeen {
        AgentSeen {
            image: format!("quay.io/cilium/cilium:{tag}"),
            started: Some(started.parse().unwrap()),
        }
    }

    #[test]
    fn a_version_is_read_from_the_tag_of_an_image() {
        assert_eq!(version("quay.io/cilium/cilium:v1.18.3"), Some((1, 18, 3)));
        let full = "reg:5000/cilium:v1.19.2-1@sha256:0123";
        assert_eq!(version(full), Some((1, 19, 2)));
        for text in [
            "cilium",
            "cilium:latest",
            "cilium@sha256:00",
            "cilium:v1.18",
        ] {
            assert_eq!(version(text), None, "{text}");
        }
    }

    #[test]
    fn versions_with_a_broken_vtep_are_known() {
        for version in [(1, 11, 9), (1, 15, 1), (1, 18, 7), (1, 19, 1)] {
            assert!(broken(version).is_some(), "{version:?}");
        }
        for version in [(1, 12, 0), (1, 15, 2), (1, 17, 13), (1, 18, 8), (1, 19, 2)] {
            assert!(broken(version).is_none(), "{version:?}");
        }
    }

    #[test]
    fn agents_that_started_before_a_change_have_to_be_restarted() {
        let agents = [
            agent("v1.17.4", "2026-11-22T06:00:00Z"),
            agent("v1.17.4", "2026-11-22T06:20:00Z"),
        ];
        let changed = |text: &str| Some(text.parse().unwrap());
        let codes = |changed| {
            let checks = checks(&agents, changed);
            checks
                .iter()
                .filter_map(|check| check.code)
                .collect::<Vec<_>>()
        };
        assert_eq!(codes(changed("2026-11-22T06:10:00Z")), [BTN0405]);
        assert_eq!(codes(changed("2026-11-22T05:00:00Z")), []);
        assert_eq!(codes(None), []);
    }
}
