//! Addresses and networks as a BIG-IP writes them, with `%N` for another route domain than 0.
//!
//! What takes a text gives it back in the form in which it is shown, or nothing if it is none. Texts of
//! addresses stay as they were written; what a device makes of IPv6 is not known. *Assumed*: without `%N`
//! an address is in route domain 0, whatever the default of its partition is (so recorded of FDB records
//! only, CIS#425).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(target_os = "linux")]
use ipnet::Ipv4Net;

use crate::validate::{local_route_domain, route_domain};

/// An address.
pub(crate) fn address(text: &str) -> Option<String> {
    route_domain(text).map(|_| text.to_owned())
}

/// An end of a tunnel: an address, or `any` or `any6`.
pub(crate) fn tunnel_end(text: &str) -> Option<String> {
    local_route_domain(text).map(|_| text.to_owned())
}

/// An address with the length of its network, as a self IP has.
pub(crate) fn host_in_network(text: &str) -> Option<String> {
    Network::parse(text).map(|_| text.to_owned())
}

/// A network or `default`, as a route has. Everything is shown as `default` (ANS#104).
pub(crate) fn destination(text: &str) -> Option<String> {
    let domain = match text.split_once('%') {
        Some(("default" | "default-inet6", domain)) => domain.parse::<u16>().ok().map(|_| ()),
        None if matches!(text, "default" | "default-inet6") => Some(()),
        _ => None,
    };
    if domain.is_some() {
        return Some(text.to_owned());
    }
    let network = Network::parse(text)?;
    if network.length > 0 {
        return Some(text.to_owned());
    }
    // The forms of IPv6 and of other route domains are *assumed*.
    let word = if network.address.is_ipv4() {
        "default"
    } else {
        "default-inet6"
    };
    Some(match network.domain {
        0 => word.to_owned(),
        domain => format!("{word}%{domain}"),
    })
}

/// The route domain of a [`destination`].
pub(crate) fn destination_domain(text: &str) -> Option<u16> {
    match text.split_once('%') {
        Some(("default" | "default-inet6", domain)) => domain.parse().ok(),
        None if matches!(text, "default" | "default-inet6") => Some(0),
        _ => Network::parse(text).map(|network| network.domain),
    }
}

/// The IPv4 network of a [`destination`] in route domain 0.
#[cfg(target_os = "linux")]
pub(crate) fn destination_network(text: &str) -> Option<Ipv4Net> {
    match text {
        "default" => Some(Ipv4Net::default()),
        _ => Network::parse(text)?.ipv4().map(|network| network.trunc()),
    }
}

/// The address of a text such as `10.1.2.3%1`, without its route domain.
fn ip(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

/// An address in a network of a route domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    /// Bits of the network.
    length: u8,
    pub(crate) domain: u16,
}

impl Network {
    /// Reads `10.1.2.3%1/24`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, length) = text.split_once('/')?;
        let (address, length) = (ip(host)?, length.parse().ok()?);
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let domain = route_domain(host)?;
        (length <= bits).then_some(Self {
            address,
            length,
            domain,
        })
    }

    /// The address with the length of its network, if it is an IPv4 address of route domain 0.
    #[cfg(target_os = "linux")]
    pub(crate) fn ipv4(self) -> Option<Ipv4Net> {
        match (self.domain, self.address) {
            (0, IpAddr::V4(address)) => Ipv4Net::new(address, self.length).ok(),
            _ => None,
        }
    }

    /// Whether this is the same network as another, of the same route domain.
    pub(crate) fn is_same_network(self, other: Self) -> bool {
        self.length == other.length && self.contains(&other.host())
    }

    /// The address as a BIG-IP writes it.
    fn host(self) -> String {
        match self.domain {
            0 => self.address.to_string(),
            domain => format!("{}%{domain}", self.address),
        }
    }

    /// The address and the mask of the network, `10.244.246.2 / 255.255.0.0`.
    pub(crate) fn with_mask(self) -> String {
        let ones = |bits: u8| u128::MAX.checked_shl(u32::from(bits - self.length));
        let mask: IpAddr = match self.address {
            IpAddr::V4(_) => {
                let low = ones(32).unwrap_or_default() & u128::from(u32::MAX);
                Ipv4Addr::from(u32::try_from(low).unwrap_or_default()).into()
            }
            IpAddr::V6(_) => Ipv6Addr::from(ones(128).unwrap_or_default()).into(),
        };
        format!("{} / {mask}", self.host())
    }

    /// Whether an address, written as a BIG-IP does, is in the network.
    pub(crate) fn contains(self, text: &str) -> bool {
        let Some(other) = ip(text).filter(|_| route_domain(text) == Some(self.domain)) else {
            return false;
        };
        let network = |value: u128, bits: u8| value >> (bits - self.length).min(127);
        match (self.address, other) {
            _ if self.length == 0 => self.address.is_ipv4() == other.is_ipv4(),
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let (own, other) = (u32::from(own).into(), u32::from(other).into());
                network(own, 32) == network(other, 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                network(own.into(), 128) == network(other.into(), 128)
            }
            _ => false,
        }
    }
}
