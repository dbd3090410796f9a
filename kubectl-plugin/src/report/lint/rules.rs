//! The rules of the CRD, as the API server applies them: names and fields, the schema, lists that are
//! maps, and the rules in CEL. Then what the operator would refuse, and advice.

use std::collections::BTreeSet;

use bigip_tunnel_crds::schema;
use jsonschema::paths::LocationSegment;
use kube_cel::{CompiledSchema, Validator, apply_defaults, compile_schema};
use serde_json::{Value, json};

use super::{Problem, Secrets, advice};

/// What is served: the only version, and the only kind.
const API_VERSION: &str = "bigip-tunnel.dev/v1alpha1";
const KIND: &str = "BigIpTunnel";
/// A name that is so much alike is probably meant.
const ALIKE: f64 = 0.7;

/// The rules, ready to be applied.
pub(crate) struct Rules {
    schema: Value,
    validator: jsonschema::Validator,
    cel: CompiledSchema,
}

impl Rules {
    /// The rules of the CRD that this program knows. `None` if its own CRD makes no sense.
    pub(crate) fn new() -> Option<Self> {
        let crd = schema::crd();
        let version = crd.spec.versions.into_iter().next()?;
        let schema = version.schema?.open_api_v3_schema?;
        let mut schema = serde_json::to_value(schema).ok()?;
        // The API server takes what it has written into the status itself, and nobody lints it.
        schema
            .get_mut("properties")?
            .as_object_mut()?
            .remove("status");
        Some(Self {
            validator: jsonschema::draft4::new(&schema).ok()?,
            cel: compile_schema(&schema),
            schema,
        })
    }

    /// What is wrong with an object of our group.
    pub(super) fn problems(&self, object: &Value, secrets: &Secrets) -> Vec<Problem> {
        let mut problems = identity(object);
        if !problems.is_empty() {
            return problems;
        }
        let mut object = object.clone();
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        unknown_fields("", &object, &self.schema, &mut problems);
        let object = apply_defaults(&self.schema, &object);
        problems.extend(self.validator.iter_errors(&object).map(|error| {
            let path = path(error.instance_path());
            Problem::error(path, error.to_string())
        }));
        duplicates("", &object, &self.schema, &mut problems);
        // The API server does not apply rules to what has not even the right form.
        if !problems.is_empty() {
            return problems;
        }
        let refused = Validator::new().validate_compiled(&self.cel, &object, None);
        let refused = refused.err().into_iter().flatten();
        problems.extend(refused.map(|error| Problem::error(error.field_path, error.message)));
        if problems.is_empty() {
            problems.extend(advice::problems(&object, secrets));
        }
        problems
    }
}

/// Whether it is an object that the API server knows, with a name that an object can have.
fn identity(object: &Value) -> Vec<Problem> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let mut problems = Vec::new();
    if text("/kind") != Some(KIND) {
        problems.push(Problem::error("kind", format!("must be {KIND}")));
    }
    if text("/apiVersion") != Some(API_VERSION) {
        problems.push(Problem::error(
            "apiVersion",
            format!("must be {API_VERSION}"),
        ));
    }
    match (text("/metadata/name"), text("/metadata/generateName")) {
        (None, None) => problems.push(Problem::error("metadata.name", "is missing")),
        (Some(name), _) if !is_subdomain(name) => problems.push(Problem::error(
            "metadata.name",
            "must consist of lower case letters, digits, '-' and '.', and begin and end with a letter or \
             digit",
        )),
        _ => {}
    }
    problems
}

/// Whether an object can have this name (RFC 1123 subdomain, as Kubernetes has it).
fn is_subdomain(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        label.starts_with(is_letter)
            && label.ends_with(is_letter)
            && label.chars().all(|c| is_letter(c) || c == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Fields that the schema does not know: the API server drops them, or with kubectl refuses them.
fn unknown_fields(path: &str, value: &Value, schema: &Value, problems: &mut Vec<Problem>) {
    if let Some(items) = value.as_array() {
        let below = schema.get("items").unwrap_or(&Value::Null);
        for (index, item) in items.iter().enumerate() {
            unknown_fields(&format!("{path}[{index}]"), item, below, problems);
        }
    }
    let (Some(fields), Some(known)) = (
        value.as_object(),
        schema.get("properties").and_then(Value::as_object),
    ) else {
        return;
    };
    for (name, field) in fields {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        match known.get(name) {
            Some(schema) => unknown_fields(&path, field, schema, problems),
            // Of what every object has, the schema says nothing.
            None if matches!(&*path, "apiVersion" | "kind" | "metadata") => {}
            None => {
                let alike = known.keys().max_by(|a, b| {
                    let likeness = |known: &str| strsim::jaro_winkler(known, name);
                    likeness(a).total_cmp(&likeness(b))
                });
                let hint = alike
                    .filter(|known| strsim::jaro_winkler(known, name) >= ALIKE)
                    .map(|known| format!("; is {known} meant?"));
                let message = format!("unknown field{}", hint.unwrap_or_default());
                problems.push(Problem::error(path, message));
            }
        }
    }
}

/// Items of a list that is a map, with one key.
fn duplicates(path: &str, value: &Value, schema: &Value, problems: &mut Vec<Problem>) {
    for (name, below) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(field) = value.get(name) {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            duplicates(&path, field, below, problems);
        }
    }
    let Some(items) = value.as_array() else {
        return;
    };
    let keys = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array);
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(below) = schema.get("items") {
            duplicates(&path, item, below, problems);
        }
        if let Some(keys) = keys {
            let key = keys
                .iter()
                .filter_map(Value::as_str)
                .map(|key| item.get(key));
            let key = json!(key.collect::<Vec<_>>()).to_string();
            if !seen.insert(key) {
                problems.push(Problem::error(path, "is there twice"));
            }
        }
    }
}

/// A place in an object as Kubernetes writes it.
fn path(location: &jsonschema::paths::Location) -> String {
    let segments = location.into_iter().map(|segment| match segment {
        LocationSegment::Property(name) => format!(".{name}"),
        LocationSegment::Index(index) => format!("[{index}]"),
    });
    let path: String = segments.collect();
    path.trim_start_matches('.').to_owned()
}
