//! What `events` prints.

use insta::assert_snapshot;
use k8s_openapi::api::core::v1::Event;
use serde_json::{Value, json};

use super::*;
use crate::testing::{printed, view};

/// An event about this tunnel, with these fields besides.
fn event(tunnel: &str, fields: Value) -> Event {
    let mut event = json!({
        "metadata": {"name": "e", "namespace": "bigip", "creationTimestamp": "2026-11-22T05:00:00Z"},
        "involvedObject": {"kind": "BigIpTunnel", "namespace": "bigip", "name": tunnel},
        "type": "Normal",
    });
    let Value::Object(fields) = fields else {
        unreachable!("fields are an object");
    };
    event.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(event).unwrap()
}

/// Events as clients of different ages write them.
fn events() -> Vec<Event> {
    vec![
        event(
            "prod-west",
            json!({
                "type": "Warning",
                "reason": "DeviceUnreachable",
                "message": "bigip-d: no answer within 5 s",
                "eventTime": "2026-11-22T06:00:00.000000Z",
                "series": {"count": 14, "lastObservedTime": "2026-11-22T06:39:00.000000Z"},
            }),
        ),
        event(
            "prod-east",
            json!({
                "reason": "Approved",
                "message": "by a person",
                "firstTimestamp": "2026-11-22T06:10:00Z",
                "lastTimestamp": "2026-11-22T06:30:48Z",
                "count": 2,
            }),
        ),
        event("prod-east", json!({"reason": "Created", "message": "m"})),
    ]
}

fn shown(report: &EventsReport, output: Option<DataFormat>) -> String {
    let args = EventsArgs {
        names: Vec::new(),
        output,
    };
    printed(|out| write(report, &args, view(false), out))
}

#[test]
fn events_are_shown_newest_last() {
    let report = EventsReport::new(events(), &[]);
    assert_snapshot!(shown(&report, None), @"
    LAST-SEEN   TYPE      REASON              TUNNEL      COUNT   MESSAGE
    100m        Normal    Created             prod-east   1       m
    9m12s       Normal    Approved            prod-east   2       by a person
    60s         Warning   DeviceUnreachable   prod-west   14      bigip-d: no answer within 5 s
    ");
}

#[test]
fn only_events_of_the_tunnels_that_are_named_are_shown() {
    let names = ["prod-west".to_owned()];
    let report = EventsReport::new(events(), &names);
    let reasons: Vec<&str> = report.events.iter().map(|e| e.reason.as_str()).collect();
    assert_eq!(reasons, ["DeviceUnreachable"]);
}

#[test]
fn no_events_print_nothing_and_a_message() {
    assert_eq!(shown(&EventsReport::new(Vec::new(), &[]), None), "");
    assert_eq!(
        nothing_found(&Connection::default(), "bigip"),
        "No events of BigIpTunnels found in bigip namespace. Kubernetes forgets them, usually after \
         an hour."
    );
}

#[test]
fn json_equals_yaml() {
    let report = EventsReport::new(events(), &[]);
    let json: Value = serde_json::from_str(&shown(&report, Some(DataFormat::Json))).unwrap();
    assert_eq!(json["kind"], "EventsReport");
    assert_eq!(json["events"][2]["count"], 14);
    assert_eq!(json["events"][2]["lastSeen"], "2026-11-22T06:39:00Z");
    let yaml = shown(&report, Some(DataFormat::Yaml));
    assert_eq!(json, serde_saphyr::from_str::<Value>(&yaml).unwrap());
}
