//! Faults: which request they hit, and what is left of it.

use bigip_sim::{Effect, Fault, Method, Reply};

use crate::support::{ENDPOINT, MAC, RECORDS_URI, TUNNEL_URI, answer, pair, record, world};

fn posts(effect: Effect) -> Fault {
    Fault::new(effect)
        .method(Method::POST)
        .path_contains("/records")
}

#[test]
fn a_fault_hits_its_method_and_path_only() {
    let mut world = world();
    let id = world.state.fault(posts(Effect::Html503));
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
fn the_nth_request_alone_is_hit() {
    let mut world = world();
    world.state.fault(
        Fault::new(Effect::NotRegistered404)
            .path_contains("/records")
            .nth(2),
    );
    let statuses: Vec<_> = (0..4).map(|_| world.get(RECORDS_URI).status).collect();
    assert_eq!(statuses, [200, 404, 200, 200]);
}

#[test]
fn a_starting_device_says_that_the_path_is_not_registered() {
    let mut world = world();
    world.state.fault(Fault::new(Effect::NotRegistered404));
    let answer = world.get(TUNNEL_URI);
    assert_eq!(answer.json()["kind"], ":resterrorresponse");
    let message = "Public URI path not registered: /tm/net/fdb/tunnel/~Common~flannel_vxlan";
    assert_eq!(answer.message(), message);
}

#[test]
fn any_answer_can_be_put_in_place_of_the_real_one() {
    let mut world = world();
    let body = r#"{"code":503,"message":"There is an active asynchronous task executing.","errorStack":[],"apiError":32964609}"#;
    world.state.fault(Fault::new(Effect::Status {
        code: 503,
        content_type: "application/json".to_owned(),
        body: body.to_owned(),
    }));
    let answer = world.get(RECORDS_URI);
    assert_eq!((answer.status, answer.text.as_str()), (503, body));
    world.state.clear_faults();
    assert_eq!(world.get(RECORDS_URI).status, 200);
}

#[test]
fn a_drop_before_the_commit_changes_nothing_and_one_after_it_does() {
    for (effect, stored) in [
        (Effect::DropBeforeCommit, vec![]),
        (Effect::DropAfterCommit, vec![pair(MAC, ENDPOINT)]),
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
fn a_stalled_request_is_carried_out_when_the_fault_goes() {
    let mut world = world();
    let id = world.state.fault(posts(Effect::Stall));
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

#[test]
fn a_fault_can_hit_logins() {
    let mut world = world();
    world
        .state
        .fault(Fault::new(Effect::Html503).path_contains("/authn/login"));
    assert_eq!(world.login("admin", "s3cret").status, 503);
    assert_eq!(
        world.state.logins(),
        1,
        "only the one of before got through"
    );
}
