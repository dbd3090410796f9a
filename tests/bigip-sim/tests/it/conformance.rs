//! The conformance set against the simulator: every fixture holds, the set can fail, and it does to a device
//! what was allowed and no more.

use std::error::Error;
use std::iter;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bigip_sim::conformance::{
    Allowed, Credentials, Evidence, Fixture, Needs, Outcome, Report, Right, RunError, Target,
    Trust, load,
};
use bigip_sim::{
    Effect, Fault, Method, Preset, Rights, SimConfig, Simulator, State, TmosVersion, TunnelConfig,
    UserConfig,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{ENDPOINT, MAC, TUNNEL, config};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn fixtures() -> Vec<Fixture> {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/bigip")).unwrap()
}

fn everything() -> Allowed {
    Allowed {
        tunnel: Some(TUNNEL.to_owned()),
        write: true,
        wrong_password: true,
    }
}

fn target(simulator: &Simulator, password: &str) -> Target {
    let credentials = Credentials {
        user: "admin".to_owned(),
        password: password.to_owned(),
        login_provider: "tmos".to_owned(),
    };
    let url = format!("https://{}", simulator.address());
    let trust = Trust::Ca(simulator.ca_pem().as_bytes().to_vec());
    Target::new(&url, &trust, credentials).unwrap()
}

async fn run(
    simulator: &Simulator,
    fixtures: &[Fixture],
    allowed: &Allowed,
) -> Result<Report, RunError> {
    let target = target(simulator, "s3cret");
    bigip_sim::conformance::run(&target, fixtures, allowed, &AtomicBool::new(false)).await
}

/// One fixture of a step or more.
fn fixture(evidence: &str, needs: &str, steps: &Value) -> Vec<Fixture> {
    let fixture = json!([{
        "title": "x", "evidence": evidence, "source": "x", "needs": needs, "steps": steps,
    }]);
    serde_json::from_value(fixture).unwrap()
}

/// One fixture that writes a record.
fn writing() -> Vec<Fixture> {
    let record = json!({ "name": MAC, "endpoint": ENDPOINT });
    let request = "POST /mgmt/tm/net/fdb/tunnel/{tunnel}/records";
    fixture(
        "assumed",
        "write",
        &json!([{ "request": request, "body": record }]),
    )
}

/// The findings that are not as expected.
fn differing(report: &Report) -> Vec<String> {
    let differs = report
        .findings
        .iter()
        .filter_map(|finding| match &finding.outcome {
            Outcome::Differs { request, expected } => Some(format!(
                "{}: {request}: {expected}, answered {}",
                finding.title, finding.seen
            )),
            _ => None,
        });
    differs.collect()
}

/// Everything that an error says.
fn whole(error: &dyn Error) -> String {
    let causes = iter::successors(Some(error), |&cause| cause.source());
    let texts: Vec<String> = causes.map(|cause| format!("{cause} {cause:?}")).collect();
    texts.join("; ")
}

/// Runs everything against a new device, which has to be as it was afterwards.
async fn asked_everything(device: SimConfig) -> Report {
    let simulator = Simulator::start(device).await.unwrap();
    let report = run(&simulator, &fixtures(), &everything()).await.unwrap();
    assert_eq!(differing(&report), [""; 0], "TMOS {}", report.version);
    assert!(simulator.records(TUNNEL).is_empty());
    assert_eq!(simulator.live_tokens("admin"), 0, "{}", report.version);
    let calls = report.calls.iter().filter(|it| it.right != Right::Allowed);
    let calls: Vec<&str> = calls.map(|it| it.call.as_str()).collect();
    // What 12.1 does not have.
    let absent: &[&str] = match report.version.as_str() {
        "12.1.2" => &["GET /mgmt/tm/sys/ready"],
        _ => &[],
    };
    assert_eq!(calls, absent, "{}", report.version);
    report
}

#[tokio::test]
async fn every_fixture_holds_for_every_version_and_nothing_is_left() {
    let mut devices = TmosVersion::ALL.map(|version| SimConfig {
        version,
        ..config()
    });
    // One of them with its tunnel in another route domain.
    devices[1].tunnels = vec![TunnelConfig::vxlan(TUNNEL, "10.169.72.34%1")];
    let mut runs: JoinSet<Report> = devices.into_iter().map(asked_everything).collect();
    let mut never_asked: Vec<String> = fixtures().into_iter().map(|it| it.title).collect();
    while let Some(report) = runs.join_next().await {
        for finding in report.unwrap().findings {
            match finding.outcome {
                Outcome::Held | Outcome::Told => never_asked.retain(|it| *it != finding.title),
                Outcome::Skipped { why } => {
                    let is_fit = why.contains("version") || why.contains("route domain");
                    assert!(is_fit, "{}: {why}", finding.title);
                }
                outcome => panic!("{}: {outcome:?}", finding.title),
            }
        }
    }
    assert_eq!(never_asked, [""; 0]);
}

#[tokio::test]
async fn different_device_is_reported_with_expected_and_seen() {
    let simulator = Simulator::start(config()).await.unwrap();
    let mut wrong = fixtures();
    wrong.retain(|fixture| fixture.title.starts_with("a unit tells its version"));
    wrong[0].steps[0].expect.status = Some(201);
    let report = run(&simulator, &wrong, &everything()).await.unwrap();
    let told = differing(&report);
    assert_eq!(
        told,
        [
            "a unit tells its version: GET /mgmt/tm/sys/version: status 201 expected, answered 200 json"
        ]
    );
}

#[tokio::test]
async fn every_expectation_can_fail() {
    let simulator = Simulator::start(config()).await.unwrap();
    let mut wrong = fixtures();
    wrong.retain(|it| it.evidence != Evidence::Open && it.only_where.is_empty());
    for fixture in &mut wrong {
        let last = fixture.steps.last_mut().unwrap();
        last.expect
            .body
            .insert("noSuchProperty".to_owned(), json!("*"));
        last.within = 0;
    }
    let report = run(&simulator, &wrong, &everything()).await.unwrap();
    assert_eq!(differing(&report).len(), wrong.len());
    assert!(simulator.records(TUNNEL).is_empty());
    assert_eq!(simulator.live_tokens("admin"), 0, "a token stayed");
}

#[tokio::test]
async fn open_question_reports_the_answer() {
    let simulator = Simulator::start(config()).await.unwrap();
    let steps = json!([{ "request": "GET /mgmt/tm/sys/config", "tell": ["/x"] }]);
    let question = fixture("open", "read", &steps);
    let mut report = run(&simulator, &question, &everything()).await.unwrap();
    let finding = report.findings.pop().unwrap();
    assert_eq!(finding.outcome, Outcome::Told);
    assert!(finding.seen.starts_with("501 icrd: "), "{}", finding.seen);
}

#[tokio::test]
async fn question_with_a_refused_setting_is_skipped() {
    let simulator = Simulator::start(config()).await.unwrap();
    let steps = json!([
        { "request": "GET /mgmt/tm/net/nothing" },
        { "request": "GET /mgmt/tm/sys/version" },
    ]);
    let question = fixture("open", "read", &steps);
    let mut report = run(&simulator, &question, &everything()).await.unwrap();
    let finding = report.findings.pop().unwrap();
    assert!(
        matches!(finding.outcome, Outcome::Skipped { .. }),
        "{finding:?}"
    );
    assert!(finding.seen.starts_with("400 icrd: "), "{}", finding.seen);
}

fn with_rights(rights: Rights) -> SimConfig {
    let users = vec![UserConfig {
        rights,
        ..UserConfig::new("admin", "s3cret")
    }];
    SimConfig { users, ..config() }
}

#[tokio::test]
async fn missing_permissions_are_reported_per_product_call() {
    // The three ways in which a device was seen to refuse a right.
    for rights in [
        Rights::ReadOnly,
        Rights::Operator,
        Rights::Manager("other".to_owned()),
    ] {
        let simulator = Simulator::start(with_rights(rights.clone())).await.unwrap();
        let report = run(&simulator, &fixtures(), &everything()).await.unwrap();
        assert_eq!(
            differing(&report),
            [""; 0],
            "a missing right is no difference: {rights:?}"
        );
        let of = |right| -> Vec<&str> {
            let calls = report.calls.iter().filter(|call| call.right == right);
            calls.map(|call| call.call.as_str()).collect()
        };
        let missing = of(Right::Missing);
        for call in [
            "POST /mgmt/tm/net/fdb/tunnel/{tunnel}/records",
            "PUT /mgmt/tm/net/fdb/tunnel/{tunnel}",
        ] {
            assert!(missing.contains(&call), "{rights:?}: {missing:?}");
        }
        assert!(of(Right::Allowed).contains(&"GET /mgmt/tm/net/fdb/tunnel/{tunnel}/records"));
        let without = report
            .findings
            .iter()
            .find(|finding| finding.title == "a record is removed by DELETE and gone");
        let outcome = &without.unwrap().outcome;
        assert!(
            matches!(outcome, Outcome::NoRight { request } if request.starts_with("POST ")),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn missing_version_permission_is_reported() {
    let simulator = Simulator::start(with_rights(Rights::None)).await.unwrap();
    let refused = run(&simulator, &fixtures(), &everything()).await;
    let text = whole(&refused.unwrap_err());
    assert!(
        text.starts_with(
            "it does not tell its version (401 restjavad: Authorization failed: user="
        ),
        "{text}"
    );
    assert_eq!(simulator.live_tokens("admin"), 0);
}

#[tokio::test]
async fn unpermitted_run_writes_nothing_and_skips_bad_login() {
    let simulator = Simulator::start(config()).await.unwrap();
    let allowed = Allowed {
        tunnel: Some(TUNNEL.to_owned()),
        ..Allowed::default()
    };
    let fixtures = fixtures();
    let report = run(&simulator, &fixtures, &allowed).await.unwrap();
    assert_eq!(differing(&report), [""; 0]);
    assert_eq!((simulator.mutations(), simulator.failed_logins()), (0, 0));
    for (fixture, finding) in fixtures.iter().zip(&report.findings) {
        let skipped = matches!(finding.outcome, Outcome::Skipped { .. });
        assert!(fixture.needs == Needs::Read || skipped, "{}", fixture.title);
    }
}

#[tokio::test]
async fn tunnel_with_records_is_not_written_to() {
    let simulator = Simulator::start(config()).await.unwrap();
    simulator.seed_record(TUNNEL, MAC, ENDPOINT).unwrap();
    let refused = run(&simulator, &fixtures(), &everything()).await;
    assert!(
        matches!(refused, Err(RunError::TunnelInUse(_))),
        "{refused:?}"
    );
    assert_eq!(simulator.mutations(), 0);
    assert_eq!(simulator.records(TUNNEL).len(), 1);
}

#[tokio::test]
async fn tunnel_without_an_ipv4_address_is_not_written_to() {
    let tunnels = vec![TunnelConfig::vxlan(TUNNEL, "2001:db8::1%1")];
    let simulator = Simulator::start(SimConfig {
        tunnels,
        ..config()
    })
    .await
    .unwrap();
    for path in [TUNNEL, "/Common/http-tunnel"] {
        let allowed = Allowed {
            tunnel: Some(path.to_owned()),
            ..everything()
        };
        let refused = run(&simulator, &fixtures(), &allowed).await;
        assert!(
            matches!(refused, Err(RunError::TunnelFamily(_))),
            "{refused:?}"
        );
    }
    assert_eq!(simulator.mutations(), 0);
}

#[tokio::test]
async fn write_with_a_lost_answer_is_cleaned_up() {
    let simulator = Simulator::start(config()).await.unwrap();
    let lost = Fault::new(Effect::drop_after_commit()).method(Method::POST);
    simulator.fault(lost.path_ends_with("/records"));
    let ended = run(&simulator, &writing(), &everything()).await;
    assert!(matches!(ended, Err(RunError::Target(_))), "{ended:?}");
    assert!(simulator.records(TUNNEL).is_empty());
    assert_eq!(simulator.live_tokens("admin"), 0);
}

#[tokio::test]
async fn tunnel_that_cannot_be_emptied_is_named() {
    for effect in [
        Effect::drop_before_commit(),
        Effect::preset(Preset::Restarting),
    ] {
        let simulator = Simulator::start(config()).await.unwrap();
        let refusing = Fault::new(effect).method(Method::DELETE);
        simulator.fault(refusing.path_contains("/records/"));
        let ended = run(&simulator, &writing(), &everything()).await;
        let text = whole(&ended.unwrap_err());
        assert!(
            text.starts_with("/Common/flannel_vxlan could not be emptied"),
            "{text}"
        );
        assert_eq!(simulator.records(TUNNEL).len(), 1);
        assert_eq!(simulator.live_tokens("admin"), 0);
    }
}

#[tokio::test]
async fn foreign_record_is_not_removed() {
    let simulator = Simulator::start(config()).await.unwrap();
    let held = simulator.fault(
        Fault::new(Effect::stall())
            .method(Method::POST)
            .path_ends_with("/records"),
    );
    let (all, allowed) = (writing(), everything());
    let meanwhile = async {
        let arrived = |state: &State| state.held_requests() == 1;
        simulator.wait_until(PATIENCE, arrived).await.unwrap();
        simulator
            .seed_record(TUNNEL, "02:00:00:00:00:01", "10.9.9.9%0")
            .unwrap();
        simulator.remove_fault(held);
    };
    let (ended, ()) = tokio::join!(run(&simulator, &all, &allowed), meanwhile);
    let text = whole(&ended.unwrap_err());
    assert!(
        text.contains("record 02:00:00:00:00:01 is not ours"),
        "{text}"
    );
    assert!(simulator.records(TUNNEL).contains_key("02:00:00:00:00:01"));
}

#[tokio::test]
async fn interrupted_run_stops_and_deletes_its_token() {
    let simulator = Simulator::start(config()).await.unwrap();
    let (target, stop) = (target(&simulator, "s3cret"), AtomicBool::new(true));
    let run = bigip_sim::conformance::run(&target, &fixtures(), &everything(), &stop).await;
    let asked = run.unwrap().findings.into_iter();
    let mut asked = asked.filter(|it| it.outcome != Outcome::Skipped { why: "interrupted" });
    assert!(asked.next().is_none());
    assert_eq!(
        (simulator.mutations(), simulator.live_tokens("admin")),
        (0, 0)
    );
}

#[tokio::test]
async fn wrong_password_is_tried_once() {
    let simulator = Simulator::start(config()).await.unwrap();
    let target = target(&simulator, "wrong-one");
    let never = AtomicBool::new(false);
    let refused = bigip_sim::conformance::run(&target, &fixtures(), &everything(), &never).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, RunError::Login(_)), "{error:?}");
    assert!(!whole(&error).contains("wrong-one"));
    assert_eq!(simulator.logins(), 1);
}

#[tokio::test]
async fn password_with_a_placeholder_is_sent_unchanged() {
    let users = vec![UserConfig::new("admin", "{user}\"{provider}")];
    let simulator = Simulator::start(SimConfig { users, ..config() })
        .await
        .unwrap();
    let target = target(&simulator, "{user}\"{provider}");
    let (allowed, never) = (Allowed::default(), AtomicBool::new(false));
    let report = bigip_sim::conformance::run(&target, &fixtures(), &allowed, &never).await;
    assert_eq!(differing(&report.unwrap()), [""; 0]);
    assert_eq!(simulator.failed_logins(), 0);
}

#[tokio::test]
async fn report_contains_neither_password_nor_token() {
    let users = vec![UserConfig::new("admin", "s3cret\"")];
    let simulator = Simulator::start(SimConfig { users, ..config() })
        .await
        .unwrap();
    let mut all = fixtures();
    // Fails with what it was sent, in every way that a report has.
    let steps = json!([{
        "request": "GET /mgmt/tm/net/{session}/{password}",
        "expect": {"status": 400, "body": {"message": "{password} {session}"}},
    }]);
    all.extend(fixture("assumed", "read", &steps));
    let (target, never) = (target(&simulator, "s3cret\""), AtomicBool::new(false));
    let report = bigip_sim::conformance::run(&target, &all, &everything(), &never).await;
    let report = report.unwrap();
    assert_eq!(differing(&report).len(), 1, "{:?}", differing(&report));
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("***"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn error_contains_no_token() {
    let simulator = Simulator::start(config()).await.unwrap();
    let lost = Fault::new(Effect::drop_before_commit()).method(Method::DELETE);
    simulator.fault(lost.path_contains("/tokens/"));
    let ended = run(&simulator, &[], &Allowed::default()).await;
    let text = whole(&ended.unwrap_err());
    assert!(text.contains("does not answer"), "{text}");
    assert!(!text.contains("/tokens/"), "{text}");
}

#[test]
fn assumptions_and_questions_state_the_product_behaviour() {
    for fixture in fixtures() {
        let says = matches!(fixture.evidence, Evidence::Assumed | Evidence::Open);
        assert_eq!(fixture.otherwise.is_some(), says, "{}", fixture.title);
    }
}
