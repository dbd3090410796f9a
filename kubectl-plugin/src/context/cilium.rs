//! Cilium's part of the evidence for `check`: each kind read for itself, in the versions that are served.

use std::sync::Arc;

use bigip_tunnel_cilium::policies::Policy;
use bigip_tunnel_cilium::render::Shape;
use bigip_tunnel_cilium::seen::{
    Agent, Cluster as Seen, ConfigMap, Node, NodeConfig, Readable, VtepNode,
};
use bigip_tunnel_cilium::vtep::VtepObject;
use bigip_tunnel_crds::cilium::AgentPod;
use bigip_tunnel_crds::convert;
use k8s_openapi::api::core::v1;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DynamicObject, ListParams};

use super::evidence::{known, optional};
use super::{CILIUM_CONFIG, CILIUM_NAMESPACES, Cluster};
use crate::error::Error;

/// Label of Cilium's agents.
const CILIUM_AGENTS: &str = "k8s-app=cilium";
/// Versions of Cilium's API in which its newer kinds are served, the first one that is.
const VERSIONS: [&str; 2] = ["v2", "v2alpha1"];

impl Cluster {
    /// Everything about Cilium and the nodes. `namespace`: the one of Cilium, if it is named.
    pub(crate) async fn cilium_seen(&self, namespace: Option<&str>) -> Result<Seen, Error> {
        let nodes = optional(self.nodes_seen().await)?;
        let namespaces = namespace.map_or(CILIUM_NAMESPACES.to_vec(), |named| vec![named]);
        let config = self.cilium_config(&namespaces).await?;
        let found = config.as_ref().ok().and_then(Option::as_ref);
        let place = found.map(|config| config.namespace.clone());
        Ok(Seen {
            namespaces: namespaces.into_iter().map(str::to_owned).collect(),
            node_configs: self.node_configs(place.as_deref(), &nodes).await?,
            config,
            vtep_objects: self.vtep_objects(&nodes).await?,
            vtep_nodes: self.vtep_nodes().await?,
            agents: optional(self.cilium_agents().await)?,
            policies: Some(optional(self.policies_seen().await)?),
            cilium_nodes: known(self.cilium_nodes_seen().await)?,
            nodes,
        })
    }

    async fn cilium_config(
        &self,
        namespaces: &[&str],
    ) -> Result<Readable<Option<ConfigMap>>, Error> {
        let mut unread = None;
        for namespace in namespaces {
            let api: Api<v1::ConfigMap> = Api::namespaced(self.client.clone(), namespace);
            let read = self.call("get", "configmaps", api.get_opt(CILIUM_CONFIG));
            match optional(read.await)? {
                Ok(Some(config)) => {
                    return Ok(Ok(Some(convert::cilium::config_map(namespace, config))));
                }
                Ok(None) => {}
                Err(why) => unread = Some(why),
            }
        }
        Ok(unread.map_or(Ok(None), Err))
    }

    /// The CiliumNodeConfigs of Cilium's namespace. Agents read those of no other.
    async fn node_configs(
        &self,
        namespace: Option<&str>,
        nodes: &Readable<Vec<Arc<Node>>>,
    ) -> Result<Readable<Vec<NodeConfig>>, Error> {
        let Some(namespace) = namespace else {
            return Ok(Ok(Vec::new()));
        };
        let nodes = nodes.as_deref().ok();
        let seen = |object: DynamicObject| {
            let is_there = object.metadata.namespace.as_deref() == Some(namespace);
            is_there.then(|| convert::cilium::node_config(&object, nodes))
        };
        let listed = self.served("CiliumNodeConfig", "ciliumnodeconfigs", seen);
        let listed = listed.await?;
        Ok(listed.map(|all| all.into_iter().flatten().flatten().collect()))
    }

    async fn vtep_objects(
        &self,
        nodes: &Readable<Vec<Arc<Node>>>,
    ) -> Result<Readable<Option<Vec<VtepObject>>>, Error> {
        let nodes = nodes.as_deref().ok();
        let seen = |object: DynamicObject| convert::cilium::vtep_object(&object, nodes);
        self.served("CiliumVTEPConfig", "ciliumvtepconfigs", seen)
            .await
    }

    async fn vtep_nodes(&self) -> Result<Readable<Vec<VtepNode>>, Error> {
        let seen = |object: DynamicObject| convert::cilium::vtep_node(&object);
        let kind = "CiliumVTEPNodeConfig";
        let listed = self.served(kind, "ciliumvtepnodeconfigs", seen).await?;
        Ok(listed.map(Option::unwrap_or_default))
    }

    async fn cilium_agents(&self) -> Result<Vec<Arc<Agent>>, Error> {
        let api: Api<AgentPod> = Api::all(self.client.clone());
        let agents = ListParams::default().labels(CILIUM_AGENTS);
        let seen = |pod: AgentPod| convert::cilium::agent(&pod).map(Arc::new);
        let pods = self.list_all(&api, agents, "pods", seen).await?;
        Ok(pods.into_iter().flatten().collect())
    }

    /// The policies of Kubernetes and, where it knows them, of Cilium.
    async fn policies_seen(&self) -> Result<Vec<Policy>, Error> {
        let (api, all) = (Api::all(self.client.clone()), ListParams::default());
        let of_kubernetes = |policy: NetworkPolicy| convert::cilium::network_policy(&policy);
        let mut seen = self
            .list_all(&api, all, "networkpolicies", of_kubernetes)
            .await?;
        for (kind, plural) in [
            ("CiliumNetworkPolicy", "ciliumnetworkpolicies"),
            (
                "CiliumClusterwideNetworkPolicy",
                "ciliumclusterwidenetworkpolicies",
            ),
        ] {
            let api = self.api_of("cilium.io", "v2", kind, plural);
            let all = ListParams::default();
            let of_cilium = |object: DynamicObject| convert::cilium::cilium_policies(&object);
            match self.list_all(&api, all, plural, of_cilium).await {
                Ok(more) => seen.extend(more.into_iter().flatten()),
                Err(Error::NoCrd) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(seen)
    }

    /// The form in which CiliumVTEPConfig is served. `None`: in none.
    pub(crate) async fn vtep_shape(&self) -> Result<Option<Shape>, Error> {
        for (version, shape) in [("v2", Shape::V2), ("v2alpha1", Shape::V2Alpha1)] {
            let group = format!("cilium.io/{version}");
            let listed = self.client.list_api_group_resources(&group);
            let listed = known(self.call("get", "API resources", listed).await)?;
            let resources = listed.ok().flatten().map(|list| list.resources);
            let mut names = resources
                .into_iter()
                .flatten()
                .map(|resource| resource.name);
            if names.any(|name| name == "ciliumvtepconfigs") {
                return Ok(Some(shape));
            }
        }
        Ok(None)
    }

    /// The objects of a kind of Cilium in the first version that is served. `None`: in none.
    async fn served<T>(
        &self,
        kind: &str,
        plural: &'static str,
        seen: impl Fn(DynamicObject) -> T,
    ) -> Result<Readable<Option<Vec<T>>>, Error> {
        for version in VERSIONS {
            let api = self.api_of("cilium.io", version, kind, plural);
            let listed = self
                .list_all(&api, ListParams::default(), plural, &seen)
                .await;
            match known(listed)? {
                Ok(None) => {}
                answered => return Ok(answered),
            }
        }
        Ok(Ok(None))
    }
}
