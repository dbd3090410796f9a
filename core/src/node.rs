//! Nodes as the product sees them: plain values, copied from Kubernetes without deciding anything.
//!
//! Readiness, taints and cordoning are left out on purpose: they never decide about a record. One taint
//! decides only whether a missing address is a failure yet. Knows nothing of Kubernetes' own types.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

pub use ipnet::Ipv4Net;
use jiff::{SignedDuration, Timestamp};

use crate::damping::Damped;
use crate::reason::Reason;

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
    /// `spec.addresses` of the `CiliumNode` with the node's name, in its order. `None` where there is
    /// no such object, and where nobody asked for it.
    pub cilium_addresses: Option<Vec<NodeAddress>>,
    /// The address that its record keeps while its addresses are not stable.
    pub damped: Option<Damped>,
    /// What else is read of the node.
    pub traits: NodeTraits,
}

/// How long a node that has just joined may be without a usable address: it often gets one seconds after
/// the object was created.
const JOINING: SignedDuration = SignedDuration::from_mins(2);

/// What is read of a Node besides its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeTraits {
    /// Whether its cloud provider has not initialized it yet; the addresses come with that.
    pub is_uninitialized: bool,
    /// The address in flannel's annotation `public-ip`, of a Node on which no kubelet has ever run: a
    /// BIG-IP that flannel had to know.
    pub stands_for: Option<IpAddr>,
}

/// One address in the list of a Node or a `CiliumNode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress {
    /// The type, such as `InternalIP`.
    pub kind: String,
    /// The address or name, as the node wrote it.
    pub value: String,
}

/// The address type of the network that the nodes share.
pub const INTERNAL_IP: &str = "InternalIP";
/// The address type of addresses that are reached from outside.
pub const EXTERNAL_IP: &str = "ExternalIP";

/// Which of a node's addresses its record points to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressRule {
    /// The list that the address is taken from, and the type that it has there.
    pub kind: AddressKind,
    /// The networks of which one has to hold the address; empty when any address will do.
    pub cidrs: Vec<Ipv4Net>,
    /// Networks whose addresses are never taken for a node's: they move between nodes, or are on all.
    pub exclude: Vec<Ipv4Net>,
}

/// Where addresses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressKind {
    /// The addresses of type `InternalIP` of the Node. Cilium prefers these.
    #[default]
    InternalIp,
    /// The addresses of type `ExternalIP` of the Node.
    ExternalIp,
    /// The addresses of type `InternalIP` of the `CiliumNode` with the Node's name: what the Cilium
    /// agents themselves send tunnel traffic to.
    CiliumNode,
}

impl AddressKind {
    /// The type under which a wanted address is listed.
    const fn address_type(self) -> &'static str {
        match self {
            Self::InternalIp | Self::CiliumNode => INTERNAL_IP,
            Self::ExternalIp => EXTERNAL_IP,
        }
    }

    /// Who lists it.
    const fn lister(self) -> &'static str {
        match self {
            Self::InternalIp | Self::ExternalIp => "the node",
            Self::CiliumNode => "its CiliumNode",
        }
    }
}

impl AddressRule {
    /// The address in this entry, if a record can point to it.
    fn check(&self, address: &NodeAddress) -> Result<Ipv4Addr, AddressProblem> {
        let not_ipv4 = |_| AddressProblem::NotIpv4(self.kind, address.value.clone());
        let v4 = address.value.parse().map_err(not_ipv4)?;
        if !is_usable(v4) {
            return Err(AddressProblem::Unusable(self.kind, v4));
        }
        if self.exclude.iter().any(|cidr| cidr.contains(&v4)) {
            return Err(AddressProblem::Excluded(self.kind, v4));
        }
        if self.cidrs.is_empty() || self.cidrs.iter().any(|cidr| cidr.contains(&v4)) {
            Ok(v4)
        } else {
            Err(AddressProblem::OutsideCidrs(self.kind, v4))
        }
    }
}

/// Why a node has no address that a record could point to. Of several addresses the one counts that
/// came nearest to being taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// There is no `CiliumNode` with the node's name.
    #[error("there is no CiliumNode of its name")]
    NoCiliumNode,
    /// No address of the wanted type at all.
    #[error("{} lists no {}", .0.lister(), .0.address_type())]
    NoneListed(AddressKind),
    /// There are such addresses, but none is IPv4. Holds the first of them.
    #[error("the {} {:?} is not an IPv4 address, and {} lists no other", .0.address_type(), .1, .0.lister())]
    NotIpv4(AddressKind, String),
    /// The IPv4 addresses are none that a node can have. Holds the first of them.
    #[error(
        "the {} {} cannot be an endpoint: it is loopback, multicast, broadcast or unspecified",
        .0.address_type(), .1
    )]
    Unusable(AddressKind, Ipv4Addr),
    /// None of the usable addresses is inside the networks of the rule. Holds the first of them.
    #[error(
        "the {} {} is outside of spec.nodes.addressSource.cidrs, and {} lists none inside",
        .0.address_type(), .1, .0.lister()
    )]
    OutsideCidrs(AddressKind, Ipv4Addr),
    /// The usable addresses are ones that the rule excludes. Holds the first of them.
    #[error(
        "the {} {} is inside of spec.nodes.addressSource.excludeCIDRs, and {} lists no other",
        .0.address_type(), .1, .0.lister()
    )]
    Excluded(AddressKind, Ipv4Addr),
}

impl AddressProblem {
    /// The word of the vocabulary.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NoCiliumNode | Self::NoneListed(_) => Reason::NodeAddressMissing,
            Self::NotIpv4(..) => Reason::NodeAddressNotIpv4,
            Self::Unusable(..) => Reason::NodeAddressUnusable,
            Self::OutsideCidrs(..) => Reason::NodeAddressOutsideCidrs,
            Self::Excluded(..) => Reason::NodeAddressExcluded,
        }
    }

    /// How near the address came to being taken.
    const fn stage(&self) -> u8 {
        match self {
            Self::NoCiliumNode | Self::NoneListed(_) => 0,
            Self::NotIpv4(..) => 1,
            Self::Unusable(..) => 2,
            Self::Excluded(..) => 3,
            Self::OutsideCidrs(..) => 4,
        }
    }
}

impl NodeView {
    /// Until when the node counts as joining: without a usable address it is pending, not a failure.
    pub fn joins_until(&self) -> Option<Timestamp> {
        if self.traits.is_uninitialized {
            return Some(Timestamp::MAX);
        }
        self.created?.checked_add(JOINING).ok()
    }

    /// Whether the node is none: it stands for one of these units.
    pub fn is_stand_in(&self, units: &BTreeSet<IpAddr>) -> bool {
        let stands_for = self.traits.stands_for;
        stands_for.is_some_and(|address| units.contains(&address))
    }

    /// The same node, not selected where it stands for one of these units.
    #[must_use]
    pub fn without_stand_in(self, units: &BTreeSet<IpAddr>) -> Self {
        let selected = self.selected && !self.is_stand_in(units);
        Self { selected, ..self }
    }

    /// The address that the node's record points to: the one that the rule takes, or the one it had while
    /// the node's addresses are not stable.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub fn tunnel_address(&self, rule: &AddressRule) -> Result<Ipv4Addr, AddressProblem> {
        match &self.damped {
            Some(damped) => Ok(damped.address),
            None => self.listed_address(rule),
        }
    }

    /// The address that the rule takes from what the node lists: the *first* usable one, as Cilium does
    /// (F5 CIS takes the last one, a silent difference on nodes with several).
    ///
    /// # Errors
    ///
    /// Why it takes none.
    pub fn listed_address(&self, rule: &AddressRule) -> Result<Ipv4Addr, AddressProblem> {
        let listed = match (rule.kind, &self.cilium_addresses) {
            (AddressKind::InternalIp | AddressKind::ExternalIp, _) => &self.addresses,
            (AddressKind::CiliumNode, Some(listed)) => listed,
            (AddressKind::CiliumNode, None) => return Err(AddressProblem::NoCiliumNode),
        };
        let mut nearest = AddressProblem::NoneListed(rule.kind);
        let wanted = rule.kind.address_type();
        for address in listed.iter().filter(|address| address.kind == wanted) {
            match rule.check(address) {
                Ok(v4) => return Ok(v4),
                Err(problem) if problem.stage() > nearest.stage() => nearest = problem,
                Err(_) => {}
            }
        }
        Err(nearest)
    }

    /// Whether the node or its `CiliumNode` lists this address under any type, in any spelling, excluded or
    /// not. A record whose address a node still lists is never removed behind that node's back.
    pub fn lists(&self, wanted: Ipv4Addr) -> bool {
        let cilium = self.cilium_addresses.iter().flatten();
        self.addresses.iter().chain(cilium).any(|a| {
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
mod tests;
