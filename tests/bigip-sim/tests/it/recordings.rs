//! Answers of real devices, replayed: the simulator has to show the same fields of the same types, and say the
//! same words.
//!
//! Each recording names repository, commit and path. Where the simulator differs, the recording says where and
//! why. Values are compared, too, where the answer is one object: all but those that the recording names as the
//! device's own, such as its names and addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::mem::discriminant;
use std::path::Path;

use bigip_sim::{Effect, Fault, Method, Preset, TmosVersion};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::support::{World, world_of};

/// What a device was asked, and answered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    request: String,
    /// The version of the device.
    version: String,
    source: Source,
    /// What makes the simulated device hold the same.
    #[serde(default)]
    setup: Vec<Setup>,
    /// The answer; long texts and lists cut to what shows their form.
    #[serde(default)]
    answer: Option<Value>,
    /// The names in a list of paths, in order.
    #[serde(default)]
    lists: Option<Vec<String>>,
    /// Pointers to where the simulator differs, with the reason.
    #[serde(default)]
    different: BTreeMap<String, String>,
    /// Pointers to values that the simulator has others of, with the reason.
    #[serde(default)]
    own: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    repository: String,
    commit: String,
    path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    request: String,
    body: Value,
}

/// A refusal of a device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    request: String,
    /// What was asked, where that is another kind of object with the same refusal.
    #[serde(default, rename = "recorded")]
    _recorded: Option<String>,
    source: Source,
    #[serde(default)]
    setup: Vec<Setup>,
    #[serde(default)]
    body: Option<Value>,
    /// The state that the device was in.
    #[serde(default)]
    preset: Option<Preset>,
    #[serde(default)]
    without_credentials: bool,
    #[serde(default)]
    status: Option<u16>,
    /// The answer, but for an operation's number and the address of the client.
    #[serde(default)]
    answer: Option<Value>,
    /// A part of the answer, where no more is recorded.
    #[serde(default)]
    contains: Option<String>,
    /// Fields that the simulator has beside, with the reason.
    #[serde(default)]
    different: BTreeMap<String, String>,
}

impl Refusal {
    /// What the simulator answers: status and text.
    fn replay(&self, version: TmosVersion) -> (u16, String) {
        let mut world = world_of(version);
        let mut transaction = String::new();
        for setup in &self.setup {
            let (status, answer) = send(&mut world, &setup.request, &setup.body.to_string());
            assert_eq!(status, 200, "{}: {answer}", setup.request);
            transaction = answer["transId"].to_string();
        }
        if let Some(preset) = self.preset {
            world.state.fault(Fault::new(Effect::preset(preset)));
        }
        let (method, path) = self.request.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let path = path.replace("{transaction}", &transaction);
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let answer = if self.without_credentials {
            world.raw(method, &path, &[], &body)
        } else {
            world.send(method, &path, &body)
        };
        (answer.status, answer.text)
    }

    /// Where an answer differs from the recorded one.
    fn differences(&self, text: &str) -> BTreeSet<String> {
        let recorded = self.answer.as_ref().and_then(Value::as_object).unwrap();
        let shown: Map<String, Value> = serde_json::from_str(text).unwrap();
        let names: BTreeSet<&String> = recorded.keys().chain(shown.keys()).collect();
        let is_of_the_call = |name: &str| name == "restOperationId" || name == "referer";
        let different = names.into_iter().filter(|name| {
            !is_of_the_call(name) && recorded.get(name.as_str()) != shown.get(name.as_str())
        });
        different.map(|name| format!("/{name}")).collect()
    }
}

fn load<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/recordings");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The version that the simulator plays for one of a device.
fn played(version: &str) -> TmosVersion {
    let line: Vec<&str> = version.split('.').take(2).collect();
    let line = line.join(".").replace("13.0", "13.1");
    line.parse().unwrap_or_else(|_| panic!("{version}"))
}

impl Recording {
    /// What the simulator answers.
    fn replay(&self) -> Value {
        let mut world = world_of(played(&self.version));
        for setup in &self.setup {
            let answer = send(&mut world, &setup.request, &setup.body.to_string());
            assert_eq!(answer.0, 200, "{}: {}", setup.request, answer.1);
        }
        let (status, answer) = send(&mut world, &self.request, "");
        assert_eq!(status, 200, "{} ({}): {answer}", self.request, self.version);
        answer
    }
}

fn send(world: &mut World, request: &str, body: &str) -> (u16, Value) {
    let (method, path) = request.split_once(' ').unwrap();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let answer = world.send(method, path, body);
    (answer.status, answer.json())
}

/// Pointers to where two answers differ in fields or types, and in the kind of an object.
fn differences(recorded: &Value, shown: &Value, at: &str, found: &mut BTreeSet<String>) {
    match (recorded, shown) {
        (Value::Object(recorded), Value::Object(shown)) => {
            let names: BTreeSet<&String> = recorded.keys().chain(shown.keys()).collect();
            for name in names {
                let at = format!("{at}/{name}");
                match (recorded.get(name), shown.get(name)) {
                    (Some(recorded), Some(shown)) if name == "kind" => {
                        found.extend((recorded != shown).then_some(at));
                    }
                    (Some(recorded), Some(shown)) => differences(recorded, shown, &at, found),
                    _ => {
                        found.insert(at);
                    }
                }
            }
        }
        (Value::Array(recorded), Value::Array(shown))
            if recorded.is_empty() == shown.is_empty() =>
        {
            differences(&merged(recorded), &merged(shown), &format!("{at}/*"), found);
        }
        _ if !recorded.is_array() && discriminant(recorded) == discriminant(shown) => {}
        _ => {
            found.insert(at.to_owned());
        }
    }
}

/// Pointers to where two answers with the same fields and types differ in values. Lists of objects and links are
/// left out.
fn other_values(recorded: &Value, shown: &Value, at: &str, found: &mut BTreeSet<String>) {
    match (recorded, shown) {
        (Value::Object(recorded), Value::Object(shown)) => {
            for (name, recorded) in recorded {
                let is_link = name == "selfLink" || name == "link";
                if let Some(shown) = shown.get(name).filter(|_| !is_link) {
                    other_values(recorded, shown, &format!("{at}/{name}"), found);
                }
            }
        }
        (Value::Array(recorded), _) if recorded.iter().any(Value::is_object) => {}
        // Long lists and texts are recorded to where their form shows.
        (Value::Array(recorded), Value::Array(shown)) if shown.starts_with(recorded) => {}
        (Value::String(recorded), Value::String(shown))
            if recorded
                .strip_suffix("...")
                .is_some_and(|it| shown.starts_with(it)) => {}
        _ if recorded == shown => {}
        _ => {
            found.insert(at.to_owned());
        }
    }
}

/// One element that has the fields of all elements of a list.
fn merged(list: &[Value]) -> Value {
    let mut all = Map::new();
    for element in list {
        match element {
            Value::Object(fields) => {
                for (name, value) in fields {
                    all.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
            other => return other.clone(),
        }
    }
    Value::Object(all)
}

#[test]
fn every_recording_names_its_source() {
    let names = ["objects.json", "lists.json", "empty.json", "variables.json"];
    let answers = names.into_iter().flat_map(load::<Recording>);
    let mut sources: Vec<Source> = answers.map(|recording| recording.source).collect();
    let refusals: Vec<Refusal> = load("errors.json");
    sources.extend(refusals.into_iter().map(|refusal| refusal.source));
    for source in &sources {
        assert!(source.repository.contains('/'), "{source:?}");
        assert!(!source.path.is_empty(), "{source:?}");
        let is_commit = |commit: &str| {
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        assert!(is_commit(&source.commit), "{source:?}");
    }
    assert!(sources.len() >= 330, "{}", sources.len());
}

#[test]
fn recorded_objects_have_the_same_fields_and_types() {
    for recording in load::<Recording>("objects.json") {
        let mut found = BTreeSet::new();
        let recorded = recording.answer.as_ref().unwrap();
        differences(recorded, &recording.replay(), "", &mut found);
        let known: BTreeSet<String> = recording.different.keys().cloned().collect();
        assert_eq!(
            found, known,
            "{} ({})",
            recording.request, recording.version
        );
    }
}

/// No version is recorded with them: they are replayed on each.
#[test]
fn recorded_refusals_have_the_same_text() {
    for refusal in load::<Refusal>("errors.json") {
        for version in TmosVersion::ALL {
            let (status, text) = refusal.replay(version);
            let what = format!("{} on {version}: {text}", refusal.request);
            if let Some(recorded) = refusal.status {
                assert_eq!(status, recorded, "{what}");
            }
            if let Some(words) = &refusal.contains {
                assert!(text.contains(words), "{what}");
            } else {
                let known: BTreeSet<String> = refusal.different.keys().cloned().collect();
                assert_eq!(refusal.differences(&text), known, "{what}");
            }
        }
    }
}

#[test]
fn recorded_objects_have_the_same_values() {
    let mut count = 0;
    for recording in load::<Recording>("objects.json") {
        let recorded = recording.answer.as_ref().unwrap();
        if recorded.get("items").is_some() || recorded.get("entries").is_some() {
            continue;
        }
        let mut found = BTreeSet::new();
        other_values(recorded, &recording.replay(), "", &mut found);
        let own: BTreeSet<String> = recording.own.keys().cloned().collect();
        assert_eq!(found, own, "{} ({})", recording.request, recording.version);
        count += 1;
    }
    assert!(count >= 40, "{count}");
}

#[test]
fn recorded_lists_of_paths_are_the_same() {
    for recording in load::<Recording>("lists.json") {
        let answer = recording.replay();
        let prefix = recording.request.replace("GET ", "https://localhost");
        let items = answer["items"].as_array().unwrap();
        let name = |item: &Value| {
            let link = item["reference"]["link"].as_str().unwrap();
            let path = link.split('?').next().unwrap();
            path.strip_prefix(&format!("{prefix}/")).unwrap().to_owned()
        };
        let names: Vec<String> = items.iter().map(name).collect();
        assert_eq!(Some(names), recording.lists, "{}", recording.request);
        let link = format!("{prefix}?ver={}", recording.version);
        assert_eq!(answer["selfLink"], link);
    }
}

#[test]
fn lists_that_were_empty_on_a_device_are_empty() {
    for recording in load::<Recording>("empty.json") {
        let answer = recording.replay();
        let request = &recording.request;
        assert_eq!(answer["items"], Value::Array(Vec::new()), "{request}");
        let resource = request.trim_start_matches("GET /mgmt/tm/");
        let last = resource.rsplit('/').next().unwrap();
        let kind = format!("tm:{}:{last}collectionstate", resource.replace('/', ":"));
        assert_eq!(answer["kind"], kind);
    }
}

#[test]
fn recorded_variables_have_the_same_default_and_range() {
    for recording in load::<Recording>("variables.json") {
        let shown = recording.replay();
        for (name, value) in recording.answer.as_ref().unwrap().as_object().unwrap() {
            assert_eq!(&shown[name], value, "{} {name}", recording.request);
        }
    }
}

#[test]
fn value_that_differs_is_found() {
    let recorded = serde_json::json!({
        "n": 1, "in": {"x": "a"}, "l": ["a"], "o": [{"x": 1}], "link": "a", "cut": ["a"], "long": "a..."
    });
    let shown = serde_json::json!({
        "n": 2, "in": {"x": "b"}, "l": ["b"], "o": [{"x": 2}], "link": "b", "cut": ["a", "b"], "long": "abc"
    });
    let mut found = BTreeSet::new();
    other_values(&recorded, &shown, "", &mut found);
    let expected = ["/in/x", "/l", "/n"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn field_or_type_that_differs_is_found() {
    let recorded = serde_json::json!({"kind": "a", "n": 1, "l": [{"x": 1}, {"y": "1"}], "gone": 1});
    let shown = serde_json::json!({"kind": "b", "n": "1", "l": [{"x": 2, "y": 1}], "new": 1});
    let mut found = BTreeSet::new();
    differences(&recorded, &shown, "", &mut found);
    let expected = ["/gone", "/kind", "/l/*/y", "/n", "/new"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
}
