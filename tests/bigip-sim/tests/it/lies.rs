//! Answers that are not true, late or broken, and faults that come from a script.

use bigip_sim::{Answer, Commit, Delivery, Effect, Fault, Method, Preset, Reply};

use crate::support::{ENDPOINT, MAC, RECORDS_URI, World, answer, pair, record, world};

const OTHER: &str = "0a:0a:0a:a9:48:f0";

fn with_two_records() -> World {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    world.post(RECORDS_URI, &record(OTHER, "10.169.72.240%0"));
    world
}

fn names(list: &serde_json::Value) -> Vec<&str> {
    let items = list["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

fn lists(answer: Answer) -> Fault {
    Fault::new(Effect::answer(answer))
        .path_ends_with("/records")
        .method(Method::GET)
}

#[test]
fn list_can_omit_records_without_notice() {
    let mut world = with_two_records();
    world.state.fault(lists(Answer::FirstItems(1)));
    let list = world.get(RECORDS_URI).json();
    assert_eq!(names(&list), [MAC]);
    assert_eq!(list.get("nextLink"), None);
    assert_eq!(world.stored().len(), 2);
}

#[test]
fn pages_of_a_list_add_up_to_the_whole() {
    let mut world = with_two_records();
    world.state.fault(lists(Answer::Page(1)));
    let first = world.get(RECORDS_URI).json();
    let link = first["nextLink"].as_str().unwrap();
    let (_, next) = link.split_once("localhost").unwrap();
    let second = world.get(next).json();
    assert_eq!((names(&first), names(&second)), (vec![MAC], vec![OTHER]));
    assert_eq!(second.get("nextLink"), None);
}

#[test]
fn list_can_lack_its_items_or_be_stale() {
    let mut world = with_two_records();
    let without = world
        .state
        .fault(lists(Answer::Without("/items".to_owned())));
    assert_eq!(world.get(RECORDS_URI).json().get("items"), None);
    world.state.remove_fault(without);

    world.state.fault(lists(Answer::Stale));
    world.delete(&format!("{RECORDS_URI}/{MAC}"));
    assert_eq!(names(&world.get(RECORDS_URI).json()), [MAC, OTHER]);
    assert_eq!(world.stored().len(), 1);
}

#[test]
fn answer_can_be_about_another_object() {
    let mut world = with_two_records();
    let other = format!("{RECORDS_URI}/{OTHER}");
    let one = Fault::new(Effect::answer(Answer::Object(other))).path_ends_with(MAC);
    world.state.fault(one);
    let read = world.get(&format!("{RECORDS_URI}/{MAC}")).json();
    assert_eq!(read["name"], OTHER);
}

#[test]
fn unmade_write_can_be_answered_as_made() {
    let mut world = world();
    let writes = Fault::new(Effect::pretend()).method(Method::POST);
    world.state.fault(writes.path_contains("/records"));
    let answered = world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    assert_eq!(
        (answered.status, answered.json()["name"].as_str()),
        (200, Some(MAC))
    );
    assert!(world.stored().is_empty());
}

#[test]
fn write_can_land_after_its_connection_closed() {
    let mut world = world();
    let writes = Fault::new(Effect::drop_then_commit()).method(Method::POST);
    let id = world.state.fault(writes.path_contains("/records"));
    let request = world.request(
        Method::POST,
        RECORDS_URI,
        &record(MAC, ENDPOINT).to_string(),
    );
    let Reply::Late(first, held) = world.ask(&request) else {
        panic!("it is not late");
    };
    assert!(matches!(*first, Reply::Drop), "{first:?}");
    assert!(world.stored().is_empty() && world.state.holds(&held));
    world.state.remove_fault(id);
    assert!(!world.state.holds(&held));
    world.state.resume(&request, &held, world.now);
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
}

#[test]
fn every_preset_refuses_and_changes_nothing() {
    for preset in Preset::ALL {
        let mut world = world();
        world.state.fault(Fault::new(Effect::preset(preset)));
        let refused = world.post(RECORDS_URI, &record(MAC, ENDPOINT));
        assert!(refused.status >= 400, "{preset:?}");
        assert!(world.stored().is_empty(), "{preset:?}");
    }
}

#[test]
fn reply_carries_its_broken_delivery() {
    for delivery in [Delivery::Reset, Delivery::Close, Delivery::Endless] {
        let mut world = world();
        let effect = Effect {
            delivery,
            ..Effect::default()
        };
        world
            .state
            .fault(Fault::new(effect).path_contains("/records"));
        let request = world.request(Method::GET, RECORDS_URI, "");
        let Reply::Broken(response, told) = world.ask(&request) else {
            panic!("{delivery:?} is not told");
        };
        assert_eq!((told, answer(&response).status), (delivery, 200));
    }
}

#[test]
fn script_equals_the_faults_in_code() {
    let script = r#"[
        {"method": "POST", "path": "*/records", "nth": 2, "effect": {"commit": "late", "delivery": "drop"}},
        {"path": "/mgmt/tm/*", "from": 3, "times": 4, "effect": {"answer": {"preset": "mcpd-lost"}}},
        {"effect": {"answer": {"page": 60}}},
        {"effect": {"answer": {"given": {"status": 503, "json": {"code": 503}}}, "headers": {"Retry-After": "7"}}},
        {"effect": {"delivery": {"drip": {"interval_ms": 5}}}}
    ]"#;
    let faults = Fault::parse_script(script).unwrap();
    let late = Effect {
        commit: Commit::Late,
        delivery: Delivery::Drop,
        ..Effect::default()
    };
    assert_eq!(
        faults[0],
        Fault::new(late)
            .method(Method::POST)
            .path("*/records")
            .nth(2)
    );
    let lost = Effect::preset(Preset::McpdLost);
    assert_eq!(
        faults[1],
        Fault::new(lost).path("/mgmt/tm/*").from(3).times(4)
    );
    assert_eq!(faults[2], Fault::new(Effect::answer(Answer::Page(60))));
    let mut world = world();
    world.state.fault(faults[3].clone());
    let refused = world.get(RECORDS_URI);
    assert_eq!((refused.status, refused.header("retry-after")), (503, "7"));
}

#[test]
fn contradictory_script_names_the_position() {
    for (script, says) in [
        ("{}", "expected a list at line 1"),
        (
            r#"[{"effect": {}}]"#,
            "fault 1: an effect has at least one of",
        ),
        (
            "[{\"effect\": {\"commit\": \"never\"}},\n{\"nth\": 0, \"effect\": {\"commit\": \"never\"}}]",
            "fault 2: requests are counted from 1",
        ),
        (r#"[{"effekt": {}}]"#, "effekt"),
        (
            r#"[{"method": "BREW", "effect": {"delivery": "drop"}}]"#,
            "BREW",
        ),
        (
            r#"[{"nth": 0, "effect": {"delivery": "drop"}}]"#,
            "counted from 1",
        ),
        (
            r#"[{"nth": 1, "times": 2, "effect": {"delivery": "drop"}}]"#,
            "stands alone",
        ),
        (
            r#"[{"effect": {"delivery": "drop", "answer": {"page": 1}}}]"#,
            "no answer",
        ),
        (
            r#"[{"effect": {"late_ms": 5, "delivery": "drop"}}]"#,
            "late",
        ),
    ] {
        let error = Fault::parse_script(script).unwrap_err().to_string();
        assert!(error.contains(says), "{script}: {error}");
    }
}
