//! What a client meets that makes the whole tunnel, not its records alone.

use bigip_sim::{RepeatedRecords, SelfIp, SimConfig, TunnelConfig};
use serde_json::{Value, json};

use crate::cluster::pair;
use crate::support::{Answer, ENDPOINT, MAC, TUNNEL, TUNNEL_URI, World, config, record, world};

const TUNNELS: &str = "/mgmt/tm/net/tunnels/tunnel";
const SELF_IPS: &str = "/mgmt/tm/net/self";
const CONTROL: &str = "/mgmt/tm/ltm/global-settings/traffic-control";

fn tunnel(name: &str, key: u32, local_address: &str) -> Value {
    json!({
        "name": name, "key": key, "localAddress": local_address,
        "profile": "/Common/vxlan-multipoint",
    })
}

fn assert_refused(answer: &Answer, message: &str) {
    assert_eq!((answer.status, answer.message().as_str()), (400, message));
    assert_eq!(answer.json()["apiError"], 3);
}

fn mac_of(answer: &Value) -> (String, Value) {
    let entries = answer["entries"].as_object().unwrap();
    let (key, entry) = entries.iter().next().unwrap();
    let mac = entry["nestedStats"]["entries"]["macAddr"]["description"].clone();
    (key.clone(), mac)
}

/// Seven public scripts read it there, under either key.
#[test]
fn tunnel_mac_is_in_its_statistics_under_either_key() {
    let uri = format!("{TUNNELS}/~Common~flannel_vxlan/stats");
    for (doubled, path) in [
        (true, "~Common~flannel_vxlan/~Common~flannel_vxlan"),
        (false, "~Common~flannel_vxlan"),
    ] {
        let mut world = World::new(&SimConfig {
            doubled_stats_keys: doubled,
            ..config()
        });
        let answer = world.get(&format!("{uri}?options=all-properties")).json();
        let (key, mac) = mac_of(&answer);
        assert_eq!(key, format!("https://localhost{TUNNELS}/{path}/stats"));
        assert_eq!(mac, json!(world.state.tunnel_mac(TUNNEL)));
        assert_eq!(mac_of(&world.get(&uri).json()).1, Value::Null);

        assert!(world.state.set_tunnel_mac(TUNNEL, None));
        let answer = world.get(&format!("{uri}?options=all-properties")).json();
        assert_eq!(mac_of(&answer).1, Value::Null, "a device that tells none");
    }
}

#[test]
fn tunnels_share_a_mac_unless_each_is_to_have_one() {
    let mut world = world();
    let second = TunnelConfig::vxlan("/Common/second", "10.169.72.35");
    world.state.add_tunnel(&second).unwrap();
    let macs = |world: &World| {
        [TUNNEL, "/Common/second"].map(|tunnel| world.state.tunnel_mac(tunnel).unwrap())
    };
    let [first, other] = macs(&world);
    assert_eq!(first, other);

    let uri = "/mgmt/tm/sys/db/iptunnel.macaddr_per_tunnel";
    world.patch(uri, &json!({ "value": "enable" }));
    let [first, other] = macs(&world);
    assert_ne!(first, other);
}

/// CIS#804.
#[test]
fn vni_is_unique_per_local_address() {
    let mut world = world();
    let answer = world.post(TUNNELS, &tunnel("test", 2, "10.169.72.34%0"));
    let message = "010716ce:3: The tunnel /Common/test must have a unique VNI - the specified VNI(2) \
                   conflicts with VNI of tunnel /Common/flannel_vxlan.";
    assert_refused(&answer, message);

    for (name, key, local_address) in [("a", 3, "10.169.72.34"), ("b", 2, "10.169.72.35")] {
        let answer = world.post(TUNNELS, &tunnel(name, key, local_address));
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let uri = format!("{TUNNELS}/~Common~a");
    assert_refused(
        &world.patch(&uri, &json!({ "key": 2 })),
        &message.replace("/Common/test", "/Common/a"),
    );
}

/// CIS#804.
#[test]
fn network_is_on_only_one_vlan() {
    let mut world = world();
    world.post(TUNNELS, &tunnel("other", 3, "10.169.72.34"));
    let self_ip = |name: &str, address: &str, vlan: &str| json!({ "name": name, "address": address, "vlan": vlan });
    world.post(SELF_IPS, &self_ip("a", "10.244.246.1/16", TUNNEL));
    let answer = world.post(SELF_IPS, &self_ip("b", "10.244.246.2/16", "/Common/other"));
    assert_refused(
        &answer,
        "Self IP 10.244.246.2 / 255.255.0.0: This network is defined on two vlans (/Common/other \
         and /Common/flannel_vxlan)",
    );
    for (name, address, vlan) in [
        ("c", "10.244.246.3/16", TUNNEL),
        ("d", "10.245.0.1/16", "/Common/other"),
    ] {
        let answer = world.post(SELF_IPS, &self_ip(name, address, vlan));
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

/// SWG, 12.0.
#[test]
fn self_ip_keeps_its_description() {
    let mut world = world();
    let body = json!({
        "name": "s", "address": "10.1.6.34/24", "vlan": TUNNEL, "description": "of the cluster",
    });
    assert_eq!(
        world.post(SELF_IPS, &body).json()["description"],
        "of the cluster"
    );
    let uri = format!("{SELF_IPS}/~Common~s");
    assert_eq!(
        world
            .patch(&uri, &json!({ "description": "another" }))
            .json()["description"],
        "another"
    );
}

/// ANS#229.
#[test]
fn traffic_group_needs_its_path_outside_of_common() {
    let mut world = world();
    world.post("/mgmt/tm/auth/partition", &json!({ "name": "Tenant1A" }));
    let body = |group: &str| {
        json!({
            "name": "s", "partition": "Tenant1A", "address": "10.1.6.34/24", "vlan": TUNNEL,
            "trafficGroup": group,
        })
    };
    assert_refused(
        &world.post(SELF_IPS, &body("traffic-group-local-only")),
        "01070734:3: Configuration error: Traffic group (/Tenant1A/traffic-group-local-only) does \
         not exist.",
    );
    let answer = world.post(SELF_IPS, &body("/Common/traffic-group-local-only"));
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// DO `networkHandler.js`.
#[test]
fn new_vxlan_tunnel_enables_ip_options() {
    let mut world = World::new(&SimConfig {
        tunnels: Vec::new(),
        ..config()
    });
    let variable = "/mgmt/tm/sys/db/tm.acceptipoptions";
    assert_eq!(world.get(CONTROL).json()["acceptIpOptions"], "disabled");
    world.post(TUNNELS, &tunnel("t", 2, "10.169.72.34"));
    assert_eq!(world.get(CONTROL).json()["acceptIpOptions"], "enabled");
    assert_eq!(world.get(variable).json()["value"], "enable");

    world.patch(CONTROL, &json!({ "acceptIpOptions": "disabled" }));
    assert_eq!(world.get(variable).json()["value"], "disable");
    world.patch(variable, &json!({ "value": "enable" }));
    assert_eq!(world.get(CONTROL).json()["acceptIpOptions"], "enabled");
}

/// OSA, CIDOCS.
#[test]
fn tunnels_do_not_forward_when_disabled() {
    let status = |world: &mut World| {
        let answer = world.get("/mgmt/tm/cm/sync-status").json();
        let key = "https://localhost/mgmt/tm/cm/sync-status/0";
        answer["entries"][key]["nestedStats"]["entries"]["status"]["description"].clone()
    };
    let mut world = pair();
    let variable = "/mgmt/tm/sys/db/iptunnel.configsync";
    world.patch(variable, &json!({ "value": "disable" }));
    world.post(TUNNELS, &tunnel("a", 3, "10.169.72.34"));
    assert_eq!(status(&mut world), "In Sync");
    world.patch(variable, &json!({ "value": "enable" }));
    world.post(TUNNELS, &tunnel("b", 4, "10.169.72.34"));
    assert_eq!(status(&mut world), "Changes Pending");
}

#[test]
fn ping_is_answered_as_configured_and_changes_nothing() {
    let mut world = world();
    let uri = "/mgmt/tm/util/ping";
    let run = |args: &str| json!({ "command": "run", "utilCmdArgs": args });
    let result = |answer: &Answer| answer.json()["commandResult"].as_str().unwrap().to_owned();

    let silent = world.post(uri, &run("-c 2 10.244.1.7"));
    assert_eq!(silent.json()["kind"], "tm:util:ping:runstate");
    assert!(result(&silent).contains("2 packets transmitted, 0 received, 100% packet loss"));

    world
        .state
        .answer_ping("10.244.1.7".parse().unwrap(), Some(1500));
    let answered = world.post(uri, &run("-n -c 2 -W 1 -s 100 10.244.1.7"));
    let text = result(&answered);
    assert!(
        text.contains("108 bytes from 10.244.1.7: icmp_seq=2 ttl=64 time=1.50 ms"),
        "{text}"
    );
    assert!(
        text.contains("2 packets transmitted, 2 received, 0% packet loss"),
        "{text}"
    );
    assert_eq!(world.state.mutations(), 0);

    for args in ["10.244.1.7", "-c 1 -f 10.244.1.7", "-c 1 fd00::1"] {
        assert_eq!(world.post(uri, &run(args)).status, 501, "{args}");
    }
}

#[test]
fn ping_needs_a_source_that_the_device_has() {
    let self_ip = |path: &str, address: &str| SelfIp {
        path: path.to_owned(),
        address: address.to_owned(),
        vlan: TUNNEL.to_owned(),
    };
    let mut world = World::new(&SimConfig {
        management_ip: "192.168.189.233".to_owned(),
        self_ips: vec![self_ip("/Common/overlay", "10.1.6.34/24")],
        answers_ping: vec![[10, 244, 1, 7].into()],
        ..config()
    });
    let mut ping_from = |source: &str| {
        let args = format!("-c 1 -I {source} 10.244.1.7");
        let body = json!({ "command": "run", "utilCmdArgs": args });
        let answer = world.post("/mgmt/tm/util/ping", &body);
        assert_eq!(answer.status, 200);
        answer.json()["commandResult"].as_str().unwrap().to_owned()
    };

    for source in ["10.1.6.34", "192.168.189.233"] {
        let header = format!("PING 10.244.1.7 (10.244.1.7) from {source} :");
        assert!(ping_from(source).starts_with(&header), "{source}");
    }
    assert_eq!(
        ping_from("10.1.6.35"),
        "bind: Cannot assign requested address\n"
    );
}

#[test]
fn scripted_arp_answer_is_learned_with_the_first_ping() {
    let mut world = World::new(&SimConfig {
        self_ips: vec![SelfIp {
            path: "/Common/overlay".to_owned(),
            address: "10.1.6.34/24".to_owned(),
            vlan: TUNNEL.to_owned(),
        }],
        ..config()
    });
    let address = "10.244.1.7".parse().unwrap();
    world.state.answer_arp(address, Some(MAC), TUNNEL);
    let mut is_learned_by_ping_from = |source: &str| {
        let args = format!("-c 1 -I {source} 10.244.1.7");
        let body = json!({ "command": "run", "utilCmdArgs": args });
        assert_eq!(world.post("/mgmt/tm/util/ping", &body).status, 200);
        let statistics = world.get("/mgmt/tm/net/arp/stats").json();
        statistics.to_string().contains(MAC)
    };
    assert!(!is_learned_by_ping_from("192.0.2.77"));
    assert!(is_learned_by_ping_from("10.1.6.34"));
}

#[test]
fn learned_arp_entries_are_in_the_statistics_alone() {
    let mut world = world();
    world.state.learn_arp("10.244.1.7", Some(MAC), TUNNEL);
    world.state.learn_arp("10.244.1.8", None, TUNNEL);
    let answer = world.get("/mgmt/tm/net/arp/stats").json();
    let entries = answer["entries"].as_object().unwrap().values();
    let shown: Vec<_> = entries
        .map(|entry| {
            let entries = &entry["nestedStats"]["entries"];
            ["ipAddress", "macAddress", "status", "vlan"]
                .map(|name| entries[name]["description"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(
        shown,
        [
            ["10.244.1.7", MAC, "resolved", TUNNEL],
            ["10.244.1.8", "incomplete", "unknown", TUNNEL],
        ]
    );
    assert_eq!(world.get("/mgmt/tm/net/arp").json()["items"], json!([]));
    world.state.forget_arp("10.244.1.7");
    let answer = world.get("/mgmt/tm/net/arp/stats").json();
    assert_eq!(answer["entries"].as_object().unwrap().len(), 1);
}

#[test]
fn repeated_mac_in_a_list_is_refused_or_last_wins() {
    let list = json!({ "records": [record(MAC, "10.1.1.1%0"), record(MAC, ENDPOINT)] });
    for (switch, status, stored) in [
        (RepeatedRecords::Refused, 409, None),
        (RepeatedRecords::LastWins, 200, Some(ENDPOINT)),
    ] {
        let mut world = World::new(&SimConfig {
            repeated_records: switch,
            ..config()
        });
        assert_eq!(world.put(TUNNEL_URI, &list).status, status);
        let records = world.state.records(TUNNEL);
        assert_eq!(records.get(MAC).map(String::as_str), stored);
    }
}

/// An answer quoted in a public script (`chg_vs_ajax.py`); FCP's test of transactions looks for the words.
#[test]
fn empty_transaction_is_not_committed_and_stays() {
    let mut world = world();
    let id = world.post("/mgmt/tm/transaction", &json!({})).json()["transId"].clone();
    let uri = format!("/mgmt/tm/transaction/{id}");
    let answer = world.patch(&uri, &json!({ "state": "VALIDATING" }));
    let recorded = r#"{"code":404,"message":"there is no command to commit in the transaction.","errorStack":[],"apiError":1}"#;
    assert_eq!((answer.status, answer.text.as_str()), (404, recorded));
    assert_eq!(world.get(&uri).status, 200);
}

#[test]
fn traffic_setting_takes_no_other_value() {
    let mut world = world();
    let uri = "/mgmt/tm/ltm/global-settings/traffic-control";
    let answer = world.patch(uri, &json!({ "acceptIpOptions": "banana" }));
    assert_eq!(answer.status, 400, "{}", answer.text);
    let answer = world.patch(uri, &json!({ "acceptIpOptions": "enabled" }));
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[test]
fn object_with_the_name_example_is_an_object() {
    let mut world = world();
    let uri = "/mgmt/tm/net/vlan";
    assert_eq!(world.get(&format!("{uri}/example")).status, 501);
    let made = world.post(uri, &json!({ "name": "example", "tag": 12 }));
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(world.get(&format!("{uri}/example")).status, 200);
    let gone = world.delete(&format!("{uri}/example"));
    assert_eq!(gone.status, 200, "{}", gone.text);
}

#[test]
fn vlan_has_interfaces_and_lists_its_self_ips() {
    let mut world = world();
    let uri = "/mgmt/tm/net/vlan";
    let body = json!({ "name": "ext", "tag": 11, "interfaces": [{ "name": "1.1", "tagged": true }, "1.2"] });
    let made = world.post(uri, &body).json();
    assert_eq!((&made["tag"], made.get("interfaces")), (&json!(11), None));
    let list = world.get(&format!("{uri}/~Common~ext/interfaces")).json();
    assert_eq!(list["items"][0]["tagged"], true);
    assert_eq!(list["items"][1]["untagged"], true);
    assert_eq!(
        world.get("/mgmt/tm/net/fdb/vlan").json()["items"][0]["name"],
        "ext"
    );

    let taken = world.post(uri, &json!({ "name": "int", "tag": 11 }));
    assert_eq!(taken.status, 400, "{}", taken.text);
    assert_eq!(
        world.post(uri, &json!({ "name": "int" })).json()["tag"],
        4094
    );

    world.post(
        SELF_IPS,
        &json!({ "name": "s", "address": "10.9.0.1/24", "vlan": "/Common/ext" }),
    );
    assert_refused(
        &world.delete(&format!("{uri}/~Common~ext")),
        "01070265:3: The VLAN (/Common/ext) cannot be deleted because it is in use by a self IP \
         (/Common/s).",
    );
    world.delete(&format!("{SELF_IPS}/~Common~s"));
    assert_eq!(world.delete(&format!("{uri}/~Common~ext")).status, 200);
    assert_eq!(world.get("/mgmt/tm/net/fdb/vlan/~Common~ext").status, 404);
}

#[test]
fn settings_of_the_device_are_kept_and_saved() {
    let mut world = world();
    let servers = json!({ "servers": ["10.0.0.1"], "timezone": "UTC" });
    let changed = world.patch("/mgmt/tm/sys/ntp", &servers).json();
    assert_eq!(changed["servers"], servers["servers"]);
    assert_eq!(changed["kind"], "tm:sys:ntp:ntpstate");
    assert!(changed.get("name").is_none(), "{changed}");
    world.state.reboot();
    assert!(
        world
            .get("/mgmt/tm/sys/ntp")
            .json()
            .get("servers")
            .is_none(),
        "it was not saved"
    );

    let settings = world.get("/mgmt/tm/sys/global-settings").json();
    assert_eq!(settings["hostname"], "bigip01.lab.local");
    let module = "/mgmt/tm/sys/provision/asm";
    assert_eq!(world.get(module).json()["level"], "none");
    assert_eq!(
        world.patch(module, &json!({ "level": "nominal" })).json()["level"],
        "nominal"
    );
    assert_eq!(world.patch(module, &json!({ "level": "much" })).status, 400);
}

#[test]
fn self_ips_on_vlans_share_a_network_on_the_same_vlan() {
    let self_ip = |path: &str, address: &str| SelfIp {
        path: path.to_owned(),
        address: address.to_owned(),
        vlan: "/Common/ext".to_owned(),
    };
    let mut world = World::new(&SimConfig {
        self_ips: vec![
            self_ip("/Common/a", "10.169.72.34/24"),
            self_ip("/Common/b", "10.169.72.35/24"),
        ],
        ..config()
    });
    let uri = format!("{SELF_IPS}/~Common~a");
    assert_eq!(
        world.patch(&uri, &json!({ "allowService": "all" })).status,
        200
    );
}
