//! What virtual servers send from: an address that pods can answer to?
//!
//! Pods answer into the tunnel only to addresses of the unit's own overlay network. With another one the
//! virtual server is up and its connections are dead.

use std::net::Ipv4Addr;

use bigip_icontrol::{Pools, SelfIp, Translation, VirtualServer};
use bigip_tunnel_core::node::Ipv4Net;

use super::{LiveSeen, unread};
use crate::catalogue::BTN0217;
use crate::report::check::evidence::Evidence;
use crate::report::check::{Check, count, overlay, some_of};

/// The checks.
pub(super) fn checks(name: &str, seen: &LiveSeen, evidence: &Evidence) -> Vec<Check> {
    let read = (&seen.virtual_servers, &seen.pools, &seen.snat_pools);
    let (servers, pools, snat_pools) = match read {
        (Ok(servers), Ok(pools), Ok(snat_pools)) => (servers, pools, snat_pools),
        (Err(trouble), ..) | (_, Err(trouble), _) | (.., Err(trouble)) => {
            return vec![unread(name, "virtual servers", trouble)];
        }
    };
    // That they could not be read is said already.
    let Ok(self_ips) = &seen.self_ips else {
        return Vec::new();
    };
    let pods = overlay::pod_cidrs(evidence);
    let serving = serving(servers, pools, &pods);
    let sources = Sources::new(self_ips, &seen.facts.tunnel.full_path, snat_pools);
    findings(name, &serving, &sources)
}

/// The virtual servers that have pods behind them.
fn serving<'a>(
    servers: &'a [VirtualServer],
    pools: &Pools,
    pods: &[Ipv4Net],
) -> Vec<&'a VirtualServer> {
    let has_pods = |server: &&VirtualServer| {
        let pool = server.pool.as_ref().and_then(|pool| pools.get(pool));
        let mut members = pool.into_iter().flatten();
        members.any(|member| pods.iter().any(|net| net.contains(member)))
    };
    servers.iter().filter(has_pods).collect()
}

fn findings(name: &str, serving: &[&VirtualServer], sources: &Sources<'_>) -> Vec<Check> {
    let those = |is_one: &dyn Fn(&VirtualServer) -> bool| -> Vec<&str> {
        let found = serving.iter().filter(|server| is_one(server));
        found.map(|server| server.path.as_str()).collect()
    };
    let dead = those(&|server| !sources.can_be_answered(&server.translation));
    let untranslated = those(&|server| server.translation == Translation::None);
    let mut checks = Vec::new();
    if !dead.is_empty() {
        let servers = count(dead.len(), "virtual server");
        let text = format!(
            "{name}: pods cannot answer to {servers}: {}",
            some_of(&dead)
        );
        checks.push(Check::error(BTN0217, text));
    }
    if !untranslated.is_empty() {
        let named = some_of(&untranslated);
        let text = format!("{name}: without SNAT pods answer to the client itself: {named}");
        checks.push(Check::warning(BTN0217, text).with_hint(
            "where pods have no route of their own to the clients, give the virtual server a SNAT pool \
             inside the overlay network",
        ));
    }
    if checks.is_empty() && !serving.is_empty() {
        let servers = count(serving.len(), "virtual server");
        checks.push(Check::ok(format!("{name}: pods can answer to {servers}")));
    }
    checks
}

/// The addresses that a unit can send from.
struct Sources<'a> {
    /// The networks of the self IPs on the tunnel.
    overlay: Vec<Ipv4Net>,
    /// Whether automap takes an address of the tunnel: floating ones come first, also those of other
    /// networks (K7336).
    automap_works: bool,
    snat_pools: &'a Pools,
}

impl<'a> Sources<'a> {
    fn new(self_ips: &[SelfIp], tunnel: &str, snat_pools: &'a Pools) -> Self {
        let on_tunnel = || {
            self_ips
                .iter()
                .filter(|self_ip| self_ip.interface == tunnel)
        };
        let floats = |self_ip: &SelfIp| self_ip.floats;
        Self {
            overlay: on_tunnel().map(|self_ip| self_ip.address).collect(),
            automap_works: on_tunnel().any(floats) || !self_ips.iter().any(floats),
            snat_pools,
        }
    }

    fn can_be_answered(&self, translation: &Translation) -> bool {
        let is_inside = |address: &Ipv4Addr| self.overlay.iter().any(|net| net.contains(address));
        match translation {
            Translation::Automap => self.automap_works,
            Translation::Pool(pool) => self
                .snat_pools
                .get(pool)
                .is_some_and(|all| !all.is_empty() && all.iter().all(is_inside)),
            // Nothing is said of what is not understood; no translation is a finding of its own.
            Translation::None | Translation::Other => true,
        }
    }
}
