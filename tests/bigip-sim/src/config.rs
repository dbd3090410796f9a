//! What a simulated BIG-IP is made of when it starts: its name, accounts, tunnels, self IPs, peers.
//!
//! Plain values that a test or the command line fills. It must not know how they are served.

mod switches;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

pub use self::switches::{RepeatedRecords, TwoCredentials};
#[cfg(target_os = "linux")]
use crate::dataplane::DataPlaneConfig;
use crate::tls::TlsProfile;
use crate::tmos::TmosVersion;
use crate::validate;

/// Tokens one account may hold at a time (13.1 and later; AS3 best practices, ANS#269).
pub const DEFAULT_TOKEN_LIMIT: usize = 100;

/// A device to simulate.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The TMOS version it plays.
    pub version: TmosVersion,
    /// Its host name: name of its own entry in `cm/device`.
    pub hostname: String,
    /// `baseMac` of its own entry in `cm/device`.
    pub base_mac: String,
    /// Its management address, as `cm/device` shows it.
    pub management_ip: String,
    /// Its part in the HA pair.
    pub failover_state: FailoverState,
    /// The other devices in its trust domain; empty for a standalone device.
    pub peers: Vec<Peer>,
    /// The accounts.
    pub users: Vec<UserConfig>,
    /// Tunnels beside the built-in `http-tunnel` and `socks-tunnel`.
    pub tunnels: Vec<TunnelConfig>,
    /// Self IPs, on tunnels or on VLANs (a VLAN needs no definition).
    pub self_ips: Vec<SelfIp>,
    /// How it greets: the certificate that it presents, and the TLS that it speaks.
    pub tls: TlsProfile,
    /// Whether tokens count towards their user's limit after they are over or dropped, too: the defect
    /// ID1787517 of 17.1.2.x, which spares the built-in `admin` (f5devcentral/application-study-tool#125).
    pub leaks_tokens: bool,
    /// Whether Basic credentials alone are accepted, as devices do (recorded on 17.1.2.1). Off is for tests
    /// of clients that may not send any.
    pub accepts_basic: bool,
    /// What becomes of a token beside Basic credentials.
    pub two_credentials: TwoCredentials,
    /// What becomes of a list of records that has one MAC address twice.
    pub repeated_records: RepeatedRecords,
    /// Whether the key of a tunnel's own statistics has its path twice. Public scripts know both forms, and
    /// disagree about which version has which.
    pub doubled_stats_keys: bool,
    /// The addresses that answer pings of the device (`util/ping`).
    pub answers_ping: Vec<Ipv4Addr>,
    /// How long every request takes before it is worked on, in milliseconds.
    pub latency_ms: u64,
    /// Where its tunnels carry packets; nowhere if not given.
    #[cfg(target_os = "linux")]
    pub data_plane: Option<DataPlaneConfig>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            version: TmosVersion::default(),
            hostname: "bigip01.lab.local".to_owned(),
            base_mac: "00:0c:29:35:0d:bd".to_owned(),
            management_ip: "192.168.189.233".to_owned(),
            failover_state: FailoverState::Active,
            peers: Vec::new(),
            users: Vec::new(),
            tunnels: Vec::new(),
            self_ips: Vec::new(),
            tls: TlsProfile::default(),
            leaks_tokens: false,
            accepts_basic: true,
            two_credentials: TwoCredentials::default(),
            repeated_records: RepeatedRecords::default(),
            doubled_stats_keys: true,
            answers_ping: Vec::new(),
            latency_ms: 0,
            #[cfg(target_os = "linux")]
            data_plane: None,
        }
    }
}

/// An account. Its password never appears in `Debug` output.
#[derive(Clone)]
pub struct UserConfig {
    /// Login name.
    pub name: String,
    /// Password.
    pub password: String,
    /// How many tokens it may hold at a time; `None` is no limit, as `DevCentral` 287462 says of
    /// the built-in `admin`.
    pub token_limit: Option<usize>,
    /// What it may do with the configuration.
    pub rights: Rights,
    /// After how many wrong passwords in a row it is locked, until it is unlocked by hand; `None` is
    /// never. *Assumed*: a locked account is answered as a wrong password is.
    pub lock_after: Option<u32>,
}

impl UserConfig {
    /// An account with all rights and the usual token limit, which is never locked.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            token_limit: Some(DEFAULT_TOKEN_LIMIT),
            rights: Rights::All,
            lock_after: None,
        }
    }
}

impl fmt::Debug for UserConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserConfig")
            .field("name", &self.name)
            .field("token_limit", &self.token_limit)
            .field("rights", &self.rights)
            .field("lock_after", &self.lock_after)
            .finish_non_exhaustive()
    }
}

/// What a user may do with the configuration, and how the rest is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// Everything, as an administrator.
    All,
    /// Nothing: every call is refused by the REST front end with a 401 (terraform-provider-bigip#160, a
    /// manager on 12.1.3.6; AS3#420, 15.1.1).
    None,
    /// Looks only: changes are refused by the REST front end with a 401. The words are those of
    /// [`Rights::None`]; that changes alone are refused so is *assumed*.
    ReadOnly,
    /// Looks only: changes are refused by mcpd with a 400, `01070822` (FCP#1516, an operator on 13.0).
    Operator,
    /// Changes in this partition only; others are refused by mcpd with a 400, `01070824`
    /// (terraform-provider-bigip#333; the status is *assumed*).
    Manager(String),
}

/// A tunnel and the profile it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelConfig {
    /// Full path, such as `/Common/flannel_vxlan`.
    pub path: String,
    /// Its profile; made if the device does not have it, else it has to be the same.
    pub profile: Profile,
    /// `key`: the virtual network identifier (VNI).
    pub key: u32,
    /// `localAddress`: an address, with `%N` in another route domain than 0, or `any`/`any6`.
    pub local_address: String,
    /// FDB records present (and saved) from the start: MAC address and endpoint, taken as written.
    pub records: Vec<(String, String)>,
}

impl TunnelConfig {
    /// A tunnel as the Cilium and CIS guides make it: VNI 2, profile `/Common/fl-vxlan` on port 8472
    /// with multipoint flooding.
    pub fn vxlan(path: impl Into<String>, local_address: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            profile: Profile {
                path: "/Common/fl-vxlan".to_owned(),
                kind: ProfileKind::Vxlan,
                port: 8472,
                flooding_type: FloodingType::Multipoint,
            },
            key: 2,
            local_address: local_address.into(),
            records: Vec::new(),
        }
    }

    /// The same with the Geneve profile `/Common/fl-geneve` on port 6081.
    pub fn geneve(path: impl Into<String>, local_address: impl Into<String>) -> Self {
        Self {
            profile: Profile {
                path: "/Common/fl-geneve".to_owned(),
                kind: ProfileKind::Geneve,
                port: 6081,
                flooding_type: FloodingType::Multipoint,
            },
            ..Self::vxlan(path, local_address)
        }
    }

    /// Adds an FDB record that is there from the start.
    #[must_use]
    pub fn with_record(mut self, mac: impl Into<String>, endpoint: impl Into<String>) -> Self {
        self.records.push((mac.into(), endpoint.into()));
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for path in [&self.path, &self.profile.path] {
            if !is_full_path(path) {
                return Err(ConfigError::Path(path.clone()));
            }
        }
        validate::local_route_domain(&self.local_address)
            .map(drop)
            .ok_or_else(|| ConfigError::LocalAddress(self.local_address.clone()))
    }
}

/// A tunnel profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Full path, such as `/Common/fl-vxlan`.
    pub path: String,
    /// VXLAN or Geneve.
    pub kind: ProfileKind,
    /// UDP port.
    pub port: u16,
    /// What happens to broadcast and unknown frames.
    pub flooding_type: FloodingType,
}

/// The encapsulation of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileKind {
    /// VXLAN.
    Vxlan,
    /// Geneve.
    Geneve,
}

/// `floodingType` of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloodingType {
    /// Nowhere.
    None,
    /// To a multicast group.
    Multicast,
    /// To every endpoint in the FDB.
    Multipoint,
    /// To a replicator.
    Replicator,
}

/// A self IP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfIp {
    /// Full path of the object, such as `/Common/flannel_self`.
    pub path: String,
    /// Address with prefix length, such as `10.244.9.1/16` or `10.10.10.10%1/24`.
    pub address: String,
    /// Full path of the tunnel or VLAN it is on.
    pub vlan: String,
}

/// A virtual server with a pool of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualServer {
    /// Full path of the object; its pool and, where it has one, its SNAT pool are called after it.
    pub path: String,
    /// Addresses of the members of its pool.
    pub members: Vec<String>,
    /// What becomes of the sender's address.
    pub translation: SourceTranslation,
}

/// What a virtual server makes of the address that a packet comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceTranslation {
    /// Nothing.
    None,
    /// A self IP that the device chooses.
    Automap,
    /// One of these addresses.
    Pool(Vec<String>),
}

/// Another device of the trust domain, as this one lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Host name and name of the entry.
    pub hostname: String,
    /// `baseMac` of the entry.
    pub base_mac: String,
    /// `managementIp` of the entry.
    pub management_ip: String,
    /// What this device believes of it.
    pub failover_state: FailoverState,
}

/// What a device is doing in its HA pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverState {
    /// Carries traffic.
    Active,
    /// Ready to take over.
    Standby,
    /// Cannot take over.
    Offline,
    /// Taken out by a person.
    ForcedOffline,
}

impl FailoverState {
    /// The value of `failoverState` in `cm/device`. `active` is recorded (14.1.2.1), the others are
    /// what third-party clients expect.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Offline => "offline",
            Self::ForcedOffline => "forced-offline",
        }
    }
}

/// A configuration that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A path without partition or name.
    #[error("`{0}` is no full path; write it as /Common/name")]
    Path(String),
    /// A local address that is neither an address nor `any`/`any6`.
    #[error("`{0}` is no local address; write it as 10.1.2.3, 10.1.2.3%1 or any6")]
    LocalAddress(String),
    /// Two tunnels with one path.
    #[error("tunnel `{0}` exists already")]
    DuplicateTunnel(String),
    /// Two profiles of one kind and path that are not the same.
    #[error("profile `{0}` exists already with another port or flooding type")]
    ProfileDiffers(String),
    /// A test hook names a tunnel that is not there.
    #[error("there is no tunnel `{0}` on this device")]
    NoSuchTunnel(String),
}

/// The text names no value of this setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("choose one of {0}")]
pub struct UnknownValue(pub(crate) &'static str);

impl FromStr for ProfileKind {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "vxlan" => Ok(Self::Vxlan),
            "geneve" => Ok(Self::Geneve),
            _ => Err(UnknownValue("vxlan, geneve")),
        }
    }
}

impl ProfileKind {
    /// The name in URIs and kinds.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
        }
    }
}

impl FromStr for FloodingType {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::None,
            Self::Multicast,
            Self::Multipoint,
            Self::Replicator,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or(UnknownValue("none, multicast, multipoint, replicator"))
    }
}

impl FloodingType {
    /// The value of `floodingType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Multicast => "multicast",
            Self::Multipoint => "multipoint",
            Self::Replicator => "replicator",
        }
    }
}

impl FromStr for Rights {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.split_once(':')) {
            ("all", _) => Ok(Self::All),
            ("none", _) => Ok(Self::None),
            ("read-only", _) => Ok(Self::ReadOnly),
            ("operator", _) => Ok(Self::Operator),
            (_, Some(("manager", partition))) if !partition.is_empty() => {
                Ok(Self::Manager(partition.to_owned()))
            }
            _ => Err(UnknownValue(
                "all, none, read-only, operator, manager:PARTITION",
            )),
        }
    }
}

impl FromStr for FailoverState {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Active,
            Self::Standby,
            Self::Offline,
            Self::ForcedOffline,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or(UnknownValue("active, standby, offline, forced-offline"))
    }
}

/// Whether the text is `/PARTITION/[FOLDER/…]NAME`.
pub(crate) fn is_full_path(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').count() >= 2 && rest.split('/').all(|part| !part.is_empty())
    })
}
