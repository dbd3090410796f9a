//! Several changes together: queued, committed, refused, forgotten.

use bigip_sim::{Method, TmosVersion};
use serde_json::{Value, json};

use crate::support::{
    Answer, ENDPOINT, MAC, RECORDS_URI, TUNNEL_URI, World, pair, record, world, world_of,
};

const TRANSACTIONS: &str = "/mgmt/tm/transaction";
const OTHER_MAC: &str = "0a:0a:0a:a9:48:f0";

/// Opens a transaction and gives back its number.
fn open(world: &mut World) -> String {
    let answer = world.post(TRANSACTIONS, &json!({}));
    answer.json()["transId"].to_string()
}

/// Sends a request that names a transaction.
fn add(world: &mut World, id: &str, method: Method, path: &str, body: &str) -> Answer {
    let token = world.token.clone();
    let headers = [
        ("x-f5-auth-token", token.as_str()),
        ("content-type", "application/json"),
        ("x-f5-rest-coordination-id", id),
    ];
    world.raw(method, path, &headers, body)
}

fn add_record(world: &mut World, id: &str, mac: &str) -> Answer {
    let body = record(mac, ENDPOINT).to_string();
    add(world, id, Method::POST, RECORDS_URI, &body)
}

fn commit(world: &mut World, id: &str) -> Answer {
    world.patch(
        &format!("{TRANSACTIONS}/{id}"),
        &json!({ "state": "VALIDATING" }),
    )
}

/// 12.1.2; the number is the time in microseconds.
#[test]
fn new_transaction_matches_12_1_2() {
    let mut world = world_of(TmosVersion::V12_1);
    world.now = "2018-05-18T20:20:37.169915Z".parse().unwrap();
    let token = world.login("admin", "s3cret").json()["token"]["token"].clone();
    world.token = token.as_str().unwrap().to_owned();
    let answer = world.post(TRANSACTIONS, &json!({}));

    let recorded = r#"{"transId":1526674837169915,"state":"STARTED","timeoutSeconds":120,"asyncExecution":false,"validateOnly":false,"executionTimeout":300,"executionTime":0,"failureReason":"","kind":"tm:transactionstate","selfLink":"https://localhost/mgmt/tm/transaction/1526674837169915?ver=12.1.2"}"#;
    assert_eq!(answer.text, recorded);
    let second = open(&mut world);
    assert_eq!(second, "1526674837169916", "two at a time differ");
}

/// 12.1.2, in whatever order the fields of a body are.
#[test]
fn command_is_repeated_and_not_executed() {
    let mut world = world();
    let id = open(&mut world);
    let body = json!({ "records": [record(MAC, ENDPOINT)] }).to_string();
    let answer = add(&mut world, &id, Method::PUT, TUNNEL_URI, &body);
    let expected = json!({
        "method": "PUT",
        "uri": "https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan",
        "body": { "records": [record(MAC, ENDPOINT)] },
        "evalOrder": 1,
        "commandId": 1,
        "kind": "tm:transaction:commandsstate",
        "selfLink": format!("https://localhost/mgmt/tm/transaction/{id}/commands/1?ver=17.1.2.1"),
    });
    assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    assert!(world.stored().is_empty());

    let second = add(
        &mut world,
        &id,
        Method::DELETE,
        &format!("{RECORDS_URI}/{MAC}"),
        "",
    )
    .json();
    assert_eq!(
        (&second["commandId"], second.get("body")),
        (&json!(2), None)
    );
    let listed = world.get(&format!("{TRANSACTIONS}/{id}/commands")).json();
    assert_eq!(listed["items"], json!([expected, second]));
    let commands = format!("{TRANSACTIONS}/{id}/commands");
    assert_eq!(world.get(&format!("{commands}/2")).json(), second);
    for missing in [0, 3] {
        assert_eq!(world.get(&format!("{commands}/{missing}")).status, 404);
    }
}

/// f5-rest-client#36; there the slash at the end is repeated, too.
#[test]
fn command_is_addressed_by_a_number() {
    let mut world = world();
    let id = open(&mut world);
    let answer = world.get(&format!("{TRANSACTIONS}/{id}/commands/3/members/"));

    let recorded = r#"{"code":400,"message":"Found invalid command id 3/members","errorStack":[],"apiError":1}"#;
    assert_eq!(answer.text, recorded);
}

#[test]
fn commit_executes_all_commands_in_order() {
    let mut world = world();
    let id = open(&mut world);
    add_record(&mut world, &id, MAC);
    add_record(&mut world, &id, OTHER_MAC);
    add(
        &mut world,
        &id,
        Method::DELETE,
        &format!("{RECORDS_URI}/{MAC}"),
        "",
    );
    let answer = commit(&mut world, &id).json();
    assert_eq!(
        (&answer["state"], &answer["failureReason"]),
        (&json!("COMPLETED"), &json!(""))
    );
    assert_eq!(world.stored(), [pair(OTHER_MAC, ENDPOINT)]);
    assert_eq!(commit(&mut world, &id).status, 404, "it is over");
}

#[test]
fn later_commands_build_on_earlier_ones() {
    let mut world = world();
    let id = open(&mut world);
    let tunnel = json!({ "name": "t", "profile": "vxlan", "localAddress": "10.0.0.4" });
    let uri = "/mgmt/tm/net/tunnels/tunnel";
    add(&mut world, &id, Method::POST, uri, &tunnel.to_string());
    let records = "/mgmt/tm/net/fdb/tunnel/~Common~t/records";
    add(
        &mut world,
        &id,
        Method::POST,
        records,
        &record(MAC, ENDPOINT).to_string(),
    );
    let route = json!({ "name": "r", "network": "10.244.0.0/16", "tmInterface": "/Common/t" });
    add(
        &mut world,
        &id,
        Method::POST,
        "/mgmt/tm/net/route",
        &route.to_string(),
    );
    assert_eq!(world.get(records).status, 404);

    assert_eq!(commit(&mut world, &id).status, 200);
    assert_eq!(world.get(records).json()["items"][0]["name"], MAC);
    assert_eq!(world.get("/mgmt/tm/net/route/~Common~r").status, 200);
}

/// The prefix, status and `apiError` are recorded for a SNAT pool.
#[test]
fn one_refused_command_reverts_all() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    let before = world.get(TUNNEL_URI).text;
    let id = open(&mut world);
    add_record(&mut world, &id, OTHER_MAC);
    let tunnel = "/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan";
    add(&mut world, &id, Method::PATCH, tunnel, r#"{"key":7}"#);
    add_record(&mut world, &id, MAC);

    let answer = commit(&mut world, &id);
    assert_eq!(
        (answer.status, &answer.json()["apiError"]),
        (400, &json!(2))
    );
    let prefix = "transaction failed:01020066:3: The requested ";
    assert!(answer.message().starts_with(prefix), "{}", answer.text);
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
    assert_eq!(world.get(tunnel).json()["key"], 2);
    assert_eq!(world.get(TUNNEL_URI).text, before, "no number is taken");

    let shown = world.get(&format!("{TRANSACTIONS}/{id}")).json();
    assert_eq!(
        (&shown["state"], &shown["failureReason"]),
        (&json!("FAILED"), &json!(answer.message()))
    );
}

/// EC.
#[test]
fn empty_patch_fails_a_transaction() {
    let mut world = world();
    let id = open(&mut world);
    let tunnel = "/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan";
    add(&mut world, &id, Method::PATCH, tunnel, "{}");

    let recorded = r#"{"code":400,"message":"transaction failed:one or more properties must be specified","errorStack":[],"apiError":2}"#;
    assert_eq!(commit(&mut world, &id).text, recorded);
}

#[test]
fn unsimulated_command_is_501_in_a_transaction() {
    let mut world = world();
    let id = open(&mut world);
    add(&mut world, &id, Method::DELETE, TUNNEL_URI, "");
    let answer = commit(&mut world, &id);
    assert_eq!(answer.status, 501);
    assert!(
        answer.message().starts_with("bigip-sim does not simulate "),
        "{}",
        answer.text
    );

    for uri in ["/mgmt/tm/sys/config", "/mgmt/tm/cm"] {
        let answer = add(&mut world, &id, Method::POST, uri, r#"{"command":"save"}"#);
        assert_eq!(answer.status, 501, "{uri}");
    }
}

/// LAB.
#[test]
fn reads_and_commits_cannot_be_added_to_a_transaction() {
    let mut world = world();
    let id = open(&mut world);
    add_record(&mut world, &id, MAC);
    let uri = format!("{TRANSACTIONS}/{id}");
    for answer in [
        add(&mut world, &id, Method::GET, RECORDS_URI, ""),
        add(
            &mut world,
            &id,
            Method::PATCH,
            &uri,
            r#"{"state":"VALIDATING"}"#,
        ),
        add(&mut world, &id, Method::GET, &uri, ""),
    ] {
        assert_eq!(answer.status, 400);
        let message = answer.message();
        assert!(
            message.starts_with(&format!("Transaction {id} operation ")),
            "{message}"
        );
        assert!(
            message.ends_with(" is not allowed to be added to transaction."),
            "{message}"
        );
    }
    assert!(world.stored().is_empty());
}

/// f5-rest-client#36.
#[test]
fn idle_transaction_expires() {
    let mut world = world();
    let id = open(&mut world);
    world.pass(119);
    assert_eq!(
        add_record(&mut world, &id, MAC).status,
        200,
        "a use restarts the time"
    );
    world.pass(119);
    assert_eq!(add_record(&mut world, &id, OTHER_MAC).status, 200);
    world.pass(120);
    for answer in [
        add_record(&mut world, &id, MAC),
        commit(&mut world, &id),
        world.get(&format!("{TRANSACTIONS}/{id}")),
        add_record(&mut world, "no number", MAC),
    ] {
        assert_eq!(answer.status, 404);
        assert_eq!(answer.message(), "Missing transaction ID for this call.");
    }
    assert!(world.stored().is_empty());
}

#[test]
fn transaction_can_be_deleted_or_last_longer() {
    let mut world = world();
    let id = open(&mut world);
    let uri = format!("{TRANSACTIONS}/{id}");
    let longer = world.patch(&uri, &json!({ "timeoutSeconds": 300 })).json();
    assert_eq!(longer["timeoutSeconds"], 300);
    world.pass(299);
    assert_eq!(world.get(&uri).json()["state"], "STARTED");
    assert_eq!(world.delete(&uri).status, 200);
    assert_eq!(world.get(&uri).status, 404);

    let open = json!({ "asyncExecution": true });
    assert_eq!(world.post(TRANSACTIONS, &open).status, 501);
    for body in [
        json!({ "state": "DONE" }),
        json!({ "timeoutSeconds": "long" }),
        json!({}),
    ] {
        let id = self::open(&mut world);
        assert_eq!(
            world.patch(&format!("{TRANSACTIONS}/{id}"), &body).status,
            400,
            "{body}"
        );
    }
}

#[test]
fn dry_run_validates_and_changes_nothing() {
    let mut world = world();
    let dry = world
        .post(TRANSACTIONS, &json!({ "validateOnly": true }))
        .json()["transId"]
        .to_string();
    add_record(&mut world, &dry, MAC);
    assert_eq!(commit(&mut world, &dry).json()["state"], "COMPLETED");
    assert!(world.stored().is_empty());
    assert_eq!(world.state.mutations(), 0);
}

#[test]
fn body_is_validated_when_added() {
    let mut world = world();
    let id = open(&mut world);
    let answer = add(&mut world, &id, Method::POST, RECORDS_URI, "{");
    assert_eq!(answer.message(), "Found invalid JSON body in the request.");
    let listed = world.get(&format!("{TRANSACTIONS}/{id}/commands")).json();
    assert_eq!(listed["items"], json!([]));
}

#[test]
fn commands_count_as_mutations_on_commit() {
    let mut world = world();
    let id = open(&mut world);
    add_record(&mut world, &id, MAC);
    add_record(&mut world, &id, OTHER_MAC);
    assert_eq!(
        world.state.mutations(),
        0,
        "nothing was asked to change yet"
    );
    commit(&mut world, &id);
    assert_eq!(world.state.mutations(), 2);

    let refused = open(&mut world);
    add_record(&mut world, &refused, MAC);
    assert_eq!(commit(&mut world, &refused).status, 400);
    assert_eq!(
        world.state.mutations(),
        3,
        "as a refused request counts, too"
    );
    let dropped = open(&mut world);
    add_record(&mut world, &dropped, MAC);
    world.delete(&format!("{TRANSACTIONS}/{dropped}"));
    assert_eq!(world.state.mutations(), 3);

    let logged: Vec<Value> = world
        .state
        .requests()
        .filter(|request| request.is_queued)
        .map(|request| json!([request.record, request.is_mutation()]))
        .collect();
    assert_eq!(logged.len(), 4);
    assert_eq!(logged[0], json!([MAC, false]));
}
