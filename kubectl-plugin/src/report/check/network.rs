//! IPv4 networks, as the parties of a tunnel write them.

use std::net::Ipv4Addr;

use bigip_tunnel_core::node::Ipv4Net;

/// An address with a prefix length and, on a BIG-IP, a route domain: `10.1.6.34%2/24`.
pub(super) fn self_ip(text: &str) -> Option<Ipv4Net> {
    let (address, length) = text.split_once('/')?;
    let address = address.split('%').next()?;
    Ipv4Net::new(address.parse().ok()?, length.parse().ok()?).ok()
}

/// The address of an endpoint without its route domain: `10.169.72.34%0`.
pub(super) fn address(text: &str) -> Option<Ipv4Addr> {
    text.split('%').next()?.parse().ok()
}

/// Whether two networks have an address in common.
pub(super) fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_domain_is_no_part_of_an_address() {
        let net = self_ip("10.1.6.34%2/24").unwrap();
        assert_eq!(net.addr(), Ipv4Addr::new(10, 1, 6, 34));
        assert_eq!(net.trunc().to_string(), "10.1.6.0/24");
        assert_eq!(self_ip("fd00::1/64"), None);
        assert_eq!(address("10.169.72.34%0"), address("10.169.72.34"));
    }

    #[test]
    fn networks_overlap_where_one_is_inside_the_other() {
        let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
        assert!(overlap(net("10.0.0.0/8"), net("10.1.6.34/24")));
        assert!(overlap(net("10.1.6.34/24"), net("10.0.0.0/8")));
        assert!(!overlap(net("10.1.6.0/24"), net("10.1.7.0/24")));
    }
}
