//! The evidence for `check`: everything that it looks at, each thing read for itself.
//!
//! Whoever asks may lack a right, or the cluster may not know a kind: then the evidence says so, and
//! the rest is read all the same.

use std::collections::BTreeMap;

use bigip_tunnel_core::node::{INTERNAL_IP, Ipv4Net};
use bigip_tunnel_crds::{GROUP, convert};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PartialObjectMeta};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;

use super::{CILIUM_CONFIG, CILIUM_NAMESPACES, Cluster, ReadTunnel, deployments, policies};
use crate::error::{DEPLOYMENTS, Error};
use crate::report::check::evidence::{
    AgentSeen, CiliumSeen, ConfigSeen, Deployments, Evidence, LeaderSeen, NodeSeen, OperatorSeen,
    PolicySeen, Readable, Unread, VtepObject,
};
use crate::report::status::surroundings::{NodeBirth, Surroundings};

/// Label of Cilium's agents.
const CILIUM_AGENTS: &str = "k8s-app=cilium";

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
            rights: Vec::new(),
            live: BTreeMap::new(),
            nodes: optional(self.nodes_seen().await)?,
            cilium_nodes: known(self.cilium_nodes_seen().await)?,
            deployments: self.deployments_with_leaders().await?,
            cilium: CiliumSeen {
                config: self.cilium_config(cilium).await?,
                agents: optional(self.cilium_agents().await)?,
                vtep_objects: self.vtep_objects().await?,
                policies: optional(self.policies_seen().await)?,
            },
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
        let api: Api<Node> = Api::all(self.client.clone());
        let page = async |params: &ListParams| api.list_metadata(params).await;
        let birth = |node: PartialObjectMeta<Node>| NodeBirth {
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

    async fn deployments_with_leaders(&self) -> Result<Readable<Deployments>, Error> {
        let mut seen = optional(self.deployments_seen().await)?;
        let operators = seen.iter_mut().flat_map(|seen| &mut seen.operators);
        for operator in operators {
            if let Some((namespace, name)) = &operator.lease {
                operator.leader = Some(optional(self.leader(namespace, name).await)?);
            }
        }
        Ok(seen)
    }

    async fn leader(&self, namespace: &str, name: &str) -> Result<LeaderSeen, Error> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        let lease = self.call("get", "leases", api.get_opt(name)).await?;
        let spec = lease.and_then(|lease| lease.spec).unwrap_or_default();
        let silent = |time: MicroTime| Timestamp::now().duration_since(time.0).as_secs();
        Ok(LeaderSeen {
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            silent_s: spec.renew_time.map(silent),
        })
    }

    async fn nodes_seen(&self) -> Result<Vec<NodeSeen>, Error> {
        let (api, all) = (Api::all(self.client.clone()), ListParams::default());
        let seen = |node: Node| {
            let stands_for = convert::traits_of(&node).stands_for;
            let addresses = node.status.and_then(|status| status.addresses);
            let internal = addresses.into_iter().flatten();
            let cidrs = node.spec.unwrap_or_default().pod_cidrs;
            NodeSeen {
                name: node.metadata.name.unwrap_or_default(),
                internal: internal
                    .filter(|address| address.type_ == INTERNAL_IP)
                    .filter_map(|address| address.address.parse().ok())
                    .collect(),
                stands_for,
                pod_cidrs: nets(cidrs.iter().flatten().map(String::as_str)),
            }
        };
        self.list_all(&api, all, "nodes", seen).await
    }

    async fn cilium_nodes_seen(&self) -> Result<Vec<NodeSeen>, Error> {
        let api = self.api_of("cilium.io", "v2", "CiliumNode", "ciliumnodes");
        let seen = |node: DynamicObject| {
            let addresses = items(&node.data, "/spec/addresses");
            let cidrs = items(&node.data, "/spec/ipam/podCIDRs");
            NodeSeen {
                name: node.metadata.name.clone().unwrap_or_default(),
                internal: addresses
                    .filter(|address| text(address, "type") == INTERNAL_IP)
                    .filter_map(|address| text(address, "ip").parse().ok())
                    .collect(),
                stands_for: None,
                pod_cidrs: nets(cidrs.filter_map(Value::as_str)),
            }
        };
        let all = ListParams::default();
        self.list_all(&api, all, super::CILIUM_NODES, seen).await
    }

    async fn deployments_seen(&self) -> Result<Deployments, Error> {
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

    async fn cilium_config(
        &self,
        namespace: Option<&str>,
    ) -> Result<Readable<Option<ConfigSeen>>, Error> {
        let namespaces = namespace.map_or(CILIUM_NAMESPACES.to_vec(), |named| vec![named]);
        let mut unread = None;
        for namespace in namespaces {
            let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
            let read = self.call("get", "configmaps", api.get_opt(CILIUM_CONFIG));
            match optional(read.await)? {
                Ok(Some(config)) => return Ok(Ok(Some(config_seen(namespace, config)))),
                Ok(None) => {}
                Err(why) => unread = Some(why),
            }
        }
        Ok(unread.map_or(Ok(None), Err))
    }

    async fn cilium_agents(&self) -> Result<Vec<AgentSeen>, Error> {
        let api: Api<Pod> = Api::all(self.client.clone());
        let agents = ListParams::default().labels(CILIUM_AGENTS);
        let seen = |pod: Pod| {
            let containers = pod.spec.map(|spec| spec.containers).unwrap_or_default();
            let agent = containers.iter().find(|c| c.name == "cilium-agent");
            let status = pod.status.unwrap_or_default();
            AgentSeen {
                image: agent.and_then(|c| c.image.clone()).unwrap_or_default(),
                started: status.start_time.map(|time| time.0),
            }
        };
        self.list_all(&api, agents, "pods", seen).await
    }

    /// The entries of every `CiliumVTEPConfig`, in the form of the version that is served.
    async fn vtep_objects(&self) -> Result<Readable<Option<Vec<VtepObject>>>, Error> {
        const KIND: &str = "CiliumVTEPConfig";
        for (version, field) in [("v2", "endpoints"), ("v2alpha1", "vtepEndpoints")] {
            let api = self.api_of("cilium.io", version, KIND, "ciliumvtepconfigs");
            let seen = |object: DynamicObject| -> Vec<VtepObject> {
                let entries = items(&object.data, &format!("/spec/{field}"));
                let entry = |entry: &Value| VtepObject {
                    name: text(entry, "name").to_owned(),
                    endpoint: text(entry, "tunnelEndpoint").to_owned(),
                    cidr: text(entry, "cidr").to_owned(),
                    mac: text(entry, "mac").to_owned(),
                };
                entries.map(entry).collect()
            };
            let all = ListParams::default();
            let listed = self.list_all(&api, all, "ciliumvtepconfigs", seen).await;
            match known(listed)? {
                Ok(Some(objects)) => return Ok(Ok(Some(objects.concat()))),
                Ok(None) => {}
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(None))
    }

    /// The policies of Kubernetes and, where it knows them, of Cilium.
    async fn policies_seen(&self) -> Result<Vec<PolicySeen>, Error> {
        let (api, all) = (Api::all(self.client.clone()), ListParams::default());
        let mut seen = self
            .list_all(&api, all, "networkpolicies", |policy: NetworkPolicy| {
                policies::of_kubernetes(&policy)
            })
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
            match self
                .list_all(&api, all, plural, |policy: DynamicObject| {
                    policies::of_cilium(&policy)
                })
                .await
            {
                Ok(more) => seen.extend(more),
                Err(Error::NoCrd) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(seen)
    }

    /// All objects of a kind that has no type here.
    fn api_of(&self, group: &str, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        Api::all_with(Client::clone(&self.client), &resource)
    }
}

/// What was read, or why not. An answer of the cluster that says no is evidence; no answer is none.
fn optional<T>(result: Result<T, Error>) -> Result<Readable<T>, Error> {
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
fn known<T>(result: Result<T, Error>) -> Result<Readable<Option<T>>, Error> {
    match result {
        Err(Error::NoCrd | Error::NoCiliumNodes) => Ok(Ok(None)),
        result => Ok(optional(result)?.map(Some)),
    }
}

fn config_seen(namespace: &str, config: ConfigMap) -> ConfigSeen {
    let fields = config.managed_fields().iter();
    let changed: Option<Timestamp> = fields
        .filter_map(|field| field.time.as_ref().map(|time| time.0))
        .max();
    ConfigSeen {
        namespace: namespace.to_owned(),
        data: config.data.unwrap_or_default(),
        changed,
    }
}

/// The items of a list inside an object of unknown kind.
fn items<'a>(data: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let list = data.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn text<'a>(data: &'a Value, field: &str) -> &'a str {
    data.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn nets<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Ipv4Net> {
    texts.filter_map(|text| text.parse().ok()).collect()
}
