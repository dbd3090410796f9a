//! What the status of an object that does not parse says, and what it never shows.

//! Tests of what is said about an object that does not parse.

use super::*;

const NOW: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// An object with one field of its spec set to another value.
fn object_with(pointer: &str, value: Value) -> DynamicObject {
    let mut object = json!({
        "apiVersion": "bigip-tunnel.dev/v1alpha1",
        "kind": "BigIpTunnel",
        "metadata": {
            "name": "prod-east",
            "namespace": "bigip",
            "generation": 7,
            "resourceVersion": "41",
            "finalizers": [FINALIZER],
        },
        "spec": {
            "credentialsSecretRef": {"name": "login"},
            "devices": [{"name": "bigip-a", "address": "192.0.2.11", "port": 443}],
            "tunnel": {"name": "flannel_vxlan"},
            "deletionPolicy": "Delete",
        },
    });
    *object.pointer_mut(pointer).unwrap() = value;
    serde_json::from_value(object).unwrap()
}

/// An object whose port is no number.
fn bad() -> DynamicObject {
    object_with("/spec/devices/0/port", json!("hunter2, expected hunter3"))
}

/// What the object says after the patch was taken.
fn patched(mut object: DynamicObject, patch: &Value) -> DynamicObject {
    let mut status = object.data.get("status").cloned().unwrap_or(json!({}));
    for (key, value) in patch["status"].as_object().unwrap() {
        status[key] = value.clone();
    }
    object.data["status"] = status;
    object
}

fn patch(object: &DynamicObject, now: i64) -> Option<Value> {
    let problem = parse(object).unwrap_err();
    status_patch(object, &problem, at(now))
}

fn of_kind<'a>(patch: &'a Value, kind: &str) -> &'a Value {
    let conditions = patch["status"]["conditions"].as_array().unwrap();
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
        .unwrap()
}

#[test]
fn object_that_parses_has_no_problem() {
    let object = object_with("/spec/devices/0/port", json!(8443));
    assert_eq!(parse(&object).unwrap().spec.devices[0].port, 8443);
}

#[test]
fn problem_names_the_field_and_the_expected_value() {
    assert_eq!(
        parse(&bad()).unwrap_err().text,
        "spec.devices[0].port: invalid type, expected i32"
    );
    let policy = object_with("/spec/deletionPolicy", json!("Sometimes"));
    assert_eq!(
        parse(&policy).unwrap_err().text,
        "spec.deletionPolicy: unknown variant, expected `Delete` or `Retain`"
    );
    let tunnel = object_with("/spec/tunnel", json!({}));
    assert_eq!(
        parse(&tunnel).unwrap_err().text,
        "spec.tunnel: missing field `name`"
    );
}

#[test]
fn problem_never_shows_the_value() {
    for value in [json!("hunter2, expected hunter3"), json!({"hunter2": 1})] {
        for pointer in [
            "/spec/devices/0/port",
            "/spec/deletionPolicy",
            "/spec/tunnel",
            "/spec",
        ] {
            let problem = parse(&object_with(pointer, value.clone())).unwrap_err();
            assert!(!problem.text.contains("hunter"), "{}", problem.text);
        }
    }
    assert!(!without_value("hunter2 is not a number, expected hunter3").contains("hunter"));
}

#[test]
fn unreadable_object_is_stalled_with_invalid_spec() {
    let patch = patch(&bad(), NOW).unwrap();
    for (kind, status) in [
        ("Ready", "False"),
        ("Accepted", "False"),
        ("Stalled", "True"),
        ("Available", "Unknown"),
    ] {
        let condition = of_kind(&patch, kind);
        assert_eq!(condition["status"], status);
        assert_eq!(condition["reason"], "InvalidSpec");
        assert_eq!(condition["observedGeneration"], 7);
        let message = condition["message"].as_str().unwrap();
        assert!(message.contains("spec.devices[0].port"), "{message}");
    }
    assert_eq!(patch["status"]["observedGeneration"], 7);
}

#[test]
fn patch_is_bound_to_the_version_that_was_read() {
    assert_eq!(
        patch(&bad(), NOW).unwrap()["metadata"],
        json!({"resourceVersion": "41"})
    );
}

#[test]
fn patch_changes_only_the_conditions() {
    let patch = patch(&bad(), NOW).unwrap();
    let fields: Vec<&String> = patch["status"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["conditions", "observedGeneration"]);
}

#[test]
fn unchanged_unreadable_status_is_not_written() {
    let written = patched(bad(), &patch(&bad(), NOW).unwrap());
    assert_eq!(patch(&written, NOW + 60), None);
}

#[test]
fn condition_keeps_its_time_until_a_change() {
    let mut object = bad();
    object.data["status"] = json!({"conditions": [
        {"type": "Ready", "status": "False", "reason": "Progressing", "message": "",
         "lastTransitionTime": at(NOW - 60).to_string()},
        {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
         "lastTransitionTime": at(NOW - 60).to_string()},
    ]});
    let patch = patch(&object, NOW).unwrap();
    assert_eq!(
        of_kind(&patch, "Ready")["lastTransitionTime"],
        at(NOW - 60).to_string()
    );
    assert_eq!(
        of_kind(&patch, "Accepted")["lastTransitionTime"],
        at(NOW).to_string()
    );
}

#[test]
fn reconciling_is_removed_when_stalled() {
    let mut object = bad();
    object.data["status"] = json!({"conditions": [
        {"type": "Reconciling", "status": "True", "reason": "Progressing", "message": "",
         "lastTransitionTime": at(NOW - 60).to_string()},
    ]});
    let patch = patch(&object, NOW).unwrap();
    let conditions = patch["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .all(|condition| condition["type"] != "Reconciling")
    );
}

#[test]
fn unreadable_status_is_replaced() {
    for status in [
        json!("text"),
        json!({"conditions": "text"}),
        json!({"conditions": ["text"]}),
    ] {
        let mut object = bad();
        object.data["status"] = status;
        assert!(patch(&object, NOW).is_some());
    }
    let mut written = patched(bad(), &patch(&bad(), NOW).unwrap());
    written.data["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .push(json!("text"));
    assert!(patch(&written, NOW).is_some());
}

#[test]
fn deleted_unreadable_object_names_the_finalizer() {
    let mut object = bad();
    object.metadata.deletion_timestamp = Some(Time(at(NOW)));
    let patch = patch(&object, NOW).unwrap();
    let message = of_kind(&patch, "Ready")["message"].as_str().unwrap();
    assert!(message.contains("records stay"), "{message}");
    assert!(message.contains(FINALIZER), "{message}");
    assert!(
        message.contains("remove the finalizer by hand"),
        "{message}"
    );
}

#[test]
fn absent_finalizer_is_not_named() {
    let mut object = bad();
    object.metadata.deletion_timestamp = Some(Time(at(NOW)));
    object.metadata.finalizers = Some(vec!["example.com/other".into()]);
    let patch = patch(&object, NOW).unwrap();
    let message = of_kind(&patch, "Ready")["message"].as_str().unwrap();
    assert!(!message.contains(FINALIZER), "{message}");
}

#[test]
fn long_problem_is_truncated_but_not_the_remedy() {
    let message = message(
        &bad(),
        &Problem {
            reason: Reason::InvalidSpec,
            text: "ä".repeat(2 * MESSAGE_MAX),
        },
    );
    assert_eq!(message.chars().count(), MESSAGE_MAX);
    assert!(message.ends_with("until it is repaired"), "{message}");
}

/// An object with these rows of claims, made for this uid.
fn claiming(claims: &Value, uid: &str) -> DynamicObject {
    let mut object = object_with("/metadata/generation", json!(7));
    object.metadata.uid = Some("uid-1".to_owned());
    let ownership = json!({"uid": uid, "claims": claims});
    object.data["status"] = json!({ "ownership": ownership });
    object
}

#[test]
fn claims_that_cannot_be_read_make_the_object_unreadable() {
    let of = |field: &str, value: Value| {
        let mut row =
            json!({"devices": ["a"], "state": "Owned", "records": ["0a:0a:0a:00:00:01 n"]});
        row[field] = value;
        json!([row])
    };
    let cases = [
        of("records", json!(["0a:0a:0a:00:00:01 n", "x"])),
        of("macs", json!(["x"])),
        of("state", json!("Frozen")),
        of("identity", json!("of a later version")),
        of("devices", json!([])),
        json!("other"),
    ];
    for claims in cases {
        let problem = parse(&claiming(&claims, "uid-1")).unwrap_err();
        assert_eq!(problem.reason, Reason::OwnershipUnreadable, "{claims}");
        assert!(problem.text.starts_with(OWNERSHIP), "{}", problem.text);
    }
    assert!(parse(&claiming(&of("devices", json!(["a"])), "uid-1")).is_ok());
}

#[test]
fn unreadable_claims_of_another_object_are_void() {
    let claims = json!([{"devices": ["a"], "state": "Owned", "records": ["x"]}]);
    assert!(parse(&claiming(&claims, "uid-2")).is_ok());
}

#[test]
fn unreadable_claims_show_the_remedy_and_stay() {
    let claims = json!([{"devices": ["a"], "state": "Owned", "records": ["x"]}]);
    let patch = patch(&claiming(&claims, "uid-1"), NOW).unwrap();
    assert_eq!(patch["status"].get("ownership"), None);
    let ready = of_kind(&patch, "Ready");
    assert_eq!(ready["reason"], "OwnershipUnreadable");
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("remove status.ownership"), "{message}");
    assert!(message.ends_with("until it is repaired"), "{message}");
}

#[test]
fn object_without_resource_version_gets_no_patch() {
    let mut object = bad();
    object.metadata.resource_version = None;
    assert_eq!(patch(&object, NOW), None);
}
