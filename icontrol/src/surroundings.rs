//! What a unit has around a tunnel: self IPs, routes, virtual servers and what they send from, and
//! whether its pair is in sync.
//!
//! Read for a person who looks for a fault, never on the way to a write. Each list is one request (or
//! one of each page). Decides nothing.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bigip_tunnel_core::endpoint::RouteDomain;
use ipnet::Ipv4Net;

use crate::client::Client;
use crate::error::Error;
use crate::{normalise, path};

/// A self IP with an IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfIp {
    /// Full path of the object.
    pub path: String,
    /// Its address, with the prefix length of its network.
    pub address: Ipv4Net,
    /// The route domain of the address.
    pub route_domain: RouteDomain,
    /// Full path of the VLAN or tunnel that it is on.
    pub interface: String,
    /// Whether it goes to the unit that takes over.
    pub floats: bool,
    /// Whether it lets anything in, a ping among it. Without `allowService` in the answer nothing is
    /// let in (*assumed*).
    pub lets_in: bool,
}

/// A static route to an IPv4 network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Full path of the object.
    pub path: String,
    /// Where it leads: `0.0.0.0/0` for the default route.
    pub network: Ipv4Net,
    /// The route domain of the network.
    pub route_domain: RouteDomain,
    /// Full path of the VLAN or tunnel that it leads into, where it does.
    pub interface: Option<String>,
}

/// A virtual server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualServer {
    /// Full path of the object.
    pub path: String,
    /// Full path of its pool, if it has one.
    pub pool: Option<String>,
    /// What becomes of the sender's address.
    pub translation: Translation,
}

/// What a virtual server makes of the address that a packet comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Translation {
    /// It stays.
    None,
    /// A self IP that the unit chooses (K7336).
    Automap,
    /// An address of the SNAT pool with this full path.
    Pool(String),
    /// Something else, such as large-scale NAT.
    Other,
}

/// IPv4 addresses by the full path of the pool that holds them.
pub type Pools = BTreeMap<String, Vec<Ipv4Addr>>;

/// The members of SNAT pools by their full path. `None`: one that is not called after its address.
pub type SnatPools = BTreeMap<String, Vec<Option<Ipv4Addr>>>;

impl Client {
    /// The self IPs of the unit: `net/self` (recorded on 14.1.2.1).
    pub async fn self_ips(&self) -> Result<Vec<SelfIp>, Error> {
        let all = self.members(path::SELF_IPS).await?;
        Ok(normalise::surroundings::self_ips(all))
    }

    /// The static routes of the unit: `net/route` (recorded on 14.1.2.1).
    pub async fn routes(&self) -> Result<Vec<Route>, Error> {
        let all = self.members(path::ROUTES).await?;
        Ok(normalise::surroundings::routes(all))
    }

    /// The virtual servers that the user may see: `ltm/virtual` (shape of 12.1.2).
    pub async fn virtual_servers(&self) -> Result<Vec<VirtualServer>, Error> {
        let all = self.members(path::VIRTUAL_SERVERS).await?;
        Ok(normalise::surroundings::virtual_servers(all))
    }

    /// The members of the pools that the user may see: `ltm/pool` with its members (shape of 11.6).
    pub async fn pools(&self) -> Result<Pools, Error> {
        let all = self.members(path::POOLS).await?;
        Ok(normalise::surroundings::pools(all))
    }

    /// The members of the SNAT pools that the user may see: `ltm/snatpool`.
    pub async fn snat_pools(&self) -> Result<SnatPools, Error> {
        let all = self.members(path::SNAT_POOLS).await?;
        Ok(normalise::surroundings::snat_pools(all))
    }

    /// What the unit says of its pair, such as `In Sync`, `Changes Pending` or `Standalone`:
    /// `cm/sync-status` (recorded on 14.1.2.1).
    pub async fn sync_status(&self) -> Result<String, Error> {
        let body = self
            .get("sync status", path::SYNC_STATUS.to_owned())
            .await?;
        self.parsed(normalise::surroundings::sync_status(&body))
    }
}
