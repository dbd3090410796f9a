//! `net/tunnels`: tunnels and their VXLAN or Geneve profiles, for reading.
//!
//! It must not know the FDB of a tunnel.

use serde::Serialize;

use super::{Answer, Call, Device, ok, read_only};
use crate::config::ProfileKind;
use crate::failure::Failure;
use crate::wire::{Head, Reference, segment};

/// A tunnel (genieparser `net_tunnelstunnel` 14.1.2.1; the same fields answered a POST on 12.1.2).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TunnelState<'a> {
    #[serde(flatten)]
    head: Head,
    auto_lasthop: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    idle_timeout: u32,
    if_index: u32,
    key: u32,
    local_address: &'a str,
    mode: &'static str,
    mtu: u32,
    profile: &'a str,
    profile_reference: Reference,
    remote_address: &'a str,
    secondary_address: &'static str,
    tos: &'static str,
    transparent: &'static str,
    use_pmtu: &'static str,
}

/// A profile (genieparser `net_tunnelsvxlan` and `net_tunnelsgeneve`, 14.1.2.1).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProfileState<'a> {
    #[serde(flatten)]
    head: Head,
    #[serde(skip_serializing_if = "Option::is_none")]
    defaults_from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defaults_from_reference: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encapsulation_type: Option<&'a str>,
    flooding_type: &'a str,
    port: u16,
}

/// `net/tunnels/tunnel/T`. The profile's kind shows only in `profileReference`.
pub(super) fn tunnel(device: &Device, call: &Call<'_>, path: &str) -> Answer {
    read_only(call, || {
        let links = device.links;
        let tunnel = device.running.tunnels.get(path);
        let tunnel = tunnel.ok_or_else(|| Failure::not_found("Tunnel", path))?;
        let profile = format!(
            "net/tunnels/{}/{}",
            tunnel.profile_type,
            segment(&tunnel.profile)
        );
        let kind = "tm:net:tunnels:tunnel:tunnelstate";
        ok(&TunnelState {
            head: links.head(kind, "net/tunnels/tunnel", path, tunnel.generation),
            auto_lasthop: "default",
            description: tunnel.description,
            idle_timeout: 300,
            if_index: tunnel.if_index,
            key: tunnel.key,
            local_address: &tunnel.local_address,
            mode: "bidirectional",
            mtu: 0,
            profile: &tunnel.profile,
            profile_reference: links.reference(&profile),
            remote_address: tunnel.remote_address,
            secondary_address: "any6",
            tos: "preserve",
            transparent: "disabled",
            use_pmtu: "enabled",
        })
    })
}

/// `net/tunnels/vxlan/P` and `net/tunnels/geneve/P`.
pub(super) fn profile(device: &Device, call: &Call<'_>, kind: ProfileKind, path: &str) -> Answer {
    read_only(call, || {
        let (state_kind, resource, label) = match kind {
            ProfileKind::Vxlan => (
                "tm:net:tunnels:vxlan:vxlanstate",
                "net/tunnels/vxlan",
                "VXLAN profile",
            ),
            ProfileKind::Geneve => (
                "tm:net:tunnels:geneve:genevestate",
                "net/tunnels/geneve",
                "Geneve profile",
            ),
        };
        let links = device.links;
        let profile = device.running.profiles.get(&(kind, path.to_owned()));
        let profile = profile.ok_or_else(|| Failure::not_found(label, path))?;
        ok(&ProfileState {
            head: links.head(state_kind, resource, path, profile.generation),
            defaults_from: profile.defaults_from,
            defaults_from_reference: profile
                .defaults_from
                .map(|parent| links.reference(&format!("{resource}/{}", segment(parent)))),
            encapsulation_type: profile.encapsulation_type,
            flooding_type: profile.flooding_type,
            port: profile.port,
        })
    })
}
