//! Random requests, sensible and not: every one is answered in a form a device has, and what is refused
//! changes nothing.

use std::fmt::Write;

use bigip_sim::{Method, SimConfig, TunnelConfig};
use hyper::Uri;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::support::{Answer, World, config, request};

/// Enough that every kind of object is made, changed, refused and deleted many times.
const CASES: u32 = 192;
/// Requests of one history.
const LENGTH_MAX: usize = 24;

/// The lists of objects, with what makes one.
const KINDS: [(&str, &str); 9] = [
    (
        "net/tunnels/tunnel",
        r#"{"profile":"vxlan","localAddress":"10.0.0.4"}"#,
    ),
    ("net/tunnels/vxlan", r#"{"port":8472}"#),
    ("net/tunnels/geneve", "{}"),
    ("net/self", r#"{"address":"10.1.1.1/24","vlan":"t"}"#),
    (
        "net/route",
        r#"{"network":"10.2.0.0/16","tmInterface":"t"}"#,
    ),
    ("net/route-domain", r#"{"id":1,"vlans":["t"]}"#),
    (
        "net/arp",
        r#"{"ipAddress":"10.1.1.9","macAddress":"0a:0a:0a:0a:0a:0a"}"#,
    ),
    ("auth/partition", "{}"),
    ("sys/folder", r#"{"partition":"/"}"#),
];

/// Other paths, with a body that makes sense there.
const OTHERS: [(&str, &str); 13] = [
    (
        "net/fdb/tunnel/~Common~t",
        r#"{"records":[{"name":"0a:0a:0a:0a:0a:0b","endpoint":"10.9.9.9"}]}"#,
    ),
    (
        "net/fdb/tunnel/~Common~t/records",
        r#"{"name":"0a:0a:0a:0a:0a:0a","endpoint":"10.9.9.9"}"#,
    ),
    (
        "net/fdb/tunnel/t/records/0a:0a:0a:0a:0a:0a",
        r#"{"endpoint":"10.9.9.8"}"#,
    ),
    ("net/fdb/tunnel", "{}"),
    ("net/tunnels/tunnel/stats", "{}"),
    ("net/arp/stats", "{}"),
    ("sys/db/icrd.timeout", r#"{"value":"90"}"#),
    ("sys/config", r#"{"command":"save"}"#),
    (
        "cm",
        r#"{"command":"run","utilCmdArgs":"config-sync to-group gtm"}"#,
    ),
    ("cm/device-group/~Common~gtm/devices", "{}"),
    ("transaction", r#"{"validateOnly":true}"#),
    ("transaction/1", r#"{"state":"VALIDATING"}"#),
    ("sys/ready", "{}"),
];

const QUERIES: [&str; 5] = [
    "?expandSubcollections=true",
    "?$top=1&$skip=1",
    "?$select=name,%C3%28",
    "?$filter=partition+eq+Common",
    "?nonsense&ver=11.5.0",
];

/// One thing that is done to the device.
#[derive(Debug, Clone)]
enum Step {
    Send {
        method: Method,
        path: String,
        body: String,
        /// Whether it names the open transaction.
        is_queued: bool,
    },
    /// Commits the open transaction, and opens another.
    Commit,
}

fn value() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        "t",
        "u",
        "P",
        "/",
        "Common",
        "/Common/t",
        "/P/t",
        "vxlan",
        "/Common/u",
        "a~b",
        "x/y",
        "10.0.0.4",
        "10.0.0.5%1",
        "any6",
        "10.1.1.1/24",
        "10.1.1.1%1/24",
        "10.2.0.0%1/16",
        "default",
        "fd00::1/64",
        "::/0",
        "10.1.1.9",
        "0a:0a:0a:0a:0a:0a",
        "enabled",
        "traffic-group-1",
        "none",
    ];
    let odd = [
        Value::Null,
        json!(true),
        json!(0),
        json!(1),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(4_294_967_296_u64),
        json!([]),
        json!(["t"]),
        json!(["t", 1]),
        json!([{ "name": "0a:0a:0a:0a:0a:0c" }]),
        json!({}),
    ];
    prop_oneof![
        2 => select(texts.to_vec()).prop_map(Value::from),
        1 => select(odd.to_vec()),
    ]
}

/// A body that makes sense with some properties replaced, so that it often still does.
fn body(template: &'static str) -> impl Strategy<Value = String> {
    let properties = [
        "name",
        "partition",
        "subPath",
        "profile",
        "localAddress",
        "remoteAddress",
        "key",
        "mtu",
        "description",
        "defaultsFrom",
        "floodingType",
        "port",
        "address",
        "vlan",
        "traffic-group",
        "allowService",
        "network",
        "gw",
        "tmInterface",
        "id",
        "vlans",
        "ipAddress",
        "macAddress",
        "defaultRouteDomain",
        "records",
        "endpoint",
        "value",
        "state",
        "command",
        "vni",
    ];
    let replaced = (select(properties.to_vec()), value());
    let replaced = prop_oneof![
        2 => Just(Vec::new()),
        1 => proptest::collection::vec(replaced, 1..3),
    ];
    let sensible =
        (select(&["u", "u", "t", "P", "1"][..]), replaced).prop_map(|(name, replaced)| {
            let mut body: Map<String, Value> = serde_json::from_str(template).unwrap();
            body.entry("name").or_insert_with(|| name.into());
            body.extend(
                replaced
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value)),
            );
            Value::Object(body).to_string()
        });
    prop_oneof![12 => sensible, 1 => "[ -~]{0,20}"]
}

/// A request as a client with a plan sends it.
fn sensible() -> impl Strategy<Value = (Method, String, String)> {
    let methods = [Method::PATCH, Method::PUT, Method::DELETE, Method::GET];
    let object = select(&KINDS[..]).prop_flat_map(move |(path, template)| {
        let made = body(template).prop_map(move |body| (Method::POST, path.to_owned(), body));
        let changed = (select(methods.to_vec()), item(), body(template))
            .prop_map(move |(method, item, body)| (method, format!("{path}{item}"), body));
        prop_oneof![3 => made, 2 => changed]
    });
    let other = (any_method(), select(&OTHERS[..])).prop_flat_map(|(method, (path, template))| {
        (Just(method), Just(path.to_owned()), body(template))
    });
    prop_oneof![3 => object, 1 => other]
}

fn any_method() -> impl Strategy<Value = Method> {
    let all = [
        Method::POST,
        Method::GET,
        Method::PATCH,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
    ];
    select(all.to_vec())
}

fn item() -> impl Strategy<Value = String> {
    let items = [
        "/~Common~t",
        "/~Common~u",
        "/~P~t",
        "/u",
        "/P",
        "/~P",
        "/~Common~1",
        "/~",
    ];
    select(items.to_vec()).prop_map(str::to_owned)
}

fn request_step() -> impl Strategy<Value = Step> {
    let wild = (any_method(), "[a-z~/%0-9.:-]{0,30}", body("{}"));
    let target = prop_oneof![12 => sensible(), 1 => wild];
    let query = prop_oneof![12 => Just(""), 1 => select(&QUERIES[..])];
    let is_queued = proptest::bool::weighted(0.4);
    (target, query, is_queued).prop_map(|((method, path, body), query, is_queued)| {
        let path = format!("/mgmt/tm/{path}{query}");
        Step::Send {
            method,
            path,
            body,
            is_queued,
        }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![8 => request_step(), 1 => Just(Step::Commit)];
    proptest::collection::vec(step, 1..LENGTH_MAX)
}

/// Everything that can be seen of the configuration.
fn seen(world: &mut World) -> String {
    let mut seen = String::new();
    for (path, _) in KINDS {
        let _ = writeln!(seen, "{}", world.get(&format!("/mgmt/tm/{path}")).text);
    }
    for path in [
        "net/fdb/tunnel?expandSubcollections=true",
        "sys/db",
        "cm/sync-status",
    ] {
        let _ = writeln!(seen, "{}", world.get(&format!("/mgmt/tm/{path}")).text);
    }
    let _ = writeln!(seen, "{:?}", world.state.saved_records("/Common/t"));
    seen
}

fn open(world: &mut World) -> String {
    let answer = world.post("/mgmt/tm/transaction", &json!({}));
    answer.json()["transId"].to_string()
}

/// Carries out a step; `None` if no client could send it.
fn take(world: &mut World, transaction: &str, step: &Step) -> Option<Answer> {
    let Step::Send {
        method,
        path,
        body,
        is_queued,
    } = step
    else {
        let path = format!("/mgmt/tm/transaction/{transaction}");
        return Some(world.patch(&path, &json!({ "state": "VALIDATING" })));
    };
    path.parse::<Uri>().ok()?;
    let token = world.token.clone();
    let mut headers = vec![
        ("x-f5-auth-token", token.as_str()),
        ("content-type", "application/json"),
    ];
    if *is_queued {
        headers.push(("x-f5-rest-coordination-id", transaction));
    }
    Some(world.answer_to(&request(method.clone(), path, &headers, body)))
}

/// Whether it must not change anything, whatever it is answered.
fn is_harmless(step: &Step) -> bool {
    match step {
        Step::Send {
            method, is_queued, ..
        } => *is_queued || *method == Method::GET,
        Step::Commit => false,
    }
}

/// Nothing, or an object; and a refusal in one of the two forms that devices have.
fn check_form(answer: &Answer) -> Result<(), TestCaseError> {
    if answer.status == 200 && answer.text.is_empty() {
        return Ok(());
    }
    let parsed: Result<Map<String, Value>, _> = serde_json::from_str(&answer.text);
    let Ok(body) = parsed else {
        return Err(TestCaseError::fail(format!("no object: {}", answer.text)));
    };
    if answer.status == 200 {
        return Ok(());
    }
    prop_assert_eq!(&body["code"], &json!(answer.status));
    prop_assert!(body["message"].is_string());
    let is_icrd = body.get("errorStack") == Some(&json!([])) && body.contains_key("apiError");
    let is_restjavad = body.get("kind") == Some(&json!(":resterrorresponse"));
    prop_assert!(is_icrd != is_restjavad, "{}", answer.text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn every_request_is_answered_and_a_refused_one_changes_nothing(steps in steps()) {
        let tunnels = vec![TunnelConfig::vxlan("/Common/t", "10.0.0.4")];
        let mut world = World::new(&SimConfig { tunnels, ..config() });
        let mut transaction = open(&mut world);
        let mut before = seen(&mut world);
        for step in &steps {
            let Some(answer) = take(&mut world, &transaction, step) else {
                continue;
            };
            check_form(&answer)?;
            let after = seen(&mut world);
            if answer.status != 200 || is_harmless(step) {
                prop_assert_eq!(&after, &before, "{:?}: {}", step, answer.text);
            }
            before = after;
            if matches!(step, Step::Commit) {
                transaction = open(&mut world);
            }
        }
    }
}
