//! The finalizer: keeps an object until its records are gone from the BIG-IPs.
//!
//! Set before the first device write, taken away when nothing is left to clean up.

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_crds::{FINALIZER, GROUP, MANAGER_OPERATOR};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;

use crate::kubernetes::{self, CallError, READ_DEADLINE, call};
use crate::lease::Leadership;

/// Whether the object carries the finalizer.
pub(crate) fn is_set(object: &BigIpTunnel) -> bool {
    object
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
}

/// Sets the finalizer.
pub(crate) async fn set(
    api: &Api<BigIpTunnel>,
    leadership: &Leadership,
    object: &BigIpTunnel,
) -> Result<(), CallError> {
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    write(api, leadership, object, finalizers).await
}

/// Takes the finalizer away; the API server then removes the object. Asks for the object first:
/// status writes have changed it since anybody has seen it. One that is gone is fine.
pub(crate) async fn clear(
    api: &Api<BigIpTunnel>,
    leadership: &Leadership,
    object: &BigIpTunnel,
) -> Result<(), CallError> {
    let current = call(READ_DEADLINE, api.get_opt(&object.name_any())).await?;
    let Some(current) = current.filter(|c| c.uid() == object.uid() && is_set(c)) else {
        return Ok(());
    };
    let others = current
        .finalizers()
        .iter()
        .filter(|f| *f != FINALIZER)
        .cloned()
        .collect();
    match write(api, leadership, &current, others).await {
        Err(error) if error.code() == Some(404) => Ok(()),
        result => result,
    }
}

/// Whether the definition of the resource itself is being removed, or is gone already.
pub(crate) async fn definition_is_going(client: &Client) -> Result<bool, CallError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = format!("{}.{}", BigIpTunnel::plural(&()), GROUP);
    let definition = call(READ_DEADLINE, api.get_metadata_opt(&name)).await?;
    Ok(definition.is_none_or(|definition| definition.metadata.deletion_timestamp.is_some()))
}

/// The resource version makes it a compare-and-swap: a finalizer that somebody else set in the
/// meantime is not lost.
async fn write(
    api: &Api<BigIpTunnel>,
    leadership: &Leadership,
    object: &BigIpTunnel,
    finalizers: Vec<String>,
) -> Result<(), CallError> {
    let name = object.name_any();
    // Without them the patch would be no compare-and-swap.
    let (Some(version), Some(uid)) = (object.resource_version(), object.uid()) else {
        return Err(CallError::NoResourceVersion);
    };
    let patch = Patch::Merge(json!({
        "metadata": {
            "finalizers": finalizers,
            "resourceVersion": version,
            "uid": uid,
        }
    }));
    let params = PatchParams {
        field_manager: Some(MANAGER_OPERATOR.into()),
        ..Default::default()
    };
    kubernetes::write(leadership, api.patch(&name, &params, &patch))
        .await
        .map(|_| ())
}
