//! `net/self`: the self IPs of the device, for reading.

use serde::Serialize;

use super::{Answer, Call, Device, ok, read_only};
use crate::config::SelfIp;
use crate::wire::{Head, Reference, segment};

const LOCAL_ONLY: &str = "/Common/traffic-group-local-only";

/// A self IP (genieparser `net_self` 14.1.2.1; one on a tunnel was recorded on 12.1.2).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SelfState<'a> {
    #[serde(flatten)]
    head: Head,
    address: &'a str,
    address_source: &'static str,
    floating: &'static str,
    inherited_traffic_group: &'static str,
    traffic_group: &'static str,
    traffic_group_reference: Reference,
    unit: u32,
    vlan: &'a str,
    vlan_reference: Reference,
    allow_service: [&'static str; 1],
}

/// All self IPs of all partitions.
pub(super) fn collection(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let self_ips = device.running.self_ips.values();
        let items = self_ips.map(|(self_ip, generation)| show(device, self_ip, *generation));
        ok(&device.links.collection(
            "tm:net:self:selfcollectionstate",
            "net/self",
            items.collect(),
        ))
    })
}

fn show<'a>(device: &Device, self_ip: &'a SelfIp, generation: u64) -> SelfState<'a> {
    let links = device.links;
    let on_tunnel = device.running.tunnels.contains_key(&self_ip.vlan);
    let vlan_resource = if on_tunnel {
        "net/tunnels/tunnel"
    } else {
        "net/vlan"
    };
    SelfState {
        head: links.head(
            "tm:net:self:selfstate",
            "net/self",
            &self_ip.path,
            generation,
        ),
        address: &self_ip.address,
        address_source: "from-user",
        floating: "disabled",
        inherited_traffic_group: "false",
        traffic_group: LOCAL_ONLY,
        traffic_group_reference: links
            .reference(&format!("cm/traffic-group/{}", segment(LOCAL_ONLY))),
        unit: 0,
        vlan: &self_ip.vlan,
        vlan_reference: links.reference(&format!("{vlan_resource}/{}", segment(&self_ip.vlan))),
        allow_service: ["default"],
    }
}
