//! Whether the pods of a node are reached through a tunnel: what a ping and two readings of the ARP table prove.
//!
//! A ping alone proves nothing about a record: a path that is in use goes on without it (seen on a real Cilium
//! datapath). What proves it is an answer of ARP that was not there before, which only the endpoints of records
//! can have given. Knows no device and no node; what was read is passed in.

pub mod sample;

use std::fmt;
use std::net::Ipv4Addr;

use crate::arp::{ArpEntry, ArpMac};
use crate::endpoint::RouteDomain;
use crate::mac::MacAddress;
use crate::reason::Reason;
use crate::unit::FailoverState;

/// What one round has read about one node on one unit.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// Whether the node's record, with the right endpoint, is in a list that was read in this round.
    pub has_record: bool,
    /// Whether the tunnel floods to every endpoint (`multipoint`).
    pub floods: bool,
    /// Whether the address answered the ping.
    pub answered: bool,
    /// The address, in route domain 0.
    pub address: Ipv4Addr,
    /// Full path of the tunnel.
    pub tunnel: &'a str,
    /// The ARP table before the ping.
    pub before: &'a [ArpEntry],
    /// The ARP table after it.
    pub after: &'a [ArpEntry],
}

/// What came of one node on one unit. There are no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The record has carried a packet: an ARP request through the tunnel was answered, and then the ping.
    Proven,
    /// The address answers through the tunnel, which shows nothing about the record. Holds why, at least one
    /// reason.
    Reached(Vec<Doubt>),
    /// No ARP request on the tunnel was answered.
    NoArpAnswer,
    /// ARP was answered with the MAC address 0 (cilium#44453).
    ArpMacZero,
    /// ARP was answered with this MAC address, and the ping was not.
    NoReply(MacAddress),
    /// Nothing was asked, or nothing can be said of the answer.
    NotAsked(NotAsked),
}

/// Why an answer does not prove the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The record is not there, or has another endpoint.
    NoRecord,
    /// The tunnel does not flood ARP requests to the endpoints of its records.
    NotFlooding,
    /// The unit knew the address before.
    KnownBefore,
    /// The MAC address of the entry cannot be read.
    Unreadable,
}

/// Why a node was not asked, or why nothing can be said of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAsked {
    /// No self IP with an IPv4 address is on the tunnel: a ping could leave by another interface.
    NoSelfIp,
    /// The only self IPs on the tunnel float, and this unit is not active.
    SelfIpElsewhere,
    /// The self IPs of the tunnel are in this route domain, where a ping cannot be sent to.
    RouteDomain(RouteDomain),
    /// The node has no address that could be asked, for this reason.
    NoAddress(String),
    /// A call to the unit failed.
    Failed {
        /// A word of the vocabulary.
        reason: Reason,
        /// What is wrong, with the call that was refused.
        message: String,
    },
    /// The unit sent no ping, in its own words.
    NotSent(String),
    /// The time was over.
    OutOfTime,
}

impl Round<'_> {
    /// What the round shows.
    pub fn outcome(&self) -> Outcome {
        let known = match self.mac_in(self.after) {
            Some(ArpMac::Known(mac)) if mac == MacAddress::new([0; 6]) => {
                return Outcome::ArpMacZero;
            }
            Some(ArpMac::Known(mac)) => Some(mac),
            Some(ArpMac::Unreadable) => None,
            // A ping that is answered without ARP on the tunnel has come another way.
            Some(ArpMac::Incomplete) | None => return Outcome::NoArpAnswer,
        };
        match (self.answered, known) {
            (true, _) => self.answer(known),
            (false, Some(mac)) => Outcome::NoReply(mac),
            (false, None) => Outcome::NoArpAnswer,
        }
    }

    fn answer(&self, known: Option<MacAddress>) -> Outcome {
        let was_known = is_known(self.before, self.tunnel, self.address);
        let doubts = [
            (!self.has_record, Doubt::NoRecord),
            (!self.floods, Doubt::NotFlooding),
            (was_known, Doubt::KnownBefore),
            (known.is_none(), Doubt::Unreadable),
        ];
        let doubts = doubts.into_iter().filter(|(holds, _)| *holds);
        let doubts: Vec<Doubt> = doubts.map(|(_, doubt)| doubt).collect();
        if doubts.is_empty() {
            Outcome::Proven
        } else {
            Outcome::Reached(doubts)
        }
    }

    /// The MAC address that ARP was answered with through the tunnel, as the table has it after the ping.
    pub fn answered_mac(&self) -> Option<MacAddress> {
        match self.mac_in(self.after)? {
            ArpMac::Known(mac) => Some(mac),
            ArpMac::Incomplete | ArpMac::Unreadable => None,
        }
    }

    fn mac_in(&self, table: &[ArpEntry]) -> Option<ArpMac> {
        mac_in(table, self.tunnel, self.address)
    }
}

impl Outcome {
    /// The word for it in reports.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Proven => "Proven",
            Self::Reached(_) => "Reached",
            Self::NoArpAnswer => "NoARPAnswer",
            Self::ArpMacZero => "ARPMACZero",
            Self::NoReply(_) => "NoReply",
            Self::NotAsked(_) => "NotAsked",
        }
    }

    /// Whether the address answered through the tunnel. `None` where it was not asked.
    pub const fn is_reached(&self) -> Option<bool> {
        match self {
            Self::Proven | Self::Reached(_) => Some(true),
            Self::NoArpAnswer | Self::ArpMacZero | Self::NoReply(_) => Some(false),
            Self::NotAsked(_) => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven => f.write_str("its record has carried a packet"),
            Self::Reached(doubts) => {
                f.write_str("it answers, which does not prove its record: ")?;
                let doubts: Vec<&str> = doubts.iter().map(|doubt| doubt.as_str()).collect();
                f.write_str(&doubts.join("; "))
            }
            Self::NoArpAnswer => f.write_str("no ARP request on the tunnel was answered"),
            Self::ArpMacZero => f.write_str("ARP is answered with the MAC address 0"),
            Self::NoReply(mac) => write!(f, "ARP is answered with {mac}, the ping is not"),
            Self::NotAsked(why) => why.fmt(f),
        }
    }
}

impl Doubt {
    /// The sentence for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRecord => "the record is not on the BIG-IP",
            Self::NotFlooding => "the tunnel does not flood",
            Self::KnownBefore => "the BIG-IP knew the address before",
            Self::Unreadable => "the MAC address of the ARP entry cannot be read",
        }
    }
}

impl fmt::Display for NotAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSelfIp => f.write_str("no self IP with an IPv4 address is on the tunnel"),
            Self::SelfIpElsewhere => {
                f.write_str("the self IPs on the tunnel float, and this unit is not active")
            }
            Self::RouteDomain(domain) => write!(
                f,
                "the self IPs on the tunnel are in route domain {domain}; only route domain 0 is asked"
            ),
            Self::NoAddress(why) => f.write_str(why),
            Self::Failed { message, .. } => f.write_str(message),
            Self::NotSent(said) => write!(f, "the BIG-IP sent no ping: {said}"),
            Self::OutOfTime => f.write_str("the time of --timeout was over"),
        }
    }
}

/// Whether a unit knows the MAC address of an address on a tunnel, so that it would not ask for it by ARP.
pub fn is_known(table: &[ArpEntry], tunnel: &str, address: Ipv4Addr) -> bool {
    matches!(
        mac_in(table, tunnel, address),
        Some(ArpMac::Known(_) | ArpMac::Unreadable)
    )
}

/// What a table says of an address on a tunnel. Of several entries the one counts that says most.
fn mac_in(table: &[ArpEntry], tunnel: &str, address: Ipv4Addr) -> Option<ArpMac> {
    let is_meant = |entry: &&ArpEntry| {
        entry.address == address
            && entry.route_domain == RouteDomain::ZERO
            && entry.interface == tunnel
    };
    let weight = |mac: &ArpMac| match mac {
        ArpMac::Incomplete => 0,
        ArpMac::Unreadable => 1,
        ArpMac::Known(_) => 2,
    };
    let found = table.iter().filter(is_meant).map(|entry| entry.mac);
    found.max_by_key(weight)
}

/// A self IP on a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverlayAddress {
    /// Its address.
    pub address: Ipv4Addr,
    /// The route domain of the address.
    pub route_domain: RouteDomain,
    /// Whether it goes to the unit that takes over.
    pub floats: bool,
}

/// The self IP that pings are sent from: one in route domain 0, rather the unit's own than one that floats.
///
/// # Errors
///
/// Why there is none.
pub fn source(self_ips: &[OverlayAddress], state: FailoverState) -> Result<Ipv4Addr, NotAsked> {
    let (usable, others): (Vec<&OverlayAddress>, Vec<_>) = self_ips
        .iter()
        .partition(|self_ip| self_ip.route_domain == RouteDomain::ZERO);
    let here = usable
        .iter()
        .filter(|self_ip| !self_ip.floats || state.may_carry_traffic());
    let best = here.min_by_key(|self_ip| (self_ip.floats, self_ip.address));
    match (best, others.first()) {
        (Some(best), _) => Ok(best.address),
        (None, _) if !usable.is_empty() => Err(NotAsked::SelfIpElsewhere),
        (None, Some(other)) => Err(NotAsked::RouteDomain(other.route_domain)),
        (None, None) => Err(NotAsked::NoSelfIp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUNNEL: &str = "/Common/flannel_vxlan";
    const MAC: &str = "be:fe:00:00:00:01";

    fn entry(interface: &str, mac: ArpMac) -> Vec<ArpEntry> {
        vec![ArpEntry {
            address: "10.0.1.7".parse().unwrap(),
            route_domain: RouteDomain::ZERO,
            interface: interface.to_owned(),
            mac,
        }]
    }

    fn known() -> Vec<ArpEntry> {
        entry(TUNNEL, ArpMac::Known(MAC.parse().unwrap()))
    }

    /// A round with the record and flooding.
    fn round<'a>(answered: bool, before: &'a [ArpEntry], after: &'a [ArpEntry]) -> Round<'a> {
        Round {
            has_record: true,
            floods: true,
            answered,
            address: "10.0.1.7".parse().unwrap(),
            tunnel: TUNNEL,
            before,
            after,
        }
    }

    fn reached(doubts: &[Doubt]) -> Outcome {
        Outcome::Reached(doubts.to_vec())
    }

    #[test]
    fn answer_after_a_new_arp_entry_proves_the_record() {
        assert_eq!(round(true, &[], &known()).outcome(), Outcome::Proven);
        let incomplete = entry(TUNNEL, ArpMac::Incomplete);
        assert_eq!(
            round(true, &incomplete, &known()).outcome(),
            Outcome::Proven
        );
    }

    #[test]
    fn removed_record_with_warm_path_is_not_proven() {
        let known = known();
        let warm = Round {
            has_record: false,
            ..round(true, &known, &known)
        };
        let doubts = [Doubt::NoRecord, Doubt::KnownBefore];
        assert_eq!(warm.outcome(), reached(&doubts));
    }

    #[test]
    fn warm_path_with_its_record_is_not_proven() {
        let known = known();
        let warm = round(true, &known, &known);
        assert_eq!(warm.outcome(), reached(&[Doubt::KnownBefore]));
    }

    #[test]
    fn answer_without_the_record_is_not_proven() {
        let known = known();
        let round = Round {
            has_record: false,
            ..round(true, &[], &known)
        };
        assert_eq!(round.outcome(), reached(&[Doubt::NoRecord]));
    }

    #[test]
    fn answer_without_flooding_is_not_proven() {
        let known = known();
        let round = Round {
            floods: false,
            ..round(true, &[], &known)
        };
        assert_eq!(round.outcome(), reached(&[Doubt::NotFlooding]));
    }

    #[test]
    fn unreadable_mac_before_counts_as_known() {
        let odd = entry(TUNNEL, ArpMac::Unreadable);
        let warm = round(true, &odd, &known()).outcome();
        assert_eq!(warm, reached(&[Doubt::KnownBefore]));
        let odd = round(true, &[], &odd).outcome();
        assert_eq!(odd, reached(&[Doubt::Unreadable]));
    }

    #[test]
    fn answer_by_another_interface_is_no_arp_answer() {
        let vlan = entry("/Common/internal", ArpMac::Known(MAC.parse().unwrap()));
        assert_eq!(
            round(true, &[], &vlan).outcome(),
            Outcome::NoArpAnswer,
            "it came by the VLAN"
        );
        assert_eq!(round(true, &[], &[]).outcome(), Outcome::NoArpAnswer);
        let mut domain = known();
        domain[0].route_domain = RouteDomain::new(2).unwrap();
        assert_eq!(round(true, &[], &domain).outcome(), Outcome::NoArpAnswer);
    }

    #[test]
    fn silent_ping_is_explained_by_its_arp_entry() {
        let silent = |after: &[ArpEntry]| round(false, &[], after).outcome();
        assert_eq!(silent(&[]), Outcome::NoArpAnswer);
        let incomplete = entry(TUNNEL, ArpMac::Incomplete);
        assert_eq!(silent(&incomplete), Outcome::NoArpAnswer);
        assert_eq!(silent(&known()), Outcome::NoReply(MAC.parse().unwrap()));
        let zero = entry(TUNNEL, ArpMac::Known(MacAddress::new([0; 6])));
        assert_eq!(silent(&zero), Outcome::ArpMacZero);
        assert_eq!(round(true, &[], &zero).outcome(), Outcome::ArpMacZero);
    }

    #[test]
    fn only_an_answer_through_the_tunnel_is_reached() {
        assert_eq!(Outcome::Proven.is_reached(), Some(true));
        assert_eq!(reached(&[Doubt::KnownBefore]).is_reached(), Some(true));
        assert_eq!(Outcome::NoArpAnswer.is_reached(), Some(false));
        assert_eq!(Outcome::NotAsked(NotAsked::OutOfTime).is_reached(), None);
    }

    fn self_ip(address: &str, domain: u32, floats: bool) -> OverlayAddress {
        OverlayAddress {
            address: address.parse().unwrap(),
            route_domain: RouteDomain::new(domain).unwrap(),
            floats,
        }
    }

    #[test]
    fn own_self_ip_comes_before_one_that_floats() {
        let both = [self_ip("10.1.6.1", 0, true), self_ip("10.1.6.34", 0, false)];
        let own = Ok("10.1.6.34".parse().unwrap());
        assert_eq!(source(&both, FailoverState::Active), own);
        assert_eq!(source(&both, FailoverState::Standby), own);
        let floating = Ok("10.1.6.1".parse().unwrap());
        assert_eq!(source(&both[..1], FailoverState::Active), floating);
        let elsewhere = Err(NotAsked::SelfIpElsewhere);
        assert_eq!(source(&both[..1], FailoverState::Standby), elsewhere);
    }

    #[test]
    fn no_ping_without_a_self_ip_in_route_domain_0() {
        let state = FailoverState::Active;
        assert_eq!(source(&[], state), Err(NotAsked::NoSelfIp));
        let other = [self_ip("10.1.6.34", 7, false)];
        let domain = RouteDomain::new(7).unwrap();
        assert_eq!(source(&other, state), Err(NotAsked::RouteDomain(domain)));
    }
}
