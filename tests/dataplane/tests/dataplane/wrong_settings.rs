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

/// Where `check` sees a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// In the cluster: in Cilium's configuration, and in what the operator says of the units.
    Cluster,
    /// Only on the unit, with `--direct`.
    Unit,
    /// In nothing that is configured: only a packet shows it.
    Packet,
}

/// The codes of the mistakes.
const CODES: [&str; 11] = [
    "BTN0202", "BTN0203", "BTN0204", "BTN0206", "BTN0208", "BTN0301", "BTN0402", "BTN0403",
    "BTN0404", "BTN0411", "BTN0421",
];

/// `verify` says this of the first unit, and names this code; `check` names the code where the mistake shows.
async fn assert_named(lab: &Lab, outcome: &str, code: &str, shown: Shown) {
    let [first, second] = lab.verify(NODE, POD).await;
    assert_eq!(first, (outcome.to_owned(), Some(code.to_owned())));
    // The path of the second unit is in use.
    assert_eq!(second.0, "Reached");

    let (cluster, unit) = (lab.check(&[]).await, lab.check(&["--direct"]).await);
    let seen = match (cluster.contains(code), unit.contains(code)) {
        (true, _) => Shown::Cluster,
        (false, true) => Shown::Unit,
        (false, false) => Shown::Packet,
    };
    assert_eq!(seen, shown, "{cluster:?} {unit:?}");
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
    // What is named below is named for its mistake.
    let found = lab.check(&["--direct"]).await;
    assert!(CODES.iter().all(|code| !found.contains(*code)), "{found:?}");
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
    assert_named(&lab, "NoARPAnswer", "BTN0202", Shown::Cluster).await;
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
    assert_named(&lab, "NoARPAnswer", "BTN0203", Shown::Cluster).await;
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
    assert_named(&lab, "NoARPAnswer", "BTN0404", Shown::Cluster).await;
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
    assert_named(&lab, "NoARPAnswer", "BTN0404", Shown::Cluster).await;
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
    assert_named(&lab, "NoARPAnswer", "BTN0404", Shown::Cluster).await;
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
    assert_named(&lab, "NoReply", "BTN0403", Shown::Cluster).await;
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
    assert_named(&lab, "NoARPAnswer", "BTN0402", Shown::Cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flooding_type_none_reaches_no_node() {
    let settings = Settings {
        tunnel: |tunnel: &mut TunnelConfig| tunnel.profile.flooding_type = FloodingType::None,
        ..Settings::default()
    };
    let Some((lab, node)) = lab("flooding", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::NothingArrives);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_named(&lab, "NoARPAnswer", "BTN0206", Shown::Cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_route_reaches_no_node() {
    let settings = Settings {
        has_route: [false, true],
        ..Settings::default()
    };
    let Some((lab, node)) = lab("route", settings).await else {
        return;
    };
    assert_eq!(reach(&lab, &node).await, Reach::NoArp);
    assert_second_unit_reaches_the_pod(&lab).await;
    assert_named(&lab, "NoARPAnswer", "BTN0208", Shown::Unit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_record_reaches_only_other_nodes() {
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
    assert_named(&lab, "NoARPAnswer", "BTN0301", Shown::Unit).await;
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
    assert_named(&lab, "NoARPAnswer", "BTN0204", Shown::Cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arp_with_mac_zero_is_told_from_silence() {
    let Some((lab, node)) = lab("mac-zero", Settings::default()).await else {
        return;
    };
    assert_second_unit_reaches_the_pod(&lab).await;
    node.answer_arp_with_mac_zero();
    lab.ping(0, POD).await;
    let zero = Learned::Resolved("00:00:00:00:00:00".to_owned());
    assert_eq!(lab.learned(0, POD).await, zero);
    assert_named(&lab, "ARPMACZero", "BTN0411", Shown::Packet).await;
}
