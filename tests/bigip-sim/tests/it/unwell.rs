//! Answers that are not the device's own, and own ones that were changed.

use bigip_sim::{
    Answer, Commit, Effect, Fault, HeaderName, HeaderValue, Method, Preset, Reply, TmosVersion,
};
use serde_json::{Value, json};

use crate::support::{
    ENDPOINT, LOGIN_URI, MAC, RECORDS_URI, TUNNEL, TUNNEL_URI, World, credentials, pair, record,
    world, world_of,
};

const MACS: [&str; 3] = [
    "0a:0a:00:00:00:01",
    "0a:0a:00:00:00:02",
    "0a:0a:00:00:00:03",
];

/// A device with three records.
fn filled() -> World {
    let mut world = world();
    for mac in MACS {
        world.state.seed_record(TUNNEL, mac, ENDPOINT).unwrap();
    }
    world
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["name"].as_str().unwrap()).collect()
}

/// The presets by status and what their recorded bodies hold.
const PRESETS: [(Preset, u16, &str); 13] = [
    (
        Preset::Restarting,
        503,
        "Configuration Utility restarting...",
    ),
    (
        Preset::NotRegistered,
        404,
        "\"message\":\"Public URI path not registered: /tm/net/fdb/tunnel/~Common~flannel_vxlan\"",
    ),
    (
        Preset::NotRegisteredYet,
        404,
        "\"message\":\"URI path /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan not registered.  Please \
         verify URI is supported and wait for /available suffix to be responsive.\",\"restOp",
    ),
    (
        Preset::McpdLost,
        500,
        "{\"code\":500,\"message\":\"The connection to mcpd has been lost, try again.\",\
         \"errorStack\":[],\"apiError\":32768001}",
    ),
    (
        Preset::TaskActive,
        503,
        "{\"code\":503,\"message\":\"There is an active asynchronous task executing.\",\
         \"errorStack\":[],\"apiError\":32964609}",
    ),
    (
        Preset::ConnectionRefused,
        400,
        "\"message\":\"java.net.ConnectException: Connection refused (Connection refused)\"",
    ),
    (
        Preset::IcrdTimeout,
        400,
        "\"message\":\"remoteSender:10.144.138.84, method:GET \"",
    ),
    (
        Preset::JettyTimeout,
        500,
        "<tr><th>URI:</th><td>/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan</td></tr>",
    ),
    (
        Preset::Provisioning,
        400,
        "01071003:3: A previous provisioning operation is in progress. Try again when the BIGIP is \
         active.\",\"errorStack\":[],\"apiError\":3}",
    ),
    (
        Preset::DeviceIndex,
        400,
        "01070712:3: Cannot get device index for flannel_vxlan in rd0 - ioctl failed: No such device",
    ),
    (
        Preset::NoCredentials,
        401,
        "Authorization failed: no user authentication header or token detected. Uri:http://localhost:\
         8100/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan Referrer:10.144.138.84",
    ),
    (
        Preset::TokenExpired,
        401,
        "\"message\":\"X-F5-Auth-Token has expired.\"",
    ),
    (
        Preset::TokenUnknown,
        401,
        "\"message\":\"X-F5-Auth-Token does not exist.\"",
    ),
];

#[test]
fn every_preset_is_answered_as_recorded() {
    for preset in Preset::ALL {
        let mut known = PRESETS.iter();
        let (_, status, text) = known.find(|(known, ..)| *known == preset).unwrap();
        let mut world = world();
        world.state.fault(Fault::new(Effect::preset(preset)));
        let answer = world.get(TUNNEL_URI);
        assert_eq!(answer.status, *status, "{preset:?}");
        assert!(answer.text.contains(text), "{preset:?}: {}", answer.text);
        if matches!(preset, Preset::Restarting | Preset::JettyTimeout) {
            assert_eq!(answer.header("content-type"), "text/html");
        }
    }
}

/// BRG `bigip/utils.go:137`.
#[test]
fn early_refusal_does_not_name_its_sender() {
    for (preset, referer) in [
        (Preset::NotRegistered, json!("10.144.138.84")),
        (Preset::NotRegisteredYet, Value::Null),
    ] {
        let mut world = world();
        world.state.fault(Fault::new(Effect::preset(preset)));
        assert_eq!(world.get(TUNNEL_URI).json()["referer"], referer);
    }
}

#[test]
fn request_can_be_executed_and_still_refused() {
    let mut world = world();
    let effect = Effect {
        commit: Commit::Now,
        ..Effect::preset(Preset::IcrdTimeout)
    };
    world.state.fault(Fault::new(effect).method(Method::POST));
    assert_eq!(world.post(RECORDS_URI, &record(MAC, ENDPOINT)).status, 400);
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
}

#[test]
fn pretended_write_is_answered_and_changes_nothing() {
    let mut world = filled();
    world.state.fault(Fault::new(Effect::pretend()));
    let answer = world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    assert_eq!((answer.status, &answer.json()["name"]), (200, &json!(MAC)));
    assert_eq!(
        world.delete(&format!("{RECORDS_URI}/{}", MACS[0])).status,
        200
    );
    assert_eq!(world.stored().len(), 3);
    assert_eq!(world.state.mutations(), 2, "they were asked for");
    assert_eq!(
        world
            .delete(&format!("{RECORDS_URI}/0a:0a:00:00:00:04"))
            .status,
        404,
        "what is refused is refused still"
    );
}

#[test]
fn pretended_login_returns_an_invalid_token() {
    let mut world = world();
    let logins = world.state.logins();
    let login = Fault::new(Effect::pretend()).path(LOGIN_URI);
    world.state.fault(login);
    let answer = world.login("admin", "s3cret");
    world.token = answer.json()["token"]["token"].as_str().unwrap().to_owned();
    assert_eq!(
        world.get(TUNNEL_URI).message(),
        "X-F5-Auth-Token does not exist."
    );
    assert_eq!(world.state.logins(), logins);
}

#[test]
fn login_can_be_answered_without_its_token() {
    let mut world = world();
    let without = Effect::answer(Answer::Without("/token".to_owned()));
    world.state.fault(Fault::new(without).path(LOGIN_URI));
    let answer = world.login("admin", "s3cret");
    assert_eq!(
        (answer.status, &answer.json()["username"]),
        (200, &json!("admin"))
    );
    assert_eq!(answer.json().get("token"), None);
}

#[test]
fn every_token_can_be_refused_right_after_login() {
    let mut world = world();
    let refused = Fault::new(Effect::preset(Preset::TokenUnknown)).path("/mgmt/tm/*");
    world.state.fault(refused);
    assert_eq!(world.login("admin", "s3cret").status, 200);
    assert_eq!(world.get(TUNNEL_URI).status, 401);
}

#[test]
fn nested_member_can_be_missing() {
    let mut world = filled();
    for (pointer, left) in [("/items/1/endpoint", 3), ("/items/1", 2), ("/items/7", 3)] {
        let without = Effect::answer(Answer::Without(pointer.to_owned()));
        let id = world.state.fault(Fault::new(without));
        let list = world.get(RECORDS_URI).json();
        assert_eq!(names(&list).len(), left, "{pointer}");
        let has_endpoint = list["items"][1].get("endpoint").is_some();
        assert_eq!(has_endpoint, pointer != "/items/1/endpoint");
        world.state.remove_fault(id);
    }
}

#[test]
fn non_list_answer_is_not_truncated() {
    let mut world = filled();
    let own = world.get(TUNNEL_URI).json();
    for answer in [Answer::FirstItems(0), Answer::Page(1)] {
        let id = world.state.fault(Fault::new(Effect::answer(answer)));
        assert_eq!(world.get(TUNNEL_URI).json(), own);
        assert_eq!(world.get(&format!("{RECORDS_URI}/{MAC}")).status, 404);
        world.state.remove_fault(id);
    }
}

/// BRG `bigip/utils.go:141`.
#[test]
fn unloaded_device_reports_missing_objects() {
    let mut world = filled();
    let id = world
        .state
        .fault(Fault::new(Effect::answer(Answer::Unloaded)));
    let answer = world.get(RECORDS_URI);
    assert_eq!(answer.status, 404);
    assert!(
        answer
            .message()
            .starts_with("01020036:3: The requested FDB tunnel")
    );
    world.state.remove_fault(id);
    assert_eq!(names(&world.get(RECORDS_URI).json()), MACS);
}

#[test]
fn body_of_another_object_can_be_shown() {
    let mut world = filled();
    let other = "/mgmt/tm/net/fdb/tunnel/~Common~http-tunnel";
    let swapped = Effect::answer(Answer::Object(other.to_owned()));
    world.state.fault(Fault::new(swapped).path(TUNNEL_URI));
    let shown = world.get(TUNNEL_URI).json();
    assert_eq!(shown["fullPath"], "/Common/http-tunnel");
    let emptied = world.put(TUNNEL_URI, &json!({ "records": [] }));
    assert_eq!(emptied.json()["fullPath"], "/Common/http-tunnel");
    assert!(world.stored().is_empty(), "a write is carried out");
}

#[test]
fn any_answer_can_carry_further_headers() {
    let mut world = world();
    let later = Effect::preset(Preset::TaskActive).header(
        HeaderName::from_static("retry-after"),
        HeaderValue::from_static("30"),
    );
    let elsewhere = Effect::status(302, "application/json", "").header(
        HeaderName::from_static("location"),
        HeaderValue::from_static("https://192.0.2.1/"),
    );
    world.state.fault(Fault::new(later).nth(1));
    world.state.fault(Fault::new(elsewhere).nth(2));
    let answer = world.get(TUNNEL_URI);
    assert_eq!((answer.status, answer.header("retry-after")), (503, "30"));
    let answer = world.get(TUNNEL_URI);
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, "https://192.0.2.1/")
    );
}

#[test]
fn abandoned_write_lands_with_its_permissions_at_arrival() {
    let mut world = world();
    let id = world
        .state
        .fault(Fault::new(Effect::drop_then_commit()).method(Method::POST));
    let body = record(MAC, ENDPOINT).to_string();
    let request = world.request(Method::POST, RECORDS_URI, &body);
    let Reply::Late(first, held) = world.ask(&request) else {
        panic!("not late")
    };
    assert!(matches!(*first, Reply::Drop));
    assert!(world.stored().is_empty());
    assert_eq!(world.state.held_by(id).count(), 1);

    let token = world.token.clone();
    world.delete(&format!("/mgmt/shared/authz/tokens/{token}"));
    world.state.remove_fault(id);
    assert!(!world.state.holds(&held));
    let now = world.now;
    assert!(matches!(
        world.state.resume(&request, &held, now),
        Reply::Drop
    ));
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
    assert_eq!(world.state.held_requests(), 0);
}

#[test]
fn late_write_of_unknown_user_never_lands() {
    let mut world = world();
    let id = world.state.fault(Fault::new(Effect::stall()));
    world.token = "NEVERGIVENOUT".to_owned();
    let body = record(MAC, ENDPOINT).to_string();
    let request = world.request(Method::POST, RECORDS_URI, &body);
    let Reply::Hold(held) = world.ask(&request) else {
        panic!("not held")
    };
    world.state.remove_fault(id);
    let now = world.now;
    let Reply::Answer(response) = world.state.resume(&request, &held, now) else {
        panic!("not answered")
    };
    assert_eq!(response.status(), 401);
    assert!(world.stored().is_empty());
}

#[test]
fn write_can_be_answered_at_once_and_executed_later() {
    let mut world = world();
    let effect = Effect {
        commit: Commit::Late,
        late_ms: Some(5000),
        ..Effect::default()
    };
    world.state.fault(Fault::new(effect).method(Method::POST));
    let body = record(MAC, ENDPOINT).to_string();
    let request = world.request(Method::POST, RECORDS_URI, &body);
    let Reply::Late(first, held) = world.ask(&request) else {
        panic!("not late")
    };
    let Reply::Answer(response) = *first else {
        panic!("not answered")
    };
    assert_eq!(
        (response.status().as_u16(), held.late_ms()),
        (200, Some(5000))
    );
    assert!(world.stored().is_empty());
    let now = world.now;
    world.state.resume(&request, &held, now);
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
}

/// BIGREST#20: more than 30 s on 15.1.6.1.
#[test]
fn login_with_an_authorization_header_is_slow_on_15_1() {
    for version in TmosVersion::ALL {
        let mut world = world_of(version);
        let body = credentials("admin", "s3cret").to_string();
        let mut request = world.request(Method::POST, LOGIN_URI, &body);
        let basic = HeaderValue::from_static("Basic YTpi");
        request.headers_mut().remove("x-f5-auth-token");
        request.headers_mut().insert("authorization", basic);
        let reply = match world.ask(&request) {
            Reply::Hold(held) => {
                assert_eq!(
                    (version, held.late_ms()),
                    (TmosVersion::V15_1, Some(30_000))
                );
                assert!(world.state.holds(&held));
                let now = world.now;
                world.state.resume(&request, &held, now)
            }
            reply => {
                assert_ne!(version, TmosVersion::V15_1);
                reply
            }
        };
        assert!(
            matches!(&reply, Reply::Answer(response) if response.status() == 200),
            "{reply:?}"
        );
    }
}
