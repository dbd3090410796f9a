//! What every device has before it is configured.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::domains::DOMAIN_0;
use super::{
    Configuration, DEVICE_GROUP, FOLDER, GENEVE, INTERFACE, Object, PARTITION, PROVISION,
    ROUTE_DOMAIN, SETTINGS, TCP_FORWARD, TRAFFIC_GROUP, TUNNEL, VXLAN,
};

/// `generation` of objects that every device has; that of partitions is 0 (genieparser, 14.1.2.1).
const GENERATION: u64 = 1;

/// The VXLAN profiles: path, encapsulation, flooding, port (genieparser `net_tunnelsvxlan`, 14.1.2.1).
const VXLAN_PROFILES: [(&str, &str, &str, u16); 6] = [
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

/// The tunnels: path, description, interface index (genieparser `net_tunnelstunnel`, 14.1.2.1).
const TUNNELS: [(&str, &str, u32); 2] = [
    (
        "/Common/http-tunnel",
        "Tunnel for http-explicit profile",
        112,
    ),
    ("/Common/socks-tunnel", "Tunnel for socks profile", 128),
];

/// The device groups: path, whether they sync by themselves (genieparser `cm_device_group`, 14.1.2.1).
const DEVICE_GROUPS: [(&str, &str); 2] = [
    ("/Common/device_trust_group", "enabled"),
    ("/Common/gtm", "disabled"),
];

/// The traffic groups: path, whether it floats, unit (genieparser `cm_traffic_group`, 14.1.2.1).
const TRAFFIC_GROUPS: [(&str, &str, u32); 2] = [
    ("/Common/traffic-group-1", "true", 1),
    ("/Common/traffic-group-local-only", "false", 0),
];

/// The modules (genieparser `sys_provision`, 14.1.2.1).
const MODULES: [&str; 15] = [
    "afm", "am", "apm", "asm", "avr", "dos", "fps", "gtm", "ilx", "lc", "ltm", "pem", "sslo",
    "swg", "urldb",
];

impl Configuration {
    /// A device as it comes; `is_paired` gives it a group to share its configuration in.
    pub(super) fn built_in(is_paired: bool) -> Self {
        let mut configuration = Self {
            objects: BTreeMap::new(),
            records: BTreeMap::new(),
            generation: GENERATION,
            changes_pending: false,
        };
        configuration.add_system(is_paired);
        configuration.add_network();
        configuration
    }

    fn add_system(&mut self, is_paired: bool) {
        let common = "Repository for system objects and shared objects.";
        let common = Object::at("Common").with("description", common);
        self.insert(PARTITION, common);
        // Recorded are these three (genieparser `sys_folder`); real devices have more.
        let root = Object::named("", "/")
            .with("inheritedDevicegroup", "false")
            .with("inheritedTrafficGroup", "false");
        self.insert_built_in(FOLDER, root);
        for folder in ["/Common", "/Common/Drafts"] {
            self.insert_built_in(FOLDER, Object::named("", folder));
        }
        for (group, floats, unit) in TRAFFIC_GROUPS {
            let group = Object::at(group)
                .with("isFloating", floats)
                .with("unitId", unit);
            self.insert_built_in(TRAFFIC_GROUP, group);
        }
        for (path, auto_sync) in DEVICE_GROUPS {
            self.insert_built_in(DEVICE_GROUP, Object::at(path).with("autoSync", auto_sync));
        }
        if is_paired {
            // Every pair has one, its name is up to its maker (*assumed*).
            let group = Object::at("/Common/failover-group")
                .with("networkFailover", "enabled")
                .with("type", "sync-failover");
            self.insert_built_in(DEVICE_GROUP, group);
        }
        self.add_variables();
        for module in MODULES {
            // *Assumed*: a new VE has local traffic alone.
            let level = if module == "ltm" { "nominal" } else { "none" };
            self.insert_built_in(PROVISION, Object::named("", module).with("level", level));
        }
        for settings in SETTINGS.iter() {
            self.insert_built_in(settings.resource, Object::named("", ""));
        }
    }

    /// The interfaces: three for traffic and the one for management, whose address is that of the base (all
    /// recorded on 14.1.2.1, genieparser `net_interface`; *assumed* that every device has as many).
    pub(super) fn add_interfaces(&mut self, base_mac: &str) {
        let (vendor, own) = base_mac.split_at_checked(8).unwrap_or((base_mac, ""));
        let own = u32::from_str_radix(&own.replace(':', ""), 16).unwrap_or_default();
        for (number, name) in (0_u32..).zip(["mgmt", "1.1", "1.2", "1.3"]) {
            let address = own.wrapping_add(10 * number).to_be_bytes();
            let [_, high, middle, low] = address;
            let mut interface = Object::named("", name)
                .with("ifIndex", 32 + 16 * number)
                .with(
                    "macAddress",
                    format!("{vendor}:{high:02x}:{middle:02x}:{low:02x}"),
                )
                .with("mediaActive", "10000T-FD")
                .with("mediaFixed", "10000T-FD");
            interface = if name == "mgmt" {
                interface
                    .with("mediaActive", "100TX-FD")
                    .with("mediaFixed", "auto")
            } else {
                interface.with("mediaMax", "auto")
            };
            self.insert_built_in(INTERFACE, interface);
        }
    }

    fn add_network(&mut self) {
        for (path, encapsulation, flooding, port) in VXLAN_PROFILES {
            let mut profile = Object::at(path)
                .with("encapsulationType", encapsulation)
                .with("floodingType", flooding)
                .with("port", port);
            if path != "/Common/vxlan" {
                profile = profile.with("defaultsFrom", "/Common/vxlan");
            }
            self.insert_built_in(VXLAN, profile);
        }
        let geneve = Object::at("/Common/geneve")
            .with("floodingType", "multipoint")
            .with("port", 6081);
        self.insert_built_in(GENEVE, geneve);
        self.insert_built_in(TCP_FORWARD, Object::at("/Common/tcp-forward"));
        for (path, description, if_index) in TUNNELS {
            let tunnel = Object::at(path)
                .with("description", description)
                .with("ifIndex", if_index)
                .with("localAddress", "any6")
                .with("profile", "/Common/tcp-forward");
            self.insert_built_in(TUNNEL, tunnel);
            self.add_fdb(path, GENERATION);
        }
        let tunnels: Vec<Value> = TUNNELS.iter().map(|(path, ..)| json!(path)).collect();
        let domain = Object::at(DOMAIN_0).with("id", 0).with("vlans", tunnels);
        self.insert_built_in(ROUTE_DOMAIN, domain);
    }

    pub(super) fn insert_built_in(&mut self, resource: &'static str, object: Object) {
        let object = Object {
            generation: GENERATION,
            ..object
        };
        self.insert(resource, object);
    }

    /// Whether every device, or every one of a pair, has this object without a user having made it.
    pub(crate) fn is_built_in(resource: &str, path: &str) -> bool {
        Self::built_in(true).has(resource, path)
    }
}
