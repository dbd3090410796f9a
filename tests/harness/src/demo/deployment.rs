//! The Deployment of the operator, as the chart makes it. The operator itself is a process of the demo, which stands for
//! its only pod.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::DemoError;
use crate::objects;

/// Namespace of the operator.
pub(super) const NAMESPACE: &str = "bigip-system";
/// Name of Deployment and Lease.
pub(super) const NAME: &str = "bigip-tunnel-operator";

/// Makes it, with one replica that is ready.
pub(super) async fn create(client: &Client) -> Result<(), DemoError> {
    objects::create_namespace(client, NAMESPACE).await?;
    let version = env!("CARGO_PKG_VERSION");
    let labels = json!({"app.kubernetes.io/name": NAME, "app.kubernetes.io/version": version});
    let lease = format!("--lease-name={NAME}");
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": NAME, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{
                    "name": "operator",
                    "image": format!("ghcr.io/bigip-tunnel/operator:{version}"),
                    "args": ["--leader-elect=true", lease],
                }]},
            },
        },
    }))
    .map_err(kube::Error::SerdeError)?;
    let api: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    api.create(&PostParams::default(), &deployment).await?;
    let ready = json!({"status": {
        "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
    }});
    api.patch_status(NAME, &PatchParams::default(), &Patch::Merge(ready))
        .await?;
    Ok(())
}
