//! Logins and tokens.

use bigip_sim::{Method, SimConfig, TmosVersion, TwoCredentials, UserConfig};
use serde_json::{Value, json};

use crate::support::{
    Answer, LOGIN_URI, RECORDS_URI, TUNNEL_URI, World, config, credentials, world, world_of,
};

fn token_uri(token: &str) -> String {
    format!("/mgmt/shared/authz/tokens/{token}")
}

#[track_caller]
fn assert_restjavad(answer: &Answer, code: u16, message: &str) {
    let body = answer.json();
    assert_eq!(answer.status, code);
    assert_eq!(body["code"], code);
    assert_eq!(body["message"], message);
    assert_eq!(body["kind"], ":resterrorresponse");
    assert_eq!(body["referer"], "10.144.138.84");
    assert!(body["restOperationId"].is_u64());
    assert!(body.get("apiError").is_none());
}

/// ANS unit fixture.
#[test]
fn login_returns_a_token_as_recorded() {
    let mut world = world();
    let answer = world.login("admin", "s3cret");
    let mut body = answer.json();
    let token = body["token"]["token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 26);
    assert!(
        token
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    );

    body["token"]["token"] = "3UCPWZW66ZHOR6BUMVW56F6Q6K".into();
    body["token"]["name"] = "3UCPWZW66ZHOR6BUMVW56F6Q6K".into();
    body["token"]["selfLink"] = body["token"]["selfLink"]
        .as_str()
        .unwrap()
        .replace(&token, "3UCPWZW66ZHOR6BUMVW56F6Q6K")
        .into();
    let recorded = json!({
        "username": "admin",
        "loginReference": { "link": "https://localhost/mgmt/cm/system/authn/providers/tmos/1f44a60e-11a7-3c51-a49f-82983026b41b/login" },
        "loginProviderName": "tmos",
        "token": {
            "token": "3UCPWZW66ZHOR6BUMVW56F6Q6K", "name": "3UCPWZW66ZHOR6BUMVW56F6Q6K",
            "userName": "admin", "authProviderName": "tmos",
            "user": { "link": "https://localhost/mgmt/shared/authz/users/admin" },
            "timeout": 1200, "startTime": "2019-12-03T13:25:10.321+0000", "address": "10.144.138.84",
            "partition": "[All]", "generation": 1, "lastUpdateMicros": 1_575_379_510_321_000_u64,
            "expirationMicros": 1_575_380_710_321_000_u64,
            "kind": "shared:authz:tokens:authtokenitemstate",
            "selfLink": "https://localhost/mgmt/shared/authz/tokens/3UCPWZW66ZHOR6BUMVW56F6Q6K",
        },
        "generation": 0, "lastUpdateMicros": 0,
    });
    assert_eq!((answer.status, body), (200, recorded));
}

/// CIS#1462, 15.1.2.1.
#[test]
fn wrong_password_is_refused_and_not_echoed() {
    let mut world = world();
    for (user, password) in [("admin", "wrong-one"), ("nobody", "wrong-one")] {
        let answer = world.login(user, password);
        assert_restjavad(&answer, 401, "Authentication failed.");
        assert!(!answer.text.contains("wrong-one"));
        let echo: Value =
            serde_json::from_str(answer.json()["originalRequestBody"].as_str().unwrap()).unwrap();
        assert_eq!(
            echo,
            json!({ "username": user, "loginProviderName": "tmos", "generation": 0, "lastUpdateMicros": 0 })
        );
    }
    assert_eq!((world.state.logins(), world.state.failed_logins()), (3, 2));
}

/// pr8kerl/f5er#18 and e-XpertSolutions/f5-rest-client#1.
#[test]
fn login_needs_a_known_provider() {
    let mut world = world();
    let mut body = credentials("admin", "s3cret");
    body["loginProviderName"] = "radius-x".into();
    let answer = world.raw(Method::POST, LOGIN_URI, &[], &body.to_string());
    assert_restjavad(&answer, 401, "loginProviderName is invalid.");

    body.as_object_mut().unwrap().remove("loginProviderName");
    assert_eq!(
        world
            .raw(Method::POST, LOGIN_URI, &[], &body.to_string())
            .status,
        400
    );
    assert_eq!(world.raw(Method::POST, LOGIN_URI, &[], "{").status, 400);
    assert_eq!(world.state.failed_logins(), 0, "no password was wrong");
}

/// ANS#269, CIS#3780.
#[test]
fn user_has_at_most_a_hundred_tokens() {
    let mut world = world();
    for _ in 1..100 {
        assert_eq!(world.login("admin", "s3cret").status, 200);
    }
    let message = "user admin has reached maximum active login tokens";
    assert_restjavad(&world.login("admin", "s3cret"), 400, message);
    assert_eq!(world.state.live_tokens("admin", world.now), 100);

    let token = world.token.clone();
    assert_eq!(world.delete(&token_uri(&token)).status, 200);
    assert_eq!(
        world.login("admin", "s3cret").status,
        200,
        "a place became free"
    );
    world.pass(1200);
    assert_eq!(world.state.live_tokens("admin", world.now), 0);
    assert_eq!(
        world.login("admin", "s3cret").status,
        200,
        "tokens that are over do not count"
    );
}

#[test]
fn account_can_be_exempt_from_the_token_limit() {
    let users = vec![UserConfig {
        token_limit: None,
        ..UserConfig::new("admin", "s3cret")
    }];
    let mut world = World::new(&SimConfig { users, ..config() });
    for _ in 0..100 {
        assert_eq!(world.login("admin", "s3cret").status, 200);
    }
}

/// ANS#2410, 15.1.5.1 and 17.1.1.2.
#[test]
fn token_expires_after_1200_seconds() {
    let mut world = world();
    world.pass(1199);
    assert_eq!(world.get(TUNNEL_URI).status, 200);
    world.pass(1);
    assert_restjavad(&world.get(TUNNEL_URI), 401, "X-F5-Auth-Token has expired.");
}

/// POSH-LTM-Rest#147.
#[test]
fn unknown_or_deleted_token_does_not_exist() {
    let mut world = world();
    let token = world.token.clone();
    world.delete(&token_uri(&token));
    assert_restjavad(
        &world.get(TUNNEL_URI),
        401,
        "X-F5-Auth-Token does not exist.",
    );

    world.token = "NEVERGIVENOUT".to_owned();
    assert_restjavad(
        &world.get(TUNNEL_URI),
        401,
        "X-F5-Auth-Token does not exist.",
    );
}

/// BRG `bigip/utils.go`.
#[test]
fn missing_credentials_are_refused() {
    let answer = world().raw(Method::GET, RECORDS_URI, &[], "");

    let message = format!(
        "Authorization failed: no user authentication header or token detected. \
         Uri:http://localhost:8100{RECORDS_URI} Referrer:10.144.138.84 Sender:10.144.138.84"
    );
    assert_restjavad(&answer, 401, &message);
}

/// As CIS is reported to send them; F5 supports it on all of these.
#[test]
fn token_beside_basic_counts_on_every_version() {
    for version in TmosVersion::ALL {
        let mut world = world_of(version);
        let token = world.token.clone();
        let headers = [
            ("x-f5-auth-token", &*token),
            ("authorization", "Basic YWRtaW46czNjcmV0"),
        ];
        let answer = world.raw(Method::GET, TUNNEL_URI, &headers, "");
        assert_eq!(answer.status, 200, "{version}");
    }
}

/// projectdiscovery/nuclei-templates#8701, 14.x: the page, its headers and its 381 bytes.
#[test]
fn wrong_basic_credentials_get_the_recorded_page() {
    let headers = [("authorization", "Basic YWRtaW46d3Jvbmc=")];
    let answer = world_of(TmosVersion::V14_1).raw(Method::GET, TUNNEL_URI, &headers, "");

    assert_eq!(answer.status, 401);
    assert_eq!(answer.text.len(), 381);
    assert!(
        answer
            .text
            .contains("<title>401 Unauthorized</title>\n</head><body>\n<h1>Unauthorized</h1>\n"),
        "{}",
        answer.text
    );
    assert_eq!(
        answer.header("content-type"),
        "text/html; charset=iso-8859-1"
    );
    assert_eq!(
        answer.header("www-authenticate"),
        "Basic realm=\"Enterprise Manager\""
    );
}

#[test]
fn basic_credentials_alone_are_accepted_unless_switched_off() {
    // admin:s3cret, admin:wrong, nobody:s3cret, not base64, another scheme.
    let good = "Basic YWRtaW46czNjcmV0";
    let bad = [
        "Basic YWRtaW46d3Jvbmc=",
        "Basic bm9ib2R5OnMzY3JldA==",
        "Basic ?",
        "Bearer x",
    ];
    let mut world = world();
    let ask = |world: &mut World, header| {
        let headers = [("authorization", header)];
        world.raw(Method::GET, TUNNEL_URI, &headers, "").status
    };
    assert_eq!(ask(&mut world, good), 200);
    for header in bad {
        assert_eq!(ask(&mut world, header), 401, "{header}");
    }
    assert_eq!(world.state.logins(), 1, "none of it is a login");
    assert_eq!(world.state.failed_logins(), 2, "two passwords were wrong");

    let mut world = World::new(&SimConfig {
        accepts_basic: false,
        ..config()
    });
    assert_eq!(ask(&mut world, good), 401);
}

#[test]
fn wrong_basic_credentials_lock_an_account() {
    let user = UserConfig {
        lock_after: Some(2),
        ..UserConfig::new("admin", "s3cret")
    };
    let mut world = World::new(&SimConfig {
        users: vec![user],
        ..config()
    });
    for _ in 0..2 {
        let headers = [("authorization", "Basic YWRtaW46d3Jvbmc=")];
        world.raw(Method::GET, TUNNEL_URI, &headers, "");
    }
    assert_eq!(world.login("admin", "s3cret").status, 401);
}

#[test]
fn two_credentials_are_taken_or_refused_as_switched() {
    for (version, switch, status) in [
        (TmosVersion::V17_1, TwoCredentials::Accepted, 200),
        (TmosVersion::V14_1, TwoCredentials::Refused, 401),
    ] {
        let mut world = World::new(&SimConfig {
            version,
            two_credentials: switch,
            ..config()
        });
        let token = world.token.clone();
        let headers = [
            ("x-f5-auth-token", &*token),
            ("authorization", "Basic YTpi"),
        ];
        let answer = world.raw(Method::GET, TUNNEL_URI, &headers, "");
        assert_eq!(answer.status, status, "{version}");
    }
}

#[test]
fn tokens_of_a_user_are_listed() {
    let mut world = world();
    world.login("admin", "s3cret");
    let list = world.get("/mgmt/shared/authz/tokens").json();

    assert_eq!(list["kind"], "shared:authz:tokens:authtokencollectionstate");
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

/// scottdware/go-bigip: the answer is flat, the new timeout counts from the start.
#[test]
fn token_can_be_extended() {
    let mut world = world();
    let uri = token_uri(&world.token.clone());
    world.pass(1000);
    let answer = world.patch(&uri, &json!({ "timeout": 3600 }));
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(
        (&body["timeout"], &body["generation"]),
        (&json!(3600), &json!(2))
    );
    assert_eq!(body["expirationMicros"], 1_575_383_110_321_000_u64);
    world.pass(2599);
    assert_eq!(world.get(&uri).json(), body);
    world.pass(1);
    assert_eq!(world.get(&uri).status, 401);
}

/// `DevCentral` 287462.
#[test]
fn token_lasts_at_most_ten_hours() {
    let mut world = world();
    let uri = token_uri(&world.token.clone());
    let message = "Auth-token absolute timeout (36000 seconds) exceeded";
    assert_restjavad(
        &world.patch(&uri, &json!({ "timeout": 36_001 })),
        406,
        message,
    );
    assert_eq!(world.patch(&uri, &json!({ "timeout": 0 })).status, 400);
    assert_eq!(world.patch(&uri, &json!({ "timeout": 36_000 })).status, 200);
}

#[test]
fn user_cannot_change_another_users_token() {
    let users = vec![
        UserConfig::new("admin", "s3cret"),
        UserConfig::new("op", "pw"),
    ];
    let mut world = World::new(&SimConfig { users, ..config() });
    let uri = token_uri(&world.token.clone());
    world.token = world.login("op", "pw").json()["token"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    for answer in [
        world.get(&uri),
        world.delete(&uri),
        world.patch(&uri, &json!({ "timeout": 1 })),
    ] {
        assert_eq!(answer.status, 400);
    }
    assert_eq!(world.state.live_tokens("admin", world.now), 1);
}

#[test]
fn changed_password_counts_from_the_next_login() {
    let mut world = world();
    world.state.set_password("admin", "changed");
    assert_eq!(world.get(TUNNEL_URI).status, 200);
    assert_eq!(world.login("admin", "s3cret").status, 401);
    assert_eq!(world.login("admin", "changed").status, 200);
}

#[test]
fn log_masks_tokens_and_logins_are_no_mutations() {
    let mut world = world();
    let token = world.token.clone();
    world.delete(&token_uri(&token));
    let log = format!("{:?}", world.state.requests().collect::<Vec<_>>());
    assert!(log.contains("/mgmt/shared/authz/tokens/***"), "{log}");
    assert!(!log.contains(&token), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
    assert_eq!(world.state.mutations(), 0);
}

#[test]
fn debug_output_holds_neither_passwords_nor_tokens() {
    let world = world();
    let shown = format!("{:?} {:?}", world.state, config());
    assert!(shown.contains("\"admin\""), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(!shown.contains(&world.token), "{shown}");
}
