//! Nodes as the product sees them: plain values, copied from Kubernetes without deciding anything.
//!
//! Readiness, taints and cordoning are left out on purpose: they never decide about a record. Knows
//! nothing of Kubernetes' own types.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

/// One Node object, seen by one `BigIpTunnel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// Whether the object's `nodes.selector` selects this node.
    pub selected: bool,
    /// `status.addresses`, in the order in which the node lists them.
    pub addresses: Vec<NodeAddress>,
}

/// One entry of `status.addresses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress {
    /// The type, such as `InternalIP`.
    pub kind: String,
    /// The address or name, as the node wrote it.
    pub value: String,
}

/// The address type that a tunnel's endpoint is taken from, as Cilium does first.
pub const INTERNAL_IP: &str = "InternalIP";

/// Why a node has no address that a record could point to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// No address of the wanted type at all.
    #[error("the node lists no {INTERNAL_IP}")]
    NoneListed,
    /// There are such addresses, but none that a VTEP can have. Holds the first of them.
    #[error("the {INTERNAL_IP} {0:?} is not a unicast IPv4 address, and there is no other")]
    Unusable(String),
}

impl NodeView {
    /// The address that other Cilium nodes send tunnel traffic to: the *first* usable IPv4 address
    /// of type `InternalIP` (F5 CIS takes the last one, a silent difference on nodes with several).
    pub fn tunnel_address(&self) -> Result<Ipv4Addr, AddressProblem> {
        let mut first = None;
        for address in self.addresses.iter().filter(|a| a.kind == INTERNAL_IP) {
            match address.value.parse() {
                Ok(v4) if is_usable(v4) => return Ok(v4),
                _ => first = first.or(Some(&address.value)),
            }
        }
        Err(first.map_or(AddressProblem::NoneListed, |v| {
            AddressProblem::Unusable(v.clone())
        }))
    }

    /// Whether the node lists this address under any type, in any spelling. A record whose address
    /// a node still lists is never removed behind that node's back.
    pub fn lists(&self, wanted: Ipv4Addr) -> bool {
        self.addresses.iter().any(|a| {
            a.value
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.to_canonical() == IpAddr::V4(wanted))
        })
    }
}

/// Addresses that no host can have as its unicast source are refused before a BIG-IP sees them:
/// what it would answer to them is not known.
fn is_usable(address: Ipv4Addr) -> bool {
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::node;

    #[test]
    fn the_first_usable_internal_address_counts() {
        let several = node("a").address("ExternalIP", "203.0.113.1");
        let several = several
            .address(INTERNAL_IP, "fd00::1")
            .address(INTERNAL_IP, "10.0.0.1");
        let several = several.address(INTERNAL_IP, "10.0.0.2").build();
        assert_eq!(several.tunnel_address(), Ok(Ipv4Addr::new(10, 0, 0, 1)));
    }

    #[test]
    fn a_node_without_internal_address_says_so() {
        let external = node("a").address("ExternalIP", "203.0.113.1").build();
        assert_eq!(external.tunnel_address(), Err(AddressProblem::NoneListed));
    }

    #[test]
    fn addresses_that_no_vtep_can_have_are_refused() {
        for value in [
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "fd00::1",
            "x",
            "",
        ] {
            let broken = node("a").address(INTERNAL_IP, value).build();
            assert_eq!(
                broken.tunnel_address(),
                Err(AddressProblem::Unusable(value.into()))
            );
        }
    }

    #[test]
    fn an_address_is_listed_under_any_type_and_spelling() {
        let wanted = Ipv4Addr::new(10, 0, 0, 1);
        assert!(
            node("a")
                .address("ExternalIP", "10.0.0.1")
                .build()
                .lists(wanted)
        );
        assert!(
            node("a")
                .address(INTERNAL_IP, "::ffff:10.0.0.1")
                .build()
                .lists(wanted)
        );
        assert!(
            !node("a")
                .address("Hostname", "worker-01")
                .build()
                .lists(wanted)
        );
    }
}
