//! The cause that is named for a wrong setting, by what a real datapath does with it (ARP or none) and by what
//! `check` finds in the cluster and on the units.

use std::collections::BTreeMap;

use bigip_tunnel_core::mac::MacAddress;
use serde_json::{Value, json};

use super::*;
use crate::report::check::evidence::Evidence;
use crate::report::check::live::tests::seen;
use crate::report::check::live::{LiveSeen, take};
use crate::report::check::tests::{evidence, tunnel, with_config};

fn unit(device: &str) -> UnitKey {
    UnitKey {
        namespace: "bigip".to_owned(),
        object: "prod-east".to_owned(),
        device: device.to_owned(),
    }
}

/// A node with its record and this outcome.
fn asked(outcome: Outcome) -> Asked {
    Asked {
        outcome,
        has_record: Some(true),
        ..Asked::not("worker-01".to_owned(), NotAsked::OutOfTime)
    }
}

fn named(evidence: &Evidence, device: &str, asked: &Asked) -> Option<Code> {
    let report = CheckReport::new(evidence, Verdict::Error);
    likely(asked, &unit(device), &report).map(|cause| cause.code)
}

/// The code that is named for a node on `bigip-a` whose ARP request is not answered.
fn without_arp(evidence: &Evidence) -> Option<Code> {
    named(evidence, "bigip-a", &asked(Outcome::NoArpAnswer))
}

/// The same where ARP is answered and the ping is not.
fn behind_arp(evidence: &Evidence) -> Option<Code> {
    let mac = MacAddress::new([0xbe, 0xfe, 0, 0, 0, 1]);
    named(evidence, "bigip-a", &asked(Outcome::NoReply(mac)))
}

/// Evidence in which a field of the tunnel of `bigip-a` is otherwise.
fn with_tunnel(field: &str, value: &Value) -> Evidence {
    let pointer = format!("/status/devices/0/tunnel/{field}");
    evidence(tunnel().with(&pointer, value))
}

/// Evidence in which `bigip-a` was asked, and says something else.
fn with_live(change: impl FnOnce(&mut LiveSeen)) -> Evidence {
    let mut seen = seen();
    change(&mut seen);
    let mut evidence = evidence(tunnel());
    let key = (
        "bigip".to_owned(),
        "prod-east".to_owned(),
        "bigip-a".to_owned(),
    );
    take(&mut evidence, BTreeMap::from([(key, Ok(seen))]));
    evidence
}

#[test]
fn vni_3_is_named() {
    assert_eq!(without_arp(&with_tunnel("vni", &json!(3))), Some(BTN0202));
}

#[test]
fn udp_port_4789_is_named() {
    let port = with_tunnel("port", &json!(4789));
    assert_eq!(without_arp(&port), Some(BTN0203));
}

#[test]
fn vtep_mask_longer_than_the_network_is_named() {
    let longer = with_config("vtep-mask", "255.255.255.224");
    assert_eq!(without_arp(&longer), Some(BTN0404));
}

#[test]
fn vtep_mask_shorter_than_the_network_is_named() {
    let shorter = with_config("vtep-mask", "255.255.0.0");
    assert_eq!(without_arp(&shorter), Some(BTN0404));
}

#[test]
fn self_ip_outside_the_network_is_named() {
    let outside = with_tunnel("selfIPs", &json!(["10.1.9.34/24"]));
    assert_eq!(without_arp(&outside), Some(BTN0404));
}

#[test]
fn wrong_vtep_mac_is_named() {
    let macs = "52:54:00:00:00:99 52:54:00:4e:01:a6";
    let wrong = with_config("vtep-mac", macs);
    assert_eq!(behind_arp(&wrong), Some(BTN0403));
}

#[test]
fn wrong_vtep_endpoint_is_named() {
    let wrong = with_config("vtep-endpoint", "10.169.72.99 10.169.72.36");
    assert_eq!(without_arp(&wrong), Some(BTN0402));
}

#[test]
fn flooding_none_is_named() {
    let none = with_tunnel("floodingType", &json!("none"));
    assert_eq!(without_arp(&none), Some(BTN0206));
}

#[test]
fn missing_route_is_named() {
    let without = with_live(|seen| seen.routes = Ok(Vec::new()));
    assert_eq!(without_arp(&without), Some(BTN0208));
}

#[test]
fn missing_record_is_named_for_its_node_alone() {
    let missing = ("0a:0a:0a:a9:48:e9", "10.169.72.233%0");
    let record = (missing.0.parse().unwrap(), missing.1.parse().unwrap());
    let evidence = with_live(|seen| seen.plan.add = [record].into());
    let lacking = Asked {
        has_record: Some(false),
        ..asked(Outcome::NoArpAnswer)
    };
    assert_eq!(named(&evidence, "bigip-a", &lacking), Some(BTN0301));
    assert_eq!(without_arp(&evidence), None);
}

#[test]
fn network_of_the_other_unit_is_named() {
    let theirs = with_tunnel("selfIPs", &json!(["10.1.5.34/24"]));
    assert_eq!(without_arp(&theirs), Some(BTN0204));
}

#[test]
fn cause_is_that_of_the_unit_and_of_no_other() {
    let vni = with_tunnel("vni", &json!(3));
    let silent = asked(Outcome::NoArpAnswer);
    assert_eq!(named(&vni, "bigip-b", &silent), None);
}

#[test]
fn healthy_cluster_has_no_cause_to_name() {
    assert_eq!(without_arp(&evidence(tunnel())), None);
    assert_eq!(
        named(&evidence(tunnel()), "bigip-a", &asked(Outcome::Proven)),
        None
    );
}

#[test]
fn silence_after_arp_is_a_policy_by_default() {
    assert_eq!(behind_arp(&evidence(tunnel())), Some(BTN0412));
}

#[test]
fn mac_of_zero_is_the_broken_version() {
    let zero = asked(Outcome::ArpMacZero);
    assert_eq!(named(&evidence(tunnel()), "bigip-a", &zero), Some(BTN0411));
}

#[test]
fn answer_without_record_names_the_record() {
    let warm = Asked {
        has_record: Some(false),
        ..asked(Outcome::Reached(vec![Doubt::NoRecord, Doubt::KnownBefore]))
    };
    assert_eq!(named(&evidence(tunnel()), "bigip-a", &warm), Some(BTN0301));
    let known = asked(Outcome::Reached(vec![Doubt::KnownBefore]));
    assert_eq!(named(&evidence(tunnel()), "bigip-a", &known), None);
}

#[test]
fn refused_call_has_the_code_of_its_reason() {
    let refused = asked(Outcome::NotAsked(NotAsked::Failed {
        reason: bigip_tunnel_core::reason::Reason::AuthorizationFailed,
        message: "the user may not POST the ping (util/ping)".to_owned(),
    }));
    let report = CheckReport::new(&evidence(tunnel()), Verdict::Error);
    let cause = likely(&refused, &unit("bigip-a"), &report).unwrap();
    assert_eq!(cause.code, crate::catalogue::BTN0105);
    assert!(cause.text.contains("util/ping"), "{}", cause.text);
}
