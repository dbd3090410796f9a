//! Answers that were recorded on real devices, compared as a whole.

use bigip_sim::{FailoverState, Peer, SelfIp, SimConfig, TmosVersion, TunnelConfig};
use serde_json::{Value, json};

use crate::support::{
    ENDPOINT, MAC, RECORDS_URI, TUNNEL, TUNNEL_URI, World, config, pair, record, world, world_of,
};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// 16.1.2, log of CIS in mdditt2000/kubernetes-1-26.
#[test]
fn list_of_two_records_matches_16_1_2() {
    let mut world = world_of(TmosVersion::V16_1);
    let list = json!({ "records": [
        record("0a:0a:c0:a8:c8:41", "192.168.200.65%0"),
        record("0a:0a:c0:a8:c8:42", "192.168.200.66%0"),
    ]});
    while world.put(TUNNEL_URI, &list).json()["generation"] != 130 {}

    let recorded = r#"{"kind":"tm:net:fdb:tunnel:records:recordscollectionstate","selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records?ver=16.1.2","items":[{"kind":"tm:net:fdb:tunnel:records:recordsstate","name":"0a:0a:c0:a8:c8:41","fullPath":"0a:0a:c0:a8:c8:41","generation":130,"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/0a:0a:c0:a8:c8:41?ver=16.1.2","endpoint":"192.168.200.65%0"},{"kind":"tm:net:fdb:tunnel:records:recordsstate","name":"0a:0a:c0:a8:c8:42","fullPath":"0a:0a:c0:a8:c8:42","generation":130,"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/0a:0a:c0:a8:c8:42?ver=16.1.2","endpoint":"192.168.200.66%0"}]}"#;
    assert_eq!(world.get(RECORDS_URI).text, recorded);
}

/// 15.1.3.1, CIS#1929.
#[test]
fn empty_list_of_records_matches_15_1_3_1() {
    let mut world = world_of(TmosVersion::V15_1);
    let answer = world.get("/mgmt/tm/net/fdb/tunnel/~Common~http-tunnel/records");

    let recorded = r#"{"kind":"tm:net:fdb:tunnel:records:recordscollectionstate","selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~http-tunnel/records?ver=15.1.3.1","items":[]}"#;
    assert_eq!(answer.text, recorded);
    assert_eq!(
        answer.header("content-type"),
        "application/json; charset=UTF-8"
    );
}

#[test]
fn empty_list_has_no_items_on_13_1() {
    let answer = world_of(TmosVersion::V13_1).get(RECORDS_URI).json();

    assert!(answer.get("items").is_none(), "{answer}");
}

/// 14.1.3.1, CIS#1730: read-only properties, `null` and a slash at the end.
#[test]
fn record_list_written_by_cis_is_accepted() {
    let path = "/TEST_K8S_partition/TEST_FLANNEL_VXLAN";
    let tunnels = vec![TunnelConfig::vxlan(path, "10.40.161.1")];
    let mut world = World::new(&SimConfig {
        version: TmosVersion::V14_1,
        tunnels,
        ..config()
    });

    let body = parsed(
        r#"{"fullPath":"/TEST_K8S_partition/TEST_FLANNEL_VXLAN","generation":9354,"kind":"tm:net:fdb:tunnel:tunnelstate","name":"TEST_FLANNEL_VXLAN","partition":"TEST_K8S_partition","recordsReference":{"isSubcollection":true,"link":"https://localhost/mgmt/tm/net/fdb/tunnel/~TEST_K8S_partition~TEST_FLANNEL_VXLAN/records?ver=14.1.3.1"},"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~TEST_K8S_partition~TEST_FLANNEL_VXLAN?ver=14.1.3.1","records":[{"name":"ca:92:1e:36:45:2c","partition":null,"endpoint":"10.40.161.11%0"},{"name":"be:9b:cf:c0:75:79","partition":null,"endpoint":"10.40.161.12%0"}]}"#,
    );
    let uri = "/mgmt/tm/net/fdb/tunnel/~TEST_K8S_partition~TEST_FLANNEL_VXLAN/";
    assert_eq!(world.put(uri, &body).status, 200);
    let stored: Vec<_> = world.state.records(path).into_iter().collect();
    assert_eq!(
        stored,
        [
            pair("be:9b:cf:c0:75:79", "10.40.161.12%0"),
            pair("ca:92:1e:36:45:2c", "10.40.161.11%0"),
        ]
    );
}

/// The same of a data group on 17.1.2.1: answered with the object, one generation further.
#[test]
fn put_of_the_list_returns_the_object_like_a_get() {
    let mut world = world();
    let before = world.get(TUNNEL_URI).json()["generation"].as_u64().unwrap();

    let answer = world
        .put(TUNNEL_URI, &json!({ "records": [record(MAC, ENDPOINT)] }))
        .json();
    assert_eq!(answer["generation"], before + 1);
    assert_eq!(answer, world.get(TUNNEL_URI).json());
}

/// 14.1.2.1, genieparser.
#[test]
fn singletons_match_14_1_2_1() {
    let mut world = world_of(TmosVersion::V14_1);
    for (uri, recorded) in [
        (
            "/mgmt/tm/sys/ready",
            r#"{"kind":"tm:sys:ready:readystats","selfLink":"https://localhost/mgmt/tm/sys/ready?ver=14.1.2.1","entries":{"https://localhost/mgmt/tm/sys/ready/0":{"nestedStats":{"entries":{"configReady":{"description":"yes"},"licenseReady":{"description":"yes"},"provisionReady":{"description":"yes"}}}}}}"#,
        ),
        (
            "/mgmt/tm/sys/version",
            r#"{"kind":"tm:sys:version:versionstats","selfLink":"https://localhost/mgmt/tm/sys/version?ver=14.1.2.1","entries":{"https://localhost/mgmt/tm/sys/version/0":{"nestedStats":{"entries":{"Build":{"description":"0.0.4"},"Date":{"description":"Tue Sep 17 15:44:32 PDT 2019"},"Edition":{"description":"Point Release 1"},"Product":{"description":"BIG-IP"},"Title":{"description":"Main Package"},"Version":{"description":"14.1.2.1"}}}}}}"#,
        ),
        (
            "/mgmt/tm/cm/failover-status",
            r#"{"kind":"tm:cm:failover-status:failover-statusstats","selfLink":"https://localhost/mgmt/tm/cm/failover-status?ver=14.1.2.1","entries":{"https://localhost/mgmt/tm/cm/failover-status/0":{"nestedStats":{"entries":{"color":{"description":"green"},"https://localhost/mgmt/tm/cm/failoverStatus/0/details":{"nestedStats":{"entries":{"https://localhost/mgmt/tm/cm/failoverStatus/0/details/0":{"nestedStats":{"entries":{"details":{"description":"active for /Common/traffic-group-1"}}}}}}},"status":{"description":"ACTIVE"},"summary":{"description":"1/1 active"}}}}}}"#,
        ),
        (
            "/mgmt/tm/cm/sync-status",
            r#"{"kind":"tm:cm:sync-status:sync-statusstats","selfLink":"https://localhost/mgmt/tm/cm/sync-status?ver=14.1.2.1","entries":{"https://localhost/mgmt/tm/cm/sync-status/0":{"nestedStats":{"entries":{"color":{"description":"green"},"https://localhost/mgmt/tm/cm/syncStatus/0/details":{"nestedStats":{"entries":{"https://localhost/mgmt/tm/cm/syncStatus/0/details/0":{"nestedStats":{"entries":{"details":{"description":"Optional action: Add a device to the trust domain"}}}}}}},"mode":{"description":"standalone"},"status":{"description":"Standalone"},"summary":{"description":" "}}}}}}"#,
        ),
        (
            "/mgmt/tm/net/tunnels/vxlan/~Common~vxlan-gpe",
            r#"{"kind":"tm:net:tunnels:vxlan:vxlanstate","name":"vxlan-gpe","partition":"Common","fullPath":"/Common/vxlan-gpe","generation":1,"selfLink":"https://localhost/mgmt/tm/net/tunnels/vxlan/~Common~vxlan-gpe?ver=14.1.2.1","defaultsFrom":"/Common/vxlan","defaultsFromReference":{"link":"https://localhost/mgmt/tm/net/tunnels/vxlan/~Common~vxlan?ver=14.1.2.1"},"encapsulationType":"vxlan-gpe","floodingType":"multipoint","port":4790}"#,
        ),
        (
            "/mgmt/tm/net/tunnels/tunnel/~Common~http-tunnel",
            r#"{"kind":"tm:net:tunnels:tunnel:tunnelstate","name":"http-tunnel","partition":"Common","fullPath":"/Common/http-tunnel","generation":1,"selfLink":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~http-tunnel?ver=14.1.2.1","autoLasthop":"default","description":"Tunnel for http-explicit profile","idleTimeout":300,"ifIndex":112,"key":0,"localAddress":"any6","mode":"bidirectional","mtu":0,"profile":"/Common/tcp-forward","profileReference":{"link":"https://localhost/mgmt/tm/net/tunnels/tcp-forward/~Common~tcp-forward?ver=14.1.2.1"},"remoteAddress":"any6","secondaryAddress":"any6","tos":"preserve","transparent":"disabled","usePmtu":"enabled"}"#,
        ),
    ] {
        assert_eq!(world.get(uri).json(), parsed(recorded), "{uri}");
    }
}

/// 14.1.2.1, genieparser, without the licence strings and the number of the chassis.
#[test]
fn own_device_entry_matches_14_1_2_1() {
    let answer = world_of(TmosVersion::V14_1)
        .get("/mgmt/tm/cm/device")
        .json();

    let recorded = r#"{"kind":"tm:cm:device:devicestate","name":"bigip01.lab.local","partition":"Common","fullPath":"/Common/bigip01.lab.local","generation":1,"selfLink":"https://localhost/mgmt/tm/cm/device/~Common~bigip01.lab.local?ver=14.1.2.1","alternateIp":"none","baseMac":"00:0c:29:35:0d:bd","build":"0.0.4","cert":"/Common/dtdi.crt","certReference":{"link":"https://localhost/mgmt/tm/cm/cert/~Common~dtdi.crt?ver=14.1.2.1"},"chassisType":"individual","configsyncIp":"none","edition":"Point Release 1","failoverState":"active","haCapacity":0,"hostname":"bigip01.lab.local","key":"/Common/dtdi.key","keyReference":{"link":"https://localhost/mgmt/tm/cm/key/~Common~dtdi.key?ver=14.1.2.1"},"managementIp":"192.168.189.233","marketingName":"BIG-IP Virtual Edition","mgmtUnicastMode":"both","mirrorIp":"any6","mirrorSecondaryIp":"any6","multicastIp":"any6","multicastPort":0,"platformId":"Z100","product":"BIG-IP","selfDevice":"true","timeZone":"America/Los_Angeles","version":"14.1.2.1"}"#;
    let mut shown = answer["items"][0].clone();
    for field in ["activeModules", "optionalModules", "chassisId"] {
        assert!(!shown[field].is_null(), "{field}");
        shown.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(shown, parsed(recorded));
}

/// 14.1.2.1, genieparser.
#[test]
fn built_in_tunnels_are_listed_beside_the_others() {
    let mut world = world_of(TmosVersion::V14_1);
    let answer = world.get("/mgmt/tm/net/fdb/tunnel").json();

    let recorded = r#"{"kind":"tm:net:fdb:tunnel:tunnelstate","name":"http-tunnel","partition":"Common","fullPath":"/Common/http-tunnel","generation":1,"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~http-tunnel?ver=14.1.2.1","recordsReference":{"link":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~http-tunnel/records?ver=14.1.2.1","isSubcollection":true}}"#;
    assert_eq!(answer["kind"], "tm:net:fdb:tunnel:tunnelcollectionstate");
    let items = answer["items"].as_array().unwrap();
    assert!(items.contains(&parsed(recorded)), "{answer}");
    let paths: Vec<_> = items
        .iter()
        .map(|item| item["fullPath"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [TUNNEL, "/Common/http-tunnel", "/Common/socks-tunnel"]
    );
}

#[test]
fn vxlan_tunnel_links_to_its_profile() {
    let mut world = world();
    let tunnel = world
        .get("/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan")
        .json();
    assert_eq!(tunnel["key"], 2);
    assert_eq!(tunnel["localAddress"], "10.169.72.34");
    assert_eq!(tunnel["remoteAddress"], "any");
    assert_eq!(
        tunnel["profileReference"]["link"],
        "https://localhost/mgmt/tm/net/tunnels/vxlan/~Common~fl-vxlan?ver=17.1.2.1"
    );

    let profile = world
        .get("/mgmt/tm/net/tunnels/vxlan/~Common~fl-vxlan")
        .json();
    assert_eq!(profile["floodingType"], "multipoint");
    assert_eq!(profile["port"], 8472);
    assert_eq!(profile["encapsulationType"], "vxlan");
}

#[test]
fn geneve_profile_has_no_encapsulation_type() {
    let tunnels = vec![TunnelConfig::geneve("/Common/app/t", "10.1.1.1%20")];
    let mut world = World::new(&SimConfig {
        tunnels,
        ..config()
    });
    let tunnel = world
        .get("/mgmt/tm/net/tunnels/tunnel/~Common~app~t")
        .json();
    assert_eq!(tunnel["subPath"], "app");
    assert_eq!(tunnel["localAddress"], "10.1.1.1%20");
    assert_eq!(
        tunnel["profileReference"]["link"],
        "https://localhost/mgmt/tm/net/tunnels/geneve/~Common~fl-geneve?ver=17.1.2.1"
    );

    let profile = world
        .get("/mgmt/tm/net/tunnels/geneve/~Common~fl-geneve")
        .json();
    assert_eq!(profile["port"], 6081);
    assert!(profile.get("encapsulationType").is_none(), "{profile}");
}

#[test]
fn self_ip_links_to_its_tunnel_or_vlan() {
    let self_ip = |path: &str, vlan: &str| SelfIp {
        path: path.to_owned(),
        address: "10.10.10.10%1/24".to_owned(),
        vlan: vlan.to_owned(),
    };
    let self_ips = vec![
        self_ip("/Common/a", TUNNEL),
        self_ip("/Common/b", "/Common/internal"),
    ];
    let mut world = World::new(&SimConfig {
        self_ips,
        ..config()
    });

    let items = world.get("/mgmt/tm/net/self").json()["items"].clone();
    assert_eq!(items[0]["address"], "10.10.10.10%1/24");
    assert_eq!(items[0]["vlan"], TUNNEL);
    assert_eq!(
        items[0]["vlanReference"]["link"],
        "https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan?ver=17.1.2.1"
    );
    assert_eq!(
        items[1]["vlanReference"]["link"],
        "https://localhost/mgmt/tm/net/vlan/~Common~internal?ver=17.1.2.1"
    );
}

#[test]
fn unit_of_a_pair_lists_itself_and_its_peer() {
    let peer = Peer {
        hostname: "bigip02.lab.local".to_owned(),
        base_mac: "00:0c:29:35:0d:be".to_owned(),
        management_ip: "192.168.189.234".to_owned(),
        failover_state: FailoverState::Active,
    };
    let failover_state = FailoverState::Standby;
    let mut world = World::new(&SimConfig {
        peers: vec![peer],
        failover_state,
        ..config()
    });

    let items = world.get("/mgmt/tm/cm/device").json()["items"].clone();
    let shown: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["name"], &item["selfDevice"], &item["failoverState"]))
        .collect();
    assert_eq!(
        shown,
        [
            (
                &json!("bigip01.lab.local"),
                &json!("true"),
                &json!("standby")
            ),
            (
                &json!("bigip02.lab.local"),
                &json!("false"),
                &json!("active")
            ),
        ]
    );
    let entry = |answer: Value, resource: &str| {
        let key = format!("https://localhost/mgmt/tm/cm/{resource}/0");
        answer["entries"][key]["nestedStats"]["entries"].clone()
    };
    let failover = entry(
        world.get("/mgmt/tm/cm/failover-status").json(),
        "failover-status",
    );
    assert_eq!(failover["status"]["description"], "STANDBY");
    let sync = entry(world.get("/mgmt/tm/cm/sync-status").json(), "sync-status");
    assert_eq!(sync["status"]["description"], "In Sync");
    assert_eq!(sync["mode"]["description"], "high-availability");

    world.state.set_failover_state(FailoverState::Active);
    let items = world.get("/mgmt/tm/cm/device").json()["items"].clone();
    assert_eq!(items[0]["failoverState"], "active");
}

/// 17.1.2.1, public README with curl transcripts.
#[test]
fn answer_of_17_1_has_the_recorded_headers() {
    let answer = world().get(RECORDS_URI);

    assert_eq!(
        answer.header("content-type"),
        "application/json;charset=utf-8"
    );
    assert_eq!(answer.header("server"), "Jetty(9.4.49.v20220914)");
    assert_eq!(answer.headers.get_all("cache-control").iter().count(), 3);
    assert!(
        answer.headers.get("set-cookie").is_none(),
        "cookies come with Basic only"
    );
}

#[test]
fn save_keeps_a_copy_of_the_configuration() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    assert!(world.state.saved_records(TUNNEL).is_empty());

    let answer = world.post("/mgmt/tm/sys/config", &json!({ "command": "save" }));
    let recorded = json!({ "kind": "tm:sys:config:savestate", "command": "save" });
    assert_eq!((answer.status, answer.json()), (200, recorded));
    world.delete(&format!("{RECORDS_URI}/{MAC}"));
    assert_eq!(
        world.state.saved_records(TUNNEL).get(MAC).unwrap(),
        ENDPOINT
    );
}
