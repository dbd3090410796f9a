//! Which addresses are dialled at all.
//!
//! Who may write a spec may name any address in it, and the operator would send a request there from
//! inside the cluster. Link-local and metadata addresses hand out the credentials of machines, and no
//! BIG-IP is reached by one. Pure; knows nothing of names and connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Why an address is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// Link-local: reached without a router, such as the metadata service of a cloud.
    #[error("which is link-local; give the device's management address or a self IP")]
    LinkLocal,
    /// The metadata service of a cloud at an address that is not link-local.
    #[error("which is the metadata service of a cloud; give the device's management address")]
    Metadata,
    /// No host has it: unspecified, multicast or broadcast.
    #[error("which is no address of a host; give the device's management address or a self IP")]
    NoHost,
    /// In none of the networks that devices may be in.
    #[error(
        "which is in none of the networks that devices may be in; if it is a device's, add its network \
         to the operator's --device-cidrs"
    )]
    OutsideOfNetworks,
}

/// Metadata services outside of link-local addresses, by the documents of their clouds: AWS (IPv6),
/// Google Cloud (IPv6), Azure (wire server), Alibaba Cloud, Oracle Cloud (classic).
const METADATA: [IpAddr; 5] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// Whether an address may be dialled: not if no BIG-IP can have it, and, if networks are named, only in
/// one of them.
pub(crate) fn check(address: IpAddr, networks: &[IpNet]) -> Result<(), AddressProblem> {
    // `::ffff:169.254.169.254` is reached by IPv4.
    let address = address.to_canonical();
    let no_host = match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if no_host || address.is_multicast() {
        Err(AddressProblem::NoHost)
    } else if link_local {
        Err(AddressProblem::LinkLocal)
    } else if METADATA.contains(&address) {
        Err(AddressProblem::Metadata)
    } else if networks.is_empty() || networks.iter().any(|network| network.contains(&address)) {
        Ok(())
    } else {
        Err(AddressProblem::OutsideOfNetworks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(address: &str, networks: &[&str]) -> Result<(), AddressProblem> {
        let networks: Vec<IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
        check(address.parse().unwrap(), &networks)
    }

    #[test]
    fn addresses_that_no_big_ip_has_are_never_dialled() {
        for (address, problem) in [
            ("169.254.169.254", AddressProblem::LinkLocal),
            ("169.254.1.1", AddressProblem::LinkLocal),
            ("::ffff:169.254.169.254", AddressProblem::LinkLocal),
            ("fe80::1", AddressProblem::LinkLocal),
            ("fd00:ec2::254", AddressProblem::Metadata),
            ("fd20:ce::254", AddressProblem::Metadata),
            ("168.63.129.16", AddressProblem::Metadata),
            ("::ffff:100.100.100.200", AddressProblem::Metadata),
            ("0.0.0.0", AddressProblem::NoHost),
            ("0.1.2.3", AddressProblem::NoHost),
            ("255.255.255.255", AddressProblem::NoHost),
            ("224.0.0.1", AddressProblem::NoHost),
            ("::", AddressProblem::NoHost),
            ("ff02::1", AddressProblem::NoHost),
        ] {
            assert_eq!(checked(address, &[]), Err(problem), "{address}");
            let all = checked(address, &["0.0.0.0/0", "::/0"]);
            assert_eq!(all, Err(problem), "{address} in all networks");
        }
    }

    #[test]
    fn without_networks_any_other_address_may_be_dialled() {
        for address in [
            "192.0.2.11",
            "10.0.0.1",
            "203.0.113.1",
            "fd00::1",
            "2001:db8::1",
        ] {
            assert_eq!(checked(address, &[]), Ok(()), "{address}");
        }
    }

    #[test]
    fn with_networks_only_addresses_in_them_may_be_dialled() {
        let networks = ["10.0.0.0/8", "fd00:1::/32"];
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::7"] {
            assert_eq!(checked(address, &networks), Ok(()), "{address}");
        }
        for address in ["11.1.2.3", "192.0.2.11", "fd00:2::7", "::1"] {
            assert_eq!(
                checked(address, &networks),
                Err(AddressProblem::OutsideOfNetworks),
                "{address}"
            );
        }
    }
}
