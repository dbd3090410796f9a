//! When a request is handled, and what is not asked at all.

use serde_json::json;

use super::*;
use crate::testing::Tunnel;

const REQUEST: &str = "2026-11-22T06:39:59.123456789Z";

/// A tunnel with this annotation and this answer to it.
fn asked(annotation: &str, handled: &str) -> BigIpTunnel {
    let annotations = json!({ANNOTATION_RECONCILE_REQUESTED_AT: annotation});
    Tunnel::healthy("prod-east")
        .with("/metadata/annotations", &annotations)
        .with("/status/lastHandledReconcileAt", &json!(handled))
        .object()
}

#[test]
fn request_is_handled_by_its_or_a_later_answer() {
    assert!(is_handled(&asked(REQUEST, REQUEST), REQUEST));
    // Somebody asked again meanwhile: the answer to that is one to this.
    assert!(is_handled(&asked("later", "later"), REQUEST));
    assert!(is_handled(&asked("later", REQUEST), REQUEST));
    assert!(!is_handled(&asked(REQUEST, "before"), REQUEST));
    assert!(!is_handled(&asked("later", "before"), REQUEST));
    let never = Tunnel::healthy("prod-east").object();
    assert!(!is_handled(&never, REQUEST));
}

#[test]
fn invalid_spec_is_not_waited_for() {
    let accepted = |status: &str, generation: i64| {
        let condition = json!([{
            "type": "Accepted",
            "status": status,
            "reason": "InvalidSpec",
            "message": "m",
            "observedGeneration": generation,
            "lastTransitionTime": "2026-11-22T06:00:00Z",
        }]);
        let tunnel = Tunnel::healthy("prod-east");
        tunnel.with("/status/conditions", &condition).object()
    };
    assert!(is_rejected(&accepted("False", 3)));
    assert!(!is_rejected(&accepted("True", 3)));
    // It has been corrected since.
    assert!(!is_rejected(&accepted("False", 2)));
}

#[test]
fn paused_tunnel_gets_no_reconcile_request() {
    let suspended = Tunnel::healthy("prod-east").with("/spec/suspend", &json!(true));
    let hint = paused(&suspended.object()).unwrap().hint;
    assert_eq!(hint, "kubectl bigip-tunnel resume prod-east -n bigip");
    let annotations = json!({ANNOTATION_PAUSED: "true"});
    let by_annotation = Tunnel::healthy("prod-east").with("/metadata/annotations", &annotations);
    let problem = paused(&by_annotation.object()).unwrap().problem;
    assert_eq!(
        problem,
        "it is paused by the annotation bigip-tunnel.dev/paused"
    );
    let annotations = json!({ANNOTATION_PAUSED: "false"});
    let working = Tunnel::healthy("prod-east").with("/metadata/annotations", &annotations);
    assert_eq!(paused(&working.object()), None);
}

#[test]
fn late_request_shows_the_status() {
    let object = Tunnel::healthy("prod-east")
        .ready("False", "NodeListFailed", "forbidden")
        .object();
    let acted = Acted::new(&object, Action::ReconcileRequested, DryRun::None);
    let wait = Wait {
        request: REQUEST,
        begun: Instant::now(),
        limit: Some(Duration::from_secs(60)),
    };
    let error = wait.late(&acted, Some(&object));
    assert_eq!(error.code(), 4);
    assert_eq!(
        error.to_string(),
        "the operator has not handled the request for bigiptunnel bigip/prod-east within 60 s; \
         Ready is False: NodeListFailed: forbidden"
    );
}
