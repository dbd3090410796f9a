//! The cluster: the few things the verbs read from it.
//!
//! Needs the rights to get and list `BigIpTunnel`s and to list nodes, and where addresses are taken
//! from `CiliumNode`s to list these, and no other, unless events or evidence are asked for. Changes
//! nothing; that is `write`'s.

pub(crate) mod bundle;
mod cilium;
mod credentials;
mod deployments;
mod evidence;
mod leaders;
mod names;
mod pods;
mod rights;
mod write;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;

use bigip_tunnel_core::node::{AddressKind, AddressRule, NodeView};
use bigip_tunnel_crds::cilium::{CiliumNode, CiliumNodeAddress};
use bigip_tunnel_crds::convert::{self, NodeParts};
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use k8s_openapi::api::core::v1::{Event, Node};
use kube::api::ListParams;
use kube::config::ExecInteractiveMode;
use kube::core::{DeserializeGuard, ObjectList, Selector};
use kube::{Api, Client};
use serde::de::DeserializeOwned;

pub(crate) use self::pods::PodSeen;
use crate::connection::{Access, Connection, Reached, RequestTimeout};
use crate::error::{CILIUM_NODES, EVENTS, Error};

/// Namespaces in which Cilium is usually installed.
pub(crate) const CILIUM_NAMESPACES: [&str; 2] = ["kube-system", "cilium"];

/// Name of Cilium's configuration.
pub(crate) const CILIUM_CONFIG: &str = "cilium-config";

/// Nodes per page of a list: what a node does not tell about addresses is let go page by page.
const PAGE_SIZE: u32 = 500;

/// A tunnel, or what can be said of one that this version of the plugin cannot read.
pub(crate) type ReadTunnel = DeserializeGuard<BigIpTunnel>;

/// The tunnel, or an error if this version of the plugin cannot read it.
pub(crate) fn readable(tunnel: ReadTunnel) -> Result<BigIpTunnel, Error> {
    tunnel.0.map_err(|invalid| Error::Unreadable {
        namespace: invalid.metadata.namespace.unwrap_or_default(),
        name: invalid.metadata.name.unwrap_or_default(),
        problem: invalid.error,
    })
}

/// Condition of a node that says whether its kubelet is well.
const NODE_READY: &str = "Ready";

/// The nodes of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    /// What the records are derived from.
    pub(crate) views: Vec<NodeView>,
    /// Status of the condition `Ready`, by the name of the node. A record does not depend on it.
    pub(crate) ready: BTreeMap<String, String>,
}

/// A cluster that the flags lead to.
pub(crate) struct Cluster {
    client: Client,
    timeout: RequestTimeout,
    /// What errors name the cluster and its login by.
    access: Access,
    /// The namespace that is meant when none is named.
    pub(crate) namespace: String,
}

impl Cluster {
    /// The cluster of these flags. Nothing is asked of it yet.
    pub(crate) async fn new(connection: &Connection) -> Result<Self, Error> {
        Self::of(connection.reach().await?, connection)
    }

    /// The same for a moment in which nobody can be asked to log in.
    pub(crate) async fn new_unattended(connection: &Connection) -> Result<Self, Error> {
        let mut reached = connection.reach().await?;
        if let Some(program) = &mut reached.config.auth_info.exec {
            program.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        Self::of(reached, connection)
    }

    fn of(reached: Reached, connection: &Connection) -> Result<Self, Error> {
        let Reached { config, access } = reached;
        let namespace = config.default_namespace.clone();
        // Where the login comes from a program, it is run here.
        let client = Client::try_from(config)
            .map_err(|error| Error::from_kube(&error, &access, "connect", "to the API server"))?;
        Ok(Self {
            client,
            access,
            timeout: connection.request_timeout,
            namespace,
        })
    }

    /// The tunnel of this name in the current namespace.
    pub(crate) async fn tunnel(&self, name: &str) -> Result<ReadTunnel, Error> {
        self.tunnel_in(&self.namespace, name).await
    }

    /// The same in any namespace.
    pub(crate) async fn tunnel_in(&self, namespace: &str, name: &str) -> Result<ReadTunnel, Error> {
        let api: Api<ReadTunnel> = Api::namespaced(self.client.clone(), namespace);
        match self.call("get", "bigiptunnels", api.get_opt(name)).await? {
            Some(tunnel) => Ok(tunnel),
            None => Err(self.missing(namespace, name).await),
        }
    }

    /// Why there is no such tunnel: the cluster may not know any.
    async fn missing(&self, namespace: &str, name: &str) -> Error {
        let api: Api<ReadTunnel> = Api::namespaced(self.client.clone(), namespace);
        let one = ListParams::default().limit(1);
        match self.call("list", "bigiptunnels", api.list(&one)).await {
            Err(error @ Error::NoCrd) => error,
            _ => Error::NotFound {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
        }
    }

    /// The tunnels of the current namespace, or of all, with these labels, in the order of their names.
    pub(crate) async fn tunnels(
        &self,
        all_namespaces: bool,
        labels: Option<&str>,
    ) -> Result<Vec<ReadTunnel>, Error> {
        let api: Api<ReadTunnel> = if all_namespaces {
            Api::all(self.client.clone())
        } else {
            Api::namespaced(self.client.clone(), &self.namespace)
        };
        let params = labels.map_or_else(ListParams::default, |labels| {
            ListParams::default().labels(labels)
        });
        Ok(self
            .call("list", "bigiptunnels", api.list(&params))
            .await?
            .items)
    }

    /// The nodes, as an object with this selector and this rule sees them.
    pub(crate) async fn nodes(
        &self,
        selector: &Selector,
        rule: &AddressRule,
    ) -> Result<Nodes, Error> {
        let cilium = match rule.kind {
            AddressKind::CiliumNode => Some(self.cilium_addresses().await?),
            AddressKind::InternalIp | AddressKind::ExternalIp => None,
        };
        let seen = |node: Node| {
            let traits = convert::traits_of(&node);
            let status = node.status.unwrap_or_default();
            let metadata = node.metadata;
            let name = metadata.name.unwrap_or_default();
            let cilium = cilium.as_ref().and_then(|all| all.get(&name));
            let parts = NodeParts {
                name: &name,
                uid: metadata.uid.as_deref().unwrap_or_default(),
                created: metadata.creation_timestamp.map(|created| created.0),
                labels: &metadata.labels.unwrap_or_default(),
                addresses: &convert::addresses(status.addresses.unwrap_or_default()),
                traits,
            };
            let view = convert::node_view(&parts, cilium.map(Vec::as_slice), selector);
            let mut conditions = status.conditions.iter().flatten();
            let ready = conditions.find(|condition| condition.type_ == NODE_READY);
            (view, ready.map(|ready| ready.status.clone()))
        };
        let (api, all) = (Api::all(self.client.clone()), ListParams::default());
        let mut nodes = Nodes::default();
        for (view, ready) in self.list_all(&api, all, "nodes", seen).await? {
            nodes
                .ready
                .extend(ready.map(|ready| (view.name.clone(), ready)));
            nodes.views.push(view);
        }
        Ok(nodes)
    }

    /// The addresses in the `CiliumNode`s, by the name of the node.
    async fn cilium_addresses(&self) -> Result<BTreeMap<String, Vec<CiliumNodeAddress>>, Error> {
        let addresses = |node: CiliumNode| {
            let name = node.metadata.name.unwrap_or_default();
            (name, node.spec.addresses.unwrap_or_default())
        };
        let (api, all) = (Api::all(self.client.clone()), ListParams::default());
        let listed = self.list_all(&api, all, CILIUM_NODES, addresses).await?;
        Ok(listed.into_iter().collect())
    }

    /// The events about tunnels of the current namespace, or of all, in no order.
    pub(crate) async fn events(&self, all_namespaces: bool) -> Result<Vec<Event>, Error> {
        let api: Api<Event> = if all_namespaces {
            Api::all(self.client.clone())
        } else {
            Api::namespaced(self.client.clone(), &self.namespace)
        };
        let about = ListParams::default().fields("involvedObject.kind=BigIpTunnel");
        self.list_all(&api, about, EVENTS, |event| event).await
    }

    /// What `keep` keeps of every object of a kind.
    async fn list_all<K, T>(
        &self,
        api: &Api<K>,
        params: ListParams,
        what: &'static str,
        keep: impl Fn(K) -> T,
    ) -> Result<Vec<T>, Error>
    where
        K: Clone + Debug + DeserializeOwned,
    {
        let page = async |params: &ListParams| api.list(params).await;
        self.all_pages(params, what, page, keep).await
    }

    async fn all_pages<K, T>(
        &self,
        params: ListParams,
        what: &'static str,
        page: impl AsyncFn(&ListParams) -> Result<ObjectList<K>, kube::Error>,
        keep: impl Fn(K) -> T,
    ) -> Result<Vec<T>, Error>
    where
        K: Clone,
    {
        let mut kept = Vec::new();
        let mut params = params.limit(PAGE_SIZE);
        loop {
            let page = self.call("list", what, page(&params)).await?;
            kept.extend(page.items.into_iter().map(&keep));
            match page.metadata.continue_ {
                Some(token) if !token.is_empty() => params = params.continue_token(&token),
                _ => return Ok(kept),
            }
        }
    }

    async fn call<T>(
        &self,
        verb: &'static str,
        what: &'static str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        let result = match self.timeout.0 {
            Some(limit) => tokio::time::timeout(limit, request)
                .await
                .map_err(|_| Error::Timeout(limit))?,
            None => request.await,
        };
        result.map_err(|error| Error::from_kube(&error, &self.access, verb, what))
    }
}
