//! Label selectors as Kubernetes writes them on a command line: `pool=ingress,zone in (a,b),!gpu`.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Expression, Selector};

/// The selector that a text stands for, or what of it has no counterpart in an object.
pub(super) fn parse(text: &str) -> Result<LabelSelector, String> {
    let mut expressions: Vec<Expression> = Vec::new();
    let mut equal = BTreeSet::new();
    for part in parts(text) {
        let expression = expression(part.trim())?;
        // An object can ask a label for one value only; two that contradict each other select nothing.
        expressions.push(match expression {
            Expression::Equal(key, value) if !equal.insert(key.clone()) => {
                Expression::In(key, BTreeSet::from([value]))
            }
            other => other,
        });
    }
    Ok(Selector::from_iter(expressions).into())
}

/// The requirements: what commas separate that stand outside of parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let separates = move |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    };
    text.split(separates).collect()
}

fn expression(text: &str) -> Result<Expression, String> {
    if let Some(key) = text.strip_prefix('!') {
        return Ok(Expression::DoesNotExist(name(key)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Expression::NotEqual(name(key)?, word(value)?));
    }
    if let Some((key, value)) = text.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        return Ok(Expression::Equal(name(key)?, word(value)?));
    }
    let Some((head, values)) = text.split_once('(') else {
        return Ok(Expression::Exists(name(text)?));
    };
    let values = values.strip_suffix(')').ok_or_else(|| refused(text))?;
    let values = values.split(',').map(word).collect::<Result<_, _>>()?;
    match head.split_whitespace().collect::<Vec<_>>().as_slice() {
        [key, "in"] => Ok(Expression::In(name(key)?, values)),
        [key, "notin"] => Ok(Expression::NotIn(name(key)?, values)),
        _ => Err(refused(text)),
    }
}

fn name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a label has no name".to_owned()),
        name if is_plain(name) => Ok(name.to_owned()),
        other => Err(refused(other)),
    }
}

fn word(text: &str) -> Result<String, String> {
    let word = text.trim();
    if is_plain(word) && !word.contains('/') {
        Ok(word.to_owned())
    } else {
        Err(refused(word))
    }
}

fn is_plain(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    text.chars().all(is_allowed)
}

fn refused(text: &str) -> String {
    format!("{text:?} has no counterpart in nodes.selector")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_kubernetes_has_its_counterpart() {
        let selector =
            parse("pool=ingress, zone in (a, b),x notin (c),!gpu,edge,role!=db").unwrap();
        let expected = json!({
            "matchLabels": {"pool": "ingress"},
            "matchExpressions": [
                {"key": "zone", "operator": "In", "values": ["a", "b"]},
                {"key": "x", "operator": "NotIn", "values": ["c"]},
                {"key": "gpu", "operator": "DoesNotExist"},
                {"key": "edge", "operator": "Exists"},
                {"key": "role", "operator": "NotIn", "values": ["db"]},
            ],
        });
        assert_eq!(serde_json::to_value(selector).unwrap(), expected);
    }

    #[test]
    fn label_prefix_and_empty_value_are_kept() {
        let selector = parse("node-role.kubernetes.io/worker==").unwrap();
        let expected = json!({"matchLabels": {"node-role.kubernetes.io/worker": ""}});
        assert_eq!(serde_json::to_value(selector).unwrap(), expected);
    }

    #[test]
    fn contradicting_values_are_kept() {
        let selector = parse("a=b,a=c").unwrap();
        let expected = json!({
            "matchLabels": {"a": "b"},
            "matchExpressions": [{"key": "a", "operator": "In", "values": ["c"]}],
        });
        assert_eq!(serde_json::to_value(selector).unwrap(), expected);
    }

    #[test]
    fn unsupported_selector_is_refused() {
        for text in [
            "cores>4", "a=b,", "in (a)", "a in b", "a in (b", "a of (b)", "a=b c", "$(X)",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
