//! What `verify` found: for every node and BIG-IP whether packets arrive, and the likely cause where they do not.
//!
//! Pure: outcomes and checks in, a report out. Knows no cluster and no BIG-IP.

pub(crate) mod cause;
pub(crate) mod target;

use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::verify::{NotAsked, Outcome};
use serde::Serialize;

use self::cause::Cause;
use crate::error;

/// Everything that `verify` found.
#[derive(Serialize, Debug)]
pub(crate) struct VerifyReport {
    /// Whether every node that was to be asked answers through the tunnel.
    pub(crate) success: bool,
    pub(crate) summary: Counts,
    pub(crate) tunnels: Vec<TunnelPaths>,
}

/// How many paths, from a BIG-IP to a node, have which outcome.
#[derive(Serialize, Debug, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    /// A record has carried a packet.
    pub(crate) proven: usize,
    /// Something answers, which does not prove the record.
    pub(crate) reached: usize,
    /// Nothing answers.
    pub(crate) not_reached: usize,
    /// It is not known.
    pub(crate) not_asked: usize,
}

/// The paths of a tunnel.
#[derive(Serialize, Debug)]
pub(crate) struct TunnelPaths {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Path of the tunnel on the BIG-IPs.
    pub(crate) tunnel: String,
    /// How many nodes have a record, or should have one.
    pub(crate) nodes: usize,
    pub(crate) devices: Vec<DevicePaths>,
}

/// The paths from one BIG-IP.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DevicePaths {
    pub(crate) device: String,
    /// The self IP that was pinged from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Ipv4Addr>,
    /// How many endpoints an ARP request is flooded to, where the records were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoints: Option<usize>,
    pub(crate) paths: Vec<Path>,
}

/// The path to one node.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Path {
    pub(crate) node: String,
    /// What was pinged, where something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<Ipv4Addr>,
    /// One of `Proven`, `Reached`, `NoARPAnswer`, `ARPMACZero`, `NoReply`, `NotAsked`.
    pub(crate) outcome: &'static str,
    /// The outcome as a sentence.
    pub(crate) message: String,
    /// The MAC address that ARP was answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arp_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) round_trip_us: Option<u64>,
    /// What most likely is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<Cause>,
    #[serde(skip)]
    kind: Kind,
}

/// What an outcome counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Proven,
    Reached,
    NotReached,
    NotAsked,
    /// Not asked, and only because the time was over.
    OutOfTime,
}

/// What came of one node, before it is known why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) node: String,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) outcome: Outcome,
    pub(crate) arp_mac: Option<MacAddress>,
    pub(crate) round_trip_us: Option<u64>,
    /// Whether its record is on the BIG-IP, where that was read.
    pub(crate) has_record: Option<bool>,
}

impl Asked {
    /// A node that was not asked.
    pub(crate) const fn not(node: String, why: NotAsked) -> Self {
        Self {
            node,
            address: None,
            outcome: Outcome::NotAsked(why),
            arp_mac: None,
            round_trip_us: None,
            has_record: None,
        }
    }
}

impl Path {
    /// The path of a node, with the cause where one is known.
    pub(crate) fn new(asked: Asked, cause: Option<Cause>) -> Self {
        Self {
            kind: Kind::of(&asked.outcome),
            outcome: asked.outcome.as_str(),
            message: asked.outcome.to_string(),
            node: asked.node,
            address: asked.address,
            arp_mac: asked.arp_mac.map(|mac| mac.to_string()),
            round_trip_us: asked.round_trip_us,
            cause,
        }
    }

    /// What it counts as.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }
}

impl Kind {
    const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Proven => Self::Proven,
            Outcome::Reached(_) => Self::Reached,
            Outcome::NoArpAnswer | Outcome::ArpMacZero | Outcome::NoReply(_) => Self::NotReached,
            Outcome::NotAsked(NotAsked::OutOfTime) => Self::OutOfTime,
            Outcome::NotAsked(_) => Self::NotAsked,
        }
    }
}

impl VerifyReport {
    /// The report of these tunnels.
    pub(crate) fn new(tunnels: Vec<TunnelPaths>) -> Self {
        let mut summary = Counts::default();
        for path in tunnels.iter().flat_map(TunnelPaths::paths) {
            *match path.kind {
                Kind::Proven => &mut summary.proven,
                Kind::Reached => &mut summary.reached,
                Kind::NotReached => &mut summary.not_reached,
                Kind::NotAsked | Kind::OutOfTime => &mut summary.not_asked,
            } += 1;
        }
        let answered = summary.proven + summary.reached;
        Self {
            success: answered > 0 && summary.not_reached + summary.not_asked == 0,
            summary,
            tunnels,
        }
    }

    /// How it ends: a path that is broken counts for more than one that is not known.
    pub(crate) fn outcome(&self) -> Result<error::Outcome, error::Error> {
        let Counts {
            proven,
            reached,
            not_reached,
            not_asked,
        } = self.summary;
        if not_reached > 0 {
            return Ok(error::Outcome::Findings);
        }
        let all = proven + reached + not_asked;
        if all == 0 {
            return Err(error::Error::NoNodeToAsk);
        }
        if not_asked == 0 {
            return Ok(error::Outcome::Fine);
        }
        let mut paths = self.tunnels.iter().flat_map(TunnelPaths::paths);
        Err(error::Error::NotAsked {
            not_asked,
            all,
            out_of_time: paths.all(|path| path.kind != Kind::NotAsked),
        })
    }
}

impl TunnelPaths {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.devices.iter().flat_map(|device| &device.paths)
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::verify::Doubt;

    use super::*;

    fn report(outcomes: &[Outcome]) -> VerifyReport {
        let path = |outcome: &Outcome| {
            let asked = Asked {
                outcome: outcome.clone(),
                ..Asked::not("worker-01".to_owned(), NotAsked::OutOfTime)
            };
            Path::new(asked, None)
        };
        VerifyReport::new(vec![TunnelPaths {
            namespace: "bigip".to_owned(),
            name: "prod-east".to_owned(),
            tunnel: "/Common/flannel_vxlan".to_owned(),
            nodes: outcomes.len(),
            devices: vec![DevicePaths {
                device: "bigip-a".to_owned(),
                source: None,
                endpoints: None,
                paths: outcomes.iter().map(path).collect(),
            }],
        }])
    }

    /// The exit code.
    fn code(outcomes: &[Outcome]) -> u8 {
        match report(outcomes).outcome() {
            Ok(outcome) => outcome.code(),
            Err(error) => error.code(),
        }
    }

    #[test]
    fn exit_code_shows_whether_all_pods_answer() {
        let reached = Outcome::Reached(vec![Doubt::KnownBefore]);
        assert_eq!(code(&[Outcome::Proven, reached.clone()]), 0);
        for silent in [
            Outcome::NoArpAnswer,
            Outcome::ArpMacZero,
            Outcome::NoReply(MacAddress::new([2, 0, 0, 0, 0, 1])),
        ] {
            assert_eq!(code(&[Outcome::Proven, silent]), 1);
        }
        let refused = Outcome::NotAsked(NotAsked::NoSelfIp);
        assert_eq!(code(&[Outcome::Proven, refused.clone()]), 3);
        assert_eq!(code(&[refused.clone(), Outcome::NoArpAnswer]), 1);
        let late = Outcome::NotAsked(NotAsked::OutOfTime);
        assert_eq!(code(&[Outcome::Proven, late.clone()]), 4);
        assert_eq!(code(&[refused, late]), 3);
    }

    #[test]
    fn empty_verification_is_no_success() {
        assert_eq!(code(&[]), 3);
        assert!(!report(&[]).success);
        assert!(!report(&[Outcome::NotAsked(NotAsked::NoSelfIp)]).success);
        assert!(report(&[Outcome::Proven]).success);
    }
}
