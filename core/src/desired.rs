//! Nodes to records: what every device should hold.
//!
//! One node that cannot have a record is a finding and stops no other. Knows nothing of what a
//! device holds, nor of who owns it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use crate::endpoint::Endpoint;
use crate::mac::{MacAddress, MacPrefix};
use crate::node::{AddressRule, NodeView};
use crate::reason::Reason;
use crate::record::Records;

/// What the selected nodes ask for, the same for every device but for the route domain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// The node behind each record.
    pub nodes: BTreeMap<MacAddress, DesiredNode>,
    /// Selected nodes that get no record, in name order.
    pub skipped: Vec<SkippedNode>,
    /// Selected nodes whose record may not be the right one, in name order: their address keeps changing.
    pub unstable: Vec<SkippedNode>,
    /// The rule of the spec that the addresses were taken by.
    pub rule: AddressRule,
}

/// A node that gets a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredNode {
    /// The node's name.
    pub name: String,
    /// The uid of its Node.
    pub uid: String,
    /// Its tunnel address.
    pub address: Ipv4Addr,
}

/// A selected node that gets no record, or maybe not the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedNode {
    /// The node's name.
    pub name: String,
    /// What it is called in the API.
    pub reason: Reason,
    /// What is wrong with it, for a person.
    pub message: String,
    /// Until when it only waits for its address, because it has just joined.
    pub joins_until: Option<Timestamp>,
}

impl SkippedNode {
    /// Whether the node has just joined and waits for its address.
    pub fn is_joining(&self, now: Timestamp) -> bool {
        self.joins_until.is_some_and(|until| now < until)
    }
}

/// Derives the records of the selected nodes. Of two nodes with one address the older keeps it (then
/// the one whose name sorts first), so that a newcomer never takes a record over.
pub fn desired(nodes: &[NodeView], prefix: MacPrefix, rule: &AddressRule) -> Desired {
    let mut selected: Vec<&NodeView> = nodes.iter().filter(|n| n.selected).collect();
    // A node without a creation time comes last: nothing shows that it is the older one.
    selected.sort_by_key(|n| (n.created.is_none(), n.created, &n.name));

    let mut desired = Desired {
        rule: rule.clone(),
        ..Desired::default()
    };
    for node in selected {
        match node.tunnel_address(rule) {
            Ok(address) => desired.take(node, address, prefix.derive(address)),
            Err(problem) => {
                let is_missing = problem.reason() == Reason::NodeAddressMissing;
                let until = node.joins_until().filter(|_| is_missing);
                desired.skip(node, problem.reason(), problem.to_string(), until);
            }
        }
    }
    desired.skipped.sort_by(|a, b| a.name.cmp(&b.name));
    desired.unstable = unstable(nodes);
    desired
}

fn unstable(nodes: &[NodeView]) -> Vec<SkippedNode> {
    let selected = nodes.iter().filter(|node| node.selected);
    let damped = selected.filter_map(|node| Some((node, node.damped.as_ref()?)));
    let shown = damped.filter(|(_, damped)| damped.is_shown);
    let mut unstable: Vec<SkippedNode> = shown
        .map(|(node, damped)| SkippedNode {
            name: node.name.clone(),
            reason: Reason::NodeAddressUnstable,
            message: format!(
                "its address keeps changing; its record points to {} until another address has lasted \
                 for {} s",
                damped.address,
                damped.lasting.as_secs()
            ),
            joins_until: None,
        })
        .collect();
    unstable.sort_by(|a, b| a.name.cmp(&b.name));
    unstable
}

impl Desired {
    fn take(&mut self, node: &NodeView, address: Ipv4Addr, mac: MacAddress) {
        if let Some(holder) = self.nodes.get(&mac) {
            let message = format!(
                "its address {address} belongs to the older node {}",
                holder.name
            );
            self.skip(node, Reason::DuplicateAddress, message, None);
        } else {
            self.nodes.insert(
                mac,
                DesiredNode {
                    name: node.name.clone(),
                    uid: node.uid.clone(),
                    address,
                },
            );
        }
    }

    fn skip(
        &mut self,
        node: &NodeView,
        reason: Reason,
        message: String,
        joins_until: Option<Timestamp>,
    ) {
        self.skipped.push(SkippedNode {
            name: node.name.clone(),
            reason,
            message,
            joins_until,
        });
    }

    /// When the next joining node becomes a failure, if it still has no address then.
    pub fn next_overdue(&self, now: Timestamp) -> Option<Timestamp> {
        let joining = self.skipped.iter().filter(|node| node.is_joining(now));
        let until = joining.filter_map(|node| node.joins_until).min()?;
        (until < Timestamp::MAX).then_some(until)
    }

    /// How many nodes are selected.
    pub fn selected(&self) -> usize {
        self.nodes.len() + self.skipped.len()
    }

    /// The records for a tunnel with this local address: endpoints in its route domain (a BIG-IP
    /// refuses any other, CIS#425), and none for the tunnel's own address, which would make the
    /// BIG-IP send to itself.
    pub fn records(&self, local_address: Endpoint) -> Records {
        self.nodes
            .iter()
            .filter(|(_, node)| IpAddr::V4(node.address) != local_address.address)
            .map(|(mac, node)| (*mac, Endpoint::v4(node.address, local_address.route_domain)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{mac, node, records, worker};

    fn local(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    #[test]
    fn three_nodes_give_the_three_published_records() {
        let nodes = [
            worker("worker-01", "10.169.72.239"),
            worker("worker-02", "10.169.72.233"),
            worker("worker-03", "10.169.72.240"),
        ];
        let desired = desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default());
        assert_eq!(
            desired.records(local("10.169.72.34")),
            records(&[
                ("0a:0a:0a:a9:48:ef", "10.169.72.239%0"),
                ("0a:0a:0a:a9:48:e9", "10.169.72.233%0"),
                ("0a:0a:0a:a9:48:f0", "10.169.72.240%0"),
            ])
        );
    }

    #[test]
    fn endpoints_lie_in_the_route_domain_of_the_tunnel() {
        let desired = desired(
            &[worker("a", "10.0.0.1")],
            MacPrefix::DEFAULT,
            &AddressRule::default(),
        );
        assert_eq!(
            desired.records(local("10.0.0.254%20")),
            records(&[("0a:0a:0a:00:00:01", "10.0.0.1%20")])
        );
    }

    #[test]
    fn node_with_own_address_of_tunnel_gets_no_record() {
        let desired = desired(
            &[worker("dummy", "10.0.0.254")],
            MacPrefix::DEFAULT,
            &AddressRule::default(),
        );
        assert!(desired.records(local("10.0.0.254")).is_empty());
    }

    #[test]
    fn node_without_address_stops_no_other() {
        let nodes = [node("new").build(), worker("a", "10.0.0.1")];
        let desired = desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default());
        assert_eq!(desired.nodes.len(), 1);
        assert_eq!(desired.skipped[0].reason, Reason::NodeAddressMissing);
        assert_eq!(desired.selected(), 2);
    }

    #[test]
    fn node_without_address_is_joining_for_two_minutes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let nodes = [node("new").created(100).build()];
        let desired = desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default());
        assert!(desired.skipped[0].is_joining(at(219)));
        assert_eq!(desired.next_overdue(at(219)), Some(at(220)));
        assert!(!desired.skipped[0].is_joining(at(220)));
        assert_eq!(desired.next_overdue(at(220)), None);
    }

    #[test]
    fn uninitialized_node_is_joining_until_taint_removal() {
        let mut tainted = node("new").created(100).build();
        tainted.traits.is_uninitialized = true;
        let desired = desired(&[tainted], MacPrefix::DEFAULT, &AddressRule::default());
        let late = Timestamp::from_second(1_000_000).unwrap();
        assert!(desired.skipped[0].is_joining(late));
        assert_eq!(desired.next_overdue(late), None);
    }

    #[test]
    fn node_with_an_unusable_address_is_not_joining() {
        let node = node("v6")
            .created(100)
            .address("InternalIP", "fd00::1")
            .build();
        let desired = desired(&[node], MacPrefix::DEFAULT, &AddressRule::default());
        assert_eq!(desired.skipped[0].joins_until, None);
    }

    #[test]
    fn node_without_creation_time_is_not_joining() {
        let nodes = [node("new").build()];
        let desired = desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default());
        assert!(!desired.skipped[0].is_joining(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn node_that_stands_for_a_unit_is_not_selected() {
        let units = ["10.1.6.34".parse().unwrap()].into();
        let selected = |stands_for: Option<&str>| {
            let mut node = node("bigip").build();
            node.traits.stands_for = stands_for.map(|address| address.parse().unwrap());
            node.without_stand_in(&units).selected
        };
        assert!(!selected(Some("10.1.6.34")));
        assert!(selected(Some("10.1.6.35")));
        assert!(selected(None));
    }

    #[test]
    fn older_of_two_nodes_keeps_a_shared_address() {
        let young = node("a")
            .address("InternalIP", "10.0.0.1")
            .created(200)
            .build();
        let old = node("b")
            .address("InternalIP", "10.0.0.1")
            .created(100)
            .build();
        let desired = desired(&[young, old], MacPrefix::DEFAULT, &AddressRule::default());
        assert_eq!(desired.nodes[&mac("0a:0a:0a:00:00:01")].name, "b");
        assert_eq!(desired.skipped[0].name, "a");
        assert_eq!(desired.skipped[0].reason, Reason::DuplicateAddress);
    }

    #[test]
    fn unselected_node_is_not_counted() {
        let other = node("a")
            .address("InternalIP", "10.0.0.1")
            .unselected()
            .build();
        assert_eq!(
            desired(&[other], MacPrefix::DEFAULT, &AddressRule::default()),
            Desired::default()
        );
    }

    #[test]
    fn unstable_node_keeps_its_record_and_is_named() {
        let unstable = NodeView {
            damped: Some(crate::damping::Damped {
                address: Ipv4Addr::new(10, 0, 0, 1),
                lasting: std::time::Duration::from_secs(10),
                is_shown: true,
            }),
            ..worker("a", "10.0.0.9")
        };
        let desired = desired(&[unstable], MacPrefix::DEFAULT, &AddressRule::default());
        assert!(desired.nodes.contains_key(&mac("0a:0a:0a:00:00:01")));
        assert_eq!(desired.selected(), 1);
        assert_eq!(desired.unstable[0].reason, Reason::NodeAddressUnstable);
    }
}
