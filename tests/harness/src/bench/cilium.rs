//! Cilium's part of a large cluster: an agent's pod and a CiliumNode for each node, as large as real ones.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{BenchError, IN_FLIGHT, LIMIT, address, node_name};
use crate::cilium_nodes;

const NAMESPACE: &str = "kube-system";
/// Environment variables of a container, which make a pod about 8 KB.
const VARIABLES: usize = 60;

/// Makes it all. The one VTEP entry has the local address of the units, and another MAC address.
pub(super) async fn create(client: &Client, nodes: u32, local: &str) -> Result<(), BenchError> {
    cilium_nodes::install(client).await?;
    cilium_nodes::until_served(client, LIMIT).await?;
    let config: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "cilium-config"},
        "data": {
            "enable-vtep": "true", "routing-mode": "tunnel", "vtep-endpoint": local,
            "vtep-cidr": "10.244.0.0/16", "vtep-mask": "255.255.0.0", "vtep-mac": "02:00:00:00:00:07",
        },
    }))?;
    let configs: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    configs.create(&PostParams::default(), &config).await?;
    let mut creating = JoinSet::new();
    for number in 0..nodes {
        if creating.len() >= IN_FLIGHT
            && let Some(created) = creating.join_next().await
        {
            created??;
        }
        creating.spawn(create_on(client.clone(), number));
    }
    while let Some(created) = creating.join_next().await {
        created??;
    }
    Ok(())
}

/// The agent and the CiliumNode of one node.
async fn create_on(client: Client, number: u32) -> Result<(), BenchError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let pod: Pod = serde_json::from_value(agent(number))?;
    pods.create(&PostParams::default(), &pod).await?;
    let running = json!({"status": {"phase": "Running", "startTime": "2100-01-01T00:00:00Z"}});
    let (name, params) = (pod_name(number), PatchParams::default());
    pods.patch_status(&name, &params, &Patch::Merge(running))
        .await?;
    let node: DynamicObject = serde_json::from_value(cilium_node(number))?;
    cilium_nodes::api(&client)
        .create(&PostParams::default(), &node)
        .await?;
    Ok(())
}

fn pod_name(number: u32) -> String {
    format!("cilium-{number:05}")
}

fn agent(number: u32) -> Value {
    let variable = |index: usize| {
        let value = "x".repeat(100);
        json!({"name": format!("VARIABLE_{index}"), "value": value})
    };
    let variables: Vec<Value> = (0..VARIABLES).map(variable).collect();
    let digest = "0123456789abcdef".repeat(4);
    json!({
        "metadata": {"name": pod_name(number), "labels": {"k8s-app": "cilium"}},
        "spec": {"nodeName": node_name(number), "containers": [{
            "name": "cilium-agent",
            "image": format!("quay.io/cilium/cilium:v1.17.13@sha256:{digest}"),
            "env": variables,
        }]},
    })
}

fn cilium_node(number: u32) -> Value {
    let pods = Ipv4Addr::from(u32::from(Ipv4Addr::new(100, 64, 0, 0)) + number * 256);
    let health = json!({"ipv4": Ipv4Addr::from(u32::from(pods) + 3)});
    json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumNode",
        "metadata": {"name": node_name(number)},
        "spec": {
            "addresses": [
                {"type": "InternalIP", "ip": address(number)},
                {"type": "CiliumInternalIP", "ip": Ipv4Addr::from(u32::from(pods) + 1)},
            ],
            "ipam": {"podCIDRs": [format!("{pods}/24")]},
            "health": health,
        },
    })
}
