//! The nodes as Cilium's side of a tunnel is judged by them.

use std::sync::Arc;

use bigip_tunnel_cilium::seen::{Node, Readable, Unread};

use super::NodeState;

impl NodeState {
    /// The nodes. `None` until the first list, or the first failure that does not pass by itself.
    pub(crate) fn seen(&self) -> Option<Readable<Vec<Arc<Node>>>> {
        match &self.nodes {
            Ok(nodes) => {
                let nodes = nodes.values();
                Some(Ok(nodes.map(|node| node.seen.clone()).collect()))
            }
            Err(failure) if failure.retryable => None,
            Err(failure) => Some(Err(Unread(failure.message.clone()))),
        }
    }
}
