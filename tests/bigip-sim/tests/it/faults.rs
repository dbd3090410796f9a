//! Faults: which request they hit, and what is left of it.

use bigip_sim::{Effect, Fault, Method, Preset, Reply};

use crate::support::{ENDPOINT, MAC, RECORDS_URI, TUNNEL_URI, answer, pair, record, world};

fn posts(effect: Effect) -> Fault {
    Fault::new(effect)
        .method(Method::POST)
        .path_contains("/records")
}

#[test]
fn fault_matches_only_its_method_and_path() {
    let mut world = world();
    let id = world.state.fault(posts(Effect::preset(Preset::Restarting)));
    assert_eq!(world.get(RECORDS_URI).status, 200);
    assert_eq!(world.login("admin", "s3cret").status, 200);
    let refused = world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (503, "text/html")
    );
    assert!(refused.text.contains("Configuration Utility restarting..."));
    assert!(world.stored().is_empty());

    world.state.remove_fault(id);
    assert_eq!(world.post(RECORDS_URI, &record(MAC, ENDPOINT)).status, 200);
}

#[test]
fn fault_can_match_a_list_without_its_items() {
    let mut world = world();
    let list = Fault::new(Effect::preset(Preset::Restarting)).path_ends_with("/records");
    world.state.fault(list);
    assert_eq!(world.get(RECORDS_URI).status, 503);
    assert_eq!(world.get(&format!("{RECORDS_URI}/{MAC}")).status, 404);
}

#[test]
fn only_the_nth_request_is_faulted() {
    let mut world = world();
    world.state.fault(
        Fault::new(Effect::preset(Preset::NotRegistered))
            .path_contains("/records")
            .nth(2),
    );
    let statuses: Vec<_> = (0..4).map(|_| world.get(RECORDS_URI).status).collect();
    assert_eq!(statuses, [200, 404, 200, 200]);
}

#[test]
fn starting_device_reports_an_unregistered_path() {
    let mut world = world();
    world
        .state
        .fault(Fault::new(Effect::preset(Preset::NotRegistered)));
    let answer = world.get(TUNNEL_URI);
    assert_eq!(answer.json()["kind"], ":resterrorresponse");
    let message = "Public URI path not registered: /tm/net/fdb/tunnel/~Common~flannel_vxlan";
    assert_eq!(answer.message(), message);
}

#[test]
fn any_answer_can_be_put_in_place_of_the_real_one() {
    let mut world = world();
    let body = r#"{"code":503,"message":"There is an active asynchronous task executing.","errorStack":[],"apiError":32964609}"#;
    world.state.fault(Fault::new(Effect::status(
        503,
        "application/json",
        body.to_owned(),
    )));
    let answer = world.get(RECORDS_URI);
    assert_eq!((answer.status, answer.text.as_str()), (503, body));
    world.state.clear_faults();
    assert_eq!(world.get(RECORDS_URI).status, 200);
}

#[test]
fn only_a_drop_after_the_commit_changes_state() {
    for (effect, stored) in [
        (Effect::drop_before_commit(), vec![]),
        (Effect::drop_after_commit(), vec![pair(MAC, ENDPOINT)]),
    ] {
        let mut world = world();
        world.state.fault(posts(effect));
        let request = world.request(
            Method::POST,
            RECORDS_URI,
            &record(MAC, ENDPOINT).to_string(),
        );
        assert!(matches!(world.ask(&request), Reply::Drop));
        assert_eq!(world.stored(), stored);
        assert_eq!(world.state.mutations(), 1);
        assert_eq!(world.state.requests().last().unwrap().status, None);
    }
}

#[test]
fn stalled_request_runs_when_the_fault_is_removed() {
    let mut world = world();
    let id = world.state.fault(posts(Effect::stall()));
    let request = world.request(
        Method::POST,
        RECORDS_URI,
        &record(MAC, ENDPOINT).to_string(),
    );
    let Reply::Hold(held) = world.ask(&request) else {
        panic!("not held")
    };
    assert!(world.state.holds(&held));
    assert_eq!(world.state.held_requests(), 1);
    assert_eq!(world.state.requests().last().unwrap().status, None);
    assert_eq!(world.get(RECORDS_URI).status, 200, "others are not held");
    assert!(world.stored().is_empty());

    world.state.remove_fault(id);
    assert!(!world.state.holds(&held));
    let now = world.now;
    let Reply::Answer(response) = world.state.resume(&request, &held, now) else {
        panic!("not answered")
    };
    assert_eq!(answer(&response).status, 200);
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
    assert_eq!(world.state.held_requests(), 0);
    let posted = world
        .state
        .requests()
        .find(|request| request.method == Method::POST && request.path == RECORDS_URI);
    assert_eq!(posted.unwrap().status, Some(200));
}

/// What a device stores while a POST is held by this effect, and after it was let go. Checks that it
/// was held, and that it is not answered.
fn held_then_let_go(effect: Effect) -> [Vec<(String, String)>; 2] {
    let mut world = world();
    let id = world.state.fault(posts(effect));
    let body = record(MAC, ENDPOINT).to_string();
    let request = world.request(Method::POST, RECORDS_URI, &body);
    let Reply::Hold(held) = world.ask(&request) else {
        panic!("not held")
    };
    assert!(world.state.holds(&held));
    assert_eq!(world.state.held_requests(), 1);
    let while_held = world.stored();

    world.state.remove_fault(id);
    assert!(!world.state.holds(&held));
    let now = world.now;
    let reply = world.state.resume(&request, &held, now);
    assert!(matches!(reply, Reply::Drop), "{reply:?}");
    assert_eq!(world.state.held_requests(), 0);
    assert_eq!(world.state.requests().last().unwrap().status, None);
    [while_held, world.stored()]
}

#[test]
fn stalled_and_dropped_request_never_runs() {
    let none = Vec::new();
    assert_eq!(
        held_then_let_go(Effect::stall_then_drop()),
        [none.clone(), none]
    );
}

#[test]
fn committed_and_stalled_request_is_stored_unanswered() {
    let stored = vec![pair(MAC, ENDPOINT)];
    assert_eq!(
        held_then_let_go(Effect::commit_then_stall()),
        [stored.clone(), stored]
    );
}

#[test]
fn held_request_is_identified_by_its_fault() {
    let mut world = world();
    let [adding, removing] = [Method::POST, Method::DELETE].map(|method| {
        let fault = Fault::new(Effect::stall()).method(method);
        world.state.fault(fault.path_contains("/records"))
    });
    let body = record(MAC, ENDPOINT).to_string();
    let request = world.request(Method::POST, RECORDS_URI, &body);
    assert!(matches!(world.ask(&request), Reply::Hold(_)));
    let held: Vec<_> = world.state.held_by(adding).collect();
    assert_eq!((held.len(), &held[0].method), (1, &Method::POST));
    assert_eq!(world.state.held_by(removing).count(), 0);
}

#[test]
fn nth_request_of_any_method_can_be_faulted() {
    let mut world = world();
    world
        .state
        .fault(Fault::new(Effect::preset(Preset::Restarting)).nth(3));
    let statuses = [
        world.get(RECORDS_URI).status,
        world.login("admin", "s3cret").status,
        world.post(RECORDS_URI, &record(MAC, ENDPOINT)).status,
        world.get(TUNNEL_URI).status,
    ];
    assert_eq!(statuses, [200, 200, 503, 200]);
}

#[test]
fn log_names_the_record_of_a_request() {
    let mut world = world();
    world.state.clear_log();
    world.get(RECORDS_URI);
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    world.delete(&format!("{RECORDS_URI}/{}", MAC.replace(':', "%3A")));
    let records: Vec<_> = world
        .state
        .requests()
        .map(|request| request.record.as_deref())
        .collect();
    assert_eq!(records, [None, Some(MAC), Some(MAC)]);
}

#[test]
fn fault_can_match_logins() {
    let mut world = world();
    world
        .state
        .fault(Fault::new(Effect::preset(Preset::Restarting)).path_contains("/authn/login"));
    assert_eq!(world.login("admin", "s3cret").status, 503);
    assert_eq!(
        world.state.logins(),
        1,
        "only the one of before got through"
    );
}
