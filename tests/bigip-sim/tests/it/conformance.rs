//! The conformance set against the simulator: every fixture holds, and the set can fail.

use std::path::Path;

use bigip_sim::conformance::{
    Allowed, Credentials, Evidence, Fixture, FixtureResult, Needs, Report, RunError, Target, Trust,
    load, run,
};
use bigip_sim::{SimConfig, Simulator, TmosVersion};
use serde_json::json;

use crate::support::{ENDPOINT, MAC, TUNNEL, config};

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

fn target(simulator: &Simulator) -> Target {
    let credentials = Credentials {
        user: "admin".to_owned(),
        password: "s3cret".to_owned(),
        login_provider: "tmos".to_owned(),
    };
    let url = format!("https://{}", simulator.address());
    let trust = Trust::Ca(simulator.ca_pem().as_bytes().to_vec());
    Target::new(&url, &trust, credentials).unwrap()
}

/// The findings that are not as expected.
fn differing(report: &Report) -> Vec<String> {
    let differs = report
        .findings
        .iter()
        .filter_map(|finding| match &finding.result {
            FixtureResult::Differs { request, expected } => Some(format!(
                "{}: {request}: {expected}, answered {}",
                finding.title, finding.seen
            )),
            FixtureResult::Held | FixtureResult::Skipped { .. } => None,
        });
    differs.collect()
}

#[tokio::test]
async fn every_fixture_holds_for_every_version_and_nothing_is_left() {
    let fixtures = fixtures();
    let mut asked = vec![false; fixtures.len()];
    for version in TmosVersion::ALL {
        let simulator = Simulator::start(SimConfig {
            version,
            ..config()
        })
        .await
        .unwrap();
        let report = run(&target(&simulator), &fixtures, &everything())
            .await
            .unwrap();
        assert_eq!(differing(&report), [""; 0], "TMOS {version}");
        for (asked, finding) in asked.iter_mut().zip(&report.findings) {
            *asked |= finding.result == FixtureResult::Held;
        }
        assert!(simulator.records(TUNNEL).is_empty());
        assert_eq!(simulator.live_tokens("admin"), 0, "TMOS {version}");
    }
    assert!(
        asked.iter().all(|asked| *asked),
        "a fixture was never asked"
    );
}

#[tokio::test]
async fn a_device_that_does_otherwise_is_told_with_what_was_expected_and_answered() {
    let simulator = Simulator::start(config()).await.unwrap();
    let mut wrong = fixtures();
    wrong.retain(|fixture| fixture.title.starts_with("a unit tells its version"));
    wrong[0].steps[0].expect.status = Some(201);
    let report = run(&target(&simulator), &wrong, &everything())
        .await
        .unwrap();
    let told = differing(&report);
    assert_eq!(
        told,
        [
            "a unit tells its version: GET /mgmt/tm/sys/version: status 201 expected, answered 200 json"
        ]
    );
}

#[tokio::test]
async fn without_permission_nothing_is_written_and_no_wrong_password_is_tried() {
    let simulator = Simulator::start(config()).await.unwrap();
    let allowed = Allowed {
        tunnel: Some(TUNNEL.to_owned()),
        ..Allowed::default()
    };
    let fixtures = fixtures();
    let report = run(&target(&simulator), &fixtures, &allowed).await.unwrap();
    assert_eq!(differing(&report), [""; 0]);
    assert_eq!((simulator.mutations(), simulator.failed_logins()), (0, 0));
    for (fixture, finding) in fixtures.iter().zip(&report.findings) {
        let skipped = matches!(finding.result, FixtureResult::Skipped { .. });
        assert!(fixture.needs == Needs::Read || skipped, "{}", fixture.title);
    }
}

#[tokio::test]
async fn a_tunnel_that_holds_records_is_not_written_to() {
    let simulator = Simulator::start(config()).await.unwrap();
    simulator.seed_record(TUNNEL, MAC, ENDPOINT).unwrap();
    let refused = run(&target(&simulator), &fixtures(), &everything()).await;
    assert!(
        matches!(refused, Err(RunError::TunnelInUse(_))),
        "{refused:?}"
    );
    assert_eq!(simulator.mutations(), 0);
    assert_eq!(simulator.records(TUNNEL).len(), 1);
}

#[tokio::test]
async fn a_report_holds_neither_password_nor_token() {
    let simulator = Simulator::start(config()).await.unwrap();
    let mut all = fixtures();
    // Fails with what it was sent, in every way that a report has.
    let fixture = json!([{
        "title": "x", "evidence": "assumed", "source": "x",
        "steps": [{
            "request": "GET /mgmt/tm/net/{session}/{password}",
            "expect": {"status": 400, "message": "{password} {session}"},
        }],
    }]);
    all.extend(serde_json::from_value::<Vec<Fixture>>(fixture).unwrap());
    let report = run(&target(&simulator), &all, &everything()).await.unwrap();
    assert_eq!(differing(&report).len(), 1);
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("***"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn an_assumption_says_what_happens_if_it_does_not_hold() {
    for fixture in fixtures() {
        let is_assumed = fixture.evidence == Evidence::Assumed;
        assert_eq!(fixture.otherwise.is_some(), is_assumed, "{}", fixture.title);
    }
}
