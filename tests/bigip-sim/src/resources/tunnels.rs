//! `net/tunnels`: tunnels and their VXLAN and Geneve profiles.
//!
//! It must not know the FDB of a tunnel.

use serde_json::Value;

use super::checks::{known_domain, refuse_users};
use crate::addresses;
use crate::configuration::{
    Configuration, GENEVE, Object, ROUTE, SELF_IP, TCP_FORWARD, TRAFFIC_GROUP, TUNNEL, VXLAN,
};
use crate::failure::Failure;
use crate::schema::{Property, Reference, Schema, Shape, Writing};

/// The traffic group of what stays on one device.
pub(super) const LOCAL_ONLY: &str = "/Common/traffic-group-local-only";

/// Traffic groups, as tunnels and self IPs name them.
pub(super) const TRAFFIC_GROUPS: Reference = Reference {
    resources: &[TRAFFIC_GROUP],
    label: "traffic group",
    others: &[],
    // ANS#229, ANS#52: a bare name is not looked for in Common.
    in_folder: Some(Failure::no_traffic_group),
};

const PROFILES: Reference = Reference {
    resources: &[VXLAN, GENEVE, TCP_FORWARD],
    label: "profile",
    // *Assumed*: every kind of tunnels has a profile of its own name.
    others: &[
        "/Common/etherip",
        "/Common/fec",
        "/Common/gre",
        "/Common/ipip",
        "/Common/ipsec",
        "/Common/lw4o6",
        "/Common/map",
        "/Common/ppp",
        "/Common/v6rd",
        "/Common/wccp",
    ],
    in_folder: None,
};

const SWITCH: Shape = Shape::Word(&["enabled", "disabled"]);
const FLOODING: Shape = Shape::Word(&["none", "multicast", "multipoint", "replicator"]);

/// A tunnel (genieparser `net_tunnelstunnel` 14.1.2.1; the same fields answered a POST on 12.1.2). That a
/// local address and a profile are needed is said by the 12.0 schema (SWG), which says so of the remote
/// address, too, though built-in tunnels have none.
pub(super) static TUNNELS: Schema = Schema {
    resource: TUNNEL,
    label: "Tunnel",
    properties: &[
        Property::new(
            "autoLasthop",
            Shape::Word(&["default", "enabled", "disabled"]),
        )
        .or("default"),
        Property::new("description", Shape::Text),
        Property::new("idleTimeout", Shape::Count(u32::MAX)).or_number(300),
        Property::new("ifIndex", Shape::Count(u32::MAX)).written(Writing::Device),
        Property::new("key", Shape::Count(u32::MAX)).or_number(0),
        Property::new("localAddress", Shape::Address(addresses::tunnel_end)).required(),
        Property::new(
            "mode",
            Shape::Word(&["bidirectional", "inbound", "outbound"]),
        )
        .or("bidirectional"),
        Property::new("mtu", Shape::Count(65535)).or_number(0),
        Property::new("profile", Shape::Reference(PROFILES))
            .required()
            .written(Writing::Kept),
        Property::new("remoteAddress", Shape::Address(addresses::tunnel_end)).or("any6"),
        Property::new("secondaryAddress", Shape::Address(addresses::tunnel_end)).or("any6"),
        Property::new("tos", Shape::Text)
            .or("preserve")
            .written(Writing::Fixed),
        Property::new("trafficGroup", Shape::Reference(TRAFFIC_GROUPS)),
        Property::new("transparent", SWITCH).or("disabled"),
        Property::new("usePmtu", SWITCH).or("enabled"),
    ],
    derive: |configuration, tunnel| {
        let index = || Value::from(configuration.next_interface_index());
        tunnel.values.entry("ifIndex").or_insert_with(index);
    },
    check: |configuration, tunnel| {
        let local_address = tunnel.text("localAddress").unwrap_or_default();
        known_domain(configuration, local_address)?;
        refuse_second_vni(configuration, tunnel)
    },
    check_delete: check_tunnel_unused,
    stored: |configuration, tunnel, is_new| {
        if is_new {
            configuration.tunnel_added(&tunnel.path());
        }
    },
    deleted: |configuration, tunnel| configuration.tunnel_removed(&tunnel.path()),
    // `iptunnel.configsync` decides for all tunnels of the device (OSA, CIDOCS), the traffic group for one (12.0
    // schema); without one it is *assumed* to be carried.
    is_synced: |configuration, tunnel| {
        configuration.variable("iptunnel.configsync") != Some("disable")
            && tunnel.text("trafficGroup") != Some(LOCAL_ONLY)
    },
    ..Schema::PLAIN
};

/// A VXLAN profile (genieparser `net_tunnelsvxlan`, 14.1.2.1).
pub(super) static VXLAN_PROFILES: Schema = Schema {
    resource: VXLAN,
    label: "VXLAN profile",
    properties: &[
        Property::new("defaultsFrom", Shape::Reference(parent(&[VXLAN]))),
        Property::new("description", Shape::Text),
        Property::new("encapsulationType", Shape::Word(&["vxlan", "vxlan-gpe"])).or("vxlan"),
        Property::new("floodingType", FLOODING).or("multicast"),
        Property::new("port", Shape::Count(65535)).or_number(4789),
    ],
    derive: |_, profile| default_from(profile, "/Common/vxlan"),
    check: |configuration, profile| check_profile(configuration, VXLAN, GENEVE, profile),
    check_delete: |configuration, profile| {
        check_profile_unused(configuration, VXLAN, "VXLAN profile", profile)
    },
    ..Schema::PLAIN
};

/// A Geneve profile; it has no encapsulation type (genieparser `net_tunnelsgeneve`, 14.1.2.1).
pub(super) static GENEVE_PROFILES: Schema = Schema {
    resource: GENEVE,
    label: "Geneve profile",
    properties: &[
        Property::new("defaultsFrom", Shape::Reference(parent(&[GENEVE]))),
        Property::new("description", Shape::Text),
        Property::new("floodingType", FLOODING).or("multipoint"),
        Property::new("port", Shape::Count(65535)).or_number(6081),
    ],
    derive: |_, profile| default_from(profile, "/Common/geneve"),
    check: |configuration, profile| check_profile(configuration, GENEVE, VXLAN, profile),
    check_delete: |configuration, profile| {
        check_profile_unused(configuration, GENEVE, "Geneve profile", profile)
    },
    ..Schema::PLAIN
};

const fn parent(resources: &'static [&'static str]) -> Reference {
    Reference {
        resources,
        label: "profile",
        others: &[],
        in_folder: None,
    }
}

/// Every profile takes its defaults from one, in the end from the built-in one (recorded of `IPsec`
/// profiles, 12.1.2).
fn default_from(profile: &mut Object, base: &str) {
    if profile.path() != base {
        let parent = profile.values.entry("defaultsFrom");
        parent.or_insert_with(|| Value::from(base));
    }
}

fn check_profile(
    configuration: &Configuration,
    resource: &str,
    other: &str,
    profile: &Object,
) -> Result<(), Failure> {
    let path = profile.path();
    if configuration.has(other, &path) {
        let what = "two profiles of one name, one of VXLAN and one of Geneve";
        return Err(Failure::not_simulated(what));
    }
    // In these words of monitors (f5-declarative-onboarding), *assumed* here.
    let circle =
        || Failure::configuration(&format!("A profile may not default from itself \"{path}\""));
    let mut parent = profile.text("defaultsFrom");
    while let Some(name) = parent {
        if name == path {
            return Err(circle());
        }
        parent = configuration
            .get(resource, name)
            .and_then(|next| next.text("defaultsFrom"));
    }
    Ok(())
}

fn check_profile_unused(
    configuration: &Configuration,
    resource: &str,
    label: &str,
    profile: &Object,
) -> Result<(), Failure> {
    let path = profile.path();
    let users = [
        (TUNNEL, "profile", "Tunnel"),
        (resource, "defaultsFrom", label),
    ];
    refuse_users(configuration, (label, &path), &users)
}

/// Two tunnels with one VNI and one local address (CIS#804). *Assumed*: so are two Geneve tunnels refused, but
/// not one of each kind, nor tunnels of other kinds.
fn refuse_second_vni(configuration: &Configuration, tunnel: &Object) -> Result<(), Failure> {
    let identity = |object: &Object| {
        let profile = object.text("profile").unwrap_or_default();
        let kind = configuration.holder(&[VXLAN, GENEVE], profile)?;
        let local = object.text("localAddress").unwrap_or_default();
        let local = local.strip_suffix("%0").unwrap_or(local).to_owned();
        Some((kind, object.number("key").unwrap_or_default(), local))
    };
    let (Some(own), path) = (identity(tunnel), tunnel.path()) else {
        return Ok(());
    };
    let mut others = configuration.all(TUNNEL).filter(|it| it.path() != path);
    match others.find(|other| identity(other).as_ref() == Some(&own)) {
        Some(other) => Err(Failure::vni_taken(&path, own.1, &other.path())),
        None => Ok(()),
    }
}

/// *Assumed*: a tunnel is called what VLANs are, which it is one of to self IPs and routes.
fn check_tunnel_unused(configuration: &Configuration, tunnel: &Object) -> Result<(), Failure> {
    let users = [
        (SELF_IP, "vlan", "self IP"),
        (ROUTE, "tmInterface", "route"),
    ];
    refuse_users(configuration, ("VLAN", &tunnel.path()), &users)
}
