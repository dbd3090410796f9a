//! Facts of a unit and of the tunnel on it, read in one go.
//!
//! Also the one question that keeps a missing object from being believed too early: is the unit
//! ready? Decides nothing about records.

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::tunnel::TunnelPath;
use bigip_tunnel_core::unit::{Encapsulation, TmosVersion, TunnelFacts, UnitFacts, UnitIdentity};

use crate::client::Client;
use crate::error::{Error, ErrorKind, Mismatch};
use crate::{normalise, path};

impl Client {
    /// Reads what a unit says about itself and the tunnel: `sys/version`, `sys/ready`, `cm/device`,
    /// `net/tunnels/tunnel/<t>`, for VXLAN and Geneve the tunnel's profile, `net/self`, and the tunnel's
    /// statistics for its MAC address; 7 requests.
    ///
    /// Fails with `DeviceNotReady` unless every entry of `sys/ready` is `yes`. Before 13.1 there is
    /// no such resource; it is not asked for then, and a missing tunnel is `UnsupportedVersion`.
    /// `TunnelNotFound` only after the unit said that it is ready. Shapes recorded on 14.1.2.1
    /// (genieparser) and 12.1.2.
    pub async fn facts(&self, tunnel: &TunnelPath) -> Result<UnitFacts, Error> {
        let body = self.get("version", path::VERSION.to_owned()).await?;
        let version = self.parsed(normalise::version(&body))?;
        if version.is_supported() {
            self.check_ready().await?;
        }
        let unit = self.own_entry().await?;
        let mut facts = self.tunnel(tunnel, &version).await?;
        let self_ips = self.members(path::SELF_IPS).await?;
        facts.self_ips = normalise::self_ips(self_ips, tunnel);
        facts.mac = self.tunnel_mac(tunnel).await?;
        Ok(UnitFacts {
            identity: unit.identity,
            hostname: unit.hostname,
            version,
            failover_state: unit.failover_state,
            peers: unit.peers,
            tunnel: facts,
        })
    }

    /// Which box the unit is: `cm/device` only, for when the tunnel is missing.
    pub async fn identity(&self) -> Result<UnitIdentity, Error> {
        Ok(self.own_entry().await?.identity)
    }

    async fn own_entry(&self) -> Result<normalise::Unit, Error> {
        let entries = self.members(path::DEVICES).await?;
        self.parsed(normalise::unit(entries))
    }

    async fn tunnel(
        &self,
        tunnel: &TunnelPath,
        version: &TmosVersion,
    ) -> Result<TunnelFacts, Error> {
        let body = match self.get("tunnel", path::tunnel(tunnel)).await {
            Err(error) if error.is_not_found() => {
                return Err(self.error(if version.is_supported() {
                    ErrorKind::TunnelNotFound {
                        tunnel: tunnel.to_string(),
                    }
                } else {
                    ErrorKind::UnsupportedVersion(version.clone())
                }));
            }
            result => result?,
        };
        let mut facts = self.parsed(normalise::tunnel(&body, tunnel))?;
        let kind = match facts.encapsulation {
            Encapsulation::Vxlan => "vxlan",
            Encapsulation::Geneve => "geneve",
            Encapsulation::Other(_) => return Ok(facts),
        };
        let path = path::profile(kind, &facts.profile).ok_or(Mismatch::Property {
            resource: "tunnel",
            property: "profile",
        });
        let body = self.get("tunnel profile", self.parsed(path)?).await?;
        self.parsed(normalise::add_profile(&mut facts, &body))?;
        Ok(facts)
    }

    /// The tunnel's own MAC address. No record depends on it, so a unit whose statistics fail is read
    /// without it. A failure of the login, or another unit behind the address, ends the reading.
    async fn tunnel_mac(&self, tunnel: &TunnelPath) -> Result<Option<MacAddress>, Error> {
        let path = path::tunnel_stats(tunnel);
        match self.get("statistics of the tunnel", path).await {
            Ok(body) => Ok(normalise::tunnel_mac(&body)),
            Err(error) => match error.kind() {
                ErrorKind::Forbidden { .. }
                | ErrorKind::NotFound { .. }
                | ErrorKind::Protocol(_)
                | ErrorKind::Refused { .. }
                | ErrorKind::Server { .. }
                | ErrorKind::Timeout { .. }
                | ErrorKind::Busy { .. }
                | ErrorKind::NotReady { .. }
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionFailed { .. } => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Whether every entry of `sys/ready` is `yes` (13.1 and later).
    pub(crate) async fn check_ready(&self) -> Result<(), Error> {
        let body = self.get("readiness", path::READY.to_owned()).await?;
        match self.parsed(normalise::not_ready(&body))? {
            None => Ok(()),
            Some(cause) => Err(self.error(ErrorKind::NotReady { cause })),
        }
    }

    /// What a missing object means. A unit whose configuration is not loaded yet answers 404 for
    /// everything (bigip-rest-go), so it is believed only if it is ready.
    pub(crate) async fn believe_missing<T>(
        &self,
        result: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => {
                self.check_ready().await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
