//! The one address of a node that is pinged: Cilium's health endpoint, as the node's agent tells it now.
//!
//! That a health endpoint answers a ping through the tunnel is *assumed* until a real cluster has shown it.

use std::net::Ipv4Addr;

use bigip_tunnel_cilium::seen::Cluster;
use bigip_tunnel_core::verify::NotAsked;

/// The address of a node.
///
/// # Errors
///
/// Why it has none.
pub(crate) fn health_endpoint(cluster: &Cluster, node: &str) -> Result<Ipv4Addr, NotAsked> {
    let without = |why: String| NotAsked::NoAddress(format!("{why}; --pod names a pod to ping"));
    let agents = match &cluster.agents {
        Ok(agents) => agents,
        Err(why) => return Err(without(format!("Cilium's agents: {why}"))),
    };
    let nodes = match &cluster.cilium_nodes {
        Ok(Some(nodes)) => nodes,
        Ok(None) => return Err(without("the cluster knows no CiliumNodes".to_owned())),
        Err(why) => return Err(without(format!("CiliumNodes: {why}"))),
    };
    let Some(seen) = nodes.iter().find(|seen| seen.name == node) else {
        return Err(without("there is no CiliumNode of its name".to_owned()));
    };
    // Without its agent a health endpoint is silent, while pods go on.
    if !agents.iter().any(|agent| agent.node == node && agent.ready) {
        return Err(without("its Cilium agent is not Ready".to_owned()));
    }
    seen.health.ok_or_else(|| {
        without(
            "its CiliumNode has no health endpoint (enable-endpoint-health-checking)".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bigip_tunnel_cilium::seen::{Agent, Node, Unread};

    use super::*;
    use crate::report::check::tests::{evidence, tunnel};

    fn cluster() -> Cluster {
        let mut cluster = evidence(tunnel()).cilium;
        cluster.agents = Ok(vec![agent(true)]);
        cluster.cilium_nodes = Ok(Some(vec![node(Some("10.0.0.66"))]));
        cluster
    }

    fn agent(ready: bool) -> Arc<Agent> {
        Arc::new(Agent {
            node: "worker-01".to_owned(),
            image: "quay.io/cilium/cilium:v1.18.8".into(),
            started: None,
            ready,
        })
    }

    fn node(health: Option<&str>) -> Arc<Node> {
        Arc::new(Node {
            name: "worker-01".to_owned(),
            health: health.map(|address| address.parse().unwrap()),
            ..Node::default()
        })
    }

    fn why_not(cluster: &Cluster) -> String {
        health_endpoint(cluster, "worker-01")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn health_endpoint_of_a_ready_agent_is_the_target() {
        let address = health_endpoint(&cluster(), "worker-01");
        assert_eq!(address, Ok("10.0.0.66".parse().unwrap()));
    }

    #[test]
    fn node_without_a_ready_agent_is_not_pinged() {
        let mut cluster = cluster();
        cluster.agents = Ok(vec![agent(false)]);
        assert!(why_not(&cluster).starts_with("its Cilium agent is not Ready"));
        cluster.agents = Ok(Vec::new());
        assert!(why_not(&cluster).starts_with("its Cilium agent is not Ready"));
    }

    #[test]
    fn missing_health_endpoint_differs_from_no_permission() {
        let mut cluster = cluster();
        cluster.cilium_nodes = Ok(Some(vec![node(None)]));
        assert!(why_not(&cluster).contains("has no health endpoint"));
        cluster.cilium_nodes = Ok(Some(Vec::new()));
        assert!(why_not(&cluster).contains("there is no CiliumNode of its name"));
        cluster.cilium_nodes = Ok(None);
        assert!(why_not(&cluster).contains("knows no CiliumNodes"));
        cluster.cilium_nodes = Err(Unread("not allowed to list ciliumnodes".to_owned()));
        assert!(why_not(&cluster).contains("not allowed to list ciliumnodes"));
        cluster.agents = Err(Unread("not allowed to list pods".to_owned()));
        assert!(why_not(&cluster).contains("not allowed to list pods"));
    }
}
