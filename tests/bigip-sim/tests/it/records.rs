//! Writing FDB records: one by one, and the whole list with all its dangers.

use bigip_sim::{ConfigError, TunnelConfig};
use serde_json::{Value, json};

use crate::support::{ENDPOINT, MAC, RECORDS_URI, TUNNEL, TUNNEL_URI, World, pair, record, world};

const OTHER_MAC: &str = "0a:0a:0a:a9:48:e9";
const OTHER_ENDPOINT: &str = "10.169.72.233%0";

fn with_two_records() -> World {
    let mut world = world();
    world.state.seed_record(TUNNEL, MAC, ENDPOINT).unwrap();
    world
        .state
        .seed_record(TUNNEL, OTHER_MAC, OTHER_ENDPOINT)
        .unwrap();
    world
}

fn generation(answer: &Value) -> u64 {
    answer["generation"].as_u64().unwrap()
}

#[test]
fn post_adds_one_record_and_returns_it() {
    let mut world = world();
    world
        .state
        .seed_record(TUNNEL, OTHER_MAC, OTHER_ENDPOINT)
        .unwrap();
    let answer = world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        world.get(&format!("{RECORDS_URI}/{MAC}")).json()
    );
    assert_eq!(
        world.stored(),
        [pair(OTHER_MAC, OTHER_ENDPOINT), pair(MAC, ENDPOINT)]
    );
}

/// Recorded: bare on 12.1, `%0` on 16.1.2.
#[test]
fn record_reads_back_as_written() {
    let mut world = world();
    world.post(RECORDS_URI, &record("0A:0a:0A:a9:48:EF", "10.169.72.239"));

    assert_eq!(world.stored(), [pair("0A:0a:0A:a9:48:EF", "10.169.72.239")]);
    assert_eq!(
        world.get(&format!("{RECORDS_URI}/{MAC}")).json()["name"],
        "0A:0a:0A:a9:48:EF"
    );
}

#[test]
fn delete_removes_one_record_with_an_empty_answer() {
    let mut world = with_two_records();
    let answer = world.delete(&format!("{RECORDS_URI}/{}", MAC.replace(':', "%3A")));
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(world.stored(), [pair(OTHER_MAC, OTHER_ENDPOINT)]);
}

#[test]
fn patch_changes_named_fields_and_put_replaces() {
    let mut world = world();
    let uri = format!("{RECORDS_URI}/{MAC}");
    let described = json!({ "name": MAC, "endpoint": ENDPOINT, "description": "ours" });
    world.post(RECORDS_URI, &described);

    let answer = world
        .patch(&uri, &json!({ "endpoint": "10.169.72.240%0" }))
        .json();
    assert_eq!(
        (&answer["endpoint"], &answer["description"]),
        (&json!("10.169.72.240%0"), &json!("ours"))
    );
    let answer = world.patch(&uri, &json!({ "description": null })).json();
    assert_eq!(
        (&answer["endpoint"], answer.get("description")),
        (&json!("10.169.72.240%0"), None)
    );

    world.patch(&uri, &json!({ "description": "ours" }));
    let answer = world.put(&uri, &json!({ "endpoint": ENDPOINT })).json();
    assert_eq!(
        (&answer["endpoint"], answer.get("description")),
        (&json!(ENDPOINT), None)
    );
    assert_eq!(
        world.put(&uri, &json!({})).status,
        400,
        "a PUT needs the endpoint again"
    );
}

#[test]
fn bulk_write_replaces_foreign_records() {
    for replace in [World::put, World::patch] {
        let mut world = with_two_records();
        let answer = replace(
            &mut world,
            TUNNEL_URI,
            &json!({ "records": [record("0a:0a:0a:a9:48:f0", "10.169.72.240%0")] }),
        );
        assert_eq!(answer.status, 200);
        assert_eq!(
            world.stored(),
            [pair("0a:0a:0a:a9:48:f0", "10.169.72.240%0")]
        );
    }
}

#[test]
fn empty_list_or_null_clears_the_tunnel() {
    for records in [json!([]), json!(null)] {
        for replace in [World::put, World::patch] {
            let mut world = with_two_records();
            assert_eq!(
                replace(&mut world, TUNNEL_URI, &json!({ "records": records })).status,
                200
            );
            assert!(world.stored().is_empty());
        }
    }
}

#[test]
fn without_records_a_put_clears_the_tunnel_and_a_patch_does_not() {
    let mut world = with_two_records();
    let body = json!({ "name": "flannel_vxlan" });
    assert_eq!(world.patch(TUNNEL_URI, &body).status, 200);
    assert_eq!(world.stored().len(), 2);
    assert_eq!(world.put(TUNNEL_URI, &body).status, 200);
    assert!(world.stored().is_empty());
}

#[test]
fn list_with_one_invalid_record_changes_nothing() {
    let good = record("0a:0a:0a:a9:48:f0", "10.169.72.240%0");
    for (bad, status) in [
        (json!({ "name": MAC }), 400),
        (record(MAC, "node"), 400),
        (json!(7), 400),
        (record("0A:0A:0A:A9:48:F0", "10.169.72.240%0"), 409),
    ] {
        let mut world = with_two_records();
        let list = json!({ "records": [good.clone(), bad.clone()] });
        assert_eq!(world.put(TUNNEL_URI, &list).status, status, "{bad}");
        assert_eq!(world.stored().len(), 2, "{bad}");
    }
    let mut world = with_two_records();
    assert_eq!(
        world.patch(TUNNEL_URI, &json!({ "records": 7 })).status,
        400
    );
    assert_eq!(
        world.patch(TUNNEL_URI, &json!({ "records": MAC })).status,
        400,
        "no endpoint"
    );
    assert_eq!(world.stored().len(), 2);
}

#[test]
fn every_write_takes_the_next_generation() {
    let mut world = world();
    let tunnels = TunnelConfig::vxlan("/Common/second", "10.169.72.35");
    world.state.add_tunnel(&tunnels).unwrap();
    let first = generation(&world.post(RECORDS_URI, &record(MAC, ENDPOINT)).json());
    let other = "/mgmt/tm/net/fdb/tunnel/~Common~second/records";
    let second = generation(&world.post(other, &record(MAC, ENDPOINT)).json());
    assert_eq!(second, first + 1);
    assert_eq!(generation(&world.get(TUNNEL_URI).json()), first);

    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    world.delete(&format!("{RECORDS_URI}/{MAC}"));
    assert_eq!(
        generation(&world.get(TUNNEL_URI).json()),
        second + 1,
        "refusals take no number"
    );
}

#[test]
fn manual_changes_are_visible_but_not_counted() {
    let mut world = world();
    world
        .state
        .seed_record(TUNNEL, "leftover", "somewhere")
        .unwrap();
    assert_eq!(
        world.get(&format!("{RECORDS_URI}/leftover")).json()["endpoint"],
        "somewhere"
    );
    assert!(world.state.drop_record(TUNNEL, "leftover"));
    assert!(!world.state.drop_record(TUNNEL, "leftover"));
    assert!(world.stored().is_empty());
    assert_eq!(world.state.mutations(), 0);
    assert_eq!(
        world.state.seed_record("/Common/gone", MAC, ENDPOINT),
        Err(ConfigError::NoSuchTunnel("/Common/gone".to_owned()))
    );
}

#[test]
fn deleted_tunnel_is_missing_until_recreated() {
    let mut world = with_two_records();
    assert!(world.state.delete_tunnel(TUNNEL));
    assert_eq!(world.get(RECORDS_URI).status, 404);
    assert!(world.stored().is_empty());

    let tunnel = TunnelConfig::vxlan(TUNNEL, "10.169.72.34").with_record(MAC, ENDPOINT);
    world.state.add_tunnel(&tunnel).unwrap();
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
    assert_eq!(
        world.state.add_tunnel(&tunnel),
        Err(ConfigError::DuplicateTunnel(TUNNEL.to_owned()))
    );
}

#[test]
fn invalid_tunnel_is_not_created() {
    let mut world = world();
    let vxlan = |path: &str, local: &str| TunnelConfig::vxlan(path, local);
    for path in ["t", "/t", "/Common/", "Common/t"] {
        let error = world
            .state
            .add_tunnel(&vxlan(path, "10.1.1.1"))
            .unwrap_err();
        assert_eq!(error, ConfigError::Path(path.to_owned()));
    }
    for local in ["", "any4", "10.1.1", "10.1.1.1%", "any%x"] {
        let error = world
            .state
            .add_tunnel(&vxlan("/Common/t", local))
            .unwrap_err();
        assert_eq!(error, ConfigError::LocalAddress(local.to_owned()));
    }
    let mut other_port = vxlan("/Common/t", "any6");
    other_port.profile.port = 4789;
    let error = world.state.add_tunnel(&other_port).unwrap_err();
    assert_eq!(
        error,
        ConfigError::ProfileDiffers("/Common/fl-vxlan".to_owned())
    );
}

#[test]
fn every_attempt_to_change_the_configuration_is_a_mutation() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    world.put(TUNNEL_URI, &json!({}));
    world.delete(&format!("{RECORDS_URI}/{MAC}"));
    world.post("/mgmt/tm/sys/config", &json!({ "command": "save" }));
    world.get(RECORDS_URI);
    assert_eq!(world.state.mutations(), 5);

    let seen: Vec<_> = world
        .state
        .requests()
        .filter(|request| request.is_mutation())
        .map(|request| (request.method.as_str().to_owned(), request.status))
        .collect();
    let expected = [
        ("POST", 200),
        ("POST", 409),
        ("PUT", 200),
        ("DELETE", 404),
        ("POST", 200),
    ];
    assert_eq!(
        seen,
        expected.map(|(method, status)| (method.to_owned(), Some(status)))
    );
    world.state.clear_log();
    assert_eq!(
        (world.state.requests().count(), world.state.mutations()),
        (0, 5)
    );
}
