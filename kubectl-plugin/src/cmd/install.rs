//! `install`: what installs the operator of this version. Asks no cluster and changes none.

use std::io::Write;

use crate::connection::Connection;
use crate::error::{Error, Outcome};

/// What the chart installs with its default values.
const MANIFEST: &str = include_str!("../../../config/default/install.yaml");
/// The namespace in it.
const NAMESPACE: &str = "bigip-system";

/// Runs the verb.
pub(crate) fn run(connection: &Connection, out: &mut dyn Write) -> Result<Outcome, Error> {
    match connection.namespace.as_deref() {
        None => out.write_all(MANIFEST.as_bytes())?,
        Some(name) if is_namespace(name) => {
            // In quotes: a name of digits only is a number without them.
            let text = MANIFEST.replace(NAMESPACE, &format!("\"{name}\""));
            out.write_all(text.as_bytes())?;
        }
        Some(name) => return Err(Error::NoNamespace(name.to_owned())),
    }
    Ok(Outcome::Fine)
}

/// Whether a namespace can have this name (RFC 1123).
fn is_namespace(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_edge = |c: char| c != '-';
    (1..=63).contains(&name.len())
        && name.chars().all(is_allowed)
        && name.starts_with(is_edge)
        && name.ends_with(is_edge)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::testing::printed;

    fn exported(namespace: Option<&str>) -> Vec<Value> {
        let connection = Connection {
            namespace: namespace.map(str::to_owned),
            ..Connection::default()
        };
        let text = printed(|out| run(&connection, out).map(|_| ()));
        serde_saphyr::from_multiple(&text).unwrap()
    }

    #[test]
    fn everything_that_the_operator_needs_is_printed() {
        let kinds: Vec<Value> = exported(None)
            .into_iter()
            .map(|object| object["kind"].clone())
            .collect();
        for kind in [
            "Namespace",
            "CustomResourceDefinition",
            "ServiceAccount",
            "ClusterRole",
            "Role",
            "Deployment",
        ] {
            assert!(kinds.iter().any(|found| found == kind), "{kind}");
        }
    }

    #[test]
    fn the_operator_is_that_of_the_plugins_version() {
        let objects = exported(None);
        let deployment = objects.iter().find(|o| o["kind"] == "Deployment").unwrap();
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        let version = format!(":{}", env!("CARGO_PKG_VERSION"));
        assert!(image.as_str().unwrap().ends_with(&version), "{image}");
    }

    #[test]
    fn another_namespace_stands_wherever_the_usual_one_does() {
        for name in ["network-team", "123"] {
            let mut text = serde_json::to_string(&exported(Some(name))).unwrap();
            assert!(!text.contains(NAMESPACE));
            text = text.replace(&format!("\"{name}\""), &format!("\"{NAMESPACE}\""));
            assert!(
                text == serde_json::to_string(&exported(None)).unwrap(),
                "{name}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_namespace_is_refused() {
        for name in ["", "Bigip", "bigip_system", "-a", "a-", &"a".repeat(64)] {
            let connection = Connection {
                namespace: Some(name.to_owned()),
                ..Connection::default()
            };
            let error = run(&connection, &mut Vec::new()).unwrap_err();
            assert_eq!(error.code(), 2, "{name}");
        }
    }
}
