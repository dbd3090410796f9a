//! The JSON of a BIG-IP: what every object and collection has in common, and how links are spelled.
//!
//! Objects, collections and refusals keep the field order of the recordings; statistics and tokens do
//! not. It must not know which resources exist.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
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

/// A JSON object that keeps the order of its fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(Cow<'static, str>, Json)>);

/// A value in [`Fields`].
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Json {
    Plain(Value),
    Object(Fields),
    List(Vec<Fields>),
}

impl Fields {
    /// Adds a field at the end.
    pub(crate) fn with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        self.0.push((name.into(), Json::Plain(value.into())));
        self
    }

    /// Takes a field away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// Adds a field that is an object.
    pub(crate) fn with_object(mut self, name: impl Into<Cow<'static, str>>, object: Self) -> Self {
        self.0.push((name.into(), Json::Object(object)));
        self
    }

    /// Adds a field that is a list of objects.
    pub(crate) fn with_list(mut self, name: impl Into<Cow<'static, str>>, list: Vec<Self>) -> Self {
        self.0.push((name.into(), Json::List(list)));
        self
    }

    /// Adds what another object has.
    pub(crate) fn with_all(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Keeps the fields that have one of these names.
    pub(crate) fn select(mut self, names: &[&str]) -> Self {
        self.0.retain(|(name, _)| names.contains(&name.as_ref()));
        self
    }

    /// The text of a field; `None` if it has no such field or that is no text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        match value {
            Json::Plain(value) => value.as_str(),
            Json::Object(_) | Json::List(_) => None,
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

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
        self.asked(path, "")
    }

    /// The same of what was asked with options: they are repeated as sent (recorded with
    /// `expandSubcollections=true` on 11.6 and 12.1.2, FCP and ANS; with `options=` on 17.1.2.1).
    pub(crate) fn asked(self, path: &str, options: &str) -> String {
        let separator = if options.is_empty() { "" } else { "&" };
        let version = self.version.number();
        format!("https://localhost/mgmt/tm/{path}?{options}{separator}ver={version}")
    }

    /// A link to another object.
    pub(crate) fn reference(self, path: &str) -> Fields {
        Fields::default().with("link", self.to(path))
    }

    /// A link to a list that belongs to an object.
    pub(crate) fn subcollection(self, path: &str) -> Fields {
        self.reference(path).with("isSubcollection", true)
    }

    /// The items of a collection as this version shows them, empty or not.
    pub(crate) fn items(self, collection: Fields, items: Vec<Fields>) -> Fields {
        if items.is_empty() && !self.version.lists_empty_items() {
            collection
        } else {
            collection.with_list("items", items)
        }
    }

    /// A statistics answer with one entry, the shape of every status resource (genieparser, 14.1.2.1).
    pub(crate) fn stats(self, path: &str, entries: &Value) -> Value {
        json!({
            "kind": kind(path, "stats"),
            "selfLink": self.to(path),
            "entries": nested(&format!("https://localhost/mgmt/tm/{path}/0"), entries),
        })
    }
}

/// The `kind` of a resource: its path with colons, then the last segment again with an ending such as
/// `state` (`net/self` is `tm:net:self:selfstate`).
pub(crate) fn kind(resource: &str, ending: &str) -> String {
    let last = resource.rsplit('/').next().unwrap_or_default();
    format!("tm:{}:{last}{ending}", resource.replace('/', ":"))
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
