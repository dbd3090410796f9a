//! Settings with one mistake each, and how each fails: as it was seen to on a real Cilium datapath.
//!
//! A node with a pod is there in every test, with its record on both units unless the mistake is that it lacks. The
//! first unit has the mistake.

use bigip_sim::{FloodingType, TunnelConfig};
use bigip_tunnel_dataplane::{Node, Seen, Vtep};

use crate::lab::{Lab, Learned, Ping, Settings, node_mac};

const NODE: &str = "10.169.72.239";
const POD: &str = "10.0.0.130";

/// How far a ping of the first unit comes.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    /// The unit asked for no MAC address.
    NoArp,
    /// The unit asked, and the node saw nothing.
    NothingArrives,
    /// The node saw the ARP request and answered nothing.
    ArpIsSilent,
    /// The node answered, and the unit did not hear it.
    ArpAnswerIsLost,
    /// The unit knows the pod, and hears no reply.
    ReplyIsLost,
    /// Answered.
    All,
}

/// A lab with a node, and a mistake.
async fn lab(name: &str, settings: Settings) -> Option<(Lab, Node)> {
    let lab = Lab::with(name, settings).await?;
    let node = lab.add_node(NODE, &[POD]).await;
    Some((lab, node))
}

/// Pings from the first unit.
async fn reach(lab: &Lab, node: &Node) -> Reach {
    let ping = lab.ping(0, POD).await;
    let learned = lab.learned(0, POD).await;
    match (ping, learned, node.seen()) {
        (Ping::Answered, Learned::Resolved(mac), _) if mac == node_mac(NODE) => Reach::All,
        (Ping::Silent, Learned::Resolved(mac), seen)
            if mac == node_mac(NODE) && seen.delivered > 0 =>
        {
            Reach::ReplyIsLost
        }
        (Ping::Silent, Learned::Absent, seen) if seen == Seen::default() => Reach::NoArp,
        (Ping::Silent, Learned::Incomplete, seen) => match (seen.arp_requests, seen.arp_answers) {
            (0, _) => Reach::NothingArrives,
            (_, 0) => Reach::ArpIsSilent,
            _ => Reach::ArpAnswerIsLost,
        },
        (ping, learned, seen) => panic!("{ping:?}, {learned:?}, {seen:?}"),
    }
}

/// `verify` says this of the first unit, and names this code.
async fn assert_verify_names(lab: &Lab, outcome: &str, code: &str) {
    let [first, second] = lab.verify(NODE, POD).await;
    assert_eq!(first, (outcome.to_owned(), Some(code.to_owned())));
    // The path of the second unit is in use.
    assert_eq!(second.0, "Reached");
}

/// The second unit, whose settings are right, reaches the pod.
async fn assert_second_unit_reaches_the_pod(lab: &Lab) {
    assert_eq!(
        lab.ping(1, POD).await,
        Ping::Answered,
        "from the second unit"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn right_settings_reach_the_pod() {
    let Some((lab, node)) = lab("right", Settings::default()).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::All);
    assert_second_unit_reaches_the_pod(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_vni_loses_the_arp_answer_at_the_unit() {
    let settings = Settings {
        tunnel: |tunnel: &mut TunnelConfig| tunnel.key = 3,
        ..Settings::default()
    };
    let Some((lab, node)) = lab("vni", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::ArpAnswerIsLost);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0202").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_udp_port_is_silence() {
    let settings = Settings {
        tunnel: |tunnel: &mut TunnelConfig| tunnel.profile.port = 4789,
        ..Settings::default()
    };
    let Some((lab, node)) = lab("port", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::NothingArrives);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0203").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn longer_mask_cuts_off_the_upper_half() {
    let settings = Settings {
        self_ips: ["10.1.6.200/24", "10.1.5.36/24"],
        mask_length: 25,
        ..Settings::default()
    };
    let Some((lab, node)) = lab("longer-mask", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::ArpIsSilent);
    // Its self IP is in the lower half.
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0404").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shorter_mask_cuts_off_all_networks_but_the_first() {
    let settings = Settings {
        self_ips: ["10.1.6.34/24", "10.1.0.36/24"],
        vtep_networks: ["10.1.6.0/24", "10.1.0.0/24"],
        mask_length: 16,
        ..Settings::default()
    };
    let Some((lab, node)) = lab("shorter-mask", settings).await else {
        return;
    };
    // The answer goes to the second unit, whose network is the first one of the mask.
    assert_eq!(reach(&lab, &node).await, Reach::ArpAnswerIsLost);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0404").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn self_ip_outside_the_vtep_network_is_silence() {
    let settings = Settings {
        self_ips: ["10.1.7.34/24", "10.1.5.36/24"],
        ..Settings::default()
    };
    let Some((lab, node)) = lab("outside", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::ArpIsSilent);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0404").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_vtep_mac_resolves_arp_and_loses_every_reply() {
    let settings = Settings {
        vtep: |vtep: &mut Vtep| vtep.mac = [0x02, 0, 0, 0, 0, 0x99],
        ..Settings::default()
    };
    let Some((lab, node)) = lab("vtep-mac", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::ReplyIsLost);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoReply", "BTN0403").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_vtep_endpoint_loses_the_arp_answer() {
    let settings = Settings {
        vtep: |vtep: &mut Vtep| vtep.endpoint = [10, 169, 72, 35].into(),
        ..Settings::default()
    };
    let Some((lab, node)) = lab("vtep-endpoint", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::ArpAnswerIsLost);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0402").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flooding_type_none_asks_no_node() {
    let settings = Settings {
        tunnel: |tunnel: &mut TunnelConfig| tunnel.profile.flooding_type = FloodingType::None,
        ..Settings::default()
    };
    let Some((lab, node)) = lab("flooding", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::NothingArrives);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0206").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_route_asks_no_node() {
    let settings = Settings {
        has_route: [false, true],
        ..Settings::default()
    };
    let Some((lab, node)) = lab("route", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::NoArp);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0208").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_record_asks_other_nodes_only() {
    let Some((lab, node)) = lab("record", Settings::default()).await else {
        return;
    };
    let other = lab.add_node("10.169.72.233", &["10.0.1.7"]).await;
    lab.lose_record(0, NODE).await;
    assert_eq!(reach(&lab, &node).await, Reach::NothingArrives);
    assert!(other.seen().arp_requests > 0);
    assert_eq!(lab.ping(0, "10.0.1.7").await, Ping::Answered);
    lab.assert_lost(0, NODE);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0301").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn network_of_the_second_unit_gets_the_answers_of_the_first() {
    let settings = Settings {
        self_ips: ["10.1.5.34/24", "10.1.5.36/24"],
        ..Settings::default()
    };
    let Some((lab, node)) = lab("second-network", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::ArpAnswerIsLost);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_verify_names(&lab, "NoARPAnswer", "BTN0204").await;
}
