//! Whether the Secrets that stand beside tunnels let their passwords be sent to the devices.
//!
//! Reads annotations only, no value of a Secret.

use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::{Level, Problem};
use crate::catalogue::BTN0114;
use crate::manifest::Document;

/// The Secrets of some documents, without their data.
#[derive(Default)]
pub(crate) struct Secrets(Vec<Secret>);

impl Secrets {
    /// Takes in those of the documents of a file.
    pub(crate) fn extend(&mut self, documents: &[Document]) {
        for document in documents {
            self.note(&document.value);
        }
    }

    fn note(&mut self, object: &Value) {
        let is =
            |field: &str, wanted: &str| object.get(field).and_then(Value::as_str) == Some(wanted);
        if is("kind", "List") {
            let items = object.get("items").and_then(Value::as_array);
            items.into_iter().flatten().for_each(|item| self.note(item));
        }
        if is("kind", "Secret") && is("apiVersion", "v1") {
            let metadata = json!({ "metadata": object.get("metadata") });
            self.0.extend(serde_json::from_value::<Secret>(metadata));
        }
    }

    /// What each device of a tunnel has to fear of its Secret, if that is among them.
    pub(super) fn problems(&self, tunnel: &BigIpTunnel) -> Vec<Problem> {
        let spec = &tunnel.spec;
        let mut problems = Vec::new();
        for (index, device) in spec.devices.iter().enumerate() {
            let (Ok(name), Ok(port)) = (convert::secret_name(device, spec), convert::port(device))
            else {
                continue;
            };
            let Some(secret) = self.find(tunnel.metadata.namespace.as_deref(), name) else {
                continue;
            };
            let sharing = convert::devices_with_secret(spec, name);
            let checked = convert::check_binding(secret, (&device.address, port), &sharing);
            problems.extend(checked.err().map(|problem| Problem {
                level: Level::Error,
                path: format!("spec.devices[{index}].address"),
                message: problem.to_string(),
                code: Some(BTN0114),
            }));
        }
        problems
    }

    fn find(&self, namespace: Option<&str>, name: &str) -> Option<&Secret> {
        self.0.iter().find(|secret| {
            let metadata = &secret.metadata;
            metadata.namespace.as_deref() == namespace && metadata.name.as_deref() == Some(name)
        })
    }
}
