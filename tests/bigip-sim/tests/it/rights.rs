//! Accounts that may not do everything, or not any more.

use bigip_sim::{Rights, SimConfig, TmosVersion, TunnelConfig, UserConfig};
use serde_json::json;

use crate::support::{
    Answer, ENDPOINT, MAC, RECORDS_URI, TUNNEL_URI, World, config, pair, record, world,
};

const OTHER_URI: &str = "/mgmt/tm/net/fdb/tunnel/~lab~t/records";

/// A device on which `admin` is logged in and `op` has these rights, in the name of `op`.
fn world_with(rights: Rights) -> World {
    let op = UserConfig {
        rights,
        ..UserConfig::new("op", "pw")
    };
    let mut config = config();
    config.users.push(op);
    config
        .tunnels
        .push(TunnelConfig::vxlan("/lab/t", "10.169.72.35"));
    let mut world = World::new(&config);
    world.token = token_of(&world.login("op", "pw"));
    world
}

fn token_of(login: &Answer) -> String {
    login.json()["token"]["token"].as_str().unwrap().to_owned()
}

/// The answers to all kinds of change.
fn changes(world: &mut World) -> [(&'static str, Answer); 5] {
    let item = format!("{RECORDS_URI}/{MAC}");
    let save = json!({ "command": "save" });
    [
        ("create", world.post(RECORDS_URI, &record(MAC, ENDPOINT))),
        (
            "modify",
            world.patch(&item, &json!({ "endpoint": ENDPOINT })),
        ),
        ("modify", world.put(TUNNEL_URI, &json!({ "records": [] }))),
        ("delete", world.delete(&item)),
        ("create", world.post("/mgmt/tm/sys/config", &save)),
    ]
}

/// TF#160 on 12.1.3.6, AS3#420 on 15.1.1.
#[test]
fn user_without_role_gets_401_for_everything() {
    let mut world = world_with(Rights::None);
    let looked = world.get(RECORDS_URI);
    assert_eq!(looked.status, 401);
    let message = format!(
        "Authorization failed: user=https://localhost/mgmt/shared/authz/users/op \
         resource={RECORDS_URI} verb=GET uri:http://localhost:8100{RECORDS_URI} \
         referrer:10.144.138.84 sender:10.144.138.84"
    );
    assert_eq!(looked.message(), message);
    assert_eq!(looked.json()["kind"], ":resterrorresponse");
    for (_, answer) in changes(&mut world) {
        assert_eq!(answer.status, 401);
    }
    assert_eq!(world.state.failed_logins(), 0, "no password was wrong");
}

#[test]
fn read_only_user_gets_401_for_changes() {
    let mut world = world_with(Rights::ReadOnly);
    assert_eq!(world.get(RECORDS_URI).status, 200);
    for (_, answer) in changes(&mut world) {
        assert_eq!(answer.status, 401);
        let message = answer.message();
        assert!(
            message.starts_with("Authorization failed: user="),
            "{message}"
        );
    }
    assert!(world.stored().is_empty());
}

/// FCP#1516, 13.0; ANS#1175.
#[test]
fn operator_role_is_refused_changes_by_mcpd() {
    let mut world = world_with(Rights::Operator);
    assert_eq!(world.get(RECORDS_URI).status, 200);
    for (access, answer) in changes(&mut world) {
        assert_eq!(
            (answer.status, &answer.json()["apiError"]),
            (400, &json!(3))
        );
        let message = answer.message();
        let start = format!(
            "01070822:3: Access Denied: user (op) does not have {access} access to object ("
        );
        assert!(message.starts_with(&start), "{message}");
    }
    assert!(world.stored().is_empty());
}

/// TF#333.
#[test]
fn manager_writes_in_only_one_partition() {
    let mut world = world_with(Rights::Manager("lab".to_owned()));
    assert_eq!(world.post(OTHER_URI, &record(MAC, ENDPOINT)).status, 200);
    assert_eq!(world.get(RECORDS_URI).status, 200, "it may look");
    let refused = world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    assert_eq!(refused.status, 400);
    let message = "01070824:3: Write Access Denied: user (op) does not have update access to \
                   partition (Common), check your current \"update/write\" partition settings";
    assert_eq!(refused.message(), message);
    assert!(world.stored().is_empty());
    let save = json!({ "command": "save" });
    assert_eq!(world.post("/mgmt/tm/sys/config", &save).status, 200);
    for (body, partition) in [
        (json!({ "name": "x" }), Some("Common")),
        (json!({ "name": "x", "partition": "other" }), Some("other")),
        (json!({ "name": "/other/x" }), Some("other")),
        (json!({ "name": "x", "partition": "lab" }), None),
        (json!({ "name": "/lab/x" }), None),
    ] {
        let answer = world.post("/mgmt/tm/net/self", &body);
        let refusal = partition.map(|partition| format!("partition ({partition})"));
        let is_refused = answer.text.contains("01070824");
        assert_eq!(is_refused, refusal.is_some(), "{}", answer.text);
        if let Some(refusal) = refusal {
            assert!(answer.message().contains(&refusal), "{}", answer.text);
        }
    }
}

#[test]
fn rights_can_be_taken_away_and_given_back() {
    let mut world = world_with(Rights::All);
    let mut op = UserConfig::new("op", "pw");
    op.rights = Rights::ReadOnly;
    world.state.set_user(&op);
    assert_eq!(world.post(RECORDS_URI, &record(MAC, ENDPOINT)).status, 401);
    op.rights = Rights::All;
    world.state.set_user(&op);
    assert_eq!(world.post(RECORDS_URI, &record(MAC, ENDPOINT)).status, 200);
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
}

#[test]
fn administrator_sets_a_new_password_by_patch() {
    let mut world = world_with(Rights::All);
    let user = "/mgmt/tm/auth/user/op";
    let answer = world.patch(user, &json!({ "password": "rotated" }));
    assert_eq!(
        (answer.status, answer.json()["name"].as_str()),
        (200, Some("op"))
    );
    assert!(!answer.text.contains("rotated"));
    assert_eq!(world.login("op", "rotated").status, 200);
    assert_eq!(world.login("op", "pw").status, 401);
}

#[test]
fn other_changes_of_a_user_are_not_simulated() {
    let mut world = world_with(Rights::All);
    let user = "/mgmt/tm/auth/user/op";
    for body in [
        json!({ "shell": "bash" }),
        json!({}),
        json!({ "password": "" }),
    ] {
        assert_eq!(world.patch(user, &body).status, 501, "{body}");
    }
    let missing = world.patch("/mgmt/tm/auth/user/none", &json!({ "password": "new" }));
    assert_eq!(missing.status, 404);
}

#[test]
fn manager_sets_no_password() {
    let mut world = world_with(Rights::Manager("Common".to_owned()));
    let answer = world.patch("/mgmt/tm/auth/user/op", &json!({ "password": "new" }));
    assert!(answer.text.contains("01070822"), "{}", answer.text);
    assert_eq!(world.login("op", "new").status, 401);
}

#[test]
fn account_locks_after_wrong_passwords_until_unlocked() {
    let users = vec![UserConfig {
        lock_after: Some(3),
        ..UserConfig::new("admin", "s3cret")
    }];
    let mut world = World::new(&SimConfig { users, ..config() });
    for _ in 0..2 {
        assert_eq!(world.login("admin", "wrong").status, 401);
    }
    assert_eq!(world.login("admin", "s3cret").status, 200, "not yet");
    for _ in 0..3 {
        assert_eq!(world.login("admin", "wrong").status, 401);
    }
    let locked = world.login("admin", "s3cret");
    assert_eq!(
        (locked.status, &*locked.message()),
        (401, "Authentication failed.")
    );
    assert_eq!(world.get(TUNNEL_URI).status, 200, "tokens stay good");
    world.state.set_password("admin", "changed");
    assert_eq!(world.login("admin", "changed").status, 401);
    assert_eq!(world.state.failed_logins(), 7);

    assert!(world.state.unlock_user("admin"));
    assert!(!world.state.unlock_user("nobody"));
    assert_eq!(world.login("admin", "changed").status, 200);
}

/// scottdware/go-bigip#36.
#[test]
fn token_of_a_deleted_user_is_refused_by_name() {
    let mut world = world();
    assert!(world.state.remove_user("admin"));
    assert!(!world.state.remove_user("admin"));
    let answer = world.get(TUNNEL_URI);
    assert_eq!(answer.status, 401);
    let message = format!(
        "Authorization failed: no user named admin found. Uri:http://localhost:8100{TUNNEL_URI} \
         Referrer:10.144.138.84 Sender:10.144.138.84"
    );
    assert_eq!(answer.message(), message);
    assert_eq!(
        world.login("admin", "s3cret").message(),
        "Authentication failed."
    );
}

/// A device of 17.1 that leaks tokens, on which this user may hold two.
fn leaking(user: &str) -> World {
    let limited = UserConfig {
        token_limit: Some(2),
        ..UserConfig::new(user, "s3cret")
    };
    let mut config = SimConfig {
        leaks_tokens: true,
        ..config()
    };
    config.users.push(limited);
    World::new(&config)
}

/// ID1787517 on 17.1.2.x (AST#125, AST#151).
#[test]
fn leaking_device_counts_expired_and_deleted_tokens() {
    let mut world = leaking("op");
    world.token = token_of(&world.login("op", "s3cret"));
    let uri = format!("/mgmt/shared/authz/tokens/{}", world.token);
    assert_eq!(world.delete(&uri).status, 200);
    assert_eq!(
        world.get(TUNNEL_URI).message(),
        "X-F5-Auth-Token does not exist."
    );
    assert_eq!(world.login("op", "s3cret").status, 200);
    world.pass(1200);
    assert_eq!(world.state.live_tokens("op", world.now), 0);
    let refused = world.login("op", "s3cret");
    assert_eq!(
        (refused.status, &*refused.message()),
        (400, "user op has reached maximum active login tokens")
    );
    world.state.reboot();
    assert_eq!(world.login("op", "s3cret").status, 200);
}

#[test]
fn built_in_user_is_exempt_from_the_token_leak() {
    let mut world = leaking("admin");
    for _ in 0..3 {
        world.token = token_of(&world.login("admin", "s3cret"));
        let uri = format!("/mgmt/shared/authz/tokens/{}", world.token);
        assert_eq!(world.delete(&uri).status, 200);
    }
}

/// AS3 best practices: 13.1 and later.
#[test]
fn tokens_are_not_counted_before_13_1() {
    for (version, status) in [(TmosVersion::V12_1, 200), (TmosVersion::V13_1, 400)] {
        let users = vec![UserConfig {
            token_limit: Some(1),
            ..UserConfig::new("admin", "s3cret")
        }];
        let mut world = World::new(&SimConfig {
            users,
            version,
            ..config()
        });
        assert_eq!(world.login("admin", "s3cret").status, status);
    }
}
