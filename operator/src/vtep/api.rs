//! The requests about CiliumVTEPConfigs: which shape is served, the list, the write, the removal.
//!
//! A write is a server-side apply that is never forced, at the resource version that was read. Decides nothing.

use bigip_tunnel_cilium::manage::Write;
use bigip_tunnel_cilium::render::Shape;
use bigip_tunnel_crds::{ANNOTATION_OWNER_UID, LABEL_MANAGED_BY, MANAGER_OPERATOR};
use kube::api::{
    ApiResource, DeleteParams, GroupVersionKind, ListParams, Patch, PatchParams, Preconditions,
};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::kubernetes::{self, CallError, READ_DEADLINE, call};
use crate::lease::Leadership;

const KIND: &str = "CiliumVTEPConfig";
const PLURAL: &str = "ciliumvtepconfigs";
/// Objects per page. There is room for 8 entries in an agent's table.
const PAGE_SIZE: u32 = 500;

/// The CiliumVTEPConfigs in the version that is served.
pub(super) struct VtepConfigs {
    api: Api<DynamicObject>,
    pub(super) shape: Shape,
}

/// An object that exists, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) uid: String,
    pub(super) resource_version: String,
}

impl Version {
    /// `None` of an object without uid or resource version.
    pub(super) fn of(object: &DynamicObject) -> Option<Self> {
        Some(Self {
            uid: object.metadata.uid.clone()?,
            resource_version: object.metadata.resource_version.clone()?,
        })
    }
}

impl VtepConfigs {
    /// Those of the first version that is served. `None`: of none.
    pub(super) async fn find(client: &Client) -> Result<Option<Self>, CallError> {
        for shape in [Shape::V2, Shape::V2Alpha1] {
            let version = shape.version();
            let group = format!("cilium.io/{version}");
            let listed = call(READ_DEADLINE, client.list_api_group_resources(&group)).await;
            let resources = match listed {
                Ok(listed) => listed.resources,
                Err(error) if error.code() == Some(404) => continue,
                Err(error) => return Err(error),
            };
            if resources.iter().any(|resource| resource.name == PLURAL) {
                let kind = GroupVersionKind::gvk("cilium.io", version, KIND);
                let resource = ApiResource::from_gvk_with_plural(&kind, PLURAL);
                return Ok(Some(Self {
                    api: Api::all_with(client.clone(), &resource),
                    shape,
                }));
            }
        }
        Ok(None)
    }

    /// Whether an object may have one mask for all networks: one revision of `cilium.io/v2` adds it.
    pub(super) fn may_have_mask(&self) -> bool {
        self.shape == Shape::V2
    }

    /// All of them.
    pub(super) async fn list(&self) -> Result<Vec<DynamicObject>, CallError> {
        let mut page = ListParams::default().limit(PAGE_SIZE);
        let mut objects = Vec::new();
        loop {
            let listed = call(READ_DEADLINE, self.api.list(&page)).await?;
            objects.extend(listed.items);
            match listed.metadata.continue_ {
                Some(token) if !token.is_empty() => page = page.continue_token(&token),
                _ => return Ok(objects),
            }
        }
    }

    /// Writes an object, or only has the API server say what would come of it. `at`: what it is now, if it exists.
    pub(super) async fn apply(
        &self,
        leadership: &Leadership,
        write: &Write,
        owner: &str,
        at: Option<&Version>,
        is_trial: bool,
    ) -> Result<DynamicObject, CallError> {
        let params = PatchParams {
            dry_run: is_trial,
            ..PatchParams::apply(MANAGER_OPERATOR)
        };
        let patch = Patch::Apply(body(write, self.shape, owner, at));
        let request = self.api.patch(&write.object.name, &params, &patch);
        kubernetes::write(leadership, request).await
    }

    /// Removes exactly the object that was read.
    pub(super) async fn delete(
        &self,
        leadership: &Leadership,
        name: &str,
        at: Version,
    ) -> Result<(), CallError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(at.uid),
                resource_version: Some(at.resource_version),
            }),
            ..DeleteParams::default()
        };
        let request = self.api.delete(name, &params);
        kubernetes::write(leadership, request).await.map(|_| ())
    }
}

/// The object as it is sent.
fn body(write: &Write, shape: Shape, owner: &str, at: Option<&Version>) -> Value {
    let Write { object, mask } = write;
    let entries: Vec<Value> = object
        .entries
        .iter()
        .map(|entry| {
            json!({
                "name": entry.name,
                "tunnelEndpoint": entry.endpoint,
                "cidr": entry.cidr,
                "mac": entry.mac,
            })
        })
        .collect();
    let mut metadata = json!({
        "name": object.name,
        "labels": {LABEL_MANAGED_BY: MANAGER_OPERATOR},
        "annotations": {ANNOTATION_OWNER_UID: owner},
    });
    if let (Some(at), Some(metadata)) = (at, metadata.as_object_mut()) {
        metadata.insert("uid".to_owned(), json!(at.uid));
        metadata.insert("resourceVersion".to_owned(), json!(at.resource_version));
    }
    let mut spec = json!({ shape.list(): entries });
    if let (Some(mask), Some(spec)) = (mask, spec.as_object_mut()) {
        spec.insert("cidrMask".to_owned(), json!(mask));
    }
    json!({
        "apiVersion": format!("cilium.io/{}", shape.version()),
        "kind": KIND,
        "metadata": metadata,
        "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_cilium::objects::Object;
    use bigip_tunnel_cilium::vtep::WrittenEntry;

    use super::*;

    fn write(mask: Option<&str>) -> Write {
        Write {
            object: Object {
                name: "bigip-tunnel.bigip.east".to_owned(),
                entries: vec![WrittenEntry {
                    name: "a".to_owned(),
                    endpoint: "10.9.0.1".to_owned(),
                    cidr: "10.1.1.0/24".to_owned(),
                    mac: "02:00:00:00:00:01".to_owned(),
                }],
            },
            mask: mask.map(str::to_owned),
        }
    }

    #[test]
    fn object_is_sent_in_its_shape_with_the_marks() {
        let entry = json!({
            "name": "a", "tunnelEndpoint": "10.9.0.1", "cidr": "10.1.1.0/24", "mac": "02:00:00:00:00:01",
        });
        let mut expected = json!({
            "apiVersion": "cilium.io/v2alpha1", "kind": "CiliumVTEPConfig",
            "metadata": {
                "name": "bigip-tunnel.bigip.east",
                "labels": {"app.kubernetes.io/managed-by": "bigip-tunnel-operator"},
                "annotations": {"bigip-tunnel.dev/owner-uid": "u"},
            },
            "spec": {"vtepEndpoints": [entry]},
        });
        assert_eq!(body(&write(None), Shape::V2Alpha1, "u", None), expected);
        expected["apiVersion"] = json!("cilium.io/v2");
        expected["spec"] = json!({"endpoints": [entry], "cidrMask": "255.255.255.0"});
        expected["metadata"]["uid"] = json!("object");
        expected["metadata"]["resourceVersion"] = json!("7");
        let at = Version {
            uid: "object".to_owned(),
            resource_version: "7".to_owned(),
        };
        let masked = write(Some("255.255.255.0"));
        assert_eq!(body(&masked, Shape::V2, "u", Some(&at)), expected);
    }
}
