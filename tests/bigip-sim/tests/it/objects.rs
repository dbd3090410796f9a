//! What holds of every kind of objects, shown on tunnels: names, folders, writing and refusing.

use serde_json::{Value, json};

use crate::support::{ENDPOINT, MAC, record, world};
use crate::tunnels::{TUNNELS, assert_mcpd, tunnel, with};

#[test]
fn a_change_keeps_the_rest_and_a_put_falls_back_to_defaults() {
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
fn what_was_read_can_be_written_back() {
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
fn a_put_does_not_make_a_tunnel_and_a_second_post_is_a_conflict() {
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
fn a_tunnel_can_be_in_a_folder() {
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
        world.post(TUNNELS, &tunnel("/Common/app/u")).json()["name"],
        "u"
    );
}

/// EC.
#[test]
fn an_object_needs_its_folder() {
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
fn without_partition_in_the_uri_there_is_none_in_the_answer() {
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

/// Status and wording are assumed.
#[test]
fn a_value_that_makes_no_sense_is_refused() {
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
fn an_unknown_property_is_not_guessed() {
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
fn a_property_may_be_written_with_dashes() {
    let body = json!({ "name": "t", "profile": "vxlan", "local-address": "10.0.0.4", "use-pmtu": "disabled" });
    let made = world().post(TUNNELS, &body).json();

    assert_eq!(
        (&made["localAddress"], &made["usePmtu"]),
        (&json!("10.0.0.4"), &json!("disabled"))
    );
}

/// POSH-LTM-Rest#95: a PATCH with nothing but the name is an error.
#[test]
fn a_patch_of_an_object_needs_more_than_its_name() {
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

/// BRG `bigip/requests.go`.
#[test]
fn a_text_may_be_65535_characters_long() {
    let mut world = world();
    let uri = format!("{TUNNELS}/~Common~flannel_vxlan");
    let long = "x".repeat(65535);
    assert_eq!(
        world.patch(&uri, &json!({ "description": long })).status,
        200
    );
    let longer = world.patch(&uri, &json!({ "description": format!("{long}x") }));
    let recorded = r#"{"code":400,"message":"01020057:3: The string with more than 65535 characters cannot be stored in a message.","errorStack":[],"apiError":3}"#;
    assert_eq!(longer.text, recorded);
    assert_eq!(world.get(&uri).json()["description"], long);
}
