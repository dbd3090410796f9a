//! The nodes that a selector in an object of Cilium selects.

use std::collections::BTreeSet;
use std::sync::Arc;

use bigip_tunnel_cilium::seen::{Node, Scope};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt as _};
use serde_json::Value;

/// No node.
pub(super) fn nothing() -> Scope {
    Scope::Some {
        selector: "no selector".to_owned(),
        nodes: Arc::default(),
    }
}

/// The nodes of a selector.
pub(super) fn scope(written: &Value, nodes: Option<&[Arc<Node>]>) -> Scope {
    let parsed: Option<LabelSelector> = serde_json::from_value(written.clone()).ok();
    let selector = parsed.as_ref().map(shown).unwrap_or_default();
    let parsed: Option<Selector> = parsed.and_then(|parsed| parsed.try_into().ok());
    match (parsed, nodes) {
        (Some(parsed), _) if parsed.selects_all() => Scope::All,
        (Some(parsed), Some(nodes)) => {
            let nodes = nodes.iter().filter(|node| parsed.matches(&node.labels));
            let nodes: BTreeSet<String> = nodes.map(|node| node.name.clone()).collect();
            Scope::Some {
                selector,
                nodes: nodes.into(),
            }
        }
        _ => Scope::Unknown { selector },
    }
}

/// A selector as `kubectl` writes it.
fn shown(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten();
    let labels = labels.map(|(key, value)| format!("{key}={value}"));
    let expressions = selector
        .match_expressions
        .iter()
        .flatten()
        .map(|expression| {
            let values = expression.values.as_deref().unwrap_or_default().join(",");
            match (expression.operator.as_str(), expression.key.as_str()) {
                ("In", key) => format!("{key} in ({values})"),
                ("NotIn", key) => format!("{key} notin ({values})"),
                ("Exists", key) => key.to_owned(),
                (_, key) => format!("!{key}"),
            }
        });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}
