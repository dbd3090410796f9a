//! The kind `CiliumNode`, without the rules of its schema: for clusters in which no Cilium runs.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::wait::{Answer, Timeout, eventually};

/// The `CiliumNode`s of a cluster.
pub(crate) fn api(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("cilium.io", "v2", "CiliumNode");
    let resource = ApiResource::from_gvk_with_plural(&kind, "ciliumnodes");
    Api::all_with(client.clone(), &resource)
}

/// Installs the kind.
///
/// # Errors
///
/// The API server refuses it.
pub(crate) async fn install(client: &Client) -> Result<(), kube::Error> {
    let definition: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": "ciliumnodes.cilium.io"},
        "spec": {
            "group": "cilium.io", "scope": "Cluster",
            "names": {"kind": "CiliumNode", "plural": "ciliumnodes", "singular": "ciliumnode"},
            "versions": [{
                "name": "v2", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
        },
    }))
    .map_err(kube::Error::SerdeError)?;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .create(&PostParams::default(), &definition)
        .await?;
    Ok(())
}

/// Waits until the kind is served.
///
/// # Errors
///
/// It is not served within the limit.
pub(crate) async fn until_served(client: &Client, limit: Duration) -> Result<(), Timeout> {
    let api = api(client);
    let served = eventually("CiliumNodes served", limit, async || {
        let listed = api.list(&ListParams::default()).await;
        Answer::when(listed.is_ok(), |is_served| *is_served)
    });
    served.await.map(|_| ())
}
