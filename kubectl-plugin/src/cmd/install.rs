//! `install`: what installs the operator of this version. Asks no cluster and changes none.

use std::borrow::Cow;
use std::io::Write;

use crate::cli::InstallArgs;
use crate::connection::Connection;
use crate::error::{Error, Outcome};

/// What the chart installs with its default values.
const MANIFEST: &str = include_str!("../../../config/default/install.yaml");
/// What it installs besides where CiliumVTEPConfigs are to be written.
const MANAGE_CILIUM: &str = include_str!("../../../config/default/manage-cilium.yaml");
/// The argument of the operator that goes with it, and the one behind which it stands.
const FEATURE_GATE: &str = "--feature-gates=VTEPConfig=true";
const CILIUM_NAMESPACE: &str = "--cilium-namespace=";
/// The namespace in it.
const NAMESPACE: &str = "bigip-system";

/// The image in it, before its tag.
const IMAGE: &str = "ghcr.io/bigip-tunnel/operator:";

/// Runs the verb.
pub(crate) fn run(
    connection: &Connection,
    args: &InstallArgs,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let mut text = Cow::Borrowed(MANIFEST);
    if args.manage_cilium {
        text = with_manage_cilium(MANIFEST).into();
    }
    if let Some(name) = connection.namespace.as_deref() {
        if !is_namespace(name) {
            return Err(Error::NoNamespace(name.to_owned()));
        }
        // In quotes: a name of digits only is a number without them.
        text = text.replace(NAMESPACE, &format!("\"{name}\"")).into();
    }
    if let Some(image) = &args.image {
        let ours = format!("{IMAGE}{}", env!("CARGO_PKG_VERSION"));
        text = text.replace(&ours, image).into();
    }
    out.write_all(text.as_bytes())?;
    Ok(Outcome::Fine)
}

/// The manifest with the rights to write CiliumVTEPConfigs, and the argument that has the operator do so.
fn with_manage_cilium(manifest: &str) -> String {
    let line = |line: &str| match line.split_once(CILIUM_NAMESPACE) {
        Some((before, _)) => format!("{line}\n{before}{FEATURE_GATE}\n"),
        None => format!("{line}\n"),
    };
    manifest.lines().map(line).collect::<String>() + MANAGE_CILIUM
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
        let text = printed(|out| run(&connection, &args(None), out).map(|_| ()));
        serde_saphyr::from_multiple(&text).unwrap()
    }

    fn args(image: Option<&str>) -> InstallArgs {
        InstallArgs {
            export: true,
            manage_cilium: false,
            image: image.map(str::to_owned),
        }
    }

    fn image_of(objects: &[Value]) -> &Value {
        let deployment = objects.iter().find(|o| o["kind"] == "Deployment").unwrap();
        &deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    }

    #[test]
    fn named_image_replaces_the_usual_one() {
        let image = "registry.example.com:5000/bigip-tunnel/operator:1";
        let text = printed(|out| run(&Connection::default(), &args(Some(image)), out).map(|_| ()));
        let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(image_of(&objects), image);
        let usual = exported(None);
        let place = objects
            .iter()
            .position(|o| o["kind"] == "Deployment")
            .unwrap();
        objects[place].clone_from(&usual[place]);
        assert!(objects == usual, "nothing else differs");
    }

    #[test]
    fn rights_over_vtep_configs_are_printed_on_request() {
        let asked = InstallArgs {
            manage_cilium: true,
            ..args(None)
        };
        let text = printed(|out| run(&Connection::default(), &asked, out).map(|_| ()));
        let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let usual = exported(None);
        let more = objects.split_off(usual.len());
        let kinds: Vec<&Value> = more.iter().map(|object| &object["kind"]).collect();
        assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding"]);
        let verbs = serde_json::json!(["list", "create", "patch", "delete"]);
        assert_eq!(more[0]["rules"][0]["verbs"], verbs);
        let at = usual
            .iter()
            .position(|o| o["kind"] == "Deployment")
            .unwrap();
        let arguments = &mut objects[at]["spec"]["template"]["spec"]["containers"][0]["args"];
        let arguments = arguments.as_array_mut().unwrap();
        arguments.retain(|argument| argument != FEATURE_GATE);
        assert!(objects == usual, "nothing else differs");
        assert_eq!(
            text.matches(FEATURE_GATE).count(),
            1 + MANAGE_CILIUM.matches(FEATURE_GATE).count()
        );
        assert!(
            !printed(|out| run(&Connection::default(), &args(None), out).map(|_| ()))
                .contains(FEATURE_GATE)
        );
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
    fn operator_has_the_version_of_the_plugin() {
        let objects = exported(None);
        let image = image_of(&objects);
        let version = format!(":{}", env!("CARGO_PKG_VERSION"));
        assert!(image.as_str().unwrap().ends_with(&version), "{image}");
    }

    #[test]
    fn namespace_option_replaces_every_default_namespace() {
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
    fn invalid_namespace_is_refused() {
        for name in ["", "Bigip", "bigip_system", "-a", "a-", &"a".repeat(64)] {
            let connection = Connection {
                namespace: Some(name.to_owned()),
                ..Connection::default()
            };
            let error = run(&connection, &args(None), &mut Vec::new()).unwrap_err();
            assert_eq!(error.code(), 2, "{name}");
        }
    }
}
