//! The nodes of a world.

use tokio::task::JoinSet;

use super::{NODES, World};

impl World {
    /// Name of a node of this test.
    pub(crate) fn node_name(&self, node: &str) -> String {
        format!("{}-{node}", self.name)
    }

    /// Makes a node.
    pub(crate) async fn create_node(&self, (node, address): (&str, &str)) {
        let name = self.node_name(node);
        self.nodes.create(&name, address).await.unwrap();
    }

    /// Makes the three nodes of the example.
    pub(crate) async fn create_nodes(&self) {
        for node in NODES {
            self.create_node(node).await;
        }
    }

    /// Makes many nodes at once, with addresses that begin with 10.20.
    pub(crate) async fn create_many_nodes(&self, count: u32) {
        let mut creating = JoinSet::new();
        for number in 0..count {
            let (nodes, name) = (self.nodes.clone(), self.node_name(&format!("n{number}")));
            let address = format!("10.20.{}.{}", number / 100, number % 100 + 1);
            creating.spawn(async move { nodes.create(&name, &address).await });
        }
        while let Some(created) = creating.join_next().await {
            created.unwrap().unwrap();
        }
    }

    /// Deletes a node.
    pub(crate) async fn delete_node(&self, node: &str) {
        self.nodes.delete(&self.node_name(node)).await.unwrap();
    }
}
