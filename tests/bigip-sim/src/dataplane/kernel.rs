//! The kernel, by netlink: carries out steps, and shows what it has learned. It decides nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use futures::{StreamExt as _, TryStreamExt as _};
use ipnet::Ipv4Net;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkMessage,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{AddressMessageBuilder, Handle, LinkUnspec, LinkVxlan, RouteMessageBuilder};

use super::desired::{Device, Hop, Mac};
use super::plan::{FLOOD, Step};
use crate::netns::{Namespace, NamespaceError};

/// After how long the kernel forgets a MAC address that it has learned.
const AGEING_S: u32 = 300;
/// Turns IPv6 off for interfaces to come.
const IPV6_OFF: &str = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
/// The loopback interface of every namespace.
const LOOPBACK: u32 = 1;

/// By this alias a VXLAN device is known that an earlier process left behind in a namespace that goes on.
const ALIAS: &str = "bigip-sim";
/// The name of an abstract socket. Each network namespace has its own ones, and one ends with its process.
const CLAIM: &[u8] = b"bigip-sim/dataplane";
/// The settings of IPv6; a kernel without it has none.
const IPV6: &str = "/proc/sys/net/ipv6";

/// The kernel's part of a data plane.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Keeps others from the namespace, where it is that of the process.
    claim: Option<UnixDatagram>,
    inside: Namespace,
    /// Makes devices that send and receive in the underlay.
    underlay: Handle,
    /// Works in the namespace of the data plane.
    links: Handle,
    /// The interfaces of tunnels, by full path.
    indexes: BTreeMap<String, u32>,
}

/// An entry of the kernel's table of neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) tunnel: String,
    pub(super) address: Ipv4Addr,
    /// `None` while there is no answer.
    pub(super) mac: Option<Mac>,
}

/// The kernel refuses a step.
#[derive(Debug, thiserror::Error)]
pub(super) enum KernelError {
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    #[error("{0}")]
    NoNamespace(NamespaceError),
    #[error("another process has its tunnels here")]
    Occupied,
    #[error("the right CAP_NET_ADMIN is missing ({0})")]
    NotPermitted(String),
    #[error("{step}: {reason}")]
    Refused { step: String, reason: String },
    #[error("tunnel {0} has no interface in the data plane")]
    NoTunnel(String),
}

impl Kernel {
    /// A namespace of its own, with tunnels that send and receive in `underlay`.
    pub(super) async fn separate(underlay: &Namespace) -> Result<Self, KernelError> {
        let inside = Namespace::new().map_err(|error| match error {
            NamespaceError::NotPermitted { .. } => KernelError::NoNamespace(error),
            other => KernelError::Namespace(other),
        })?;
        // With IPv6 interfaces search for routers, which is flooded.
        match inside.within(|| fs::write(IPV6_OFF, "1"))? {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot turn off IPv6 in the data plane, whose tunnels flood router solicitations");
            }
            // A kernel without IPv6 has no such file.
            Ok(()) | Err(_) => {}
        }
        let links = inside.netlink()?;
        let up = LinkUnspec::new_with_index(LOOPBACK).up().build();
        let result = links.link().set(up).execute().await;
        refused("set the loopback interface up", result)?;
        Ok(Self {
            claim: None,
            underlay: underlay.netlink()?,
            inside,
            links,
            indexes: BTreeMap::new(),
        })
    }

    /// The namespace of the process, in which tunnels send and receive, too, without those that were left behind there.
    pub(super) async fn in_place() -> Result<Self, KernelError> {
        let inside = Namespace::current()?;
        let claim = SocketAddr::from_abstract_name(CLAIM)
            .and_then(|name| UnixDatagram::bind_addr(&name))
            .map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => KernelError::Occupied,
                _ => KernelError::Refused {
                    step: "claim the network namespace".to_owned(),
                    reason: error.to_string(),
                },
            })?;
        let links = inside.netlink()?;
        let kernel = Self {
            claim: Some(claim),
            underlay: links.clone(),
            inside,
            links,
            indexes: BTreeMap::new(),
        };
        kernel.remove_left_over().await?;
        Ok(kernel)
    }

    /// Removes the devices of a process that was killed.
    async fn remove_left_over(&self) -> Result<(), KernelError> {
        let failed = |error: &rtnetlink::Error| refusal("remove tunnels left behind", error);
        let ours = |link: &LinkMessage| {
            let alias = LinkAttribute::IfAlias(ALIAS.to_owned());
            link.attributes.contains(&alias)
        };
        for link in self.all_links().await?.iter().filter(|link| ours(link)) {
            let removed = self.links.link().del(link.header.index).execute().await;
            removed.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    async fn all_links(&self) -> Result<Vec<LinkMessage>, KernelError> {
        let all: Result<Vec<_>, _> = self.links.link().get().execute().try_collect().await;
        all.map_err(|error| refusal("list the interfaces", &error))
    }

    /// The MAC address of each tunnel's interface.
    pub(super) async fn macs(&self) -> Result<Vec<(String, Mac)>, KernelError> {
        let links = self.all_links().await?;
        let of = |index: u32| {
            let link = links.iter().find(|link| link.header.index == index)?;
            let mut attributes = link.attributes.iter();
            attributes.find_map(|attribute| match attribute {
                LinkAttribute::Address(mac) => Mac::try_from(mac.as_slice()).ok(),
                _ => None,
            })
        };
        let tunnels = self.indexes.iter();
        Ok(tunnels
            .filter_map(|(path, index)| Some((path.clone(), of(*index)?)))
            .collect())
    }

    /// The namespace of the data plane.
    pub(super) fn namespace(&self) -> &Namespace {
        &self.inside
    }

    /// Removes all tunnels.
    pub(super) async fn clear(&mut self) -> Result<(), KernelError> {
        let paths: Vec<String> = self.indexes.keys().cloned().collect();
        for path in paths {
            self.take(&Step::RemoveTunnel(path)).await?;
        }
        Ok(())
    }

    /// Takes one step.
    pub(super) async fn take(&mut self, step: &Step) -> Result<(), KernelError> {
        let result = match step {
            Step::AddTunnel(path, device) => self.add_tunnel(path, device).await,
            Step::RemoveTunnel(path) => {
                let result = self.links.link().del(self.index(path)?).execute().await;
                if result.is_ok() {
                    self.indexes.remove(path);
                }
                result
            }
            Step::AddAddress(path, address) => self.add_address(self.index(path)?, *address).await,
            Step::RemoveAddress(path, address) => {
                self.remove_address(self.index(path)?, *address).await
            }
            Step::AddEntry(path, mac, endpoint) => {
                self.add_entry(entry(self.index(path)?, *mac, *endpoint))
                    .await
            }
            Step::RemoveEntry(path, mac, endpoint) => {
                let entry = entry(self.index(path)?, *mac, *endpoint);
                self.links.neighbours().del(entry).execute().await
            }
            Step::AddRoute(network, hop) => {
                let route = self.route(*network, hop)?.build();
                self.links.route().add(route).execute().await
            }
            Step::RemoveRoute(network, hop) => {
                let route = self.route(*network, hop)?.build();
                self.links.route().del(route).execute().await
            }
        };
        result.map_err(|error| match (step, refusal(&format!("{step:?}"), &error)) {
            (Step::AddTunnel(..), KernelError::Refused { step, reason }) if is_taken(&error) => {
                KernelError::Refused {
                    step,
                    reason: format!(
                        "{reason}: another unit in this underlay has a tunnel with this VNI and port; give each unit an underlay of its own"
                    ),
                }
            }
            (_, refusal) => refusal,
        })
    }

    /// What the kernel knows of the neighbours behind its tunnels.
    pub(super) async fn neighbours(&self) -> Result<Vec<Neighbour>, KernelError> {
        let all = self.links.neighbours().get();
        let all = all.set_address_family(AddressFamily::Inet).execute();
        let all: Result<Vec<NeighbourMessage>, _> = all.try_collect().await;
        let all = all.map_err(|error| refusal("list the neighbours", &error))?;
        Ok(all
            .iter()
            .filter_map(|entry| self.neighbour(entry))
            .collect())
    }

    fn neighbour(&self, entry: &NeighbourMessage) -> Option<Neighbour> {
        let mut tunnels = self.indexes.iter();
        let (tunnel, _) = tunnels.find(|(_, index)| **index == entry.header.ifindex)?;
        let attributes = entry.attributes.iter();
        let address = attributes.clone().find_map(|attribute| match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(*address),
            _ => None,
        })?;
        let mac = attributes.clone().find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(mac) => Mac::try_from(mac.as_slice()).ok(),
            _ => None,
        });
        // Of these two the kernel keeps an address that it does not believe in.
        let unknown = [NeighbourState::Incomplete, NeighbourState::Failed];
        if entry.header.state == NeighbourState::Noarp {
            return None;
        }
        Some(Neighbour {
            tunnel: tunnel.clone(),
            address,
            mac: mac.filter(|_| !unknown.contains(&entry.header.state)),
        })
    }

    fn index(&self, path: &str) -> Result<u32, KernelError> {
        let index = self.indexes.get(path).copied();
        index.ok_or_else(|| KernelError::NoTunnel(path.to_owned()))
    }

    async fn add_tunnel(&mut self, path: &str, device: &Device) -> Result<(), rtnetlink::Error> {
        let message = LinkVxlan::new(&device.name, device.vni)
            .local(device.local)
            .port(device.port)
            .learning(true)
            .ageing(AGEING_S)
            .address(device.mac.to_vec())
            .mtu(device.mtu)
            .setns_by_fd(self.inside.as_fd().as_raw_fd())
            .build();
        self.underlay.link().add(message).execute().await?;
        let mut found = self
            .links
            .link()
            .get()
            .match_name(device.name.clone())
            .execute();
        // Its absence is an error of the next step.
        let Some(link) = found.try_next().await? else {
            return Ok(());
        };
        let index = link.header.index;
        self.indexes.insert(path.to_owned(), index);
        if self.claim.is_some() && Path::new(IPV6).exists() {
            self.turn_ipv6_off(index).await;
        }
        let up = LinkUnspec::new_with_index(index).alias(ALIAS).up().build();
        self.links.link().set(up).execute().await
    }

    /// Keeps one interface without an address of IPv6, with which it would search for routers: that is flooded. The
    /// setting for interfaces to come is not ours in the namespace of the process.
    async fn turn_ipv6_off(&self, index: u32) {
        let without = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let without = LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![without])]);
        let message = LinkUnspec::new_with_index(index).append_extra_attribute(without);
        if let Err(error) = self.links.link().set(message.build()).execute().await {
            tracing::warn!(%error, "cannot turn off IPv6 on a tunnel, which floods router solicitations");
        }
    }

    async fn add_address(&self, index: u32, address: Ipv4Net) -> Result<(), rtnetlink::Error> {
        let (host, length) = (address.addr().into(), address.prefix_len());
        self.links
            .address()
            .add(index, host, length)
            .execute()
            .await
    }

    async fn remove_address(&self, index: u32, address: Ipv4Net) -> Result<(), rtnetlink::Error> {
        let message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(index)
            .address(address.addr(), address.prefix_len())
            .build();
        match self.links.address().del(message).execute().await {
            // It went with the first address of its network.
            Err(rtnetlink::Error::NetlinkError(error))
                if error.to_io().kind() == io::ErrorKind::AddrNotAvailable =>
            {
                Ok(())
            }
            result => result,
        }
    }

    fn route(
        &self,
        network: Ipv4Net,
        hop: &Hop,
    ) -> Result<RouteMessageBuilder<Ipv4Addr>, KernelError> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(network.addr(), network.prefix_len())
            .output_interface(self.index(&hop.tunnel)?);
        Ok(match hop.gateway {
            Some(gateway) => route.gateway(gateway),
            None => route.scope(RouteScope::Link),
        })
    }

    /// The request of `rtnetlink` cannot add a second place to flood to.
    async fn add_entry(&self, entry: NeighbourMessage) -> Result<(), rtnetlink::Error> {
        let floods = entry
            .attributes
            .contains(&NeighbourAttribute::LinkLayerAddress(FLOOD.to_vec()));
        // A record takes the place of what was learned.
        let how = if floods { NLM_F_APPEND } else { NLM_F_REPLACE };
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(entry));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | how;
        let mut answers = self.links.clone().request(request)?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload
                && error.code.is_some()
            {
                return Err(rtnetlink::Error::NetlinkError(error));
            }
        }
        Ok(())
    }
}

/// An entry of the forwarding database of a VXLAN device.
fn entry(index: u32, mac: Mac, endpoint: Ipv4Addr) -> NeighbourMessage {
    let mut entry = NeighbourMessage::default();
    entry.header.family = AddressFamily::Bridge;
    entry.header.ifindex = index;
    entry.header.state = NeighbourState::Permanent;
    entry.header.flags = NeighbourFlags::Own;
    entry.attributes = vec![
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet(endpoint)),
    ];
    entry
}

/// Whether what was to be made is there already.
fn is_taken(error: &rtnetlink::Error) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(message)
        if message.to_io().kind() == io::ErrorKind::AlreadyExists)
}

fn refused(step: &str, result: Result<(), rtnetlink::Error>) -> Result<(), KernelError> {
    result.map_err(|error| refusal(step, &error))
}

fn refusal(step: &str, error: &rtnetlink::Error) -> KernelError {
    match error {
        rtnetlink::Error::NetlinkError(message) => {
            let source = message.to_io();
            if source.kind() == io::ErrorKind::PermissionDenied {
                KernelError::NotPermitted(step.to_owned())
            } else {
                KernelError::Refused {
                    step: step.to_owned(),
                    reason: source.to_string(),
                }
            }
        }
        other => KernelError::Refused {
            step: step.to_owned(),
            reason: other.to_string(),
        },
    }
}
