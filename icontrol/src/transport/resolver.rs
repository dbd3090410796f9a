//! The addresses of a host name, without those that are not to be dialled.
//!
//! What is returned here is what is dialled: a name that leads elsewhere a moment later is checked
//! again. Names the HTTP library, as it is a part of it that is filled in. Knows nothing of TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{self, AddressProblem};

/// None of a name's addresses may be dialled.
#[derive(Debug, thiserror::Error)]
#[error("{address}, {problem}")]
pub(super) struct NotAllowed {
    pub(super) address: IpAddr,
    pub(super) problem: AddressProblem,
}

/// Asks the system, and keeps what may be dialled.
pub(super) struct CheckedResolver {
    pub(super) networks: Arc<[IpNet]>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let networks = self.networks.clone();
        Box::pin(async move {
            // The port is filled in by the library.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = allowed(found, &networks)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Those that may be dialled, in their order. An error if there are others only.
fn allowed(
    found: impl Iterator<Item = SocketAddr>,
    networks: &[IpNet],
) -> Result<Vec<SocketAddr>, NotAllowed> {
    let mut allowed = Vec::new();
    let mut refused = None;
    for socket in found {
        let address = socket.ip();
        match address::check(address, networks) {
            Ok(()) => allowed.push(socket),
            Err(problem) => {
                refused.get_or_insert(NotAllowed { address, problem });
            }
        }
    }
    match refused {
        Some(refused) if allowed.is_empty() => Err(refused),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(addresses: &[&str]) -> Vec<SocketAddr> {
        let parse = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
        addresses.iter().map(parse).collect()
    }

    #[test]
    fn only_allowed_addresses_of_a_name_are_dialled() {
        let found = sockets(&["169.254.169.254", "10.0.0.1", "192.0.2.11", "10.0.0.2"]);
        let networks = ["10.0.0.0/8".parse().unwrap()];
        let allowed = allowed(found.into_iter(), &networks).unwrap();
        assert_eq!(allowed, sockets(&["10.0.0.1", "10.0.0.2"]));
    }

    #[test]
    fn name_without_allowed_address_is_refused_with_first() {
        let found = sockets(&["169.254.169.254", "192.0.2.11"]);
        let networks = ["10.0.0.0/8".parse().unwrap()];
        let refused = allowed(found.into_iter(), &networks).unwrap_err();
        assert_eq!(refused.address, sockets(&["169.254.169.254"])[0].ip());
        assert_eq!(refused.problem, AddressProblem::LinkLocal);
    }

    #[test]
    fn name_without_addresses_is_no_refusal() {
        assert!(allowed(std::iter::empty(), &[]).unwrap().is_empty());
    }
}
