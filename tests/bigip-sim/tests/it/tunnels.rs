//! `net/tunnels`: making, changing and deleting tunnels and their profiles.

use bigip_sim::{SimConfig, TmosVersion};
use serde_json::{Value, json};

use crate::support::{Answer, ENDPOINT, MAC, World, config, record, world, world_of};

pub(crate) const TUNNELS: &str = "/mgmt/tm/net/tunnels/tunnel";
pub(crate) const VXLAN: &str = "/mgmt/tm/net/tunnels/vxlan";
pub(crate) const GENEVE: &str = "/mgmt/tm/net/tunnels/geneve";

/// What is needed to make a tunnel, and no more.
pub(crate) fn tunnel(name: &str) -> Value {
    json!({ "name": name, "profile": "vxlan-multipoint", "localAddress": "10.0.0.4" })
}

pub(crate) fn with(mut body: Value, property: &str, value: impl Into<Value>) -> Value {
    body[property] = value.into();
    body
}

#[track_caller]
pub(crate) fn assert_mcpd(answer: &Answer, status: u16, id: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json()["apiError"], 3, "{}", answer.text);
    assert!(answer.message().starts_with(id), "{}", answer.text);
}

/// 12.1.2; the recorded tunnel is one of `IPsec`, whose profiles are not simulated.
#[test]
fn new_tunnel_matches_12_1_2() {
    let mut world = World::new(&SimConfig {
        version: TmosVersion::V12_1,
        tunnels: Vec::new(),
        ..config()
    });
    world.post(VXLAN, &json!({ "name": "comcast-xre-vpn" }));
    let body = json!({
        "name": "comcast-xre-vpn", "idleTimeout": 300, "mode": "bidirectional",
        "profile": "comcast-xre-vpn", "tos": "preserve", "localAddress": "10.0.0.4",
        "remoteAddress": "198.51.100.215",
    });
    let answer = world.post(TUNNELS, &body);

    let recorded = r#"{"kind":"tm:net:tunnels:tunnel:tunnelstate","name":"comcast-xre-vpn","partition":"Common","fullPath":"/Common/comcast-xre-vpn","generation":35,"selfLink":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~comcast-xre-vpn?ver=12.1.2","autoLasthop":"default","idleTimeout":300,"ifIndex":128,"key":0,"localAddress":"10.0.0.4","mode":"bidirectional","mtu":0,"profile":"/Common/comcast-xre-vpn","profileReference":{"link":"https://localhost/mgmt/tm/net/tunnels/ipsec/~Common~comcast-xre-vpn?ver=12.1.2"},"remoteAddress":"198.51.100.215","secondaryAddress":"any6","tos":"preserve","transparent":"disabled","usePmtu":"enabled"}"#;
    let expected = recorded
        .replace("/ipsec/", "/vxlan/")
        .replace(r#""generation":35"#, r#""generation":3"#)
        .replace(r#""ifIndex":128"#, r#""ifIndex":144"#);
    assert_eq!((answer.status, answer.text.as_str()), (200, &*expected));
    let uri = format!("{TUNNELS}/~Common~comcast-xre-vpn");
    assert_eq!(world.get(&uri).text, expected);
}

/// 14.1.2.1, genieparser.
#[test]
fn built_in_vxlan_profiles_match_14_1_2_1() {
    let mut world = World::new(&SimConfig {
        version: TmosVersion::V14_1,
        tunnels: Vec::new(),
        ..config()
    });
    let listed = |answer: &Value| -> Vec<Value> {
        let items = answer["items"].as_array().unwrap().iter();
        let shown = items.map(|item| {
            let fields = [
                "name",
                "defaultsFrom",
                "encapsulationType",
                "floodingType",
                "port",
            ];
            Value::Array(fields.iter().map(|field| item[field].clone()).collect())
        });
        shown.collect()
    };

    let answer = world.get(VXLAN).json();
    assert_eq!(answer["kind"], "tm:net:tunnels:vxlan:vxlancollectionstate");
    let base = "/Common/vxlan";
    let recorded = [
        json!(["vxlan", null, "vxlan", "multicast", 4789]),
        json!(["vxlan-gpe", base, "vxlan-gpe", "multipoint", 4790]),
        json!(["vxlan-multipoint", base, "vxlan", "multipoint", 4789]),
        json!(["vxlan-ovsdb", base, "vxlan", "replicator", 4789]),
        json!(["vxlan-ovsdb-multipoint", base, "vxlan", "multipoint", 4789]),
        json!(["vxlan-ovsdb-no-flooding", base, "vxlan", "none", 4789]),
    ];
    assert_eq!(listed(&answer), recorded);

    let recorded = r#"{"kind":"tm:net:tunnels:geneve:genevecollectionstate","selfLink":"https://localhost/mgmt/tm/net/tunnels/geneve?ver=14.1.2.1","items":[{"kind":"tm:net:tunnels:geneve:genevestate","name":"geneve","partition":"Common","fullPath":"/Common/geneve","generation":1,"selfLink":"https://localhost/mgmt/tm/net/tunnels/geneve/~Common~geneve?ver=14.1.2.1","floodingType":"multipoint","port":6081}]}"#;
    assert_eq!(world.get(GENEVE).text, recorded);
}

/// 14.1.2.1, genieparser.
#[test]
fn built_in_tunnels_match_14_1_2_1() {
    let mut world = World::new(&SimConfig {
        version: TmosVersion::V14_1,
        tunnels: Vec::new(),
        ..config()
    });

    let recorded = r#"{"kind":"tm:net:tunnels:tunnel:tunnelcollectionstate","selfLink":"https://localhost/mgmt/tm/net/tunnels/tunnel?ver=14.1.2.1","items":[{"kind":"tm:net:tunnels:tunnel:tunnelstate","name":"http-tunnel","partition":"Common","fullPath":"/Common/http-tunnel","generation":1,"selfLink":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~http-tunnel?ver=14.1.2.1","autoLasthop":"default","description":"Tunnel for http-explicit profile","idleTimeout":300,"ifIndex":112,"key":0,"localAddress":"any6","mode":"bidirectional","mtu":0,"profile":"/Common/tcp-forward","profileReference":{"link":"https://localhost/mgmt/tm/net/tunnels/tcp-forward/~Common~tcp-forward?ver=14.1.2.1"},"remoteAddress":"any6","secondaryAddress":"any6","tos":"preserve","transparent":"disabled","usePmtu":"enabled"},{"kind":"tm:net:tunnels:tunnel:tunnelstate","name":"socks-tunnel","partition":"Common","fullPath":"/Common/socks-tunnel","generation":1,"selfLink":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~socks-tunnel?ver=14.1.2.1","autoLasthop":"default","description":"Tunnel for socks profile","idleTimeout":300,"ifIndex":128,"key":0,"localAddress":"any6","mode":"bidirectional","mtu":0,"profile":"/Common/tcp-forward","profileReference":{"link":"https://localhost/mgmt/tm/net/tunnels/tcp-forward/~Common~tcp-forward?ver=14.1.2.1"},"remoteAddress":"any6","secondaryAddress":"any6","tos":"preserve","transparent":"disabled","usePmtu":"enabled"}]}"#;
    assert_eq!(world.get(TUNNELS).text, recorded);
}

/// 14.1.2.1, genieparser.
#[test]
fn tunnel_types_match_14_1_2_1() {
    let answer = world_of(TmosVersion::V14_1)
        .get("/mgmt/tm/net/tunnels")
        .json();

    assert_eq!(answer["kind"], "tm:net:tunnels:tunnelscollectionstate");
    assert_eq!(
        answer["items"][2],
        json!({ "reference": { "link": "https://localhost/mgmt/tm/net/tunnels/geneve?ver=14.1.2.1" } })
    );
    assert_eq!(answer["items"].as_array().unwrap().len(), 14);
}

#[test]
fn profile_inherits_unset_values() {
    let mut world = world();
    let profile = world
        .post(
            VXLAN,
            &json!({ "name": "fl-vxlan2", "floodingType": "none" }),
        )
        .json();
    assert_eq!(profile["defaultsFrom"], "/Common/vxlan");
    assert_eq!(
        (&profile["port"], &profile["floodingType"]),
        (&json!(4789), &json!("none"))
    );

    let child = json!({ "name": "child", "defaultsFrom": "/Common/fl-vxlan2", "port": 8472 });
    let child = world.post(VXLAN, &child).json();
    assert_eq!(
        (&child["port"], &child["floodingType"]),
        (&json!(8472), &json!("none"))
    );

    world.patch(
        &format!("{VXLAN}/~Common~fl-vxlan2"),
        &json!({ "floodingType": "multipoint" }),
    );
    let child = world.get(&format!("{VXLAN}/~Common~child")).json();
    assert_eq!(child["floodingType"], "multipoint");

    let base = world
        .put(&format!("{VXLAN}/~Common~vxlan"), &json!({}))
        .json();
    assert_eq!(
        (&base["port"], &base["floodingType"]),
        (&json!(4789), &json!("multicast"))
    );

    let circle = world.patch(
        &format!("{VXLAN}/~Common~fl-vxlan2"),
        &json!({ "defaultsFrom": "/Common/child" }),
    );
    assert_mcpd(&circle, 400, "01070734:3: ");
}

/// The 12.0 schema asks for both.
#[test]
fn tunnel_needs_a_profile_and_a_local_address() {
    let mut world = world();
    for property in ["profile", "localAddress"] {
        let answer = world.post(TUNNELS, &with(tunnel("t"), property, Value::Null));
        assert_mcpd(&answer, 400, "01070734:3: ");
        assert!(answer.message().contains(property), "{}", answer.text);
    }
    assert_eq!(world.get(&format!("{TUNNELS}/~Common~t")).status, 404);
}

#[test]
fn new_tunnel_has_an_empty_fdb_until_deleted() {
    let mut world = world();
    let made = world.post(TUNNELS, &tunnel("t")).json();
    let fdb = world.get("/mgmt/tm/net/fdb/tunnel/~Common~t").json();
    assert_eq!(fdb["generation"], made["generation"]);
    let records = "/mgmt/tm/net/fdb/tunnel/~Common~t/records";
    assert_eq!(world.get(records).json()["items"], json!([]));
    assert_eq!(world.post(records, &record(MAC, ENDPOINT)).status, 200);

    let answer = world.delete(&format!("{TUNNELS}/~Common~t"));
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(world.get(records).status, 404);
    world.post(TUNNELS, &tunnel("t"));
    assert_eq!(
        world.get(records).json()["items"],
        json!([]),
        "nothing is left of the first"
    );
}

#[test]
fn patch_keeps_other_fields_and_put_resets_them() {
    let mut world = world();
    world.post(TUNNELS, &with(tunnel("t"), "mtu", 1400));
    let uri = format!("{TUNNELS}/~Common~t");
    let changed = world
        .patch(&uri, &json!({ "key": 7, "description": "ours" }))
        .json();
    assert_eq!(
        [&changed["key"], &changed["mtu"], &changed["description"]],
        [&json!(7), &json!(1400), &json!("ours")]
    );
    let cleared = world.patch(&uri, &json!({ "description": null })).json();
    assert!(cleared.get("description").is_none(), "{cleared}");

    let replaced = world
        .put(&uri, &json!({ "localAddress": "10.0.0.5" }))
        .json();
    assert_eq!(
        [
            &replaced["key"],
            &replaced["mtu"],
            &replaced["localAddress"]
        ],
        [&json!(0), &json!(0), &json!("10.0.0.5")]
    );
    assert_eq!(replaced["ifIndex"], changed["ifIndex"]);
    assert_mcpd(&world.put(&uri, &json!({})), 400, "01070734:3: ");
    assert_eq!(world.get(&uri).json(), replaced);
}

/// A read-modify-write as CIS does it (14.1.3.1, CIS#1730).
#[test]
fn read_object_can_be_written_back() {
    let mut world = world();
    let uri = format!("{TUNNELS}/~Common~flannel_vxlan");
    let read = world.get(&uri).json();
    let mut written = world.put(&uri, &read).json();
    assert_eq!(
        written["generation"].as_u64(),
        read["generation"].as_u64().map(|it| it + 1)
    );
    written["generation"] = read["generation"].clone();
    assert_eq!(written, read);
}

/// Data groups on 17.1.2.1.
#[test]
fn put_creates_no_tunnel_and_second_post_is_a_conflict() {
    let mut world = world();
    let uri = format!("{TUNNELS}/~Common~t");
    for answer in [
        world.put(&uri, &tunnel("t")),
        world.patch(&uri, &json!({ "key": 1 })),
        world.delete(&uri),
        world.get(&uri),
    ] {
        assert_mcpd(&answer, 404, "01020036:3: The requested ");
        assert!(answer.message().ends_with("(/Common/t) was not found."));
    }
    assert_eq!(world.post(TUNNELS, &tunnel("t")).status, 200);
    let answer = world.post(TUNNELS, &tunnel("t"));
    assert_mcpd(&answer, 409, "01020066:3: The requested ");
    assert!(
        answer
            .message()
            .ends_with("(/Common/t) already exists in partition Common.")
    );
}

#[test]
fn tunnel_in_a_partition_may_use_a_profile_in_common() {
    let mut world = world();
    world.post("/mgmt/tm/auth/partition", &json!({ "name": "k8s" }));
    let made = world
        .post(TUNNELS, &with(tunnel("t"), "partition", "k8s"))
        .json();
    assert_eq!(made["fullPath"], "/k8s/t");
    assert_eq!(made["profile"], "/Common/vxlan-multipoint");

    world.post(
        VXLAN,
        &json!({ "name": "vxlan-multipoint", "partition": "k8s", "port": 1 }),
    );
    let made = world
        .post(
            TUNNELS,
            &with(with(tunnel("u"), "partition", "k8s"), "key", 3),
        )
        .json();
    assert_eq!(
        made["profile"], "/k8s/vxlan-multipoint",
        "one of its own comes first"
    );
    assert_eq!(
        world.get("/mgmt/tm/net/fdb/tunnel/~k8s~t/records").status,
        200
    );
}

#[test]
fn tunnel_can_be_in_a_folder() {
    let mut world = world();
    world.post(
        "/mgmt/tm/sys/folder",
        &json!({ "name": "app", "partition": "Common" }),
    );
    let body = with(tunnel("t"), "partition", "Common");
    let made = world.post(TUNNELS, &with(body, "subPath", "app")).json();
    assert_eq!(
        [
            &made["name"],
            &made["partition"],
            &made["subPath"],
            &made["fullPath"]
        ],
        [
            &json!("t"),
            &json!("Common"),
            &json!("app"),
            &json!("/Common/app/t")
        ]
    );
    assert_eq!(
        made["selfLink"],
        "https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~app~t?ver=17.1.2.1"
    );
    assert_eq!(world.get(&format!("{TUNNELS}/~Common~app~t")).json(), made);
    assert_eq!(
        world
            .post(TUNNELS, &with(tunnel("/Common/app/u"), "key", 3))
            .json()["name"],
        "u"
    );
}

/// EC.
#[test]
fn object_needs_its_folder() {
    let mut world = world();
    for (partition, sub_path, folder) in [("PART", "", "/PART"), ("Common", "a/b", "/Common/a/b")] {
        let body = with(tunnel("t"), "partition", partition);
        let answer = world.post(TUNNELS, &with(body, "subPath", sub_path));
        let body = format!(
            r#"{{"code":400,"message":"The requested folder ({folder}) was not found.","errorStack":[],"apiError":26214401}}"#
        );
        assert_eq!(answer.text, body);
    }
}

/// 12.1.2, a traffic selector; the link below it is from a dump of a VLAN on 11.5.
#[test]
fn answer_has_a_partition_only_if_the_uri_has() {
    let mut world = world();
    let uri = format!("{TUNNELS}/flannel_vxlan");
    for answer in [world.get(&uri), world.patch(&uri, &json!({ "key": 1 }))] {
        let shown = answer.json();
        assert_eq!(
            (&shown["name"], &shown["fullPath"]),
            (&json!("flannel_vxlan"), &shown["name"])
        );
        assert!(shown.get("partition").is_none(), "{shown}");
        assert_eq!(
            shown["selfLink"],
            "https://localhost/mgmt/tm/net/tunnels/tunnel/flannel_vxlan?ver=17.1.2.1"
        );
    }
    let fdb = world.get("/mgmt/tm/net/fdb/tunnel/flannel_vxlan").json();
    assert_eq!(
        fdb["recordsReference"]["link"],
        "https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records?ver=17.1.2.1"
    );
    assert_eq!(
        world
            .post(
                "/mgmt/tm/net/fdb/tunnel/flannel_vxlan/records",
                &record(MAC, ENDPOINT)
            )
            .status,
        200
    );
    assert_mcpd(&world.get(&format!("{TUNNELS}/gone")), 404, "01020036:3: ");
}
