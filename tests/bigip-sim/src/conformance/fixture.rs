//! The form of a fixture file, and reading all of them. Documented for people in
//! `docs/how-to/check-a-bigip.md`.
//!
//! It must not know how requests are sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use hyper::Method;
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
    /// Of an assumption: what the product does if it does not hold. Of a question: what it does, whatever
    /// the answer is.
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
    /// Placeholders and the values that they have to have, such as `rd` and `0`.
    #[serde(default, rename = "where")]
    pub only_where: BTreeMap<String, String>,
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
    /// Nobody is known to have looked; the product, or the simulator, takes it to be so.
    Assumed,
    /// Nobody is known to have looked, and nothing depends on it: a question.
    Open,
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
    /// What the answer has to be. The last step of a question expects nothing.
    #[serde(default)]
    pub expect: Expect,
    /// For how many seconds the request is repeated until the answer is as expected.
    #[serde(default)]
    pub within: u64,
    /// JSON pointers to what a report tells of the answer: texts and numbers, names of members, lengths of
    /// lists.
    #[serde(default)]
    pub tell: Vec<String>,
    /// Values of the answer to be used as `{name}` in later steps, by JSON pointer.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
}

/// What an answer has to be; what is not named may be anything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
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
    /// Of this form, but not to be run.
    #[error("the fixture `{title}` {why}")]
    Unusable {
        /// Its title.
        title: String,
        /// Why not.
        why: &'static str,
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
            if let Some(why) = fixture.defect() {
                let title = fixture.title;
                return Err(LoadError::Unusable { title, why });
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

    /// Whether a step is the last one of a question.
    pub(crate) fn asks_at(&self, index: usize) -> bool {
        self.evidence == Evidence::Open && index + 1 == self.steps.len()
    }

    /// Names of the records that it writes.
    pub(crate) fn records(&self) -> impl Iterator<Item = &str> {
        let bodies = self.steps.iter().filter_map(|step| step.body.as_ref());
        let names = bodies.flat_map(|body| {
            let list = body.get("records").and_then(Value::as_array);
            let items = list.into_iter().flatten();
            items.chain([body]).filter_map(|item| item.get("name"))
        });
        names.filter_map(Value::as_str)
    }

    /// Why it must not be run: a person allows a read or a write of one tunnel, and gets no more.
    fn defect(&self) -> Option<&'static str> {
        let Some(last) = self.steps.last() else {
            return Some("asks nothing");
        };
        if self.evidence == Evidence::Open && last.expect != Expect::default() {
            return Some("is a question and expects an answer");
        }
        self.steps.iter().find_map(|step| {
            let Some((method, path)) = step.method_and_path() else {
                return Some("has a request that is not like `GET /mgmt/tm/sys/ready`");
            };
            let changes = method != Method::GET && path.starts_with("/mgmt/tm/");
            let may_change = WRITABLE.iter().any(|begin| path.starts_with(begin));
            match self.needs {
                Needs::Write if changes && !may_change => Some("writes more than one tunnel"),
                Needs::Read | Needs::WrongPassword if changes => Some("writes without saying so"),
                _ => None,
            }
        })
    }
}

/// What may be written, and the one command.
const WRITABLE: [&str; 3] = [
    "/mgmt/tm/net/fdb/tunnel/{tunnel}",
    "/mgmt/tm/net/fdb/tunnel/{absentTunnel}",
    "/mgmt/tm/sys/config",
];

impl Step {
    /// The two parts of its request.
    pub(crate) fn method_and_path(&self) -> Option<(Method, &str)> {
        let (method, path) = self.request.split_once(' ')?;
        let methods = [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ];
        let method = methods.into_iter().find(|known| known.as_str() == method)?;
        path.starts_with('/').then_some((method, path))
    }
}

fn numbers(version: &str) -> Vec<u32> {
    let parts = version.split('.');
    parts.map(|part| part.parse().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fixture(steps: &Value) -> Fixture {
        serde_json::from_value(json!({
            "title": "x", "evidence": "assumed", "source": "x", "steps": steps,
        }))
        .unwrap()
    }

    #[test]
    fn fixture_applies_to_the_versions_it_names() {
        let mut fixture = fixture(&json!([]));
        fixture.since = Some("14.1".to_owned());
        fixture.until = Some("17.1".to_owned());
        assert!(fixture.is_for("14.1.2.1") && fixture.is_for("16.1"));
        assert!(!fixture.is_for("13.1.5") && !fixture.is_for("17.1.0"));
        fixture.until = None;
        assert!(fixture.is_for("17.1.0"));
    }

    #[test]
    fn read_fixture_must_not_write() {
        let record = "POST /mgmt/tm/net/fdb/tunnel/{tunnel}/records";
        let mut writing = fixture(&json!([{ "request": record }]));
        assert_eq!(writing.defect(), Some("writes without saying so"));
        writing.needs = Needs::Write;
        assert_eq!(writing.defect(), None);
        let login = json!([{ "request": "POST /mgmt/shared/authn/login" }]);
        assert_eq!(fixture(&login).defect(), None);
    }

    #[test]
    fn write_fixture_writes_only_to_its_tunnel() {
        let mut elsewhere = fixture(&json!([
            { "request": "DELETE /mgmt/tm/net/fdb/tunnel/~Common~http-tunnel/records/{mac}" },
        ]));
        elsewhere.needs = Needs::Write;
        assert_eq!(elsewhere.defect(), Some("writes more than one tunnel"));
    }

    #[test]
    fn fixture_has_requests_in_request_form() {
        assert_eq!(fixture(&json!([])).defect(), Some("asks nothing"));
        for request in ["/mgmt/tm", "GET mgmt", "GIVE /mgmt/tm"] {
            let steps = json!([{ "request": request }]);
            assert!(fixture(&steps).defect().is_some(), "{request}");
        }
    }

    #[test]
    fn open_question_expects_no_answer() {
        let steps = |status: u16| {
            json!([
                { "request": "GET /mgmt/a", "expect": { "status": 404 } },
                { "request": "GET /mgmt/b", "expect": { "status": status } },
            ])
        };
        let mut question = fixture(&steps(404));
        question.evidence = Evidence::Open;
        assert!(question.defect().is_some());
        assert!(question.asks_at(1) && !question.asks_at(0));
        question.steps[1].expect = Expect::default();
        assert_eq!(question.defect(), None);
    }

    #[test]
    fn records_of_single_and_bulk_writes_are_collected() {
        let records = fixture(&json!([
            { "request": "POST /mgmt/a", "body": { "name": "a" } },
            { "request": "PUT /mgmt/b", "body": { "records": [{ "name": "b" }, { "name": "c" }] } },
            { "request": "PATCH /mgmt/b", "body": "no JSON" },
        ]));
        assert_eq!(records.records().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
