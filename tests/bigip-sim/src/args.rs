//! The command line of `bigip-sim`: what was typed, and the device it describes.
//!
//! It must not start anything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

#[cfg(target_os = "linux")]
use bigip_sim::DataPlaneConfig;
use bigip_sim::{
    FailoverState, Fault, FloodingType, Peer, Profile, ProfileKind, RepeatedRecords, Rights,
    ScriptError, SelfIp, SimConfig, TlsProfile, TmosVersion, TunnelConfig, TwoCredentials,
    UserConfig,
};
use clap::Parser;

const LONG_ABOUT: &str = "\
A simulated F5 BIG-IP: the part of iControl REST that has to do with tunnels
and their forwarding database (FDB), over TLS. Nothing of it reaches a network
beyond the address it listens on, unless it has a data plane, and nothing is
kept when it ends.

When it is ready it prints one line of JSON on standard output:

  {\"address\":\"127.0.0.1\",\"port\":41233,\"ca\":\"-----BEGIN CERTIFICATE-----\\n...\"}

With --dataplane, `namespace` is the network namespace that its tunnels are in,
for `nsenter --net=`, also where it is that of bigip-sim itself. `ca` is the certificate to trust; every start makes another one. The server's
certificate is good for the listen address, the management address and `localhost`.";

const AFTER_HELP: &str = "\
Simulated, below https://ADDRESS:PORT/mgmt; \"all\" is GET, POST, PUT, PATCH
and DELETE, of the list or of one object as it fits:
  shared/authn/login           POST {username, password, loginProviderName}
  shared/authz/tokens          GET; with /TOKEN: GET, PATCH (timeout), DELETE
  shared/echo/available        GET; also tm/sys/available, tm/cm/available
  tm/sys                       GET; also tm/auth, tm/cli, tm/cm, tm/ltm, tm/net
                               and every other list of paths
  tm/net/fdb/tunnel            GET
  tm/net/fdb/tunnel/T          GET; PUT, PATCH: `records` replace the whole list
  tm/net/fdb/tunnel/T/records  all
  tm/net/tunnels/tunnel        all; also .../vxlan and .../geneve (profiles)
  tm/net/tunnels/tunnel/stats  GET; also .../tunnel/T/stats, tm/net/arp/stats
  tm/net/self                  all; also tm/net/route, tm/net/route-domain
  tm/net/vlan                  all; GET of .../V/interfaces and of tm/net/fdb/vlan
  tm/net/arp                   all; static entries; GET of tm/net/arp/stats
  tm/net/interface             GET
  tm/auth/user                 GET; with a user: PATCH of `password` alone
  tm/auth/partition            all; also tm/sys/folder
  tm/sys/db                    GET; with a variable: GET, PUT, PATCH; also
                               tm/sys/provision
  tm/sys/dns                   GET, PUT, PATCH; also ntp, sshd, httpd, syslog,
                               global-settings and 24 other settings, such as
                               tm/ltm/global-settings/traffic-control
  tm/util/ping                 POST {\"command\":\"run\",\"utilCmdArgs\":\"-c 1 IP\"},
                               with -n -c -i -s -W -w -I; sent by
                               a data plane only
  tm/sys/version               GET; also tm/sys/ready, tm/sys/mcp-state,
                               tm/sys/clock, tm/cli/version
  tm/sys/config                POST {\"command\":\"save\"}
  tm/cm/device                 GET; also cm/failover-status, cm/sync-status,
                               cm/trust-domain
  tm/cm/traffic-group          all
  tm/cm/device-group           GET; with /G/devices: its devices
  tm/cm                        POST {\"command\":\"run\",
                                     \"utilCmdArgs\":\"config-sync to-group G\"}
  tm/transaction               POST; with /ID: GET, DELETE,
                               PATCH {\"state\":\"VALIDATING\"};
                               with /ID/commands: GET
Lists and objects take $select and expandSubcollections=true, lists take $top,
$skip and $filter=partition+eq+P, too. A request with the header
X-F5-REST-Coordination-Id goes into that transaction. A device with a --peer
has a group to sync with, failover-group.
Requests carry the token in X-F5-Auth-Token, or Basic credentials.
A token lasts 1200 s, and a user has 100 at most. What a real device does
elsewhere is not guessed: 501 says that a device has it and that it is not
simulated; lists of which a new device has nothing are answered, empty. What no
device has is refused as a device does.

Examples:
  bigip-sim --tunnel /Common/flannel_vxlan --local-address 10.169.72.34 \\
            --password-file pw --log
  bigip-sim --tunnel /Common/t --local-address 10.1.1.1%1 --profile geneve \\
            --record 0a:0a:0a:01:01:02=10.1.1.2%1 --version 14.1 \\
            --password-file pw";

/// Simulates an F5 BIG-IP.
#[derive(Debug, Parser)]
#[command(name = "bigip-sim", long_about = LONG_ABOUT, after_help = AFTER_HELP)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(crate) struct Args {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// TMOS version to play: 12.1, 13.1, 14.1, 15.1, 16.1 or 17.1
    #[arg(long, value_name = "VERSION", default_value_t)]
    version: TmosVersion,

    /// Host name of the device
    #[arg(long, value_name = "NAME", default_value = "bigip01.lab.local")]
    hostname: String,

    /// Base MAC address of the device
    #[arg(long, value_name = "MAC", default_value = "00:0c:29:35:0d:bd")]
    base_mac: String,

    /// Management address that the device shows; the listen address if not given
    #[arg(long, value_name = "ADDRESS")]
    management_ip: Option<IpAddr>,

    /// What the device does in its pair: active, standby, offline or forced-offline
    #[arg(long, value_name = "STATE", default_value = "active")]
    failover_state: FailoverState,

    /// Another device of the pair; shown as standby if this one is active, else as active
    #[arg(long = "peer", value_name = "NAME=BASE_MAC@ADDRESS")]
    peers: Vec<PeerArg>,

    /// User who may log in
    #[arg(long, value_name = "NAME", default_value = "admin")]
    user: String,

    /// File with the password; a line break at its end does not count
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,

    /// Full path of the tunnel
    #[arg(long, value_name = "/PARTITION/NAME")]
    tunnel: String,

    /// Local address of the tunnel, with %N in another route domain than 0; or any, any6
    #[arg(long, value_name = "ADDRESS[%N]")]
    local_address: String,

    /// Encapsulation of the tunnel: vxlan or geneve
    #[arg(long, value_name = "KIND", default_value = "vxlan")]
    profile: ProfileKind,

    /// UDP port of the profile; 8472 for vxlan and 6081 for geneve if not given
    #[arg(long, value_name = "PORT")]
    profile_port: Option<u16>,

    /// Flooding type of the profile: none, multicast, multipoint or replicator
    #[arg(long, value_name = "TYPE", default_value = "multipoint")]
    flooding_type: FloodingType,

    /// Key of the tunnel (VNI)
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    vni: u32,

    /// Self IP on the tunnel; repeatable
    #[arg(long = "self-ip", value_name = "ADDRESS[%N]/PREFIX")]
    self_ips: Vec<String>,

    /// FDB record that is there from the start; repeatable
    #[arg(long = "record", value_name = "MAC=ENDPOINT")]
    records: Vec<RecordArg>,

    /// Let tunnels carry packets: VXLAN devices of this machine. `separate` (if no place is given): in a network
    /// namespace of their own that ends with the process; needs `CAP_SYS_ADMIN`, `CAP_NET_ADMIN` and `CAP_NET_RAW`.
    /// `in-place`: in the namespace that bigip-sim is started in, such as that of a pod, for one unit; needs
    /// `CAP_NET_ADMIN` and `CAP_NET_RAW`
    #[cfg(target_os = "linux")]
    #[arg(
        long,
        value_name = "PLACE",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "separate"
    )]
    dataplane: Option<Place>,

    /// Network namespace in which tunnels send and receive, such as /run/netns/lab; that of bigip-sim if not
    /// given. It has to have the local addresses of the tunnels. Not with `--dataplane=in-place`
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "FILE", requires = "dataplane")]
    underlay: Option<PathBuf>,

    /// How long every request takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,

    /// How to greet: authority, own-certificate (of a new BIG-IP: signed by itself, without a name),
    /// unknown-authority, expired, not-yet-valid, wrong-name, tls12, old-tmos, stall or plain
    #[arg(long, value_name = "PROFILE", default_value_t)]
    tls: TlsProfile,

    /// What the user may do: all, none, read-only, operator or manager:PARTITION
    #[arg(long, value_name = "RIGHTS", default_value = "all")]
    rights: Rights,

    /// Lock the account after so many wrong passwords in a row
    #[arg(long, value_name = "NUMBER")]
    lock_after: Option<u32>,

    /// Count tokens that are over or given back towards the limit, too, as 17.1.2 does
    #[arg(long)]
    leak_tokens: bool,

    /// Refuse Basic credentials, which a device accepts
    #[arg(long)]
    refuse_basic: bool,

    /// A token beside Basic credentials: accepted (the token counts) or refused
    #[arg(long, value_name = "WHAT", default_value_t)]
    two_credentials: TwoCredentials,

    /// A list of records that has one MAC address twice: refused or last-wins
    #[arg(long, value_name = "WHAT", default_value_t)]
    repeated_records: RepeatedRecords,

    /// Put the path of a tunnel into the key of its statistics once, not twice
    #[arg(long)]
    plain_stats_keys: bool,

    /// An address that answers pings of the device (POST tm/util/ping); repeatable
    #[arg(long = "answers-ping", value_name = "ADDRESS")]
    answers_ping: Vec<Ipv4Addr>,

    /// File with faults, as JSON
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,

    /// Log every request on standard error; tokens are masked, bodies are not logged
    #[arg(long)]
    pub(crate) log: bool,

    /// End when standard input does, so that no device outlives the process that started it
    #[arg(long)]
    pub(crate) exit_with_stdin: bool,
}

/// The text is not of the form that is asked for.
#[derive(Debug, thiserror::Error)]
#[error("write it as {0}")]
pub(crate) struct FormError(&'static str);

/// A file that was named cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// No such script, or not readable.
    #[error("cannot read the script {}", path.display())]
    ReadScript { path: PathBuf, source: io::Error },
    /// It is none.
    #[error("cannot play the script {}", path.display())]
    Script { path: PathBuf, source: ScriptError },
    /// No such file, or not readable.
    #[error("cannot read the password file {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Nothing in it.
    #[error("the password file {} is empty", .0.display())]
    Empty(PathBuf),
    /// Tunnels send and receive where they are.
    #[cfg(target_os = "linux")]
    #[error(
        "--underlay={} goes with --dataplane=separate: tunnels in place send and receive in the network namespace that \
         bigip-sim is started in",
        .0.display()
    )]
    Underlay(PathBuf),
}

/// Where tunnels that carry packets are.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Place {
    /// In a network namespace of their own.
    Separate,
    /// In the namespace of the process.
    InPlace,
}

#[derive(Debug, Clone)]
struct PeerArg {
    name: String,
    base_mac: String,
    address: IpAddr,
}

impl FromStr for PeerArg {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = FormError("NAME=BASE_MAC@ADDRESS");
        let parts = text.split_once('=').and_then(|(name, rest)| {
            let (base_mac, address) = rest.split_once('@')?;
            Some((name, base_mac, address.parse().ok()?))
        });
        let (name, base_mac, address) = parts.ok_or(form)?;
        Ok(Self {
            name: name.to_owned(),
            base_mac: base_mac.to_owned(),
            address,
        })
    }
}

#[derive(Debug, Clone)]
struct RecordArg {
    mac: String,
    endpoint: String,
}

impl FromStr for RecordArg {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mac, endpoint) = text.split_once('=').ok_or(FormError("MAC=ENDPOINT"))?;
        Ok(Self {
            mac: mac.to_owned(),
            endpoint: endpoint.to_owned(),
        })
    }
}

impl Args {
    /// The device that was asked for. Reads the password file.
    pub(crate) fn into_config(self) -> Result<SimConfig, FileError> {
        let password = read_password(&self.password_file)?;
        let self_ips = self.self_ips();
        let management_ip = self.management_ip.unwrap_or(self.listen.ip()).to_string();
        Ok(SimConfig {
            listen: self.listen,
            version: self.version,
            management_ip,
            failover_state: self.failover_state,
            peers: self.peers.iter().map(|peer| self.peer(peer)).collect(),
            users: vec![UserConfig {
                rights: self.rights.clone(),
                lock_after: self.lock_after,
                ..UserConfig::new(&self.user, password)
            }],
            tunnels: vec![self.tunnel()],
            self_ips,
            latency_ms: self.latency_ms,
            #[cfg(target_os = "linux")]
            data_plane: data_plane(self.dataplane, self.underlay)?,
            tls: self.tls,
            leaks_tokens: self.leak_tokens,
            accepts_basic: !self.refuse_basic,
            two_credentials: self.two_credentials,
            repeated_records: self.repeated_records,
            doubled_stats_keys: !self.plain_stats_keys,
            answers_ping: self.answers_ping.clone(),
            hostname: self.hostname,
            base_mac: self.base_mac,
        })
    }

    /// The faults of the script, if there is one.
    pub(crate) fn faults(&self) -> Result<Vec<Fault>, FileError> {
        let Some(path) = &self.script else {
            return Ok(Vec::new());
        };
        let path = || path.clone();
        let text = fs::read_to_string(path()).map_err(|source| FileError::ReadScript {
            path: path(),
            source,
        })?;
        Fault::parse_script(&text).map_err(|source| FileError::Script {
            path: path(),
            source,
        })
    }

    fn tunnel(&self) -> TunnelConfig {
        let (path, local_address) = (self.tunnel.clone(), self.local_address.clone());
        let tunnel = match self.profile {
            ProfileKind::Vxlan => TunnelConfig::vxlan(path, local_address),
            ProfileKind::Geneve => TunnelConfig::geneve(path, local_address),
        };
        let profile = Profile {
            port: self.profile_port.unwrap_or(tunnel.profile.port),
            flooding_type: self.flooding_type,
            ..tunnel.profile
        };
        let records = self
            .records
            .iter()
            .map(|it| (it.mac.clone(), it.endpoint.clone()))
            .collect();
        TunnelConfig {
            profile,
            key: self.vni,
            records,
            ..tunnel
        }
    }

    /// Self IPs are named after the tunnel and their place on the command line.
    fn self_ips(&self) -> Vec<SelfIp> {
        let numbered = self.self_ips.iter().enumerate();
        numbered
            .map(|(index, address)| SelfIp {
                path: format!("{}_self{}", self.tunnel, index + 1),
                address: address.clone(),
                vlan: self.tunnel.clone(),
            })
            .collect()
    }

    fn peer(&self, peer: &PeerArg) -> Peer {
        Peer {
            hostname: peer.name.clone(),
            base_mac: peer.base_mac.clone(),
            management_ip: peer.address.to_string(),
            failover_state: match self.failover_state {
                FailoverState::Active => FailoverState::Standby,
                _ => FailoverState::Active,
            },
        }
    }
}

#[cfg(target_os = "linux")]
fn data_plane(
    place: Option<Place>,
    underlay: Option<PathBuf>,
) -> Result<Option<DataPlaneConfig>, FileError> {
    match (place, underlay) {
        (None, _) => Ok(None),
        (Some(Place::Separate), underlay) => Ok(Some(DataPlaneConfig::Separate { underlay })),
        (Some(Place::InPlace), None) => Ok(Some(DataPlaneConfig::InPlace)),
        (Some(Place::InPlace), Some(path)) => Err(FileError::Underlay(path)),
    }
}

fn read_password(path: &Path) -> Result<String, FileError> {
    let text = fs::read_to_string(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(FileError::Empty(path.to_owned()));
    }
    Ok(password.to_owned())
}
