//! Cilium's part of the demo's cluster: its configuration, its `DaemonSet`, and for each node a `CiliumNode` and an
//! agent.
//!
//! On a cluster Cilium and Kubernetes write these objects. An agent reads the configuration when it starts, and at no
//! other time: what a stand-in for a node does follows from what its agent has read.

use std::net::Ipv4Addr;
use std::sync::Arc;

use futures::TryStreamExt as _;
use ipnet::Ipv4Net;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{DemoError, LIMIT};
use crate::cilium_nodes;

/// Namespace of Cilium.
const NAMESPACE: &str = "kube-system";
/// Name of its configuration.
const CONFIG: &str = "cilium-config";
/// Name of its `DaemonSet`, and label of its agents.
const CILIUM: &str = "cilium";
/// A release whose VTEP integration answers ARP as it should.
const IMAGE: &str = "quay.io/cilium/cilium:v1.18.8";
/// What writes the objects that Helm, Cilium and a kubelet would write.
const WRITER: &str = "helm";

/// An entry of the VTEP configuration, as far as the text of `cilium-config` gives one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) network: Ipv4Net,
    pub(super) endpoint: Ipv4Addr,
    pub(super) mac: String,
}

/// What an agent has read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VtepConfig {
    pub(super) entries: Vec<Entry>,
    pub(super) mask: Option<Ipv4Addr>,
}

/// What a node does when its agent starts with this configuration.
pub(super) type OnStart = Arc<dyn Fn(&str, &VtepConfig) + Send + Sync>;

/// Cilium's objects of one cluster.
#[derive(Clone)]
pub(super) struct Cilium {
    client: Client,
    on_start: OnStart,
}

impl Cilium {
    /// Installs kind, configuration without VTEP, and `DaemonSet`.
    pub(super) async fn install(client: Client, on_start: OnStart) -> Result<Self, DemoError> {
        let cilium = Self { client, on_start };
        cilium_nodes::install(&cilium.client).await?;
        let served = cilium_nodes::until_served(&cilium.client, LIMIT).await;
        served.map_err(DemoError::NotServed)?;
        cilium
            .write_config(&json!({"enable-vtep": "false"}))
            .await?;
        let daemon_set = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": CILIUM},
            "spec": {
                "selector": {"matchLabels": {"k8s-app": CILIUM}},
                "template": {
                    "metadata": {"labels": {"k8s-app": CILIUM}},
                    "spec": {"containers": [{"name": "cilium-agent", "image": IMAGE}]},
                },
            },
        });
        cilium.apply::<DaemonSet>(CILIUM, daemon_set).await?;
        Ok(cilium)
    }

    /// Writes the VTEP entries of these units, as Helm would.
    pub(super) async fn configure(&self, entries: &[Entry]) -> Result<(), DemoError> {
        let listed = |text: fn(&Entry) -> String| {
            let texts: Vec<String> = entries.iter().map(text).collect();
            texts.join(" ")
        };
        let mask = entries.first().map(|entry| entry.network.netmask());
        self.write_config(&json!({
            "enable-vtep": "true",
            "vtep-endpoint": listed(|entry| entry.endpoint.to_string()),
            "vtep-cidr": listed(|entry| entry.network.to_string()),
            "vtep-mac": listed(|entry| entry.mac.clone()),
            "vtep-mask": mask.unwrap_or(Ipv4Addr::UNSPECIFIED).to_string(),
        }))
        .await
    }

    /// Changes one key of the configuration.
    pub(super) async fn set(&self, key: &str, value: &str) -> Result<(), DemoError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        let patch = Patch::Merge(json!({"data": {key: value}}));
        let params = PatchParams {
            field_manager: Some(WRITER.to_owned()),
            ..PatchParams::default()
        };
        api.patch(CONFIG, &params, &patch).await?;
        Ok(())
    }

    /// Makes the `CiliumNode` of a node and starts its agent.
    pub(super) async fn add_node(
        &self,
        name: &str,
        address: &str,
        pods: Ipv4Net,
    ) -> Result<(), DemoError> {
        let api = cilium_nodes::api(&self.client);
        let node: DynamicObject = from_value(node(name, address, pods))?;
        api.create(&PostParams::default(), &node).await?;
        self.start_agent(name).await
    }

    /// Deletes the `CiliumNode` and the agent of a node.
    pub(super) async fn remove_node(&self, name: &str) -> Result<(), DemoError> {
        let params = DeleteParams::default();
        cilium_nodes::api(&self.client)
            .delete(name, &params)
            .await?;
        let api: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        api.delete(&format!("{CILIUM}-{name}"), &params).await?;
        Ok(())
    }

    /// Starts the agent of a node, which reads the configuration.
    pub(super) async fn start_agent(&self, node: &str) -> Result<(), DemoError> {
        let read = self.read_config().await?;
        (self.on_start)(node, &read);
        let api: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let name = format!("{CILIUM}-{node}");
        let pod: Pod = from_value(json!({
            "metadata": {"name": name, "labels": {"k8s-app": CILIUM}},
            "spec": {
                "nodeName": node,
                // There is no kubelet that would end it.
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "cilium-agent", "image": IMAGE}],
            },
        }))?;
        api.create(&PostParams::default(), &pod).await?;
        let running = json!({"status": {
            "phase": "Running",
            "startTime": Timestamp::now(),
            "conditions": [{"type": "Ready", "status": "True"}],
        }});
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(running))
            .await?;
        Ok(())
    }

    /// Restarts all agents whenever the template of the `DaemonSet` changes, as `kubectl rollout restart` does it.
    pub(super) fn restart_on_rollout(&self) -> JoinHandle<()> {
        let cilium = self.clone();
        tokio::spawn(async move {
            // The demo ends with the cluster; its user sees agents that do not restart.
            let _ = Box::pin(cilium.follow_rollouts()).await;
        })
    }

    async fn follow_rollouts(&self) -> Result<(), DemoError> {
        let api: Api<DaemonSet> = Api::namespaced(self.client.clone(), NAMESPACE);
        let config = watcher::Config::default().fields("metadata.name=cilium");
        let mut changes = std::pin::pin!(
            watcher(api.clone(), config)
                .default_backoff()
                .applied_objects()
        );
        let mut handled = 1;
        while let Ok(Some(changed)) = changes.try_next().await {
            let generation = changed.metadata.generation.unwrap_or_default();
            if generation > handled {
                self.restart_agents().await?;
                handled = generation;
            }
            let observed = changed.status.and_then(|status| status.observed_generation);
            if observed != Some(handled) {
                self.observe(&api, handled).await?;
            }
        }
        Ok(())
    }

    /// Restarts all agents.
    pub(super) async fn restart_agents(&self) -> Result<(), DemoError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        for pod in self.agents(&api).await? {
            let name = pod.metadata.name.unwrap_or_default();
            api.delete(&name, &DeleteParams::default()).await?;
            if let Some(node) = pod.spec.and_then(|spec| spec.node_name) {
                self.start_agent(&node).await?;
            }
        }
        Ok(())
    }

    /// Says that the rollout of a generation is done.
    async fn observe(&self, api: &Api<DaemonSet>, generation: i64) -> Result<(), DemoError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let count = self.agents(&pods).await?.len();
        let status = json!({"status": {
            "observedGeneration": generation, "numberMisscheduled": 0,
            "currentNumberScheduled": count, "desiredNumberScheduled": count,
            "numberAvailable": count, "numberReady": count, "updatedNumberScheduled": count,
        }});
        api.patch_status(CILIUM, &PatchParams::default(), &Patch::Merge(status))
            .await?;
        Ok(())
    }

    async fn agents(&self, api: &Api<Pod>) -> Result<Vec<Pod>, DemoError> {
        let agents = ListParams::default().labels("k8s-app=cilium");
        Ok(api.list(&agents).await?.items)
    }

    async fn read_config(&self) -> Result<VtepConfig, DemoError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        let config = api.get(CONFIG).await?;
        let data = config.data.unwrap_or_default();
        let value = |key: &str| data.get(key).map(String::as_str).unwrap_or_default();
        Ok(vtep_config(&value))
    }

    async fn write_config(&self, vtep: &Value) -> Result<(), DemoError> {
        let mut data = json!({
            "enable-ipv4": "true", "ipam": "cluster-pool", "routing-mode": "tunnel",
            "tunnel-protocol": "vxlan", "cluster-pool-ipv4-cidr": "10.0.0.0/16",
            "cluster-pool-ipv4-mask-size": "24",
        });
        if let (Some(all), Some(vtep)) = (data.as_object_mut(), vtep.as_object()) {
            all.extend(vtep.clone());
        }
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG}, "data": data,
        });
        self.apply::<ConfigMap>(CONFIG, config).await
    }

    async fn apply<K>(&self, name: &str, object: Value) -> Result<(), DemoError>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
        K::DynamicType: Default,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), NAMESPACE);
        let params = PatchParams::apply(WRITER).force();
        api.patch(name, &params, &Patch::Apply(object)).await?;
        Ok(())
    }
}

/// A `CiliumNode` as Cilium writes it.
fn node(name: &str, address: &str, pods: Ipv4Net) -> Value {
    json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": name},
        "spec": {
            "addresses": [
                {"type": "InternalIP", "ip": address},
                {"type": "CiliumInternalIP", "ip": host(pods, 1)},
            ],
            "ipam": {"podCIDRs": [pods.to_string()]},
            "health": {"ipv4": host(pods, HEALTH)},
        },
    })
}

/// The number of the health endpoint among the addresses of a node's pods.
pub(super) const HEALTH: u32 = 3;

/// An address of a network.
pub(super) fn host(network: Ipv4Net, number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(network.network()).saturating_add(number))
}

/// The entries of a configuration. What an agent would not start with gives none.
fn vtep_config<'a>(value: &impl Fn(&str) -> &'a str) -> VtepConfig {
    if value("enable-vtep") != "true" {
        return VtepConfig::default();
    }
    let list = |key: &str| value(key).split_whitespace();
    let parts = list("vtep-cidr")
        .zip(list("vtep-endpoint"))
        .zip(list("vtep-mac"));
    let entries = parts.map(|((network, endpoint), mac)| {
        Some(Entry {
            network: network.parse().ok()?,
            endpoint: endpoint.parse().ok()?,
            mac: mac.to_owned(),
        })
    });
    VtepConfig {
        entries: entries.collect::<Option<_>>().unwrap_or_default(),
        mask: value("vtep-mask").parse().ok(),
    }
}

fn from_value<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, DemoError> {
    Ok(serde_json::from_value(value).map_err(kube::Error::SerdeError)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &'static str)]) -> VtepConfig {
        let value = |key: &str| {
            let found = pairs.iter().find(|(name, _)| *name == key);
            found.map_or("", |(_, value)| *value)
        };
        vtep_config(&value)
    }

    const PAIR: [(&str, &str); 5] = [
        ("enable-vtep", "true"),
        ("vtep-cidr", "10.1.6.0/24  10.1.5.0/24"),
        ("vtep-endpoint", "10.169.72.34 10.169.72.36"),
        ("vtep-mac", "02:00:00:00:00:01 02:00:00:00:00:02"),
        ("vtep-mask", "255.255.255.0"),
    ];

    #[test]
    fn entries_of_both_units_are_read() {
        let read = read(&PAIR);
        assert_eq!(read.entries.len(), 2);
        assert_eq!(read.entries[1].endpoint, Ipv4Addr::new(10, 169, 72, 36));
        assert_eq!(read.mask, Some(Ipv4Addr::new(255, 255, 255, 0)));
    }

    #[test]
    fn vtep_that_is_off_or_unreadable_gives_no_entry() {
        assert_eq!(read(&PAIR[1..]), VtepConfig::default());
        let mut odd = PAIR;
        odd[1].1 = "10.1.6.0/24 here";
        assert_eq!(read(&odd).entries, []);
    }
}
