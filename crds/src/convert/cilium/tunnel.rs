//! The tunnel of an object with its units, as its status shows them.

use bigip_tunnel_cilium::finding::UnitKey;
use bigip_tunnel_cilium::network;
use bigip_tunnel_cilium::unit::{Tunnel, Unit};
use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::unit::Encapsulation;

use crate::v1alpha1::{BigIpTunnel, DeviceStatus, TunnelStatus};

/// The tunnel of an object, with its units. A device whose tunnel its status does not show is unread.
pub fn tunnel(object: &BigIpTunnel) -> Tunnel {
    let (mut units, mut unread) = (Vec::new(), Vec::new());
    for device in &object.spec.devices {
        let key = UnitKey {
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            object: object.metadata.name.clone().unwrap_or_default(),
            device: device.name.clone(),
        };
        let mut seen = object.status.iter().flat_map(|status| &status.devices);
        let seen = seen.find(|seen| seen.name == device.name);
        match seen.and_then(|seen| Some((seen, seen.tunnel.as_ref()?))) {
            Some((seen, tunnel)) => units.push(unit(key, is_current(seen), tunnel)),
            None => unread.push(key),
        }
    }
    Tunnel { units, unread }
}

/// Whether a device answered, with the tunnel, when its status was written. A device that does not answer keeps the
/// tunnel that it was last seen to have.
fn is_current(device: &DeviceStatus) -> bool {
    let find = |kind: ConditionType| {
        let mut conditions = device.conditions.iter();
        conditions.find(|condition| condition.type_ == kind.as_str())
    };
    let answers = find(ConditionType::Reachable).is_some_and(|found| found.status == "True");
    let is_missing = find(ConditionType::Programmed)
        .is_some_and(|found| found.reason == Reason::TunnelNotFound.as_str());
    answers && !is_missing
}

fn unit(key: UnitKey, is_current: bool, tunnel: &TunnelStatus) -> Unit {
    let encapsulation = tunnel.encapsulation.as_deref().map(|kind| match kind {
        "vxlan" => Encapsulation::Vxlan,
        "geneve" => Encapsulation::Geneve,
        other => Encapsulation::Other(other.to_owned()),
    });
    let self_ips = tunnel.self_ips.iter();
    Unit {
        key,
        is_current,
        path: tunnel.full_path.clone(),
        local: tunnel.local_address.as_deref().and_then(network::address),
        self_ips: self_ips.filter_map(|text| network::self_ip(text)).collect(),
        has_more_self_ips: tunnel.self_ips_omitted.is_some(),
        mac: tunnel.mac.as_deref().and_then(|mac| mac.parse().ok()),
        vni: tunnel.vni.and_then(|vni| vni.try_into().ok()),
        encapsulation,
        port: tunnel.port.and_then(|port| port.try_into().ok()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An object with these devices, of which the status shows these tunnels.
    fn tunnel_of(devices: &[&str], shown: &[(&str, usize)]) -> Tunnel {
        let device = |name: &&str| json!({"name": name, "address": "192.0.2.1"});
        let shown = shown.iter().map(|(name, self_ips)| {
            let self_ips = (0..*self_ips).map(|n| format!("10.1.{n}.1/24"));
            let self_ips: Vec<String> = self_ips.collect();
            json!({"name": name, "tunnel": {"fullPath": "/Common/t", "selfIPs": self_ips}})
        });
        let shown: Vec<Value> = shown.collect();
        let devices: Vec<Value> = devices.iter().map(device).collect();
        let object = json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1", "kind": "BigIpTunnel",
            "metadata": {"name": "east", "namespace": "bigip"},
            "spec": {"tunnel": {"name": "t"}, "devices": devices},
            "status": {"devices": shown},
        });
        tunnel(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn device_without_a_read_tunnel_is_unread() {
        let names = |keys: Vec<&UnitKey>| -> Vec<String> {
            keys.into_iter().map(|key| key.device.clone()).collect()
        };
        let tunnel = tunnel_of(&["a", "b"], &[("b", 1), ("gone", 1)]);
        assert_eq!(
            names(tunnel.units.iter().map(|unit| &unit.key).collect()),
            ["b"]
        );
        assert_eq!(names(tunnel.unread.iter().collect()), ["a"]);
    }

    #[test]
    fn unit_that_does_not_answer_or_lost_its_tunnel_is_not_current() {
        let current = |reachable: &str, reason: &str| {
            let condition = |kind: &str, status: &str, reason: &str| {
                json!({
                    "type": kind, "status": status, "reason": reason, "message": "",
                    "lastTransitionTime": "2026-11-22T06:00:00Z",
                })
            };
            let conditions = [
                condition("Reachable", reachable, "x"),
                condition("Programmed", "True", reason),
            ];
            let device = json!({"name": "a", "conditions": conditions});
            is_current(&serde_json::from_value(device).unwrap())
        };
        assert!(current("True", "InSync"));
        assert!(!current("False", "InSync"));
        assert!(!current("Unknown", "InSync"));
        assert!(!current("True", "TunnelNotFound"));
        let unseen = serde_json::from_value(json!({"name": "a"})).unwrap();
        assert!(!is_current(&unseen));
    }

    #[test]
    fn omitted_self_ip_count_is_read_from_the_status() {
        let more = |omitted: Option<i32>| {
            let shown = json!({"fullPath": "/Common/t", "selfIPsOmitted": omitted});
            let key = tunnel_of(&["a"], &[]).unread.remove(0);
            unit(key, true, &serde_json::from_value(shown).unwrap()).has_more_self_ips
        };
        assert_eq!((more(None), more(Some(1))), (false, true));
        let full = tunnel_of(&["a"], &[("a", 8)]);
        assert!(!full.units[0].has_more_self_ips);
    }
}
