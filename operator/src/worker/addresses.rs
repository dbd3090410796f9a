//! (pure, but for waiting) The nodes with the addresses that are in use: an unstable one keeps its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use bigip_tunnel_core::damping::Damping;
use bigip_tunnel_core::mac::{MacAddress, MacPrefix};
use bigip_tunnel_core::node::{AddressRule, NodeView};
use bigip_tunnel_core::time::Moment;

use crate::clock::Clock;

/// What is remembered of the nodes' addresses.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    damping: Damping,
    /// When an address may have lasted long enough.
    next: Option<Moment>,
}

impl Addresses {
    /// Takes in what the nodes show, and gives each the address that is in use.
    pub(super) fn settle(
        &mut self,
        mut nodes: Vec<NodeView>,
        rule: &AddressRule,
        now: Moment,
    ) -> Arc<[NodeView]> {
        let mut settled = self.damping.settle(&nodes, rule, now);
        self.next = settled.next;
        for node in nodes.iter_mut().filter(|node| node.selected) {
            node.damped = settled.damped.remove(&node.name);
        }
        nodes.into()
    }

    /// The records that unstable nodes have left behind and that count against themselves.
    pub(super) fn against_nodes(&self, prefix: MacPrefix) -> Arc<BTreeSet<MacAddress>> {
        Arc::new(self.damping.against_nodes(prefix))
    }

    /// Forgets when that was due: the nodes are looked at now, or not at all.
    pub(super) fn begin_look(&mut self) {
        self.next = None;
    }

    /// Waits until an address may have lasted long enough.
    pub(super) fn due(&self, clock: Clock) -> impl Future<Output = ()> + use<> {
        let next = self.next;
        async move {
            match next {
                Some(at) => tokio::time::sleep(clock.until(at)).await,
                None => std::future::pending().await,
            }
        }
    }
}
