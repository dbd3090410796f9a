//! What a person, or a test in the place of one, does to the configuration; and what comes and goes with
//! other objects.

use serde_json::json;

use super::{
    Configuration, FDB_TUNNEL, FOLDER, GENEVE, Object, PARTITION, POOL, ROUTE, SELF_IP, SNAT_POOL,
    TRAFFIC_CONTROL, TUNNEL, VIRTUAL_SERVER, VLAN, VXLAN,
};
use crate::config::{
    ConfigError, FloodingType, Profile, ProfileKind, SelfIp, SimConfig, SourceTranslation,
    TunnelConfig, VirtualServer, is_full_path,
};

/// Interface indexes rise in steps of 16 (112 and 128 recorded; the rest is *assumed*).
const INTERFACE_INDEX_STEP: u64 = 16;

impl Configuration {
    pub(crate) fn new(config: &SimConfig) -> Result<Self, ConfigError> {
        let mut configuration = Self::built_in(!config.peers.is_empty());
        configuration.add_interfaces(&config.base_mac);
        let hostname = config.hostname.as_str();
        configuration.set_single("sys/global-settings", "hostname", hostname);
        for tunnel in &config.tunnels {
            configuration.add_tunnel(tunnel)?;
        }
        for self_ip in &config.self_ips {
            configuration.add_self_ip(self_ip)?;
        }
        Ok(configuration)
    }

    /// Makes a tunnel, and what it needs if it is not there: folder, route domain, profile.
    pub(crate) fn add_tunnel(&mut self, config: &TunnelConfig) -> Result<(), ConfigError> {
        config.check()?;
        if self.has(TUNNEL, &config.path) {
            return Err(ConfigError::DuplicateTunnel(config.path.clone()));
        }
        self.add_profile(&config.profile)?;
        self.add_folders_of(&config.path);
        self.add_domain_of(&config.local_address);
        let tunnel = Object::at(&config.path)
            .with("ifIndex", self.next_interface_index())
            .with("key", config.key)
            .with("localAddress", config.local_address.as_str())
            .with("profile", config.profile.path.as_str())
            .with("remoteAddress", "any");
        self.put(TUNNEL, tunnel);
        self.tunnel_added(&config.path);
        for (mac, endpoint) in &config.records {
            self.put_record(&config.path, mac, endpoint, None);
        }
        Ok(())
    }

    /// Changes how a tunnel's profile floods; false if there is no such tunnel.
    pub(crate) fn set_flooding_type(&mut self, tunnel: &str, flooding_type: FloodingType) -> bool {
        let Some(tunnel) = self.get(TUNNEL, tunnel) else {
            return false;
        };
        let profile = tunnel.text("profile").unwrap_or_default().to_owned();
        for resource in [VXLAN, GENEVE] {
            if let Some(object) = self.edit(resource, &profile) {
                let flooding_type = json!(flooding_type.as_str());
                object.values.insert("floodingType", flooding_type);
            }
        }
        true
    }

    /// Changes the local address of a tunnel; false if there is no such tunnel.
    pub(crate) fn set_local_address(&mut self, tunnel: &str, address: &str) -> bool {
        if !self.has(TUNNEL, tunnel) {
            return false;
        }
        self.add_domain_of(address);
        if let Some(object) = self.edit(TUNNEL, tunnel) {
            object.values.insert("localAddress", json!(address));
        }
        true
    }

    /// Removes the tunnel, its records and the self IPs on it; false if there is none.
    pub(crate) fn delete_tunnel(&mut self, path: &str) -> bool {
        let on_it = self.all(SELF_IP);
        let on_it = on_it.filter(|self_ip| self_ip.text("vlan") == Some(path));
        let on_it: Vec<String> = on_it.map(Object::path).collect();
        for self_ip in on_it {
            self.remove(SELF_IP, &self_ip);
        }
        let removed = self.remove(TUNNEL, path).is_some();
        if removed {
            self.tunnel_removed(path);
        }
        removed
    }

    /// Makes a self IP, or changes the one of this path; and what it needs if it is not there: folder,
    /// route domain, VLAN.
    pub(crate) fn add_self_ip(&mut self, self_ip: &SelfIp) -> Result<(), ConfigError> {
        for path in [&self_ip.path, &self_ip.vlan] {
            if !is_full_path(path) {
                return Err(ConfigError::Path(path.clone()));
            }
        }
        self.add_folders_of(&self_ip.path);
        let (address, _) = self_ip
            .address
            .split_once('/')
            .unwrap_or((&self_ip.address, ""));
        self.add_domain_of(address);
        if self.holder(&[TUNNEL, VLAN], &self_ip.vlan).is_none() {
            self.add_folders_of(&self_ip.vlan);
            let vlan = Object::at(&self_ip.vlan)
                .with("ifIndex", self.next_interface_index())
                .with("tag", self.free_tag());
            self.put(VLAN, vlan);
            self.attach(&self_ip.vlan);
        }
        let object = Object::at(&self_ip.path)
            .with("address", self_ip.address.as_str())
            .with("vlan", self_ip.vlan.as_str())
            .with("allowService", json!(["default"]));
        self.put(SELF_IP, object);
        Ok(())
    }

    /// Deletes a self IP; false if there was none.
    pub(crate) fn delete_self_ip(&mut self, path: &str) -> bool {
        self.remove(SELF_IP, path).is_some()
    }

    /// Gives a self IP to the unit that takes over; false if there is none.
    pub(crate) fn float_self_ip(&mut self, path: &str) -> bool {
        let Some(object) = self.edit(SELF_IP, path) else {
            return false;
        };
        let group = json!("/Common/traffic-group-1");
        object.values.insert("trafficGroup", group);
        object.values.insert("floating", json!("enabled"));
        true
    }

    /// Makes a route, or changes the one of this path, to what is behind a tunnel or VLAN that is there.
    pub(crate) fn add_route(
        &mut self,
        path: &str,
        network: &str,
        interface: &str,
    ) -> Result<(), ConfigError> {
        for path in [path, interface] {
            if !is_full_path(path) {
                return Err(ConfigError::Path(path.to_owned()));
            }
        }
        self.add_folders_of(path);
        let route = Object::at(path)
            .with("network", network)
            .with("tmInterface", interface);
        self.put(ROUTE, route);
        Ok(())
    }

    /// Makes a virtual server, or changes the one of this path, with its pools.
    pub(crate) fn add_virtual_server(&mut self, server: &VirtualServer) -> Result<(), ConfigError> {
        let path = &server.path;
        if !is_full_path(path) {
            return Err(ConfigError::Path(path.clone()));
        }
        self.add_folders_of(path);
        let (pool, snat) = (format!("{path}_pool"), format!("{path}_snat"));
        let members = json!(server.members);
        self.put(POOL, Object::at(&pool).with("addresses", members));
        let translation = match &server.translation {
            SourceTranslation::None => json!({"type": "none"}),
            SourceTranslation::Automap => json!({"type": "automap"}),
            SourceTranslation::Pool(addresses) => {
                let of = |address: &String| format!("/Common/{address}");
                let members: Vec<String> = addresses.iter().map(of).collect();
                self.put(SNAT_POOL, Object::at(&snat).with("members", json!(members)));
                json!({"type": "snat", "pool": snat})
            }
        };
        let object = Object::at(path)
            .with("pool", pool)
            .with("sourceAddressTranslation", translation);
        self.put(VIRTUAL_SERVER, object);
        Ok(())
    }

    fn add_profile(&mut self, profile: &Profile) -> Result<(), ConfigError> {
        let (resource, other, parent) = match profile.kind {
            ProfileKind::Vxlan => (VXLAN, GENEVE, "/Common/vxlan"),
            ProfileKind::Geneve => (GENEVE, VXLAN, "/Common/geneve"),
        };
        let differs = || ConfigError::ProfileDiffers(profile.path.clone());
        if self.has(other, &profile.path) {
            return Err(differs());
        }
        if let Some(stored) = self.get(resource, &profile.path) {
            let value = |property| self.value(resource, stored, property);
            let is_same = value("port") == Some(&json!(profile.port))
                && value("floodingType") == Some(&json!(profile.flooding_type.as_str()));
            return if is_same { Ok(()) } else { Err(differs()) };
        }
        self.add_folders_of(&profile.path);
        let object = Object::at(&profile.path)
            .with("defaultsFrom", parent)
            .with("floodingType", profile.flooding_type.as_str())
            .with("port", profile.port);
        self.put(resource, object);
        Ok(())
    }

    fn add_folders_of(&mut self, path: &str) {
        for (end, _) in path.match_indices('/').skip(1) {
            let folder = path.get(..end).unwrap_or_default();
            if !self.has(FOLDER, folder) {
                self.put(FOLDER, Object::named("", folder));
                self.folder_added(folder);
            }
        }
    }

    /// What comes with a folder: at the top it is a partition.
    pub(crate) fn folder_added(&mut self, path: &str) {
        let name = path.trim_start_matches('/');
        if !name.contains('/') && !self.has(PARTITION, name) {
            self.put(PARTITION, Object::named("", name));
        }
    }

    /// What comes with a tunnel: its FDB, and a place in a route domain.
    pub(crate) fn tunnel_added(&mut self, path: &str) {
        let tunnel = self.get(TUNNEL, path);
        let generation = tunnel.map_or(0, |tunnel| tunnel.generation);
        let profile = tunnel.and_then(|tunnel| tunnel.text("profile"));
        let is_vxlan = profile.is_some_and(|profile| self.has(VXLAN, profile));
        self.add_fdb(path, generation);
        self.attach(path);
        if is_vxlan {
            // mcpd does this by itself when a VXLAN tunnel is made (DO `networkHandler.js`); *assumed*: on every
            // version, and for no other kind of tunnels.
            self.set_single(TRAFFIC_CONTROL, "acceptIpOptions", "enabled");
            self.set_variable("tm.acceptipoptions", "enable");
        }
    }

    /// What goes with a tunnel.
    pub(crate) fn tunnel_removed(&mut self, path: &str) {
        self.remove(FDB_TUNNEL, path);
        self.records.remove(path);
        self.detach(path);
    }

    pub(super) fn add_fdb(&mut self, tunnel: &str, generation: u64) {
        let object = Object {
            generation,
            ..Object::at(tunnel)
        };
        self.insert(FDB_TUNNEL, object);
        self.records.entry(tunnel.to_owned()).or_default();
    }

    /// The interface index of the next tunnel or VLAN.
    pub(crate) fn next_interface_index(&self) -> u64 {
        let interfaces = self.all(TUNNEL).chain(self.all(VLAN));
        let taken = interfaces.filter_map(|interface| interface.number("ifIndex"));
        taken.max().unwrap_or_default() + INTERFACE_INDEX_STEP
    }

    /// The tag of a VLAN that names none: the highest that is free.
    pub(crate) fn free_tag(&self) -> u64 {
        let is_taken = |tag: &u64| self.all(VLAN).any(|vlan| vlan.number("tag") == Some(*tag));
        let mut tags = (1..=4094).rev();
        tags.find(|tag| !is_taken(tag)).unwrap_or_default()
    }
}
