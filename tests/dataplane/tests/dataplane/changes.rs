//! Changes by REST that the data plane of a unit has to follow, and those that it refuses.

use serde_json::json;

use crate::lab::{LIMIT, Lab, Learned, Ping, TUNNEL_PATH};

const NODE: &str = "10.169.72.239";
const POD: &str = "10.0.0.130";
const NEW_POD: &str = "10.0.0.131";
const TUNNEL: &str = "net/tunnels/tunnel/~Common~flannel_vxlan";

#[tokio::test(flavor = "multi_thread")]
async fn route_changed_by_rest_is_followed() {
    let Some(lab) = Lab::new("rest-route").await else {
        return;
    };
    let _node = lab.add_node(NODE, &[POD]).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);

    lab.rest(0, "DELETE", "net/route/~Common~pods", None).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Silent);
    let route = json!({"name": "pods", "network": "10.0.0.0/16", "tmInterface": TUNNEL_PATH});
    lab.rest(0, "POST", "net/route", Some(route)).await;
    lab.until_answered(0, POD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn self_ip_changed_by_rest_is_followed() {
    let Some(lab) = Lab::new("rest-self").await else {
        return;
    };
    let _node = lab.add_node(NODE, &[POD]).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);

    let path = "net/self/~Common~flannel_vxlan_self";
    lab.rest(0, "DELETE", path, None).await;
    assert!(lab.http(0, POD).await.is_err());
    let self_ip = json!({
        "name": "flannel_vxlan_self",
        "address": "10.1.6.34/24",
        "vlan": TUNNEL_PATH,
    });
    lab.rest(0, "POST", "net/self", Some(self_ip)).await;
    lab.until_answered(0, POD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnel_changed_by_rest_is_followed() {
    let Some(lab) = Lab::new("rest-tunnel").await else {
        return;
    };
    let _node = lab.add_node(NODE, &[POD, NEW_POD]).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);

    lab.rest(0, "PATCH", TUNNEL, Some(json!({"key": 3}))).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Silent);
    lab.rest(0, "PATCH", TUNNEL, Some(json!({"key": 2}))).await;
    lab.until_answered(0, POD).await;

    let tunnel = lab.rest(0, "GET", TUNNEL, None).await;
    let profile = tunnel["profile"].as_str().unwrap().replace('/', "~");
    let profile = format!("net/tunnels/vxlan/{profile}");
    let flooding = |kind: &str| Some(json!({"floodingType": kind}));
    lab.rest(0, "PATCH", &profile, flooding("none")).await;
    assert_eq!(lab.ping(0, NEW_POD).await, Ping::Silent);
    lab.rest(0, "PATCH", &profile, flooding("multipoint")).await;
    // The kernel asks again only a second after a request that got no answer.
    lab.until_answered(0, NEW_POD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_without_counterpart_is_refused_and_harmless() {
    let Some(lab) = Lab::new("rest-refused").await else {
        return;
    };
    let _node = lab.add_node(NODE, &[POD, NEW_POD]).await;

    let geneve = json!({
        "name": "other",
        "profile": "/Common/geneve",
        "localAddress": "10.169.72.34",
        "key": 9,
    });
    let record = json!({"name": "01:00:5e:00:00:01", "endpoint": "10.169.72.250"});
    let near = json!({"name": "near", "network": "10.1.6.0/24", "tmInterface": TUNNEL_PATH});
    for (path, body) in [
        ("net/tunnels/tunnel", geneve),
        ("net/fdb/tunnel/~Common~flannel_vxlan/records", record),
        ("net/route", near),
    ] {
        let (status, answer) = lab.send(0, "POST", path, Some(body)).await;
        assert_eq!(status, 501, "{path}: {answer}");
    }
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);
    assert_eq!(lab.ping(0, NEW_POD).await, Ping::Answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn mac_changed_by_rest_is_that_of_the_device() {
    let Some(lab) = Lab::new("rest-mac").await else {
        return;
    };
    let _node = lab.add_node(NODE, &[POD, NEW_POD]).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);
    let before = lab.shown_mac(0).await;

    let variable = "sys/db/iptunnel.macaddr_per_tunnel";
    let own = json!({"value": "enable"});
    lab.rest(0, "PATCH", variable, Some(own)).await;
    let after = lab.shown_mac(0).await;
    assert_ne!(after, before);
    assert_eq!(lab.device_mac(0).await, after);
    // Nodes send to the address before, which no device has any more.
    assert_eq!(lab.ping(0, NEW_POD).await, Ping::Silent);
    let learned = lab.learned(0, NEW_POD).await;
    assert!(matches!(learned, Learned::Resolved(_)), "{learned:?}");

    lab.rest(0, "PATCH", variable, Some(json!({"value": "disable"})))
        .await;
    assert_eq!(lab.shown_mac(0).await, before);
    lab.until_answered(0, POD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mac_set_by_a_test_is_that_of_the_device() {
    let Some(lab) = Lab::new("set-mac").await else {
        return;
    };
    let unit = lab.unit(0);
    assert!(unit.set_tunnel_mac(TUNNEL_PATH, Some("02:00:00:00:00:99")));
    assert_eq!(lab.shown_mac(0).await, "02:00:00:00:00:99");
    assert_eq!(lab.device_mac(0).await, "02:00:00:00:00:99");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_route_is_printed_as_ping_prints_it() {
    let Some(lab) = Lab::new("no-route").await else {
        return;
    };
    let ping = |args: &str| json!({"command": "run", "utilCmdArgs": args});
    let from = ping("-n -c 1 -W 1 -I 10.1.6.34 192.0.2.1");
    let answer = lab.rest(0, "POST", "util/ping", Some(from)).await;
    let text = answer["commandResult"].as_str().unwrap();
    assert!(
        text.contains("\nping: sendmsg: Network is unreachable\n"),
        "{text}"
    );
    assert!(text.contains("1 packets transmitted, 0 received"), "{text}");
    let answer = lab
        .rest(0, "POST", "util/ping", Some(ping("-n -c 1 192.0.2.1")))
        .await;
    assert_eq!(answer["commandResult"], "connect: Network is unreachable\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ping_is_logged_when_it_arrives() {
    let Some(lab) = Lab::new("ping-order").await else {
        return;
    };
    lab.unit(0).clear_log();
    // Nothing answers it, so that it takes its second.
    let args = "-n -c 1 -W 1 -w 1 -I 10.1.6.34 10.0.0.199";
    let body = json!({"command": "run", "utilCmdArgs": args});
    let ping = |state: &bigip_sim::State, status| {
        let mut requests = state.requests();
        requests.any(|request| request.path.ends_with("/util/ping") && request.status == status)
    };
    let under_way = lab.unit(0).wait_until(LIMIT, |state| ping(state, None));
    let (_, seen) = tokio::join!(lab.rest(0, "POST", "util/ping", Some(body)), under_way);
    assert!(seen.is_ok(), "a ping is logged before its second is over");
    let answered = lab
        .unit(0)
        .wait_until(LIMIT, |state| ping(state, Some(200)));
    assert!(answered.await.is_ok(), "its answer is noted there");
}
