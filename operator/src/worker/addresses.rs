//! (pure, but for waiting) The nodes with the addresses that are in use: an unstable one keeps its own.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_core::damping::Damping;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::time::Moment;

use crate::clock::Clock;
use crate::settings::Settings;

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
        settings: &Settings,
        claims: &Claims,
        now: Moment,
    ) -> Arc<[NodeView]> {
        let is_claimed = |address: Ipv4Addr| {
            let mac = settings.prefix.derive(address);
            let mut devices = claims.devices();
            devices.any(|device| claims.of(device).contains_key(&mac))
        };
        let rule = &settings.addresses;
        let mut settled = self.damping.settle(&nodes, rule, &is_claimed, now);
        self.next = settled.next;
        for node in nodes.iter_mut().filter(|node| node.selected) {
            node.damped = settled.damped.remove(&node.name);
        }
        nodes.into()
    }

    /// The records that unstable nodes have left behind and that count against themselves.
    pub(super) fn against_nodes(&self, settings: &Settings) -> Arc<BTreeSet<MacAddress>> {
        let (prefix, percent) = (settings.prefix, settings.removal_percent);
        Arc::new(self.damping.against_nodes(prefix, percent))
    }

    /// Forgets when that was due: the nodes are evaluated now, or not at all.
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
