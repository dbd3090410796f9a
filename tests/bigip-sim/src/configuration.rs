//! The configuration of a device: tunnels with their FDB records, profiles, self IPs.
//!
//! Kept twice by a device, running and saved. It must not know of requests, accounts or versions.

use std::collections::BTreeMap;

use crate::config::{
    ConfigError, FloodingType, Profile, ProfileKind, SelfIp, SimConfig, TunnelConfig,
};

/// `generation` of objects that every device has.
const BUILT_IN_GENERATION: u64 = 1;

/// The built-in VXLAN profiles: name, encapsulation, flooding, port (genieparser `net_tunnelsvxlan`,
/// 14.1.2.1).
const BUILT_IN_VXLAN: [(&str, &str, &str, u16); 6] = [
    ("/Common/vxlan", "vxlan", "multicast", 4789),
    ("/Common/vxlan-gpe", "vxlan-gpe", "multipoint", 4790),
    ("/Common/vxlan-multipoint", "vxlan", "multipoint", 4789),
    ("/Common/vxlan-ovsdb", "vxlan", "replicator", 4789),
    (
        "/Common/vxlan-ovsdb-multipoint",
        "vxlan",
        "multipoint",
        4789,
    ),
    ("/Common/vxlan-ovsdb-no-flooding", "vxlan", "none", 4789),
];

/// The built-in tunnels: path, description, interface index (genieparser `net_tunnelstunnel`).
const BUILT_IN_TUNNELS: [(&str, &str, u32); 2] = [
    (
        "/Common/http-tunnel",
        "Tunnel for http-explicit profile",
        112,
    ),
    ("/Common/socks-tunnel", "Tunnel for socks profile", 128),
];

/// Interface indexes rise in steps of 16 (112 and 128 recorded; the rest is *assumed*).
const INTERFACE_INDEX_STEP: u32 = 16;

/// Everything a person can configure and save.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) tunnels: BTreeMap<String, Tunnel>,
    pub(crate) profiles: BTreeMap<(ProfileKind, String), StoredProfile>,
    pub(crate) self_ips: BTreeMap<String, (SelfIp, u64)>,
    /// Last number given out. One counter for the whole device: successive POSTs to different objects
    /// got 25, 26, 28, 33 and so on (recorded on 12.1.2).
    generation: u64,
}

/// A tunnel with its FDB.
#[derive(Debug, Clone)]
pub(crate) struct Tunnel {
    pub(crate) path: String,
    pub(crate) description: Option<&'static str>,
    pub(crate) if_index: u32,
    pub(crate) key: u32,
    pub(crate) local_address: String,
    pub(crate) remote_address: &'static str,
    pub(crate) profile: String,
    /// Last but one segment of the profile's URI, such as `vxlan`.
    pub(crate) profile_type: &'static str,
    pub(crate) generation: u64,
    /// Rises with every change of the records (CIS#1730).
    pub(crate) fdb_generation: u64,
    /// By name in lower case. *Assumed*: a device takes `0A:…` and `0a:…` for one record.
    records: BTreeMap<String, Record>,
}

/// An FDB record, texts as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// Suffix included if it was written with one (recorded on 12.1, 14.1.3.1, 16.1.2).
    pub(crate) endpoint: String,
    /// *Assumed* to be kept; the 12.0 schema has it.
    pub(crate) description: Option<String>,
    pub(crate) generation: u64,
}

/// A profile as the device shows it.
#[derive(Debug, Clone)]
pub(crate) struct StoredProfile {
    pub(crate) path: String,
    pub(crate) kind: ProfileKind,
    pub(crate) defaults_from: Option<&'static str>,
    /// Geneve profiles have none (genieparser `net_tunnelsgeneve`, 14.1.2.1).
    pub(crate) encapsulation_type: Option<&'static str>,
    pub(crate) flooding_type: &'static str,
    pub(crate) port: u16,
    pub(crate) generation: u64,
}

impl Configuration {
    pub(crate) fn new(config: &SimConfig) -> Result<Self, ConfigError> {
        let mut configuration = Self {
            tunnels: BTreeMap::new(),
            profiles: built_in_profiles(),
            self_ips: BTreeMap::new(),
            generation: BUILT_IN_GENERATION,
        };
        for (path, description, if_index) in BUILT_IN_TUNNELS {
            let tunnel = Tunnel::built_in(path, description, if_index);
            configuration.tunnels.insert(path.to_owned(), tunnel);
        }
        for tunnel in &config.tunnels {
            configuration.add_tunnel(tunnel)?;
        }
        for self_ip in &config.self_ips {
            configuration.add_self_ip(self_ip)?;
        }
        Ok(configuration)
    }

    pub(crate) fn add_tunnel(&mut self, config: &TunnelConfig) -> Result<(), ConfigError> {
        config.check()?;
        if self.tunnels.contains_key(&config.path) {
            return Err(ConfigError::DuplicateTunnel(config.path.clone()));
        }
        self.add_profile(&config.profile)?;
        let generation = self.next_generation();
        let last_index = self.tunnels.values().map(|tunnel| tunnel.if_index).max();
        let tunnel = Tunnel {
            path: config.path.clone(),
            description: None,
            if_index: last_index.unwrap_or_default() + INTERFACE_INDEX_STEP,
            key: config.key,
            local_address: config.local_address.clone(),
            remote_address: "any",
            profile: config.profile.path.clone(),
            profile_type: config.profile.kind.as_str(),
            generation,
            fdb_generation: generation,
            records: BTreeMap::new(),
        };
        self.tunnels.insert(config.path.clone(), tunnel);
        for (mac, endpoint) in &config.records {
            self.put_record(&config.path, mac, endpoint, None);
        }
        Ok(())
    }

    /// Changes how a tunnel's profile floods; false if there is no such tunnel.
    pub(crate) fn set_flooding_type(&mut self, tunnel: &str, flooding_type: FloodingType) -> bool {
        let Some(profile) = self.tunnels.get(tunnel).map(|tunnel| &tunnel.profile) else {
            return false;
        };
        let mut profiles = self.profiles.values_mut();
        let stored = profiles.find(|stored| stored.path == *profile);
        if let Some(stored) = stored {
            stored.flooding_type = flooding_type.as_str();
        }
        true
    }

    /// Changes the local address of a tunnel; false if there is no such tunnel.
    pub(crate) fn set_local_address(&mut self, tunnel: &str, address: &str) -> bool {
        let tunnel = self.tunnels.get_mut(tunnel);
        tunnel
            .map(|tunnel| address.clone_into(&mut tunnel.local_address))
            .is_some()
    }

    /// Removes the tunnel, its records and the self IPs on it; false if there is none.
    pub(crate) fn delete_tunnel(&mut self, path: &str) -> bool {
        self.self_ips.retain(|_, (self_ip, _)| self_ip.vlan != path);
        self.tunnels.remove(path).is_some()
    }

    /// Writes one record, new or not, without any check; false if there is no such tunnel.
    pub(crate) fn put_record(
        &mut self,
        tunnel: &str,
        mac: &str,
        endpoint: &str,
        description: Option<String>,
    ) -> bool {
        let generation = self.generation + 1;
        let Some(tunnel) = self.tunnels.get_mut(tunnel) else {
            return false;
        };
        let name = mac.to_owned();
        let record = Record {
            name,
            endpoint: endpoint.to_owned(),
            description,
            generation,
        };
        tunnel.records.insert(key(mac), record);
        tunnel.fdb_generation = generation;
        self.generation = generation;
        true
    }

    /// Removes one record; false if there is none.
    pub(crate) fn remove_record(&mut self, tunnel: &str, mac: &str) -> bool {
        let generation = self.generation + 1;
        let Some(tunnel) = self.tunnels.get_mut(tunnel) else {
            return false;
        };
        if tunnel.records.remove(&key(mac)).is_none() {
            return false;
        }
        tunnel.fdb_generation = generation;
        self.generation = generation;
        true
    }

    /// Replaces the whole list at once. Every record gets the same generation (CCCL fixture).
    pub(crate) fn replace_records(&mut self, tunnel: &str, records: Vec<Record>) {
        let generation = self.next_generation();
        if let Some(tunnel) = self.tunnels.get_mut(tunnel) {
            tunnel.records = records
                .into_iter()
                .map(|record| {
                    (
                        key(&record.name),
                        Record {
                            generation,
                            ..record
                        },
                    )
                })
                .collect();
            tunnel.fdb_generation = generation;
        }
    }

    fn add_profile(&mut self, profile: &Profile) -> Result<(), ConfigError> {
        let key = (profile.kind, profile.path.clone());
        if let Some(stored) = self.profiles.get(&key) {
            let flooding_type = profile.flooding_type.as_str();
            return if (stored.port, stored.flooding_type) == (profile.port, flooding_type) {
                Ok(())
            } else {
                Err(ConfigError::ProfileDiffers(profile.path.clone()))
            };
        }
        let (defaults_from, encapsulation_type) = match profile.kind {
            ProfileKind::Vxlan => ("/Common/vxlan", Some("vxlan")),
            ProfileKind::Geneve => ("/Common/geneve", None),
        };
        let stored = StoredProfile {
            path: profile.path.clone(),
            kind: profile.kind,
            defaults_from: Some(defaults_from),
            encapsulation_type,
            flooding_type: profile.flooding_type.as_str(),
            port: profile.port,
            generation: self.next_generation(),
        };
        self.profiles.insert(key, stored);
        Ok(())
    }

    pub(crate) fn add_self_ip(&mut self, self_ip: &SelfIp) -> Result<(), ConfigError> {
        for path in [&self_ip.path, &self_ip.vlan] {
            if !crate::config::is_full_path(path) {
                return Err(ConfigError::Path(path.clone()));
            }
        }
        let generation = self.next_generation();
        self.self_ips
            .insert(self_ip.path.clone(), (self_ip.clone(), generation));
        Ok(())
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}

impl Tunnel {
    fn built_in(path: &str, description: &'static str, if_index: u32) -> Self {
        Self {
            path: path.to_owned(),
            description: Some(description),
            if_index,
            key: 0,
            local_address: "any6".to_owned(),
            remote_address: "any6",
            profile: "/Common/tcp-forward".to_owned(),
            profile_type: "tcp-forward",
            generation: BUILT_IN_GENERATION,
            fdb_generation: BUILT_IN_GENERATION,
            records: BTreeMap::new(),
        }
    }

    /// The records by rising MAC address, the order of the recorded lists.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The record of this name, in whatever case it is written.
    pub(crate) fn record(&self, mac: &str) -> Option<&Record> {
        self.records.get(&key(mac))
    }

    /// The first segment of its path.
    pub(crate) fn partition(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }
}

fn key(mac: &str) -> String {
    mac.to_ascii_lowercase()
}

fn built_in_profiles() -> BTreeMap<(ProfileKind, String), StoredProfile> {
    let vxlan = BUILT_IN_VXLAN
        .into_iter()
        .map(|(path, encapsulation, flooding, port)| StoredProfile {
            path: path.to_owned(),
            kind: ProfileKind::Vxlan,
            defaults_from: (path != "/Common/vxlan").then_some("/Common/vxlan"),
            encapsulation_type: Some(encapsulation),
            flooding_type: flooding,
            port,
            generation: BUILT_IN_GENERATION,
        });
    let geneve = StoredProfile {
        path: "/Common/geneve".to_owned(),
        kind: ProfileKind::Geneve,
        defaults_from: None,
        encapsulation_type: None,
        flooding_type: "multipoint",
        port: 6081,
        generation: BUILT_IN_GENERATION,
    };
    vxlan
        .chain([geneve])
        .map(|profile| ((profile.kind, profile.path.clone()), profile))
        .collect()
}
