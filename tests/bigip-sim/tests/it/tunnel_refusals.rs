//! `net/tunnels`: what is refused, and what is in use.

use bigip_sim::{Method, SelfIp, SimConfig, TunnelConfig};
use serde_json::{Value, json};

use crate::support::{ENDPOINT, MAC, RECORDS_URI, TUNNEL, World, config, record, world};
use crate::tunnels::{GENEVE, TUNNELS, VXLAN, assert_mcpd, tunnel, with};

#[test]
fn reference_must_resolve() {
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
fn object_in_use_cannot_be_deleted() {
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
fn profile_with_children_cannot_be_deleted() {
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

/// Status and wording are assumed.
#[test]
fn invalid_value_is_refused() {
    let mut world = world();
    for (property, value) in [
        ("localAddress", json!("somewhere")),
        ("localAddress", json!(10)),
        ("remoteAddress", json!("10.0.0.300")),
        ("key", json!("7")),
        ("key", json!(-1)),
        ("mtu", json!(70_000)),
        ("mode", json!("sideways")),
        ("usePmtu", json!(true)),
        ("profile", json!(["vxlan"])),
        ("description", json!({})),
    ] {
        let answer = world.post(TUNNELS, &with(tunnel("t"), property, value.clone()));
        assert_eq!(
            (answer.status, &answer.json()["apiError"]),
            (400, &json!(26_214_401)),
            "{property} {value}: {}",
            answer.text
        );
    }
    for name in [
        json!(null),
        json!(""),
        json!("a~b"),
        json!("/t"),
        json!("/Common/"),
        json!(3),
    ] {
        let answer = world.post(TUNNELS, &with(tunnel("t"), "name", name.clone()));
        assert_eq!(answer.status, 400, "{name}: {}", answer.text);
    }
    assert_eq!(
        world.get(TUNNELS).json()["items"].as_array().unwrap().len(),
        3
    );
}

#[test]
fn unknown_property_is_not_simulated() {
    let mut world = world();
    for (property, value) in [("vni", json!(7)), ("tos", json!("64"))] {
        let answer = world.post(TUNNELS, &with(tunnel("t"), property, value));
        assert_eq!(answer.status, 501, "{}", answer.text);
    }
    assert_eq!(
        world
            .post(TUNNELS, &with(tunnel("t"), "vni", Value::Null))
            .status,
        200
    );
    let uri = format!("{TUNNELS}/~Common~t");
    assert_eq!(
        world
            .patch(&uri, &json!({ "profile": "/Common/vxlan" }))
            .status,
        501
    );
}

/// 12.1.2, an `IPsec` policy.
#[test]
fn property_may_be_written_with_dashes() {
    let body = json!({ "name": "t", "profile": "vxlan", "local-address": "10.0.0.4", "use-pmtu": "disabled" });
    let made = world().post(TUNNELS, &body).json();

    assert_eq!(
        (&made["localAddress"], &made["usePmtu"]),
        (&json!("10.0.0.4"), &json!("disabled"))
    );
}

/// POSH-LTM-Rest#95: a PATCH with nothing but the name is an error.
#[test]
fn patch_of_an_object_needs_more_than_its_name() {
    let mut world = world();
    for body in [
        json!({}),
        json!({ "name": "flannel_vxlan", "partition": "Common" }),
    ] {
        let answer = world.patch(&format!("{TUNNELS}/~Common~flannel_vxlan"), &body);
        assert_eq!(
            answer.text,
            r#"{"code":400,"message":"one or more properties must be specified","errorStack":[],"apiError":26214401}"#
        );
    }
}

#[test]
fn seeded_tunnel_creates_its_folder_and_route_domain() {
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

/// BRG `bigip/requests.go`.
#[test]
fn text_may_be_65535_characters_long() {
    let mut world = world();
    let uri = format!("{TUNNELS}/~Common~flannel_vxlan");
    let long = "x".repeat(65535);
    let answer = world.patch(&uri, &json!({ "description": long }));
    assert_eq!(answer.status, 200);
    let longer = world.patch(&uri, &json!({ "description": format!("{long}x") }));
    let recorded = r#"{"code":400,"message":"01020057:3: The string with more than 65535 characters cannot be stored in a message.","errorStack":[],"apiError":3}"#;
    assert_eq!(longer.text, recorded);
    assert_eq!(world.get(&uri).json()["description"], long);
}
