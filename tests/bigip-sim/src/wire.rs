//! The JSON of a BIG-IP: what every object and collection has in common, and how links are spelled.
//!
//! Objects, collections and refusals keep the field order of the recordings; statistics and tokens do
//! not. It must not know which resources exist.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::tmos::TmosVersion;

/// What has to be encoded in a path segment; colons and tildes stay (recorded on 16.1.2).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'"')
    .add(b'#')
    .add(b'?')
    .add(b'/');

/// Spells links as this version does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links {
    version: TmosVersion,
}

impl Links {
    pub(crate) fn new(version: TmosVersion) -> Self {
        Self { version }
    }

    /// The version links and answers are for.
    pub(crate) fn version(self) -> TmosVersion {
        self.version
    }

    /// The link of a resource, with the literal host `localhost` and the version of the device.
    /// `path` starts after `/mgmt/tm/`.
    pub(crate) fn to(self, path: &str) -> String {
        format!(
            "https://localhost/mgmt/tm/{path}?ver={}",
            self.version.number()
        )
    }

    pub(crate) fn reference(self, path: &str) -> Reference {
        Reference {
            link: self.to(path),
            is_subcollection: None,
        }
    }

    pub(crate) fn subcollection(self, path: &str) -> Reference {
        Reference {
            link: self.to(path),
            is_subcollection: Some(true),
        }
    }

    /// A collection as this version shows it, empty or not.
    pub(crate) fn collection<T>(
        self,
        kind: &'static str,
        path: &str,
        items: Vec<T>,
    ) -> Collection<T> {
        let shown = !items.is_empty() || self.version.lists_empty_items();
        Collection {
            kind,
            self_link: self.to(path),
            items: shown.then_some(items),
        }
    }

    /// What every object in a partition starts with. `resource` is its collection below `/mgmt/tm/`.
    pub(crate) fn head(
        self,
        kind: &'static str,
        resource: &str,
        full_path: &str,
        generation: u64,
    ) -> Head {
        let mut parts = full_path.split('/').skip(1);
        let partition = parts.next().unwrap_or_default().to_owned();
        let mut folders: Vec<&str> = parts.collect();
        let name = folders.pop().unwrap_or_default().to_owned();
        Head {
            kind,
            name,
            partition,
            sub_path: (!folders.is_empty()).then(|| folders.join("/")),
            full_path: full_path.to_owned(),
            generation,
            self_link: self.to(&format!("{resource}/{}", segment(full_path))),
        }
    }

    /// A statistics answer with one entry, the shape of every status resource (genieparser, 14.1.2.1).
    pub(crate) fn stats(self, kind: &str, path: &str, entries: &Value) -> Value {
        json!({
            "kind": kind,
            "selfLink": self.to(path),
            "entries": nested(&format!("https://localhost/mgmt/tm/{path}/0"), entries),
        })
    }
}

/// `{KEY: {"nestedStats": {"entries": ENTRIES}}}`.
pub(crate) fn nested(key: &str, entries: &Value) -> Value {
    let mut object = Map::new();
    object.insert(
        key.to_owned(),
        json!({ "nestedStats": { "entries": entries } }),
    );
    Value::Object(object)
}

/// `{"description": TEXT}`, how statistics spell a text.
pub(crate) fn description(text: &str) -> Value {
    json!({ "description": text })
}

/// A full path as one URI segment: slashes become tildes.
pub(crate) fn segment(full_path: &str) -> String {
    utf8_percent_encode(&full_path.replace('/', "~"), SEGMENT).to_string()
}

/// A link to another object.
#[derive(Debug, Serialize)]
pub(crate) struct Reference {
    link: String,
    #[serde(rename = "isSubcollection", skip_serializing_if = "Option::is_none")]
    is_subcollection: Option<bool>,
}

/// A list of objects.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Collection<T> {
    kind: &'static str,
    self_link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<T>>,
}

/// The first fields of every object in a partition.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    kind: &'static str,
    name: String,
    partition: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_path: Option<String>,
    full_path: String,
    generation: u64,
    self_link: String,
}
