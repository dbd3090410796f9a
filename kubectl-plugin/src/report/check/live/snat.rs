//! What virtual servers send from: an address that pods can answer to?
//!
//! Pods answer into the tunnel only to addresses of the unit's own overlay network. With another one the
//! virtual server is up and its connections are dead.

use std::net::Ipv4Addr;

use bigip_icontrol::{Pools, SelfIp, SnatPools, Translation, VirtualServer};
use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_core::unit::TunnelFacts;

use super::{LiveSeen, unread};
use crate::catalogue::{BTN0011, BTN0217};
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
    let pods = overlay::pod_cidrs_of(evidence, |_| true);
    let serving = serving(servers, pools, &pods);
    let sources = Sources::new(self_ips, &seen.facts.tunnel, snat_pools);
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
    let those = |answer: Answer| -> Vec<&str> {
        let found = serving
            .iter()
            .filter(|s| sources.answer(&s.translation) == answer);
        found.map(|server| server.path.as_str()).collect()
    };
    let mut checks = Vec::new();
    let dead = those(Answer::Never);
    if !dead.is_empty() {
        let servers = count(dead.len(), "virtual server");
        let text = format!(
            "{name}: pods cannot answer to {servers}: {}",
            some_of(&dead)
        );
        checks.push(Check::error(BTN0217, text));
    }
    let untranslated = those(Answer::ToTheClient);
    if !untranslated.is_empty() {
        let named = some_of(&untranslated);
        let text = format!("{name}: without SNAT pods answer to the client itself: {named}");
        checks.push(Check::warning(BTN0217, text).with_hint(
            "where pods have no route of their own to the clients, give the virtual server a SNAT pool \
             inside the overlay network",
        ));
    }
    let unknown = those(Answer::Unknown);
    if !unknown.is_empty() {
        let named = some_of(&unknown);
        let text = format!("{name}: it is not known what these virtual servers send from: {named}");
        checks.push(Check::skipped(BTN0011, text));
    }
    let right = those(Answer::Here).len();
    if right > 0 {
        let servers = count(right, "virtual server");
        checks.push(Check::ok(format!("{name}: pods can answer to {servers}")));
    }
    checks
}

/// Where pods answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// To this unit.
    Here,
    /// Nowhere.
    Never,
    /// To whoever asked the virtual server.
    ToTheClient,
    /// That cannot be told.
    Unknown,
}

/// The addresses that a unit can send from.
struct Sources<'a> {
    /// The networks of the self IPs on the tunnel.
    overlay: Vec<Ipv4Net>,
    /// Whether automap takes an address of the tunnel: floating ones come first, also those of other
    /// networks (K7336).
    automap_works: bool,
    snat_pools: &'a SnatPools,
}

impl<'a> Sources<'a> {
    fn new(self_ips: &[SelfIp], tunnel: &TunnelFacts, snat_pools: &'a SnatPools) -> Self {
        let domain = tunnel.local_address.map(|local| local.route_domain);
        let in_domain = |own: &&SelfIp| domain.is_none_or(|domain| own.route_domain == domain);
        let own: Vec<&SelfIp> = self_ips.iter().filter(in_domain).collect();
        let on_tunnel = || own.iter().filter(|own| own.interface == tunnel.full_path);
        Self {
            overlay: on_tunnel().map(|own| own.address).collect(),
            automap_works: on_tunnel().any(|own| own.floats) || !own.iter().any(|own| own.floats),
            snat_pools,
        }
    }

    fn answer(&self, translation: &Translation) -> Answer {
        let is_inside = |address: &Ipv4Addr| self.overlay.iter().any(|net| net.contains(address));
        match translation {
            Translation::Automap if self.automap_works => Answer::Here,
            Translation::Automap => Answer::Never,
            Translation::None => Answer::ToTheClient,
            Translation::Other => Answer::Unknown,
            // A pool of another partition may not be shown.
            Translation::Pool(pool) => match self.snat_pools.get(pool).map(Vec::as_slice) {
                None | Some([]) => Answer::Unknown,
                Some(all) if all.iter().flatten().any(|address| !is_inside(address)) => {
                    Answer::Never
                }
                Some(all) if all.contains(&None) => Answer::Unknown,
                Some(_) => Answer::Here,
            },
        }
    }
}
