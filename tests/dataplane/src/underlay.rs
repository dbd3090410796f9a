//! The network between BIG-IPs and nodes: a bridge in a namespace of its own, and a namespace for each host on it.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicU32, Ordering};

use bigip_sim::netns::{Namespace, NamespaceError};
use futures::TryStreamExt as _;
use ipnet::Ipv4Net;
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{Handle, LinkBridge, LinkUnspec, LinkVeth};

const BRIDGE: &str = "underlay";
/// Name of a host's interface.
const INTERFACE: &str = "eth0";

/// The network cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum UnderlayError {
    /// A namespace cannot be had.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The kernel refuses a change.
    #[error("cannot {action}: {source}")]
    Kernel {
        /// What was tried.
        action: &'static str,
        /// What it says.
        source: rtnetlink::Error,
    },
    /// An interface that was just made is not there.
    #[error("the interface {0} is not there")]
    NoInterface(&'static str),
}

/// A network, which goes with its last namespace.
#[derive(Debug)]
pub struct Underlay {
    links: Handle,
    bridge: u32,
    hosts: AtomicU32,
    /// Keeps the bridge.
    _namespace: Namespace,
}

impl Underlay {
    /// Makes an empty one.
    ///
    /// # Errors
    ///
    /// The right to make namespaces or links is missing.
    pub async fn new() -> Result<Self, UnderlayError> {
        let namespace = Namespace::new()?;
        let links = namespace.netlink()?;
        let bridge = LinkBridge::new(BRIDGE).up().build();
        let made = links.link().add(bridge).execute().await;
        made.map_err(kernel("make a bridge"))?;
        Ok(Self {
            bridge: index_of(&links, BRIDGE).await?,
            links,
            hosts: AtomicU32::new(0),
            _namespace: namespace,
        })
    }

    /// Adds a host with this address, which is in the network that its length says.
    ///
    /// # Errors
    ///
    /// The right to make namespaces or links is missing.
    pub async fn add_host(&self, address: Ipv4Net) -> Result<Namespace, UnderlayError> {
        let host = Namespace::new()?;
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        let name = format!("host{number}");
        let own = LinkUnspec::new_with_name(INTERFACE);
        let own = own.setns_by_fd(host.as_fd().as_raw_fd()).build();
        let pair = LinkVeth::new(&name, INTERFACE)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(own)))
            .controller(self.bridge)
            .up()
            .build();
        let made = self.links.link().add(pair).execute().await;
        made.map_err(kernel("make a pair of interfaces"))?;
        let links = host.netlink()?;
        let index = index_of(&links, INTERFACE).await?;
        let (ip, length): (Ipv4Addr, u8) = (address.addr(), address.prefix_len());
        let added = links
            .address()
            .add(index, ip.into(), length)
            .execute()
            .await;
        added.map_err(kernel("set an address"))?;
        let up = LinkUnspec::new_with_index(index).up().build();
        let set = links.link().set(up).execute().await;
        set.map_err(kernel("set an interface up"))?;
        Ok(host)
    }
}

async fn index_of(links: &Handle, name: &'static str) -> Result<u32, UnderlayError> {
    let mut found = links.link().get().match_name(name.to_owned()).execute();
    let link = found
        .try_next()
        .await
        .map_err(kernel("find an interface"))?;
    Ok(link.ok_or(UnderlayError::NoInterface(name))?.header.index)
}

fn kernel(action: &'static str) -> impl FnOnce(rtnetlink::Error) -> UnderlayError {
    move |source| UnderlayError::Kernel { action, source }
}
