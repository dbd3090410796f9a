//! Takes out of objects what nobody else should read, and what says nothing. Knows no kind.

use serde_json::Value;

/// What stands for a value that was taken out.
const REDACTED: &str = "<redacted>";
/// Name of the operator's container.
const OPERATOR: &str = "operator";
/// Annotation in which `kubectl apply` keeps the whole object as it was typed.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The object without a second copy of itself.
pub(crate) fn bare(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        let annotations = metadata.get_mut("annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    object
}

/// The same without the values of environment variables, of headers that probes send, and of commands and
/// arguments, wherever containers are described. The operator's own arguments stay: none of them is a secret.
pub(crate) fn without_values(object: Value) -> Value {
    let mut object = bare(object);
    redact(&mut object);
    object
}

fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => {
            let is_operator = fields.get("name").is_some_and(|name| name == OPERATOR);
            for (name, field) in fields {
                match (name.as_str(), field) {
                    ("env" | "httpHeaders", Value::Array(items)) => {
                        items.iter_mut().for_each(redact_value);
                    }
                    ("args", Value::Array(_)) if is_operator => {}
                    ("args" | "command", Value::Array(words)) => words.fill(REDACTED.into()),
                    (_, field) => redact(field),
                }
            }
        }
        _ => {}
    }
}

fn redact_value(named: &mut Value) {
    if let Some(value) = named.get_mut("value") {
        *value = REDACTED.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn last_applied_copy_is_removed_other_annotations_stay() {
        let object = json!({"metadata": {
            "name": "x",
            "managedFields": [{"manager": "m"}],
            "annotations": {LAST_APPLIED: "{}", "bigip-tunnel.dev/paused": "true"},
        }});
        let expected = json!({"metadata": {
            "name": "x",
            "annotations": {"bigip-tunnel.dev/paused": "true"},
        }});
        assert_eq!(bare(object), expected);
    }

    #[test]
    fn environment_values_are_removed_and_references_stay() {
        let env = json!([
            {"name": "A", "value": "secret"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ]);
        let probe =
            json!({"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "secret"}]}});
        let pod = json!({
            "containers": [{"env": env, "livenessProbe": probe}],
            "initContainers": [{"env": env}],
            "ephemeralContainers": [{"env": env}],
        });
        let seen = without_values(json!({"spec": {"template": {"spec": pod}}})).to_string();
        assert!(!seen.contains("\"secret\""), "{seen}");
        assert_eq!(seen.matches(REDACTED).count(), 4);
        assert_eq!(seen.matches("secretKeyRef").count(), 3);
    }

    #[test]
    fn arguments_of_other_containers_are_redacted() {
        let other =
            json!({"name": "sidecar", "command": ["sh", "secret"], "args": ["--token=secret"]});
        let hook = json!({"preStop": {"exec": {"command": ["secret"]}}});
        let operator = json!({"name": "operator", "args": ["--listen=:8080"], "lifecycle": hook});
        let pod = json!({"containers": [operator, other], "initContainers": [other]});
        let seen = without_values(json!({"spec": pod})).to_string();
        assert!(!seen.contains("secret"), "{seen}");
        assert!(seen.contains("--listen=:8080"), "{seen}");
    }
}
