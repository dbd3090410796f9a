//! What a support bundle is made of: objects as the API server gives them, each kind for itself.
//!
//! The one place that reads Secrets for it, of which nothing but an outline leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Secret};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, LogParams, TypeMeta};
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use super::Cluster;
use crate::error::Error;
use crate::report::bundle::outline::{NodeOutline, SecretOutline};

/// A kind of object that is read as it is.
pub(crate) struct Resource {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
}

pub(crate) const TUNNELS: Resource = Resource::new(
    "bigip-tunnel.dev",
    "v1alpha1",
    "BigIpTunnel",
    "bigiptunnels",
);
pub(crate) const DEPLOYMENTS: Resource = Resource::new("apps", "v1", "Deployment", "deployments");
pub(crate) const PODS: Resource = Resource::new("", "v1", "Pod", "pods");
/// `CiliumVTEPConfig`, in all versions that Cilium has had it in.
pub(crate) const VTEP_CONFIGS: [Resource; 2] = [
    Resource::new("cilium.io", "v2", "CiliumVTEPConfig", "ciliumvtepconfigs"),
    Resource::new(
        "cilium.io",
        "v2alpha1",
        "CiliumVTEPConfig",
        "ciliumvtepconfigs",
    ),
];

impl Resource {
    const fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self {
            group,
            version,
            kind,
            plural,
        }
    }
}

impl Cluster {
    /// The version of Kubernetes.
    pub(crate) async fn version(&self) -> Result<String, Error> {
        let version = self.call("get", "version", self.client.apiserver_version());
        Ok(version.await?.git_version)
    }

    /// The objects of a kind with these labels, in this namespace or in all.
    pub(crate) async fn raw(
        &self,
        kind: &Resource,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<Value>, Error> {
        let params = ListParams::default().labels(labels);
        let whole = |object| whole(kind, object);
        self.list_all(&self.raw_api(kind, namespace), params, kind.plural, whole)
            .await
    }

    /// A tunnel of the current namespace.
    pub(crate) async fn raw_tunnel(&self, name: &str) -> Result<Value, Error> {
        let api = self.raw_api(&TUNNELS, Some(&self.namespace));
        match self.call("get", TUNNELS.plural, api.get_opt(name)).await? {
            Some(tunnel) => Ok(whole(&TUNNELS, tunnel)),
            None => Err(self.missing(&self.namespace, name).await),
        }
    }

    fn raw_api(&self, kind: &Resource, namespace: Option<&str>) -> Api<DynamicObject> {
        let named = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
        let resource = ApiResource::from_gvk_with_plural(&named, kind.plural);
        let client = self.client.clone();
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }

    /// What concerns tunnels of all nodes.
    pub(crate) async fn node_outlines(&self) -> Result<Vec<NodeOutline>, Error> {
        let (api, all) = (Api::<Node>::all(self.client.clone()), ListParams::default());
        self.list_all(&api, all, "nodes", NodeOutline::from).await
    }

    /// The outline of a Secret, if there is one of this name.
    pub(crate) async fn secret_outline(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<SecretOutline, Error> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = self.call("get", "secrets", api.get_opt(name)).await?;
        Ok(SecretOutline::new(namespace, name, secret.as_ref()))
    }

    /// The values of a ConfigMap, if there is one of this name.
    pub(crate) async fn config_map(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, Error> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let object = self.call("get", "configmaps", api.get_opt(name)).await?;
        Ok(object.map(|object| object.data.unwrap_or_default()))
    }

    /// What a container has logged, from the beginning of that time on.
    pub(crate) async fn log(
        &self,
        (namespace, pod, container): (&str, &str, &str),
        since: Option<Duration>,
        is_previous: bool,
        limit_bytes: usize,
    ) -> Result<String, Error> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let params = LogParams {
            container: Some(container.to_owned()),
            limit_bytes: i64::try_from(limit_bytes).ok(),
            previous: is_previous,
            since_seconds: since.and_then(|since| i64::try_from(since.as_secs()).ok()),
            ..LogParams::default()
        };
        let log = self.call("get", "pods/log", api.logs(pod, &params)).await;
        log.map_err(|error| match error {
            Error::NoCrd => Error::Refused {
                verb: "get",
                what: "pods/log",
                message: "the pod is gone".to_owned(),
            },
            error => error,
        })
    }
}

/// An object of a list does not say itself what it is.
fn whole(kind: &Resource, mut object: DynamicObject) -> Value {
    object.managed_fields_mut().clear();
    object.types.get_or_insert_with(|| TypeMeta {
        api_version: [kind.group, kind.version]
            .join("/")
            .trim_matches('/')
            .to_owned(),
        kind: kind.kind.to_owned(),
    });
    // An object that came as JSON goes as JSON.
    serde_json::to_value(object).unwrap_or_default()
}
