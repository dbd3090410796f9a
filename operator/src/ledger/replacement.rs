//! (pure) The object as it is sent to replace its status.
//!
//! Claims are stored that way because a JSON patch costs the API server more the deeper it reaches: for each level of
//! its path the API server parses and prints everything below (*source:* `evanphx/json-patch`, `lazyNode`), and the
//! claims of a large cluster are nearly all of the object. Knows nothing of when it is sent.

use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;
use serde::Serialize;

use super::patch::PatchError;

/// What replaces the status. The API server takes nothing else of it, so the spec is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replacement<'a> {
    api_version: String,
    kind: String,
    metadata: &'a ObjectMeta,
    status: BigIpTunnelStatus,
}

/// The metadata of an object, as far as a replacement repeats it: all but the managed fields, which the API
/// server keeps itself. Labels, annotations and finalizers have to be repeated: of one that is missing the API server
/// forgets which client manages it, though the field stays (*seen* on Kubernetes 1.35).
pub(super) fn repeated(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        managed_fields: None,
        ..metadata.clone()
    }
}

impl<'a> Replacement<'a> {
    /// Replaces the status of the object with this metadata, as long as its resource version is this one.
    ///
    /// # Errors
    ///
    /// No resource version: the write would be no compare-and-swap.
    pub(super) fn of(
        metadata: &'a ObjectMeta,
        status: BigIpTunnelStatus,
    ) -> Result<Self, PatchError> {
        if metadata.resource_version.is_none() {
            return Err(PatchError::NoResourceVersion);
        }
        Ok(Self {
            api_version: BigIpTunnel::api_version(&()).into_owned(),
            kind: BigIpTunnel::kind(&()).into_owned(),
            metadata,
            status,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn replaced(object: &Value) -> Value {
        let object: BigIpTunnel = serde_json::from_value(object.clone()).unwrap();
        let metadata = repeated(&object.metadata);
        let replacement = Replacement::of(&metadata, object.status.unwrap()).unwrap();
        serde_json::to_value(replacement).unwrap()
    }

    fn object() -> Value {
        json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1", "kind": "BigIpTunnel",
            "metadata": {
                "name": "prod", "namespace": "bigip", "uid": "uid", "resourceVersion": "7",
                "labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["e/f"],
                "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}],
            },
            "spec": {"devices": [], "tunnel": {"name": "t"}},
            "status": {"observedGeneration": 3, "ownership": {"uid": "uid"}},
        })
    }

    #[test]
    fn replacement_repeats_all_but_spec_and_managed_fields() {
        let mut sent = object();
        sent["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
        let mut expected = object();
        expected.as_object_mut().unwrap().remove("spec");
        assert_eq!(replaced(&sent), expected);
    }

    #[test]
    fn replacement_keeps_fields_of_newer_versions() {
        let mut newer = object();
        newer["status"]["provisioning"] = json!({"plan": [1, {"a": null}]});
        let sent = replaced(&newer);
        assert_eq!(sent["status"], newer["status"]);
    }

    #[test]
    fn object_without_resource_version_is_not_replaced() {
        let metadata = ObjectMeta::default();
        let refused = Replacement::of(&metadata, BigIpTunnelStatus::default());
        assert!(matches!(refused.err(), Some(PatchError::NoResourceVersion)));
    }
}
