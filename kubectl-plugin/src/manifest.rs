//! Manifests in files: documents with the lines on which their fields stand.
//!
//! Reads YAML, and JSON as the part of it that it is. Knows nothing of what a document means.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use crate::error::Error;

/// Ends of the names of files that are looked at in a folder, as kubectl has them.
const ENDS: [&str; 3] = ["yaml", "yml", "json"];
/// The name that stands for standard input.
const STDIN: &str = "-";

/// One document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    /// The line on which it begins.
    pub(crate) line: u64,
    /// The lines of its fields, by their paths: `spec.devices[0].name`.
    lines: BTreeMap<String, u64>,
}

impl Document {
    /// The line of a field, or of what it would be in.
    pub(crate) fn line_of(&self, path: &str) -> u64 {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = path.get(..end).unwrap_or_default(),
                None => return self.line,
            }
        }
    }
}

/// The files that a path stands for: itself, or those in a folder, in the order of their names.
pub(crate) fn files(path: &Path, recursive: bool) -> Result<Vec<PathBuf>, Error> {
    if path == Path::new(STDIN) || !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |problem: io::Error| unusable(path, &problem);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            if recursive {
                found.extend(files(&entry, recursive)?);
            }
        } else if entry
            .extension()
            .is_some_and(|end| ENDS.iter().any(|known| end == *known))
        {
            found.push(entry);
        }
    }
    Ok(found)
}

/// The text of a file, or of standard input.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let read = if path == Path::new(STDIN) {
        io::stdin().read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|problem| unusable(path, &problem))?;
    Ok(text)
}

/// A text that is not YAML. Does not show the text: a manifest may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}", .line.map_or_else(String::new, |line| format!(" (line {line})")))]
pub(crate) struct NoYaml {
    pub(crate) line: Option<u64>,
    /// What is wrong, without the line.
    pub(crate) message: String,
}

/// The documents in a text. Empty ones are left out.
pub(crate) fn documents(text: &str) -> Result<Vec<Document>, NoYaml> {
    let nodes: Vec<Spanned<Node>> =
        serde_saphyr::from_multiple(text).map_err(|problem| no_yaml(&problem))?;
    let document = |node: Spanned<Node>| {
        let mut lines = BTreeMap::new();
        let line = node.referenced.line();
        let value = node.value.into_value("", &mut lines);
        Document { value, line, lines }
    };
    Ok(nodes.into_iter().map(document).collect())
}

fn no_yaml(problem: &serde_saphyr::Error) -> NoYaml {
    NoYaml {
        line: problem.location().map(|location| location.line()),
        message: match problem.without_snippet() {
            serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
                format!("invalid YAML: duplicate key {key:?}")
            }
            serde_saphyr::Error::UnknownAnchor { .. } => {
                "invalid YAML: alias of an anchor that does not exist".to_owned()
            }
            serde_saphyr::Error::Eof { .. } => "invalid YAML: unexpected end".to_owned(),
            // The library's other texts may quote the file.
            _ => "invalid YAML".to_owned(),
        },
    }
}

/// A file that is none to read.
pub(crate) fn unusable(path: &Path, problem: &dyn fmt::Display) -> Error {
    Error::File {
        what: "the manifest",
        path: path.to_owned(),
        problem: problem.to_string(),
        hint: "a file, a folder or - for standard input is needed, with objects in YAML or JSON",
    }
}

/// A value that knows its lines.
enum Node {
    Map(Vec<(String, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Scalar(Value),
}

impl Node {
    /// The plain value. Notes the lines of what is in it.
    fn into_value(self, path: &str, lines: &mut BTreeMap<String, u64>) -> Value {
        match self {
            Self::Scalar(value) => value,
            Self::List(items) => {
                let item = |(index, item): (usize, Spanned<Self>)| {
                    let path = format!("{path}[{index}]");
                    lines.insert(path.clone(), item.referenced.line());
                    item.value.into_value(&path, lines)
                };
                Value::Array(items.into_iter().enumerate().map(item).collect())
            }
            Self::Map(fields) => {
                let field = |(name, field): (String, Spanned<Self>)| {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    lines.insert(path.clone(), field.referenced.line());
                    (name, field.value.into_value(&path, lines))
                };
                Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value).map_or(Value::Null, Value::Number);
        Ok(Node::Scalar(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_has_its_line() {
        let text = "# first\nkind: A\nspec:\n  devices:\n  - name: a\n    port: 8443\n  - name: b\n---\n---\nkind: B\n";
        let documents = documents(text).unwrap();
        let [first, second] = documents.as_slice() else {
            panic!("{documents:?}");
        };
        let devices = json!([{"name": "a", "port": 8443}, {"name": "b"}]);
        assert_eq!(
            first.value,
            json!({"kind": "A", "spec": {"devices": devices}})
        );
        assert_eq!(first.line_of("spec.devices[0].port"), 6);
        assert_eq!(first.line_of("spec.devices[1].port"), 7);
        assert_eq!(first.line_of("spec.tunnel.name"), first.line_of("spec"));
        assert_eq!(second.line_of("kind"), 10);
    }

    #[test]
    fn json_is_read_too() {
        let documents = documents(r#"{"kind": "A", "n": 1.5, "t": true, "x": null}"#).unwrap();
        let expected = json!({"kind": "A", "n": 1.5, "t": true, "x": null});
        assert_eq!(documents[0].value, expected);
    }

    #[test]
    fn invalid_yaml_names_its_line() {
        let error = documents("kind: A\n  b: {{ .Values.x }}\n").unwrap_err();
        assert!(error.line.is_some(), "{error}");
        assert!(!error.to_string().contains("Values"), "{error}");
    }

    #[test]
    fn duplicate_key_is_named_with_its_line() {
        let text = "spec:\n  credentialsSecretRef: {name: a}\n  credentialsSecretRef: {name: b}\n";
        assert_eq!(
            documents(text).unwrap_err().to_string(),
            "invalid YAML: duplicate key \"credentialsSecretRef\" (line 3)"
        );
    }

    #[test]
    fn folder_is_expanded_to_its_manifests() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        for name in ["b.yaml", "a.json", "notes.md", "below/c.yml"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |recursive| {
            let found = files(folder.path(), recursive).unwrap();
            let names = found.iter().map(|file| file.file_name().unwrap());
            names
                .map(|name| name.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["a.json", "b.yaml"]);
        assert_eq!(names(true), ["a.json", "b.yaml", "c.yml"]);
    }
}
