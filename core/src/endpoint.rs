//! Tunnel endpoints: an IP address inside a BIG-IP route domain.
//!
//! BIG-IP writes the route domain behind the address (`10.1.2.3%7`) and shows it as it was written;
//! a bare address means route domain 0 (seen on 12.1 and 16.1). Both spellings are the same value
//! here. Knows nothing of MAC addresses or devices.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// A route domain number, 0 to 65534 (the range of `net route-domain id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RouteDomain(u16);

impl RouteDomain {
    /// The default route domain, `%0`.
    pub const ZERO: Self = Self(0);

    /// The route domain with this number, if BIG-IP has such a number.
    pub fn new(number: u32) -> Option<Self> {
        let number = u16::try_from(number).ok()?;
        (number < u16::MAX).then_some(Self(number))
    }
}

impl FromStr for RouteDomain {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, ParseEndpointError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseEndpointError::RouteDomain);
        }
        let number = text.parse().map_err(|_| ParseEndpointError::RouteDomain)?;
        Self::new(number).ok_or(ParseEndpointError::RouteDomain)
    }
}

impl fmt::Display for RouteDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// An address in a route domain. Always displayed with its route domain: a bare address in a write
/// means route domain 0, whatever the partition's default is (12.1.1, CIS#425).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The underlay address.
    pub address: IpAddr,
    /// The route domain that the address lives in.
    pub route_domain: RouteDomain,
}

/// Why a text is not an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseEndpointError {
    /// The part before `%` is no IP address.
    #[error("not an IP address")]
    Address,
    /// The part behind `%` is no route domain number.
    #[error("not a route domain: a number from 0 to 65534")]
    RouteDomain,
}

impl Endpoint {
    /// The endpoint of a node.
    pub fn v4(address: Ipv4Addr, route_domain: RouteDomain) -> Self {
        Self {
            address: IpAddr::V4(address),
            route_domain,
        }
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    /// Reads `10.1.2.3%7`, `10.1.2.3` (route domain 0) and the same with IPv6 addresses.
    fn from_str(text: &str) -> Result<Self, ParseEndpointError> {
        let (address, route_domain) = match text.split_once('%') {
            Some((address, number)) => (address, number.parse()?),
            None => (text, RouteDomain::ZERO),
        };
        let address = address.parse().map_err(|_| ParseEndpointError::Address)?;
        Ok(Self {
            address,
            route_domain,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%{}", self.address, self.route_domain)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bare_address_is_route_domain_zero() {
        assert_eq!(
            "10.169.72.239".parse::<Endpoint>(),
            "10.169.72.239%0".parse()
        );
    }

    #[test]
    fn spellings_of_one_ipv6_address_are_equal() {
        assert_eq!("FD00:0::1%1".parse::<Endpoint>(), "fd00::1%1".parse());
    }

    #[test]
    fn invalid_endpoint_names_the_wrong_half() {
        for text in ["", "any6", "10.1.2", "10.1.2.3/24", " 10.1.2.3"] {
            assert_eq!(
                text.parse::<Endpoint>(),
                Err(ParseEndpointError::Address),
                "{text}"
            );
        }
        for text in [
            "10.1.2.3%",
            "10.1.2.3%x",
            "10.1.2.3%-1",
            "10.1.2.3%65535",
            "10.1.2.3%+1",
        ] {
            assert_eq!(
                text.parse::<Endpoint>(),
                Err(ParseEndpointError::RouteDomain),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn reading_back_a_printed_endpoint_gives_the_same(address: IpAddr, number in 0_u32..65535) {
            let route_domain = RouteDomain::new(number).unwrap();
            let endpoint = Endpoint { address, route_domain };
            prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
    }
}
