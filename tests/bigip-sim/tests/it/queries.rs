//! The options after the `?`, and statistics.

use bigip_sim::{Method, SelfIp, SimConfig, TmosVersion};
use serde_json::{Value, json};

use crate::support::{
    ENDPOINT, MAC, RECORDS_URI, TUNNEL, TUNNEL_URI, World, config, record, world, world_of,
};

const VXLAN: &str = "/mgmt/tm/net/tunnels/vxlan";

fn names(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item["name"].as_str().unwrap()).collect()
}

/// The shape of pools on 11.6 and virtual servers on 12.1.2, FCP and ANS.
#[test]
fn tunnel_records_can_be_expanded() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    let listed = world.get(RECORDS_URI).json();
    let expanded = format!("{TUNNEL_URI}?expandSubcollections=true");
    let shown = world.get(&expanded).json();
    assert_eq!(
        shown["recordsReference"],
        json!({
            "link": "https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records?ver=17.1.2.1",
            "isSubcollection": true,
            "items": listed["items"],
        })
    );
    assert_eq!(
        shown["selfLink"],
        "https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan?expandSubcollections=true&ver=17.1.2.1"
    );
    let all = world
        .get("/mgmt/tm/net/fdb/tunnel?expandSubcollections=true")
        .json();
    assert_eq!(
        all["items"][0]["recordsReference"],
        shown["recordsReference"]
    );
    assert_eq!(all["items"][1]["recordsReference"]["items"], json!([]));

    let mut older = world_of(TmosVersion::V13_1);
    let shown = older.get(&expanded).json();
    assert!(shown["recordsReference"].get("items").is_none(), "{shown}");
}

#[test]
fn long_list_is_paged() {
    let mut world = world();
    let first = world.get(&format!("{VXLAN}?$top=3")).json();
    assert_eq!(names(&first), ["fl-vxlan", "vxlan", "vxlan-gpe"]);
    let next = "https://localhost/mgmt/tm/net/tunnels/vxlan?%24top=3&%24skip=3";
    assert_eq!(first["nextLink"], next);
    let second = world
        .get(next.strip_prefix("https://localhost").unwrap())
        .json();
    assert_eq!(names(&second).len(), 3);
    let third = world.get(&format!("{VXLAN}?%24top=3&%24skip=6")).json();
    assert_eq!(names(&third), ["vxlan-ovsdb-no-flooding"]);
    assert!(third.get("nextLink").is_none(), "{third}");

    let beyond = world.get(&format!("{VXLAN}?$skip=9")).json();
    assert_eq!(beyond["items"], json!([]));
    let with_more = world.get(&format!("{VXLAN}?$select=name&$top=1")).json();
    assert_eq!(
        with_more["nextLink"],
        "https://localhost/mgmt/tm/net/tunnels/vxlan?%24top=1&%24skip=1&$select=name"
    );
}

#[test]
fn records_come_in_pages_too() {
    let mut world = world();
    for last in 0..5 {
        let mac = format!("0a:0a:0a:0a:0a:0{last}");
        world.post(RECORDS_URI, &record(&mac, ENDPOINT));
    }
    let mut seen = Vec::new();
    let mut uri = format!("{RECORDS_URI}?$top=2");
    loop {
        let page = world.get(&uri).json();
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["nextLink"].as_str() else {
            break;
        };
        uri = next.strip_prefix("https://localhost").unwrap().to_owned();
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
}

#[test]
fn only_selected_fields_are_shown() {
    let mut world = world();
    let listed = world.get("/mgmt/tm/net/self?$select=name,address").json();
    let link = "https://localhost/mgmt/tm/net/self?$select=name,address&ver=17.1.2.1";
    assert_eq!(listed["selfLink"], link);
    let listed = world
        .get(&format!("{VXLAN}?%24select=name%2Cport&$top=1"))
        .json();
    assert_eq!(
        listed["items"],
        json!([{ "name": "fl-vxlan", "port": 8472 }])
    );

    let one = world
        .get("/mgmt/tm/sys/db/icrd.timeout?$select=value")
        .json();
    let link = "https://localhost/mgmt/tm/sys/db/icrd.timeout?$select=value&ver=17.1.2.1";
    assert_eq!(
        one,
        json!({ "kind": "tm:sys:db:dbstate", "selfLink": link, "value": "60" })
    );
}

#[test]
fn list_can_be_filtered_by_partition() {
    let mut world = world();
    world.post("/mgmt/tm/auth/partition", &json!({ "name": "k8s" }));
    world.post(VXLAN, &json!({ "name": "p", "partition": "k8s" }));
    for filter in ["partition+eq+k8s", "partition%20eq%20k8s"] {
        let listed = world.get(&format!("{VXLAN}?$filter={filter}")).json();
        assert_eq!(names(&listed), ["p"]);
    }
    for unknown in [
        format!("{VXLAN}?$filter=name+eq+p"),
        format!("{RECORDS_URI}?$filter=partition+eq+Common"),
    ] {
        world.post(RECORDS_URI, &record(MAC, ENDPOINT));
        assert_eq!(world.get(&unknown).status, 501, "{unknown}");
    }
}

/// The body is recorded for an outdated `ver`, CIS#1508.
#[test]
fn unknown_option_is_refused() {
    let mut world = world();
    for option in [
        "expand=true",
        "$orderby=name",
        "$top=many",
        "$top=0",
        "$skip=-1",
        "%24top=",
    ] {
        let answer = world.get(&format!("{VXLAN}?{option}"));
        let recorded =
            r#"{"code":400,"message":"enter a valid option","errorStack":[],"apiError":26214401}"#;
        assert_eq!(answer.text, recorded, "{option}");
    }
    assert_eq!(world.get(&format!("{VXLAN}?ver=11.5.0")).status, 200);
}

#[test]
fn unrecorded_options_are_not_simulated() {
    let mut world = world();
    for (method, uri) in [
        (
            Method::GET,
            "/mgmt/tm/sys/version?$select=Version".to_owned(),
        ),
        (Method::GET, format!("{TUNNEL_URI}?$top=1")),
        (
            Method::PUT,
            format!("{TUNNEL_URI}?expandSubcollections=true"),
        ),
        (
            Method::PATCH,
            format!("{TUNNEL_URI}?options=records+delete+%7B+all+%7D"),
        ),
        (Method::DELETE, format!("{RECORDS_URI}/{MAC}?$select=name")),
    ] {
        assert_eq!(world.send(method, &uri, "{}").status, 501, "{uri}");
    }
}

/// TS fixture, 14.1.0.
#[test]
fn tunnel_statistics_match_14_1_0() {
    let mut world = World::new(&SimConfig {
        version: TmosVersion::V14_1,
        tunnels: Vec::new(),
        ..config()
    });
    let answer = world.get("/mgmt/tm/net/tunnels/tunnel/stats").json();
    assert_eq!(
        answer["kind"],
        "tm:net:tunnels:tunnel:tunnelcollectionstats"
    );
    let link = "https://localhost/mgmt/tm/net/tunnels/tunnel/stats?ver=14.1.2.1";
    assert_eq!(answer["selfLink"], link);

    let recorded = r#"{"nestedStats":{"kind":"tm:net:tunnels:tunnel:tunnelstats","selfLink":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~http-tunnel/stats?ver=14.1.0","entries":{"hcInBroadcastPkts":{"value":0},"hcInMulticastPkts":{"value":0},"hcInOctets":{"value":0},"hcInUcastPkts":{"value":0},"hcOutBroadcastPkts":{"value":0},"hcOutMulticastPkts":{"value":0},"hcOutOctets":{"value":0},"hcOutUcastPkts":{"value":0},"inDiscards":{"value":0},"inErrors":{"value":0},"inUnknownProtos":{"value":0},"tmName":{"description":"/Common/http-tunnel"},"outDiscards":{"value":0},"outErrors":{"value":0},"typeId":{"description":"net tunnels tunnel"}}}}"#;
    let recorded: Value = serde_json::from_str(&recorded.replace("14.1.0", "14.1.2.1")).unwrap();
    let key = "https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~http-tunnel/stats";
    assert_eq!(answer["entries"][key], recorded);

    let one = world
        .get("/mgmt/tm/net/tunnels/tunnel/~Common~http-tunnel/stats")
        .json();
    assert_eq!(one["kind"], recorded["nestedStats"]["kind"]);
    let own = "https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~http-tunnel/~Common~http-tunnel/stats";
    let entries = &one["entries"][own]["nestedStats"]["entries"];
    assert_eq!(*entries, recorded["nestedStats"]["entries"]);
    assert_eq!(
        world
            .get("/mgmt/tm/net/tunnels/tunnel/~Common~gone/stats")
            .status,
        404
    );
}

/// The fields are those that scripts read.
#[test]
fn arp_statistics_show_address_and_interface() {
    let self_ip = SelfIp {
        path: "/Common/flannel_self".to_owned(),
        address: "10.244.9.1/16".to_owned(),
        vlan: TUNNEL.to_owned(),
    };
    let mut world = World::new(&SimConfig {
        self_ips: vec![self_ip],
        ..config()
    });
    let empty = world.get("/mgmt/tm/net/arp/stats").json();
    assert!(empty.get("entries").is_none(), "{empty}");

    let entry = json!({ "name": "a", "ipAddress": "10.244.7.7", "macAddress": MAC });
    world.post("/mgmt/tm/net/arp", &entry);
    let answer = world.get("/mgmt/tm/net/arp/stats").json();
    let entries = answer["entries"].as_object().unwrap();
    let entry = &entries.values().next().unwrap()["nestedStats"]["entries"];
    assert_eq!(entries.len(), 1);
    assert_eq!(entry["ipAddress"]["description"], "10.244.7.7");
    assert_eq!(entry["macAddress"]["description"], MAC);
    assert_eq!(entry["vlan"]["description"], TUNNEL);
    assert!(entry["status"]["description"].is_string(), "{entry}");
}
