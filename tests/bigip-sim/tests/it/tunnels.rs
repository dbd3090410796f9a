//! `net/tunnels`: making, changing and deleting tunnels and their profiles.

use bigip_sim::{Method, SelfIp, SimConfig, TmosVersion, TunnelConfig};
use serde_json::{Value, json};

use crate::support::{
    Answer, ENDPOINT, MAC, RECORDS_URI, TUNNEL, World, config, record, world, world_of,
};

pub(crate) const TUNNELS: &str = "/mgmt/tm/net/tunnels/tunnel";
const VXLAN: &str = "/mgmt/tm/net/tunnels/vxlan";
const GENEVE: &str = "/mgmt/tm/net/tunnels/geneve";

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
fn a_new_tunnel_looks_as_on_12_1_2() {
    let mut world = World::new(&SimConfig {
        version: TmosVersion::V13_1,
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
        .replace("12.1.2", "13.1.1.2")
        .replace("/ipsec/", "/vxlan/")
        .replace(r#""generation":35"#, r#""generation":3"#)
        .replace(r#""ifIndex":128"#, r#""ifIndex":144"#);
    assert_eq!((answer.status, answer.text.as_str()), (200, &*expected));
    let uri = format!("{TUNNELS}/~Common~comcast-xre-vpn");
    assert_eq!(world.get(&uri).text, expected);
}

/// 14.1.2.1, genieparser.
#[test]
fn the_built_in_vxlan_profiles_are_those_of_14_1_2_1() {
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
fn the_built_in_tunnels_look_as_on_14_1_2_1() {
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
fn the_kinds_of_tunnels_are_those_of_14_1_2_1() {
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
fn a_profile_takes_from_another_what_it_does_not_say() {
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
fn a_tunnel_needs_a_profile_and_a_local_address() {
    let mut world = world();
    for property in ["profile", "localAddress"] {
        let answer = world.post(TUNNELS, &with(tunnel("t"), property, Value::Null));
        assert_mcpd(&answer, 400, "01070734:3: ");
        assert!(answer.message().contains(property), "{}", answer.text);
    }
    assert_eq!(world.get(&format!("{TUNNELS}/~Common~t")).status, 404);
}

#[test]
fn a_new_tunnel_has_an_empty_fdb_and_a_deleted_one_has_none() {
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
fn a_tunnel_in_a_partition_may_use_a_profile_in_common() {
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
        .post(TUNNELS, &with(tunnel("u"), "partition", "k8s"))
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
fn a_reference_must_lead_somewhere() {
    let mut world = world();
    let answer = world.post(TUNNELS, &with(tunnel("t"), "profile", "/Common/gone"));
    assert_mcpd(
        &answer,
        404,
        "01020036:3: The requested profile (/Common/gone) was not found.",
    );
    // Known, but its kind is not simulated.
    assert_eq!(
        world
            .post(TUNNELS, &with(tunnel("t"), "profile", "gre"))
            .status,
        501
    );

    let answer = world.post(TUNNELS, &with(tunnel("t"), "localAddress", "10.0.0.4%7"));
    assert_mcpd(
        &answer,
        404,
        "01020036:3: The requested route domain (7) was not found.",
    );
    world.post(
        "/mgmt/tm/net/route-domain",
        &json!({ "name": "seven", "id": 7 }),
    );
    let made = world.post(TUNNELS, &with(tunnel("t"), "localAddress", "10.0.0.4%7"));
    assert_eq!(made.json()["localAddress"], "10.0.0.4%7");
}

/// `01070265` of VLANs, f5-declarative-onboarding#7; the label is assumed.
#[test]
fn what_is_in_use_cannot_be_deleted() {
    let self_ip = SelfIp {
        path: "/Common/flannel_self".to_owned(),
        address: "10.244.9.1/16".to_owned(),
        vlan: TUNNEL.to_owned(),
    };
    let mut world = World::new(&SimConfig {
        self_ips: vec![self_ip],
        ..config()
    });
    let uri = format!("{TUNNELS}/~Common~flannel_vxlan");
    let answer = world.delete(&uri);
    assert_mcpd(&answer, 400, "01070265:3: ");
    assert!(
        answer.message().ends_with(
            "(/Common/flannel_vxlan) cannot be deleted because it is in use by a self IP \
             (/Common/flannel_self)."
        ),
        "{}",
        answer.text
    );
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    world.delete("/mgmt/tm/net/self/~Common~flannel_self");

    let route = json!({ "name": "pods", "network": "10.244.0.0/16", "tmInterface": TUNNEL });
    world.post("/mgmt/tm/net/route", &route);
    assert_mcpd(&world.delete(&uri), 400, "01070265:3: ");
    world.delete("/mgmt/tm/net/route/~Common~pods");

    assert_mcpd(
        &world.delete(&format!("{VXLAN}/~Common~fl-vxlan")),
        400,
        "01070265:3: ",
    );
    assert_eq!(
        world.delete(&uri).status,
        200,
        "records do not hold a tunnel"
    );
    assert_eq!(
        world.delete(&format!("{VXLAN}/~Common~fl-vxlan")).status,
        200
    );
    assert_eq!(
        world.delete(&format!("{VXLAN}/~Common~vxlan")).status,
        501,
        "built in"
    );
}

#[test]
fn a_profile_that_others_take_from_cannot_be_deleted() {
    let mut world = world();
    let child = json!({ "name": "child", "defaultsFrom": "/Common/fl-geneve" });
    world.post(GENEVE, &json!({ "name": "fl-geneve", "port": 6082 }));
    assert_eq!(world.post(GENEVE, &child).json()["port"], 6082);
    assert_mcpd(
        &world.delete(&format!("{GENEVE}/~Common~fl-geneve")),
        400,
        "01070265:3: ",
    );
    assert_eq!(world.delete(&format!("{GENEVE}/~Common~child")).status, 200);
    assert_eq!(
        world.delete(&format!("{GENEVE}/~Common~fl-geneve")).status,
        200
    );
}

#[test]
fn a_tunnel_that_a_person_makes_brings_its_folder_and_route_domain() {
    let tunnels = vec![TunnelConfig::vxlan("/ocp/app/t", "10.0.0.4%14")];
    let mut world = World::new(&SimConfig {
        tunnels,
        ..config()
    });
    for uri in [
        "/mgmt/tm/auth/partition/ocp",
        "/mgmt/tm/sys/folder/~ocp~app",
        "/mgmt/tm/net/route-domain/~Common~14",
    ] {
        assert_eq!(world.get(uri).status, 200, "{uri}");
    }
    let tunnel = world
        .send(Method::GET, &format!("{TUNNELS}/~ocp~app~t"), "")
        .json();
    assert_eq!(
        (&tunnel["partition"], &tunnel["subPath"]),
        (&json!("ocp"), &json!("app"))
    );
}
