//! Every rule of the table, with the body that it was written for.

use super::*;
use crate::testing::recorded;

fn judge(status: u16, body: &str) -> ErrorKind {
    let answer = Answer {
        status,
        retry_after: None,
        body: body.as_bytes().to_vec(),
    };
    answer
        .judge(
            Asked {
                verb: "GET",
                resource: "record",
            },
            &["canary"],
        )
        .unwrap_err()
}

fn icrd(status: u16, message: &str, api_error: u64) -> ErrorKind {
    judge(
        status,
        &format!(
            r#"{{"code":{status},"message":"{message}","errorStack":[],"apiError":{api_error}}}"#
        ),
    )
}

fn restjavad(status: u16, message: &str) -> ErrorKind {
    judge(
        status,
        &format!(
            r#"{{"code":{status},"message":"{message}","restOperationId":41,"kind":":resterrorresponse"}}"#
        ),
    )
}

fn is_not_ready(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotReady { .. })
}

fn is_busy(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Busy { .. })
}

#[test]
fn only_icrd_can_report_a_missing_object() {
    let missing = ErrorKind::NotFound { resource: "record" };
    let text = "01020036:3: The requested value list (/Common/x) was not found.";
    assert_eq!(icrd(404, text, 3), missing);
    assert_eq!(
        icrd(404, "Object not found - 0a:0a:c0:a8:c8:41", 1),
        missing
    );
    assert_ne!(restjavad(404, text), missing);
    assert_ne!(judge(404, text), missing);
    assert_ne!(icrd(400, text, 3), missing);
}

#[test]
fn unknown_icrd_404_does_not_mean_missing() {
    let kind = icrd(404, "Task not found - ID: 5 user: admin", 1);
    assert!(
        matches!(kind, ErrorKind::Refused { status: 404, .. }),
        "{kind:?}"
    );
}

#[test]
fn existing_object_is_recognised_by_message_id() {
    let text = "01020066:3: The requested class string item (/Common/d k) already exists in partition Common.";
    assert_eq!(icrd(409, text, 3), ErrorKind::Exists { resource: "record" });
}

#[test]
fn transaction_prefix_is_skipped() {
    let text = "transaction failed:01020036:3: The requested Pool (/Common/p) was not found.";
    assert_eq!(
        icrd(404, text, 2),
        ErrorKind::NotFound { resource: "record" }
    );
}

#[test]
fn both_wordings_of_an_unregistered_path_mean_not_ready() {
    for text in [
        "Public URI path not registered: /tm/ltm/pool/",
        "URI path /mgmt/tm/ltm/pool/ not registered.  Please verify URI is supported and wait for /available suffix to be responsive.",
    ] {
        assert!(is_not_ready(&restjavad(404, text)), "{text}");
    }
}

#[test]
fn restarts_of_every_layer_mean_not_ready() {
    assert!(is_not_ready(&judge(503, recorded::RESTARTING)));
    assert!(is_not_ready(&icrd(
        500,
        "The connection to mcpd has been lost, try again.",
        32_768_001
    )));
    let text = "java.net.ConnectException: Connection refused (Connection refused)";
    assert!(is_not_ready(&restjavad(400, text)));
    let text = "01071003:3: A previous provisioning operation is in progress. Try again when the BIGIP is active.";
    assert!(is_not_ready(&icrd(400, text, 3)));
}

#[test]
fn other_work_of_the_device_means_busy() {
    assert!(is_busy(&icrd(
        503,
        "There is an active asynchronous task executing.",
        32_964_609
    )));
    assert!(is_busy(&icrd(
        400,
        "01070711:3: foo: Device or resource busy",
        3
    )));
    assert!(is_busy(&judge(429, "")));
}

#[test]
fn proxy_timeout_leaves_a_write_uncertain() {
    for (status, kind) in [
        (400, restjavad(400, "remoteSender:10.107.0.5, method:POST ")),
        (500, judge(500, "<html>AsyncContext timeout</html>")),
    ] {
        assert!(is_busy(&kind), "{kind:?}");
        assert!(Answer::leaves_uncertain(&kind, status), "{kind:?}");
    }
}

#[test]
fn clear_refusal_leaves_nothing_uncertain() {
    let kind = judge(400, recorded::ROUTE_DOMAIN_MISMATCH);
    assert!(!Answer::leaves_uncertain(&kind, 400));
    let kind = icrd(400, "01070711:3: foo: Device or resource busy", 3);
    assert!(!Answer::leaves_uncertain(&kind, 400));
}

#[test]
fn missing_permission_differs_from_a_refused_token() {
    let forbidden = ErrorKind::Forbidden {
        verb: "GET",
        resource: "record",
    };
    assert_eq!(judge(401, recorded::FORBIDDEN), forbidden);
    assert_eq!(restjavad(403, "no"), forbidden);
    let text =
        "01070822:3: Access Denied: User (guest) does not have update access to partition (Common)";
    assert_eq!(icrd(400, text, 3), forbidden);
    let text = "01070822:3: Access Denied: user (op) does not have create access to object (x)";
    assert_eq!(icrd(400, text, 3), forbidden);
    for text in [
        "X-F5-Auth-Token does not exist.",
        "Authorization failed: no user authentication header or token detected. Uri:http://localhost:8100/mgmt/tm/ltm/virtual Referrer:10.145.74.44 Sender:10.145.74.44",
        "Authorization failed: no user named admin found. Uri:http://localhost:8100/mgmt/tm/ltm/node",
    ] {
        assert_eq!(restjavad(401, text), ErrorKind::TokenRefused, "{text}");
    }
    assert_eq!(judge(401, recorded::TOKEN_EXPIRED), ErrorKind::TokenRefused);
    assert_eq!(judge(401, "<html>401</html>"), ErrorKind::TokenRefused);
}

#[test]
fn token_limit_has_its_own_error() {
    let text = "user 6c1a5b6e has reached maximum active login tokens";
    assert_eq!(restjavad(400, text), ErrorKind::TooManyTokens);
}

#[test]
fn icrd_text_is_kept() {
    let kind = judge(400, recorded::ROUTE_DOMAIN_MISMATCH);
    let shown = kind.to_string();
    assert!(
        shown.starts_with("it refuses a GET of the record (status 400): 01070734:3: "),
        "{shown}"
    );
    assert!(shown.contains("192.168.11.23%1"), "{shown}");
}

#[test]
fn no_other_text_of_a_device_is_kept() {
    for kind in [
        restjavad(400, "odd text"),
        restjavad(500, "odd text"),
        judge(502, "<html>odd text</html>"),
        judge(404, "odd text"),
        judge(302, "odd text"),
        icrd(400, "odd text with canary", 3),
    ] {
        assert!(!format!("{kind} {kind:?}").contains("odd text"), "{kind:?}");
    }
}

#[test]
fn redirects_and_unknown_servers_are_protocol_errors() {
    assert_eq!(judge(302, ""), Mismatch::Redirect { status: 302 }.into());
    assert_eq!(
        judge(404, "<html>nginx</html>"),
        Mismatch::Foreign { status: 404 }.into()
    );
}

#[test]
fn truncated_error_body_does_not_hide_the_status() {
    let cut = &recorded::ROUTE_DOMAIN_MISMATCH[..50];
    assert_eq!(judge(400, cut), Mismatch::Foreign { status: 400 }.into());
    assert!(matches!(
        judge(502, cut),
        ErrorKind::Server { status: 502, .. }
    ));
}
