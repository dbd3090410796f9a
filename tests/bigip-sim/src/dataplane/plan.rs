//! From what the kernel holds to what it has to hold: the steps, in an order in which each one can be taken.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::desired::{Desired, Device, Hop, Mac, Tunnel};

/// The MAC address under which the kernel looks up where to flood.
pub(super) const FLOOD: Mac = [0; 6];

/// One change of the kernel. Tunnels are named by their full path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    RemoveRoute(Ipv4Net, Hop),
    RemoveTunnel(String),
    RemoveEntry(String, Mac, Ipv4Addr),
    RemoveAddress(String, Ipv4Net),
    AddTunnel(String, Device),
    AddAddress(String, Ipv4Net),
    AddEntry(String, Mac, Ipv4Addr),
    AddRoute(Ipv4Net, Hop),
}

/// The steps from one to the other.
pub(super) fn plan(current: &Desired, desired: &Desired) -> Vec<Step> {
    let disturbed = disturbed(current, desired);
    let stays = |route: (&Ipv4Net, &Hop)| {
        let (network, hop) = route;
        let both = [current, desired].map(|it| it.routes.get(network) == Some(hop));
        both == [true, true] && !disturbed.contains(hop.tunnel.as_str())
    };
    let mut steps = Vec::new();
    for route in current.routes.iter().filter(|route| !stays(*route)) {
        steps.push(Step::RemoveRoute(*route.0, route.1.clone()));
    }
    for (path, tunnel) in &current.tunnels {
        match desired.tunnels.get(path) {
            Some(kept) if kept.device == tunnel.device => {
                steps.extend(removals(path, tunnel, kept));
            }
            _ => steps.push(Step::RemoveTunnel(path.clone())),
        }
    }
    for (path, tunnel) in &desired.tunnels {
        let kept = current.tunnels.get(path);
        let kept = kept.filter(|kept| kept.device == tunnel.device);
        if kept.is_none() {
            steps.push(Step::AddTunnel(path.clone(), tunnel.device.clone()));
        }
        steps.extend(additions(path, kept, tunnel));
    }
    // A gateway has to be in the network of an address, so routes come last.
    for route in desired.routes.iter().filter(|route| !stays(*route)) {
        steps.push(Step::AddRoute(*route.0, route.1.clone()));
    }
    steps
}

/// The tunnels whose routes the kernel drops on the way: those that go, come or are made again, and those that lose
/// an address.
fn disturbed<'a>(current: &'a Desired, desired: &'a Desired) -> BTreeSet<&'a str> {
    let keeps_all = |path: &String, tunnel: &Tunnel| {
        let kept = desired.tunnels.get(path);
        kept.is_some_and(|kept| kept.device == tunnel.device && !loses_address(tunnel, kept))
    };
    let gone = current
        .tunnels
        .iter()
        .filter(|(path, tunnel)| !keeps_all(path, tunnel));
    gone.map(|(path, _)| path.as_str()).collect()
}

fn loses_address(current: &Tunnel, desired: &Tunnel) -> bool {
    !current.addresses.is_subset(&desired.addresses)
}

fn removals(path: &str, current: &Tunnel, desired: &Tunnel) -> Vec<Step> {
    let gone = entries(current)
        .difference(&entries(desired))
        .copied()
        .collect::<Vec<_>>();
    let mut steps: Vec<Step> = gone
        .into_iter()
        .map(|(mac, endpoint)| Step::RemoveEntry(path.to_owned(), mac, endpoint))
        .collect();
    // With the first address of a network the kernel drops the others of it, so all are set again.
    if loses_address(current, desired) {
        let all = current.addresses.iter();
        steps.extend(all.map(|address| Step::RemoveAddress(path.to_owned(), *address)));
    }
    steps
}

fn additions(path: &str, current: Option<&Tunnel>, desired: &Tunnel) -> Vec<Step> {
    let stays = current.filter(|current| !loses_address(current, desired));
    let known = stays
        .map(|stays| stays.addresses.clone())
        .unwrap_or_default();
    let addresses = desired.addresses.difference(&known);
    let mut steps: Vec<Step> = addresses
        .map(|address| Step::AddAddress(path.to_owned(), *address))
        .collect();
    let known = current.map(entries).unwrap_or_default();
    let new = entries(desired);
    let new = new.difference(&known).copied();
    steps.extend(new.map(|(mac, endpoint)| Step::AddEntry(path.to_owned(), mac, endpoint)));
    steps
}

/// The entries of the kernel's forwarding database.
fn entries(tunnel: &Tunnel) -> BTreeSet<(Mac, Ipv4Addr)> {
    let floods = tunnel.floods.iter().map(|endpoint| (FLOOD, *endpoint));
    let records = tunnel
        .records
        .iter()
        .map(|(mac, endpoint)| (*mac, *endpoint));
    floods.chain(records).collect()
}

#[cfg(test)]
mod tests;
