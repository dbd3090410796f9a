//! The evidence for `check`: everything that it looks at, each thing read for itself.
//!
//! Whoever asks may lack a right, or the cluster may not know a kind: then the evidence says so, and
//! the rest is read all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use bigip_tunnel_cilium::seen::{Node, Readable, Unread};
use bigip_tunnel_crds::cilium::CiliumNode;
use bigip_tunnel_crds::{GROUP, convert};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PartialObjectMeta};
use kube::{Api, Client};

use super::{Cluster, ReadTunnel, deployments};
use crate::error::{DEPLOYMENTS, Error};
use crate::report::check::evidence::{Deployments, Evidence, OperatorSeen};
use crate::report::status::surroundings::{NodeBirth, Surroundings};

impl Cluster {
    /// Reads it all. `cilium`: the namespace of Cilium, if it is named. Without tunnels it is looked at
    /// a cluster in which the operator is not installed yet.
    ///
    /// Fails only if the cluster does not answer at all.
    pub(crate) async fn evidence(
        &self,
        tunnels: Option<Vec<ReadTunnel>>,
        cilium: Option<&str>,
    ) -> Result<Evidence, Error> {
        Ok(Evidence {
            server_version: optional(self.version().await)?,
            tunnels,
            crd_missing: false,
            rights: Vec::new(),
            live: BTreeMap::new(),
            deployments: self.deployments_with_leaders().await?,
            cilium: self.cilium_seen(cilium).await?,
        })
    }

    /// What shows whether a status is out of date. What may not be read is left out.
    pub(crate) async fn surroundings(&self) -> Result<Surroundings, Error> {
        let deployments = self.deployments_with_leaders().await?;
        let nodes = optional(self.node_births().await)?;
        Ok(Surroundings {
            operators: deployments.map_or_else(|_| Vec::new(), |seen| seen.operators),
            nodes: nodes.unwrap_or_default(),
        })
    }

    /// Nothing but metadata: it may be asked every 2 s.
    async fn node_births(&self) -> Result<Vec<NodeBirth>, Error> {
        let api: Api<v1::Node> = Api::all(self.client.clone());
        let page = async |params: &ListParams| api.list_metadata(params).await;
        let birth = |node: PartialObjectMeta<v1::Node>| NodeBirth {
            created: node.metadata.creation_timestamp.as_ref().map(|t| t.0),
            stands_for: convert::node_traits(&node.metadata, std::iter::empty(), false).stands_for,
            labels: node.metadata.labels.unwrap_or_default(),
        };
        self.all_pages(ListParams::default(), "nodes", page, birth)
            .await
    }

    /// The operators in the cluster.
    pub(crate) async fn operators(&self) -> Result<Readable<Vec<OperatorSeen>>, Error> {
        let seen = optional(self.deployments_seen().await)?;
        Ok(seen.map(|deployments| deployments.operators))
    }

    /// The versions of our API that the cluster serves, as it tells everybody.
    pub(crate) async fn served_versions(&self) -> Result<Readable<Vec<String>>, Error> {
        let groups = self.call("get", "API groups", self.client.list_api_groups());
        let groups = optional(groups.await)?;
        Ok(groups.map(|groups| {
            let ours = groups
                .groups
                .into_iter()
                .filter(|group| group.name == GROUP);
            let versions = ours.flat_map(|group| group.versions);
            versions.map(|version| version.version).collect()
        }))
    }

    pub(super) async fn nodes_seen(&self) -> Result<Vec<Arc<Node>>, Error> {
        let (api, all) = (Api::all(self.client.clone()), ListParams::default());
        let seen = |node: v1::Node| Arc::new(convert::cilium::node(&node));
        self.list_all(&api, all, "nodes", seen).await
    }

    pub(super) async fn cilium_nodes_seen(&self) -> Result<Vec<Arc<Node>>, Error> {
        let api: Api<CiliumNode> = Api::all(self.client.clone());
        let seen = |node: CiliumNode| Arc::new(convert::cilium::cilium_node(&node));
        let all = ListParams::default();
        self.list_all(&api, all, super::CILIUM_NODES, seen).await
    }

    pub(super) async fn deployments_seen(&self) -> Result<Deployments, Error> {
        let api: Api<Deployment> = Api::all(self.client.clone());
        let all = ListParams::default();
        let listed = self
            .list_all(&api, all, DEPLOYMENTS, |deployment| {
                (
                    deployments::operator(&deployment),
                    deployments::cis(&deployment),
                )
            })
            .await?;
        let mut seen = Deployments::default();
        for (operator, cis) in listed {
            seen.operators.extend(operator);
            seen.cis.extend(cis);
        }
        Ok(seen)
    }

    /// All objects of a kind that has no type here.
    pub(super) fn api_of(
        &self,
        group: &str,
        version: &str,
        kind: &str,
        plural: &str,
    ) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        Api::all_with(Client::clone(&self.client), &resource)
    }
}

/// What was read, or why not. An answer of the cluster that says no is evidence; no answer is none.
pub(super) fn optional<T>(result: Result<T, Error>) -> Result<Readable<T>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(
            error @ (Error::Forbidden { .. }
            | Error::Refused { .. }
            | Error::NoCrd
            | Error::NoCiliumNodes),
        ) => Ok(Err(Unread(error.to_string()))),
        Err(error) => Err(error),
    }
}

/// The same where the cluster may not know the kind.
pub(super) fn known<T>(result: Result<T, Error>) -> Result<Readable<Option<T>>, Error> {
    match result {
        Err(Error::NoCrd | Error::NoCiliumNodes) => Ok(Ok(None)),
        result => Ok(optional(result)?.map(Some)),
    }
}
