//! The form of a fixture file, and reading all of them. Documented for people in
//! `docs/how-to/check-a-bigip.md`.
//!
//! It must not know how requests are sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One exchange or a few that belong together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fixture {
    /// What a device does, as a sentence. Unlike that of any other.
    pub title: String,
    /// How that is known.
    pub evidence: Evidence,
    /// From where: repository, issue, version. Of an assumption, why it is assumed.
    pub source: String,
    /// Of an assumption: what the product does if it does not hold.
    #[serde(default)]
    pub otherwise: Option<String>,
    /// The first version that does so, such as `13.1`.
    #[serde(default)]
    pub since: Option<String>,
    /// The first version that does not any more.
    #[serde(default)]
    pub until: Option<String>,
    /// What it does to the device.
    #[serde(default)]
    pub needs: Needs,
    /// What is sent, in order.
    pub steps: Vec<Step>,
}

/// How a behaviour is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Seen in the output of a device.
    Device,
    /// Asserted by source, tests or documents of F5.
    Vendor,
    /// Relied on by clients of others.
    Clients,
    /// Nobody is known to have looked.
    Assumed,
}

/// What a fixture does to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// Nothing: it reads, and logs in and out.
    #[default]
    Read,
    /// It writes records of a tunnel that is there for that.
    Write,
    /// It logs in with a wrong password, which counts towards a lock of the account.
    WrongPassword,
}

/// One request and what is expected of its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    /// Method and path, such as `GET /mgmt/tm/sys/ready`.
    pub request: String,
    /// Headers beside the usual ones.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body: an object is sent as JSON, a text as it is.
    #[serde(default)]
    pub body: Option<Value>,
    /// The token to send: the runner's own if not given, none if `null`.
    #[serde(default = "session", deserialize_with = "present")]
    pub token: Option<String>,
    /// What the answer has to be.
    #[serde(default)]
    pub expect: Expect,
    /// Values of the answer to be used as `{name}` in later steps, by JSON pointer.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
}

/// What an answer has to be; what is not named may be anything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Expect {
    /// HTTP status; 200 if not given.
    #[serde(default)]
    pub status: Option<u16>,
    /// `icrd`, `restjavad`, `html`, `json` or `empty`.
    #[serde(default)]
    pub family: Option<String>,
    /// `apiError` of the configuration layer.
    #[serde(default)]
    pub api_error: Option<u64>,
    /// What the message begins with, mostly an id such as `01020036`.
    #[serde(default)]
    pub message: Option<String>,
    /// Properties of the body. `*` stands for any value; an element of a list for one that the list has;
    /// an empty list for an empty one.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// JSON pointers to what must not be there.
    #[serde(default)]
    pub absent: Vec<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional field")]
fn session() -> Option<String> {
    Some("{session}".to_owned())
}

/// Tells a `null`, which is no token, from a field that is not there.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(from)
}

/// The fixtures cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Folder or file.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not of this form.
    #[error("{} is no list of fixtures", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Two fixtures of one title.
    #[error("there are two fixtures `{0}`")]
    Twice(String),
    /// None at all.
    #[error("there are no fixtures in {}", .0.display())]
    Empty(PathBuf),
}

/// All fixtures of the `.json` files in a folder, in the order of their names.
pub fn load(folder: &Path) -> Result<Vec<Fixture>, LoadError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| LoadError::Read { path, source }
    };
    let entries = fs::read_dir(folder).map_err(unreadable(folder))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.extension().is_some_and(|end| end == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut fixtures: Vec<Fixture> = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        let of_file: Vec<Fixture> =
            serde_json::from_str(&text).map_err(|source| LoadError::Form { path, source })?;
        for fixture in of_file {
            if fixtures.iter().any(|known| known.title == fixture.title) {
                return Err(LoadError::Twice(fixture.title));
            }
            fixtures.push(fixture);
        }
    }
    if fixtures.is_empty() {
        return Err(LoadError::Empty(folder.to_owned()));
    }
    Ok(fixtures)
}

impl Fixture {
    /// Whether a device of this version is expected to do so.
    pub(crate) fn is_for(&self, version: &str) -> bool {
        let version = numbers(version);
        let reached = |bound: &Option<String>| bound.as_ref().map(|text| version >= numbers(text));
        reached(&self.since) != Some(false) && reached(&self.until) != Some(true)
    }
}

fn numbers(version: &str) -> Vec<u32> {
    let parts = version.split('.');
    parts.map(|part| part.parse().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_is_for_the_versions_that_it_names() {
        let mut fixture: Fixture = serde_json::from_value(serde_json::json!({
            "title": "x", "evidence": "assumed", "source": "x", "steps": [],
            "since": "14.1", "until": "17.1",
        }))
        .unwrap();
        assert!(fixture.is_for("14.1.2.1") && fixture.is_for("16.1"));
        assert!(!fixture.is_for("13.1.5") && !fixture.is_for("17.1.0"));
        fixture.until = None;
        assert!(fixture.is_for("17.1.0"));
    }
}
