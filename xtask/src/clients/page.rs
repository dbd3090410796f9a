//! What became of the calls of clients, as a part of the manual of the simulator.
//!
//! It must not know how clients are run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::step::Failure;

const PAGE: &str = "docs/reference/bigip-sim.md";
const BEGIN: &str = "<!-- clients: written by cargo xtask clients -->";
const END: &str = "<!-- clients: end -->";

/// What became of the calls of one client.
#[derive(Debug)]
pub(super) struct Outcomes {
    name: &'static str,
    version: String,
    /// In the order in which they were first made.
    calls: Vec<String>,
    /// By call and outcome: the versions.
    seen: BTreeMap<(String, String), Vec<&'static str>>,
    versions: Vec<&'static str>,
}

impl Outcomes {
    pub(super) fn new(name: &'static str, version: String) -> Self {
        Self {
            name,
            version,
            calls: Vec::new(),
            seen: BTreeMap::new(),
            versions: Vec::new(),
        }
    }

    /// Takes a line that the program of a client told on a version.
    pub(super) fn add(&mut self, version: &'static str, line: &str) -> Result<(), Failure> {
        let told: Value = serde_json::from_str(line)
            .map_err(|_| Failure::new(format!("{}: no outcome: {line}", self.name)))?;
        let text = |name: &str| Some(told.get(name)?.as_str()?.to_owned());
        let (call, outcome) = text("call")
            .zip(text("outcome"))
            .ok_or_else(|| Failure::new(format!("{}: no outcome: {line}", self.name)))?;
        if !self.calls.contains(&call) {
            self.calls.push(call.clone());
        }
        if !self.versions.contains(&version) {
            self.versions.push(version);
        }
        self.seen.entry((call, outcome)).or_default().push(version);
        Ok(())
    }

    /// The calls that neither pass nor are refused or not simulated.
    pub(super) fn faults(&self) -> impl Iterator<Item = String> {
        let known = ["passes", "refused", "not simulated"];
        let faults = self
            .seen
            .iter()
            .filter(move |((_, outcome), _)| !known.contains(&outcome.as_str()));
        faults.map(|((call, outcome), versions)| {
            format!(
                "{}, {call}, on {}: {outcome}",
                self.name,
                versions.join(", ")
            )
        })
    }

    /// The calls with one outcome; a version beside them where others differ.
    fn with(&self, outcome: &str) -> Vec<String> {
        let of = |call: &String| {
            let versions = self.seen.get(&(call.clone(), outcome.to_owned()))?;
            Some(if versions.len() == self.versions.len() {
                call.clone()
            } else {
                format!("{call} ({})", versions.join(", "))
            })
        };
        self.calls.iter().filter_map(of).collect()
    }

    fn render(&self) -> String {
        let mut text = format!(
            "\n**{} {}**\n\n| calls | |\n|---|---|\n",
            self.name, self.version
        );
        for (outcome, title) in [
            ("passes", "pass"),
            ("refused", "are refused as a device refuses them"),
            ("not simulated", "are not simulated, and told so"),
        ] {
            let calls = self.with(outcome);
            let count = calls.len();
            text.push_str(
                &[
                    &format!("| {count} {title} | {} |", calls.join(" · ")),
                    "\n",
                ]
                .concat(),
            );
        }
        text
    }
}

/// The version that a list of pins has of a package: of pip, or a `go.mod`.
pub(super) fn pinned(pins: &str, name: &str) -> Option<String> {
    let version = pins.lines().find_map(|line| {
        let pip = line
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix("=="));
        let go = || Some(line.split_once(&format!("/{name} "))?.1);
        pip.or_else(go)
    })?;
    version.split_whitespace().next().map(str::to_owned)
}

/// The part of the manual.
fn part(all: &[Outcomes]) -> String {
    let parts: Vec<String> = all.iter().map(Outcomes::render).collect();
    format!("{BEGIN}\n{}\n{END}", parts.concat())
}

/// The page with another such part.
fn replaced(page: &str, part: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{part}{after}"))
}

/// Writes what became of the calls into the manual, or compares it.
pub(super) fn write(all: &[Outcomes], only_compares: bool) -> Result<(), Failure> {
    let page = fs::read_to_string(PAGE)?;
    let wanted = replaced(&page, &part(all))
        .ok_or_else(|| Failure::new(format!("{PAGE} has no place for the clients")))?;
    if page == wanted {
        return Ok(());
    }
    if only_compares {
        let what = format!("{PAGE} differs from what clients say: run `cargo xtask clients`");
        return Err(Failure::new(what));
    }
    Ok(fs::write(Path::new(PAGE), wanted)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{BEGIN, END, Outcomes, pinned, replaced};

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    #[test]
    fn manual_names_the_pinned_clients() {
        let page = fs::read_to_string(root().join(super::PAGE)).unwrap();
        for (name, pins) in [
            ("bigrest", "bigrest.txt"),
            ("f5-sdk", "f5-sdk.txt"),
            ("ansible", "ansible.txt"),
            ("go-bigip", "go-bigip/go.mod"),
        ] {
            let pins = fs::read_to_string(root().join("tests/clients").join(pins)).unwrap();
            let version = pinned(&pins, name).unwrap();
            assert!(
                page.contains(&format!("**{name} {version}**")),
                "{name} {version}"
            );
        }
    }

    #[test]
    fn call_that_differs_by_version_names_the_versions() {
        let mut outcomes = Outcomes::new("c", "1".to_owned());
        for (version, outcome) in [("12.1", "passes"), ("13.1", "not simulated")] {
            let line = format!(r#"{{"call": "get", "outcome": "{outcome}"}}"#);
            outcomes.add(version, &line).unwrap();
        }
        let text = outcomes.render();
        assert!(text.contains("| 1 pass | get (12.1) |"), "{text}");
        assert!(
            text.contains("| 1 are not simulated, and told so | get (13.1) |"),
            "{text}"
        );
        assert_eq!(outcomes.faults().count(), 0);
    }

    #[test]
    fn any_other_outcome_is_a_fault() {
        let mut outcomes = Outcomes::new("c", "1".to_owned());
        let line = r#"{"call": "get", "outcome": "fault: 400"}"#;
        outcomes.add("12.1", line).unwrap();
        let faults: Vec<String> = outcomes.faults().collect();
        assert_eq!(faults, ["c, get, on 12.1: fault: 400"]);
    }

    #[test]
    fn part_of_the_page_is_replaced_and_no_more() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(replaced(&page, "new").unwrap(), "a\nnew\nb\n");
        assert_eq!(replaced("a", "new"), None);
    }
}
