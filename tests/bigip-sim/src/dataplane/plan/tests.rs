//! Steps are taken by a kernel that refuses and drops what Linux does.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const TUNNEL: &str = "/Common/flannel_vxlan";

fn device(vni: u32) -> Device {
    Device {
        name: "tunnel112".to_owned(),
        vni,
        port: 8472,
        local: [10, 169, 72, 34].into(),
        mac: [2, 0, 0, 0, 0, 1],
        mtu: 1450,
    }
}

/// A tunnel with these last bytes of self IPs and endpoints.
fn tunnel(vni: u32, addresses: &[u8], endpoints: &[u8]) -> Tunnel {
    let endpoint = |last: &u8| Ipv4Addr::new(10, 169, 72, *last);
    Tunnel {
        device: device(vni),
        addresses: addresses
            .iter()
            .map(|last| network([10, 1, 6, *last], 24))
            .collect(),
        floods: endpoints.iter().map(endpoint).collect(),
        records: endpoints
            .iter()
            .map(|last| ([2, 0, 0, 0, 0, *last], endpoint(last)))
            .collect(),
    }
}

fn network(address: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new(address.into(), length).unwrap()
}

fn desired(tunnel: Tunnel, routes: &[u8]) -> Desired {
    let hop = Hop {
        tunnel: TUNNEL.to_owned(),
        gateway: None,
    };
    Desired {
        tunnels: BTreeMap::from([(TUNNEL.to_owned(), tunnel)]),
        routes: routes
            .iter()
            .map(|second| (network([10, *second, 0, 0], 16), hop.clone()))
            .collect(),
    }
}

/// A device with its addresses and its entries.
type Held = (Device, BTreeSet<Ipv4Net>, BTreeSet<(Mac, Ipv4Addr)>);

/// A kernel that refuses what Linux refuses, and drops what Linux drops.
#[derive(Debug, Default, PartialEq, Eq)]
struct Linux {
    tunnels: BTreeMap<String, Held>,
    routes: BTreeMap<Ipv4Net, String>,
}

impl Linux {
    fn take(&mut self, step: &Step) {
        match step {
            Step::AddTunnel(path, device) => {
                let new = (device.clone(), BTreeSet::new(), BTreeSet::new());
                assert!(
                    self.tunnels.insert(path.clone(), new).is_none(),
                    "{path} is there"
                );
            }
            Step::RemoveTunnel(path) => {
                assert!(self.tunnels.remove(path).is_some(), "{path} is not there");
                self.routes.retain(|_, tunnel| tunnel != path);
            }
            Step::AddAddress(path, address) => {
                assert!(
                    self.tunnels.get_mut(path).unwrap().1.insert(*address),
                    "{address}"
                );
            }
            Step::RemoveAddress(path, address) => {
                // With the first one its network goes, and with the last one all routes.
                let addresses = &mut self.tunnels.get_mut(path).unwrap().1;
                if addresses.first() == Some(address) {
                    addresses.clear();
                    self.routes.retain(|_, tunnel| tunnel != path);
                } else {
                    addresses.remove(address);
                }
            }
            Step::AddEntry(path, mac, endpoint) => {
                let entries = &mut self.tunnels.get_mut(path).unwrap().2;
                assert!(entries.insert((*mac, *endpoint)), "{endpoint}");
            }
            Step::RemoveEntry(path, mac, endpoint) => {
                let entries = &mut self.tunnels.get_mut(path).unwrap().2;
                assert!(entries.remove(&(*mac, *endpoint)), "{endpoint}");
            }
            Step::AddRoute(network, hop) => {
                assert!(self.tunnels.contains_key(&hop.tunnel));
                let old = self.routes.insert(*network, hop.tunnel.clone());
                assert_eq!(old, None, "{network}");
            }
            Step::RemoveRoute(network, _) => {
                assert!(self.routes.remove(network).is_some(), "{network}");
            }
        }
    }

    /// What is there when exactly this was set up.
    fn of(desired: &Desired) -> Self {
        let tunnels = desired.tunnels.iter().map(|(path, tunnel)| {
            let held = (
                tunnel.device.clone(),
                tunnel.addresses.clone(),
                entries(tunnel),
            );
            (path.clone(), held)
        });
        let routes = desired.routes.iter();
        Self {
            tunnels: tunnels.collect(),
            routes: routes
                .map(|(network, hop)| (*network, hop.tunnel.clone()))
                .collect(),
        }
    }
}

#[test]
fn unchanged_configuration_takes_no_step() {
    let desired = desired(tunnel(2, &[34], &[233, 239]), &[0]);

    assert_eq!(plan(&desired, &desired), []);
}

#[test]
fn new_record_adds_its_entry_and_its_flood_only() {
    let before = desired(tunnel(2, &[34], &[233]), &[0]);
    let after = desired(tunnel(2, &[34], &[233, 239]), &[0]);
    let endpoint = Ipv4Addr::new(10, 169, 72, 239);

    let entry = |mac| Step::AddEntry(TUNNEL.to_owned(), mac, endpoint);
    assert_eq!(
        plan(&before, &after),
        [entry(FLOOD), entry([2, 0, 0, 0, 0, 239])]
    );
}

#[test]
fn record_with_another_endpoint_is_removed_first() {
    let before = desired(tunnel(2, &[34], &[233]), &[0]);
    let mut after = before.clone();
    let records = &mut after.tunnels.get_mut(TUNNEL).unwrap().records;
    records.insert([2, 0, 0, 0, 0, 233], [10, 169, 72, 1].into());

    let steps = plan(&before, &after);
    assert!(
        matches!(steps[..], [Step::RemoveEntry(..), Step::AddEntry(..)]),
        "{steps:?}"
    );
}

#[test]
fn device_with_another_vni_is_recreated_completely() {
    let before = desired(tunnel(2, &[34], &[233]), &[0]);
    let after = desired(tunnel(3, &[34], &[233]), &[0]);
    let steps = plan(&before, &after);

    let is_first = |step: &Step| matches!(step, Step::RemoveRoute(..));
    assert!(
        is_first(&steps[0]) && matches!(steps.last(), Some(Step::AddRoute(..))),
        "{steps:?}"
    );
    assert_eq!(steps.len(), 7, "{steps:?}");
}

fn any_desired() -> impl Strategy<Value = Desired> {
    let set = || {
        prop::collection::btree_set(0..6_u8, 0..4)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>())
    };
    (prop::option::of((2..4_u32, set(), set())), set()).prop_map(|(parts, routes)| match parts {
        Some((vni, addresses, endpoints)) => desired(tunnel(vni, &addresses, &endpoints), &routes),
        None => Desired::default(),
    })
}

proptest! {
    #[test]
    fn steps_lead_from_any_state_to_any_other(before in any_desired(), after in any_desired()) {
        let mut linux = Linux::of(&before);
        for step in plan(&before, &after) {
            linux.take(&step);
        }
        prop_assert_eq!(linux, Linux::of(&after));
    }
}
