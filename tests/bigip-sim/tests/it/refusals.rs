//! Refused requests: recorded bodies where there are any, else the parts that are known.

use bigip_sim::{Method, SimConfig, TmosVersion, TunnelConfig};
use serde_json::json;

use crate::support::{
    Answer, ENDPOINT, MAC, RECORDS_URI, TUNNEL, TUNNEL_URI, World, config, record, world, world_of,
};

/// Compares every byte: the order of the fields is recorded too.
#[track_caller]
fn assert_icrd(answer: &Answer, code: u16, message: &str, api_error: u32) {
    let body = format!(
        r#"{{"code":{code},"message":"{message}","errorStack":[],"apiError":{api_error}}}"#
    );
    assert_eq!(answer.text, body);
    assert_eq!(answer.status, code);
}

fn world_in_domain_1() -> World {
    let tunnels = vec![TunnelConfig::vxlan("/k8sdev/devosevlan", "192.168.11.23%1")];
    World::new(&SimConfig {
        tunnels,
        ..config()
    })
}

/// FCP#733, 12.1.
#[test]
fn record_needs_an_endpoint() {
    let mut world = world();
    let uri = "/mgmt/tm/net/fdb/tunnel/~Common~http-tunnel/records";
    let message = "01070734:3: Configuration error: The tunnel FDB record \
                   (/Common/http-tunnel 02:00:00:00:00:01) has an empty entry.";
    for body in [
        json!({ "name": "02:00:00:00:00:01" }),
        json!({ "name": "02:00:00:00:00:01", "endpoint": null }),
        json!({ "name": "02:00:00:00:00:01", "endpoint": "" }),
    ] {
        assert_icrd(&world.post(uri, &body), 400, message, 3);
    }
}

/// CIS#425, 12.1.1: a bare endpoint is in route domain 0.
#[test]
fn endpoint_must_match_the_tunnels_route_domain() {
    let mut world = world_in_domain_1();
    let uri = "/mgmt/tm/net/fdb/tunnel/~k8sdev~devosevlan/records";
    let answer = world.post(uri, &record("0a:0a:c0:a8:0a:65", "192.168.10.101"));

    let message = "01070734:3: Configuration error: The IP address (192.168.10.101) of the tunnel \
                   FDB record (/k8sdev/devosevlan 0a:0a:c0:a8:0a:65) and the tunnel local address \
                   (192.168.11.23%1) cannot be in different route domain.";
    assert_icrd(&answer, 400, message, 3);
    assert_eq!(
        world
            .post(uri, &record("0a:0a:c0:a8:0a:65", "192.168.10.101%1"))
            .status,
        200
    );
}

#[test]
fn route_domain_is_checked_in_lists_and_changes_too() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    let elsewhere = json!({ "endpoint": "10.169.72.239%20" });
    let list = json!({ "records": [record(MAC, "10.169.72.239%20")] });
    for answer in [
        world.patch(&format!("{RECORDS_URI}/{MAC}"), &elsewhere),
        world.put(&format!("{RECORDS_URI}/{MAC}"), &elsewhere),
        world.put(TUNNEL_URI, &list),
        world.patch(TUNNEL_URI, &list),
    ] {
        assert_eq!(answer.status, 400);
        assert!(
            answer.message().contains("different route domain"),
            "{}",
            answer.text
        );
    }
    assert_eq!(world.state.records(TUNNEL).get(MAC).unwrap(), ENDPOINT);
}

/// Data groups on 17.1.2.1; the label is assumed.
#[test]
fn second_record_for_a_mac_is_a_conflict() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    for mac in [MAC.to_owned(), MAC.to_uppercase()] {
        let answer = world.post(RECORDS_URI, &record(&mac, "10.169.72.240%0"));
        assert_eq!(
            (answer.status, answer.json()["apiError"].clone()),
            (409, json!(3))
        );
        assert!(
            answer.message().starts_with("01020066:3: The requested "),
            "{}",
            answer.text
        );
        assert!(
            answer
                .message()
                .ends_with(" already exists in partition Common.")
        );
    }
    assert_eq!(world.state.records(TUNNEL).get(MAC).unwrap(), ENDPOINT);
}

/// Pool members in EC.
#[test]
fn get_of_a_missing_record_names_only_the_record() {
    let answer = world().get(&format!("{RECORDS_URI}/{MAC}"));

    assert_icrd(&answer, 404, "Object not found - 0a:0a:0a:a9:48:ef", 1);
}

/// Pool members in EC; data groups on 17.1.2.1 for PUT.
#[test]
fn write_of_a_missing_record_is_01020036_without_effect() {
    let mut world = world();
    let uri = format!("{RECORDS_URI}/{MAC}");
    let body = json!({ "endpoint": ENDPOINT });
    for answer in [
        world.delete(&uri),
        world.patch(&uri, &body),
        world.put(&uri, &body),
    ] {
        assert_eq!(
            (answer.status, answer.json()["apiError"].clone()),
            (404, json!(3))
        );
        let message = answer.message();
        assert!(
            message.starts_with("01020036:3: The requested "),
            "{message}"
        );
        assert!(message.ends_with("(/Common/flannel_vxlan 0a:0a:0a:a9:48:ef) was not found."));
    }
    assert!(world.stored().is_empty());
}

/// Pools in BRG and EC.
#[test]
fn missing_tunnel_or_profile_is_01020036_for_all_methods() {
    let mut world = world();
    let gone = "/mgmt/tm/net/fdb/tunnel/~Common~gone";
    let list = json!({ "records": [record(MAC, ENDPOINT)] });
    for answer in [
        world.get(gone),
        world.put(gone, &list),
        world.patch(gone, &list),
        world.patch(gone, &json!({ "description": "x" })),
        world.get(&format!("{gone}/records")),
        world.post(&format!("{gone}/records"), &record(MAC, ENDPOINT)),
        world.get(&format!("{gone}/records/{MAC}")),
        world.delete(&format!("{gone}/records/{MAC}")),
        world.get("/mgmt/tm/net/tunnels/tunnel/~Common~gone"),
        world.get("/mgmt/tm/net/tunnels/vxlan/~Common~gone"),
        world.get("/mgmt/tm/net/tunnels/geneve/~Common~gone"),
    ] {
        assert_eq!(
            (answer.status, answer.json()["apiError"].clone()),
            (404, json!(3))
        );
        let message = answer.message();
        assert!(
            message.starts_with("01020036:3: The requested "),
            "{message}"
        );
        assert!(message.contains("(/Common/gone"), "{message}");
    }
}

/// 17.1.2.1; the connection closes after it.
#[test]
fn broken_json_is_refused_and_closes_the_connection() {
    let mut world = world();
    for (method, uri) in [
        (Method::POST, RECORDS_URI),
        (Method::PUT, TUNNEL_URI),
        (Method::PATCH, TUNNEL_URI),
        (Method::POST, "/mgmt/tm/sys/config"),
    ] {
        let answer = world.send(method, uri, r#"{"records":["#);
        assert_icrd(&answer, 400, "Found invalid JSON body in the request.", 1);
        assert_eq!(answer.header("connection"), "close");
    }
}

/// BIGREST#12.
#[test]
fn body_needs_a_json_content_type() {
    let mut world = world();
    let token = world.token.clone();
    let body = record(MAC, ENDPOINT).to_string();
    let headers = [
        ("x-f5-auth-token", &*token),
        ("content-type", "application/octet-stream"),
    ];
    let answer = world.raw(Method::POST, RECORDS_URI, &headers, &body);
    let message = "Found invalid content-type. The content-type must be application/json. The \
                   received content-type is application/octet-stream";
    assert_icrd(&answer, 415, message, 1);

    let headers = [
        ("x-f5-auth-token", &*token),
        ("content-type", "application/json;charset=utf-8"),
    ];
    assert_eq!(
        world.raw(Method::POST, RECORDS_URI, &headers, &body).status,
        200
    );
}

/// FCP#532.
#[test]
fn unknown_uri_below_tm_is_unexpected() {
    let answer = world().get("/mgmt/tm/net/fdbs/tunnel/~Common~t");

    assert_icrd(
        &answer,
        400,
        "Found unexpected URI tmapi_mapper/net/fdbs/tunnel/~Common~t",
        1,
    );
}

/// BRG `bigip/utils.go`.
#[test]
fn unknown_uri_elsewhere_is_not_registered() {
    let answer = world().get("/mgmt/shared/appsvcs/info");

    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["kind"], ":resterrorresponse");
    assert_eq!(answer.json()["referer"], "10.144.138.84");
    assert_eq!(
        answer.message(),
        "Public URI path not registered: /shared/appsvcs/info"
    );
    assert!(answer.json().get("apiError").is_none());
}

/// EC.
#[test]
fn patch_needs_properties() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    for uri in [TUNNEL_URI.to_owned(), format!("{RECORDS_URI}/{MAC}")] {
        let answer = world.patch(&uri, &json!({}));
        assert_icrd(
            &answer,
            400,
            "one or more properties must be specified",
            26_214_401,
        );
    }
}

/// EC.
#[test]
fn angle_brackets_are_refused() {
    let mut world = world();
    let answer = world.get("/mgmt/tm/net/self/%3Cb%3E");
    assert_icrd(
        &answer,
        400,
        "HTML Tag-like Content in the Request URL/Body",
        26_214_401,
    );

    let answer = world.post(RECORDS_URI, &record(MAC, "<b>"));
    assert_icrd(
        &answer,
        400,
        "HTML Tag-like Content in the Request URL/Body",
        26_214_401,
    );
}

/// CIS#1508: CIS pinned 11.5.0, which 16.0 no longer took.
#[test]
fn another_ver_fails_the_put_of_a_list_since_16_0() {
    let list = json!({ "records": [record(MAC, ENDPOINT)] });
    let pinned = format!("{TUNNEL_URI}?ver=11.5.0");
    for version in [TmosVersion::V16_1, TmosVersion::V17_1] {
        let mut world = world_of(version);
        assert_icrd(
            &world.put(&pinned, &list),
            400,
            "enter a valid option",
            26_214_401,
        );
        let own = format!("{TUNNEL_URI}?ver={}", version.number());
        assert_eq!(world.put(&own, &list).status, 200);
    }
    assert_eq!(world_of(TmosVersion::V15_1).put(&pinned, &list).status, 200);
}

/// Status and wording are assumed.
#[test]
fn invalid_mac_or_address_is_refused() {
    let mut world = world();
    for mac in [
        "",
        "0a:0a:0a:a9:48",
        "0a-0a-0a-a9-48-ef",
        "0a:0a:0a:a9:48:eg",
    ] {
        assert_eq!(
            world.post(RECORDS_URI, &record(mac, ENDPOINT)).status,
            400,
            "{mac}"
        );
    }
    for endpoint in ["node-1", "10.169.72", "10.169.72.239%", "10.169.72.239%x"] {
        assert_eq!(
            world.post(RECORDS_URI, &record(MAC, endpoint)).status,
            400,
            "{endpoint}"
        );
    }
    for body in [
        json!({ "name": 1 }),
        json!({ "name": MAC, "endpoint": ["10.1.1.1"] }),
    ] {
        assert_eq!(world.post(RECORDS_URI, &body).status, 400, "{body}");
    }
    assert!(world.stored().is_empty());
}

#[test]
fn unrecorded_answers_are_not_simulated() {
    let mut world = world();
    for answer in [
        world.delete(TUNNEL_URI),
        world.delete(RECORDS_URI),
        world.post("/mgmt/tm/sys/config", &json!({ "command": "load" })),
        world.post("/mgmt/tm/net/fdb/tunnel", &json!({ "name": "t" })),
        world.patch("/mgmt/tm/net/fdb", &json!({})),
        world.get("/mgmt/tm/net/stp"),
        world.get("/mgmt/tm/net/tunnels/gre/~Common~gre"),
        world.get("/mgmt/tm/net/trunk/stats"),
        world.get("/mgmt/tm/ltm/node/n"),
        world.get("/mgmt/tm/net/self-allow/x"),
        world.post("/mgmt/tm/net/trunk", &json!({ "name": "t" })),
        world.get("/mgmt/tm/sys/db/log.gtm.level"),
        world.post("/mgmt/tm/util/bash", &json!({ "command": "run" })),
        world.get("/mgmt/tm/asm/policies"),
        world.get("/mgmt/shared/file-transfer/uploads/x"),
        world.get("/mgmt/tm/ltm/pool/example"),
        world.get("/mgmt/shared/authn/root"),
        world.get("/mgmt/cm/system/authn/providers"),
    ] {
        assert_eq!(answer.status, 501, "{}", answer.text);
        assert!(answer.message().starts_with("bigip-sim does not simulate "));
    }
}
