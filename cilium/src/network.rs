//! IPv4 networks, as the parties of a tunnel write them.

use std::fmt;
use std::net::Ipv4Addr;

use bigip_tunnel_core::node::Ipv4Net;

/// An address with a prefix length and, on a BIG-IP, a route domain: `10.1.6.34%2/24`.
pub fn self_ip(text: &str) -> Option<Ipv4Net> {
    let (address, length) = text.split_once('/')?;
    let address = address.split('%').next()?;
    Ipv4Net::new(address.parse().ok()?, length.parse().ok()?).ok()
}

/// The address of an endpoint without its route domain: `10.169.72.34%0`.
pub fn address(text: &str) -> Option<Ipv4Addr> {
    text.split('%').next()?.parse().ok()
}

/// How two networks with an address in common lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The first is a part of the second.
    Inside,
    /// The second is a part of the first.
    Contains,
    /// They are one network.
    Equals,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inside => "is inside",
            Self::Contains => "contains",
            Self::Equals => "equals",
        })
    }
}

/// How the first network lies to the second, where they have an address in common.
pub fn relation(one: Ipv4Net, other: Ipv4Net) -> Option<Relation> {
    match (
        one.contains(&other.network()),
        other.contains(&one.network()),
    ) {
        (true, true) if one.prefix_len() == other.prefix_len() => Some(Relation::Equals),
        (true, _) if one.prefix_len() < other.prefix_len() => Some(Relation::Contains),
        (_, true) => Some(Relation::Inside),
        _ => None,
    }
}

/// Whether two networks have an address in common.
pub fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    relation(one, other).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn route_domain_is_no_part_of_an_address() {
        let own = self_ip("10.1.6.34%2/24").unwrap();
        assert_eq!(own.addr(), Ipv4Addr::new(10, 1, 6, 34));
        assert_eq!(own.trunc().to_string(), "10.1.6.0/24");
        assert_eq!(self_ip("fd00::1/64"), None);
        assert_eq!(address("10.169.72.34%0"), address("10.169.72.34"));
    }

    #[test]
    fn inside_and_contains_are_distinct() {
        let of = |one: &str, other: &str| relation(net(one), net(other));
        assert_eq!(of("10.0.0.0/8", "10.1.6.34/24"), Some(Relation::Contains));
        assert_eq!(of("10.1.6.34/24", "10.0.0.0/8"), Some(Relation::Inside));
        assert_eq!(of("10.1.6.34/24", "10.1.6.0/24"), Some(Relation::Equals));
        assert_eq!(of("10.1.6.0/24", "10.1.7.0/24"), None);
        assert!(!overlap(net("10.1.6.0/24"), net("10.1.7.0/24")));
    }
}
