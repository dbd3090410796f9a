//! What a BIG-IP tells about itself and the tunnel: identity, version, failover state, tunnel.
//!
//! Plain values, filled by the device client and read by the plan and the status. Knows nothing of
//! how they are asked for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use crate::endpoint::Endpoint;
use crate::mac::MacAddress;
use crate::record::Records;

/// The facts of one unit and the tunnel on it, read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFacts {
    /// Which box this is.
    pub identity: UnitIdentity,
    /// Its host name (`cm device hostname`).
    pub hostname: String,
    /// The running TMOS version.
    pub version: TmosVersion,
    /// Its part in the HA pair.
    pub failover_state: FailoverState,
    /// The other units of its trust domain. Whether they are in one failover group with it is not
    /// asked; that they are is *assumed*.
    pub peers: Vec<UnitIdentity>,
    /// The tunnel, as configured on this unit.
    pub tunnel: TunnelFacts,
}

impl UnitFacts {
    /// Keeps the MAC address that the same tunnel of the same unit had, where it was not read now.
    pub fn keep_mac(&mut self, known: &Self) {
        let place = |facts: &Self| {
            let TunnelFacts {
                full_path,
                local_address,
                ..
            } = &facts.tunnel;
            (full_path.clone(), *local_address)
        };
        let is_same = (&self.identity, &self.version) == (&known.identity, &known.version)
            && place(self) == place(known);
        if is_same && self.tunnel.mac.is_none() {
            self.tunnel.mac = known.tunnel.mac;
        }
    }
}

/// Tells boxes apart, whatever address they are reached by: the name and the base MAC address of the
/// unit's own entry in `cm device`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitIdentity {
    /// `name` of the entry with `selfDevice`.
    pub device_name: String,
    /// `baseMac` of that entry, as the device spells it.
    pub base_mac: String,
}

impl fmt::Display for UnitIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.device_name, self.base_mac)
    }
}

/// SHA-256 of the public key (`SubjectPublicKeyInfo`, DER) of the certificate that a unit presented in a
/// TLS handshake whose signature was verified: a unit cannot repeat another unit's key, as it can
/// repeat its name. Shown as 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKeyHash(pub [u8; 32]);

impl fmt::Display for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 of 64 hex digits")]
pub struct ParseHashError;

impl FromStr for PublicKeyHash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let mut bytes = [0; 32];
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            return Err(ParseHashError);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ParseHashError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ParseHashError)?;
        }
        Ok(Self(bytes))
    }
}

/// One login on a unit, distinct from all others of the process. What was read from a unit is valid for the
/// login that it was read under: after another one a different unit may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Login(pub u64);

/// A unit as it proved itself to one login: its own words, and the key that its words came under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProvenUnit {
    /// What it says it is. Decides whether a replaced unit has to be accepted: certificates are renewed.
    pub identity: UnitIdentity,
    /// The key that it proved in the handshake of that login.
    pub key: PublicKeyHash,
}

/// Where a unit is reached: host and TCP port, in one form, so that two spellings of an IP address are
/// equal. A host name is not resolved: two names, or a name and an address, may be one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    host: String,
    port: u16,
}

impl Place {
    /// The place of this host, an IP address or a name in any case.
    pub fn new(host: &str, port: u16) -> Self {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = match bare.unwrap_or(host).parse::<IpAddr>() {
            Ok(address) => address.to_canonical().to_string(),
            Err(_) => host.trim_end_matches('.').to_ascii_lowercase(),
        };
        Self { host, port }
    }
}

/// A TMOS version such as `17.1.2.1`, compared number by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TmosVersion(Vec<u32>);

/// The text is no dotted version number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version number such as 17.1.2.1")]
pub struct ParseVersionError;

impl TmosVersion {
    /// Whether the product writes to this version: 13.1 brought `sys/ready`, without which a missing
    /// object cannot be told from a device that is starting.
    pub fn is_supported(&self) -> bool {
        *self >= Self(vec![13, 1])
    }
}

impl FromStr for TmosVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        match numbers {
            Ok(numbers) if (2..=6).contains(&numbers.len()) => Ok(Self(numbers)),
            _ => Err(ParseVersionError),
        }
    }
}

impl fmt::Display for TmosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// `failoverState` of `cm device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailoverState {
    /// Handles traffic.
    Active,
    /// Waits to take over.
    Standby,
    /// Set offline by a person.
    ForcedOffline,
    /// Not in service.
    Offline,
    /// Anything else that the device says.
    Unknown,
}

impl FailoverState {
    /// The word as it stands in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Standby => "Standby",
            Self::ForcedOffline => "ForcedOffline",
            Self::Offline => "Offline",
            Self::Unknown => "Unknown",
        }
    }

    /// Whether traffic may need this unit's records now. Only a unit that says it waits is not.
    pub const fn may_carry_traffic(self) -> bool {
        matches!(self, Self::Active | Self::Unknown)
    }
}

/// The tunnel object and its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelFacts {
    /// `fullPath`, as the device shows it.
    pub full_path: String,
    /// `localAddress`. `None` when it is `any`, `any6` or no address at all.
    pub local_address: Option<Endpoint>,
    /// `key`, the virtual network identifier.
    pub vni: u32,
    /// `profile`, the full path of the tunnel profile.
    pub profile: String,
    /// What the profile makes of frames.
    pub encapsulation: Encapsulation,
    /// UDP port of the profile, where it names one.
    pub port: Option<u16>,
    /// `floodingType` of the profile, where it has one. Cilium needs `multipoint`.
    pub flooding_type: Option<String>,
    /// The addresses of the self IPs on the tunnel, with prefix length: where pods send to.
    pub self_ips: Vec<String>,
    /// The MAC address of the tunnel itself, where the unit says it: what pods send to.
    pub mac: Option<MacAddress>,
}

/// The VNI of traffic between Cilium and a VTEP, in every version and on dual stack (seen on real agents).
pub const CILIUM_VNI: u32 = 2;

impl TunnelFacts {
    /// Whether ARP requests are flooded to the endpoints of all records.
    pub fn floods(&self) -> bool {
        self.flooding_type.as_deref() == Some("multipoint")
    }

    /// Whether the record of a node is among these: its key, leading to its address in the tunnel's route domain.
    pub fn holds(&self, records: &Records, (mac, address): (MacAddress, Ipv4Addr)) -> bool {
        let domain = self.local_address.map(|local| local.route_domain);
        records.get(&mac).is_some_and(|endpoint| {
            let is_there = domain.is_none_or(|domain| endpoint.route_domain == domain);
            endpoint.address == address && is_there
        })
    }

    /// What keeps pods from being reached through this tunnel although its records are right. For a
    /// person.
    pub fn unusable(&self) -> Option<String> {
        if let Encapsulation::Other(kind) = &self.encapsulation {
            return Some(format!(
                "its profile {} is of the kind {kind}; Cilium speaks vxlan and geneve",
                self.profile
            ));
        }
        if self.vni != CILIUM_VNI {
            return Some(format!(
                "its key (VNI) is {} and has to be {CILIUM_VNI}, the only one that Cilium uses; set it on \
                 the BIG-IP: tmsh modify net tunnels tunnel {} key {CILIUM_VNI}",
                self.vni, self.full_path
            ));
        }
        match self.flooding_type.as_deref() {
            Some("multipoint") => {}
            other => {
                return Some(format!(
                    "the flooding type of its profile {} is {} and has to be multipoint: ARP requests \
                     for pods would reach no node",
                    self.profile,
                    other.unwrap_or("not set")
                ));
            }
        }
        self.self_ips.is_empty().then(|| {
            "no self IP is on it: the BIG-IP has no address in the overlay that pods could answer to"
                .to_owned()
        })
    }
}

/// The kind of the tunnel's profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encapsulation {
    /// `net tunnels vxlan`.
    Vxlan,
    /// `net tunnels geneve`.
    Geneve,
    /// Another kind of profile, by its iControl REST name.
    Other(String),
}

impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_not_by_text() {
        let version = |text: &str| text.parse::<TmosVersion>().unwrap();
        assert!(version("9.4") < version("13.1"));
        assert!(version("17.1.2.1") > version("17.1.2"));
        assert_eq!(version("17.1.2.1").to_string(), "17.1.2.1");
    }

    #[test]
    fn mac_not_read_now_is_kept_for_the_same_tunnel_only() {
        let known = crate::testing::facts("a", FailoverState::Active);
        let mac_after = |change: &dyn Fn(&mut UnitFacts)| {
            let mut facts = known.clone();
            facts.tunnel.mac = None;
            change(&mut facts);
            facts.keep_mac(&known);
            facts.tunnel.mac
        };
        let other = "00:50:56:aa:00:02".parse().ok();
        assert_eq!(mac_after(&|_| ()), known.tunnel.mac);
        assert_eq!(mac_after(&|f| f.tunnel.mac = other), other);
        assert_eq!(mac_after(&|f| f.tunnel.full_path.push('x')), None);
        assert_eq!(mac_after(&|f| f.tunnel.local_address = None), None);
        assert_eq!(mac_after(&|f| f.identity.base_mac.push('x')), None);
    }

    #[test]
    fn record_of_a_node_leads_to_it_in_the_route_domain() {
        let tunnel = crate::testing::facts("a", FailoverState::Active).tunnel;
        let record = (
            "0a:0a:0a:00:00:07".parse().unwrap(),
            "10.0.0.7".parse().unwrap(),
        );
        let holds = |endpoint: &str| {
            let records = Records::from([(record.0, endpoint.parse().unwrap())]);
            tunnel.holds(&records, record)
        };
        assert!(holds("10.0.0.7"));
        assert!(!holds("10.0.0.8"));
        assert!(!holds("10.0.0.7%2"));
        assert!(!tunnel.holds(&Records::new(), record));
    }

    #[test]
    fn spellings_of_an_address_are_one_place() {
        let same = [
            ("192.0.2.11", "::ffff:192.0.2.11"),
            ("2001:DB8::1", "[2001:db8:0::1]"),
            ("BigIP-A.example.com", "bigip-a.example.com."),
        ];
        for (one, other) in same {
            assert_eq!(Place::new(one, 443), Place::new(other, 443), "{one}");
        }
        assert_ne!(
            Place::new("192.0.2.11", 443),
            Place::new("192.0.2.11", 8443)
        );
        assert_ne!(Place::new("localhost", 443), Place::new("127.0.0.1", 443));
    }

    #[test]
    fn public_key_hash_reads_back_as_shown() {
        let hash = PublicKeyHash(std::array::from_fn(|index| {
            u8::try_from(index * 8).unwrap()
        }));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in ["", "00", &"0".repeat(63), &"g".repeat(64), &"+1".repeat(32)] {
            assert_eq!(text.parse::<PublicKeyHash>(), Err(ParseHashError), "{text}");
        }
    }

    #[test]
    fn writing_begins_with_version_13_1() {
        let supported = |text: &str| text.parse::<TmosVersion>().unwrap().is_supported();
        assert!(!supported("12.1.6"));
        assert!(!supported("13.0.1"));
        assert!(supported("13.1.0"));
        assert!(supported("21.0"));
    }

    #[test]
    fn invalid_versions_are_refused() {
        for text in ["", "17", "17.x", "17..1", "1.2.3.4.5.6.7"] {
            assert_eq!(
                text.parse::<TmosVersion>(),
                Err(ParseVersionError),
                "{text}"
            );
        }
    }
}
